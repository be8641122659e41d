from __future__ import annotations

import csv
import gzip
import io
import lzma
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from cgl_ignite.data.text import rows
from cgl_ignite.data.text.rows import Layout, labels_of, read_rows
from cgl_ignite.errors import InputError

LAYOUT = Layout(columns=2, label=0, text=(1,))
LABELS = {"1": 0, "2": 1}
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12) | st.sampled_from(
    ['"', '""', 'a "b" c', ",", "a\nb", "\\n", "", " ", "\\", '",'],
)


def texts(path: Path, layout: Layout = LAYOUT) -> list[tuple[int, str]]:
    return [
        (int(target), text)
        for block in read_rows(path, layout, LABELS)
        for target, text in zip(block.targets, block.texts.to_pylist(), strict=True)
    ]


def fault(tmp_path: Path, content: bytes, layout: Layout = LAYOUT) -> str:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        texts(path, layout)
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


def test_blocks_follow_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_BLOCK_BYTES", 64)
    path = tmp_path / "rows.csv"
    lines = [(1 + n % 2, f"text {n}") for n in range(100)]
    path.write_text("".join(f'"{label}","{text}"\n' for label, text in lines))
    blocks = list(read_rows(path, LAYOUT, LABELS))
    assert len(blocks) > 20
    assert texts(path) == [(label - 1, text) for label, text in lines]
    assert blocks[-1].done == 1
    assert [block.done for block in blocks] == sorted(block.done for block in blocks)


def test_several_texts_are_joined_and_new_lines_unescaped(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('"2","a title","one\\ntwo","",""\n')
    layout = Layout(columns=5, label=0, text=(1, 2, 3), escaped=True)
    assert texts(path, layout) == [(1, "a title one\ntwo ")]


def test_a_header_a_mark_of_the_byte_order_and_windows_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b'\xef\xbb\xbfkind,text\r\n1,a\r\n 2 ,"b\r\nc"\r\n')
    assert texts(path, Layout(columns=2, label=0, text=(1,), header=True)) == [(0, "a"), (1, "b\r\nc")]


def test_quotes_may_be_characters_like_others(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text('1\t"a\n2\t5" b\n')
    assert texts(path, Layout(columns=2, label=0, text=(1,), delimiter="\t", quotes=False)) == [(0, '"a'), (1, '5" b')]


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
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "_BLOCK_BYTES", 64)
            assert texts(path) == 20 * [(LABELS[label.strip()], text) for label, text in expected[:-1]]
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


def test_rows_are_counted_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_BLOCK_BYTES", 64)
    good = b'"1","some text"\n' * 50
    assert fault(tmp_path, good + b'"1"\n' + good) == ", row 51: 1 columns, there should be 2"
    assert fault(tmp_path, good + b'"7","x"\n' + good) == ", row 51: the class '7' is not '1' or '2'"
    assert "row 51: byte 0xff at position 0" in fault(tmp_path, good + b'"1","\xff"\n' + good)
    assert "row 51 or soon after: longer than" in fault(tmp_path, good + b'"1","x\n' + b"y" * 500)
    named = Layout(columns=2, label=0, text=(1,), header=True)
    assert fault(tmp_path, good + b'"1"\n', named) == ", row 51: 1 columns, there should be 2"
    assert fault(tmp_path, good + b'"7","x"\n', named) == ", row 51: the class '7' is not '1' or '2'"


def test_a_header_alone_is_no_data(tmp_path: Path) -> None:
    assert fault(tmp_path, b"kind,text\n", Layout(columns=2, label=0, text=(1,), header=True)) == " holds no rows"


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
