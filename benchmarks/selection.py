"""Which rule hands over the best student? Each seed is trained once, and all rules choose from the same training.

After every epoch all students are scored on the holdout and, unlike in a run, on the test part. The scores of a seed
are written to ``FOLDER/selection_CASE.json`` once it is trained; a second call goes on with the missing seeds.

    python benchmarks/selection.py digits-cgl digits-baseline --seeds 20
    python benchmarks/selection.py --root DATA --seeds 20 --folder benchmarks/results
    python benchmarks/selection.py --seeds 0                        the tables of what is kept
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import click
import torch
from ignite.engine import Engine, Events

from cgl_ignite import Pipeline, load_pipeline
from cgl_ignite.analysis.statistics import t_interval
from cgl_ignite.bench.figures import facts
from cgl_ignite.data import data_root
from cgl_ignite.engine.evaluate import build_evaluator, evaluate
from cgl_ignite.engine.trainer import build_trainer
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.handlers.paths import PathSampler
from cgl_ignite.handlers.ramp import RampUp
from cgl_ignite.handlers.schedule import LearningRate
from cgl_ignite.handlers.state import Scores, state_of
from cgl_ignite.handlers.subgroups import SubgroupResampler
from cgl_ignite.pipeline.assemble import Parts, assemble, build_step
from cgl_ignite.pipeline.data import RunData, read_data
from cgl_ignite.pipeline.device import cpu_threads
from cgl_ignite.schedules import SCHEDULES
from cgl_ignite.tracking.files import write_atomically

PIPELINES = Path(__file__).resolve().parents[1] / "pipelines"
RESULTS = Path(__file__).resolve().parent / "results"
CPU = torch.device("cpu")

CIFAR = (
    "data.limit=2000", "data.holdout=200", "backbone.kind=resnet8", "backbone.width=8", "optim.batch_size=32",
    "optim.learning_rate=4e-3", "run.epochs=15", "run.threads=1",
)  # fmt: skip


IMDB = (
    "method={preset='baseline'}", "data.limit=3000", "data.holdout=300", "data.encoding.vocabulary=4000",
    "data.encoding.length=96", "backbone.width=32", "backbone.embedding=32", "backbone.heads=2",
    "backbone.feed_forward=64", "backbone.blocks=2", "optim.batch_size=32", "optim.learning_rate=1e-3", "run.epochs=15",
    "run.threads=1",
)  # fmt: skip


class SelectionCase(NamedTuple):
    """A pipeline, and what is changed of it."""

    file: str
    changes: tuple[str, ...]


CASES = {
    "digits-cgl": SelectionCase("digits_resnet.toml", ()),
    "digits-baseline": SelectionCase("digits_resnet.toml", ("method={preset='baseline'}",)),
    "cifar10-baseline": SelectionCase("cifar10_resnet18.toml", ("method={preset='baseline'}", *CIFAR)),
    "cifar10-baseline_75_epochs": SelectionCase(
        "cifar10_resnet18.toml", ("method={preset='baseline'}", *CIFAR, "run.epochs=75")
    ),
    "imdb-baseline": SelectionCase("imdb_transformer.toml", IMDB),
    "cifar10-cgl_whole": SelectionCase("cifar10_resnet18.toml", ("method={preset='cgl_whole',students=3}", *CIFAR)),
}


class State(NamedTuple):
    """A student after an epoch: what the rules see, and its accuracy on the test part in percent."""

    epoch: int
    student: int
    accuracy: float
    cross_entropy: float
    test: float


History = Sequence[Sequence[State]]
"""The states of a training: by epoch, then by student."""


def averaged(history: History, epochs: int) -> list[State]:
    """Replace the holdout scores of each student by their mean over its last epochs, where there are enough."""
    return [
        state._replace(
            accuracy=fmean(past[state.student].accuracy for past in history[max(last - epochs, 0) : last]),
            cross_entropy=fmean(past[state.student].cross_entropy for past in history[max(last - epochs, 0) : last]),
        )
        for last in range(min(epochs, len(history)), len(history) + 1)
        for state in history[last - 1]
    ]


def most_accurate(states: Sequence[State]) -> State:
    """Choose by accuracy; ties go to the lower cross-entropy, then to the later epoch."""
    return max(states, key=lambda state: (round(state.accuracy, 6), -state.cross_entropy, state.epoch))


RULES: dict[str, Callable[[History], State]] = {
    "accuracy, ties to the earliest epoch": lambda history: max(averaged(history, 1), key=lambda state: state.accuracy),
    "accuracy": lambda history: most_accurate(averaged(history, 1)),
    "cross-entropy": lambda history: min(averaged(history, 1), key=lambda state: (state.cross_entropy, -state.epoch)),
    "accuracy over three epochs": lambda history: most_accurate(averaged(history, 3)),
    "last epoch": lambda history: most_accurate(history[-1]),
}
REFERENCE = next(iter(RULES))


def find_pipeline(case: str, root: Path | None, changes: Sequence[str] = ()) -> Pipeline:
    """Return the pipeline of a case."""
    file, own = CASES[case]
    return load_pipeline(PIPELINES / file, [f"data.root={data_root(root)}", *own, *changes])


def observe(pipeline: Pipeline, data: RunData, seed: int) -> dict[str, Any]:
    """Train one seed and return the scores of all students after every epoch."""
    parts = assemble(pipeline, data, seed, CPU, Interruption())
    evaluator, test = build_evaluator(parts.pool, CPU), parts.splits.test()
    rows = {"holdout": len(parts.splits.holdout), "test": len(test)}
    found: dict[str, Any] = {"seed": seed, "rows": rows, "holdout_right": [], "holdout_ce": [], "test_right": []}
    trainer = build_trainer(build_step(pipeline, parts), _handlers(pipeline, parts, seed))

    @trainer.on(Events.EPOCH_COMPLETED)
    def score(engine: Engine) -> None:
        holdout = parts.evaluate_holdout()
        judged = evaluate(evaluator, test, parts.splits.normaliser, CPU)
        found["holdout_right"].append(_right(holdout))
        found["holdout_ce"].append([round(value, 6) for value in holdout.cross_entropy])
        found["test_right"].append(_right(judged))

    trainer.run(parts.batches.stream(0), max_epochs=pipeline.run.epochs, epoch_length=parts.batches.epoch_length)
    return {**found, "train_seconds": round(state_of(trainer).train_seconds, 1)}


def _handlers(pipeline: Pipeline, parts: Parts, seed: int) -> list[Any]:
    """Return those handlers of a run that change what is trained."""
    method, optim, run = pipeline.method, pipeline.optim, pipeline.run
    return [
        PathSampler(parts.pool, parts.routing, parts.subsets.group_of, method.statistics, seed),
        RampUp(method.ramp, run.epochs),
        LearningRate(parts.optimizer, optim.learning_rate, SCHEDULES.build(optim.schedule, run.epochs)),
        SubgroupResampler(parts.choice, seed),
        TrainingAverages(method.students, CPU),
    ]


def _right(scores: Scores) -> list[int]:
    """Count the samples of which each student is right."""
    return (scores.predicted == scores.targets).sum(dim=1).tolist()


def history_of(run: Mapping[str, Any]) -> History:
    """Read what was kept of a seed."""
    holdout, test = run["rows"]["holdout"], run["rows"]["test"]
    kept = zip(run["holdout_right"], run["holdout_ce"], run["test_right"], strict=True)
    return [
        [
            State(epoch, student, 100 * right / holdout, ce, 100 * judged / test)
            for student, (right, ce, judged) in enumerate(zip(*students, strict=True))
        ]
        for epoch, students in enumerate(kept, 1)
    ]


def table(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Apply all rules to all seeds: test accuracy, its difference to the reference, and the epoch selected."""
    chosen = {name: [rule(history_of(run)) for run in runs] for name, rule in RULES.items()}
    before = [state.test for state in chosen[REFERENCE]]
    rows = []
    for name, states in chosen.items():
        differences = [state.test - old for state, old in zip(states, before, strict=True)]
        interval = t_interval(differences)
        rows.append(
            {
                "rule": name,
                "test_accuracy": fmean(state.test for state in states),
                "difference": fmean(differences),
                "interval": list(interval) if interval else None,
                "epoch": fmean(state.epoch for state in states),
            }
        )
    return rows


def show(case: str, runs: Sequence[Mapping[str, Any]]) -> None:
    """Print the table of a case."""
    print(f"{case}: {len(runs)} seeds")
    for row in table(runs):
        low, high = row["interval"] or (float("nan"),) * 2
        print(
            f"  {row['rule']:38} {row['test_accuracy']:6.2f} %   {row['difference']:+.2f} [{low:+.2f}, {high:+.2f}]"
            f"   epoch {row['epoch']:.1f}"
        )


def train_missing(case: str, pipeline: Pipeline, seeds: int, path: Path) -> list[dict[str, Any]]:
    """Train the seeds of a case that are not kept yet, each kept as soon as it is trained."""
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {**facts(CPU), "case": case, "runs": []}
    missing = [seed for seed in range(1, seeds + 1) if seed not in {run["seed"] for run in kept["runs"]}]
    data = read_data(pipeline) if missing else None
    for seed in missing:
        assert data is not None
        with cpu_threads(pipeline.run.threads):
            kept["runs"].append(observe(pipeline, data, seed))
        kept["table"] = table(kept["runs"])
        write_atomically(path, _text(kept).encode())
        print(f"{case}: seed {seed} in {kept['runs'][-1]['train_seconds']} s", flush=True)
    return list(kept["runs"])


def _text(record: Mapping[str, Any]) -> str:
    """Write a record with each seed in one line."""
    runs = ",\n  ".join(json.dumps(run, separators=(",", ":")) for run in record["runs"])
    head = json.dumps({**record, "runs": []}, indent=1)
    return head.replace('"runs": []', f'"runs": [\n  {runs}\n ]') + "\n"


@click.command()
@click.argument("cases", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--seeds", default=20, show_default=True, help="Seeds 1, 2, ... of each case.")
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets (default: as cgl run).")
@click.option("--folder", type=click.Path(path_type=Path), default=RESULTS, help="Where the scores are kept.")
@click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help="Change the pipelines.")
def main(cases: tuple[str, ...], seeds: int, root: Path | None, folder: Path, changes: tuple[str, ...]) -> None:
    """Compare rules that select the student."""
    chosen = {case: find_pipeline(case, root, changes) for case in cases or CASES}
    paths = {case: folder / f"selection_{case.replace('-', '_')}.json" for case in chosen}
    for upto in range(1, seeds + 1):
        for case, pipeline in chosen.items():
            train_missing(case, pipeline, upto, paths[case])
    for case, path in paths.items():
        if path.exists():
            show(case, json.loads(path.read_text("utf-8"))["runs"])


if __name__ == "__main__":
    main()
