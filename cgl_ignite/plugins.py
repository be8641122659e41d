"""Modules of the user that register parts, imported by name."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from cgl_ignite.errors import InputError

__all__ = ["import_plugin", "import_plugins", "require_plugins"]

_HINT = "a plugin is a module in the current folder, beside the pipeline file, or installed"


def import_plugin(name: str, *folders: Path) -> None:
    """Import a module from the current folder, from one of ``folders``, or from what is installed.

    Raises:
        InputError: a module that cannot be imported.
    """
    for folder in map(str, (Path.cwd(), *folders)):
        if folder not in sys.path:
            sys.path.append(folder)
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(f"cannot import {name!r} ({error}); {_HINT}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"cannot import {name!r} ({type(error).__name__}: {error})") from error


def import_plugins(names: Iterable[str]) -> None:
    """Import several modules.

    Raises:
        InputError: the first that cannot be imported.
    """
    for name in names:
        import_plugin(name)


def require_plugins(names: Iterable[str], path: Path) -> None:
    """Make sure that the plugins a file names have been imported; a file is not allowed to import them itself.

    Raises:
        InputError: the first that has not.
    """
    for name in names:
        if name not in sys.modules:
            raise InputError(
                f"{path} needs the plugin {name!r}, a module whose code runs when it is imported; if you trust it, add"
                f" --plugin {shlex.quote(name)} (in Python: import it first)"
            )
