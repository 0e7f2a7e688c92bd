"""Mixtures of products: rows whose columns are independent, given a component of the mixture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgan.table.layout import Layout

SPREAD = 0.5
"""Standard deviation of the components' log-odds at the start, without which all would stay one."""


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
