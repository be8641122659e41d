"""The objective of rows with several labels equals one that is written out by hand, in float64, gradients included."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cgl_ignite.tasks import MULTI_LABEL
from cgl_ignite.tasks.binary import BINARY_MIXES, binary_cross_entropy, logits_of_mean

STUDENTS, NODES, ROWS, CLASSES = 2, 3, 4, 5


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return 3 * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def sigma(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def two_class_divergence(teacher: float, student: float) -> float:
    """KL of (teacher, 1 - teacher) from (student, 1 - student)."""
    return teacher * math.log(teacher / student) + (1 - teacher) * math.log((1 - teacher) / (1 - student))


def hand_divergence(mix: str, weights: list[float], logits: list[float], own: float, temperature: float) -> float:
    """The divergence of one class of one row, by the definition of each mix."""
    student = sigma(own / temperature)
    if mix == "logits":
        return two_class_divergence(
            sigma(sum(w * z for w, z in zip(weights, logits, strict=True)) / temperature), student
        )
    each = [sigma(z / temperature) for z in logits]
    if mix == "probabilities":
        return two_class_divergence(sum(w * p for w, p in zip(weights, each, strict=True)), student)
    return sum(w * two_class_divergence(p, student) for w, p in zip(weights, each, strict=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("mixed", [False, True], ids=["labels", "shares"])
def test_the_cross_entropy_and_its_gradient(smoothing: float, mixed: bool) -> None:
    logits = drawn(STUDENTS, ROWS, CLASSES).requires_grad_()
    targets = drawn(STUDENTS, ROWS, CLASSES, seed=1).sigmoid()
    targets = targets if mixed else (targets > 0.5).double()
    found = binary_cross_entropy(logits, targets, smoothing)
    found.sum().backward()
    for s in range(STUDENTS):
        for b in range(ROWS):
            total = 0.0
            for c in range(CLASSES):
                wanted = (1 - smoothing) * targets[s, b, c].item() + smoothing / 2
                p = sigma(logits[s, b, c].item())
                total -= wanted * math.log(p) + (1 - wanted) * math.log(1 - p)
                assert logits.grad[s, b, c].item() == pytest.approx((p - wanted) / CLASSES, abs=1e-12)
            assert found[s, b].item() == pytest.approx(total / CLASSES, abs=1e-12)


def test_weights_of_classes_scale_their_terms() -> None:
    logits, targets = torch.zeros(1, 1, 2), torch.tensor([[[1.0, 0.0]]])
    found = binary_cross_entropy(logits, targets, class_weights=torch.tensor([3.0, 1.0]))
    assert found.item() == pytest.approx(2 * math.log(2))


def test_the_cross_entropy_of_sure_answers_is_finite() -> None:
    found = binary_cross_entropy(torch.tensor([[[500.0, -500.0]]]), torch.tensor([[[1.0, 1.0]]]))
    assert found.item() == pytest.approx(250)


@pytest.mark.parametrize("by_row", [False, True], ids=["weights", "weights of rows"])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("mix", BINARY_MIXES)
def test_the_divergence(mix: str, temperature: float, by_row: bool) -> None:
    weights = drawn(*(STUDENTS, NODES, ROWS)[: 3 if by_row else 2], seed=2).softmax(dim=1)
    logits, own = drawn(NODES, ROWS, CLASSES, seed=3), drawn(STUDENTS, ROWS, CLASSES, seed=4)
    found = BINARY_MIXES[mix](weights, logits, own, temperature, True)
    bare = BINARY_MIXES[mix](weights, logits, own, temperature, False)
    torch.testing.assert_close(found, bare * temperature**2)
    for s in range(STUDENTS):
        for b in range(ROWS):
            chosen = (weights[s, :, b] if by_row else weights[s]).tolist()
            total = sum(
                hand_divergence(mix, chosen, logits[:, b, c].tolist(), own[s, b, c].item(), temperature)
                for c in range(CLASSES)
            )
            assert bare[s, b].item() == pytest.approx(total / CLASSES, abs=1e-10)


@pytest.mark.parametrize("mix", BINARY_MIXES)
def test_the_gradient_of_the_divergence_by_finite_differences(mix: str) -> None:
    weights, logits = drawn(STUDENTS, NODES, seed=2).softmax(dim=1), drawn(NODES, ROWS, CLASSES, seed=3)
    own = drawn(STUDENTS, ROWS, CLASSES, seed=4).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: BINARY_MIXES[mix](weights, logits, given, 2.0, True), own)


@pytest.mark.parametrize("mix", BINARY_MIXES)
def test_who_agrees_with_the_teacher_has_no_divergence(mix: str) -> None:
    own = drawn(1, ROWS, CLASSES, seed=5)
    found = BINARY_MIXES[mix](torch.ones(1, 1, dtype=torch.float64), own, own, 2.0, True)
    torch.testing.assert_close(found, torch.zeros_like(found), atol=1e-12, rtol=0)


def test_an_ensemble_is_the_mean_of_the_probabilities() -> None:
    logits = drawn(NODES, ROWS, CLASSES, seed=6)
    torch.testing.assert_close(logits_of_mean(logits).sigmoid(), logits.sigmoid().mean(dim=0))
    extreme = torch.tensor([[800.0], [-800.0]], dtype=torch.float64)
    assert logits_of_mean(extreme).item() == pytest.approx(0)


def test_predictions_are_numbered_by_their_labels() -> None:
    predicted = torch.tensor([[[1, 0], [0, 0], [1, 1]], [[1, 0], [1, 0], [0, 1]]]).bool()
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    coded = MULTI_LABEL.code(predicted, targets)
    assert coded.label_sets is not None
    assert torch.equal(coded.label_sets[coded.predicted.long()], predicted)
    assert torch.equal(coded.label_sets[coded.targets.long()], targets.bool())
    assert (coded.predicted == coded.targets).tolist() == [[True, False, False], [True, True, True]]


def test_scores_of_single_samples() -> None:
    logits = torch.tensor([[[2.0, -1.0], [2.0, 1.0]], [[-2.0, -1.0], [-2.0, 1.0]]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    scores = {name: MULTI_LABEL.scores.get(name)(logits, targets) for name in MULTI_LABEL.scores.kinds()}
    assert scores["accuracy"].tolist() == [[100.0, 0.0], [0.0, 100.0]]
    expected = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2
    assert scores["cross_entropy"][0, 0].item() == pytest.approx(expected)
    difference = sigma(2.0) - sigma(-2.0)
    assert scores["diversity"][0].tolist() == [[0.0, pytest.approx(difference)], [pytest.approx(difference), 0.0]]
