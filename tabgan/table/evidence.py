"""What is known about each block of the rows to draw: a level, some levels, or nothing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FREE, OPEN = -1, -2
"""Codes of a block of which nothing is known, and of a block that may take some levels only."""


class Evidence(NamedTuple):
    """What is known about each block of n rows.

    Attributes
    ----------
    codes : Tensor of shape (n, n_blocks), int64
        A known level, `FREE` or `OPEN`.
    shares : dict of int to Tensor of shape (m, n_levels)
        For some blocks, m distinct vectors: the share of each level, in [0, 1], that is allowed. A
        share between 0 and 1 is that of a bin of which an interval covers a part.
    which : dict of int to Tensor of shape (n,), int64
        For the same blocks, the position in `shares` that holds for each row; meaningless where the
        code is not `OPEN`.
    """

    codes: Tensor
    shares: dict[int, Tensor]
    which: dict[int, Tensor]

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, index: Tensor | slice) -> Evidence:
        """Return the evidence on the rows of an index."""
        chosen = {block: of_rows[index] for block, of_rows in self.which.items()}
        return Evidence(self.codes[index], self.shares, chosen)

    def to(self, device: torch.device) -> Evidence:
        """Move to a device."""
        shares = {block: of_block.to(device) for block, of_block in self.shares.items()}
        which = {block: of_block.to(device) for block, of_block in self.which.items()}
        return Evidence(self.codes.to(device), shares, which)
