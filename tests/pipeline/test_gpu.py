"""Whole trainings on a GPU: nothing waits for it, a stopped run goes on, students answer as on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cgl_ignite.bench.race import hold
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.presets import METHODS
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import NoScreen
from cgl_ignite.pipeline import run
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_recipe import pipeline
from tests.equivalence.test_resume import Stop, StoppingScreen, assert_identical, outcome
from tests.waiting import forbid_waiting

pytestmark = pytest.mark.gpu
each_method = pytest.mark.parametrize("preset", METHODS)

TEACHER = ['method.teachers=["average"]']
REGULAR = ["run.graphs=true", "method.choose={kind='regular', size=2}"]
CGL = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"


@pytest.fixture(autouse=True)
def _repeatable() -> Iterator[None]:
    """Let cuDNN choose the same kernels each time, and compute in full float32."""
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32 = True, False
    yield
    torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32 = before


def on_gpu(folder: Path, preset: str, *changes: str) -> Pipeline:
    return pipeline(folder, preset, "run.device=cuda", *changes)


class NothingWaits(NoScreen):
    """Lets PyTorch raise an error at whatever waits for the GPU, in some iterations after those that are recorded."""

    FIRST, LAST = 20, 35

    def iteration(self, state) -> None:
        number = (state.iteration - 1) % state.epoch_length + 1
        forbid_waiting(self.FIRST <= number < self.LAST)


@pytest.mark.parametrize("changes", [(), TEACHER], ids=["students", "with a teacher"])
@each_method
def test_no_handler_waits(tmp_path: Path, preset: str, changes: tuple[str, ...]) -> None:
    setting = on_gpu(tmp_path, preset, "optim.batch_size=4", "run.epochs=2", *changes)
    try:
        (result,) = run(setting, screen=NothingWaits(), tracker=MemoryTracker())
    finally:
        forbid_waiting(False)
    assert result.selected_epoch in (1, 2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@each_method
def test_a_stopped_run_goes_on(tmp_path: Path, preset: str, precision: str) -> None:
    changes = [f"run.precision={precision}"]
    (whole,) = run(on_gpu(tmp_path / "whole", preset, *changes), tracker=MemoryTracker())
    changes.append("run.checkpoint_every={iterations = 2}")
    setting, tracker = on_gpu(tmp_path / "stopped", preset, *changes), MemoryTracker()
    with pytest.raises(Stop):
        run(setting, screen=StoppingScreen(5, Stop), tracker=tracker)
    (result,) = run(setting, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "stopped", result.run_id), outcome(tmp_path / "whole", whole.run_id))


@pytest.mark.parametrize(("preset", "changes"), [("baseline", REGULAR[:1]), ("dml", REGULAR[:1]), ("cgl", REGULAR)])
def test_replayed_iterations_train_as_launched_ones(tmp_path: Path, preset: str, changes: list[str]) -> None:
    results = []
    for folder, graphs in (("launched", changes[1:]), ("replayed", changes)):
        (result,) = run(on_gpu(tmp_path / folder, preset, "run.epochs=6", *graphs), tracker=MemoryTracker())
        results.append(outcome(tmp_path / folder, result.run_id)["state"]["pool"])
    for name, weights in results[0].items():
        torch.testing.assert_close(results[1][name], weights, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("preset", ["baseline", "cgl"])
def test_the_losses_are_those_of_a_loop_by_hand(preset: str) -> None:
    """The race refuses a trainer whose first losses are not the loop's."""
    changes = [f"method.preset={preset}", "data.limit=400", "run.epochs=1", "run.device=cuda"]
    race, _ = hold(load_pipeline(CGL, changes), torch.device("cuda"), 1, 1, "wall", compare=True)
    assert race.deviation < 1e-4


@each_method
def test_a_run_on_the_gpu_is_a_run_on_the_cpu(tmp_path: Path, preset: str) -> None:
    """The same batches, masks and sub-groups: after three epochs the holdout's cross-entropies are still alike."""
    found = []
    for device in ("cpu", "cuda"):
        (result,) = run(on_gpu(tmp_path / device, preset, f"run.device={device}"), tracker=MemoryTracker())
        rows = outcome(tmp_path / device, result.run_id)["rows"]
        found.append([row["holdout/cross_entropy_mean"] for _, final, row in rows if not final])
    assert len(found[0]) == 3
    assert found[1] == pytest.approx(found[0], rel=1e-2)
