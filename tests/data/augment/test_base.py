from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cgl_ignite.config.schema import Part
from cgl_ignite.data import AUGMENTATIONS, Batches, InputSpec, Normaliser, Subsets, build_augmentations
from cgl_ignite.data.augment import Samples, none
from cgl_ignite.data.base import Examples
from cgl_ignite.registry import Registry
from cgl_ignite.seeding import stream
from tests.data.augment.samples import samples_of

IMAGE, TEXT = InputSpec("image", (3, 5, 6)), InputSpec("text", (12,), vocabulary=20)


def inputs_of(kind: str) -> tuple[InputSpec, torch.Tensor]:
    if AUGMENTATIONS.facts(kind).get("modality") == "text":
        return TEXT, torch.randint(2, 20, (30, 12), generator=stream(1, "tokens"))
    images = torch.randint(1, 256, (30, *IMAGE.shape), dtype=torch.uint8, generator=stream(1, "images"))
    return IMAGE, images / 255 if AUGMENTATIONS.facts(kind).get("normalised") else images


@pytest.mark.parametrize("kind", AUGMENTATIONS.kinds())
def test_every_augmentation_repeats_itself_at_an_address(kind: str) -> None:
    spec, inputs = inputs_of(kind)
    augment, before = AUGMENTATIONS.get(kind)(spec), inputs.clone()
    first, again = (augment(samples_of(inputs), stream(5, "augment", 7)) for _ in range(2))
    assert first.inputs.equal(again.inputs)
    assert first.targets.equal(again.targets)
    assert (first.inputs.shape, first.inputs.dtype) == (inputs.shape, inputs.dtype)
    assert inputs.equal(before)


@pytest.mark.parametrize(
    "kind", [kind for kind in AUGMENTATIONS.kinds() if AUGMENTATIONS.facts(kind).get("modality") != "text"]
)
def test_no_augmentation_of_images_waits_for_the_device(kind: str) -> None:
    """Tensors on the meta device have no values to wait for."""
    spec, inputs = inputs_of(kind)
    samples = samples_of(inputs.to("meta"))
    changed = AUGMENTATIONS.get(kind)(spec)(replace(samples, targets=samples.targets.to("meta")), stream(5, "augment"))
    assert (changed.inputs.device.type, changed.targets.device.type) == ("meta", "meta")
    assert changed.inputs.shape == inputs.shape


def test_none_changes_nothing() -> None:
    samples = samples_of(torch.zeros(3, 1))
    assert none(IMAGE)(samples, stream(1, "augment")) is samples


def test_shares_of_labels_are_one_for_the_class() -> None:
    samples = samples_of(torch.zeros(3, 1))
    assert samples.shares.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


def test_the_two_stages_keep_their_order() -> None:
    parts = [Part(kind="cutmix"), Part(kind="none"), Part(kind="mixup")]
    for part in parts:
        type(part).option_names = ()
    raw, normalised = build_augmentations(parts, IMAGE)
    assert (len(raw), len(normalised)) == (1, 2)


def test_augmentations_follow_one_another_with_draws_of_their_own() -> None:
    """Raw inputs are doubled before they are normalised, and 1 is added afterwards; each has its own generator."""
    drawn = []

    def doubled(samples: Samples, generator: torch.Generator) -> Samples:
        drawn.append(generator.initial_seed())
        return Samples(samples.inputs * 2, *list(vars(samples).values())[1:])

    def increased(samples: Samples, generator: torch.Generator) -> Samples:
        drawn.append(generator.initial_seed())
        return Samples(samples.inputs + 1, *list(vars(samples).values())[1:])

    examples = Examples(torch.full((4, 1, 1, 1), 51, dtype=torch.uint8), torch.zeros(4).long())
    made = Batches(
        examples,
        Subsets((0,), (4,), lambda epoch: (torch.arange(4),)),
        batch_size=4,
        seed=1,
        classes=1,
        augment=[doubled],
        normaliser=Normaliser(torch.zeros(1), torch.ones(1)),
        augment_normalised=[increased],
        device="cpu",
    )
    batch = next(made.stream(0))
    assert batch.inputs.flatten().tolist() == pytest.approx([2 * 51 / 255 + 1] * 4)
    assert drawn == [stream(1, "augment", 0).initial_seed(), stream(1, "augment", 0, 1).initial_seed()]


def test_kinds_are_registered_once() -> None:
    assert isinstance(AUGMENTATIONS, Registry)
    images = {"none", "crop_flip", "mixup", "cutmix", "random_erasing", "trivial_augment", "rand_augment"}
    assert images | {"token_dropout", "word_dropout"} <= set(AUGMENTATIONS.kinds())
