"""Mixtures of products: rows whose columns are independent, given a component of the mixture."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tabgan.table.layout import Layout

SPREAD = 0.5
"""Standard deviation of the components' log-odds at the start, without which all would stay one."""

LEAST = 1e-30
"""Least probability whose logarithm is taken, so that logarithms stay finite."""


class ProductMixture(nn.Module):
    """A mixture of products of softmax blocks.

    All marginals of the mixture are exact, in sums over the components. So are all distributions
    given levels of some blocks.

    Parameters
    ----------
    layout : Layout
        Softmax blocks alone.
    start : Tensor of shape (width,)
        Log-probabilities of levels that the components start from.
    n_components : int

    Attributes
    ----------
    scores : Parameter of shape (k,)
        Unnormalised log-probability of each component.
    levels : Parameter of shape (k, width)
        Unnormalised log-probabilities of levels in each component.
    """

    def __init__(self, layout: Layout, start: Tensor, n_components: int) -> None:
        super().__init__()
        self.layout = layout
        self.scores = nn.Parameter(torch.zeros(n_components))
        spread = SPREAD * torch.randn(n_components, layout.width)
        self.levels = nn.Parameter(start + spread)

    def log_shares(self) -> Tensor:
        """Return the log-probability of each component, shape (k,)."""
        return torch.log_softmax(self.scores, 0)

    def log_levels(self) -> Tensor:
        """Return log-probabilities of levels in each component, shape (k, width).

        Padded places are impossible.
        """
        levels: Tensor = self()
        return levels

    def forward(self) -> Tensor:
        """Return what `log_levels` returns."""
        return self.layout.log_probabilities(self.levels)

    @torch.no_grad()
    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw components, shape (n,), by systematic sampling.

        Each component occurs as often as its share says, rounded up or down. The components come in
        ascending order.
        """
        shares = self.log_shares().exp()
        start = torch.rand(1, generator=rng, device=shares.device)
        places = (torch.arange(n, device=shares.device) + start) / n
        return torch.searchsorted(shares.cumsum(0), places).clamp(max=len(shares) - 1)

    def dependence(self, components: Tensor) -> Tensor:
        """Bound the total correlation of a mixture of some components, of equal shares, from above.

        Total correlation is the sum of the entropies of blocks less that of whole rows. The latter
        is at least the mean entropy of a component plus how far apart the components are [1]_. The
        Bhattacharyya coefficient of two products is the product of those of their blocks.

        Parameters
        ----------
        components : Tensor of shape (n,), int64
            A component that occurs twice has twice the share.

        Returns
        -------
        Tensor of shape ()
            In nats.

        References
        ----------
        .. [1] Kolchinsky and Tracey (2017), "Estimating Mixture Entropy with Pairwise Distances",
           arXiv 1706.02419.
        """
        log_levels = self.layout.log_probabilities(self.levels[components])
        levels, mean = log_levels.exp(), log_levels.exp().mean(dim=0)
        surprise = log_levels.clamp(min=math.log(LEAST)) - mean.clamp(min=LEAST).log()
        common = levels.new_zeros(len(components), len(components))
        for part in self.layout.split((log_levels / 2).exp(), 1):
            of_blocks = part.transpose(0, 1) @ part.permute(1, 2, 0)
            common = common + of_blocks.clamp(min=LEAST).log().sum(dim=0)
        near = torch.logsumexp(common, dim=1) - math.log(len(components))
        return ((levels * surprise).sum(dim=1) + near).mean()
