"""The character set of a table: given, or told by its first bytes; every other than UTF-8 is read as UTF-8."""

from __future__ import annotations

import codecs
import io
from typing import IO, Any

from cgl_ignite.errors import InputError

__all__ = ["UTF8", "as_utf8", "charset_of", "check_charset", "guess"]

UTF8 = "utf-8"
_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16"}
_MARKS[codecs.BOM_UTF16_BE] = "utf-16"
_CHUNK = 2**16
_SHOWN = 20


def check_charset(name: str) -> str:
    """Return the usual name of a character set.

    Raises:
        InputError: a name that Python does not know, or one of no character set.
    """
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        found = None
    if found is None or not found._is_text_encoding:
        raise InputError(f"data.charset = {name!r} is no character set; known are 'utf-8', 'cp1252', 'utf-16' ...")
    return UTF8 if found.name == "utf-8-sig" else found.name


def charset_of(first: bytes) -> str:
    r"""Tell the character set of a text by its first bytes: UTF-16 or UTF-32 by their marks or zeros, else UTF-8.

    Example:
        >>> charset_of("label\ttext\n".encode("utf-16-le")), charset_of("\ufefflabel".encode("utf-8"))
        ('utf-16-le', 'utf-8')
    """
    for mark, name in _MARKS.items():
        if first.startswith(mark):
            return name
    even, odd = first[0::2].count(0), first[1::2].count(0)
    half = len(first) / 4
    if len(first) > 1 and max(even, odd) > half and not min(even, odd):
        return "utf-16-le" if odd else "utf-16-be"
    return UTF8


def guess(content: bytes, error: UnicodeDecodeError) -> str:
    """Say which character set a text may have that is not UTF-8, and how the text at fault then reads."""
    around = content[max(0, error.start - _SHOWN) : error.start + _SHOWN]
    read = around.decode("cp1252", "replace")
    return f"data.charset names another character set: with 'cp1252' it reads {read!r}"


def as_utf8(file: IO[bytes], charset: str) -> IO[bytes]:
    """Read a file of another character set as UTF-8.

    Raises:
        OSError: while it is read, bytes that the character set does not have.
    """
    return file if charset == UTF8 else io.BufferedReader(_Recoded(file, charset), _CHUNK)


class _Recoded(io.RawIOBase):
    """The bytes of a file, decoded and encoded as UTF-8."""

    def __init__(self, file: IO[bytes], charset: str) -> None:
        self._file = file
        self._charset = charset
        self._decoder = codecs.getincrementaldecoder(charset)()
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            chunk = self._file.read(_CHUNK)
            self._ended = not chunk
            try:
                self._ready = self._decoder.decode(chunk, final=self._ended).encode()
            except UnicodeError as error:
                raise OSError(f"it is not {self._charset} ({error}); data.charset names another") from error
        view = memoryview(buffer)
        count = min(len(view), len(self._ready))
        view[:count], self._ready = self._ready[:count], self._ready[count:]
        return count
