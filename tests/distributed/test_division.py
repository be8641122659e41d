"""Gradients of several processes, by numbers that are known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import SGD

from cgl_ignite.distributed.division import Division, Fast, Ordered
from cgl_ignite.distributed.gathering import gather_rows
from cgl_ignite.distributed.peers import PeerLost, Peers
from cgl_ignite.errors import InputError, RunFailed
from tests.distributed.processes import finish, started

GIVEN = {0: (1.0, None), 1: (1e8, None), 2: (-1e8, 5.0), 3: (0.25, None)}
"""Gradients of two parameters from each of four groups; no group uses the third parameter."""


def work_off(peers: Peers, kind: type[Ordered | Fast]) -> list[Tensor | None]:
    """Let every group leave its gradients, and return their sums."""
    parameters = [Parameter(torch.zeros(2, 3)), Parameter(torch.zeros(4)), Parameter(torch.zeros(1))]
    division = Division(peers, SGD(parameters, 0.1), kind(peers), range(4), range(4), 3)
    for group in division.own(GIVEN):
        for parameter, value in zip(parameters, GIVEN[group], strict=False):
            if value is not None:
                added = torch.full_like(parameter, value)
                parameter.grad = added if parameter.grad is None else parameter.grad + added
        division.keep([group])
    division.add_up(list(GIVEN))
    return [parameter.grad for parameter in parameters]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_ordered_adds_group_after_group(tmp_path: Path, size: int) -> None:
    """In float32 ((1 + 1e8) - 1e8) + 0.25 is 0.25; in any other order of the groups it is something else."""

    def work(peers: Peers) -> None:
        first, second, third = work_off(peers, Ordered)
        assert first is not None and torch.equal(first, torch.full((2, 3), 0.25))
        assert second is not None and torch.equal(second, torch.full((4,), 5.0))
        assert third is None

    with started(size, tmp_path, work) as group:
        assert finish(group) == [0] * size


def test_fast_sums_and_leaves_unused_parameters_alone(tmp_path: Path) -> None:
    """Process 0 has 1 and -1e8, process 1 has 1e8 and 0.25: sums, not means."""

    def work(peers: Peers) -> None:
        first, second, third = work_off(peers, Fast)
        expected = (torch.tensor(1.0) - 1e8) + (torch.tensor(1e8) + 0.25)
        assert first is not None and torch.equal(first, expected.expand(2, 3))
        assert second is not None and torch.equal(second, torch.full((4,), 5.0))
        assert third is None

    with started(2, tmp_path, work) as group:
        assert finish(group) == [0, 0]


WHOLE = (0, 0, 0)
"""Three students that learn from one batch."""


def among_two(peers: Peers) -> Division:
    """Students 0 and 2 learn in the first process, student 1 in the second; a sample has two logits."""
    return Division(peers, SGD([Parameter(torch.zeros(1))], 0.1), Ordered(peers), range(3), WHOLE, 2)


def test_logits_come_from_the_process_that_has_them(tmp_path: Path) -> None:
    """Student 2 imitates student 0 of its own process and is imitated by nobody, so only 0 and 1 are sent."""
    imitated = torch.tensor([[False, True, False], [True, False, False], [True, True, False]])

    def work(peers: Peers) -> None:
        division = among_two(peers)
        assert division.sent([0, 1, 2], imitated) == (0, 1)
        own = {k: torch.tensor([[k, 0.5], [-0.0, k]]) for k in division.own(range(3))}
        found = division.exchange(own, dict.fromkeys((0, 1), 2))
        assert found.keys() == {0, 1}
        for student, logits in found.items():
            assert torch.equal(logits, torch.tensor([[student, 0.5], [0.0, student]]))
            assert logits[1, 0].signbit()

    with started(2, tmp_path, work) as group:
        assert finish(group) == [0, 0]


def test_nothing_is_sent_where_each_student_has_its_own_batch(tmp_path: Path) -> None:
    def work(peers: Peers) -> None:
        division = Division(peers, SGD([Parameter(torch.zeros(1))], 0.1), Fast(peers), range(3), range(3), 2)
        assert division.sent([0, 1, 2], torch.ones(3, 3, dtype=torch.bool)) == ()
        assert division.exchange({}, {}) == {}

    with started(2, tmp_path, work) as group:
        assert finish(group) == [0, 0]


def test_a_process_that_has_failed_takes_part_in_the_exchange(tmp_path: Path) -> None:
    def work(peers: Peers) -> None:
        division = among_two(peers)
        logits: dict[int, Tensor] = {}
        with division.computing():
            if peers.rank == 1:
                raise RunFailed("no module fits")
            logits = {0: torch.ones(2, 2)}
        assert torch.equal(division.exchange(logits, {0: 2, 1: 2})[1], torch.zeros(2, 2))
        division.add_up([0, 1, 2])

    with started(2, tmp_path, work) as group:
        assert finish(group) == [1, 1]
    assert (tmp_path / "0.txt").read_text() == "PeerFailed: process 1: no module fits"


def test_rows_come_from_the_process_that_they_belong_to(tmp_path: Path) -> None:
    def work(peers: Peers) -> None:
        rows = torch.full((3, 2), float(peers.rank))
        sums = torch.full((3,), float(peers.rank), dtype=torch.float64)
        gather_rows(peers, [(rows[0], 1), (rows[2], 0), (sums[1], 1)])
        assert rows[[0, 2]].tolist() == [[1.0, 1.0], [0.0, 0.0]]
        assert sums[1] == 1.0

    with started(2, tmp_path, work) as group:
        assert finish(group) == [0, 0]


def test_one_process_of_a_machine_comes_first(tmp_path: Path) -> None:
    """The others find what it has stored."""
    stored = tmp_path / "stored"

    def build() -> str:
        if not stored.exists():
            stored.write_text(str(torch.distributed.get_rank()))
        return stored.read_text()

    def work(peers: Peers) -> None:
        assert peers.in_turn(build) == "0"

    with started(3, tmp_path, work) as group:
        assert finish(group) == [0, 0, 0]


def test_the_greatest_wish_to_stop_reaches_all(tmp_path: Path) -> None:
    def work(peers: Peers) -> None:
        peers.wish = 15 if peers.rank == 1 else 0
        assert peers.agree([peers.rank, 3 - peers.rank]).tolist() == [1, 3]
        assert peers.stop == 15

    with started(2, tmp_path, work) as group:
        assert finish(group) == [0, 0]


def test_an_error_of_one_process_ends_all(tmp_path: Path) -> None:
    def fail() -> None:
        raise InputError("no such file", key="data.root")

    def work(peers: Peers) -> None:
        peers.in_step(fail if peers.rank == 1 else lambda: None)

    with started(2, tmp_path, work) as group:
        assert finish(group) == [2, 2]
    assert (tmp_path / "0.txt").read_text() == "PeerFailed: process 1: data.root: no such file"
    assert (tmp_path / "1.txt").read_text() == "InputError: data.root: no such file"


def test_a_process_that_is_gone_is_noticed(tmp_path: Path) -> None:
    def work(peers: Peers) -> None:
        if peers.rank == 1:
            raise RunFailed("gone")
        with pytest.raises(PeerLost, match="another process of this run has ended"):
            peers.agree()
        raise RunFailed("noticed")

    with started(2, tmp_path, work) as group:
        assert finish(group) == [1, 1]
    assert (tmp_path / "0.txt").read_text() == "RunFailed: noticed"
