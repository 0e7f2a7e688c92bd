"""SeqGAN: categorical sequences by policy gradient."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.losses import NON_SATURATING
from tabgan.adversarial.plan import Plan
from tabgan.checks import Rule, integer, number
from tabgan.estimators.estimator import Adversarial
from tabgan.estimators.sequences import SequenceSynthesizer
from tabgan.generation.sequence_set import condition_and_mask
from tabgan.generation.sequences import CHUNK, SequenceEncoding, Written
from tabgan.generation.source import Source
from tabgan.generation.writing import draw_step, step_log_likelihood, write
from tabgan.networks.patterns import PatternCritic
from tabgan.networks.recurrent import RecurrentPolicy
from tabgan.table.layout import Layout

WARMING = 0.1
"""Share of the steps after pre-training in which the discriminator alone learns."""


class SeqGANGame(Game):
    """A policy that writes sequences step by step, rewarded by a discriminator of whole ones.

    As in the paper, the policy is recurrent and the discriminator convolutional.

    In the first part of a run the policy learns by maximum likelihood, in a short second one the
    discriminator learns what the policy then makes, and in the rest they play.

    Parameters
    ----------
    layout : Layout
        Of a step: softmax blocks alone.
    n_given : int
        Width of the condition.
    hidden_dim, n_rollouts : int
    pretraining : float in [0, 1]
        Share of the run that maximises likelihood.
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
        """Discriminator, then policy."""
        return (
            Player("discriminator", (self.adversary,), self.discriminator_loss),
            Player("policy", (self.policy,), self.policy_loss),
        )

    def unroll(self, condition: Tensor, n_steps: int, rng: torch.Generator) -> Tensor:
        """Write sequences: codes of shape (n, n_steps, n_blocks)."""
        return write(self.policy, self.layout, condition, n_steps, rng)[0]

    @torch.no_grad()
    def returns(
        self, row: Tensor, states: Tensor, condition: Tensor, mask: Tensor, rng: torch.Generator
    ) -> Tensor:
        """Estimate the reward expected after each step of written sequences, shape (n, T).

        The reward is the discriminator's probability that a finished sequence is real. After the
        last step it is known; before, it is the mean over `n_rollouts` Monte-Carlo ends that the
        policy writes (equation 4 of Yu et al., 2017).
        """
        n, n_steps, width = row.shape
        # All ends are written side by side: at step t those of the first t prefixes.
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
        """Log-probability of sequences under the policy, shape (n,), in nats."""
        return self._step_log_likelihood(batch, batch.row, batch.table.codes).sum(dim=1)

    def _step_log_likelihood(self, batch: Batch, row: Tensor, codes: Tensor) -> Tensor:
        given = condition_and_mask(batch)
        return step_log_likelihood(self.policy, self.layout, row, codes, *given)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Loss of telling real from written sequences."""
        if batch.progress < self.pretraining:
            return _idle(self.adversary)
        condition, mask = condition_and_mask(batch)
        _, row, _ = write(self.policy, self.layout, condition, mask.shape[1], batch.rng)
        return self.adversary.critic_loss(batch, batch.row, row * mask[..., None], condition, mask)

    def policy_loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood at first, later REINFORCE (equations 6 to 8)."""
        if batch.progress < self.pretraining:
            return -self.log_likelihood(batch).mean()
        if batch.progress < self.warming:
            return _idle(self.policy)
        condition, mask = condition_and_mask(batch)
        codes, row, states = write(self.policy, self.layout, condition, mask.shape[1], batch.rng)
        reward = self.returns(row, states, condition, mask, batch.rng)
        # NOTE[DIFF] A baseline, the mean reward after as many steps: less variance, no bias.
        advantage = reward - reward.mean(dim=0)
        return -(advantage * self._step_log_likelihood(batch, row, codes)).sum(dim=1).mean()

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood per sequence, in nats."""
        return {"nll": -self.log_likelihood(batch).mean()}


def _idle(module: nn.Module) -> Tensor:
    """Return a loss of zero that moves nothing."""
    return torch.stack([parameter.sum() for parameter in module.parameters()]).sum() * 0.0


class SeqGANSynthesizer(Adversarial, SequenceSynthesizer):
    """SeqGAN [1]_: a policy learns to write sequences of categories by reinforcement.

    The policy, a recurrent network, gives the next step's probabilities. It learns by maximum
    likelihood first; then a discriminator of finished sequences rewards each step by what comes of
    it in Monte-Carlo roll-outs (REINFORCE). Numbers are binned by their quantiles. The channels of
    a step are drawn independently of each other given the steps before.

    Whether play improves on likelihood, `score_samples` of held-out sequences tells.

    Parameters
    ----------
    n_steps : int or None, default=None
        Training steps, those of likelihood included. None: 1,500.
    batch_size : int, default=64
        Sequences per update.
    learning_rate : float, default=2e-3
        Adam's.
    hidden_dim : int, default=64
        Width of the recurrent states.
    pretraining : float in [0, 1], default=0.6
        Share of the steps that maximise likelihood; 1 leaves it at that.
    n_rollouts : int, default=4
        Roll-outs for each step of a sequence.
    **shared
        See `SequenceSynthesizer`.

    References
    ----------
    .. [1] Yu et al. (2017), "SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient",
       arXiv 1609.05473, Algorithm 1 and equations 4 to 8.
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

    def score_samples(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Log-probability of sequences.

        Parameters
        ----------
        X : DataFrame with a row for each step, or array-like of shape (n, T, d)
        y : array-like of shape (n,), default=None
            The sequences' labels, if `fit` got labels.

        Returns
        -------
        ndarray of shape (n,)
            In nats, given what a sequence has once, its length above all; that of a bin for
            numbers. Categories not seen in training cost nothing. In the order in which entities
            first appear.
        """
        check_is_fitted(self)
        core, rng = self._core, np.random.default_rng(self._seed)
        data = core.encoding.encode_sequences(self._read(X, y, anew=False), rng)
        noise = torch.Generator(core.device)
        with torch.no_grad():
            parts = [
                core.game.log_likelihood(data.batch(index, noise))
                for index in data.index.split(1 + CHUNK // data.table.n_steps)
            ]
        return torch.cat(parts).cpu().numpy().astype(np.float64)
