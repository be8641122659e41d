"""What the runs of one invocation have in common, and one of them while it is under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from cgl_ignite.config.dump import fingerprint, values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Normaliser, dump_tokenizer
from cgl_ignite.display import Screen, Summary
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.pipeline.assemble import Parts
from cgl_ignite.pipeline.data import RunData
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.tracking import Journal, Tracker

__all__ = ["ActiveRun", "RunContext"]


@dataclass(frozen=True)
class RunContext:
    """What the runs of one invocation have in common.

    Attributes:
        runs: the folder of all runs.
        group: the run of the tracker that they belong to.
        tags: noted with each of them; ``method`` is what the method is called, if that is not the name of its preset.
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

    @property
    def method(self) -> str:
        """The name of the method."""
        return self.tags.get("method", self.pipeline.method.preset)


@dataclass(frozen=True)
class ActiveRun:
    """A run that is under way: what its trainer, its checkpoints and its hand-over need.

    Attributes:
        resumed: the epoch after which it goes on, 0 for a fresh one.
    """

    context: RunContext
    seed: int
    parts: Parts
    folder: RunFolder
    journal: Journal
    averages: TrainingAverages
    selector: StudentSelector
    resumed: int = 0

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, which is that of all runs of the invocation."""
        return self.context.pipeline

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a student needs to know of its run, as plain values; the checkpoint keeps them."""
        splits = self.parts.splits
        return {
            "run_id": self.journal.run_id,
            "pipeline": values(self.pipeline),
            "fingerprint": fingerprint(self.pipeline),
            "seed": self.seed,
            "data": dict(self.context.data.identity),
            "classes": list(splits.classes),
            "modality": splits.spec.modality,
            "shape": list(splits.spec.shape),
            **self._inputs(),
            "reads": list(self.parts.subsets.group_of),
            "batches_per_chunk": self.parts.batches_per_chunk,
        }

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
        )
