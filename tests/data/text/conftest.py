"""Files of texts as they are published, a few rows each."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

WriteReviews = Callable[..., Path]


@pytest.fixture
def write_reviews(tmp_path: Path) -> WriteReviews:
    """Write rows as Zhang and LeCun did into ``<folder>/{train,test}.csv``, and return the data root."""

    def write(folder: str, train: Sequence[Sequence[str]], test: Sequence[Sequence[str]] = (("1", "test"),)) -> Path:
        place = tmp_path / "root" / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, rows in (("train", train), ("test", test)):
            with (place / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        return tmp_path / "root"

    return write
