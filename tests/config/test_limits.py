"""Statements of TOML, and what no document may hold."""

from __future__ import annotations

import sys
import time

import pytest

from cgl_ignite.config.limits import DEEPEST, TooMuch, excesses, parse_toml, statements

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT = '''name = "a # no comment" # [ a comment
x = """
[no.table]
"quoted"\\"""" # }
y = [ # [
  "]", ']]',
  { a = '[' },
]
z = \'\'\'
[\'\'\'\'
["[t]".u]
w = ""
'''


def test_statements_parse_one_by_one() -> None:
    found = [(line, statement) for line, statement in statements(TEXT) if statement]
    assert [line for line, _ in found] == [1, 2, 5, 9, 11, 12]
    trees = [tomllib.loads(statement) for _, statement in found]
    assert trees[4] == {"[t]": {"u": {}}}
    together = {key: value for tree in (*trees[:4], {"[t]": {"u": trees[5]}}) for key, value in tree.items()}
    assert together == tomllib.loads(TEXT)


def test_long_tables_take_no_time() -> None:
    text = "a = [\n" + "[0, 1],\n" * 20_000 + "]\nb = 1"
    started = time.monotonic()
    assert [line for line, _ in statements(text)] == [1, 20_003]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000])
def test_what_the_parser_cannot_read(text: str) -> None:
    with pytest.raises(TooMuch):
        parse_toml(text)


def test_depth() -> None:
    tree: dict[str, object] = {"a": 1}
    for _ in range(DEEPEST - 1):
        tree = {"a": tree}
    assert list(excesses(tree)) == []
    assert [key for key, _ in excesses({"b": [tree]})] == ["b" + ".a" * (DEEPEST - 1)]


def test_integers_of_64_bits() -> None:
    assert list(excesses({"low": -(2**63), "high": 2**63 - 1, "list": [[True]]})) == []
    assert sorted(key for key, _ in excesses({"low": -(2**63) - 1, "list": [[0, 2**63]]})) == ["list", "low"]
