"""Pixels come as they were saved; damaged files are told apart from sound ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cgl_ignite.data.images.decode import Decoding, check_background, decode, read_header, read_image
from cgl_ignite.errors import InputError, Unreadable
from tests.data.images.paint import BLUE, RED, paint


def noise(path: Path, *shape: int) -> Path:
    Image.fromarray(np.random.default_rng(1).integers(0, 256, shape, np.uint8)).save(path)
    return path


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "webp", "tif"])
@pytest.mark.parametrize("kept", [0, 5, 0.5])
def test_cut_files_cannot_be_read(tmp_path: Path, ending: str, kept: float) -> None:
    path = noise(tmp_path / f"cut.{ending}", 40, 40, 3)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    with pytest.raises(Unreadable) as caught:
        read_image(path, None, None)
    reason = "cannot be read as an image: "
    assert caught.value.fault.startswith(reason)
    assert str(path) not in caught.value.fault
    assert (caught.value.fault == f"{reason}the file is empty") == (kept == 0)


def test_no_damage_ends_in_another_error(tmp_path: Path) -> None:
    whole = {ending: noise(tmp_path / f"whole.{ending}", 9, 9, 3).read_bytes() for ending in ("png", "jpg", "webp")}
    draw = np.random.default_rng(2)
    for number in range(150):
        ending = [*whole][number % 3]
        content = np.frombuffer(whole[ending], np.uint8).copy()
        content[draw.integers(0, len(content), 4)] = draw.integers(0, 256, 4)
        path = tmp_path / f"{number}.{ending}"
        path.write_bytes(content.tobytes())
        _, bad = decode([path], Decoding((4, 4)))
        assert all(isinstance(one, Unreadable) for one in bad)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path, fault in ((tmp_path / "gone.png", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(Unreadable) as caught:
            read_image(path, None, None)
        assert (caught.value.name, caught.value.fault) == (str(path), f"cannot be read as an image: {fault}")


def test_good_and_bad_are_returned_apart(tmp_path: Path) -> None:
    good = [paint(tmp_path / "1.png", RED), paint(tmp_path / "2.png", BLUE)]
    bad = tmp_path / "3.png"
    bad.write_bytes(b"hello")
    images, faults = decode([good[0], bad, good[1]], Decoding((2, 2)))
    assert [*images] == good
    assert torch.equal(images[good[1]].pixels, torch.tensor(BLUE, dtype=torch.uint8).view(3, 1, 1).expand(3, 2, 2))
    assert [fault.name for fault in faults] == [str(bad)]


@pytest.mark.parametrize("turned", [None, 1, 3, 6, 8])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_the_header_tells_the_shape_of_what_is_read(tmp_path: Path, turned: int | None, mode: str) -> None:
    exif = Image.Exif()
    if turned:
        exif[0x0112] = turned
    path = tmp_path / "photograph.jpg"
    Image.new(mode, (8, 4)).save(path, exif=exif)
    assert read_header(path) == tuple(read_image(path, None, None)[0].shape)


def test_a_damaged_header(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"hello")
    with pytest.raises(Unreadable, match="its format is not known"):
        read_header(tmp_path / "bad.png")


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_of_16_bits_the_upper_8_are_kept(tmp_path: Path, ending: str) -> None:
    values = np.array([[0, 255, 256], [513, 65535, 4095]], np.uint16)
    path = tmp_path / f"deep.{ending}"
    Image.fromarray(values).save(path)
    read = read_image(path, None, None)
    assert read.pixels.tolist() == [[[0, 0, 1], [2, 255, 15]]]
    assert read.brightest == 65535
    assert read_header(path) == (1, 2, 3)


def test_transparent_pixels_take_the_colour_of_the_background(tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    Image.fromarray(np.array([[[9, 8, 7, 0], [9, 8, 7, 255], [0, 0, 0, 51]]], np.uint8)).save(path)
    for background, rest in (("white", (255, 255, 255)), ("#0a1400", (10, 20, 0))):
        read = read_image(path, None, None, background)
        shade = [round(0.8 * value) for value in rest]
        assert read.pixels.permute(1, 2, 0).tolist() == [[list(rest), [9, 8, 7], shade]]
        assert read.transparent


def test_transparent_colours_of_a_palette_and_of_grey(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([1, 2, 3, 4, 5, 6])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "palette.gif", transparency=0)
    assert read_image(tmp_path / "palette.gif", None, None, "black").pixels[:, 0].T.tolist() == [[0, 0, 0], [4, 5, 6]]
    Image.fromarray(np.array([[[50, 0], [50, 255]]], np.uint8)).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png", None, None).pixels.tolist() == [[[255, 50]]]


def test_an_opaque_image_stays_as_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (5, 6, 4), np.uint8)
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "opaque.png")
    read = read_image(tmp_path / "opaque.png", None, None, "red")
    assert read.pixels.permute(1, 2, 0).tolist() == pixels[..., :3].tolist()
    assert not read.transparent


def test_an_unknown_colour() -> None:
    with pytest.raises(InputError, match=r"data\.background = 'greenish' is no colour"):
        check_background("greenish")
