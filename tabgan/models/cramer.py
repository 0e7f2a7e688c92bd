"""Cramér GAN: the energy distance of real and synthetic rows in features that a critic learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch
from tabgan.adversarial.losses import ENERGY
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.checks import Rule, number
from tabgan.estimators.adversarial import Causal, Latent
from tabgan.estimators.features import Features, Principal, Scaling
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.models.gan import GANGame
from tabgan.networks.ranks import RankCritic


class EnergyCritic(RankCritic):
    """A critic that scores how much nearer a row is to a real row than to a synthetic row.

    Distances are those of the features h, which are the outputs of the network.
    """

    def embed(self, x: Tensor) -> Tensor:
        """Compute the features h of rows of shape (n, width), shape (n, n_outputs)."""
        return self.out(self.features(x))

    def forward(self, x: Tensor, *given: Tensor) -> Tensor:
        """Return ``|h(x) - h_fake| - |h(x) - h_real|`` of rows x, shape (n,).

        Parameters
        ----------
        x : Tensor of shape (n, width)
            Encoded rows.
        *given : two Tensors of shape (n, n_outputs)
            The features of a synthetic row and of a real row for each x.
        """
        h, (h_fake, h_real) = self.embed(x), given
        return _distance(h, h_fake) - _distance(h, h_real)


class CramerGame(GANGame):
    """A generator against a critic whose features set real and synthetic rows far apart.

    Let x and x' be real rows, g and g' synthetic rows, all independent. With the critic ``f(x) =
    |h(x) - h(g')| - |h(x) - h(x')|``, the mean of ``f(x) - f(g)`` is the energy distance ``2 E|h(x)
    - h(g)| - E|h(x) - h(x')| - E|h(g) - h(g')|``, without bias. The critic maximises the energy
    distance, and the generator minimises it (Bellemare et al., 2017, Algorithm 1).
    """

    def beside(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Compute features of synthetic and real rows that are independent of scored rows."""
        # NOTE[DIFF] Algorithm 1 of the paper takes |h(x)| for the distance to a second real row,
        # because it has only one real row for each condition. A batch without conditions has many.
        h = self.adversary.critic.embed
        return h(self.fake(batch)), h(batch.row.roll(1, 0))

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the energy distance in the features h."""
        others = self.beside(batch)
        real, fake = self.adversary.score(batch.row, *others), self.fake(batch)
        return {"energy": (real - self.adversary.score(fake, *others)).mean()}


class CramerGANSynthesizer(Scaling, Features, Causal, Latent, TableSynthesizer):
    """Cramér GAN [1]_: a GAN that minimises the energy distance in learnt features.

    The critic learns features h in which real and synthetic rows lie far apart, and the generator
    minimises the energy distance in these features. A batch estimates the energy distance and its
    gradient without bias, which does not hold for the Wasserstein distance. Columns are encoded and
    generated as in `WGANSynthesizer`: by default one after another, with the likelihood of real
    rows beside the loss of the game.

    Use this class as an alternative to `WGANSynthesizer`. `transform` gives the first four
    principal components of the features h, scaled so that their variances add up to 0.25, and
    rounded to whole standard deviations.

    The class differs from the paper in the generator, and in the critic's distance to a second real
    row, for which the paper takes ``|h(x)|``. Here each batch provides that second row.

    Parameters
    ----------
    penalty_weight : float >= 0, default=1
        Weight of the gradient penalty on the critic, lambda in [1]_. The paper takes 10.
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Bellemare et al. (2017), "The Cramer Distance as a Solution to Biased Wasserstein
       Gradients", arXiv 1705.10743, Algorithm 1.

    Examples
    --------
    >>> from tabgan import CramerGANSynthesizer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(100, random_state=0)
    >>> model = CramerGANSynthesizer(n_steps=5, hidden_dim=32, random_state=0).fit(table)
    >>> model.sample(3).shape
    (3, 10)
    >>> model.transform(table).shape
    (100, 4)
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        penalty_weight: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
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
            n_critic=self._n_critic(),
            temperature=GUMBEL_TEMPERATURE,
            critic=critic,
            causal=self._causal_generator(encoding),
        )

    def _unscaled(self, row: Tensor) -> Tensor:
        return self._core.game.adversary.critic.embed(row)

    def _make_scaling(self, game: CramerGame) -> Principal:
        return Principal(self.hidden_dim)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distances of n pairs, shape (n,)."""
    # The square root has no gradient at zero, and equal rows are common in tables of categories.
    return ((a - b).square().sum(dim=1) + 1e-12).sqrt()
