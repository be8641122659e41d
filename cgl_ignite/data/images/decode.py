"""From image files to pixels; of a file that cannot be decoded it is said why."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.data.images.files import printable
from cgl_ignite.errors import Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["decode", "read_header", "read_image"]

_GREY = ("1", "L", "LA")
_COLOUR = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX")
_ORIENTATION = 0x0112
_TURNED = range(5, 9)


def read_image(path: Path, size: tuple[int, int] | None, grey: bool | None) -> tuple[Tensor, bool]:
    """Read one image upright, in grey or colour and in the size that is asked for, or as it is.

    Args:
        path: a file that PIL can read.
        size: width and height; the image is scaled and cropped to them.
        grey: one channel, three, or (None) what the file has.

    Shape: result uint8 (C, H, W), and whether it had another size.

    Raises:
        Unreadable: a file that is missing or no image, or one with more than 8 bits per channel.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            mode = _mode(path, file, grey)
            image: Image.Image = ImageOps.exif_transpose(file).convert(mode)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise _cannot_read(path, error) from error
    fitted = image if size is None else ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(fitted)).view(fitted.height, fitted.width, -1).permute(2, 0, 1)
    return pixels, image.size != fitted.size


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


def decode(paths: Sequence[Path], size: int | None) -> tuple[dict[Path, Tensor], list[Unreadable]]:
    """Decode images in grey or colour as they are, several at a time; those that cannot be read are returned apart.

    Args:
        paths: the files, each once.
        size: scale and crop the images to squares of this size.

    Shape: each image uint8 (C, H, W).
    """
    read = partial(_attempt, size=None if size is None else (size, size))
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(read, paths))
    images = {path: one for path, one in zip(paths, results, strict=True) if not isinstance(one, Unreadable)}
    return images, [one for one in results if isinstance(one, Unreadable)]


def _attempt(path: Path, size: tuple[int, int] | None) -> Tensor | Unreadable:
    try:
        return read_image(path, size, grey=None)[0]
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
        raise Unreadable(printable(path), f"holds pixels of mode {image.mode!r}; save it with 8 bits per channel")
    return "L" if (image.mode in _GREY if grey is None else grey) else "RGB"
