"""Windows that are scaled, jitter of colours and rotations, against torchvision's functions on one image at a time."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cgl_ignite.data import InputSpec
from cgl_ignite.data.augment import Augmentation, color_jitter, random_resized_crop, rotation
from cgl_ignite.data.augment.resized_crop import draw_windows, resize_windows
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream
from tests.data.augment.one_by_one import share_of_other_pixels, tv
from tests.data.augment.samples import changed_inputs, samples_of

SHAPES = [(3, 20, 32), (1, 17, 9), (3, 16, 16)]
WHOLE = {"area": (0.08, 1.0), "ratio": (0.75, 1.333)}


def pictures(count: int, shape: tuple[int, ...]) -> Tensor:
    """Random images, the second one grey, the third of one colour."""
    images = torch.randint(256, (count, *shape), dtype=torch.uint8, generator=stream(1, "images"))
    images[1] = images[1, :1]
    images[2] = images[2, :, :1, :1]
    return images


def scaled(image: Tensor, window: list[int], mirror: bool) -> Tensor:
    top, left, height, width = window
    cut = image[None, :, top : top + height, left : left + width].float()
    large = F.interpolate(cut, size=image.shape[-2:], mode="bilinear", align_corners=False)[0]
    return large.flip(-1) if mirror else large


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_windows_are_scaled_as_interpolate_scales_them_one_by_one(shape: tuple[int, ...]) -> None:
    images, draws = pictures(60, shape), stream(2, "windows")
    windows = draw_windows(60, *shape[1:], **WHOLE, generator=draws)
    mirror = torch.rand(60, generator=draws) < 0.5
    changed = resize_windows(images, windows, mirror)
    rows = zip(images, windows.long().T.tolist(), mirror.tolist(), strict=True)
    expected = torch.stack([scaled(*row) for row in rows])
    assert (changed.shape, changed.dtype) == (images.shape, torch.uint8)
    assert (changed - expected).abs().max() <= 0.5 + 1e-3


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_torchvisions_resized_crop_differs_by_a_level_at_most(shape: tuple[int, ...]) -> None:
    images = pictures(60, shape)
    windows = draw_windows(60, *shape[1:], **WHOLE, generator=stream(2, "windows"))
    changed = resize_windows(images, windows, torch.zeros(60, dtype=torch.bool))
    rows = zip(images, windows.long().T.tolist(), strict=True)
    expected = torch.stack([tv.resized_crop(image, *window, list(shape[1:])) for image, window in rows])
    assert (changed.int() - expected.int()).abs().max() <= 1


def test_the_whole_image_stays_as_it_is() -> None:
    images = pictures(4, (3, 20, 32))
    augment = random_resized_crop(InputSpec("image", (3, 20, 32)), area=(1, 1), ratio=(20 / 32, 20 / 32), flip=False)
    assert changed_inputs(augment, images).equal(images)


def test_windows_have_the_area_and_the_ratio_asked_for_anywhere_in_the_image() -> None:
    top, left, height, width = draw_windows(5000, 100, 200, (0.1, 0.5), (0.5, 2.0), stream(1, "windows"))
    assert (top >= 0).all() and (top + height <= 100).all() and (left >= 0).all() and (left + width <= 200).all()
    share, ratio = height * width / 20_000, height / width
    assert 0.095 < share.min() < 0.11 and 0.45 < share.max() < 0.51
    assert 0.48 < ratio.min() < 0.52 and ratio.max() > 1.7
    assert {0.0} < {*top.tolist()} and 100 in (top + height).tolist() and 200 in (left + width).tolist()


def test_a_window_that_never_fits_is_the_largest_one_in_the_middle() -> None:
    """Squares of the area of an image that is twice as wide as high."""
    windows = draw_windows(5, 10, 21, (1.0, 1.0), (1.0, 1.0), stream(1, "windows"))
    assert windows.T.tolist() == [[0, 5, 10, 10]] * 5
    windows = draw_windows(5, 20, 10, (1.0, 1.0), (0.5, 0.5), stream(1, "windows"))
    assert windows.T.tolist() == [[7, 0, 5, 10]] * 5


JITTERS = {"brightness": tv.adjust_brightness, "contrast": tv.adjust_contrast, "saturation": tv.adjust_saturation}


def jittered(image: Tensor, order: list[int], drawn: list[float], strengths: dict[str, float]) -> Tensor:
    for place in order:
        name = [*strengths][place]
        if name == "hue":
            image = tv.adjust_hue(image, strengths[name] * drawn[place])
        else:
            lowest, highest = max(0.0, 1 - strengths[name]), 1 + strengths[name]
            image = JITTERS[name](image, lowest + (highest - lowest) * (drawn[place] + 1) / 2)
    return image


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "strengths", [{"brightness": 0.4, "contrast": 1.5, "saturation": 0.4}, {"hue": 0.5}, {"contrast": 0.3, "hue": 0.1}]
)
def test_colours_change_as_torchvision_changes_them_one_by_one(
    strengths: dict[str, float], shape: tuple[int, ...]
) -> None:
    images, off = pictures(60, shape), dict.fromkeys(("brightness", "contrast", "saturation"), 0.0)
    changed = changed_inputs(color_jitter(InputSpec("image", shape), **off | strengths), images)
    generator = stream(1, "augment")
    orders = torch.rand(60, len(strengths), generator=generator).argsort(1).tolist()
    draws = (2 * torch.rand(60, len(strengths), generator=generator) - 1).tolist()
    rows = zip(images, orders, draws, strict=True)
    expected = torch.stack([jittered(*row, strengths) for row in rows])
    assert share_of_other_pixels(changed, expected) < 0.01
    assert (changed.int() - expected.int()).abs().max() <= (1 if len(strengths) == 1 else 4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rotations_are_torchvisions(shape: tuple[int, ...]) -> None:
    images = pictures(60, shape)
    changed = changed_inputs(rotation(InputSpec("image", shape), degrees=40.0), images)
    angles = (40 * (2 * torch.rand(60, generator=stream(1, "augment")) - 1)).tolist()
    expected = torch.stack([tv.rotate(image, angle) for image, angle in zip(images, angles, strict=True)])
    assert share_of_other_pixels(changed, expected) < 0.01
    assert min(angles) < -35 and max(angles) > 35


BUILDERS = [random_resized_crop, color_jitter, rotation]


@pytest.mark.parametrize("build", BUILDERS)
def test_an_address_always_gives_the_same_images(build) -> None:
    images, augment = pictures(8, (3, 12, 10)), build(InputSpec("image", (3, 12, 10)))
    before = images.clone()
    assert changed_inputs(augment, images, 1).equal(changed_inputs(augment, images, 1))
    assert not changed_inputs(augment, images, 1).equal(changed_inputs(augment, images, 2))
    assert images.equal(before)


def test_crops_are_mirrored_in_every_other_pass_if_asked_to() -> None:
    spec = InputSpec("image", (1, 6, 9))
    augment: Augmentation = random_resized_crop(spec, area=(1, 1), ratio=(6 / 9, 6 / 9), flip="alternating")
    images = pictures(50, spec.shape)
    first, second = (augment(samples_of(images, passed=n), stream(n, "augment")).inputs for n in range(2))
    assert second.equal(first.flip(-1))


@pytest.mark.parametrize("build", BUILDERS)
def test_they_are_for_images_alone(build) -> None:
    with pytest.raises(InputError, match=r"data\.augment\.kind: '\w+'.*text"):
        build(InputSpec("text", (100,)))


def test_options_that_make_no_sense_are_refused() -> None:
    spec = InputSpec("image", (3, 8, 8))
    with pytest.raises(InputError, match=r"data\.augment\.area.*\[0\.5, 0\.1\]"):
        random_resized_crop(spec, area=(0.5, 0.1))
    with pytest.raises(InputError, match=r"data\.augment.*all 0"):
        color_jitter(spec, brightness=0, contrast=0, saturation=0)
    with pytest.raises(InputError, match="1 or 3 channels"):
        color_jitter(InputSpec("image", (2, 8, 8)))
