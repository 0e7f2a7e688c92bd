"""Wasserstein GAN, with gradient penalty or clipped weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from tabgan.adversarial.game import GUMBEL_TEMPERATURE
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import GradientPenalty, Technique, WeightClipping
from tabgan.checks import NONE, Rule, choice, integer, number
from tabgan.estimators.estimator import Latent
from tabgan.estimators.features import CriticFeatures
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.models.gan import GANGame
from tabgan.networks.ranks import RankCritic


class WGANSynthesizer(CriticFeatures, Latent, TableSynthesizer):
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
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Arjovsky et al. (2017), "Wasserstein GAN", arXiv 1701.07875, Algorithm 1.
    .. [2] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028,
       Algorithm 1.
    .. [3] Jang et al. (2017), "Categorical Reparameterization with Gumbel-Softmax",
       arXiv 1611.01144, equation 2.
    """

    plan = Plan(numbers="bins")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "lipschitz": choice("gp", "clip"),
        "n_critic": integer(1),
        "penalty_weight": number(0),
        "temperature": number(0, closed="neither") | NONE,
        "clip": number(0, closed="neither"),
    }

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
        if self.lipschitz == "clip":
            return [WeightClipping(self.clip)]
        return [GradientPenalty(self.penalty_weight)]

    def _make_game(self, encoding: Encoding) -> GANGame:
        layout, n_given = encoding.layout, encoding.condition_layout.width
        hidden_dim = self.hidden_dim
        critic = RankCritic(layout, encoding.level_ranks, n_given, [hidden_dim] * 3)
        return GANGame(
            layout,
            n_given,
            self.latent_dim,
            hidden_dim,
            WASSERSTEIN,
            n_critic=self.n_critic,
            temperature=self.temperature,
            critic=critic,
        )
