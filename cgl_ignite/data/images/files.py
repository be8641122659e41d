"""Which files of a folder are images that are read, and which are passed over with a count."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cgl_ignite.errors import InputError

__all__ = ["ENDINGS", "SkippedFiles", "contents", "images_below", "printable"]

ENDINGS = (".jpg", ".jpeg", ".jfif", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
"""Endings of the image files that are read, in capitals or small letters; files without one are judged by content."""

_STARTS = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|BM|P[2356]\s|II\*\0|MM\0\*|RIFF....WEBP|GIF8[79]a", re.DOTALL)
_START_BYTES = 12

_SYSTEM = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_SHOWN = 3


@dataclass(frozen=True)
class SkippedFiles:
    """Files that were found and are not read.

    Attributes:
        skipped: hidden and system files and folders, broken links, links to folders that were listed already.
        others: files with an ending that is not in :data:`ENDINGS`, or with none and a content that is no image.
        loose: images outside the class folders.
    """

    skipped: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    loose: list[Path] = field(default_factory=list)

    def notes(self) -> Iterator[str]:
        """Yield a sentence for each sort of file that was found."""
        if self.skipped:
            names = sorted({printable(path.name) for path in self.skipped})
            listed = ", ".join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])
            number = len(self.skipped)
            subject = f"{number} hidden files, system files or broken links are"
            yield f"{subject if number > 1 else '1 hidden file, system file or broken link is'} passed over: {listed}"
        if self.others:
            endings = ", ".join(sorted({path.suffix.lower() or "without ending" for path in self.others}))
            subject = "1 file is" if len(self.others) == 1 else f"{len(self.others)} files are"
            yield f"{subject} left out, as no image that can be read: {printable(endings)}"
        if self.loose:
            subject = "1 image lies" if len(self.loose) == 1 else f"{len(self.loose)} images lie"
            yield f"{subject} in no class folder and will not be read: {printable(self.loose[0])}"


def contents(folder: Path, unread: SkippedFiles) -> tuple[list[Path], list[Path]]:
    """List the folders and the image files in a folder by name, and add all other files to ``unread``.

    Raises:
        InputError: a folder that cannot be listed.
    """
    folders: list[Path] = []
    images: list[Path] = []
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot list the folder {printable(folder)} ({error.strerror})") from error
    for path in entries:
        if path.name.startswith(".") or path.name.lower() in _SYSTEM or not (path.is_dir() or path.is_file()):
            unread.skipped.append(path)
        elif path.is_dir():
            folders.append(path)
        else:
            (images if _is_image(path) else unread.others).append(path)
    return folders, images


def _is_image(path: Path) -> bool:
    """Tell an image by its ending, or by how it begins if it has none."""
    if path.suffix:
        return path.suffix.lower() in ENDINGS
    try:
        with path.open("rb") as file:
            return _STARTS.match(file.read(_START_BYTES)) is not None
    except OSError:
        return False


def images_below(folder: Path, unread: SkippedFiles) -> list[Path]:
    """List all image files in a folder and below it, sorted by folder, then by name; links are followed once.

    Raises:
        InputError: a folder that cannot be listed.
    """
    found: dict[str, list[Path]] = {}
    listed: set[str] = set()
    waiting = [folder]
    while waiting:
        place = waiting.pop(0)
        if (real := os.path.realpath(place)) in listed:
            unread.skipped.append(place)
            continue
        listed.add(real)
        folders, found[str(place)] = contents(place, unread)
        waiting += folders
    return [path for place in sorted(found) for path in found[place]]


def printable(name: Path | str) -> str:
    """Return a name with a replacement character for each byte that is no UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")
