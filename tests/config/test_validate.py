from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from cgl_ignite.config.load import Document
from cgl_ignite.config.schema import Ramp, Table
from cgl_ignite.config.validate import Checked, NotValid


class Inner(Table):
    size: Annotated[int, Field(ge=1)] = 3
    betas: tuple[float, float] = (0.5, 0.75)
    folder: Path | None = None
    shared: list[Annotated[int, Field(ge=0)]] | None = None
    mode: Literal["flows", "stopped"] = "flows"


class Outer(Table):
    epochs: Annotated[int, Field(ge=1)]
    inner: Inner = Inner()
    ramp: Ramp = Ramp()


def check(tree: dict[str, Any]) -> Checked[Outer]:
    origins = {"epochs": "p.toml:1", "inner": "p.toml:2", "inner.betas": "p.toml:3"}
    return Checked(Outer, Document(tree, origins, Path("p.toml")))


def test_a_sound_document_has_a_value_and_no_problems() -> None:
    checked = check({"epochs": 2, "inner": {"betas": [0.1, 1], "folder": "x"}})
    assert checked.problems == []
    assert checked.value == Outer(epochs=2, inner=Inner(betas=(0.1, 1.0), folder=Path("x")))
    assert checked.get("inner", "size") == 3
    assert checked.get("inner") == Inner(betas=(0.1, 1.0), folder=Path("x"))


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        ({"inner": {}}, "p.toml:1: epochs: is missing; it must be a whole number of at least 1"),
        ({"epochs": 0}, "p.toml:1: epochs: must be a whole number of at least 1, not 0"),
        ({"epochs": "ten"}, 'p.toml:1: epochs: must be a whole number of at least 1, not "ten"'),
        ({"epochs": True}, "p.toml:1: epochs: must be a whole number of at least 1, not true"),
        ({"epochs": 1.0}, "p.toml:1: epochs: must be a whole number of at least 1, not 1.0"),
        ({"epochs": {"a": 1}}, "p.toml:1: epochs: must be a whole number of at least 1, not { a = 1 }"),
        (
            {"epochs": 1, "inner": {"betas": [0.9]}},
            "p.toml:3: inner.betas[1]: is missing; it must be a number",
        ),
        (
            {"epochs": 1, "inner": {"betas": [0.9, "x"]}},
            'p.toml:3: inner.betas[1]: must be a number, not "x"',
        ),
        (
            {"epochs": 1, "inner": {"betas": [0.9, float("nan")]}},
            "p.toml:3: inner.betas[1]: must be a number, not nan",
        ),
        (
            {"epochs": 1, "inner": {"shared": [0, -1]}},
            "p.toml:2: inner.shared[1]: must be a whole number of at least 0, not -1",
        ),
        (
            {"epochs": 1, "inner": {"mode": "stoped"}},
            "p.toml:2: inner.mode: must be 'flows' or 'stopped', not \"stoped\"; did you mean 'stopped'?",
        ),
        (
            {"epochs": 1, "inner": {"sise": 3}},
            "p.toml:2: inner.sise: unknown key; did you mean 'size'? (allowed here: size, betas, folder, shared, mode)",
        ),
        (
            {"epochs": 1, "mode": "flows"},
            "p.toml: mode: unknown key; did you mean 'inner.mode'? (allowed here: epochs, inner, ramp)",
        ),
        ({"epochs": 1, "inner": 3}, "p.toml:2: inner: must be a table, not 3"),
        (
            {"epochs": 1, "ramp": {"start": 0.5}},
            "p.toml: ramp: start = 0.5 must not be after end = 0.2",
        ),
    ],
)
def test_problems_in_plain_words(tree: dict[str, Any], problem: str) -> None:
    checked = check(tree)
    assert checked.value is None
    assert [str(found) for found in checked.problems] == [problem]


def test_all_problems_are_found_together() -> None:
    checked = check({"epoch": 1, "inner": {"size": 0, "mode": 1}, "ramp": {"end": 2}})
    assert {problem.key for problem in checked.problems} == {
        "epochs",
        "epoch",
        "inner.size",
        "inner.mode",
        "ramp.end",
    }


def test_sound_parts_of_a_faulty_document() -> None:
    checked = check({"epochs": 5, "inner": {"size": 0, "betas": [1, 2]}})
    assert checked.get("epochs") == 5
    assert checked.get("inner", "betas") == [1, 2]
    assert checked.get("inner", "folder") is None
    assert checked.get("ramp") == Ramp()
    assert checked.get("ramp", "end") == 0.2
    for path in (("inner", "size"), ("inner",)):
        with pytest.raises(NotValid):
            checked.get(*path)
