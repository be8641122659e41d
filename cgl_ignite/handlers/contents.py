"""What a checkpoint must hold, checked before anything is built from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor

from cgl_ignite.config.schema import MOST_STUDENTS
from cgl_ignite.errors import InputError
from cgl_ignite.handlers.checkpoint import read_checkpoint

__all__ = ["read_run_checkpoint"]

Index = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=1, lt=2**63)]
Student = Annotated[int, Field(ge=0, lt=MOST_STUDENTS)]


class _Contents(BaseModel):
    """Values of their own types; keys that this version does not know are left as they are."""

    model_config = ConfigDict(extra="allow", strict=True, arbitrary_types_allowed=True)


class _Facts(_Contents):
    run_id: str
    pipeline: dict[str, Any]
    fingerprint: str
    seed: Index
    classes: Annotated[list[str], Field(min_length=1)]
    modality: Literal["image", "text"]
    shape: Annotated[list[Count], Field(min_length=1)]
    mean: list[float] = []
    std: list[Annotated[float, Field(gt=0)]] = []
    vocabulary: Index = 0
    encoder: str = ""
    reads: list[Student]
    paths: Annotated[list[Annotated[list[Student], Field(min_length=1)]], Field(min_length=1, max_length=MOST_STUDENTS)]
    batches_per_chunk: Count = 1
    stage: str = ""
    method: str = ""
    data: dict[str, str] = {}
    teachers: dict[str, str] = {}
    weights: dict[str, str] = {}

    @model_validator(mode="after")
    def _fits(self) -> _Facts:
        if len({len(path) for path in self.paths}) > 1:
            raise ValueError("paths of different lengths")
        if len(self.reads) != len(self.paths):
            raise ValueError("not one group for each student")
        if self.modality == "image" and not len(self.mean) == len(self.std) == self.shape[0]:
            raise ValueError("not a mean and a deviation for each channel")
        if self.modality == "image" and len(self.shape) != 3:
            raise ValueError("images have channels, a height and a width")
        if self.modality == "text" and len(self.shape) != 1:
            raise ValueError("texts have a length and nothing else")
        return self


class _Selection(_Contents):
    judged: Index
    selected: Annotated[list[Any], Field(min_length=3, max_length=3)] | None
    weights: dict[str, Tensor]
    mean: list[float] | None = None
    history: list[Any] = []

    @model_validator(mode="after")
    def _chosen(self) -> _Selection:
        if self.selected is not None:
            epoch, student, score = self.selected
            right = type(epoch) is int and type(student) is int and isinstance(score, (int, float))
            if not right or not 1 <= epoch <= self.judged:
                raise ValueError("the selection is not an epoch, a student and its score")
        return self


class _Sums(_Contents):
    sums: Tensor
    seconds: Annotated[float, Field(ge=0)]
    epoch_seconds: Annotated[float, Field(ge=0)]


class _Trainer(_Contents):
    epoch_length: Count
    iteration: Index
    max_epochs: Count


class _Checkpoint(_Contents):
    facts: _Facts
    selector: _Selection
    trainer: _Trainer
    averages: _Sums
    pool: dict[str, Any]
    weigher: dict[str, Any]
    optimizer: dict[str, Any]

    @model_validator(mode="after")
    def _student_is_there(self) -> _Checkpoint:
        if self.selector.selected is not None and not 0 <= self.selector.selected[1] < len(self.facts.paths):
            raise ValueError("the selected student is not there")
        return self


def read_run_checkpoint(path: Path) -> dict[str, Any]:
    """Read the checkpoint of a run, and make sure that it holds what is read of it, in its types and bounds.

    Raises:
        InputError: a file that is not there, is damaged, or is no checkpoint of a run; the first few faults.
    """
    content = read_checkpoint(path)
    try:
        _Checkpoint.model_validate(content)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, one['loc'])) or 'all'}: {one['msg']}" for one in error.errors(include_input=False)
        ]
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise InputError(f"{path}: not a readable checkpoint ({'; '.join(faults[:3])}{more})") from error
    return content
