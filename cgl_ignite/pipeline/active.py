"""What the runs of one invocation have in common, and one of them while it is under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from cgl_ignite.config.dump import fingerprint, values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Normaliser, dump_tokenizer
from cgl_ignite.display import Screen, Summary
from cgl_ignite.engine.trainer import Handler
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.pipeline.assemble import Parts
from cgl_ignite.pipeline.data import RunData
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.pipeline.stage import selector_of
from cgl_ignite.pipeline.teachers import identify_files, identify_teachers
from cgl_ignite.pretrained import identify_weights
from cgl_ignite.tracking import Journal, Tracker, provenance

if TYPE_CHECKING:
    from cgl_ignite.distributed.peers import Peers

__all__ = ["DISTILLATION", "ActiveRun", "Before", "RunContext", "begin"]

DISTILLATION = "distillation"


@dataclass(frozen=True)
class RunContext:
    """What the runs of one invocation have in common.

    Attributes:
        runs: the folder of all runs.
        group: the run of the tracker that they belong to.
        tags: noted with each of them; ``method`` is what the method is called, if that is not the name of its preset.
        source: what they were started by, as tags of the tracker.
        peers: the processes that train together, if there are several; this is the first of them.
    """

    pipeline: Pipeline
    data: RunData
    device: torch.device
    runs: Path
    tracker: Tracker
    group: str | None
    screen: Screen | None
    warn: Callable[[str], None]
    tags: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=provenance)
    peers: Peers | None = None

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the folder of a run says about it."""
        told = {"group": self.group, "data": self.data.identity, "source": dict(self.source), **self.tags}
        return {**told, "files": files} if (files := identify_files(self.pipeline)) else told

    @property
    def method(self) -> str:
        """The name of the method."""
        return self.tags.get("method", self.pipeline.method.preset)


class Before(NamedTuple):
    """What a run did before its present stage: epochs, trained parameters, samples of all students, seconds."""

    epochs: int = 0
    parameters: int = 0
    samples: int = 0
    seconds: float = 0.0


FRESH = Before()
"""Nothing: the first stage of a run."""


@dataclass(frozen=True)
class ActiveRun:
    """A run that is under way, in one of its stages: what its trainer, its checkpoints and its hand-over need.

    Attributes:
        pipeline: of the stage.
        resumed: the epoch after which it goes on, 0 for a fresh one.
        before: the stages that are over.
        initial: handlers that change the weights before the first iteration.
    """

    context: RunContext
    pipeline: Pipeline
    seed: int
    parts: Parts
    folder: RunFolder
    journal: Journal
    averages: TrainingAverages
    selector: StudentSelector
    resumed: int = 0
    before: Before = FRESH
    initial: list[Handler] = field(default_factory=list)

    @property
    def samples(self) -> int:
        """The own samples of all students, over all stages up to the end of this one."""
        subsets, training = self.parts.subsets, self.pipeline.run
        rows = sum(subsets.sizes[group] for group in subsets.group_of)
        return self.before.samples + rows * training.passes_per_epoch * (training.epochs - self.before.epochs)

    @property
    def parameters(self) -> int:
        """All that is trained, in all stages up to this one."""
        return self.before.parameters + self.parts.parameters

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a student needs to know of its run, as plain values; the checkpoint keeps them."""
        splits = self.parts.splits
        return {
            "run_id": self.journal.run_id,
            "pipeline": values(self.pipeline),
            "fingerprint": fingerprint(self.context.pipeline),
            **self._stage(),
            "seed": self.seed,
            "folder": str(Path.cwd()),
            "data": dict(self.context.data.identity),
            **({"teachers": teachers} if (teachers := identify_teachers(self.context.pipeline)) else {}),
            **({"weights": weights} if (weights := identify_weights(self.pipeline.backbone)) else {}),
            "classes": list(splits.classes),
            "modality": splits.spec.modality,
            "shape": list(splits.spec.shape),
            **self._inputs(),
            "reads": list(self.parts.subsets.group_of),
            "batches_per_chunk": self.parts.batches_per_chunk,
        }

    def _stage(self) -> dict[str, Any]:
        return {"stage": DISTILLATION, "method": f"{self.context.method}, distilled"} if self.before.epochs else {}

    def _inputs(self) -> dict[str, Any]:
        """Tell what has to be done to raw inputs: how images are normalised, how texts are encoded."""
        splits = self.parts.splits
        if isinstance(splits.normaliser, Normaliser):
            return {"mean": splits.normaliser.mean.tolist(), "std": splits.normaliser.std.tolist()}
        tokenizer = {} if splits.tokenizer is None else {"encoder": dump_tokenizer(splits.tokenizer)}
        return {"vocabulary": splits.spec.vocabulary, **tokenizer}

    @property
    def summary(self) -> Summary:
        """What is shown when the training starts."""
        splits = self.parts.splits
        return Summary(
            pipeline=self.pipeline,
            method=self.context.method,
            seed=self.seed,
            device=str(self.context.device),
            samples=(len(splits.train), len(splits.holdout)),
            parameters=self.parts.parameters,
            folder=self.folder.path,
            tracking_uri=self.context.tracker.uri,
            resumed=self.resumed,
            modality=splits.spec.modality,
            distillation=self.before.epochs > 0,
        )


def begin(
    context: RunContext,
    pipeline: Pipeline,
    seed: int,
    parts: Parts,
    journal: Journal,
    folder: RunFolder,
    checkpoint: Mapping[str, Any] | None,
    before: Before = FRESH,
) -> ActiveRun:
    """Start a stage of a run, fresh or from its checkpoint."""
    averages = TrainingAverages(pipeline.method.students, context.device)
    averages.seconds = before.seconds
    if parts.average is not None:
        parts.average.start = before.epochs
    selector = selector_of(pipeline, parts, seed)
    selector.judged = before.epochs
    resumed = checkpoint["selector"]["judged"] if checkpoint else 0
    return ActiveRun(context, pipeline, seed, parts, folder, journal, averages, selector, resumed, before)
