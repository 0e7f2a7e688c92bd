"""Bidirectional GAN: an encoder learnt with the generator, as its inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player, draw_normal, soften
from tabgan.adversarial.losses import RELATIVISTIC
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import R1, R2, Technique
from tabgan.checks import Rule, number
from tabgan.estimators.estimator import Latent
from tabgan.estimators.features import Features, Inverse
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.table.layout import Layout


class BiGANGame(Game):
    """A discriminator of pairs, (x, E(x)) of real rows from (G(z), z), against E and G.

    Parameters
    ----------
    layout : Layout
    latent_dim, hidden_dim : int
    """

    def __init__(self, layout: Layout, latent_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.layout, self.latent_dim = layout, latent_dim
        self.encoder = ResidualMLP(layout.width, [hidden_dim] * 2, latent_dim)
        self.generator = ResidualMLP(latent_dim, [hidden_dim] * 2, layout.width)
        critic = Critic(layout.width + latent_dim, [hidden_dim] * 3)
        self.adversary = Adversary(critic, RELATIVISTIC)

    def players(self) -> tuple[Player, ...]:
        """Discriminator, then encoder and generator as one."""
        return (
            Player("discriminator", (self.adversary,), self.discriminator_loss),
            Player("coders", (self.encoder, self.generator), self.coders_loss),
        )

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Make raw rows, shape (n, width), one per condition."""
        return self.generator(draw_normal(len(condition), self.latent_dim, rng))

    def pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pair real rows with their codes, and draws of the prior with the rows made of them.

        Returns
        -------
        real, fake : Tensor of shape (n, width + latent_dim)
        """
        z = draw_normal(len(batch.row), self.latent_dim, batch.rng)
        made = soften(self.layout, self.generator(z), batch.rng)
        real = torch.cat([batch.row, self.encoder(batch.row)], dim=1)
        return real, torch.cat([made, z], dim=1)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Loss of telling the two kinds of pairs apart (Donahue et al., 2017, equation 2)."""
        return self.adversary.critic_loss(batch, *self.pairs(batch))

    def coders_loss(self, batch: Batch) -> Tensor:
        """Discriminator's loss with the pairs changed over (section 3.4)."""
        return self.adversary.swapped_loss(batch, *self.pairs(batch))


class BiGANSynthesizer(Inverse, Features, Latent, TableSynthesizer):
    """Bidirectional GAN [1]_: a generator, and an encoder that learns to be its inverse.

    The discriminator sees pairs of a row and a latent vector, (x, E(x)) or (G(z), z); only an
    encoder that inverts the generator lets it tell nothing. No row is ever compared with its
    reconstruction, so that E(x) keeps what matters to the joint distribution, and G(E(x)) may be
    far from x. `transform` is E, `inverse_transform` the most probable row that G makes.

    Parameters
    ----------
    n_steps : int or None, default=None
        Training steps. None: 2,000, and fewer on small tables.
    latent_dim : int, default=16
        Width of z, and so of the features.
    penalty_weight : float >= 0, default=1
        Weight of R1 and R2 on the discriminator, which plays a relativistic game [2]_ in place of
        the paper's.
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Donahue et al. (2017), "Adversarial Feature Learning", arXiv 1605.09782, equation 2.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline",
       arXiv 2501.05441.
    """

    plan = Plan(n_steps=2000)
    _parameter_constraints: ClassVar[dict[str, Rule]] = {"penalty_weight": number(0)}

    def __init__(
        self,
        *,
        latent_dim: int = 16,
        penalty_weight: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(latent_dim=latent_dim, **shared)
        self.penalty_weight = penalty_weight

    def _own_techniques(self) -> Sequence[Technique]:
        return [R1(self.penalty_weight), R2(self.penalty_weight)]

    def _make_game(self, encoding: Encoding) -> BiGANGame:
        return BiGANGame(encoding.layout, self.latent_dim, self.hidden_dim)

    def _features(self, row: Tensor) -> Tensor:
        return self._core.game.encoder(row)

    def _raw_rows(self, features: Tensor) -> Tensor:
        return self._core.game.generator(features)

    @property
    def _n_features_out(self) -> int:
        return self.latent_dim
