"""A plain loop over students, written by hand: ordinary modules, one student on one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cgl_ignite.pool import ModularNetwork


class PlainStudents:
    """Ordinary copies of a pool's modules; a student is run module by module, with statistics of its own."""

    def __init__(
        self, builders: Sequence[Callable[[], nn.Module]], modules: Sequence[int], paths: Sequence[Sequence[int]]
    ) -> None:
        self.modules = [[builder() for _ in range(count)] for builder, count in zip(builders, modules, strict=True)]
        self.paths = paths
        self.statistics: dict[tuple[int, int, str], tuple[Tensor, Tensor]] = {}
        for row in self.modules:
            for module in row:
                module.double().train()

    def copy_weights(self, pool: ModularNetwork) -> None:
        for mine, theirs in zip(self.modules, pool.layers, strict=True):
            for module, source in zip(mine, theirs.children(), strict=True):
                values = dict(source.named_parameters())
                with torch.no_grad():
                    for name, parameter in module.named_parameters():
                        parameter.copy_(values[name])

    def forward(self, student: int, inputs: Tensor, own: bool) -> Tensor:
        for layer, module in enumerate(self.paths[student]):
            plain = self.modules[layer][module]
            norms = [(name, m) for name, m in plain.named_modules() if isinstance(m, nn.BatchNorm2d)]
            used = {}
            for name, norm in norms:
                zeros = torch.zeros(norm.num_features, dtype=torch.float64)
                mean, variance = self.statistics.get((student, layer, name), (zeros, zeros + 1))
                norm.running_mean, norm.running_var = used[name] = mean.clone(), variance.clone()
            inputs = plain(inputs)
            if own:
                self.statistics.update({(student, layer, name): values for name, values in used.items()})
        return inputs

    def losses(
        self,
        batches: Sequence[Tensor],
        targets: Sequence[Tensor],
        group_of: Sequence[int],
        imitated: Sequence[Sequence[bool]],
        temperature: float,
        squared: bool,
        flows: bool,
    ) -> tuple[Tensor, Tensor]:
        """Eqs. 3-5 student by student, in terms of probabilities."""
        ce, kl = [], []
        for student, group in enumerate(group_of):
            inputs, labels = batches[group], targets[group]
            if len(labels) == 0:
                ce.append(torch.zeros((), dtype=torch.float64))
                kl.append(torch.zeros((), dtype=torch.float64))
                continue
            logits = self.forward(student, inputs, own=True)
            ce.append(-logits.softmax(-1)[range(len(labels)), labels].log().mean())
            members = [j for j in range(len(group_of)) if imitated[student][j]]
            if not members:
                kl.append(torch.zeros((), dtype=torch.float64))
                continue
            teacher = torch.stack([self.forward(j, inputs, own=False) for j in members]).sum(0) / len(members)
            teacher = teacher if flows else teacher.detach()
            p_t, p_k = (teacher / temperature).softmax(-1), (logits / temperature).softmax(-1)
            divergence = (p_t * (p_t.log() - p_k.log())).sum(-1).mean()
            kl.append(divergence * (temperature**2 if squared else 1.0))
        return torch.stack(ce), torch.stack(kl)
