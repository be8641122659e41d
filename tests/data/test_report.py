"""The report of the data: figures known by hand, and the words for what there is to worry about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor

from cgl_ignite.data import (
    DATASETS,
    Block,
    Corpus,
    DataSource,
    Examples,
    InputSpec,
    Preprocessing,
    characters,
    prepare,
    sentencepiece,
)
from cgl_ignite.data.report import DataReport, describe_data
from cgl_ignite.data.splits import Splits

CLASSES = ("a", "b", "c")


def images(numbers: list[int], targets: list[int]) -> Examples:
    """Images of 2 x 2 that are told apart by one pixel each."""
    inputs = torch.zeros(len(numbers), 1, 2, 2, dtype=torch.uint8)
    inputs[:, 0, 0, 1] = torch.tensor(numbers, dtype=torch.uint8)
    return Examples(inputs, torch.tensor(targets))


def report(train: Examples, holdout: Examples, test: Examples, notes: tuple[str, ...] = ()) -> DataReport:
    spec = InputSpec("image", (1, 2, 2))
    normaliser = prepare(DataSource(train, lambda: test, CLASSES, spec), holdout=1, limit=None, seed=1).normaliser
    return describe_data(Splits(train, holdout, lambda: test, CLASSES, spec, normaliser), notes)


def test_figures_of_every_part() -> None:
    found = report(
        images([1, 2, 2, 2, 3, 0, 4], [0, 1, 1, 1, 2, 2, 2]),
        images([5, 6, 2], [0, 1, 2]),
        images([3, 1, 9, 9], [1, 0, 2, 1]),
    )
    training, holdout, test = found.parts
    assert [part.counts for part in found.parts] == [(1, 3, 3), (1, 1, 1), (1, 2, 1)]
    assert [part.rows for part in found.parts] == [7, 3, 4]
    assert [part.size for part in found.parts] == [28, 12, 16]
    assert (training.repeated, holdout.repeated, test.repeated) == (2, 0, 1)
    assert (training.in_training, holdout.in_training, test.in_training) == (None, 1, 2)
    assert (training.empty, holdout.empty, test.empty) == (1, 0, 0)
    assert found.classes[found.most_frequent] == "b"
    assert found.chance == 50


def test_what_there_is_to_worry_about() -> None:
    found = report(images([1, 2, 3, 0], [0, 1, 1, 1]), images([4], [0]), images([1, 2, 7, 8], [0, 0, 1, 2]))
    assert found.warnings == (
        "the training part has no row of class 'c'",
        "the training part has a single row of class 'a'",
        "1 of 4 training rows are of one colour only",
        "the holdout part has no row of 2 of 3 classes: 'b', 'c'",
        "the holdout part is a single row: its accuracy is 0 % or 100 %",
        "2 of 4 test rows also stand in the training part",
    )


def test_sound_data_give_no_warning() -> None:
    found = report(images([1, 2, 3] * 2, [0, 1, 2] * 2), images([4, 5, 6], [0, 1, 2]), images([7, 8, 9], [0, 1, 2]))
    assert found.warnings == ()


@pytest.mark.parametrize("colour", [(0, 0, 0), (10, 200, 30)])
def test_an_image_of_one_colour_is_empty_whatever_the_colour(colour: tuple[int, ...]) -> None:
    inputs = torch.tensor(colour, dtype=torch.uint8).view(1, 3, 1, 1).expand(3, 3, 9, 9).clone()
    inputs[1, 2, 4, 7] = 255
    inputs[2, 0, 0, 0] = 255
    source = DataSource(
        Examples(inputs, torch.tensor([0, 1, 2])), lambda: source.train, CLASSES, InputSpec("image", (3, 9, 9))
    )
    assert describe_data(prepare(source, holdout=1, limit=None, seed=1)).parts[2].empty == 1


@pytest.mark.parametrize("encoding", [characters(length=16), sentencepiece(vocabulary=24, length=4)])
def test_texts_are_compared_before_they_are_encoded(tmp_path: Path, encoding: Preprocessing) -> None:
    train = corpus(tmp_path, ["good", "bad", "  ", "日本", "good ", "fine", "good bad fine"])
    source = DataSource(
        train,
        test=lambda: corpus(tmp_path, ["bad", "中国", "GOOD", ""]),
        classes=CLASSES,
        spec=InputSpec("text", ()),
        holdout=lambda: corpus(tmp_path, ["good", "日本"]),
    )
    for _ in range(2):
        parts = describe_data(prepare(source, holdout=None, limit=None, seed=1, encoding=encoding)).parts
        assert [part.repeated for part in parts] == [1, 0, 0]
        assert [part.empty for part in parts] == [1, 0, 1]
        assert [part.in_training for part in parts] == [None, 2, 2]


def corpus(folder: Path, texts: list[str]) -> Corpus:
    def read() -> Iterator[Block]:
        yield Block(pa.array(texts), np.arange(len(texts)) % 3, 1.0)

    return Corpus("texts", repr(texts), folder, read)


def test_the_page_and_the_values_say_the_same(tmp_path: Path) -> None:
    source = DATASETS.get("digits")(tmp_path)
    found = describe_data(prepare(source, holdout=237, limit=None, seed=1), ["a note | of the data set"])
    tree = json.loads(json.dumps(found.tree()))
    assert {name: part["rows"] for name, part in tree["parts"].items()} == {
        "training": 1200,
        "holdout": 237,
        "test": 360,
    }
    assert sum(tree["parts"]["test"]["classes"].values()) == 360
    page = found.markdown()
    assert "| training | 1,200 |" in page and "- a note | of the data set" in page
    assert f"{tree['most_frequent_class_test_accuracy']:.1f} %" in page


def equal_rows(first: Tensor, second: Tensor) -> int:
    """Count rows of ``second`` that stand in ``first``, by comparing each with each."""
    known = {bytes(row.flatten().tolist()) for row in first}
    return sum(bytes(row.flatten().tolist()) in known for row in second)


def test_digits_shared_by_two_parts_are_all_found(tmp_path: Path) -> None:
    splits = prepare(DATASETS.get("digits")(tmp_path), holdout=237, limit=None, seed=1)
    _, holdout, test = describe_data(splits).parts
    assert holdout.in_training == equal_rows(splits.train.dense, splits.holdout.dense)
    assert test.in_training == equal_rows(splits.train.dense, splits.test().dense)
