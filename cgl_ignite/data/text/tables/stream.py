"""Bytes of a table, unpacked and prepared so that arrow reads every row of it."""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

from cgl_ignite.data.text.tables.charset import UTF8, as_utf8

__all__ = ["DAMAGED", "SEPARATOR_LINE", "STAND_IN", "TableStream", "opened"]

DAMAGED = (OSError, EOFError, lzma.LZMAError, zlib.error)
"""What is raised while a file is read or unpacked that is damaged."""

SEPARATOR_LINE = re.compile(rb'(?:\xef\xbb\xbf)?("?)sep=([\x01-\x7f])\1(?:\r\n|\n|\r)', re.IGNORECASE)
"""The first line that Excel writes and reads to name the delimiter, with a mark of the byte order before it."""

STAND_IN = b"\xff"
"""Stands for a NUL byte; it occurs nowhere in UTF-8."""

_UNPACKED: Mapping[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
_WITHOUT_NUL = bytes.maketrans(b"\0\xff", b"\xff\xfe")


@contextmanager
def opened(path: Path, charset: str = UTF8) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Open a file as UTF-8, unpacked if its name ends with ``.gz`` or ``.xz``, and the same as it lies on the disk."""
    with path.open("rb") as raw, _UNPACKED.get(path.suffix.lower(), nullcontext)(raw) as file:
        yield as_utf8(file, charset), raw


class TableStream:
    """A table as arrow can read it without losing anything.

    - A last row is added. If it does not come back as the last one, a quote was never closed.
    - A block does not end with a carriage return: arrow would take a new line off the next one, even in quotes.
    - A NUL byte becomes :data:`STAND_IN`: arrow overlooks delimiters and quotes beside it (apache/arrow#50481).
    - Excel's line ``sep=,`` is left out.

    Args:
        file: gives as many bytes as asked for, except at its end.
        last: the row that is added, with a new line before and behind.
    """

    closed = False

    def __init__(self, file: IO[bytes], last: bytes) -> None:
        self._file = file
        self._last = last
        self._returns = b""
        self._begun = self._ended = False
        self.replaced = False
        """Whether a NUL byte has been replaced; a byte 0xff is then 0xfe, which is as wrong in UTF-8."""

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, and none at the end; ``size`` exceeds the length of the last row."""
        if self._ended:
            return b""
        asked = max(1, size - len(self._returns) - len(self._last))
        new = self._file.read(asked)
        block = self._returns + new
        if not self._begun:
            block = SEPARATOR_LINE.sub(b"", block, count=1) if SEPARATOR_LINE.match(block) else block
            self._begun = True
        self._ended = len(new) < asked
        end = len(block) if self._ended else len(block.rstrip(b"\r")) or len(block)
        block, self._returns = block[:end], block[end:]
        if b"\0" in block:
            self.replaced = True
            block = block.translate(_WITHOUT_NUL)
        return block + self._last if self._ended else block

    def close(self) -> None:
        """Leave the file to whoever opened it."""
