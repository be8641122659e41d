"""Analyses of finished runs, by name: what their students are like, beyond the accuracy that was recorded."""

from cgl_ignite.analyses.base import ANALYSES, Finding, Inapplicable
from cgl_ignite.analyses.catalogue import analyse

__all__ = ["ANALYSES", "Finding", "Inapplicable", "analyse"]
