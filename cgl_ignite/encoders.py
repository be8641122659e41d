"""Folders of the library transformers: a configuration, a tokenizer and weights, read without a network."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cgl_ignite.compat import ensure_torchvision
from cgl_ignite.errors import InputError, first_line

__all__ = ["EncoderFolder", "library", "order_of_tokens", "read_folder"]

_UNNEEDED = ("_name_or_path", "architectures", "dtype", "id2label", "label2id", "problem_type", "transformers_version")


@dataclass(frozen=True)
class EncoderFolder:
    """What a folder says.

    Attributes:
        config: of the network, as plain values.
        tokenizer: as JSON, as the library tokenizers reads it.
        padding: the token that fills texts up.
        unknown: the token of what is not known; None if there is none.
        tokens: their number.
    """

    config: Mapping[str, Any]
    tokenizer: str
    padding: int
    unknown: int | None
    tokens: int


def library() -> Any:
    """Import the library.

    Raises:
        InputError: it is not installed.
    """
    if importlib.util.find_spec("transformers") is None:
        raise InputError("needs the package transformers: pip install 'cgl_ignite[transformers]'")
    ensure_torchvision()
    return importlib.import_module("transformers")


@lru_cache(maxsize=4)
def read_folder(folder: str) -> EncoderFolder:
    """Read what transformers' ``save_pretrained`` has written of a network and its tokenizer.

    Raises:
        InputError: the library is not installed, or the folder cannot be read.
    """
    known, path = library(), Path(folder).expanduser()
    if not path.is_dir():
        raise InputError(f"there is no folder {folder!r}; save a network and its tokenizer there by save_pretrained")
    try:
        config = known.AutoConfig.from_pretrained(path, local_files_only=True)
        tokenizer = known.AutoTokenizer.from_pretrained(path, local_files_only=True)
    except Exception as error:
        raise InputError(f"{folder!r} cannot be read by transformers ({first_line(error)})") from error
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        raise InputError(f"{folder!r} needs a tokenizer with a tokenizer.json and a token for padding")
    values = {name: value for name, value in config.to_dict().items() if name not in _UNNEEDED and value is not None}
    text = tokenizer.backend_tokenizer.to_str()
    return EncoderFolder(values, text, tokenizer.pad_token_id, tokenizer.unk_token_id, len(tokenizer))


def order_of_tokens(tokens: int, padding: int, unknown: int | None) -> list[int]:
    """List the library's number of each token: padding is 0 here, unknown 1, and all others follow.

    Example:
        >>> order_of_tokens(5, padding=2, unknown=4)
        [2, 4, 0, 1, 3]
    """
    first = [padding] if unknown is None or unknown == padding else [padding, unknown]
    return [*first, *(token for token in range(tokens) if token not in first)]
