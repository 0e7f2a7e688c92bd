"""Column after column: each drawn given those before it, from networks trained side by side."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.plan import Plan
from tabgan.checks import NONE, Rule, number
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding, Rows
from tabgan.generation.source import Source
from tabgan.networks.columns import ColumnNetworks
from tabgan.networks.precision import fast_matmul
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable

DROPOUTS, MANY_ROWS = (0.2, 0.35), 25_000
"""Shares of hidden units left out by default: the first from so many rows on, more of fewer."""

N_CALIBRATIONS = 3
"""Rounds of iterative proportional fitting after training."""


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


class ColumnRows(Source):
    """Rows drawn column after column from `ColumnNetworks`, their levels calibrated.

    Parameters
    ----------
    game : AutoregressiveGame
        With averaged weights.
    encoding : Encoding
    """

    has_likelihood = True

    def __init__(self, game: Any, encoding: Encoding) -> None:
        self.game, self.encoding = game, encoding

    @torch.no_grad()
    def draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Draw one encoded row for each condition."""
        networks = self.game.networks
        condition = self.encoding.condition_layout.expand(*given)
        with fast_matmul():
            parts = condition.split(networks.draws_at_once)
            codes = torch.cat([networks.draw(part, noise) for part in parts])
        return EncodedTable(codes, condition.new_zeros(len(codes), 0))

    @torch.no_grad()
    def log_likelihood(self, real: Rows) -> Tensor:
        """Log-probability of each row given its condition, shape (n,), in nats."""
        return torch.cat(
            [
                self.game.log_likelihood(part.made, condition)
                for part, condition in self._parts(real)
            ]
        )

    @torch.no_grad()
    def learn(self, real: Rows, streams: Streams) -> None:
        """Give each level its training rate, on average over what comes before it in real rows."""
        networks, layout = self.game.networks, self.encoding.layout
        parts = self._parts(real)
        rate = torch.stack([layout.expand(*part.made).sum(dim=0) for part, _ in parts]).sum(dim=0)
        for _ in range(N_CALIBRATIONS):
            made = torch.zeros_like(rate)
            for part, condition in parts:
                made += layout.activate(networks(part.made.codes, condition)).sum(dim=0)
            networks.bias += torch.where(rate > 0, (rate / made.clamp(min=1e-9)).log(), 0.0)

    def _parts(self, real: Rows) -> list[tuple[Rows, Tensor]]:
        """Deal rows out some thousands at a time, each part beside its conditions as seen."""
        index = torch.arange(real.n, device=real.made.codes.device)
        parts = [real.take(part) for part in index.split(self.game.networks.rows_at_once)]
        return [(part, self.encoding.condition_layout.expand(*part.given)) for part in parts]


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
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Bengio and Bengio (1999), "Modeling High-Dimensional Discrete Data with Multi-Layer
       Neural Networks"; Uria et al. (2016), "Neural Autoregressive Distribution Estimation",
       arXiv 1605.02226.
    .. [2] Azadi et al. (2019), "Discriminator Rejection Sampling", arXiv 1810.06758.
    """

    plan = Plan(
        n_steps=4000,
        betas=(0.9, 0.99),
        weight_decay=0.1,
        warm_up=100,
        averaging=0.99,
        n_looks=160,
        steps_per_look=25,
        rate_cuts=1,
        numbers="bins",
        max_bins=256,
        max_halvings=4,
    )
    _parameter_constraints: ClassVar[dict[str, Rule]] = {"dropout": number(0, 1, "left") | NONE}

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

    def _make_game(self, encoding: Encoding) -> AutoregressiveGame:
        dropout = self.dropout
        if dropout is None:
            fewer = (MANY_ROWS / encoding.n_rows) ** 0.5
            dropout = float(np.clip(DROPOUTS[0] * fewer, *DROPOUTS))
        networks = ColumnNetworks(
            encoding.layout,
            encoding.masses,
            encoding.level_ranks,
            n_rows=encoding.n_rows,
            n_given=encoding.condition_layout.width,
            hidden_dim=self.hidden_dim,
            dropout=dropout,
        )
        return AutoregressiveGame(networks)

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        return ColumnRows(game, encoding)

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Log-probability of rows under the generator, before any are rejected.

        Parameters
        ----------
        X : table or array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,)
            In nats; that of a bin for numbers. Categories not seen in training cost nothing.
        """
        table = self._encode_known(X)
        rows = Rows(table, EncodedTable(table.codes[:, :0], table.scalars[:, :0]))
        return self._core.source.log_likelihood(rows).cpu().numpy().astype(np.float64)
