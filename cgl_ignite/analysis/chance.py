"""How sure an accuracy is, and whether it is better than that of the most frequent class."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

__all__ = ["certainty", "chance_accuracy", "is_at_chance", "standard_error"]


def standard_error(accuracy: float, rows: int) -> float:
    r"""Return the standard error of an accuracy a that was measured on n rows, both in percent.

    .. math:: \sqrt{a (1 - a) / n}

    Example:
        >>> standard_error(90.0, 100)
        3.0
    """
    share = accuracy / 100
    return round(100 * math.sqrt(share * (1 - share) / rows), 6)


def chance_accuracy(targets: Tensor) -> float:
    """Return the accuracy in percent of always answering the most frequent class. Shape: targets (N,).

    Example:
        >>> import torch
        >>> chance_accuracy(torch.tensor([0, 2, 2, 2]))
        75.0
    """
    return 100 * float(targets.unique(return_counts=True)[1].max()) / len(targets)


def is_at_chance(accuracy: float, targets: Tensor) -> bool:
    """Tell whether an accuracy exceeds that of the most frequent class by at most its standard error."""
    chance = chance_accuracy(targets)
    return accuracy <= chance + standard_error(chance, len(targets))


def certainty(holdout: tuple[float, Tensor], test: tuple[float, Tensor]) -> dict[str, Any]:
    """Name what a result says of accuracy and targets of the holdout, and of those of the test part."""
    accuracy, targets = holdout
    return {
        "holdout_standard_error": standard_error(accuracy, len(targets)),
        "chance_accuracy": chance_accuracy(targets),
        "at_chance": is_at_chance(*holdout) or is_at_chance(*test),
    }
