"""Losses of the adversarial game, each a function of discriminator or critic outputs alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


class AdversarialLoss(NamedTuple):
    """What a critic and what it judges play for, each a function of scores ``(real, fake)``.

    Attributes
    ----------
    critic, generator : callable, (Tensor of shape (n,), Tensor of shape (n,)) -> scalar Tensor
    paired : bool
        Whether the generator's loss looks at the scores of real rows too.
    judge : {"discriminator", "critic"}
        What scores rows: a discriminator, whose scores are logits, or a critic, whose scores have
        no bounds and no scale.
    gap : str or None
        What the mean score of real rows above synthetic ones estimates, if it estimates anything.
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    paired: bool = False
    judge: str = "discriminator"
    gap: str | None = None


def critic_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Negative Wasserstein estimate, ``E D(fake) - E D(real)``.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Critic scores.

    References
    ----------
    .. [1] Arjovsky et al. (2017), "Wasserstein GAN", arXiv 1701.07875, equation 2.
    """
    return fake.mean() - real.mean()


def generator_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``-E D(G(z))``, the critic's score negated (Arjovsky et al., 2017, Algorithm 1)."""
    return -fake.mean()


def discriminator_cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """Cross-entropy of telling real from made rows, ``-E log D(x) - E log(1 - D(G(z)))``.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Logits.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", arXiv 1406.2661, equation 1.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_non_saturating(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``-E log D(G(z))``, which keeps its gradient (Goodfellow et al., section 3)."""
    return F.softplus(-fake).mean()


def generator_minimax(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E log(1 - D(G(z)))``, the zero-sum game's (Goodfellow et al., equation 1)."""
    return -F.softplus(fake).mean()


def critic_relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """Loss of scoring real rows above the made rows they are paired with.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Critic scores; row i of one is paired with row i of the other.

    Returns
    -------
    Tensor, scalar
        ``E softplus(D(G(z)) - D(x))``.

    References
    ----------
    .. [1] Jolicoeur-Martineau (2018), "The relativistic discriminator", arXiv 1807.00734.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline",
       arXiv 2501.05441, equation 2.
    """
    return F.softplus(fake - real).mean()


def generator_relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E softplus(D(x) - D(G(z)))``, the critic's loss with the sides changed over."""
    return critic_relativistic(fake, real)


def generator_energy(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E D(x) - E D(G(z))``, the critic's score in full.

    For critics that look at made rows when they score real ones (Bellemare et al., 2017,
    "The Cramer Distance as a Solution to Biased Wasserstein Gradients", Algorithm 1).
    """
    return real.mean() - fake.mean()


NON_SATURATING = AdversarialLoss(discriminator_cross_entropy, generator_non_saturating)
MINIMAX = AdversarialLoss(discriminator_cross_entropy, generator_minimax)
WASSERSTEIN = AdversarialLoss(
    critic_wasserstein, generator_wasserstein, judge="critic", gap="wasserstein"
)
RELATIVISTIC = AdversarialLoss(critic_relativistic, generator_relativistic, paired=True)
ENERGY = AdversarialLoss(
    critic_wasserstein, generator_energy, paired=True, judge="critic", gap="energy"
)
