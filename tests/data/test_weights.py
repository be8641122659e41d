"""Weights of rows: their scale, students that would learn nothing, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cgl_ignite.data import Examples, InputSpec
from cgl_ignite.data.augment import cutmix, mixup
from cgl_ignite.data.subsets import disjoint
from cgl_ignite.data.weights import describe_weights, refuse_zero_weights, scale_weights
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream
from tests.data.augment.samples import CLASSES, samples_of


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-300, 1e300)), min_size=1, max_size=50))
def test_scaled_weights_have_the_mean_one_and_keep_their_ratios(weights: list[float]) -> None:
    exact = torch.tensor(weights, dtype=torch.float64)
    if not exact.any():
        with pytest.raises(InputError, match="training rows are 0"):
            scale_weights(exact)
        return
    scaled = scale_weights(exact)
    assert scaled.mean().item() == pytest.approx(1, rel=1e-5)
    ratios = exact / exact.max()
    torch.testing.assert_close(scaled / scaled.max(), ratios.float(), rtol=1e-5, atol=1e-30)


def test_a_student_whose_rows_all_weigh_nothing() -> None:
    subsets = disjoint(torch.zeros(20).long(), 4, 1)
    weights = torch.ones(20)
    weights[subsets.groups(0)[2]] = 0
    with pytest.raises(InputError, match=r"data\.weight: the weights of all rows in the sub-set of student 2 are 0"):
        refuse_zero_weights(weights, subsets)
    weights[subsets.groups(0)[2][0]] = 1
    refuse_zero_weights(weights, subsets)


def test_what_is_said() -> None:
    """(1 + 3)² / (1 + 9) = 1.6 rows."""
    assert describe_weights(torch.tensor([1.0, 3.0])) == (
        "the 2 training rows count like 2 of equal weight (data.weight)"
    )
    assert "count like 10 of equal" in describe_weights(torch.ones(10))


def test_chosen_rows_keep_their_weights() -> None:
    rows = Examples(torch.zeros(3, 1, 1, 1), torch.arange(3), weights=torch.tensor([5.0, 6.0, 7.0]))
    chosen = rows.take(torch.tensor([2, 0, 2])).weights
    assert chosen is not None
    assert chosen.tolist() == [7, 5, 7]


@given(st.sampled_from([mixup, cutmix]), st.integers(0, 50))
def test_both_labels_of_a_mixed_image_count_by_the_weight_of_their_row(builder, seed: int) -> None:
    """w y = λ w1 y1 + (1 - λ) w2 y2: told by mixing images whose pixels are w1 y1 and w2 y2."""
    spec = InputSpec("image", (CLASSES, 6, 8))
    weights = torch.rand(30, generator=stream(seed, "weights")) * (torch.arange(30) % 5 > 0)
    plain = samples_of(torch.zeros(30, 1))
    images = (plain.shares * weights.unsqueeze(1)).view(30, CLASSES, 1, 1).expand(-1, -1, 6, 8).clone()
    samples = replace(samples_of(images), weights=weights)
    mixed = builder(spec, alpha=1.0, probability=0.7)(samples, stream(seed, "augment"))
    assert mixed.weights is not None
    torch.testing.assert_close(mixed.targets.sum(1), torch.ones(30))
    found = mixed.targets * mixed.weights.unsqueeze(1)
    torch.testing.assert_close(found, mixed.inputs.mean(dim=(2, 3)), atol=1e-6, rtol=1e-4)
    unweighted = builder(spec, alpha=1.0, probability=0.7)(samples_of(images), stream(seed, "augment"))
    assert unweighted.inputs.equal(mixed.inputs)
    alike = builder(spec, alpha=1.0, probability=0.7)(
        replace(samples_of(images), weights=torch.ones(30)), stream(seed, "augment")
    )
    torch.testing.assert_close(alike.targets, unweighted.targets)
