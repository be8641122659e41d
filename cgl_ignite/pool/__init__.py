"""The pool: routing, the modular network, its planned forward pass, and the way out of it."""

from cgl_ignite.pool.extract import extract_student
from cgl_ignite.pool.network import ModularNetwork, modular_layers
from cgl_ignite.pool.nodes import PoolOutput, padded
from cgl_ignite.pool.plan import Plan, RouteTable, Unit, plan_forward
from cgl_ignite.pool.routing import ROUTINGS, Routing, add_classifier, follow, share_first, trunk_of

__all__ = [
    "ROUTINGS",
    "ModularNetwork",
    "Plan",
    "PoolOutput",
    "RouteTable",
    "Routing",
    "Unit",
    "add_classifier",
    "extract_student",
    "follow",
    "modular_layers",
    "padded",
    "plan_forward",
    "share_first",
    "trunk_of",
]
