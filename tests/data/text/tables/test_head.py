from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cgl_ignite.data.text.tables.head import Format, find_format, first_rows
from cgl_ignite.errors import InputError


def found(
    tmp_path: Path, content: str, name: str = "table.csv", given: str | None = None
) -> tuple[str, tuple[str, ...]]:
    path = tmp_path / name
    path.write_bytes(content.encode())
    form, notes = find_format(path, given, True, None)
    return form.delimiter, notes


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("label;text\ngood;one, two\nbad;three\n", ";"),
        ("label\ttext\ngood\tone, two\nbad\tthree\n", "\t"),
        ("label|text\ngood|one, two\nbad|three\n", "|"),
        ("label;score;text\ngood;3,5;one\nbad;2,5;two\n", ";"),
        ('good;"one; two\nthree"\nbad;"four, five"\nbad;six\n', ";"),
    ],
)
def test_another_delimiter_is_found_if_it_divides_all_rows_alike(tmp_path: Path, content: str, delimiter: str) -> None:
    note = f"columns are separated by {delimiter!r} (data.delimiter overrules this)"
    assert found(tmp_path, content) == (delimiter, (note,))
    assert found(tmp_path, content, given=",") == (",", ())


@pytest.mark.parametrize(
    ("name", "content", "delimiter"),
    [
        ("table.csv", "good,one; two\nbad,three; four\n", ","),
        ("table.csv", "good,one\nbad\nbad,two\n", ","),
        ("table.csv", "one\ntwo\n", ","),
        ("table.tsv", "good\tone, two\nbad\tthree\n", "\t"),
        ("table.tsv", "good,one\nbad,two\n", ","),
    ],
)
def test_else_it_is_the_usual_one(tmp_path: Path, name: str, content: str, delimiter: str) -> None:
    assert found(tmp_path, content, name)[0] == delimiter


@pytest.mark.parametrize("line", ["sep=;\n", "sep=;\r\n", '"sep=;"\r\n', "\ufeffsep=;\n", "SEP=;\n"])
def test_the_first_line_may_name_the_delimiter(tmp_path: Path, line: str) -> None:
    delimiter, notes = found(tmp_path, line + "good;one, two\nbad;three\n")
    assert (delimiter, notes) == (";", ("the first line names the delimiter ';' (data.delimiter overrules this)",))
    assert first_rows(tmp_path / "table.csv", Format(";")) == [["good", "one, two"], ["bad", "three"]]


def test_first_rows_of_a_packed_table_without_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress("\ufeffsep=,\r\n\r\n1,a\r\n\n2,b\0c".encode()))
    assert first_rows(path, Format(",")) == [["1", "a"], ["2", "b c"]]


def test_they_end_before_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('1,a\n2,"' + "b" * 2**22)
    assert first_rows(path, Format(",")) == [["1", "a"]]


def test_an_escape_that_is_the_delimiter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a;b\nc;d\n")
    with pytest.raises(InputError, match=r"data.escape = ';' is the delimiter of .*table.csv too"):
        find_format(tmp_path / "table.csv", ";", True, ";")
    with pytest.raises(InputError, match=r"data.escape = '\"' must be one ASCII character"):
        find_format(tmp_path / "table.csv", ";", True, '"')


def test_bytes_that_are_no_text_are_a_fault_of_the_first_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"1,a\n2,\xe9\n")
    assert first_rows(path, Format(","))[0] == ["1", "a"]
    path.write_bytes("1,a\n2,b\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"table.csv, row 1 is not UTF-8 text"):
        first_rows(path, Format(","))
