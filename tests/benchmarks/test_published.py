"""What stands for published code computes what the trainer computes, on the same batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import log

import pytest
import torch
from growth import training
from published import Feedback, Pictures, imitation_losses, published, student_loop
from torch import Tensor

from cgl_ignite import Pipeline, load_pipeline
from cgl_ignite.bench.passes import ready
from cgl_ignite.config.schema import Loss
from cgl_ignite.pipeline.assemble import Parts

CPU = torch.device("cpu")


def digits(preset: str) -> Pipeline:
    return load_pipeline(
        {
            "name": "digits",
            "data": {"kind": "digits", "holdout": 237},
            "backbone": {"kind": "resnet8", "width": 4},
            "method": {"preset": preset, "ramp": {"start": 0.0, "end": 0.0}},
            "optim": {"kind": "adam", "learning_rate": 1e-3, "batch_size": 8},
            "run": {"epochs": 1, "device": "cpu"},
        }
    )


def feed(parts: Parts, group: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Give one student's loader the batches of the trainer."""
    for batch in parts.batches.stream(0):
        yield batch.inputs.split(batch.sizes)[group], batch.targets.split(batch.sizes)[group]


@pytest.mark.parametrize("preset", ["baseline", "cgl", "dml"])
def test_losses_are_those_of_the_trainer(preset: str) -> None:
    pipeline = digits(preset)
    parts = ready(pipeline)
    feeds = [feed(parts, group) for group in range(len(parts.subsets.sizes))]
    theirs = student_loop(pipeline, parts, CPU, feeds)
    mine = training(pipeline, ready(pipeline))
    for losses, (ce, kl) in islice(zip(mine, theirs, strict=False), 3):
        torch.testing.assert_close(ce, losses.ce, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(kl, losses.kl, rtol=1e-2, atol=1e-3)
    assert (kl > 0).any() == (preset != "baseline")


def test_divergence_from_each_and_from_the_mean_of_logits() -> None:
    own, targets = torch.tensor([[0.0, log(3)]]), torch.tensor([1])
    others = [torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 2 * log(3)]])]
    apart = Loss(temperature=1.0, mixes="losses", teacher_gradient="stopped")
    ce, kl = imitation_losses(own, others, targets, apart)
    first = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75)
    second = 0.1 * log(0.1 / 0.25) + 0.9 * log(0.9 / 0.75)
    assert float(ce) == pytest.approx(-log(0.75))
    assert float(kl) == pytest.approx((first + second) / 2, rel=1e-5)
    assert float(imitation_losses(own, others, targets, Loss())[1]) == pytest.approx(0, abs=1e-6)
    assert float(imitation_losses(own, [], targets, Loss())[1]) == 0


def test_pictures_are_the_images_normalised() -> None:
    splits = ready(digits("baseline")).splits
    pictures = Pictures(splits, padding=0, flip=False)
    image, target = pictures[5]
    assert len(pictures) == len(splits.train)
    assert target == int(splits.train.targets[5])
    torch.testing.assert_close(image, splits.normaliser(splits.train.dense[5:6])[0], rtol=1e-4, atol=1e-4)


def test_each_student_reads_its_own_sub_set() -> None:
    pipeline = digits("cgl")
    first = list(islice(published(pipeline, ready(pipeline), CPU, workers=0), 2))
    assert all(ce.shape == kl.shape == (8,) and bool((ce > 0).all()) for ce, kl in first)


def test_feedback_is_a_running_mean() -> None:
    feedback, logits = Feedback(1), torch.eye(8)[:2]
    feedback.read(0, (torch.tensor(1.0), torch.tensor(0.0)), logits, torch.tensor([0, 0]))
    feedback.read(0, (torch.tensor(2.0), torch.tensor(4.0)), logits, torch.tensor([0, 1]))
    assert feedback.means[0]["loss"] == 1.5
    assert feedback.means[0]["imitation"] == 2.0
    assert feedback.means[0]["top 1"] == 0.75
