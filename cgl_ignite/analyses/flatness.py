"""How flat the minimum of each selected student is: noise on its weights, and the curvature of its loss."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from cgl_ignite.analyses.base import Finding, at_least, mean_and_deviation
from cgl_ignite.analyses.subjects import Subject, by_method, measured
from cgl_ignite.analysis.curvature import Eigenvalue, hessian_product, largest_eigenvalue
from cgl_ignite.analysis.flatness import flatness_figure
from cgl_ignite.analysis.statistics import Interval, t_interval
from cgl_ignite.errors import InputError
from cgl_ignite.pool.pointwise import with_safe_convolutions
from cgl_ignite.seeding import stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["accuracy_of", "examine", "noisy", "sharpness"]

SIGMA = (0.01, 0.02, 0.03, 0.04, 0.05)
RELATIVE = (0.1, 0.2, 0.3, 0.4, 0.5)
DRAWS, ROWS, CURVATURE_ROWS = 10, 2000, 512

Batches = Sequence[tuple[Tensor, Tensor]]
Losses = dict[str, dict[float, list[float]]]
"""Points of accuracy lost, by kind of noise and its strength, one value for each draw."""


def examine(
    subjects: Sequence[Subject],
    *,
    sigma: Sequence[float] = SIGMA,
    relative: Sequence[float] = RELATIVE,
    draws: int = DRAWS,
    rows: int = ROWS,
) -> Finding:
    """Add Gaussian noise to all weights of the selected students and measure how much accuracy they lose.

    Every strength and every run with the same layers gets the same draws, so that differences are not due to them.

    Args:
        sigma: standard deviations of the noise (Figure 6 of the paper).
        relative: norms of the noise as a share of the norm of each tensor.
        draws: how often each is drawn.
        rows: test rows at most; the eigenvalue is taken on at most 512 training rows.

    Raises:
        InputError: a strength below 0.
    """
    strengths = _strengths(sigma, relative)
    at_least("draws", draws, 1)
    at_least("rows", rows, 1)
    values = measured(subjects, "flatness", partial(_measure, strengths=strengths, draws=draws, rows=rows))
    groups = by_method(subjects)
    drops = {
        kind: {name: {one: _drop([values[run]["lost"][kind][one] for run in runs]) for one in some}
               for name, runs in groups.items()}
        for kind, some in strengths.items()
    }  # fmt: skip

    def figures() -> Mapping[str, Figure]:
        return {"flatness": flatness_figure(drops)}

    return Finding(
        title="Flatness of the selected student: points of test accuracy lost by noise on its weights",
        columns=("noise", *groups),
        rows=list(_rows([[values[run] for run in runs] for runs in groups.values()], drops)),
        notes=tuple(_notes(draws, rows, [one["eigenvalue"] for one in values.values()])),
        values={
            "draws": draws,
            "runs": [_tree(run, values[run]) for run in subjects],
            "methods": {name: _drops_tree(drops, name) for name in groups},
        },
        figures=figures,
    )


def _strengths(sigma: Sequence[float], relative: Sequence[float]) -> dict[str, list[float]]:
    """Sort the strengths of the noise by kind."""
    for name, some in {"sigma": sigma, "relative": relative}.items():
        for strength in some:
            at_least(name, strength, 0)
    chosen = {"absolute": sigma, "relative": relative}
    strengths = {kind: sorted(set(some)) for kind, some in chosen.items() if some}
    if not strengths:
        raise InputError("flatness needs a strength of the noise: sigma or relative")
    return strengths


def _measure(subject: Subject, strengths: Mapping[str, Sequence[float]], draws: int, rows: int) -> dict[str, Any]:
    network = subject.network(subject.pool())
    test = list(subject.batches(subject.some(subject.splits.test(), rows, "noise")))
    accuracy = accuracy_of(network, test)
    lost: Losses = {kind: {one: [] for one in some} for kind, some in strengths.items()}
    for draw in range(draws):
        for kind, some in strengths.items():
            for strength in some:
                with noisy(network, strength, draw, relative=kind == "relative"):
                    lost[kind][strength].append(accuracy - accuracy_of(network, test))
    eigenvalue = sharpness(
        network, list(subject.batches(subject.some(subject.splits.train, CURVATURE_ROWS, "curvature")))
    )
    return {"accuracy": accuracy, "lost": lost, "eigenvalue": eigenvalue}


@contextmanager
def noisy(network: nn.Module, strength: float, draw: int, *, relative: bool) -> Iterator[None]:
    r"""Lend the parameters of a network Gaussian noise, and give them back unchanged.

    .. math:: w' = w + \sigma \varepsilon \quad\text{or}\quad w' = w + \sigma \lVert w \rVert n^{-1/2} \varepsilon

    for each tensor w of n numbers. The noise stands at the address (draw, number of the tensor).
    """
    before = [parameter.detach().clone() for parameter in network.parameters()]
    try:
        with torch.no_grad():
            for number, parameter in enumerate(network.parameters()):
                noise = torch.randn(parameter.shape, generator=stream(0, "weight noise", draw, number))
                scale = float(parameter.norm()) / parameter.numel() ** 0.5 if relative else 1.0
                parameter.add_(noise.to(parameter.device), alpha=strength * scale)
        yield
    finally:
        with torch.no_grad():
            for parameter, values in zip(network.parameters(), before, strict=True):
                parameter.copy_(values)


def accuracy_of(network: nn.Module, batches: Batches) -> float:
    """Return the accuracy of a network in percent; an answer that is not finite is wrong."""
    with torch.no_grad():
        answers = [(network(inputs), targets) for inputs, targets in batches]
    right = [(logits.argmax(dim=-1) == targets) & logits.isfinite().all(dim=-1) for logits, targets in answers]
    return 100 * torch.cat(right).double().mean().item()


def sharpness(network: nn.Module, batches: Batches) -> Eigenvalue:
    """Find the largest eigenvalue of the Hessian of the cross-entropy, with the running statistics as they are."""
    network = with_safe_convolutions(copy.deepcopy(network))
    parameters = [parameter.requires_grad_() for parameter in network.parameters()]
    size = sum(parameter.numel() for parameter in parameters)
    start = torch.randn(size, generator=stream(0, "power iteration")).to(parameters[0].device)
    with sdpa_kernel(SDPBackend.MATH):
        return largest_eigenvalue(lambda vector: hessian_product(network, parameters, batches, vector), start)


def _drop(runs: Sequence[Sequence[float]]) -> tuple[float, Interval | None]:
    """Return the mean loss with its interval over seeds or, of one seed, over draws."""
    means = [fmean(draws) for draws in runs]
    return fmean(means), t_interval(means if len(means) > 1 else runs[0])


def _rows(methods: Sequence[Sequence[Mapping[str, Any]]], drops: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Write a line for each strength of the noise, and a column for each method."""
    yield "none: accuracy %", *(mean_and_deviation([run["accuracy"] for run in runs], "{:.2f}") for runs in methods)
    signs = {"absolute": "σ = {:g}", "relative": "{:g} % of the norm"}
    for kind, by_name in drops.items():
        for strength in next(iter(by_name.values())):
            shown = strength if kind == "absolute" else 100 * strength
            yield signs[kind].format(shown), *(_cell(*lost[strength]) for lost in by_name.values())
    eigenvalues = [[run["eigenvalue"].value for run in runs] for runs in methods]
    yield "largest eigenvalue", *(mean_and_deviation(values, "{:.1f}") for values in eigenvalues)


def _cell(mean: float, interval: Interval | None) -> str:
    return f"{mean:.1f}" if interval is None else f"{mean:.1f} [{interval.low:.1f}, {interval.high:.1f}]"


def _notes(draws: int, rows: int, eigenvalues: Sequence[Eigenvalue]) -> Iterator[str]:
    yield (
        f"points of accuracy lost: mean over {draws} draws on at most {rows:,} test rows; in brackets the 95 % "
        "interval, over seeds or, of one seed, over draws; σ: standard deviation of the noise; norm: of each tensor"
    )
    yield (
        f"largest eigenvalue: of the Hessian of the cross-entropy on at most {CURVATURE_ROWS} training rows; the "
        "smaller, the flatter"
    )
    if not all(one.settled for one in eigenvalues):
        yield "the power iteration has not settled for every run: take its eigenvalue as a rough one"


def _drops_tree(drops: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {
        kind: [
            {"strength": strength, "mean": mean, "interval": None if interval is None else list(interval)}
            for strength, (mean, interval) in methods[name].items()
        ]
        for kind, methods in drops.items()
    }


def _tree(subject: Subject, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **subject.named,
        "accuracy": values["accuracy"],
        "lost": {
            kind: [{"strength": one, "draws": list(draws)} for one, draws in lost.items()]
            for kind, lost in values["lost"].items()
        },
        "eigenvalue": values["eigenvalue"].value,
        "eigenvalue_settled": values["eigenvalue"].settled,
    }
