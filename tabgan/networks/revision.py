"""Networks that revise existing rows, rather than generate rows from noise alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgan.networks.mlp import ResidualMLP

LEVEL_LOGIT = 3.0
"""Log-probability that an untrained revision adds to the level that the row has."""


class Revision(nn.Module):
    """Adds a learnt change to an encoded row; before training the change is zero.

    The result is a raw row of scalars and log-probabilities. Before training, a scalar stays as it
    is, and the level of a block keeps a log-probability of `LEVEL_LOGIT` above the other levels.

    Parameters
    ----------
    n_scalars : int
        Leading entries of an encoded row that are scalars.
    width : int
        Entries of an encoded row.
    n_inputs : int
        Entries of the input on which the change depends.
    hidden_dim : int
        Width of the network of the change.
    """

    def __init__(self, n_scalars: int, width: int, n_inputs: int, hidden_dim: int) -> None:
        super().__init__()
        keep = torch.full((width,), LEVEL_LOGIT)
        keep[:n_scalars] = 1.0
        self.keep = nn.Parameter(keep)
        self.change = ResidualMLP(n_inputs, [hidden_dim] * 2, width)
        for parameter in self.change.out[1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, row: Tensor, x: Tensor) -> Tensor:
        """Revise encoded rows.

        Parameters
        ----------
        row : Tensor of shape (n, width)
        x : Tensor of shape (n, n_inputs)
            Input of the change, such as the row beside noise.

        Returns
        -------
        Tensor of shape (n, width)
            Raw rows.
        """
        return self.keep * row + self.change(x)
