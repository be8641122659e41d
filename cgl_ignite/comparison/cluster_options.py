"""What a user asks SLURM for, with submitit's names: ``partition=gpu,time=60,cpus_per_task=4``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cgl_ignite.errors import InputError, choices, nearest

__all__ = ["OPTIONS", "read_options"]

OPTIONS: Mapping[str, type] = {
    "partition": str,
    "time": int,
    "cpus_per_task": int,
    "cpus_per_gpu": int,
    "gpus_per_node": int,
    "gpus_per_task": int,
    "gres": str,
    "mem": str,
    "mem_per_cpu": str,
    "mem_per_gpu": str,
    "account": str,
    "qos": str,
    "constraint": str,
    "nodelist": str,
    "exclude": str,
    "exclusive": bool,
    "dependency": str,
    "comment": str,
    "mail_type": str,
    "mail_user": str,
    "wckey": str,
    "signal_delay_s": int,
    "max_num_timeout": int,
}
"""The options of a job that a user may set, and their types; ``time`` is in minutes."""

DEFAULTS: Mapping[str, Any] = {"time": 60, "cpus_per_task": 1, "signal_delay_s": 90, "max_num_timeout": 20}
SLACK_SECONDS = 60
"""SLURM may send its warning so much earlier than asked for."""
NEXT = re.compile(r",(?=\s*[\w-]+=)")
"""A comma that separates options: values such as ``nodelist=a,b`` have commas, too."""


def read_options(texts: Iterable[str]) -> dict[str, Any]:
    """Read options, several in a text or one in each; hyphens are as good as underscores.

    Raises:
        InputError: an option that does not exist, a value of another type, or a time too short to save anything.

    Example:
        >>> read_options(["partition=gpu,nodelist=a,b", "cpus-per-task=4"])["nodelist"]
        'a,b'
    """
    options = dict(DEFAULTS)
    for part in (part for text in texts for part in NEXT.split(text)):
        name, sign, value = part.partition("=")
        key = name.strip().removeprefix("--").replace("-", "_")
        if key not in OPTIONS:
            allowed = choices(OPTIONS)
            raise InputError(
                f"--slurm: there is no option {name.strip()!r}{nearest(key, OPTIONS)} (allowed: {allowed})"
            )
        options[key] = _read(key, value.strip() if sign else "")
    if options["time"] * 60 <= options["signal_delay_s"] + SLACK_SECONDS:
        raise InputError(
            f"--slurm: time = {options['time']} minutes is too short, as a job is told to save its state"
            f" {options['signal_delay_s']} s before its end; ask for more time or a smaller signal_delay_s"
        )
    if "cpus_per_gpu" in options:
        del options["cpus_per_task"]
    return options


def _read(key: str, text: str) -> Any:
    kind = OPTIONS[key]
    if kind is bool and text in ("", "true", "false"):
        return text != "false"
    if kind is int and text.isdecimal() and (int(text) or key in ("max_num_timeout", "gpus_per_node")):
        return int(text)
    if kind is str and text:
        return text
    unit = " of minutes" if key == "time" else ""
    wanted = {int: f"a whole number{unit}", bool: "true or false", str: "a value"}[kind]
    raise InputError(f"--slurm: {key} needs {wanted}, not {text!r}")
