from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from cgl_ignite import compat
from cgl_ignite.data import DataSource, characters, imdb, prepare, sentencepiece
from cgl_ignite.data.text.datasets import imdb as module
from cgl_ignite.errors import InputError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A data root with three reviews per class and part, and some that do not belong to them."""
    root = tmp_path / "root"
    for part in ("train", "test"):
        for label in ("neg", "pos", "unsup"):
            folder = root / "aclImdb" / part / label
            folder.mkdir(parents=True)
            for number in range(3):
                (folder / f"{number}_{number}.txt").write_text(f"{part} {label} {number}", encoding="utf-8")
        (root / "aclImdb" / part / "urls_pos.txt").write_text("http://")
    return root


def texts(source: DataSource, part: str = "train") -> list[tuple[int, str]]:
    parts = prepare(source, holdout=0, limit=None, seed=1, encoding=characters(length=40))
    rows = parts.train if part == "train" else parts.test()
    assert parts.tokenizer is not None
    return list(zip(rows.targets.tolist(), parts.tokenizer.decode(parts.normaliser(rows.inputs)), strict=True))


def expected(part: str) -> list[tuple[int, str]]:
    return [(number, f"{part} {label} {n}") for number, label in enumerate(("neg", "pos")) for n in range(3)]


def test_the_folder_is_read(tree: Path) -> None:
    source = imdb(tree)
    assert source.classes == ("neg", "pos")
    assert texts(source) == expected("train")
    assert texts(source, "test") == expected("test")
    module.IMDB.verify(tree)


def test_the_archive_is_read_as_it_is(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "packed"
    root.mkdir()
    with tarfile.open(root / "aclImdb_v1.tar.gz", "w:gz") as tar:
        for path in sorted(tree.rglob("*.txt"), reverse=True):
            tar.add(path, path.relative_to(tree))
    assert texts(imdb(root)) == expected("train")
    assert texts(imdb(root), "test") == expected("test")
    with pytest.raises(InputError, match="is damaged: md5 expected 7c2ac02c03563afcf9b574c7e56c153a"):
        module.IMDB.verify(root)
    md5 = hashlib.md5((root / "aclImdb_v1.tar.gz").read_bytes()).hexdigest()
    known = replace(module.IMDB, md5=md5)
    known.verify(root)
    monkeypatch.setattr(module, "IMDB", known)
    compat.ensure_torchvision()
    copy = lambda url, folder, name: shutil.copy(root / name, folder / name)  # noqa: E731
    monkeypatch.setattr("torchvision.datasets.utils.download_url", copy)
    assert texts(imdb(tmp_path / "fetched")) == expected("train")
    assert [path.name for path in (tmp_path / "fetched").glob("[!.]*") if path.is_file()] == ["aclImdb_v1.tar.gz"]


def test_a_cut_off_archive_is_an_error(tree: Path, tmp_path: Path) -> None:
    root = tmp_path / "packed"
    root.mkdir()
    with tarfile.open(root / "whole", "w:gz") as tar:
        tar.add(tree / "aclImdb", "aclImdb")
    content = (root / "whole").read_bytes()
    (root / "aclImdb_v1.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="cgl data verify imdb"):
        texts(imdb(root))


def test_a_review_that_is_no_text_is_named(tree: Path) -> None:
    bad = tree / "aclImdb" / "train" / "pos" / "1_1.txt"
    bad.write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"1_1.txt: byte 3 is not UTF-8"):
        texts(imdb(tree))


def test_an_archive_without_reviews_is_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "aclImdb_v1.tar.gz", "w:gz") as tar:
        tar.add(__file__, "aclImdb/train/unsup/0_0.txt")
    with pytest.raises(InputError, match=r"aclImdb_v1.tar.gz holds no review aclImdb/test/"):
        texts(imdb(tmp_path))


def test_a_folder_without_reviews_is_named(tree: Path) -> None:
    for path in (tree / "aclImdb" / "train" / "neg").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"neg holds no .txt file"):
        texts(imdb(tree))


def test_a_changed_review_is_read_anew(tree: Path) -> None:
    assert texts(imdb(tree)) == expected("train")
    (tree / "aclImdb" / "train" / "neg" / "0_0.txt").write_text("changed")
    assert texts(imdb(tree))[0] == (0, "changed")


def test_without_the_files_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IMDB", replace(module.IMDB, url="http://127.0.0.1:9/aclImdb_v1.tar.gz"))
    with pytest.raises(InputError) as raised:
        imdb(tmp_path / "empty")
    for part in (
        f"`cgl data fetch imdb --root {tmp_path / 'empty'}`",
        "aclImdb_v1.tar.gz",
        "7c2ac02c03563afcf9b574c7e56c153a",
        "aclImdb/  with",
    ):
        assert part in str(raised.value)


def test_real_reviews_in_pieces_of_words(text_root: Path) -> None:
    parts = prepare(imdb(text_root), holdout=200, limit=1000, seed=1, encoding=sentencepiece(vocabulary=2000))
    assert parts.tokenizer is not None
    assert parts.train.targets.bincount().tolist() == pytest.approx([400, 400], abs=25)
    ids = parts.tokenizer.encode(["The film was great."])
    assert parts.tokenizer.decode(ids) == ["the film was great."]
    assert parts.train.lengths is not None
    assert 150 < parts.train.lengths.float().mean() < 512
    assert int(parts.train.lengths.max()) == 512


def test_the_digest_of_the_folder_follows_its_files(tree: Path) -> None:
    before = imdb(tree).digest
    assert imdb(tree).digest == before
    assert before["train: files"] == before["test: files"] == "6"
    (tree / "aclImdb" / "test" / "pos" / "0_0.txt").write_text("longer than it was before", encoding="utf-8")
    after = imdb(tree).digest
    assert {fact.split(":")[0] for fact in before if before[fact] != after[fact]} == {"test"}


def packed(root: Path, **reviews: bytes) -> Path:
    """Write an archive with two reviews in every folder, one of them given by the name of the folder."""
    root.mkdir()
    with tarfile.open(root / "aclImdb_v1.tar.gz", "w:gz") as tar:
        for folder in ("train/neg", "train/pos", "test/neg", "test/pos"):
            for name, content in {"0_0": b"a review", "1_1": reviews.get(folder.replace("/", "_"), b"more")}.items():
                member = tarfile.TarInfo(f"aclImdb/{folder}/{name}.txt")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return root


def test_an_archive_that_is_not_the_published_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = packed(tmp_path / "packed")
    assert imdb(root).notes == (
        "aclImdb_v1.tar.gz is not the published archive, whose md5 is 7c2ac02c03563afcf9b574c7e56c153a; "
        "what it holds is read as it is",
    )
    md5 = hashlib.md5((root / "aclImdb_v1.tar.gz").read_bytes()).hexdigest()
    monkeypatch.setattr(module, "IMDB", replace(module.IMDB, md5=md5))
    assert imdb(root).notes == ()


def test_a_review_of_unreasonable_length_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"aclImdb/test/pos/1_1\.txt is longer than 2 MiB"):
        imdb(packed(tmp_path / "packed", test_pos=bytes(2**21 + 1)))


def test_an_archive_that_unpacks_to_too_much_is_not_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 2**20)
    with pytest.raises(InputError, match="it unpacks to more than 1 MiB"):
        imdb(packed(tmp_path / "packed", train_neg=bytes(2**21)))
