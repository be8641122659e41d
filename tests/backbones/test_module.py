"""Networks cut into layers: a pool of them is a plain loop over students, and a student is the network itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.backbones import Backbone
from cgl_ignite.backbones.cutting.draws import is_addressed
from cgl_ignite.backbones.module import module, timm
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Loss, Pipeline
from cgl_ignite.data import Batch
from cgl_ignite.engine.evaluate import pool_logits
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.imitation import View
from cgl_ignite.imitation.aggregate import Mean
from cgl_ignite.imitation.choose import others
from cgl_ignite.pool import ModularNetwork, Unit, extract_student, modular_layers, plan_forward
from cgl_ignite.spec import InputSpec
from tests.equivalence.reference import PlainStudents
from tests.kinds import small_pipeline
from tests.test_registered_parts import trained_and_resumed

CLASSES, STUDENTS = 4, 3


def own(name: str, **more: Any) -> dict[str, Any]:
    return {"build": f"tests.networks.{name}", "size": 8, **more}


def of_torchvision(name: str, size: int = 32, **more: Any) -> dict[str, Any]:
    return {"build": f"torchvision.models.{name}", "size": size, **more}


def of_timm(name: str, **more: Any) -> dict[str, Any]:
    return {"model": name, "size": 32, **more}


SMALL = {
    "plain": own("plain", layers=3),
    "residual": own("Residual", layers=3),
    "acts_first": own("ActsFirst", layers=4),
    "in_training": own("InTraining", layers=2),
    "tied": own("Tied"),
    "children": own("Children", layers=2),
    "children_of_body": own("Children", layers=["body.*"]),
}
LARGE = {
    "resnet18": of_torchvision("resnet18", options={"width_per_group": 64}),
    "mobilenet_v3_small": of_torchvision("mobilenet_v3_small", layers=8),
    "efficientnet_b0": of_torchvision("efficientnet_b0"),
    "shufflenet_v2_x0_5": of_torchvision("shufflenet_v2_x0_5"),
    "densenet121": of_torchvision("densenet121", options={"drop_rate": 0.1}, layers=5),
    "regnet_y_400mf": of_torchvision("regnet_y_400mf"),
    "convnext_tiny": of_torchvision("convnext_tiny", layers=4),
    "swin_t": of_torchvision("swin_t", layers=4),
    "vit_b_16": of_torchvision(
        "VisionTransformer",
        options={
            "image_size": 32,
            "patch_size": 16,
            "num_layers": 12,
            "num_heads": 2,
            "hidden_dim": 16,
            "mlp_dim": 32,
            "dropout": 0.1,
        },
        layers=12,
    ),
    "resnet10t": of_timm("resnet10t"),
    "vit_tiny": of_timm("vit_tiny_patch16_224", options={"img_size": 32}),
    "mobilenetv4": of_timm("mobilenetv4_conv_small"),
}
NETWORKS = {**SMALL, **LARGE}
each_network = pytest.mark.parametrize(
    "name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
)


def backbone(name: str) -> Backbone:
    """Cut a network of the table."""
    settings = dict(NETWORKS[name])
    size = settings.pop("size")
    if "model" in settings:
        pytest.importorskip("timm", reason="timm is not installed")
    if isinstance(settings.get("layers"), list):
        settings["layers"] = tuple(settings["layers"])
    return (timm if "model" in settings else module)(InputSpec("image", (3, size, size)), CLASSES, **settings)


def images(name: str, rows: int, seed: int = 0) -> Tensor:
    size = NETWORKS[name]["size"]
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 3, size, size, generator=generator, dtype=torch.float64)


def without_drops(builder: Any) -> nn.Module:
    """Build a layer that drops nothing."""
    built: nn.Module = builder()
    for part in built.modules():
        if is_addressed(part):
            vars(part)["drop_prob" if "drop_prob" in vars(part) else "p"] = 0.0
    return built


def routed(layers: Any, seed: int = 3) -> tuple[ModularNetwork, list[int], list[list[int]]]:
    """Build a pool of three students that share modules."""
    counts = [1, *[2] * (len(layers) - 1)]
    paths = [[(student >> layer % 2) % count for layer, count in enumerate(counts)] for student in range(STUDENTS)]
    pool = ModularNetwork(layers, counts, seed).double()
    pool.route(torch.tensor(paths), range(STUDENTS))
    return pool, counts, paths


@each_network
def test_a_planned_step_is_a_plain_loop(name: str) -> None:
    layers = [partial(without_drops, builder) for builder in modular_layers(backbone(name))]
    pool, counts, paths = routed(layers)
    plain = PlainStudents(layers, counts, paths)
    plain.copy_weights(pool)
    loss = Loss(temperature_squared=True, teacher_gradient="flows")
    optimizer = SimpleNamespace(zero_grad=lambda **_: pool.zero_grad(), step=lambda: None)
    aggregator = Mean(STUDENTS, others(STUDENTS), View(torch.flatten, None, 1))
    step = CollaborativeStep(pool.train(), aggregator, optimizer, range(STUDENTS), loss, STUDENTS)
    sizes, imitated = (3, 4, 3), [[False, True, True], [True, False, False], [False, True, False]]
    inputs, targets = images(name, sum(sizes)), torch.arange(sum(sizes)) % CLASSES
    state = SimpleNamespace(imitated=torch.tensor(imitated), ramp=0.7, iteration=1)
    losses = step(SimpleNamespace(state=state), Batch(inputs, targets, sizes))

    ce, kl = plain.losses(inputs.split(sizes), targets.split(sizes), range(STUDENTS), imitated, 3.0, True, True)
    (ce + 0.7 * kl).sum().backward()
    close = {"rtol": 1e-6, "atol": 1e-8}
    torch.testing.assert_close(losses.ce, ce.detach(), **close)
    torch.testing.assert_close(losses.kl, kl.detach(), **close)
    for mine, theirs in zip(plain.modules, pool.layers, strict=True):
        for expected, found in zip(mine, theirs, strict=True):
            gradients = {key: parameter.grad for key, parameter in found.named_parameters()}
            for key, parameter in expected.named_parameters():
                if parameter.grad is None or gradients[key] is None:
                    assert not any(grad is not None and grad.any() for grad in (parameter.grad, gradients[key]))
                else:
                    wrong = (gradients[key] - parameter.grad).norm()
                    assert wrong <= 1e-6 * parameter.grad.norm() + 1e-7, key
    for (student, layer, key), (mean, variance) in plain.statistics.items():
        norm, slot = pool.layers[layer][paths[student][layer]].get_submodule(key), pool.routes.slots[student][layer]
        torch.testing.assert_close(norm.running_mean[slot], mean, **close)
        torch.testing.assert_close(norm.running_var[slot], variance, **close)


@each_network
def test_a_student_is_the_network_with_its_weights(name: str) -> None:
    cut = backbone(name)
    pool, _, _ = routed(modular_layers(cut))
    plan = plan_forward(pool.routes, [Unit(k, k, own=True, gradient=False) for k in range(STUDENTS)], training=True)
    pool.train()([images(name, 4, seed) for seed in range(STUDENTS)], plan)
    inputs = images(name, 3, seed=9)
    together = pool_logits(pool.eval(), inputs)
    for student in range(STUDENTS):
        alone = extract_student(pool, student)
        network = cut.layers[0].source.make().double()
        weights = {key.partition(".")[2]: value for key, value in alone.state_dict().items()}
        found = network.load_state_dict(weights, strict=False)
        tensors = network.state_dict(keep_vars=True)
        loaded = {id(value) for key, value in tensors.items() if key in weights}
        assert all("_tensor_constant" in key for key in found.unexpected_keys)
        assert all(id(tensors[key]) in loaded for key in found.missing_keys)
        assert torch.equal(alone(inputs), network.eval()(inputs))
        torch.testing.assert_close(alone(inputs), together[student], rtol=1e-9, atol=1e-9)


@each_network
def test_a_unit_among_others_draws_what_it_draws_alone(name: str) -> None:
    pool, _, _ = routed(modular_layers(backbone(name)))
    batches = [images(name, 4, seed) for seed in range(2)]
    units = [Unit(student, batch, own=False, gradient=False) for student in range(STUDENTS) for batch in range(2)]

    def logits(chosen: list[Unit]) -> dict[tuple[int, int], Tensor]:
        plan = plan_forward(pool.routes, chosen, training=True)
        nodes = pool.train()(batches, plan, iteration=5).logits
        return {unit: nodes[node] for unit, node in plan.outputs.items()}

    together = logits(units)
    for unit in units:
        ((key, alone),) = logits([unit]).items()
        torch.testing.assert_close(alone, together[key], rtol=1e-9, atol=1e-9)


@each_network
def test_a_network_trains_and_resumes(name: str, tmp_path: Path) -> None:
    backbone(name)
    settings = dict(NETWORKS[name])
    kind = {"kind": "timm" if "model" in settings else "module"}
    size = settings.pop("size")

    def pipeline(folder: Path) -> Pipeline:
        tree = small_pipeline("local_images", tmp_path, folder, backbone={**kind, **settings})
        tree["data"]["size"] = size
        tree["run"] |= {"epochs": 2, "checkpoint_every": {"iterations": 1}}
        return load_pipeline({**tree, "method": {"preset": "cgl", "students": STUDENTS}})

    halfway, found = trained_and_resumed(tmp_path, pipeline)
    assert (halfway["trainer"]["iteration"], found["state"]["trainer"]["iteration"]) == (1, 2)
    moved = [key for key, value in found["state"]["pool"].items() if not torch.equal(value, halfway["pool"][key])]
    assert any(key.endswith("weight") for key in moved)
