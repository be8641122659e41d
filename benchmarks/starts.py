"""What makes students differ that begin with the same weights: the rules of ``method.start``, measured.

One student learns five classes of CIFAR-10. Its weights are the start of pools that learn the other five from few rows,
by each rule and with each seed, beside pools that begin at random.

    python benchmarks/starts.py --root DATA --output benchmarks/results/starts_cifar10.json
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import click
import torch

from cgl_ignite import DATASETS, load_pipeline
from cgl_ignite.bench.figures import facts
from cgl_ignite.data import DataSource, Examples, cifar10, data_root
from cgl_ignite.data.base import Rows
from cgl_ignite.pipeline import run
from cgl_ignite.tracking.memory import MemoryTracker

EARLIER, LATER = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)
PRESETS = ("cgl", "cgl_whole")
STARTS: dict[str, dict[str, Any] | None] = {
    "at random": None,
    "equal": {"kind": "equal"},
    "noise 0.1": {"kind": "noise", "size": 0.1},
    "noise 0.3": {"kind": "noise", "size": 0.3},
    "last": {"kind": "last"},
}


@DATASETS.register("cifar10_classes", modality="image", shape=(3, 32, 32), files=None, where="benchmarks/starts.py")
def cifar10_classes(root: Path, *, classes: tuple[int, ...]) -> DataSource:
    """Read some classes of CIFAR-10, numbered anew."""
    whole = cifar10(root)

    def some(part: Rows) -> Examples:
        assert isinstance(part, Examples)
        numbers = torch.tensor(classes)
        rows = torch.isin(part.targets, numbers).nonzero().flatten()
        found = part.take(rows)
        return Examples(found.inputs, torch.searchsorted(numbers, found.targets))

    names = tuple(whole.classes[number] for number in classes)
    return replace(whole, train=some(whole.train), test=lambda: some(whole.test()), classes=names, digest={})


def pipeline_of(root: Path, folder: Path, classes: tuple[int, ...], limit: int, epochs: int) -> dict[str, Any]:
    """Return what all trainings have in common."""
    return {
        "name": "starts",
        "data": {
            "kind": "cifar10_classes",
            "root": str(root),
            "classes": list(classes),
            "holdout": 0.2,
            "limit": limit,
            "test_limit": 2000,
            "augment": {"kind": "crop_flip"},
        },
        "backbone": {"kind": "resnet8", "width": 8},
        "optim": {"kind": "adam", "learning_rate": 2e-3, "batch_size": 64, "schedule": {"kind": "cosine"}},
        "run": {"epochs": epochs, "device": "cpu", "threads": 1},
        "tracking": {"folder": str(folder)},
    }


def train(tree: dict[str, Any], seed: int) -> Any:
    """Train one run, recorded in its folder alone."""
    (result,) = run(load_pipeline({**tree, "seeds": [seed]}), tracker=MemoryTracker())
    return result


def figures_of(tree: dict[str, Any], seeds: int) -> dict[str, Any]:
    """Train with every seed and return accuracies on the test part, and diversity."""
    results = [train(tree, seed) for seed in range(1, seeds + 1)]
    return {
        "selected": [result.test_accuracy for result in results],
        "mean": [result.mean_test_accuracy for result in results],
        "diversity": [result.diversity for result in results],
    }


@click.command()
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets (default: as cgl run).")
@click.option("--seeds", default=3, show_default=True, help="Seeds of each rule.")
@click.option("--rows", default=800, show_default=True, help="Rows of the later classes.")
@click.option("--epochs", default=6, show_default=True, help="Epochs of the pools.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for all figures.")
def main(root: Path | None, seeds: int, rows: int, epochs: int, output: Path | None) -> None:
    """Measure the rules of method.start."""
    logging.getLogger("ignite").setLevel(logging.CRITICAL)
    root, load, began, found = data_root(root), [os.getloadavg()], time.time(), {}
    with tempfile.TemporaryDirectory() as folder:
        earlier = pipeline_of(root, Path(folder), EARLIER, 6_000, 5)
        first = train({**earlier, "method": {"preset": "baseline"}}, 1)
        print(f"the student of the earlier classes: {first.test_accuracy:.1f} %, {time.time() - began:.0f} s")
        for preset in PRESETS:
            for name, start in STARTS.items():
                tree = pipeline_of(root, Path(folder), LATER, rows, epochs)
                tree["method"] = {"preset": preset, "students": 4, **({"start": start} if start else {})}
                if start:
                    tree["backbone"]["weights"] = str(first.student)
                one = found[f"{preset}, {name}"] = figures_of(tree, seeds)
                figures = "   ".join(f"{key} {fmean(values):.2f} ± {stdev(values):.2f}" for key, values in one.items())
                print(f"{preset:10} {name:12} {figures}   {time.time() - began:.0f} s", flush=True)
    load.append(os.getloadavg())
    if output:
        record = {**facts(torch.device("cpu")), "load": load, "earlier": first.test_accuracy}
        output.write_text(json.dumps({**record, "rows": rows, "epochs": epochs, "starts": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
