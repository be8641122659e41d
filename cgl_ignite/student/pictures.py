"""Pictures of any size and colour, brought to the form that a student reads, as in training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from cgl_ignite import compat
from cgl_ignite.data.local_images import read_image
from cgl_ignite.errors import InputError
from cgl_ignite.student.card import Card

__all__ = ["find_pictures", "read_pictures"]


def find_pictures(places: Iterable[Path]) -> list[Path]:
    """List picture files; of a folder, all in it and below it, by name.

    Raises:
        InputError: a place that is not there, a folder without pictures; all of them together.
    """
    found: list[Path] = []
    faults: list[str] = []
    for place in places:
        files = sorted(_below(place)) if place.is_dir() else [place]
        if not files:
            faults.append(f"{place} holds no picture")
        elif not place.exists():
            faults.append(f"there is no file {place}")
        found += files
    if faults:
        raise InputError("\n".join(faults))
    return found


def read_pictures(paths: Sequence[Path], card: Card) -> tuple[Tensor, int]:
    """Read pictures as inputs of a student, and count those that were scaled and cropped to its size.

    Shape: result uint8 (N, C, H, W).

    Raises:
        InputError: pictures that cannot be read, all of them together; a student that reads none.
    """
    if card.modality != "image" or card.shape[0] not in (1, 3):
        form = " x ".join(map(str, card.shape))
        raise InputError(f"the student reads {card.modality} of {form}, not pictures in grey or colour")
    with ThreadPoolExecutor() as pool:
        read = list(pool.map(partial(_attempt, shape=card.shape), paths))
    if faults := [str(one) for one in read if isinstance(one, InputError)]:
        raise InputError("\n".join(faults))
    pictures = [one for one in read if not isinstance(one, InputError)]
    return torch.stack([picture for picture, _ in pictures]), sum(scaled for _, scaled in pictures)


def _below(folder: Path) -> Iterator[Path]:
    compat.ensure_torchvision()
    from torchvision.datasets.folder import IMG_EXTENSIONS

    return (path for path in folder.rglob("*") if path.suffix.lower() in IMG_EXTENSIONS and path.is_file())


def _attempt(path: Path, shape: tuple[int, ...]) -> tuple[Tensor, bool] | InputError:
    channels, height, width = shape
    try:
        return read_image(path, (width, height), grey=channels == 1)
    except InputError as error:
        return error
