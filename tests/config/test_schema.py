from __future__ import annotations

import pytest
from pydantic import ValidationError

from cgl_ignite.config.schema import CheckpointEvery, Data, Loss, Part, Ramp, Run, fixed_keys


def test_values_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Run(epochs=1).epochs = 2


@pytest.mark.parametrize("value", ["3", 3.0, True, 0, None])
def test_types_are_not_bent(value: object) -> None:
    with pytest.raises(ValidationError):
        Run.model_validate({"epochs": value})


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan")])
def test_temperature_is_a_positive_number(value: float) -> None:
    with pytest.raises(ValidationError):
        Loss(temperature=value)


def test_readings_of_the_paper_by_default() -> None:
    loss, ramp = Loss(), Ramp()
    assert (loss.temperature, loss.temperature_squared, loss.teacher_gradient) == (3.0, True, "flows")
    assert (ramp.start, ramp.end) == (0.0, 0.2)


def test_ramp_range_is_ordered() -> None:
    assert Ramp(start=0.2, end=0.2).end == 0.2
    with pytest.raises(ValidationError, match=r"start = 0\.5 must not be after end = 0\.2"):
        Ramp(start=0.5)


@pytest.mark.parametrize("given", [{}, {"epochs": 1, "seconds": 5.0}])
def test_one_checkpoint_interval(given: dict) -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        CheckpointEvery(**given)


def test_augmentation_is_optional() -> None:
    assert Data(kind="digits", holdout=1).augment == Part(kind="none")


@pytest.mark.parametrize("holdout", [1, 500, 0.1, 0.999, None])
def test_the_holdout_is_a_number_or_a_share(holdout: float | None) -> None:
    assert Data(kind="digits", holdout=holdout).holdout == holdout


@pytest.mark.parametrize("holdout", [0, -3, 0.0, 1.0, 1.5, True, "10", float("nan")])
def test_another_holdout_is_refused(holdout: object) -> None:
    with pytest.raises(ValidationError, match="a number of rows, or a share of them between 0 and 1"):
        Data.model_validate({"kind": "digits", "holdout": holdout})


def test_fixed_keys_of_what_is_no_table() -> None:
    assert fixed_keys("nowhere", "at_all") == frozenset()
    assert fixed_keys("run", "epochs") == frozenset()
    assert {"data", "method", "run"} < fixed_keys()
