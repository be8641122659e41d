"""What a pipeline will build, told before anything is read: paths, parameters, iterations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cgl_ignite.catalogue import input_of
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import DATASETS, SUBSETS, Subsets
from cgl_ignite.pipeline.artifacts import count_parameters
from cgl_ignite.pipeline.assemble import blueprint, build_weigher, find_device
from cgl_ignite.pipeline.forecast import Forecast, forecast
from cgl_ignite.pool import follow, modular_layers
from cgl_ignite.pool.cost import measure_layers
from cgl_ignite.seeding import stream

__all__ = ["Preview"]


@dataclass(frozen=True)
class Preview:
    """Sizes of a pool before it is built.

    ``paths``: the (K, L) table of the pipeline's first seed. ``modules``: how many modules each layer holds;
    ``weights``: the parameters of one of them; ``weigher``: those of what weighs imitated students. ``group``: rows of the largest sub-set, if they can be known.
    ``forecast``: the mean iteration.
    """

    pipeline: Pipeline
    paths: Sequence[Sequence[int]]
    modules: Sequence[int]
    weights: Sequence[int]
    weigher: int
    group: int | None
    forecast: Forecast
    certain: bool

    @classmethod
    def of(cls, pipeline: Pipeline) -> Preview:
        """Draw the paths, and measure one module of each layer on two inputs."""
        spec, classes, certain = input_of(pipeline.data.kind)
        seed = pipeline.seeds[0]
        backbone, routing = blueprint(pipeline, spec, classes)
        costs = measure_layers(modular_layers(backbone), spec)
        paths = routing.sample(stream(seed, "paths")).tolist()
        subsets = _subsets(pipeline)
        students = range(pipeline.method.students)
        reads = subsets.reads if subsets else tuple(students)
        mean = forecast(pipeline, routing, reads, costs, seed, find_device(pipeline.run.device))
        weights = [cost.parameters for cost in costs]
        weigher = build_weigher(pipeline, backbone, routing, costs, seed)
        group = max(subsets.sizes) if subsets else None
        return cls(
            pipeline, paths, routing.modules, weights, count_parameters(weigher), group, mean, certain
        )

    @property
    def parameters(self) -> int:
        """All that is trained: the modules, and what weighs the imitated students."""
        counts = follow(self.modules, len(self.weights))
        return self.weigher + sum(count * weight for count, weight in zip(counts, self.weights, strict=True))

    @property
    def parameters_used(self) -> int:
        """The same without modules that lie on no path."""
        used = follow([len(set(column)) for column in zip(*self.paths, strict=True)], len(self.weights))
        return self.weigher + sum(count * weight for count, weight in zip(used, self.weights, strict=True))

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
        yield from self._work()
        yield from self._memory()

    def _work(self) -> Iterator[str]:
        mean, size, iterations = self.forecast, self.pipeline.optim.batch_size, self.iterations
        if iterations is None:
            yield "iterations         as many per epoch as the files give rows"
        else:
            yield f"iterations         {iterations:>13,} per epoch: {self.group:,} rows a student, {size} at a time"
            passes = iterations * (mean.own + mean.imitated)
            yield f"student passes     {passes:>13,.0f} per epoch, of {size} rows: {mean.own} own and"
            yield f"                                 {mean.imitated:.2f} imitated in an iteration, on average"
            work = iterations * mean.multiply_adds
            yield f"multiply-adds      {work:>13.3g} per epoch, forward and backward"
        saved = 1 - mean.multiply_adds / mean.without_sharing
        students = mean.multiply_adds / mean.alone
        yield f"  of an iteration  {mean.multiply_adds:>13.3g} = {students:.2f} times that of one student alone;"
        yield f"                                 shared prefixes save {saved:.1%}"

    def _memory(self) -> Iterator[str]:
        mean, mib = self.forecast, 2**20
        yield f"memory             {(mean.weights + mean.kept) / mib:>13,.0f} MiB beside program and data:"
        yield f"  weights          {mean.weights / mib:>13,.0f} MiB with gradients, optimizer and selected copy"
        chunk = f"{mean.batches_per_chunk} {'batch' if mean.batches_per_chunk == 1 else 'batches'} at a time"
        yield f"  activations      {mean.kept / mib:>13,.0f} MiB, {chunk} (run.batches_per_chunk)"


def _subsets(pipeline: Pipeline) -> Subsets | None:
    """Divide as many rows as there will be, where that is known."""
    data, known = pipeline.data, DATASETS.facts(pipeline.data.kind).get("rows")
    counts = [count for count in (data.limit, known[0] if known else None) if count is not None]
    if not counts or min(counts) <= data.holdout:
        return None
    targets = torch.zeros(min(counts) - data.holdout, dtype=torch.int64)
    subsets: Subsets = SUBSETS.build(pipeline.method.subsets, targets, pipeline.method.students, pipeline.seeds[0])
    return subsets
