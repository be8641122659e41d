"""Cells as jobs of a cluster: what may be asked for, and how jobs are watched, preempted and cancelled."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from submitit import SlurmExecutor

from cgl_ignite.catalogue import bind_methods, load_pipeline
from cgl_ignite.cli.main import cgl
from cgl_ignite.comparison import cluster
from cgl_ignite.comparison.cells import Cell
from cgl_ignite.comparison.cluster import ClusterExecutor
from cgl_ignite.comparison.cluster_options import OPTIONS, read_options
from cgl_ignite.comparison.compare import compare
from cgl_ignite.comparison.task import Task
from cgl_ignite.config.load import load_document
from cgl_ignite.errors import InputError, Interrupted
from cgl_ignite.tracking.memory import MemoryTracker

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ["backbone.width=4", "run.epochs=60", "data.limit=400", "data.holdout=80", "run.device=cpu", "run.threads=1"]


def test_options_have_submitits_names_and_types() -> None:
    options = read_options(["partition=gpu,nodelist=a,b, time=90", "--cpus-per-task=4", "exclusive"])
    assert options == {
        "partition": "gpu", "nodelist": "a,b", "time": 90, "cpus_per_task": 4, "exclusive": True,
        "signal_delay_s": 90, "max_num_timeout": 20,
    }  # fmt: skip
    assert OPTIONS.keys() - {"max_num_timeout"} <= SlurmExecutor._valid_parameters()
    assert "cpus_per_task" not in read_options(["gpus_per_task=1,cpus_per_gpu=8"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("partitoin=gpu", "there is no option 'partitoin'; did you mean 'partition'?"),
        ("nodes=2", "there is no option 'nodes'"),
        ("time=1-00:00:00", "time needs a whole number of minutes, not '1-00:00:00'"),
        ("cpus_per_task=0", "cpus_per_task needs a whole number, not '0'"),
        ("partition", "partition needs a value, not ''"),
        ("exclusive=yes", "exclusive needs true or false, not 'yes'"),
        ("time=2", "time = 2 minutes is too short, as a job is told to save its state 90 s before its end"),
    ],
)
def test_options_that_slurm_does_not_have_are_named(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_options([text])
    assert str(caught.value).startswith(f"--slurm: {told}")


def test_a_bad_option_ends_the_command_before_anything_is_read(workdir: Path) -> None:
    done = CliRunner().invoke(cgl, ["compare", str(DIGITS), "--executor", "slurm", "--slurm", "gpu=1"])
    assert (done.exit_code, done.stdout) == (2, "") and "no option 'gpu'" in done.stderr
    done = CliRunner().invoke(cgl, ["compare", str(DIGITS), "--slurm", "time=60"])
    assert done.exit_code == 2 and "add --executor slurm" in done.stderr
    assert not list(workdir.iterdir())


def test_without_slurm_there_is_one_message(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(workdir))
    with pytest.raises(InputError, match="this machine cannot submit jobs to SLURM"):
        ClusterExecutor(workdir, print, options=read_options([]))


class Jobs:
    """submitit's executor, of jobs that do as a test says: ``lines`` are the events that the next ones write."""

    class Job:
        def __init__(self, folder: Path, job_id: str) -> None:
            self.job_id, self.cancelled, self.over = job_id, False, False
            self.paths = SimpleNamespace(stderr=folder / f"{job_id}.err")

        def cancel(self, check: bool = True) -> None:
            self.cancelled = self.over = True

        def done(self) -> bool:
            return self.over

    job_class = Job

    def __init__(self, folder: Path) -> None:
        self._executor, self.folder = self, folder
        self.lines: list[dict[str, Any]] = []
        self.jobs: list[Any] = []

    @contextmanager
    def batch(self) -> Iterator[None]:
        yield

    def submit(self, job: Any) -> Any:
        Path(job.events).write_text("".join(f"{json.dumps(line)}\n" for line in self.lines), encoding="utf-8")
        self.jobs.append(self.job_class(self.folder, str(len(self.jobs))))
        return self.jobs[-1]


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    made = Jobs(tmp_path / "jobs")
    made.folder.mkdir()
    monkeypatch.setattr(cluster, "_make_executor", lambda *_: made)
    for name, seconds in (("POLL_SECONDS", 0.01), ("QUEUE_SECONDS", 0.0), ("LATE_SECONDS", 0.05)):
        monkeypatch.setattr(cluster, name, seconds)
    return made


def executor(folder: Path, told: list[tuple[str, str]]) -> ClusterExecutor:
    def tell(cell: Cell, event: Any) -> None:
        cell.status = {"started": "running"}.get(event["event"], event["event"])
        told.append((cell.label, event.get("reason") or event.get("text") or event["event"]))

    return ClusterExecutor(folder, tell, options=read_options([]), cluster="local")


def task(seed: int) -> tuple[Cell, Task]:
    return Cell("cgl", seed), Task.of(load_pipeline(DIGITS), seed, {}, None, {}, {})


def test_a_job_that_ends_without_a_word_has_failed(tmp_path: Path, jobs: Jobs) -> None:
    jobs.lines = [{"event": "started"}]
    told: list[tuple[str, str]] = []
    threading.Timer(0.2, lambda: setattr(jobs.jobs[0], "over", True)).start()
    executor(tmp_path, told).work_off([task(1)])
    output = jobs.folder / "0.err"
    assert told == [
        ("cgl seed 1", "started"),
        ("cgl seed 1", f"job 0 was cancelled or killed; what it said is in {output}"),
    ]


def test_ctrl_c_cancels_the_jobs_that_are_left(tmp_path: Path, jobs: Jobs) -> None:
    jobs.lines = [{"event": "started"}]
    told: list[tuple[str, str]] = []
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(Interrupted, match="interrupted by SIGINT"):
        executor(tmp_path, told).work_off([task(1), task(2)])
    assert [job.cancelled for job in jobs.jobs] == [True, True]
    assert told[2:] == [("cgl seed 1", "interrupted"), ("cgl seed 2", "interrupted")]


def test_jobs_of_an_earlier_process_are_watched_again(tmp_path: Path, jobs: Jobs, monkeypatch: Any) -> None:
    """One of two jobs is still in the queue: it is not submitted again, and its events are read from the beginning."""
    jobs.lines = [{"event": "finished"}]
    executor(tmp_path, []).work_off([task(1), task(2)])
    told: list[tuple[str, str]] = []
    later = executor(tmp_path, told)
    monkeypatch.setattr(later, "_queued", lambda watched: {"1"})
    assert [cell.label for cell in later.going_on([task(seed)[0] for seed in (1, 2, 3)])] == ["cgl seed 2"]
    jobs.lines = [{"event": "failed", "reason": "new"}]
    later.work_off([task(1), task(2)])
    assert sorted(told) == [("cgl seed 1", "new"), ("cgl seed 2", "finished")] and len(jobs.jobs) == 3


def test_half_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    events = tmp_path / "events"
    one = cluster.Submitted(Cell("cgl", 1), None, events)  # type: ignore[arg-type]
    assert list(one.read()) == []
    events.write_text('{"event": "started"}\n{"event": "fin')
    assert [event["event"] for event in one.read()] == ["started"]
    events.write_text('{"event": "started"}\n{"event": "finished"}\n')
    assert [event["event"] for event in one.read()] == ["finished"]


def test_a_refused_array_is_one_message(tmp_path: Path, jobs: Jobs, monkeypatch: Any) -> None:
    from submitit.core.utils import FailedJobError

    def refuse(job: Any) -> Any:
        told = ("invalid partition specified: gpu", "Batch job submission failed: Invalid partition name specified")
        raise FailedJobError("Error during command:\n" + "\n".join(f"sbatch: error: {line}" for line in told))

    monkeypatch.setattr(jobs, "submit", refuse)
    message = r"SLURM does not accept the jobs \(Batch job submission failed: Invalid partition name specified\)"
    with pytest.raises(InputError, match=message):
        executor(tmp_path, []).work_off([task(1)])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_preempted_cell_goes_on_and_has_the_same_bits(tmp_path: Path) -> None:
    """submitit's own processes on this machine: its warning comes after the first checkpoint."""
    notes: list[str] = []
    board = SimpleNamespace(
        note=notes.append, **{name: lambda *_: None for name in ("data", "start", "update", "stop")}
    )

    def made(folder: Path, tell: Any) -> ClusterExecutor:
        return ClusterExecutor(folder, tell, options=read_options(["time=5"]), cluster="local")

    def warn() -> None:
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            for path in tmp_path.glob("jobs/runs/*/checkpoint.pt"):
                facts = json.loads((path.parent / "run.json").read_text("utf-8"))
                os.kill(int(facts["process"]["cgl.pid"]), signal.SIGUSR2)
                return
            time.sleep(0.02)

    def run(name: str, **more: Any) -> Any:
        document = load_document(DIGITS, [*SMALL, f"tracking.folder={tmp_path / name}"])
        return compare(bind_methods(document, ["cgl"]), [1], board, **more)

    warned = threading.Thread(target=warn)
    warned.start()
    jobs, here = run("jobs", executor=made), run("here", tracker=MemoryTracker())
    warned.join()
    assert any("waits in the queue again" in note for note in notes)
    (resumed,), (whole,) = jobs.runs, here.runs
    assert resumed.test_accuracy == whole.test_accuracy and resumed.diversity == whole.diversity
    assert len(list(tmp_path.glob("jobs/runs/*"))) == 1
    (log,) = tmp_path.glob("jobs/comparisons/*/jobs/*_log.err")
    assert "this job is" in log.read_text("utf-8")
