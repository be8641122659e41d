"""TrivialAugment and RandAugment, against torchvision's functions with the same draws."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cgl_ignite.data import InputSpec
from cgl_ignite.data.augment import operations, rand_augment, trivial_augment
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream
from tests.data.augment import one_by_one
from tests.data.augment.one_by_one import magnitude, share_of_other_pixels, v2
from tests.data.augment.samples import changed_inputs

NAMES = [*operations.OPERATIONS]
SHAPES = pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 12), (3, 32, 32)], ids=str)


def images(count: int, shape: tuple[int, ...]) -> Tensor:
    return torch.randint(256, (count, *shape), dtype=torch.uint8, generator=stream(1, "images"))


def changed_singly(
    inputs: Tensor, space: one_by_one.Space, bins: int, places: list[int], draws: torch.Generator
) -> Tensor:
    """One operation for each image, drawn as the augmentations draw them, done by torchvision."""
    chosen = torch.randint(len(NAMES), (len(inputs),), generator=draws).tolist()
    signs = torch.randint(2, (len(inputs),), generator=draws).tolist()
    changed = []
    for image, number, place, sign in zip(inputs, chosen, places, signs, strict=True):
        strength = magnitude(space, NAMES[number], bins, place, bool(sign), image.shape)
        changed.append(one_by_one.OPERATIONS[NAMES[number]](image, strength))
    return torch.stack(changed)


@SHAPES
@pytest.mark.parametrize("bins", [31, 5])
def test_trivial_augment_is_torchvisions_on_each_image(shape: tuple[int, ...], bins: int) -> None:
    inputs, draws = images(300, shape), stream(2, "augment")
    changed = changed_inputs(trivial_augment(InputSpec("image", shape), num_magnitude_bins=bins), inputs, 2)
    places = torch.randint(bins, (300,), generator=draws).tolist()
    expected = changed_singly(inputs, v2.TrivialAugmentWide, bins, places, draws)
    assert share_of_other_pixels(changed, expected) < 0.005
    assert share_of_other_pixels(changed, inputs) > 0.5


@SHAPES
@pytest.mark.parametrize(("number", "strength"), [(1, 9), (2, 9), (3, 30)])
def test_rand_augment_does_torchvisions_operations_in_turn(shape: tuple[int, ...], number: int, strength: int) -> None:
    inputs, expected, draws = images(300, shape), images(300, shape), stream(3, "augment")
    changed = changed_inputs(rand_augment(InputSpec("image", shape), num_ops=number, magnitude=strength), inputs, 3)
    for _ in range(number):
        expected = changed_singly(expected, v2.RandAugment, 31, [strength] * 300, draws)
    assert share_of_other_pixels(changed, expected) < 0.01
    assert share_of_other_pixels(changed, inputs) > 0.5


@pytest.mark.parametrize("builder", [trivial_augment, rand_augment])
def test_operations_magnitudes_and_signs_are_drawn_evenly(builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 14,000 images each operation gets about 1,000, of which half have each sign."""
    seen = []

    def watched(inputs: Tensor, chosen: Tensor, parameters: Tensor) -> Tensor:
        seen.append((chosen, parameters))
        return inputs

    monkeypatch.setattr(operations, "apply_each", watched)
    changed_inputs(builder(InputSpec("image", (1, 32, 32))), torch.zeros(14_000, 1, 1, 1))
    assert len(seen) == (1 if builder is trivial_augment else 2)
    for chosen, parameters in seen:
        counts = torch.bincount(chosen)
        assert len(counts) == len(NAMES)
        assert 880 < counts.min() <= counts.max() < 1120
        shears = parameters[chosen == NAMES.index("ShearX"), 1]
        assert 0.43 < (shears > 0).float().mean() < 0.57
        assert len(shears.unique()) == (2 * 30 + 1 if builder is trivial_augment else 2)
    assert builder is trivial_augment or not seen[0][0].equal(seen[1][0])


@pytest.mark.parametrize(("kind", "builder"), [("trivial_augment", trivial_augment), ("rand_augment", rand_augment)])
def test_only_grey_and_colour_images_are_changed(kind: str, builder) -> None:
    with pytest.raises(InputError, match=f"'{kind}' is for images, the data set holds text"):
        builder(InputSpec("text", (9,), vocabulary=5))
    with pytest.raises(InputError, match=f"'{kind}' is for images of 1 or 3 channels, not 4"):
        builder(InputSpec("image", (4, 8, 8)))


def test_a_magnitude_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match=r"data\.augment\.magnitude: must be less than num_magnitude_bins \(10\)"):
        rand_augment(InputSpec("image", (3, 8, 8)), magnitude=10, num_magnitude_bins=10)
