"""Yelp, Yahoo! and Amazon as Zhang and LeCun published them: a class from 1, then one to three texts a row.

Reference: X. Zhang, J. Zhao, Y. LeCun, "Character-level Convolutional Networks for Text Classification", 2015.

Addresses: the mirror in the Registry of Open Data on AWS (fast-ai-nlp), which the data sets of Hugging Face and
flair read as well. The MD5 sums of its archives stand in public code; those of the first archives, on Google
Drive, in torchtext. None are published of the files inside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cgl_ignite.data.archive import Archive
from cgl_ignite.data.base import DATASETS, DataSource, InputSpec
from cgl_ignite.data.text.cache.files import cache_folder, digest_of
from cgl_ignite.data.text.cache.store import read_targets
from cgl_ignite.data.text.corpus import Corpus, files_identity
from cgl_ignite.data.text.tables.rows import TableLayout, read_rows

__all__ = ["AMAZON", "YAHOO", "YELP", "amazon_review_full", "yahoo_answers", "yelp_review_full"]

_MIRROR = "https://s3.amazonaws.com/fast-ai-nlp"
_STARS = ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")
_TOPICS = (
    "Society & Culture",
    "Science & Mathematics",
    "Health",
    "Education & Reference",
    "Computers & Internet",
    "Sports",
    "Business & Finance",
    "Entertainment & Music",
    "Family & Relationships",
    "Politics & Government",
)


def _layout(texts: int) -> TableLayout:
    return TableLayout(columns=1 + texts, label=0, text=tuple(range(1, 1 + texts)), escaped=True)


def _labels(classes: int) -> dict[str, int]:
    return {str(number): number - 1 for number in range(1, 1 + classes)}


def _inspect(layout: TableLayout, labels: Mapping[str, int], path: Path) -> None:
    deque(read_rows(path, layout, labels), maxlen=0)


def _archive(kind: str, title: str, classes: int, texts: int, md5: str, first: str) -> Archive:
    return Archive(
        kind=kind,
        title=title,
        url=f"{_MIRROR}/{kind}_csv.tgz",
        file=f"{kind}_csv.tgz",
        md5=md5,
        folder=f"{kind}_csv",
        members={"train.csv": None, "test.csv": None},
        others={f"{kind}_csv.tar.gz": first},
        inspect=partial(_inspect, _layout(texts), _labels(classes)),
    )


YELP = _archive(
    "yelp_review_full",
    "Yelp Review Full",
    classes=5,
    texts=1,
    md5="a4acce1892d0f927165488f62860cabe",
    first="f7ddfafed1033f68ec72b9267863af6c",
)
YAHOO = _archive(
    "yahoo_answers",
    "Yahoo! Answers",
    classes=10,
    texts=3,
    md5="672a634b0a8a1314138321e7d075a64e",
    first="f3f9899b997a42beb24157e62e3eea8d",
)
AMAZON = _archive(
    "amazon_review_full",
    "Amazon Review Full",
    classes=5,
    texts=2,
    md5="289723722b64d337a40f809edd29d0f0",
    first="57d28bd5d930e772930baddf36641c7c",
)


def _facts(files: Archive, classes: int, train: int, test: int) -> dict[str, Any]:
    known = {"title": files.title, "modality": "text", "files": files}
    return {**known, "shape": None, "classes": classes, "rows": (train, test)}


@DATASETS.register("yelp_review_full", **_facts(YELP, classes=5, train=650_000, test=50_000))
def yelp_review_full(root: Path) -> DataSource:
    """Read reviews with one to five stars from their official files, fetched first if they are not there.

    Raises:
        InputError: files that cannot be fetched, or a damaged row.
    """
    return _source(YELP, root, _STARS, texts=1)


@DATASETS.register("yahoo_answers", **_facts(YAHOO, classes=10, train=1_400_000, test=60_000))
def yahoo_answers(root: Path) -> DataSource:
    """Read questions with their best answers, in ten topics, from their official files, fetched as for Yelp.

    Raises:
        InputError: files that cannot be fetched, or a damaged row.
    """
    return _source(YAHOO, root, _TOPICS, texts=3)


@DATASETS.register("amazon_review_full", **_facts(AMAZON, classes=5, train=3_000_000, test=650_000))
def amazon_review_full(root: Path) -> DataSource:
    """Read reviews of products with one to five stars from their official files, fetched as for Yelp.

    Raises:
        InputError: files that cannot be fetched, or a damaged row.
    """
    return _source(AMAZON, root, _STARS, texts=2)


def _source(files: Archive, root: Path, classes: tuple[str, ...], texts: int) -> DataSource:
    """Make the data set out of its files; those of the test part are read once, so that faults are known early."""
    if not files.present(root):
        files.fetch(root)
    layout, labels, cache = _layout(texts), _labels(len(classes)), cache_folder(root)
    paths = {part: files.find(root, f"{part}.csv") for part in ("train", "test")}
    parts = {
        part: Corpus(
            f"{files.title} {part}",
            f"{files_identity(path)} {layout}",
            cache,
            partial(read_rows, path, layout, labels),
        )
        for part, path in paths.items()
    }
    read_targets(parts["test"])
    digest = digest_of(cache, *paths.values())
    return DataSource(parts["train"], lambda: parts["test"], classes, InputSpec("text", ()), digest=digest)
