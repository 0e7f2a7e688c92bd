"""The places of levels and scalars in an encoded row; no other module computes such places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_STEPS = sorted({2**k for k in range(1, 24)} | {3 * 2**k for k in range(0, 23)})


class Layout(nn.Module):
    """The order of an encoded row: scalars first, then softmax blocks grouped by padded width.

    Memory holds a row of a table as *codes*, one level per softmax block, and *scalars* in
    [-1, 1]. A network sees the encoded row of `width` entries: the scalars, then one entry per
    level. A softmax over each block one by one would take as many tensor operations as there are
    columns. Blocks are therefore padded to a few widths (2, 3, 4, 6, 8, 12, ...), and all blocks of
    one width are one tensor. Padded entries are always zero.

    Parameters
    ----------
    n_levels : sequence of int, each >= 2
        Levels of each softmax block.
    gates : sequence of int
        For each scalar, the block whose level 0 means that the scalar applies; -1 for a scalar that
        always applies. A scalar that does not apply is 0.
    n_levels_wide : sequence of int, default=()
        Levels of each *wide* block. A wide block has too many levels for a softmax: codes hold its
        level, after those of the softmax blocks, and the encoded row has no place for it.

    Attributes
    ----------
    width : int
        Entries of an encoded row.
    n_alone : int
        Scalars that always apply.
    n_softmax : int
        Number of softmax blocks.
    groups : list of (n_blocks, width)
        How many blocks have each padded width, in the order in which they lie in the row.

    Examples
    --------
    One scalar that applies at level 0 of the first block, and two blocks of 2 and 3 levels:

    >>> import torch
    >>> from tabgan.table.layout import Layout
    >>> layout = Layout([2, 3], [0])
    >>> layout.width
    6
    >>> layout.expand(torch.tensor([[0, 2]]), torch.tensor([[0.5]])).tolist()
    [[0.5, 1.0, 0.0, 0.0, 0.0, 1.0]]
    """

    offsets: Tensor
    gates: Tensor
    level_mask: Tensor
    order: Tensor
    rank: Tensor

    def __init__(
        self, n_levels: Sequence[int], gates: Sequence[int], n_levels_wide: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.n_softmax = len(n_levels)
        self.n_levels = (*n_levels, *n_levels_wide)
        self.n_scalars = len(gates)
        self.n_alone = sum(gate < 0 for gate in gates)
        padded = [next(step for step in _STEPS if step >= k) for k in n_levels]
        # `order` lists the blocks as they lie in the row, narrow ones first, and `rank` says at
        # which place each block lies.
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
        """Number of blocks, softmax blocks and wide ones."""
        return len(self.n_levels)

    @property
    def n_levels_wide(self) -> tuple[int, ...]:
        """Levels of each wide block."""
        return self.n_levels[self.n_softmax :]

    def softmax_codes(self, codes: Tensor) -> Tensor:
        """Return the codes of the softmax blocks, (n, n_blocks) to (n, n_softmax)."""
        return codes[:, : self.n_softmax]

    def wide_codes(self, codes: Tensor) -> Tensor:
        """Return the codes of the wide blocks, (n, n_blocks) to (n, n_wide)."""
        return codes[:, self.n_softmax :]

    def split(self, x: Tensor, dim: int) -> list[Tensor]:
        """Split a tensor along the dimension of the row into one tensor for each group of blocks.

        Parameters
        ----------
        x : Tensor
        dim : int
            The dimension of size `width`.

        Returns
        -------
        list of Tensor
            For each group, the part of `x` with `dim` unflattened into (n_blocks, width). Scalars
            are left out.
        """
        sizes = [n_blocks * width for n_blocks, width in self.groups]
        parts = x.split([self.n_scalars, *sizes], dim)[1:]
        return [part.unflatten(dim, shape) for part, shape in zip(parts, self.groups, strict=True)]

    def split_blocks(self, x: Tensor) -> tuple[Tensor, ...]:
        """Split a tensor with one entry per block, in the row's order, into one for each group."""
        return x.split([n_blocks for n_blocks, _ in self.groups])

    def expand(self, codes: Tensor, scalars: Tensor) -> Tensor:
        """Encode rows for a network: the scalars, then a one-hot block for each level.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks), integer
            Levels; a block whose level is negative is all zero.
        scalars : Tensor of shape (n, n_scalars)

        Returns
        -------
        Tensor of shape (n, width)
        """
        row = scalars.new_zeros(len(codes), self.width)
        row[:, : self.n_scalars] = scalars
        known = self.softmax_codes(codes) >= 0
        return row.scatter_(1, self.positions(codes), known.to(row.dtype))

    def positions(self, codes: Tensor) -> Tensor:
        """Return the place in the row of each softmax block's level; of level 0 if negative.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)

        Returns
        -------
        Tensor of shape (n, n_softmax), in [n_scalars, width)
        """
        return self.offsets + self.softmax_codes(codes).clamp(min=0)

    def along_row(self, of_levels: Sequence[NDArray[np.float64]], fill: float = 0.0) -> Tensor:
        """Put one number for each level at the place of that level in a row.

        Parameters
        ----------
        of_levels : sequence of ndarray
            For each block, one number per level; those of wide blocks are left out.
        fill : float, default=0.0
            The number at the places of scalars and padding.

        Returns
        -------
        Tensor of shape (width,), on the CPU
        """
        row = torch.full((self.width,), fill)
        for start, numbers in zip(self.offsets.tolist(), of_levels[: self.n_softmax], strict=True):
            row[start : start + len(numbers)] = torch.from_numpy(numbers)
        return row

    def in_known_blocks(self, row: Tensor) -> Tensor:
        """Return which entries of encoded rows belong to blocks that are not all zero.

        Parameters
        ----------
        row : Tensor of shape (n, width)

        Returns
        -------
        Tensor of shape (n, width), bool
            False for scalars.
        """
        parts = [
            (part.sum(dim=2, keepdim=True) > 0).expand_as(part).flatten(1)
            for part in self.split(row, 1)
        ]
        return torch.cat([torch.zeros_like(row[:, : self.n_scalars], dtype=torch.bool), *parts], 1)

    def activate(
        self, raw: Tensor, noise: Tensor | None = None, temperature: float = 1.0
    ) -> Tensor:
        """Turn a generator's raw output into a soft encoded row.

        Parameters
        ----------
        raw : Tensor of shape (n, width)
            Scalars, and unnormalised log-probabilities of levels.
        noise : Tensor of shape (n, width), optional
            Gumbel noise, added to the log-probabilities; the softmax of the sum is a
            Gumbel-softmax sample [1]_.
        temperature : float > 0
            Divides the log-probabilities.

        Returns
        -------
        Tensor of shape (n, width)
            Scalars times the probability that they apply, and one softmax per block.

        References
        ----------
        .. [1] Jang, Gu and Poole (2017), "Categorical Reparameterization with Gumbel-Softmax",
           arXiv:1611.01144, equation 2.
        """
        noisy = raw if noise is None else raw + noise
        logits = self.split(noisy / temperature + self.level_mask, 1)
        parts = [raw[:, : self.n_scalars]]
        parts += [torch.softmax(part, dim=-1).flatten(1) for part in logits]
        if self.n_scalars and self.n_softmax:
            parts[0] = parts[0] * self._applies(torch.cat(parts, dim=1))
        return torch.cat(parts, dim=1)

    def _applies(self, row: Tensor) -> Tensor:
        """Return the probability that each scalar applies, shape (n, n_scalars)."""
        probability = row[:, self.offsets[self.gates.clamp(min=0)]]
        return torch.where(self.gates >= 0, probability, 1.0)

    def draw(self, raw: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Draw one level per block from a generator's raw output.

        Parameters
        ----------
        raw : Tensor of shape (n, width)
        noise : Tensor of shape (n, width), optional
            Gumbel noise, with which a level is drawn at its probability; without noise the most
            probable level is taken.

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
        """Set scalars to 0 in the rows in which they do not apply.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
        scalars : Tensor of shape (n, n_scalars)

        Returns
        -------
        Tensor of shape (n, n_scalars)
        """
        return scalars.masked_fill(~self.applies(codes), 0.0)

    def applies(self, codes: Tensor) -> Tensor:
        """Return whether each scalar applies in each row.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)

        Returns
        -------
        Tensor of shape (n, n_scalars), bool
        """
        gates = self.gates.to(codes.device)
        if not self.n_softmax:
            return (gates < 0).expand(len(codes), -1)
        return (gates < 0) | (codes[:, gates.clamp(min=0)] == 0)

    def log_probabilities(self, raw: Tensor) -> Tensor:
        """Return the log-softmax of each block, in the row's order and without the scalars.

        Parameters
        ----------
        raw : Tensor of shape (n, width)

        Returns
        -------
        Tensor of shape (n, width - n_scalars)
        """
        logits = self.split(raw + self.level_mask, 1)
        parts = [torch.log_softmax(part, dim=-1).flatten(1) for part in logits]
        return torch.cat(parts, dim=1) if parts else raw[:, self.n_scalars :]

    def cross_entropy(self, raw: Tensor, codes: Tensor) -> Tensor:
        """Return the negative log-likelihood of levels, summed over softmax blocks.

        Parameters
        ----------
        raw : Tensor of shape (n, width)
        codes : Tensor of shape (n, n_blocks)
            A negative code is unknown and adds nothing.

        Returns
        -------
        Tensor of shape (n,), in nats
        """
        chosen = self.log_probabilities(raw).gather(1, self.positions(codes) - self.n_scalars)
        return -chosen.masked_fill(self.softmax_codes(codes) < 0, 0.0).sum(dim=1)
