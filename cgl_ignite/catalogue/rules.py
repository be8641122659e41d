"""Values that are allowed each for itself and do not go together.

To add a rule, write a function that raises :class:`Contradiction`, and name it in ``RULES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import attrgetter

import torch
from torch import nn

from cgl_ignite.catalogue.draft import (
    Contradiction,
    Draft,
    check_backbone_modality,
    check_encoding_modality,
    check_momentum,
    check_start,
)
from cgl_ignite.catalogue.registries import REGISTRIES
from cgl_ignite.config.schema import AVERAGE, Pipeline
from cgl_ignite.config.validate import Checked, NotValid
from cgl_ignite.data import DATASETS, rows_held_out
from cgl_ignite.errors import InputError
from cgl_ignite.imitation import AGGREGATIONS
from cgl_ignite.metrics.predictions import fault_of
from cgl_ignite.selection import compared_by

__all__ = ["contradictions"]


Rule = Callable[[Draft], object]
"""Raises ``Contradiction`` if it is broken, and ``NotValid`` if it cannot be judged."""


def contradictions(checked: Checked[Pipeline]) -> Iterator[Contradiction]:
    """Find what does not go together, by all rules."""
    draft = Draft(checked)
    yield from filter(None, (_broken(rule, draft) for rule in RULES))


def _broken(rule: Rule, draft: Draft) -> Contradiction | None:
    try:
        with suppress(NotValid):
            rule(draft)
    except Contradiction as found:
        return found
    return None


def _check_weights_are_trained(draft: Draft) -> None:
    weigh, loss = draft.get("method", "weigh"), draft.get("method", "loss")
    _ = draft.aggregator
    if (
        AGGREGATIONS.facts(weigh.kind)["learned"]
        and loss.teacher_gradient == "stopped"
        and not loss.teacher_label_weight
    ):
        message = f"'stopped' leaves the weights of {weigh.kind!r} untrained; take 'weights' or 'flows'"
        raise Contradiction(("method.loss.teacher_gradient", "method.weigh"), message)


def _check_turns(draft: Draft) -> None:
    if draft.get("method", "update") == "together":
        return
    learned = AGGREGATIONS.facts(draft.get("method", "weigh").kind)["learned"]
    if learned or draft.get("method", "loss").teacher_label_weight:
        message = "'in turn' trains no weights of imitation and no teacher of all students; take 'together'"
        raise Contradiction(("method.update", "method.weigh", "method.loss.teacher_label_weight"), message)


def _check_replay(draft: Draft) -> None:
    if draft.get("run", "graphs") is not True:
        return
    if draft.get("method", "teachers"):
        message = "iterations with frozen teachers are not replayed; leave run.graphs out"
        raise Contradiction(("run.graphs", "method.teachers"), message)
    if draft.get("method", "update") != "together":
        message = "only an update 'together' is replayed; leave it out, or take 'together'"
        raise Contradiction(("run.graphs", "method.update"), message)


def _check_selection(draft: Draft) -> None:
    keys, students = ("method.selection", "method.students"), draft.get("method", "students")
    draft.build("selection", keys, draft.get("method", "selection"), students, 0)


def _check_metrics(draft: Draft) -> None:
    """Judge the metrics by their names, and where the number of classes is certain, by that."""
    selection = draft.get("method", "selection")
    chosen = [("run.metrics", name) for name in draft.get("run", "metrics")]
    if by := compared_by(selection):
        chosen.append(("method.selection.by", by))
    for key, name in chosen:
        if fault := fault_of(name, task=draft.task.name):
            raise Contradiction((key,), fault)
    _, classes, certain = draft.input
    for key, name in chosen:
        if certain and (fault := fault_of(name, classes, draft.task.name)):
            raise Contradiction((key, "method.selection") if key != "run.metrics" else (key,), fault)


def _check_balance(draft: Draft) -> None:
    if draft.task.several_labels and draft.get("data", "balance") != "none":
        message = "is for rows with one class; those of the task 'multi_label' have several labels, so leave it out"
        raise Contradiction(("data.balance", "data.task"), message)
    if draft.get("data", "balance_beta") is not None and (kind := draft.get("data", "balance")) != "loss":
        message = f"is for balance = 'loss', which weighs the classes; with {kind!r} it changes nothing"
        raise Contradiction(("data.balance_beta",), message)


def _check_augmentation(draft: Draft) -> None:
    given = draft.get("data", "augment")
    for part in given if isinstance(given, tuple) else (given,):
        draft.build("augmentation", ("data.augment",), part, draft.input[0])


def _check_optimizer(draft: Draft) -> None:
    """Build the optimizer up to its weights: its options have been checked when it asks for the first one.

    What PyTorch does with weights imports its compiler, which takes as long as all the other checks together.
    """
    optim = draft.get("optim")
    with suppress(_AskedForWeights):
        draft.build("optimizer", ("optim",), optim, _NoWeights(), optim.learning_rate)


class _AskedForWeights(Exception):
    pass


class _NoWeights:
    def __iter__(self) -> Iterator[nn.Parameter]:
        raise _AskedForWeights


def _check_schedule(draft: Draft) -> None:
    keys = ("optim.schedule", "run.epochs")
    draft.build("schedule", keys, draft.get("optim", "schedule"), draft.get("run", "epochs"))


def _check_average(draft: Draft) -> None:
    teaches = AVERAGE in draft.get("method", "teachers")
    if teaches and REGISTRIES["average"].build(draft.get("run", "average")) is None:
        message = "'average' is the average of the weights, and there is none; set run.average = { kind = 'ema' }"
        raise Contradiction(("method.teachers", "run.average"), message)


def _check_holdout(draft: Draft) -> None:
    own = DATASETS.facts(draft.get("data", "kind")).get("own_holdout")
    if draft.get("data", "holdout") is None and not own:
        message = "is missing; it must be a number of rows, or a share of them between 0 and 1"
        raise Contradiction(("data.holdout",), message)


def _check_rows(draft: Draft) -> None:
    """Judge the row counts where they are certain: a limit, or a data set without files to read."""
    limit, holdout = draft.get("data", "limit"), draft.get("data", "holdout")
    facts = DATASETS.facts(draft.get("data", "kind"))
    certain = facts["rows"][0] if facts.get("rows") and not facts.get("files") else None
    rows = min((count for count in (limit, certain) if count is not None), default=None)
    if holdout is None or rows is None:
        return
    try:
        held_out = rows_held_out(holdout, rows)
    except InputError as error:
        message = f"takes {holdout} of {rows} rows and leaves none to learn from"
        raise Contradiction(("data.holdout",), message) from error
    keys, students = ("method.subsets", "method.students"), draft.get("method", "students")
    targets = torch.zeros((), dtype=torch.int64).expand(rows - held_out)  # takes no memory
    draft.build("subsets", keys, draft.get("method", "subsets"), targets, students, 0)


RULES: tuple[Rule, ...] = (
    check_backbone_modality,
    check_encoding_modality,
    attrgetter("routing"),
    attrgetter("choice"),
    _check_weights_are_trained,
    _check_turns,
    _check_replay,
    _check_selection,
    check_start,
    check_momentum,
    _check_metrics,
    _check_balance,
    _check_augmentation,
    _check_optimizer,
    _check_schedule,
    _check_average,
    _check_holdout,
    _check_rows,
)
