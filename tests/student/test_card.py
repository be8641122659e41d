"""The card says what a student is, survives JSON unchanged, and refuses what is no card."""

from __future__ import annotations

import json

import pytest
import torch
from pydantic import ValidationError

import cgl_ignite
from cgl_ignite.spec import InputSpec
from cgl_ignite.student import Card, Chosen


def test_a_card_is_filled_from_the_facts_of_a_run(trained):
    card = trained.card(2)
    assert card.dataset == Chosen(kind="digits", options={})
    assert card.backbone == Chosen(kind="resnet8", options={"width": 4})
    assert (card.method, card.classifier, card.students, card.student) == ("cgl", "module", 3, 2)
    assert (card.epoch, card.seed, card.holdout_accuracy, card.test_accuracy) == (3, 5, 61.5, None)
    assert card.classes == tuple("0123456789")
    assert card.spec == InputSpec("image", (1, 8, 8))
    assert (card.run_id, card.fingerprint, card.plugins) == ("a1b2c3", "0123456789ab", ())
    assert card.version in (cgl_ignite.__version__, "not installed")
    assert card.torch == torch.__version__


def test_options_of_the_data_set_are_kept_and_its_fixed_keys_are_not(trained):
    data = {"kind": "local_images", "path": "pets", "test_fraction": 0.3, "root": "/x", "holdout": 9, "limit": 90}
    facts = {**trained.facts, "pipeline": {**trained.facts["pipeline"], "data": data, "plugins": ["mine"]}}
    card = Card.of(facts, student=0, epoch=1, holdout_accuracy=None, test_accuracy=None)
    assert card.dataset == Chosen(kind="local_images", options={"path": "pets", "test_fraction": 0.3})
    assert card.plugins == ("mine",)


def test_json_round_trip(trained):
    card = trained.card(1)
    assert Card.model_validate_json(card.model_dump_json()) == card


@pytest.mark.parametrize(
    ("key", "value"),
    [("epoch", 0), ("student", -1), ("students", "3"), ("shape", [1, 0]), ("holdout_accuracy", "good"), ("more", 1)],
)
def test_wrong_values_are_refused(trained, key, value):
    tree = {**json.loads(trained.card(1).model_dump_json()), key: value}
    with pytest.raises(ValidationError, match=key):
        Card.model_validate_json(json.dumps(tree))


def test_a_card_is_frozen(trained):
    with pytest.raises(ValidationError):
        trained.card(1).seed = 7


def test_markdown_tells_people(trained):
    text = trained.card(2, test_accuracy=59.0).markdown()
    assert text.startswith("# resnet8 on digits, trained by cgl\n\n| | |\n| --- | --- |\n")
    for line in (
        "| student | 2 (of 0 to 2) |",
        "| holdout accuracy | 61.50 % |",
        "| test accuracy | 59.00 % |",
        "| backbone | resnet8 (width = 4) |",
        "| run | a1b2c3 |",
        "| plugins | none |",
    ):
        assert f"\n{line}\n" in text
    assert "float32 1 x 8 x 8 (image)" in text
    assert text.endswith("answers: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n")
    assert "| test accuracy | not measured |" in trained.card(2).markdown()


def test_markdown_tables_bear_a_path_with_a_bar(trained):
    card = trained.card(0, dataset=Chosen(kind="local_images", options={"path": "a|b"}))
    assert r"| local_images (path = a\|b) |" in card.markdown()


@pytest.mark.parametrize(("path", "kept"), [("pets", "/home/run/pets"), ("../pets", "/home/run/../pets"), ("/a", "/a")])
def test_a_relative_path_of_the_data_starts_at_the_folder_of_the_run(trained, path, kept):
    data = {"kind": "local_images", "path": path}
    facts = {**trained.facts, "folder": "/home/run", "pipeline": {**trained.facts["pipeline"], "data": data}}
    card = Card.of(facts, student=0, epoch=1, holdout_accuracy=None, test_accuracy=None)
    assert card.dataset.options == {"path": kept}
