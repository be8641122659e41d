"""A few rows of every kind of data set, in the files that each reads, and a pipeline that trains on them in seconds."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

__all__ = ["IMAGES", "KINDS", "NEEDS_DOWNLOAD", "TEXTS", "small_pipeline", "write_rows"]

ROWS, TEST_ROWS = 48, 12
WORDS = ("cold", "poor", "fine", "good", "great", "warm", "place", "food", "room", "staff", "slow", "clean")
REVIEWS = {"yelp_review_full": (5, 1), "yahoo_answers": (10, 3), "amazon_review_full": (5, 2)}
"""Classes and texts of a row."""

NEEDS_DOWNLOAD = ("cifar10", "cifar100")
"""Their files have published checksums, so that rows cannot be invented."""


def write_rows(kind: str, root: Path) -> dict[str, Any]:
    """Write a few rows below a data root, and return the options of ``[data]`` that read them."""
    options = _WRITERS[kind](root) if kind in _WRITERS else {}
    return {"kind": kind, "root": str(root), **options}


def small_pipeline(kind: str, root: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    """Describe a training of one step on a few rows of a data set; ``folder`` is that of the records."""
    image = kind in IMAGES
    data = {**write_rows(kind, root), "holdout": 12, "limit": 44}
    if not image:
        data["encoding"] = {"kind": "characters", "length": 64}
    tree = {
        "name": f"small {kind}",
        "data": data,
        "backbone": {"kind": "resnet8", "width": 2} if image else {"kind": "vdcnn9", "width": 2, "embedding": 4},
        "method": {"preset": "cgl"},
        "optim": {"kind": "adam", "learning_rate": 1e-2, "batch_size": 16},
        "run": {"epochs": 1, "device": "cpu", "threads": 1},
        "tracking": {"folder": str(folder)},
    }
    return {**tree, **changes}


def _images(root: Path) -> dict[str, Any]:
    draw = random.Random(1)
    for part, rows in (("train", ROWS), ("test", TEST_ROWS)):
        for row in range(rows):
            label, colour = (("red", (200, 60, 60)), ("blue", (60, 60, 200)))[row % 2]
            path = root / "pictures" / part / label / f"{row:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), tuple(value + draw.randint(-40, 40) for value in colour)).save(path)
    return {"path": str(root / "pictures")}


def _table(root: Path) -> dict[str, Any]:
    for part, rows in (("train", ROWS), ("test", TEST_ROWS)):
        _write(
            root / "table" / f"{part}.csv", [("topic", "text"), *((f"t{row % 2}", _text(row)) for row in range(rows))]
        )
    return {"path": str(root / "table"), "label": "topic", "text": ["text"]}


def _films(root: Path) -> dict[str, Any]:
    for part, rows in (("train", ROWS), ("test", TEST_ROWS)):
        for row in range(rows):
            path = root / "aclImdb" / part / ("neg", "pos")[row % 2] / f"{row}_1.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_text(row), "utf-8")
    return {}


def _reviews(kind: str) -> Callable[[Path], dict[str, Any]]:
    classes, texts = REVIEWS[kind]

    def write(root: Path) -> dict[str, Any]:
        for part, rows in (("train", ROWS), ("test", TEST_ROWS)):
            lines = [(1 + row % classes, *(_text(row + i) for i in range(texts))) for row in range(rows)]
            _write(root / f"{kind}_csv" / f"{part}.csv", lines)
        return {}

    return write


def _write(path: Path, rows: list[tuple[Any, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)


def _text(row: int) -> str:
    return " ".join(random.Random(row).choices(WORDS, k=8))


_WRITERS: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "local_images": _images,
    "local_text": _table,
    "imdb": _films,
    **{kind: _reviews(kind) for kind in REVIEWS},
}

IMAGES = ("digits", "cifar10", "cifar100", "local_images")
TEXTS = ("imdb", *REVIEWS, "local_text")
KINDS = (*IMAGES, *TEXTS)
