from __future__ import annotations

import os
from pathlib import Path

from cgl_ignite.data.digest import changes, content_digest, listing_digest


def test_equal_content_elsewhere_and_later_is_the_same(tmp_path: Path) -> None:
    here, there = tmp_path / "a.csv", tmp_path / "elsewhere" / "a.csv"
    there.parent.mkdir()
    here.write_text("1,good\n")
    there.write_text("1,good\n")
    os.utime(there, (1, 1))
    assert content_digest("a.csv", here) == content_digest("a.csv", there)


def test_swapped_labels_of_the_same_size_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,good\n2,poor\n")
    before = content_digest("a.csv", path)
    path.write_text("2,good\n1,poor\n")
    (difference,) = changes(before, content_digest("a.csv", path))
    assert difference.startswith("a.csv: content: ")


def test_a_listing_knows_names_and_sizes(tmp_path: Path) -> None:
    def listed(folder: Path, **files: str) -> dict[str, str]:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
        return listing_digest("train", folder, folder.iterdir())

    first = listed(tmp_path / "first", a="one", b="three")
    assert first["train: files"] == "2"
    assert first["train: bytes"] == "8"
    assert listed(tmp_path / "moved", b="eerht", a="eno") == first
    renamed = listed(tmp_path / "renamed", a="one", c="three")
    assert [one.partition(": ")[2].partition(":")[0] for one in changes(first, renamed)] == ["names"]
    assert len(list(changes(first, listed(tmp_path / "more", a="one", b="three", c="")))) == 2


def test_the_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    for path in files:
        path.write_text(path.name)
    assert listing_digest("x", tmp_path, files) == listing_digest("x", tmp_path, reversed(files))
