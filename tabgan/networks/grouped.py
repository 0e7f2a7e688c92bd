"""Layers that are many small ones side by side, one for each group of units."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def drop_units(x: Tensor, rate: float, rng: torch.Generator) -> Tensor:
    """Set a share of all units to zero and scale up the others (dropout, of a given generator).

    Parameters
    ----------
    x : Tensor
    rate : float in [0, 1)
        Share of units left out, to within 1 / 512.
    rng : torch.Generator
        On the device of `x`.
    """
    # A random byte decides on each unit: several times as quick as a random number.
    kept = max(1, round(256 * (1.0 - rate)))
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
    drawn = words.random_(-(2**63), None, generator=rng).view(torch.uint8)
    is_kept = drawn[: x.numel()].view(x.shape) <= kept - 1
    return x * (is_kept.to(x.dtype) * (256 / kept))


class CausalLinear(nn.Module):
    """A linear layer to groups of outputs, of which each sees the groups of inputs before it alone.

    Parameters
    ----------
    n_given : int
        Inputs that every group sees; they come first.
    n_groups, n_inputs, n_outputs : int
        Groups, and inputs and outputs of each.
    """

    mask: Tensor

    def __init__(self, n_given: int, n_groups: int, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.n_groups, self.n_outputs = n_groups, n_outputs
        self.n_seen = [n_given + group * n_inputs for group in range(n_groups)]
        seen = torch.tensor(self.n_seen).repeat_interleave(n_outputs)[:, None]
        weight = torch.empty(len(seen), n_given + n_groups * n_inputs).uniform_(-1.0, 1.0)
        self.weight = nn.Parameter(weight * (3.0 / seen.clamp(min=1)).sqrt())
        self.bias = nn.Parameter(torch.zeros(len(seen)))
        mask = torch.arange(weight.shape[1]) < seen
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_given + n_groups * n_inputs) to (n_groups, n, n_outputs)."""
        y = F.linear(x, self.weight * self.mask, self.bias)
        return y.unflatten(1, (self.n_groups, self.n_outputs)).transpose(0, 1)

    def one(self, group: int, x: Tensor) -> Tensor:
        """Compute one group's outputs, shape (n, n_outputs), from inputs as far as it sees them."""
        rows = slice(group * self.n_outputs, (group + 1) * self.n_outputs)
        n_seen = self.n_seen[group]
        return F.linear(x[:, :n_seen], self.weight[rows, :n_seen], self.bias[rows])


class GroupedLinear(nn.Module):
    """One linear layer for each group.

    Parameters
    ----------
    n_groups, n_inputs, n_outputs : int
        Groups, and inputs and outputs of each.
    """

    def __init__(self, n_groups: int, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        bound = math.sqrt(3.0 / n_inputs)
        weight = torch.empty(n_groups, n_inputs, n_outputs).uniform_(-bound, bound)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(n_groups, 1, n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_groups, n, n_inputs) to (n_groups, n, n_outputs)."""
        return torch.baddbmm(self.bias, x, self.weight)

    def one(self, group: int, x: Tensor) -> Tensor:
        """Map one group's inputs (n, n_inputs) to its outputs (n, n_outputs)."""
        return torch.addmm(self.bias[group], x, self.weight[group])


class GroupedResidual(nn.Module):
    """A residual block for each group, normalised alike.

    Parameters
    ----------
    n_groups, width : int
    dropout : float in [0, 1)
        Share of hidden units left out where a generator is given.
    """

    def __init__(self, n_groups: int, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inward = GroupedLinear(n_groups, width, width)
        self.outward = GroupedLinear(n_groups, width, width)
        self.dropout = dropout
        with torch.no_grad():
            self.outward.weight.mul_(0.1)

    def forward(self, x: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Map (n_groups, n, width) to the same shape; with `rng`, units are left out."""
        hidden = F.silu(self.inward(self.norm(x)))
        if rng is not None:
            hidden = drop_units(hidden, self.dropout, rng)
        return x + self.outward(hidden)

    def one(self, group: int, x: Tensor) -> Tensor:
        """Map one group's (n, width) to the same shape; nothing is left out."""
        return x + self.outward.one(group, F.silu(self.inward.one(group, self.norm(x))))
