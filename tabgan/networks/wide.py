"""The model of columns of very many categories, none of which has weights of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabgan.networks.contexts import ContextGate, WideContexts
from tabgan.networks.profiles import Profiles
from tabgan.table.layout import Layout
from tabgan.table.privacy import recombined

ENTRY_DIM = 64
"""Entries of the vector by which networks see a category."""

MOST_COMBINATIONS = 2_000_000
"""Most rows whose combinations of categories are counted; of more rows, a random choice is."""


class WideModel(nn.Module):
    """A model of the wide blocks of a row, each given those before it.

    A category is drawn from a mixture of what occurred in the contexts of the row, see
    `ContextGate`. No softmax over all categories is computed, and no category has weights of its
    own. The model is learnt before any other network is trained, in seconds. All other blocks
    follow, given the profiles of the categories.

    Parameters
    ----------
    layout : Layout
    masses, level_ranks : sequence of ndarray
        See `Profiles`.
    min_rows : int, default=1
        Rows that share a combination of categories which is counted as it is; others are
        recombined, see `tabgan.table.privacy.recombined`.

    Attributes
    ----------
    profiles : Profiles
    contexts : WideContexts
    n_wide : int
        Number of wide blocks.
    """

    def __init__(
        self,
        layout: Layout,
        masses: Sequence[NDArray[np.float64]],
        level_ranks: Sequence[NDArray[np.float64]],
        min_rows: int = 1,
    ) -> None:
        super().__init__()
        self.layout, self.n_wide = layout, len(layout.n_levels_wide)
        self.min_rows = min_rows
        self.profiles = Profiles(layout, masses, level_ranks)
        self.contexts = WideContexts(layout.n_levels_wide)
        self.gates = nn.ModuleList(
            ContextGate(self.contexts, wide, True) for wide in range(self.n_wide)
        )
        self.requires_grad_(False)

    @property
    def width(self) -> int:
        """Entries by which networks see the categories of a row."""
        return ENTRY_DIM * self.n_wide

    def learn(self, codes: Tensor, rng: np.random.Generator) -> None:
        """Count training rows, and learn how much each context counts.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
        rng : numpy Generator
            Draws the starts of clustering, and the rows that contexts are weighed by.
        """
        self.profiles.add(codes)
        wide_codes = self.layout.wide_codes(codes)
        if len(codes) > MOST_COMBINATIONS:
            chosen = torch.from_numpy(rng.choice(len(codes), MOST_COMBINATIONS, replace=False))
            wide_codes = wide_codes[chosen.to(codes.device)]
        if self.min_rows > 1 and self.n_wide > 1:
            mixed, _ = recombined(wide_codes.cpu().numpy(), self.min_rows)
            wide_codes = torch.from_numpy(mixed).to(wide_codes.device)
        clusters = [self.profiles.clusters(wide, rng) for wide in range(self.n_wide)]
        self.contexts.learn(wide_codes, clusters)
        for gate in self._gates():
            gate.learn(wide_codes, rng)

    def _gates(self) -> list[ContextGate]:
        return cast(list[ContextGate], list(self.gates))

    def log_likelihood(self, codes: Tensor, own: bool) -> Tensor:
        """Return the log-probability of the wide blocks of rows, shape (n,), in nats.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            A negative code is unknown and adds nothing.
        own : bool
            Whether the rows were counted, and are left out of the counts.
        """
        wide_codes = self.layout.wide_codes(codes)
        total = torch.zeros(len(codes), device=codes.device)
        for gate in self._gates():
            total = total + gate.log_likelihood(wide_codes, own)
        return total

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw the wide blocks of rows.

        Parameters
        ----------
        n : int
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (n, n_wide), int64
        """
        device = rng.device
        codes = torch.full((n, self.n_wide), -1, dtype=torch.long, device=device)
        for gate in self._gates():
            ids, figures, usable = gate.look(codes)
            weights = gate.log_weights(figures, usable).exp().cumsum(dim=1)
            u = torch.rand(n, 1, generator=rng, device=device) * weights[:, -1:]
            chosen = (weights <= u).sum(dim=1).clamp(max=weights.shape[1] - 1)
            # One number from each of n equal strata, in random order, keeps rates of categories
            # near to those of training.
            order = torch.randperm(n, generator=rng, device=device)
            share = (order + torch.rand(n, generator=rng, device=device)) / n
            for c, (context, number) in enumerate(zip(gate.possible, ids, strict=True)):
                rows = (chosen == c).nonzero().squeeze(1)
                if len(rows):
                    counts = self.contexts.counts(context, gate.wide)
                    codes[rows, gate.wide] = counts.draw(number[rows], share[rows])
        return codes


class Entries(nn.Module):
    """Turns the profile of each known category into the vector by which networks see it.

    Parameters
    ----------
    model : WideModel
    """

    def __init__(self, model: WideModel) -> None:
        super().__init__()
        self._model = (model,)
        n_numbers = model.profiles.n_numbers + 2
        self.linear = nn.ModuleList(
            nn.Linear(n_numbers, ENTRY_DIM, bias=False) for _ in range(model.n_wide)
        )

    @property
    def width(self) -> int:
        """Entries of a row."""
        return self.model.width

    @property
    def model(self) -> WideModel:
        """The model, which is no part of this module."""
        return self._model[0]

    def one(self, wide: int, levels: Tensor, own: Tensor | None = None) -> Tensor:
        """Return the entries of categories of one block, shape (n,) to (n, ENTRY_DIM)."""
        return self.linear[wide](self.model.profiles.of(wide, levels, own))

    def forward(self, wide_codes: Tensor, own: Tensor | None = None) -> Tensor:
        """Return the entries of rows, zero for unknown categories.

        Parameters
        ----------
        wide_codes : Tensor of shape (n, n_wide)
        own : Tensor of shape (n, n_numbers), optional
            See `Profiles.of`.

        Returns
        -------
        Tensor of shape (n, width)
        """
        parts = [self.one(j, levels, own) for j, levels in enumerate(wide_codes.T)]
        return torch.cat(parts, dim=1) if parts else wide_codes.float()
