from __future__ import annotations

import math

import torch

from cgl_ignite.metrics.scores import accuracy, cross_entropy

# two students, three samples, two classes; labels 0, 1, 1
LOGITS = torch.tensor([[[2.0, 1.0], [2.0, 1.0], [0.0, 3.0]], [[0.0, 1.0], [5.0, 5.5], [1.0, 0.0]]])
TARGETS = torch.tensor([0, 1, 1])


def test_accuracy_is_a_hit_in_percent_for_each_sample_and_student() -> None:
    assert accuracy(LOGITS, TARGETS).tolist() == [[100.0, 0.0], [0.0, 100.0], [100.0, 0.0]]


def test_the_mean_is_the_percentage_of_each_student() -> None:
    torch.testing.assert_close(accuracy(LOGITS, TARGETS).mean(dim=0), torch.tensor([200 / 3, 100 / 3]))


def test_cross_entropy_is_in_nats_and_never_tempered() -> None:
    found = cross_entropy(LOGITS, TARGETS)
    margins = [[1.0, -1.0], [-1.0, 0.5], [3.0, -1.0]]
    expected = [[math.log1p(math.exp(-margin)) for margin in row] for row in margins]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_uniform_predictions_cost_the_logarithm_of_the_classes() -> None:
    found = cross_entropy(torch.zeros(3, 2, 10), torch.tensor([0, 9]))
    torch.testing.assert_close(found, torch.full((2, 3), math.log(10)))
