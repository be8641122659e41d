"""Several processes of one run on this machine, forked from the test, so that none of them imports PyTorch anew."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from cgl_ignite.distributed.peers import Peers, joined
from cgl_ignite.errors import CglError

__all__ = ["LIMIT", "finish", "started"]

LIMIT = float(os.environ.get("CGL_TEST_SECONDS", "20"))
"""Seconds that a test gives its processes."""

_FORK = multiprocessing.get_context("fork")


def _main(rank: int, size: int, port: int, folder: Path, work: Callable[[Peers], object]) -> None:
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {**address, "RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
    os.environ["LOCAL_WORLD_SIZE"] = str(size)
    torch.set_num_threads(1)
    sys.stderr = (folder / f"{rank}.err").open("w", buffering=1)
    try:
        with joined() as peers:
            work(peers)
    except CglError as error:
        (folder / f"{rank}.txt").write_text(f"{type(error).__name__}: {error}")
        sys.stderr.flush()
        os._exit(error.exit_code)
    except KeyboardInterrupt:
        os._exit(99)


@contextmanager
def started(size: int, folder: Path, work: Callable[[Peers], object]) -> Iterator[Sequence[BaseProcess]]:
    """Start processes that meet and do some work; what each has to say of its error stands in ``folder/RANK.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    group = [_FORK.Process(target=_main, args=(rank, size, port, folder, work)) for rank in range(size)]
    for each in group:
        each.start()
    try:
        yield group
    finally:
        for each in group:
            each.kill()
            each.join()


def finish(group: Sequence[BaseProcess]) -> list[int | None]:
    """Wait for processes, and return their exit codes, negative for signals.

    Raises:
        AssertionError: they are not done within :data:`LIMIT`.
    """
    end = time.monotonic() + LIMIT
    for each in group:
        each.join(max(0.0, end - time.monotonic()))
    codes = [each.exitcode for each in group]
    assert None not in codes, f"not done within {LIMIT} seconds: {codes}"
    return codes
