"""Images that do not fit into memory: decoded once, at their working size, into a file that batches are read from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.data.images.decode import THREADS, Decoding, ReadImage, decode_in_order, read_header, read_image
from cgl_ignite.data.images.files import printable
from cgl_ignite.data.room import memory_left
from cgl_ignite.data.stored import StoredImages
from cgl_ignite.data.text.cache.files import kept, key_of
from cgl_ignite.data.text.corpus import files_identity
from cgl_ignite.errors import InputError, Unreadable, listed
from cgl_ignite.progress import report

__all__ = ["Stored", "fits", "headers_of", "store_images"]

_VERSION = 1
_REPORTED = 128
"""After so many images it is told how many are decoded."""
_COPIES = 3
"""How often all pixels are in memory while resident images are decoded, put together and divided into parts."""
_USABLE = 0.8
PIXELS, FACTS = "pixels.bin", "facts.json"


@dataclass(frozen=True)
class Stored:
    """What is known of stored images.

    Attributes:
        good: places of the files that could be decoded; their images lie in this order.
        bad: name and fault of the others.
        transparent: how many had transparent pixels.
        deep: the brightest value of each image with 16 bits per channel.
    """

    good: list[int]
    bad: list[tuple[str, str]]
    transparent: int
    deep: list[int]

    def faults(self) -> list[Unreadable]:
        """Return what is wrong with the files that could not be decoded."""
        return [Unreadable(name, fault) for name, fault in self.bad]


def headers_of(files: Sequence[Path]) -> dict[Path, tuple[int, int, int]]:
    """Read channels, height and width of the files whose header can be read."""

    def attempt(path: Path) -> tuple[int, int, int] | None:
        try:
            return read_header(path)
        except Unreadable:
            return None

    with ThreadPoolExecutor(THREADS) as pool:
        found = zip(files, pool.map(attempt, files), strict=True)
        return {path: header for path, header in found if header is not None}


def fits(files: int, form: tuple[int, int, int]) -> bool:
    """Forecast whether this many images of channels, height and width fit into the memory that is left."""
    return _COPIES * files * int(np.prod(form)) <= _USABLE * memory_left()


def store_images(
    cache: Path,
    files: Sequence[Path],
    form: tuple[int, int, int],
    decoding: Decoding,
    *,
    skip_bad: bool,
    workers: int = THREADS,
) -> tuple[StoredImages, Stored]:
    """Return the images of all files that can be decoded; they are decoded only if nobody has done so before.

    Args:
        cache: the folder of such files.
        files: in order, each once.
        form: channels, height and width of all images.
        decoding: how they are brought to it.
        skip_bad: whether files that cannot be decoded are left out.
        workers: how many threads decode; the file is the same for any number.

    Raises:
        InputError: files that cannot be decoded, an image of another size if none is asked for, or no room.
    """
    key = key_of("images", _VERSION, files_identity(*filter(Path.is_file, files)), len(files), form, decoding, skip_bad)
    entry = kept(cache, key, partial(_write, files, form, decoding, skip_bad, workers))
    facts = json.loads((entry / FACTS).read_text("utf-8"))
    stored = Stored(**facts)
    return StoredImages(entry / PIXELS, form, torch.arange(len(stored.good))), stored


def _write(
    files: Sequence[Path], form: tuple[int, int, int], decoding: Decoding, skip_bad: bool, workers: int, folder: Path
) -> None:
    stored, transparent = Stored([], [], 0, []), 0
    images = decode_in_order(files, decoding, workers)
    with (folder / PIXELS).open("wb") as file, closing(images):
        for place, (path, image) in enumerate(zip(files, images, strict=True)):
            if place % _REPORTED == 0:
                report("decoding images", place, place / len(files))
            if isinstance(image, Unreadable):
                stored.bad.append((image.name, image.fault))
                continue
            file.write(_pixels(path, image, form, decoding).numpy().tobytes())
            stored.good.append(place)
            transparent += image.transparent
            stored.deep.extend([] if image.brightest is None else [image.brightest])
    report("decoding images", len(files), 1.0)
    if stored.bad and not skip_bad:
        raise InputError(f"{listed(stored.faults())}\ndata.skip_bad = true leaves out what cannot be read")
    facts = {**asdict(stored), "transparent": transparent}
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")


def _pixels(path: Path, image: ReadImage, form: tuple[int, int, int], decoding: Decoding) -> Tensor:
    channels, height, width = form
    found = tuple(image.pixels.shape[1:])
    if found != (height, width):
        sizes = f"{found[1]} x {found[0]}, others {width} x {height}"
        raise InputError(f"{printable(path)} is {sizes}: set data.size to bring all images to one size")
    if len(image.pixels) > channels:
        return read_image(path, decoding.size, True, decoding.background, decoding.resize).pixels
    return image.pixels.expand(channels, -1, -1)
