"""A fast judge on encoded rows: how hard synthetic rows are to tell from real rows."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor

from tabgan.generation.encoding import Rows
from tabgan.generation.two_sample import two_sample_score
from tabgan.table.encoder import EncodedTable, Encoder

MAX_ROWS = 3_000
"""Most rows of each kind that the two-sample test compares."""

COARSENESS = 16
"""Number of equal parts of [0, 1]; `RowJudge.n_kinds` does not tell ranks in one part apart."""


class RowJudge:
    """Compares encoded rows by features that trees can split by.

    Parameters
    ----------
    made : Encoder
        Encoder of the columns that are generated.
    given : Encoder
        Encoder of the condition columns.
    """

    def __init__(self, made: Encoder, given: Encoder) -> None:
        self._level_numbers = [_LevelNumbers(encoder) for encoder in (made, given)]

    @property
    def n_features(self) -> int:
        """Number of features of a row."""
        layouts = [each.layout for each in self._level_numbers]
        return sum(layout.n_blocks + layout.n_scalars for layout in layouts)

    def features(self, rows: Rows) -> Tensor:
        """Turn each block and each scalar into one number.

        Parameters
        ----------
        rows : Rows of n rows

        Returns
        -------
        Tensor of shape (n, n_features)
            The rank in [0, 1] for a level that has an order, a negative number for another level,
            the scalar in [-1, 1] for a scalar, and 2 for an unknown value.
        """
        each = zip(self._level_numbers, rows, strict=True)
        return torch.cat([of_levels.numbers(table) for of_levels, table in each], dim=1)

    def score(self, real: Rows, made: Rows, seed: int) -> float:
        """Score by a two-sample test how hard synthetic rows are to tell from real rows.

        The public function with more options is `evaluation.c2st`.

        Parameters
        ----------
        real, made : Rows
            Real and synthetic rows, of which as many of each kind are compared.
        seed : int

        Returns
        -------
        float
            ``1 - (2 max(1/2, AUC) - 1)``, in [0, 1]; higher is better. 1 with fewer than two rows
            of each kind, or without any feature.
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
        """Count distinct rows, where ranks in the same sixteenth of [0, 1] count as equal.

        Parameters
        ----------
        rows : Rows

        Returns
        -------
        int
        """
        return len(torch.unique((COARSENESS * self.features(rows)).floor(), dim=0))


class _LevelNumbers:
    """One number for each level: the level's rank, or a negative number without a rank.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder: Encoder) -> None:
        self.layout = encoder.layout
        numbers = [
            np.where(np.isnan(ranks), -1.0 - np.arange(len(ranks)), ranks)
            for ranks in encoder.level_ranks
        ]
        self.of_level = self.layout.along_row(numbers).to(self.layout.offsets.device)

    def numbers(self, table: EncodedTable) -> Tensor:
        """Turn rows into numbers.

        Parameters
        ----------
        table : EncodedTable of n rows
            Columns beyond those of the encoder do not count. InfoGAN's latent codes are such
            columns: a condition table without conditions holds the codes.

        Returns
        -------
        Tensor of shape (n, n_blocks + n_scalars)
            2 for an unknown value.
        """
        codes = table.codes[:, : self.layout.n_blocks]
        scalars = table.scalars[:, : self.layout.n_scalars]
        levels = self.of_level[self.layout.positions(codes)]
        numbers = torch.cat([levels, -1.0 - self.layout.wide_codes(codes)], dim=1)
        return torch.cat([numbers.masked_fill(codes < 0, 2.0), scalars.nan_to_num(2.0)], dim=1)
