"""The formulas of the objective, against values worked out by hand and against their properties."""

from __future__ import annotations

import math
from itertools import pairwise

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.nn import functional as F

from cgl_ignite.objective import (
    MIXES,
    batch_mean,
    cross_entropy,
    imitation_kl,
    kl_of_losses,
    kl_of_probabilities,
    ramp_up,
    teacher_logits,
)

seeds = st.integers(0, 2**16)
temperatures = st.sampled_from([0.5, 1.0, 2.0, 3.0, 10.0])


def logits(seed: int, *shape: int, spread: float = 4.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * spread


def odds(*shares: float) -> Tensor:
    """Logits of one student on one sample that predicts these probabilities."""
    return torch.tensor(shares, dtype=torch.float64).log().view(1, 1, -1)


def test_cross_entropy_of_known_predictions() -> None:
    values = torch.cat([odds(0.5, 0.25, 0.25), odds(0.1, 0.8, 0.1)], dim=1)
    expected = torch.tensor([[math.log(4), -math.log(0.8)]], dtype=torch.float64)
    torch.testing.assert_close(cross_entropy(values, torch.tensor([[1, 1]])), expected)


@given(seeds, st.integers(1, 4), st.integers(1, 5), st.integers(2, 6))
def test_cross_entropy_is_minus_the_logarithm_of_the_label(seed: int, students: int, rows: int, classes: int) -> None:
    values = logits(seed, students, rows, classes)
    targets = torch.randint(classes, (students, rows), generator=torch.Generator().manual_seed(seed))
    found = cross_entropy(values, targets)
    assert found.shape == (students, rows)
    for student in range(students):
        for row in range(rows):
            probability = values[student, row].softmax(0)[targets[student, row]]
            assert found[student, row].item() == pytest.approx(-math.log(probability), abs=1e-9)


WEIGHTS = torch.tensor([3.0, 1.0, 0.5])


def test_class_weights_by_hand() -> None:
    """A sample counts by its label: 3 ln 2 and ln 4."""
    values = torch.cat([odds(0.5, 0.25, 0.25)] * 2, dim=1)
    found = cross_entropy(values, torch.tensor([[0, 1]]), class_weights=WEIGHTS)
    torch.testing.assert_close(found, torch.tensor([[3 * math.log(2), math.log(4)]], dtype=torch.float64))


@given(seeds, st.sampled_from([0.0, 0.1, 0.5]))
def test_a_mixed_sample_counts_by_its_shares_of_both_labels(seed: int, smoothing: float) -> None:
    """Weighted and mixed is 0.3 of the loss of one label and 0.7 of that of the other, whatever is smoothed."""
    values = logits(seed, 2, 4, 3)
    alone = [cross_entropy(values, torch.full((2, 4), label), smoothing) for label in range(3)]
    shares = torch.tensor([0.3, 0.0, 0.7]).expand(2, 4, 3)
    found = cross_entropy(values, shares, smoothing, WEIGHTS)
    torch.testing.assert_close(found, 0.3 * 3.0 * alone[0] + 0.7 * 0.5 * alone[2], rtol=1e-6, atol=1e-6)
    hard = cross_entropy(values, torch.full((2, 4), 1), smoothing, WEIGHTS)
    torch.testing.assert_close(hard, alone[1])


def test_rows_of_padding_have_no_label_and_count_nothing() -> None:
    values = odds(0.5, 0.25, 0.25)
    assert cross_entropy(values, torch.zeros(1, 1, 3), 0.1, WEIGHTS).tolist() == [[0.0]]


def test_smoothed_labels_by_hand() -> None:
    """Probabilities 1/2, 1/4, 1/4: 0.8 of -ln 1/2, and a tenth of the sum of all three."""
    expected = 0.7 * math.log(2) + 0.1 * (math.log(2) + 2 * math.log(4))
    assert cross_entropy(odds(2, 1, 1), torch.tensor([[0]]), 0.3).item() == pytest.approx(expected)


def test_shares_of_two_classes_by_hand() -> None:
    shares = torch.tensor([[[0.25, 0.75, 0.0]]])
    expected = 0.25 * math.log(2) + 0.75 * math.log(4)
    assert cross_entropy(odds(2, 1, 1), shares).item() == pytest.approx(expected)
    smoothed = 0.7 * expected + 0.1 * (math.log(2) + 2 * math.log(4))
    assert cross_entropy(odds(2, 1, 1), shares, 0.3).item() == pytest.approx(smoothed)


@given(seed=seeds)
def test_shares_of_one_class_are_its_label(seed: int) -> None:
    values, labels = logits(seed, 3, 5, 4), torch.arange(15).view(3, 5) % 4
    torch.testing.assert_close(cross_entropy(values, F.one_hot(labels, 4).float()), cross_entropy(values, labels))


@given(seeds, st.integers(1, 4), st.integers(1, 6))
def test_a_teacher_is_the_weighted_sum_of_units(seed: int, students: int, units: int) -> None:
    weights, values = logits(seed, students, units), logits(seed + 1, units, 3, 5)
    expected = torch.stack([sum(weights[s, u] * values[u] for u in range(units)) for s in range(students)])
    torch.testing.assert_close(teacher_logits(weights, values), expected)


def test_a_row_of_zeros_gives_zeros() -> None:
    assert not teacher_logits(torch.zeros(2, 3), torch.randn(3, 4, 5)).any()


def test_kl_of_known_predictions() -> None:
    """The first argument is the target: 3/4 ln(3/2) + 1/4 ln(1/2) one way, another value the other way."""
    target, learner = odds(0.75, 0.25), odds(0.5, 0.5)
    assert imitation_kl(target, learner, 1.0).item() == pytest.approx(0.75 * math.log(1.5) - 0.25 * math.log(2))
    assert imitation_kl(learner, target, 1.0).item() == pytest.approx(0.5 * math.log(4 / 3))


@given(seeds, temperatures)
def test_kl_to_oneself_is_zero(seed: int, temperature: float) -> None:
    values = logits(seed, 2, 3, 5)
    assert imitation_kl(values, values, temperature).abs().max() < 1e-12
    assert imitation_kl(values, values + 7, temperature).abs().max() < 1e-12


@given(seeds, temperatures)
def test_kl_is_positive(seed: int, temperature: float) -> None:
    assert (imitation_kl(logits(seed, 2, 3, 5), logits(seed + 1, 2, 3, 5), temperature) > 0).all()


@given(seeds, temperatures)
def test_the_temperature_is_squared(seed: int, temperature: float) -> None:
    target, learner = logits(seed, 2, 3, 5), logits(seed + 1, 2, 3, 5)
    plain = imitation_kl(target, learner, temperature, squared=False)
    torch.testing.assert_close(imitation_kl(target, learner, temperature), plain * temperature**2)


@given(seeds, temperatures, st.sampled_from([0.1, 2.0, 5.0]))
def test_logits_and_temperature_scale_together(seed: int, temperature: float, factor: float) -> None:
    target, learner = logits(seed, 2, 3, 5), logits(seed + 1, 2, 3, 5)
    plain = imitation_kl(target, learner, temperature, squared=False)
    scaled = imitation_kl(target * factor, learner * factor, temperature * factor, squared=False)
    torch.testing.assert_close(scaled, plain)


@given(seeds, temperatures)
def test_the_mean_over_a_batch_is_pytorchs_batchmean(seed: int, temperature: float) -> None:
    target, learner = logits(seed, 1, 6, 5), logits(seed + 1, 1, 6, 5)
    found = batch_mean(imitation_kl(target, learner, temperature, squared=False), (6,))
    student, teacher = F.log_softmax(learner[0] / temperature, -1), F.softmax(target[0] / temperature, -1)
    assert found.item() == pytest.approx(F.kl_div(student, teacher, reduction="batchmean").item())


@given(seeds, temperatures)
def test_gradient_of_kl_to_a_constant_target(seed: int, temperature: float) -> None:
    target, learner = logits(seed, 2, 3, 5), logits(seed + 1, 2, 3, 5).requires_grad_()
    imitation_kl(target, learner, temperature, squared=False).sum().backward()
    expected = ((learner / temperature).softmax(-1) - (target / temperature).softmax(-1)) / temperature
    torch.testing.assert_close(learner.grad, expected.detach())


def test_the_gradient_also_flows_into_the_teacher() -> None:
    target, learner = logits(1, 2, 3, 4).requires_grad_(), logits(2, 2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda t, z: imitation_kl(t, z, 3.0), (target, learner))
    assert target.grad is None


def test_certain_predictions_have_a_finite_kl_and_gradient() -> None:
    target, learner = torch.tensor([[[1e4, 0.0]]]), torch.tensor([[[0.0, 1e4]]]).requires_grad_()
    divergence = imitation_kl(target, learner, 1.0)
    divergence.sum().backward()
    assert divergence.item() == pytest.approx(1e4)
    torch.testing.assert_close(learner.grad, torch.tensor([[[-1.0, 1.0]]]))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), seeds)
def test_batch_mean_is_the_mean_over_what_is_no_padding(sizes: list[int], seed: int) -> None:
    values = logits(seed, len(sizes), max(sizes)).requires_grad_()
    means = batch_mean(values, tuple(sizes))
    for row, size in enumerate(sizes):
        assert means[row].item() == pytest.approx(sum(values[row, :size].tolist()) / size)
    means.sum().backward()
    expected = torch.tensor([[1 / size if i < size else 0.0 for i in range(max(sizes))] for size in sizes])
    torch.testing.assert_close(values.grad, expected.double())


def test_batch_mean_keeps_the_type() -> None:
    for sizes in ((3, 3), (3, 2)):
        assert batch_mean(torch.ones(2, 3), sizes).dtype == torch.float32


@given(st.integers(1, 300))
def test_ramp_up_over_a_range_from_the_start(end: int) -> None:
    weights = [ramp_up(epoch, 0, end) for epoch in range(end + 2)]
    assert weights[0] == pytest.approx(math.exp(-5))
    assert weights[end] == weights[end + 1] == 1.0
    assert all(before < after for before, after in pairwise(weights[: end + 1]))


@pytest.mark.parametrize(("share", "weight"), [(0.25, 0.0601), (0.5, 0.2865), (0.75, 0.7316)])
def test_ramp_up_inside_its_range(share: float, weight: float) -> None:
    assert ramp_up(round(40 * share), 0, 40) == pytest.approx(weight, abs=5e-5)
    assert ramp_up(60 + round(40 * share), 60, 100) == pytest.approx(weight, abs=5e-5)


def test_ramp_up_is_one_before_its_range_and_falls_at_its_start() -> None:
    assert [ramp_up(epoch, 3, 5) for epoch in (0, 2, 5, 6)] == [1.0] * 4
    assert ramp_up(3, 3, 5) == pytest.approx(math.exp(-5))
    assert ramp_up(4, 3, 5) == pytest.approx(math.exp(-1.25))


@pytest.mark.parametrize("at", [0, 5])
def test_an_empty_range_is_one_throughout(at: int) -> None:
    assert [ramp_up(epoch, at, at) for epoch in range(8)] == [1.0] * 8


def mixtures(seed: int, students: int, units: int, rows: int = 3, classes: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Weights that sum to 1 for each student and sample, logits of the units, logits of the students."""
    weights = logits(seed, students, units, rows).softmax(dim=1)
    return weights, logits(seed + 1, units, rows, classes), logits(seed + 2, students, rows, classes)


def kl(target: Tensor, learner: Tensor) -> float:
    return sum(float(p * math.log(p / q)) for p, q in zip(target.tolist(), learner.tolist(), strict=True))


@given(seeds, st.integers(1, 3), st.integers(1, 4), temperatures)
def test_what_is_mixed(seed: int, students: int, units: int, temperature: float) -> None:
    """Sample by sample, in terms of probabilities."""
    weights, values, own = mixtures(seed, students, units)
    found = {name: mix(weights, values, own, temperature, False) for name, mix in MIXES.items()}
    tempered, learner = (values / temperature).softmax(-1), (own / temperature).softmax(-1)
    for s in range(students):
        for b in range(own.shape[1]):
            shares = weights[s, :, b]
            mixed = (shares.unsqueeze(1) * values[:, b]).sum(0)
            expected = {
                "logits": kl((mixed / temperature).softmax(-1), learner[s, b]),
                "probabilities": kl((shares.unsqueeze(1) * tempered[:, b]).sum(0), learner[s, b]),
                "losses": sum(float(shares[u]) * kl(tempered[u, b], learner[s, b]) for u in range(units)),
            }
            for name, value in expected.items():
                assert found[name][s, b].item() == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_weights_that_are_the_same_for_all_samples_may_say_so_once(mix) -> None:
    weights, values, own = mixtures(3, 2, 4)
    constant = weights[..., :1]
    torch.testing.assert_close(
        mix(constant.squeeze(2), values, own, 3.0, True), mix(constant.expand(-1, -1, 3), values, own, 3.0, True)
    )


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_the_square_of_the_temperature_is_a_factor_of_every_mix(mix) -> None:
    given = mixtures(4, 2, 3)
    torch.testing.assert_close(mix(*given, 3.0, True), 9 * mix(*given, 3.0, False))


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_a_student_without_teachers_has_finite_gradients(mix) -> None:
    weights, values, own = (value.requires_grad_() for value in mixtures(5, 2, 3))
    nobody = weights * torch.tensor([1.0, 0.0], dtype=torch.float64).view(2, 1, 1)
    mix(nobody, values, own, 3.0, True)[0].sum().backward()
    assert all(value.grad.isfinite().all() for value in (weights, values, own) if value.grad is not None)


def test_mixed_losses_and_mixed_predictions_have_the_same_gradient_for_the_learner() -> None:
    """Their values differ by a term that only the teachers can change."""
    weights, values, own = mixtures(6, 2, 3)
    gradients = []
    for mix in (kl_of_losses, kl_of_probabilities):
        learner = own.clone().requires_grad_()
        mix(weights, values, learner, 2.0, True).sum().backward()
        gradients.append(learner.grad)
    torch.testing.assert_close(*gradients)
