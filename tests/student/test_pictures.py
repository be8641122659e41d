"""Pictures of any size and colour become inputs of a student; what cannot be read is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from cgl_ignite.data import DATASETS
from cgl_ignite.errors import InputError, Unreadable
from cgl_ignite.student import Chosen, find_pictures, read_pictures


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


def stacked(paths, card):
    """Read pictures that are all sound, and count those that were fitted."""
    pixels, fitted = zip(*read_pictures(paths, card), strict=True)
    return torch.stack(pixels), sum(fitted)


def ramp(height, width, *channels):
    return np.arange(height * width * max(1, *channels, 1)).reshape(height, width, *channels) % 256


def test_digits_saved_as_pictures_come_back(grey, tmp_path):
    inputs = DATASETS.get("digits")(tmp_path).test().inputs[:5]
    paths = [save(tmp_path / f"{row}.png", image[0]) for row, image in enumerate(inputs)]
    read, scaled = stacked(paths, grey)
    assert torch.equal(read, inputs)
    assert scaled == 0


def test_colour_becomes_grey_and_grey_becomes_colour(grey, colour, tmp_path):
    reds = np.zeros((8, 8, 3))
    reds[..., 0] = 255
    read, _ = stacked([save(tmp_path / "red.png", reds)], grey)
    assert read.unique().tolist() == [76]
    read, _ = stacked([save(tmp_path / "grey.png", ramp(4, 6))], colour)
    assert torch.equal(read[0], torch.arange(24, dtype=torch.uint8).view(4, 6).expand(3, 4, 6))


def test_other_sizes_are_scaled_and_cropped_to_the_middle(colour, tmp_path):
    bars = np.zeros((8, 24, 3))
    bars[:, 2:22] = 200
    paths = [save(tmp_path / "bars.png", bars), save(tmp_path / "fits.png", ramp(4, 6, 3))]
    read, scaled = stacked(paths, colour)
    assert read.shape == (2, 3, 4, 6)
    assert scaled == 1
    assert read[0].unique().tolist() == [200]
    assert torch.equal(read[1], torch.from_numpy(ramp(4, 6, 3)).permute(2, 0, 1).to(torch.uint8))


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif", "webp", "tif"])
def test_pictures_of_many_formats(grey, tmp_path, ending):
    read, scaled = stacked([save(tmp_path / f"picture.{ending}", np.full((8, 8), 40))], grey)
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
    read, _ = stacked(find_pictures([tmp_path / "train"])[0], trained.card(0, shape=(3, 8, 8)))
    assert torch.equal(read, taught)


def test_pixels_with_fractions_are_refused(grey, tmp_path):
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "fractions.tif")
    (fault,) = read_pictures([tmp_path / "fractions.tif"], grey)
    assert fault.fault == "holds pixels of mode 'F'; save it with 8 or 16 bits per channel"


def test_the_background_is_that_of_training(trained, tmp_path):
    path = save(tmp_path / "clear.png", np.zeros((8, 8, 4)))
    for options, colour in (({}, 255), ({"background": "black"}, 0)):
        card = trained.card(0, dataset=Chosen(kind="local_images", options=options))
        ((pixels, _),) = read_pictures([path], card)
        assert pixels.unique().tolist() == [colour]


def test_what_cannot_be_read_keeps_its_place(grey, tmp_path):
    good = save(tmp_path / "good.png", ramp(8, 8))
    cut, text = tmp_path / "cut.png", tmp_path / "text.png"
    cut.write_bytes(good.read_bytes()[:40])
    text.write_text("hello")
    gone = Unreadable("gone.png", "does not exist")
    first, second, third, fourth = read_pictures([cut, good, text, gone], grey)
    assert (first.name, third.name, fourth) == (str(cut), str(text), gone)
    assert third.fault == "cannot be read as an image: its format is not known"
    assert torch.equal(second[0][0], torch.from_numpy(ramp(8, 8)).to(torch.uint8))


def test_a_student_that_reads_no_pictures(trained, tmp_path):
    for card in (trained.card(0, modality="text"), trained.card(0, shape=(4, 8, 8))):
        with pytest.raises(InputError, match=r"the student reads \w+ of \d x 8 x 8, not pictures"):
            read_pictures([tmp_path], card)


def test_folders_expand_in_order_and_other_files_are_noted(tmp_path):
    paths = [save(tmp_path / name, ramp(8, 8)) for name in ("b/2.png", "b/1.PNG", "a.jpg")]
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "b" / "._1.png").touch()
    found, notes = find_pictures([tmp_path])
    assert found == [tmp_path / "a.jpg", tmp_path / "b" / "1.PNG", tmp_path / "b" / "2.png"]
    assert notes == (
        "1 hidden file, system file or broken link is passed over: ._1.png",
        "1 file is left out, as no image that can be read: .txt",
    )
    assert find_pictures([paths[0], tmp_path / "notes.txt"]) == ([paths[0], tmp_path / "notes.txt"], ())


def test_places_without_pictures_keep_their_place(tmp_path):
    picture = save(tmp_path / "full" / "a.png", ramp(8, 8))
    (tmp_path / "empty").mkdir()
    (empty, found, gone), notes = find_pictures([tmp_path / "empty", tmp_path / "full", tmp_path / "gone.png"])
    assert str(empty) == f"{tmp_path / 'empty'} holds no picture"
    assert (found, notes) == (picture, ())
    assert str(gone) == f"{tmp_path / 'gone.png'} does not exist"
