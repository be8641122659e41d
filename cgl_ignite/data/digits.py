"""Handwritten digits that come with scikit-learn: 1,797 grey images of 8 x 8, no download.

Reference: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from cgl_ignite.data.base import DATASETS, DataSource, Examples, InputSpec
from cgl_ignite.data.splits import choose_stratified
from cgl_ignite.seeding import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["digits"]

_CLASSES = 10
_TEST_ROWS = 360
_INK_LEVELS = 16
_FILE = Path("datasets", "data", "digits.csv.gz")


@DATASETS.register(
    "digits",
    title="Digits",
    modality="image",
    shape=(1, 8, 8),
    classes=_CLASSES,
    rows=(1437, _TEST_ROWS),
    files=None,
    where="comes with scikit-learn",
    present=lambda root, options: True,
)
def digits(root: Path) -> DataSource:
    """Read the digits; their 360 test rows are the same in every run, whatever its seed.

    Shape: inputs (N, 1, 8, 8), the ink levels 0..16 spread over 0..255.
    """
    table = torch.from_numpy(_table())
    levels = table[:, :-1].unflatten(1, (1, 8, 8)) * (255 / _INK_LEVELS)
    rows = Examples(levels.round().to(torch.uint8), table[:, -1].long())
    chosen = choose_stratified(rows.targets, _TEST_ROWS, stream(0, "digits test"))
    rest = torch.ones(len(rows), dtype=torch.bool).index_fill_(0, chosen, False)
    return DataSource(
        train=rows.take(rest.nonzero().squeeze(1)),
        test=lambda: rows.take(chosen),
        classes=tuple(map(str, range(_CLASSES))),
        spec=InputSpec("image", (1, 8, 8)),
    )


def _table() -> NDArray[np.float64]:
    """Return the ink levels and the class of each digit, (1797, 65).

    They are read from scikit-learn's file, as to import ``sklearn.datasets`` takes longer than a short training.
    """
    package = importlib.util.find_spec("sklearn")
    file = Path(package.origin).parent / _FILE if package and package.origin else None
    if file is not None and file.is_file():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    return np.column_stack(load_digits(return_X_y=True))
