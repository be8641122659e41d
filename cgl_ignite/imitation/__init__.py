"""Imitation: whom a student imitates, and how much each of them counts."""

from cgl_ignite.imitation import attention, gate
from cgl_ignite.imitation.aggregate import AGGREGATIONS
from cgl_ignite.imitation.choose import CHOICES, Choice
from cgl_ignite.imitation.frozen import FrozenTeachers, with_frozen
from cgl_ignite.imitation.outputs import ForwardOutputs, View
from cgl_ignite.imitation.units import imitation_units, turns_of

__all__ = [
    "AGGREGATIONS",
    "CHOICES",
    "Choice",
    "ForwardOutputs",
    "FrozenTeachers",
    "View",
    "attention",
    "gate",
    "imitation_units",
    "turns_of",
    "with_frozen",
]
