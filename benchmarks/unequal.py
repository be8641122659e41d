"""Cut CIFAR-10 to classes of 1 : 10 : 100 as a folder of images, or tell the table of a comparison on it.

    python benchmarks/unequal.py cut DATA unequal_cifar10        # DATA is the folder of cifar-10-batches-py
    cgl compare benchmarks/unequal_classes.toml --json > compare_unequal.json
    python benchmarks/unequal.py table compare_unequal.json

The first four classes are frequent, the next three have a tenth of their rows, and the last three a hundredth, in the
training part and in the holdout. In the test part all classes have equally many, so that the recall of the rare ones is
known well; from the recalls follows the accuracy at the shares of the training part.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import fmean, stdev

import torch
from PIL import Image
from torch import Tensor

from cgl_ignite.data import Examples, cifar10
from cgl_ignite.data.stored import loaded

SHARES = (100,) * 4 + (10,) * 3 + (1,) * 3
ROWS = {"train": 5, "val": 2}
"""Of a class with share 1; the frequent ones have a hundred times as many."""
TEST_ROWS = 100
GROUPS = {"frequent": range(4), "medium": range(4, 7), "rare": range(7, 10)}


def cut(root: Path, target: Path) -> None:
    """Write the images, ``<target>/<part>/<class>/<number>.png``; the choice is the same in every run."""
    source = cifar10(root)
    generator = torch.Generator().manual_seed(1)
    train, test = source.train, source.test()
    assert isinstance(train, Examples)
    assert isinstance(test, Examples)
    for number, (name, share) in enumerate(zip(source.classes, SHARES, strict=True)):
        rows = _shuffled(train.targets, number, generator)
        for part, count in ROWS.items():
            _write(loaded(train.dense)[rows[: count * share]], target / part / name)
            rows = rows[count * share :]
        _write(loaded(test.dense)[_shuffled(test.targets, number, generator)[:TEST_ROWS]], target / "test" / name)


def _shuffled(targets: Tensor, number: int, generator: torch.Generator) -> Tensor:
    rows = (targets == number).nonzero().flatten()
    return rows[torch.randperm(len(rows), generator=generator)]


def _write(images: Tensor, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{number:04}.png")


def table(path: Path) -> None:
    """Print one row for each balance and selection, as means over seeds with their standard deviations."""
    runs: dict[str, list[list[float]]] = {}
    for run in json.loads(path.read_text("utf-8"))["runs"]:
        recall = list(run["metrics"]["recall"].values())
        groups = [fmean(recall[number] for number in numbers) for numbers in GROUPS.values()]
        accuracy = sum(share * value for share, value in zip(SHARES, recall, strict=True)) / sum(SHARES)
        measured = [accuracy, fmean(recall), run["metrics"]["macro_f1"], *groups]
        runs.setdefault(run["method"], []).append(measured)
    titles = [
        "row",
        "accuracy at the shares of training",
        "balanced accuracy",
        "macro-F1",
        *map("recall, {}".format, GROUPS),
    ]
    print(f"| {' | '.join(titles)} |\n| --- |{' ---: |' * (len(titles) - 1)}")
    for name, measured in runs.items():
        cells = [
            f"{fmean(v):.1f} ± {stdev(v):.1f}" if len(v) > 1 else f"{v[0]:.1f}" for v in zip(*measured, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "cut":
        cut(Path(sys.argv[2]), Path(sys.argv[3]))
    elif len(sys.argv) == 3 and sys.argv[1] == "table":
        table(Path(sys.argv[2]))
    else:
        sys.exit(__doc__)
