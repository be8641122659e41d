"""Which files are the tables of which part: one file, several, a folder, or a data set of Hugging Face."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cgl_ignite.data.part_names import PART_NAMES, Part
from cgl_ignite.data.text.tables.typed import TYPED_ENDINGS
from cgl_ignite.errors import InputError, listed

__all__ = ["TableFiles", "find_tables", "matching_files"]

_ENDINGS = (*(kind + packed for kind in (".csv", ".tsv") for packed in ("", ".gz", ".xz")), *TYPED_ENDINGS)
_NUMBER = re.compile(r"[-_.]?\d+([-_]of[-_]\d+)?$")
_SPLITS, _STATE = "dataset_dict.json", "state.json"
_MAGIC = re.compile(r"[*?[]")


class TableFiles(NamedTuple):
    """The files of each part, in the order of their rows, and what else was found; ``train`` is always there."""

    parts: dict[Part, list[Path]]
    notes: tuple[str, ...] = ()


def find_tables(path: str | Sequence[str]) -> TableFiles:
    """Find the tables of each part.

    Args:
        path: a file; patterns such as ``*.parquet``, or a list of files, which are one table together; a folder with
            files named after the parts, whose rows may be in several numbered files; or a folder that ``save_to_disk``
            of Hugging Face ``datasets`` has written.

    Raises:
        InputError: nothing is there, or there is no training part.
    """
    if not isinstance(path, str):
        return TableFiles({"train": [file for one in path for file in matching_files(one)]})
    place = Path(path).expanduser()
    if place.is_file():
        return TableFiles({"train": [place]})
    if place.is_dir():
        return _in_folder(place)
    if _MAGIC.search(path):
        return TableFiles({"train": matching_files(path)})
    raise InputError(f"data.path: there is no file or folder {place.absolute()}\n{_expected(place)}")


def matching_files(path: str, key: str = "data.path") -> list[Path]:
    """Return a file, or the files that match a pattern, sorted.

    Args:
        path: the file or pattern.
        key: what gave it, for the message.

    Raises:
        InputError: there is none.
    """
    place = Path(path).expanduser()
    if place.is_file():
        return [place]
    root = Path(place.anchor)
    found = sorted(file for file in root.glob(str(place.relative_to(root))) if file.is_file()) if path else []
    if not found:
        raise InputError(f"{key}: there is no file {place.absolute()}")
    return found


def _in_folder(folder: Path) -> TableFiles:
    if (folder / _SPLITS).is_file():
        return _saved_splits(folder)
    if (folder / _STATE).is_file():
        return TableFiles({"train": _saved(folder)})
    found: dict[Part, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        name = file.name.lower()
        ending = next((ending for ending in sorted(_ENDINGS, key=len, reverse=True) if name.endswith(ending)), None)
        if ending and file.is_file() and (part := PART_NAMES.get(_NUMBER.sub("", name.removesuffix(ending)))):
            found.setdefault(part, []).append(file)
    for files in found.values():
        whole = [file for file in files if file.name.split(".")[0].lower() in PART_NAMES]
        if whole and len(files) > 1:
            other = next(file for file in files if file != whole[0])
            raise InputError(f"data.path: {whole[0]} and {other.name} are there both; leave one of them")
    if "train" not in found:
        raise InputError(f"data.path: {folder.absolute()} holds no file train.csv or train.tsv\n{_expected(folder)}")
    return TableFiles({"train": found.pop("train"), **found})


def _saved_splits(folder: Path) -> TableFiles:
    names = [str(name) for name in _json(folder / _SPLITS).get("splits", ())]
    found: dict[Part, list[Path]] = {}
    for name in names:
        if part := PART_NAMES.get(name.lower()):
            found.setdefault(part, []).extend(_saved(folder / name))
    if "train" not in found:
        raise InputError(f"data.path: {folder} has the splits {', '.join(names)}; there is no 'train' among them")
    unread = [name for name in names if name.lower() not in PART_NAMES]
    notes = [f"splits that are no part are not read: {', '.join(unread)}"] if unread else []
    return TableFiles({"train": found.pop("train"), **found}, tuple(notes))


def _saved(folder: Path) -> list[Path]:
    """List the files of one data set that ``save_to_disk`` has written."""
    state = _json(folder / _STATE)
    files = [folder / str(entry["filename"]) for entry in state.get("_data_files") or ()]
    if not files or state.get("_indices_files"):
        raise InputError(f"data.path: {folder / _STATE} names no files of rows; save the data set again")
    if missing := [f"{file} is missing" for file in files if not file.is_file()]:
        raise InputError(listed(missing))
    return files


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return content if isinstance(content, dict) else {}


def _expected(path: Path) -> str:
    name = path.stem or "texts"
    return (
        "expected one of:\n"
        f"  {name}/train.csv and {name}/test.csv     (or .tsv; packed with .gz or .xz; {name}/val.csv is the holdout)\n"
        f"  {name}.csv                         (data.test_fraction of each class becomes the test set)\n"
        f"or the same with {', '.join(('.parquet', '.jsonl', '.arrow'))}; '{name}/*.parquet' is one table"
    )
