"""Counts of which levels occurred in which contexts, as sparse rows."""

from __future__ import annotations

import torch
from torch import Tensor


class Counts:
    """How often each level of a wide block occurred in each context.

    A context is anything that has a number: a category of another column, a cluster of categories,
    or a combination of categories. The counts lie in memory as sparse rows: for each context, the
    levels that occurred, in ascending order, and the running total of their counts.

    Parameters
    ----------
    contexts : Tensor of shape (m,), int64
        Context of each combination of context and level; -1 counts nowhere.
    levels : Tensor of shape (m,), int64
    numbers : Tensor of shape (m,), int64
        Rows of each combination.
    n_contexts, n_levels : int

    Attributes
    ----------
    n_single : scalar Tensor
        Number of combinations of one row, at least 1.
    """

    def __init__(
        self,
        contexts: Tensor,
        levels: Tensor,
        numbers: Tensor,
        n_contexts: int,
        n_levels: int,
    ) -> None:
        self.n_levels = n_levels
        counts = (contexts >= 0) & (levels >= 0)
        keys = contexts[counts] * n_levels + levels[counts]
        self.keys, place = torch.unique(keys, return_inverse=True)
        of_key = torch.zeros(len(self.keys), dtype=torch.float64, device=keys.device)
        of_key.index_add_(0, place, numbers[counts].double())
        self.running = torch.cat([of_key.new_zeros(1), of_key.cumsum(0)])
        self.n_single = (of_key == 1).sum().clamp(min=1).float()
        edges = torch.arange(n_contexts + 1, device=keys.device) * n_levels
        self.starts = torch.searchsorted(self.keys, edges)

    def _ends(self, contexts: Tensor) -> tuple[Tensor, Tensor]:
        """Return where the entries of contexts start and end; an unknown context has none."""
        index = contexts.clamp(min=0)
        start = self.starts[index]
        return start, torch.where(contexts >= 0, self.starts[index + 1], start)

    def totals(self, contexts: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows and the distinct levels of contexts.

        Parameters
        ----------
        contexts : Tensor of shape (n,)
            -1 is unknown and has no rows.

        Returns
        -------
        rows, distinct : Tensor of shape (n,), float32
        """
        start, end = self._ends(contexts)
        return (self.running[end] - self.running[start]).float(), (end - start).float()

    def of(self, contexts: Tensor, levels: Tensor) -> Tensor:
        """Return the rows of combinations of context and level.

        Parameters
        ----------
        contexts, levels : Tensor of shape (n,)
            Negative ones are unknown and have no rows.

        Returns
        -------
        Tensor of shape (n,), float32
        """
        if not len(self.keys):
            return torch.zeros(len(levels), device=levels.device)
        keys = contexts * self.n_levels + levels
        place = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        is_there = (self.keys[place] == keys) & (contexts >= 0) & (levels >= 0)
        return ((self.running[place + 1] - self.running[place]) * is_there).float()

    def draw(self, contexts: Tensor, share: Tensor) -> Tensor:
        """Draw a level for each context, at the rates in the context.

        Parameters
        ----------
        contexts : Tensor of shape (n,)
            Contexts with rows.
        share : Tensor of shape (n,), in [0, 1)
            Where in the running total of the context the level lies.

        Returns
        -------
        Tensor of shape (n,), int64
        """
        start, end = self._ends(contexts)
        low, high = self.running[start], self.running[end]
        target = low + share.double() * (high - low)
        place = torch.searchsorted(self.running[1:], target, right=True)
        return self.keys[torch.minimum(place, end - 1)] % self.n_levels

    def add_shares(self, contexts: Tensor, weights: Tensor, into: Tensor) -> None:
        """Add the distribution of each context, times a weight, to rows of a dense table.

        Parameters
        ----------
        contexts : Tensor of shape (n,)
            Contexts without rows add nothing.
        weights : Tensor of shape (n,)
        into : Tensor of shape (n, n_levels), float32
        """
        start, end = self._ends(contexts)
        n_entries = end - start
        row = torch.repeat_interleave(n_entries)
        first = torch.repeat_interleave(start - (n_entries.cumsum(0) - n_entries), n_entries)
        entry = torch.arange(len(row), device=row.device) + first
        share = (self.running[entry + 1] - self.running[entry]).float()
        total = (self.running[end] - self.running[start]).float()
        share *= (weights / total.clamp(min=1.0))[row]
        into.view(-1).index_add_(0, row * self.n_levels + self.keys[entry] % self.n_levels, share)
