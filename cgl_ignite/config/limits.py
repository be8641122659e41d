"""What a document may hold at most, and how its text is divided into statements."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["LARGEST_FILE", "TooMuch", "excesses", "parse_toml", "statements"]

LARGEST_FILE = 2**20
"""Bytes of a pipeline file."""
DEEPEST = 32
"""Tables and lists within each other; a pipeline needs six."""
LONGEST = 4096
"""Characters of a key or a text: no system has longer paths."""
INTEGERS = range(-(2**63), 2**63)
"""What TOML promises, and PyTorch reads."""
TOO_DEEP = f"is nested more than {DEEPEST} deep"
TOO_LARGE = f"must be an integer of 64 bits, from {INTEGERS[0]} to {INTEGERS[-1]}"
_TEXTS = (r'"""(?:\\.|[^\\])*?"{3,5}', r"'''.*?'{3,5}", r'"(?:\\.|[^"\\\n])*"', r"'[^'\n]*'")
_TOKEN = re.compile("|".join((*_TEXTS, r"#[^\n]*", r"[\[{\]}\n]")), re.DOTALL)


class TooMuch(ValueError):
    """A text that is no document for its depth or its numbers, as the rest of a sentence."""


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        TooMuch: tables too deep for the parser, or an integer too long for Python.
        tomllib.TOMLDecodeError: the text is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise TooMuch(TOO_DEEP) from None
    except ValueError:
        raise TooMuch(TOO_LARGE) from None


def statements(text: str) -> Iterator[tuple[int, str]]:
    r"""Divide TOML into its statements, each with its first line; a line that is empty or a comment is one, too.

    Example:
        >>> list(statements("[run]\nat = [1,\n2]\nseconds = 3"))
        [(1, '[run]'), (2, 'at = [1,\n2]'), (4, 'seconds = 3')]
    """
    depth = start = 0
    line = 1
    ends = ((token.group(), token.start()) for token in _TOKEN.finditer(text))
    for token, place in (*ends, ("\n", len(text))):
        depth += (token in "[{") - (token in "]}")
        if token == "\n" and depth <= 0:
            statement = text[start:place]
            yield line, statement
            depth, start, line = 0, place + 1, line + statement.count("\n") + 1


def excesses(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    r"""Find what no document may hold: the dotted key, and what is wrong with it.

    Example:
        >>> list(excesses({"run": {"epochs": 2**63}, "name": "a\0b"}))
        [('name', 'must not hold the character NUL'), ('run.epochs', 'must be an integer of 64 bits, ...')]
    """
    left: list[tuple[str, int, Any]] = [("", 0, tree)]
    while left:
        key, depth, value = left.pop()
        if isinstance(value, (Mapping, list, tuple)) and depth > DEEPEST:
            yield key, TOO_DEEP
        elif isinstance(value, Mapping):
            for name, item in value.items():
                if fault := _fault(str(name)):
                    yield key, f"has a key that {fault}"
                else:
                    left.append((f"{key}.{name}" if key else str(name), depth + 1, item))
        elif isinstance(value, (list, tuple)):
            left += [(key, depth + 1, item) for item in value]
        elif fault := _fault(value):
            yield key, fault


def _fault(value: object) -> str:
    if isinstance(value, int) and value not in INTEGERS:
        return TOO_LARGE
    if isinstance(value, str) and "\0" in value:
        return "must not hold the character NUL"
    if isinstance(value, str) and len(value) > LONGEST:
        return f"is {len(value):,} characters long, more than {LONGEST:,}"
    return ""
