"""SeqGAN: categorical sequences by policy gradient."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.losses import NON_SATURATING
from tabgan.adversarial.plan import Plan
from tabgan.checks import Rule, integer, number
from tabgan.estimators.adversarial import Adversarial
from tabgan.estimators.sequence_likelihood import SequenceLikelihood
from tabgan.estimators.sequences import SequenceSynthesizer
from tabgan.generation.sequence_set import condition_and_mask
from tabgan.generation.sequences import SequenceEncoding, Written
from tabgan.generation.source import Source
from tabgan.generation.writing import draw_step, step_log_likelihood, write
from tabgan.networks.patterns import PatternCritic
from tabgan.networks.recurrent import RecurrentPolicy
from tabgan.table.layout import Layout

WARMING = 0.1
"""Share of the steps after pre-training in which the discriminator learns alone."""


class SeqGANGame(Game):
    """A policy that writes sequences step by step, rewarded by a discriminator of whole sequences.

    The policy is recurrent and the discriminator is convolutional, as in the paper. A run has three
    parts. First the policy learns by maximum likelihood. Then the discriminator learns alone, for a
    short time, from what the policy writes. In the last part both learn from each other.

    Parameters
    ----------
    layout : Layout
        Layout of a step. It has softmax blocks alone.
    n_given : int
        Width of the condition.
    hidden_dim, n_rollouts : int
    pretraining : float in [0, 1]
        Share of the run in which the policy learns by maximum likelihood.
    """

    def __init__(
        self,
        layout: Layout,
        n_given: int,
        hidden_dim: int,
        n_rollouts: int,
        pretraining: float,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.n_rollouts = n_rollouts
        self.pretraining = pretraining
        self.warming = pretraining + WARMING * (1 - pretraining)
        self.policy = RecurrentPolicy(layout.width, n_given, hidden_dim)
        critic = PatternCritic(layout.width, n_given, hidden_dim)
        self.adversary = Adversary(critic, NON_SATURATING)

    def players(self) -> tuple[Player, ...]:
        """Return the discriminator, then the policy."""
        return (
            Player("discriminator", (self.adversary,), self.discriminator_loss),
            Player("policy", (self.policy,), self.policy_loss),
        )

    def unroll(
        self, condition: Tensor, n_steps: int, rng: torch.Generator, begun: Tensor | None = None
    ) -> Tensor:
        """Write sequences, as codes of shape (n, n_steps, n_blocks), from the steps `begun` on."""
        return write(self.policy, self.layout, condition, n_steps, rng, begun)[0]

    @torch.no_grad()
    def returns(
        self, row: Tensor, states: Tensor, condition: Tensor, mask: Tensor, rng: torch.Generator
    ) -> Tensor:
        """Estimate the expected reward after each step of written sequences.

        The reward is the discriminator's probability that a finished sequence is real. After the
        last step the reward is known. After an earlier step it is estimated by the mean over
        `n_rollouts` endings that the policy writes (Monte Carlo, equation 4 of Yu et al., 2017).

        Parameters
        ----------
        row : Tensor of shape (n, T, width)
            The written sequences.
        states : Tensor of shape (n, T, hidden_dim)
            The policy's state after each step.
        condition : Tensor of shape (n, condition width)
        mask : Tensor of shape (n, T)
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (n, T), in [0, 1]
        """
        n, n_steps, width = row.shape
        # `ends[t]` holds the endings of the first t + 1 steps. All endings are written side by
        # side: step s is drawn for `ends[:s]`.
        ends = row.repeat(n_steps * self.n_rollouts, 1, 1).view(n_steps, -1, n_steps, width)
        state = states[:0, 0]
        for step in range(1, n_steps):
            state = torch.cat([state, states[:, step - 1].repeat(self.n_rollouts, 1)])
            _, drawn = draw_step(self.policy, self.layout, state, rng)
            ends[:step, :, step] = drawn.view(step, -1, width)
            state = self.policy.advance(drawn, condition.repeat(step * self.n_rollouts, 1), state)
        many = n_steps * self.n_rollouts
        score = self.adversary.score(
            ends.flatten(0, 1), condition.repeat(many, 1), mask.repeat(many, 1)
        )
        return torch.sigmoid(score).view(n_steps, self.n_rollouts, n).mean(dim=1).T

    def log_likelihood(self, batch: Batch) -> Tensor:
        """Return the log-probability of sequences under the policy, shape (n,), in nats."""
        return self._step_log_likelihood(batch, batch.row, batch.table.codes).sum(dim=1)

    def _step_log_likelihood(self, batch: Batch, row: Tensor, codes: Tensor) -> Tensor:
        """Return the log-probability of each step of sequences, shape (n, T), in nats."""
        given = condition_and_mask(batch)
        return step_log_likelihood(self.policy, self.layout, row, codes, *given)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Return the loss of telling real from written sequences; zero during pre-training."""
        if batch.progress < self.pretraining:
            return _idle(self.adversary)
        condition, mask = condition_and_mask(batch)
        _, row, _ = write(self.policy, self.layout, condition, mask.shape[1], batch.rng)
        return self.adversary.critic_loss(batch, batch.row, row * mask[..., None], condition, mask)

    def policy_loss(self, batch: Batch) -> Tensor:
        """Return the negative log-likelihood, and after pre-training the loss of REINFORCE.

        The loss of REINFORCE is that of equations 6 to 8 of Yu et al. (2017). It is zero while the
        discriminator learns alone.
        """
        if batch.progress < self.pretraining:
            return -self.log_likelihood(batch).mean()
        if batch.progress < self.warming:
            return _idle(self.policy)
        condition, mask = condition_and_mask(batch)
        codes, row, states = write(self.policy, self.layout, condition, mask.shape[1], batch.rng)
        reward = self.returns(row, states, condition, mask, batch.rng)
        # NOTE[DIFF] The mean reward at each step is subtracted as a baseline. This lowers the
        # variance of the gradient.
        advantage = reward - reward.mean(dim=0)
        return -(advantage * self._step_log_likelihood(batch, row, codes)).sum(dim=1).mean()

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the negative log-likelihood of a sequence, in nats."""
        return {"nll": -self.log_likelihood(batch).mean()}


def _idle(module: nn.Module) -> Tensor:
    """Return a loss of zero, which leaves the module as it is."""
    return torch.stack([parameter.sum() for parameter in module.parameters()]).sum() * 0.0


class SeqGANSynthesizer(Adversarial, SequenceLikelihood, SequenceSynthesizer):
    """SeqGAN [1]_: a policy that learns by reinforcement to write sequences of categories.

    The policy is a recurrent network that gives the probabilities of the next step. It learns by
    maximum likelihood first. Then a discriminator of finished sequences rewards the policy: the
    reward of a step is the mean score of endings that the policy writes after that step
    (REINFORCE). Numbers are cut into bins by their quantiles. The channels of one step are drawn
    independently of each other, given the steps before.

    Use this class to study play. Play does not beat likelihood alone: sequences become more
    typical, and less of what real sequences do is left. ``pretraining=1`` is quicker, and
    `RCGANSynthesizer` is better. `early_stopping` undoes play that lowers the likelihood of
    held-out sequences.

    The class differs from the paper in a baseline for the reward, which lowers the variance of the
    gradient.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Number of training steps, those of pre-training included. None takes 1,500 steps.
    batch_size : int >= 1, default=64
    learning_rate : float > 0, default=2e-3
    hidden_dim : int >= 1, default=64
    pretraining : float in [0, 1], default=0.6
        Share of the steps in which the policy learns by maximum likelihood. With 1 it learns by
        nothing else.
    n_rollouts : int >= 1, default=4
        Number of endings that the policy writes after each step of a sequence to estimate the
        reward.
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
    .. [1] Yu et al. (2017), "SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient",
       arXiv 1609.05473, Algorithm 1 and equations 4 to 8.

    Examples
    --------
    >>> from tabgan import SeqGANSynthesizer
    >>> from tabgan.datasets import make_markov_sequences
    >>> table = make_markov_sequences(30, n_steps=6, as_frame=True, random_state=0).frame
    >>> table.columns.tolist()
    ['entity', 'time', 'state']
    >>> model = SeqGANSynthesizer(entity="entity", time="time", n_steps=10, random_state=0)
    >>> model.fit(table).sample(2).shape
    (12, 3)
    >>> model.score_samples(table).shape
    (30,)
    """

    plan = Plan(n_steps=1500, numbers="bins", max_bins=32)
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "pretraining": number(0, 1),
        "n_rollouts": integer(1),
    }

    def __init__(
        self,
        *,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        hidden_dim: int = 64,
        pretraining: float = 0.6,
        n_rollouts: int = 4,
        **shared: Any,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            learning_rate=learning_rate,
            hidden_dim=hidden_dim,
            **shared,
        )
        self.pretraining = pretraining
        self.n_rollouts = n_rollouts

    def _make_game(self, encoding: SequenceEncoding) -> SeqGANGame:
        n_given = encoding.condition_layout.width
        dims = (self.hidden_dim, self.n_rollouts, self.pretraining)
        return SeqGANGame(encoding.layout, n_given, *dims)

    def _make_chain(self, game: Any, encoding: SequenceEncoding) -> Source:
        return Written(game, encoding)
