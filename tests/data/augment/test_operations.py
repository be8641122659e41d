"""Operations on batches, against torchvision's on one image after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cgl_ignite.data.augment.operations import OPERATIONS, Strongest, apply_each, parameter_table
from cgl_ignite.seeding import stream
from tests.data.augment import one_by_one
from tests.data.augment.one_by_one import magnitude, share_of_other_pixels, v2

NAMES = [*OPERATIONS]
BINS = 31
SPACES = {
    v2.TrivialAugmentWide: lambda height, width: Strongest(0.99, 32.0, 32.0, 135.0, 0.99, 6),
    v2.RandAugment: lambda height, width: Strongest(0.3, 150 / 331 * width, 150 / 331 * height, 30.0, 0.9, 4),
}
NEAREST = {"ShearX", "ShearY", "Rotate"}
"""One of two pixels that are equally near may be another one: at most one pixel in a hundred."""
BLENDS = {"Color", "Contrast", "Sharpness"}
"""May be rounded to the next level where a processor adds and multiplies in two steps: one in a hundred, too."""


def pictures(count: int, shape: tuple[int, ...]) -> Tensor:
    """Random images, some of them dark, pale or of one colour."""
    images = torch.randint(256, (count, *shape), dtype=torch.uint8, generator=stream(1, "images"))
    images[1::5] //= 9
    images[2::5] = images[2::5] // 3 + 170
    images[3::10] = images[3::10, :, :1, :1]
    return images


def table_of(space: one_by_one.Space, shape: tuple[int, ...]) -> Tensor:
    return parameter_table(SPACES[space](*shape[1:]), BINS, *shape[1:])


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 12), (3, 32, 32)], ids=str)
@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_an_operation_is_torchvisions_at_all_magnitudes(
    name: str, space: one_by_one.Space, shape: tuple[int, ...]
) -> None:
    images, number = pictures(2 * BINS, shape), NAMES.index(name)
    changed = apply_each(images, torch.full((2 * BINS,), number), table_of(space, shape)[number].flatten(0, 1))
    expected = []
    for at, image in enumerate(images):
        place, negative = divmod(at, 2)
        strength = magnitude(space, name, BINS, place, bool(negative), image.shape)
        expected.append(one_by_one.OPERATIONS[name](image, strength))
    expected = torch.stack(expected)
    assert (changed.shape, changed.dtype) == (images.shape, torch.uint8)
    assert share_of_other_pixels(changed, expected) <= (0.01 if name in NEAREST | BLENDS else 0)
    if name not in NEAREST:
        assert (changed.int() - expected.int()).abs().max() <= 1


def test_the_operations_are_torchvisions_in_their_order() -> None:
    assert NAMES == [*v2.TrivialAugmentWide._AUGMENTATION_SPACE] == [*v2.RandAugment._AUGMENTATION_SPACE]


def test_an_image_is_changed_alike_in_any_company() -> None:
    images, draws = pictures(200, (3, 8, 11)), stream(1, "draws")
    operations = torch.randint(len(NAMES), (200,), generator=draws)
    magnitudes, signs = torch.randint(BINS, (200,), generator=draws), torch.randint(2, (200,), generator=draws)
    given = table_of(v2.TrivialAugmentWide, (3, 8, 11))[operations, magnitudes, signs]
    before = images.clone()
    together = apply_each(images, operations, given)
    alone = [apply_each(images[i : i + 1], operations[i : i + 1], given[i : i + 1]) for i in range(200)]
    assert together.equal(torch.cat(alone))
    assert images.equal(before)


def test_the_border_alone_is_never_sharpened() -> None:
    images = pictures(20, (3, 2, 7))
    table = table_of(v2.TrivialAugmentWide, (3, 2, 7))[NAMES.index("Sharpness"), -1, 0].expand(20, -1)
    assert apply_each(images, torch.full((20,), NAMES.index("Sharpness")), table).equal(images)


def test_a_shift_by_the_width_leaves_nothing() -> None:
    images = pictures(2, (3, 32, 32))
    number = NAMES.index("TranslateX")
    table = table_of(v2.TrivialAugmentWide, (3, 32, 32))[number, -1]
    assert not apply_each(images, torch.full((2,), number), table).any()
