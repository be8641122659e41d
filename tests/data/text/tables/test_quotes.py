from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.data.text.tables.head import find_format


def quotes(tmp_path: Path, content: str, given: bool | None = None, name: str = "table.tsv") -> tuple[bool, list[str]]:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")
    form, notes = find_format(path, None, given, None)
    return form.quotes, [note for note in notes if "quotes" in note]


@pytest.mark.parametrize(
    "content",
    [
        'good\t"one\nbad\ttwo\n',
        'good\t"one\nbad\t"two\ngood\tthree\n',
        'good\tone\r\n\r\nbad\t"two" three\r\n',
        'good\tone\nbad\t"',
    ],
)
def test_quotes_of_a_table_with_tabs_are_characters_if_its_lines_show_it(tmp_path: Path, content: str) -> None:
    line = next(number for number, one in enumerate(content.splitlines(), start=1) if '"' in one)
    note = f"quotes are read as characters like others, as line {line} shows (data.quotes overrules this)"
    assert quotes(tmp_path, content) == (False, [note])
    assert quotes(tmp_path, content, given=True) == (True, [])


@pytest.mark.parametrize(
    "content",
    [
        'good\t"one\ntwo"\nbad\tthree\n',
        'good\t"say ""yes"""\nbad\tthree\n',
        'good\ta 5" pipe\nbad\tthree\n',
        'good\t"a\tb"\nbad\t"c"\n',
        "good\tone\nbad\ttwo\n",
    ],
)
def test_else_quotes_enclose_columns(tmp_path: Path, content: str) -> None:
    assert quotes(tmp_path, content) == (True, [])
    assert quotes(tmp_path, content, given=False) == (False, [])


def test_quotes_between_commas_enclose_columns(tmp_path: Path) -> None:
    assert quotes(tmp_path, 'good,"one\nbad, two"\n', name="table.csv") == (True, [])
