"""Several processes of one command, as ``torchrun`` starts them: they speak with one voice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from cgl_ignite.distributed.launch import launched
from cgl_ignite.errors import CglError, InputError

if TYPE_CHECKING:
    from cgl_ignite.distributed.peers import Peers

__all__ = ["refuse_processes", "with_peers"]

TOGETHER = ("run",)
"""Verbs that several processes do together."""


@contextmanager
def with_peers() -> Iterator[Peers | None]:
    """Meet the other processes, if ``torchrun`` has started several; an error is told by one of them alone."""
    if not launched():
        yield None
        return
    from cgl_ignite.distributed.peers import joined

    found: Peers | None = None
    try:
        with joined() as found:
            yield found
    except CglError as error:
        if found is not None and not found.claim_message():
            raise click.exceptions.Exit(error.exit_code) from error
        raise
    except KeyboardInterrupt:
        if found is not None and not found.claim_message():
            raise click.exceptions.Exit(130) from None
        raise


def refuse_processes(verb: str | None) -> None:
    """Make sure that ``torchrun`` has not started a verb that one process does.

    Raises:
        InputError: it has.
    """
    if not launched() or verb in TOGETHER:
        return
    if os.environ["RANK"] == "0":
        raise InputError(f"cgl {verb} runs in one process; leave out torchrun, which is for cgl {TOGETHER[0]}")
    raise click.exceptions.Exit(InputError.exit_code)
