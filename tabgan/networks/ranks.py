"""Ordered levels: smooth functions of the levels' ranks, whose weights neighbours share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.table.layout import Layout

N_WAVES, N_RAMPS = 8, 8
"""Number of cosines of a level's rank, and number of sigmoids of the normal score."""

TAIL_STARTS = (1.0, 1.5, 2.0, 2.5)
"""Absolute normal scores beyond which a tail function grows, with twice the distance."""


def rank_functions(layout: Layout, level_ranks: Sequence[NDArray[np.float64]]) -> Tensor:
    """Compute smooth functions of the levels' ranks.

    An ordered level (a bin or atom of a number, an ordered category) has a rank r in [0, 1], and a
    normal score, which is the standard normal quantile of r, clipped to [-4, 4]. The functions are:

    - ``2 r - 1``, and a third of the score; - cosines ``cos(k pi r)`` for k = 1 to `N_WAVES`, which
    resolve all ranks evenly; - sigmoids of the score, whose centres lie evenly in [-3, 3] and which
    tell ranks in the tails apart; - tail functions, which are zero unless the absolute score
    exceeds an entry of `TAIL_STARTS`, and large
      beyond. Only few rows lie in the tails of two columns at once, and the large values let those
      rows teach which tails go together.

    Parameters
    ----------
    layout : Layout
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1], or NaN for a level without an order.

    Returns
    -------
    Tensor of shape (width, n_functions)
        Zero for scalars, for padding and for levels without a rank.
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
    """Turn a block's weights on the functions of ranks into one weight vector for each level.

    Level l of block b gets ``sum_f functions[l, f] * shared[b, f]``. Neighbouring levels have
    similar values of the functions, and therefore similar weights.

    Parameters
    ----------
    layout : Layout
    functions : Tensor of shape (width, n_functions)
        The result of `rank_functions`.
    shared : Tensor of shape (n_blocks, n_functions, d)
        Weights of each block, in the order in which the blocks lie in a row.

    Returns
    -------
    Tensor of shape (width, d)
        Zero for scalars.
    """
    of_groups = zip(layout.split(functions, 0), layout.split_blocks(shared), strict=True)
    parts = [torch.bmm(own, of_blocks).flatten(0, 1) for own, of_blocks in of_groups]
    return torch.cat([shared.new_zeros(layout.n_scalars, shared.shape[2]), *parts])


class RankCritic(Critic):
    """A discriminator or critic that also sees smooth functions of each block's rank.

    For a one-hot block the network sees the functions of that level. For a soft block the network
    sees the mean of the functions over the levels. The generator's gradient therefore says whether
    a higher or a lower value is more real, and not only which levels are.

    Parameters
    ----------
    layout : Layout
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1], or NaN for a level without an order.
    n_given : int
        Entries of all further inputs together.
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
        """Return the activations of the last hidden layer.

        The first layer's weights on the functions are first turned into weights on the levels. The
        product with the row then needs no tensor of the functions of each row.

        Parameters
        ----------
        x : Tensor of shape (n, width)
            Encoded rows; blocks may be soft.
        *given : Tensor of shape (n, ...)
            Further inputs of `n_given` entries in all.

        Returns
        -------
        Tensor of shape (n, hidden[-1])
        """
        first: Any = self.trunk[0]
        weight, shape = first.weight.T, (self.layout.n_blocks, self.functions.shape[1])
        own, shared = weight.tensor_split([len(weight) - math.prod(shape)])
        of_levels = level_weights(self.layout, self.functions, shared.unflatten(0, shape))
        weight = own + F.pad(of_levels, (0, 0, 0, len(own) - len(of_levels)))
        hidden = F.linear(torch.cat([x, *given], dim=1), weight.T, first.bias)
        return self.trunk[1:](hidden)


class RankEncoder(ResidualMLP):
    """A `ResidualMLP` of encoded rows that sees ranks in place of ordered levels.

    Two rows whose numbers lie in neighbouring bins have no level in common, and a network that sees
    the levels soon knows a few rows by heart. A rank shows that the rows are alike. Ranks are
    standardised: evenly spread ranks have mean 0 and variance 1. Levels without an order are seen
    as they are.

    Parameters
    ----------
    layout : Layout
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1], or NaN for a level without an order.
    hidden : sequence of int
        One residual block for each entry. The first entry is the width of all blocks.
    n_outputs : int
        Entries of an output row.
    """

    ranks: Tensor
    has_no_rank: Tensor

    def __init__(
        self,
        layout: Layout,
        level_ranks: Sequence[NDArray[np.float64]],
        hidden: Sequence[int],
        n_outputs: int,
    ) -> None:
        super().__init__(layout.width + layout.n_blocks, hidden, n_outputs)
        self.layout = layout
        ranks = layout.along_row(level_ranks, fill=math.nan)[:, None]
        standardised = math.sqrt(3.0) * (2.0 * ranks - 1.0)
        self.register_buffer("ranks", standardised.nan_to_num(), persistent=False)
        self.register_buffer("has_no_rank", ranks.isnan().float(), persistent=False)

    def enter(self, x: Tensor) -> Tensor:
        """Map encoded rows, shape (n, width), to the input of the blocks, shape (n, hidden[0])."""
        own, shared = self.inward.weight.T.tensor_split([self.layout.width])
        of_levels = level_weights(self.layout, self.ranks, shared[:, None])
        return F.linear(x, (own * self.has_no_rank + of_levels).T, self.inward.bias)


class RankView(nn.Module):
    """Encoded rows of levels, seen with one number in place of each ordered column.

    Networks that draw one column after another need levels. Networks that learn codes of rows learn
    better ones from ranks, which show that neighbouring levels are alike. A view gives both kinds
    of networks what they need of the same rows.

    A block with ordered levels becomes a scalar, ``2 r - 1`` at a level of rank r. If the block
    also has levels without an order, such as that of missing values, it keeps a block of two
    levels, which says whether the scalar applies. Blocks without an order stay as they are.

    Parameters
    ----------
    levels : Layout
        Layout of the rows of levels.
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1], or NaN for a level without an order.

    Attributes
    ----------
    layout : Layout
        Layout of the rows as they are seen.
    """

    scalar_of: Tensor
    has_rank: Tensor
    ordered: Tensor
    gated: Tensor
    gates: Tensor
    taken: Tensor
    put: Tensor

    def __init__(self, levels: Layout, level_ranks: Sequence[NDArray[np.float64]]) -> None:
        super().__init__()
        self.levels = levels
        softmax = level_ranks[: levels.n_softmax]
        ordered = [b for b, ranks in enumerate(softmax) if not np.isnan(ranks).all()]
        gated = [b for b in ordered if np.isnan(softmax[b]).any()]
        others = [b for b in range(len(softmax)) if b not in set(ordered)]
        place = {block: i for i, block in enumerate(gated)}
        self.layout = Layout(
            [2] * len(gated) + [levels.n_levels[b] for b in others],
            [place.get(b, -1) for b in ordered],
        )
        ranks = levels.along_row(softmax, fill=math.nan)
        starts, seen = levels.offsets.tolist(), self.layout.offsets.tolist()
        places = list(zip(others, seen[len(gated) :], strict=True))
        indices = {
            "ordered": ordered,
            "gated": gated,
            "gates": seen[: len(gated)],
            "taken": [starts[b] + i for b, _ in places for i in range(levels.n_levels[b])],
            "put": [start + i for b, start in places for i in range(levels.n_levels[b])],
        }
        for name, index in indices.items():
            self.register_buffer(name, torch.tensor(index, dtype=torch.long), persistent=False)
        self.register_buffer("scalar_of", (2.0 * ranks - 1.0).nan_to_num(), persistent=False)
        self.register_buffer("has_rank", (~ranks.isnan()).float(), persistent=False)

    def forward(self, row: Tensor) -> Tensor:
        """See rows of levels, shape (n, levels.width), as rows of shape (n, layout.width)."""
        seen = row.new_zeros(len(row), self.layout.width)
        if not self.levels.n_softmax:
            return seen
        seen[:, : self.layout.n_scalars] = self._of_blocks(row * self.scalar_of)[:, self.ordered]
        seen[:, self.gates] = self._of_blocks(row * self.has_rank)[:, self.gated]
        seen[:, self.gates + 1] = self._of_blocks(row * (1.0 - self.has_rank))[:, self.gated]
        seen[:, self.put] = row[:, self.taken]
        return seen

    def _of_blocks(self, row: Tensor) -> Tensor:
        """Sum the entries of each softmax block, (n, levels.width) to (n, n_softmax)."""
        sums = [part.sum(dim=2) for part in self.levels.split(row, 1)]
        return torch.cat(sums, dim=1)[:, self.levels.rank]

    def raw(self, seen: Tensor) -> Tensor:
        """Turn raw rows as they are seen, shape (n, layout.width), into raw rows of levels.

        The most probable level of an ordered block is the one whose rank is nearest to the scalar,
        unless another level is more probable than that the scalar applies.

        Returns
        -------
        Tensor of shape (n, levels.width)
        """
        codes, scalars = self.layout.draw(seen)
        raw = seen.new_zeros(len(seen), self.levels.width)
        raw[:, self.taken] = seen[:, self.put]
        gates = self.layout.gates.tolist()
        for i, (block, gate) in enumerate(zip(self.ordered.tolist(), gates, strict=True)):
            first, k = int(self.levels.offsets[block]), self.levels.n_levels[block]
            own, has_rank = slice(first, first + k), self.has_rank[first : first + k] > 0
            gap = (scalars[:, i : i + 1] - self.scalar_of[own]).abs()
            raw[:, own] = torch.where(has_rank, -gap, -math.inf)
            if gate >= 0:
                elsewhere = torch.where(has_rank, -math.inf, 0.0)
                applies = codes[:, gate : gate + 1] == 0
                raw[:, own] = torch.where(applies, raw[:, own], elsewhere)
        return raw
