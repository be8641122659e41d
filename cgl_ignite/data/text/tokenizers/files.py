"""The tokenizer that a student of texts takes with it, as JSON: bytes are written in base 64."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

from cgl_ignite.data.encoding import ENCODINGS, Tokenizer, restore_tokenizer
from cgl_ignite.errors import InputError, choices
from cgl_ignite.spec import InputSpec

__all__ = ["dump_tokenizer", "parse_tokenizer"]

_BYTES = "base64"
_FAULTS = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError, InputError)


def dump_tokenizer(tokenizer: Tokenizer) -> str:
    """Write the state of a tokenizer as JSON."""
    return json.dumps({name: _written(value) for name, value in tokenizer.state().items()})


def parse_tokenizer(text: str | bytes, where: object, spec: InputSpec | None = None) -> Tokenizer:
    """Make the tokenizer whose state was written by :func:`dump_tokenizer`.

    Args:
        text: the state, as JSON.
        where: the place, for messages.
        spec: the form of the inputs that the student reads; where it is given, the tokenizer is tried out.

    Raises:
        InputError: it is no such text, makes other inputs, or is of a kind that is not registered here.
    """
    try:
        state = {name: _read(value) for name, value in json.loads(text).items()}
        kind = state["kind"]
        if kind in ENCODINGS:
            tokenizer = restore_tokenizer(state)
            if spec is not None:
                _try_out(tokenizer, spec)
            return tokenizer
    except _FAULTS as error:
        fault = f"{type(error).__name__}: {error}"
        raise InputError(f"{where}: the tokenizer of the student is not right ({fault})") from error
    known = choices(ENCODINGS.kinds())
    raise InputError(f"{where}: encoding {kind!r} is not registered (known: {known}); import its plugin (--plugin)")


def _try_out(tokenizer: Tokenizer, spec: InputSpec) -> None:
    if tokenizer.spec != spec:
        raise ValueError("it makes other inputs than the student reads")
    tokenizer.encode(["a text"])


def _written(value: Any) -> Any:
    return {_BYTES: b64encode(value).decode()} if isinstance(value, bytes) else value


def _read(value: Any) -> Any:
    return b64decode(value[_BYTES], validate=True) if isinstance(value, dict) else value
