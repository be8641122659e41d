from __future__ import annotations

from types import SimpleNamespace

import pytest

from cgl_ignite.tracking import epoch_values, final_values
from cgl_ignite.tracking.keys import mlflow_name


@pytest.fixture
def state():
    return SimpleNamespace(
        training=SimpleNamespace(ce=[1.0, 2.0], kl=[0.0, 0.5]),
        holdout=SimpleNamespace(accuracy=[50.0, 60.0], cross_entropy=[1.0, 0.5], diversity=0.25, pairwise=[], more={}),
        selected=SimpleNamespace(epoch=2, student=1, score=60.0),
        ramp=0.5,
        learning_rate=0.1,
        samples_per_second=1000.0,
        peak_memory=2_000_000,
    )


def test_every_value_of_an_epoch_has_a_name(state):
    values = epoch_values(state)
    assert values["holdout/accuracy/student_1"] == values["holdout/accuracy_selected"] == 60.0
    assert values["holdout/accuracy_mean"] == 55.0
    assert values["holdout/cross_entropy_selected"] == 0.5
    assert values["training/imitation/student_1"] == 0.5
    assert values["speed/peak_memory_megabytes"] == 2.0
    assert values["holdout/diversity"] == 0.25
    assert all(isinstance(value, float) for value in values.values())


def test_one_student_has_no_diversity(state):
    state.holdout.diversity = None
    assert "holdout/diversity" not in epoch_values(state)


def test_metrics_of_the_user_are_named_like_the_others(state):
    state.holdout.more = {"top5": [80.0, 90.0], "margin": 0.5, "note": "text"}
    values = final_values(state.holdout, selected=0)
    assert values["test/top5/student_1"] == 90.0
    assert values["test/margin"] == 0.5
    assert values["test/accuracy_selected"] == 50.0
    assert not any("note" in key for key in values)


def test_mlflow_shows_the_selected_student_first_and_all_students_under_one_prefix(state):
    names = sorted({mlflow_name(key): None for key in (*epoch_values(state), *final_values(state.holdout, 1))})
    assert names[:6] == [
        "accuracy/holdout",
        "accuracy/test",
        "cross_entropy/holdout",
        "cross_entropy/test",
        "cross_entropy/training",
        "diversity/holdout",
    ]
    assert not any("student_" in name for name in names if not name.startswith("students/"))
    assert len(names) == len({*epoch_values(state), *final_values(state.holdout, 1)})


def test_values_of_the_user_that_are_not_one_per_student_have_names_too(state):
    state.holdout.more = {"per_class": [1.0, 2.0, 3.0], "by/hand": [1.0, 2.0], "short": [1.0]}
    names = {mlflow_name(key): value for key, value in final_values(state.holdout, selected=1).items()}
    assert names["students/by/hand/test/student_0"] == 1.0
    assert names["by/hand/test"] == 2.0
    assert "short/test" not in names
