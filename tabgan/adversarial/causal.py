"""A generator of rows that draws one column after another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgan.adversarial.game import Batch
from tabgan.networks.columns import ColumnNetworks
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
        raw = self.raw(table.codes, condition)
        return -self.networks.layout.cross_entropy(raw, table.codes)

    def likelihood_loss(self, batch: Batch) -> Tensor:
        """Return the weighted negative log-likelihood of real rows, with dropout."""
        # NOTE[DIFF] In the papers of these games the generator learns from the critic alone. A
        # generator that draws columns in turn knows the probability of each row, which a generator
        # of all columns at once does not.
        raw = self.networks(batch.table.codes, batch.condition, batch.rng)
        loss = self.networks.layout.cross_entropy(raw, batch.table.codes).mean()
        return self.likelihood_weight * loss
