"""Metrics of a pool of students."""

from cgl_ignite.metrics import diversity, scores
from cgl_ignite.metrics.base import METRICS
from cgl_ignite.metrics.diversity import mean_diversity

__all__ = ["METRICS", "diversity", "mean_diversity", "scores"]
