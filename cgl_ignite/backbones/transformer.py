"""The tokenizer of the Transformer (Vaswani et al. 2017) for classification: post-norm blocks, mean over the tokens.

The mask travels inside the values: at padding every layer's output is exactly zero, and the next layer reads from
that where the tokens are. More padding therefore changes nothing.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from cgl_ignite.backbones.base import BACKBONES, Backbone, LayerBuilder
from cgl_ignite.errors import InputError
from cgl_ignite.spec import InputSpec

__all__ = ["positions", "token_means", "transformer"]

ATTENTION_KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""All but cuDNN's, which takes a tenth of a second to prepare for every length that it has not seen."""

Count = Annotated[int, Field(ge=1, le=2**16)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


def positions(length: int, width: int) -> Tensor:
    r"""Return sinusoidal positions: columns :math:`2i, 2i + 1` hold sine and cosine of :math:`t / 10000^{2i / D}`.

    Shape: (length, width).
    """
    rates = torch.exp(-math.log(10000.0) / width * torch.arange(0, width, 2, dtype=torch.float64))
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width].float()


def token_means(values: Tensor) -> Tensor:
    """Average over the positions that are not padding, which are those with a value; zero if there is none.

    Shape: (B, T, D) to (B, D).

    Example:
        >>> token_means(torch.tensor([[[1.0, 5.0], [3.0, 1.0], [0.0, 0.0]]])).tolist()
        [[2.0, 3.0]]
    """
    return values.sum(dim=1) / _tokens(values).sum(dim=1).clamp_min(1)


class _Tokens(nn.Module):
    """Embedding, projection to the model's width, positions, dropout. Shape: (B, T) to (B, T, D)."""

    positions: Tensor

    def __init__(self, spec: InputSpec, embedding: int, width: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(spec.vocabulary, embedding, padding_idx=0)
        self.projection = nn.Identity() if width == embedding else nn.Linear(embedding, width)
        self.register_buffer("positions", positions(spec.shape[0], width), persistent=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        values: Tensor = self.projection(self.embedding(tokens)) + self.positions[: tokens.shape[1]]
        values = self.dropout(values)
        return values * (tokens != 0).unsqueeze(2)


class _Attention(nn.Module):
    """Multi-head self-attention over the tokens. Shape: values (B, T, D), tokens (B, T, 1); result (B, T, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, values: Tensor, tokens: Tensor) -> Tensor:
        """Mix the values; a text without tokens attends to its padding, as a softmax over nothing has no value."""
        seen = (tokens | ~tokens.any(dim=1, keepdim=True)).transpose(1, 2).unsqueeze(1)
        parts = self.inputs(values).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind()
        with sdpa_kernel(ATTENTION_KERNELS):
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        result: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return result


class _Block(nn.Module):
    """Attention, then two linear layers at each position; both residual and normalised after. Shape: (B, T, D)."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.attention = _Attention(width, heads)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, feed_forward), nn.ReLU(inplace=True), nn.Linear(feed_forward, width)
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward_dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor) -> Tensor:
        tokens = _tokens(values)
        mixed = self.norm(values + self.dropout(self.attention(values, tokens)))
        result: Tensor = self.feed_forward_norm(mixed + self.feed_forward_dropout(self.feed_forward(mixed)))
        return result * tokens


class _TokenMeans(nn.Module):
    """:func:`token_means` as a layer."""

    def forward(self, values: Tensor) -> Tensor:
        return token_means(values)


@BACKBONES.register("transformer", modality="text")
def transformer(
    spec: InputSpec,
    classes: int,
    *,
    blocks: Count = 3,
    embedding: Count = 512,
    width: Count = 128,
    heads: Count = 4,
    feed_forward: Count = 512,
    dropout: Fraction = 0.1,
) -> Backbone:
    """Embedding and three blocks: 4 layers, 8,852,738 parameters for 16,000 tokens and 2 classes.

    Linear layers are drawn as ``torch.nn.Transformer`` draws them (Glorot and Bengio 2010), with biases of zero.

    Args:
        spec: the maximum length of a text and the number of tokens.
        classes: their number.
        blocks: how many there are.
        embedding: size of a token's embedding; it is projected to ``width`` where that differs.
        width: of the model, a multiple of ``heads``.
        heads: of the attention.
        feed_forward: width of the inner layer at each position.
        dropout: on the sum of embeddings and positions, and on the residual branches; the attention has none.

    Raises:
        InputError: heads that do not divide the width.
    """
    if width % heads:
        raise InputError(f"width = {width} is not divided by heads = {heads}")
    block = partial(_drawn, partial(_Block, width, heads, feed_forward, dropout))
    return Backbone(
        layers=(partial(_drawn, partial(_Tokens, spec, embedding, width, dropout)), *[block] * blocks),
        classifier=partial(_drawn, partial(_classifier, width, classes)),
        stages=(1,) * (blocks + 1),
        to_vector=token_means,
    )


def _tokens(values: Tensor) -> Tensor:
    """Tell where the tokens are. Shape: (B, T, D) to (B, T, 1)."""
    return (values != 0).any(dim=2, keepdim=True)


def _classifier(width: int, classes: int) -> nn.Module:
    return nn.Sequential(_TokenMeans(), nn.Linear(width, classes))


def _drawn(builder: LayerBuilder) -> nn.Module:
    module = builder()
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)
    return module
