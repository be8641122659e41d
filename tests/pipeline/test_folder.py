"""One process works on a run; one that has died does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import to_toml, values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.find import all_runs, take_run, unfinished_run
from cgl_ignite.pipeline.folder import RunFolder, exclusive, start_run_folder
from cgl_ignite.tracking.process import gone, identity

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
HOLD = """
import sys
from contextlib import ExitStack
from pathlib import Path
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.pipeline.find import take_run
with ExitStack() as held:
    print(take_run(held, Path(sys.argv[1]), load_pipeline(sys.argv[2]), 1).run_id, flush=True)
    sys.stdin.read()
"""


def unfinished(runs: Path, name: str = "abc") -> RunFolder:
    (runs / name).mkdir(parents=True)
    (runs / name / "checkpoint.pt").touch()
    return start_run_folder(runs / name, load_pipeline(DIGITS), 1).note(status="KILLED")


def test_the_second_process_is_told_which_one_works_on_the_run(tmp_path: Path) -> None:
    unfinished(tmp_path)
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), str(DIGITS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None and first.stdout.readline() == "abc\n"
    with ExitStack() as held, pytest.raises(InputError, match=f"run abc is still being .* process {first.pid};"):
        take_run(held, tmp_path, load_pipeline(DIGITS), 1)
    first.kill()
    first.communicate()
    with ExitStack() as held:
        taken = take_run(held, tmp_path, load_pipeline(DIGITS), 1)
        assert taken is not None and taken.pid == str(os.getpid())
        assert json.loads((tmp_path / "abc" / "run.json").read_text())["status"] == "KILLED"


@pytest.mark.parametrize(("fault", "held", "alive"), [("", False, False), ("", True, True), ("nolock", False, True)])
def test_of_a_process_on_another_machine_the_lock_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, held: bool, alive: bool
) -> None:
    """It cannot be looked for; where locks do not hold between machines, it may still be there."""
    monkeypatch.setattr("cgl_ignite.pipeline.folder.lock_fault", lambda path: fault)
    run = unfinished(tmp_path).note(status="RUNNING", process={**identity(), "cgl.host": "elsewhere"})
    with exclusive(run.path, str) if held else ExitStack():
        assert run.alive == alive


def test_a_run_that_another_process_has_just_finished_is_not_repeated(tmp_path: Path) -> None:
    """Between the look and the lock it may have ended; what counts is what stands there under the lock."""
    run = unfinished(tmp_path)
    run.result.write_text("{}", encoding="utf-8")
    run.note(status="FINISHED")
    with run.locked() as now:
        assert now.complete and not run.complete


def test_a_run_killed_after_its_result_lacks_its_predictions(tmp_path: Path) -> None:
    run = unfinished(tmp_path)
    run.result.write_text("{}", encoding="utf-8")
    assert not run.complete
    run.predictions.parent.mkdir()
    run.predictions.touch()
    assert run.complete


def test_a_process_that_its_parent_has_not_noticed_to_end_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = psutil.Process(child.pid)
    tags = {**identity(), "cgl.pid": str(child.pid), "cgl.start": f"{process.create_time():.2f}"}
    assert not gone(tags)
    child.kill()
    while process.status() != psutil.STATUS_ZOMBIE:
        pass
    assert gone(tags)
    child.communicate()


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    run = unfinished(tmp_path)
    kept = [run.path / ".lock", run.path / "checkpoint.pt", run.path / "artifacts" / "training.png"]
    left = [run.path / "tmp1234", run.path / ".run.json.17", run.path / "artifacts" / ".17.training.png"]
    scratch = run.path / "tmp_model" / "student.pt2"
    for path in (*kept, *left, scratch):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    run.working()
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in (*left, scratch, scratch.parent))


def written_by_older_version(run: RunFolder, setting: Pipeline) -> None:
    """Give a run the description of a version that computed fingerprints in another way."""
    (run.path / "artifacts").mkdir()
    (run.path / "artifacts" / "pipeline.toml").write_text(to_toml(values(setting)), encoding="utf-8")
    older = {key: value for key, value in run.facts.items() if key != "defaults"}
    (run.path / "run.json").write_text(json.dumps({**older, "fingerprint": "0dc19e72e7da"}), encoding="utf-8")


@pytest.mark.parametrize(("epochs", "found"), [(40, True), (41, False)])
def test_a_run_of_an_older_version_is_known_by_its_values(tmp_path: Path, epochs: int, found: bool) -> None:
    setting = load_pipeline(DIGITS, [f"run.epochs={epochs}"])
    written_by_older_version(unfinished(tmp_path), setting)
    run = unfinished_run(tmp_path, load_pipeline(DIGITS), seed=1)
    assert (run is not None) == found


@pytest.mark.parametrize("text", ["{", "[]", "{}", "\xff", '{"started": null}'])
def test_a_damaged_description_of_another_run_is_passed_over(tmp_path: Path, text: str) -> None:
    run = unfinished(tmp_path)
    other = tmp_path / "other" / "run.json"
    other.parent.mkdir()
    facts = {**run.facts, **json.loads(text)} if "null" in text else None
    other.write_text(json.dumps(facts) if facts else text, encoding="latin-1")
    assert unfinished_run(tmp_path, load_pipeline(DIGITS), seed=1) == run
    told: list[str] = []
    assert list(all_runs(tmp_path, told.append)) == [run]
    assert len(told) == 1 and told[0].startswith(f"{other}: not the description of a run (")


def test_a_run_of_an_older_version_without_values_is_unknown(tmp_path: Path) -> None:
    run = unfinished(tmp_path)
    written_by_older_version(run, load_pipeline(DIGITS))
    (run.path / "artifacts" / "pipeline.toml").write_text("[", encoding="utf-8")
    assert unfinished_run(tmp_path, load_pipeline(DIGITS), seed=1) is None
