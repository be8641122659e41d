"""The batches of a run, and the weights of its classes."""

from __future__ import annotations

import torch
from torch import Tensor

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Batches, Splits, Subsets, build_augmentations
from cgl_ignite.data.balance import BETA, class_weights, refuse_missing_classes
from cgl_ignite.data.weights import refuse_zero_weights

__all__ = ["build_batches", "weights_of_classes"]


def build_batches(pipeline: Pipeline, splits: Splits, subsets: Subsets, seed: int, device: torch.device) -> Batches:
    """Build the batches of a seed.

    Raises:
        InputError: a student without a row whose weight is above 0.
    """
    if splits.train.weights is not None:
        refuse_zero_weights(splits.train.weights, subsets)
    augment, augment_normalised = build_augmentations(pipeline.data.augmentations, splits.spec)
    return Batches(
        splits.train,
        subsets,
        batch_size=pipeline.optim.batch_size,
        seed=seed,
        classes=len(splits.classes),
        augment=augment,
        normaliser=splits.normaliser,
        augment_normalised=augment_normalised,
        device=device,
        passes_per_epoch=pipeline.run.passes_per_epoch,
        balanced=pipeline.data.balance == "sampling",
    )


def weights_of_classes(pipeline: Pipeline, splits: Splits, subsets: Subsets, device: torch.device) -> Tensor | None:
    """Return the weights of the classes, (C,) on the device; what balances them must have rows of each.

    Raises:
        InputError: a class without training rows.
    """
    balance, beta, targets = pipeline.data.balance, pipeline.data.balance_beta, splits.train.targets
    if balance == "none":
        return None
    refuse_missing_classes(targets, splits.classes, subsets if balance == "sampling" else None)
    if balance == "sampling":
        return None
    return class_weights(targets, len(splits.classes), BETA if beta is None else beta).to(device)
