"""An encoder of the library transformers with its head for classification, cut at its blocks.

Each layer is the network itself with fewer blocks, so that all masks are those of the library. Where the padding is
travels inside the values, which are zero there, as in :mod:`cgl_ignite.backbones.transformer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from cgl_ignite.backbones.base import BACKBONES, Backbone, LayerBuilder, WholeNetwork
from cgl_ignite.backbones.cutting.draws import unchanged_randomness
from cgl_ignite.backbones.cutting.measure import example, steady
from cgl_ignite.backbones.published import of_folder
from cgl_ignite.backbones.transformer import token_means
from cgl_ignite.encoders import library, order_of_tokens, read_folder
from cgl_ignite.errors import InputError, first_line
from cgl_ignite.seeding import global_stream
from cgl_ignite.spec import InputSpec

__all__ = ["portable", "transformers"]

_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
_BLOCKS = "num_hidden_layers"


@dataclass(frozen=True)
class _Recipe:
    """Makes the network, with all of its blocks or with one."""

    config: str
    classes: int
    order: tuple[int, ...]

    def network(self, *, whole: bool = False) -> Any:
        values, known = json.loads(self.config), library()
        config = known.AutoConfig.for_model(values.pop("model_type"), **values)
        config.num_labels = self.classes
        for name in _ATTENTION_DROPOUT:
            if hasattr(config, name):
                setattr(config, name, 0.0)
        if not whole:
            setattr(config, _BLOCKS, 1)
        return known.AutoModelForSequenceClassification.from_config(config)

    def first(self) -> nn.Module:
        """Make what turns tokens into values."""
        network = _without_head(self.network())
        _blocks(network.base_model)._modules.clear()
        network.register_buffer("order_of_tokens", torch.tensor(self.order), persistent=False)
        return _running(network, _embed)

    def block(self, number: int) -> nn.Module:
        """Make one block, under its name in the whole network."""
        network = _without_head(self.network())
        blocks = _blocks(network.base_model)
        blocks._modules[str(number)] = blocks._modules.pop("0")
        network.base_model.embeddings = _Given()
        return _running(network, _transform)

    def last(self) -> nn.Module:
        """Make the head."""
        network = self.network()
        _blocks(network.base_model)._modules.clear()
        network.base_model.embeddings = _Given()
        return _running(network, _classify)


class _Given(nn.Module):
    """Stands in for embeddings where values are given."""

    def forward(self, *values: Any, **named: Any) -> Tensor:
        found: Tensor = next(
            each for each in (*values, *named.values()) if isinstance(each, Tensor) and each.is_floating_point()
        )
        return found


@dataclass(frozen=True)
class _Encoder(WholeNetwork):
    recipe: _Recipe
    builders: tuple[LayerBuilder, ...]
    classifier: str

    def weights(self) -> Mapping[str, Tensor]:
        with global_stream(0, "cut"):
            weights: Mapping[str, Tensor] = self.recipe.network(whole=True).state_dict()
            return weights

    def layers(self, weights: Mapping[str, Tensor]) -> Sequence[Mapping[str, Tensor]]:
        with global_stream(0, "cut"):
            names = [list(builder().state_dict()) for builder in self.builders]
        return [{name: weights[name] for name in layer if name in weights} for layer in names]


def portable(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options that need no folder: they hold the configuration itself."""
    if options.get("folder") is None:
        return dict(options)
    found = read_folder(options["folder"])
    unknown = {} if found.unknown is None else {"unknown": found.unknown}
    return {"config": dict(found.config), "padding": found.padding, **unknown}


@BACKBONES.register("transformers", modality="text", listed=False, published=of_folder, portable=portable)
def transformers(
    spec: InputSpec,
    classes: int,
    *,
    folder: str | None = None,
    config: dict[str, Any] | None = None,
    padding: int = 0,
    unknown: int | None = None,
) -> Backbone:
    """An encoder of transformers: embeddings, one layer for each block, and its head for classification.

    Its attention has no dropout, as the draws of the library's kernels have no address.

    Args:
        spec: the maximum length of a text and the number of tokens.
        classes: their number.
        folder: that ``save_pretrained`` has written, with the tokenizer.
        config: the configuration in its place, as a student has it.
        padding: with ``config``, the tokenizer's number of the token for padding.
        unknown: with ``config``, its number of the unknown token.

    Raises:
        InputError: transformers is not installed, a folder that cannot be read, other tokens than those of the data,
            or a network that cannot be cut at its blocks.
    """
    if (folder is None) == (config is None):
        raise InputError("needs one of 'folder' and 'config'", key="backbone.folder")
    try:
        tokens = spec.vocabulary if folder is None else read_folder(folder).tokens
        given = portable({"folder": folder, "config": config, "padding": padding, "unknown": unknown})
    except InputError as error:
        raise InputError(error.message, key="backbone.folder") from error
    if tokens != spec.vocabulary:
        raise InputError(
            f"the network reads {tokens:,} tokens, data.encoding makes {spec.vocabulary:,}; take its own tokenizer: "
            f'data.encoding = {{ kind = "transformers", folder = "{folder}" }}',
            key="data.encoding",
        )
    order = tuple(order_of_tokens(tokens, given["padding"], given.get("unknown")))
    recipe = _Recipe(json.dumps(given["config"], sort_keys=True), classes, order)
    with global_stream(0, "cut"):
        return _cut(recipe, spec)


@lru_cache(maxsize=8)
def _cut(recipe: _Recipe, spec: InputSpec) -> Backbone:
    network = _built(recipe)
    blocks = len(_blocks(network.base_model))
    builders: tuple[LayerBuilder, ...] = (recipe.first, *(partial(recipe.block, n) for n in range(blocks)))
    whole = _Encoder(recipe, (*builders, recipe.last), _classifier(network))
    _check(network, whole, spec)
    return Backbone(
        layers=builders,
        classifier=recipe.last,
        to_vector=token_means,
        names=("embeddings", *(f"block {number}" for number in range(1, blocks + 1)), "head"),
        whole=whole,
    )


def _built(recipe: _Recipe) -> Any:
    try:
        return recipe.network(whole=True)
    except Exception as error:
        raise _refused(f"the network cannot be built by transformers ({first_line(error)})") from error


def _check(network: Any, whole: _Encoder, spec: InputSpec) -> None:
    """Make sure that the layers are the network, on texts of different lengths, and that nothing is left random.

    Raises:
        InputError: they are not, or the network does not take texts of this length.
    """
    tokens = example(spec)
    tokens[1, spec.shape[0] // 2 :] = 0
    order = torch.tensor(whole.recipe.order)
    try:
        with torch.no_grad():
            expected = network.eval()(input_ids=order[tokens], attention_mask=(tokens != 0).long()).logits
    except Exception as error:
        raise _refused(f"the network cannot take texts of {spec.shape[0]} tokens ({first_line(error)})") from error
    weights = network.state_dict()
    try:
        layers = [builder() for builder in whole.builders]
        for layer, state in zip(layers, whole.layers(weights), strict=True):
            layer.load_state_dict(state)
        with torch.no_grad():
            found = _run(layers, nn.Module.eval, tokens)
            with unchanged_randomness() as drawn:
                _run(layers, steady, tokens)
    except Exception as error:
        raise _refused(
            f"the network cannot be cut at its blocks ({type(error).__name__}: {first_line(error)})"
        ) from error
    if not torch.allclose(found, expected, rtol=1e-4, atol=1e-5):
        raise _refused("the network cut at its blocks gives other results than as a whole")
    if drawn():
        raise _refused("the network draws random numbers in training that a pool cannot give an address")


def _run(layers: Sequence[nn.Module], mode: Callable[[Any], nn.Module], values: Tensor) -> Tensor:
    for layer in layers:
        values = mode(layer)(values)
    return values


def _refused(fault: str) -> InputError:
    return InputError(fault, key="backbone")


def _blocks(base: Any) -> nn.ModuleList:
    """Find the blocks of an encoder: its first list of as many modules as it has blocks."""
    count = getattr(base.config, _BLOCKS)
    lists = [part for part in base.modules() if isinstance(part, nn.ModuleList) and len(part) == count]
    if not lists or not hasattr(base, "embeddings"):
        raise _refused(f"{type(base).__name__} has no embeddings and list of blocks, as BERT and RoBERTa have")
    return lists[0]


def _classifier(network: Any) -> str:
    found: list[str] = [
        name
        for name, part in network.named_modules()
        if isinstance(part, nn.Linear) and not name.startswith(f"{network.base_model_prefix}.")
    ]
    return found[-1]


def _without_head(network: Any) -> Any:
    """Keep what makes the values of the last block."""
    for name, _ in list(network.named_children()):
        if name != network.base_model_prefix:
            delattr(network, name)
    if getattr(network.base_model, "pooler", None) is not None:
        network.base_model.pooler = None
    return network


def _running(network: nn.Module, forward: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    """Let a network run another function; its weights keep their names."""
    kind = type(network)
    network.__class__ = type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})
    return network


def _embed(self: Any, tokens: Tensor) -> Tensor:
    mask = tokens != 0
    made: Tensor = self.base_model(input_ids=self.order_of_tokens[tokens], attention_mask=mask.long()).last_hidden_state
    return made * mask.unsqueeze(2)


def _transform(self: Any, values: Tensor) -> Tensor:
    mask = (values != 0).any(dim=2)
    made: Tensor = self.base_model(inputs_embeds=values, attention_mask=mask.long()).last_hidden_state
    return made * mask.unsqueeze(2)


def _classify(self: Any, values: Tensor) -> Tensor:
    mask = (values != 0).any(dim=2)
    logits: Tensor = super(type(self), self).forward(inputs_embeds=values, attention_mask=mask.long()).logits
    return logits
