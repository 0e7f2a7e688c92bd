"""Any-order networks: each column is predicted from whichever other columns are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabgan.networks.columns import DRAWN, BlockNetworks
from tabgan.networks.grouped import Layer, OthersLinear
from tabgan.networks.precision import quick_dtype
from tabgan.networks.wide import ENTRY_DIM, Entries, WideModel
from tabgan.networks.wide_proposal import WideProposal
from tabgan.table.evidence import FREE, OPEN, Evidence
from tabgan.table.layout import Layout

LEAST = 1e-12
"""Least probability of an allowed level in a draw."""


def hide_blocks(codes: Tensor, rng: torch.Generator) -> Tensor:
    """Hide a random number of random blocks of each row.

    Parameters
    ----------
    codes : Tensor of shape (n, n_blocks)
    rng : torch.Generator

    Returns
    -------
    Tensor of shape (n, n_blocks)
        The codes, `FREE` where hidden. The number of blocks that are not hidden is uniform in 0 to
        n_blocks - 1.
    """
    n, n_blocks = codes.shape
    n_shown = torch.randint(0, n_blocks, (n, 1), generator=rng, device=codes.device)
    order = torch.rand(n, n_blocks, generator=rng, device=codes.device).argsort(dim=1)
    return torch.where(order < n_shown, codes, FREE)


class AnyOrderNetworks(BlockNetworks):
    """Networks that predict each block from any subset of the other blocks [1]_.

    In training, a random number of random blocks is hidden, and the networks predict the hidden
    blocks from the others. A row can then be completed in any order: known blocks first. The
    networks are trained on all subsets at once and know each of them less well than
    `ColumnNetworks` know their one order. `draw` therefore returns the density of what was drawn,
    so that draws can be weighted to follow a better model. `BlockNetworks` describes the networks
    and the parameters.

    Parameters
    ----------
    wide_model : WideModel, optional
        The model of the wide blocks, which a game shares among its networks. By default one that
        has counted nothing.

    References
    ----------
    .. [1] Uria, Murray and Larochelle (2014), "A Deep and Tractable Density Estimator", arXiv
       1310.1757, equations 6 and 7.
    """

    make_inward = OthersLinear

    def __init__(
        self,
        layout: Layout,
        masses: Sequence[NDArray[np.float64]],
        level_ranks: Sequence[NDArray[np.float64]],
        n_rows: int,
        n_given: int,
        hidden_dim: int,
        dropout: float,
        wide_model: WideModel | None = None,
    ) -> None:
        if wide_model is None:
            wide_model = WideModel(layout, masses, level_ranks)
        entries = Entries(wide_model)
        n_given = n_given + entries.width
        super().__init__(layout, masses, level_ranks, n_rows, n_given, hidden_dim, dropout)
        self.entries = entries
        n_seen = n_given + layout.n_softmax * self.embedding_dim
        self.wide = WideProposal(wide_model, n_seen, 2 * hidden_dim)
        widest = max(layout.n_levels_wide, default=0)
        self.draws_at_once = min(self.draws_at_once, max(64, DRAWN // max(1, n_seen + widest)))

    def _seen(self, codes: Tensor, given: Tensor, own: Tensor | None = None) -> Tensor:
        """Lay rows out for the masked layer, with the entries of wide blocks."""
        return self.seen(codes, self._given(codes, given, own))

    def _given(self, codes: Tensor, given: Tensor, own: Tensor | None = None) -> Tensor:
        """Lay out conditions and the entries of wide blocks."""
        return torch.cat([given, self.entries(self.layout.wide_codes(codes), own)], dim=1)

    def hidden_loss(
        self, codes: Tensor, given: Tensor, rng: torch.Generator, turn: int = 0
    ) -> Tensor:
        """Hide a random number of random blocks, and return the loss of predicting them.

        The number of known blocks is uniform in 0 to n_blocks - 1. The loss of a row is the mean
        over its hidden blocks times the number of blocks ([1]_ of the class, equation 7). The
        expected loss is then the mean negative log-likelihood over all orders.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            Levels; a negative code is unknown, and is neither shown nor predicted.
        given : Tensor of shape (n, n_given)
            Conditions, laid out for a network.
        rng : torch.Generator
        turn : int, default=0
            Number of losses before this one. Each loss takes in one wide block, in turn.

        Returns
        -------
        scalar Tensor, in nats
        """
        shown = hide_blocks(codes, rng)
        own = self.wide.model.profiles.values(codes) if self.layout.n_levels_wide else None
        given = self._given(shown, given, own)
        raw = self(shown, given, rng)
        is_hidden = shown < 0
        hidden = torch.where(is_hidden, codes, FREE)
        share = codes.shape[1] / is_hidden.sum(dim=1)
        loss = (share * self.layout.cross_entropy(raw, hidden)).mean()
        if own is not None:
            n_wide = len(self.layout.n_levels_wide)
            wide = turn % n_wide
            wide_codes, is_hidden = self.layout.wide_codes(codes), is_hidden[:, -n_wide:]
            levels = wide_codes[:, wide]
            seen, shown = self.seen(shown, given), self.layout.wide_codes(shown)
            of_block = self.wide.loss(wide, seen, shown, levels, own, rng)
            counts = is_hidden[:, wide] & (levels >= 0)
            loss = loss + n_wide * (share * of_block * counts).mean()
        return loss

    def posterior(self, codes: Tensor, given: Tensor, block: int) -> Tensor:
        """Predict one block from the known ones among the others.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            Levels; a negative code is unknown.
        given : Tensor of shape (n, n_given)
        block : int

        Returns
        -------
        Tensor of shape (n, n_levels of the block)
            Log-probabilities.
        """
        seen = self._seen(codes, given)
        if block >= self.layout.n_softmax:
            wide_codes = self.layout.wide_codes(codes)
            chance = self.wide.chance(block - self.layout.n_softmax, seen, wide_codes)
            return chance.clamp(min=LEAST).log()
        place = int(self.layout.rank[block])
        networks = self.predictors(self.outputs(), torch.float32)
        return torch.log_softmax(networks[place](seen), dim=1)

    def draw(
        self, evidence: Evidence, given: Tensor, n_candidates: int, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw several candidates for each row, given what is known about its blocks.

        Blocks that may take some levels only are drawn first, and free blocks after them, each time
        in the order in which blocks lie in a row. A level is drawn with the probability that the
        networks give it, times the share of the level that is allowed. The candidates of a row are
        equal until the first block is drawn, whose level they take from equal strata of its
        distribution.

        Parameters
        ----------
        evidence : Evidence of n rows
        given : Tensor of shape (n, n_given)
            Conditions, laid out for a network.
        n_candidates : int >= 1
        rng : torch.Generator

        Returns
        -------
        codes : Tensor of shape (n * n_candidates, n_blocks), int64
            The candidates of a row lie next to each other.
        log_density : Tensor of shape (n * n_candidates,)
            The sum over drawn blocks of ``log q(level) - log Z``. Here q is the networks'
            probability, and Z is the probability of the levels that are allowed, weighted by their
            shares. If p is a model of rows, ``log p(row) - log_density`` is the importance weight
            of a candidate under p, given the evidence.
        """
        n, layout, dtype = len(evidence), self.layout, quick_dtype(given.device)
        networks = self.predictors(self.outputs().to(dtype), dtype)
        embeddings = self.embeddings().to(dtype)
        codes = evidence.codes.repeat_interleave(n_candidates, dim=0)
        seen = self._seen(evidence.codes, given).to(dtype).repeat_interleave(n_candidates, dim=0)
        log_density = torch.zeros(len(codes), device=given.device)
        begun = torch.zeros(n, dtype=torch.bool, device=given.device)
        candidates = torch.arange(len(codes), device=given.device).view(n, n_candidates)
        n_given = given.shape[1]
        wide_blocks = range(layout.n_softmax, layout.n_blocks)
        for state in (OPEN, FREE):
            for block in (*wide_blocks, *layout.order.tolist()):
                is_due = evidence.codes[:, block] == state
                # The candidates of a row that begins share one prediction.
                for some, is_shared in ((is_due & ~begun, True), (is_due & begun, False)):
                    rows = some.nonzero().squeeze(1)
                    if not len(rows):
                        continue
                    drawn_for = candidates[rows]
                    predicted = drawn_for[:, 0] if is_shared else drawn_for.flatten()
                    chance = self._chance(block, seen[predicted], codes[predicted], networks)
                    allowed = chance
                    if state == OPEN:
                        shares = evidence.shares[block][evidence.which[block][rows]]
                        if not is_shared:
                            shares = shares.repeat_interleave(n_candidates, dim=0)
                        allowed = chance.clamp(min=LEAST) * shares
                    edges = allowed.cumsum(dim=1)
                    total = edges[:, -1:]
                    u = self._strata(len(rows), n_candidates, rng)
                    if not is_shared:
                        u = u.view(-1, 1)
                    # Below the total, so that no level without probability is drawn.
                    target = torch.minimum(u * total, total.nextafter(torch.zeros_like(total)))
                    levels = torch.searchsorted(edges, target, right=True)
                    log_q = chance.clamp(min=LEAST).gather(1, levels).log() - total.log()
                    drawn, levels = drawn_for.flatten(), levels.flatten()
                    codes[drawn, block] = levels
                    log_density[drawn] += log_q.flatten()
                    if block >= layout.n_softmax:
                        wide = block - layout.n_softmax
                        entries, first = self.entries.one(wide, levels), n_given + wide * ENTRY_DIM
                    else:
                        start, place = int(layout.offsets[block]), int(layout.rank[block])
                        entries = embeddings[start + levels]
                        first = n_given + self.entries.width + place * self.embedding_dim
                    seen[drawn, first : first + entries.shape[1]] = entries.to(dtype)
                begun |= is_due
        return codes, log_density

    def _chance(self, block: int, seen: Tensor, codes: Tensor, networks: list[Layer]) -> Tensor:
        """Return the probability of each level of one block, shape (n, n_levels)."""
        if block >= self.layout.n_softmax:
            wide_codes = self.layout.wide_codes(codes)
            return self.wide.chance(block - self.layout.n_softmax, seen, wide_codes)
        return torch.softmax(networks[int(self.layout.rank[block])](seen), dim=1)

    def _strata(self, n: int, n_candidates: int, rng: torch.Generator) -> Tensor:
        """Draw for each row one uniform number from each of `n_candidates` equal strata of [0, 1).

        Parameters
        ----------
        n, n_candidates : int
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (n, n_candidates)
            Each row in random order.
        """
        draws = torch.rand(2, n, n_candidates, generator=rng, device=rng.device)
        return (draws[0].argsort(dim=1) + draws[1]) / n_candidates
