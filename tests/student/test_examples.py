"""Test parts come in the form and with the class numbers of the student, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from cgl_ignite.data import DATASETS, Examples, prepare
from cgl_ignite.errors import InputError
from cgl_ignite.student import Chosen, read_test_part


def save_split(folder, part, examples: Examples, classes, colour=False) -> None:
    for row, (image, target) in enumerate(zip(examples.inputs, examples.targets.tolist(), strict=True)):
        path = folder / part / classes[target] / f"{row:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image[0].numpy())
        (picture.convert("RGB") if colour else picture).save(path)


@pytest.fixture
def digits(tmp_path):
    return DATASETS.get("digits")(tmp_path)


def test_the_test_part_of_a_kind(trained, digits):
    examples = read_test_part("digits", trained.card(0))
    assert torch.equal(examples.inputs, digits.test().inputs)
    assert torch.equal(examples.targets, digits.test().targets)


def test_a_limit_chooses_the_rows_that_the_run_chose(trained, digits):
    examples = read_test_part("digits", trained.card(0), limit=120)
    run = prepare(digits, holdout=50, limit=120, seed=trained.card(0).seed).test()
    assert len(examples) == 120
    assert torch.equal(examples.inputs, run.inputs)


@pytest.mark.parametrize("colour", [False, True])
def test_a_folder_per_class(trained, digits, tmp_path, colour):
    names = digits.classes
    few = digits.test().take(torch.arange(40))
    save_split(tmp_path, "test", few, names, colour)
    save_split(tmp_path, "train", digits.train.take(torch.arange(40)), names, colour)
    examples = read_test_part(str(tmp_path), trained.card(0))
    order = few.targets.argsort(stable=True)
    assert torch.equal(examples.targets, few.targets[order])
    assert torch.equal(examples.inputs, few.inputs[order])


def test_labels_follow_the_names_of_the_classes(trained, digits, tmp_path):
    card = trained.card(0, classes=tuple(reversed(digits.classes)))
    assert torch.equal(read_test_part("digits", card).targets, 9 - digits.test().targets)
    two = digits.train.take(((digits.train.targets == 3) | (digits.train.targets == 7)).nonzero()[:40, 0])
    save_split(tmp_path, "train", two, digits.classes)
    save_split(tmp_path, "test", two, digits.classes)
    assert read_test_part(str(tmp_path), trained.card(0)).targets.unique().tolist() == [3, 7]


def test_grey_images_for_a_student_of_colours(trained):
    examples = read_test_part("digits", trained.card(0, shape=(3, 8, 8)))
    assert examples.inputs.shape[1:] == (3, 8, 8)
    assert torch.equal(examples.inputs[:, 0], examples.inputs[:, 2])


def test_colours_become_grey_as_in_pillow(trained, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3), np.uint8)
    for part in ("train", "test"):
        for row, image in enumerate(pixels):
            path = tmp_path / part / str(row % 2) / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    examples = read_test_part(str(tmp_path), trained.card(0))
    expected = [np.array(Image.fromarray(pixels[row]).convert("L")) for row in (0, 2, 1, 3)]
    assert np.array_equal(examples.inputs[:, 0].numpy(), np.stack(expected))


def test_a_folder_is_cut_as_it_was_in_training(trained, digits, tmp_path):
    save_split(tmp_path, ".", digits.train.take(torch.arange(100)), digits.classes)
    options = {"path": str(tmp_path), "test_fraction": 0.5}
    card = trained.card(0, dataset=Chosen(kind="local_images", options=options))
    expected = DATASETS.get("local_images")(tmp_path, **options).test()
    for which in (str(tmp_path), "local_images"):
        assert torch.equal(read_test_part(which, card).inputs, expected.inputs)


def test_a_folder_that_the_student_was_not_trained_on_is_taken_whole(trained, digits, tmp_path):
    save_split(tmp_path, ".", digits.train.take(torch.arange(100)), digits.classes)
    assert len(read_test_part(str(tmp_path), trained.card(0))) == 100
    other = trained.card(0, dataset=Chosen(kind="local_images", options={"path": str(tmp_path / "other")}))
    assert len(read_test_part(str(tmp_path), other)) == 100
    moved = trained.card(0, dataset=Chosen(kind="local_images", options={"path": f"elsewhere/{tmp_path.name}"}))
    assert len(read_test_part(str(tmp_path), moved)) == 20


def fault_of(which, card):
    with pytest.raises(InputError) as caught:
        read_test_part(which, card)
    return str(caught.value)


def test_what_is_no_data(trained, tmp_path):
    message = fault_of("digit", trained.card(0))
    assert message.startswith("'digit' is neither a folder of images nor a data set; did you mean 'digits'?")
    assert "needs path: give the path instead" in fault_of("local_images", trained.card(0))
    assert "holds 0 class folders" in fault_of(str(tmp_path), trained.card(0))


def test_classes_of_another_world(trained):
    message = fault_of("digits", trained.card(0, classes=("zero", "1", "2")))
    assert message.startswith("the classes of digits are not those of the student: '0', '3' or '4' is unknown")
    assert message.endswith("it tells apart 'zero', '1' or '2'")
    many = trained.card(0, classes=tuple(f"class {number}" for number in range(100)))
    assert fault_of("digits", many).endswith("'class 10' or 'class 11' and 88 more")


@pytest.mark.parametrize("shape", [(1, 9, 9), (2, 8, 8), (1, 8, 4), (64,)])
def test_inputs_of_another_form(trained, shape):
    form = " x ".join(map(str, shape))
    assert fault_of("digits", trained.card(0, shape=shape)) == (
        f"digits holds inputs of 1 x 8 x 8, but the student reads {form}"
    )
