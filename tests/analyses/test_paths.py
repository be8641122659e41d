"""All paths of a pool of 2 x 2 x 2 modules against brute force."""

from __future__ import annotations

import copy
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.analyses.base import Inapplicable
from cgl_ignite.analyses.paths import choose_paths, examine, measure_paths
from cgl_ignite.analyses.subjects import Subject, open_subjects
from cgl_ignite.data import Examples
from cgl_ignite.pool import extract_student
from cgl_ignite.runs import rebuild_pool
from cgl_ignite.seeding import stream
from cgl_ignite.student import logits, read_student
from tests.student.runs import finished_run

CUBE = 'method.routing={kind="random", modules=2, shared=[0]}'
"""Of the four layers of resnet8 the first one is shared; the classifier belongs to the last module."""


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tmp_path_factory.mktemp("cube")
    finished_run(folder, CUBE, "optim.batch_size=8", "run.epochs=4")
    (subject,) = open_subjects(["latest"], folder, torch.device("cpu"))
    return subject


def brute_force(subject: Subject, path: tuple[int, ...]) -> nn.Sequential:
    """Put the modules of one path into an ordinary network, and let PyTorch gather its statistics."""
    pool = rebuild_pool(subject.run)
    pool.route(torch.tensor([path]), [0])
    network = extract_student(pool, 0)
    train = subject.splits.train
    order = torch.randperm(len(train), generator=stream(0, "rows statistics"))
    order = order[: len(order) // 128 * 128]
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
            part.train()
    with torch.no_grad():
        for rows in order.split(128):
            network(subject.run.normaliser(train.inputs.index_select(0, rows)))
    return network.eval()


def right(subject: Subject, network: nn.Sequential, examples: Examples) -> Tensor:
    with torch.no_grad():
        return network(subject.run.normaliser(examples.inputs)).argmax(-1) == examples.targets


def test_the_cube_against_brute_force(subject: Subject) -> None:
    found = measure_paths(subject)
    assert sorted(found.paths) == [(0, *path) for path in product((0, 1), repeat=3)]
    assert [found.paths[place] for place in found.students] == [tuple(path) for path in subject.run.facts["paths"]]
    assert found.selected == found.students[subject.selected]
    holdout = {}
    for place, path in enumerate(found.paths):
        network = brute_force(subject, path)
        holdout[path] = 100 * right(subject, network, subject.splits.holdout).double().mean().item()
        assert found.holdout[place].item() == pytest.approx(holdout[path], abs=1.01)
        assert (found.hits[place] != right(subject, network, subject.splits.test())).sum() <= 1
    assert holdout[found.paths[found.best]] >= max(holdout.values()) - 1.01
    assert len(set(found.test.tolist())) > 2


def test_the_best_path_is_a_student(subject: Subject, tmp_path: Path) -> None:
    finding = examine([subject])
    (values,) = finding.values["runs"]
    best = values["paths"][values["best"]]
    path = tmp_path / values["file"]
    path.write_bytes(finding.files[values["file"]]())
    student, card = read_student(path)
    test = subject.splits.test()
    hits = logits(student, test.inputs).argmax(-1) == test.targets
    assert 100 * hits.double().mean().item() == pytest.approx(best["test_accuracy"], abs=0.3)
    assert card.path == tuple(best["path"])
    assert card.test_accuracy == best["test_accuracy"]
    assert "the path 0, " in card.markdown()
    assert card.student == (best["students"] or [3])[0]


def test_ties_on_the_holdout_go_to_the_lower_cross_entropy(subject: Subject) -> None:
    found = copy.copy(measure_paths(subject, rows=40))
    object.__setattr__(found, "holdout", torch.tensor([50.0, 90.0, 90.0] + [10.0] * 5))
    object.__setattr__(found, "loss", torch.tensor([0.1, 0.9, 0.4] + [1.0] * 5))
    assert found.best == 2


def test_a_sample_holds_the_students_and_no_path_twice() -> None:
    trained = [(0, 1, 2, 0), (2, 2, 2, 2), (0, 1, 2, 0)]
    drawn = choose_paths([3, 3, 3, 3], trained, 20, seed=1)
    assert drawn[:2] == trained[:2]
    assert len(set(drawn)) == len(drawn) == 22
    assert drawn == choose_paths([3, 3, 3, 3], trained, 20, seed=1) != choose_paths([3, 3, 3, 3], trained, 20, seed=2)
    assert len(choose_paths([3, 3, 3, 3], trained, 79, seed=1)) == 81


def test_a_single_network_has_no_paths_to_choose_from(tmp_path: Path) -> None:
    finished_run(tmp_path, 'method.preset="baseline"', "method.students=1", "run.epochs=1")
    with pytest.raises(Inapplicable, match="single path"):
        examine(open_subjects(["latest"], tmp_path, torch.device("cpu")))
