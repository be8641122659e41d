"""What all rows of a comparison have the same amount of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["EQUAL", "Equal", "fixed_cost", "read_equal"]

EQUAL = "epochs, steps, cost, or cost=MULTIPLY_ADDS such as cost=2.5T"
"""What may be written; a cost without a number is that of the most expensive row."""

_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


def read_equal(text: str) -> str:
    """Check what all rows of a comparison have the same amount of, and write it in one way.

    Raises:
        ValueError: it is none of :data:`EQUAL`.

    Example:
        >>> read_equal("cost = 10500G")
        'cost=10500000000000'
    """
    kind, given, number = text.partition("=")
    if not given and kind in {"epochs", "steps", "cost"}:
        return kind
    found = re.fullmatch(r"(\d+(?:\.\d+)?(?:e\+?\d+)?)\s*([kMGTP]?)", number.strip())
    if kind.strip() != "cost" or found is None or not float(found[1]):
        raise ValueError(f"must be {EQUAL}, not {text!r}")
    return f"cost={float(found[1]) * _FACTORS[found[2]]:.15g}"


Equal = Annotated[str, AfterValidator(read_equal)]
"""``epochs``, ``steps``, ``cost``, or ``cost=`` with the multiply-adds of the training of each row."""


def fixed_cost(equal: str) -> float | None:
    """Return the multiply-adds that each row trains for; None if they are not given."""
    return float(equal.partition("=")[2]) if equal.startswith("cost=") else None
