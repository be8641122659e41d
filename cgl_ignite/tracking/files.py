"""Small files that are either the old one or the new one, never half of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cgl_ignite.errors import InputError
from cgl_ignite.tracking.base import MetricsRow

__all__ = ["append_row", "read_rows", "write_atomically", "write_rows", "writing_atomically"]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it; a failure leaves nothing behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def writing_atomically(path: Path) -> Iterator[IO[str]]:
    """Open a text file under a temporary name, and rename it at the end; a failure leaves nothing behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            yield file
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
