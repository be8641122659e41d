"""An iteration of any method never waits for the device.

Tensors on the meta device have no values: whoever asks one for its value, as waiting for a device means, gets an error.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.presets import METHODS
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.pipeline.assemble import Parts, assemble
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.seeding import stream
from tests.texts import text_pipeline
from tests.waiting import forbid_waiting

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
SMALL = ["backbone.width=4", "optim.batch_size=8", "data.limit=400", "data.holdout=40", "run.threads=1"]
ITERATIONS = 3
COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)

each_method = pytest.mark.parametrize("method", METHODS)


def assembled(pipeline: Pipeline, device: str) -> Parts:
    parts = assemble(pipeline, read_data(pipeline), 1, torch.device(device), Interruption())
    parts.pool.route(parts.routing.sample(stream(1, "paths")), parts.subsets.group_of, pipeline.method.statistics)
    return parts


def iterate(parts: Parts, pipeline: Pipeline, batches: Iterator[object]) -> None:
    """Run iterations as the trainer does: draw, step, add to the averages."""
    step = CollaborativeStep(
        parts.pool,
        parts.aggregator,
        parts.optimizer,
        parts.subsets.group_of,
        pipeline.method.loss,
        parts.batches_per_chunk,
        teachers=parts.teachers,
    )
    device = next(parts.pool.parameters()).device
    averages = TrainingAverages(pipeline.method.students, device)
    state = SimpleNamespace(ramp=0.5, epoch_length=ITERATIONS)
    for iteration, batch in enumerate(batches, 1):
        state.iteration, state.imitated = iteration, parts.choice.at(1, iteration)
        state.output = step(SimpleNamespace(state=state), batch)
        averages.add(SimpleNamespace(state=state))


def on_meta(pipeline: Pipeline) -> None:
    parts = assembled(pipeline, "cpu")
    parts.pool.to("meta")
    parts.aggregator.to("meta")
    if parts.average is not None:
        parts.average.averaged = copy.deepcopy(parts.pool)
    batches = [
        replace(batch, inputs=batch.inputs.to("meta"), targets=batch.targets.to("meta"))
        for batch in islice(parts.batches.stream(0), ITERATIONS)
    ]
    optimizer = SimpleNamespace(zero_grad=parts.pool.zero_grad, step=lambda: None)
    iterate(replace(parts, optimizer=optimizer), pipeline, iter(batches))


@each_method
def test_images(method: str) -> None:
    on_meta(load_pipeline(PIPELINES / "digits_resnet.toml", [*SMALL, f"method.preset={method}"]))


@each_method
def test_texts(method: str, tmp_path: Path) -> None:
    plain = ["backbone.dropout=0.0", "optim.batch_size=2"]
    on_meta(load_pipeline(text_pipeline(tmp_path, "transformer", method), plain))


class NothingIsSent(TorchDispatchMode):
    """Refuses what copies from the host to the device, which a recording cannot do again."""

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        if operator in COPIES:
            target = args[0] if operator is torch.ops.aten.copy_.default else result
            source = args[1] if operator is torch.ops.aten.copy_.default else args[0]
            if (source.device.type, target.device.type) == ("cpu", "meta"):
                raise AssertionError(f"sent to the device: {tuple(source.shape)}")
        return result


@each_method
def test_all_that_an_iteration_reads_is_sent_before_it(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    train = CollaborativeStep._train

    def watched(*args: object) -> tuple[torch.Tensor, torch.Tensor]:
        with NothingIsSent():
            return train(*args)

    monkeypatch.setattr(CollaborativeStep, "_train", watched)
    changes = [f"method.preset={method}", 'method.teachers=["average"]', 'run.average={kind="ema"}']
    on_meta(load_pipeline(PIPELINES / "digits_resnet.toml", [*SMALL, *changes]))


def test_what_is_sent_is_found() -> None:
    with NothingIsSent(), pytest.raises(AssertionError, match="sent to the device"):
        torch.zeros(2).to("meta")


def test_who_asks_for_a_value_is_found() -> None:
    with pytest.raises(RuntimeError, match="meta"):
        torch.zeros(1, device="meta").item()


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@each_method
def test_on_a_gpu(method: str, precision: str) -> None:
    changes = [f"method.preset={method}", f"run.precision={precision}", "run.device=cuda"]
    pipeline = load_pipeline(PIPELINES / "digits_resnet.toml", [*SMALL, *changes])
    parts = assembled(pipeline, "cuda")
    iterate(parts, pipeline, islice(parts.batches.stream(0), ITERATIONS))
    forbid_waiting(True)
    try:
        iterate(parts, pipeline, islice(parts.batches.stream(0), ITERATIONS))
    finally:
        forbid_waiting(False)
