"""Copies that branch off late, averaged into one network: does that beat one network at the same cost?

One network is trained for a part of the epochs (the trunk). Its student is the start of several copies, which share the
rest of the epochs, read all rows in an order of their own and imitate nobody, or each other. Then the weights of the
copies are averaged into one network (Wortsman et al. 2022), whose running statistics are estimated anew from the
training rows. Beside it stand the selected copy, their mean, all of them as an ensemble, and one network that was
trained for all epochs.

    python benchmarks/late_branches.py benchmarks/races/cifar10_1000.toml --epochs 104 --set optim.learning_rate=3e-3 \
        --output benchmarks/results/late_branches_cifar10_1000.json
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import click
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from cgl_ignite import load_pipeline
from cgl_ignite.analysis.columns import bounds
from cgl_ignite.analysis.statistics import paired_interval, spread
from cgl_ignite.bench.figures import facts
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Examples
from cgl_ignite.ensemble import measure_ensemble
from cgl_ignite.pipeline import RunResult, run
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.runs import open_pool, take_student
from cgl_ignite.student import measure
from cgl_ignite.student.score import ROWS, ready
from cgl_ignite.tracking.memory import MemoryTracker

BRANCHES = {"apart": ['method.choose={ kind = "nobody" }'], "imitating": []}


def train(pipeline: Pipeline) -> RunResult:
    """Train one run, recorded in its folder alone."""
    (result,) = run(pipeline, tracker=MemoryTracker())
    return result


def averaged(students: Sequence[nn.Module], rows: Examples) -> nn.Module:
    """Average the weights of students into the first one; running statistics are estimated anew from rows."""
    states = [student.state_dict() for student in students]
    mean = {key: torch.stack([state[key].double() for state in states]).mean(dim=0) for key in states[0]}
    students[0].load_state_dict({key: value.to(states[0][key].dtype) for key, value in mean.items()})
    update_bn((ready(part) for part in rows.inputs.split(ROWS)), students[0])
    return students[0].eval()


def branched(pipeline: Pipeline, folder: Path, rows: Examples, test: Examples) -> dict[str, float]:
    """Train the copies and measure them, in percent of the test part."""
    result = train(pipeline)
    pool = open_pool(result.run_id, folder)
    scores = measure_ensemble(pool, test).scores
    one = averaged([take_student(pool, number)[0] for number in range(pool.students)], rows)
    return {
        "selected": result.test_accuracy,
        "mean": fmean(student.accuracy for student in scores.students),
        "ensemble": scores.ensemble.accuracy,
        "averaged": measure(one, test).accuracy,
    }


def of_seed(
    source: Path, changes: Sequence[str], seed: int, epochs: int, copies: int, folder: Path
) -> dict[str, dict[str, float]]:
    """Train everything with one seed: half of the epochs are the trunk's."""
    common = [*changes, f"tracking.folder={folder}", f"seeds=[{seed}]"]
    trunk, rest = epochs - epochs // 2, epochs // 2
    one = load_pipeline(source, [*common, f"run.epochs={epochs}"])
    start = load_pipeline(source, [*common, f"run.epochs={trunk}", "optim.schedule.final=0.5"])
    splits = read_data(one).splits(seed)
    test = splits.test()
    found = {"one network": {"selected": train(one).test_accuracy}}
    begun = train(start)
    found["trunk"] = {"selected": begun.test_accuracy}
    own = [f"backbone.weights={begun.student}", f"run.epochs={round(rest / copies)}", "optim.schedule.warmup=0"]
    own += [f"optim.learning_rate={one.optim.learning_rate / 2}", f"method.students={copies}", "method.preset=dml"]
    own += ["method.subsets.kind=disjoint", "method.subsets.overlap=1.0", 'method.start={ kind = "equal" }']
    for name, more in BRANCHES.items():
        found[name] = branched(load_pipeline(source, [*common, *own, *more]), folder, splits.train, test)
    return found


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--set", "changes", multiple=True, help="Change a value of the pipeline.")
@click.option("--epochs", type=click.IntRange(min=4), required=True, help="Of one network; the copies share them.")
@click.option("--copies", type=click.IntRange(min=2), default=3, show_default=True, help="How many branch off.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Seeds of each training.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for all figures.")
def main(source: Path, changes: tuple[str, ...], epochs: int, copies: int, seeds: int, output: Path | None) -> None:
    """Measure copies that branch off late against one network."""
    logging.getLogger("ignite").setLevel(logging.CRITICAL)
    began, load, by_seed = time.time(), [os.getloadavg()], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, seeds + 1):
            by_seed.append(of_seed(source, changes, seed, epochs, copies, Path(folder)))
            print(f"seed {seed} of {seeds}, {time.time() - began:.0f} s", flush=True)
    table = list(rows_of(by_seed))
    for row in table:
        print(f"{row['row']:12} {row['of']:9} {row['mean']:.2f}   {row['difference']:+.2f} {bounds(row['over_seeds'])}")
    if output:
        load.append(os.getloadavg())
        record = {**facts(torch.device("cpu")), "load": load, "epochs": epochs, "copies": copies}
        output.write_text(json.dumps({**record, "table": table, "seeds": by_seed}, indent=1) + "\n")


def rows_of(by_seed: Sequence[dict[str, dict[str, float]]]) -> Iterator[dict[str, Any]]:
    """Summarise everything measured over the seeds, and its difference to one network."""
    reference = [one["one network"]["selected"] for one in by_seed]
    for row, measured in by_seed[0].items():
        for what in measured:
            values = [one[row][what] for one in by_seed]
            differences = [value - other for value, other in zip(values, reference, strict=True)]
            apart = {"difference": fmean(differences), "over_seeds": paired_interval(differences)}
            yield {"row": row, "of": what, **spread(values)._asdict(), **apart}


if __name__ == "__main__":
    main()
