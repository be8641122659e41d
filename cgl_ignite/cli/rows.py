"""What ``cgl compare`` compares: the rows of a pipeline file, as the options of the command line choose them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cgl_ignite.catalogue import BoundPlan, bind_methods, bind_rows, import_plugins
from cgl_ignite.comparison.rows import rows_of_lengths
from cgl_ignite.config.load import Document, load_document
from cgl_ignite.config.presets import METHODS
from cgl_ignite.config.variants import known_methods
from cgl_ignite.errors import ConfigError, InputError, choices, nearest

if TYPE_CHECKING:
    from cgl_ignite.config.rows import Place
    from cgl_ignite.config.schema import Pipeline

__all__ = ["SEEDS", "ChosenRows", "read_rows"]

SEEDS = (1, 2, 3)
"""Of a comparison whose pipeline has none."""

_LENGTHS = {"cost": "run.epochs", "steps": "run.passes_per_epoch"}
"""What equal cost and equal steps set by themselves."""


@dataclass(frozen=True)
class ChosenRows:
    """The rows of a pipeline file.

    Attributes:
        methods: their names, if rows are methods.
        equal: what all rows have the same amount of.
        lengths: each method is trained for these multiples of its epochs; none is one row a method.
    """

    source: str
    changes: Sequence[str]
    small: bool
    methods: Sequence[str]
    equal: str
    document: Document
    bound: BoundPlan
    lengths: Sequence[int] = ()

    @property
    def first(self) -> Pipeline:
        """The pipeline of the first row."""
        return next(iter(self.bound.pipelines.values()))

    @property
    def seeded(self) -> bool:
        """Whether the file has seeds."""
        return "seeds" in self.document.tree

    @property
    def plain(self) -> bool:
        """Whether rows are methods and nothing else."""
        return not self.bound.plan.axes and "variants" not in self.document.tree

    @cached_property
    def _of_lengths(self) -> tuple[dict[str, Pipeline], dict[str, Place]]:
        return rows_of_lengths(self.bound.pipelines, self.lengths)

    @property
    def pipelines(self) -> Mapping[str, Pipeline]:
        """Those of all rows."""
        return self._of_lengths[0] if self.lengths else self.bound.pipelines

    @property
    def places(self) -> dict[str, Place] | None:
        """Where each row stands; None where rows are methods and nothing else."""
        if self.lengths:
            return self._of_lengths[1]
        return None if self.plain else {name: row.place for name, row in self.bound.plan.rows.items()}

    @property
    def deviations(self) -> dict[str, dict[str, Any]]:
        """How each row deviates from the common protocol."""
        rows = self.bound.plan.rows
        if self.lengths:
            return {name: dict(rows[place.method].deviations) for name, place in self._of_lengths[1].items()}
        return {name: dict(row.deviations) for name, row in rows.items()}

    @property
    def paper(self) -> str | None:
        """The table or figure of the paper whose numbers stand beside the measured ones."""
        return self.bound.plan.table.paper

    def refuse(self, *, tuning: bool) -> None:
        """Make sure that the options go together.

        Raises:
            InputError: they do not.
        """
        option = "--tune" if tuning else "--lengths"
        if (tuning or self.lengths) and not self.plain:
            raise InputError(f"{option} is for rows that are methods; {self.source} has [variants] or [sweep]")
        if self.lengths and self.equal.startswith("cost"):
            raise InputError("--lengths compares trainings of different cost; leave out --equal cost")
        swept = {axis.key: axis.written for axis in self.bound.plan.axes}
        if written := swept.get(_LENGTHS.get(self.equal.partition("=")[0], "")):
            raise InputError(f"--equal {self.equal} sets {written.removeprefix('sweep.')} itself; leave out {written}")

    def bind_methods(self, more: Sequence[str]) -> dict[str, Pipeline]:
        """Bind the methods with further changes."""
        return bind_methods(load_document(self.source, [*self.changes, *more], small=self.small), self.methods)

    def again(self, more: Sequence[str]) -> ChosenRows:
        """Return the rows with further changes."""
        document = load_document(self.source, [*self.changes, *more], small=self.small)
        return replace(self, document=document, bound=bind_rows(document, self.methods))


def read_rows(
    source: str,
    changes: Sequence[str] = (),
    *,
    methods: str | None = None,
    small: bool = False,
    equal: str | None = None,
    lengths: Sequence[int] = (),
) -> ChosenRows:
    """Read a pipeline file and check all of its rows.

    Args:
        changes: what ``--set`` says.
        methods: what ``--methods`` says; None leaves it to the file.
        small: whether ``[small]`` is laid over the rest.
        equal: what ``--equal`` says; None leaves it to the file.
        lengths: what ``--lengths`` says.

    Raises:
        ConfigError: everything that is wrong, together.
        InputError: a method that is not there.
    """
    document = load_document(source, changes, small=small)
    names = _chosen(methods, document)
    bound = bind_rows(document, names)
    return ChosenRows(source, changes, small, names, equal or bound.plan.table.equal, document, bound, lengths)


def _chosen(text: str | None, document: Document) -> tuple[str, ...]:
    """Expand ``--methods``; a name is a preset, of a plugin perhaps, or one of ``[methods]``.

    Raises:
        InputError: a name that is neither, or plugins that cannot be imported.
    """
    if text is None:
        table = document.tree.get("compare")
        given = table.get("methods", ()) if isinstance(table, dict) else ()
        if given or document.tree.keys() & {"variants", "sweep"}:
            return tuple(given) if isinstance(given, list) else ()
        text = "all"
    problems = import_plugins(document)
    known = tuple(dict.fromkeys((*known_methods(document), *METHODS)))
    names: list[str] = []
    for name in map(str.strip, text.split(",")):
        if name.lower() == "all":
            names += known_methods(document)
        elif name in known:
            names.append(name)
        elif problems:
            raise ConfigError(problems)
        else:
            raise InputError(f"--methods: there is no method {name!r}{nearest(name, known)} (known: {choices(known)})")
    return tuple(dict.fromkeys(names))
