"""Least-squares GAN."""

from __future__ import annotations

from torch import Tensor

from tabgan.adversarial.losses import AdversarialLoss
from tabgan.estimators.adversarial import Latent
from tabgan.estimators.features import CriticFeatures
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.models.gan import GANGame


def critic_least_squares(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2`` (Mao et al., 2017, equation 9)."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def generator_least_squares(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E (D(G(z)) - 1)^2 / 2`` (Mao et al., 2017, equation 9)."""
    return (fake - 1).square().mean() / 2


LEAST_SQUARES = AdversarialLoss(critic_least_squares, generator_least_squares)


class LSGANSynthesizer(CriticFeatures, Latent, TableSynthesizer):
    """Least-squares GAN [1]_: the discriminator regresses 1 on real rows and 0 on synthetic rows.

    The generator minimises the squared distance of the discriminator's output from 1. Use this
    class as a baseline, and as an example of a system of your own. On categories it has the
    weakness of `GANSynthesizer`. `transform` gives the features that it gives there.

    Parameters
    ----------
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Mao et al. (2017), "Least Squares Generative Adversarial Networks", arXiv 1611.04076.

    Examples
    --------
    >>> from tabgan import LSGANSynthesizer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(100, random_state=0)
    >>> model = LSGANSynthesizer(n_steps=5, random_state=0).fit(table)
    >>> model.sample(3).shape
    (3, 10)
    """

    def _make_game(self, encoding: Encoding) -> GANGame:
        n_given = encoding.condition_layout.width
        return GANGame(encoding.layout, n_given, self.latent_dim, self.hidden_dim, LEAST_SQUARES)
