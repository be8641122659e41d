"""The parts of a pipeline that is being checked, and what goes wrong with several values together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

from torch import nn

from cgl_ignite.backbones import BACKBONES, Backbone, WrongInput, channel_means
from cgl_ignite.backbones.momentum import refuse_without_norms
from cgl_ignite.catalogue.registries import REGISTRIES
from cgl_ignite.config.schema import Method, Pipeline
from cgl_ignite.config.validate import Checked, NotValid
from cgl_ignite.data import DATASETS, ENCODINGS, input_of, look_at
from cgl_ignite.errors import InputError, choices
from cgl_ignite.imitation import Choice, View
from cgl_ignite.pool import Routing, share_first, trunk_of
from cgl_ignite.pretrained import refuse_unfit, shared_layers
from cgl_ignite.registry import Registry
from cgl_ignite.spec import InputSpec
from cgl_ignite.tasks import Task, task_of

__all__ = [
    "Contradiction",
    "Draft",
    "check_backbone_modality",
    "check_encoding_modality",
    "check_momentum",
    "check_start",
    "modality_of",
]


class Contradiction(Exception):
    """A fault of several values together: their keys, the likely culprit first, and what would be right.

    ``example``: lines of code that help.
    """

    def __init__(self, keys: tuple[str, ...], message: str, example: str = "") -> None:
        super().__init__(message)
        self.keys = keys
        self.message = message
        self.example = example


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
            raise Contradiction((error.key,) if error.key else keys, error.message, error.example) from error
        except ValueError as error:
            raise Contradiction(keys, str(error)) from error

    @cached_property
    def input(self) -> tuple[InputSpec, int, bool]:
        """Input, number of classes, and whether both are certain, from the options of the data set that are allowed.

        Files are not looked at.
        """
        kind = self.get("data", "kind")
        return input_of(kind, self.get("data", "encoding"), look_at(kind, self._data_options, files=False))

    @cached_property
    def task(self) -> Task:
        """How the rows of the data set are labelled."""
        return task_of(self.get("data", "kind"), self._data_options)

    @cached_property
    def _data_options(self) -> dict[str, Any]:
        options = {}
        for name in DATASETS.options(self.get("data", "kind")):
            with suppress(NotValid):
                options[name] = self.get("data", name)
        return options

    @cached_property
    def backbone(self) -> Backbone:
        """The backbone, for the input."""
        check_backbone_modality(self)
        check_encoding_modality(self)
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
        check_start(self)
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


def modality_of(registry: Registry[Any], kind: str) -> str:
    """Name what a kind of data set, encoding or backbone is for: images or texts."""
    return str(registry.facts(kind).get("modality", "image"))


def check_backbone_modality(draft: Draft) -> None:
    """Let no backbone for texts read images, or the other way round."""
    held = modality_of(DATASETS, draft.get("data", "kind"))
    read = modality_of(BACKBONES, draft.get("backbone", "kind"))
    if held != read:
        fitting = choices(kind for kind in BACKBONES.kinds() if modality_of(BACKBONES, kind) == held)
        message = f"reads {read}, but the data set holds {held}; backbones for it: {fitting}"
        raise Contradiction(("backbone.kind",), message)


def check_encoding_modality(draft: Draft) -> None:
    """Let no encoding of texts be asked for images, or the other way round."""
    held, kind = modality_of(DATASETS, draft.get("data", "kind")), draft.get("data", "encoding", "kind")
    if held != (makes := modality_of(ENCODINGS, kind)):
        fitting = choices(kind for kind in ENCODINGS.kinds() if modality_of(ENCODINGS, kind) == held)
        message = f"{kind!r} is for {makes}, but the data set holds {held}: take {fitting}"
        raise Contradiction(("data.encoding", "data.kind"), message)


def check_start(draft: Draft) -> None:
    """Let nothing be asked of trained weights where there are none."""
    weights, frozen = draft.get("backbone").weights, draft.get("optim", "frozen_layers")
    kind, default = draft.get("method", "start").kind, Method.model_fields["start"].default.kind
    try:
        refuse_unfit(
            len(draft.backbone.layers), weights=weights is not None, frozen=frozen, start=kind, default=default
        )
    except InputError as error:
        raise Contradiction((str(error.key),), error.message) from error


def check_momentum(draft: Draft) -> None:
    """Let no momentum be set where nothing has one."""
    if draft.get("backbone").momentum is None:
        return
    try:
        refuse_without_norms(draft.backbone)
    except InputError as error:
        raise Contradiction((str(error.key),), error.message) from error
