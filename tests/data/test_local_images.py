from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from cgl_ignite.data import local_images
from cgl_ignite.errors import InputError

NOWHERE = Path("/nowhere")
RED, BLUE = (255, 0, 0), (0, 0, 255)


def paint(path: Path, colour: tuple[int, int, int] | int = RED, size: tuple[int, int] = (4, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(path)


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


def test_folders_train_and_test_are_the_parts(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 2), ("val", 1)):
        for name, colour in (("rose", RED), ("violet", BLUE)):
            for number in range(count):
                paint(tmp_path / part / name / f"{number}.png", colour)
    source = local_images(NOWHERE, path=str(tmp_path))
    assert source.train.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.test().targets.tolist() == [0, 0, 1, 1]


def test_test_images_are_opened_only_when_asked_for(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("rose", "violet"):
            paint(tmp_path / part / name / "0.png")
    (tmp_path / "test" / "rose" / "0.png").write_bytes(b"no image")
    source = local_images(NOWHERE, path=str(tmp_path))
    with pytest.raises(InputError, match=r"test/rose/0\.png cannot be read as an image"):
        source.test()


def test_a_class_may_be_missing_in_test_but_not_in_train(tmp_path: Path) -> None:
    for name in ("train/rose", "train/violet", "test/violet"):
        paint(tmp_path / name / "0.png")
    assert local_images(NOWHERE, path=str(tmp_path)).test().targets.tolist() == [1]
    paint(tmp_path / "test" / "tulip" / "0.png")
    with pytest.raises(InputError, match=r"class 'tulip' is not in .*train, which holds 'rose' or 'violet'"):
        local_images(NOWHERE, path=str(tmp_path))


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


def test_a_missing_folder_shows_the_layout(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        local_images(NOWHERE, path=str(tmp_path / "flowers"))
    text = str(caught.value)
    assert f"data.path: there is no folder {tmp_path / 'flowers'}" in text
    assert "flowers/train/daisy/001.jpg" in text
    assert "flowers/daisy/001.jpg" in text


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "holds 0 class folders, at least 2"),
        (("0.png",), "holds 0 class folders"),
        (("rose/0.png",), "holds 1 class folder, at least 2"),
        (("rose/0.png", "violet/notes.txt"), r"violet holds no image \(\.jpg"),
        (("train/rose/0.png", "train/violet/0.png"), "has no folder .*test beside it"),
        (("train/rose/0.png", "test/rose/0.png"), "train holds 1 class folder"),
        (("train/a/0.png", "train/b/0.png", "test/0.png"), "test holds no class folder"),
        (("train/a/0.png", "train/b/0.png", "test/b/notes.txt"), "test/b holds no image"),
        (("rose/0.png", "rose/1.png", "violet/0.png", "violet/1.png"), "data.test_fraction"),
    ],
)
def test_faults_of_the_layout_are_explained(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    for name in files:
        paint(tmp_path / name) if name.endswith("png") else (tmp_path / name).parent.mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        local_images(NOWHERE, path=str(tmp_path), test_fraction=0.9)


def test_an_unreadable_image_is_named(flowers: Path) -> None:
    for image in (flowers / "rose").glob("*.png"):
        image.write_bytes(image.read_bytes()[:40])
    with pytest.raises(InputError, match=r"rose/\d\.png cannot be read as an image"):
        local_images(NOWHERE, path=str(flowers))


def test_more_than_eight_bits_a_channel_are_refused(flowers: Path) -> None:
    for image in (flowers / "rose").glob("*.png"):
        Image.new("I;16", (4, 4)).save(image)
    with pytest.raises(InputError, match=r"rose/\d\.png holds pixels of mode 'I;16'"):
        local_images(NOWHERE, path=str(flowers))


def test_the_test_part_is_the_same_in_every_run(flowers: Path) -> None:
    first, again = (local_images(NOWHERE, path=str(flowers)).test() for _ in range(2))
    assert first.inputs.equal(again.inputs)
    assert first.targets.equal(again.targets)
