from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cgl_ignite.bench.memory import full_length, measure_memory
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.errors import InputError, RunFailed

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"


def test_growth_stands_beside_what_is_predicted() -> None:
    found = measure_memory(load_pipeline(PIPELINES / "digits_resnet.toml", ["run.device=cpu"]))
    predicted, measured = found["predicted_mib"], found["measured_mib"]
    assert predicted["together"] == predicted["weights"] + predicted["activations"] == pytest.approx(21, abs=1)
    assert 5 < measured["growth"] == measured["peak"] - measured["before"] < 200
    assert 0.5 < found["measured_over_predicted"] == measured["growth"] / predicted["together"] < 2


def test_texts_have_their_greatest_length() -> None:
    assert full_length(load_pipeline(PIPELINES / "imdb_transformer.toml")).data.encoding.options["pad"] == "full"
    digits = load_pipeline(PIPELINES / "digits_resnet.toml")
    assert full_length(digits) is digits


@pytest.mark.parametrize(
    ("code", "error", "message"), [(2, InputError, "no such data"), (1, RunFailed, "ended with code 1: no such data")]
)
def test_a_process_that_fails_says_why(
    monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception], message: str
) -> None:
    done = subprocess.CompletedProcess([], code, stdout="", stderr="no such data\n")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: done)
    with pytest.raises(error, match=message):
        measure_memory(load_pipeline(PIPELINES / "digits_resnet.toml"))
