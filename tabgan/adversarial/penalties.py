"""Gradient penalties on a critic or discriminator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator,
    weight: float = 10.0,
) -> Tensor:
    """Penalise critic slopes away from one between real and made rows.

    Parameters
    ----------
    critic : callable, (n, d) -> (n,)
        Must score rows independently: batch norm breaks the penalty.
    real, fake : Tensor of shape (n, d)
        Encoded rows (scalars in [-1, 1], one-hot or softmax blocks).
    generator : torch.Generator
        Draws where on the line between the two each row lies.
    weight : float
        The paper's lambda.

    Returns
    -------
    Tensor, scalar
        ``weight * E (|grad D(x)| - 1)^2`` at x uniform between real and made rows.

    References
    ----------
    .. [1] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028,
       Algorithm 1.
    """
    share = torch.rand(len(real), 1, generator=generator, device=real.device)
    between = torch.lerp(fake.detach(), real, share).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # The root of zero has no gradient, and a fresh critic can be flat somewhere.
    norm = (slope.square().sum(dim=1) + 1e-12).sqrt()
    return weight * (norm - 1.0).square().mean()
