"""The pixels of a folder of images: in memory where they fit, else in a file that is decoded once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor

from cgl_ignite.data.base import Examples
from cgl_ignite.data.images.decode import THREADS, Decoding, ReadImage, decode, read_image
from cgl_ignite.data.images.files import printable
from cgl_ignite.data.images.folders import Files, FolderLayout
from cgl_ignite.data.images.store import Stored, fits, headers_of, store_images
from cgl_ignite.data.part_names import Part
from cgl_ignite.data.stored import StoredImages
from cgl_ignite.data.text.cache.files import cache_folder
from cgl_ignite.errors import InputError, Unreadable, listed

__all__ = ["Pixels", "read_pixels"]

_COLOURS = 3


class Pixels(Protocol):
    """Decoded images, and what was found while decoding them."""

    bad: Sequence[Unreadable]
    transparent: int
    deep: Sequence[int]
    notes: Sequence[str]

    @property
    def good(self) -> Collection[Path]:
        """The files that could be decoded."""

    def examples(self, parts: Mapping[Part, Files]) -> dict[Part, Examples]:
        """Put the images of each part together, all with the channels that the training part needs.

        Raises:
            InputError: images of different sizes.
        """


def read_pixels(
    root: Path,
    layout: FolderLayout,
    decoding: Decoding,
    store: Literal["memory", "disk"] | None,
    *,
    skip_bad: bool,
    workers: int | None = None,
) -> Pixels:
    """Decode all images of a folder, into memory, or into a file below the data root.

    Args:
        root: the data root.
        layout: the files.
        decoding: how they are decoded.
        store: where the pixels are kept; by default in memory, if the forecast says that they fit.
        skip_bad: whether files that cannot be decoded are left out.
        workers: how many threads decode; by default as many as there are cores.

    Raises:
        InputError: files that cannot be decoded, all of them together, or no room in the data root.
    """
    threads = workers or THREADS
    files = list(dict.fromkeys(file.path for part in layout.files.values() for file in part))
    training = [file.path for file in layout.files["train"]]
    form = None if store == "memory" else _form(files, training, decoding)
    if form is None or (store is None and fits(len(files), form)):
        return _Resident(*decode(files, decoding, threads), decoding, skip_bad=skip_bad)
    images, stored = store_images(cache_folder(root), files, form, decoding, skip_bad=skip_bad, workers=threads)
    return _OnDisk(files, images, stored)


def _form(files: Sequence[Path], training: Sequence[Path], decoding: Decoding) -> tuple[int, int, int] | None:
    """Tell channels, height and width by headers; None where none can be read, or images of colour fit in any case."""
    if decoding.size is not None:
        width, height = decoding.size
        if fits(len(files), (_COLOURS, height, width)):
            return (_COLOURS, height, width)
    headers = headers_of(training)
    if not headers:
        return None
    _, first_height, first_width = next(iter(headers.values()))
    width, height = decoding.size or (first_width, first_height)
    return max(channels for channels, _, _ in headers.values()), height, width


class _Resident(Pixels):
    def __init__(
        self, images: Mapping[Path, ReadImage], bad: Sequence[Unreadable], decoding: Decoding, *, skip_bad: bool
    ) -> None:
        if bad and not skip_bad:
            raise InputError(f"{listed(bad)}\ndata.skip_bad = true leaves out what cannot be read")
        self._images, self._decoding = images, decoding
        self.bad, self.notes = bad, ()
        self.transparent = sum(image.transparent for image in images.values())
        self.deep = [image.brightest for image in images.values() if image.brightest is not None]

    @property
    def good(self) -> Collection[Path]:
        return self._images.keys()

    def examples(self, parts: Mapping[Part, Files]) -> dict[Part, Examples]:
        self._check_sizes(parts)
        channels = max(len(self._images[file.path].pixels) for file in parts["train"])
        return {part: self._examples(files, channels) for part, files in parts.items()}

    def _check_sizes(self, parts: Mapping[Part, Files]) -> None:
        first = self._images[parts["train"][0].path].pixels.shape[1:]
        for file in (file.path for files in parts.values() for file in files):
            height, width = self._images[file].pixels.shape[1:]
            if (height, width) != first:
                sizes = f"{width} x {height}, others {first[1]} x {first[0]}"
                raise InputError(f"{printable(file)} is {sizes}: set data.size to bring all images to one size")

    def _examples(self, files: Files, channels: int) -> Examples:
        inputs = torch.stack([self._converted(file.path, channels) for file in files])
        return Examples(inputs, torch.tensor([file.target for file in files]))

    def _converted(self, file: Path, channels: int) -> Tensor:
        pixels, (size, background, resize) = self._images[file].pixels, self._decoding
        if len(pixels) > channels:
            return read_image(file, size, True, background, resize).pixels
        return pixels.expand(channels, -1, -1)


class _OnDisk(Pixels):
    def __init__(self, files: Sequence[Path], images: StoredImages, stored: Stored) -> None:
        self._places = {files[place]: row for row, place in enumerate(stored.good)}
        self._images = images
        self.bad, self.transparent, self.deep = stored.faults(), stored.transparent, stored.deep
        size, gibibytes = " x ".join(map(str, (images.form[2], images.form[1]))), images.nbytes / 2**30
        self.notes = (
            f"{len(images):,} images of {size}, {gibibytes:,.2f} GiB, are read from disk (data.store): {images.path}",
        )

    @property
    def good(self) -> Collection[Path]:
        return self._places.keys()

    def examples(self, parts: Mapping[Part, Files]) -> dict[Part, Examples]:
        return {part: self._examples(files) for part, files in parts.items()}

    def _examples(self, files: Files) -> Examples:
        rows = torch.tensor([self._places[file.path] for file in files])
        return Examples(self._images.index_select(0, rows), torch.tensor([file.target for file in files]))
