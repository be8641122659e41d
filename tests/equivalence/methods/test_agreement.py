"""Every preset agrees with its method written out in plain PyTorch: losses, every gradient, every trained weight."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.equivalence.methods import networks, optimizers
from tests.equivalence.methods.baseline import Baseline
from tests.equivalence.methods.cgl import CGL
from tests.equivalence.methods.cl_ilr import CLILR
from tests.equivalence.methods.cl_ilr_repo import RepositoryCLILR
from tests.equivalence.methods.dml import DML
from tests.equivalence.methods.dml_repo import RepositoryDML
from tests.equivalence.methods.hybrids import (
    AttentiveCGL,
    CautiousOKDDip,
    GatedCGL,
    PredictingCGL,
    PrintedCGL,
    TrunkGatedCGL,
)
from tests.equivalence.methods.okddip import OKDDip
from tests.equivalence.methods.one import ONE
from tests.equivalence.methods.one_repo import RepositoryONE
from tests.equivalence.methods.package import EPOCHS, World, build, gradient

REFERENCES = {
    "baseline": Baseline,
    "dml": DML,
    "cl_ilr": CLILR,
    "one": ONE,
    "okddip": OKDDip,
    "cgl": CGL,
    "dml_repo": RepositoryDML,
    "cl_ilr_repo": RepositoryCLILR,
    "one_repo": RepositoryONE,
}
HYBRIDS = [
    (AttentiveCGL, "cgl", ['method.weigh={kind="attention"}']),
    (AttentiveCGL, "cgl", ['method.weigh={kind="attention"}', "run.batches_per_chunk=3"]),
    (GatedCGL, "cgl", ['method.weigh={kind="gate", reads="student"}']),
    (TrunkGatedCGL, "cgl", ['method.weigh={kind="gate"}', "method.routing.shared=[0]"]),
    (TrunkGatedCGL, "cgl", ['method.weigh={kind="gate"}', "method.routing.shared=[0]", "run.batches_per_chunk=1"]),
    (PrintedCGL, "cgl", ['method.weigh={kind="mean", divisor="printed"}']),
    (PredictingCGL, "cgl", ["method.loss.mixes=probabilities"]),
    (CautiousOKDDip, "okddip", ["method.loss.teacher_gradient=weights"]),
]
NETWORKS = {"image": networks.IMAGE, "text": networks.TEXT}
OPTIMIZERS = {"sgd": optimizers.SGD, "adam": optimizers.Adam}
STEPS = 6


def weights(reference) -> list[nn.Parameter]:
    own = [parameter for row in reference.layers for module in row for parameter in module.parameters()]
    return [*own, *reference.aggregator]


def adopt(reference, world: World) -> list[nn.Parameter]:
    """Give the reference the package's weights: as many modules a layer, and the same parameters in the same order."""
    assert [len(row) for row in reference.layers] == [len(row) for row in world.pool.layers]
    own = weights(reference)
    for mine, theirs in zip(own, world.parameters, strict=True):
        assert mine.shape == theirs.shape
        mine.data.copy_(theirs.data)
    return own


def close(found, expected, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def agree(world: World, reference, optimizer: str) -> None:
    """Train both for six steps, one in each epoch, and compare them at every step."""
    own = adopt(reference, world)
    mine = OPTIMIZERS[optimizer](own)
    batches = [world.batch(number) for number in range(STEPS)]
    seen = []

    def compare(engine) -> None:
        state = engine.state
        reference.paths = state.paths.tolist()
        batch = batches[state.epoch - 1]
        rows = list(zip(batch.inputs.split(batch.sizes), batch.targets.split(batch.sizes), strict=True))
        ce, kl, loss = reference.losses(rows, state.epoch - 1, state.imitated.tolist())
        for parameter in own:
            parameter.grad = None
        loss.backward()
        close(state.output.ce, torch.stack(ce).detach())
        close(state.output.kl, torch.stack(kl).detach())
        for found, expected in zip(world.parameters, own, strict=True):
            close(gradient(found), gradient(expected))
        mine.step()
        seen.append(state.iteration)

    world.train(batches, compare)
    assert seen == list(range(1, STEPS + 1))
    for found, expected in zip(world.parameters, own, strict=True):
        close(found.detach(), expected.detach(), 1e-7)


@pytest.mark.parametrize(
    ("task", "optimizer"),
    [
        ("image", "sgd"),
        ("text", "adam"),
        pytest.param("image", "adam", marks=pytest.mark.slow),
        pytest.param("text", "sgd", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", REFERENCES)
def test_a_preset_is_its_method(name: str, task: str, optimizer: str) -> None:
    agree(build(name, task, optimizer), REFERENCES[name](NETWORKS[task], EPOCHS), optimizer)


@pytest.mark.parametrize("task", NETWORKS)
@pytest.mark.parametrize(("reference", "preset", "changes"), HYBRIDS)
def test_a_hybrid_is_an_edit(reference, preset: str, changes: list[str], task: str) -> None:
    agree(build(preset, task, changes=changes), reference(NETWORKS[task], EPOCHS), "sgd")


@pytest.mark.parametrize("task", NETWORKS)
@pytest.mark.parametrize("name", REFERENCES)
def test_every_weight_on_a_path_learns(name: str, task: str) -> None:
    """So that the comparison of gradients leaves none out."""
    world = build(name, task)
    world.train([world.batch()])
    used = {(layer, module) for path in world.pool.routes.paths for layer, module in enumerate(path)}
    for layer, row in enumerate(world.pool.layers):
        for module, part in enumerate(row):
            assert ((layer, module) in used) == all(parameter.grad is not None for parameter in part.parameters())
    assert all(parameter.grad is not None for parameter in world.aggregator.parameters())
