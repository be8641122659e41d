"""Whether a student is right as often as it says: expected calibration error, and the reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from cgl_ignite.analysis.canvas import INK, MUTED, headline, line_style, new_figure, point_style, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["BINS", "Reliability", "calibration_figure", "reliability"]

BINS = 15
"""Of equal width, as in Guo et al. (2017)."""
LEAST_DRAWN = 10
"""The accuracy of a bin with fewer rows is not drawn."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence and accuracy of predictions, in bins of confidence of equal width, (bins,) each.

    Attributes:
        rows: how many predictions fall into each bin.
        confidence: their mean probability of the predicted class, in percent; NaN in an empty bin.
        accuracy: how many of them are right, in percent; NaN in an empty bin.
    """

    rows: NDArray[Any]
    confidence: NDArray[Any]
    accuracy: NDArray[Any]

    @property
    def error(self) -> float:
        r"""The expected calibration error in percentage points.

        .. math:: \sum_b \frac{n_b}{n} \left| \mathrm{acc}_b - \mathrm{conf}_b \right|
        """
        return self._mean(np.abs(self.accuracy - self.confidence))

    @property
    def overconfidence(self) -> float:
        """By how many points the mean confidence exceeds the accuracy."""
        return self._mean(self.confidence - self.accuracy)

    @property
    def mean_confidence(self) -> float:
        """The mean probability of the predicted class, in percent."""
        return self._mean(self.confidence)

    def _mean(self, values: NDArray[Any]) -> float:
        return float(np.nansum(self.rows * values) / self.rows.sum())


def reliability(logits: Tensor, targets: Tensor, bins: int = BINS) -> Reliability:
    """Sort predictions into bins by the probability of the predicted class.

    A confidence on the border of two bins counts in the lower one.

    Shape: logits (N, C), targets (N,).
    """
    probability, predicted = logits.double().softmax(dim=-1).max(dim=-1)
    confidence, right = probability.cpu().numpy(), (predicted == targets).cpu().numpy()
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rows = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(places, confidence, bins) / rows
        accuracy = np.bincount(places, right, bins) / rows
    return Reliability(rows, 100 * mean_confidence, 100 * accuracy)


@styled
def calibration_figure(measured: Mapping[str, Reliability], errors: Mapping[str, float]) -> Figure:
    """Draw accuracy against confidence for every method, and below how many predictions there are.

    Args:
        measured: for each method, the predictions of all of its runs.
        errors: for each method, the mean of the calibration errors of its runs.
    """
    figure = new_figure(8.2, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=":", label="as sure as right")
    for place, (name, one) in enumerate(measured.items()):
        label = f"{name} ({errors[name]:.1f} points)"
        drawn = one.rows >= min(LEAST_DRAWN, one.rows.max())
        upper.plot(one.confidence[drawn], one.accuracy[drawn], label=label, **point_style(place))
        edges = np.linspace(0, 100, len(one.rows) + 1)
        lower.stairs(100 * one.rows / one.rows.sum(), edges, **line_style(place))
    upper.set(ylabel="accuracy, percent", ylim=(0, 102))
    lower.set(xlabel="confidence, percent", ylabel="share of rows,\npercent", xlim=(0, 100))
    for axes in (upper, lower):
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    upper.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), labelcolor=INK)
    detail = f"expected calibration error; below the line: too sure; bins of at least {LEAST_DRAWN} rows"
    headline(upper, "Calibration of the selected student", detail)
    return figure
