"""How a table's rows and conditions are encoded: what networks are built for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabgan.generation.conditions import ConditionModel
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout


class Rows(NamedTuple):
    """Encoded rows, and the conditions that they come with.

    Attributes
    ----------
    made, given : EncodedTable of n rows
    """

    made: EncodedTable
    given: EncodedTable

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.made)

    def take(self, index: Tensor) -> Rows:
        """Take some rows."""
        return Rows(self.made.rows(index), self.given.rows(index))

    def some(self, n: int, rng: np.random.Generator) -> Rows:
        """Take `n` rows at random, or all if there are no more."""
        return self.take(torch.from_numpy(rng.permutation(self.n)[:n]))

    def to(self, device: torch.device) -> Rows:
        """Move to a device."""
        return Rows(self.made.to(device), self.given.to(device))


class Encoding:
    """The columns that a generator makes, those it is given, and how both are encoded.

    Parameters
    ----------
    encoder : Encoder
        Of the columns that are made.
    conditions : ConditionModel
        Of the columns that are given; there may be none.
    n_rows : int
        Training rows.
    device : torch.device
        Where layouts are to lie.
    """

    def __init__(
        self, encoder: Encoder, conditions: ConditionModel, n_rows: int, device: torch.device
    ) -> None:
        self.encoder, self.conditions, self.n_rows = encoder, conditions, n_rows
        self.layout: Layout = encoder.layout.to(device)
        self.condition_layout: Layout = conditions.encoder.layout.to(device)

    @property
    def level_ranks(self) -> Sequence[NDArray[np.float64]]:
        """For each softmax block, the rank in [0, 1] of each level, or NaN without an order."""
        return self.encoder.level_ranks

    @property
    def masses(self) -> Sequence[NDArray[np.float64]]:
        """For each softmax block, each level's share of the training rows."""
        return self.encoder.masses

    def encode(self, table: pd.DataFrame, rng: np.random.Generator) -> Rows:
        """Encode a table that has both the columns that are made and those that are given."""
        made = self.encoder.encode(table[self.encoder.schema.names], rng)
        return Rows(made, self.conditions.encode(table, rng))
