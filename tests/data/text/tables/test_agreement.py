"""Tables of all kinds are read as Python's ``csv`` reads them, or refused: never fewer rows, never others."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from cgl_ignite.data.text.tables.rows import BLOCK_BYTES, TableLayout, read_rows
from cgl_ignite.errors import InputError

LABELS = {"1": 0, "2": 1}
ENDS = ["\n", "\r\n", "\r"]
PIECES = ['"', '""', ",", "\n", "\r", "\r\n", "\0", "a", " ", "\u00e9", "word", '"a', "\\n", "\n2,", "some longer text"]
ESCAPES = ["\\", '\\"', "\\,", "\\\\", "\\\n", "\\\r"]
NUL = "\ue000"
"""Stands for NUL in what the standard library reads, which refuses NUL before Python 3.11."""


def cell(draw: random.Random, escape: bool) -> str:
    """Write a column: quoted, without anything to quote, or whatever comes."""
    pieces = PIECES + ESCAPES * escape + ["x" * draw.randint(0, 40)]
    text = "".join(draw.choices(pieces, k=draw.choice([0, 1, 2, 4, 12])))
    kind = draw.random()
    if kind < 0.5:
        if escape:
            text = text.replace("\\", "\\\\").replace('"', draw.choice(['\\"', '""']))
            return f'"{text}"'
        return '"' + text.replace('"', '""') + '"'
    if kind < 0.95 or escape:
        return "".join(character for character in text if character not in ',"\n\r\\')
    return text


def table(draw: random.Random, escape: bool) -> str:
    """Write a table, with ends of lines of all kinds, blank lines, and perhaps no new line at its end."""
    usual = draw.choice(ENDS)
    lines = []
    for _ in range(draw.randint(1, 40)):
        label = draw.choice(["1", "2", '"1"'])
        end = usual if draw.random() < 0.9 else draw.choice([*ENDS, "\n\n", "\r\n\r\n"])
        lines.append(f"{label},{cell(draw, escape)}{end}")
    text = draw.choice(["", "", "", "\n", "\r\n"]) + "".join(lines)
    return text.rstrip("\r\n") if draw.random() < 0.4 else text


def expected(text: str, escape: bool) -> list[tuple[int, str]] | None:
    """Read with the standard library; None if a row is not one label and one text."""
    lines = io.StringIO(text.replace("\0", NUL), newline="")
    rows = [row for row in csv.reader(lines, escapechar="\\" if escape else None) if row]
    if any(len(row) != 2 or row[0].strip() not in LABELS for row in rows):
        return None
    return [(LABELS[label.strip()], body.replace(NUL, "\0")) for label, body in rows]


def read(path: Path, escape: bool, block_bytes: int) -> list[tuple[int, str]] | str:
    """Read with the package; the message if it refuses."""
    layout = TableLayout(columns=2, label=0, text=(1,), escape="\\" if escape else None)
    try:
        blocks = list(read_rows(path, layout, LABELS, block_bytes=block_bytes))
    except InputError as error:
        return str(error)
    return [row for block in blocks for row in zip(block.targets.tolist(), block.texts.to_pylist(), strict=True)]


@pytest.mark.parametrize(
    "seeds", [pytest.param(range(200), id="200"), pytest.param(range(200, 5200), id="5000", marks=pytest.mark.slow)]
)
def test_tables_are_read_as_the_standard_library_does(tmp_path: Path, seeds: range) -> None:
    path = tmp_path / "table.csv"
    equal = 0
    for seed in seeds:
        draw = random.Random(seed)
        escape = draw.random() < 0.3
        text = table(draw, escape)
        content = draw.choice(["", "", "\ufeff"]).encode() + text.encode()
        path.write_bytes(content)
        wanted = expected(text, escape)
        near = max(64, len(content) // draw.randint(1, 3) + draw.randint(-8, 8))
        for block_bytes in (64, near, BLOCK_BYTES):
            found = read(path, escape, block_bytes)
            if isinstance(found, str):
                assert wanted is None or "never closed" in found, (seed, block_bytes, found)
                assert block_bytes < BLOCK_BYTES or wanted is None or "a quote is opened" in found, (seed, found)
            else:
                assert found == wanted, (seed, block_bytes)
                equal += 1
    assert equal > len(seeds)
