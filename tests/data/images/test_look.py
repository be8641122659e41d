"""A look at a folder tells the same as reading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.data import local_images
from cgl_ignite.data.images.look import look_at_images
from cgl_ignite.data.look import Look
from cgl_ignite.errors import InputError
from tests.data.images.paint import BLUE, RED, paint


@pytest.mark.parametrize("options", [{}, {"size": 3}, {"test_fraction": 0.4}])
@pytest.mark.parametrize("parts", [("",), ("train/", "test/"), ("train/", "val/"), ("train/", "val/", "test/")])
@pytest.mark.parametrize("colour", [RED, 100])
def test_what_a_look_tells_is_what_is_read(
    tmp_path: Path, options: dict[str, Any], parts: tuple[str, ...], colour: int
) -> None:
    for part in parts:
        for number in range(7):
            paint(tmp_path / part / "ab"[number % 2] / f"{number}.png", colour, size=(6, 4))
    options = {"path": str(tmp_path), **options}
    source = local_images(tmp_path, **options)
    assert look_at_images(options, files=True) == Look(
        shape=source.spec.shape,
        classes=len(source.classes),
        train=len(source.train),
        holdout=len(source.holdout()) if source.holdout else None,
        test=len(source.test()),
        each=(3, 4),
    )


def test_without_files_the_options_tell(tmp_path: Path) -> None:
    paint(tmp_path / "a" / "1.png", BLUE)
    assert look_at_images({"path": str(tmp_path), "size": 224}, files=False) == Look(shape=(3, 224, 224), certain=False)
    assert look_at_images({"path": str(tmp_path / "gone"), "size": None}, files=True) == Look(certain=False)


def test_pixels_are_not_read(tmp_path: Path) -> None:
    for label in "ab":
        for number in range(3):
            path = paint(tmp_path / label / f"{number}.bmp", size=(50, 40))
            path.write_bytes(path.read_bytes()[:200])
    assert look_at_images({"path": str(tmp_path)}, files=True).shape == (3, 40, 50)


def test_a_wrong_layout_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds 0 class folders"):
        look_at_images({"path": str(tmp_path)}, files=True)
