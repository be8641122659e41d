"""Handwritten digits that come with scikit-learn: 1,797 grey images of 8 x 8, no download.

Reference: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998.
"""

from __future__ import annotations

from pathlib import Path

import torch

from cgl_ignite.data.base import DATASETS, DataSource, Examples, InputSpec
from cgl_ignite.data.splits import choose_stratified
from cgl_ignite.seeding import stream

__all__ = ["digits"]

_TEST_ROWS = 360
_INK_LEVELS = 16


@DATASETS.register(
    "digits",
    title="Digits",
    modality="image",
    shape=(1, 8, 8),
    classes=10,
    rows=(1437, _TEST_ROWS),
    files=None,
    where="comes with scikit-learn",
    present=lambda root, options: True,
)
def digits(root: Path) -> DataSource:
    """Read the digits; their 360 test rows are the same in every run, whatever its seed.

    Shape: inputs (N, 1, 8, 8), the ink levels 0..16 spread over 0..255.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    levels = torch.from_numpy(bunch.images) * (255 / _INK_LEVELS)
    rows = Examples(levels.round().to(torch.uint8).unsqueeze(1), torch.from_numpy(bunch.target).long())
    chosen = choose_stratified(rows.targets, _TEST_ROWS, stream(0, "digits test"))
    rest = torch.ones(len(rows), dtype=torch.bool).index_fill_(0, chosen, False)
    return DataSource(
        train=rows.take(rest.nonzero().squeeze(1)),
        test=lambda: rows.take(chosen),
        classes=tuple(map(str, bunch.target_names.tolist())),
        spec=InputSpec("image", (1, 8, 8)),
    )
