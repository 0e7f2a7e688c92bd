"""Multi-layer perceptrons: generators, discriminators and critics of rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Fully connected layers with leaky rectifiers between the layers.

    Each row's output depends on that row alone, because the network has no batch normalisation.
    Gradient penalties need this independence.

    Parameters
    ----------
    n_inputs : int
        Entries of an input row.
    hidden : sequence of int
        Width of each hidden layer.
    n_outputs : int
        Entries of an output row.
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
        """Map (n, n_inputs) to the activations of the last hidden layer, shape (n, hidden[-1])."""
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        return self.out(self.trunk(x))


class Critic(MLP):
    """An `MLP` that scores rows beside further inputs, such as conditions.

    The loss decides whether the scores are a discriminator's logits or a critic's unbounded scores.

    Parameters
    ----------
    n_inputs : int
        Entries of a row and of all further inputs together.
    hidden : sequence of int
        Width of each hidden layer.
    n_outputs : int, default=1
        Scores of a row.
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int], n_outputs: int = 1) -> None:
        super().__init__(n_inputs, hidden, n_outputs)

    def features(self, x: Tensor, *given: Tensor) -> Tensor:
        """Return the activations of the last hidden layer.

        Parameters
        ----------
        x : Tensor of shape (n, width)
        *given : Tensor of shape (n, ...)
            Further inputs; all inputs together have `n_inputs` entries in a row.

        Returns
        -------
        Tensor of shape (n, hidden[-1])
        """
        return super().features(torch.cat([x, *given], dim=1))

    def forward(self, x: Tensor, *given: Tensor) -> Tensor:
        """Score rows.

        Parameters
        ----------
        x : Tensor of shape (n, width)
        *given : Tensor of shape (n, ...)
            Further inputs; all inputs together have `n_inputs` entries in a row.

        Returns
        -------
        Tensor of shape (n,), or (n, n_outputs) if `n_outputs` is not 1
        """
        return self.out(self.features(x, *given)).squeeze(1)


class ResidualMLP(nn.Module):
    """Residual blocks with layer normalisation, between an input layer and an output layer.

    Parameters
    ----------
    n_inputs : int
        Entries of an input row.
    hidden : sequence of int
        One residual block for each entry. The first entry is the width of all blocks.
    n_outputs : int
        Entries of an output row.
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

    def enter(self, x: Tensor) -> Tensor:
        """Map (n, n_inputs) to the input of the first block, shape (n, hidden[0])."""
        return self.inward(x)

    def features(self, x: Tensor) -> Tensor:
        """Map (n, n_inputs) to the activations before the output layer, shape (n, hidden[0])."""
        x = self.enter(x)
        for block in self.blocks:
            x = x + block(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        return self.out(self.features(x))
