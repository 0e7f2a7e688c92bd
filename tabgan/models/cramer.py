"""Cramér GAN: the energy distance between real and made rows, in features that a critic learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch
from tabgan.adversarial.losses import ENERGY
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.checks import Rule, integer, number
from tabgan.estimators.estimator import Latent
from tabgan.estimators.features import Features
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.models.gan import GANGame
from tabgan.networks.ranks import RankCritic


class EnergyCritic(RankCritic):
    """Scores how much nearer a row is to one real row than to one made row, in its outputs h."""

    def embed(self, x: Tensor) -> Tensor:
        """Compute features h of rows (n, width), shape (n, n_outputs)."""
        return self.out(self.features(x))

    def forward(self, x: Tensor, *given: Tensor) -> Tensor:
        """Return ``|h(x) - h_fake| - |h(x) - h_real|``, shape (n,), of rows and the other two h."""
        h, (h_fake, h_real) = self.embed(x), given
        return _distance(h, h_fake) - _distance(h, h_real)


class CramerGame(GANGame):
    """A generator against features in which real and made rows are far apart.

    With x and x' for real rows and g and g' for made ones, all of them independent, and the critic
    ``f(x) = |h(x) - h(g')| - |h(x) - h(x')|``, the mean of ``f(x) - f(g)`` is the energy distance
    ``2 E|h(x) - h(g)| - E|h(x) - h(x')| - E|h(g) - h(g')|``, without bias. The critic maximises
    it and the generator minimises it. Bellemare et al. (2017), Algorithm 1.
    """

    def _others(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Features of made and of real rows that are independent of those scored."""
        # NOTE[DIFF] the paper's Algorithm 1 puts |h(x)| for the distance to another real row,
        # for want of two real samples of one condition; a batch has as many as it has rows.
        h = self.adversary.critic.embed
        return h(self.fake(batch)), h(batch.row.roll(1, 0))

    def critic_loss(self, batch: Batch) -> Tensor:
        """Negative energy distance, and the penalty on the slope of f."""
        return self.adversary.critic_loss(batch, batch.row, self.fake(batch), *self._others(batch))

    def generator_loss(self, batch: Batch) -> Tensor:
        """Energy distance."""
        return self.adversary.generator_loss(
            batch, batch.row, self.fake(batch), *self._others(batch)
        )

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Energy distance in the features h."""
        others = self._others(batch)
        real, fake = self.adversary.score(batch.row, *others), self.fake(batch)
        return {"energy": (real - self.adversary.score(fake, *others)).mean()}


class CramerGANSynthesizer(Features, Latent, TableSynthesizer):
    """Cramér GAN [1]_ for mixed tables.

    Like `WGANSynthesizer`, with the energy distance in place of Wasserstein's: the mean of a batch
    estimates it, and its gradient, without bias. `transform` gives the critic's features h, of
    shape (n, hidden_dim).

    Parameters
    ----------
    n_critic : int, default=5
        Critic updates per generator update.
    penalty_weight : float, default=1
        The gradient penalty's lambda; 10 in [1]_.
    acceptance_rounds : int, default=6
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Bellemare et al. (2017), "The Cramer Distance as a Solution to Biased Wasserstein
       Gradients", arXiv 1705.10743, Algorithm 1.
    """

    plan = Plan(numbers="bins")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "n_critic": integer(1),
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        n_critic: int = 5,
        penalty_weight: float = 1.0,
        acceptance_rounds: int = 6,
        **shared: Any,
    ) -> None:
        super().__init__(acceptance_rounds=acceptance_rounds, **shared)
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)]

    def _make_game(self, encoding: Encoding) -> CramerGame:
        layout = encoding.layout
        hidden_dim = self.hidden_dim
        shape = (0, [hidden_dim] * 2, hidden_dim)
        critic = EnergyCritic(layout, encoding.level_ranks, *shape)
        return CramerGame(
            layout,
            0,
            self.latent_dim,
            hidden_dim,
            ENERGY,
            n_critic=self.n_critic,
            temperature=GUMBEL_TEMPERATURE,
            critic=critic,
        )

    def _features(self, row: Tensor) -> Tensor:
        return self._core.game.adversary.critic.embed(row)

    @property
    def _n_features_out(self) -> int:
        return self.hidden_dim


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances of n pairs, shape (n,)."""
    # The root of zero has no gradient, and equal rows are common where all columns are categories.
    return ((a - b).square().sum(dim=1) + 1e-12).sqrt()
