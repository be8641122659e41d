from __future__ import annotations

import importlib
from pathlib import Path

import torch

from cgl_ignite.data import DATASETS, digits, prepare

NOWHERE = Path("/nowhere")


def test_digits_have_the_rows_classes_and_shape_they_state() -> None:
    source, facts = digits(NOWHERE), DATASETS.facts("digits")
    assert (len(source.train), len(source.test())) == facts["rows"] == (1437, 360)
    assert source.spec.shape == facts["shape"] == tuple(source.train.inputs.shape[1:])
    assert source.classes == tuple("0123456789")
    assert len(source.classes) == facts["classes"]


def test_ink_levels_are_spread_over_all_bytes() -> None:
    inputs = digits(NOWHERE).train.inputs
    assert inputs.dtype == torch.uint8
    assert inputs.unique().tolist() == [round(level * 255 / 16) for level in range(17)]


def test_train_and_test_together_are_the_published_rows_once_each() -> None:
    from sklearn.datasets import load_digits

    source = digits(NOWHERE)
    together = torch.cat([source.train.inputs, source.test().inputs]).flatten(1)
    published = (torch.from_numpy(load_digits().data) * (255 / 16)).round().to(torch.uint8)
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, published.tolist()))


def test_the_rows_are_the_same_where_scikit_learn_keeps_its_file_elsewhere(monkeypatch):
    source = digits(NOWHERE)
    monkeypatch.setattr(importlib.import_module(digits.__module__), "_FILE", Path("moved.csv.gz"))
    other = digits(NOWHERE)
    assert other.train.inputs.equal(source.train.inputs)
    assert other.train.targets.equal(source.train.targets)


def test_the_test_split_is_stratified_and_independent_of_the_seed() -> None:
    source = digits(NOWHERE)
    assert set(torch.bincount(source.test().targets).tolist()) <= {34, 35, 36, 37}
    tests = [prepare(source, holdout=100, limit=None, seed=seed).test().inputs for seed in (1, 2)]
    assert tests[0].equal(tests[1])
