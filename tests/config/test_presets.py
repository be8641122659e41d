from __future__ import annotations

import pytest

from cgl_ignite.config.presets import METHODS, preset


def test_cgl_as_in_the_paper() -> None:
    assert preset("cgl", "image") == {
        "preset": "cgl",
        "students": 8,
        "routing": {"kind": "random", "modules": 2, "shared": []},
        "subsets": {"kind": "disjoint"},
        "choose": {"kind": "bernoulli", "probability": 0.25},
        "selection": {"kind": "last"},
    }
    text = preset("cgl", "text")
    assert (text["choose"]["probability"], text["routing"]["shared"]) == (0.5, [0])


def test_the_compared_methods_have_three_students_for_images_and_five_for_text() -> None:
    for name in set(METHODS) - {"baseline", "cgl", "cgl_whole"}:
        assert (preset(name, "image")["students"], preset(name, "text")["students"]) == (3, 5)


def test_baseline_is_one_student_by_itself() -> None:
    baseline = preset("baseline", "image")
    assert (baseline["students"], baseline["choose"]) == (1, {"kind": "nobody"})


@pytest.mark.parametrize("name", METHODS)
def test_presets_are_not_shared(name: str) -> None:
    preset(name, "image")["routing"]["kind"] = "changed"
    assert preset(name, "image")["routing"]["kind"] != "changed"
