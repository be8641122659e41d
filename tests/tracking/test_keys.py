from __future__ import annotations

from types import SimpleNamespace

import pytest

from cgl_ignite.tracking import epoch_values, final_values


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
