"""Small files that are either the old one or the new one, never half of it."""

from __future__ import annotations

import glob
import json
import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cgl_ignite.errors import InputError
from cgl_ignite.tracking.base import MetricsRow

__all__ = ["append_row", "read_rows", "write_atomically", "write_rows", "writing_atomically"]

LEFT_SECONDS = 3600.0
"""No file is being written for so long; processes on other machines may write beside this one."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it; a failure leaves nothing behind.

    What a killed process has left of an earlier writing is removed, once it is an hour old.
    """
    with _renamed_at_the_end(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def writing_atomically(path: Path) -> Iterator[IO[str]]:
    """Open a text file to be written as by :func:`write_atomically`."""
    with _renamed_at_the_end(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def _renamed_at_the_end(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError):
            if left.suffix[1:].isdecimal() and time.time() - left.stat().st_mtime > LEFT_SECONDS:
                left.unlink()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def append_row(path: Path, row: MetricsRow) -> None:
    """Add one line to a file of rows."""
    with path.open("a", encoding="utf-8") as file:
        file.write(_line(row))


def write_rows(path: Path, rows: Iterable[MetricsRow]) -> None:
    """Replace a file of rows."""
    write_atomically(path, "".join(map(_line, rows)).encode())


def read_rows(path: Path) -> list[MetricsRow]:
    """Read a file of rows; a last line that was cut off by a crash is left out.

    Raises:
        InputError: a line within the file that is not a row.
    """
    if not path.exists():
        return []
    return list(_parse(path, path.read_text("utf-8", errors="replace").splitlines()))


def _parse(path: Path, lines: list[str]) -> Iterator[MetricsRow]:
    for number, line in enumerate(lines, start=1):
        row = _row(line)
        if row is not None:
            yield row
        elif number < len(lines):
            raise InputError(f"{path}:{number}: not a row of metrics: {line[:60]!r}")


def _row(line: str) -> MetricsRow | None:
    try:
        record = json.loads(line)
        values = {key: float(value) for key, value in record["values"].items()}
        return MetricsRow(int(record["epoch"]), int(record["time_ms"]), values, bool(record.get("final", False)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _line(row: MetricsRow) -> str:
    values = {key: value if math.isfinite(value) else str(value) for key, value in row.values.items()}
    record = {"epoch": row.epoch, "time_ms": row.time_ms, "values": values}
    return json.dumps({**record, "final": True} if row.final else record, allow_nan=False) + "\n"
