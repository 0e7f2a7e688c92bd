"""Where each column's block lies in an encoded row: the only owner of offsets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_STEPS = sorted({2**k for k in range(1, 24)} | {3 * 2**k for k in range(0, 23)})


class Layout(nn.Module):
    """Blocks of an encoded row: scalars first, then softmax blocks grouped by padded width.

    A row of a table is held as *codes*, one level per softmax block, and *scalars* in [-1, 1]. The
    encoded row a network sees has `width` entries: the scalars, then one entry per level. Blocks
    are padded to a few widths (2, 3, 4, 6, 8, 12, ...), so that a step runs a handful of tensor
    operations however many columns there are; padded entries are always zero.

    Parameters
    ----------
    n_levels : sequence of int, each >= 2
        Levels of each softmax block.
    gates : sequence of int
        For each scalar, the block whose level 0 says that the scalar applies, or -1 if it always
        does. A scalar that does not apply is 0.

    Attributes
    ----------
    groups : list of (n_blocks, width)
        Equally wide blocks, in the order in which they lie in the row.
    """

    offsets: Tensor
    gates: Tensor
    level_mask: Tensor
    order: Tensor
    rank: Tensor

    def __init__(self, n_levels: Sequence[int], gates: Sequence[int]) -> None:
        super().__init__()
        self.n_levels = tuple(n_levels)
        self.n_scalars = len(gates)
        padded = [next(step for step in _STEPS if step >= k) for k in n_levels]
        # `order` lists the blocks as they lie in the row, those of few levels first; `rank` is its
        # inverse.
        order = sorted(range(len(padded)), key=lambda block: (padded[block], block))
        offsets, position = [0] * len(padded), self.n_scalars
        for block in order:
            offsets[block] = position
            position += padded[block]
        self.groups = [(padded.count(width), width) for width in sorted(set(padded))]
        self.width = position
        mask = torch.full((position,), -torch.inf)
        mask[: self.n_scalars] = 0.0
        for block, k in enumerate(n_levels):
            mask[offsets[block] : offsets[block] + k] = 0.0
        rank = sorted(range(len(order)), key=order.__getitem__)
        for name, value in (
            ("offsets", torch.tensor(offsets, dtype=torch.long)),
            ("gates", torch.tensor(list(gates), dtype=torch.long)),
            ("level_mask", mask),
            ("order", torch.tensor(order, dtype=torch.long)),
            ("rank", torch.tensor(rank, dtype=torch.long)),
        ):
            self.register_buffer(name, value, persistent=False)

    @property
    def n_blocks(self) -> int:
        """Number of softmax blocks."""
        return len(self.n_levels)

    def split(self, x: Tensor, dim: int) -> list[Tensor]:
        """Split what lies along a row, as levels do, into the parts of its groups of blocks.

        Parameters
        ----------
        x : Tensor
        dim : int
            Along it, of size `width`, lies the row.

        Returns
        -------
        list of Tensor
            For each group, with `dim` unflattened into (n_blocks, width); scalars are left out.
        """
        sizes = [n_blocks * width for n_blocks, width in self.groups]
        parts = x.split([self.n_scalars, *sizes], dim)[1:]
        return [part.unflatten(dim, shape) for part, shape in zip(parts, self.groups, strict=True)]

    def split_blocks(self, x: Tensor) -> tuple[Tensor, ...]:
        """Split what lies block after block, as in a row, along the first dimension into groups."""
        return x.split([n_blocks for n_blocks, _ in self.groups])

    def expand(self, codes: Tensor, scalars: Tensor) -> Tensor:
        """Encode rows for a network: one-hot blocks beside the scalars.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks), integer
            Levels; a negative one leaves its block all zero.
        scalars : Tensor of shape (n, n_scalars)

        Returns
        -------
        Tensor of shape (n, width)
        """
        row = scalars.new_zeros(len(codes), self.width)
        row[:, : self.n_scalars] = scalars
        return row.scatter_(1, self.positions(codes), (codes >= 0).to(row.dtype))

    def positions(self, codes: Tensor) -> Tensor:
        """Say where in a row each block's level lies; level 0 for a negative code.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)

        Returns
        -------
        Tensor of shape (n, n_blocks), in [n_scalars, width)
        """
        return self.offsets + codes.clamp(min=0)

    def along_row(self, of_levels: Sequence[NDArray[np.float64]], fill: float = 0.0) -> Tensor:
        """Lay a number for each level out as the levels lie in a row.

        Parameters
        ----------
        of_levels : sequence of ndarray
            For each block, one number per level.
        fill : float
            What stands elsewhere, at scalars and padding.

        Returns
        -------
        Tensor of shape (width,), on the CPU
        """
        row = torch.full((self.width,), fill)
        for start, numbers in zip(self.offsets.tolist(), of_levels, strict=True):
            row[start : start + len(numbers)] = torch.from_numpy(numbers)
        return row

    def activate(
        self, raw: Tensor, noise: Tensor | None = None, temperature: float = 1.0
    ) -> Tensor:
        """Turn a generator's raw output into a soft encoded row.

        Parameters
        ----------
        raw : Tensor of shape (n, width)
            Scalars, and unnormalised log-probabilities of levels.
        noise : Tensor of shape (n, width), optional
            Gumbel noise to add to the log-probabilities.
        temperature : float > 0
            Divides the log-probabilities.

        Returns
        -------
        Tensor of shape (n, width)
            Scalars times the probability that they apply, and one softmax per block.
        """
        noisy = raw if noise is None else raw + noise
        logits = self.split(noisy / temperature + self.level_mask, 1)
        parts = [raw[:, : self.n_scalars]]
        parts += [torch.softmax(part, dim=-1).flatten(1) for part in logits]
        if self.n_scalars and self.n_blocks:
            parts[0] = parts[0] * self._applies(torch.cat(parts, dim=1))
        return torch.cat(parts, dim=1)

    def _applies(self, row: Tensor) -> Tensor:
        """Probability that each scalar applies, shape (n, n_scalars)."""
        probability = row[:, self.offsets[self.gates.clamp(min=0)]]
        return torch.where(self.gates >= 0, probability, 1.0)

    def draw(self, raw: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Draw one level per block from a generator's raw output.

        Parameters
        ----------
        raw : Tensor of shape (n, width)
        noise : Tensor of shape (n, width), optional
            Gumbel noise; without, the most probable levels are drawn.

        Returns
        -------
        codes : Tensor of shape (n, n_blocks)
        scalars : Tensor of shape (n, n_scalars), in [-1, 1]
        """
        noisy = raw if noise is None else raw + noise
        codes = [part.argmax(-1) for part in self.split(noisy + self.level_mask, 1)]
        scalars = raw[:, : self.n_scalars].clamp(-1.0, 1.0)
        if not codes:
            return torch.empty(len(raw), 0, dtype=torch.long, device=raw.device), scalars
        drawn = torch.cat(codes, dim=1)[:, self.rank]
        return drawn, self.gate(drawn, scalars)

    def gate(self, codes: Tensor, scalars: Tensor) -> Tensor:
        """Set scalars to 0 where their block's level says that they do not apply.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
        scalars : Tensor of shape (n, n_scalars)

        Returns
        -------
        Tensor of shape (n, n_scalars)
        """
        if not self.n_blocks:
            return scalars
        gates = self.gates.to(codes.device)
        absent = (gates >= 0) & (codes[:, gates.clamp(min=0)] != 0)
        return scalars.masked_fill(absent, 0.0)

    def log_probabilities(self, raw: Tensor) -> Tensor:
        """Log-softmax per block, shape (n, width - n_scalars) in the row's order."""
        logits = self.split(raw + self.level_mask, 1)
        parts = [torch.log_softmax(part, dim=-1).flatten(1) for part in logits]
        return torch.cat(parts, dim=1) if parts else raw[:, self.n_scalars :]

    def cross_entropy(self, raw: Tensor, codes: Tensor) -> Tensor:
        """Negative log-likelihood of levels, summed over blocks.

        Parameters
        ----------
        raw : Tensor of shape (n, width)
        codes : Tensor of shape (n, n_blocks)
            A negative code is unknown and costs nothing.

        Returns
        -------
        Tensor of shape (n,), in nats
        """
        chosen = self.log_probabilities(raw).gather(1, self.positions(codes) - self.n_scalars)
        return -chosen.masked_fill(codes < 0, 0.0).sum(dim=1)
