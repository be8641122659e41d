r"""The training objective as pure functions (Eqs. 3-7).

All of them take logits as (students, B, C) and leave means over the batch to :func:`batch_mean`, because the batches
of different students may differ in size by the end of an epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "MIXES",
    "batch_mean",
    "cross_entropy",
    "imitation_kl",
    "kl_of_logits",
    "kl_of_losses",
    "kl_of_probabilities",
    "ramp_up",
    "teacher_logits",
]


def cross_entropy(
    logits: Tensor, targets: Tensor, smoothing: float = 0.0, class_weights: Tensor | None = None
) -> Tensor:
    r"""Cross-entropy of each sample with its label (Eqs. 2 and 3), never tempered.

    .. math::
        L_{ce}^k(x) = -\sum_c q_c(x) \log p_k^c(x), \qquad
        q_c(x) = (1 - \varepsilon) \, y_c(x) + \varepsilon / C

    with ε = ``smoothing`` (Szegedy et al. 2016), 0 in the paper, and y the shares of the classes: 1 for the label, or
    two shares where samples are mixed.

    With ``class_weights`` w a sample counts by its label, one of mixed samples by its shares of labels; the weights are
    no part of the smoothing:

    .. math:: L_{ce}^k(x) = -\sum_c w_c \, y_c(x) \sum_j q_j^{(c)} \log p_k^j(x), \qquad
        q_j^{(c)} = (1 - \varepsilon) \, [j = c] + \varepsilon / C

    Shape: logits (S, B, C); targets (S, B) labels, or (S, B, C) shares of the classes; class_weights (C,); result
    (S, B).

    Example:
        >>> cross_entropy(torch.zeros(1, 2, 4), torch.tensor([[0, 3]])).exp().round().tolist()
        [[4.0, 4.0]]
    """
    given = targets.flatten(0, 1) if targets.dim() == 2 else targets.flatten(0, 1).to(logits)
    weights = None
    if class_weights is not None and given.dim() == 1:
        weights = class_weights[given].to(logits)
    elif class_weights is not None:
        weighted = given * class_weights.to(logits)
        weights = weighted.sum(dim=1)
        given = weighted / weights.clamp_min(torch.finfo(weights.dtype).tiny).unsqueeze(1)
    losses = F.cross_entropy(logits.flatten(0, 1), given, reduction="none", label_smoothing=smoothing)
    return (losses if weights is None else losses * weights).view(logits.shape[:2])


def teacher_logits(weights: Tensor, logits: Tensor) -> Tensor:
    r"""Mix what imitated students say about each student's batch (Eq. 5).

    .. math:: z_t^k = \sum_u w_{ku} \, z_u

    Shape: weights (S, U) for S students and U units of (student, batch), or (S, U, B) where they differ from sample to
    sample; logits (U, B, C); result (S, B, C). A row of zeros gives zeros.

    Example:
        >>> teacher_logits(torch.tensor([[0.5, 0.5]]), torch.tensor([[[1.0, 3.0]], [[3.0, 5.0]]])).tolist()
        [[[2.0, 4.0]]]
    """
    if weights.dim() == 3:
        return torch.einsum("sub,ubc->sbc", weights, logits)
    return (weights @ logits.flatten(1)).view(-1, *logits.shape[1:])


def imitation_kl(teacher: Tensor, logits: Tensor, temperature: float, squared: bool = True) -> Tensor:
    r"""Divergence of each sample's tempered prediction from its teacher's (Eq. 4).

    .. math:: L_{kl}^k(x) = T^2 \sum_c p_t^c(x; T) \log \frac{p_t^c(x; T)}{p_k^c(x; T)}

    Eq. 4 is printed without the factor T²; ``squared = False`` drops it.

    Shape: teacher and logits (S, B, C); result (S, B).
    """
    log_teacher = F.log_softmax(teacher / temperature, dim=-1)
    log_student = F.log_softmax(logits / temperature, dim=-1)
    divergence = F.kl_div(log_student, log_teacher, reduction="none", log_target=True).sum(dim=-1)
    return divergence * temperature**2 if squared else divergence


def kl_of_probabilities(weights: Tensor, logits: Tensor, own: Tensor, temperature: float, squared: bool) -> Tensor:
    r"""Divergence from the mixed tempered *predictions* of the imitated students.

    .. math:: p_t^k = \sum_u w_{ku} \, \sigma_T(z_u)

    Shape: weights (S, U) or (S, U, B), logits (U, B, C), own (S, B, C); result (S, B).
    """
    mixed = teacher_logits(weights, F.softmax(logits / temperature, dim=-1))
    log_mixed = mixed.clamp_min(torch.finfo(mixed.dtype).tiny).log()
    divergence = (mixed * (log_mixed - F.log_softmax(own / temperature, dim=-1))).sum(dim=-1)
    return divergence * temperature**2 if squared else divergence


def kl_of_losses(weights: Tensor, logits: Tensor, own: Tensor, temperature: float, squared: bool) -> Tensor:
    r"""Mixed divergences from each imitated student by itself, as in Deep Mutual Learning (Zhang et al. 2018).

    .. math:: \sum_u w_{ku} \, \mathrm{KL}_T(z_u \,\|\, z_k)

    Shape: weights (S, U) or (S, U, B), logits (U, B, C), own (S, B, C); result (S, B).
    """
    log_teachers = F.log_softmax(logits / temperature, dim=-1)
    log_students = F.log_softmax(own / temperature, dim=-1)
    negative_entropy = (log_teachers.exp() * log_teachers).sum(dim=-1)
    divergences = negative_entropy - torch.einsum("ubc,sbc->sub", log_teachers.exp(), log_students)
    each = weights if weights.dim() == 3 else weights.unsqueeze(2)
    divergence = (each * divergences).sum(dim=1)
    return divergence * temperature**2 if squared else divergence


def kl_of_logits(weights: Tensor, logits: Tensor, own: Tensor, temperature: float, squared: bool) -> Tensor:
    """Divergence from the mixed *logits* of the imitated students (Eqs. 4 and 5).

    Shape: weights (S, U) or (S, U, B), logits (U, B, C), own (S, B, C); result (S, B).
    """
    return imitation_kl(teacher_logits(weights, logits), own, temperature, squared)


MIXES: Mapping[str, Callable[[Tensor, Tensor, Tensor, float, bool], Tensor]] = {
    "logits": kl_of_logits,
    "probabilities": kl_of_probabilities,
    "losses": kl_of_losses,
}
"""What the weights of imitation mix: ``method.loss.mixes``."""


def batch_mean(values: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Average each row over its first ``sizes[s]`` entries; the rest is padding.

    Shape: values (S, B), B = max(sizes); result (S,).

    Example:
        >>> batch_mean(torch.tensor([[1.0, 3.0], [5.0, 99.0]]), (2, 1)).tolist()
        [2.0, 5.0]
    """
    if min(sizes) == max(sizes):
        return values.mean(dim=1)
    counts = torch.tensor(sizes, dtype=torch.float64).unsqueeze(1)
    shares = (torch.arange(values.shape[1]) < counts) / counts
    return (values * shares.to(values, non_blocking=True)).sum(dim=1)


def ramp_up(epoch: int, start: float, end: float) -> float:
    r"""Weight of the imitation term in an epoch (Eq. 7, Laine & Aila 2017).

    .. math:: \varphi(t) = e^{-5 (1 - \lambda)^2}, \quad \lambda = \frac{t - J_s}{J_e - J_s}

    inside the range [Js, Je] and 1 outside of it, before Js as well. An empty range gives 1.

    Args:
        epoch: t, counted from 0.
        start: Js in epochs.
        end: Je in epochs.

    Example:
        >>> [round(ramp_up(t, 0, 4), 4) for t in (0, 1, 2, 3, 4, 5)]
        [0.0067, 0.0601, 0.2865, 0.7316, 1.0, 1.0]
    """
    if end <= start or not start <= epoch <= end:
        return 1.0
    return math.exp(-5 * (1 - (epoch - start) / (end - start)) ** 2)
