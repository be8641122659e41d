"""From a run back to its students: find it, rebuild its pool, take one student out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cgl_ignite.backbones import Backbone
from cgl_ignite.catalogue import bind
from cgl_ignite.config.load import Document, within_limits
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Normaliser, PadTokens, Splits, Tokenizer, dump_tokenizer, parse_tokenizer
from cgl_ignite.errors import CglError, InputError, RunFailed, first_line, shortage
from cgl_ignite.handlers.contents import read_run_checkpoint
from cgl_ignite.metrics import PREDICTION_METRICS
from cgl_ignite.pipeline.assemble import blueprint
from cgl_ignite.pipeline.data import RunData, refuse_changed_data
from cgl_ignite.pipeline.find import find_run
from cgl_ignite.plugins import import_plugins, require_plugins
from cgl_ignite.pool import ModularNetwork, Routing, follow, modular_layers
from cgl_ignite.pool.limits import refuse_large_inputs, refuse_large_layers
from cgl_ignite.spec import InputSpec
from cgl_ignite.student import Card, Student, read_student
from cgl_ignite.tracking.files import read_rows

__all__ = [
    "RunFiles",
    "design_of",
    "is_no_checkpoint",
    "load_student",
    "open_pool",
    "open_run",
    "rebuild_pool",
    "refuse_other_data",
    "take_student",
]


@dataclass(frozen=True)
class RunFiles:
    """What is read of a run: its checkpoint, and the scores of its students as far as they are beside it.

    Attributes:
        scores: the rows of ``metrics.jsonl`` by epoch, and those of the test set under epoch 0.
        own: whether it lies in the tracking folder, so that the plugins that it names may be imported.
    """

    path: Path
    checkpoint: dict[str, Any]
    scores: dict[int, dict[str, float]]
    own: bool = True

    @property
    def facts(self) -> dict[str, Any]:
        """What the checkpoint says about the run: pipeline, seed, classes, paths, normalisation."""
        facts: dict[str, Any] = self.checkpoint["facts"]
        return facts

    @property
    def selected(self) -> tuple[int, int, float]:
        """Epoch and student that are selected so far, and its holdout accuracy.

        Raises:
            InputError: no epoch has been judged yet.
        """
        selected = self.checkpoint["selector"]["selected"]
        if selected is None:
            raise InputError(f"{self.path}: no student is selected yet, as no epoch is finished")
        epoch, student, score = selected
        return epoch, student, score

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights of the pool at the selected epoch.

        Raises:
            InputError: no epoch has been judged yet.
        """
        weights: dict[str, Tensor] = self.checkpoint["selector"]["weights"] if self.selected else {}
        return weights

    @property
    def normaliser(self) -> Normaliser | PadTokens:
        """What makes inputs of the pool: of pixels, by the mean and deviation of the training rows, or of tokens."""
        if self.facts["modality"] == "text":
            return PadTokens()
        return Normaliser(torch.tensor(self.facts["mean"]), torch.tensor(self.facts["std"]))

    @property
    def students(self) -> int:
        """How many learned together."""
        return len(self.facts["paths"])

    @property
    def spec(self) -> InputSpec:
        """The form of one input."""
        return InputSpec(self.facts["modality"], tuple(self.facts["shape"]), self.facts.get("vocabulary", 0))

    @property
    def tokenizer(self) -> Tokenizer | None:
        """What makes token ids of texts; None for images."""
        if self.facts["modality"] != "text":
            return None
        return parse_tokenizer(self.facts.get("encoder", ""), self.path, self.spec)

    def import_plugins(self) -> None:
        """Import the plugins that the run names; those of a run from elsewhere must have been imported.

        Raises:
            InputError: one that cannot be imported, or has not been.
        """
        plugins = self.facts["pipeline"].get("plugins", [])
        if not isinstance(plugins, list) or not all(isinstance(name, str) for name in plugins):
            raise InputError(f"{self.path}: its plugins are not a list of names")
        if not self.own:
            require_plugins(plugins, self.path)
        import_plugins(plugins)

    def card(self, student: int) -> Card:
        """Describe a student at the selected epoch, with the accuracies that were recorded."""
        epoch, selected, score = self.selected
        holdout = self.scores.get(epoch, {}).get(f"holdout/accuracy/student_{student}")
        return Card.of(
            self.facts,
            student=student,
            epoch=epoch,
            holdout_accuracy=score if student == selected else holdout,
            test_accuracy=self.scores.get(0, {}).get(f"test/accuracy/student_{student}"),
            metrics={
                name: value
                for name in PREDICTION_METRICS.kinds()
                if (value := self.scores.get(0, {}).get(f"test/{name}/student_{student}")) is not None
            },
        )


def open_run(which: str, folder: Path) -> RunFiles:
    """Open a run by id, the beginning of its id, ``latest``, its folder, or a checkpoint wherever it lies.

    Args:
        which: the run.
        folder: the tracking folder, whose ``runs`` are looked through.

    Raises:
        InputError: no such run, one without a checkpoint, or the file of a student.
    """
    path = Path(which)
    alone = path.is_file() and not (path.name == "checkpoint.pt" and (path.parent / "run.json").exists())
    path = path if alone else find_run(folder / "runs", which).checkpoint
    checkpoint = _read_alone(path) if alone else read_run_checkpoint(path)
    rows = [] if alone else read_rows(path.parent / "metrics.jsonl")
    own = path.resolve().is_relative_to((folder / "runs").resolve())
    return RunFiles(path, checkpoint, {0 if row.final else row.epoch: dict(row.values) for row in rows}, own)


def _read_alone(path: Path) -> dict[str, Any]:
    """Read a checkpoint that lies outside of its run's folder.

    Raises:
        InputError: a file that is none; of a student, it names its run.
    """
    try:
        return read_run_checkpoint(path)
    except InputError as error:
        try:
            card = read_student(path)[1]
        except InputError:
            raise error from error.__cause__
        raise InputError(f"{path} holds a student, not its run; give the run, {card.run_id[:8]}") from error


def open_pool(which: str, folder: Path) -> RunFiles:
    """Open a run whose students are wanted together, as :func:`open_run`.

    Raises:
        InputError: no such run, one of a single student, or the file of a student.
    """
    path = Path(which)
    if path.suffix and not path.exists():
        raise InputError(f"there is no file {which}")
    if is_no_checkpoint(path):
        _, card = read_student(path)
        raise InputError(f"{which} holds one student; give the run with all of its students, {card.run_id[:8]}")
    run = open_run(which, folder)
    if run.students == 1:
        which = "keeps its distilled student only" if run.facts.get("stage") else "has one student"
        raise InputError(f"run {run.facts['run_id']} {which}, which is no ensemble")
    return run


def design_of(run: RunFiles) -> tuple[Pipeline, Backbone, Routing]:
    """Return the pipeline of a run, and the backbone and the routing of its pool as they are registered now.

    Raises:
        InputError: parts that are not registered here.
    """
    run.import_plugins()
    tree = {key: value for key, value in run.facts["pipeline"].items() if key != "plugins"}
    pipeline = bind(within_limits(Document(tree, {}, run.path)))
    refuse_large_inputs(run.path, run.spec)
    backbone, routing = blueprint(pipeline, run.spec, len(run.facts["classes"]))
    layers = modular_layers(backbone)
    refuse_large_layers(run.path, layers, follow(routing.modules, len(layers)))
    _refuse_unfit_paths(run, routing)
    return pipeline, backbone, routing


def _refuse_unfit_paths(run: RunFiles, routing: Routing) -> None:
    modules = routing.modules
    for path in run.facts["paths"]:
        if len(path) != len(modules) or any(module >= count for module, count in zip(path, modules, strict=True)):
            raise InputError(f"{run.path}: the paths of its students are not those of its pipeline")


def rebuild_pool(run: RunFiles) -> ModularNetwork:
    """Build the pool of a run from its checkpoint alone, with the weights of the selected epoch.

    Raises:
        InputError: parts that are not registered or cannot be built here, no selection yet, weights that do not fit.
        RunFailed: memory that is short.
    """
    facts, weights = run.facts, run.weights
    try:
        pipeline, backbone, routing = design_of(run)
        pool = ModularNetwork(modular_layers(backbone), routing.modules, facts["seed"])
    except CglError:
        raise
    except Exception as error:
        told = f"{run.path}: its backbone cannot be built here"
        if missing := shortage(error):
            raise RunFailed(f"{told}: {missing}; free some, and try again") from error
        raise InputError(f"{told} ({first_line(error)})") from error
    pool.route(torch.tensor(facts["paths"]), facts["reads"], pipeline.method.statistics)
    try:
        pool.load_state_dict(weights)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{run.path}: its weights do not fit backbone {pipeline.backbone.kind!r} as it is registered now"
        ) from error
    return pool


def refuse_other_data(run: RunFiles, data: RunData, splits: Splits) -> None:
    """Make sure that data are those that a run was trained on.

    Raises:
        InputError: they are not.
    """
    named = f"run {run.facts['run_id']}"
    refuse_changed_data(run.facts.get("data"), data.identity, named, "give the folder that holds them (--root)")
    if splits.tokenizer is not None and dump_tokenizer(splits.tokenizer) != run.facts["encoder"]:
        raise InputError(f"the texts are not encoded as {named} has encoded them; restore its data")


def take_student(run: RunFiles, student: int | None = None) -> tuple[Student, Card]:
    """Take a student out of a run at the selected epoch: the selected one, or that of an index from 0.

    Raises:
        InputError: an index that no student has.
    """
    chosen = run.selected[1] if student is None else student
    if not 0 <= chosen < run.students:
        raise InputError(f"{run.path}: there is no student {chosen}, only 0 to {run.students - 1}")
    return Student.of(rebuild_pool(run), chosen, run.normaliser, run.tokenizer), run.card(chosen)


def load_student(which: str, folder: Path, device: torch.device | str = "cpu") -> tuple[nn.Module, Card]:
    """Read a student file, or take the selected student out of a run or a checkpoint.

    Raises:
        InputError: neither of them, or one that cannot be read.
    """
    path = Path(which)
    if path.suffix and not path.exists():
        raise InputError(f"there is no file {which}")
    if is_no_checkpoint(path):
        return read_student(path, device)
    student, card = take_student(open_run(which, folder))
    return student.to(device), card


def is_no_checkpoint(path: Path) -> bool:
    """Whether this is a file but no checkpoint, such as that of a student; its tensors are not read."""
    if not path.is_file():
        return False
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # noqa: BLE001  whatever it is, it is no checkpoint
        return True
    return not (isinstance(content, dict) and "selector" in content)
