"""Profiles: what the rows of each category of a wide column are like in the other columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.networks.ranks import rank_functions
from tabgan.table.layout import Layout

VALUES = 16
"""Most numbers that describe the level of one softmax block in a profile."""

MOST_NUMBERS = 2**25
"""Most numbers that all profiles of a model hold, 128 MiB; with more, each level has fewer."""

N_DIRECTIONS, N_ROUNDS = 32, 10
"""Random directions of the profiles by which categories are clustered, and rounds of k-means."""

LEAST_DEVIATION = 0.1
"""Least standard deviation by which the numbers of a profile are divided."""


class Profiles(nn.Module):
    """The mean row of each category of each wide block.

    A category of a few rows has no weights of its own in any network. What is known about the
    category is what its rows are like: the *profile*, the mean over the rows of numbers that
    describe the levels of all softmax blocks. The numbers of a block of few levels are one per
    level; those of an ordered block are smooth functions of the rank; those of any other block are
    random signs, fixed for each level. All numbers are standardised over the training rows.

    A mean over n rows is shrunken: the sum is divided by n + 1. A row that the profiles were learnt
    from is left out of its own profile, as target encoding does [1]_. Networks would otherwise read
    a row off the profile.

    Parameters
    ----------
    layout : Layout
    masses : sequence of ndarray
        For each block, each level's share of the training rows.
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1], or NaN for a level without an order.

    Attributes
    ----------
    n_numbers : int
        Entries of a profile beside a category's number of rows.

    References
    ----------
    .. [1] Micci-Barreca (2001), "A Preprocessing Scheme for High-Cardinality Categorical Attributes
       in Classification and Prediction Problems", SIGKDD Explorations 3(1).
    .. [2] Lloyd (1982), "Least Squares Quantization in PCM", IEEE Transactions on Information
       Theory 28(2).
    """

    level_values: Tensor

    def __init__(
        self,
        layout: Layout,
        masses: Sequence[NDArray[np.float64]],
        level_ranks: Sequence[NDArray[np.float64]],
    ) -> None:
        super().__init__()
        self.layout = layout
        n_levels = sum(layout.n_levels_wide)
        most = MOST_NUMBERS // max(1, n_levels * layout.n_softmax)
        self.n_values = int(np.clip(most, 2, VALUES))
        self.n_numbers = layout.n_softmax * self.n_values
        values = _level_values(layout, level_ranks, self.n_values)
        self.register_buffer(
            "level_values", _standardised(layout, values, masses), persistent=False
        )
        for wide, k in enumerate(layout.n_levels_wide):
            self.register_buffer(f"sums_{wide}", torch.zeros(k, self.n_numbers))
            self.register_buffer(f"rows_{wide}", torch.zeros(k))

    def values(self, codes: Tensor) -> Tensor:
        """Describe rows by the numbers of their softmax blocks.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            A negative code is unknown and adds zeros.

        Returns
        -------
        Tensor of shape (n, n_numbers)
        """
        known = (self.layout.softmax_codes(codes) >= 0).unsqueeze(2)
        return (F.embedding(self.layout.positions(codes), self.level_values) * known).flatten(1)

    def add(self, codes: Tensor) -> None:
        """Add training rows to the profiles of their categories.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
        """
        for part in codes.split(max(1, 2**22 // max(1, self.n_numbers))):
            part = part.long()
            values = self.values(part)
            for wide, levels in enumerate(self.layout.wide_codes(part).T):
                known = levels >= 0
                of_block = levels[known]
                self.get_buffer(f"sums_{wide}").index_add_(0, of_block, values[known])
                counts = self.n_rows(wide)
                counts += torch.bincount(of_block, minlength=len(counts))

    def n_rows(self, wide: int) -> Tensor:
        """Return the training rows of each category, shape (n_levels,)."""
        return self.get_buffer(f"rows_{wide}")

    def of(self, wide: int, levels: Tensor, own: Tensor | None = None) -> Tensor:
        """Return the profiles of categories.

        Parameters
        ----------
        wide : int
            Position among the wide blocks.
        levels : Tensor of shape (n,)
            A negative level is unknown, and its profile is zero.
        own : Tensor of shape (n, n_numbers), optional
            What `values` returned for rows that the profiles were learnt from, and that are left
            out of their own profiles.

        Returns
        -------
        Tensor of shape (n, n_numbers + 2)
            The shrunken mean, the logarithm of the number of rows, and 1.
        """
        index = levels.clamp(min=0)
        sums, rows = self.get_buffer(f"sums_{wide}")[index], self.n_rows(wide)[index]
        if own is not None:
            sums, rows = sums - own, (rows - 1.0).clamp(min=0.0)
        mean = sums / (rows + 1.0)[:, None]
        size = (rows.log1p() / 3.0)[:, None]
        return torch.cat([mean, size, torch.ones_like(size)], dim=1) * (levels >= 0)[:, None]

    def clusters(self, wide: int, rng: np.random.Generator) -> Tensor:
        """Cluster the categories of a block by their profiles, by the k-means algorithm [2]_.

        Random directions of the profiles are compared. There are about as many clusters as the
        square root of the number of categories.

        Parameters
        ----------
        wide : int
        rng : numpy Generator
            Draws the directions and the first means.

        Returns
        -------
        Tensor of shape (n_levels,), int64
        """
        everyone = torch.arange(self.layout.n_levels_wide[wide], device=self.level_values.device)
        directions = torch.from_numpy(rng.standard_normal((self.n_numbers, N_DIRECTIONS)))
        means = self.of(wide, everyone)[:, : self.n_numbers]
        points = means @ directions.to(means) / max(1, self.n_numbers) ** 0.5
        n_clusters = max(2, round(len(points) ** 0.5))
        first = torch.from_numpy(rng.choice(len(points), min(n_clusters, len(points)), False))
        centres = points[first.to(points.device)]
        for _ in range(N_ROUNDS):
            nearest = torch.cat(
                [torch.cdist(part, centres).argmin(dim=1) for part in points.split(2**14)]
            )
            size = torch.bincount(nearest, minlength=len(centres))[:, None]
            total = torch.zeros_like(centres).index_add_(0, nearest, points)
            centres = torch.where(size > 0, total / size.clamp(min=1), centres)
        return nearest


def _level_values(
    layout: Layout, level_ranks: Sequence[NDArray[np.float64]], n_values: int
) -> Tensor:
    """Choose the numbers that describe each level, shape (width, n_values)."""
    functions = rank_functions(layout, level_ranks)
    rng = np.random.default_rng(0)
    values = torch.zeros(layout.width, n_values)
    for start, ranks in zip(layout.offsets.tolist(), level_ranks[: layout.n_softmax], strict=True):
        k = len(ranks)
        own = values[start : start + k]
        if not np.isnan(ranks).all():
            smooth = functions[start : start + k, : n_values - 1]
            own[:, : smooth.shape[1]] = smooth
            own[:, n_values - 1] = torch.from_numpy(np.isnan(ranks)).float()
        elif k <= n_values:
            own[:, :k] = torch.eye(k)
        else:
            own[:] = torch.from_numpy(rng.choice([-1.0, 1.0], (k, n_values))).float()
    return values


def _standardised(layout: Layout, values: Tensor, masses: Sequence[NDArray[np.float64]]) -> Tensor:
    """Scale numbers of levels to mean 0 and variance 1 over the training rows."""
    for start, mass in zip(layout.offsets.tolist(), masses[: layout.n_softmax], strict=True):
        own = values[start : start + len(mass)]
        weight = torch.from_numpy(np.asarray(mass)).float()[:, None]
        own -= (weight * own).sum(dim=0)
        own /= (weight * own.square()).sum(dim=0).sqrt().clamp(min=LEAST_DEVIATION)
    return values
