"""Recurrent conditional GAN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player, draw_normal
from tabgan.adversarial.losses import RELATIVISTIC
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import R1, R2, Technique
from tabgan.checks import Rule, integer, number
from tabgan.estimators.estimator import Latent
from tabgan.estimators.sequences import LatentSequences, SequenceSynthesizer
from tabgan.generation.sequence_set import condition_and_mask
from tabgan.generation.sequences import SequenceEncoding
from tabgan.networks.recurrent import RecurrentCritic, RecurrentGenerator, by_step
from tabgan.table.layout import Layout


class RCGANGame(Game):
    """A recurrent generator against a recurrent discriminator, both given the condition.

    Parameters
    ----------
    layout : Layout
        Of a step.
    n_given : int
        Width of the condition.
    latent_dim, noise_dim, hidden_dim : int
    """

    def __init__(
        self, layout: Layout, n_given: int, latent_dim: int, noise_dim: int, hidden_dim: int
    ) -> None:
        super().__init__()
        self.layout = layout
        self.latent_dim, self.noise_dim = latent_dim, noise_dim
        self.generator = RecurrentGenerator(
            latent_dim + n_given, noise_dim, hidden_dim, layout.width
        )
        critic = RecurrentCritic(layout.width, n_given, hidden_dim)
        self.adversary = Adversary(critic, RELATIVISTIC)

    def players(self) -> tuple[Player, ...]:
        """Discriminator, then generator."""
        return (
            Player("discriminator", (self.adversary,), self.discriminator_loss),
            Player("generator", (self.generator,), self.generator_loss),
        )

    def unroll(
        self, condition: Tensor, n_steps: int, rng: torch.Generator, z: Tensor | None = None
    ) -> Tensor:
        """Make raw steps, shape (n, n_steps, width), from a latent draw and fresh noise a step."""
        n = len(condition)
        z = draw_normal(n, self.latent_dim, rng) if z is None else z
        noise = draw_normal(n * n_steps, self.noise_dim, rng).view(n, n_steps, self.noise_dim)
        return self.generator(torch.cat([z, condition], dim=1), noise)

    def fake(self, batch: Batch) -> Tensor:
        """Make soft sequences for a batch's conditions, as long as the real ones."""
        condition, mask = condition_and_mask(batch)
        raw = self.unroll(condition, mask.shape[1], batch.rng)
        return by_step(self.layout.activate, raw) * mask[..., None]

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Loss of telling real from made sequences."""
        given = condition_and_mask(batch)
        return self.adversary.critic_loss(batch, batch.row, self.fake(batch), *given)

    def generator_loss(self, batch: Batch) -> Tensor:
        """Loss of being told apart."""
        given = condition_and_mask(batch)
        return self.adversary.generator_loss(batch, batch.row, self.fake(batch), *given)


class RCGANSynthesizer(LatentSequences, Latent, SequenceSynthesizer):
    """Recurrent conditional GAN [1]_: sequences of continuous and categorical channels, on demand.

    Generator and discriminator are recurrent. Each step of the generator gets fresh noise and the
    condition; besides, a latent draw of a sequence's own, of width `latent_dim`, sets its first
    state, so that what holds all along a sequence need not be gathered from the noise.

    Parameters
    ----------
    n_steps : int or None, default=None
        Training steps. None: 2,500.
    batch_size : int, default=128
        Sequences per update.
    learning_rate : float, default=2e-3
        Adam's.
    latent_dim : int, default=16
        Width of the latent draw of a sequence.
    noise_dim : int, default=4
        Width of the noise of a step.
    hidden_dim : int, default=64
        Width of the recurrent states.
    penalty_weight : float >= 0, default=0.05
        Weight of R1 and R2 on the discriminator, which plays a relativistic game [2]_.
    **shared
        See `SequenceSynthesizer`.

    References
    ----------
    .. [1] Esteban et al. (2017), "Real-valued (Medical) Time Series Generation with Recurrent
       Conditional GANs", arXiv 1706.02633, sections 3.1 and 3.2.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline",
       arXiv 2501.05441, equation 2 and section 2.2.
    """

    plan = Plan(n_steps=2500, max_bins=32)
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "noise_dim": integer(1),
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        latent_dim: int = 16,
        noise_dim: int = 4,
        hidden_dim: int = 64,
        penalty_weight: float = 0.05,
        **shared: Any,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            learning_rate=learning_rate,
            latent_dim=latent_dim,
            hidden_dim=hidden_dim,
            **shared,
        )
        self.noise_dim = noise_dim
        self.penalty_weight = penalty_weight

    def _own_techniques(self) -> Sequence[Technique]:
        # NOTE[DIFF] The paper's loss is the non-saturating one without a penalty; paired scores
        # and a penalty on both sides [2]_ learn the paper's waves in a fraction of the steps.
        return [R1(self.penalty_weight, every=8), R2(self.penalty_weight, every=8)]

    def _make_game(self, encoding: SequenceEncoding) -> RCGANGame:
        dims = (self.latent_dim, self.noise_dim, self.hidden_dim)
        return RCGANGame(encoding.layout, encoding.condition_layout.width, *dims)
