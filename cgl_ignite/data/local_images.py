"""The user's own images: one folder per class, everything else found out from the files."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite import compat
from cgl_ignite.data.base import DATASETS, DataSource, Examples, InputSpec
from cgl_ignite.data.splits import choose_stratified
from cgl_ignite.errors import InputError, choices
from cgl_ignite.seeding import stream

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["local_images", "read_image"]

Files: TypeAlias = "list[tuple[Path, int]]"

_GREY = ("1", "L", "LA")
_COLOUR = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX")


@DATASETS.register(
    "local_images",
    title="Your own images",
    modality="image",
    shape=None,
    classes=None,
    rows=None,
    own_holdout=True,
    files=None,
    where="the folder data.path",
)
def local_images(
    root: Path,
    *,
    path: str,
    size: Annotated[int, Field(ge=1)] | None = None,
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
) -> DataSource:
    """Read a folder of images, ``<path>/{train,test}/<class>/*`` or ``<path>/<class>/*``.

    Images are grey if all training images are, else of three colours. Beside ``train`` and ``test`` other
    folders are not read: the holdout is cut from ``train``.

    Args:
        root: not used; a relative path starts at the current folder.
        path: the folder.
        size: scale and crop all images to so many lines and columns; without it they must be of one size.
        test_fraction: how much of ``<path>/<class>/*`` is the test set, the same in every run; not used
            where there is a folder ``test``. Nothing can be learned with 1: then all of it is judged.

    Raises:
        InputError: a folder that is missing or not laid out so, a class without images, an image that
            cannot be read, images of different sizes.
    """
    folder = Path(path).expanduser()
    train, test, classes = _find(folder, test_fraction)
    examples = _read(train, size, None)
    spec = InputSpec("image", tuple(examples.dense.shape[1:]))
    return DataSource(examples, partial(_read, test, size, spec), classes, spec)


def _find(folder: Path, test_fraction: float) -> tuple[Files, Files, tuple[str, ...]]:
    """List the image files of train and test with their classes; none is opened."""
    if not folder.is_dir():
        raise InputError(f"data.path: there is no folder {folder.absolute()}\n{_layout(folder)}")
    names = _names(folder)
    if {"train", "test"} <= set(names):
        return _find_split(folder)
    if "train" in names and not any(child.is_file() for child in (folder / "train").iterdir()):
        raise InputError(f"{folder / 'train'} has no folder {folder / 'test'} beside it\n{_layout(folder)}")
    files = _list(folder, _classes(folder))
    if test_fraction == 1:
        return files, files, names
    targets = torch.tensor([target for _, target in files])
    rows = max(1, round(test_fraction * len(files)))
    chosen = set(choose_stratified(targets, rows, stream(0, "local_images test")).tolist())
    train = [file for row, file in enumerate(files) if row not in chosen]
    taught = {target for _, target in train}
    for target, name in enumerate(names):
        if target not in taught:
            raise InputError(
                f"{folder / name} has too few images to teach and test: "
                f"none is left to learn from after data.test_fraction = {test_fraction:g}"
            )
    return train, [files[row] for row in sorted(chosen)], names


def _find_split(folder: Path) -> tuple[Files, Files, tuple[str, ...]]:
    names, tested = _classes(folder / "train"), _names(folder / "test")
    if unknown := [name for name in tested if name not in names]:
        raise InputError(
            f"{folder / 'test' / unknown[0]}: class {unknown[0]!r} is not in {folder / 'train'}, "
            f"which holds {choices(names)}"
        )
    return _list(folder / "train", names), _list(folder / "test", names, needed=tested), names


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(child.name for child in folder.iterdir() if child.is_dir() and child.name[0] != "."))


def _classes(folder: Path) -> tuple[str, ...]:
    names = _names(folder)
    if len(names) < 2:
        found = f"{len(names)} class folder{'' if len(names) == 1 else 's'}"
        raise InputError(f"{folder} holds {found}, at least 2 are needed\n{_layout(folder)}")
    return names


def _list(folder: Path, classes: Sequence[str], needed: Sequence[str] | None = None) -> Files:
    """List the image files below each class folder, in order of class and name."""
    compat.ensure_torchvision()
    from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset

    index = {name: target for target, name in enumerate(classes)}
    files = make_dataset(str(folder), index, IMG_EXTENSIONS, allow_empty=True)
    found = {target for _, target in files}
    for name in classes if needed is None else needed:
        if index[name] not in found:
            raise InputError(f"{folder / name} holds no image ({', '.join(IMG_EXTENSIONS)})")
    if not files:
        raise InputError(f"{folder} holds no class folder\n{_layout(folder.parent)}")
    return [(Path(file), target) for file, target in files]


def _read(files: Files, size: int | None, spec: InputSpec | None) -> Examples:
    """Decode images to uint8 (N, C, H, W), in the shape of ``spec`` if it is given."""
    grey = None if spec is None else spec.shape[0] == 1
    decode = partial(read_image, size=None if size is None else (size, size), grey=grey)
    with ThreadPoolExecutor() as pool:
        images = [image for image, _ in pool.map(decode, [path for path, _ in files])]
    expected = images[0].shape[1:] if spec is None else torch.Size(spec.shape[1:])
    for (path, _), image in zip(files, images, strict=True):
        if image.shape[1:] != expected:
            sizes = f"{image.shape[2]} x {image.shape[1]}, others {expected[1]} x {expected[0]}"
            raise InputError(f"{path} is {sizes}: set data.size to bring all images to one size")
    channels = max(len(image) for image in images)
    inputs = torch.stack([image.expand(channels, -1, -1) for image in images])
    return Examples(inputs, torch.tensor([target for _, target in files]))


def read_image(path: Path, size: tuple[int, int] | None, grey: bool | None) -> tuple[Tensor, bool]:
    """Read one image upright, in grey or colour and in the size that is asked for, or as it is.

    Args:
        path: a file that PIL can read.
        size: width and height; the image is scaled and cropped to them.
        grey: one channel, three, or (None) what the file has.

    Shape: result uint8 (C, H, W), and whether it had another size.

    Raises:
        InputError: a file that is no image, or one with more than 8 bits per channel.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            image: Image.Image = ImageOps.exif_transpose(file)
            image = image.convert(_mode(path, file, grey))
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}") from error
    fitted = image if size is None else ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(fitted)).view(fitted.height, fitted.width, -1).permute(2, 0, 1)
    return pixels, image.size != fitted.size


def _mode(path: Path, image: Image, grey: bool | None) -> str:
    if image.mode not in _GREY + _COLOUR:
        raise InputError(f"{path} holds pixels of mode {image.mode!r}; save it with 8 bits per channel")
    return "L" if (image.mode in _GREY if grey is None else grey) else "RGB"


def _layout(folder: Path) -> str:
    name = folder.name or "images"
    return (
        "expected a folder per class, in one of two layouts:\n"
        f"  {name}/train/daisy/001.jpg     {name}/daisy/001.jpg\n"
        f"  {name}/train/rose/001.png      {name}/rose/001.png\n"
        f"  {name}/test/daisy/002.jpg      (data.test_fraction of each class becomes the test set)\n"
        f"  {name}/test/rose/002.png"
    )
