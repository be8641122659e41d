from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cgl_ignite.data.text.tables.charset import as_utf8, charset_of
from cgl_ignite.data.text.tables.head import find_format, first_rows
from cgl_ignite.data.text.tables.rows import TableLayout, read_rows
from cgl_ignite.errors import InputError

TEXT = "gut;Müde für 5 €\nschlecht;Straße\n"
LABELS = {"gut": 0, "schlecht": 1}


def rows(path: Path, charset: str) -> list[str]:
    layout = TableLayout(columns=2, label=0, text=(1,), delimiter=";", charset=charset)
    return [text for block in read_rows(path, layout, LABELS) for text in block.texts.to_pylist()]


@pytest.mark.parametrize("charset", ["cp1252", "iso8859-15", "utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_of_any_character_set_reads_like_that_of_utf8(tmp_path: Path, charset: str, packed: bool) -> None:
    path = tmp_path / ("table.csv.gz" if packed else "table.csv")
    content = TEXT.encode(charset)
    path.write_bytes(gzip.compress(content) if packed else content)
    form, _ = find_format(path, ";", None, None, charset)
    assert first_rows(path, form) == [["gut", "Müde für 5 €"], ["schlecht", "Straße"]]
    assert rows(path, form.charset) == ["Müde für 5 €", "Straße"]


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_is_told_by_its_first_bytes(tmp_path: Path, charset: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT.encode(charset))
    form, notes = find_format(path, ";", None, None)
    assert first_rows(path, form)[1] == ["schlecht", "Straße"]
    assert notes == (f"the character set is {charset} (data.charset overrules this)",)


@pytest.mark.parametrize("content", [b"", b"a", b"a\0b,c\0\0", "日本語,テキスト".encode(), b"\xef\xbb\xbflabel"])
def test_else_it_is_utf8(content: bytes) -> None:
    assert charset_of(content) == "utf-8"


def test_a_character_cut_by_a_chunk_is_whole(tmp_path: Path) -> None:
    text = "x" + "€" * 100_000
    path = tmp_path / "text"
    path.write_bytes(text.encode("utf-16-le"))
    with path.open("rb") as file:
        assert as_utf8(file, "utf-16-le").read() == text.encode()


def test_bytes_that_the_character_set_lacks_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"gut;one\nschlecht;\x81\n")
    with pytest.raises(
        InputError, match=r"table\.csv cannot be read: it is not cp1252 .*; data\.charset names another"
    ):
        rows(path, "cp1252")


@pytest.mark.parametrize("name", ["klingon", "rot13", "base64", "a\0b"])
def test_an_unknown_character_set_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "table.csv").write_text(TEXT, encoding="utf-8")
    with pytest.raises(InputError, match=r"data\.charset = .* is no character set"):
        find_format(tmp_path / "table.csv", ";", None, None, name)


def test_bytes_that_are_no_utf8_are_shown_as_cp1252_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT.encode("cp1252"))
    with pytest.raises(InputError, match=r"row 1: byte 0xfc .* with 'cp1252' it reads 'Müde für 5 €'"):
        rows(path, "utf-8")
    form, _ = find_format(path, ";", None, None)
    with pytest.raises(InputError, match=r"row 1 is not UTF-8 text; .* with 'cp1252' it reads 'Müde für 5 €'"):
        first_rows(path, form)


def test_an_official_layout_names_no_option(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"gut,\xfc\n")
    with pytest.raises(InputError, match=r"is not UTF-8$"):
        list(read_rows(path, TableLayout(columns=2, label=0, text=(1,)), LABELS))
