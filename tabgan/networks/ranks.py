"""Levels that have an order: smooth functions of their ranks, which neighbours share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from tabgan.networks.mlp import Critic
from tabgan.table.layout import Layout

N_WAVES, N_RAMPS = 8, 8
"""Functions of a level's rank, of cosines and of sigmoids."""

TAIL_STARTS = (1.0, 1.5, 2.0, 2.5)
"""Normal scores from which on further functions grow, with twice the score."""


def rank_functions(layout: Layout, level_ranks: Sequence[NDArray[np.float64]]) -> Tensor:
    """Compute smooth functions of the levels' ranks; zero where there is no rank.

    Some are even over the ranks, others over normal scores, which tell tails apart; some are zero
    but in the tails, and large there: few rows teach which tails go together.

    Parameters
    ----------
    layout : Layout
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1] or NaN.

    Returns
    -------
    Tensor of shape (width, n_functions)
    """
    ranks = layout.along_row(level_ranks, fill=math.nan)
    known, rank = ~ranks.isnan(), ranks.nan_to_num(0.5)[:, None]
    waves = torch.cos(math.pi * torch.arange(1, N_WAVES + 1) * rank)
    score = torch.special.ndtri(rank.double()).float().clamp(-4.0, 4.0)
    ramps = torch.tanh(1.5 * (score - torch.linspace(-3.0, 3.0, N_RAMPS)))
    tails = 2.0 * score.sign() * (score.abs() - torch.tensor(TAIL_STARTS)).clamp(min=0.0)
    functions = [2.0 * rank - 1.0, score / 3.0, waves, ramps, tails]
    return torch.cat(functions, dim=1) * known[:, None]


def level_weights(layout: Layout, functions: Tensor, shared: Tensor) -> Tensor:
    """Give each level the weights that its block has on functions of ranks.

    Parameters
    ----------
    layout : Layout
    functions : Tensor of shape (width, n_functions)
        See `rank_functions`.
    shared : Tensor of shape (n_blocks, n_functions, d)
        Blocks in the order in which they lie in a row.

    Returns
    -------
    Tensor of shape (width, d)
    """
    of_groups = zip(layout.split(functions, 0), layout.split_blocks(shared), strict=True)
    parts = [torch.bmm(own, of_blocks).flatten(0, 1) for own, of_blocks in of_groups]
    return torch.cat([shared.new_zeros(layout.n_scalars, shared.shape[2]), *parts])


class RankCritic(Critic):
    """A critic of encoded rows that sees, beside each block, smooth functions of its rank.

    Of soft levels it sees the functions' means, so that the generator learns which way to move.

    Parameters
    ----------
    layout : Layout
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1] or NaN.
    n_given : int
        Width of what rows come with.
    hidden : sequence of int
        Width of each hidden layer.
    n_outputs : int, default=1
        Scores of a row.
    """

    functions: Tensor

    def __init__(
        self,
        layout: Layout,
        level_ranks: Sequence[NDArray[np.float64]],
        n_given: int,
        hidden: Sequence[int],
        n_outputs: int = 1,
    ) -> None:
        functions = rank_functions(layout, level_ranks)
        n_seen = layout.n_blocks * functions.shape[1]
        super().__init__(layout.width + n_given + n_seen, hidden, n_outputs)
        self.layout = layout
        self.register_buffer("functions", functions, persistent=False)

    def features(self, x: Tensor, *given: Tensor) -> Tensor:
        """Activations of the last hidden layer, shape (n, hidden[-1]), of rows (n, width)."""
        first: Any = self.trunk[0]
        weight, shape = first.weight.T, (self.layout.n_blocks, self.functions.shape[1])
        own, shared = weight.tensor_split([len(weight) - math.prod(shape)])
        of_levels = level_weights(self.layout, self.functions, shared.unflatten(0, shape))
        weight = own + F.pad(of_levels, (0, 0, 0, len(own) - len(of_levels)))
        hidden = F.linear(torch.cat([x, *given], dim=1), weight.T, first.bias)
        return self.trunk[1:](hidden)
