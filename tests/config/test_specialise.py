from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from cgl_ignite.bench import synthetic  # noqa: F401  (registers kinds with needed options)
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import fingerprint
from cgl_ignite.config.schema import Chooses, Part, Table
from cgl_ignite.config.specialise import specialise
from cgl_ignite.registry import Registry

SHAPES: Registry[Callable[..., str]] = Registry("shape")


@SHAPES.register("square")
def square(name: str, *, side: Annotated[float, Field(gt=0)] = 1.0) -> str:
    return f"{name} {side}"


@SHAPES.register("polygon")
def polygon(name: str, *, corners: tuple[int, ...], closed: bool = True) -> str:
    return f"{name} {corners} {closed}"


@SHAPES.register("free")
def free(name: str, *, anything) -> str:
    return f"{name} {anything}"


class Drawing(Table):
    shape: Annotated[Part, Chooses("shape")]
    frame: Annotated[Part, Chooses("shape")] = Part(kind="square")
    title: str = ""


class Album(Table):
    first: Drawing


def special(tree: Any) -> type[Album]:
    return specialise(Album, tree, {"shape": SHAPES})


def bind(shape: dict[str, Any], **drawing: Any) -> Drawing:
    tree = {"first": {"shape": shape, **drawing}}
    return special(tree).model_validate(tree).first


def test_options_come_from_the_signature() -> None:
    drawing = bind({"kind": "square", "side": 2.0})
    assert drawing.shape.options == {"side": 2.0}
    assert SHAPES.build(drawing.shape, "red") == "red 2.0"
    assert bind({"kind": "square"}).shape.options == {"side": 1.0}


def test_the_default_part_gets_its_options() -> None:
    assert bind({"kind": "square"}).frame.options == {"side": 1.0}
    assert bind({"kind": "square"}, frame={"kind": "polygon", "corners": (1, 2)}).frame.kind == "polygon"


def test_an_option_without_annotation_takes_anything() -> None:
    assert bind({"kind": "free", "anything": [1, "x"]}).shape.options == {"anything": [1, "x"]}


@pytest.mark.parametrize(
    ("shape", "fault"),
    [
        ({"kind": "square", "side": 0}, ("greater_than", ("first", "shape", "side"))),
        ({"kind": "square", "corners": 3}, ("extra_forbidden", ("first", "shape", "corners"))),
        ({"kind": "polygon"}, ("missing", ("first", "shape", "corners"))),
        ({"kind": "circle", "radius": 1}, ("literal_error", ("first", "shape", "kind"))),
        ({"kind": ["square"]}, ("literal_error", ("first", "shape", "kind"))),
        ({"side": 1.0}, ("missing", ("first", "shape", "kind"))),
        ("square", ("model_type", ("first", "shape"))),
    ],
)
def test_faults(shape: Any, fault: tuple[str, tuple[str, ...]]) -> None:
    tree = {"first": {"shape": shape}}
    with pytest.raises(ValidationError) as caught:
        special(tree).model_validate(tree)
    assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [fault]


@pytest.mark.parametrize("tree", [{}, {"first": {}}, {"first": 3}, None])
def test_what_is_not_there_is_left_to_validation(tree: Any) -> None:
    with pytest.raises(ValidationError):
        special(tree).model_validate(tree)


def test_equal_choices_are_equal_pipelines() -> None:
    assert bind({"kind": "square", "side": 1.0}) == bind({"kind": "square"}, frame={"kind": "square"})
    assert bind({"kind": "square", "side": 1.0}) != bind({"kind": "square", "side": 2.0})


def test_kinds_registered_later_count() -> None:
    later: Registry[Callable[..., None]] = Registry("shape")
    later.register("early")(lambda: None)
    tree = {"first": {"shape": {"kind": "late"}, "frame": {"kind": "late"}}}
    with pytest.raises(ValidationError):
        specialise(Album, tree, {"shape": later}).model_validate(tree)
    later.register("late")(lambda: None)
    assert specialise(Album, tree, {"shape": later}).model_validate(tree).first.shape.kind == "late"


def test_an_option_must_not_hide_a_fixed_key() -> None:
    bad: Registry[Callable[..., None]] = Registry("shape")

    @bad.register("square")
    def builder(*, kind: str) -> None: ...

    with pytest.raises(ValueError, match=r"shape 'square': the options \['kind'\] are fixed keys"):
        specialise(Drawing, {"shape": {"kind": "square"}}, {"shape": bad})


def test_a_kind_with_a_needed_option_has_a_fingerprint() -> None:
    """The default of its table is of another kind, which knows no such option."""
    tree = {
        "name": "synthetic",
        "data": {
            "kind": "synthetic_text", "classes": 2, "rows": 40, "holdout": 4,
            "encoding": {"kind": "synthetic_tokens", "length": 64, "vocabulary": 9},
        },
        "backbone": {"kind": "vdcnn9", "width": 2},
        "method": {"preset": "baseline"},
        "optim": {"kind": "adam", "learning_rate": 1e-3, "batch_size": 4},
        "run": {"epochs": 1},
    }  # fmt: skip
    other = {**tree, "data": {**tree["data"], "encoding": {**tree["data"]["encoding"], "vocabulary": 10}}}
    assert fingerprint(load_pipeline(tree)) != fingerprint(load_pipeline(other))
