"""Mixed images and the shares of their classes."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from cgl_ignite.data import InputSpec
from cgl_ignite.data.augment import cutmix, mixup
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream
from tests.data.augment.samples import CLASSES, samples_of

SPEC = InputSpec("image", (2, 6, 8))


def numbered(count: int) -> torch.Tensor:
    """Images whose pixels all are the number of their row, float32."""
    return torch.arange(count).float().view(-1, 1, 1, 1).expand(-1, *SPEC.shape).clone()


@given(st.sampled_from([mixup, cutmix]), st.integers(1, 40), st.floats(0.1, 3), st.integers(0, 50))
def test_shares_sum_to_one_and_count_what_is_in_the_image(builder, count, alpha, seed) -> None:
    """Every image is one-hot coloured by its class, so the mean of its channels must be its shares."""
    spec = InputSpec("image", (CLASSES, 6, 8))
    samples = samples_of(torch.zeros(count, 1))
    images = samples.shares.view(count, CLASSES, 1, 1).expand(-1, -1, 6, 8).clone()
    mixed = builder(spec, alpha=alpha, probability=1.0)(samples_of(images), stream(seed, "augment"))
    assert mixed.targets.sum(1).tolist() == pytest.approx([1.0] * count)
    assert torch.allclose(mixed.inputs.mean(dim=(2, 3)), mixed.targets, atol=1e-6)


def test_mixup_blends_as_the_formula_says() -> None:
    """Image i has level i: λ i + (1 - λ) j, with λ from NumPy's Beta and j from the permutation that is drawn."""
    images = numbered(50)
    mixed = mixup(SPEC, alpha=0.4)(samples_of(images), stream(3, "augment"))
    draws = stream(3, "augment")
    share = np.random.default_rng(int(torch.randint(2**62, (1,), generator=draws))).beta(0.4, 0.4, 50)
    torch.rand(50, generator=draws)
    other = torch.randperm(50, generator=draws).numpy()
    expected = share * np.arange(50) + (1 - share) * other
    assert mixed.inputs[:, 0, 0, 0].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert mixed.inputs.equal(mixed.inputs[:, :1, :1, :1].expand_as(mixed.inputs))


def test_cutmix_pastes_one_rectangle() -> None:
    images = numbered(200)
    mixed = cutmix(SPEC, probability=1.0)(samples_of(images), stream(1, "augment")).inputs[:, 0]
    seen = 0
    for row, image in enumerate(mixed):
        pasted = image != row
        lines, columns = pasted.any(1), pasted.any(0)
        assert pasted.equal(lines[:, None] & columns[None, :])
        assert len(image[pasted].unique()) <= 1
        seen += bool(pasted.any())
    assert seen > 150


@pytest.mark.parametrize("builder", [mixup, cutmix])
def test_the_share_of_mixed_images(builder) -> None:
    images = numbered(2000)
    mixed = builder(SPEC, alpha=1.0, probability=0.25)(samples_of(images), stream(1, "augment"))
    changed = (mixed.inputs != images).flatten(1).any(1)
    assert 400 < changed.sum() < 520
    assert mixed.targets[~changed].max(dim=1).values.eq(1).all()


@pytest.mark.parametrize("builder", [mixup, cutmix])
@pytest.mark.parametrize(("partners", "crossed"), [("group", False), ("all", True)])
def test_partners_come_from_the_students_own_rows_or_from_all(builder, partners: str, crossed: bool) -> None:
    images = torch.tensor([0.0] * 30 + [1.0] * 20).view(-1, 1, 1, 1).expand(-1, *SPEC.shape).clone()
    samples = samples_of(images, sizes=(30, 0, 20))
    mixed = builder(SPEC, alpha=1.0, probability=1.0, partners=partners)(samples, stream(1, "augment"))
    assert bool((mixed.inputs != images).any()) == crossed


def test_the_mean_share_of_cutmix_is_that_of_its_beta() -> None:
    """With α = 1 an image keeps half of its pixels on average, and more because rectangles are cut off."""
    mixed = cutmix(SPEC, probability=1.0)(samples_of(numbered(4000)), stream(1, "augment"))
    own = mixed.targets.max(dim=1).values
    assert 0.6 < own.mean() < 0.85


@pytest.mark.parametrize(("kind", "builder"), [("mixup", mixup), ("cutmix", cutmix)])
def test_texts_are_not_mixed(kind: str, builder) -> None:
    with pytest.raises(InputError, match=f"'{kind}' is for images, the data set holds text"):
        builder(InputSpec("text", (9,), vocabulary=5))
