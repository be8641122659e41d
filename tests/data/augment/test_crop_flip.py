from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor

from cgl_ignite.data import InputSpec
from cgl_ignite.data.augment import crop_flip
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream
from tests.data.augment.samples import changed_inputs, samples_of

SPEC = InputSpec("image", (2, 5, 6))


def images(rows: int) -> Tensor:
    return torch.randint(1, 256, (rows, *SPEC.shape), dtype=torch.uint8, generator=stream(1, "images"))


def one_by_one(inputs: Tensor, generator: torch.Generator, padding: int, flip: bool) -> Tensor:
    """The same draws, applied with slices and a loop."""
    rows, _, height, width = inputs.shape
    tops, lefts = torch.randint(2 * padding + 1, (2, rows), generator=generator).tolist()
    mirrored = torch.randint(2 if flip else 1, (rows,), generator=generator).tolist()
    changed = []
    for image, top, left, mirror in zip(inputs, tops, lefts, mirrored, strict=True):
        wide = torch.nn.functional.pad(image, (padding,) * 4)
        window = wide[:, top : top + height, left : left + width]
        changed.append(window.flip(-1) if mirror else window)
    return torch.stack(changed)


@given(rows=st.integers(1, 20), padding=st.integers(0, 4), flip=st.booleans(), seed=st.integers(0, 99))
def test_crop_flip_equals_cutting_the_windows_one_by_one(rows: int, padding: int, flip: bool, seed: int) -> None:
    inputs = images(rows)
    changed = changed_inputs(crop_flip(SPEC, padding=padding, flip=flip), inputs, seed)
    assert changed.equal(one_by_one(inputs, stream(seed, "augment"), padding, flip))
    assert changed.dtype == torch.uint8
    assert changed.is_contiguous()


def test_crop_flip_draws_for_each_sample() -> None:
    changed = changed_inputs(crop_flip(SPEC, padding=1), images(1).expand(500, -1, -1, -1))
    assert len({image.numpy().tobytes() for image in changed}) == 2 * 3 * 3


def test_without_padding_half_of_the_images_are_mirrored() -> None:
    inputs = images(2000)
    changed = changed_inputs(crop_flip(SPEC, padding=0), inputs)
    kept = (changed == inputs).flatten(1).all(1)
    assert (changed == inputs.flip(-1)).flatten(1).all(1).equal(~kept)
    assert 900 < kept.sum() < 1100


def test_crop_flip_is_for_images_alone() -> None:
    with pytest.raises(InputError, match=r"data\.augment\.kind: 'crop_flip'.*text"):
        crop_flip(InputSpec("text", (100,)))


def test_alternating_passes_show_each_image_in_both_ways() -> None:
    inputs = images(1000)
    augment = crop_flip(SPEC, padding=0, flip="alternating")
    first, second, third = (augment(samples_of(inputs, passed=n), stream(n, "augment")).inputs for n in range(3))
    mirrored = (first == inputs.flip(-1)).flatten(1).all(1)
    assert 450 < mirrored.sum() < 550
    assert second.equal(first.flip(-1))
    assert third.equal(first)


def test_alternating_follows_the_row_and_not_its_place_in_the_batch() -> None:
    inputs, augment = images(50), crop_flip(SPEC, padding=0, flip="alternating")
    order = torch.randperm(50, generator=stream(1, "order"))
    straight = augment(samples_of(inputs), stream(1, "augment")).inputs
    shuffled = augment(samples_of(inputs[order], rows=order), stream(2, "augment")).inputs
    assert shuffled.equal(straight[order])
