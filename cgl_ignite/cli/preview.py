"""What a pipeline will build, told before anything is read: paths, parameters, iterations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from cgl_ignite.catalogue import try_weights
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import InputSpec, Look, Subsets, input_of, iterations_of_a_pass, look_at
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.assemble import blueprint, build_aggregator, count_parameters, divided, routes_of
from cgl_ignite.pipeline.device import find_device, find_precision
from cgl_ignite.pipeline.forecast import Forecast, forecast
from cgl_ignite.pipeline.shares import Shares, shares
from cgl_ignite.pipeline.teachers import distil_teachers_work, frozen_work
from cgl_ignite.pool import follow, modular_layers
from cgl_ignite.pool.cost import LayerCost, measure_layers
from cgl_ignite.pool.plan import RouteTable
from cgl_ignite.pool.settling import unsettled
from cgl_ignite.pretrained import Beginning
from cgl_ignite.seeding import stream

__all__ = ["Preview"]


@dataclass(frozen=True)
class Preview:
    """Sizes of a pool before it is built.

    Attributes:
        paths: the (K, L) table of the pipeline's first seed.
        modules: how many modules each layer holds.
        costs: of one module of each layer.
        aggregator: the parameters of what weighs imitated students.
        group: rows of the largest sub-set, if they can be known.
        forecast: the mean iteration.
        spec: the form of one input.
        classes: their number.
        certain: whether these two are known; otherwise they are assumed.
        look: what is known of the data before they are read.
        names: what each layer holds, where the backbone tells it.
        beginning: the weights that the pool begins with; None if they are random, or not on this machine.
    """

    pipeline: Pipeline
    paths: Sequence[Sequence[int]]
    modules: Sequence[int]
    costs: Sequence[LayerCost]
    aggregator: int
    group: int | None
    forecast: Forecast
    spec: InputSpec
    classes: int
    certain: bool
    look: Look
    names: Sequence[str] = ()
    beginning: Beginning | None = None

    @classmethod
    def of(cls, pipeline: Pipeline, costs: Sequence[LayerCost] = (), look: Look | None = None) -> Preview:
        """Draw the paths and, unless they are known, look at the data and measure one module of each layer.

        Raises:
            InputError: files of the data that are there and cannot be read.
        """
        look = look or look_at(pipeline.data.kind, pipeline.data.options, files=True)
        spec, classes, certain = input_of(pipeline.data.kind, pipeline.data.encoding, look)
        seed = pipeline.seeds[0]
        backbone, routing = blueprint(pipeline, spec, classes)
        costs = costs or measure_layers(modular_layers(backbone), spec, find_precision(pipeline))
        paths = routing.sample(stream(seed, "paths")).tolist()
        parts = _parts(pipeline, look)
        rows = parts[0] if parts else None
        subsets = divided(pipeline, rows or 2 * pipeline.method.students)
        mean = forecast(pipeline, routing, subsets.group_of, costs, seed, find_device(pipeline.run.device))
        aggregator = count_parameters(build_aggregator(pipeline, backbone, routing, costs, seed))
        group = max(subsets.sizes) if rows else None
        sizes = pipeline, paths, routing.modules, costs, aggregator, group
        return cls(*sizes, mean, spec, classes, certain, look, backbone.names, try_weights(pipeline))

    def shares(self, processes: int) -> Shares:
        """Return what so many processes will each have to do.

        Raises:
            InputError: they cannot divide it.
        """
        group_of, device = _fewest_subsets(self.pipeline).group_of, find_device(self.pipeline.run.device)
        sizes = self.routes, self.modules, group_of, self.costs
        return shares(self.pipeline, *sizes, device, processes, self.frozen)

    @property
    def parameters(self) -> int:
        """All that is trained: the modules, and what weighs the imitated students."""
        return self._trained(self.modules)

    @property
    def parameters_used(self) -> int:
        """The same without modules that lie on no path."""
        return self._trained([len(set(column)) for column in zip(*self.paths, strict=True)])

    @property
    def parameters_student(self) -> int:
        """The parameters of one student."""
        return sum(cost.parameters for cost in self.costs)

    @property
    def iterations(self) -> int | None:
        """Iterations per epoch, if the number of rows is known; a last batch of a single row is left out."""
        if self.group is None:
            return None
        return self.pipeline.run.passes_per_epoch * iterations_of_a_pass(self.group, self.pipeline.optim.batch_size)

    @cached_property
    def routes(self) -> RouteTable:
        """The paths with the running statistics of each student."""
        return routes_of(self.pipeline, self.paths, _fewest_subsets(self.pipeline).group_of, self.costs)

    @cached_property
    def work(self) -> float:
        """Multiply-adds of an iteration.

        Raises:
            InputError: a frozen teacher that is not there.
        """
        groups = len(_fewest_subsets(self.pipeline).sizes)
        return self.forecast.multiply_adds + groups * self.pipeline.optim.batch_size * self.frozen

    @cached_property
    def frozen(self) -> float:
        """Multiply-adds of the frozen teachers for one sample.

        Raises:
            InputError: one that is not there.
        """
        return frozen_work(self.pipeline, self.spec, self.routes, self.costs)

    @property
    def forward_passes(self) -> float:
        """How often a student runs a batch, per epoch or, if its iterations are not known, per iteration."""
        return (self.iterations or 1) * (self.forecast.own + self.forecast.imitated)

    @property
    def backward_passes(self) -> float:
        """How many of these passes run backward too."""
        return (self.iterations or 1) * self.forecast.backward

    @property
    def multiply_adds(self) -> float:
        """Work of the same time, forward and backward; shared prefixes count once, and frozen teachers count."""
        return (self.iterations or 1) * self.work

    @property
    def rows(self) -> tuple[int, int, int] | None:
        """The rows of training, holdout and test part, if they are known and there are enough."""
        return _parts(self.pipeline, self.look)

    @cached_property
    def distillation(self) -> float:
        """Multiply-adds of the distillation at the end for one sample, forward and backward; 0 if there is none."""
        if self.pipeline.distil is None:
            return 0.0
        own = sum(cost.forward + cost.backward for cost in self.costs)
        return own + distil_teachers_work(self.pipeline, self.spec, self.routes, self.costs)

    def figures(self) -> Iterator[str]:
        """Yield the figures as lines of text."""
        inputs = f"colour images of {_form(self.spec.shape[1:])} in " if self.spec.modality == "image" else ""
        guess = "" if self.certain else f" (for {inputs}two classes; the files decide)"
        yield from self._data()
        yield from self._layers()
        yield from self._weights()
        yield f"parameters         {self.parameters:>13,}{guess}"
        yield f"  on a path        {self.parameters_used:>13,}"
        yield f"  of one student   {self.parameters_student:>13,}"
        yield from self._work()
        yield from self._memory()
        yield from self._statistics()

    def _trained(self, modules: Sequence[int]) -> int:
        counts = follow(modules, len(self.costs))
        return self.aggregator + sum(count * cost.trained for count, cost in zip(counts, self.costs, strict=True))

    def _data(self) -> Iterator[str]:
        parts = self.rows
        if not parts or not self.certain:
            return
        train, holdout, test = parts
        share = f"{holdout / (train + holdout):.1%} of the training part"
        yield f"training rows      {train:>13,} in {self.classes} classes, inputs of {_form(self.spec.shape)}"
        yield f"  of the holdout   {holdout:>13,} = {'the validation part' if self.look.holdout else share}"
        yield f"  of the test part {test:>13,}"

    def _layers(self) -> Iterator[str]:
        """Yield a table of the layers, if they have names; of one module and one sample."""
        if not self.names:
            return
        yield "layer   parameters  multiply-adds    kept KiB        output  holds"
        for number, (name, cost) in enumerate(zip(self.names, self.costs, strict=True)):
            figures = f"{cost.parameters:>12,} {cost.forward:>14,} {cost.kept / 1024:>11,.1f}"
            yield f"{number:>5} {figures} {_form(cost.output):>13}  {name}"

    def _weights(self) -> Iterator[str]:
        """Yield what the pool begins with, and what of it does not learn."""
        if self.beginning is not None:
            yield from self.beginning.lines(self.spec)
        elif self.pipeline.backbone.weights is not None:
            yield f"weights from {self.pipeline.backbone.weights}, which cgl run fetches"
        if frozen := sum(cost.parameters for cost in self.costs if cost.frozen):
            yield f"frozen             {frozen:>13,} parameters more, of {self.pipeline.optim.frozen_layers} layers"

    def _work(self) -> Iterator[str]:
        mean, size, iterations = self.forecast, self.pipeline.optim.batch_size, self.iterations
        if iterations is None:
            yield "iterations         as many per epoch as the files give rows"
        else:
            yield f"iterations         {iterations:>13,} per epoch: {self.group:,} rows a student, {size} at a time"
            yield f"student passes     {self.forward_passes:>13,.0f} per epoch, of {size} rows: {mean.own} own and"
            yield f"                                 {mean.imitated:.2f} imitated in an iteration, on average"
            yield f"multiply-adds      {self.multiply_adds:>13.3g} per epoch, forward and backward"
        if (distil := self.pipeline.distil) is not None:
            yield f"distillation       {distil.epochs:>13,} epochs more, of one student; {distil.teacher!r} teaches:"
            yield f"                   {self.distillation:>13.3g} multiply-adds a sample, forward and backward"
        saved = 1 - mean.multiply_adds / mean.without_sharing
        students = self.work / mean.alone
        yield f"  of an iteration  {self.work:>13.3g} = {students:.2f} times that of one student alone;"
        yield f"                                 shared prefixes save {saved:.1%}"

    def _memory(self) -> Iterator[str]:
        mean, mib = self.forecast, 2**20
        yield f"memory             {(mean.weights + mean.kept) / mib:>13,.0f} MiB beside program and data:"
        yield f"  weights          {mean.weights / mib:>13,.0f} MiB with gradients, optimizer and selected copy"
        chunk = f"{mean.batches_per_chunk} {'batch' if mean.batches_per_chunk == 1 else 'batches'} at a time"
        yield f"  activations      {mean.kept / mib:>13,.0f} MiB, {chunk} (run.batches_per_chunk)"

    def _statistics(self) -> Iterator[str]:
        """Yield a note on running statistics that the training is too short for."""
        if self.iterations is None or self.beginning is not None:
            return
        groups, epochs = _fewest_subsets(self.pipeline).group_of, self.pipeline.run.epochs
        if found := unsettled(self.costs, self.routes, groups, epochs * self.iterations):
            yield f"note: {found}"


def _form(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _parts(pipeline: Pipeline, look: Look) -> tuple[int, int, int] | None:
    """Tell the rows of training, holdout and test part, where they are known and there are enough."""
    with suppress(InputError):
        return look.rows(pipeline.data.holdout, pipeline.data.limit, pipeline.data.test_limit)
    return None


def _fewest_subsets(pipeline: Pipeline) -> Subsets:
    """Divide as few rows as can be divided, where only the groups count."""
    return divided(pipeline, 2 * pipeline.method.students)
