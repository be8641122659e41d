"""Complete the models of a pipeline with the options of the parts it chooses."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from inspect import Parameter
from types import GenericAlias
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from cgl_ignite.config.schema import Chooses, Part, Table
from cgl_ignite.registry import Registry

__all__ = ["Registries", "specialise"]

Registries = Mapping[str, Registry[Callable[..., Any]]]
Model = TypeVar("Model", bound=Table)


def specialise(model: type[Model], tree: Any, registries: Registries) -> type[Model]:
    """Return the model whose choosing fields carry the options of the kinds that ``tree`` chooses.

    ``kind`` becomes a choice among the registered kinds; a table of an unknown kind keeps its other keys
    unjudged. Equal choices give the same class, so that equal pipelines compare equal.
    """
    fields: list[tuple[str, type[Table] | GenericAlias]] = []
    for name, field in model.model_fields.items():
        single = _table_of(field.annotation)
        if single is None:
            continue
        value = tree.get(name) if isinstance(tree, dict) else None
        if isinstance(value, list) and single is not field.annotation:
            items = tuple(_special(single, field, item, registries) for item in value)
            fields.append((name, GenericAlias(tuple, items)))
            continue
        special = _special(single, field, value, registries)
        if special is not single:
            fields.append((name, special))
    return _variant(model, tuple(fields))


def _table_of(annotation: Any) -> type[Table] | None:
    """Return the model of a field that holds a table, or either a table or a list of them."""
    found = [each for each in (annotation, *get_args(annotation)) if isinstance(each, type) and issubclass(each, Table)]
    return found[0] if found else None


def _special(single: type[Table], field: FieldInfo, table: Any, registries: Registries) -> type[Table]:
    special = specialise(single, table, registries)
    for mark in field.metadata:
        if isinstance(mark, Chooses) and issubclass(special, Part):
            kind = table.get("kind") if isinstance(table, dict) else getattr(field.default, "kind", None)
            registry = registries[mark.what]
            known = kind if isinstance(kind, str) and kind in registry else None
            special = _with_options(special, registry, registry.kinds(), known)
    return special


@cache
def _variant(model: type[Model], fields: tuple[tuple[str, type[Table] | GenericAlias], ...]) -> type[Model]:
    if not fields:
        return model
    replaced: dict[str, Any] = {}
    for name, special in fields:
        default = model.model_fields[name].default
        replaced[name] = (special, ...)
        if isinstance(default, Part) and not isinstance(special, GenericAlias):
            replaced[name] = (special, Field(default_factory=partial(_default_of, special, default)))
    return create_model(model.__name__, __base__=model, __module__=model.__module__, **replaced)


def _default_of(special: type[Table], default: Part) -> Table:
    """Return the default of a field as the class of the kind that is chosen; as it is where that has needed options."""
    try:
        return special.model_validate({"kind": default.kind})
    except ValidationError:
        return default


@cache
def _with_options(
    part: type[Part], registry: Registry[Callable[..., Any]], kinds: tuple[str, ...], kind: str | None
) -> type[Part]:
    names: Any = Literal[kinds if kind is None or kind in kinds else (*kinds, kind)]
    if kind is None:
        lenient = {"extra": "ignore"}
        return create_model(part.__name__, __base__=part, __cls_kwargs__=lenient, kind=(names, ...))
    options = registry.options(kind)
    if clash := options.keys() & part.model_fields.keys():
        raise ValueError(f"{registry.what} {kind!r}: the options {sorted(clash)} are fixed keys of the table")
    fields = {name: _field(option) for name, option in options.items()}
    fields["kind"] = (names, ...)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", 'Field name "options" in .* shadows', UserWarning)
        special = create_model(part.__name__, __base__=part, __module__=part.__module__, **fields)
    special.option_names = tuple(options)
    return special


def _field(option: Parameter) -> Any:
    annotation = Any if option.annotation is Parameter.empty else option.annotation
    return annotation, ... if option.default is Parameter.empty else option.default
