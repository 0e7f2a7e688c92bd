"""The generative adversarial network and the game that its relatives share."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player, draw_normal, soften
from tabgan.adversarial.losses import MINIMAX, NON_SATURATING, AdversarialLoss
from tabgan.checks import Rule, choice
from tabgan.estimators.estimator import Latent
from tabgan.estimators.features import CriticFeatures
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.table.layout import Layout


class GANGame(Game):
    """A generator against a discriminator, both given the condition if there is one.

    Parameters
    ----------
    layout : Layout
    n_given : int
        Width of the condition.
    latent_dim, hidden_dim : int
    loss : AdversarialLoss
    n_critic : int
        Updates of the critic per update of the generator.
    temperature : float or None
        Synthetic rows are Gumbel-softmax draws of this temperature; None leaves the plain softmax.
    critic : Critic, optional
        Of rows and their conditions; by default one of three layers of `hidden_dim`.
    """

    def __init__(
        self,
        layout: Layout,
        n_given: int,
        latent_dim: int,
        hidden_dim: int,
        loss: AdversarialLoss = NON_SATURATING,
        *,
        n_critic: int = 1,
        temperature: float | None = None,
        critic: Critic | None = None,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.judge_name, self.gap_name, self.n_critic = loss.judge, loss.gap, n_critic
        self.latent_dim = latent_dim
        self.temperature = temperature
        self.generator = ResidualMLP(latent_dim + n_given, [hidden_dim] * 2, layout.width)
        critic = critic or Critic(layout.width + n_given, [hidden_dim] * 3)
        self.adversary = Adversary(critic, loss)

    def players(self) -> tuple[Player, ...]:
        """Discriminator or critic, `n_critic` times, then generator."""
        return (
            Player(self.judge_name, (self.adversary,), self.critic_loss, self.n_critic),
            Player("generator", (self.generator,), self.generator_loss),
        )

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Make raw rows, shape (n, width), one per condition."""
        z = draw_normal(len(condition), self.latent_dim, rng)
        return self.generator(torch.cat([z, condition], dim=1))

    def fake(self, batch: Batch) -> Tensor:
        """Make soft rows for a batch's conditions."""
        return self.soften(self.generate(batch.condition, batch.rng), batch.rng)

    def soften(self, raw: Tensor, rng: torch.Generator) -> Tensor:
        """Turn raw rows into what the critic sees: one softmax per block."""
        if self.temperature is None:
            return self.layout.activate(raw)
        return soften(self.layout, raw, rng, self.temperature)

    def score(self, row: Tensor, condition: Tensor) -> Tensor:
        """Score encoded rows, shape (n,)."""
        return self.adversary.score(row, condition)

    def features(self, row: Tensor, condition: Tensor) -> Tensor:
        """Activations of the critic's last hidden layer, shape (n, hidden_dim)."""
        return self.adversary.critic.features(row, condition)

    def score_gap(self, batch: Batch, fake: Tensor) -> Tensor:
        """Mean score of a batch's real rows above that of synthetic ones."""
        real = self.score(batch.row, batch.condition)
        return real.mean() - self.score(fake, batch.condition).mean()

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Estimate the distance that the loss estimates, if it does."""
        if self.gap_name is None:
            return {}
        return {self.gap_name: self.score_gap(batch, self.fake(batch))}

    def critic_loss(self, batch: Batch) -> Tensor:
        """Loss of telling real from synthetic rows."""
        return self.adversary.critic_loss(batch, batch.row, self.fake(batch), batch.condition)

    def generator_loss(self, batch: Batch) -> Tensor:
        """Loss of being told apart."""
        return self.adversary.generator_loss(batch, batch.row, self.fake(batch), batch.condition)


class GANSynthesizer(CriticFeatures, Latent, TableSynthesizer):
    """The original generative adversarial network [1]_, as a baseline.

    The discriminator maximises ``E log D(x) + E log(1 - D(G(z)))``. On categorical columns its
    loss is known to fall to zero while the generator's climbs; `WGANSynthesizer` does not.

    Parameters
    ----------
    loss : {"non-saturating", "minimax"}, default="non-saturating"
        What the generator minimises: ``-E log D(G(z))``, or ``E log(1 - D(G(z)))``.
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", arXiv 1406.2661, Algorithm 1.
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "loss": choice("non-saturating", "minimax")
    }

    def __init__(
        self, *, loss: Literal["non-saturating", "minimax"] = "non-saturating", **shared: Any
    ) -> None:
        super().__init__(**shared)
        self.loss = loss

    def _make_game(self, encoding: Encoding) -> GANGame:
        loss = MINIMAX if self.loss == "minimax" else NON_SATURATING
        n_given = encoding.condition_layout.width
        return GANGame(encoding.layout, n_given, self.latent_dim, self.hidden_dim, loss)
