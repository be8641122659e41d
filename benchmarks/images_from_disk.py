"""Images that do not fit into memory: train on them within a limit, kill and resume, and race a torch DataLoader.

    python benchmarks/images_from_disk.py make DATA images_256        # DATA is the folder of cifar-10-batches-py
    python benchmarks/images_from_disk.py train images_256 -o benchmarks/results/images_from_disk.json
    python benchmarks/images_from_disk.py race images_256 -o benchmarks/results/images_from_disk_race.json

``train`` allows a process 2 GiB of address space, as ``ulimit -v 2097152`` does. It trains once without a break and
once with a SIGKILL, and compares weights and predictions of both. ``race`` makes batches in two ways, in turns, in one
process: as a run makes them, and by a DataLoader with two workers that decode the same files.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from recipe import Loop
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cgl_ignite.bench.figures import facts, peak_mib, ratio, summary
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Batch, Examples, Samples, Splits, build_augmentations, cifar10
from cgl_ignite.data.stored import loaded
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.pipeline.device import cpu_threads
from cgl_ignite.seeding import stream
from cgl_ignite.student import read_student

HERE = Path(__file__).resolve().parent
PIPELINE = HERE / "images_from_disk.toml"
ALLOWED = 2 * 2**30
WORKERS = 2
MADE_AHEAD = 2 * WORKERS
_POLL_SECONDS = 0.05
_SECONDS_AFTER_CHECKPOINT = 0.5


class Limited:
    """A ``cgl run`` with a limit of its address space, and the memory that it takes.

    Args:
        images: the folder of images.
        folder: for its record.
        root: the data root, for the decoded images.
    """

    def __init__(self, images: Path, folder: Path, root: Path, more: Sequence[str] = ()) -> None:
        changes = [f"data.path={images}", f"data.root={root}", f"tracking.folder={folder}", "run.device=cpu"]
        limit = ["sh", "-c", f'ulimit -v {ALLOWED // 2**10}; exec "$@"', "sh"]
        command = [*limit, sys.executable, "-m", "cgl_ignite", "run", str(PIPELINE), "--json", "--quiet", *more]
        surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
        self.since = time.monotonic()
        self.process = subprocess.Popen(
            [*command, *(f"--set={change}" for change in changes)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=surroundings,
        )
        self.resident = self.addressed = 0

    def wait(self, until: Callable[[], bool] = lambda: False) -> bool:
        """Watch the memory until the process has ended, or until something is so; tell whether it has ended."""
        while self.process.poll() is None:
            self._look()
            if until():
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _look(self) -> None:
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        found = dict(re.findall(r"(VmHWM|VmPeak):\s+(\d+) kB", status))
        self.resident = max(self.resident, int(found.get("VmHWM", 0)))
        self.addressed = max(self.addressed, int(found.get("VmPeak", 0)))

    def result(self) -> dict[str, Any]:
        """Return what the finished run printed, and what it took."""
        stdout, stderr = self.process.communicate()
        if self.process.returncode:
            raise click.ClickException(f"exit code {self.process.returncode}: {stderr}")
        return {
            "run": json.loads(stdout),
            "seconds": round(time.monotonic() - self.since, 1),
            "peak_resident_mib": round(self.resident / 2**10),
            "peak_address_space_mib": round(self.addressed / 2**10),
        }


def train(images: Path, scratch: Path, changes: Sequence[str]) -> dict[str, Any]:
    """Train with and without a SIGKILL; return what both took, and whether they are equal."""
    more = [f"--set={change}" for change in changes]
    whole = _finish(Limited(images, scratch / "whole", scratch, more))
    stopped = Limited(images, scratch / "killed", scratch, more)
    marks = (scratch / "killed" / "runs").glob
    if stopped.wait(lambda: any(marks("*/checkpoint.pt"))):
        raise click.ClickException("the run ended before it could be killed")
    time.sleep(_SECONDS_AFTER_CHECKPOINT)
    stopped.process.send_signal(signal.SIGKILL)
    stopped.process.communicate()
    resumed = _finish(Limited(images, scratch / "killed", scratch, [*more, "--resume"]))
    files = [Path(each["run"]["student"]).parent for each in (whole, resumed)]
    return {
        "changes": list(changes),
        "allowed_address_space_mib": ALLOWED // 2**20,
        "decoded_mib": round(sum(file.stat().st_size for file in scratch.glob("encoded/*/*")) / 2**20),
        "whole": whole,
        "killed_with": stopped.process.returncode,
        "resumed": resumed,
        "weights_equal": _equal(*(dict(read_student(file / "student.pt")[0].state_dict()) for file in files)),
        "predictions_equal": _equal(*map(_predictions, files)),
    }


def _finish(run: Limited) -> dict[str, Any]:
    run.wait()
    return run.result()


def _predictions(run: Path) -> dict[str, Tensor]:
    with np.load(run / "artifacts" / "test_predictions.npz") as kept:
        return {name: torch.from_numpy(kept[name].astype(np.int64)) for name in kept}


def _equal(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return mine.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in mine.items())


class ImageFiles(Dataset[tuple[Tensor, int]]):
    """The images of a folder of classes, decoded whenever one is asked for."""

    def __init__(self, folder: Path) -> None:
        classes = sorted(path for path in folder.iterdir() if path.is_dir())
        self.files = [(file, number) for number, path in enumerate(classes) for file in sorted(path.iterdir())]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        """Decode an image, uint8 (3, H, W)."""
        file, target = self.files[place]
        with Image.open(file) as image:
            return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1), target


def from_loader(images: Path, pipeline: Pipeline, splits: Splits) -> Iterator[Batch]:
    """Yield batches of the images without end, made by a DataLoader and augmented as a run does."""
    augment, _ = build_augmentations(pipeline.data.augmentations, splits.spec)
    loader = DataLoader(
        ImageFiles(images), pipeline.optim.batch_size, shuffle=True, drop_last=True, num_workers=WORKERS
    )
    for iteration, (inputs, targets) in enumerate(each for _ in count() for each in loader):
        rows = torch.arange(len(targets))
        samples = Samples(inputs, targets, len(splits.classes), (len(targets),), rows, 0)
        for change in augment:
            samples = change(samples, stream(pipeline.seeds[0], "augment", iteration))
        yield Batch(splits.normaliser(samples.inputs), targets, (len(targets),))


def race(images: Path, root: Path, rounds: int, iterations: int) -> dict[str, Any]:
    """Time batches, and training on them, made as a run makes them and by a DataLoader."""
    changes = [f"data.path={images}", f"data.root={root}", "data.store=disk", "method.preset=baseline"]
    pipeline = load_pipeline(PIPELINE, [*changes, "method.students=1", "run.device=cpu"])
    rows = pipeline.optim.batch_size * iterations
    with cpu_threads(pipeline.run.threads):
        since = time.monotonic()
        data = read_data(pipeline)
        seconds = time.monotonic() - since
        own = Loop(pipeline, data)
        splits = own.parts.splits
        other = Loop(pipeline, data, from_loader(images, pipeline, splits))
        reading = {"run": own.parts.batches.stream(0), "loader": from_loader(images, pipeline, splits)}
        ways: dict[str, dict[str, Callable[[int], object]]] = {
            "reading": {name: _reader(batches) for name, batches in reading.items()},
            "training": {"run": own.go_on, "loader": other.go_on},
        }
        times = {what: _turns(pair, rounds, iterations) for what, pair in ways.items()}
    return {
        "workers_of_the_loader": WORKERS,
        "threads": pipeline.run.threads,
        "batch_size": pipeline.optim.batch_size,
        "iterations_per_round": iterations,
        "seconds_to_read_and_decode_once": round(seconds, 1),
        "peak_resident_mib": round(peak_mib()),
        "samples_per_second": {
            what: {way: summary([rows / each for each in taken]) for way, taken in pair.items()}
            for what, pair in times.items()
        },
        "run_over_loader": {what: ratio(pair["loader"], pair["run"]) for what, pair in times.items()},
        "seconds": times,
    }


def _reader(batches: Iterator[Batch]) -> Callable[[int], object]:
    return lambda iterations: deque(islice(batches, iterations), maxlen=0)


def _turns(ways: dict[str, Callable[[int], object]], rounds: int, iterations: int) -> dict[str, list[float]]:
    """Take turns; before its time starts, each way takes what its workers have made while the other one was timed."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            way(MADE_AHEAD)
            since = time.monotonic()
            way(iterations)
            times[name].append(time.monotonic() - since)
    return times


def make(root: Path, folder: Path, images: int, size: int) -> None:
    """Write images of CIFAR-10, enlarged, ``<folder>/<class>/<number>.jpg``."""
    source = cifar10(root)
    train = source.train
    assert isinstance(train, Examples)
    pixels = loaded(train.dense)
    for number in range(images):
        path = folder / source.classes[int(train.targets[number])] / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels[number].permute(1, 2, 0).numpy())
        image.resize((size, size), Image.Resampling.BICUBIC).save(path, quality=90)


@click.group()
def main() -> None:
    """Measure training on images that do not fit into memory."""


@main.command("make")
@click.argument("root", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--images", default=20_000, show_default=True)
@click.option("--size", default=256, show_default=True, help="Width and height.")
def make_command(root: Path, folder: Path, images: int, size: int) -> None:
    """Write the images into FOLDER."""
    make(root, folder, images, size)


@main.command("train")
@click.argument("images", type=click.Path(path_type=Path, exists=True))
@click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help="Change the pipeline.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the record to this file.")
def train_command(images: Path, changes: tuple[str, ...], output: Path | None) -> None:
    """Train within the limit, kill and resume."""
    with tempfile.TemporaryDirectory() as scratch:
        _keep(train(images.resolve(), Path(scratch), changes), output)


@main.command("race")
@click.argument("images", type=click.Path(path_type=Path, exists=True))
@click.option("--rounds", default=11, show_default=True)
@click.option("--iterations", default=20, show_default=True, help="Iterations of a round.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the record to this file.")
def race_command(images: Path, rounds: int, iterations: int, output: Path | None) -> None:
    """Race a DataLoader."""
    with tempfile.TemporaryDirectory() as scratch:
        _keep(race(images.resolve(), Path(scratch), rounds, iterations), output)


def _keep(record: dict[str, Any], output: Path | None) -> None:
    record = {**facts(torch.device("cpu")), "load": os.getloadavg(), **record}
    text = json.dumps(record, indent=1) + "\n"
    click.echo(text, nl=False)
    if output:
        output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
