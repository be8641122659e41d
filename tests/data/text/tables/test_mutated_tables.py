"""Whatever a mutation makes of a table: exit code 0 or 2, no traceback, within seconds; known damage is refused."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import random
from collections import Counter
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from cgl_ignite.cli.main import cgl
from tests.mutations import FuzzedFile, Mutation, answer_of
from tests.texts import finished_text_run

pytestmark = pytest.mark.slow

PARTS, CASES = 5, 100
PIPELINE = """
[data]
kind = "local_text"
path = "{name}"
holdout = 4
encoding = {{ kind = "characters", length = 64 }}
{more}
[backbone]
kind = "vdcnn9"
[method]
preset = "baseline"
[optim]
kind = "adam"
learning_rate = 1e-3
batch_size = 4
[run]
epochs = 1
"""
BYTES = b"\0\"',;\t\r\n\\\xff\x80ab"
WORDS = ("cold soup", "größer", 'said "no"', "a; b, c", "line\nbreak", "猫", "", "tab\there", "1", "0", "café ½")
CELLS = (
    *("", " ", "NaN", "none", "0", "-1", "1e400", "9" * 5000, "x" * 3_000_000, "\x1b[2J\x07", "\0", "a\r\nb", "\ufeff"),
    *('"', '""', '"open', "\\", "\\n", "sep=;", "=1+1", "\u2028", "\u202e", "label", "text", "🙂" * 100),
)
MORE = (
    *("", "", "", "", 'label = "label"', "label = 7", 'label = "nothing"', "header = false", 'delimiter = ";"'),
    *('charset = "cp1252"', 'charset = "utf-16"', 'charset = "none"', "quotes = false", 'escape = "\\\\"'),
    *("escaped_newlines = true", 'classes = ["good", "bad"]', 'text = ["text"]', "text = [2, 2]"),
    "test_fraction = 0.9",
)


def original(draw: random.Random) -> FuzzedFile:
    """Write a table of 24 rows that is read as it is, in one of the usual forms."""
    delimiter, ending = draw.choice(((",", ".csv"), (";", ".csv"), ("\t", ".tsv")))
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=draw.choice(("\n", "\r\n")))
    if draw.random() < 0.5:
        writer.writerow(("label", "title", "text"))
    for row in range(24):
        writer.writerow((("good", "bad")[row % 2], f"row {row}", draw.choice(WORDS)))
    return FuzzedFile(f"table{ending}", file.getvalue().encode(draw.choice(("utf-8", "utf-8-sig", "utf-16"))), code=0)


def typed(draw: random.Random) -> FuzzedFile:
    """Write a table whose columns have names and types."""
    rows = [{"label": ("good", "bad")[row % 2], "title": f"row {row}", "text": draw.choice(WORDS)} for row in range(24)]
    ending, file = draw.choice((".parquet", ".arrow", ".jsonl")), io.BytesIO()
    if ending == ".jsonl":
        file.writelines(json.dumps(row).encode() + b"\n" for row in rows)
    elif ending == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), file, row_group_size=draw.choice((5, 100)))
    else:
        table = pa.Table.from_pylist(rows)
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=draw.choice((5, 100)))
    return FuzzedFile(f"table{ending}", file.getvalue(), code=0)


def other_bytes(draw: random.Random, table: FuzzedFile) -> FuzzedFile:
    """Flip bytes, put some in or cut the file off."""
    changed = bytearray(table.content)
    for _ in range(draw.randint(1, 6)):
        place = draw.randrange(len(changed))
        changed[place : place + draw.randint(0, 1)] = bytes(draw.choices(BYTES, k=draw.randint(0, 3)))
    cut = draw.randrange(len(changed)) if draw.random() < 0.2 else len(changed)
    return FuzzedFile(table.name, bytes(changed[:cut]))


def other_cells(draw: random.Random, table: FuzzedFile) -> FuzzedFile:
    """Put a strange cell in place of a word."""
    lines = table.content.decode("utf-8", "replace").split("\n")
    for _ in range(draw.randint(1, 3)):
        number = draw.randrange(len(lines))
        lines[number] = lines[number].replace(draw.choice(("good", "bad", "row")), draw.choice(CELLS), 1)
    return FuzzedFile(table.name, "\n".join(lines).encode())


def other_lines(draw: random.Random, table: FuzzedFile) -> FuzzedFile:
    """Leave lines out, double them or move them."""
    lines = table.content.splitlines(keepends=True)
    for _ in range(draw.randint(1, 30)):
        line = lines.pop(draw.randrange(len(lines))) if lines else b"\n"
        for _ in range(draw.randint(0, 2)):
            lines.insert(draw.randint(0, len(lines)), line)
    return FuzzedFile(table.name, b"".join(lines))


def packed(draw: random.Random, table: FuzzedFile) -> FuzzedFile:
    """Compress the file, and damage what came of it half of the time."""
    if table.name.endswith((".parquet", ".arrow")):
        return other_bytes(draw, table)
    ending, pack = draw.choice(((".gz", gzip.compress), (".xz", lzma.compress)))
    content = bytearray(pack(table.content))
    if draw.random() < 0.5:
        content[len(content) // 2] ^= 0xFF
        return FuzzedFile(table.name + ending, bytes(content), code=2)
    return FuzzedFile(table.name + ending, bytes(content), table.code)


def one_column_more(draw: random.Random, table: FuzzedFile) -> FuzzedFile:
    """Write a last row that is too long."""
    return FuzzedFile("table.csv", b"label,text\n" + b"good,a\nbad,b\n" * 9 + b"good,a,b\n", code=2)


def no_such_bytes(draw: random.Random, table: FuzzedFile) -> FuzzedFile:
    """Write a byte that UTF-8 does not have."""
    return FuzzedFile("table.csv", b"label,text\n" + b"good,a\nbad,b\n" * 9 + b"bad,caf\xe9 noir\n", code=2)


def never_closed(draw: random.Random, table: FuzzedFile) -> FuzzedFile:
    """Open a quote and never close it."""
    return FuzzedFile("table.csv", b"label,text\n" + b"good,a\nbad,b\n" * 9 + b'good,"open\nbad,b\n', code=2)


def no_label(draw: random.Random, table: FuzzedFile) -> FuzzedFile:
    """Leave the label of a row empty."""
    return FuzzedFile("table.csv", b"label,text\n" + b"good,a\nbad,b\n" * 9 + b",open\n", code=2)


def empty(draw: random.Random, table: FuzzedFile) -> FuzzedFile:
    """Leave nothing of the table, or nothing but a header."""
    return FuzzedFile("table.csv", draw.choice((b"", b"\n\n", b"label,text\n", b"\xff\xfe", b"\0" * 999)), code=2)


MUTATIONS: tuple[Mutation, ...] = (
    *(other_bytes, other_bytes, other_cells, other_cells, other_lines, packed),
    *(one_column_more, no_such_bytes, never_closed, no_label, empty),
)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Train a student of texts with the classes of the tables."""
    return finished_text_run(tmp_path_factory.mktemp("student")).student


def read(draw: random.Random, table: FuzzedFile, student: str) -> Result:
    """Check a table as training data, or measure a student on it."""
    Path(table.name).write_bytes(table.content)
    more = "" if table.code is not None else draw.choice(MORE)
    Path("table.toml").write_text(PIPELINE.format(name=table.name, more=more))
    command = ["check", "table.toml", "--data"] if draw.random() < 0.8 else ["evaluate", student, table.name]
    return CliRunner().invoke(cgl, command)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.filterwarnings("ignore")
def test_mutated_tables(part: int, student: str, workdir: Path) -> None:
    codes: Counter[int] = Counter()
    for case in range(CASES):
        draw = random.Random(f"{part} {case}")
        table = draw.choice((original, original, typed))(draw)
        for _ in range(draw.randint(0, 2)):
            if table.code != 2 and not table.name.endswith(("gz", "xz")):
                table = draw.choice(MUTATIONS)(draw, table)
        codes[answer_of(table, partial(read, draw, table, student), part, case).exit_code] += 1
    assert codes[0] > CASES // 10
    assert codes[2] > CASES // 4
