"""Metrics of a pool of students."""

from cgl_ignite.metrics import confidence, confusion, diversity, labels, scores
from cgl_ignite.metrics.base import METRICS, PREDICTION_METRICS
from cgl_ignite.metrics.diversity import mean_diversity
from cgl_ignite.metrics.predictions import measure_predictions

__all__ = [
    "METRICS",
    "PREDICTION_METRICS",
    "confidence",
    "confusion",
    "diversity",
    "labels",
    "mean_diversity",
    "measure_predictions",
    "scores",
]
