from __future__ import annotations

import gzip
import hashlib
import lzma
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cgl_ignite.data import DataSource, characters, prepare
from cgl_ignite.data.text.datasets import reviews
from cgl_ignite.data.text.datasets.reviews import amazon_review_full, yahoo_answers, yelp_review_full
from cgl_ignite.errors import InputError
from tests.data.text.conftest import WriteReviews

SETS = [
    (yelp_review_full, "yelp_review_full_csv", 5, 1),
    (yahoo_answers, "yahoo_answers_csv", 10, 3),
    (amazon_review_full, "amazon_review_full_csv", 5, 2),
]
each_set = pytest.mark.parametrize(("build", "folder", "classes", "texts"), SETS)
Build = Callable[[Path], DataSource]


def decoded(source: DataSource) -> list[tuple[int, str]]:
    parts = prepare(source, holdout=0, limit=None, seed=1, encoding=characters(length=99))
    assert parts.tokenizer is not None
    return list(
        zip(parts.train.targets.tolist(), parts.tokenizer.decode(parts.normaliser(parts.train.inputs)), strict=True)
    )


@each_set
def test_official_files_are_read(
    write_reviews: WriteReviews, build: Build, folder: str, classes: int, texts: int
) -> None:
    rows = [(str(1 + n % classes), *(f'no {n} of "{part}"\\n' for part in range(texts))) for n in range(3 * classes)]
    source = build(write_reviews(folder, rows, rows[:classes]))
    assert len(source.classes) == classes
    expected = [(n % classes, " ".join(f'no {n} of "{part}" ' for part in range(texts))) for n in range(3 * classes)]
    assert decoded(source) == expected
    parts = prepare(source, holdout=2, limit=None, seed=1, encoding=characters())
    assert parts.test().targets.tolist() == list(range(classes))


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_packed_files_are_read(write_reviews: WriteReviews, ending: str, pack: Callable[[bytes], bytes]) -> None:
    root = write_reviews("yelp_review_full_csv", [("1", "a"), ("5", "b")])
    plain = root / "yelp_review_full_csv" / "train.csv"
    plain.with_name(f"train.csv{ending}").write_bytes(pack(plain.read_bytes()))
    plain.unlink()
    assert decoded(yelp_review_full(root)) == [(0, "a"), (4, "b")]
    reviews.YELP.verify(root)


def test_a_damaged_row_is_found_by_verifying_and_by_reading(write_reviews: WriteReviews) -> None:
    root = write_reviews("yelp_review_full_csv", [("1", "a"), ("6", "b")])
    path = root / "yelp_review_full_csv" / "train.csv"
    message = f"{path}, row 2: the class '6' is not '1', '2', '3', '4' or '5'"
    with pytest.raises(InputError) as raised:
        reviews.YELP.verify(root)
    assert str(raised.value) == message
    with pytest.raises(InputError) as raised:
        decoded(yelp_review_full(root))
    assert str(raised.value) == message


def test_a_damaged_row_of_the_test_part_is_found_before_training(write_reviews: WriteReviews) -> None:
    root = write_reviews("yelp_review_full_csv", [("1", "a"), ("2", "b")], [("1", "a"), ("6", "b")])
    with pytest.raises(InputError, match=r"test.csv, row 2: the class '6' is not"):
        yelp_review_full(root)


def test_the_digest_tells_contents_apart(write_reviews: WriteReviews) -> None:
    rows = [("1", "a"), ("2", "b")]
    before = yelp_review_full(write_reviews("yelp_review_full_csv", rows)).digest
    assert yelp_review_full(write_reviews("yelp_review_full_csv", rows)).digest == before
    after = yelp_review_full(write_reviews("yelp_review_full_csv", rows[::-1])).digest
    assert {fact for fact in before if before[fact] != after[fact]} == {"train.csv: content"}


def test_without_the_files_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "YELP", replace(reviews.YELP, url="http://127.0.0.1:9/yelp_review_full_csv.tgz"))
    with pytest.raises(InputError) as raised:
        yelp_review_full(tmp_path)
    message = str(raised.value)
    for part in (
        "Yelp Review Full",
        f"`cgl data fetch yelp_review_full --root {tmp_path}`",
        f"{tmp_path / 'yelp_review_full_csv.tgz'}  from http://127.0.0.1:9/",
        "md5 a4acce1892d0f927165488f62860cabe",
        f"{tmp_path / 'yelp_review_full_csv.tar.gz'}  md5 f7ddfafed1033f68ec72b9267863af6c",
        f"{tmp_path / 'yelp_review_full_csv'}/  with the files train.csv, test.csv, which may be packed (.gz or .xz)",
        "CGL_DATA",
    ):
        assert part in message


@pytest.mark.parametrize("name", ["yelp_review_full_csv.tgz", "yelp_review_full_csv.tar.gz"])
def test_either_archive_may_be_placed_by_hand(
    write_reviews: WriteReviews, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    made = write_reviews("yelp_review_full_csv", [("1", "a"), ("2", "b")])
    root = tmp_path / "placed"
    root.mkdir()
    with tarfile.open(root / name, "w:gz") as tar:
        tar.add(made / "yelp_review_full_csv", "yelp_review_full_csv")
    nowhere = replace(reviews.YELP, url="http://127.0.0.1:9/")
    monkeypatch.setattr(reviews, "YELP", nowhere)
    with pytest.raises(InputError, match="is damaged: md5 expected"):
        yelp_review_full(root)
    md5 = hashlib.md5((root / name).read_bytes()).hexdigest()
    known = {"md5": md5} if name == nowhere.file else {"others": {name: md5}}
    monkeypatch.setattr(reviews, "YELP", replace(nowhere, **known))
    assert decoded(yelp_review_full(root)) == [(0, "a"), (1, "b")]


def test_limit_and_holdout_choose_rows_of_a_mapped_file(write_reviews: WriteReviews) -> None:
    rows = [(str(1 + n % 5), f"text {n}") for n in range(200)]
    source = yelp_review_full(write_reviews("yelp_review_full_csv", rows, rows))
    parts = prepare(source, holdout=20, limit=100, seed=3, encoding=characters())
    assert parts.tokenizer is not None
    texts = [
        parts.tokenizer.decode(parts.normaliser(part.inputs)) for part in (parts.train, parts.holdout, parts.test())
    ]
    assert list(map(len, texts)) == [80, 20, 100]
    assert not set(texts[0]) & set(texts[1])
    assert parts.train.targets.tolist() == [int(text.split()[1]) % 5 for text in texts[0]]
    assert (parts.train.targets.bincount() + parts.holdout.targets.bincount()).equal(torch.full((5,), 20))


def test_stars_are_read_as_yelp(text_root: Path) -> None:
    """Counts as in the readme of the data."""
    source = yelp_review_full(text_root / "stars")
    parts = prepare(source, holdout=500, limit=4000, seed=1, encoding=characters())
    whole = characters().targets(source.train)
    assert whole.bincount().tolist() == [5100, 4704, 5192, 5272, 4732]
    assert len(parts.train) == 3500
    assert parts.spec.vocabulary == 69
    share = parts.train.targets.bincount() / 3500
    assert (share - whole.bincount() / 25_000).abs().max() < 0.02
    batch = parts.normaliser(parts.train.take(torch.arange(64)).inputs)
    assert batch.shape == (64, 1024)
    assert (batch == 1).float().mean() < 0.02
