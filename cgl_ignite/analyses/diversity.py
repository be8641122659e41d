"""How alike the students of each run have become: what they predict, and how they represent it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cgl_ignite.analyses.base import Finding, Inapplicable, at_least, mean_and_deviation, numbered
from cgl_ignite.analyses.subjects import Subject, by_method, measured
from cgl_ignite.analysis.agreement import agreement, agreements_figure
from cgl_ignite.analysis.similarity import FEWEST_ROWS, alignments, gram_matrix, similarity_figure
from cgl_ignite.data import Examples
from cgl_ignite.errors import InputError
from cgl_ignite.metrics.diversity import mean_of_pairs, pairwise_diversity
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.runs import design_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["examine", "layer_alignments"]

COLUMNS = (
    "method",
    "seeds",
    "students",
    "agreement %",
    "L2 distance",
    "mean CKA",
    "first layer",
    "last layer",
)
ROWS = 500


def examine(subjects: Sequence[Subject], *, rows: int = ROWS) -> Finding:
    """Compare the students of each run with each other, on the test part.

    Args:
        rows: test rows on which representations are compared.

    Raises:
        Inapplicable: no run has two students.
        InputError: fewer rows than the similarity needs.
    """
    at_least("rows", rows, FEWEST_ROWS)
    groups = [subject for subject in subjects if subject.run.students > 1]
    if not groups:
        raise Inapplicable("diversity is about several students, and each of these runs has one")
    values = measured(groups, "diversity", partial(_measure, rows=rows))
    methods = by_method(groups)
    alone = sorted({subject.method for subject in subjects} - methods.keys())

    def figures() -> Mapping[str, Figure]:
        layers = {name: [values[run]["cka_of_layers"] for run in runs] for name, runs in methods.items()}
        agreements = {
            name: torch.tensor([values[run]["agreement"] for run in runs]).mean(dim=0).numpy()
            for name, runs in methods.items()
        }
        return {"agreement": agreements_figure(agreements), "similarity": similarity_figure(layers)}

    return Finding(
        title="Diversity of the students",
        columns=COLUMNS,
        rows=[_row(name, [values[run] for run in runs]) for name, runs in methods.items()],
        notes=(
            "means over pairs of students, on the test part; agreement: share of rows on which two students predict "
            "the same class; L2 distance: of their predicted probabilities; CKA: linear, unbiased, on at most "
            f"{rows} rows, 1 for representations that are equal up to a rotation",
            *(f"{name}: one student, nothing to compare" for name in alone),
        ),
        values={"runs": [_tree(run, values[run]) for run in groups]},
        figures=figures,
    )


def _measure(subject: Subject, rows: int) -> dict[str, Any]:
    pool, test = subject.pool(), subject.splits.test()
    chosen = subject.some(test, rows, "similarity")
    if len(chosen) < FEWEST_ROWS:
        raise InputError(
            f"representations are compared on at least {FEWEST_ROWS} test rows, and there are {len(chosen)}"
        )
    logits, targets = subject.logits(pool, test)
    parts = zip(logits.split(1024, dim=1), targets.split(1024), strict=True)
    distances = torch.cat([pairwise_diversity(*part) for part in parts]).double().mean(dim=0)
    same = torch.from_numpy(agreement(logits.argmax(dim=-1).numpy()))
    layers = layer_alignments(subject, pool, chosen)
    return {
        "students": subject.run.students,
        "agreement": same.tolist(),
        "agreement_mean": mean_of_pairs(same),
        "distance": distances.tolist(),
        "distance_mean": mean_of_pairs(distances),
        "cka": layers.tolist(),
        "cka_of_layers": [mean_of_pairs(layer) for layer in layers],
    }


def layer_alignments(subject: Subject, pool: ModularNetwork, examples: Examples) -> Tensor:
    """Return the CKA of the students' representations behind each layer. Shape: result (L, K, K).

    Of texts, whose rows differ in length, the vector of each row is compared (``Backbone.to_vector``).
    """
    to_vector: Callable[[Tensor], Tensor] = torch.nn.Flatten()
    if examples.lengths is not None:
        to_vector = design_of(subject.run)[1].to_vector
    networks = [subject.network(pool, student) for student in range(subject.run.students)]
    inputs = [batch for batch, _ in subject.batches(examples)]
    values, found = [list(inputs) for _ in networks], []
    with torch.no_grad():
        for layer in range(len(networks[0])):
            grams = []
            for student, network in enumerate(networks):
                values[student] = [network[layer](batch) for batch in values[student]]
                logits = layer == len(network) - 1
                parts = [batch if logits else to_vector(batch) for batch in values[student]]
                grams.append(gram_matrix(torch.cat(parts)).cpu())
            found.append(alignments(grams))
    return torch.stack(found)


def _row(name: str, runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    layers = [run["cka_of_layers"] for run in runs]
    similar = [[fmean(one) for one in layers], [one[0] for one in layers], [one[-1] for one in layers]]
    distances = [run["distance_mean"] for run in runs]
    cells = (mean_and_deviation(values, "{:.3f}") for values in (distances, *similar))
    agreed = mean_and_deviation([run["agreement_mean"] for run in runs], "{:.2f}")
    return name, str(len(runs)), str(runs[0]["students"]), agreed, *cells


def _tree(subject: Subject, values: Mapping[str, Any]) -> dict[str, Any]:
    tree = {**subject.named, **values}
    tree["cka"] = [[[numbered(value) for value in row] for row in layer] for layer in values["cka"]]
    tree["cka_of_layers"] = [numbered(value) for value in values["cka_of_layers"]]
    return tree
