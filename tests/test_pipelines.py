"""The pipelines that are shipped: each is sound, and holds the settings of the paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.load import load_document
from cgl_ignite.data import DATASETS

FOLDER = Path(__file__).resolve().parents[1] / "pipelines"
BASES = sorted((FOLDER / "base").rglob("*.toml"))
PIPELINES = sorted(path for path in FOLDER.glob("*.toml") if not path.stem.endswith("_recommended"))
"""Those of the paper; tests of ``cgl new`` hold the recommended ones to what it writes."""
each_pipeline = pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)


def test_every_data_set_of_the_paper_has_a_pipeline() -> None:
    of_the_paper = {kind for kind in DATASETS.kinds() if DATASETS.facts(kind).get("files")}
    assert {load_pipeline(path).data.kind for path in PIPELINES} >= of_the_paper


@each_pipeline
def test_every_pipeline_is_sound_and_short(path: Path) -> None:
    pipeline = load_pipeline(path)
    assert pipeline.name == path.stem
    assert path.stem.split("_")[0] == pipeline.data.kind.split("_")[0]
    assert pipeline.backbone.kind.startswith(path.stem.split("_")[1])
    assert len(path.read_text().splitlines()) <= 30


@each_pipeline
def test_the_method_is_a_preset_and_nothing_else(path: Path) -> None:
    assert load_document(path).tree["method"] == {"preset": "cgl"}


def test_every_base_is_extended() -> None:
    origins = {origin for path in PIPELINES for origin in load_document(path).origins.values()}
    unused = [base for base in BASES if not any(origin.startswith(f"{base}:") for origin in origins)]
    assert not unused


@pytest.mark.parametrize("name", ["cifar10_resnet18", "cifar100_resnet18", "cifar100_resnet34"])
def test_settings_of_the_paper_for_images(name: str) -> None:
    pipeline = load_pipeline(FOLDER / f"{name}.toml")
    optim = pipeline.optim
    assert pipeline.data.holdout == 5000
    assert pipeline.data.augment.options == {"padding": 4, "flip": True}
    assert (optim.kind, optim.learning_rate, optim.batch_size) == ("adam", 1e-3, 64)
    assert optim.schedule.options == {"at": (0.3, 0.6, 0.8), "factor": 0.5}
    assert pipeline.run.epochs == 200
    assert pipeline.method.students == 8
    assert pipeline.method.choose.options == {"probability": 0.25}


@pytest.mark.parametrize(
    ("name", "holdout", "rate", "epochs", "encoding"),
    [
        ("imdb_transformer", 2_000, 1e-4, 30, ("sentencepiece", 512)),
        ("yelp_vdcnn", 20_000, 1e-3, 20, ("characters", 1024)),
        ("yahoo_vdcnn", 50_000, 1e-3, 20, ("characters", 1024)),
        ("amazon_vdcnn", 100_000, 1e-3, 20, ("characters", 1024)),
    ],
)
def test_settings_of_the_paper_for_text(
    name: str, holdout: int, rate: float, epochs: int, encoding: tuple[str, int]
) -> None:
    pipeline = load_pipeline(FOLDER / f"{name}.toml")
    optim, chosen = pipeline.optim, pipeline.data.encoding
    assert pipeline.data.holdout == holdout
    assert (chosen.kind, chosen.options["length"]) == encoding
    assert chosen.options.get("vocabulary") == (16_000 if encoding[0] == "sentencepiece" else None)
    assert (optim.kind, optim.learning_rate, optim.batch_size) == ("adam", rate, 64)
    assert optim.schedule.kind == "constant"
    assert pipeline.run.epochs == epochs
    assert pipeline.method.students == 8
    assert pipeline.method.choose.options == {"probability": 0.5}
    assert pipeline.method.routing.options["shared"] == (0,)
