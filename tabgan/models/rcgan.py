"""Recurrent conditional GAN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player, draw_normal
from tabgan.adversarial.losses import RELATIVISTIC
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import R1, R2, Technique
from tabgan.checks import Rule, choice, integer, number
from tabgan.estimators.adversarial import Latent
from tabgan.estimators.sequence_likelihood import (
    CAUSAL_SEQUENCE_PLAN,
    SequenceLikelihood,
    step_networks,
)
from tabgan.estimators.sequences import LatentSequences, SequenceSynthesizer
from tabgan.generation.sequence_set import condition_and_mask
from tabgan.generation.sequences import SequenceEncoding, Written
from tabgan.generation.source import Source
from tabgan.networks.recurrent import RecurrentCritic, RecurrentGenerator, by_step
from tabgan.networks.steps import StepNetworks
from tabgan.table.layout import Layout

CAUSAL_RATE = 2.0
"""Learning rate of a causal generator, as a multiple of `learning_rate`."""


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


class CausalRCGANGame(Game):
    """A recurrent generator that draws the steps of sequences, and their columns, in turn.

    The generator knows the probability of each sequence, and maximises that of real sequences.

    Parameters
    ----------
    networks : StepNetworks
    """

    def __init__(self, networks: StepNetworks) -> None:
        super().__init__()
        self.networks = networks

    def players(self) -> tuple[Player, ...]:
        """Return the generator."""
        return (Player("generator", (self.networks,), self.generator_loss, rate=CAUSAL_RATE),)

    def unroll(
        self, condition: Tensor, n_steps: int, rng: torch.Generator, begun: Tensor | None = None
    ) -> Tensor:
        """Draw sequences, as codes of shape (n, n_steps, n_blocks); see `StepNetworks.write`."""
        return self.networks.write(condition, n_steps, rng, begun)

    def log_likelihood(self, batch: Batch) -> Tensor:
        """Return the log-probability of sequences, shape (n,), in nats."""
        return self.networks.log_likelihood(batch.table.codes, *condition_and_mask(batch)).sum(
            dim=1
        )

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the mean negative log-likelihood of a step, with dropout."""
        # NOTE[DIFF] In the paper the generator learns from the discriminator alone. A generator
        # that draws in turn knows the probability of a sequence, and learns from that in a
        # fraction of the steps.
        condition, mask = condition_and_mask(batch)
        log_p = self.networks.log_likelihood(batch.table.codes, condition, mask, batch.rng)
        return -log_p.sum() / mask.sum()


class RCGANSynthesizer(LatentSequences, SequenceLikelihood, Latent, SequenceSynthesizer):
    """Recurrent conditional GAN [1]_: sequences of continuous and categorical channels.

    By default the generator is a recurrent network that reads the steps so far and the condition,
    and draws the columns of the next step one after another. The probability of a sequence is then
    known, and the generator maximises that of real sequences; there is no discriminator. Numbers
    are cut into bins by their quantiles.

    With ``generator="joint"`` generator and discriminator are the recurrent networks of the paper.
    In each step the generator gets new noise and the condition. A latent vector, one for each
    sequence, sets the generator's first state, and stands for what holds along the whole sequence.
    The discriminator scores whole sequences. Sequences are poorer, and training takes longer.

    Use this class for many short sequences, of some tens of steps, or for windows of a long series,
    with channels of any kind; and for sequences of given labels, lengths or static columns. For
    smooth changes of a sequence, by `latent` in `sample`, use ``generator="joint"`` or
    `SequenceARAESynthesizer`.

    The class differs from the paper in the generator that draws in turn. With ``generator="joint"``
    it differs in the latent vector, where the paper has noise alone; and in the loss, a
    relativistic game with gradient penalties [2]_, which needs fewer steps.

    Parameters
    ----------
    generator : {"causal", "joint"}, default="causal"
        How sequences are made. "causal" draws steps, and the columns of a step, in turn, and learns
        from the likelihood of real sequences. "joint" turns noise into all steps, and learns from a
        discriminator. The constants of its training are in `joint_plan`.
    n_steps : int >= 0 or None, default=None
        Number of training steps. None takes 4,000 steps with ``generator="causal"``, where held-out
        sequences may end training earlier, and 2,500 with ``generator="joint"``.
    batch_size : int >= 1, default=32
    learning_rate : float > 0, default=2e-3
    latent_dim : int >= 1, default=16
        Width of the latent vector of a sequence, with ``generator="joint"``.
    noise_dim : int >= 1, default=4
        Width of the noise in each step, with ``generator="joint"``.
    hidden_dim : int >= 1, default=64
    penalty_weight : float >= 0, default=0.05
        Weight of the zero-centred gradient penalties R1 (on real sequences) and R2 (on synthetic
        sequences), gamma in [2]_, with ``generator="joint"``.
    early_stopping : bool, default=True
        Whether the likelihood of held-out sequences decides when training stops, with
        ``generator="causal"``. Training stops when the likelihood no longer grows, and the best
        weights are kept.
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

    plan = CAUSAL_SEQUENCE_PLAN
    joint_plan: ClassVar[Plan] = Plan(n_steps=2500, max_bins=32)
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "generator": choice("causal", "joint"),
        "noise_dim": integer(1),
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        generator: Literal["causal", "joint"] = "causal",
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        latent_dim: int = 16,
        noise_dim: int = 4,
        hidden_dim: int = 64,
        penalty_weight: float = 0.05,
        early_stopping: bool = True,
        **shared: Any,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            learning_rate=learning_rate,
            latent_dim=latent_dim,
            hidden_dim=hidden_dim,
            early_stopping=early_stopping,
            **shared,
        )
        self.generator = generator
        self.noise_dim = noise_dim
        self.penalty_weight = penalty_weight

    @property
    def _is_causal(self) -> bool:
        """Whether the generator draws steps and columns in turn."""
        return self.generator == "causal"

    @property
    def _has_likelihood(self) -> bool:
        return self._is_causal

    @property
    def _has_latent(self) -> bool:
        return not self._is_causal

    @property
    def _plan(self) -> Plan:
        return self.plan if self._is_causal else self.joint_plan

    def _own_techniques(self) -> Sequence[Technique]:
        if self._is_causal:
            return []
        # NOTE[DIFF] The paper has the non-saturating loss without a penalty. The relativistic loss
        # with penalties on real and synthetic sequences [2] learns the paper's waves in a fraction
        # of the steps.
        return [R1(self.penalty_weight, every=8), R2(self.penalty_weight, every=8)]

    def _make_game(self, encoding: SequenceEncoding) -> Game:
        n_given = encoding.condition_layout.width
        if self._is_causal:
            return CausalRCGANGame(step_networks(encoding, self.hidden_dim))
        dims = (self.latent_dim, self.noise_dim, self.hidden_dim)
        return RCGANGame(encoding.layout, n_given, *dims)

    def _make_chain(self, game: Any, encoding: SequenceEncoding) -> Source:
        if self._is_causal:
            return Written(game, encoding)
        return super()._make_chain(game, encoding)
