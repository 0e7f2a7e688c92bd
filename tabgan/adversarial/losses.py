"""Losses of the adversarial game, each a function of discriminator or critic outputs alone."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


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


def generator_wasserstein(fake: Tensor) -> Tensor:
    """Return ``-E D(G(z))``, the critic's score negated (Arjovsky et al., 2017, Algorithm 1)."""
    return -fake.mean()


def discriminator_cross_entropy(real: Tensor, fake: Tensor, share: Tensor | None = None) -> Tensor:
    """Cross-entropy of telling real from made rows, ``-E log D(x) - E log(1 - D(G(z)))``.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Logits.
    share : Tensor of shape (n,), optional
        What each real row weighs; 1 / n without it.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", arXiv 1406.2661, equation 1.
    """
    told = F.softplus(-real)
    return (told.mean() if share is None else (told * share).sum()) + F.softplus(fake).mean()


def generator_non_saturating(fake: Tensor) -> Tensor:
    """Return ``-E log D(G(z))``, which keeps its gradient (Goodfellow et al., section 3)."""
    return F.softplus(-fake).mean()


def generator_minimax(fake: Tensor) -> Tensor:
    """Return ``E log(1 - D(G(z)))``, the zero-sum game's (Goodfellow et al., equation 1)."""
    return -F.softplus(fake).mean()
