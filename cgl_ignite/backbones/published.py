"""Weights that a library publishes for its networks: their names, where they lie, and the inputs they were made for."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cgl_ignite.backbones.cutting.source import find_builder
from cgl_ignite.compat import ensure_torchvision
from cgl_ignite.encoders import library, read_folder
from cgl_ignite.errors import InputError, choices, first_line, nearest

__all__ = ["DEFAULT", "Published", "of_folder", "of_timm", "of_torchvision"]

DEFAULT = "DEFAULT"
"""The name of the weights that a library recommends."""


@dataclass(frozen=True)
class Published:
    """Weights by their name.

    Attributes:
        title: their full name.
        present: whether they are on this machine.
        read: reads the weights of the whole network, by its own names; fetches them if they are not here.
        mean: of the inputs they were trained on, per channel in units of [0, 1]; empty for texts.
        std: the same for the standard deviation.
        size: height and width of these inputs.
        encoder: of texts, their tokenizer as JSON, as far as it decides which token has which number.
    """

    title: str
    present: bool
    read: Callable[[], Mapping[str, Tensor]]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    size: tuple[int, ...] = ()
    encoder: str = ""


def of_torchvision(name: str, *, build: str, **_: Any) -> Published:
    """Find the weights of a network of torchvision by their name, such as ``IMAGENET1K_V1``.

    Raises:
        InputError: another network, or a name that its weights do not have.
    """
    builder = find_builder(build)
    ensure_torchvision()
    models = importlib.import_module("torchvision.models")
    try:
        known: Any = models.get_model_weights(builder)
    except ValueError as error:
        raise _wrong(f"there is no file {name!r}, and {build} has no weights of torchvision") from error
    key = name.removeprefix(f"{known.__name__}.")
    if key not in known.__members__:
        raise _wrong(_unknown(name, known.__name__, known.__members__))
    found = known[key]
    path = Path(torch.hub.get_dir()) / "checkpoints" / found.url.rpartition("/")[2]
    transform: Any = found.transforms()
    return Published(
        title=str(found),
        present=path.is_file(),
        read=lambda: _fetched(found.url, path),
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        size=(transform.crop_size[0],) * 2,
    )


def of_timm(name: str, *, model: str, options: Mapping[str, Any] | None = None, **_: Any) -> Published:
    """Find the weights of a network of timm by their tag, such as ``c3_in1k``.

    Raises:
        InputError: a tag that the network does not have.
    """
    timm = importlib.import_module("timm")
    plain, tag = model.partition(".")[::2]
    tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{plain}.*")]
    tag = (tag or (tags[0] if tags else "")) if name == DEFAULT else name
    if tag not in tags:
        raise _wrong(_unknown(name, plain, [DEFAULT, *tags]) if tags else f"timm has no weights of {plain!r}")
    found = timm.get_pretrained_cfg(f"{plain}.{tag}")

    def read() -> Mapping[str, Tensor]:
        try:
            network = timm.create_model(f"{plain}.{tag}", pretrained=True, **_without_form(options or {}))
        except Exception as error:
            raise _wrong(
                f"{plain}.{tag} cannot be fetched ({first_line(error)}); without a network, fetch model.safetensors of "
                f"https://huggingface.co/{found.hf_hub_id} elsewhere, and name that file here"
            ) from error
        weights: Mapping[str, Tensor] = network.state_dict()
        return weights

    cached = importlib.import_module("huggingface_hub").try_to_load_from_cache(found.hf_hub_id, "model.safetensors")
    size = tuple(found.input_size[1:])
    return Published(f"{plain}.{tag}", isinstance(cached, str), read, tuple(found.mean), tuple(found.std), size)


def of_folder(name: str, *, folder: str | None = None, **_: Any) -> Published:
    """Find the weights in the folder of an encoder of transformers; they have no name of their own.

    Raises:
        InputError: another name, or no folder.
    """
    if name != DEFAULT or folder is None:
        raise _wrong(f"there is no file {name!r}; {DEFAULT!r} are the weights in backbone.folder")
    found, known = read_folder(folder), library()

    def read() -> Mapping[str, Tensor]:
        try:
            with torch.random.fork_rng(devices=[]):
                network, told = known.AutoModelForSequenceClassification.from_pretrained(
                    folder, local_files_only=True, output_loading_info=True, use_safetensors=None
                )
        except Exception as error:
            raise _wrong(f"{folder!r} holds no weights that transformers reads ({first_line(error)})") from error
        return {name: value for name, value in network.state_dict().items() if name not in told["missing_keys"]}

    tokenizer = {"kind": "transformers", "tokenizer": found.tokenizer}
    encoder = json.dumps({**tokenizer, "padding": found.padding, "unknown": found.unknown})
    return Published(folder, present=True, read=read, encoder=encoder)


def _without_form(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in ("num_classes", "in_chans", "pretrained")}


def _fetched(url: str, path: Path) -> Mapping[str, Tensor]:
    """Read a file of torchvision; fetch it first if it is not there."""
    if not path.is_file():
        try:
            torch.hub.load_state_dict_from_url(url, map_location="cpu", progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:
            path.unlink(missing_ok=True)
            raise _wrong(
                f"{url} cannot be fetched ({first_line(error)}); without a network, fetch it elsewhere and put it at "
                f"{path}"
            ) from error
    try:
        weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _wrong(f"{path} cannot be read ({first_line(error)}); remove it, and it is fetched again") from error
    return weights


def _unknown(name: str, title: str, known: Any) -> str:
    return f"there is no file {name!r}, and no such weights of {title}{nearest(name, known)} (known: {choices(known)})"


def _wrong(message: str) -> InputError:
    return InputError(message, key="backbone.weights")
