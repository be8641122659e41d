from __future__ import annotations

from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from cgl_ignite.config.describe import allowed_names, describe
from cgl_ignite.config.schema import Loss


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bool, "true or false"),
        (str, "text"),
        (Annotated[str, Field(min_length=1)], "non-empty text"),
        (Path, "a path"),
        (Any, "anything"),
        (Parameter.empty, "anything"),
        (int | str, "a whole number or text"),
        (Loss, "a table"),
        (Annotated[float, Field(gt=0)], "a number of more than 0"),
        (Annotated[float, Field(gt=0, lt=1)], "a number of more than 0 and less than 1"),
        (Annotated[Annotated[int, Field(ge=2)] | None, Field(le=9)], "a whole number from 2 to 9"),
        (tuple[float, float], "a list of [a number, a number]"),
        (tuple[int, ...], "a list of [a whole number]"),
        (Annotated[list[str], Field(min_length=1)], "a non-empty list of [text]"),
    ],
)
def test_describe(annotation: Any, words: str) -> None:
    assert describe(annotation) == words


def test_allowed_names() -> None:
    assert allowed_names(Literal["a", "b"] | None) == ("a", "b")
    assert allowed_names(str) == ()
