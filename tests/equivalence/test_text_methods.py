"""Every method trains on texts, and ends after a stop as it does without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.presets import METHODS
from cgl_ignite.pipeline import run
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import Stop, StoppingScreen, assert_identical, outcome
from tests.texts import BACKBONES, text_pipeline, without_models


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    without_models(monkeypatch)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_method_trains_and_resumes_on_texts(tmp_path: Path, backbone: str, method: str) -> None:
    table = text_pipeline(tmp_path, backbone, method)
    few = ["method.students=3"] * (method != "baseline")
    whole, stopped = (load_pipeline(table, [*few, f"tracking.folder={tmp_path / name}"]) for name in ("a", "b"))
    (result,) = run(whole, tracker=MemoryTracker())
    expected = outcome(tmp_path / "a", result.run_id)
    tracker = MemoryTracker()
    with pytest.raises(Stop):
        run(stopped, screen=StoppingScreen(1, Stop), tracker=tracker)
    (result,) = run(stopped, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "b", result.run_id), expected)
    assert expected["state"]["trainer"]["iteration"] == 2
