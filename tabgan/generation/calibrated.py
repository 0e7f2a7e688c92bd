"""A source whose marginals are those of training: rates of levels, and spread of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabgan.adversarial.game import draw_gumbel
from tabgan.generation.source import Source
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

N_KNOTS = 257
N_ROUNDS = 20


class Calibrated(Source):
    """Draws rows of a source of raw rows, their marginals corrected; see `Calibration`.

    Parameters
    ----------
    source : RawRows or Unrolled
    learns : bool, default=True
        Whether the correction is learnt; without, rows keep the rates that the game has learnt.
    """

    def __init__(self, source: Any, learns: bool = True) -> None:
        self.source, self.learns = source, learns
        layout = source.encoding.layout
        self.calibration = Calibration(layout).to(layout.offsets.device)

    def draw(self, given: Any, noise: torch.Generator) -> EncodedTable:
        """Draw corrected rows."""
        raw = self.source.raw(given, noise)
        return self.calibration.draw(self.source.encoding.layout, raw, noise)

    def learn(self, real: Any, streams: Streams) -> None:
        """Learn the correction from raw rows of conditions as they occurred in training."""
        if not self.learns:
            return
        encoding = self.source.encoding
        raw = self.source.raw(self.source.typical(real, streams.rng), streams.noise)
        self.calibration.fit(encoding.layout, encoding.masses, raw, streams.noise)

    def modules(self) -> dict[str, nn.Module]:
        """Return the calibration."""
        return {**self.source.modules(), "calibration": self.calibration}


class Calibration(nn.Module):
    """Corrects a trained generator's marginals: rare categories come out at their own rate.

    Each level's log-probability gets an offset so that, on average over made rows, the level is
    as probable as it was in training (iterative proportional fitting); each scalar goes through
    the monotone map that makes it evenly spread, as encoded scalars are.

    Parameters
    ----------
    layout : Layout
    """

    offset: Tensor
    knots: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(layout.width))
        even = torch.linspace(-1.0, 1.0, N_KNOTS).repeat(layout.n_scalars, 1)
        self.register_buffer("knots", even)

    @torch.no_grad()
    def fit(
        self,
        layout: Layout,
        masses: Sequence[NDArray[np.float64]],
        raw: Tensor,
        rng: torch.Generator,
    ) -> None:
        """Learn the correction from made rows.

        Parameters
        ----------
        layout : Layout
        masses : sequence of ndarray
            Training share of each level of each softmax block.
        raw : Tensor of shape (n, width)
            Raw rows of the generator.
        rng : torch.Generator
        """
        log_target = layout.along_row(masses).to(raw.device).clamp_min(1e-7).log()
        is_level = torch.zeros(layout.width, dtype=torch.bool, device=raw.device)
        is_level[layout.n_scalars :] = layout.level_mask[layout.n_scalars :] == 0
        self.offset.zero_()
        for _ in range(N_ROUNDS):
            made = layout.activate(raw + self.offset).mean(0).clamp_min(1e-7).log()
            self.offset += torch.where(is_level, (log_target - made).clamp(-2.0, 2.0), 0.0)
        codes, scalars = layout.draw(raw + self.offset, draw_gumbel(len(raw), layout.width, rng))
        shares = torch.linspace(0.0, 1.0, N_KNOTS, device=raw.device)
        for j, gate in enumerate(layout.gates.tolist()):
            applies = scalars[codes[:, gate] == 0, j] if gate >= 0 else scalars[:, j]
            if len(applies) >= N_KNOTS:
                self.knots[j] = torch.quantile(applies, shares)

    @torch.no_grad()
    def draw(self, layout: Layout, raw: Tensor, rng: torch.Generator) -> EncodedTable:
        """Draw corrected rows from a generator's raw output."""
        codes, scalars = layout.draw(raw + self.offset, draw_gumbel(len(raw), layout.width, rng))
        if not layout.n_scalars:
            return EncodedTable(codes, scalars)
        # Where many made values are equal, the rank is drawn evenly among theirs.
        values = scalars.T.contiguous()
        left = torch.searchsorted(self.knots, values, side="left")
        right = torch.searchsorted(self.knots, values, side="right")
        upper = left.clamp(1, N_KNOTS - 1)
        low, high = self.knots.gather(1, upper - 1), self.knots.gather(1, upper)
        inside = ((values - low) / (high - low).clamp_min(1e-12)).clamp(0.0, 1.0)
        tied = right > left + 1
        share = torch.rand(values.shape, generator=rng, device=values.device)
        position = torch.where(tied, left + share * (right - 1 - left), upper - 1 + inside)
        even = (2.0 * position / (N_KNOTS - 1) - 1.0).T
        return EncodedTable(codes, layout.gate(codes, even))
