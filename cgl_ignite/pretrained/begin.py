"""A backbone whose modules begin with trained weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from cgl_ignite.backbones.base import Backbone, FrozenBuilder, LayerBuilder
from cgl_ignite.config.schema import Part, Pipeline
from cgl_ignite.data import Normaliser, Tokenizer, dump_tokenizer
from cgl_ignite.errors import InputError
from cgl_ignite.pool import follow
from cgl_ignite.pretrained.files import KEY, Weights, find_weights
from cgl_ignite.pretrained.fit import Fitted, fit
from cgl_ignite.pretrained.starts import STARTS, Start
from cgl_ignite.spec import InputSpec

__all__ = ["Beginning", "begin_with", "check_weights", "refuse_unfit", "shared_layers"]


@dataclass(frozen=True)
class Beginning:
    """What the weights of a pipeline say.

    Attributes:
        title: of the weights.
        classifier: whether the classifier begins with them too.
        normaliser: of the inputs they were trained on; None where it is not known, or for texts.
        size: height and width of these inputs; empty where they are not known.
    """

    title: str
    classifier: bool
    normaliser: Normaliser | None
    size: tuple[int, ...]

    def lines(self, spec: InputSpec) -> list[str]:
        """Tell in words what begins with the weights, and which inputs they were made for."""
        head = "the classifier too" if self.classifier else "the classifier is new, as the classes are others"
        told = [f"weights from {self.title}: {head}"]
        if (known := self.normaliser) is not None:
            mean, std = (", ".join(f"{value:.3f}" for value in each.tolist()) for each in (known.mean, known.std))
            told.append(f"inputs are normalised as for these weights: mean {mean}, standard deviation {std}")
        if self.size and self.size != spec.shape[1:]:
            theirs, ours = (" x ".join(map(str, size)) for size in (self.size, spec.shape[1:]))
            told.append(f"the weights were trained on images of {theirs}, the data have {ours}")
        return told


@dataclass(frozen=True, eq=False)
class BegunBuilder:
    """The builder of a layer that begins with weights; noise is drawn from PyTorch's global generator."""

    builder: LayerBuilder
    state: Mapping[str, Tensor]
    noise: float = 0.0

    def __call__(self) -> nn.Module:
        module = self.builder()
        module.load_state_dict(self.state, strict=False)
        with torch.no_grad():
            for name, parameter in module.named_parameters() if self.noise else ():
                if name in self.state:
                    size = self.noise * parameter.square().mean().sqrt()
                    parameter.add_(size * torch.randn_like(parameter))
        return module


def begin_with(
    pipeline: Pipeline,
    backbone: Backbone,
    modules: Sequence[int],
    classes: Sequence[str],
    tokenizer: Tokenizer | None,
) -> tuple[Backbone, Beginning | None]:
    """Let the modules of a backbone begin with the weights of its pipeline, if there are any.

    Args:
        pipeline: that names the weights, and what makes modules differ.
        backbone: built for the data.
        modules: how many each layer has; a classifier left out has as many as the last layer.
        classes: of the data.
        tokenizer: of the data, if they are texts.

    Raises:
        InputError: weights that cannot be had, or do not fit the backbone or the tokenizer.
    """
    if pipeline.backbone.weights is None:
        return backbone, None
    weights = find_weights(pipeline.backbone, fetch=True)
    assert weights is not None
    _refuse_other_tokens(weights, tokenizer)
    fitted = fit(_learning(backbone), weights, classes)
    start: Start = STARTS.build(pipeline.method.start, len(backbone.layers))
    counts = follow(modules, len(fitted.states))
    builders = [
        _begun(builder, state, start.noise if count > 1 else 0.0)
        for builder, state, count in zip((*backbone.layers, backbone.classifier), fitted.states, counts, strict=True)
    ]
    begun = replace(backbone, layers=tuple(builders[:-1]), classifier=builders[-1])
    return begun, _beginning(weights, fitted)


def check_weights(pipeline: Pipeline, backbone: Backbone, classes: int, *, fetch: bool = False) -> Beginning | None:
    """Tell what a backbone begins with; None without weights, or if published ones are not on this machine.

    Args:
        pipeline: that names the weights.
        backbone: built for the data, or for what is assumed of them.
        classes: the number of classes.
        fetch: whether weights that are not here are fetched.

    Raises:
        InputError: weights that cannot be had, or do not fit the backbone.
    """
    if pipeline.backbone.weights is None:
        return None
    weights = find_weights(pipeline.backbone, fetch=fetch)
    return None if weights is None else _beginning(weights, fit(_learning(backbone), weights, classes))


def refuse_unfit(layers: int, *, weights: bool, frozen: int, start: str, default: str) -> None:
    """Refuse settings that need weights, and more frozen layers than leave one to learn.

    Raises:
        InputError: with the key at fault.
    """
    if not weights and start != default:
        raise InputError(
            f"{start!r} is for modules that begin with the same weights; set backbone.weights", "method.start"
        )
    if not weights and frozen:
        raise InputError("needs backbone.weights: layers that neither begin trained nor learn", "optim.frozen_layers")
    if frozen >= layers:
        raise InputError(f"must be less than the {layers} layers, not {frozen}", "optim.frozen_layers")


def shared_layers(weights: str | None, start: Part, frozen: int, layers: int) -> int:
    """Return how many of the first layers have one module: those of ``method.start``, and frozen ones.

    Raises:
        InputError: more layers asked for than there are.
    """
    if weights is None:
        return 0
    rule: Start = STARTS.build(start, layers)
    return max(rule.shared, frozen)


def _beginning(weights: Weights, fitted: Fitted) -> Beginning:
    return Beginning(weights.title, fitted.classifier, weights.normaliser, weights.size)


def _begun(builder: LayerBuilder, state: Mapping[str, Tensor], noise: float) -> LayerBuilder:
    if isinstance(builder, FrozenBuilder):
        return FrozenBuilder(BegunBuilder(builder.builder, state))
    return BegunBuilder(builder, state, noise)


def _learning(backbone: Backbone) -> Backbone:
    """Return a backbone of which nothing is frozen."""
    plain = [builder.builder if isinstance(builder, FrozenBuilder) else builder for builder in backbone.layers]
    return replace(backbone, layers=tuple(plain))


def _refuse_other_tokens(weights: Weights, tokenizer: Tokenizer | None) -> None:
    if tokenizer is not None and weights.encoder and _tokens(weights.encoder) != _tokens(dump_tokenizer(tokenizer)):
        raise InputError(
            f"{weights.title} has another tokenizer than the data, so that its embeddings are those of other tokens; a "
            "tokenizer that is learned is the same only with the same training rows and data.encoding",
            key=KEY,
        )


def _tokens(encoder: str) -> dict[str, Any]:
    """Return what of a tokenizer decides which token has which number."""
    return {name: value for name, value in json.loads(encoder).items() if name not in ("length", "pad")}
