from __future__ import annotations

import numpy as np
import pytest

from cgl_ignite.analysis.agreement import agreement, agreement_figure, agreements_figure


def test_agreement_by_hand():
    predicted = np.array([[0, 1, 2, 3, 4], [0, 1, 2, 0, 0], [9, 9, 2, 3, 0]], dtype=np.uint8)
    expected = [[100, 60, 40], [60, 100, 40], [40, 40, 100]]
    np.testing.assert_allclose(agreement(predicted), expected)


def test_figure_shows_the_lower_triangle_and_its_mean():
    table = np.array([[100, 60, 40], [60, 100, 20], [40, 20, 100.0]])
    (axes,) = agreement_figure(table, selected=1).axes
    assert [text.get_text() for text in axes.texts if text.get_text()[0].isdigit()] == ["60.0", "40.0", "20.0"]
    assert "40.0 %" in axes.get_title(loc="left")


@pytest.mark.parametrize("sizes", [(2,), (3, 8), (3, 3, 3, 3, 8, 8, 20)])
def test_methods_side_by_side_share_one_scale(sizes, tmp_path):
    generator = np.random.default_rng(1)
    tables = {f"method {i}": agreement(generator.integers(0, 3, (K, 50))) for i, K in enumerate(sizes)}
    figure = agreements_figure(tables)
    matrices = [axes for axes in figure.axes if axes.get_title(loc="left").startswith("method")]
    assert len(matrices) == len(sizes)
    assert len({axes.collections[0].get_clim() for axes in matrices}) == 1
    figure.savefig(tmp_path / "figure.png", dpi=30)
