"""Wasserstein GAN, with gradient penalty or clipped weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from torch import Tensor

from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch, Player
from tabgan.adversarial.losses import WASSERSTEIN, AdversarialLoss
from tabgan.adversarial.ranks import RankCritic
from tabgan.adversarial.techniques import GradientPenalty, Technique, WeightClipping
from tabgan.estimators.featurizers import CriticFeaturizer
from tabgan.estimators.inputs import check_choice, check_integer
from tabgan.models.gan import GANGame
from tabgan.networks.mlp import Critic
from tabgan.table.layout import Layout


class WGANGame(GANGame):
    """A generator against a critic whose slope is to be held; see `WGANSynthesizer`."""

    loss: ClassVar[AdversarialLoss] = WASSERSTEIN

    def __init__(
        self,
        layout: Layout,
        n_given: int,
        latent_dim: int,
        hidden_dim: int,
        n_critic: int,
        temperature: float | None = GUMBEL_TEMPERATURE,
        critic: Critic | None = None,
    ) -> None:
        dims = (layout, n_given, latent_dim, hidden_dim)
        super().__init__(*dims, self.loss, temperature, critic)
        self.n_critic = n_critic

    def players(self) -> tuple[Player, ...]:
        """Critic, `n_critic` times, then generator."""
        return (
            Player("critic", (self.adversary,), self.critic_loss, self.n_critic),
            Player("generator", (self.generator,), self.generator_loss),
        )

    def wasserstein(self, batch: Batch, fake: Tensor) -> Tensor:
        """Estimate the Wasserstein distance between real and made rows."""
        real = self.score(batch.row, batch.condition)
        return real.mean() - self.score(fake, batch.condition).mean()

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Estimate the Wasserstein distance."""
        return {"wasserstein": self.wasserstein(batch, self.fake(batch))}


class WGANSynthesizer(CriticFeaturizer):
    """Wasserstein GAN [1]_ with gradient penalty [2]_ for mixed tables.

    Each column is one softmax block of the generator, of its categories or, for numbers, of the
    values that come often and bins of the others; the critic sees the soft block, and levels are
    drawn only when sampling, which is what lets a GAN make categorical data [2]_. Of blocks whose
    levels have an order it also sees smooth functions of their ranks.

    Parameters
    ----------
    lipschitz : {"gp", "clip"}, default="gp"
        How the critic is held 1-Lipschitz: gradient penalty or clipped weights.
    n_critic : int, default=5
        Critic updates per generator update.
    penalty_weight : float, default=1
        The gradient penalty's lambda; 10 in [2]_, 1 measured better on tables.
    temperature : float > 0 or None, default=0.5
        Made levels are Gumbel-softmax draws [3]_ of this temperature when the critic sees them,
        so that z need not decide each level; None gives the critic the plain softmax.
    clip : float, default=0.01
        Bound on the critic's weights for ``lipschitz="clip"``.
    acceptance_rounds : int, default=6
    **shared
        See `TableSynthesizer` and `AdversarialEstimator`.

    References
    ----------
    .. [1] Arjovsky et al. (2017), "Wasserstein GAN", arXiv 1701.07875, Algorithm 1.
    .. [2] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028,
       Algorithm 1.
    .. [3] Jang et al. (2017), "Categorical Reparameterization with Gumbel-Softmax",
       arXiv 1611.01144, equation 2.
    """

    _numeric_encoding = "bins"

    def __init__(
        self,
        *,
        lipschitz: Literal["gp", "clip"] = "gp",
        n_critic: int = 5,
        penalty_weight: float = 1.0,
        temperature: float | None = GUMBEL_TEMPERATURE,
        clip: float = 0.01,
        acceptance_rounds: int = 6,
        **shared: Any,
    ) -> None:
        super().__init__(acceptance_rounds=acceptance_rounds, **shared)
        self.lipschitz = lipschitz
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight
        self.temperature = temperature
        self.clip = clip

    def _own_techniques(self) -> Sequence[Technique]:
        check_choice("lipschitz", self.lipschitz, "gp", "clip")
        if self.lipschitz == "clip":
            return [WeightClipping(self.clip)]
        return [GradientPenalty(self.penalty_weight)]

    def _make_game(self, layout: Layout, condition_layout: Layout) -> WGANGame:
        check_integer("n_critic", self.n_critic)
        if self.temperature is not None and not self.temperature > 0:
            raise ValueError(f"temperature must be positive or None, got {self.temperature!r}.")
        n_given, hidden_dim = condition_layout.width, self.hidden_dim
        critic = RankCritic(layout, self._encoder.level_ranks, n_given, [hidden_dim] * 3)
        dims = (layout, n_given, self.latent_dim, hidden_dim)
        return WGANGame(*dims, self.n_critic, self.temperature, critic)
