"""Stochastic gradient descent with momentum, and Adam, written out."""

from __future__ import annotations

import torch
from torch import Tensor


class SGD:
    rate, momentum = 0.05, 0.9

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters
        self.speeds = [torch.zeros_like(parameter) for parameter in parameters]

    @torch.no_grad()
    def step(self) -> None:
        for parameter, speed in zip(self.parameters, self.speeds, strict=True):
            if parameter.grad is not None:
                speed.mul_(self.momentum).add_(parameter.grad)
                parameter.sub_(self.rate * speed)


class Adam:
    rate, first, second, eps = 0.01, 0.9, 0.999, 1e-8

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters
        self.means = [torch.zeros_like(parameter) for parameter in parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in parameters]
        self.steps = 0

    @torch.no_grad()
    def step(self) -> None:
        self.steps += 1
        for parameter, mean, square in zip(self.parameters, self.means, self.squares, strict=True):
            if parameter.grad is not None:
                mean.add_((1 - self.first) * (parameter.grad - mean))
                square.add_((1 - self.second) * (parameter.grad.square() - square))
                corrected = (square / (1 - self.second**self.steps)).sqrt() + self.eps
                parameter.sub_(self.rate * mean / (1 - self.first**self.steps) / corrected)
