"""The card of a student: what it is, how it was trained, what it reads and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, Field, ValidationError

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.config.schema import Table, fixed_keys
from cgl_ignite.errors import InputError
from cgl_ignite.formats import EXPORT_FORMATS, names_with
from cgl_ignite.metrics.predictions import unit_of
from cgl_ignite.spec import InputSpec
from cgl_ignite.student.quantisation import Quantisation
from cgl_ignite.tasks import SINGLE_LABEL, TASKS, Task, task_of

__all__ = ["FORMAT", "Card", "Chosen", "foreign"]

FORMAT = 1
"""Of student files, raised when this version could not read older ones."""

Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]


def _known_task(name: str) -> str:
    if name not in TASKS:
        raise ValueError(f"must be one of {', '.join(TASKS)}")
    return name


class Chosen(Table):
    """A part by its kind, with the options that were set for it."""

    kind: str
    options: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, tree: Mapping[str, Any], table: str) -> Chosen:
        """Take a part out of the values of a pipeline, without the keys that all kinds have."""
        keys = fixed_keys(table)
        return cls(
            kind=tree[table]["kind"],
            options={key: value for key, value in tree[table].items() if key not in keys},
        )


class Card(Table):
    """What is known about a student; it travels with it as JSON.

    Attributes:
        classifier: where the classifier stood in the pool.
        method: the preset it was trained by, among ``students`` students.
        student: its index, from 0.
        metrics: of its predictions on the test part, by their names.
        task: how rows are labelled, by its name in :data:`cgl_ignite.tasks.TASKS`.
        path: its modules, if it was chosen among all paths; then ``student`` may be one that was not trained.
        epoch: the epoch its weights are of, from 1.
        holdout_accuracy: in percent, at that epoch; None if it was not measured.
        test_accuracy: in percent, at that epoch; None if it was not measured.
        classes: their names, in the order of the logits.
        shape: of one input, such as (channels, height, width), or the maximum length of a text.
        vocabulary: of texts, the number of token ids.
        encoding: of texts, what made token ids of them.
        fingerprint: of the pipeline, without its seed.
        plugins: the modules that registered parts for it.
        version: of this package, when the card was written.
        torch: the version of PyTorch then.
        quantised: how the student was quantised; None in float32. Accuracies and ``metrics`` are those in float32.
    """

    dataset: Chosen
    backbone: Chosen
    classifier: Literal["module", "student", "shared"]
    method: str
    students: Count
    student: Index
    epoch: Count
    seed: Index
    holdout_accuracy: float | None
    test_accuracy: float | None
    classes: tuple[str, ...]
    modality: str
    shape: tuple[Count, ...]
    vocabulary: Index = 0
    encoding: Chosen | None = None
    run_id: str
    fingerprint: str
    plugins: tuple[str, ...]
    version: str
    torch: str
    metrics: dict[str, float] = Field(default_factory=dict)
    path: tuple[Index, ...] | None = None
    task: Annotated[str, AfterValidator(_known_task)] = SINGLE_LABEL.name
    quantised: Quantisation | None = None

    @classmethod
    def of(
        cls,
        facts: Mapping[str, Any],
        *,
        student: int,
        epoch: int,
        holdout_accuracy: float | None,
        test_accuracy: float | None,
        metrics: Mapping[str, float] | None = None,
    ) -> Card:
        """Describe a student of a run by the facts that the run's checkpoint holds."""
        tree = facts["pipeline"]
        return cls(
            dataset=_located(Chosen.of(tree, "data"), facts.get("folder")),
            backbone=_portable(Chosen.of(tree, "backbone")),
            classifier=tree["method"]["classifier"],
            method=facts.get("method", tree["method"]["preset"]),
            students=tree["method"]["students"],
            student=student,
            epoch=epoch,
            seed=facts["seed"],
            holdout_accuracy=holdout_accuracy,
            test_accuracy=test_accuracy,
            metrics=dict(metrics or {}),
            classes=tuple(facts["classes"]),
            modality=facts["modality"],
            shape=tuple(facts["shape"]),
            vocabulary=facts.get("vocabulary", 0),
            encoding=_encoding(tree["data"]) if facts["modality"] == "text" else None,
            run_id=facts["run_id"],
            fingerprint=facts["fingerprint"],
            plugins=tuple(tree.get("plugins", ())),
            version=_installed(),
            torch=torch.__version__,
            task=task_of(tree["data"]["kind"], tree["data"]).name,
        )

    @classmethod
    def parse(cls, path: Path, number: Any, text: str | bytes) -> Card:
        """Read the card of a student file of format ``number``.

        Raises:
            InputError: a file of a later version, or a card that is not right.
        """
        if type(number) is not int or number != FORMAT:
            raise InputError(
                f"{path}: a student file of format {number}, written by a later version; this one reads {FORMAT}"
            )
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            faults = ", ".join(".".join(map(str, fault["loc"])) or "JSON" for fault in error.errors())
            raise InputError(f"{path}: the card of the student is not right ({faults})") from error

    @property
    def labelled(self) -> Task:
        """How rows are labelled."""
        return TASKS[self.task]

    @property
    def spec(self) -> InputSpec:
        """The form of one input."""
        return InputSpec(self.modality, self.shape, self.vocabulary)

    def markdown(self, use: str | None = None) -> str:
        """Write the card as a model card for people.

        Args:
            use: what goes in and what comes out, where these are not tensors and logits.
        """
        rows = "\n".join("| {} | {} |".format(name, value.replace("|", r"\|")) for name, value in self._rows().items())
        return (
            f"# {self.backbone.kind} on {self.dataset.kind}, trained by {self.method}\n\n"
            f"| | |\n| --- | --- |\n{rows}\n\n"
            f"{use or f'{self._reads()} Answers {self.labelled.answers}.'}\n\n"
            f"Classes ({len(self.classes)}), in the order of the answers: {', '.join(self.classes)}\n"
        )

    def _reads(self) -> str:
        shape = " x ".join(map(str, self.shape))
        if self.encoding is None:
            return (
                f"Reads float32 {shape} ({self.modality}) with values from 0 to 1, any number at a time, and "
                "normalises them itself."
            )
        return (
            f"Reads raw text, of which its tokenizer, {_words(self.encoding)}, makes token ids: int64, at most {shape} "
            f"per text, from 1 to {self.vocabulary - 1}, and 0 as padding behind them. Any number at a time."
        )

    def _student(self) -> str:
        if self.path is None:
            return f"{self.student} (of 0 to {self.students - 1})"
        known = f"of student {self.student}" if self.student < self.students else "of no trained student"
        return f"the path {', '.join(map(str, self.path))}, {known}"

    def _rows(self) -> dict[str, str]:
        measured = {
            "holdout accuracy": _percent(self.holdout_accuracy),
            "test accuracy": _percent(self.test_accuracy),
            **{f"test {name.replace('_', ' ')}": _metric(name, value) for name, value in self.metrics.items()},
        }
        if self.quantised is not None:
            in_float = {f"{name} in float32": value for name, value in measured.items()}
            measured = {**self.quantised.rows(), **in_float}
        return {
            "student": self._student(),
            "task": self.task.replace("_", " "),
            **measured,
            "weights of epoch": str(self.epoch),
            "data set": _words(self.dataset),
            "backbone": _words(self.backbone),
            "seed": str(self.seed),
            "run": self.run_id,
            "pipeline": self.fingerprint,
            "plugins": ", ".join(self.plugins) or "none",
            "made with": f"cgl_ignite {self.version}, torch {self.torch}",
        }


def foreign(path: Path) -> str:
    """Say of a file that it cannot be read as a student, and which files can be."""
    known = [f"{name!r} ({EXPORT_FORMATS.facts(name)['suffix']})" for name in names_with("module")]
    readable = f"{', '.join(known[:-1])} or {known[-1]}"
    return f"{path}: not a student file, or damaged; it must be one that cgl export writes in the format {readable}"


def _encoding(data: Mapping[str, Any]) -> Chosen:
    options = dict(data["encoding"])
    return Chosen(kind=options.pop("kind"), options=options)


def _portable(backbone: Chosen) -> Chosen:
    """Let the options of a backbone hold what it reads from files, as the student may be used where these are not."""
    settle = BACKBONES.facts(backbone.kind).get("portable") if backbone.kind in BACKBONES else None
    return backbone if settle is None else Chosen(kind=backbone.kind, options=settle(backbone.options))


def _located(dataset: Chosen, folder: str | None) -> Chosen:
    """Make relative paths of the user's data absolute, as the student may be used in another folder than the run's."""
    path = dataset.options.get("path")
    if folder is None or not isinstance(path, (str, list)):
        return dataset
    absolute = [str(folder / Path(one).expanduser()) for one in ([path] if isinstance(path, str) else path)]
    located: dict[str, Any] = {"path": absolute[0] if isinstance(path, str) else absolute}
    table = dataset.options.get("table")
    if isinstance(table, str) and not Path(absolute[0], table).is_file():
        located["table"] = str(folder / Path(table).expanduser())
    return Chosen(kind=dataset.kind, options={**dataset.options, **located})


def _installed() -> str:
    try:
        return version("cgl_ignite")
    except PackageNotFoundError:
        return "not installed"


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} %"


def _metric(name: str, value: float) -> str:
    unit = unit_of(name)
    return f"{value:.{2 if unit else 4}f} {unit}".rstrip()


def _words(choice: Chosen) -> str:
    options = ", ".join(f"{name} = {value}" for name, value in choice.options.items())
    return f"{choice.kind} ({options})" if options else choice.kind
