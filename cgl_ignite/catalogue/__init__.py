"""All registered parts by name, and pipelines checked against them before anything is read or built."""

from cgl_ignite.catalogue.bind import BoundPlan, bind, bind_methods, bind_rows, effective, import_plugins, load_pipeline
from cgl_ignite.catalogue.layers import try_layers
from cgl_ignite.catalogue.registries import REGISTRIES
from cgl_ignite.catalogue.weights import try_weights

__all__ = [
    "REGISTRIES",
    "BoundPlan",
    "bind",
    "bind_methods",
    "bind_rows",
    "effective",
    "import_plugins",
    "load_pipeline",
    "try_layers",
    "try_weights",
]
