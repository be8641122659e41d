"""Two processes that divide students which read the same batch leave what one pass of all of them leaves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.config.schema import Loss
from cgl_ignite.data import Batch
from cgl_ignite.distributed.division import Division, Fast, Ordered
from cgl_ignite.distributed.gathering import gather_rows, statistics_rows
from cgl_ignite.distributed.peers import Peers
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.imitation import View
from cgl_ignite.imitation.aggregate import Mean
from cgl_ignite.imitation.choose import others
from cgl_ignite.pool import ModularNetwork
from tests.distributed.processes import finish, started

PATHS = [[0, 0, 0], [0, 1, 1], [0, 0, 1]]
"""A trunk; students 0 and 2, who learn in one process, share a second module."""
GROUPS = (0, 0, 0)
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
IMITATED = {
    "all others": [[False, True, True], [True, False, True], [True, True, False]],
    "sub-groups": [[False, False, True], [True, False, False], [False, False, False]],
    "nobody": [[False] * 3] * 3,
}


def block() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Dropout(0.4))


def teachers(inputs: Tensor) -> Tensor:
    """Two that never learn."""
    return torch.stack([inputs[:, :3], 2 * inputs[:, 1:]])


def stepped(
    imitated: Sequence[Sequence[bool]], peers: Peers | None, kind: type[Ordered | Fast], *, taught: bool = False
) -> dict[str, Any]:
    """Take a step on one batch of mixed, smoothed and weighted samples; return what it leaves."""
    pool = ModularNetwork((block, block, lambda: nn.Linear(4, 3)), [1, 2, 2], seed=2).double()
    pool.route(torch.tensor(PATHS), GROUPS)
    optimizer = torch.optim.SGD(pool.parameters(), 0.0)
    loss = Loss(temperature=2.0, teacher_gradient="stopped", label_smoothing=0.1)
    aggregator, portions = Mean(3, others(3), View(torch.flatten, None, 4)), range(3)
    division = None if peers is None else Division(peers, optimizer, kind(peers), portions, GROUPS, 3)
    apart = portions if kind is Ordered and peers is not None else None
    step = CollaborativeStep(
        pool, aggregator, optimizer, GROUPS, loss, 1, class_weights=torch.tensor([1.0, 2.0, 0.5]).double(),
        division=division, portion_of=apart, teachers=teachers if taught else None,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    inputs, targets, weights = (torch.rand(7, *shape, generator=generator).double() for shape in ((4,), (3,), ()))
    batch = Batch(inputs, targets / targets.sum(dim=1, keepdim=True), (7,), weights)
    state = SimpleNamespace(imitated=torch.tensor(imitated), ramp=0.7, iteration=5)
    losses = step(SimpleNamespace(state=state), batch)
    table = torch.stack([losses.ce, losses.kl], dim=1)
    if peers is not None:
        rows = [(table[student], student % 2) for student in portions]
        gather_rows(peers, [*rows, *statistics_rows(pool, pool.state_dict(), portions, peers.size)])
    gradients = {name: weight.grad for name, weight in pool.named_parameters()}
    return {"ce": table[:, 0], "kl": table[:, 1], **gradients, **dict(pool.named_buffers())}


@pytest.mark.parametrize("kind", [Ordered, Fast])
@pytest.mark.parametrize(("case", "taught"), [*product(IMITATED, [False]), ("sub-groups", True)])
def test_losses_gradients_and_statistics(tmp_path: Path, case: str, taught: bool, kind: type[Ordered | Fast]) -> None:
    expected = stepped(IMITATED[case], None, kind, taught=taught)
    assert expected["kl"].count_nonzero() == (3 if taught else 0 if case == "nobody" else sum(map(any, IMITATED[case])))

    def work(peers: Peers) -> None:
        found = stepped(IMITATED[case], peers, kind, taught=taught)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert (found[name] is None) is (value is None), name
            if value is not None:
                torch.testing.assert_close(found[name], value, msg=name, **CLOSE)

    with started(2, tmp_path, work) as group:
        assert finish(group) == [0, 0]
