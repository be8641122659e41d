"""Evaluation counts every sample of a split once, whatever was evaluated before."""

from __future__ import annotations

import torch
from torch import nn

from cgl_ignite.data import Examples, Normaliser, PadTokens, Ragged
from cgl_ignite.engine.evaluate import ROWS, build_evaluator, evaluate
from cgl_ignite.pool import ModularNetwork


class Brightness(nn.Module):
    """Logits (0, x, 2x) of the mean level x, times the sign of this module."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.sign = nn.Parameter(torch.tensor(sign))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        level = inputs.mean(dim=(1, 2, 3))
        return self.sign * torch.stack([0 * level, level, 2 * level], dim=1)


def pool_of_opposites() -> ModularNetwork:
    signs = iter([1.0, -1.0])
    pool = ModularNetwork([lambda: Brightness(next(signs))], [2], seed=1)
    pool.route(torch.tensor([[0], [1]]), group_of=[0, 1])
    return pool


def examples(rows: int, right: int) -> Examples:
    """White images: student 0 says class 2, student 1 says class 0; ``right`` of them are labelled 2."""
    targets = torch.zeros(rows, dtype=torch.int64)
    targets[rows - right :] = 2
    return Examples(torch.full((rows, 1, 2, 2), 255, dtype=torch.uint8), targets)


def test_every_sample_counts_once_on_splits_of_any_size() -> None:
    evaluator = build_evaluator(pool_of_opposites(), torch.device("cpu"))
    normaliser = Normaliser(torch.zeros(1), torch.ones(1))
    for rows, right in ((2 * ROWS - 3, 50), (3 * ROWS + 7, 100), (5, 1)):
        scores = evaluate(evaluator, examples(rows, right), normaliser, torch.device("cpu"))
        assert scores.accuracy == [100 * right / rows, 100 * (rows - right) / rows]


def test_diversity_is_the_distance_of_the_two_predictions() -> None:
    evaluator = build_evaluator(pool_of_opposites(), torch.device("cpu"))
    scores = evaluate(evaluator, examples(10, 5), Normaliser(torch.zeros(1), torch.ones(1)), torch.device("cpu"))
    first, second = (torch.tensor([0.0, s, 2 * s]).softmax(0) for s in (1.0, -1.0))
    distance = float((first - second).norm())
    torch.testing.assert_close(torch.tensor(scores.pairwise), torch.tensor([[0, distance], [distance, 0]]))
    assert scores.diversity is not None and abs(scores.diversity - distance) < 1e-6


def test_predictions_of_every_student_on_every_sample_in_order() -> None:
    evaluator = build_evaluator(pool_of_opposites(), torch.device("cpu"))
    normaliser = Normaliser(torch.zeros(1), torch.ones(1))
    for rows in (2 * ROWS + 3, 5):
        split = examples(rows, 2)
        scores = evaluate(evaluator, split, normaliser, torch.device("cpu"))
        assert scores.predicted.tolist() == [[2] * rows, [0] * rows]
        assert scores.targets.tolist() == split.targets.tolist()


class Shortest(nn.Module):
    """Logits (1, n) of a text with n tokens: class 1 if there is more than one."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor([1.5, 0.0]))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.bias + torch.stack([torch.zeros(len(tokens)), (tokens != 0).sum(1)], dim=1)


def test_predictions_of_texts_stand_in_the_order_of_the_rows() -> None:
    """Though texts are read from the shortest to the longest."""
    lengths = torch.tensor([1, 3] * ROWS)
    starts = 1 + lengths.cumsum(0) - lengths
    texts = Ragged(torch.cat([torch.zeros(1), torch.ones(int(lengths.sum()))]).long(), starts, lengths)
    pool = ModularNetwork([Shortest], [1], seed=1)
    pool.route(torch.tensor([[0]]), group_of=[0])
    scores = evaluate(
        build_evaluator(pool, torch.device("cpu")),
        Examples(texts, (lengths > 1).long()),
        PadTokens(),
        torch.device("cpu"),
    )
    assert scores.accuracy == [100]
    assert scores.predicted.tolist() == [scores.targets.tolist()] == [[0, 1] * ROWS]
