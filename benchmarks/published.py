"""What published code of online distillation does per step, stated anew: the line that everything is compared with.

The public code of DML, ONE and OKDDip reads images through PyTorch's ``DataLoader`` and torchvision's transforms, one
sample at a time in worker processes, runs students one after the other in contiguous memory, updates with an optimizer
at its defaults, and reads losses and accuracies back in every step, to show them. Sub-sets as in CGL then mean a loader
for each student. The mathematics and the initial weights are those of the pipeline; the draws of the augmentation are
the loaders' own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset

from cgl_ignite import compat
from cgl_ignite.bench.bare import Given, LoopStudents, Losses, build_modules
from cgl_ignite.bench.figures import ratio, summary
from cgl_ignite.bench.passes import ready
from cgl_ignite.bench.race import Race, described, make_clock, train
from cgl_ignite.config.schema import Loss, Pipeline
from cgl_ignite.data import Normaliser, Splits
from cgl_ignite.data.stored import loaded
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.assemble import Parts
from cgl_ignite.pipeline.device import cpu_threads, find_device
from cgl_ignite.pipeline.forecast import forecast
from cgl_ignite.seeding import stream

__all__ = ["Pictures", "imitation_losses", "measure_published", "published", "student_loop"]

Feed: TypeAlias = Iterator[tuple[Tensor, Tensor]]
WARM_UP = 2
TOP = 5


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images as published code holds them: arrays, from which a picture is made and changed when its turn comes.

    Args:
        splits: the training part, images of levels 0 to 255.
        padding: of the random crop.
        flip: whether every other picture is mirrored.

    Raises:
        InputError: the data set does not hold images.
    """

    def __init__(self, splits: Splits, padding: int, flip: bool) -> None:
        if not isinstance(splits.normaliser, Normaliser):
            raise InputError("published code is compared on images; this data set holds texts")
        compat.ensure_torchvision()
        from torchvision import transforms

        arrays = loaded(splits.train.dense).cpu().permute(0, 2, 3, 1).numpy()
        self.arrays: NDArray[np.uint8] = np.ascontiguousarray(arrays[..., 0] if arrays.shape[-1] == 1 else arrays)
        self.targets: list[int] = splits.train.targets.tolist()
        self.change: Callable[[Any], Tensor] = transforms.Compose(
            [
                transforms.RandomCrop(tuple(arrays.shape[1:3]), padding=padding),
                *([transforms.RandomHorizontalFlip()] if flip else []),
                transforms.ToTensor(),
                transforms.Normalize(splits.normaliser.mean.tolist(), splits.normaliser.std.tolist()),
            ]
        )

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.change(Image.fromarray(self.arrays[row])), self.targets[row]


class Feedback:
    """Running means of what is read in every step."""

    def __init__(self, students: int) -> None:
        self.means = [dict.fromkeys(("loss", "imitation", "top 1", "top 5"), 0.0) for _ in range(students)]
        self.steps = [0] * students

    def read(self, student: int, losses: Losses, logits: Tensor, targets: Tensor) -> None:
        """Read losses and accuracies of a student from the device, and wait for it each time."""
        best = logits.detach().topk(min(TOP, logits.shape[1])).indices
        right = best == targets[:, None]
        values = {
            "loss": losses[0].item(),
            "imitation": losses[1].item(),
            "top 1": right[:, 0].float().mean().item(),
            "top 5": right.any(dim=1).float().mean().item(),
        }
        self.steps[student] += 1
        for name, value in values.items():
            self.means[student][name] += (value - self.means[student][name]) / self.steps[student]


def published(pipeline: Pipeline, parts: Parts, device: torch.device, workers: int) -> Iterator[Losses]:
    """Train as published code does; every ``next`` is a step and gives cross-entropy and imitation loss, (K,) each.

    Args:
        pipeline: the setting, of images.
        parts: of a run; the data, the sub-sets, and how paths and sub-groups are drawn are taken from it.
        device: where to train.
        workers: processes of each loader; they are started at once.
    """
    (augmentation,) = pipeline.data.augmentations
    options = augmentation.options
    pictures = Pictures(parts.splits, options.get("padding", 0), options.get("flip", False))
    size = pipeline.optim.batch_size
    load = partial(DataLoader, batch_size=size, shuffle=True, num_workers=workers)
    groups = parts.subsets.groups(0)
    loaders = [load(Subset(pictures, rows.tolist()), drop_last=len(rows) > size) for rows in groups]
    feeds = [endless(loader, iter(loader)) for loader in loaders]
    return student_loop(pipeline, parts, device, feeds)


def endless(loader: DataLoader[Any], first: Feed) -> Feed:
    """Go through a loader again and again; the first pass has begun."""
    yield from first
    while True:
        yield from loader


def student_loop(pipeline: Pipeline, parts: Parts, device: torch.device, feeds: Sequence[Feed]) -> Iterator[Losses]:
    """Run one student after the other on what its feed gives, imitated students with it; one update for the sum.

    Students that read the same data get the same batch. There, as in the code of DML, a student's logits are computed
    once and the others imitate these.
    """
    seed, group_of = pipeline.seeds[0], parts.subsets.group_of
    modules = build_modules(pipeline, Given.of(parts), seed, device)
    for row in modules:
        for module in row:
            module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    students = LoopStudents(modules, parts.routing.sample(stream(seed, "paths")))
    optimizer = torch.optim.Adam(students.parameters(), pipeline.optim.learning_rate)
    feedback = Feedback(len(group_of))
    step = 0
    while True:
        step += 1
        imitated = parts.choice.at(seed, step).tolist()
        batches = [(inputs.to(device), targets.to(device)) for inputs, targets in map(next, feeds)]
        own = [students.logits(student, batches[read][0], own=True) for student, read in enumerate(group_of)]
        losses: list[Losses] = []
        for student, read in enumerate(group_of):
            inputs, targets = batches[read]
            members = [other for other, chosen in enumerate(imitated[student]) if chosen]
            others = [
                own[other] if group_of[other] == read else students.logits(other, inputs, own=False)
                for other in members
            ]
            losses.append(imitation_losses(own[student], others, targets, pipeline.method.loss))
            feedback.read(student, losses[-1], own[student], targets)
        optimizer.zero_grad()
        torch.stack([ce + kl for ce, kl in losses]).sum().backward()
        optimizer.step()
        yield torch.stack([ce.detach() for ce, _ in losses]), torch.stack([kl.detach() for _, kl in losses])


def imitation_losses(own: Tensor, others: Sequence[Tensor], targets: Tensor, loss: Loss) -> Losses:
    """Return cross-entropy, and the divergence from the mean of the others' logits, or the mean divergence from each.

    Shape: own and each of the others (B, C), targets (B,).
    """
    ce = F.cross_entropy(own, targets)
    if not others:
        return ce, torch.zeros_like(ce)
    teachers = torch.stack(list(others))
    if loss.teacher_gradient == "stopped":
        teachers = teachers.detach()
    if loss.mixes == "logits":
        teachers = teachers.mean(dim=0, keepdim=True)
    student_log = F.log_softmax(own / loss.temperature, dim=-1).expand_as(teachers)
    teacher_log = F.log_softmax(teachers / loss.temperature, dim=-1)
    kl = F.kl_div(student_log, teacher_log, reduction="sum", log_target=True) / (len(teachers) * len(own))
    return ce, kl * (loss.temperature**2 if loss.temperature_squared else 1.0)


def measure_published(
    case: str, pipeline: Pipeline, rounds: int, iterations: int, clock: str, workers: int = 2
) -> dict[str, Any]:
    """Let the trainer and published code take turns, in milliseconds per iteration; 0 makes rounds of 0.3 s.

    The clock ``cpu`` counts this process only; what the workers compute is told beside it. They work ahead while
    others have their turn, by at most two batches each.
    """
    device = find_device(pipeline.run.device)
    with cpu_threads(pipeline.run.threads):
        parts = ready(pipeline)
        loop = published(pipeline, parts, device, workers)
        race = Race({"published": loop}, rounds + WARM_UP, iterations, make_clock(clock, device))
        train(pipeline, race)
        steps = rounds * race.iterations + WARM_UP * (iterations or 1)
        working = _worker_seconds() / steps
    planned = forecast(pipeline, parts.routing, parts.subsets.group_of, parts.costs, pipeline.seeds[0], device)
    times = {name: [1e3 * second for second in seconds[WARM_UP:]] for name, seconds in race.times.items()}
    return {
        **described(case, pipeline, race, clock),
        "workers_per_loader": workers,
        "loaders": len(parts.subsets.sizes),
        "worker_milliseconds": 1e3 * working,
        "multiply_adds": {"trainer": planned.multiply_adds, "published": planned.without_sharing},
        "milliseconds": {name: summary(values) for name, values in times.items()},
        "trainer_over_published": ratio(times["trainer"], times["published"]),
        "rounds": times,
    }


def _worker_seconds() -> float:
    """Tell how long this process's children have computed."""
    seconds = 0.0
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            used = child.cpu_times()
            seconds += used.user + used.system
    return seconds
