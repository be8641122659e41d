from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from cgl_ignite.cli import render
from cgl_ignite.cli.frame import StudentTable, duration
from cgl_ignite.cli.render import LiveScreen, PlainScreen, QuietScreen, make_screen
from cgl_ignite.display import Summary

RUN = "2f1c9f6c0e6b4f0e"


def console(terminal=False, width=100, height=30):
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=width,
        height=height,
        color_system="truecolor" if terminal else None,
    )


def shown(console):
    return console.file.getvalue()


def state(students=3, epoch=2, iteration=10, **changes):
    accuracy = [50.0 + student for student in range(students)]
    values = {
        "epoch": epoch,
        "iteration": iteration,
        "epoch_length": 5,
        "max_epochs": 4,
        "paths": torch.arange(students)[:, None].expand(students, 4) % 2,
        "ramp": 0.25,
        "learning_rate": 0.1,
        "training": SimpleNamespace(ce=[1.5] * students, kl=[0.125] * students),
        "holdout": SimpleNamespace(accuracy=accuracy, cross_entropy=accuracy, diversity=0.375, pairwise=[]),
        "selected": SimpleNamespace(epoch=epoch, student=students - 1, score=accuracy[-1]),
        "samples_per_second": 1234.0,
        "peak_memory": 2**30,
    }
    return SimpleNamespace(**{**values, **changes})


def pipeline(students=3, epochs=4, **data):
    """Give the screens what they read of a pipeline."""
    return SimpleNamespace(
        name="digits",
        data=SimpleNamespace(**{"kind": "digits", "root": None, **data}),
        backbone=SimpleNamespace(kind="resnet"),
        method=SimpleNamespace(students=students, selection=SimpleNamespace(kind="best", options={})),
        run=SimpleNamespace(epochs=epochs),
    )


@pytest.fixture
def summary(workdir):
    folder = workdir / "mlruns" / "runs" / RUN
    store = f"sqlite:///{workdir}/mlruns/mlflow.db"
    return Summary(pipeline(), "cgl", 1, "cpu", (1000, 100), 9000, folder, store)


@pytest.fixture
def result(summary):
    return SimpleNamespace(
        run_id=RUN,
        selected_student=2,
        selected_epoch=3,
        holdout_accuracy=61.239,
        holdout_standard_error=4.873,
        test_accuracy=60.914,
        mean_test_accuracy=59.8,
        diversity=0.375,
        diagnosis=None,
        metrics={"macro_f1": 51.254, "roc_auc": None, "recall": {"cat": 3.5, "dog": 90.0}},
        tracked=True,
        train_seconds=3671.8,
        checkpoint=str(summary.folder / "checkpoint.pt"),
        student=str(summary.folder / "student.pt"),
        tracking_uri=summary.tracking_uri,
    )


def test_the_screen_fits_where_it_goes(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert type(make_screen(quiet=True, console=console(True))) is QuietScreen
    assert type(make_screen(console=console())) is PlainScreen
    assert type(make_screen(console=console(True))) is LiveScreen
    monkeypatch.setenv("TERM", "dumb")
    assert type(make_screen(console=console(True))) is PlainScreen
    assert make_screen().console.stderr


def test_without_a_terminal_an_epoch_is_one_line_without_control_codes(summary):
    out = console()
    screen = make_screen(console=out)
    screen.start(summary)
    before = shown(out).count("\n")
    for iteration in range(6, 11):
        screen.iteration(state(iteration=iteration))
    screen.epoch(state())
    assert shown(out).count("\n") == before + 1
    assert "\x1b" not in shown(out)
    line = shown(out).splitlines()[-1]
    assert line.startswith("epoch 2/4  holdout best 52.00 % mean 51.00 %  selected student 2 epoch 2 (52.00 %)")
    assert "CE 1.500  KL 0.125  phi 0.250  learning rate 0.1  diversity 0.375  1234 samples/s" in line


def test_the_end_names_every_place_and_the_commands_to_go_on_with(summary, result):
    out = console(width=40)
    screen = make_screen(console=out)
    screen.start(summary)
    screen.finish(result, "models:/m-1")
    lines = shown(out).splitlines()
    for line in (
        "  selected          student 2 of 3, epoch 3 of 4",
        "  holdout accuracy  61.24 % ± 4.87 (standard error from 100 holdout rows, one run)",
        "  test accuracy     60.91 %",
        "  mean of students  59.80 % on the test set",
        "  training time     1:01:11",
        f"  run               mlruns/runs/{RUN}",
        f"  checkpoint        mlruns/runs/{RUN}/checkpoint.pt",
        f"  student           mlruns/runs/{RUN}/student.pt",
        "  model in MLflow   models:/m-1",
        "  MLflow            mlruns/mlflow.db",
    ):
        assert line in lines
    commands = [line.split("#")[0].strip() for line in lines if line.startswith("  cgl")]
    assert commands == [
        "cgl ui", f"cgl evaluate {RUN[:8]} digits", f"cgl predict {RUN[:8]} IMAGE...", f"cgl export {RUN[:8]}"
    ]  # fmt: skip


def test_the_diagnosis_stands_before_the_commands_its_advice_in_a_line_of_its_own(summary, result):
    figures = "training accuracy 99.2 %, holdout 81.0 %:"
    advice = (
        "the students over-fit; stronger augmentation (data.augment) or more data may help,",
        "and collaboration pays most here",
    )
    result.diagnosis = " ".join((figures, *advice))
    out = console(width=40)
    screen = make_screen(console=out)
    screen.start(summary)
    screen.finish(result)
    lines = shown(out).splitlines()
    start = lines.index(f"  diagnosis         {figures}")
    assert " ".join(lines[start + 1 : start + 3]).split() == " ".join(advice).split()
    assert all(line.startswith(20 * " ") and len(line) <= 104 for line in lines[start + 1 : start + 3])
    assert lines[start + 3] == "look further"


def test_without_a_diagnosis_there_is_no_line_for_it(summary, result):
    out = console()
    screen = make_screen(console=out)
    screen.start(summary)
    screen.finish(result)
    assert "diagnosis" not in shown(out)


@pytest.mark.parametrize(
    ("students", "epochs", "rows", "advice"),
    [
        (8, 40, 320, None),
        (8, 40, 237, "the best of 320 pairs of student and epoch on 237 holdout rows: trust the test accuracy"),
        (1, 1, 1, "one row says next to nothing about a student"),
    ],
)
def test_advice_where_the_holdout_is_small(summary, result, students, epochs, rows, advice):
    changed = replace(summary, pipeline=pipeline(students, epochs), samples=(1000, rows))
    out = console()
    screen = make_screen(console=out)
    screen.start(changed)
    screen.finish(result)
    assert ("take a larger data.holdout" in shown(out)) is (advice is not None)
    assert (advice or "") in shown(out)


def test_commands_name_a_folder_or_a_store_that_is_not_the_default(summary, result, workdir):
    folder = workdir / "elsewhere" / "runs" / RUN
    summary = replace(summary, folder=folder, pipeline=pipeline(root=Path("my data")))
    out = console()
    screen = make_screen(console=out)
    screen.start(summary)
    result.tracking_uri = "http://tracking:5000"
    screen.finish(result)
    assert "cgl ui --uri http://tracking:5000 " in shown(out)
    assert f"cgl evaluate {RUN[:8]} digits --root 'my data' --folder elsewhere " in shown(out)
    assert f"cgl export {RUN[:8]} --folder elsewhere " in shown(out)
    assert "model in MLflow" not in shown(out)


def test_a_run_that_stops_says_where_and_how_to_go_on(summary):
    out = console()
    screen = make_screen(console=out)
    screen.start(summary)
    screen.failed("the loss is not finite")
    screen.iteration(state(iteration=8))
    screen.interrupted("cgl run digits.toml --resume")
    assert "failed before the first iteration\nthe loss is not finite\n" in shown(out)
    assert "interrupted in epoch 2 of 4, after iteration 3\n" in shown(out)
    assert "go on with: cgl run digits.toml --resume\n" in shown(out)


def test_quiet_shows_warnings_alone(summary, result):
    out = console()
    screen = make_screen(quiet=True, console=out)
    screen.start(summary)
    screen.iteration(state())
    screen.epoch(state())
    screen.note("the store is down")
    screen.finish(result)
    screen.interrupted()
    assert shown(out) == "note: the store is down\n"


def test_the_live_screen_is_drawn_no_more_often_than_asked(summary, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(render.time, "monotonic", lambda: now[0])
    out = console(True)
    screen = LiveScreen(out, seconds=0.1)
    screen.start(summary)
    draws = []
    for now[0] in (1.0, 1.05, 1.09, 1.11, 1.2, 1.22):
        before = len(shown(out))
        screen.iteration(state(iteration=6))
        draws.append(len(shown(out)) > before)
    screen.failed()
    assert draws == [True, False, False, True, False, True]


def test_the_live_screen_never_reads_the_students_within_an_epoch(summary):
    class Bare(SimpleNamespace):
        pass

    bare = Bare(epoch=1, iteration=1, epoch_length=5, max_epochs=4, ramp=0.0, learning_rate=0.1)
    out = console(True)
    screen = LiveScreen(out, seconds=0.0)
    screen.start(summary)
    screen.iteration(bare)
    screen.epoch(state())
    screen.iteration(Bare(**{**vars(state()), "holdout": state().holdout}))
    screen.note("a warning")
    screen.failed("out of memory")
    text = shown(out)
    assert "learning rate" in text
    assert "selected" in text
    assert "out of memory" in text.splitlines()[-1]
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


def drawn(students, width=100, height=30):
    table = StudentTable()
    table.update(state(students))
    out = console(width=width, height=height)
    out.print(table.table(width, height))
    return shown(out).splitlines()


def test_all_students_are_shown_where_they_fit_with_path_and_scores():
    lines = drawn(3)
    assert lines[-1].split() == ["▶", "2", "0000", "52.00", "█", "1.500", "0.125"]
    assert len(lines) == 5


def test_many_students_are_cut_to_the_terminal_the_selected_and_best_first():
    lines = drawn(64, height=24)
    assert len(lines) <= 24 - 8
    assert lines[2].split()[:2] == ["▶", "63"]
    assert [int(line.split()[0]) for line in lines[3:-1]] == list(range(62, 62 - len(lines[3:-1]), -1))
    assert f"{64 - len(lines[2:-1])} more, 50.00 to" in lines[-1]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table_is_never_wider_than_the_terminal(width):
    assert max(len(line.rstrip()) for line in drawn(8, width=width)) <= width


def test_time_is_written_in_hours():
    assert duration(3671.8) == "1:01:11"
