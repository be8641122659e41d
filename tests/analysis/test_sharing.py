from __future__ import annotations

import pytest

from cgl_ignite.analysis.sharing import sharing_ratio


@pytest.mark.parametrize(
    ("paths", "ratio"),
    [
        ([[0, 0, 0], [0, 0, 0]], 1.0),
        ([[0, 0, 0], [1, 1, 1]], 0.0),
        ([[0, 1, 0], [0, 0, 1]], 1 / 3),
        ([[0, 0], [0, 1], [1, 1]], (1 / 2 + 0 + 1 / 2) / 3),
        ([[0, 1]], None),
    ],
)
def test_the_ratio_is_the_mean_over_pairs_and_layers(paths: list[list[int]], ratio: float | None) -> None:
    assert sharing_ratio(paths) == (None if ratio is None else pytest.approx(ratio))
