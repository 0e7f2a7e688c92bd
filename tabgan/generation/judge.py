"""How hard synthetic rows are to tell from real ones, judged quickly on encoded rows."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor

from tabgan.generation.encoding import Rows
from tabgan.generation.two_sample import two_sample_score
from tabgan.table.encoder import EncodedTable, Encoder

MAX_ROWS = 3_000
"""Rows of each kind that are told apart at most."""

COARSENESS = 16
"""Parts of the ranks within which numbers count as one kind."""


class RowJudge:
    """Looks at rows as trees do.

    Parameters
    ----------
    made, given : Encoder
        Of rows and of their conditions.
    """

    def __init__(self, made: Encoder, given: Encoder) -> None:
        self._lookups = [_Lookup(encoder) for encoder in (made, given)]

    def features(self, rows: Rows) -> Tensor:
        """Give each block and each scalar one number that trees can split by.

        Returns
        -------
        Tensor of shape (n, n_features)
            Ranks for levels that have an order, numbers below zero for others; 2 where a value is
            not known.
        """
        each = zip(self._lookups, rows, strict=True)
        return torch.cat([lookup.numbers(table) for lookup, table in each], dim=1)

    def score(self, real: Rows, made: Rows, seed: int) -> float:
        """Score by a two-sample test how hard rows are to tell apart; see `evaluation.c2st`.

        Returns
        -------
        float
            ``1 - (2 max(1/2, AUC) - 1)``, in [0, 1], higher is better; 1 of fewer than two rows,
            or of rows that are all the same.
        """
        n = min(real.n, made.n, MAX_ROWS)
        rows = torch.cat([self.features(each)[:n] for each in (real, made)]).cpu().numpy()
        if n < 2 or not rows.shape[1]:
            return 1.0
        real_rows, fake_rows = np.split(rows, 2)
        return two_sample_score(
            real_rows,
            fake_rows,
            lambda: HistGradientBoostingClassifier(
                max_iter=50, early_stopping=False, random_state=seed
            ),
            n_folds=3,
            seed=seed,
            method="decision_function",
        )

    def n_kinds(self, rows: Rows) -> int:
        """Count the different rows, numbers to within a sixteenth of their ranks."""
        return len(torch.unique((COARSENESS * self.features(rows)).floor(), dim=0))


class _Lookup:
    """The number that stands for each level of an encoder's rows."""

    def __init__(self, encoder: Encoder) -> None:
        self.layout = encoder.layout
        numbers = [
            np.where(np.isnan(ranks), -1.0 - np.arange(len(ranks)), ranks)
            for ranks in encoder.level_ranks
        ]
        self.of_level = self.layout.along_row(numbers).to(self.layout.offsets.device)

    def numbers(self, table: EncodedTable) -> Tensor:
        """Turn rows into numbers, shape (n, n_blocks + n_scalars).

        A table may come with more than the columns of this encoder: what lies behind them, such
        as InfoGAN's codes behind no condition at all, is not looked at.
        """
        codes = table.codes[:, : self.layout.n_blocks]
        scalars = table.scalars[:, : self.layout.n_scalars]
        levels = self.of_level[self.layout.positions(codes)].masked_fill(codes < 0, 2.0)
        return torch.cat([levels, scalars.nan_to_num(2.0)], dim=1)
