"""Distributions to which an autoencoder's latent codes are matched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tabgan.adversarial.game import draw_normal


@dataclass(frozen=True)
class Prior:
    """The distribution that an autoencoder's latent codes should have.

    Parameters
    ----------
    name : {"normal", "uniform", "mixture"}
        Independent normal entries, independent uniform entries, or the mixture of `draw_petals`.
    width : int >= 1
        Entries of a code.
    scale : float > 0, default=1.0
        Factor on every draw: the standard deviation of "normal", and half the width of "uniform".
    n_components : int >= 1, default=10
        Components of "mixture".

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.priors import Prior
    >>> codes = Prior("uniform", width=2).draw(5, torch.Generator().manual_seed(0))
    >>> codes.shape
    torch.Size([5, 2])
    >>> bool((codes.abs() <= 1.0).all())
    True
    """

    name: Literal["normal", "uniform", "mixture"]
    width: int
    scale: float = 1.0
    n_components: int = 10

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw codes on the generator's device.

        Parameters
        ----------
        n : int
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (n, width)
        """
        if self.name == "normal":
            return self.scale * draw_normal(n, self.width, rng)
        if self.name == "uniform":
            even = torch.rand(n, self.width, generator=rng, device=rng.device)
            return self.scale * (2 * even - 1)
        return self.scale * draw_petals(n, self.width, self.n_components, rng)


def draw_petals(n: int, width: int, n_components: int, rng: torch.Generator) -> Tensor:
    """Draw from a mixture of normals that lie like the petals of a flower [1]_.

    The petals lie in the plane of the first two entries. Each petal's centre is 2 from the origin.
    Each petal has standard deviation 0.5 along the ray from the origin and 0.15 across the ray.
    Further entries are standard normal.

    Parameters
    ----------
    n, width : int
    n_components : int >= 1
        Number of petals, which are equally probable.
    rng : torch.Generator

    Returns
    -------
    Tensor of shape (n, width)

    References
    ----------
    .. [1] Makhzani et al. (2016), "Adversarial Autoencoders", arXiv 1511.05644, figure 4.
    """
    code = draw_normal(n, max(2, width), rng)
    petal = torch.randint(n_components, (n,), generator=rng, device=rng.device)
    angle = petal * (2 * math.pi / n_components)
    outwards, across = 2 + 0.5 * code[:, 0], 0.15 * code[:, 1]
    x = outwards * angle.cos() - across * angle.sin()
    y = outwards * angle.sin() + across * angle.cos()
    return torch.cat([torch.stack([x, y], dim=1), code[:, 2:]], dim=1)[:, :width]
