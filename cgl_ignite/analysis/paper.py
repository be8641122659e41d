"""The numbers that the paper prints, which are shown beside measured ones and never mixed with them."""

from __future__ import annotations

import functools
import sys
from importlib.resources import files
from typing import Any

from cgl_ignite.analysis.statistics import Spread

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["STATEMENT", "paper_result"]

STATEMENT = (
    "paper: printed in Tables 2 and 3 of Feng et al. (AAAI 2021, arXiv 2009.07712), mean ± deviation of 3 runs on the "
    "whole data set in the paper's settings; not measured here"
)


def paper_result(dataset: str, backbone: str, method: str) -> Spread | None:
    """Return what the paper prints for a method, None where it has no number.

    Example:
        >>> paper_result("cifar10", "resnet18", "dml")
        Spread(mean=94.18, std=0.09)
        >>> paper_result("digits", "resnet8", "cgl") is None
        True
    """
    printed = _results().get((dataset, backbone), {}).get(method)
    return None if printed is None else Spread(*printed)


@functools.cache
def _results() -> dict[tuple[str, str], dict[str, Any]]:
    text = (files(__package__) / "paper.toml").read_text("utf-8")
    rows = tomllib.loads(text)["result"]
    return {
        (row["dataset"], row["backbone"]): {key: value for key, value in row.items() if isinstance(value, list)}
        for row in rows
    }
