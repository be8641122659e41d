"""From image files to pixels; of a file that cannot be decoded it is said why."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.data.images.files import printable
from cgl_ignite.errors import InputError, Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "AHEAD",
    "BACKGROUND",
    "THREADS",
    "Decoding",
    "ReadImage",
    "Resize",
    "check_background",
    "decode",
    "decode_in_order",
    "read_header",
    "read_image",
]

BACKGROUND = "white"
"""The colour of transparent pixels, unless another is asked for."""

THREADS = min(32, os.cpu_count() or 1)
"""That decode at the same time; more of them than cores would take address space and no less time."""

AHEAD = 128
"""Decoded images that wait for the caller."""

_GREY = ("1", "L", "LA", "I;16", "I;16B")
_COLOUR = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX")
_SIXTEEN_BITS = ("I;16", "I;16B")
_OPAQUE = 255
_ORIENTATION = 0x0112
_TURNED = range(5, 9)


Resize: TypeAlias = Literal["crop", "fit", "pad"]
"""How an image is brought to a size: scaled and cropped, scaled in both directions, or scaled and padded."""


class Decoding(NamedTuple):
    """How images are decoded: to which width and height, on which background, and by which rule of scaling."""

    size: tuple[int, int] | None = None
    background: str = BACKGROUND
    resize: Resize = "crop"


class ReadImage(NamedTuple):
    """An image that was read, uint8 (C, H, W), and what was done to it.

    Attributes:
        fitted: whether it had another size.
        transparent: whether it has transparent pixels, which took the colour of the background.
        brightest: its brightest value if it has 16 bits per channel, of which the upper 8 are kept; None otherwise.
    """

    pixels: Tensor
    fitted: bool
    transparent: bool
    brightest: int | None


def read_image(
    path: Path,
    size: tuple[int, int] | None,
    grey: bool | None,
    background: str = BACKGROUND,
    resize: Resize = "crop",
) -> ReadImage:
    """Read one image upright, in grey or colour and in the size that is asked for, or as it is.

    Of an animated file, the first picture is read.

    Args:
        path: a file that PIL can read.
        size: width and height that the image is brought to.
        grey: one channel, three, or (None) what the file has.
        background: the colour of transparent pixels and of padding, by a name or as ``#rrggbb``.
        resize: ``crop`` scales until the size is covered and cuts off the rest on both sides, ``pad`` scales until the
            image fits and adds the background on both sides, ``fit`` scales both directions, each by its own factor.

    Raises:
        Unreadable: a file that is missing or no image, or one with more than 16 bits per channel, or numbers with
            fractions.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            mode = _mode(path, file, grey)
            upright = ImageOps.exif_transpose(file)
            shallow, brightest = _eight_bits(upright)
            flat, transparent = _on_background(shallow, background)
            image: Image.Image = flat.convert(mode)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise _cannot_read(path, error) from error
    fitted = image if size is None else _resized(image, size, background, resize)
    pixels = torch.from_numpy(np.array(fitted)).view(fitted.height, fitted.width, -1).permute(2, 0, 1)
    return ReadImage(pixels, image.size != fitted.size, transparent, brightest)


def _resized(image: Image, size: tuple[int, int], background: str, resize: Resize) -> Image:
    from PIL import ImageColor, ImageOps
    from PIL.Image import Resampling

    ways: dict[Resize, Callable[[], Image]] = {
        "crop": lambda: ImageOps.fit(image, size, Resampling.BICUBIC),
        "fit": lambda: image.resize(size, Resampling.BICUBIC),
        "pad": lambda: ImageOps.pad(image, size, Resampling.BICUBIC, ImageColor.getcolor(background, image.mode)),
    }
    return ways[resize]()


def check_background(colour: str) -> None:
    """Check that a text names a colour.

    Raises:
        InputError: it does not.
    """
    from PIL import ImageColor

    try:
        ImageColor.getrgb(colour)
    except ValueError as error:
        raise InputError(f"data.background = {colour!r} is no colour; it may be 'white', '#rrggbb' ...") from error


def _eight_bits(image: Image) -> tuple[Image, int | None]:
    """Keep the upper 8 of 16 bits, as PIL itself does with colours, and tell the brightest value."""
    from PIL.Image import fromarray

    if image.mode not in _SIXTEEN_BITS:
        return image, None
    values = np.asarray(image)
    return fromarray((values >> 8).astype(np.uint8)), int(values.max())


def _on_background(image: Image, background: str) -> tuple[Image, bool]:
    """Put an image with transparent pixels on a background, and tell whether it has some."""
    from PIL import ImageColor
    from PIL.Image import new

    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image, False
    layered = image.convert("RGBA")
    if layered.getchannel("A").getextrema()[0] == _OPAQUE:
        return image, False
    ground = new("RGBA", image.size, ImageColor.getrgb(background)[:3])
    ground.alpha_composite(layered)
    return ground, True


def read_header(path: Path) -> tuple[int, int, int]:
    """Tell channels, height and width of an image as :func:`read_image` will return it, without decoding it.

    Raises:
        Unreadable: as :func:`read_image`, as far as the header tells.
    """
    from PIL import Image

    try:
        with Image.open(path) as file:
            grey = _mode(path, file, None) == "L"
            width, height = file.size
            turned = file.getexif().get(_ORIENTATION) in _TURNED
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise _cannot_read(path, error) from error
    return 1 if grey else 3, *((width, height) if turned else (height, width))


def decode(
    paths: Sequence[Path], decoding: Decoding, workers: int = THREADS
) -> tuple[dict[Path, ReadImage], list[Unreadable]]:
    """Decode images in grey or colour as they are, several at a time; those that cannot be read are returned apart.

    Args:
        paths: the files, each once.
        decoding: how.
        workers: how many threads decode.
    """
    results = list(decode_in_order(paths, decoding, workers))
    images = {path: one for path, one in zip(paths, results, strict=True) if not isinstance(one, Unreadable)}
    return images, [one for one in results if isinstance(one, Unreadable)]


def decode_in_order(
    paths: Iterable[Path], decoding: Decoding, workers: int = THREADS
) -> Generator[ReadImage | Unreadable, None, None]:
    """Yield the image of each file, or what is wrong with it, in the order of the files.

    Threads decode while the caller works, at most :data:`AHEAD` images ahead. PIL lets go of the interpreter's lock
    while it decodes and scales.
    """
    waiting: deque[Future[ReadImage | Unreadable]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for path in paths:
            waiting.append(pool.submit(_attempt, path, decoding))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _attempt(path: Path, decoding: Decoding) -> ReadImage | Unreadable:
    try:
        return read_image(path, decoding.size, None, decoding.background, decoding.resize)
    except Unreadable as fault:
        return fault


def _cannot_read(path: Path, error: Exception) -> Unreadable:
    """Say why a file cannot be read, without the path that PIL and the system put into their messages."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        reason = "its format is not known" if path.stat().st_size else "the file is empty"
    else:
        reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return Unreadable(printable(path), f"cannot be read as an image: {reason}")


def _mode(path: Path, image: Image, grey: bool | None) -> str:
    if image.mode not in _GREY + _COLOUR:
        raise Unreadable(printable(path), f"holds pixels of mode {image.mode!r}; save it with 8 or 16 bits per channel")
    return "L" if (image.mode in _GREY if grey is None else grey) else "RGB"
