"""How a student was quantised, and what that changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from cgl_ignite.config.schema import Table

__all__ = ["Quantisation"]

Count = Annotated[int, Field(ge=1)]


class Quantisation(Table):
    """What is known of a student in int8 beside the same student in float32; part of its card.

    Attributes:
        calibration_rows: training rows that set the ranges of the activations.
        holdout_rows: rows that both were measured on.
        float_accuracy: of the student in float32, in percent.
        accuracy: of the student in int8, in percent.
        difference: the largest difference between two of their logits.
        logit: the largest logit in float32.
        float_size: bytes of the file in float32.
        size: bytes of the file in int8.
    """

    calibration_rows: Count
    holdout_rows: Count
    float_accuracy: float
    accuracy: float
    difference: float
    logit: float
    float_size: Count
    size: Annotated[int, Field(ge=0)]

    @property
    def drop(self) -> float:
        """How many points of accuracy int8 costs; negative if it gains some."""
        return self.float_accuracy - self.accuracy

    def rows(self) -> Mapping[str, str]:
        """Tell for people what was measured, by name."""
        return {
            "precision": f"int8, calibrated on {self.calibration_rows:,} training rows",
            "holdout accuracy in int8": (
                f"{self.accuracy:.2f} % (in float32 {self.float_accuracy:.2f} %) of {self.holdout_rows:,} rows"
            ),
            "largest difference in int8": f"{self.difference:.2g}, at logits up to {self.logit:.3g} in float32",
            "size in int8": f"{self.size:,} bytes (in float32 {self.float_size:,})",
        }
