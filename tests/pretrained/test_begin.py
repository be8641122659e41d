"""Pools begin with their weights, statistics included, and differ as the start says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import ConfigError, InputError
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.pipeline import run
from cgl_ignite.pipeline.assemble import Parts, assemble
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.pool import extract_student
from cgl_ignite.pretrained import STARTS
from cgl_ignite.seeding import stream
from cgl_ignite.student import Student, read_student
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import Stop, StoppingScreen, pipeline
from tests.kinds import small_pipeline
from tests.networks import Residual
from tests.test_registered_parts import trained_and_resumed

CPU = torch.device("cpu")
EQUAL = 'method.start={kind="equal"}'


def assembled(settings: Pipeline, seed: int = 1) -> Parts:
    """Build the parts of a run and establish its students."""
    parts = assemble(settings, read_data(settings), seed, CPU, Interruption())
    parts.pool.route(parts.routing.sample(stream(seed, "paths")), parts.subsets.group_of)
    return parts


def own(student: Path) -> dict[str, Tensor]:
    """Return the weights of a student file by layer and name."""
    weights: dict[str, Tensor] = torch.load(student, weights_only=True)["state_dict"]
    return {name.removeprefix("network."): value for name, value in weights.items()}


def test_every_module_and_every_student_begins_with_an_earlier_student(tmp_path: Path, student: Path) -> None:
    parts = assembled(pipeline(tmp_path, f"backbone.weights={student}", "data.limit=300", EQUAL))
    expected, seen = own(student), set()
    for name, value in parts.pool.state_dict().items():
        _, layer, _, rest = name.split(".", 3)
        weight = expected[f"{layer}.{rest}"]
        assert torch.equal(value, weight.expand_as(value)), name
        seen.add(f"{layer}.{rest}")
    assert {name for name in expected if name not in seen} == {"mean", "std"} | {
        name for name in expected if name.endswith("num_batches_tracked")
    }
    rows = parts.pool.get_submodule("layers.3.0.bn1").running_mean
    assert len(rows) > 1
    assert not torch.equal(rows, torch.zeros_like(rows))
    assert torch.equal(parts.splits.normaliser.mean, expected["mean"])
    assert torch.equal(parts.splits.normaliser.std, expected["std"])
    assert parts.beginning is not None
    assert parts.beginning.classifier


def test_before_the_first_step_a_student_answers_what_the_earlier_one_does(tmp_path: Path, student: Path) -> None:
    parts = assembled(pipeline(tmp_path, f"backbone.weights={student}", "data.limit=300", EQUAL))
    pixels = torch.rand(5, 1, 8, 8)
    earlier, _ = read_student(student)
    for number in range(parts.pool.routes.students):
        found = Student.of(parts.pool, number, parts.splits.normaliser)
        torch.testing.assert_close(found(pixels), earlier(pixels))


@pytest.mark.parametrize(("classes", "loaded"), [(2, True), (5, False)])
def test_the_classifier_is_new_if_the_number_of_classes_is_another(tmp_path: Path, classes: int, loaded: bool) -> None:
    network = Residual()
    network.head = nn.Linear(network.head.in_features, classes)
    torch.save(network.state_dict(), tmp_path / "own.pt")
    backbone = {"kind": "module", "build": "tests.networks.Residual", "layers": 3, "weights": str(tmp_path / "own.pt")}
    settings = small_pipeline("local_images", tmp_path, tmp_path / "runs", backbone=backbone)
    parts = assembled(load_pipeline(settings, [EQUAL]))
    alone = extract_student(parts.pool, 0)
    weights = {name.partition(".")[2]: value for name, value in alone.state_dict().items()}
    for name, value in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            same = weights[name].shape == value.shape and torch.equal(weights[name], value)
            assert same == (loaded or not name.startswith("head.")), name
    heads = [module.get_parameter("head.weight") for module in parts.pool.layers[-1]]
    assert torch.equal(heads[0], heads[1]) == loaded
    assert parts.beginning is not None
    assert parts.beginning.classifier == loaded


def test_the_classifier_of_a_student_of_other_classes_is_new(tmp_path: Path, student: Path) -> None:
    content = torch.load(student, weights_only=True)
    content["card"] = content["card"].replace('"classes":["0","1"', '"classes":["1","0"')
    torch.save(content, tmp_path / "other.pt")
    parts = assembled(pipeline(tmp_path, f"backbone.weights={tmp_path}/other.pt", "data.limit=300"))
    assert parts.beginning is not None
    assert not parts.beginning.classifier
    name = "layers.4.0.2.weight"
    assert not torch.equal(parts.pool.state_dict()[name], own(student)["4.2.weight"])


def test_noise_has_the_size_that_is_asked_for_and_is_repeated_by_its_seed(tmp_path: Path, student: Path) -> None:
    settings = pipeline(
        tmp_path,
        f"backbone.weights={student}",
        "data.limit=300",
        'method.start={kind="noise", size=0.3}',
        'method.routing={kind="random", modules=3, shared=[0]}',
    )
    pool, expected = assembled(settings).pool, own(student)
    for layer, modules in enumerate(pool.layers):
        for name, _ in modules[0].named_parameters():
            weight = expected[f"{layer}.{name}"]
            differences = torch.stack([module.get_parameter(name) - weight for module in modules])
            if layer == 0:
                assert not differences.any()
            elif weight.numel() >= 500:
                share = differences.square().mean((*range(1, weight.dim() + 1),)).sqrt() / weight.square().mean().sqrt()
                torch.testing.assert_close(share, torch.full((3,), 0.3), rtol=0.1, atol=0)
                assert not torch.equal(differences[0], differences[1])
    again, other = assembled(settings).pool.state_dict(), assembled(settings, seed=2).pool.state_dict()
    name = "layers.3.1.conv2.weight"
    assert torch.equal(again[name], pool.state_dict()[name])
    assert not torch.equal(other[name], pool.state_dict()[name])


def test_only_the_last_layers_have_modules(tmp_path: Path, student: Path) -> None:
    changes = [f"backbone.weights={student}", "data.limit=300", "method.students=4"]
    parts = assembled(pipeline(tmp_path, *changes, 'method.start={kind="last", layers=2}'))
    assert [len(modules) for modules in parts.pool.layers] == [1, 1, 2, 2, 2]
    paths = parts.pool.routes.paths
    assert len(set(paths)) == 4
    assert {path[:2] for path in paths} == {(0, 0)}


@pytest.mark.parametrize(("layers", "shared"), [(4, 0), (3, 1), (1, 3)])
def test_the_last_layers_are_counted_from_the_end(layers: int, shared: int) -> None:
    assert STARTS.get("last")(4, layers=layers).shared == shared
    assert STARTS.get("last")(5).shared == 2


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        (['method.start={kind="last", layers=5}'], "method.start", "layers = 5 is more than the 4 layers there are"),
        (['method.start={kind="last", layers=2}', "method.students=8"], "method.start", "8 students need distinct"),
        (["optim.frozen_layers=4"], "optim.frozen_layers", "must be less than the 4 layers, not 4"),
    ],
)
def test_what_leaves_too_little_is_refused(tmp_path: Path, changes: list[str], key: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pipeline(tmp_path, "backbone.weights=some.pt", *changes)
    found = {problem.key: problem.message for problem in caught.value.problems}
    assert message in found[key]


def test_what_needs_weights_is_refused_without(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"method\.start: 'last' is for modules that .* set backbone.weights"):
        pipeline(tmp_path, 'method.start={kind="last"}')
    with pytest.raises(ConfigError, match=r"optim\.frozen_layers: needs backbone.weights"):
        pipeline(tmp_path, "optim.frozen_layers=1")


@pytest.mark.parametrize("start", STARTS.kinds())
def test_a_start_is_trained_and_resumed(start: str, tmp_path: Path, student: Path) -> None:
    def settings(folder: Path) -> Pipeline:
        return pipeline(
            folder,
            f"backbone.weights={student}",
            f"method.start.kind={start}",
            "method.students=3",
            "optim.frozen_layers=1",
            "optim.layer_decay=0.7",
            "run.epochs=2",
            "data.limit=160",
            "data.holdout=100",
            "run.checkpoint_every={iterations = 1}",
        )

    halfway, found = trained_and_resumed(tmp_path, settings)
    for name, value in found["state"]["pool"].items():
        frozen = name.startswith("layers.0.")
        assert not frozen or torch.equal(value, own(student)[f"0.{name.removeprefix('layers.0.0.')}"]), name
    assert not torch.equal(
        found["state"]["pool"]["layers.3.0.conv2.weight"], halfway["pool"]["layers.3.0.conv2.weight"]
    )


def test_a_run_is_not_resumed_with_other_weights(tmp_path: Path, student: Path) -> None:
    copy = tmp_path / "student.pt"
    copy.write_bytes(student.read_bytes())
    changes = [f"backbone.weights={copy}", "data.limit=160", "run.epochs=2", "run.checkpoint_every={iterations = 1}"]
    settings = pipeline(tmp_path, *changes)
    with pytest.raises(Stop):
        run(settings, screen=StoppingScreen(1, Stop), tracker=MemoryTracker())
    content: dict[str, Any] = torch.load(copy, weights_only=True)
    content["state_dict"]["network.0.0.weight"] += 1
    torch.save(content, copy)
    with pytest.raises(InputError, match=r"the file of the weights .* has changed since run"):
        run(settings, resume=True, tracker=MemoryTracker())
