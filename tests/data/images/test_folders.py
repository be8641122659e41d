"""What becomes a part, what becomes a class, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cgl_ignite.data.images.folders import FolderLayout, ImageFile, find_layout
from cgl_ignite.errors import InputError


def lay_out(folder: Path, *names: str) -> Path:
    """Create empty files, and empty folders for names that end with a slash."""
    for name in names:
        place = folder / name
        (place if name.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            place.touch()
    return folder


def found(folder: Path, *names: str) -> FolderLayout:
    return find_layout(lay_out(folder, *names))


@pytest.mark.parametrize("train", ["train", "Train", "TRAINING", "training"])
@pytest.mark.parametrize("test", ["test", "TEST", "testing"])
@pytest.mark.parametrize("holdout", ["val", "Valid", "VALIDATION", "dev"])
def test_parts_by_their_names(tmp_path: Path, train: str, test: str, holdout: str) -> None:
    parts = {"train": train, "test": test, "holdout": holdout}
    layout = found(tmp_path, *(f"{name}/{label}/1.png" for name in parts.values() for label in "ab"))
    assert layout.classes == ("a", "b")
    assert layout.folders == {part: tmp_path / name for part, name in parts.items()}
    for part, name in parts.items():
        assert layout.files[part] == [
            ImageFile(tmp_path / name / "a" / "1.png", 0),
            ImageFile(tmp_path / name / "b" / "1.png", 1),
        ]
    assert layout.notes == ()


@pytest.mark.parametrize(
    "names",
    [
        ("test/1.png", "control/1.png"),
        ("test/deeper/1.png", "control/1.png"),
        ("train/1.png", "bus/1.png"),
        ("train/1.png", "test/1.png"),
        ("train/1.png", "train/steam/2.png", "bus/1.png"),
        ("dev/1.png", "test/1.png"),
    ],
)
def test_classes_may_be_called_like_parts(tmp_path: Path, names: tuple[str, ...]) -> None:
    layout = found(tmp_path, *names)
    assert layout.classes == tuple(sorted({name.split("/")[0] for name in names}))
    assert layout.folders == {"train": tmp_path}
    assert len(layout.files["train"]) == len(names)


def test_a_training_part_alone(tmp_path: Path) -> None:
    layout = found(tmp_path, "Train/a/1.png", "Train/b/1.png", "Train/.DS_Store", "Train/labels.csv")
    assert (layout.classes, [*layout.files]) == (("a", "b"), ["train"])


def test_folders_that_are_no_part_are_noted(tmp_path: Path) -> None:
    layout = found(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.png", "extra/1.png", "masks/")
    assert layout.notes == ("folders that are no part are not read: extra, masks",)


def test_images_outside_the_class_folders_are_noted(tmp_path: Path) -> None:
    layout = found(tmp_path, "a/1.png", "b/1.png", "2.png")
    assert layout.notes == (f"1 image lies in no class folder and will not be read: {tmp_path / '2.png'}",)


def test_what_is_passed_over_is_counted_in_all_folders(tmp_path: Path) -> None:
    names = [f"{part}/{label}/1.png" for part in ("train", "test") for label in "ab"]
    hidden = [".DS_Store", "train/.DS_Store", "test/a/.DS_Store", "__MACOSX/train/a/._1.png"]
    layout = found(tmp_path, *names, *hidden)
    assert layout.notes == ("4 hidden files, system files or broken links are passed over: .DS_Store, __MACOSX",)


def test_a_missing_folder_shows_the_layout(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_layout(tmp_path / "flowers")
    text = str(caught.value)
    assert f"data.path: there is no folder {tmp_path / 'flowers'}" in text
    assert "flowers/train/daisy/001.jpg" in text
    assert "flowers/daisy/001.jpg" in text


PARTS = ("train/a/1.png", "train/b/1.png")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "holds 0 class folders, at least 2"),
        (("1.png",), "holds 0 class folders"),
        (("a/1.png",), "holds 1 class folder, at least 2"),
        (("a/1.png", "b/notes.txt"), r"b holds no image \(\.jpg"),
        (("train/a/1.png", "test/a/1.png"), "train holds 1 class folder"),
        ((*PARTS, "test/1.png"), "test holds no class folder"),
        ((*PARTS, "val/"), "val holds no class folder"),
        ((*PARTS, "test/b/notes.txt"), "test/b holds no image"),
        ((*PARTS, "Training/a/1.png"), "Training and train are the same part; leave one"),
        ((*PARTS, "val/a/1.png", "dev/a/1.png"), "dev and val are the same part"),
        ((*PARTS, "bus/1.png", "car/1.png"), "neither a test nor a validation part beside it, only 'bus' or 'car'"),
        ((*PARTS, "train/2.png", "test/a/1.png"), "train holds images beside its class folders; move them"),
        (("test/a/1.png", "val/a/1.png"), "holds test and val, but no folder train"),
        ((*PARTS, "test/c/1.png"), "test/c: class 'c' is not in the training part, which holds 'a' or 'b'"),
        ((*PARTS, "val/c/1.png", "val/d/1.png"), "val/c: the classes 'c' or 'd' are not in the training part"),
    ],
)
def test_faults_of_the_layout_are_explained(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        found(tmp_path, *names)


@pytest.mark.parametrize("place", ["{}/1.png", "train/{}/1.png", "test/{}/1.png"])
def test_a_class_whose_name_is_not_utf8(tmp_path: Path, place: str) -> None:
    names = ("a/1.png", "b/1.png") if place.startswith("{") else PARTS
    with pytest.raises(InputError, match="caf\ufffd: the name of this class is not UTF-8; rename the folder"):
        found(tmp_path, *names, place.format(os.fsdecode(b"caf\xe9")))


def test_a_file_whose_name_is_not_utf8_is_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    assert found(tmp_path, f"a/{name}", "b/1.png").files["train"][0] == ImageFile(tmp_path / "a" / name, 0)
