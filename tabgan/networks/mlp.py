"""Multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Fully connected layers with leaky ReLU between them.

    Rows are scored independently of each other (no batch norm), as gradient penalties need.

    Parameters
    ----------
    n_inputs, n_outputs : int
    hidden : sequence of int
        Width of each hidden layer.
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int], n_outputs: int) -> None:
        super().__init__()
        widths = [n_inputs, *hidden]
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [nn.Linear(a, b), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*layers)
        self.out = nn.Linear(widths[-1], n_outputs)

    def features(self, x: Tensor) -> Tensor:
        """Activations of the last hidden layer, shape (n, hidden[-1])."""
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        return self.out(self.trunk(x))


class Critic(MLP):
    """Scores rows, beside what they were made for.

    Parameters
    ----------
    n_inputs : int
        Width of a row and of all it comes with.
    hidden : sequence of int
        Width of each hidden layer.
    n_outputs : int, default=1
        Scores of a row.
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int], n_outputs: int = 1) -> None:
        super().__init__(n_inputs, hidden, n_outputs)

    def features(self, x: Tensor, *given: Tensor) -> Tensor:
        """Activations of the last hidden layer, shape (n, hidden[-1])."""
        return super().features(torch.cat([x, *given], dim=1))

    def forward(self, x: Tensor, *given: Tensor) -> Tensor:
        """Score rows of shapes (n, ...) that together have `n_inputs` entries, shape (n,)."""
        return self.out(self.features(x, *given)).squeeze(1)


class ResidualMLP(nn.Module):
    """Layer-normalised residual blocks of one width between two linear layers.

    Parameters
    ----------
    n_inputs, n_outputs : int
    hidden : sequence of int
        One residual block per entry; the first entry is the width of them all.
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int], n_outputs: int) -> None:
        super().__init__()
        width = hidden[0]
        self.inward = nn.Linear(n_inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
            )
            for _ in hidden
        )
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_outputs))

    def features(self, x: Tensor) -> Tensor:
        """Activations before the last layer, shape (n, width)."""
        x = self.inward(x)
        for block in self.blocks:
            x = x + block(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        return self.out(self.features(x))
