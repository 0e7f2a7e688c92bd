"""Networks that predict each column of a row from the columns before it, run as one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.networks.grouped import CausalLinear, GroupedResidual, drop_units
from tabgan.networks.precision import quick_dtype
from tabgan.networks.ranks import level_weights, rank_functions
from tabgan.table.layout import Layout

EMBEDDING_DIM = 16
"""Width of what stands for a level when later columns look at it."""

FULL_BLOCKS = 64
"""Of more blocks than this all widths shrink, so that weights do not grow with their square."""

LOOKED_AT, DRAWN = 2_000_000, 20_000_000
"""Numbers that stand for the rows looked at, and for those drawn, at once."""

OWN_ROWS = 300
"""Rows of an ordered level that give half the say to its own weights, which others do not share."""

STRATUM = 64
"""Rows alike in the columns drawn before share their randomness evenly in so many."""


class ColumnNetworks(nn.Module):
    """For each softmax block a network that predicts its level from those of the blocks before.

    Blocks follow each other as they lie in a row, those of few levels first. All networks run as
    one: grouped layers, and a causal one in front.

    Levels that have an order (bins and atoms of numbers, ordered categories) have weights of their
    own and weights on smooth functions of their rank, in and out, so that neighbours learn from
    each other. The fewer rows a level has, the less its own weights say.

    Parameters
    ----------
    layout : Layout
        Softmax blocks alone.
    masses, level_ranks : sequence of ndarray
        For each block, each level's share of the training rows, and its rank in [0, 1] or NaN.
    n_rows : int
        Training rows.
    n_given : int
        Width of the condition.
    hidden_dim : int
        Width of each block's network, of no more than `FULL_BLOCKS` blocks.
    dropout : float in [0, 1)
    """

    functions: Tensor
    own_share: Tensor

    def __init__(
        self,
        layout: Layout,
        masses: Sequence[NDArray[np.float64]],
        level_ranks: Sequence[NDArray[np.float64]],
        n_rows: int,
        n_given: int,
        hidden_dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.layout = layout
        n_blocks, width = layout.n_blocks, layout.width
        share = min(1.0, FULL_BLOCKS / max(1, n_blocks))
        hidden_dim = max(min(hidden_dim, 16), int(share * hidden_dim))
        self.embedding_dim = max(4, int(share * EMBEDDING_DIM))
        self.rows_at_once = max(64, LOOKED_AT // max(1, n_blocks * hidden_dim))
        n_told = n_given + n_blocks * self.embedding_dim
        widest = max(layout.n_levels, default=0)
        self.draws_at_once = max(64, DRAWN // (n_told + hidden_dim + widest))
        self.register_buffer("functions", rank_functions(layout, level_ranks), persistent=False)
        n_functions = self.functions.shape[1]
        is_ordered = self.functions.any(dim=1, keepdim=True)
        rates = layout.along_row(masses, fill=1.0)
        rows = n_rows * rates[:, None]
        own_share = torch.where(is_ordered, rows / (rows + OWN_ROWS), 1.0)
        self.register_buffer("own_share", own_share, persistent=False)
        # Neighbouring levels begin nearly alike, others unlike.
        scale = torch.where(is_ordered, 0.1, 0.5)
        self.embedding = nn.Parameter(scale * torch.randn(width, self.embedding_dim))
        self.smooth_embedding = nn.Parameter(
            0.3 * torch.randn(n_blocks, n_functions, self.embedding_dim)
        )
        self.inward = CausalLinear(n_given, n_blocks, self.embedding_dim, hidden_dim)
        self.block = GroupedResidual(n_blocks, hidden_dim, dropout)
        self.norm = nn.LayerNorm(hidden_dim)
        self.dropout = dropout
        self.out = nn.Parameter(0.02 * torch.randn(width, hidden_dim))
        self.smooth_out = nn.Parameter(torch.zeros(n_blocks, n_functions, hidden_dim))
        self.bias = nn.Parameter(rates.log().clamp(min=math.log(1e-6)))

    def embeddings(self) -> Tensor:
        """Compute what stands for each level, shape (width, embedding_dim)."""
        shared = level_weights(self.layout, self.functions, self.smooth_embedding)
        return self.own_share * self.embedding + shared

    def outputs(self) -> Tensor:
        """Compute the weights of each level's log-probability, shape (width, hidden_dim)."""
        shared = level_weights(self.layout, self.functions, self.smooth_out)
        return self.own_share * self.out + shared

    def forward(self, codes: Tensor, given: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Predict all blocks of known rows.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            A negative code is unknown.
        given : Tensor of shape (n, n_given)
        rng : torch.Generator, optional
            Draws which hidden units are left out, in training, where products are in bfloat16 if
            that is quick; without, none is, and they are in float32.

        Returns
        -------
        Tensor of shape (n, width)
            Unnormalised log-probabilities; a block's depend on the blocks before it alone.
        """
        known = (codes >= 0).unsqueeze(2)
        levels = F.embedding(self.layout.positions(codes), self.embeddings()) * known
        told = torch.cat([given, levels[:, self.layout.order].flatten(1)], dim=1)
        dtype = torch.float32 if rng is None else quick_dtype(given.device)
        with torch.autocast(given.device.type, dtype, enabled=dtype != torch.float32):
            hidden = self.block(self.inward(told), rng)
            hidden = F.silu(self.norm(hidden))
            if rng is not None:
                hidden = drop_units(hidden, self.dropout, rng)
            weights = self.layout.split(self.outputs(), 0)
            parts = [
                torch.bmm(of_blocks, weight.transpose(1, 2)).transpose(0, 1).flatten(1)
                for of_blocks, weight in zip(self.layout.split_blocks(hidden), weights, strict=True)
            ]
        return torch.cat(parts, dim=1).to(self.bias.dtype) + self.bias

    def draw(self, given: Tensor, rng: torch.Generator) -> Tensor:
        """Draw rows, one for each condition: codes of shape (n, n_blocks).

        Rows that agree in the columns drawn last share the randomness of the next evenly among
        them, so that rates, of combinations too, stray less from the model's than those of
        independent rows would. Each row by itself is drawn from the model exactly.
        """
        n, layout, dtype = len(given), self.layout, quick_dtype(given.device)
        outputs, embeddings = self.outputs().to(dtype), self.embeddings().to(dtype)
        codes = torch.empty(n, layout.n_blocks, dtype=torch.long, device=given.device)
        alike = everyone = torch.arange(n, device=given.device)
        # What rows have in common so far is computed once: row i begins as told[prefix[i]].
        told = given[:1] if given.shape[1] == 0 else given
        told = F.pad(told, (0, layout.n_blocks * self.embedding_dim)).to(dtype)
        prefix = everyone if len(told) == n else torch.zeros_like(everyone)
        for place, block in enumerate(layout.order.tolist()):
            start = int(layout.offsets[block])
            own = slice(start, start + layout.n_levels[block])
            with torch.autocast(given.device.type, dtype, enabled=dtype != torch.float32):
                hidden = F.silu(self.norm(self.block.one(place, self.inward.one(place, told))))
                raw = F.linear(hidden, outputs[own])
            edges = torch.softmax(raw.float().add_(self.bias[own]), dim=1)
            torch.cumsum(edges, dim=1, out=edges)
            if prefix is not everyone:
                edges = edges[prefix]
            share = torch.empty(n, device=given.device)
            share[alike] = _even_shares(n, rng)
            drawn = torch.searchsorted(edges, (share * edges[:, -1]).unsqueeze(1), right=True)
            levels = codes[:, block] = drawn.squeeze(1).clamp(max=layout.n_levels[block] - 1)
            alike = alike[torch.argsort(levels[alike], stable=True)]
            if prefix is not everyone:
                both = torch.stack([prefix, levels])[:, alike]
                is_new = F.pad((both.diff() != 0).any(dim=0), (1, 0), value=True)
                if 2 * is_new.sum() < n:
                    prefix = torch.empty_like(alike)
                    prefix[alike] = is_new.cumsum(dim=0) - 1
                    parents, levels = both[:, is_new]
                    told = told[parents]
                else:
                    told, prefix = told[prefix], everyone
            first = given.shape[1] + place * self.embedding_dim
            told[:, first : first + self.embedding_dim] = embeddings[start + levels]
        return codes


def _even_shares(n: int, rng: torch.Generator) -> Tensor:
    """Draw `n` numbers evenly from [0, 1), of neighbours one in each of `STRATUM` equal parts."""
    n_strata = -(-n // STRATUM)
    draws = torch.rand(2, n_strata, STRATUM, generator=rng, device=rng.device)
    return ((draws[0].argsort(dim=1) + draws[1]) / STRATUM).flatten()[:n]
