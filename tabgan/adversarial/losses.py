"""Losses of the adversarial game, as functions of the scores of real and fake rows alone.

A discriminator's score is a logit. A critic's score has no bounds and no scale. D(x) stands for
the score, or where an equation takes the logarithm of D(x), for the logistic function of the logit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


class AdversarialLoss(NamedTuple):
    """The loss of the scoring network and the loss of the generator, as functions of the scores.

    Attributes
    ----------
    critic : callable, (real, fake) -> scalar Tensor
        Loss of the discriminator or critic, from scores of shape (n,).
    generator : callable, (real, fake) -> scalar Tensor
        Loss of the generator, from scores of shape (n,).
    paired : bool, default=False
        Whether the generator's loss also looks at the scores of real rows.
    judge : {"discriminator", "critic"}, default="discriminator"
        The kind of the scoring network: a discriminator, whose scores are logits, or a critic,
        whose scores have no bounds and no scale.
    gap : str or None, default=None
        Name of the distance that the mean score of real rows minus the mean score of fake rows
        estimates. None if the difference estimates no distance.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.losses import WASSERSTEIN
    >>> real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0])
    >>> WASSERSTEIN.critic(real, fake).item()
    -1.5
    >>> WASSERSTEIN.judge
    'critic'
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    paired: bool = False
    judge: str = "discriminator"
    gap: str | None = None


def critic_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Return the critic's loss of the Wasserstein GAN, ``E D(G(z)) - E D(x)`` [1]_.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Scores of a critic.

    Returns
    -------
    Tensor, scalar
        Minus the estimate of the Wasserstein-1 distance, if the critic is 1-Lipschitz.

    References
    ----------
    .. [1] Arjovsky et al. (2017), "Wasserstein GAN", arXiv 1701.07875, equation 2.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.losses import critic_wasserstein
    >>> critic_wasserstein(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0])).item()
    -1.5
    """
    return fake.mean() - real.mean()


def generator_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's loss of the Wasserstein GAN, ``-E D(G(z))`` [1]_.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Scores of a critic.
        The loss does not look at `real`.

    Returns
    -------
    Tensor, scalar
        Minus the mean score of fake rows.

    References
    ----------
    .. [1] Arjovsky et al. (2017), "Wasserstein GAN", arXiv 1701.07875, Algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.losses import generator_wasserstein
    >>> generator_wasserstein(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0])).item()
    -0.5
    """
    return -fake.mean()


def discriminator_cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's loss, ``-E log D(x) - E log(1 - D(G(z)))`` [1]_.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Logits of a discriminator.

    Returns
    -------
    Tensor, scalar
        Cross-entropy in nats, summed over real and fake rows.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", arXiv 1406.2661, equation 1.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.losses import discriminator_cross_entropy
    >>> round(discriminator_cross_entropy(torch.zeros(2), torch.zeros(2)).item(), 4)
    1.3863
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_non_saturating(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's non-saturating loss, ``-E log D(G(z))`` [1]_.

    The gradient of this loss stays large where the discriminator rejects all fake rows. The
    gradient of `generator_minimax` vanishes there.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Logits of a discriminator.
        The loss does not look at `real`.

    Returns
    -------
    Tensor, scalar
        Loss in nats.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", arXiv 1406.2661, section 3.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.losses import generator_non_saturating
    >>> round(generator_non_saturating(torch.zeros(2), torch.zeros(2)).item(), 4)
    0.6931
    """
    return F.softplus(-fake).mean()


def generator_minimax(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's loss of the zero-sum game, ``E log(1 - D(G(z)))`` [1]_.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Logits of a discriminator.
        The loss does not look at `real`.

    Returns
    -------
    Tensor, scalar
        Loss in nats, below 0.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", arXiv 1406.2661, equation 1.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.losses import generator_minimax
    >>> round(generator_minimax(torch.zeros(2), torch.zeros(2)).item(), 4)
    -0.6931
    """
    return -F.softplus(fake).mean()


def critic_relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """Return the loss of scoring each real row above the fake row of its pair [1]_ [2]_.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Scores; row i of `real` and row i of `fake` are one pair.

    Returns
    -------
    Tensor, scalar
        ``E softplus(D(G(z)) - D(x))``.

    References
    ----------
    .. [1] Jolicoeur-Martineau (2018), "The relativistic discriminator: a key element missing from
       standard GAN", arXiv 1807.00734.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline",
       arXiv 2501.05441, equation 2.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.losses import critic_relativistic
    >>> round(critic_relativistic(torch.tensor([2.0]), torch.tensor([0.0])).item(), 4)
    0.1269
    """
    return F.softplus(fake - real).mean()


def generator_relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """Return the loss of scoring each fake row above the real row of its pair [1]_ [2]_.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Scores; row i of `real` and row i of `fake` are one pair.

    Returns
    -------
    Tensor, scalar
        ``E softplus(D(x) - D(G(z)))``.

    References
    ----------
    .. [1] Jolicoeur-Martineau (2018), "The relativistic discriminator: a key element missing from
       standard GAN", arXiv 1807.00734.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline",
       arXiv 2501.05441, equation 2.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.losses import generator_relativistic
    >>> round(generator_relativistic(torch.tensor([2.0]), torch.tensor([0.0])).item(), 4)
    2.1269
    """
    return critic_relativistic(fake, real)


def generator_energy(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's loss of the energy distance, ``E D(x) - E D(G(z))`` [1]_.

    The critic of the Cramer GAN compares each row with fake rows, so that the scores of real rows
    also depend on the generator. `generator_wasserstein` would leave out that part of the gradient.

    Parameters
    ----------
    real, fake : Tensor of shape (n,)
        Scores of a critic.

    Returns
    -------
    Tensor, scalar
        The mean score of real rows minus the mean score of fake rows.

    References
    ----------
    .. [1] Bellemare et al. (2017), "The Cramer Distance as a Solution to Biased Wasserstein
       Gradients", arXiv 1705.10743, Algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.losses import generator_energy
    >>> generator_energy(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0])).item()
    1.5
    """
    return real.mean() - fake.mean()


NON_SATURATING = AdversarialLoss(discriminator_cross_entropy, generator_non_saturating)
"""Cross-entropy for the discriminator, and the non-saturating loss for the generator."""
MINIMAX = AdversarialLoss(discriminator_cross_entropy, generator_minimax)
"""The zero-sum game of Goodfellow et al. (2014), equation 1."""
WASSERSTEIN = AdversarialLoss(
    critic_wasserstein, generator_wasserstein, judge="critic", gap="wasserstein"
)
"""The losses of the Wasserstein GAN, for a critic that a technique keeps 1-Lipschitz."""
RELATIVISTIC = AdversarialLoss(critic_relativistic, generator_relativistic, paired=True)
"""The relativistic pairing losses; both losses look at pairs of a real and a fake row."""
ENERGY = AdversarialLoss(
    critic_wasserstein, generator_energy, paired=True, judge="critic", gap="energy"
)
"""The losses of the Cramer GAN, whose critic estimates the energy distance."""
