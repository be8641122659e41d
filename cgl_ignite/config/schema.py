"""The shape of a pipeline: fixed keys, and the places where a ``{kind, ...}`` table chooses a part.

Values only. A field marked :class:`Chooses` takes a table whose ``kind`` names a registered part;
its other keys are that part's options, added to the schema from the builder's signature when the
pipeline is bound (:mod:`cgl_ignite.catalogue`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from cgl_ignite.config.numbers import Count, Fraction, Holdout, Seeds

__all__ = [
    "AVERAGE",
    "ENSEMBLE",
    "MOST_STUDENTS",
    "BackboneTable",
    "CheckpointEvery",
    "Chooses",
    "Data",
    "Distil",
    "Loss",
    "Method",
    "Optim",
    "Part",
    "Pipeline",
    "Ramp",
    "Run",
    "Table",
    "Tracking",
    "fixed_keys",
]

AVERAGE = "average"
"""What ``method.teachers`` calls the averaged weights of the run itself."""
ENSEMBLE = "ensemble"
"""What ``distil.from`` calls all students of the run itself."""

MOST_STUDENTS = 1024
"""Of a pool, and modules of a layer; who imitates whom is a table of this number squared."""


@dataclass(frozen=True)
class Chooses:
    """Marks a field whose ``kind`` is looked up among the registered parts of one sort."""

    what: str


class Table(BaseModel):
    """A table of the pipeline file: unknown keys are errors, types are not bent, values are frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Part(Table):
    """A chosen part: its kind and the options of its builder."""

    option_names: ClassVar[tuple[str, ...]] = ()
    kind: str

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments for the builder of this kind, one of which may have this name too."""
        return {name: self.__dict__[name] for name in self.option_names}


class Data(Part):
    """Which rows the pool reads: the data set, its root folder, how many rows are used, how texts are encoded.

    ``holdout``: how many of the training rows select the student; left out where the data set has a validation part.
    ``stratified_holdout``: whether every class keeps its share in the holdout; else its rows are any.
    ``limit``: at most this many rows of training and holdout part together, and of the test part unless ``test_limit``
    gives another number. ``augment``: one augmentation, or a list of them, applied one after the other.
    ``balance``: what makes up for unequal classes: weights of their losses by the effective number of their rows,
    ``loss``, with its β ``balance_beta`` (0.999 if left out), or ``sampling``, which draws as many rows of every class.
    """

    root: Path | None = None
    limit: Count | None = None
    test_limit: Count | None = None
    holdout: Holdout | None = None
    stratified_holdout: bool = False
    encoding: Annotated[Part, Chooses("encoding")] = Part(kind="none")
    balance: Literal["none", "loss", "sampling"] = "none"
    balance_beta: Annotated[float, Field(ge=0, lt=1)] | None = None
    augment: Annotated[Part | tuple[Part, ...], Chooses("augmentation")] = Part(kind="none")

    @property
    def augmentations(self) -> tuple[Part, ...]:
        """The augmentations in their order, whether one was given or a list of them."""
        return self.augment if isinstance(self.augment, tuple) else (self.augment,)


class BackboneTable(Part):
    """What a student is made of.

    ``weights``: a file, or the name of published ones, that its modules begin with. ``momentum``: the share by which
    running statistics of batch normalisation move towards those of a batch, in the place of the network's own.
    """

    weights: Annotated[str, Field(min_length=1)] | None = None
    momentum: Annotated[float, Field(gt=0, le=1)] | None = None


class Loss(Table):
    """Constants of Eqs. 4-6, and of the methods that CGL is compared with.

    ``mixes``: what the weights of imitation mix. ``teacher_gradient``: whether the gradient of the KL term flows into
    all that makes the teacher, into learned weights only, or nowhere. ``temperature_squared``: whether the KL term is
    multiplied by T². ``teacher_label_weight``: of the cross-entropy of the mixed logits themselves, averaged over the
    students' teachers. ``label_smoothing``: the share of every label that is spread evenly over all classes.
    ``trunk_gradient``: whether layers that several students share receive the sum of their gradients or, at every
    split, the mean.
    """

    temperature: Annotated[float, Field(gt=0)] = 3.0
    temperature_squared: bool = True
    mixes: Literal["logits", "probabilities", "losses"] = "logits"
    teacher_gradient: Literal["flows", "weights", "stopped"] = "flows"
    label_weight: Annotated[float, Field(ge=0)] = 1.0
    imitation_weight: Annotated[float, Field(ge=0)] = 1.0
    teacher_label_weight: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    trunk_gradient: Literal["sum", "mean"] = "sum"

    @property
    def imitated_learn(self) -> bool:
        """Whether the passes of imitated students need a gradient."""
        return self.teacher_gradient != "stopped" or self.teacher_label_weight > 0


class Ramp(Table):
    """The ramp-up range [Js, Je] of Eq. 7, as fractions of the epochs; an empty range means φ = 1."""

    start: Fraction = 0.0
    end: Fraction = 0.2

    @model_validator(mode="after")
    def _ordered(self) -> Ramp:
        if self.start > self.end:
            raise ValueError(f"start = {self.start:g} must not be after end = {self.end:g}")
        return self


class Method(Table):
    """How the students learn together: whom they share modules with, what they read, whom they imitate.

    ``start``: what makes modules differ that begin with ``backbone.weights``. ``update``: whether all students make one
    optimizer step together, or one after another in every iteration, each with what the others say after their own
    step. ``teachers``: student files or runs whose students all of them imitate as well, without training them;
    ``average`` stands for the averaged weights of the students themselves.
    """

    preset: str
    students: Annotated[int, Field(ge=1, le=MOST_STUDENTS)]
    routing: Annotated[Part, Chooses("routing")]
    start: Annotated[Part, Chooses("start")] = Part(kind="noise")
    classifier: Literal["module", "student", "shared"] = "module"
    statistics: Literal["student", "shared"] = "student"
    subsets: Annotated[Part, Chooses("subsets")]
    choose: Annotated[Part, Chooses("choice")]
    weigh: Annotated[Part, Chooses("aggregation")] = Part(kind="mean")
    loss: Loss = Loss()
    update: Literal["together", "in turn"] = "together"
    ramp: Ramp = Ramp()
    selection: Annotated[Part, Chooses("selection")]
    teachers: list[str] = []


class Optim(Part):
    """The optimizer; ``batch_size`` counts the samples of one student in one iteration.

    ``decay``: which parameters decay: all, or weights only, without biases, normalisation and embeddings.
    ``clip_norm``: the largest norm of the gradient of all parameters together; a longer one is scaled down to it.
    ``layer_decay``: the learning rate of a layer is this times that of the next one; the classifier has all of it.
    ``frozen_layers``: the first layers that do not learn.
    """

    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: Annotated[int, Field(ge=2)]
    decay: Literal["all", "weights"] = "all"
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    frozen_layers: Annotated[int, Field(ge=0)] = 0
    schedule: Annotated[Part, Chooses("schedule")] = Part(kind="constant")


class CheckpointEvery(Table):
    """When the state is saved: every N epochs, iterations or seconds, whichever is given."""

    epochs: Count | None = None
    iterations: Count | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> CheckpointEvery:
        if sum(value is not None for value in (self.epochs, self.iterations, self.seconds)) != 1:
            raise ValueError("give exactly one of 'epochs', 'iterations' or 'seconds'")
        return self


class Run(Table):
    """How long and how the training runs; only the first four keys change the training.

    ``average``: an average of the weights over the iterations, which is judged and selected in their place.

    ``precision``: of the layers' arithmetic. With ``bfloat16`` convolutions and matrix products run in it (PyTorch's
    autocast); weights, statistics, losses and the optimizer stay in float32.

    ``graphs``: a GPU replays iterations that launch the same kernels as earlier ones, instead of launching them.
    ``auto`` does so where all iterations are alike and the network has no dropout.
    ``reduce``: how several processes add up their gradients. ``ordered`` adds those of each student in the order of the
    students, with the same bits for any number of processes on a CPU; ``fast`` leaves the order to the library. The
    default is ``ordered`` on CPUs and ``fast`` on GPUs.

    ``metrics``: of the predictions on holdout and test part, by name, besides accuracy and cross-entropy.
    """

    epochs: Count
    passes_per_epoch: Count = 1
    average: Annotated[Part, Chooses("average")] = Part(kind="none")
    precision: Literal["float32", "bfloat16"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Count | None = None
    graphs: bool | Literal["auto"] = "auto"
    batches_per_chunk: Count | None = None
    reduce: Literal["ordered", "fast"] | None = None
    checkpoint_every: CheckpointEvery = CheckpointEvery(epochs=1)
    metrics: list[str] = []


class Distil(create_model("Distil", __base__=Table, **{"from": (str, ENSEMBLE)})):  # type: ignore[misc]
    """A distillation at the end: one student learns from frozen teachers, and is handed over.

    ``from``: ``ensemble``, all students at the selected epoch, or a student file, or a run. ``weight``: of the
    divergence from the mean prediction of the teachers; the cross-entropy with the labels gets the rest. ``start``:
    whether the student begins with new weights, or with those of the selected student.
    """

    epochs: Count
    temperature: Annotated[float, Field(gt=0)] = 2.0
    weight: Fraction = 0.5
    start: Literal["scratch", "selected"] = "scratch"

    @property
    def teacher(self) -> str:
        """What ``from`` says, which Python cannot name."""
        return str(getattr(self, "from"))


class Tracking(Table):
    """Where runs are recorded: ``folder`` holds checkpoints and, unless ``uri`` is set, the MLflow store."""

    uri: str | None = None
    folder: Path = Path("mlruns")
    experiment: str | None = None


class Pipeline(Table):
    """A whole pipeline file."""

    name: Annotated[str, Field(min_length=1)]
    seeds: Seeds = [1]
    plugins: list[str] = []
    data: Annotated[Data, Chooses("dataset")]
    backbone: Annotated[BackboneTable, Chooses("backbone")]
    method: Method
    optim: Annotated[Optim, Chooses("optimizer")]
    run: Run
    distil: Distil | None = None
    tracking: Tracking = Tracking()


def fixed_keys(*table: str) -> frozenset[str]:
    """Name the keys that a table of the pipeline has whatever its ``kind``.

    Example:
        >>> print(*sorted(fixed_keys("data")))
        augment balance balance_beta encoding holdout kind limit root stratified_holdout test_limit
        >>> sorted(fixed_keys("method", "routing"))
        ['kind']
    """
    model: type[BaseModel] = Pipeline
    table = table[1:] if table[:1] == ("small",) else table
    table = table[2:] if table[:1] == ("variants",) else table
    if table[:1] == ("methods",):
        table = table[2:] if table[2:3] in (("data",), ("distil",), ("optim",), ("run",)) else ("method", *table[2:])
    for name in table:
        field = model.model_fields.get(name)
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, Table)):
            return frozenset()
        model = field.annotation
    return frozenset(model.model_fields)
