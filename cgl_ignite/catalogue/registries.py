"""The registry of each sort of part."""

from __future__ import annotations

from cgl_ignite.averaging import WEIGHT_AVERAGES
from cgl_ignite.backbones import BACKBONES
from cgl_ignite.config.specialise import Registries
from cgl_ignite.data import AUGMENTATIONS, DATASETS, ENCODINGS, SUBSETS
from cgl_ignite.engine.optim import OPTIMIZERS
from cgl_ignite.imitation import AGGREGATIONS, CHOICES
from cgl_ignite.metrics import METRICS, PREDICTION_METRICS
from cgl_ignite.pool import ROUTINGS
from cgl_ignite.pretrained import STARTS
from cgl_ignite.schedules import SCHEDULES
from cgl_ignite.selection import SELECTIONS

__all__ = ["REGISTRIES"]

REGISTRIES: Registries = {
    "dataset": DATASETS,
    "encoding": ENCODINGS,
    "augmentation": AUGMENTATIONS,
    "subsets": SUBSETS,
    "backbone": BACKBONES,
    "routing": ROUTINGS,
    "start": STARTS,
    "choice": CHOICES,
    "aggregation": AGGREGATIONS,
    "selection": SELECTIONS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "average": WEIGHT_AVERAGES,
    "metric": METRICS,
    "prediction metric": PREDICTION_METRICS,
}
