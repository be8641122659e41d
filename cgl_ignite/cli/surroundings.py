"""What a command finds around it: streams of any encoding, whose reader may leave, and perhaps no home directory."""

from __future__ import annotations

import codecs
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

__all__ = ["UnreadStream", "ensure_home", "prepared"]

PLAIN = {"±": "+-", "·": "-", "×": "x", "²": "2", "–": "-", "─": "-", "φ": "phi"}
"""What an encoding writes that lacks these characters; any other one becomes a question mark."""


@contextmanager
def prepared() -> Iterator[None]:
    """Make stdout and stderr take any text, and let stderr lose its reader, while the block runs."""
    before = sys.stderr
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) in ("strict", "backslashreplace"):
            with suppress(AttributeError):
                cast(Any, stream).reconfigure(errors="cgl_ignite.plain")
    if before is not None:
        sys.stderr = cast(TextIO, UnreadStream(before))
    try:
        yield
    finally:
        sys.stderr = before


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error("cgl_ignite.plain", _plain)


class UnreadStream:
    """A stream that nobody has to read: once it cannot be written to, what is written is lost, and nothing fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if somebody reads."""
        try:
            return self._stream.write(text)
        except OSError:
            self._silence()
            return len(text)

    def flush(self) -> None:
        """Write what is left, if somebody reads."""
        try:
            self._stream.flush()
        except OSError:
            self._silence()

    def _silence(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def ensure_home() -> str | None:
    """Give a process without a home directory, or without a user name, one that other programs can use.

    Returns:
        A note for the user, if the home directory is a makeshift.
    """
    import getpass

    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = str(os.getuid())
    try:
        Path.home()
    except RuntimeError:
        home = _makeshift()
        os.environ["HOME"] = str(home)
        return f"there is no home directory, {home} stands for it; $HOME names another one, $CGL_DATA that of the data"
    return None


def _makeshift() -> Path:
    """Return a folder of this user among the temporary files, the same one every time if it is safe."""
    folder = Path(tempfile.gettempdir()) / f"cgl_ignite-{os.getuid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if folder.is_dir() and not folder.is_symlink() and found.st_uid == os.getuid():
            return folder
    return Path(tempfile.mkdtemp(prefix="cgl_ignite-"))
