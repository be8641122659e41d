"""What several processes cannot divide is refused by name, and one process is as it was."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.main import cgl
from cgl_ignite.distributed.launch import launched, processes
from cgl_ignite.distributed.limits import faults, portions_of, reduction_of, refuse_undivided
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.processes import adds_in_order
from tests.distributed.pools import PIPELINE

REFUSED = {
    'method.statistics="shared"': "method.statistics",
    'method.update="in turn"': "method.update",
    'method.teachers=["student.pt", "average"]': "method.teachers",
    "distil={epochs=1}": "distil",
    "method.students=2": "method.students",
}

ONE_BATCH = {
    "one": {"method.weigh", "method.loss.teacher_label_weight"},
    "okddip": {"method.weigh", "method.loss.teacher_gradient"},
    "cl_ilr": {"method.loss.trunk_gradient"},
    "cl_ilr_repo": {"method.loss.trunk_gradient", "method.loss.teacher_gradient"},
    "one_repo": {"method.weigh", "method.loss.teacher_label_weight", "method.loss.teacher_gradient"},
    "dml_repo": {"method.loss.teacher_gradient"},
    "baseline": {"method.students"},
    "dml": set(),
    "cgl_whole": set(),
}
"""Presets whose students read the same batch, and what of each cannot be divided."""


@pytest.mark.parametrize("change", REFUSED)
def test_what_cannot_be_divided_is_named(change: str) -> None:
    pipeline = load_pipeline(PIPELINE, ['run.average={kind="ema"}', change])
    assert [key for key, _ in faults(pipeline, 3)] == [REFUSED[change]]
    with pytest.raises(InputError, match=f"^{REFUSED[change]}: "):
        refuse_undivided(pipeline, 8, 3)


@pytest.mark.parametrize("preset", ONE_BATCH)
def test_what_cannot_be_divided_if_all_read_the_same_batch(preset: str) -> None:
    found = dict(faults(load_pipeline(PIPELINE, [f"method.preset={preset}"]), 2))
    assert found.keys() == ONE_BATCH[preset]
    for told in found.values():
        assert re.search("; take .+, or leave out torchrun, for one process$", told)


def test_students_of_earlier_runs_may_teach() -> None:
    for preset in ("cgl", "dml"):
        assert faults(load_pipeline(PIPELINE, [f"method.preset={preset}", 'method.teachers=["student.pt"]']), 2) == []


def test_students_that_imitate_nobody_are_divided() -> None:
    changes = ['method.preset="baseline"', "method.students=3"]
    pipeline = load_pipeline(PIPELINE, changes)
    assert faults(pipeline, 3) == []
    assert portions_of(pipeline, (0, 0, 0)) == (0, 1, 2)


def test_what_one_process_works_on_as_a_whole() -> None:
    """Students with data of their own are divided as these are; those of one batch only if no gradient flows."""
    assert portions_of(load_pipeline(PIPELINE), range(8)) == tuple(range(8))
    stopped, flowing = (load_pipeline(PIPELINE, [f"method.preset={name}"]) for name in ("dml", "dml_repo"))
    assert portions_of(stopped, (0, 0, 0)) == (0, 1, 2)
    assert portions_of(flowing, (0, 0, 0)) == (0, 0, 0)


def test_portions_for_every_process() -> None:
    pipeline = load_pipeline(PIPELINE, ['method.loss.teacher_gradient="stopped"'])
    refuse_undivided(pipeline, 8, 8)
    with pytest.raises(InputError, match="2 data groups are too few for 3 processes"):
        refuse_undivided(pipeline, 2, 3)


def test_check_judges_for_many_processes() -> None:
    arguments = ["check", str(PIPELINE), "--set", 'method.preset="one"', "--processes"]
    assert CliRunner().invoke(cgl, [*arguments, "1"]).exit_code == 0
    result = CliRunner().invoke(cgl, [*arguments, "2"])
    assert result.exit_code == 2
    assert "method.weigh: 'gate' looks into all students that read a batch" in result.output
    assert "method.loss.teacher_label_weight: the teacher's own loss has a gradient" in result.output


def test_how_gradients_are_added_up() -> None:
    pipeline, ordered = (load_pipeline(PIPELINE, change) for change in ([], ['run.reduce="ordered"']))
    assert [reduction_of(pipeline, device, 2) for device in ("cpu", "cuda")] == ["ordered", "fast"]
    assert reduction_of(pipeline, "cpu", 1) == "fast"
    assert reduction_of(ordered, "cuda", 2) == reduction_of(ordered, "cpu", 1) == "ordered"
    cpu = torch.device("cpu")
    assert adds_in_order(ordered, cpu, None) and not adds_in_order(pipeline, cpu, None)
    with pytest.raises(InputError, match=r"^run\.batches_per_chunk: "):
        adds_in_order(load_pipeline(PIPELINE, ['run.reduce="ordered"', "run.batches_per_chunk=2"]), cpu, None)


def test_other_verbs_refuse_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    for name, value in torchrun.items():
        monkeypatch.setenv(name, value)
    first = CliRunner().invoke(cgl, ["check", str(PIPELINE)])
    assert first.exit_code == 2
    assert "cgl check runs in one process" in first.output
    monkeypatch.setenv("RANK", "1")
    other = CliRunner().invoke(cgl, ["check", str(PIPELINE)])
    assert other.exit_code == 2
    assert other.output == ""


def test_the_environment_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not launched()
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert processes() == 1  # another program's variable
    for name, value in {"RANK": "3", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}.items():
        monkeypatch.setenv(name, value)
    assert processes() == 4


def test_one_process_imports_and_starts_nothing(tmp_path: Path) -> None:
    """Without the pictures, the program and MLflow, which take longer than the training."""
    program = (
        "import sys, pytest, torch.distributed as dist\n"
        "sys.modules['mlflow'] = sys.modules['matplotlib'] = None\n"
        "from cgl_ignite.pipeline import run, train\n"
        "from cgl_ignite.tracking.memory import MemoryTracker\n"
        "from cgl_ignite.catalogue import load_pipeline\n"
        "from tests.programs import without_programs\n"
        "patch = pytest.MonkeyPatch()\n"
        "without_programs(patch)\n"
        "patch.setattr(train, 'keep_routing', lambda paths, journal: None)\n"
        f"changes = ['run.epochs=1', 'data.limit=64', 'data.holdout=20', 'backbone.width=2', "
        f"'tracking.folder={tmp_path}']\n"
        f"(result,) = run(load_pipeline({str(PIPELINE)!r}, changes), tracker=MemoryTracker())\n"
        "assert result.selected_epoch == 1\n"
        "loaded = {name for name in sys.modules if name.startswith('cgl_ignite.distributed.')}\n"
        "assert loaded <= {'cgl_ignite.distributed.launch', 'cgl_ignite.distributed.limits'}, loaded\n"
        "assert not dist.is_initialized()\n"
    )
    command, place = [sys.executable, "-c", program], PIPELINE.parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
    assert done.returncode == 0, done.stderr
