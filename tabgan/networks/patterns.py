"""Convolutional discriminators and critics of sequences."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PatternCritic(nn.Module):
    """Scores sequences by short patterns: convolutions over the steps, pooled over all steps.

    For each pattern the score depends on the mean and on the largest activation over the steps of
    the sequence, so that both frequent and single occurrences count.

    Parameters
    ----------
    n_inputs : int
        Entries of a step.
    n_given : int
        Entries of a condition.
    hidden : int
        Number of patterns of each length.
    lengths : sequence of int, default=(1, 2, 3, 4)
        Lengths of the patterns, in steps.
    """

    def __init__(
        self, n_inputs: int, n_given: int, hidden: int, lengths: Sequence[int] = (1, 2, 3, 4)
    ) -> None:
        super().__init__()
        # Zeros before the first step make a pattern of the beginning recognisable, and give each
        # convolution one activation for each step.
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
        """Score sequences.

        Parameters
        ----------
        x : Tensor of shape (n, T, n_inputs)
        given : Tensor of shape (n, n_given)
        mask : Tensor of shape (n, T)
            1 where a step exists and 0 where a step is padding; padding lies at the end.

        Returns
        -------
        Tensor of shape (n,)
        """
        found = torch.cat([pattern(x.transpose(1, 2)) for pattern in self.patterns], dim=1)
        found = torch.relu(found) * mask[:, None]
        often = found.sum(dim=2) / mask.sum(dim=1, keepdim=True)
        return self.out(torch.cat([often, found.amax(dim=2), given], dim=1)).squeeze(1)
