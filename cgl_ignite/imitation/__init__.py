"""Imitation: whom a student imitates, and how much each of them counts."""

from cgl_ignite.imitation import attention, gate
from cgl_ignite.imitation.choose import CHOICES, Choice
from cgl_ignite.imitation.evidence import Evidence, View
from cgl_ignite.imitation.units import imitation_units, turns_of
from cgl_ignite.imitation.weigh import WEIGHINGS

__all__ = ["CHOICES", "WEIGHINGS", "Choice", "Evidence", "View", "attention", "gate", "imitation_units", "turns_of"]
