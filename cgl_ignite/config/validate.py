"""Check a document against a model, and say in plain words what is wrong with its values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import reduce
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from cgl_ignite.config.describe import allowed_names, describe, unwrap
from cgl_ignite.config.dump import toml_value
from cgl_ignite.config.load import Document
from cgl_ignite.config.schema import Table
from cgl_ignite.errors import Problem, nearest, shortened

__all__ = ["Checked", "NotValid"]

Location = tuple[int | str, ...]
Model = TypeVar("Model", bound=Table)


class NotValid(Exception):
    """Asked for a value that a problem has been found in."""


class Checked(Generic[Model]):
    """A document held against a model: its ``problems``, or its ``value``, and in any case its sound parts.

    Args:
        model: the model, completed with the options of the chosen parts.
        document: the values, preset included.
    """

    def __init__(self, model: type[Model], document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.value: Model | None = None
        self._model = model
        self._faults: tuple[Location, ...] = ()
        try:
            self.value = _validated(model, document.tree)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            self._faults = tuple(fault["loc"] for fault in faults)
            found = [self._problem(dict(fault)) for fault in faults]
            first = {problem.key: problem for problem in reversed(found)}
            self.problems = [problem for problem in found if not problem.key or first[problem.key] is problem]

    def get(self, *path: str) -> Any:
        """Return the value or table at a key, whatever is wrong elsewhere.

        Raises:
            NotValid: it is missing or wrong itself.
        """
        for fault in self._faults:
            if fault[: len(path)] == path or path[: len(fault)] == fault:
                raise NotValid(".".join(path))
        model: Any = self._model
        tree: Any = self.document.tree
        for depth, name in enumerate(path):
            field = model.model_fields[name]
            if name not in tree:
                return reduce(getattr, path[depth + 1 :], field.get_default(call_default_factory=True))
            model, tree = field.annotation, tree[name]
        if _is_table(model):
            return _validated(model, tree)
        tables = get_origin(model) is tuple and all(map(_is_table, get_args(model)))
        content = json.dumps(tree, default=str)
        return TypeAdapter(model).validate_json(content) if tables else json.loads(content)

    def _problem(self, fault: dict[str, Any]) -> Problem:
        key, owner, annotation = self._follow(fault["loc"])
        where = self.document.where(key.partition("[")[0])
        if fault["type"] == "extra_forbidden":
            return Problem(where, key, self._unknown(str(fault["loc"][-1]), owner))
        if fault["type"] == "missing":
            return Problem(where, key, f"is missing; it must be {describe(annotation)}")
        if fault["type"] == "value_error":
            return Problem(where, key, str(fault["ctx"]["error"]))
        given = fault["input"]
        hint = nearest(given, allowed_names(annotation)) if isinstance(given, str) else ""
        return Problem(where, key, f"must be {describe(annotation)}, not {shortened(toml_value(given))}{hint}")

    def _follow(self, location: Location) -> tuple[str, type[BaseModel], Any]:
        """Walk to where pydantic points: dotted key, the table that holds it, annotation of the value."""
        key = ""
        owner: type[BaseModel] = self._model
        annotation: Any = self._model
        for step in location:
            bare, _ = unwrap(annotation)
            if get_origin(bare) in (Union, UnionType):
                break
            if isinstance(step, int):
                key += f"[{step}]"
                annotation = _item(bare, step)
            elif _is_table(bare):
                owner, key = bare, f"{key}.{step}" if key else step
                field = bare.model_fields.get(step)
                annotation = Annotated[(field.annotation, *field.metadata, None)] if field else Any
        return key, owner, annotation

    def _unknown(self, name: str, owner: type[BaseModel]) -> str:
        known = list(owner.model_fields)
        namesakes = [key for key in _keys(self._model) if key.rpartition(".")[2] == name]
        hint = nearest(name, known) or nearest(".".join(namesakes[:1]), namesakes)
        return f"unknown key{hint} (allowed here: {', '.join(known)})"


def _validated(model: type[Model], tree: Any) -> Model:
    """Validate as JSON, where strict means: a list may be a tuple, a text a path, nothing else is bent."""
    return model.model_validate_json(json.dumps(tree, default=str))


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _item(annotation: Any, index: int) -> Any:
    arguments = [argument for argument in getattr(annotation, "__args__", ()) if argument is not Ellipsis]
    return arguments[min(index, len(arguments) - 1)] if arguments else Any


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if _is_table(field.annotation):
            yield from _keys(field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]
