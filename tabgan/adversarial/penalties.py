"""Penalties on the gradient of a discriminator's or critic's score by the scored rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]


def gradient_penalty(score: Score, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Penalise gradients whose norm is not one, at rows between real and fake rows (WGAN-GP [1]_).

    Parameters
    ----------
    score : callable, (n, ...) -> (n,)
        Scores each row independently of the others; with batch normalisation the penalty is wrong.
    real, fake : Tensor of shape (n, ...)
        Encoded rows (scalars in [-1, 1], one-hot or softmax blocks), latent codes or sequences.
    rng : torch.Generator
        Draws the position of each row on the line from the fake to the real row.

    Returns
    -------
    Tensor, scalar
        ``E (|grad D(x)| - 1)^2``, at x uniform on the lines between real and fake rows, at least 0.

    References
    ----------
    .. [1] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028,
       Algorithm 1.

    Examples
    --------
    A score of slope 2 has the squared slope 4:

    >>> import torch
    >>> from tabgan.adversarial.penalties import gradient_penalty
    >>> rng = torch.Generator().manual_seed(0)
    >>> real, fake = torch.ones(5, 1), torch.zeros(5, 1)
    >>> gradient_penalty(lambda x: 2.0 * x.squeeze(1), real, fake, rng).item()
    1.0
    """
    shape = (len(real), *[1] * (real.dim() - 1))
    share = torch.rand(shape, generator=rng, dtype=real.dtype, device=real.device)
    slope = squared_slope(score, torch.lerp(fake, real, share))
    # The square root has no gradient at zero, and an untrained critic can have slope zero. The
    # small summand keeps the gradient finite.
    return ((slope + 1e-12).sqrt() - 1.0).square().mean()


def r1_penalty(score: Score, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Penalise gradients at real rows, ``E |grad D(x)|^2 / 2`` [1]_.

    Parameters
    ----------
    score : callable, (n, ...) -> (n,)
        Scores each row independently of the others; with batch normalisation the penalty is wrong.
    real, fake : Tensor of shape (n, ...)
        Encoded rows (scalars in [-1, 1], one-hot or softmax blocks), latent codes or sequences.
        The penalty does not look at `fake`.
    rng : torch.Generator
        Not used.

    Returns
    -------
    Tensor, scalar
        Half the mean squared norm of the gradient at real rows, at least 0.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, equation 9.

    Examples
    --------
    A score of slope 2 has the squared slope 4:

    >>> import torch
    >>> from tabgan.adversarial.penalties import r1_penalty
    >>> rng = torch.Generator().manual_seed(0)
    >>> real, fake = torch.ones(5, 1), torch.zeros(5, 1)
    >>> r1_penalty(lambda x: 2.0 * x.squeeze(1), real, fake, rng).item()
    2.0
    """
    return squared_slope(score, real).mean() / 2


def r2_penalty(score: Score, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Penalise gradients at fake rows, ``E |grad D(G(z))|^2 / 2`` [1]_.

    Parameters
    ----------
    score : callable, (n, ...) -> (n,)
        Scores each row independently of the others; with batch normalisation the penalty is wrong.
    real, fake : Tensor of shape (n, ...)
        Encoded rows (scalars in [-1, 1], one-hot or softmax blocks), latent codes or sequences.
        The penalty does not look at `real`.
    rng : torch.Generator
        Not used.

    Returns
    -------
    Tensor, scalar
        Half the mean squared norm of the gradient at fake rows, at least 0.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, equation 10.

    Examples
    --------
    A score of slope 2 has the squared slope 4:

    >>> import torch
    >>> from tabgan.adversarial.penalties import r2_penalty
    >>> rng = torch.Generator().manual_seed(0)
    >>> real, fake = torch.ones(5, 1), torch.zeros(5, 1)
    >>> r2_penalty(lambda x: 2.0 * x.squeeze(1), real, fake, rng).item()
    2.0
    """
    return squared_slope(score, fake).mean() / 2


def squared_slope(score: Score, x: Tensor) -> Tensor:
    """Return the squared norm of the score's gradient at each input, with a graph for backward.

    Parameters
    ----------
    score : callable, (n, ...) -> (n,)
        Scores each row independently of the others, so that the gradient of the sum of the scores
        holds the gradient of each score.
    x : Tensor of shape (n, ...)

    Returns
    -------
    Tensor of shape (n,)
    """
    # Inputs that require a gradient come from a network that the same player trains. Such inputs
    # keep their graph, so that the penalty also reaches that network.
    x = x if x.requires_grad else x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(x).sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(dim=1)
