"""What a pipeline will build, told before anything is read: paths, parameters, iterations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cgl_ignite.backbones import BACKBONES, Backbone
from cgl_ignite.catalogue import input_of
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import DATASETS, SUBSETS
from cgl_ignite.pool import ROUTINGS, add_classifier, modular_layers
from cgl_ignite.seeding import stream

__all__ = ["Preview"]


@dataclass(frozen=True)
class Preview:
    """Sizes of a pool before it is built.

    ``paths``: the (K, L) table of the pipeline's first seed. ``modules``: how many modules each layer holds;
    ``weights``: the parameters of one of them. ``group``: rows of the largest sub-set, if they can be known.
    """

    pipeline: Pipeline
    paths: Sequence[Sequence[int]]
    modules: Sequence[int]
    weights: Sequence[int]
    group: int | None
    certain: bool

    @classmethod
    def of(cls, pipeline: Pipeline) -> Preview:
        """Draw the paths, and count one module of each layer without memory for it."""
        spec, classes, certain = input_of(pipeline.data.kind)
        method = pipeline.method
        backbone: Backbone = BACKBONES.build(pipeline.backbone, spec, classes)
        drawn = ROUTINGS.build(method.routing, method.students, len(backbone.layers))
        routing = add_classifier(drawn, method.students, method.classifier)
        with torch.device("meta"):
            layers = [builder() for builder in modular_layers(backbone, method.classifier)]
        weights = [sum(weight.numel() for weight in layer.parameters()) for layer in layers]
        paths = routing.sample(stream(pipeline.seeds[0], "paths")).tolist()
        return cls(pipeline, paths, routing.modules, weights, _largest_group(pipeline), certain)

    @property
    def parameters(self) -> int:
        """The parameters of all modules."""
        return sum(count * weight for count, weight in zip(self.modules, self.weights, strict=True))

    @property
    def parameters_used(self) -> int:
        """The parameters of the modules that lie on a path."""
        used = [len(set(column)) for column in zip(*self.paths, strict=True)]
        return sum(count * weight for count, weight in zip(used, self.weights, strict=True))

    @property
    def parameters_student(self) -> int:
        """The parameters of one student."""
        return sum(self.weights)

    @property
    def iterations(self) -> int | None:
        """Iterations per epoch, if the number of rows is known; a last batch of a single row is left out."""
        if self.group is None:
            return None
        full, rest = divmod(self.group, self.pipeline.optim.batch_size)
        return self.pipeline.run.passes_per_epoch * (full + (rest > 1))

    def figures(self) -> Iterator[str]:
        """Yield the figures as lines of text."""
        guess = "" if self.certain else " (for colour images of 32 x 32 in two classes; the files decide)"
        yield f"parameters         {self.parameters:>13,}{guess}"
        yield f"  on a path        {self.parameters_used:>13,}"
        yield f"  of one student   {self.parameters_student:>13,}"
        if self.iterations is None:
            yield "iterations         as many per epoch as the files give rows"
        else:
            size = self.pipeline.optim.batch_size
            detail = f"per epoch: {self.group:,} rows for each student, {size} at a time"
            yield f"iterations         {self.iterations:>13,} {detail}"


def _largest_group(pipeline: Pipeline) -> int | None:
    data, known = pipeline.data, DATASETS.facts(pipeline.data.kind).get("rows")
    counts = [count for count in (data.limit, known[0] if known else None) if count is not None]
    if not counts or min(counts) <= data.holdout:
        return None
    targets = torch.zeros(min(counts) - data.holdout, dtype=torch.int64)
    subsets = SUBSETS.build(pipeline.method.subsets, targets, pipeline.method.students, pipeline.seeds[0])
    return int(max(subsets.sizes))
