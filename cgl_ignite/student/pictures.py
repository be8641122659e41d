"""Pictures of any size and colour, brought to the form that a student reads, as in training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from torch import Tensor

from cgl_ignite.data.images import BACKGROUND, Resize, SkippedFiles, images_below, printable, read_image
from cgl_ignite.data.images.decode import THREADS
from cgl_ignite.errors import InputError, Unreadable
from cgl_ignite.student.card import Card

__all__ = ["find_pictures", "read_pictures"]


def find_pictures(places: Iterable[Path]) -> tuple[list[Path | Unreadable], tuple[str, ...]]:
    """List picture files, of a folder all in it and below it, and say what is passed over there.

    In the place of a path that does not exist, or of a folder without pictures, stands what is wrong with it.
    """
    found: list[Path | Unreadable] = []
    skipped = SkippedFiles()
    for place in places:
        if place.is_dir():
            found += images_below(place, skipped) or [Unreadable(printable(place), "holds no picture")]
        else:
            found.append(place if place.exists() else Unreadable(printable(place), "does not exist"))
    return found, tuple(skipped.notes())


def read_pictures(places: Sequence[Path | Unreadable], card: Card) -> list[tuple[Tensor, bool] | Unreadable]:
    """Read pictures as inputs of a student, several at a time.

    Shape: of each uint8 (C, H, W), and whether it was brought to the size of the student; in the place of a
    picture that cannot be read stands what is wrong with it.

    Raises:
        InputError: a student that reads no pictures.
    """
    if card.modality != "image" or card.shape[0] not in (1, 3):
        form = " x ".join(map(str, card.shape))
        raise InputError(f"the student reads {card.modality} of {form}, not pictures in grey or colour")
    options = card.dataset.options
    background, resize = str(options.get("background", BACKGROUND)), options.get("resize", "crop")
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(partial(_attempt, shape=card.shape, background=background, resize=resize), places))


def _attempt(
    place: Path | Unreadable, shape: tuple[int, ...], background: str, resize: Resize
) -> tuple[Tensor, bool] | Unreadable:
    if isinstance(place, Unreadable):
        return place
    channels, height, width = shape
    try:
        image = read_image(place, (width, height), channels == 1, background, resize)
        return image.pixels, image.fitted
    except Unreadable as fault:
        return fault
