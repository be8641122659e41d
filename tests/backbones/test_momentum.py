"""The momentum of batch normalisation is that of the pipeline, in every module of a pool and in a student."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from cgl_ignite.backbones.momentum import with_momentum
from cgl_ignite.backbones.resnet import resnet8
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import ConfigError
from cgl_ignite.pipeline import run
from cgl_ignite.pipeline.assemble import blueprint
from cgl_ignite.pool import ModularNetwork, modular_layers
from cgl_ignite.pool.normalisation import StudentBatchNorm
from cgl_ignite.spec import InputSpec
from cgl_ignite.tracking.memory import MemoryTracker
from tests.kinds import small_pipeline
from tests.test_registered_parts import trained_and_resumed

SPEC = InputSpec("image", (1, 8, 8))
DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SHORT = ["data.limit=200", "data.holdout=40", "backbone.width=4", "run.epochs=1", "method.students=2"]


def test_every_module_of_a_pool_has_it() -> None:
    backbone, routing = blueprint(load_pipeline(DIGITS, ["backbone.momentum=0.3"]), SPEC, 10)
    pool = ModularNetwork(modular_layers(backbone), routing.modules, seed=1)
    assert {part.momentum for part in pool.modules() if isinstance(part, StudentBatchNorm)} == {0.3}


def test_without_it_layers_stay_as_they_are() -> None:
    backbone = resnet8(SPEC, 10)
    assert with_momentum(backbone, None) is backbone
    norms = [part for layer in backbone.layers for part in layer().modules() if isinstance(part, nn.BatchNorm2d)]
    assert {part.momentum for part in norms} == {0.1}


def test_a_network_without_batch_normalisation_has_none() -> None:
    with pytest.raises(
        ConfigError, match=r"backbone\.momentum: is for batch normalisation, which this network does not"
    ):
        load_pipeline(DIGITS, ['backbone={kind="module", build="tests.networks.unnormalised", momentum=0.1}'])


def test_a_training_too_short_for_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = "set backbone.momentum = "
    for momentum, expected in (("0.01", True), ("0.5", False)):
        changes = [*SHORT, f"tracking.folder={tmp_path}", f"backbone.momentum={momentum}"]
        run(load_pipeline(DIGITS, changes), tracker=MemoryTracker())
        assert (told in capsys.readouterr().err) == expected


def test_it_is_trained_and_resumed(tmp_path: Path) -> None:
    def pipeline(folder: Path) -> Pipeline:
        tree = small_pipeline("digits", tmp_path, folder, backbone={"kind": "resnet8", "width": 4, "momentum": 0.4})
        tree["run"] |= {"epochs": 2, "checkpoint_every": {"iterations": 1}}
        return load_pipeline({**tree, "method": {"preset": "cgl", "students": 2}})

    halfway, found = trained_and_resumed(tmp_path, pipeline)
    assert halfway["trainer"]["iteration"] < found["state"]["trainer"]["iteration"]
