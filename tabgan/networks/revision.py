"""Rows changed rather than made from nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgan.networks.mlp import ResidualMLP

LEVEL_LOGIT = 3.0
"""What an untrained revision adds to the log-probability of the level that a row has."""


class Revision(nn.Module):
    """A row as raw log-probabilities and scalars, plus a change, which is none before training.

    Parameters
    ----------
    n_scalars, width : int
        Leading entries of an encoded row that are scalars, and all of its entries.
    n_inputs : int
        Width of what the change depends on.
    hidden_dim : int
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
        """Revise encoded rows of shape (n, width) given inputs of shape (n, n_inputs)."""
        return self.keep * row + self.change(x)
