"""Train, holdout and test: which rows teach, which select, which judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from cgl_ignite.data.base import DataSource, Examples, InputSpec, Rows
from cgl_ignite.data.encoding import Preprocessing, Tokenizer, as_they_are
from cgl_ignite.data.normalise import Normaliser, PadTokens
from cgl_ignite.data.weights import scale_weights
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream

__all__ = ["Splits", "choose_stratified", "prepare", "rows_held_out"]


@dataclass(frozen=True)
class Splits:
    """The three parts of a data set; ``test`` reads its rows when called first.

    ``normaliser`` is measured on ``train`` alone; ``tokenizer``, for texts, has learned from it alone. Weights of rows,
    if the data set has some, are those of ``train``, with the mean 1.
    """

    train: Examples
    holdout: Examples
    test: Callable[[], Examples]
    classes: tuple[str, ...]
    spec: InputSpec
    normaliser: Normaliser | PadTokens
    tokenizer: Tokenizer | None = None


def prepare(
    source: DataSource,
    *,
    holdout: float | None,
    limit: int | None,
    seed: int,
    encoding: Preprocessing | None = None,
    test_limit: int | None = None,
    stratified: bool = False,
) -> Splits:
    """Cut the holdout off the training rows, after the choice of ``limit`` rows if one is asked for.

    A data set with a validation part keeps all its training rows, and that part is the holdout.

    Args:
        source: the data set as published.
        holdout: how many of the training rows select epoch and student: a number, or a share (a float below 1).
        limit: at most this many rows of train and holdout together, and at most this many of test, chosen
            at random with every class keeping its share; None takes all. Of a validation part at most this many, too.
        seed: the run's seed.
        encoding: makes the rows ready; None leaves them as they are.
        test_limit: at most this many rows of test, in the place of ``limit``.
        stratified: whether every class keeps its share in the holdout, up to less than one row.

    Raises:
        InputError: nothing would be left to learn from, naming the keys at fault; or an encoding that
            does not fit the data.
    """
    encoding = encoding or as_they_are()
    targets = encoding.targets(source.train)
    rows = _limited(targets, limit, seed, "train")
    held_out = 0 if source.holdout else rows_held_out(holdout, len(rows), limit)
    held = _held_out(targets[rows], held_out, stratified, stream(seed, "holdout"))
    train_rows = rows[~held]
    preprocessor = encoding.fit(source, train_rows)

    def read(part: Rows, rows: Tensor) -> Examples:
        return replace(preprocessor.read(part, rows), label_sets=source.label_sets, weights=None)

    train = read(source.train, train_rows)
    if source.train.weights is not None:
        train = replace(train, weights=scale_weights(source.train.weights[train_rows]))

    def whole(part: Rows, name: str, limit: int | None = limit) -> Examples:
        return read(part, _limited(encoding.targets(part), limit, seed, name))

    selecting = read(source.train, rows[held])
    return Splits(
        train=train,
        holdout=whole(source.holdout(), "holdout") if source.holdout else selecting,
        test=cache(lambda: whole(source.test(), "test", test_limit or limit)),
        classes=source.classes,
        spec=preprocessor.spec,
        normaliser=preprocessor.normaliser(train),
        tokenizer=preprocessor.tokenizer,
    )


def rows_held_out(holdout: float | None, rows: int, limit: int | None = None) -> int:
    """Tell how many of ``rows`` training rows are the holdout: a number of them, or a share (a float below 1).

    Raises:
        InputError: it is not given, or leaves nothing to learn from.

    Example:
        >>> rows_held_out(237, 1437), rows_held_out(0.1, 1437)
        (237, 144)
    """
    if holdout is None:
        raise InputError(
            "data.holdout is missing, and the data have no validation part: set a number of rows or a share"
        )
    count = max(1, round(holdout * rows)) if isinstance(holdout, float) else int(holdout)
    if count < rows:
        return count
    if limit is not None and limit <= count:
        raise InputError(
            f"data.limit = {limit} must be greater than data.holdout = {holdout}: "
            "the holdout is cut from the limited rows, and the rest is the training part"
        )
    raise InputError(f"data.holdout = {holdout} must be less than the {rows} training rows")


def _held_out(targets: Tensor, count: int, stratified: bool, generator: torch.Generator) -> Tensor:
    """Choose the rows of the holdout; where it is stratified, a class of a single row stays in the training part.

    Shape: targets (N,); result bool (N,).
    """
    held = torch.zeros(len(targets), dtype=torch.bool)
    if not stratified:
        held[torch.randperm(len(targets), generator=generator)[:count]] = True
        return held
    rows = torch.arange(len(targets))
    several = rows[targets.bincount()[targets] > 1]
    rows = several if len(several) >= count else rows
    held[rows[choose_stratified(targets[rows], count, generator)]] = True
    return held


def _limited(targets: Tensor, limit: int | None, seed: int, part: str) -> Tensor:
    if limit is None or limit >= len(targets):
        return torch.arange(len(targets))
    return choose_stratified(targets, limit, stream(seed, f"limit {part}"))


def choose_stratified(targets: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """Choose rows at random so that every class keeps its share, up to less than one row.

    The rows are shuffled, sorted by class, and taken at equal distances.

    Shape: targets (N,); result (rows,), sorted indices.

    Example:
        >>> chosen = choose_stratified(torch.tensor([0, 1] * 50), 10, stream(1, "example"))
        >>> len(chosen), int((chosen % 2).sum())
        (10, 5)
    """
    total = len(targets)
    order = torch.randperm(total, generator=generator)
    order = order[targets[order].argsort(stable=True)]
    return order[torch.arange(rows) * total // rows].sort().values
