"""Numbers that several tables of a pipeline hold, with the values that are allowed."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

__all__ = ["Count", "Fraction", "Holdout", "Seeds"]

Fraction = Annotated[float, Field(ge=0, le=1)]
"""From 0 to 1."""
Count = Annotated[int, Field(ge=1)]
"""At least one."""
Seed = Annotated[int, Field(ge=0)]


def _rows_or_share(value: Any) -> Any:
    whole, share = type(value) is int and value >= 1, type(value) is float and 0 < value < 1
    if not whole and not share:
        raise ValueError(f"must be a number of rows, or a share of them between 0 and 1, not {value!r}")
    return value


Holdout = Annotated[int | float, BeforeValidator(_rows_or_share)]
"""How many rows select instead of training: a number of them, or a share."""


def _each_once(seeds: list[int]) -> list[int]:
    if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
        raise ValueError(f"{twice[0]} stands there twice, and would give the same run twice")
    return seeds


Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_each_once)]
"""Of the runs of a pipeline, one run each."""
