from __future__ import annotations

import csv
import gzip
import io
import lzma
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from cgl_ignite.data.text.tables.rows import BLOCK_BYTES, TableLayout, labels_of, read_rows
from cgl_ignite.errors import InputError

LAYOUT = TableLayout(columns=2, label=0, text=(1,))
LABELS = {"1": 0, "2": 1}
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12) | st.sampled_from(
    ['"', '""', 'a "b" c', ",", "a\nb", "\\n", "", " ", "\\", '",'],
)


def texts(path: Path, layout: TableLayout = LAYOUT, block_bytes: int = BLOCK_BYTES) -> list[tuple[int, str]]:
    return [
        (int(target), text)
        for block in read_rows(path, layout, LABELS, block_bytes=block_bytes)
        for target, text in zip(block.targets, block.texts.to_pylist(), strict=True)
    ]


def fault(tmp_path: Path, content: bytes, layout: TableLayout = LAYOUT, block_bytes: int = BLOCK_BYTES) -> str:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        texts(path, layout, block_bytes)
    assert str(path) in str(raised.value)
    return str(raised.value).removeprefix(str(path))


@given(st.lists(st.tuples(st.sampled_from("12"), LINES), min_size=1), st.sampled_from(["", ".gz", ".xz"]))
def test_what_was_quoted_comes_back(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]], packed: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(lines)
    path = tmp_path_factory.mktemp("rows") / f"rows.csv{packed}"
    content = text.getvalue().encode()
    path.write_bytes({"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}[packed](content))
    assert texts(path) == [(LABELS[label], line) for label, line in lines]


def test_blocks_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lines = [(1 + n % 2, f"text {n}") for n in range(100)]
    path.write_text("".join(f'"{label}","{text}"\n' for label, text in lines))
    blocks = list(read_rows(path, LAYOUT, LABELS, block_bytes=64))
    assert len(blocks) > 20
    assert texts(path, block_bytes=64) == [(label - 1, text) for label, text in lines]
    assert blocks[-1].done == 1
    assert [block.done for block in blocks] == sorted(block.done for block in blocks)


def test_several_texts_are_joined_and_new_lines_unescaped(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('"2","a title","one\\ntwo","",""\n')
    layout = TableLayout(columns=5, label=0, text=(1, 2, 3), escaped=True)
    assert texts(path, layout) == [(1, "a title one\ntwo ")]


def test_a_header_a_mark_of_the_byte_order_and_windows_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b'\xef\xbb\xbfkind,text\r\n1,a\r\n 2 ,"b\r\nc"\r\n')
    assert texts(path, TableLayout(columns=2, label=0, text=(1,), header=True)) == [(0, "a"), (1, "b\r\nc")]


def test_quotes_may_be_characters_like_others(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text('1\t"a\n2\t5" b\n')
    assert texts(path, TableLayout(columns=2, label=0, text=(1,), delimiter="\t", quotes=False)) == [
        (0, '"a'),
        (1, '5" b'),
    ]


RAW = st.text('a1,"\n\r ', max_size=14).map(lambda text: f"1,a\n2,{text}\n1,z\n")


@given(RAW)
@example('1,a\n2,"1\r\n1"\n1,z\n')
@example('1,5" pipe\n2,"a\nb"\n')
def test_quotes_anywhere_are_read_as_the_standard_library_does(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    """And refused where it is lenient: a quote that nobody closes takes in all that follows."""
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    expected = [row for row in csv.reader(io.StringIO(content + "1,end", newline="")) if row]
    if expected[-1] == ["1", "end"] and all(len(row) == 2 and row[0].strip() in LABELS for row in expected):
        path.write_bytes(content.encode() * 20)
        assert texts(path, block_bytes=64) == 20 * [(LABELS[label.strip()], text) for label, text in expected[:-1]]
    else:
        path.write_bytes(content.encode())
        with pytest.raises(InputError, match="row"):
            texts(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'"1","a"\n"2"\n"1","b"\n', ", row 2: 1 columns, there should be 2"),
        (b'"1","a"\n"2","b","c"\n', ", row 2: 3 columns, there should be 2"),
        (b'"1","a"\n"3","b"\n', ", row 2: the class '3' is not '1' or '2'"),
        (b'"1","a"\n"","b"\n', ", row 2: the class '' is not '1' or '2'"),
        (b'"1","a"\n"0","b"\n', ", row 2: the class '0' is not '1' or '2'"),
        (b'"1","a"\n"2","caf\xe9"\n', ", row 2: byte 0xe9 at position 3 of a column is not UTF-8"),
        (b'"1","a"\n"2","b\n"1","c"\n', ", row 2: 3 columns, there should be 2"),
        (b'"1","a"\n"2","b\n', ", row 2: a quote is opened and never closed"),
        (b'"1","a"\n"2","b', ", row 2: a quote is opened and never closed"),
        (b'"1","a"\n"2","b ""c""', ", row 2: a quote is opened and never closed"),
        (b"", " holds no rows"),
        (b"\n\r\n", " holds no rows"),
        (b"\xff\xfe1\x00", ", row 1: 1 columns, there should be 2"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    assert fault(tmp_path, content) == message


def test_rows_are_counted_across_blocks(tmp_path: Path) -> None:
    good = b'"1","some text"\n' * 50
    assert fault(tmp_path, good + b'"1"\n' + good, block_bytes=64) == ", row 51: 1 columns, there should be 2"
    assert fault(tmp_path, good + b'"7","x"\n' + good, block_bytes=64) == ", row 51: the class '7' is not '1' or '2'"
    assert "row 51: byte 0xff at position 0" in fault(tmp_path, good + b'"1","\xff"\n' + good, block_bytes=64)
    assert "row 51 or soon after: longer than" in fault(tmp_path, good + b'"1","x\n' + b"y" * 500, block_bytes=64)
    named = TableLayout(columns=2, label=0, text=(1,), header=True)
    assert fault(tmp_path, good + b'"1"\n', named, block_bytes=64) == ", row 51: 1 columns, there should be 2"
    assert fault(tmp_path, good + b'"7","x"\n', named, block_bytes=64) == ", row 51: the class '7' is not '1' or '2'"


def test_a_header_alone_is_no_data(tmp_path: Path) -> None:
    assert fault(tmp_path, b"kind,text\n", TableLayout(columns=2, label=0, text=(1,), header=True)) == " holds no rows"


@pytest.mark.parametrize("ending", [".gz", ".xz"])
def test_a_damaged_packed_file_is_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.csv{ending}"
    packed = {".gz": gzip.compress, ".xz": lzma.compress}[ending](b'"1","some text"\n' * 5000)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        texts(path)


def test_labels_are_found_in_order_of_appearance(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("b,x\na,y\n b ,z\n")
    names, numbers = labels_of(path, LAYOUT)
    assert names == ["b", "a"]
    assert numbers.tolist() == [0, 1, 0]


@pytest.mark.parametrize("block_bytes", [64, 100, 2**10, BLOCK_BYTES])
@pytest.mark.parametrize("text", ["and so on " * 20 + "\0", "\0", "\0 and so on " * 20, "caf\u00e9 \0\0\0 \0"])
def test_a_nul_byte_is_a_character_like_others(tmp_path: Path, text: str, block_bytes: int) -> None:
    path = tmp_path / "rows.csv"
    lines = ["and so on " * 2] * 30 + [text] + ["and so on " * 2] * 30
    path.write_text("".join(f'"1","{line}"\n' for line in lines))
    wide = max(block_bytes, 4 * len(text))
    assert texts(path, block_bytes=wide) == [(0, line) for line in lines]


def test_a_byte_that_stands_for_nul_is_no_text(tmp_path: Path) -> None:
    assert fault(tmp_path, b"1,a\0\n2,\xff\n").startswith(", row 2: byte 0xfe at position 0 of a column is not UTF-8")


@pytest.mark.parametrize("rest", range(1, 60, 7))
def test_a_last_row_without_a_new_line_may_cross_a_block(tmp_path: Path, rest: int) -> None:
    path = tmp_path / "rows.csv"
    first = "1," + "a" * (128 - rest - 3) + "\n"
    last = '2,"' + "the end " * 8 + '"'
    path.write_text(first + last)
    assert texts(path, block_bytes=128) == [(0, first[2:-1]), (1, "the end " * 8)]


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("blank", ["\n", "\r\n", "\r\n\r\n\n"])
def test_blank_lines_are_left_out_wherever_they_stand(tmp_path: Path, blank: str, header: bool) -> None:
    path = tmp_path / "rows.csv"
    layout = TableLayout(columns=2, label=0, text=(1,), header=header)
    path.write_bytes((blank + "kind,text\n" * header + blank + "1,a\n" + blank + "2,b\n" + blank).encode())
    assert texts(path, layout) == [(0, "a"), (1, "b")]
    path.write_bytes((blank + "kind,text\n" * header + blank + "1,a\n" + blank + "2\n").encode())
    with pytest.raises(InputError, match=f"row {2 + header}: 1 columns"):
        texts(path, layout)


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "\ufeffsep=;\r\n"])
def test_the_line_that_names_the_delimiter_is_no_row(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(f"{line}1;a, b\n2;c\n".encode())
    assert texts(path, TableLayout(columns=2, label=0, text=(1,), delimiter=";")) == [(0, "a, b"), (1, "c")]


def test_a_quote_may_be_escaped(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('1,"she said \\"no\\", twice"\n2,"a ""b"" \\\\"\n1,a\\,b\n')
    layout = TableLayout(columns=2, label=0, text=(1,), escape="\\")
    expected = [(0, 'she said "no", twice'), (1, 'a "b" \\'), (0, "a,b")]
    assert texts(path, layout) == texts(path, layout, 64) == expected
    assert "row 2: a quote is opened and never closed" in fault(tmp_path, b'1,a\n2,"b\\"\n', layout)
