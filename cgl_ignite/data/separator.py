"""How tables say that their rows have several labels."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from cgl_ignite.errors import InputError

__all__ = ["LabelTask", "Separator", "label_separator_of"]

LabelTask: TypeAlias = Literal["single_label", "multi_label"]
Separator: TypeAlias = Annotated[str, Field(min_length=1, max_length=8)]

_USUAL = {"multi_label": ";"}
"""What separates labels unless a pipeline says otherwise, for the tasks that have several."""


def label_separator_of(task: str | None, given: str | None) -> str | None:
    """Return what separates the labels of a row; None if a row has one class.

    Raises:
        InputError: a separator for rows that have one class.

    Example:
        >>> label_separator_of("multi_label", None), label_separator_of("multi_label", "|")
        (';', '|')
    """
    usual = _USUAL.get(task or "")
    if usual is None and given is not None:
        raise InputError(
            f"data.label_separator = {given!r} is for several labels per row: set data.task = 'multi_label'"
        )
    return usual and (given or usual)
