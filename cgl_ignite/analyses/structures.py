"""Whether structures, tables of paths, rank alike on two data sets (the paper's Table 7)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean
from typing import Any

from cgl_ignite.analyses.base import Finding, Inapplicable, mean_and_deviation, numbered
from cgl_ignite.analyses.subjects import Subject
from cgl_ignite.analysis.paper import printed_structures
from cgl_ignite.analysis.ranking import Correlation, kendall, ranks, spearman
from cgl_ignite.config.dump import fingerprint
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError
from cgl_ignite.runs import design_of

__all__ = ["examine"]

BEST = 3
"""Structures that the paper takes from one data set to the other."""
FEWEST = 3
"""Structures of both data sets that a correlation needs."""
CORRELATIONS = {"Spearman": spearman, "Kendall": kendall}
NOTHING = "–"


@dataclass
class _Structure:
    """A table of paths, and the test accuracies of its runs by data set."""

    name: str
    accuracies: dict[str, list[float]] = field(default_factory=dict)

    def mean(self, data: str) -> float:
        return fmean(self.accuracies[data])


def examine(subjects: Sequence[Subject]) -> Finding:
    """Rank the structures of runs whose paths do not depend on their seed, data set by data set.

    Raises:
        Inapplicable: fewer than two such structures.
        InputError: runs on one data set that differ in more than their structure.
    """
    pipelines = [(subject, design_of(subject.run)[0]) for subject in subjects]
    structures = _structures([(subject, pipeline) for subject, pipeline in pipelines if _is_fixed(pipeline)])
    if len(structures) < 2:
        raise Inapplicable(
            "structures are compared if their paths are the same in all runs, such as "
            'routing = { kind = "random", seed = 7 }; of these runs fewer than two have such a structure'
        )
    data = list(dict.fromkeys(name for structure in structures for name in structure.accuracies))
    printed = [_Structure(f"the paper's {name}", found) for name, found in printed_structures()]
    printed = printed if set(data) == {"cifar10", "cifar100"} else []
    pairs = list(combinations(data, 2))
    return Finding(
        title="Structures: test accuracy of the selected student, and rank",
        columns=("structure", *(head for name in data for head in (f"{name} %", "rank"))),
        rows=[*_rows(structures, data), *_rows(printed, data)],
        notes=(
            *(note for pair in pairs for note in _notes("", structures, *pair)),
            *(note for pair in pairs for note in _notes("the paper's: ", printed, *pair)),
            "rank 1 is the most accurate; brackets: 95 % interval over structures; p: how probable so clear an "
            "agreement or disagreement is by chance; ranks of means over few seeds may change places by chance",
        ),
        values=_values(structures, data),
        figures=dict,
    )


def _is_fixed(pipeline: Pipeline) -> bool:
    routing = pipeline.method.routing
    return routing.kind == "fixed" or routing.options.get("seed") is not None


def _structures(runs: Sequence[tuple[Subject, Pipeline]]) -> list[_Structure]:
    """Gather the runs by their paths, and number these in the order in which they come."""
    found: dict[str, _Structure] = {}
    settings: dict[str, str] = {}
    for subject, pipeline in runs:
        data, setting = pipeline.data.kind, _besides_routing(pipeline, runs[0][1])
        if settings.setdefault(data, setting) != setting:
            raise InputError(f"runs on {data} differ in more than their structure, such as {subject.label}")
        paths = json.dumps(subject.run.facts["paths"])
        structure = found.setdefault(paths, _Structure(str(len(found) + 1)))
        structure.accuracies.setdefault(data, []).append(_accuracy(subject))
    return list(found.values())


def _besides_routing(pipeline: Pipeline, other: Pipeline) -> str:
    """Hash a pipeline with the routing of another one."""
    method = pipeline.method.model_copy(update={"routing": other.method.routing})
    return fingerprint(pipeline.model_copy(update={"method": method}))


def _accuracy(subject: Subject) -> float:
    file = subject.run.path.parent / "result.json"
    try:
        return float(json.loads(file.read_text("utf-8"))["test_accuracy"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{file}: not the result of a finished run ({error})") from error


def _ranks(structures: Sequence[_Structure], data: str) -> dict[str, float]:
    known = [structure for structure in structures if data in structure.accuracies]
    return dict(zip([one.name for one in known], ranks([one.mean(data) for one in known]), strict=True))


def _rows(structures: Sequence[_Structure], data: Sequence[str]) -> list[tuple[str, ...]]:
    places = {name: _ranks(structures, name) for name in data}
    rows = []
    for structure in structures:
        cells = [structure.name]
        for name in data:
            known = structure.accuracies.get(name)
            rank = f"{places[name][structure.name]:g}" if known else NOTHING
            cells += [mean_and_deviation(known, "{:.2f}") if known else NOTHING, rank]
        rows.append(tuple(cells))
    return rows


def _correlations(structures: Sequence[_Structure], first: str, second: str) -> dict[str, Correlation]:
    both = [one for one in structures if {first, second} <= one.accuracies.keys()]
    if len(both) < FEWEST:
        return {}
    pairs = [one.mean(first) for one in both], [one.mean(second) for one in both]
    return {name: correlate(*pairs) for name, correlate in CORRELATIONS.items()}


def _notes(whose: str, structures: Sequence[_Structure], first: str, second: str) -> Iterator[str]:
    both = [one for one in structures if {first, second} <= one.accuracies.keys()]
    found = _correlations(structures, first, second)
    if found:
        yield f"{whose}{len(both)} structures of {first} and {second}: " + "; ".join(
            f"{name} {_text(one)}" for name, one in found.items()
        )
    order = sorted(both, key=lambda one: -one.mean(first))[:BEST]
    new = [one for one in structures if second in one.accuracies and first not in one.accuracies]
    if len(order) == BEST and new:
        places = _ranks([*order, *new], second)
        names = ", ".join(one.name.rpartition(" ")[2] for one in order)
        yield (
            f"{whose}the best {BEST} of these on {first} ({names}) have the ranks "
            f"{', '.join(f'{places[one.name]:g}' for one in order)} on {second}, among them and the {len(new)} new ones"
        )


def _text(found: Correlation) -> str:
    bounds = f" [{found.interval.low:+.2f}, {found.interval.high:+.2f}]" if found.interval else ""
    return f"{found.value:+.2f}{bounds}, p = {found.chance:.2g}"


def _values(structures: Sequence[_Structure], data: Sequence[str]) -> Mapping[str, Any]:
    places = {name: _ranks(structures, name) for name in data}
    listed = [
        {
            "structure": one.name,
            "accuracy": one.accuracies,
            "rank": {name: places[name][one.name] for name in one.accuracies},
        }
        for one in structures
    ]
    correlations = [
        {
            "data": [first, second],
            "coefficient": name,
            "value": numbered(found.value),
            "interval": found.interval and list(found.interval),
            "p": numbered(found.chance),
        }
        for first, second in combinations(data, 2)
        for name, found in _correlations(structures, first, second).items()
    ]
    return {"structures": listed, "correlations": correlations}
