"""Convolutional networks that score sequences."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PatternCritic(nn.Module):
    """Scores sequences by the short patterns in them: convolutions, pooled over the steps.

    Parameters
    ----------
    n_inputs : int
        Width of a step.
    n_given : int
        Width of the condition.
    hidden : int
        Patterns of each length.
    lengths : sequence of int
        Lengths of the patterns, in steps.
    """

    def __init__(
        self, n_inputs: int, n_given: int, hidden: int, lengths: Sequence[int] = (1, 2, 3, 4)
    ) -> None:
        super().__init__()
        # Steps before the first are zero, so that beginnings are patterns too.
        self.patterns = nn.ModuleList(
            nn.Sequential(
                nn.ConstantPad1d((length - 1, 0), 0.0), nn.Conv1d(n_inputs, hidden, length)
            )
            for length in lengths
        )
        n_features = 2 * hidden * len(lengths) + n_given
        self.out = nn.Sequential(
            nn.Linear(n_features, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1)
        )

    def forward(self, x: Tensor, given: Tensor, mask: Tensor) -> Tensor:
        """Score sequences, shape (n,); parameters as for `RecurrentCritic`."""
        found = torch.cat([pattern(x.transpose(1, 2)) for pattern in self.patterns], dim=1)
        found = torch.relu(found) * mask[:, None]
        often = found.sum(dim=2) / mask.sum(dim=1, keepdim=True)
        return self.out(torch.cat([often, found.amax(dim=2), given], dim=1)).squeeze(1)
