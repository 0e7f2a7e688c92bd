"""The encoding of a table's rows and conditions, from which networks take their shapes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabgan.generation.conditions import ConditionModel
from tabgan.table.chunks import Chunks, parts_of
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout

MAX_HELD = 2**30
"""Most bytes of codes, or of scalars, that memory holds; more of them are in a temporary file."""


class Rows(NamedTuple):
    """Encoded rows beside their conditions.

    Attributes
    ----------
    made : EncodedTable of n rows
        The columns that the generator makes, of real or of synthetic rows.
    given : EncodedTable of n rows
        The condition columns.
    """

    made: EncodedTable
    given: EncodedTable

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.made)

    def take(self, index: Tensor) -> Rows:
        """Return the rows of an index, a Tensor of shape (m,)."""
        return Rows(self.made.rows(index), self.given.rows(index))

    def some(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows in random order, or all rows if there are fewer."""
        return self.take(torch.from_numpy(rng.permutation(self.n)[:n]))

    def at_most(self, n: int, rng: np.random.Generator) -> Rows:
        """Return these rows in their order, or `n` random rows if there are more."""
        return self if self.n <= n else self.some(n, rng)

    def to(self, device: torch.device) -> Rows:
        """Move to a device."""
        return Rows(self.made.to(device), self.given.to(device))


class Encoding:
    """The columns that a generator makes, the condition columns, and the encoding of both.

    Parameters
    ----------
    encoder : Encoder
        Encoder of the columns that the generator makes.
    conditions : ConditionModel
        The condition columns, of which there may be none.
    n_rows : int
        Number of training rows.
    device : torch.device
        Device of the layouts.

    Attributes
    ----------
    layout : Layout
        Layout of the columns that the generator makes.
    condition_layout : Layout
        Layout of the conditions.
    """

    def __init__(
        self, encoder: Encoder, conditions: ConditionModel, n_rows: int, device: torch.device
    ) -> None:
        self.encoder, self.conditions, self.n_rows = encoder, conditions, n_rows
        self.layout: Layout = encoder.layout.to(device)
        self.condition_layout: Layout = conditions.encoder.layout.to(device)

    @property
    def level_ranks(self) -> Sequence[NDArray[np.float64]]:
        """For each block, each level's rank in [0, 1], or NaN for a level without an order."""
        return self.encoder.level_ranks

    @property
    def masses(self) -> Sequence[NDArray[np.float64]]:
        """For each block, each level's share of the training rows."""
        return self.encoder.masses

    def encode(self, table: pd.DataFrame | Chunks, rng: np.random.Generator) -> Rows:
        """Encode a table that holds the generated columns and the condition columns.

        Parameters
        ----------
        table : DataFrame or Chunks of n rows
        rng : numpy Generator
            Draws ranks within ties.

        Returns
        -------
        Rows of n rows, on the CPU
            Codes are held in the smallest integers that can count the levels, and `Rows.take` turns
            them into int64. Beyond `MAX_HELD` bytes, rows are in a temporary file.
        """
        n, start = len(table), 0
        made = _Store(self.encoder.layout, n)
        given = _Store(self.conditions.encoder.layout, n)
        for part in parts_of(table):
            made.put(start, self.encoder.encode(part[self.encoder.schema.names], rng))
            given.put(start, self.conditions.encode(part, rng))
            start += len(part)
        return Rows(made.table, given.table)


class _Store:
    """Room for encoded rows.

    Parameters
    ----------
    layout : Layout
    n : int
        Number of rows.
    """

    def __init__(self, layout: Layout, n: int) -> None:
        most = max(layout.n_levels, default=0)
        codes = next(t for t in (np.int8, np.int16, np.int32) if most <= np.iinfo(t).max)
        self.table = EncodedTable(
            _room(n, layout.n_blocks, codes), _room(n, layout.n_scalars, np.float32)
        )

    def put(self, start: int, rows: EncodedTable) -> None:
        """Copy rows to their place."""
        for room, values in zip(self.table, rows, strict=True):
            room[start : start + len(values)] = values


def _room(n: int, width: int, dtype: type[np.generic]) -> Tensor:
    """Make a tensor of zeros, in a temporary file without a name if it is large."""
    n_bytes = n * width * np.dtype(dtype).itemsize
    if n_bytes <= MAX_HELD:
        return torch.from_numpy(np.zeros((n, width), dtype=dtype))
    with tempfile.TemporaryFile(prefix="tabgan-") as file:
        return torch.from_numpy(np.memmap(file, dtype, "w+", shape=(n, width)))
