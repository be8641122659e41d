from __future__ import annotations

import pytest

from cgl_ignite.config.presets import METHODS, preset


def test_cgl_as_in_the_paper() -> None:
    assert preset("cgl", "image") == {
        "preset": "cgl",
        "students": 8,
        "routing": {"kind": "random", "modules": 2},
        "subsets": {"kind": "disjoint"},
        "choose": {"kind": "bernoulli", "probability": 0.25},
        "selection": {"kind": "best"},
    }
    assert preset("cgl", "text")["choose"]["probability"] == 0.5


def test_baseline_is_one_student_by_itself() -> None:
    baseline = preset("baseline", "image")
    assert (baseline["students"], baseline["choose"]) == (1, {"kind": "nobody"})


@pytest.mark.parametrize("name", METHODS)
def test_presets_are_not_shared(name: str) -> None:
    preset(name, "image")["routing"]["kind"] = "changed"
    assert preset(name, "image")["routing"]["kind"] != "changed"
