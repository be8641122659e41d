"""The numbers that the paper prints, which are shown beside measured ones and never mixed with them."""

from __future__ import annotations

import functools
import sys
from importlib.resources import files
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["STATEMENT", "Printed", "paper_result", "pieces", "printed_in", "printed_structures"]

STATEMENT = (
    "paper: printed in Feng et al. (AAAI 2021, arXiv 2009.07712), mean ± deviation of 3 runs on the whole data set in "
    "the paper's settings; not measured here"
)


class Printed(NamedTuple):
    """A number that the paper prints; the deviation only where it has one."""

    mean: float
    std: float | None = None
    metric: str = "accuracy"


def paper_result(dataset: str, backbone: str, method: str) -> Printed | None:
    """Return what the paper's Tables 2 and 3 print for a method, None where they have no number.

    Example:
        >>> paper_result("cifar10", "resnet18", "dml")
        Printed(mean=94.18, std=0.09, metric='accuracy')
        >>> paper_result("digits", "resnet8", "cgl") is None
        True
    """
    rows = (row for row in _content()["result"] if (row["dataset"], row["backbone"]) == (dataset, backbone))
    row: dict[str, Any] = next(rows, {})
    number = row.get(method)
    return Printed(*number) if isinstance(number, list) else None


def pieces() -> tuple[str, ...]:
    """Name the tables and figures of the paper that ``compare.paper`` may name."""
    return tuple(sorted({f"table{row['table']}" for row in _content()["result"]} | _content()["piece"].keys()))


def printed_in(piece: str, row: str, dataset: str = "", backbone: str = "") -> Printed | None:
    """Return what a table or figure of the paper prints for a row, by the name of the row in ``pipelines/paper``.

    Args:
        piece: the table or figure.
        row: the row.
        dataset: nothing is returned for another data set than the paper's; empty for any, and likewise ``backbone``.

    Example:
        >>> printed_in("table5", "0 %")
        Printed(mean=77.79, std=None, metric='accuracy')
        >>> printed_in("table2", "cgl") is None and printed_in("table5", "0 %", "cifar10") is None
        True
    """
    table = _content()["piece"].get(piece, {})
    number = table.get("rows", {}).get(row)
    given = {"dataset": dataset, "backbone": backbone}
    if any(value and table.get(key, value) != value for key, value in given.items()):
        return None
    return None if number is None else Printed(number, None, table["metric"])


def printed_structures() -> list[tuple[str, dict[str, list[float]]]]:
    """Return the structures of Table 7, those of both data sets once, with their accuracies by data set.

    Example:
        >>> found = dict(printed_structures())
        >>> len(found), found["7"]
        (13, {'cifar10': [94.63], 'cifar100': [78.15]})
    """
    table = _content()["piece"]["table7"]
    rows, again = table["rows"], dict(table["same"])
    found: dict[str, dict[str, list[float]]] = {}
    for name, accuracy in rows.items():
        data, _, number = name.partition(" ")
        first = next((str(old) for old, new in again.items() if data == "cifar100" and new == int(number)), "")
        title = first or (number if data == "cifar10" else f"{number} of CIFAR-100")
        found.setdefault(title, {})[data] = [accuracy]
    return list(found.items())


@functools.cache
def _content() -> dict[str, Any]:
    return tomllib.loads((files(__package__) / "paper.toml").read_text("utf-8"))
