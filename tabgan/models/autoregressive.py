"""Column after column: each drawn given those before it, from networks trained side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.ranks import level_weights, rank_functions
from tabgan.adversarial.techniques import Technique, WeightAveraging
from tabgan.adversarial.training import fast_matmul, quick_dtype
from tabgan.estimators.judging import Rows
from tabgan.estimators.tables import TableSynthesizer
from tabgan.networks.grouped import CausalLinear, GroupedResidual, drop_units
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

EMBEDDING_DIM = 16
"""Width of what stands for a level when later columns look at it."""

FULL_BLOCKS = 64
"""Of more blocks than this all widths shrink, so that weights do not grow with their square."""

LOOKED_AT, DRAWN = 2_000_000, 20_000_000
"""Numbers that stand for the rows looked at, and for those drawn, at once."""

ROWS_PER_TAIL, MAX_HALVINGS = 5, 4
"""Rows in the outermost bins, at least, and how often they are halved, at most."""

OWN_ROWS = 300
"""Rows of an ordered level that give half the say to its own weights, which others do not share."""

DROPOUTS, MANY_ROWS = (0.2, 0.35), 25_000
"""Shares of hidden units left out by default: the first from so many rows on, more of fewer."""

N_CALIBRATIONS = 3
"""Rounds of iterative proportional fitting after training."""

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


class AutoregressiveGame(Game):
    """A generator that maximises the likelihood of rows, column after column.

    Parameters
    ----------
    networks : ColumnNetworks
    """

    def __init__(self, networks: ColumnNetworks) -> None:
        super().__init__()
        self.networks = networks

    def players(self) -> tuple[Player, ...]:
        """Return the generator alone: its adversary comes after training, and judges its rows."""
        return (Player("generator", (self.networks,), self.generator_loss),)

    def log_likelihood(
        self, table: EncodedTable, condition: Tensor, rng: torch.Generator | None = None
    ) -> Tensor:
        """Log-probability of rows, shape (n,), in nats; unknown levels cost nothing."""
        raw = self.networks(table.codes, condition, rng)
        return -self.networks.layout.cross_entropy(raw, table.codes)

    def generator_loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood per row, in nats, with units left out."""
        return -self.log_likelihood(batch.table, batch.condition, batch.rng).mean()

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood per training row, in nats, with no unit left out."""
        return {"nll": -self.log_likelihood(batch.table, batch.condition).mean()}


class AutoregressiveSynthesizer(TableSynthesizer):
    """Columns one after another [1]_, and a discriminator that rejects what gives rows away [2]_.

    Every number is cut into atoms and up to 256 bins of equal mass (one for each ten rows of small
    tables), so that a row is a sequence of levels; a network for each column gives the
    probabilities of its levels, those of the columns before it being known. They learn by maximum
    likelihood until held-out rows stop becoming more likely. What they make is then told from
    training rows by boosted trees, and `sample` keeps a made row with a probability in proportion
    to the density ratio: a generator whose adversary corrects it.

    Rows of one call of `sample` that agree in some columns share the randomness of the next evenly:
    rates stray less from the model's than those of independent rows, and each row by itself is
    drawn from it exactly.

    The nearest to the real rows of all systems here; there is no latent space. `score_samples`
    gives log-likelihoods.

    Parameters
    ----------
    n_steps : int or None, default=None
        Most training steps; `early_stopping` ends most runs much sooner. None: 4,000.
    learning_rate : float, default=4e-3
        AdamW's; it rises over the first 100 steps.
    hidden_dim : int, default=128
        Width of each column's network; less in tables of more than 64 columns.
    dropout : float in [0, 1) or None, default=None
        Share of hidden units left out in training. None: .2 from 25,000 rows on, more of fewer, as
        the root of how many times fewer they are, up to .35.
    early_stopping : bool, default=True
        Stop by the held-out likelihood. Where it first stops growing, training goes on from the
        best weights at a third of the learning rate; where it does so again, training ends.
    n_iter_no_change : int, default=2
    acceptance_rounds : int, default=3
    **shared
        See `TableSynthesizer` and `AdversarialEstimator`; there is no latent draw.

    References
    ----------
    .. [1] Bengio and Bengio (1999), "Modeling High-Dimensional Discrete Data with Multi-Layer
       Neural Networks"; Uria et al. (2016), "Neural Autoregressive Distribution Estimation",
       arXiv 1605.02226.
    .. [2] Azadi et al. (2019), "Discriminator Rejection Sampling", arXiv 1810.06758.
    """

    _default_steps = 4000
    _numeric_encoding = "bins"
    _max_bins = 256
    _betas = (0.9, 0.99)
    _weight_decay = 0.1
    _warm_up = 100
    _validation_name = "log_likelihood"
    _n_looks = 160
    _steps_per_look = 25
    _rate_cuts = 1

    def __init__(
        self,
        *,
        learning_rate: float = 4e-3,
        hidden_dim: int = 128,
        dropout: float | None = None,
        early_stopping: bool = True,
        n_iter_no_change: int = 2,
        acceptance_rounds: int = 3,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            hidden_dim=hidden_dim,
            early_stopping=early_stopping,
            n_iter_no_change=n_iter_no_change,
            acceptance_rounds=acceptance_rounds,
            **shared,
        )
        self.dropout = dropout

    def _cut(self, n_rows: int) -> dict[str, int]:
        cut = super()._cut(n_rows)
        rows_per_bin = n_rows / cut["n_bins"]
        n_halvings = int(np.log2(max(1.0, rows_per_bin / ROWS_PER_TAIL)))
        return {**cut, "n_halvings": min(n_halvings, MAX_HALVINGS)}

    def _make_game(self, layout: Layout, condition_layout: Layout) -> AutoregressiveGame:
        dropout, n_rows = self.dropout, self._n_rows
        if dropout is None:
            dropout = float(np.clip(DROPOUTS[0] * (MANY_ROWS / n_rows) ** 0.5, *DROPOUTS))
        elif not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1) or be None, got {dropout!r}.")
        networks = ColumnNetworks(
            layout,
            self._encoder.masses,
            self._encoder.level_ranks,
            n_rows=n_rows,
            n_given=condition_layout.width,
            hidden_dim=self.hidden_dim,
            dropout=dropout,
        )
        return AutoregressiveGame(networks)

    def _own_techniques(self) -> Sequence[Technique]:
        return [WeightAveraging(0.99)]

    def _held_out_score(self, held: Rows) -> Callable[[Game], float]:
        condition = self._conditions.encoder.layout.expand(*held.given)
        return lambda game: float(_log_likelihood(game, held.made, condition).mean())

    @torch.no_grad()
    def _calibrate(self, real: Rows, noise: torch.Generator, rng: np.random.Generator) -> None:
        """Give each level its training rate, on average over what comes before it in real rows."""
        networks, layout = self._game.networks, self._layout
        index = torch.arange(real.n, device=self._device)
        parts = [real.take(part) for part in index.split(networks.rows_at_once)]
        told = [self._conditions.encoder.layout.expand(*part.given) for part in parts]
        rate = torch.stack([layout.expand(*part.made).sum(dim=0) for part in parts]).sum(dim=0)
        for _ in range(N_CALIBRATIONS):
            made = torch.zeros_like(rate)
            for part, condition in zip(parts, told, strict=True):
                made += layout.activate(networks(part.made.codes, condition)).sum(dim=0)
            networks.bias += torch.where(rate > 0, (rate / made.clamp(min=1e-9)).log(), 0.0)

    @torch.no_grad()
    def _draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        condition = self._conditions.encoder.layout.expand(*given)
        with fast_matmul():
            parts = condition.split(self._game.networks.draws_at_once)
            codes = torch.cat([self._game.networks.draw(part, noise) for part in parts])
        return EncodedTable(codes, condition.new_zeros(len(codes), 0))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Log-probability of rows under the generator, before any are rejected.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,)
            In nats; that of a bin for numbers. Categories not seen in training cost nothing.
        """
        table = self._encode_seen(X)
        condition = torch.zeros(len(table), 0, device=self._device)
        return _log_likelihood(self._game, table, condition).cpu().numpy().astype(np.float64)


@torch.no_grad()
def _log_likelihood(game: Any, table: EncodedTable, condition: Tensor) -> Tensor:
    """Log-probability of rows, some thousands at a time; shape (n,)."""
    index = torch.arange(len(table), device=condition.device)
    parts = index.split(game.networks.rows_at_once)
    return torch.cat([game.log_likelihood(table.rows(part), condition[part]) for part in parts])
