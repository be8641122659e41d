"""Imitation: whom a student imitates, and how much each of them counts."""

from cgl_ignite.imitation.choose import CHOICES, Choice
from cgl_ignite.imitation.units import imitation_units
from cgl_ignite.imitation.weigh import imitation_weights

__all__ = ["CHOICES", "Choice", "imitation_units", "imitation_weights"]
