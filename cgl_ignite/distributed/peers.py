"""The processes that train one pool: what they tell each other, and how all of them learn that one cannot go on."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import ignite.distributed as idist
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

from cgl_ignite.errors import CglError, InputError, RunFailed, first_line, shortage

__all__ = ["PeerLost", "Peers", "joined"]

T = TypeVar("T")

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: they may fetch data meanwhile. One that has died is noticed at once."""

REACH = timedelta(seconds=5)
"""How long a process that ends tries to reach ``torchrun``."""

HEADER = 2
"""Values in front of what is agreed on: whether a process has failed, and the signal by which one is to stop."""


class PeerLost(RunFailed):
    """Another process of this run has ended without a word."""


class PeerFailed(RunFailed):
    """Another process of this run has failed, and said why."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Peers:
    """The processes of a run, from the point of view of one of them.

    Every method but those of this process alone must be called by all of them, in the same order.

    Args:
        rank: number of this process; process 0 keeps the record of the run.
        size: how many there are.
        local_rank: number of this process on its machine.
        local_size: how many there are on its machine.

    Attributes:
        wish: the signal that this process has received, 0 if it has none.
        stop: the signal by which all have agreed to stop, 0 until then.
        together: whether all processes end here for the same reason.
        waited: seconds that this process has spent waiting for others and exchanging values with them.
    """

    def __init__(self, rank: int, size: int, local_rank: int, local_size: int) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.local_size = local_size
        self.wish = 0
        self.stop = 0
        self.together = False
        self.waited = 0.0
        self.values: Any = None
        self._failure: Exception | None = None

    @property
    def first(self) -> bool:
        """Whether this process keeps the record."""
        return self.rank == 0

    def use(self, device: torch.device) -> None:
        """Choose how tensors of a device are exchanged: NCCL between GPUs, one for each process, and Gloo elsewhere.

        Raises:
            InputError: there are fewer GPUs than processes on this machine.
        """
        self.in_step(lambda: self._refuse_few(device))
        if device.type != "cuda":
            return
        torch.cuda.set_device(self.local_rank)
        if self.values is None:
            self.values = dist.new_group(backend="nccl", timeout=PATIENCE)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Keep an error of this process until :meth:`agree` tells the others."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._failure = error

    def agree(self, values: Sequence[int] | Tensor = (), *, dtype: torch.dtype = torch.int64) -> Tensor:
        """Return the greatest of each value over all processes, (values,), on the CPU; wishes to stop go with them.

        Raises:
            PeerFailed: another process has failed; this one raises its own error.
        """
        failure, self._failure = self._failure, None
        header = torch.tensor([failure is not None, self.wish], dtype=dtype)
        message = torch.cat([header, torch.as_tensor(values, dtype=dtype).flatten()])
        with self._waiting():
            dist.all_reduce(message, dist.ReduceOp.MAX)
        if message[0]:
            self._fail(failure)
        self.stop = int(message[1])
        self.together = self.together or bool(self.stop)
        return message[HEADER:]

    def in_step(self, work: Callable[[], T]) -> T:
        """Let every process do something, and go on only if all have done it."""
        results: list[T] = []
        with self.computing():
            results.append(work())
        self.agree()
        return results[0]

    def in_turn(self, work: Callable[[], T]) -> T:
        """Let one process of each machine do something first, so that the others find what it has stored."""
        results: list[T] = []
        for turn in (True, False):
            with self.computing():
                if (self.local_rank == 0) is turn:
                    results.append(work())
            self.agree()
        return results[0]

    def from_first(self, value: T | None = None) -> T:
        """Return what the first process gives."""
        held = [value]
        with self._waiting():
            dist.broadcast_object_list(held, src=0)
        return held[0]  # type: ignore[return-value]

    def all_of(self, value: T) -> list[T]:
        """Return what each process gives."""
        held: list[Any] = [None] * self.size
        with self._waiting():
            dist.all_gather_object(held, value)
        return held

    def broadcast(self, tensor: Tensor, rank: int) -> None:
        """Overwrite a contiguous tensor with that of one process."""
        with self._waiting():
            dist.broadcast(tensor, src=rank, group=self.values if tensor.device.type == "cuda" else None)

    def add_up(self, tensor: Tensor) -> None:
        """Overwrite a tensor with the sum of those of all processes, in an order that the library chooses."""
        with self._waiting():
            dist.all_reduce(tensor, group=self.values if tensor.device.type == "cuda" else None)

    def hand_round(self, tensor: Tensor, given: Sequence[int], taken: Sequence[int]) -> Tensor:
        """Give every process its part of a vector, (sum of ``given``,); return what they give, (sum of ``taken``,)."""
        result = tensor.new_empty(sum(taken))
        group = self.values if tensor.device.type == "cuda" else None
        with self._waiting():
            dist.all_to_all_single(result, tensor, list(taken), list(given), group=group)
        return result

    def gather(self, tensor: Tensor, counts: Sequence[int]) -> list[Tensor]:
        """Return the vectors of all processes, (counts[rank],) each; of one that is shorter, the rest is zeros."""
        message = F.pad(tensor, (0, max(counts) - len(tensor)))
        held = [torch.empty_like(message) for _ in counts]
        with self._waiting():
            dist.all_gather(held, message, group=self.values if tensor.device.type == "cuda" else None)
        return [values[:count] for values, count in zip(held, counts, strict=True)]

    def claim_message(self) -> bool:
        """Tell whether this process is the one that says why all of them end; it is the first that asks."""
        key = f"cgl/message/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        try:
            store = dist.TCPStore(host, port, is_master=False, timeout=REACH)  # type: ignore[attr-defined]
            return int(store.add(key, 1)) == 1
        except (RuntimeError, ValueError):
            return True

    def part(self) -> None:
        """Wait for all others, so that none ends while the record is still being written."""
        with self._waiting():
            dist.barrier()

    def _refuse_few(self, device: torch.device) -> None:
        if device.type == "cuda" and (there := torch.cuda.device_count()) < self.local_size:
            raise InputError(
                f"torchrun has started {self.local_size} processes on a machine with {there} GPUs, and each process"
                f" needs one of its own; take --nproc-per-node={there}, or --device cpu"
            )

    def _fail(self, failure: Exception | None) -> None:
        """Raise what has happened, once all know it."""
        code = failure.exit_code if isinstance(failure, CglError) else CglError.exit_code
        told = self.all_of(None if failure is None else (_reason(failure), code))
        self.together = True
        if failure is not None:
            raise failure
        rank, (reason, code) = next((rank, each) for rank, each in enumerate(told) if each is not None)
        raise PeerFailed(f"process {rank}: {reason}", code)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        since = time.perf_counter()
        try:
            yield
        except RuntimeError as error:
            raise PeerLost(
                f"another process of this run has ended, or cannot be reached any more ({_plain(error)});"
                " --resume goes on from the last checkpoint"
            ) from error
        finally:
            self.waited += time.perf_counter() - since


@contextmanager
def joined() -> Iterator[Peers]:
    """Meet the other processes that ``torchrun`` has started, and part from them in the end.

    If all end for the same reason, they wait for each other, so that ``torchrun`` ends none that is still saving.

    Raises:
        RunFailed: they do not meet.
    """
    try:
        dist.init_process_group("gloo", timeout=PATIENCE)
        idist.sync()
    except (RuntimeError, ValueError) as error:
        raise RunFailed(f"the processes of this run do not find each other ({first_line(error)})") from error
    size = idist.get_world_size()
    peers = Peers(idist.get_rank(), size, idist.get_local_rank(), int(os.environ.get("LOCAL_WORLD_SIZE", size)))
    try:
        yield peers
    except BaseException:
        if peers.together:
            _part_quietly(peers)
        raise
    peers.part()
    idist.finalize()


def _part_quietly(peers: Peers) -> None:
    try:
        peers.part()
    except PeerLost:
        return


def _plain(error: Exception) -> str:
    """Return what a library says of a lost connection, without the place in its source and its advice."""
    return re.sub(r"^\[[^]]*\] *", "", first_line(error)).partition(". ")[0]


def _reason(error: Exception) -> str:
    if isinstance(error, CglError):
        return str(error)
    if missing := shortage(error):
        return missing.in_training()
    return f"{type(error).__name__}: {first_line(error)}"
