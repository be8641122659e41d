"""``cgl run --tune``: what is printed where, and what is refused."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from cgl_ignite.cli.main import cgl
from cgl_ignite.cli.run import Training
from cgl_ignite.cli.tuned import show_choices, tuned_lines
from cgl_ignite.comparison.rows import Choice, Tuning
from cgl_ignite.comparison.tuned import Trial, Tuned
from cgl_ignite.pipeline import RunResult

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
QUICK = ("backbone.width=2", "data.limit=200", "data.holdout=40", "data.test_limit=50", "run.epochs=1")
TUNE = ("--tune", "optim.learning_rate=[1e-6, 1e-2]")


def run(*more: str) -> Result:
    changes = [part for change in QUICK for part in ("--set", change)]
    return CliRunner().invoke(cgl, ["run", str(PIPELINE), *changes, "--set", "method.preset=baseline", *more])


def test_the_student_of_the_best_value_is_printed(workdir: Path) -> None:
    done = run(*TUNE)
    assert done.exit_code == 0, done.output
    (student,) = done.stdout.splitlines()
    assert Path(student).is_file()
    told = done.stderr.splitlines()
    assert "2 of 2: optim.learning_rate = 0.01" in told
    lines = told[told.index("tuned optim.learning_rate, on the holdout with the first seed") :]
    assert [line.split()[0] for line in lines[1:3]] == ["1e-06", "0.01"]
    (chosen,) = [line for line in lines if line.endswith("chosen")]
    value = chosen.split()[0]
    assert lines[-1].split(maxsplit=3)[-1].endswith(f"--set optim.learning_rate={value}")
    again = run(*TUNE, "--quiet", "--json")
    assert again.stderr == ""
    found = json.loads(again.stdout)
    assert found["student"] == student
    assert found["tuned"]["key"] == "optim.learning_rate" and str(found["tuned"]["chosen"]) == value
    assert [set(one) for one in found["tuned"]["values"]] == 2 * [
        {"value", "run_id", "run_ids", "holdout_accuracy", "holdout_standard_error"}
    ], "no test accuracy of a value that was not chosen"


def test_the_lines(result: RunResult) -> None:
    best, close, failed = (
        Trial(0.1, [replace(result, holdout_accuracy=90.0, holdout_standard_error=1.5)]),
        Trial(0.01, [replace(result, holdout_accuracy=89.0, holdout_standard_error=1.6)]),
        Trial(10.0, (), "the loss is not finite"),
    )
    runs = [replace(result, test_accuracy=88.0), replace(result, test_accuracy=90.0)]
    found = Tuned("optim.learning_rate", [close, best, failed], best, runs)
    lines = [line.plain.strip() for line in tuned_lines(found, ["cgl", "run", "my file.toml"])]
    assert lines[1:4] == [
        "0.01           89.00 % ± 1.60   within a standard error of the chosen one",
        "0.1            90.00 % ± 1.50   chosen",
        "10.0           failed: the loss is not finite",
    ]
    assert lines[4] == "test accuracy  89.00 ± 1.41 %"
    assert lines[-1] == "from now on    cgl run 'my file.toml' --set optim.learning_rate=0.1"
    (warned,) = [
        line.plain.strip() for line in tuned_lines(replace(found, trials=[close, best]), []) if "may be" in line.plain
    ]
    assert warned == "it is the largest that was tried; larger ones may be better"


def test_the_choices_of_a_comparison() -> None:
    console = Console(file=io.StringIO(), width=100)
    choices = {
        "baseline": Choice(0.003, [(0.001, 75.5), (0.003, 77.0), (0.01, 72.0)]),
        "dml": Choice(0.01, [(0.001, None), (0.003, 60.0), (0.01, 61.25)]),
    }
    show_choices("optim.learning_rate", choices, console)
    lines = [line.split() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert lines[0][-5:] == ["optim.learning_rate", "0.001", "0.003", "0.01", "chosen"]
    assert lines[2] == ["baseline", "75.50", "77.00", "72.00", "0.003"]
    assert lines[3] == ["dml", "failed", "60.00", "61.25", "0.01,", "the", "largest"]
    assert " ".join(lines[4]) == "beyond the smallest and the largest value that was tried, others may be better"


def test_a_log_shows_every_choice_whole() -> None:
    console = Console(file=io.StringIO(), width=60)
    tried = [(number / 1000, 50.0 + number) for number in range(1, 13)]
    show_choices("optim.learning_rate", {"baseline": Choice(0.005, tried)}, console)
    line = console.file.getvalue().splitlines()[2]  # type: ignore[attr-defined]
    assert line.split() == ["baseline", *(f"{accuracy:.2f}" for _, accuracy in tried), "0.005"]


def compared(*more: str) -> list[str]:
    """Return what a comparison tells before the table of choices, and what it tells from its titles on."""
    changes = [part for change in QUICK for part in ("--set", change)]
    done = CliRunner().invoke(cgl, ["compare", str(PIPELINE), *changes, "--methods", "baseline", *more])
    assert done.exit_code == 0, done.output
    return done.stderr.split("holdout accuracy, %, by optim.learning_rate")


def test_a_comparison_tells_the_test_accuracy_of_chosen_values_alone(workdir: Path) -> None:
    before, after = compared("--seeds", "1", *TUNE)
    assert before.count("finished: holdout accuracy") == 2 and "test accuracy" not in before
    assert after.splitlines()[2].startswith("baseline")


def test_a_comparison_tries_values_with_several_seeds(workdir: Path) -> None:
    before, after = compared("--seeds", "1,2,3", *TUNE, "--tune-seeds", "2")
    assert before.count("finished: holdout accuracy") == 4
    runs = [json.loads(path.read_text()) for path in Path("mlruns/runs").glob("*/result.json")]
    assert sorted(run["seed"] for run in runs) == [1, 1, 2, 2, 3]
    by_setting: dict[str, list[float]] = {}
    for run in runs:
        setting = json.loads((Path(run["checkpoint"]).parent / "run.json").read_text())["fingerprint"]
        if run["seed"] < 3:
            by_setting.setdefault(setting, []).append(run["holdout_accuracy"])
    means = sorted(f"{sum(accuracies) / 2:.2f}" for accuracies in by_setting.values())
    assert sorted(after.splitlines()[2].split()[1:3]) == means


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--tune", "optim.learning_rate"), "must be KEY=[A, B], such as optim.learning_rate=[1e-3, 3e-3]"),
        (("--tune", "optim.learning_rat=[1]"), "did you mean 'learning_rate'"),
        (("--tune", "run.epochs=[1, 1]"), "--tune run.epochs: 1 and 1 give the same training"),
        ((*TUNE, "--against", "dml"), "--against and --tune do not go together"),
        ((*TUNE, "--tune-seeds", "2"), "--tune-seeds 2 is more than there are seeds (1); give more seeds"),
        (("--tune-seeds", "2"), "--tune-seeds 2 says with how many seeds --tune tries its values; add --tune"),
        ((*TUNE, "--tune-seeds", "0"), "0 is not in the range x>=1"),
    ],
)
def test_what_is_refused(workdir: Path, more: tuple[str, ...], told: str) -> None:
    done = run(*more)
    assert done.exit_code == 2 and done.stdout == ""
    assert told in done.stderr and "Traceback" not in done.stderr
    assert not list(workdir.iterdir())


def test_an_interruption_tells_the_same_command() -> None:
    tuning = Tuning.read(TUNE[1])
    training = Training("a.toml", [], None, tuning, ["cgl", "run", "a.toml"], resume=False, register="name")
    assert training.again == ("cgl run a.toml --tune 'optim.learning_rate=[1e-06, 0.01]' --register name --resume")
    training = replace(training, tuning=replace(tuning, seeds=3), register=None)
    assert training.again == ("cgl run a.toml --tune 'optim.learning_rate=[1e-06, 0.01]' --tune-seeds 3 --resume")
