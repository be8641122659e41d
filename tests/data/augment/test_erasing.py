"""Erased rectangles."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor

from cgl_ignite.data import InputSpec
from cgl_ignite.data.augment import random_erasing
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream
from tests.data.augment.samples import changed_inputs

SPEC = InputSpec("image", (3, 20, 30))


def images(count: int, spec: InputSpec = SPEC) -> Tensor:
    """Pixels without a zero."""
    return torch.rand(count, *spec.shape, generator=stream(1, "images")) + 1


def one_by_one(inputs: Tensor, generator: torch.Generator, probability: float) -> Tensor:
    """The same draws, applied with slices and a loop, with the options' defaults."""
    height, width = inputs.shape[-2:]
    changed = inputs.clone()
    draws = torch.rand(5, len(inputs), generator=generator).T.tolist()
    for image, (drawn, share, aspect, down, across) in zip(changed, draws, strict=True):
        area = (0.02 + (0.33 - 0.02) * share) * height * width
        ratio = math.exp(math.log(0.3) + (math.log(3.33) - math.log(0.3)) * aspect)
        h = min(max(round(math.sqrt(area * ratio)), 1), height)
        w = min(max(round(math.sqrt(area / ratio)), 1), width)
        top, left = int(down * (height - h + 1)), int(across * (width - w + 1))
        if drawn < probability:
            image[:, top : top + h, left : left + w] = 0
    return changed


@given(
    st.integers(1, 40), st.integers(1, 3), st.integers(1, 33), st.integers(1, 33), st.floats(0.01, 1), st.integers(0, 9)
)
def test_erasing_equals_cutting_the_rectangles_one_by_one(rows, channels, height, width, probability, seed) -> None:
    spec = InputSpec("image", (channels, height, width))
    inputs = images(rows, spec)
    changed = changed_inputs(random_erasing(spec, probability=probability), inputs, seed)
    assert changed.equal(one_by_one(inputs, stream(seed, "augment"), probability))


def test_a_rectangle_has_the_area_and_the_ratio_asked_for() -> None:
    """Up to half a pixel on each side."""
    options = {"probability": 1.0, "area": (0.1, 0.2), "ratio": (0.5, 2.0)}
    erased = changed_inputs(random_erasing(SPEC, **options), images(500)) == 0
    assert erased.equal(erased[:, :1].expand_as(erased))
    lines, columns = erased[:, 0].any(2), erased[:, 0].any(1)
    assert erased[:, 0].equal(lines[:, :, None] & columns[:, None, :])
    h, w = lines.sum(1), columns.sum(1)
    assert ((h + 0.5) * (w + 0.5)).min() >= 0.1 * 600
    assert ((h - 0.5) * (w - 0.5)).max() <= 0.2 * 600
    assert ((h + 0.5) / (w - 0.5)).min() >= 0.5
    assert ((h - 0.5) / (w + 0.5)).max() <= 2
    assert len(set(zip(h.tolist(), w.tolist(), strict=True))) > 40


def test_every_place_is_as_likely() -> None:
    spec = InputSpec("image", (1, 3, 4))
    augment = random_erasing(spec, probability=1.0, area=(1 / 3, 1 / 3), ratio=(1.0, 1.0))
    corners = (changed_inputs(augment, images(6000, spec)) == 0).flatten(1).int().argmax(1)
    assert corners.unique().tolist() == [0, 1, 2, 4, 5, 6]
    counts = corners.bincount()
    assert 900 < counts[counts > 0].min() <= counts.max() < 1100


@pytest.mark.parametrize(("ratio", "size"), [(100.0, (20, 2)), (0.01, (2, 30)), (1e6, (20, 1))])
def test_a_rectangle_that_does_not_fit_is_clamped(ratio: float, size: tuple[int, int]) -> None:
    augment = random_erasing(SPEC, probability=1.0, area=(0.9, 0.9), ratio=(ratio, ratio))
    erased = changed_inputs(augment, images(20))[:, 0] == 0
    assert {(int(one.any(1).sum()), int(one.any(0).sum())) for one in erased} == {size}


def test_noise_is_normal_and_fills_the_same_rectangles() -> None:
    inputs = images(400)
    plain, noisy = (changed_inputs(random_erasing(SPEC, noise=noise), inputs) for noise in (False, True))
    assert (noisy != inputs).equal(plain == 0)
    drawn = noisy[plain == 0]
    assert abs(float(drawn.mean())) < 0.02
    assert float(drawn.std()) == pytest.approx(1, abs=0.02)
    assert len(drawn.unique()) > 0.99 * len(drawn)


def test_the_share_of_images_that_lose_a_rectangle() -> None:
    erased = (changed_inputs(random_erasing(SPEC), images(2000)) == 0).flatten(1).any(1)
    assert 430 < erased.sum() < 570


def test_limits_in_the_wrong_order_and_texts_are_refused() -> None:
    with pytest.raises(InputError, match=r"data\.augment\.area: .* not \[0\.5, 0\.1\]"):
        random_erasing(SPEC, area=(0.5, 0.1))
    with pytest.raises(InputError, match=r"data\.augment\.ratio: "):
        random_erasing(SPEC, ratio=(2.0, 1.0))
    with pytest.raises(InputError, match="'random_erasing' is for images, the data set holds text"):
        random_erasing(InputSpec("text", (9,), vocabulary=5))
