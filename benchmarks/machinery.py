"""What does everything around the arithmetic cost: data, start-up, records, checkpoints?

    python benchmarks/machinery.py                              all parts
    python benchmarks/machinery.py start-up records --rounds 15

``augmentation``: images changed together, beside torchvision's transforms on one picture after the other. ``batches``:
rows per second, and their share of an iteration. ``start-up``: commands in fresh processes. ``records``: what tracking,
checkpoint and progress take of an epoch of a minute. ``checkpoint``: size and time of a large one.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import click
import torch
from ledger import Ledger, share_of_a_minute
from overhead import PIPELINES, find_pipeline
from published import Pictures
from rich.console import Console

from cgl_ignite import load_pipeline, run
from cgl_ignite.bench.figures import facts, ratio, summary
from cgl_ignite.bench.passes import ready
from cgl_ignite.bench.progress import rounds_done
from cgl_ignite.bench.race import Race, RaceOver, make_clock, train
from cgl_ignite.cli.render import LiveScreen
from cgl_ignite.data import AUGMENTATIONS, Samples, data_root
from cgl_ignite.data.stored import loaded
from cgl_ignite.handlers.checkpoint import Checkpointer
from cgl_ignite.handlers.recording import MetricsRecorder
from cgl_ignite.pipeline.device import cpu_threads, find_device
from cgl_ignite.seeding import stream
from cgl_ignite.tracking import Journal, SystemMetrics
from cgl_ignite.tracking.mlflow import MLflowTracker

ONCE = ("recorder", "journal", "mlflow", "checkpoint", "screen, an epoch")
OFTEN = ("screen, an iteration", "load of the machine")
WARM_UP = 2


class MachinerySizes(NamedTuple):
    """How much is measured.

    Attributes:
        passes: of an epoch, where the records are timed.
        commands: how many of :data:`COMMANDS` are started.
        width: of the network whose checkpoint is written.
        cases: whose batches are assembled, and what is changed of them.
    """

    passes: int = 4
    commands: int = 6
    width: int = 64
    cases: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("digits-cgl", ()),
        ("cifar10-baseline", ()),
        ("transformer-baseline", ("optim.batch_size=8",)),
    )


TINY = MachinerySizes(passes=1, commands=2, width=4, cases=(("digits-cgl", ()),))
DIGITS = "pipelines/digits_resnet.toml"
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "cgl --help": ["-m", "cgl_ignite", "--help"],
    "cgl run --help": ["-m", "cgl_ignite", "run", "--help"],
    "python -c 'import torch'": ["-c", "import torch"],
    f"cgl check {DIGITS}": ["-m", "cgl_ignite", "check", DIGITS],
    f"cgl show {DIGITS}": ["-m", "cgl_ignite", "show", DIGITS],
}


class Last(LiveScreen):
    """The screen of ``cgl run`` on a terminal that nobody sees; a run ends with its last epoch, before the test."""

    def __init__(self, terminal: Any) -> None:
        super().__init__(Console(file=terminal, force_terminal=True, width=120, height=50))
        self.seconds_trained = 0.0

    def epoch(self, state: Any) -> None:
        """Show an epoch; after the last one there is nothing left to time."""
        super().epoch(state)
        self.seconds_trained = state.train_seconds
        if state.epoch == state.max_epochs:
            raise RaceOver


def augmentation(rounds: int, clock: str, root: Path, sizes: MachinerySizes) -> dict[str, Any]:
    """Pad, crop, mirror and normalise batches of images, together and one by one, in turns."""
    pipeline = find_pipeline("cifar10-baseline", root, ("run.threads=1",))
    seconds, rows = make_clock(clock, torch.device("cpu")), pipeline.optim.batch_size
    with cpu_threads(1):
        splits = ready(pipeline).splits
        (part,) = pipeline.data.augmentations
        augment, classes = AUGMENTATIONS.build(part, splits.spec), len(splits.classes)
        pictures, train = Pictures(splits, **part.options), splits.train

        def together(at: int) -> torch.Tensor:
            chosen = torch.arange(at, at + rows)
            samples = Samples(
                loaded(train.dense)[at : at + rows], train.targets[at : at + rows], classes, (rows,), chosen, 0
            )
            return splits.normaliser(augment(samples, stream(1, "augment", at)).inputs)

        ways: dict[str, Callable[[int], Any]] = {
            "together": together,
            "one by one": lambda at: torch.stack([pictures[row][0] for row in range(at, at + rows)]),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds + WARM_UP):
            for name, way in ways.items():
                since = seconds()
                way(turn * rows)
                times[name].append(seconds() - since)
            rounds_done(turn + 1, rounds + WARM_UP)
    times = {name: values[WARM_UP:] for name, values in times.items()}
    return {
        "data": pipeline.data.kind,
        "rows": rows,
        "rows_per_second": {name: summary([rows / one for one in values]) for name, values in times.items()},
        "together_over_one_by_one": ratio(times["together"], times["one by one"]),
        "rounds": times,
    }


def batches(rounds: int, clock: str, root: Path, sizes: MachinerySizes) -> dict[str, Any]:
    """Let the trainer and the making of its batches take turns."""
    found = {}
    for case, changes in sizes.cases:
        pipeline = find_pipeline(case, root, ("run.threads=1", *changes))
        device = find_device(pipeline.run.device)
        made = ready(pipeline).batches
        race = Race({"batches": made.stream(0)}, rounds + WARM_UP, 0, make_clock(clock, device))
        train(pipeline, race)
        times = {name: values[WARM_UP:] for name, values in race.times.items()}
        rows = len(next(made.stream(0)).targets)
        found[case] = {
            "data": pipeline.data.kind,
            "rows": rows,
            "rows_per_second": summary([rows / one for one in times["batches"]]),
            "batches_over_iteration": ratio(times["batches"], times["trainer"]),
            "rounds": times,
        }
    return found


def start_up(rounds: int, clock: str, root: Path, sizes: MachinerySizes) -> dict[str, Any]:
    """Start commands in turns, each in a fresh process."""
    chosen = dict(list(COMMANDS.items())[: sizes.commands])
    times: dict[str, list[float]] = {name: [] for name in chosen}
    for done in range(1, rounds + 1):
        for name, options in chosen.items():
            since = _started(clock)
            subprocess.run([sys.executable, *options], check=True, capture_output=True, cwd=PIPELINES.parent)
            times[name].append(_started(clock) - since)
        rounds_done(done, rounds)
    return {name: {"seconds": summary(values), "rounds": values} for name, values in times.items()}


def _started(clock: str) -> float:
    """Tell wall-clock seconds, or those that finished children have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() if clock == "wall" else used.ru_utime + used.ru_stime


def records(rounds: int, clock: str, root: Path, sizes: MachinerySizes) -> dict[str, Any]:
    """Train the digits with everything a run has, and time the handlers that write and draw."""
    ledger = Ledger(make_clock(clock, torch.device("cpu")))
    watched = {
        "recorder": (MetricsRecorder, "__call__"),
        "journal": (Journal, "log"),
        "mlflow": (MLflowTracker, "log"),
        "checkpoint": (Checkpointer, "save"),
        "screen, an epoch": (LiveScreen, "epoch"),
        "screen, an iteration": (LiveScreen, "iteration"),
        "load of the machine": (SystemMetrics, "poll"),
    }
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w", encoding="utf-8") as terminal:
        changes = [f"run.epochs={rounds + WARM_UP}", f"run.passes_per_epoch={sizes.passes}"]
        pipeline = load_pipeline(PIPELINES / "digits_resnet.toml", [*changes, f"tracking.folder={folder}"])
        screen = Last(terminal)
        with ExitStack() as stack:
            for name, (kind, method) in watched.items():
                stack.enter_context(patch.object(kind, method, ledger.timed(name, getattr(kind, method))))
            with suppress(RaceOver):
                run(pipeline, screen=screen)
    spent = {name: ledger.spent[name][WARM_UP:] for name in ONCE}
    often = {name: ledger.spent[name] for name in OFTEN}
    share = share_of_a_minute({**spent, **often}, ONCE, OFTEN, screen.seconds_trained)
    return {
        "epochs": rounds,
        "training_seconds": screen.seconds_trained,
        "iterations": len(often["screen, an iteration"]),
        "seconds_of_an_epoch": {name: summary(values) for name, values in spent.items()},
        "seconds_of_all_iterations": {name: sum(values) for name, values in often.items()},
        "share_of_a_minute": share,
    }


def checkpoint(rounds: int, clock: str, root: Path, sizes: MachinerySizes) -> dict[str, Any]:
    """Write the state of CGL with ResNet-18 again and again, once it has all that it will ever have."""
    small = ("optim.batch_size=2", "data.limit=180", "data.holdout=20", "run.threads=1", "run.passes_per_epoch=1")
    pipeline = find_pipeline("cifar10-cgl", root, (f"backbone.width={sizes.width}", *small))
    seconds, times, size = make_clock(clock, torch.device("cpu")), [], []
    save = Checkpointer.save

    def write(checkpointer: Checkpointer, engine: Any) -> None:
        for turn in range(rounds + WARM_UP):
            since = seconds()
            save(checkpointer, engine)
            times.append(seconds() - since)
            rounds_done(turn + 1, rounds + WARM_UP)
        size.append(checkpointer.path.stat().st_size / 1e6)
        raise RaceOver

    with patch.object(Checkpointer, "save", write):
        train(pipeline, Race({}, sys.maxsize, sys.maxsize))
    return {
        "backbone": pipeline.backbone.model_dump(),
        "students": pipeline.method.students,
        "megabytes": size[0],
        "seconds": summary(times[WARM_UP:]),
        "rounds": times[WARM_UP:],
    }


PARTS: dict[str, Callable[[int, str, Path, MachinerySizes], dict[str, Any]]] = {
    "augmentation": augmentation,
    "batches": batches,
    "start-up": start_up,
    "records": records,
    "checkpoint": checkpoint,
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets (default: as cgl run).")
@click.option("--rounds", default=15, show_default=True, help="Rounds that count.")
@click.option(
    "--clock", type=click.Choice(["wall", "cpu"]), default="wall", help="cpu: for one thread on a busy machine."
)
@click.option("--tiny", is_flag=True, help="The smallest sizes, to see that it runs.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for all figures.")
def main(parts: tuple[str, ...], root: Path | None, rounds: int, clock: str, tiny: bool, output: Path | None) -> None:
    """Time what goes on around the arithmetic."""
    logging.getLogger("ignite").setLevel(logging.CRITICAL)
    found = {}
    for part in parts or PARTS:
        found[part] = PARTS[part](rounds, clock, data_root(root), TINY if tiny else MachinerySizes())
        shown = json.dumps(found[part], indent=1, default=str)
        print(f"{part}\n{shown}")
    if output:
        record = {**facts(torch.device("cpu")), "clock": clock, "parts": found}
        output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
