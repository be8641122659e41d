"""Weights read from where they lie: files of PyTorch and safetensors, earlier students, and published ones."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.backbones.published import Published
from cgl_ignite.config.schema import BackboneTable
from cgl_ignite.data import Normaliser
from cgl_ignite.data.digest import file_hash
from cgl_ignite.errors import InputError, first_line
from cgl_ignite.pool.limits import checked_members
from cgl_ignite.student import Card

__all__ = ["KEY", "Weights", "file_of", "find_weights", "identify_weights", "weights_to_fetch"]

KEY = "backbone.weights"
SUFFIXES = (".pt", ".pth", ".bin", ".pt2", ".safetensors", ".onnx")
_SAFETENSORS = ".safetensors"
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIX = "module."
_NORMALISATION = ("mean", "std")


@dataclass(frozen=True, eq=False)
class Weights:
    """Trained weights, and what is known of the inputs they read.

    Attributes:
        title: what they are called in messages.
        tensors: by name; those of a student by the number of the layer and the name in it.
        card: of an earlier student.
        encoder: of texts, their tokenizer, as JSON; empty where it is not known.
        normaliser: of the inputs they were trained on; None where that is not known.
        size: height and width of these inputs; empty where they are not known.
    """

    title: str
    tensors: Mapping[str, Tensor]
    card: Card | None = None
    encoder: str = ""
    normaliser: Normaliser | None = None
    size: tuple[int, ...] = ()


def file_of(table: BackboneTable) -> Path | None:
    """Return the file that the weights of a backbone come from; None for published ones, or if there are none."""
    if table.weights is None:
        return None
    path = Path(table.weights).expanduser()
    return path if path.suffix.lower() in SUFFIXES or path.is_file() else None


def identify_weights(table: BackboneTable) -> dict[str, str]:
    """Digest the file that the weights of a backbone come from, by its name; nothing for published ones."""
    path = file_of(table)
    if path is None or not path.is_file():
        return {}
    return {str(table.weights): file_hash(path)}


def find_weights(table: BackboneTable, *, fetch: bool) -> Weights | None:
    """Read the weights that a backbone begins with.

    Args:
        table: of the pipeline.
        fetch: whether published weights that are not on this machine are fetched; otherwise they are None.

    Raises:
        InputError: a file that is not there or cannot be read, a name that nobody published, a missing extra.
    """
    path = file_of(table)
    if path is not None:
        if not path.is_file():
            raise InputError(f"there is no file {str(path)!r}", key=KEY)
        return _read(path.absolute(), path.stat().st_mtime_ns)
    found = _published(table)
    if not found.present and not fetch:
        return None
    normaliser = Normaliser(torch.tensor(found.mean), torch.tensor(found.std)) if found.mean else None
    return Weights(found.title, found.read(), None, found.encoder, normaliser, found.size)


def weights_to_fetch(table: BackboneTable) -> str | None:
    """Return the full name of published weights that are not on this machine; None if there is nothing to fetch.

    Raises:
        InputError: a name that nobody published, a missing extra.
    """
    if table.weights is None or file_of(table) is not None:
        return None
    found = _published(table)
    return None if found.present else found.title


def _published(table: BackboneTable) -> Published:
    publisher = BACKBONES.facts(table.kind).get("published")
    if publisher is None:
        raise InputError(
            f"there is no file {table.weights!r}, and nobody publishes weights of {table.kind!r}: give a student file, "
            "or a state dict of its layers in a .pt or .safetensors file",
            key=KEY,
        )
    found: Published = publisher(table.weights, **table.options)
    return found


@lru_cache(maxsize=2)
def _read(path: Path, changed: int) -> Weights:
    """Read a file; ``changed``, the time of its last change, tells whether it is still the same."""
    content = _safetensors(path) if path.suffix.lower() == _SAFETENSORS else _loaded(path)
    if isinstance(content, Mapping) and "selector" in content:
        raise InputError(f"{path} is the checkpoint of a run: cgl export {path} makes a student file", key=KEY)
    if isinstance(content, Mapping) and {"format", "card", "state_dict"} <= content.keys():
        return _of_student(path, content)
    wrapper = next((name for name in _WRAPPERS if isinstance(content, Mapping) and name in content), None)
    tensors = content[wrapper] if wrapper else content
    named = isinstance(tensors, Mapping) and all(isinstance(name, str) for name in tensors)
    if not named or not tensors or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise InputError(f"{path} holds no state dict: it must hold tensors by their names", key=KEY)
    if all(name.startswith(_PREFIX) for name in tensors):
        tensors = {name.removeprefix(_PREFIX): value for name, value in tensors.items()}
    return Weights(str(path), tensors)


def _of_student(path: Path, content: Mapping[str, Any]) -> Weights:
    card, tensors = Card.parse(path, content["format"], content["card"]), dict(content["state_dict"])
    mean, std = (tensors.pop(name, None) for name in _NORMALISATION)
    normaliser = None if mean is None or std is None else Normaliser(mean, std)
    tensors = {name.removeprefix("network."): value for name, value in tensors.items()}
    size = card.shape[1:] if card.modality == "image" else ()
    return Weights(str(path), tensors, card, content.get("encoder", ""), normaliser, size)


def _loaded(path: Path) -> Any:
    try:
        if zipfile.is_zipfile(path):
            checked_members(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path} cannot be read as weights ({first_line(error)}); it must be what torch.save wrote of a state "
            "dict, a .safetensors file, or a student that cgl export writes in the format 'state'",
            key=KEY,
        ) from error


def _safetensors(path: Path) -> Any:
    if importlib.util.find_spec("safetensors") is None:
        raise InputError(f"{path} needs the package safetensors: pip install 'cgl_ignite[safetensors]'", key=KEY)
    try:
        return importlib.import_module("safetensors.torch").load_file(path)
    except Exception as error:
        raise InputError(f"{path} cannot be read ({first_line(error)})", key=KEY) from error
