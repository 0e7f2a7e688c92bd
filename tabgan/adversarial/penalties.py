"""Gradient penalties on a critic or discriminator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]


def gradient_penalty(score: Score, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Penalise slopes away from one between real and made rows (WGAN-GP).

    Parameters
    ----------
    score : callable, (n, ...) -> (n,)
        Must score rows independently: batch norm breaks the penalty.
    real, fake : Tensor of shape (n, ...)
        Encoded rows (scalars in [-1, 1], one-hot or softmax blocks), codes or sequences.
    rng : torch.Generator
        Draws where on the line between the two each row lies.

    Returns
    -------
    Tensor, scalar
        ``E (|grad D(x)| - 1)^2`` at x uniform between real and made rows.

    References
    ----------
    .. [1] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028,
       Algorithm 1.
    """
    shape = (len(real), *[1] * (real.dim() - 1))
    share = torch.rand(shape, generator=rng, dtype=real.dtype, device=real.device)
    slope = squared_slope(score, torch.lerp(fake, real, share))
    # The root of zero has no gradient, and a fresh critic can be flat somewhere.
    return ((slope + 1e-12).sqrt() - 1.0).square().mean()


def r1_penalty(score: Score, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Penalise slopes at real rows: ``E |grad D(x)|^2 / 2``.

    Parameters as in `gradient_penalty`; `fake` and `rng` are not looked at.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, equation 9.
    """
    return squared_slope(score, real).mean() / 2


def r2_penalty(score: Score, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Penalise slopes at made rows: ``E |grad D(G(z))|^2 / 2``.

    Parameters as in `gradient_penalty`; `real` and `rng` are not looked at.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, equation 10.
    """
    return squared_slope(score, fake).mean() / 2


def squared_slope(score: Score, x: Tensor) -> Tensor:
    """Squared norm of a score's gradient at each of n inputs, differentiable, shape (n,)."""
    # What was made by networks that learn at the same time stays part of the graph.
    x = x if x.requires_grad else x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(x).sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(dim=1)
