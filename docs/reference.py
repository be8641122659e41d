"""Write the reference pages of the package, from its docstrings: ``python docs/reference.py FOLDER``."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pdoc

import cgl_ignite


def write(folder: Path) -> None:
    """Render all modules. A warning of pdoc is an error; those of the libraries that are imported are theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pkgutil.walk_packages(cgl_ignite.__path__, "cgl_ignite.")
        modules = [importlib.import_module(module.name) for module in found if "__" not in module.name]
    for module in modules:
        evaluate_fields(module)
    # A package brings those of its modules that it exports: each is taken out again before it is added.
    specs = [spec for module in modules for spec in (rf"!{module.__name__}\b", module.__name__)]
    pdoc.render.configure(docformat="google", math=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc(*specs, output_directory=folder)


def evaluate_fields(module: ModuleType) -> None:
    """Evaluate the annotations of named tuples, which pdoc would do without the names of their module."""
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields"):
            value.__new__.__annotations__ = get_type_hints(value)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
