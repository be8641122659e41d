"""The expected calibration error of a few predictions, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cgl_ignite.analysis.calibration import Reliability, calibration_figure, reliability

PROBABILITIES = torch.tensor([[0.9, 0.1], [0.85, 0.15], [0.4, 0.6], [0.35, 0.65]], dtype=torch.float64)
TARGETS = torch.tensor([0, 1, 1, 1])
"""In five bins: confidences 0.9 and 0.85 with one right of two, 0.6 with one right, 0.65 with one right."""


def test_bins_hold_what_they_should() -> None:
    found = reliability(PROBABILITIES.log(), TARGETS, bins=5)
    assert found.rows.tolist() == [0, 0, 1, 1, 2]
    assert found.confidence[2:].tolist() == pytest.approx([60, 65, 87.5])
    assert found.accuracy[2:].tolist() == pytest.approx([100, 100, 50])


def test_the_error_is_the_weighted_distance() -> None:
    found = reliability(PROBABILITIES.log(), TARGETS, bins=5)
    assert found.error == pytest.approx((40 + 35 + 2 * 37.5) / 4)
    assert found.mean_confidence == pytest.approx((90 + 85 + 60 + 65) / 4)
    assert found.overconfidence == pytest.approx(75 - 75)


def test_sure_and_always_right_is_no_error() -> None:
    found = reliability(torch.tensor([[200.0, 0.0], [0.0, 200.0]]), torch.tensor([0, 1]))
    assert found.error == pytest.approx(0)
    assert found.rows.tolist() == [0] * 14 + [2]


def test_sure_and_always_wrong_is_the_largest_error() -> None:
    found = reliability(torch.tensor([[200.0, 0.0]]), torch.tensor([1]))
    assert (found.error, found.overconfidence) == (pytest.approx(100), pytest.approx(100))


def test_the_picture_leaves_out_bins_with_few_rows() -> None:
    found = Reliability(np.array([0, 9, 10, 40]), np.array([np.nan, 30.0, 60.0, 90.0]), np.array([np.nan, 100, 50, 80]))
    upper, lower = calibration_figure({"cgl": found}, {"cgl": found.error}).axes
    (_, curve) = upper.lines
    assert (curve.get_xdata().tolist(), curve.get_ydata().tolist()) == ([60, 90], [50, 80])
    assert len(lower.patches) == 1
    few = Reliability(np.array([1, 3]), np.array([30.0, 80.0]), np.array([0.0, 100.0]))
    assert calibration_figure({"cgl": few}, {"cgl": 1.0}).axes[0].lines[1].get_xdata().tolist() == [80]
