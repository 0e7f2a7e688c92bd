"""Distributions that an autoencoder's codes are matched to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tabgan.adversarial.game import draw_normal


@dataclass(frozen=True)
class Prior:
    """What codes are to be distributed like.

    Parameters
    ----------
    name : {"normal", "uniform", "mixture"}
    width : int
        Of a code.
    scale : float > 0
        Factor on every draw: standard deviation of "normal", half the width of "uniform".
    n_components : int
        Of "mixture".
    """

    name: Literal["normal", "uniform", "mixture"]
    width: int
    scale: float = 1.0
    n_components: int = 10

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw codes, shape (n, width)."""
        if self.name == "normal":
            return self.scale * draw_normal(n, self.width, rng)
        if self.name == "uniform":
            even = torch.rand(n, self.width, generator=rng, device=rng.device)
            return self.scale * (2 * even - 1)
        return self.scale * draw_petals(n, self.width, self.n_components, rng)


def draw_petals(n: int, width: int, n_components: int, rng: torch.Generator) -> Tensor:
    """Draw from a mixture of normals that lie like a flower's petals in the first two dimensions.

    All petals are alike: 2 from the origin, of standard deviation 0.5 outwards and 0.15 across.
    Further dimensions are standard normal. Makhzani et al. (2016), figure 4.

    Returns
    -------
    Tensor of shape (n, width)
    """
    code = draw_normal(n, max(2, width), rng)
    petal = torch.randint(n_components, (n,), generator=rng, device=rng.device)
    angle = petal * (2 * math.pi / n_components)
    outwards, across = 2 + 0.5 * code[:, 0], 0.15 * code[:, 1]
    x = outwards * angle.cos() - across * angle.sin()
    y = outwards * angle.sin() + across * angle.cos()
    return torch.cat([torch.stack([x, y], dim=1), code[:, 2:]], dim=1)[:, :width]
