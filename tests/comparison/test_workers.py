"""Tasks that travel between processes, and what each child process gets."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.comparison.task import Task, reason_of
from cgl_ignite.comparison.worker import Reporter
from cgl_ignite.comparison.workers import child_environments
from cgl_ignite.errors import RunFailed

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"


def test_a_task_is_one_line_and_gives_the_same_pipeline() -> None:
    pipeline = load_pipeline(DIGITS, ["method.choose={kind = 'fixed', size = 2}", "run.checkpoint_every={seconds = 5}"])
    task = Task.of(pipeline, 7, {"method": "mine", "comparison": "abc"}, "group", {"training: rows": "1,200"}, {})
    line = task.line()
    assert "\n" not in line
    read = Task.read(line)
    assert read.load() == pipeline
    assert (read.seed, read.tags, read.group) == (7, {"method": "mine", "comparison": "abc"}, "group")


@pytest.mark.parametrize(("threads", "jobs", "share"), [(8, 2, "4"), (8, 3, "2"), (2, 4, "1")])
def test_threads_are_divided_equally(monkeypatch, threads, jobs, share) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    environments = child_environments(jobs, torch.device("cpu"))
    assert [variables["OMP_NUM_THREADS"] for variables in environments] == [share] * jobs
    assert not any("CUDA_VISIBLE_DEVICES" in variables for variables in environments)


@pytest.mark.parametrize(("visible", "expected"), [(None, ["0", "1", "0"]), ("3,5,6", ["3", "5", "6"])])
def test_each_child_gets_the_next_gpu(monkeypatch, visible, expected) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    environments = child_environments(3, torch.device("cuda"))
    assert [variables["CUDA_VISIBLE_DEVICES"] for variables in environments] == expected


def test_one_gpu_is_shared(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not any("CUDA_VISIBLE_DEVICES" in one for one in child_environments(2, torch.device("cuda")))


def test_a_reason_is_one_line_and_the_rest_goes_to_a_file(tmp_path: Path, capsys) -> None:
    log = tmp_path / "logs" / "errors.txt"
    assert reason_of(RunFailed("not finite"), log) == "not finite" and not log.exists()
    assert reason_of(ValueError("first\nsecond"), log) == "ValueError: first"
    assert "second" in log.read_text() and capsys.readouterr().err == ""
    assert reason_of(ValueError("third")) == "ValueError: third"
    assert "third" in capsys.readouterr().err


def test_progress_is_told_now_and_then() -> None:
    file = io.StringIO()
    reporter = Reporter(file)
    for iteration in range(1, 100):
        reporter.iteration(SimpleNamespace(iteration=iteration, epoch_length=50, max_epochs=4))
    reporter.note("careful")
    first, *others = [json.loads(line) for line in file.getvalue().splitlines()]
    assert first == {"event": "progress", "share": 1 / 200}
    assert others[-1] == {"event": "note", "text": "careful"} and len(others) < 5


def test_a_distillation_at_the_end_is_a_part_of_the_whole() -> None:
    """Three epochs of the pool, one of the distillation: after two epochs half is done, and the last begins at 3/4."""
    file = io.StringIO()
    reporter = Reporter(file, seconds=0.0)
    pool = SimpleNamespace(distil=SimpleNamespace(epochs=1))
    reporter.start(SimpleNamespace(pipeline=pool, resumed=0, epochs=3, distillation=False))
    reporter.iteration(SimpleNamespace(iteration=20, epoch_length=10, max_epochs=3))
    reporter.start(SimpleNamespace(pipeline=SimpleNamespace(distil=None), resumed=0, epochs=4, distillation=True))
    reporter.iteration(SimpleNamespace(iteration=61, epoch_length=20, max_epochs=4))
    shares = [json.loads(line)["share"] for line in file.getvalue().splitlines()]
    assert shares == [0.0, 0.5, 61 / 80]


def test_without_a_parent_the_run_is_stopped(monkeypatch) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    sent = []
    monkeypatch.setattr("cgl_ignite.comparison.worker.os.kill", lambda process, number: sent.append(number.name))
    Reporter(Broken()).say("progress", share=0.5)
    assert sent == ["SIGTERM"]
