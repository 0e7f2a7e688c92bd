"""Column networks: one network for each column predicts the column from other columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.networks.grouped import (
    CausalLinear,
    GroupedResidual,
    Layer,
    MaskedLinear,
    drop_units,
)
from tabgan.networks.precision import quick_dtype
from tabgan.networks.ranks import level_weights, rank_functions
from tabgan.table.layout import Layout

EMBEDDING_DIM = 16
"""Entries of the vector by which later columns see a level."""

FULL_BLOCKS = 64
"""Most blocks whose networks have full width.

With more blocks, all widths shrink so that the product of blocks and width stays constant: the
causal layer's weights grow with the square of that product.
"""

LOOKED_AT, DRAWN = 2_000_000, 80_000_000
"""Most hidden units of a chunk of rows in `forward`, and most tensor entries of one in `draw`."""

PASSED = 4096
"""Rows that pass through one network at once in `draw`, few enough for a processor's cache."""

OWN_ROWS = 300
"""Training rows of an ordered level at which the level's own weights are halved."""

DROPOUTS, MANY_ROWS = (0.2, 0.35), 25_000
"""Range of the default dropout, and the number of rows from which the lowest dropout holds.

On smaller tables the default grows with the square root of ``MANY_ROWS / n``, up to the highest.
"""

STRATUM = 64
"""Equal strata of [0, 1), one for each of 64 neighbouring rows that draw their next level."""


def default_dropout(n_rows: int) -> float:
    """Return the share of hidden units left out in training, for a number of training rows."""
    return float(np.clip(DROPOUTS[0] * (MANY_ROWS / n_rows) ** 0.5, *DROPOUTS))


def _share(n_blocks: int) -> float:
    """Return the width of the networks of so many blocks, as a share of full width."""
    return min(1.0, FULL_BLOCKS / max(1, n_blocks))


def embedding_width(n_blocks: int) -> int:
    """Return the entries of the vector by which columns see a level of one of so many blocks."""
    return max(2, int(_share(n_blocks) * EMBEDDING_DIM))


class BlockNetworks(nn.Module):
    """Networks, one for each block, that predict the block's levels from other blocks.

    Each block has a network of its own: a masked linear layer, which decides which other blocks the
    network sees, a residual block and a softmax. All networks have one shape and run as one: the
    masked layer as one product (`MaskedLinear`), the rest as batched products (`GroupedResidual`).

    Each level has an embedding, by which other blocks see the level, and output weights, which give
    the level's log-probability. Both are the sum of the level's own weights and of weights on
    smooth functions of the level's rank (`rank_functions`). Neighbouring levels share the latter,
    so that neighbours learn from each other's rows. A level with few rows has little say of its
    own: own weights of an ordered level with n rows are multiplied by ``n / (n + OWN_ROWS)``, as a
    shrinkage estimator does. A level without a rank has own weights alone.

    Parameters
    ----------
    layout : Layout
        A layout without scalars.
    masses : sequence of ndarray
        For each block, each level's share of the training rows.
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1], or NaN for a level without an order.
    n_rows : int
        Number of training rows.
    n_given : int
        Entries of a condition.
    hidden_dim : int
        Hidden units of each block's network, if there are at most `FULL_BLOCKS` blocks.
    dropout : float in [0, 1)
        Share of hidden units set to zero in training.

    Attributes
    ----------
    rows_at_once : int
        Rows that `forward` should get at most, so that tensors fit in memory.
    draws_at_once : int
        Rows that `draw` should get at most.
    slices : list of slice
        The entries of each block's levels in a row, in the order in which the blocks lie in a row.
    """

    make_inward: Callable[[int, int, int, int], MaskedLinear]
    """Makes the masked layer from n_given, n_groups, n_inputs and n_outputs."""

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
        n_blocks, width = layout.n_softmax, layout.width
        hidden_dim = max(min(hidden_dim, 8), int(_share(n_blocks) * hidden_dim))
        self.embedding_dim = embedding_width(n_blocks)
        self.rows_at_once = max(64, LOOKED_AT // max(1, n_blocks * hidden_dim))
        n_seen = n_given + n_blocks * self.embedding_dim
        widest = max(layout.n_levels[:n_blocks], default=0)
        self.draws_at_once = max(64, DRAWN // (n_seen + hidden_dim + widest))
        self.register_buffer("functions", rank_functions(layout, level_ranks), persistent=False)
        n_functions = self.functions.shape[1]
        is_ordered = self.functions.any(dim=1, keepdim=True)
        rates = layout.along_row(masses, fill=1.0)
        rows = n_rows * rates[:, None]
        own_share = torch.where(is_ordered, rows / (rows + OWN_ROWS), 1.0)
        self.register_buffer("own_share", own_share, persistent=False)
        # Ordered levels start with similar embeddings, because the shared functions tell the levels
        # apart. Other levels start with dissimilar embeddings.
        scale = torch.where(is_ordered, 0.1, 0.5)
        self.embedding = nn.Parameter(scale * torch.randn(width, self.embedding_dim))
        self.smooth_embedding = nn.Parameter(
            0.3 * torch.randn(n_blocks, n_functions, self.embedding_dim)
        )
        self.inward = self.make_inward(n_given, n_blocks, self.embedding_dim, hidden_dim)
        self.block = GroupedResidual(n_blocks, hidden_dim, dropout)
        self.norm = nn.LayerNorm(hidden_dim)
        self.dropout = dropout
        self.out = nn.Parameter(0.02 * torch.randn(width, hidden_dim))
        self.smooth_out = nn.Parameter(torch.zeros(n_blocks, n_functions, hidden_dim))
        self.bias = nn.Parameter(rates.log().clamp(min=math.log(1e-6)))
        starts, order = layout.offsets.tolist(), layout.order.tolist()
        self.slices = [slice(starts[b], starts[b] + layout.n_levels[b]) for b in order]

    def embeddings(self) -> Tensor:
        """Compute the embedding of each level, shape (width, embedding_dim)."""
        shared = level_weights(self.layout, self.functions, self.smooth_embedding)
        return self.own_share * self.embedding + shared

    def outputs(self) -> Tensor:
        """Compute the output weights of each level, shape (width, hidden_dim)."""
        shared = level_weights(self.layout, self.functions, self.smooth_out)
        return self.own_share * self.out + shared

    def forward(self, codes: Tensor, given: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Predict all blocks of known rows in one pass.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            Levels; a negative code is unknown, and other blocks then see zeros.
        given : Tensor of shape (n, n_given)
            Conditions, laid out for a network.
        rng : torch.Generator, optional
            Source of dropout in training. With a generator, products run in bfloat16 where bfloat16
            is fast. Without a generator there is no dropout, and products run in float32.

        Returns
        -------
        Tensor of shape (n, width)
            Unnormalised log-probabilities. The entries of a block depend on the blocks that its
            network sees, and never on the block's own level.
        """
        seen = self.seen(codes, given)
        dtype = torch.float32 if rng is None else quick_dtype(given.device)
        outputs = self.outputs()
        if outputs.dtype == torch.float32:
            # Rounded once, and not once for each group of blocks.
            outputs = outputs.to(dtype)
        weights = self.layout.split(outputs, 0)
        with torch.autocast(given.device.type, dtype, enabled=dtype != torch.float32):
            hidden = self.block(self.inward(seen), rng)
            hidden = F.silu(self.norm(hidden))
            if rng is not None:
                hidden = drop_units(hidden, self.dropout, rng)
            parts = [
                torch.bmm(of_blocks, weight.transpose(1, 2)).transpose(0, 1).flatten(1)
                for of_blocks, weight in zip(self.layout.split_blocks(hidden), weights, strict=True)
            ]
        raw = torch.cat(parts, dim=1) if parts else seen[:, :0]
        return raw.to(self.bias.dtype) + self.bias

    def seen(self, codes: Tensor, given: Tensor) -> Tensor:
        """Lay rows out for the masked layer: the condition, then the embedding of each level.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            Levels; a negative code is unknown and becomes zeros.
        given : Tensor of shape (n, n_given)

        Returns
        -------
        Tensor of shape (n, n_given + n_blocks * embedding_dim)
            The blocks in the order in which they lie in a row.
        """
        known = (self.layout.softmax_codes(codes) >= 0).unsqueeze(2)
        levels = F.embedding(self.layout.positions(codes), self.embeddings()) * known
        return torch.cat([given, levels[:, self.layout.order].flatten(1)], dim=1)

    def predictors(self, outputs: Tensor, dtype: torch.dtype) -> list[Layer]:
        """Return the network of each block by itself, in the order in which blocks lie in a row.

        A network maps (n, at least the inputs that it sees) to the unnormalised log-probabilities
        of the block's levels, (n, n_levels), float32.

        Parameters
        ----------
        outputs : Tensor of shape (width, hidden_dim)
            Output weights of all levels, see `outputs`.
        dtype : torch.dtype
            In which products are computed.
        """
        is_quick = dtype != torch.float32

        def network(inward: Layer, block: Layer, weight: Tensor, own: slice) -> Layer:
            def predict(seen: Tensor) -> Tensor:
                with torch.autocast(seen.device.type, dtype, enabled=is_quick):
                    hidden = F.silu(self.norm(block(inward(seen))))
                    raw = F.linear(hidden, weight[: own.stop - own.start])
                return raw.float().add_(self.bias[own])

            return predict

        weights = [each for part in self.layout.split(outputs, 0) for each in part.unbind()]
        parts = (self.inward.each(), self.block.each(), weights, self.slices)
        return [network(*part) for part in zip(*parts, strict=True)]


class ColumnNetworks(BlockNetworks):
    """An autoregressive model of rows: each block's levels are predicted from the blocks before.

    The model is the product ``p(x) = prod_b p(x_b | x_<b, condition)``. Blocks follow each other in
    the order in which the blocks lie in a row, which puts blocks of few levels first. A row needs
    one pass to be scored, and one pass per block to be drawn. `BlockNetworks` describes the
    networks and the parameters.
    """

    make_inward = CausalLinear

    def log_likelihood(
        self, codes: Tensor, given: Tensor, rng: torch.Generator | None = None
    ) -> Tensor:
        """Compute the log-probability of known rows in nats; unknown levels are certain.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            Levels; a negative code is unknown.
        given : Tensor of shape (n, n_given)
            Conditions, laid out for a network.
        rng : torch.Generator, optional
            Source of dropout in training, see `forward`.

        Returns
        -------
        Tensor of shape (n,)
        """
        return -self.layout.cross_entropy(self(codes, given, rng), codes)

    def draw(self, given: Tensor, rng: torch.Generator) -> Tensor:
        """Draw one row for each condition, block by block.

        Stratified sampling: rows with the same prefix (the blocks drawn so far) draw their next
        level from 64 equal strata, which lowers the variance of level rates. A level is drawn by
        inverting the cumulative distribution at a number u that is uniform in [0, 1). Rows are
        sorted by prefix, the last block first, and each run of 64 neighbours gets one u from each
        of the 64 parts ``[k / 64, (k + 1) / 64)``. Neighbours have the same prefix, or at least the
        same last levels, and so an equal or similar distribution of the next level. The rates of
        levels and of combinations of levels therefore scatter less than with independent rows. Each
        single u is still uniform, so each single row follows the model exactly.

        Prefix sharing: rows with equal prefixes have the same distribution of the next level.
        Without conditions all rows begin with the same, empty prefix. The networks therefore run
        once for each distinct prefix rather than once for each row. Once there are half as many
        distinct prefixes as rows, sharing no longer pays, and each row keeps a prefix of its own
        from then on. With conditions each row has a prefix of its own from the start.

        Parameters
        ----------
        given : Tensor of shape (n, n_given)
            Conditions, laid out for a network.
        rng : torch.Generator
            On the device of `given`.

        Returns
        -------
        Tensor of shape (n, n_softmax), int64
            Levels of the softmax blocks.
        """
        n, layout, dtype = len(given), self.layout, quick_dtype(given.device)
        networks = self.predictors(self.outputs().to(dtype), dtype)
        embeddings = self.embeddings().to(dtype)
        codes = torch.empty(n, layout.n_softmax, dtype=torch.long, device=given.device)
        # `by_prefix` lists the rows sorted by prefix. `seen` holds the networks' inputs of each
        # distinct prefix, and row i has the prefix seen[prefix[i]]. While prefixes are shared,
        # `seen` grows by each block; with a prefix for each row it has room for all blocks.
        n_given, width = given.shape[1], given.shape[1] + layout.n_softmax * self.embedding_dim
        by_prefix = everyone = torch.arange(n, device=given.device)
        seen = (given if n_given else given[:1]).to(dtype)
        prefix = everyone if len(seen) == n else torch.zeros_like(everyone)
        if prefix is everyone:
            seen = F.pad(seen, (0, width - n_given))
        for place, block in enumerate(layout.order.tolist()):
            predict, start = networks[place], self.slices[place].start
            share = torch.empty(n, device=given.device)
            share[by_prefix] = _even_shares(n, rng)
            if prefix is everyone:
                each = zip(seen.split(PASSED), share.split(PASSED), strict=True)
                drawn = torch.cat([_draw(_edges(predict, x), u) for x, u in each])
            else:
                parts = [_edges(predict, x) for x in seen.split(PASSED)]
                edges = torch.cat(parts)
                each = zip(prefix.split(PASSED), share.split(PASSED), strict=True)
                drawn = torch.cat([_draw(edges[which], u) for which, u in each])
            levels = codes[:, block] = drawn.clamp(max=layout.n_levels[block] - 1)
            # Levels are sorted several times quicker as small integers.
            keys = levels.to(torch.int16 if layout.n_levels[block] < 2**15 else torch.long)
            by_prefix = by_prefix[torch.argsort(keys[by_prefix], stable=True)]
            first = n_given + place * self.embedding_dim
            if prefix is not everyone:
                both = torch.stack([prefix, levels])[:, by_prefix]
                is_new = F.pad((both.diff() != 0).any(dim=0), (1, 0), value=True)
                # `is_new` marks the first row of each run of equal prefixes.
                if 2 * is_new.sum() < n:
                    prefix = torch.empty_like(by_prefix)
                    prefix[by_prefix] = is_new.cumsum(dim=0) - 1
                    parents, levels = both[:, is_new]
                    seen = torch.cat([seen[parents], embeddings[start + levels]], dim=1)
                    continue
                seen, prefix = F.pad(seen[prefix], (0, width - first)), everyone
            seen[:, first : first + self.embedding_dim] = embeddings[start + levels]
        return codes

    def draw_through(self, given: Tensor, rng: torch.Generator, temperature: float) -> Tensor:
        """Draw one row for each condition, with gradients through the drawn levels [1]_.

        A level is the one whose log-probability plus Gumbel noise is largest. It is drawn exactly,
        and gets the gradient of the softmax of these sums over the temperature. Later columns see
        the drawn level, and pass their gradients on to it.

        Parameters
        ----------
        given : Tensor of shape (n, n_given)
            Conditions, laid out for a network.
        rng : torch.Generator
            On the device of `given`.
        temperature : float > 0
            Lower temperatures give gradients of less bias and more variance.

        Returns
        -------
        Tensor of shape (n, width), float32
            One-hot blocks, as `Layout.expand` lays rows out.

        References
        ----------
        .. [1] Jang, Gu and Poole (2017), "Categorical Reparameterization with Gumbel-Softmax",
           arXiv 1611.01144, section 2.2.
        """
        n, layout, dtype = len(given), self.layout, quick_dtype(given.device)
        networks = self.predictors(self.outputs(), dtype)
        embeddings = [each for part in layout.split(self.embeddings(), 0) for each in part.unbind()]
        seen, row = given, [given.new_zeros(n, layout.n_scalars)]
        for predict, embedding in zip(networks, embeddings, strict=True):
            raw = predict(seen)
            noise = torch.empty_like(raw).exponential_(generator=rng)
            scores = raw - noise.log()
            soft = torch.softmax(scores / temperature, dim=1)
            hard = torch.zeros_like(soft).scatter_(1, scores.argmax(dim=1, keepdim=True), 1.0)
            levels = hard + (soft - soft.detach())
            n_levels, padded = raw.shape[1], len(embedding)
            seen = torch.cat([seen, levels @ embedding[:n_levels]], dim=1)
            row.append(F.pad(levels, (0, padded - n_levels)))
        return torch.cat(row, dim=1)


def _edges(predict: Layer, seen: Tensor) -> Tensor:
    """Return the cumulative probabilities of a block's levels, shape (n, n_levels)."""
    chances = torch.softmax(predict(seen), dim=1)
    return torch.cumsum(chances, dim=1, out=chances)


def _draw(edges: Tensor, share: Tensor) -> Tensor:
    """Invert cumulative probabilities, shape (n, n_levels), at shares of their totals, (n,)."""
    return torch.searchsorted(edges, (share * edges[:, -1]).unsqueeze(1), right=True).squeeze(1)


def _even_shares(n: int, rng: torch.Generator) -> Tensor:
    """Draw uniform numbers in [0, 1), one from each of 64 equal strata for each run of 64 numbers.

    A random permutation of the strata and a uniform position within the stratum give each number.

    Parameters
    ----------
    n : int
    rng : torch.Generator

    Returns
    -------
    Tensor of shape (n,)
    """
    n_strata = -(-n // STRATUM)
    draws = torch.rand(2, n_strata, STRATUM, generator=rng, device=rng.device)
    return ((draws[0].argsort(dim=1) + draws[1]) / STRATUM).flatten()[:n]
