"""What is known about each block of the rows to draw: a level, some levels, or nothing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tabgan.table.encoder import EncodedTable

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

    def groups(self, given: EncodedTable) -> Tensor:
        """Assign numbers to rows, the same number to rows with equal evidence and conditions.

        Parameters
        ----------
        given : EncodedTable of n rows
            The conditions with which the generator was trained.

        Returns
        -------
        Tensor of shape (n,), int64
        """
        parts = [self.codes, given.codes]
        # A position counts only where the block is open.
        for block, which in self.which.items():
            is_open = self.codes[:, block] == OPEN
            parts.append(torch.where(is_open, which, 0)[:, None])
        table = torch.cat([*(part.double() for part in parts), given.scalars.double()], dim=1)
        if not table.shape[1]:
            return torch.zeros(len(self), dtype=torch.long, device=self.codes.device)
        return torch.unique(table, dim=0, return_inverse=True)[1]

    def rows(self, index: Tensor | slice) -> Evidence:
        """Return the evidence on the rows of an index."""
        chosen = {block: of_rows[index] for block, of_rows in self.which.items()}
        return Evidence(self.codes[index], self.shares, chosen)

    def to(self, device: torch.device) -> Evidence:
        """Move to a device."""
        shares = {block: of_block.to(device) for block, of_block in self.shares.items()}
        which = {block: of_block.to(device) for block, of_block in self.which.items()}
        return Evidence(self.codes.to(device), shares, which)
