"""What the planned pass costs on a network of torchvision, beside a pool of the same network written by hand.

The pool by hand is a ``ModuleList`` of modules for each layer and a loop over students. Both run the same iteration:
each student on its own batch, cross-entropy, backward, Adam. The rounds take turns in one process; before anything is
timed, both must give the same losses.

    python benchmarks/networks.py --output benchmarks/results/networks.json
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from cgl_ignite.backbones.module import module
from cgl_ignite.bench.figures import facts, ratio, summary
from cgl_ignite.compat import ensure_torchvision
from cgl_ignite.pool import ModularNetwork, Unit, modular_layers, plan_forward
from cgl_ignite.spec import InputSpec

ensure_torchvision()
from torchvision import models  # noqa: E402  needs the line before

STUDENTS, MODULES, CLASSES = 4, 2, 10


def resnet18() -> list[nn.Module]:
    """Cut ResNet-18 by hand: the stem with the first stage, the other stages, and the end."""
    net = models.resnet18(num_classes=CLASSES)
    first = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    return [first, net.layer2, net.layer3, net.layer4, nn.Sequential(net.avgpool, nn.Flatten(), net.fc)]


def mobilenet() -> list[nn.Module]:
    """Cut MobileNetV3-small by hand."""
    net = models.mobilenet_v3_small(num_classes=CLASSES, dropout=0.0)
    ends = (0, 2, 4, 9, 13)
    layers: list[nn.Module] = [net.features[start:end] for start, end in pairwise(ends)]
    layers[-1] = nn.Sequential(layers[-1], net.avgpool, nn.Flatten(), net.classifier[:3])
    return [*layers, net.classifier[3]]


NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[str, ...], Callable[[], list[nn.Module]], int]] = {
    "resnet18": ("resnet18", {}, ("layer2", "layer3", "layer4"), resnet18, 64),
    "mobilenet_v3_small": (
        "mobilenet_v3_small",
        {"dropout": 0.0},
        ("features.2", "features.4", "features.9"),
        mobilenet,
        64,
    ),
}


class ByHand(nn.Module):
    """Layers of modules, and a loop over students; all share the running statistics of a module."""

    def __init__(self, build: Callable[[], list[nn.Module]], paths: Sequence[Sequence[int]]) -> None:
        super().__init__()
        copies = [build() for _ in range(MODULES)]
        self.layers = nn.ModuleList(nn.ModuleList(row) for row in zip(*copies, strict=True))
        self.paths = paths

    def forward(self, batches: Sequence[Tensor]) -> list[Tensor]:
        """Run each student on its batch."""
        results = []
        for path, inputs in zip(self.paths, batches, strict=True):
            values = inputs
            for modules, number in zip(self.layers, path, strict=True):
                values = modules[number](values)  # type: ignore[index]
            results.append(values)
        return results


def contestants(name: str, rows: int, paths: Sequence[Sequence[int]]) -> dict[str, Callable[[], float]]:
    """Return an iteration of both pools, with the same weights and batches."""
    build, options, layers, by_hand, size = NETWORKS[name]
    backbone = module(
        InputSpec("image", (3, size, size)), CLASSES, build=f"torchvision.models.{build}",
        options={"num_classes": CLASSES, **options}, layers=layers,
    )  # fmt: skip
    own = ModularNetwork(modular_layers(backbone), [MODULES] * len(paths[0]), seed=1)
    own.route(torch.tensor(paths), range(STUDENTS))
    hand = ByHand(by_hand, paths)
    for mine, theirs in zip(hand.layers, own.layers, strict=True):
        for target, source in zip(mine, theirs, strict=True):  # type: ignore[call-overload]
            for into, value in zip(target.parameters(), source.parameters(), strict=True):
                into.data.copy_(value)
    for pool in (own, hand):
        pool.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    images = torch.randn(STUDENTS, rows, 3, size, size, generator=torch.Generator().manual_seed(1))
    batches = [each.contiguous(memory_format=torch.channels_last) for each in images]
    targets = torch.arange(rows) % CLASSES
    plan = plan_forward(own.routes, [Unit(k, k, own=True, gradient=True) for k in range(STUDENTS)], training=True)

    def planned() -> list[Tensor]:
        logits = own(batches, plan).logits
        return [logits[plan.outputs[k, k]] for k in range(STUDENTS)]

    def iteration(pool: nn.Module, run: Callable[[], list[Tensor]]) -> Callable[[], float]:
        optimizer = Adam(pool.parameters(), 1e-3, fused=True)

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            loss = torch.stack([F.cross_entropy(logits, targets) for logits in run()]).sum()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    return {"planned": iteration(own, planned), "by hand": iteration(hand, lambda: hand(batches))}


def measure(name: str, rows: int, rounds: int, iterations: int) -> dict[str, Any]:
    """Time both pools of a network in turns, by the clock of the process."""
    depth = len(NETWORKS[name][3]())
    paths = [[(student >> layer % 2) % MODULES for layer in range(depth)] for student in range(STUDENTS)]
    steps = contestants(name, rows, paths)
    for _ in range(2):
        losses = [step() for step in steps.values()]
        assert abs(losses[0] - losses[1]) < 1e-2 * abs(losses[1]), f"the losses differ: {losses}"
    times: dict[str, list[float]] = {each: [] for each in steps}
    for number in range(rounds):
        for each, step in list(steps.items())[:: 1 if number % 2 else -1]:
            began = time.process_time()
            for _ in range(iterations):
                step()
            times[each].append(1000 * (time.process_time() - began) / iterations)
    found = {each: summary(values) for each, values in times.items()}
    over = ratio(times["planned"], times["by hand"])
    print(f"{name}, {STUDENTS} batches of {rows}: planned {found['planned']['median']:.1f} ms, by hand", end=" ")
    print(f"{found['by hand']['median']:.1f} ms, ratio {over['median']:.3f} [{over['low']:.3f}, {over['high']:.3f}]")
    return {"network": name, "rows": rows, "milliseconds": found, "planned_over_by_hand": over, "rounds": times}


@click.command()
@click.option("--rounds", default=11, show_default=True, help="Rounds that count.")
@click.option("--iterations", default=2, show_default=True, help="Iterations of a round.")
@click.option("--rows", "sizes", multiple=True, type=int, default=(8,), show_default=True, help="Rows of a batch.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for all figures.")
def main(rounds: int, iterations: int, sizes: tuple[int, ...], output: Path | None) -> None:
    """Time the planned pass against a pool written by hand, on one thread."""
    torch.set_num_threads(1)
    load = [os.getloadavg()]
    results = [measure(name, rows, rounds, iterations) for name in NETWORKS for rows in sizes]
    load.append(os.getloadavg())
    if output:
        record = {**facts(torch.device("cpu")), "clock": "cpu time of the process", "load": load, "results": results}
        output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
