"""Images are listed in a fixed order; all else is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cgl_ignite.data.images.files import SkippedFiles, contents, images_below, printable
from cgl_ignite.errors import InputError
from tests.data.images.paint import paint


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_images_come_by_folder_and_name(tmp_path: Path) -> None:
    names = ["b.PNG", "a.jpeg", "deeper/a.webp", "deeper-b/a.bmp", "deeper/c/a.tif"]
    touch(tmp_path, *names)
    found = [path.relative_to(tmp_path).as_posix() for path in images_below(tmp_path, SkippedFiles())]
    assert found == ["a.jpeg", "b.PNG", "deeper/a.webp", "deeper-b/a.bmp", "deeper/c/a.tif"]


def test_hidden_and_system_files_are_passed_over_with_a_count(tmp_path: Path) -> None:
    touch(tmp_path, "._a.png", ".DS_Store", ".cache/a.png", "__MACOSX/a.png", "Thumbs.db", "desktop.ini", "a.png")
    (tmp_path / "broken.png").symlink_to(tmp_path / "gone.png")
    skipped = SkippedFiles()
    assert images_below(tmp_path, skipped) == [tmp_path / "a.png"]
    assert len(skipped.skipped) == 7
    assert list(skipped.notes()) == [
        "7 hidden files, system files or broken links are passed over: .DS_Store, ._a.png, .cache, ..."
    ]


def test_files_with_other_endings_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.svg", "b.SVG", "c", "d.png")
    skipped = SkippedFiles()
    assert images_below(tmp_path, skipped) == [tmp_path / "d.png"]
    assert list(skipped.notes()) == ["3 files are left out, as no image that can be read: .svg, without ending"]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_a_file_without_ending_is_judged_by_its_content(tmp_path: Path, form: str) -> None:
    Image.new("RGB", (3, 2)).save(tmp_path / "picture", form)
    (tmp_path / "notes").write_text("Boats")
    skipped = SkippedFiles()
    assert images_below(tmp_path, skipped) == [tmp_path / "picture"]
    assert skipped.others == [tmp_path / "notes"]


def test_an_empty_image_file_is_an_image(tmp_path: Path) -> None:
    touch(tmp_path, "empty.jpg")
    assert images_below(tmp_path, SkippedFiles()) == [tmp_path / "empty.jpg"]


def test_links_are_followed_once(tmp_path: Path) -> None:
    image = paint(tmp_path / "real" / "a.png")
    (tmp_path / "rose").mkdir()
    (tmp_path / "rose" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "rose" / "self").symlink_to(tmp_path / "rose")
    skipped = SkippedFiles()
    assert images_below(tmp_path / "rose", skipped) == [tmp_path / "rose" / "link" / image.name]
    assert skipped.skipped == [tmp_path / "rose" / "self"]


def test_nothing_special_needs_no_note(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    skipped = SkippedFiles()
    images_below(tmp_path, skipped)
    assert list(skipped.notes()) == []


def test_a_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot list the folder .*gone \(No such file"):
        contents(tmp_path / "gone", SkippedFiles())


def test_names_that_are_not_utf8_can_be_printed() -> None:
    assert printable("caf\udce9.png") == "caf\ufffd.png"
    assert printable("café.png") == "café.png"
