"""Wasserstein GAN with gradient penalty or with clipped weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from tabgan.adversarial.game import GUMBEL_TEMPERATURE
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.techniques import GradientPenalty, Technique, WeightClipping
from tabgan.checks import NONE, Rule, choice, number
from tabgan.estimators.adversarial import Causal, Latent
from tabgan.estimators.features import CriticFeatures
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.models.gan import GANGame
from tabgan.networks.ranks import RankCritic


class WGANSynthesizer(CriticFeatures, Causal, Latent, TableSynthesizer):
    """Wasserstein GAN [1]_ with gradient penalty [2]_, for tables with columns of any kind.

    The critic scores rows, and the mean score of real rows minus that of synthetic rows estimates
    the Wasserstein distance. The critic maximises the estimate, held to a slope of at most one, and
    the generator minimises it.

    The generator has one softmax block for each column. A block has a level for each category; for
    a number it has a level for each frequent value, and bins of equal mass for the other values. If
    levels have an order, the critic also sees smooth functions of their ranks.

    By default the generator draws one column after another, each given the columns before it. The
    critic sees the drawn levels, and its gradients pass through them to the generator [3]_. The
    probability of every row is known, so the generator also minimises the negative log-likelihood
    of real rows. Nearly all of the fidelity of its rows comes from there; the critic gives scores
    and features. With ``generator="joint"`` the generator is that of the papers: it turns z into
    all columns at once, and learns from the critic alone.

    Use this class for rows together with features and scores of a critic, and to study GANs on
    tables. For rows alone, `AutoregressiveSynthesizer` is as good and quicker. The estimated
    distance does not say when to stop, because the critic continues to learn while rows improve;
    `early_stopping` asks held-out rows instead.

    `transform` gives the first four principal components of the critic's last hidden layer, scaled
    so that their variances add up to 0.25, and rounded to whole standard deviations.

    The class differs from the papers in the generator and in the likelihood, in the Gumbel-softmax
    draws [3]_ that the critic sees, in the weight of the penalty, in the functions of ranks, and in
    the rejection of rows after training.

    Parameters
    ----------
    lipschitz : {"gp", "clip"}, default="gp"
        How the slope of the critic is bounded: by a gradient penalty [2]_ or by clipped weights
        [1]_.
    penalty_weight : float >= 0, default=1
        Weight of the gradient penalty on the critic, lambda in [2]_, with ``lipschitz="gp"``. The
        paper takes 10; 1 gave better tables.
    temperature : float > 0 or None, default=0.5
        Temperature of the Gumbel-softmax draws [3]_ through which the critic's gradients pass. A
        joint generator shows the critic these soft draws, and with None the plain softmax, so that
        z has to decide every level. A causal generator shows the critic exact levels, and takes
        None for 0.5.
    clip : float > 0, default=0.01
        Bound of the absolute value of the critic's weights, c in [1]_, with ``lipschitz="clip"``.
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Arjovsky et al. (2017), "Wasserstein GAN", arXiv 1701.07875, Algorithm 1.
    .. [2] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028,
       Algorithm 1.
    .. [3] Jang et al. (2017), "Categorical Reparameterization with Gumbel-Softmax", arXiv
       1611.01144, equation 2.

    Examples
    --------
    >>> from tabgan import WGANSynthesizer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(100, random_state=0)
    >>> model = WGANSynthesizer(n_steps=5, hidden_dim=32, random_state=0).fit(table)
    >>> model.sample(3).shape
    (3, 10)
    >>> model.transform(table).shape
    (100, 4)
    >>> model.score_samples(table).shape
    (100,)
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "lipschitz": choice("gp", "clip"),
        "penalty_weight": number(0),
        "temperature": number(0, closed="neither") | NONE,
        "clip": number(0, closed="neither"),
    }

    def __init__(
        self,
        *,
        lipschitz: Literal["gp", "clip"] = "gp",
        penalty_weight: float = 1.0,
        temperature: float | None = GUMBEL_TEMPERATURE,
        clip: float = 0.01,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.lipschitz = lipschitz
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
            n_critic=self._n_critic(),
            temperature=self.temperature,
            critic=critic,
            causal=self._causal_generator(encoding, self.temperature),
        )
