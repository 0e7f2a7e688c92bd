"""Generators and decoders of rows that draw one column after another."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tabgan.adversarial.game import Batch, Player, draw_normal
from tabgan.networks.columns import PASSED, ColumnNetworks
from tabgan.networks.precision import quick_products
from tabgan.table.encoder import EncodedTable

RATE = 16.0
"""Learning rate of a causal generator, as a multiple of the critic's."""

PLAYED = 0.5
"""Share of each batch that a causal generator and its critic play with.

Likelihood learns from the whole batch. A game in every second step made rows as good in about half
of the time; half of the rows in every step is as much play, and needs no schedule.
"""


class CausalGenerator(nn.Module):
    """A generator that draws each column given the columns before it.

    The noise of the draws takes the place of a latent vector. The probability of each row is known,
    so the generator learns from two sides: from the critic of its rows, and from the likelihood of
    real rows.

    Parameters
    ----------
    networks : ColumnNetworks
    likelihood_weight : float >= 0
        Weight of the negative log-likelihood of a row, in nats.
    temperature : float > 0
        Temperature of the Gumbel-softmax draws through which the critic's gradients pass.
    """

    def __init__(
        self, networks: ColumnNetworks, likelihood_weight: float, temperature: float
    ) -> None:
        super().__init__()
        self.networks = networks
        self.likelihood_weight, self.temperature = likelihood_weight, temperature

    def rows(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Draw rows as a critic sees them, shape (n, width), with gradients."""
        return self.networks.draw_through(condition, rng, self.temperature)

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Draw one row of levels for each condition, shape (n, n_blocks)."""
        return self.networks.draw(condition, rng)

    def raw(self, codes: Tensor, condition: Tensor, own: bool = False) -> Tensor:
        """Predict all blocks of known rows, shape (n, width); `own` makes no difference."""
        return self.networks(codes, condition)

    def log_likelihood(self, table: EncodedTable, condition: Tensor, own: bool = False) -> Tensor:
        """Return the log-probability of rows in nats, shape (n,); `own` makes no difference."""
        return self.networks.log_likelihood(table.codes, condition)

    def likelihood_loss(self, batch: Batch) -> Tensor:
        """Return the weighted negative log-likelihood of real rows, with dropout."""
        # NOTE[DIFF] In the papers of these games the generator learns from the critic alone. A
        # generator that draws columns in turn knows the probability of each row, which a generator
        # of all columns at once does not.
        log_p = self.networks.log_likelihood(batch.table.codes, batch.condition, batch.rng)
        return -self.likelihood_weight * log_p.mean()


CODED = 2
"""Updates of each player of codes for each update of a causal decoder.

The decoder learns in fewer steps than the codes do. `RowARAEGame` has numbers of its own. If the
decoder learns in a stage of its own, the codes are updated once in each step of theirs.
"""


class CausalDecoder:
    """Mixin of games in which a row has a code, and columns are drawn in turn given the code.

    The networks of the columns learn from real rows and the codes of the rows. The networks change
    no code: a code means what the game makes it mean, whether or not there are such networks.

    Attributes
    ----------
    networks : ColumnNetworks or None
        The networks of the columns, whose condition is a code. If the attribute is None, the game's
        own decoder makes all columns at once.
    code_noise : float >= 0
        Standard deviation of the noise on the codes that the networks are given, as a multiple of
        that of the codes.
    code_scale : float > 0, default=1
        Standard deviation of the codes.
    view : RankView or None
        What the other networks of the game see in place of rows of levels. With None they see rows
        as they are. Games that do not call `seen` have no view.
    """

    column_rate: ClassVar[float] = 4.0
    """Learning rate of the networks of columns, as a multiple of that of the other players."""

    column_stage: ClassVar[int] = 0
    """Stage of the networks of columns: 0, beside the other players, or 1, after them."""

    networks: Any
    view: Any
    code_noise: float
    code_scale: float = 1.0

    def real_codes(self, batch: Batch) -> Tensor:
        """Draw a code for each real row of a batch, as the networks are given it, (n, n_given)."""
        raise NotImplementedError

    def synthetic_codes(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Draw a code for each condition, as the networks are given it, shape (n, n_given)."""
        raise NotImplementedError

    def seen(self, row: Tensor) -> Tensor:
        """Return encoded rows as the other networks of the game see them."""
        return row if self.view is None else self.view(row)

    def blurred(self, codes: Tensor, rng: torch.Generator) -> Tensor:
        """Add noise to codes, real or synthetic, and scale the sum down to the size of codes.

        The networks trust a code the less, the more noise it has. Where synthetic codes differ from
        codes of real rows, rows then differ less.
        """
        if not self.code_noise:
            return codes
        noise = self.code_noise * self.code_scale * draw_normal(len(codes), codes.shape[1], rng)
        return (codes + noise) / math.sqrt(1.0 + self.code_noise**2)

    @property
    def n_coded(self) -> int:
        """Number of updates of each player of codes in a training step."""
        return 1 if self.networks is None or self.column_stage else CODED

    def column_players(self) -> tuple[Player, ...]:
        """Return the networks of the columns as a player, if there are any."""
        if self.networks is None:
            return ()
        rate, stage = self.column_rate, self.column_stage
        return (Player("columns", (self.networks,), self.columns_loss, rate=rate, stage=stage),)

    def columns_loss(self, batch: Batch) -> Tensor:
        """Return the negative log-likelihood of rows given their codes, in nats, with dropout."""
        # NOTE[DIFF] The decoders of the papers make all columns at once. Given the code the columns
        # are then independent, and what the code does not say of how they go together is lost.
        given = self.real_codes(batch)
        return -self.networks.log_likelihood(batch.table.codes, given, batch.rng).mean()

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Draw one row of levels for each condition, shape (n, n_blocks)."""
        # The networks round codes to the quick format anyway.
        with quick_products(condition.device):
            parts = [self.synthetic_codes(part, rng) for part in condition.split(PASSED)]
        return self.networks.draw(torch.cat(parts).float(), rng)

    def raw(self, codes: Tensor, given: Tensor, own: bool = False) -> Tensor:
        """Predict all blocks of known rows, shape (n, width); `own` makes no difference."""
        return self.networks(codes, given)

    def log_likelihood(self, table: EncodedTable, given: Tensor, own: bool = False) -> Tensor:
        """Return the log-probability of rows in nats, shape (n,); `own` makes no difference."""
        return self.networks.log_likelihood(table.codes, given)
