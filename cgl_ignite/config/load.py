"""Read a pipeline file with what it extends and what ``--set`` changes; every key remembers its origin."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path
from typing import Any

from cgl_ignite.config.dotted import Twice, expanded
from cgl_ignite.config.limits import LARGEST_FILE, TooMuch, excesses, parse_toml, statements
from cgl_ignite.config.schema import fixed_keys
from cgl_ignite.errors import ConfigError, Problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Document", "Tree", "dotted_keys", "load_document", "merge", "within_limits"]

Tree = dict[str, Any]
SMALL = "small"


@dataclass(frozen=True)
class Document:
    """The values of a pipeline as written, and for each dotted key where they were written.

    ``origins`` maps a dotted key to ``file:line``, ``--set key=value`` or the preset it came from.
    """

    tree: Tree
    origins: Mapping[str, str]
    path: Path

    @property
    def name(self) -> str:
        """The name of the pipeline: what it calls itself, else the name of its file."""
        return str(self.tree.get("name", self.path.stem))

    def where(self, key: str) -> str:
        """Say where a key was written, or the first one below it, or else the nearest table that holds it."""
        below = next((other for other in self.origins if other.startswith(f"{key}.")), "")
        key = key if key in self.origins or not (key and below) else below
        while key and key not in self.origins:
            key = key.rpartition(".")[0]
        return self.origins.get(key, str(self.path))


def load_document(
    source: str | os.PathLike[str] | Mapping[str, Any], overrides: Sequence[str] = (), *, small: bool = False
) -> Document:
    """Read a pipeline file, the files it extends and the ``key=value`` texts of ``--set``, last word wins.

    A mapping stands for the file it could be; it extends nothing. ``small`` lays the table ``[small]`` over the rest.

    Raises:
        ConfigError: a file that is missing or no TOML, a circle of ``extends``, an override that is none, no [small],
            or what no document may hold.
    """
    if isinstance(source, Mapping):
        given = within_limits(Document(dict(source), {}, Path("pipeline")))
        document = _document(given.tree, {}, given.path)
    else:
        document = _read(Path(source), ())
    document = _small(document) if small else document
    changes = Document({}, {}, document.path)
    problems: list[Problem] = []
    for override in overrides:
        changes = merge(changes, _override(override, document.path, problems))
    if problems:
        raise ConfigError(problems)
    return merge(document, changes)


def within_limits(document: Document) -> Document:
    """Return a document that is not too deep, and whose numbers and texts are not too long.

    Raises:
        ConfigError: everything else.
    """
    if faults := list(excesses(document.tree)):
        raise ConfigError(Problem(document.where(key), key, message) for key, message in faults)
    return document


def merge(base: Document, top: Document) -> Document:
    """Lay one document over another, table by table.

    A table whose ``kind`` changes loses the options of the old kind and keeps its fixed keys.
    """
    tree = _merged(base.tree, top.tree, ())
    kept = set(dotted_keys(tree))
    origins = {key: origin for key, origin in base.origins.items() if key in kept}
    return Document(tree, origins | dict(top.origins), top.path)


def _document(tree: Tree, origins: Mapping[str, str], path: Path) -> Document:
    """Make a document whose comparison tables may have dotted keys in quotes."""
    try:
        return Document(expanded(tree), origins, path)
    except Twice as error:
        where = Document({}, origins, path).where(error.key)
        raise _fault(where, "stands there twice, or within another key that has a value", error.key) from None


def _small(document: Document) -> Document:
    """Lay ``[small]`` over the other tables."""
    changes = document.tree.get(SMALL)
    if not isinstance(changes, dict):
        raise _fault(document.where(SMALL), "is no table; --small needs one, with what a small trial changes", SMALL)
    prefix = f"{SMALL}."
    origins = {key.removeprefix(prefix): where for key, where in document.origins.items() if key.startswith(prefix)}
    return merge(document, Document(changes, origins, document.path))


def dotted_keys(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Name every table and value of a tree.

    Example:
        >>> list(dotted_keys({"run": {"epochs": 3}}))
        ['run', 'run.epochs']
    """
    for name, value in tree.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from dotted_keys(value, f"{prefix}{name}.")


def _merged(base: Tree, top: Tree, table: tuple[str, ...]) -> Tree:
    if "kind" in base and base["kind"] != top.get("kind", base["kind"]):
        base = {key: value for key, value in base.items() if key in fixed_keys(*table)}
    result = dict(base)
    for key, value in top.items():
        old: Any = base.get(key)
        tables = isinstance(value, dict) and isinstance(old, dict)
        result[key] = _merged(old, value, (*table, key)) if tables else value
    return result


def _read(path: Path, above: tuple[Path, ...]) -> Document:
    text = _text(path)
    try:
        tree = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        message = f"is not valid TOML: {str(error)[: place.start()] if place else error}"
        raise _fault(f"{path}:{place[1]}" if place else str(path), message) from error
    except TooMuch as error:
        line, key, message = next(_too_much(text), (1, "", str(error)))
        raise _fault(f"{path}:{line}", message, key) from error
    within_limits(Document(tree, {}, path))
    document = _document(tree, dict(_origins(text, str(path))), path)
    if "extends" not in tree:
        return document
    base = _base(document, (*above, path))
    tree = {key: value for key, value in document.tree.items() if key != "extends"}
    return merge(base, replace(document, tree=tree))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise _fault(str(path), f"is larger than {LARGEST_FILE:,} bytes, too large for a pipeline file")
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise _fault(str(path), f"cannot read the pipeline file ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _fault(str(path), f"is not UTF-8 text (byte {error.start})") from error
    except ValueError as error:
        raise _fault(str(path), f"is not the path of a file ({error})") from error


def _too_much(text: str) -> Iterator[tuple[int, str, str]]:
    """Find the statements that cannot be read: line, key and fault."""
    for line, statement in statements(text):
        if fault := _fault_of(statement):
            yield line, statement.partition("=")[0].strip(), fault


def _fault_of(statement: str) -> str:
    try:
        parse_toml(statement)
    except TooMuch as error:
        return str(error)
    except tomllib.TOMLDecodeError:
        pass
    return ""


def _base(document: Document, chain: tuple[Path, ...]) -> Document:
    extends, where = document.tree["extends"], document.where("extends")
    if not isinstance(extends, str):
        raise _fault(where, 'must be the path of a file, such as "base/image.toml"', "extends")
    path = Path(os.path.normpath(document.path.parent / extends))
    if path.resolve() in [file.resolve() for file in chain]:
        raise _fault(where, "goes round in a circle: " + " -> ".join(map(str, (*chain, path))), "extends")
    if not _is_file(path):
        start = f"paths start at {document.path.parent}/"
        raise _fault(where, f"there is no file {path} ({start})", "extends")
    return _read(path, chain)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _origins(text: str, file: str) -> Iterator[tuple[str, str]]:
    """Find the line of each key."""
    table: tuple[str, ...] = ()
    for line, statement in statements(text):
        tree = parse_toml(statement)
        if statement.lstrip().startswith("["):
            table = tuple(_spine(tree))
            yield ".".join(table), f"{file}:{line}"
        else:
            for key in dotted_keys(tree):
                yield ".".join((*table, key)), f"{file}:{line}"


def _spine(tree: Any) -> list[str]:
    """Follow a tree that has one branch only."""
    names: list[str] = []
    while tree and isinstance(tree, (dict, list)):
        if isinstance(tree, dict):
            names.extend(tree)
        tree = tree[-1] if isinstance(tree, list) else next(iter(tree.values()))
    return names


def _override(text: str, path: Path, problems: list[Problem]) -> Document:
    """Read one ``key=value``; one that cannot be read joins the problems and changes nothing."""
    where = f"--set {text}"
    tree: Tree = {}
    try:
        tree = within_limits(Document(_assignment(text), {}, path)).tree
    except ConfigError as error:
        problems += [replace(problem, where=where) for problem in error.problems]
    except ValueError as error:
        problems.append(Problem(where, "", str(error)))
    return Document(tree, dict.fromkeys(dotted_keys(tree), where), path)


def _assignment(text: str) -> Tree:
    key, _, value = text.partition("=")
    if not value.strip():
        raise ValueError("must be KEY=VALUE, such as --set optim.learning_rate=0.01")
    try:
        names = _spine(parse_toml(f"{key} = 0"))
    except tomllib.TOMLDecodeError:
        names = []
    if not names:
        raise ValueError(f"{key!r} is not a key; write it with dots, such as run.epochs")
    first, *inner = names
    read = _value(value.strip())
    for name in reversed(inner):
        read = {name: read}
    return {first: read}


def _value(text: str) -> Any:
    """Read a TOML value; a word that is none is a string."""
    try:
        read = parse_toml(f"value = {text}")
    except tomllib.TOMLDecodeError:
        if text[0] in "[{\"'":
            fault = f"cannot read the value {text} (texts inside lists and tables need quotes)"
            raise ValueError(fault) from None
        return text
    return text if len(read) > 1 or isinstance(read["value"], (date, time)) else read["value"]


def _fault(where: str, message: str, key: str = "") -> ConfigError:
    return ConfigError([Problem(where, key, message)])
