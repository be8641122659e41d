"""The size of a folder of images, told from its options, the names of its files and some headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cgl_ignite.data.images.decode import read_header
from cgl_ignite.data.images.tables import ImageColumns, find_images
from cgl_ignite.data.look import Look
from cgl_ignite.data.separator import label_separator_of

__all__ = ["TEST_FRACTION", "height_and_width", "look_at_images", "rows_of_test"]

TEST_FRACTION = 0.2
_HEADERS = 64
_COLOURS = 3


def look_at_images(options: Mapping[str, Any], *, files: bool) -> Look:
    """Tell what the options say of a folder of images and, if asked for and there, its files.

    No image is decoded: the first 64 at equal distances tell whether there are colours.

    Raises:
        InputError: a folder that is laid out wrongly, or a damaged header.
    """
    folder, sides = Path(options["path"]).expanduser(), height_and_width(options.get("size"))
    if not files or not folder.is_dir():
        return Look(shape=None if sides is None else (_COLOURS, *sides), certain=False)
    separator = label_separator_of(options.get("task"), options.get("label_separator"))
    table, image, label, split, weight = map(options.get, ("table", "image", "label", "split", "weight"))
    columns = ImageColumns(table, image, label, split, separator, weight)
    layout = find_images(folder, columns, skip_bad=bool(options.get("skip_bad")))
    found = layout.files
    train, holdout, test = (len(found.get(part, ())) for part in ("train", "holdout", "test"))
    headers = [read_header(file.path) for file in found["train"][:: -(-train // _HEADERS)]]
    height, width = sides or headers[0][1:]
    cut = 0 if test else rows_of_test(train, options.get("test_fraction", TEST_FRACTION))
    counts = Counter(file.target for file in found["train"]).values()
    return Look(
        shape=(max(channels for channels, _, _ in headers), height, width),
        classes=len(layout.classes),
        train=train - cut,
        holdout=holdout or None,
        test=test + cut,
        each=(min(counts), max(counts)),
    )


def height_and_width(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Return height and width of the option ``size``: one number for a square, or both.

    Example:
        >>> height_and_width(32), height_and_width([24, 32]), height_and_width(None)
        ((32, 32), (24, 32), None)
    """
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def rows_of_test(rows: int, test_fraction: float) -> int:
    """Tell how many of the rows of an undivided folder become the test set."""
    return max(1, round(test_fraction * rows))
