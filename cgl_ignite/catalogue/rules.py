"""Values that are allowed each for itself and do not go together.

To add a rule, write a function that raises :class:`Contradiction`, and name it in ``RULES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from operator import attrgetter
from typing import Any

import torch
from torch import nn

from cgl_ignite.backbones import BACKBONES, Backbone, WrongInput, channel_means
from cgl_ignite.catalogue.registries import REGISTRIES
from cgl_ignite.config.schema import AVERAGE, Method, Pipeline
from cgl_ignite.config.validate import Checked, NotValid
from cgl_ignite.data import DATASETS, ENCODINGS, input_of, look_at, rows_held_out
from cgl_ignite.errors import InputError, choices
from cgl_ignite.imitation import AGGREGATIONS, Choice, View
from cgl_ignite.metrics.predictions import fault_of
from cgl_ignite.pool import Routing, share_first, trunk_of
from cgl_ignite.pretrained import refuse_unfit, shared_layers
from cgl_ignite.registry import Registry
from cgl_ignite.selection import compared_by
from cgl_ignite.spec import InputSpec

__all__ = ["Contradiction", "contradictions", "modality_of"]


class Contradiction(Exception):
    """A fault of several values together: their keys, the likely culprit first, and what would be right."""

    def __init__(self, keys: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.keys = keys
        self.message = message


class Draft:
    """The parts of a pipeline that is being checked, each built once, when a rule asks for it.

    Every attribute raises ``NotValid`` if one of its values is not allowed in itself, and ``Contradiction`` if they do
    not go together.
    """

    def __init__(self, checked: Checked[Pipeline]) -> None:
        self.get: Callable[..., Any] = checked.get

    def build(self, what: str, keys: tuple[str, ...], part: Any, *given: Any) -> Any:
        """Build a part; a complaint that names no key itself is about ``keys``."""
        try:
            return REGISTRIES[what].build(part, *given)
        except InputError as error:
            raise Contradiction((error.key,) if error.key else keys, error.message) from error
        except ValueError as error:
            raise Contradiction(keys, str(error)) from error

    @cached_property
    def input(self) -> tuple[InputSpec, int, bool]:
        """Input, number of classes, and whether both are certain, from the options of the data set that are allowed.

        Files are not looked at.
        """
        kind, options = self.get("data", "kind"), {}
        for name in DATASETS.options(kind):
            with suppress(NotValid):
                options[name] = self.get("data", name)
        return input_of(kind, self.get("data", "encoding"), look_at(kind, options, files=False))

    @cached_property
    def backbone(self) -> Backbone:
        """The backbone, for the input."""
        _check_backbone_modality(self)
        _check_encoding_modality(self)
        *given, certain = self.input
        try:
            backbone: Backbone = self.build("backbone", ("backbone",), self.get("backbone"), *given)
        except Contradiction as found:
            if isinstance(found.__cause__, WrongInput) and not certain:
                raise NotValid("backbone") from found
            raise
        return backbone

    @cached_property
    def routing(self) -> Routing:
        """The routing, for the layers of the backbone."""
        keys = ("method.routing", "method.students")
        given = self.get("method", "students"), self.backbone.stages
        routing: Routing = self.build("routing", keys, self.get("method", "routing"), *given)
        _check_start(self)
        weights, frozen = self.get("backbone").weights, self.get("optim", "frozen_layers")
        try:
            shared = shared_layers(weights, self.get("method", "start"), frozen, len(self.backbone.layers))
            return share_first(routing, shared)
        except InputError as error:
            raise Contradiction(("method.start", "optim.frozen_layers", *keys), error.message) from error

    @cached_property
    def choice(self) -> Choice:
        """Whom students imitate."""
        keys, students = ("method.choose", "method.students"), self.get("method", "students")
        choice: Choice = self.build("choice", keys, self.get("method", "choose"), students)
        return choice

    @cached_property
    def aggregator(self) -> nn.Module:
        """What weighs imitated students; a single feature stands for those of the network."""
        view = View(channel_means, trunk=1 if trunk_of(self.routing.modules) else None, features=1)
        given = self.get("method", "students"), self.choice, view
        keys = ("method.weigh", "method.routing")
        aggregator: nn.Module = self.build("aggregation", keys, self.get("method", "weigh"), *given)
        return aggregator


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


def modality_of(registry: Registry[Any], kind: str) -> str:
    """Name what a kind of data set, encoding or backbone is for: images or texts."""
    return str(registry.facts(kind).get("modality", "image"))


def _check_backbone_modality(draft: Draft) -> None:
    held = modality_of(DATASETS, draft.get("data", "kind"))
    read = modality_of(BACKBONES, draft.get("backbone", "kind"))
    if held != read:
        fitting = choices(kind for kind in BACKBONES.kinds() if modality_of(BACKBONES, kind) == held)
        message = f"reads {read}, but the data set holds {held}; backbones for it: {fitting}"
        raise Contradiction(("backbone.kind",), message)


def _check_encoding_modality(draft: Draft) -> None:
    held, kind = modality_of(DATASETS, draft.get("data", "kind")), draft.get("data", "encoding", "kind")
    if held != (makes := modality_of(ENCODINGS, kind)):
        fitting = choices(kind for kind in ENCODINGS.kinds() if modality_of(ENCODINGS, kind) == held)
        message = f"{kind!r} is for {makes}, but the data set holds {held}: take {fitting}"
        raise Contradiction(("data.encoding", "data.kind"), message)


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


def _check_start(draft: Draft) -> None:
    weights, frozen = draft.get("backbone").weights, draft.get("optim", "frozen_layers")
    kind, default = draft.get("method", "start").kind, Method.model_fields["start"].default.kind
    try:
        refuse_unfit(
            len(draft.backbone.layers), weights=weights is not None, frozen=frozen, start=kind, default=default
        )
    except InputError as error:
        raise Contradiction((str(error.key),), error.message) from error


def _check_metrics(draft: Draft) -> None:
    """Judge the metrics by their names, and where the number of classes is certain, by that."""
    selection = draft.get("method", "selection")
    chosen = [("run.metrics", name) for name in draft.get("run", "metrics")]
    if by := compared_by(selection):
        chosen.append(("method.selection.by", by))
    for key, name in chosen:
        if fault := fault_of(name):
            raise Contradiction((key,), fault)
    _, classes, certain = draft.input
    for key, name in chosen:
        if certain and (fault := fault_of(name, classes)):
            raise Contradiction((key, "method.selection") if key != "run.metrics" else (key,), fault)


def _check_balance(draft: Draft) -> None:
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
    _check_backbone_modality,
    _check_encoding_modality,
    attrgetter("routing"),
    attrgetter("choice"),
    _check_weights_are_trained,
    _check_turns,
    _check_replay,
    _check_selection,
    _check_start,
    _check_metrics,
    _check_balance,
    _check_augmentation,
    _check_optimizer,
    _check_schedule,
    _check_average,
    _check_holdout,
    _check_rows,
)
