"""Distributions to which an autoencoder's latent codes are matched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tabgan.adversarial.game import draw_normal

ACROSS = 0.15
"""Standard deviation of a petal across the ray from the origin."""

BITS = 32
"""Bits of a rounded code, at two for each entry of a code of sixteen."""


def code_step(width: int) -> float:
    """Return the step to which the entries of a code are rounded, in standard deviations.

    A code of `width` entries, each at one of ``2 ** (BITS / width)`` places in the range of four
    standard deviations, holds `BITS` bits. The step is at most 1. Codes of up to three entries are
    not rounded.

    Parameters
    ----------
    width : int >= 1
        Entries of a code.

    Returns
    -------
    float
        In [0, 1]; 0 stands for codes that are not rounded.

    Examples
    --------
    >>> from tabgan.adversarial.priors import code_step
    >>> code_step(16), code_step(8), code_step(2)
    (1.0, 0.25, 0.0)
    """
    return min(1.0, 4.0 * 2.0 ** (-BITS / width)) if width > 3 else 0.0


def rounding_noise(width: int) -> float:
    """Return the standard deviation of the error of rounding to `code_step`.

    A decoder that learns from codes with this much noise can read rounded codes.
    """
    return code_step(width) / math.sqrt(12.0)


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

    @property
    def noise(self) -> float:
        """Least standard deviation of a code: half of `rounding_noise`, by the narrowest part.

        All of `rounding_noise` makes the rows of an autoencoder less faithful.
        """
        narrowest = ACROSS if self.name == "mixture" else 1.0
        return self.scale * narrowest * rounding_noise(self.width) / 2

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
    outwards, across = 2 + 0.5 * code[:, 0], ACROSS * code[:, 1]
    x = outwards * angle.cos() - across * angle.sin()
    y = outwards * angle.sin() + across * angle.cos()
    return torch.cat([torch.stack([x, y], dim=1), code[:, 2:]], dim=1)[:, :width]
