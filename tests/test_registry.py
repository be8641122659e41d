from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry


@pytest.fixture
def shapes() -> Registry[Callable[..., object]]:
    registry: Registry[Callable[..., object]] = Registry("shape")

    @registry.register("square", corners=4)
    def square(name: str, *, side: float = 1.0, hollow: bool) -> tuple[str, float, bool]:
        return name, side, hollow

    registry.register("dot")(lambda name: name)
    return registry


def test_kinds_in_order_of_registration(shapes: Registry) -> None:
    assert shapes.kinds() == ("square", "dot")
    assert "dot" in shapes
    assert "line" not in shapes


def test_facts_are_known_before_building(shapes: Registry) -> None:
    assert shapes.facts("square") == {"corners": 4}
    assert shapes.facts("dot") == {}


def test_options_are_the_keyword_only_parameters(shapes: Registry) -> None:
    options = shapes.options("square")
    assert list(options) == ["side", "hollow"]
    assert options["side"].annotation is float
    assert shapes.options("dot") == {}


def test_build_passes_what_is_given_and_the_options(shapes: Registry) -> None:
    part = SimpleNamespace(kind="square", options={"side": 2.0, "hollow": True})
    assert shapes.build(part, "red") == ("red", 2.0, True)


def test_the_decorator_returns_the_builder(shapes: Registry) -> None:
    def line() -> None: ...

    assert shapes.register("line")(line) is line
    assert shapes.get("line") is line


def test_a_kind_is_registered_once(shapes: Registry) -> None:
    with pytest.raises(ValueError, match="shape 'dot' is registered twice"):
        shapes.register("dot")(lambda: None)


@pytest.mark.parametrize("ask", ["get", "facts", "options"])
def test_an_unknown_kind_is_met_with_the_known_ones(shapes: Registry, ask: str) -> None:
    message = r"unknown shape 'squar'; did you mean 'square'\?.*'square' or 'dot'"
    with pytest.raises(InputError, match=message):
        getattr(shapes, ask)("squar")


def test_what_is_not_listed_is_there_for_those_who_know_it() -> None:
    registry: Registry = Registry("part")
    registry.register("open")(lambda: 1)
    registry.register("quiet", listed=False)(lambda: 2)
    assert registry.kinds() == ("open",)
    assert "quiet" in registry
    assert registry.get("quiet")() == 2
    with pytest.raises(InputError, match=r"\(known: 'open'\)$"):
        registry.get("other")
