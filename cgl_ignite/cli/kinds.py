"""The list of everything that is registered, read from the builders' signatures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from inspect import Parameter, getdoc
from typing import Any

from cgl_ignite.catalogue import REGISTRIES
from cgl_ignite.config.describe import describe
from cgl_ignite.config.dump import toml_value
from cgl_ignite.config.presets import METHODS

__all__ = ["kinds"]

_KEYS = {
    "dataset": "data.kind",
    "encoding": "data.encoding.kind",
    "augmentation": "data.augment.kind",
    "subsets": "method.subsets.kind",
    "backbone": "backbone.kind",
    "routing": "method.routing.kind",
    "choice": "method.choose.kind",
    "aggregation": "method.weigh.kind",
    "selection": "method.selection.kind",
    "optimizer": "optim.kind",
    "schedule": "optim.schedule.kind",
    "average": "run.average.kind",
    "start": "method.start.kind",
    "prediction metric": "run.metrics",
}


def kinds() -> Iterator[str]:
    """Yield the lines of the list: sorts of parts with their keys, kinds, options and their defaults."""
    known = [kind for registry in REGISTRIES.values() for kind in registry.kinds()]
    width = 2 + max(map(len, known))
    for what, registry in REGISTRIES.items():
        yield f"{registry.what}: {_KEYS[what]}" if what in _KEYS else registry.what
        for kind in registry.kinds():
            yield f"  {kind:<{width}}{_first_line(registry.get(kind))}"
            for name, option in registry.options(kind).items():
                yield f"      {_setting(name, option):<{4 + width}}  {describe(option.annotation)}"
        yield ""
    yield "method: method.preset"
    yield from (f"  {name}" for name in METHODS)


def _first_line(builder: Callable[..., Any]) -> str:
    line = (getdoc(builder) or "").partition("\n")[0].replace("``", "")
    return re.sub(r":[a-z:]+:`~?([^`]*)`", lambda role: role[1].rpartition(".")[2], line)


def _setting(name: str, option: Parameter) -> str:
    if option.default is Parameter.empty:
        return f"{name} (needed)"
    return name if option.default is None else f"{name} = {toml_value(option.default)}"
