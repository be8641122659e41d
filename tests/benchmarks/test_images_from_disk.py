"""Batches of a run and of a DataLoader are raced on the same folder, and what is killed is compared in full."""

from __future__ import annotations

from pathlib import Path

import images_from_disk
import pytest
import torch
from PIL import Image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes of 40 images, each of one colour."""
    for number, name in enumerate(("a", "b", "c")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for image in range(40):
            Image.new("RGB", (256, 256), (80 * number, image, 0)).save(tmp_path / "images" / name / f"{image}.jpg")
    return tmp_path / "images"


def test_tensors_are_equal_only_if_all_of_them_are() -> None:
    one = {"weight": torch.tensor([1.0, 2.0])}
    assert images_from_disk._equal(one, {"weight": torch.tensor([1.0, 2.0])})
    assert not images_from_disk._equal(one, {"weight": torch.tensor([1.0, 2.1])})
    assert not images_from_disk._equal(one, {})


def test_the_files_of_a_folder_have_the_numbers_of_their_classes(folder: Path) -> None:
    files = images_from_disk.ImageFiles(folder)
    assert len(files) == 120
    image, target = files[100]
    assert (image.shape, image.dtype, target) == ((3, 256, 256), torch.uint8, 2)
    assert abs(int(image[0, 0, 0]) - 160) <= 3


@pytest.mark.slow
def test_both_ways_are_timed_in_every_round(folder: Path, tmp_path: Path) -> None:
    record = images_from_disk.race(folder, tmp_path, rounds=2, iterations=1)
    assert record["batch_size"] == 16
    for what in ("reading", "training"):
        assert {way: len(times) for way, times in record["seconds"][what].items()} == {"run": 2, "loader": 2}
        assert record["run_over_loader"][what]["median"] > 0
        seconds = record["seconds"][what]["run"]
        assert record["samples_per_second"][what]["run"]["median"] == pytest.approx(sum(16 / s for s in seconds) / 2)
