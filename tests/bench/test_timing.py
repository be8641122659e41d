"""The forecast of a comparison: a few iterations are timed, and their times become those of whole runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cgl_ignite.bench.synthetic import made_up, synthetic_text
from cgl_ignite.bench.timing import Load, Speed, forecast_seconds, measure_speed
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.data import ENCODINGS
from cgl_ignite.data.text.tokenizers.characters import CharacterTokenizer

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
DIGITS = PIPELINES / "digits_resnet.toml"


def test_one_measurement_is_scaled_by_the_work() -> None:
    loads = {"same": Load(3, 100, 2e9, 50, 1e6), "twice": Load(3, 100, 4e9, 50, 2e6)}
    found = forecast_seconds(loads, [Speed(2e9, 0.5, 1e6, 0.1, 1.0, 4.0, 0.25)])
    assert found == pytest.approx({"same": 100 * 0.5 + 50 * 0.1 + 3 + 4, "twice": 100 * 1.0 + 50 * 0.2 + 3 + 4})


def test_two_measurements_tell_what_an_iteration_costs_whatever_its_work() -> None:
    speeds = [Speed(1e9, 0.3, 1e6, 0.1, 1.0, 4.0, 0.15), Speed(3e9, 0.5, 1e6, 0.1, 2.0, 6.0, 0.25)]
    found = forecast_seconds({"between": Load(0, 10, 2e9, 0, 1e6)}, speeds)
    assert found == pytest.approx({"between": 10 * 0.4 + 5})


@pytest.mark.parametrize(("half", "seconds"), [(0.5, 0.5), (1.0, 1.0), (0.75, 0.75), (0.2, 0.5), (2.0, 1.0)])
def test_an_iteration_with_half_of_the_rows_takes_what_was_measured(half: float, seconds: float) -> None:
    """It takes at least half of the time of a whole one, and at most the same time."""
    load = Load(0, 10, 1e9, 0, 1e6, short=2, share=0.5)
    found = forecast_seconds({"a": load}, [Speed(1e9, 1.0, 1e6, 0.1, 0.0, 0.0, half)])
    assert found["a"] == pytest.approx(8 + 2 * seconds)


def test_a_preset_whose_iterations_take_longer_than_their_work_says() -> None:
    loads = dict.fromkeys(("as derived", "slower"), Load(1, 10, 1e9, 50, 1e6))
    found = forecast_seconds(loads, [Speed(1e9, 0.3, 1e6, 0.1, 1.0, 4.0, 0.15)], {"slower": 1.5})
    assert found == pytest.approx({"as derived": 3 + 5 + 1 + 4, "slower": 4.5 + 5 + 1 + 4})


def test_what_is_constant_lies_between_the_two_measurements() -> None:
    speeds = [Speed(3e9, 1.0, 1e6, 0.0, 3.0, 8.0, 0.5), Speed(1e9, 1.0, 1e6, 0.0, 1.0, 4.0, 0.5)]
    loads = {name: Load(1, 0, work, 0, 1e6) for name, work in (("less", 5e8), ("half", 2e9), ("more", 9e9))}
    assert forecast_seconds(loads, speeds) == pytest.approx({"less": 5, "half": 8, "more": 11})


def test_a_faster_dearer_row_is_no_reason_to_go_below_zero() -> None:
    speeds = [Speed(1e9, 0.5, 1e6, 0.1, 0.0, 0.0, 0.25), Speed(2e9, 0.4, 1e6, 0.1, 0.0, 0.0, 0.2)]
    assert forecast_seconds({"far": Load(0, 1, 8e9, 0, 1e6)}, speeds)["far"] == pytest.approx(1.6)


def test_a_measurement_trains_with_fewer_rows_and_the_real_batch() -> None:
    pipeline = load_pipeline(DIGITS, ["backbone.width=4", "optim.batch_size=8"])
    speed = measure_speed(pipeline, Load(2, 10, 1e6, 100, 1e4))
    assert (speed.work, speed.row_work) == (1e6, 1e4)
    assert min(speed.iteration, speed.half, speed.row) > 0 and min(speed.fixed, speed.start) >= 0
    heavy = measure_speed(pipeline, Load(2, 10, 4e11, 100, 1e4))
    assert heavy.work == pytest.approx(2e11), "half of the batch, since none is smaller than four rows"


@pytest.mark.parametrize(("name", "known"), [("yahoo_vdcnn", True), ("imdb_transformer", False)])
def test_students_of_made_up_texts_take_the_tokenizer_with_them(name: str, known: bool) -> None:
    """One that is learned from texts is left out: there are none."""
    pipeline = load_pipeline(PIPELINES / f"{name}.toml")
    encoding = ENCODINGS.build(made_up(pipeline).data.encoding)
    source = synthetic_text(Path(), classes=2, rows=20)
    preprocessor = encoding.fit(source, torch.arange(20))
    assert (preprocessor.tokenizer is not None) is known
    assert preprocessor.spec.shape == ENCODINGS.build(pipeline.data.encoding).spec.shape
    if known:
        assert preprocessor.tokenizer == CharacterTokenizer(1024, "full")
        assert preprocessor.spec == preprocessor.tokenizer.spec
