"""What the suite measures: the networks, their batches, and what is asked of each."""

from __future__ import annotations

from typing import NamedTuple

import machinery
from growth import COUNTS, FLAT, METHODS, SMALL_GROUPS, GrowthSetting

__all__ = ["FULL", "TINY", "TWO_CORES", "SuiteCase", "SuiteSizes"]


class SuiteCase(NamedTuple):
    """One setting of a part.

    Attributes:
        title: what it is called.
        name: of ``overhead.py``, the setting and the preset of the method.
        changes: of its pipeline.
        target: the most that the ratio may be.
    """

    title: str
    name: str
    changes: tuple[str, ...] = ()
    target: float | None = None


class SuiteSizes(NamedTuple):
    """What is measured, part by part."""

    baseline: tuple[SuiteCase, ...]
    cgl: tuple[SuiteCase, ...]
    floor: tuple[SuiteCase, ...]
    evaluation: tuple[SuiteCase, ...]
    memory: tuple[SuiteCase, ...]
    precision: tuple[SuiteCase, ...]
    published: tuple[SuiteCase, ...]
    growth: GrowthSetting = GrowthSetting()
    methods: tuple[str, ...] = tuple(METHODS)
    counts: tuple[int, ...] = COUNTS
    processes: int = 3
    machinery: machinery.MachinerySizes = machinery.MachinerySizes()


def of_batch(size: int, *changes: str) -> tuple[str, ...]:
    """Return the changes of a pipeline that make its batches smaller."""
    return (f"optim.batch_size={size}", *changes)


WIDE = "backbone.width=64"
DIGITS = SuiteCase("ResNet-8 on digits", "digits-cgl", (), 0.5)
RESNET = SuiteCase("ResNet-18 of width 16, batches of 64", "cifar10-cgl", (), 0.85)
SMALL_RESNET = RESNET._replace(title="ResNet-18 of width 16, batches of 16", changes=of_batch(16))
SCORED_RESNET = RESNET._replace(title="ResNet-18 of width 16")
SHARED_RESNET = RESNET._replace(title="ResNet-18 of width 16, shared statistics", changes=("method.statistics=shared",))
WIDE_RESNET = SuiteCase("ResNet-18 of width 64", "cifar10-cgl", (WIDE,), 0.96)
VDCNN = SuiteCase("VDCNN-9", "vdcnn9-cgl", (), 0.95)
TRANSFORMER = SuiteCase("Transformer", "transformer-cgl", (), 0.78)
BASELINES = (
    SuiteCase("ResNet-8 on digits", "digits-baseline"),
    SuiteCase("ResNet-18 of width 16", "cifar10-baseline", (), 1.03),
    SuiteCase("VDCNN-9", "vdcnn9-baseline", (), 1.03),
    SuiteCase("Transformer", "transformer-baseline", (), 1.03),
)
PUBLISHED = (
    SuiteCase("Baseline, ResNet-18 of width 16", "cifar10-baseline"),
    SuiteCase("DML, ResNet-18 of width 16", "cifar10-dml"),
    SuiteCase("CGL, ResNet-18 of width 16", "cifar10-cgl"),
)

FULL = SuiteSizes(
    baseline=BASELINES,
    cgl=(DIGITS, SMALL_RESNET, RESNET, WIDE_RESNET, VDCNN, TRANSFORMER),
    floor=(DIGITS, RESNET, WIDE_RESNET, VDCNN, TRANSFORMER),
    evaluation=(DIGITS, SCORED_RESNET, SHARED_RESNET, WIDE_RESNET, VDCNN, TRANSFORMER),
    memory=(DIGITS, RESNET, WIDE_RESNET, VDCNN, TRANSFORMER),
    precision=BASELINES[1:],
    published=PUBLISHED,
    growth=GrowthSetting("cifar10", 64),
)
"""The batch sizes of the paper."""

SMALL_WIDE_RESNET = WIDE_RESNET._replace(changes=of_batch(4, WIDE))
SMALL_VDCNN = VDCNN._replace(changes=of_batch(4))
SMALL_TRANSFORMER = TRANSFORMER._replace(
    title="Transformer, texts cut to 128", changes=of_batch(4, "data.encoding.length=128")
)
EVALUATED_TRANSFORMER = TRANSFORMER._replace(title="Transformer, texts cut to 64", changes=("data.encoding.length=64",))
TWO_CORES = SuiteSizes(
    baseline=(*BASELINES[:2], *(case._replace(changes=of_batch(8)) for case in BASELINES[2:])),
    cgl=(DIGITS, SMALL_RESNET, RESNET, SMALL_WIDE_RESNET, SMALL_VDCNN, SMALL_TRANSFORMER),
    floor=(DIGITS, SMALL_RESNET, SMALL_TRANSFORMER),
    evaluation=(DIGITS, SCORED_RESNET, SHARED_RESNET, EVALUATED_TRANSFORMER),
    memory=(DIGITS, SMALL_RESNET, SMALL_WIDE_RESNET, SMALL_TRANSFORMER),
    precision=tuple(case._replace(changes=of_batch(8)) for case in BASELINES[1:]),
    published=(PUBLISHED[0], *(case._replace(changes=of_batch(16)) for case in PUBLISHED[1:])),
)
"""A quarter of an hour on two cores with one thread; an iteration of CGL on VDCNN-9 takes seconds even so."""

TINIEST = (SuiteCase("the smallest ResNet-8 on digits", "digits-cgl", of_batch(4, "backbone.width=4")),)
TINY = SuiteSizes(
    baseline=(TINIEST[0]._replace(name="digits-baseline"),),
    cgl=TINIEST,
    floor=TINIEST,
    evaluation=TINIEST,
    memory=TINIEST,
    precision=TINIEST,
    published=TINIEST,
    growth=GrowthSetting(batch_size=2),
    methods=(SMALL_GROUPS,),
    counts=FLAT,
    processes=1,
    machinery=machinery.TINY,
)
"""To see that all of it runs."""
