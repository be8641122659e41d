"""All paths through the modules of each run: how good they are, trained or not, and which one is best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from math import prod
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cgl_ignite.analyses.base import Finding, Inapplicable, at_least
from cgl_ignite.analyses.subjects import Subject, by_method, measured
from cgl_ignite.analysis.path_accuracy import PathAccuracies, paths_figure
from cgl_ignite.analysis.statistics import Interval, bootstrap_interval, mean_difference
from cgl_ignite.data import Examples
from cgl_ignite.engine.evaluate import ROWS as BATCH
from cgl_ignite.metrics.scores import cross_entropy
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.pool.statistics import estimate_statistics
from cgl_ignite.runs import design_of
from cgl_ignite.seeding import stream
from cgl_ignite.student import Student
from cgl_ignite.student.weights import write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MeasuredPaths", "choose_paths", "examine", "measure_paths"]

SAMPLE, ROWS = 128, 2000
AT_ONCE = 32
"""Paths in one pass: activations of all of them lie in memory."""

Path = tuple[int, ...]
COLUMNS = (
    "run", "paths", "of all", "mean %", "deviation", "students' mean %", "selected %", "rank", "best on holdout %",
    "to the selected",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class MeasuredPaths:
    """Scores of paths, all with running statistics that were estimated in the same way, (P,) each.

    Attributes:
        paths: the measured ones, those of the students first.
        students: for each student, the position of its path.
        selected: the position of the selected student's path.
        holdout, loss: accuracy in percent and cross-entropy on the holdout.
        hits: where each path is right on the test rows, bool (P, N).
    """

    paths: list[Path]
    students: list[int]
    selected: int
    holdout: Tensor
    loss: Tensor
    hits: Tensor

    @cached_property
    def test(self) -> Tensor:
        """Accuracy on the test rows, in percent."""
        return 100 * self.hits.double().mean(dim=1)

    @property
    def best(self) -> int:
        """The position of the path with the highest holdout accuracy; ties go to the lower cross-entropy."""
        return max(range(len(self.paths)), key=lambda path: (self.holdout[path].item(), -self.loss[path].item()))

    @property
    def gain(self) -> tuple[float, Interval]:
        """By how many points the best path is better than that of the selected student on the test rows."""
        hits = self.hits.numpy()
        differences = mean_difference(hits[self.best][None], hits[self.selected][None])
        return float(differences.mean()), bootstrap_interval(differences)


def examine(subjects: Sequence[Subject], *, sample: int = SAMPLE, rows: int = ROWS) -> Finding:
    """Measure the paths of each run with its selected weights, and choose the best one on the holdout.

    Args:
        sample: at most this many paths besides those of the students, drawn at random if there are more.
        rows: at most this many rows of each part; running statistics are estimated on training rows.

    Raises:
        Inapplicable: no run has more than one path.
    """
    at_least("sample", sample, 1)
    at_least("rows", rows, 2)
    many = [subject for subject in subjects if _existing(subject) > 1]
    if not many:
        raise Inapplicable("paths are about modules to choose from, and each of these runs has a single path")
    found = measured(many, "paths", partial(measure_paths, sample=sample, rows=rows))
    alone = dict.fromkeys(subject.method for subject in subjects if subject not in found)

    def figures() -> Mapping[str, Figure]:
        methods = by_method(many)
        return {"paths": paths_figure({name: _picture([found[run] for run in runs]) for name, runs in methods.items()})}

    return Finding(
        title="Paths through the modules, with the selected weights",
        columns=COLUMNS,
        rows=[_row(subject, one) for subject, one in found.items()],
        notes=(
            f"test accuracy, on at most {rows:,} rows; running statistics of every path are estimated anew on at most "
            f"{rows:,} training rows, so a student may differ from what its run recorded",
            "selected, rank: the path of the selected student; to the selected: how much better the best path on the "
            "holdout is, with its 95 % interval over test rows",
            *(f"{name}: a single path, nothing to choose" for name in alone),
        ),
        values={"runs": [_tree(subject, one) for subject, one in found.items()]},
        figures=figures,
        files={_file(subject): partial(_student, subject, one, rows) for subject, one in found.items()},
    )


def choose_paths(counts: Sequence[int], trained: Sequence[Path], sample: int, seed: int) -> list[Path]:
    """Return the paths of the students, and all others or ``sample`` of them drawn at random, in order.

    Args:
        counts: how many modules each layer has.
        trained: the paths of the students.
        sample: how many others at most.
        seed: of the run.
    """
    known = dict.fromkeys(trained)
    others = prod(counts) - len(known)
    if others <= sample:
        drawn = {path for path in product(*map(range, counts)) if path not in known}
    else:
        drawn, generator = set(), stream(seed, "paths to measure")
        while len(drawn) < sample:
            path = tuple(int(torch.randint(count, (1,), generator=generator)) for count in counts)
            drawn |= {path} - known.keys()
    return [*known, *sorted(drawn)]


def measure_paths(subject: Subject, sample: int = SAMPLE, rows: int = ROWS) -> MeasuredPaths:
    """Measure paths of a run on the holdout and on the test part."""
    pool, splits = subject.pool(), subject.splits
    trained = [tuple(path) for path in subject.run.facts["paths"]]
    paths = choose_paths(design_of(subject.run)[2].modules, trained, sample, subject.seed)
    holdout, test = subject.some(splits.holdout, rows, "paths holdout"), subject.some(splits.test(), rows, "paths test")
    accuracies, losses, hits = [], [], []
    for start in range(0, len(paths), AT_ONCE):
        _take(subject, pool, paths[start : start + AT_ONCE], rows)
        logits, targets = subject.logits(pool, holdout)
        accuracies.append(100 * (logits.argmax(dim=-1) == targets).double().mean(dim=1))
        losses.append(cross_entropy(logits, targets).mean(dim=0))
        logits, targets = subject.logits(pool, test)
        hits.append(logits.argmax(dim=-1) == targets)
    students = [paths.index(path) for path in trained]
    return MeasuredPaths(
        paths, students, students[subject.selected], torch.cat(accuracies), torch.cat(losses), torch.cat(hits)
    )


def _take(subject: Subject, pool: ModularNetwork, paths: Sequence[Path], rows: int) -> None:
    """Let the students of a pool be these paths, with running statistics of their own."""
    pool.route(torch.tensor(paths), [0] * len(paths))
    estimate_statistics(pool, _training_inputs(subject, rows))


def _training_inputs(subject: Subject, rows: int) -> Iterator[Tensor]:
    """Yield training inputs in batches of one size, unless there is a single one, drawn in an order of their own."""
    train: Examples = subject.splits.train
    order = torch.randperm(len(train), generator=stream(0, "rows statistics"))[:rows]
    whole = len(order) // BATCH * BATCH
    yield from (inputs for inputs, _ in subject.batches(train.take(order[: whole or len(order)])))


def _existing(subject: Subject) -> int:
    return prod(design_of(subject.run)[2].modules)


def _file(subject: Subject) -> str:
    name = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in subject.method)
    return f"best_path_{name}_seed_{subject.seed}.pt"


def _student(subject: Subject, found: MeasuredPaths, rows: int) -> bytes:
    """Make the file of the best path, as a student like any other; its card tells the path."""
    pool, path = subject.pool(), found.paths[found.best]
    _take(subject, pool, [path], rows)
    student = Student.of(pool, 0, subject.run.normaliser, subject.run.tokenizer).cpu()
    number = found.students.index(found.best) if found.best in found.students else subject.run.students
    card = subject.run.card(subject.selected).model_copy(
        update={
            "student": number,
            "path": path,
            "holdout_accuracy": found.holdout[found.best].item(),
            "test_accuracy": found.test[found.best].item(),
        }
    )
    return write(student, card)


def _picture(runs: Sequence[MeasuredPaths]) -> PathAccuracies:
    """Collect the paths of the runs of a method."""
    return PathAccuracies(
        all=[accuracy for run in runs for accuracy in run.test.tolist()],
        trained=[run.test[place].item() for run in runs for place in run.students],
        best=[run.test[run.best].item() for run in runs],
    )


def _row(subject: Subject, found: MeasuredPaths) -> tuple[str, ...]:
    test, (gain, interval) = found.test.tolist(), found.gain
    rank = 1 + sum(one > test[found.selected] for one in test)
    return (
        subject.label,
        f"{len(test):,}",
        f"{_existing(subject):,}",
        f"{fmean(test):.2f}",
        f"{stdev(test):.2f}" if len(test) > 1 else "–",
        f"{fmean(test[place] for place in found.students):.2f}",
        f"{test[found.selected]:.2f}",
        f"{rank} of {len(test)}",
        f"{test[found.best]:.2f}",
        f"{gain:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]",
    )


def _tree(subject: Subject, found: MeasuredPaths) -> dict[str, Any]:
    gain, interval = found.gain
    students: dict[int, list[int]] = {}
    for student, place in enumerate(found.students):
        students.setdefault(place, []).append(student)
    scores = zip(found.paths, found.holdout.tolist(), found.loss.tolist(), found.test.tolist(), strict=True)
    return {
        **subject.named,
        "existing": _existing(subject),
        "paths": [
            {
                "path": list(path),
                "students": students.get(place, []),
                "holdout_accuracy": holdout,
                "holdout_cross_entropy": loss,
                "test_accuracy": test,
            }
            for place, (path, holdout, loss, test) in enumerate(scores)
        ],
        "best": found.best,
        "selected": found.selected,
        "gain": {"accuracy": gain, "interval": list(interval)},
        "file": _file(subject),
    }
