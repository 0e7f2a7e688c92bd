"""Training rates of levels, and how far a model's mean probabilities miss them."""

from __future__ import annotations

import torch
from torch import Tensor

from tabgan.table.layout import Layout

COUNTED_ROWS = 100_000
"""Rows whose levels are counted at once."""


class LevelRates:
    """Training rates of levels, beside which mean probabilities of some rows are put.

    Of some rows, a mean probability has a sampling error. The rows' own rate of the level has one
    too, which is known, because the rate of all rows is known. The error of the mean follows the
    error of the rate as far as the networks predict the level: with slope
    ``cov(probability, level) / var(level)`` over the rows. What follows is taken off, as the
    regression estimator of survey sampling does [1]_. With all rows no error is left.

    Parameters
    ----------
    layout : Layout
    codes : Tensor of shape (n, n_blocks)
        Levels of all training rows; a negative code is unknown.

    References
    ----------
    .. [1] Cochran (1977), "Sampling Techniques", section 7.3.
    """

    def __init__(self, layout: Layout, codes: Tensor) -> None:
        self.layout = layout
        counts = torch.zeros(layout.width, dtype=torch.long, device=codes.device)
        for part in codes.split(COUNTED_ROWS):
            places = layout.positions(part.long())[layout.softmax_codes(part) >= 0]
            counts += torch.bincount(places, minlength=layout.width)
        self.rate = self._per_known(counts.float(), counts.float())

    def _per_known(self, sums: Tensor, counts: Tensor) -> Tensor:
        """Divide sums by the number of rows in which the block of the entry is known."""
        n_known = [
            part.sum(dim=1, keepdim=True).expand_as(part).flatten()
            for part in self.layout.split(counts, 0)
        ]
        return sums / torch.cat([counts[: self.layout.n_scalars], *n_known]).clamp(min=1.0)

    def correction(self, counts: Tensor, chances: Tensor, hits: Tensor) -> Tensor:
        """Return what to add to the log-odds of each level, shape (width,).

        Parameters
        ----------
        counts : Tensor of shape (width,)
            Rows of some rows that have the level.
        chances : Tensor of shape (width,)
            Sum of the level's probabilities over the rows in which the block is known.
        hits : Tensor of shape (width,)
            Sum of the probabilities over the rows that have the level.
        """
        seen, mean, both = (self._per_known(sums, counts) for sums in (counts, chances, hits))
        slope = (both - mean * seen) / (seen * (1.0 - seen)).clamp(min=1e-12)
        made = mean + slope.clamp(0.0, 1.0) * (self.rate - seen)
        return torch.where(self.rate > 0, (self.rate / made.clamp(min=1e-12)).log(), 0.0)
