"""What the steps of a method do not show: how large its pool is, how often it imitates, which student it selects."""

from __future__ import annotations

import pytest
import torch

from cgl_ignite.pipeline.assemble import blueprint, build_aggregator
from cgl_ignite.pool import ModularNetwork, modular_layers
from cgl_ignite.pool.cost import measure_layers
from cgl_ignite.selection import SELECTIONS
from cgl_ignite.spec import InputSpec
from tests.equivalence.methods.package import pipeline_of

PAPERS_NUMBERS = [
    # preset, changes, ResNet-18, ResNet-34: 100 classes
    ("baseline", [], 11_220_132, 21_328_292),
    ("dml", [], 33_660_396, 63_984_876),
    ("dml", ["method.students=8"], 89_761_056, 170_626_336),
    ("cl_ilr", [], 28_110_188, 47_659_628),
    ("cl_ilr", ["method.students=8"], 70_335_328, 113_487_968),
    ("one", [], 28_110_965, 47_660_405),
    ("okddip", [], 28_175_724, 47_725_164),
    ("okddip", ["method.students=4"], 36_620_752, 60_890_832),
    ("cgl", [], 22_440_264, 42_656_584),
    ("cgl", ["method.classifier=shared"], 22_388_964, 42_605_284),
    ("dml_repo", [], 33_660_396, 63_984_876),
    ("cl_ilr_repo", [], 28_110_188, 47_659_628),
    ("one_repo", [], 28_110_965, 47_660_405),
]
COUNTS = [
    (preset, changes, backbone, count)
    for preset, changes, *counts in PAPERS_NUMBERS
    for backbone, count in zip(("resnet18", "resnet34"), counts, strict=True)
]

PROBABILITIES = {"image": 0.25, "text": 0.5}
STUDENTS = {"baseline": (1, 1), "cgl": (8, 8)}
"""For images and for texts; all other methods have three and five."""

SCORES = [[40.0, 90.0, 30.0], [50.0, 60.0, 45.0], [50.0, 90.0, 45.0], [95.0, 20.0, 40.0]]
"""Accuracies on the holdout: of each epoch, of each student."""


@pytest.fixture(scope="module")
def costs() -> dict:
    """Layers of both backbones, measured once on small images."""
    spec = InputSpec("image", (3, 8, 8))
    found = {}
    for name in ("resnet18", "resnet34"):
        pipeline = pipeline_of("baseline", changes=[f"backbone.kind={name}", "backbone.width=64"])
        found[name] = measure_layers(modular_layers(blueprint(pipeline, spec, 100)[0]), spec)
    return found


@pytest.mark.parametrize(("preset", "changes", "backbone", "count"), COUNTS)
def test_parameters_of_the_paper(preset: str, changes: list[str], backbone: str, count: int, costs: dict) -> None:
    pipeline = pipeline_of(preset, changes=[*changes, f"backbone.kind={backbone}", "backbone.width=64"])
    built, routing = blueprint(pipeline, InputSpec("image", (3, 8, 8)), 100)
    with torch.device("meta"):
        pool = ModularNetwork(modular_layers(built), routing.modules, seed=1)
    aggregator = build_aggregator(pipeline, built, routing, costs[backbone], seed=1)
    assert sum(p.numel() for module in (pool, aggregator) for p in module.parameters()) == count


@pytest.mark.parametrize("task", ["image", "text"])
@pytest.mark.parametrize("preset", ["baseline", "dml", "cl_ilr", "one", "okddip", "cgl"])
def test_number_of_students(preset: str, task: str) -> None:
    image, text = STUDENTS.get(preset, (3, 5))
    assert pipeline_of(preset, task).method.students == {"image": image, "text": text}[task]


@pytest.mark.parametrize("task", ["image", "text"])
def test_probability_of_imitation(task: str) -> None:
    assert pipeline_of("cgl", task).method.choose.options == {"probability": PROBABILITIES[task]}


@pytest.mark.parametrize(
    ("preset", "selected"),
    [("baseline", [(1, 0), (2, 0), (3, 0), (4, 0)]), ("okddip", [(1, 2), (2, 2), (3, 2), (4, 2)])]
    + [(preset, [(1, 1), (2, 1), (3, 1), (4, 0)]) for preset in ("dml", "cl_ilr", "one", "cgl")],
)
def test_the_selected_student(preset: str, selected: list[tuple[int, int]]) -> None:
    """The best student of the last epoch; in OKDDip the leader."""
    students = 1 if preset == "baseline" else 3
    rule = SELECTIONS.build(pipeline_of(preset).method.selection, students, 1)
    found, chosen = [], None
    history = [(scores[:students], [0.5] * students) for scores in SCORES]
    for epoch in range(1, len(history) + 1):
        chosen = rule(epoch, history[:epoch], chosen)
        found.append((chosen.epoch, chosen.student))
    assert found == selected
