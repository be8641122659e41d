"""Check the values of a document against a model, and say in plain words what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from cgl_ignite.config.describe import allowed_names, describe, unwrap
from cgl_ignite.config.dump import toml_value
from cgl_ignite.config.load import Document, dotted_keys
from cgl_ignite.config.schema import Table
from cgl_ignite.errors import Problem, choices, nearest

__all__ = ["Checked", "NotValid"]

Location = tuple[int | str, ...]
Model = TypeVar("Model", bound=Table)


class NotValid(Exception):
    """Asked for a value that a problem has already been reported for."""


class Checked(Generic[Model]):
    """A document held against a model: the problems found, and the values that are sound by themselves.

    Args:
        model: the pipeline's model, completed with the options of the chosen parts.
        document: the values, presets included.
    """

    def __init__(self, model: type[Model], document: Document) -> None:
        self.document = document
        self._model = model
        self._faults: tuple[Location, ...] = ()
        self.problems: list[Problem] = []
        try:
            self.value: Model | None = _validate(model, document.tree)
        except ValidationError as error:
            self.value = None
            details = error.errors(include_url=False)
            self._faults = tuple(fault["loc"] for fault in details)
            self.problems = [self._problem(dict(fault)) for fault in details]

    def get(self, *path: str) -> Any:
        """Return the value or table at a key, whatever is wrong elsewhere.

        Raises:
            NotValid: it is missing or wrong itself.
        """
        for fault in self._faults:
            if fault[: len(path)] == path or path[: len(fault)] == fault:
                raise NotValid(".".join(path))
        model, value = self._model, self.document.tree
        for name in path[:-1]:
            ...
