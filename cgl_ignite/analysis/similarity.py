"""How alike the representations of two students are: linear CKA, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cgl_ignite.analysis.canvas import headline, new_figure, point_style, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FEWEST_ROWS", "alignments", "gram_matrix", "similarity_figure"]

FEWEST_ROWS = 4
"""The estimator needs so many rows."""


def gram_matrix(features: Tensor) -> Tensor:
    """Return the inner products of centred features, in float64. Shape: features (N, ...), result (N, N)."""
    rows = features.flatten(1).double()
    rows = rows - rows.mean(dim=0)
    return rows @ rows.T


def alignments(grams: Sequence[Tensor]) -> Tensor:
    r"""Return the linear CKA of every two representations of the same rows, with unbiased estimates of HSIC.

    .. math:: \mathrm{CKA}(K, L) = \frac{\mathrm{HSIC}_1(K, L)}{\sqrt{\mathrm{HSIC}_1(K, K)\, \mathrm{HSIC}_1(L, L)}}

    (Kornblith et al. 2019; HSIC₁: Song et al. 2012, as in Nguyen et al. 2021.) The plain estimate grows with the
    number of features and is far above 0 for independent features; this one is not. It is 1 for equal
    representations, does not change when features are rotated or multiplied by a number, may be slightly below 0, and
    is NaN where a representation does not vary.

    Shape: K Gram matrices (N, N) (:func:`gram_matrix`), N at least 4; result (K, K).
    """
    n = len(grams[0])
    centred = torch.stack([_u_centred(gram).flatten() for gram in grams])
    products = centred @ centred.T / (n * (n - 3))
    norms = products.diagonal().clamp(min=0).sqrt()
    norms = norms.where(norms > 0, torch.nan)
    return products / norms / norms[:, None]


def _u_centred(gram: Tensor) -> Tensor:
    """Centre a Gram matrix without its diagonal, which makes HSIC₁ a plain inner product (Székely and Rizzo 2014)."""
    n = len(gram)
    hollow = gram - gram.diagonal().diag()
    sums = hollow.sum(dim=0)
    centred = hollow - (sums[:, None] + sums) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    return centred - centred.diagonal().diag()


@styled
def similarity_figure(similarities: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """Draw the similarity of two students layer by layer, one line a method; several runs: mean and range.

    Args:
        similarities: for each method and run, the mean CKA of two students in each layer.
    """
    figure = new_figure(7.0, 4.0)
    axes = figure.subplots()
    for place, (name, runs) in enumerate(similarities.items()):
        layers = range(1, len(runs[0]) + 1)
        table = torch.tensor(runs, dtype=torch.float64)
        style = point_style(place)
        axes.fill_between(layers, table.amin(0), table.amax(0), color=style["color"], alpha=0.18, linewidth=0)
        axes.plot(layers, table.mean(0), label=name, **style)
    axes.set(xlabel="layer (the last is the classifier)", ylabel="linear CKA")
    axes.set_ylim(top=1.02)
    axes.set_xticks(range(1, max(len(runs[0]) for runs in similarities.values()) + 1))
    axes.grid(axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    headline(axes, "Similarity of representations", "mean over pairs of students of one run; 1: equal up to rotation")
    return figure
