"""Pictures of any size and colour become inputs of a student; what cannot be read is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from cgl_ignite.data import DATASETS
from cgl_ignite.errors import InputError
from cgl_ignite.student import find_pictures, read_pictures


@pytest.fixture
def grey(trained):
    return trained.card(0)


@pytest.fixture
def colour(trained):
    return trained.card(0, shape=(3, 4, 6))


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path, **options)
    return path


def ramp(height, width, *channels):
    return np.arange(height * width * max(1, *channels, 1)).reshape(height, width, *channels) % 256


def test_digits_saved_as_pictures_come_back(grey, tmp_path):
    inputs = DATASETS.get("digits")(tmp_path).test().inputs[:5]
    paths = [save(tmp_path / f"{row}.png", image[0]) for row, image in enumerate(inputs)]
    read, scaled = read_pictures(paths, grey)
    assert torch.equal(read, inputs)
    assert scaled == 0


def test_colour_becomes_grey_and_grey_becomes_colour(grey, colour, tmp_path):
    reds = np.zeros((8, 8, 3))
    reds[..., 0] = 255
    read, _ = read_pictures([save(tmp_path / "red.png", reds)], grey)
    assert read.unique().tolist() == [76]
    read, _ = read_pictures([save(tmp_path / "grey.png", ramp(4, 6))], colour)
    assert torch.equal(read[0], torch.arange(24, dtype=torch.uint8).view(4, 6).expand(3, 4, 6))


def test_other_sizes_are_scaled_and_cropped_to_the_middle(colour, tmp_path):
    bars = np.zeros((8, 24, 3))
    bars[:, 2:22] = 200
    paths = [save(tmp_path / "bars.png", bars), save(tmp_path / "fits.png", ramp(4, 6, 3))]
    read, scaled = read_pictures(paths, colour)
    assert read.shape == (2, 3, 4, 6)
    assert scaled == 1
    assert read[0].unique().tolist() == [200]
    assert torch.equal(read[1], torch.from_numpy(ramp(4, 6, 3)).permute(2, 0, 1).to(torch.uint8))


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif", "webp", "tif"])
def test_pictures_of_many_formats(grey, tmp_path, ending):
    read, scaled = read_pictures([save(tmp_path / f"picture.{ending}", np.full((8, 8), 40))], grey)
    assert read.shape == (1, 1, 8, 8)
    assert (read.int() - 40).abs().max() <= 1
    assert scaled == 0


def test_pictures_are_read_as_in_training(trained, tmp_path):
    generator = np.random.default_rng(1)
    for row in range(6):
        shape = [(9, 14), (8, 8, 3), (20, 5, 4)][row % 3]
        save(tmp_path / "train" / "ab"[row % 2] / f"{row}.png", generator.integers(0, 256, shape))
    turned = Image.Exif()
    turned[0x0112] = 6
    save(tmp_path / "train" / "a" / "turned.jpg", generator.integers(0, 256, (10, 16, 3)), exif=turned)
    save(tmp_path / "test" / "a" / "0.png", ramp(8, 8))
    taught = DATASETS.get("local_images")(tmp_path, path=str(tmp_path), size=8).train.inputs
    read, _ = read_pictures(find_pictures([tmp_path / "train"]), trained.card(0, shape=(3, 8, 8)))
    assert torch.equal(read, taught)


def test_wide_pixels_are_refused(grey, tmp_path):
    Image.fromarray(np.full((8, 8), 1000, np.uint16)).save(tmp_path / "wide.png")
    with pytest.raises(InputError, match="mode 'I;16'; save it with 8 bits per channel"):
        read_pictures([tmp_path / "wide.png"], grey)


def test_all_that_cannot_be_read_is_named_at_once(grey, tmp_path):
    good = save(tmp_path / "good.png", ramp(8, 8))
    cut, text = tmp_path / "cut.png", tmp_path / "text.png"
    cut.write_bytes(good.read_bytes()[:40])
    text.write_text("hello")
    with pytest.raises(InputError) as caught:
        read_pictures([cut, good, text], grey)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{cut} cannot be read as an image")
    assert second.startswith(f"{text} cannot be read as an image")


def test_a_student_that_reads_no_pictures(trained, tmp_path):
    for card in (trained.card(0, modality="text"), trained.card(0, shape=(4, 8, 8))):
        with pytest.raises(InputError, match=r"the student reads \w+ of \d x 8 x 8, not pictures"):
            read_pictures([tmp_path], card)


def test_folders_expand_in_order_and_other_files_are_left_out(tmp_path):
    paths = [save(tmp_path / name, ramp(8, 8)) for name in ("b/2.png", "b/1.PNG", "a.jpg")]
    (tmp_path / "notes.txt").write_text("hello")
    assert find_pictures([tmp_path]) == [tmp_path / "a.jpg", tmp_path / "b" / "1.PNG", tmp_path / "b" / "2.png"]
    assert find_pictures([paths[0], tmp_path / "notes.txt"]) == [paths[0], tmp_path / "notes.txt"]


def test_places_without_pictures_are_named_at_once(tmp_path):
    with pytest.raises(InputError) as caught:
        find_pictures([tmp_path, tmp_path / "gone.png"])
    assert str(caught.value) == f"{tmp_path} holds no picture\nthere is no file {tmp_path / 'gone.png'}"
