"""Batches with an address: an endless stream that starts at any iteration without a replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, count

import torch
from torch import Tensor

from cgl_ignite.data.augment import Augmentation, Samples
from cgl_ignite.data.balance import draw_balanced
from cgl_ignite.data.base import Examples
from cgl_ignite.data.normalise import Normaliser, PadTokens
from cgl_ignite.data.stored import loaded
from cgl_ignite.data.subsets import Subsets
from cgl_ignite.data.text.buckets import by_length
from cgl_ignite.seeding import stream

__all__ = ["Batch", "Batches", "evaluation_batches", "evaluation_order", "iterations_of_a_pass"]


@dataclass(frozen=True, eq=False)
class Batch:
    """The rows of one iteration, those of one group after those of the other.

    Shape: inputs float32 (rows, C, H, W), normalised, or token ids int64 (rows, T); targets int64 (rows,);
    ``sizes[g]`` rows belong to group g, none if it sits the iteration out. Where an augmentation mixes samples, targets
    are the shares of the classes, float32 (rows, classes); where rows have several labels, 1 for each of them. weights
    float32 (rows,) of the loss with the label, None if all rows count alike.
    """

    inputs: Tensor
    targets: Tensor
    sizes: tuple[int, ...]
    weights: Tensor | None = None


class Batches:
    """The training batches of all groups, as a function of the iteration.

    In one pass every group goes once through its rows, in an order of its own, unless classes are balanced; one that
    has no rows left sits out until the longest has finished. A last batch of a single row is left out, as it has
    no batch statistics. Inputs of different lengths are read with others of similar length.

    Args:
        examples: the training part; it is held on ``device``.
        subsets: the groups of its rows.
        batch_size: rows of one group in one iteration.
        seed: the run's seed.
        classes: their number.
        augment: changes raw inputs, one augmentation after the other, with draws addressed by the iteration.
        normaliser: turns them into floats.
        augment_normalised: changes what is normalised.
        device: where the batches are made.
        passes_per_epoch: how often an epoch goes through the rows.
        balanced: whether a pass draws as many rows of every class of a group, in the place of each row once.
    """

    def __init__(
        self,
        examples: Examples,
        subsets: Subsets,
        *,
        batch_size: int,
        seed: int,
        classes: int,
        augment: Sequence[Augmentation] = (),
        normaliser: Normaliser | PadTokens,
        augment_normalised: Sequence[Augmentation] = (),
        device: torch.device | str,
        passes_per_epoch: int = 1,
        balanced: bool = False,
    ) -> None:
        self._device = torch.device(device)
        self._lengths = examples.lengths
        self._targets = examples.targets.cpu() if balanced else None
        self._examples = examples.to(self._device)
        self._normaliser = normaliser.to(self._device)
        self._classes = classes
        self._augment, self._augment_normalised = augment, augment_normalised
        self._subsets = subsets
        self._seed = seed
        self._batch_size = batch_size
        self._passes = passes_per_epoch
        self._sizes = _sizes_of_a_pass(subsets.sizes, batch_size)
        self._ends = list(accumulate(map(sum, self._sizes)))

    @property
    def epoch_length(self) -> int:
        """Iterations of an epoch."""
        return self._passes * len(self._sizes)

    def stream(self, iteration: int) -> Iterator[Batch]:
        """Yield the batches from an iteration on, without end; the first iteration of the run is 0."""
        while True:
            passed, position = divmod(iteration, len(self._sizes))
            order = self._order(*divmod(passed, self._passes))
            for here in range(position, len(self._sizes)):
                sizes, end = self._sizes[here], self._ends[here]
                yield self._batch(order[end - sum(sizes) : end], sizes, iteration, passed)
                iteration += 1

    def _order(self, epoch: int, passed: int) -> Tensor:
        """Lay out the rows of a pass, on the CPU, in the order in which its iterations take them."""
        groups = []
        for g, rows in enumerate(self._subsets.groups(epoch)):
            generator = stream(self._seed, "shuffle", epoch, passed, g)
            groups.append(self._drawn(rows, generator))
        if self._lengths is not None:
            generator = stream(self._seed, "buckets", epoch, passed)
            order = torch.cat(by_length(groups, self._sizes, self._lengths, generator))
        else:
            taken = []
            for here, sizes in enumerate(self._sizes):
                start = here * self._batch_size
                taken += [rows[start : start + size] for rows, size in zip(groups, sizes, strict=True)]
            order = torch.cat(taken)
        return order.pin_memory() if self._device.type == "cuda" else order

    def _drawn(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Order the rows of a group for a pass."""
        if self._targets is None:
            return rows[torch.randperm(len(rows), generator=generator)]
        return draw_balanced(rows, self._targets[rows], generator)

    def _batch(self, rows: Tensor, sizes: tuple[int, ...], iteration: int, passed: int) -> Batch:
        examples = self._examples.take(rows)
        inputs, labels = loaded(examples.inputs), examples.labels
        samples = Samples(inputs, labels, self._classes, sizes, rows, passed, examples.weights)
        draws = (stream(self._seed, "augment", iteration, *([number] if number else [])) for number in count())
        for augment in self._augment:
            samples = augment(samples, next(draws))
        samples = replace(samples, inputs=self._normaliser(samples.inputs))
        for augment in self._augment_normalised:
            samples = augment(samples, next(draws))
        return Batch(samples.inputs, samples.targets, sizes, samples.weights)


def iterations_of_a_pass(rows: int, batch_size: int) -> int:
    """Count the batches of this many rows; a last one of a single row is left out.

    Example:
        >>> iterations_of_a_pass(65, 64), iterations_of_a_pass(66, 64)
        (1, 2)
    """
    full, rest = divmod(rows, batch_size)
    return full + (rest > 1)


def _sizes_of_a_pass(rows: tuple[int, ...], batch_size: int) -> list[tuple[int, ...]]:
    """Count the rows of each group in each iteration of a pass."""
    iterations = iterations_of_a_pass(max(rows), batch_size)
    left = [[min(batch_size, max(0, size - i * batch_size)) for size in rows] for i in range(iterations)]
    return [tuple(0 if size == 1 else size for size in iteration) for iteration in left]


def evaluation_order(examples: Examples) -> Tensor:
    """Return the indices of all rows as :func:`evaluation_batches` takes them.

    That is in order, those of different lengths from the shortest to the longest.
    """
    return torch.arange(len(examples)) if examples.lengths is None else examples.lengths.argsort(stable=True)


def evaluation_batches(
    examples: Examples, normaliser: Normaliser | PadTokens, batch_size: int, device: torch.device | str
) -> Iterator[Batch]:
    """Yield all rows once, in :func:`evaluation_order`, unchanged but for the normalisation, as batches of one group.

    Examples that already lie on the device are not copied.
    """
    if examples.lengths is not None:
        examples = examples.take(evaluation_order(examples))
    examples, normaliser = examples.to(device), normaliser.to(device)
    parts = zip(examples.inputs.split(batch_size), examples.labels.split(batch_size), strict=True)
    for inputs, targets in parts:
        yield Batch(normaliser(loaded(inputs)), targets, (len(targets),))
