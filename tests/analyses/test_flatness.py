"""Noise on the weights of a linear model, whose loss of accuracy is known, and of the student of a run."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from statistics import NormalDist, fmean

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.analyses.flatness import accuracy_of, examine, noisy, sharpness
from cgl_ignite.analyses.subjects import open_subjects
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline import RunResult
from cgl_ignite.runs import open_run, take_student
from cgl_ignite.seeding import stream
from cgl_ignite.student import logits, read_test_part

ONE = [(torch.ones(1, 1), torch.tensor([0]))]


def linear(first: float, second: float) -> nn.Linear:
    """Two logits, each a weight times the input."""
    network = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[first], [second]]))
    return network


@pytest.mark.parametrize(("strength", "relative", "deviation"), [(0.8, False, 0.8), (0.6, True, 0.6 * sqrt(5 / 2))])
def test_a_linear_model_loses_what_the_normal_distribution_says(
    strength: float, relative: bool, deviation: float
) -> None:
    """The logits 2 and 1 change places if the difference of two normal draws exceeds 1: N(0, 2σ²)."""
    network = linear(2, 1)
    right = []
    for draw in range(3000):
        with noisy(network, strength, draw, relative=relative):
            right.append(accuracy_of(network, ONE))
    assert fmean(right) == pytest.approx(100 * NormalDist().cdf(1 / (sqrt(2) * deviation)), abs=2.5)


def test_one_draw_by_hand() -> None:
    network = nn.Sequential(linear(2, 1), nn.BatchNorm1d(2)).eval()
    noise = [
        torch.randn(shape, generator=stream(0, "weight noise", 7, n)) for n, shape in enumerate([(2, 1), (2,), (2,)])
    ]
    with noisy(network, 0.3, 7, relative=False):
        assert torch.allclose(network[0].weight, torch.tensor([[2.0], [1.0]]) + 0.3 * noise[0])
        assert torch.allclose(network[1].weight, 1 + 0.3 * noise[1])
        assert torch.allclose(network[1].bias, 0.3 * noise[2])
        assert network[1].running_mean.tolist() == [0, 0]
    assert network[0].weight.tolist() == [[2], [1]]
    with noisy(network, 0.3, 7, relative=True):
        assert torch.allclose(network[0].weight, torch.tensor([[2.0], [1.0]]) + 0.3 * sqrt(5 / 2) * noise[0])
        assert network[1].bias.tolist() == [0, 0]


def test_answers_that_are_not_finite_are_wrong() -> None:
    assert accuracy_of(linear(float("inf"), 0), ONE) == 0
    assert accuracy_of(linear(1, 0), ONE) == 100


def test_the_curvature_of_a_linear_model_by_hand() -> None:
    """Logits a and b with p = σ(a - b): the Hessian is p(1 - p) [[1, -1], [-1, 1]], of eigenvalue 2p(1 - p)."""
    p = 1 / (1 + torch.exp(torch.tensor(-1.0))).item()
    assert sharpness(linear(2, 1), ONE).value == pytest.approx(2 * p * (1 - p), rel=1e-4)


def test_no_noise_no_loss_and_much_noise_all_but_chance(result: RunResult, folder: Path) -> None:
    subjects = open_subjects(["latest"], folder, torch.device("cpu"))
    finding = examine(subjects, sigma=(0, 50), relative=(), draws=3)
    (found,) = finding.values["runs"]
    assert found["accuracy"] == pytest.approx(result.test_accuracy)
    nothing, much = found["lost"]["absolute"]
    assert nothing == {"strength": 0, "draws": [0, 0, 0]}
    assert fmean(much["draws"]) > found["accuracy"] - 35
    assert finding.rows[1][1] == "0.0 [0.0, 0.0]"


def test_the_student_of_a_run_loses_what_a_plain_loop_finds(result: RunResult, folder: Path) -> None:
    run = open_run("latest", folder)
    student, _ = take_student(run)
    test = read_test_part("digits", run.card(0), folder, 400)
    lost = []
    for draw in range(2):
        state = {name: value.clone() for name, value in student.state_dict().items()}
        with torch.no_grad():
            for number, parameter in enumerate(student.parameters()):
                noise = torch.randn(parameter.shape, generator=stream(0, "weight noise", draw, number))
                parameter.copy_(parameter + 0.1 * noise)
        lost.append(result.test_accuracy - accuracy(logits(student, test.inputs), test.targets))
        student.load_state_dict(state)
    subjects = open_subjects(["latest"], folder, torch.device("cpu"))
    (found,) = examine(subjects, sigma=(0.1,), relative=(), draws=2).values["runs"]
    assert found["lost"]["absolute"][0]["draws"] == pytest.approx(lost, abs=0.3)


def accuracy(answers: Tensor, targets: Tensor) -> float:
    return 100 * (answers.argmax(-1) == targets).double().mean().item()


def test_what_cannot_be_measured(result: RunResult, folder: Path) -> None:
    subjects = open_subjects(["latest"], folder, torch.device("cpu"))
    for options, message in (
        ({"sigma": (-0.1,)}, r"sigma must be a number of at least 0, not -0\.1"),
        ({"relative": (float("nan"),)}, "relative must be a number of at least 0, not nan"),
        ({"draws": 0}, "draws must be a number of at least 1, not 0"),
        ({"sigma": (), "relative": ()}, "needs a strength of the noise"),
    ):
        with pytest.raises(InputError, match=message):
            examine(subjects, **options)
