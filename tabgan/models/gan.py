"""The generative adversarial network, and the game that its relatives share."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.causal import PLAYED, RATE, CausalGenerator
from tabgan.adversarial.game import Batch, Game, Player, draw_normal, soften
from tabgan.adversarial.losses import MINIMAX, NON_SATURATING, AdversarialLoss
from tabgan.adversarial.plan import Plan
from tabgan.checks import Rule, choice
from tabgan.estimators.adversarial import CAUSAL_PLAN, Causal, Latent
from tabgan.estimators.features import CriticFeatures
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.networks.ranks import RankCritic
from tabgan.table.layout import Layout


class GANGame(Game):
    """A generator against a discriminator or critic; both get the condition if there is one.

    Parameters
    ----------
    layout : Layout
    n_given : int
        Width of the condition.
    latent_dim, hidden_dim : int
    loss : AdversarialLoss
    n_critic : int
        Number of updates of the critic for each update of the generator.
    temperature : float or None
        Temperature of the Gumbel-softmax draws that the critic sees as synthetic rows. With None
        the critic sees the plain softmax.
    critic : Critic, optional
        Critic of rows and their conditions. By default it has three layers of `hidden_dim` units.
    causal : CausalGenerator, optional
        A generator that draws one column after another. Without it the generator turns z and the
        condition into all columns at once.
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
        causal: CausalGenerator | None = None,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.judge_name, self.gap_name, self.n_critic = loss.judge, loss.gap, n_critic
        self.latent_dim = latent_dim
        self.temperature = temperature
        self.is_causal = causal is not None
        self.generator: Any = causal or ResidualMLP(
            latent_dim + n_given, [hidden_dim] * 2, layout.width
        )
        critic = critic or Critic(layout.width + n_given, [hidden_dim] * 3)
        self.adversary = Adversary(critic, loss)

    def players(self) -> tuple[Player, ...]:
        """Return the discriminator or critic, with `n_critic` updates, then the generator."""
        rate = RATE if self.is_causal else 1.0
        return (
            Player(self.judge_name, (self.adversary,), self.critic_loss, self.n_critic),
            Player("generator", (self.generator,), self.generator_loss, rate=rate),
        )

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Generate raw rows, shape (n, width), one for each condition."""
        z = draw_normal(len(condition), self.latent_dim, rng)
        return self.generator(torch.cat([z, condition], dim=1))

    def fake(self, batch: Batch) -> Tensor:
        """Generate rows for the conditions of a batch, as the critic sees them."""
        if self.is_causal:
            return self.generator.rows(batch.condition, batch.rng)
        return self.soften(self.generate(batch.condition, batch.rng), batch.rng)

    def soften(self, raw: Tensor, rng: torch.Generator) -> Tensor:
        """Turn raw rows into the soft rows that the critic sees: one softmax for each block."""
        if self.temperature is None:
            return self.layout.activate(raw)
        return soften(self.layout, raw, rng, self.temperature)

    def score(self, row: Tensor, condition: Tensor) -> Tensor:
        """Score encoded rows, shape (n,)."""
        return self.adversary.score(row, condition)

    def features(self, row: Tensor, condition: Tensor) -> Tensor:
        """Compute the activations of the critic's last hidden layer, shape (n, hidden_dim)."""
        return self.adversary.critic.features(row, condition)

    def score_gap(self, batch: Batch, fake: Tensor) -> Tensor:
        """Return the mean score of the real rows of a batch minus that of synthetic rows."""
        real = self.score(batch.row, batch.condition)
        return real.mean() - self.score(fake, batch.condition).mean()

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return an estimate of the distance that the loss minimises, if it minimises one."""
        if self.gap_name is None:
            return {}
        return {self.gap_name: self.score_gap(batch, self.fake(batch))}

    def beside(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return what the critic sees beside the rows of a batch: the condition."""
        return (batch.condition,)

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return the loss of telling real from synthetic rows."""
        batch = self._played(batch)
        return self.adversary.critic_loss(batch, batch.row, self.fake(batch), *self.beside(batch))

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the loss of synthetic rows that the critic tells apart."""
        some = self._played(batch)
        loss = self.adversary.generator_loss(some, some.row, self.fake(some), *self.beside(some))
        if self.is_causal and self.generator.likelihood_weight:
            loss = loss + self.generator.likelihood_loss(batch)
        return loss

    def _played(self, batch: Batch) -> Batch:
        """Return the rows of a batch that generator and critic play with."""
        return batch.first(PLAYED) if self.is_causal else batch


class GANSynthesizer(CriticFeatures, Causal, Latent, TableSynthesizer):
    """The original generative adversarial network [1]_: a generator against a discriminator.

    The generator G turns noise z into rows. The discriminator D gives the probability that a row is
    real, and maximises ``E log D(x) + E log(1 - D(G(z)))``. The generator makes the discriminator
    fail.

    Use this class as a baseline, or together with `techniques`. With its defaults it is not meant
    for rows to rely on: real categories are one-hot and synthetic categories are soft, so the
    discriminator tells them apart by that alone, and the generator learns little.
    `WGANSynthesizer` does not have this weakness. With ``generator="causal"`` columns are drawn one
    after another. The discriminator then sees exact categories of synthetic rows too, and the
    likelihood of real rows teaches the generator beside the game. `transform` gives the first four
    principal components of the discriminator's last hidden layer, scaled so that their variances
    add up to 0.25, and rounded to whole standard deviations.

    Parameters
    ----------
    loss : {"non-saturating", "minimax"}, default="non-saturating"
        What the generator minimises: ``-E log D(G(z))`` for "non-saturating", or ``E log(1 -
        D(G(z)))`` for "minimax".
    generator : {"causal", "joint"}, default="joint"
        How a row is made. "joint" turns z into all columns at once, as in [1]_. "causal" draws each
        column given the columns before it; beside it, set ``early_stopping=True`` and
        ``acceptance_rounds=3``. The constants of its training are in `causal_plan`.
    n_critic : int >= 1 or None, default=None
        Number of updates of the discriminator for each update of the generator. None takes 1.
    early_stopping : bool, default=False
    n_iter_no_change : int >= 1, default=5
    acceptance_rounds : int >= 0, default=0
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", arXiv 1406.2661, Algorithm 1.

    Examples
    --------
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import R1, R2, RelativisticPairing
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(100, random_state=0)
    >>> model = GANSynthesizer(n_steps=5, random_state=0).fit(table)
    >>> model.sample(3).shape
    (3, 10)
    >>> techniques = [RelativisticPairing(), R1(), R2()]
    >>> GANSynthesizer(techniques=techniques, n_steps=5, random_state=0).fit(table).n_steps_
    5
    """

    plan = Plan()
    causal_plan = CAUSAL_PLAN
    _n_critic_of_joint = 1
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "loss": choice("non-saturating", "minimax")
    }

    def __init__(
        self,
        *,
        loss: Literal["non-saturating", "minimax"] = "non-saturating",
        generator: Literal["causal", "joint"] = "joint",
        early_stopping: bool = False,
        n_iter_no_change: int = 5,
        acceptance_rounds: int = 0,
        **shared: Any,
    ) -> None:
        super().__init__(
            generator=generator,
            early_stopping=early_stopping,
            n_iter_no_change=n_iter_no_change,
            acceptance_rounds=acceptance_rounds,
            **shared,
        )
        self.loss = loss

    @property
    def _plan(self) -> Plan:
        return self.causal_plan if self._is_causal else self.plan

    def _make_game(self, encoding: Encoding) -> GANGame:
        layout, n_given = encoding.layout, encoding.condition_layout.width
        settings: dict[str, Any] = {"n_critic": self._n_critic()}
        if self._is_causal:
            hidden = [self.hidden_dim] * 3
            settings["causal"] = self._causal_generator(encoding)
            settings["critic"] = RankCritic(layout, encoding.level_ranks, n_given, hidden)
        loss = MINIMAX if self.loss == "minimax" else NON_SATURATING
        return GANGame(layout, n_given, self.latent_dim, self.hidden_dim, loss, **settings)
