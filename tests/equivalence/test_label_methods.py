"""Every method trains on rows with several labels, and ends after a stop as it does without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.presets import METHODS
from cgl_ignite.pipeline import find_run, run
from cgl_ignite.pipeline.artifacts import PREDICTIONS
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import Stop, StoppingScreen, assert_identical, outcome
from tests.labels import label_pipeline
from tests.texts import without_models


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    without_models(monkeypatch)


SELF_TAUGHT = ('method.teachers=["average"]', 'run.average={kind="ema", decay=0.9}')


@pytest.mark.parametrize(("method", "changes"), [*((name, ()) for name in METHODS), ("baseline", SELF_TAUGHT)])
def test_a_method_trains_and_resumes_on_several_labels(tmp_path: Path, method: str, changes: tuple[str, ...]) -> None:
    table = label_pipeline(tmp_path, method)
    more = ["method.students=3"] * (method != "baseline") + ['method.selection.by="micro_f1"', "run.epochs=2"]
    more += ["method.loss.label_smoothing=0.1", *changes]
    whole, stopped = (load_pipeline(table, [*more, f"tracking.folder={tmp_path / name}"]) for name in ("a", "b"))
    (result,) = run(whole, tracker=MemoryTracker())
    expected = outcome(tmp_path / "a", result.run_id)
    tracker = MemoryTracker()
    with pytest.raises(Stop):
        run(stopped, screen=StoppingScreen(1, Stop), tracker=tracker)
    (resumed,) = run(stopped, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "b", resumed.run_id), expected)
    assert expected["state"]["trainer"]["iteration"] >= 2
    kept = np.load(find_run(tmp_path / "a" / "runs", result.run_id).path / "artifacts" / PREDICTIONS)
    hits = kept["predicted"][kept["selected"]] == kept["targets"]
    assert 100 * hits.mean() == pytest.approx(result.test_accuracy, abs=1e-4)
    assert kept["label_sets"].shape[1] == 3
