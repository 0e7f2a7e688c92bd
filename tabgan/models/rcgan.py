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
from tabgan.estimators.adversarial import Latent
from tabgan.estimators.sequences import LatentSequences, SequenceSynthesizer
from tabgan.generation.sequence_set import condition_and_mask
from tabgan.generation.sequences import SequenceEncoding
from tabgan.networks.recurrent import RecurrentCritic, RecurrentGenerator, by_step
from tabgan.table.layout import Layout


class RCGANGame(Game):
    """A recurrent generator against a recurrent discriminator; both get the condition.

    Parameters
    ----------
    layout : Layout
        Layout of a step.
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
        """Return the discriminator, then the generator."""
        return (
            Player("discriminator", (self.adversary,), self.discriminator_loss),
            Player("generator", (self.generator,), self.generator_loss),
        )

    def unroll(
        self, condition: Tensor, n_steps: int, rng: torch.Generator, z: Tensor | None = None
    ) -> Tensor:
        """Generate raw steps, shape (n, n_steps, width), with new noise in each step.

        Parameters
        ----------
        condition : Tensor of shape (n, condition width)
        n_steps : int
            Length of the longest sequence.
        rng : torch.Generator
        z : Tensor of shape (n, latent_dim), optional
            Latent vectors; by default standard normal draws.
        """
        n = len(condition)
        z = draw_normal(n, self.latent_dim, rng) if z is None else z
        noise = draw_normal(n * n_steps, self.noise_dim, rng).view(n, n_steps, self.noise_dim)
        return self.generator(torch.cat([z, condition], dim=1), noise)

    def fake(self, batch: Batch) -> Tensor:
        """Generate soft sequences for the conditions of a batch, as long as the real sequences."""
        condition, mask = condition_and_mask(batch)
        raw = self.unroll(condition, mask.shape[1], batch.rng)
        return by_step(self.layout.activate, raw) * mask[..., None]

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Return the loss of telling real from synthetic sequences."""
        given = condition_and_mask(batch)
        return self.adversary.critic_loss(batch, batch.row, self.fake(batch), *given)

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the loss of synthetic sequences that the discriminator tells apart."""
        given = condition_and_mask(batch)
        return self.adversary.generator_loss(batch, batch.row, self.fake(batch), *given)


class RCGANSynthesizer(LatentSequences, Latent, SequenceSynthesizer):
    """Recurrent conditional GAN [1]_: sequences of continuous and categorical channels.

    Generator and discriminator are recurrent networks. In each step the generator gets new noise
    and the condition. A latent vector, one for each sequence, sets the generator's first state, and
    stands for what holds along the whole sequence. The discriminator scores whole sequences.

    Use this class for many short sequences, of some tens of steps, with numeric channels; for
    sequences of given labels, lengths or static columns; and for smooth changes of a sequence, by
    `latent` in `sample`.

    The class differs from the paper in the latent vector, where the paper has noise alone; and in
    the loss, a relativistic game with gradient penalties [2]_, which needs fewer steps.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Number of training steps. None takes 2,500 steps.
    batch_size : int >= 1, default=128
    learning_rate : float > 0, default=2e-3
    latent_dim : int >= 1, default=16
        Width of the latent vector of a sequence.
    noise_dim : int >= 1, default=4
        Width of the noise in each step.
    hidden_dim : int >= 1, default=64
    penalty_weight : float >= 0, default=0.05
        Weight of the zero-centred gradient penalties R1 (on real sequences) and R2 (on synthetic
        sequences), gamma in [2]_.
    **shared
        See `SequenceSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each channel.
    given_schema_ : Schema
        The same for the values that hold for a whole sequence: static columns, label, start time
        and length.

    References
    ----------
    .. [1] Esteban et al. (2017), "Real-valued (Medical) Time Series Generation with Recurrent
       Conditional GANs", arXiv 1706.02633, sections 3.1 and 3.2.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv
       2501.05441, equation 2 and section 2.2.

    Examples
    --------
    >>> from tabgan import RCGANSynthesizer
    >>> from tabgan.datasets import make_waves
    >>> waves = make_waves(40, n_steps=8, random_state=0)
    >>> X, y = waves.data[:, :, None], waves.target
    >>> model = RCGANSynthesizer(n_steps=5, random_state=0).fit(X, y)
    >>> model.sample(conditions=[0, 0, 1]).shape
    (3, 8, 1)

    A long table, in which the column "entity" says which wave a row belongs to:

    >>> table = make_waves(40, n_steps=8, as_frame=True, random_state=0).frame
    >>> table.columns.tolist()
    ['entity', 'time', 'value', 'wave']
    >>> model = RCGANSynthesizer(entity="entity", time="time", n_steps=5, random_state=0).fit(table)
    >>> model.sample(2).shape
    (16, 4)
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
        # NOTE[DIFF] The paper has the non-saturating loss without a penalty. The relativistic loss
        # with penalties on real and synthetic sequences [2] learns the paper's waves in a fraction
        # of the steps.
        return [R1(self.penalty_weight, every=8), R2(self.penalty_weight, every=8)]

    def _make_game(self, encoding: SequenceEncoding) -> RCGANGame:
        dims = (self.latent_dim, self.noise_dim, self.hidden_dim)
        return RCGANGame(encoding.layout, encoding.condition_layout.width, *dims)
