"""Say in plain words what a value may be, read from its annotation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import Parameter
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cgl_ignite.errors import choices

__all__ = ["allowed_names", "describe", "unwrap"]

_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    Any: "anything",
    Parameter.empty: "anything",
}
_COMPARISONS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def describe(annotation: Any) -> str:
    """Name the values an annotation allows.

    Example:
        >>> from pydantic import Field
        >>> describe(Annotated[int, Field(ge=1)] | None)
        'a whole number of at least 1'
        >>> describe(int | tuple[str, ...] | None)
        'a whole number or a list of [text]'
        >>> describe(Annotated[float, Field(ge=0, le=1)])
        'a number from 0 to 1'
        >>> describe(Literal["flows", "stopped"])
        "'flows' or 'stopped'"
        >>> describe(list[Annotated[int, Field(ge=0)]])
        'a list of [a whole number of at least 0]'
    """
    bare, limits = unwrap(annotation)
    arguments = get_args(bare)
    if get_origin(bare) is Literal:
        return choices(map(str, arguments))
    if get_origin(bare) in (Union, UnionType):
        return " or ".join(describe(argument) for argument in arguments if argument is not NoneType)
    if get_origin(bare) in (list, tuple):
        return _describe_list(arguments, limits)
    if bare is str and limits.get("min_length"):
        return "non-empty text"
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return _describe_table(bare)
    return _WORDS.get(bare, "a table") + _bounds(limits)


def unwrap(annotation: Any) -> tuple[Any, dict[str, Any]]:
    """Strip ``Annotated`` and ``None`` from an annotation; return what is left and its limits by name."""
    limits: dict[str, Any] = {}
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *notes = get_args(annotation)
            limits |= dict(_limits(notes))
        elif get_origin(annotation) in (Union, UnionType):
            some = [argument for argument in get_args(annotation) if argument is not NoneType]
            if len(some) != 1:
                return annotation, limits
            annotation = some[0]
        else:
            return annotation, limits


def allowed_names(annotation: Any) -> tuple[str, ...]:
    """List the values of a ``Literal``; nothing for any other annotation."""
    bare, _ = unwrap(annotation)
    return tuple(map(str, get_args(bare))) if get_origin(bare) is Literal else ()


def _limits(notes: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    for note in notes:
        for limit in note.metadata if isinstance(note, FieldInfo) else [note]:
            for name in (*_COMPARISONS, "min_length", "max_length"):
                if getattr(limit, name, None) is not None:
                    yield name, getattr(limit, name)


def _bounds(limits: Mapping[str, Any]) -> str:
    if {"ge", "le"} <= limits.keys():
        return f" from {limits['ge']} to {limits['le']}"
    text = " and ".join(f"{word} {limits[name]}" for name, word in _COMPARISONS.items() if name in limits)
    return f" of {text}" if text else ""


def _describe_table(model: type[BaseModel]) -> str:
    kinds = allowed_names(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()
    return f'a table such as {{ kind = "{kinds[0]}" }}' if kinds else "a table"


def _describe_list(arguments: tuple[Any, ...], limits: Mapping[str, Any]) -> str:
    items = ", ".join(describe(argument) for argument in arguments if argument is not Ellipsis)
    return f"a {'non-empty ' if limits.get('min_length') else ''}list of [{items}]"
