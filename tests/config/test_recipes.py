from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.catalogue import REGISTRIES, bind, load_pipeline
from cgl_ignite.config import recipes
from cgl_ignite.config.dump import fingerprint, to_toml
from cgl_ignite.config.load import load_document
from cgl_ignite.config.presets import METHODS
from cgl_ignite.config.recipes import Recipe, recipe
from cgl_ignite.errors import InputError

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
COMBINATIONS = [
    (dataset, backbone)
    for dataset, data in recipes.DATASETS.items()
    for backbone, body in recipes.BACKBONES.items()
    if data.modality == body.modality
]
IN_TURN = {(pair, list(METHODS)[turn % len(METHODS)]) for turn, pair in enumerate(COMBINATIONS)}
"""Each combination with one method, and each method with several combinations."""


@pytest.mark.parametrize(("what", "known"), [("dataset", recipes.DATASETS), ("backbone", recipes.BACKBONES)])
def test_there_is_a_recipe_for_every_registered_kind(what: str, known: dict[str, Recipe]) -> None:
    assert set(known) == set(REGISTRIES[what].kinds())
    for kind in known:
        assert known[kind].modality == REGISTRIES[what].facts(kind)["modality"]


def test_no_method_is_forgotten() -> None:
    assert {method for _, method in IN_TURN} == set(METHODS)


@pytest.mark.parametrize(
    ("dataset", "backbone", "method"),
    [
        pytest.param(*pair, method, marks=() if (pair, method) in IN_TURN else pytest.mark.slow)
        for pair in COMBINATIONS
        for method in METHODS
    ],
)
def test_every_combination_is_a_sound_pipeline(tmp_path: Path, dataset: str, backbone: str, method: str) -> None:
    path = tmp_path / "new.toml"
    path.write_text(to_toml(recipe(dataset, backbone, method)))
    pipeline = bind(load_document(path))
    assert (pipeline.data.kind, pipeline.backbone.kind, pipeline.method.preset) == (dataset, backbone, method)


@pytest.mark.parametrize(
    ("name", "dataset", "backbone"),
    [
        ("digits_resnet", "digits", "resnet8"),
        ("cifar10_resnet18", "cifar10", "resnet18"),
        ("cifar100_resnet18", "cifar100", "resnet18"),
        ("cifar100_resnet34", "cifar100", "resnet34"),
        ("imdb_transformer", "imdb", "transformer"),
        ("yelp_vdcnn", "yelp_review_full", "vdcnn9"),
        ("yahoo_vdcnn", "yahoo_answers", "vdcnn9"),
        ("amazon_vdcnn", "amazon_review_full", "vdcnn9"),
    ],
)
def test_recipes_and_shipped_pipelines_agree(tmp_path: Path, name: str, dataset: str, backbone: str) -> None:
    path = tmp_path / f"{name}.toml"
    path.write_text(to_toml(recipe(dataset, backbone, "cgl")))
    shipped = load_pipeline(PIPELINES / f"{name}.toml")
    assert load_pipeline(path) == shipped
    assert fingerprint(load_pipeline(path)) == fingerprint(shipped)


def test_a_backbone_for_other_inputs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.BACKBONES, "reader", Recipe("text"))
    with pytest.raises(InputError, match=r"'reader' reads text, but 'digits' holds image; .* 'resnet8'"):
        recipe("digits", "reader", "cgl")


@pytest.mark.parametrize("kind", recipes.DATASETS)
def test_the_rows_of_a_data_set_are_those_that_it_tells(kind: str) -> None:
    rows = REGISTRIES["dataset"].facts(kind)["rows"]
    assert recipes.DATASETS[kind].rows == (rows and rows[0])
