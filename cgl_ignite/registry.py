"""Named builders: a part that exists is registered, and its signature is its schema."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from cgl_ignite.errors import InputError, choices, nearest

__all__ = ["Registry"]

T = TypeVar("T", bound=Callable[..., Any])


class Registry(Generic[T]):
    """Builders of one sort of part, by kind.

    Positional parameters of a builder are given by the pipeline; its keyword-only parameters are
    the options a user may set in the ``{kind = ..., ...}`` table, and their annotations (pydantic
    ``Field`` constraints included) are checked before anything is built. An option that is a word of
    Python ends with an underscore as a parameter, which the table leaves out: ``from_`` is ``from``.

    Args:
        what: what the parts are called in messages, e.g. ``"routing"``.

    Raises:
        InputError: a kind that nobody registered, with the nearest name and all that exist.
        ValueError: a kind registered twice.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._builders: dict[str, T] = {}
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._unlisted: set[str] = set()

    def register(self, kind: str, *, listed: bool = True, **facts: Any) -> Callable[[T], T]:
        """Return a decorator that files a builder under ``kind``, with facts known before building.

        A kind that is not ``listed`` can be chosen by those who know it, and is offered to nobody.
        """

        def decorate(builder: T) -> T:
            if kind in self._builders:
                raise ValueError(f"{self.what} {kind!r} is registered twice")
            self._builders[kind] = builder
            self._facts[kind] = facts
            self._unlisted |= set() if listed else {kind}
            return builder

        return decorate

    def __contains__(self, kind: str) -> bool:
        return kind in self._builders

    def kinds(self) -> tuple[str, ...]:
        """Name all kinds that are offered, in order of registration."""
        return tuple(kind for kind in self._builders if kind not in self._unlisted)

    def get(self, kind: str) -> T:
        """Return the builder of a kind."""
        if kind not in self._builders:
            known = self.kinds()
            raise InputError(f"unknown {self.what} {kind!r}{nearest(kind, known)} (known: {choices(known)})")
        return self._builders[kind]

    def facts(self, kind: str) -> Mapping[str, Any]:
        """Return what is known of a kind before it is built, such as a data set's modality."""
        self.get(kind)
        return self._facts[kind]

    def options(self, kind: str) -> dict[str, inspect.Parameter]:
        """Return the options of a kind: its builder's keyword-only parameters, annotations resolved."""
        parameters = inspect.signature(self.get(kind), eval_str=True).parameters.values()
        return {p.name.rstrip("_"): p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def build(self, part: Any, *given: Any) -> Any:
        """Build a configured part: ``part.kind`` with what the pipeline gives and ``part.options``."""
        names = {name: parameter.name for name, parameter in self.options(part.kind).items()}
        return self.get(part.kind)(*given, **{names[name]: value for name, value in part.options.items()})
