from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cgl_ignite.data import local_images
from cgl_ignite.data.images.look import look_at_images
from cgl_ignite.errors import InputError
from tests.data.images.paint import BLUE, RED, paint

NOWHERE = Path("/nowhere")


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Ten red roses and twenty blue violets, one of them in a folder of its own."""
    folder = tmp_path / "flowers"
    for number in range(10):
        paint(folder / "rose" / f"{number}.png", RED)
    for number in range(20):
        paint(folder / "violet" / ("deeper" if number == 7 else "") / f"{number}.bmp", BLUE)
    (folder / ".cache").mkdir()
    (folder / "rose" / "notes.txt").touch()
    return folder


def test_a_folder_per_class_is_read_and_a_part_becomes_the_test_set(flowers: Path) -> None:
    source = local_images(NOWHERE, path=str(flowers), test_fraction=0.3)
    assert source.classes == ("rose", "violet")
    assert source.spec.shape == (3, 4, 4)
    assert torch.bincount(source.train.targets).tolist() == [7, 14]
    assert torch.bincount(source.test().targets).tolist() == [3, 6]
    for examples in (source.train, source.test()):
        for image, target in zip(examples.inputs, examples.targets.tolist(), strict=True):
            assert image[:, 0, 0].tolist() == list((RED, BLUE)[target])


def paint_parts(folder: Path, **counts: int) -> Path:
    """Paint as many roses as violets in each part."""
    for part, count in counts.items():
        for name, colour in (("rose", RED), ("violet", BLUE)):
            for number in range(count):
                paint(folder / part / name / f"{number}.png", colour)
    return folder


def test_parts_are_training_holdout_and_test(tmp_path: Path) -> None:
    source = local_images(NOWHERE, path=str(paint_parts(tmp_path, Train=3, TEST=2, valid=1)))
    assert source.classes == ("rose", "violet")
    assert source.train.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.test().targets.tolist() == [0, 0, 1, 1]
    assert source.holdout is not None
    assert source.holdout().targets.tolist() == [0, 1]
    assert source.holdout().inputs[:, :, 0, 0].tolist() == [list(RED), list(BLUE)]
    assert source.notes == (f"the holdout is the validation part, {tmp_path / 'valid'}",)


def test_without_a_validation_part_there_is_no_holdout(tmp_path: Path) -> None:
    source = local_images(NOWHERE, path=str(paint_parts(tmp_path, training=3, testing=2)))
    assert (source.holdout, source.notes) == (None, ())


def test_without_a_test_part_a_share_of_the_training_part_is_the_test_set(tmp_path: Path) -> None:
    source = local_images(NOWHERE, path=str(paint_parts(tmp_path, Training=10, Dev=3)))
    assert torch.bincount(source.train.targets).tolist() == [8, 8]
    assert torch.bincount(source.test().targets).tolist() == [2, 2]
    assert source.holdout is not None
    assert len(source.holdout()) == 6
    assert source.notes[1] == f"there is no test part: 4 of 20 images of {tmp_path / 'Training'} are the test set"


def test_images_that_cannot_be_read_are_named_at_once(tmp_path: Path) -> None:
    paint_parts(tmp_path, train=7, val=3, test=3)
    bad = [tmp_path / part / "rose" / f"{number}.png" for part in ("train", "val", "test") for number in range(1, 3)]
    bad += [tmp_path / "train" / "violet" / f"{number}.png" for number in range(6)]
    for path in bad:
        path.write_bytes(b"no image")
    bad[2].write_bytes(b"")
    with pytest.raises(InputError) as caught:
        local_images(NOWHERE, path=str(tmp_path))
    lines = str(caught.value).splitlines()
    assert len(lines) == 12
    assert lines[10:] == ["and 2 more", "data.skip_bad = true leaves out what cannot be read"]
    shown = {line.split(" cannot be read as an image: ")[0] for line in lines[:10]}
    assert len(shown) == 10
    assert shown < set(map(str, bad))


def test_bad_images_can_be_left_out(tmp_path: Path) -> None:
    paint_parts(tmp_path, train=4, val=2, test=2)
    for name in ("train/rose/1.png", "val/rose/0.png", "test/violet/1.png"):
        (tmp_path / name).write_bytes(b"no image")
    source = local_images(NOWHERE, path=str(tmp_path), skip_bad=True)
    assert source.holdout is not None
    counts = [len(part) for part in (source.train, source.holdout(), source.test())]
    assert counts == [7, 3, 3]
    assert source.train.targets.tolist() == [0, 0, 0, 1, 1, 1, 1]
    first = sorted(str(tmp_path / name) for name in ("train/rose/1.png", "val/rose/0.png", "test/violet/1.png"))
    assert [note for note in source.notes if note.startswith("3 images are left out (data.skip_bad), the first: ")]
    assert any(path in source.notes[0] for path in first)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_of_bad_images_only_is_an_error(tmp_path: Path, part: str) -> None:
    paint_parts(tmp_path, train=2, test=1)
    for path in (tmp_path / part / "violet").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(InputError, match=rf"{part}/violet: no image of this class is left by data\.skip_bad"):
        local_images(NOWHERE, path=str(tmp_path), skip_bad=True)


def test_a_folder_that_is_not_divided_is_cut_after_bad_images_are_left_out(flowers: Path) -> None:
    (flowers / "rose" / "3.png").write_bytes(b"no image")
    source = local_images(NOWHERE, path=str(flowers), test_fraction=0.5, skip_bad=True)
    assert sorted([len(source.train), len(source.test())]) == [14, 15]


def test_what_is_not_read_is_noted(flowers: Path) -> None:
    notes = local_images(NOWHERE, path=str(flowers)).notes
    assert notes == (
        "1 hidden file, system file or broken link is passed over: .cache",
        "1 file is left out, as no image that can be read: .txt",
        f"there is no test part: 6 of 30 images of {flowers} are the test set",
    )


def test_other_files_give_another_digest(flowers: Path) -> None:
    digest = local_images(NOWHERE, path=str(flowers)).digest
    assert local_images(NOWHERE, path=str(flowers)).digest == digest
    moved = flowers.rename(flowers.with_name("moved"))
    assert local_images(NOWHERE, path=str(moved)).digest == digest
    paint(moved / "rose" / "10.png", RED)
    assert local_images(NOWHERE, path=str(moved)).digest != digest
    (moved / "rose" / "10.png").rename(moved / "rose" / "11.png")
    renamed = local_images(NOWHERE, path=str(moved)).digest
    (moved / "rose" / "11.png").rename(moved / "violet" / "11.png")
    assert len({tuple(one.items()) for one in (digest, renamed, local_images(NOWHERE, path=str(moved)).digest)}) == 3


def test_a_class_may_be_missing_in_test(tmp_path: Path) -> None:
    for name in ("train/rose", "train/violet", "test/violet"):
        paint(tmp_path / name / "0.png")
    assert local_images(NOWHERE, path=str(tmp_path)).test().targets.tolist() == [1]


def test_size_scales_and_crops_all_images(tmp_path: Path) -> None:
    paint(tmp_path / "rose" / "0.png", size=(9, 5))
    paint(tmp_path / "rose" / "1.png", size=(30, 70))
    paint(tmp_path / "violet" / "0.png", size=(6, 6))
    paint(tmp_path / "violet" / "1.png", size=(2, 2))
    source = local_images(NOWHERE, path=str(tmp_path), size=6, test_fraction=0.5)
    assert source.spec.shape == (3, 6, 6)
    assert source.train.inputs[:, 0].unique().tolist() == [255]
    assert source.test().inputs.shape == (2, 3, 6, 6)


def test_images_of_different_sizes_ask_for_the_key(flowers: Path) -> None:
    paint(flowers / "rose" / "0.png", size=(5, 7))
    with pytest.raises(InputError, match=r"rose/0\.png is 5 x 7, others 4 x 4: set data\.size|others 5 x 7"):
        local_images(NOWHERE, path=str(flowers), test_fraction=0.01)


def test_the_training_part_decides_about_colour(tmp_path: Path) -> None:
    for part, colour in (("train", 100), ("test", RED)):
        for name in ("rose", "violet"):
            paint(tmp_path / part / name / "0.png", colour)
    test = local_images(NOWHERE, path=str(tmp_path)).test().inputs
    assert test.shape == (2, 1, 4, 4)
    assert test.unique().tolist() == [76], "red in grey, by ITU-R 601"


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    for name in ("rose", "violet"):
        for number in range(2):
            paint(tmp_path / name / f"{number}.png", 100 + number)
    source = local_images(NOWHERE, path=str(tmp_path), test_fraction=0.5)
    assert source.spec.shape == (1, 4, 4)
    assert source.test().inputs.shape == (2, 1, 4, 4)


def test_one_image_in_colour_makes_all_of_them_so(tmp_path: Path) -> None:
    for part in ("train", "test"):
        paint(tmp_path / part / "rose" / "0.png", 100)
        paint(tmp_path / part / "violet" / "0.png", BLUE if part == "train" else 50)
    source = local_images(NOWHERE, path=str(tmp_path))
    assert source.train.inputs[:, :, 0, 0].tolist() == [[100, 100, 100], [0, 0, 255]]
    assert source.test().inputs[:, :, 0, 0].tolist() == [[100, 100, 100], [50, 50, 50]]


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    photograph = Image.new("RGB", (8, 4), RED)
    turned = photograph.getexif()
    turned[0x0112] = 6
    for name in ("rose", "violet"):
        (tmp_path / name).mkdir()
        for number in range(2):
            photograph.save(tmp_path / name / f"{number}.jpg", exif=turned)
    assert local_images(NOWHERE, path=str(tmp_path)).spec.shape == (3, 8, 4)


def test_too_few_images_for_a_test_set(tmp_path: Path) -> None:
    paint_parts(tmp_path, **{".": 2})
    with pytest.raises(InputError, match=r"none is left to learn from after data.test_fraction = 0\.9"):
        local_images(NOWHERE, path=str(tmp_path), test_fraction=0.9)


def test_an_unreadable_image_is_named(flowers: Path) -> None:
    for image in (flowers / "rose").glob("*.png"):
        image.write_bytes(image.read_bytes()[:40])
    with pytest.raises(InputError, match=r"rose/\d\.png cannot be read as an image"):
        local_images(NOWHERE, path=str(flowers))


def test_pixels_with_fractions_are_refused(flowers: Path) -> None:
    Image.new("F", (4, 4), 0.5).save(flowers / "rose" / "deep.tif")
    with pytest.raises(InputError, match=r"deep\.tif holds pixels of mode 'F'; save it with 8 or 16 bits per channel"):
        local_images(NOWHERE, path=str(flowers))


def test_the_test_part_is_the_same_in_every_run(flowers: Path) -> None:
    first, again = (local_images(NOWHERE, path=str(flowers)).test() for _ in range(2))
    assert first.inputs.equal(again.inputs)
    assert first.targets.equal(again.targets)


def test_height_and_width(tmp_path: Path) -> None:
    for number in range(4):
        paint(tmp_path / "ab"[number % 2] / f"{number}.png", RED, size=(9 + number, 7))
    source = local_images(NOWHERE, path=str(tmp_path), size=(6, 10))
    assert source.spec.shape == (3, 6, 10)
    assert look_at_images({"path": str(tmp_path), "size": [6, 10]}, files=True).shape == (3, 6, 10)


def test_changed_pixels_are_told(tmp_path: Path) -> None:
    for number in range(4):
        place = tmp_path / "ab"[number % 2]
        place.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 4), 300 + number, np.uint16)).save(place / f"{number}.png")
    Image.new("LA", (4, 4), (0, 0)).save(place / "clear.png")
    assert local_images(NOWHERE, path=str(tmp_path)).notes[:2] == (
        "transparent pixels of 1 image become white (data.background)",
        "of 4 images with 16 bits per channel the upper 8 bits are read; they are nearly black, as no value exceeds "
        "303 of 65,535: scale them",
    )
