"""Grouped layers: many small layers of one shape, computed in one operation."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Layer = Callable[[Tensor], Tensor]


def drop_units(x: Tensor, rate: float, rng: torch.Generator) -> Tensor:
    """Set random units to zero and scale the others up (dropout), with a given generator.

    One random byte decides on each unit, which is several times faster than one random float. The
    share of dropped units is therefore a multiple of 1/256, and the scale 256 / kept makes the mean
    exact.

    Parameters
    ----------
    x : Tensor
    rate : float in [0, 1)
        Share of units set to zero, rounded to a multiple of 1/256.
    rng : torch.Generator
        On the device of `x`.

    Returns
    -------
    Tensor of the shape of `x`
    """
    kept = max(1, round(256 * (1.0 - rate)))
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
    drawn = words.random_(-(2**63), None, generator=rng).view(torch.uint8)
    is_kept = drawn[: x.numel()].view(x.shape) <= kept - 1
    return x * (is_kept.to(x.dtype) * (256 / kept))


class MaskedLinear(nn.Module):
    """A linear layer between groups of units, in which a mask says which groups see which.

    One masked product computes all groups at once, as in MADE [1]_.

    Parameters
    ----------
    n_outputs : int
        Outputs of each group.
    mask : Tensor of shape (n_groups * n_outputs, n_given + n_groups * n_inputs), bool
        Row i is True for the inputs that output i sees. Every group sees the `n_given` first
        inputs, and each group has `n_inputs` of the others.

    References
    ----------
    .. [1] Germain et al. (2015), "MADE: Masked Autoencoder for Distribution Estimation",
       arXiv 1502.03509, section 4.
    """

    mask: Tensor

    def __init__(self, n_outputs: int, mask: Tensor) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        self.n_groups = len(mask) // n_outputs
        weight = torch.empty(mask.shape).uniform_(-1.0, 1.0)
        n_seen = mask.sum(dim=1, keepdim=True).clamp(min=1)
        self.weight = nn.Parameter(weight * (3.0 / n_seen).sqrt())
        self.bias = nn.Parameter(torch.zeros(len(mask)))
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_given + n_groups * n_inputs) to (n_groups, n, n_outputs)."""
        y = F.linear(x, self.weight * self.mask, self.bias)
        return y.unflatten(1, (self.n_groups, self.n_outputs)).transpose(0, 1)

    def each(self) -> list[Layer]:
        """Return the layer of each group by itself.

        A layer maps (n, at least the inputs that the group sees) to (n, n_outputs). The gradients
        of all layers reach the shared weights in one step.
        """
        weights, biases = self._of_groups(self.weight * self.mask), self._of_groups(self.bias)

        def layer(weight: Tensor, bias: Tensor) -> Layer:
            return lambda x: F.linear(x, weight, bias)

        return [layer(*part) for part in zip(weights, biases, strict=True)]

    def _of_groups(self, x: Tensor) -> tuple[Tensor, ...]:
        """Split what has one row for each output into one tensor for each group."""
        return x.unflatten(0, (self.n_groups, self.n_outputs)).unbind()


class CausalLinear(MaskedLinear):
    """A masked layer in which no group sees itself or later groups.

    Group g of the outputs depends on the `n_given` first inputs and on groups 0 to g - 1 of the
    inputs.

    Parameters
    ----------
    n_given : int
        Number of first inputs, which every group sees.
    n_groups : int
    n_inputs : int
        Inputs of each group.
    n_outputs : int
        Outputs of each group.
    """

    def __init__(self, n_given: int, n_groups: int, n_inputs: int, n_outputs: int) -> None:
        self.n_seen = [n_given + group * n_inputs for group in range(n_groups)]
        seen = torch.tensor(self.n_seen).repeat_interleave(n_outputs)[:, None]
        super().__init__(n_outputs, torch.arange(n_given + n_groups * n_inputs) < seen)

    def each(self) -> list[Layer]:
        """Return the layer of each group by itself, see `MaskedLinear.each`."""
        weights, biases = self._of_groups(self.weight), self._of_groups(self.bias)

        def layer(weight: Tensor, bias: Tensor, n_seen: int) -> Layer:
            return lambda x: F.linear(x[:, :n_seen], weight[:, :n_seen], bias)

        return [layer(*part) for part in zip(weights, biases, self.n_seen, strict=True)]


class OthersLinear(MaskedLinear):
    """A masked layer in which every group sees all groups except itself.

    Parameters
    ----------
    n_given : int
        Number of first inputs, which every group sees.
    n_groups : int
    n_inputs : int
        Inputs of each group.
    n_outputs : int
        Outputs of each group.
    """

    def __init__(self, n_given: int, n_groups: int, n_inputs: int, n_outputs: int) -> None:
        of_input = torch.arange(n_groups).repeat_interleave(n_inputs)
        of_output = torch.arange(n_groups).repeat_interleave(n_outputs)
        given = torch.ones(len(of_output), n_given, dtype=torch.bool)
        mask = torch.cat([given, of_output[:, None] != of_input], dim=1)
        super().__init__(n_outputs, mask)


class GroupedLinear(nn.Module):
    """One linear layer for each group, computed as one batched product.

    Parameters
    ----------
    n_groups : int
    n_inputs : int
        Inputs of each group.
    n_outputs : int
        Outputs of each group.
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

    def each(self) -> list[Layer]:
        """Return the layer of each group by itself, (n, n_inputs) to (n, n_outputs)."""

        def layer(weight: Tensor, bias: Tensor) -> Layer:
            return lambda x: torch.addmm(bias, x, weight)

        both = zip(self.weight.unbind(), self.bias.unbind(), strict=True)
        return [layer(weight, bias) for weight, bias in both]


class GroupedResidual(nn.Module):
    """One residual block for each group; all groups share one layer normalisation.

    Parameters
    ----------
    n_groups : int
    width : int
        Units of each group.
    dropout : float in [0, 1)
        Share of hidden units that `forward` sets to zero if `forward` gets a generator.
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
        """Map (n_groups, n, width) to the same shape.

        Parameters
        ----------
        x : Tensor of shape (n_groups, n, width)
        rng : torch.Generator, optional
            Draws the dropped units. Without a generator there is no dropout.

        Returns
        -------
        Tensor of shape (n_groups, n, width)
        """
        hidden = F.silu(self.inward(self.norm(x)))
        if rng is not None:
            hidden = drop_units(hidden, self.dropout, rng)
        return x + self.outward(hidden)

    def each(self) -> list[Layer]:
        """Return the block of each group by itself, (n, width) to the same, without dropout."""

        def block(inward: Layer, outward: Layer) -> Layer:
            return lambda x: x + outward(F.silu(inward(self.norm(x))))

        both = zip(self.inward.each(), self.outward.each(), strict=True)
        return [block(inward, outward) for inward, outward in both]
