"""How much each training row counts in the loss with its label."""

from __future__ import annotations

from torch import Tensor

from cgl_ignite.data.subsets import Subsets
from cgl_ignite.errors import InputError

__all__ = ["describe_weights", "refuse_zero_weights", "scale_weights"]

_KEY = "data.weight"


def scale_weights(weights: Tensor) -> Tensor:
    """Scale weights to the mean 1, so that the learning rate keeps its meaning.

    Shape: float64 (N,), none below 0; result float32 (N,).

    Raises:
        InputError: all of them are 0.

    Example:
        >>> import torch
        >>> scale_weights(torch.tensor([1.0, 3.0]).double()).tolist()
        [0.5, 1.5]
    """
    largest = weights.max()
    if not largest > 0:
        raise InputError(f"the weights of all {len(weights):,} training rows are 0", key=_KEY)
    relative = weights / largest
    return (relative / relative.mean()).float()


def refuse_zero_weights(weights: Tensor, subsets: Subsets) -> None:
    """Make sure that every student has a row with a weight above 0. Shape: weights (N,).

    Raises:
        InputError: all weights of a sub-set are 0.
    """
    for number, rows in enumerate(subsets.groups(0)):
        if not weights.cpu()[rows].any():
            remedy = "take fewer students, or weights above 0"
            raise InputError(f"the weights of all rows in the sub-set of student {number} are 0; {remedy}", key=_KEY)


def describe_weights(weights: Tensor) -> str:
    r"""Say how unequal weights are, by the number of equally weighted rows with the same variance of their mean (Kish).

    .. math:: n = \frac{(\sum_i w_i)^2}{\sum_i w_i^2}

    Shape: weights (N,).

    Example:
        >>> import torch
        >>> describe_weights(torch.tensor([1.0, 1.0, 0.0, 0.0]))
        'the 4 training rows count like 2 of equal weight (data.weight); 2 have the weight 0'
    """
    exact = weights.double()
    effective, unused = round(float(exact.sum() ** 2 / exact.square().sum())), int((exact == 0).sum())
    nothing = f"; {unused:,} {'has' if unused == 1 else 'have'} the weight 0" if unused else ""
    return f"the {len(weights):,} training rows count like {effective:,} of equal weight ({_KEY}){nothing}"
