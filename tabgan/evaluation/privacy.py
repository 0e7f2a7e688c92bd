"""Whether synthetic rows are copies: distance to the closest record, exact duplicates."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_random_state

from tabgan.evaluation.columns import Column, Table, align_columns
from tabgan.evaluation.neighbours import (
    check_max_rows,
    draw_rows,
    embed,
    nearest,
    place_quantiles,
    shorter,
)

_NEAR_DUPLICATE = 0.01  # the share of held-out rows that are nearer to a training row


@dataclass(frozen=True)
class ClosestRecords:
    """How near synthetic rows lie to the rows a synthesizer was trained on.

    Attributes
    ----------
    distances : DataFrame of shape (n_synthetic, 2)
        Columns "train" and "holdout": each synthetic row's distance to the closest row of as many
        training rows as held-out rows. The index holds the rows' positions in the synthetic table.
    share_nearer_to_train : float
        Share of the synthetic rows that lie nearer to a training row than to a held-out one, ties
        counted half. In [0, 1]. 0.5: training rows are no nearer than rows never seen; 1: copies.
    duplicate_rate : float
        Share of all synthetic rows that equal some training row in every column.
    holdout_duplicate_rate : float
        The same of the held-out rows: how many duplicates mere chance brings about.
    near_duplicate_rate : float
        Share of the synthetic rows that lie nearer to a training row than 99 % of the held-out rows
        lie to theirs. In [0, 1]. About 0.01 for rows that are no copies; 0 where more than 1 % of
        the held-out rows are duplicates, than which nothing is nearer: `duplicate_rate` tells then.
    """

    distances: pd.DataFrame
    share_nearer_to_train: float
    duplicate_rate: float
    holdout_duplicate_rate: float
    near_duplicate_rate: float


def distance_to_closest_record(
    real_train: Table,
    synthetic: Table,
    holdout: Table,
    *,
    max_rows: int = 20_000,
    categorical_features: Sequence[Hashable] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> ClosestRecords:
    """Compare how near synthetic rows lie to training rows and to rows never seen.

    Parameters
    ----------
    real_train : DataFrame or ndarray of shape (n_rows, n_columns)
        The rows the synthesizer was trained on.
    synthetic : DataFrame or ndarray of shape (n_rows, n_columns)
    holdout : DataFrame or ndarray of shape (n_rows, n_columns)
        Rows from the same source that the synthesizer has not seen.
    max_rows : int, default=20000
        Distances are taken from at most so many synthetic rows, drawn at random, and to at most so
        many training and held-out rows. The duplicate rates always use all rows.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.
    random_state : int, RandomState or None, default=0
        Decides the rows drawn.

    Returns
    -------
    ClosestRecords

    Notes
    -----
    The distance is Euclidean. A number counts as its quantile among the training and held-out rows
    drawn, so that heavy tails do not drown the rest; two different categories are at distance 1; a
    missing value is at least 1 away from every value and 0 away from another missing one.

    Training rows are drawn down to the number of held-out rows (or the reverse): the closest of
    more rows is nearer by chance alone. A synthesizer that copies one row in ten of a training
    table twice as long as the holdout therefore shows in `share_nearer_to_train` and
    `near_duplicate_rate` at half strength, and in full in `duplicate_rate`.

    References
    ----------
    .. [1] Zhao et al. (2021), "CTAB-GAN: Effective Table Data Synthesizing", section 4.2.4.
    .. [2] Platzer and Reutterer (2021), "Holdout-Based Empirical Assessment of Mixed-Type Synthetic
       Data".
    """
    check_max_rows(max_rows)
    tables: dict[str, Any] = {
        "real_train": real_train,
        "synthetic": synthetic,
        "holdout": holdout,
    }
    columns = align_columns(tables, categorical_features=categorical_features)
    rng = check_random_state(random_state)
    n_train, n_synthetic, n_holdout = (len(values) for values in columns[0].values)
    n_references = min(n_train, n_holdout, max_rows)
    chosen = [
        draw_rows(n_rows, n_drawn, rng)
        for n_rows, n_drawn in (
            (n_train, n_references),
            (n_synthetic, min(n_synthetic, max_rows)),
            (n_holdout, n_references),
        )
    ]
    train_rows, rows, holdout_rows = embed(columns, chosen, place_quantiles)
    _, to_train = nearest(rows, train_rows)
    _, to_holdout = nearest(rows, holdout_rows)
    _, between = nearest(holdout_rows, train_rows)
    nearer = 0.5 * np.mean(shorter(to_train, to_holdout)) + 0.5 * np.mean(
        ~shorter(to_holdout, to_train)
    )
    near_duplicates = shorter(to_train, np.quantile(between, _NEAR_DUPLICATE))
    hashes = _row_hashes(columns)
    return ClosestRecords(
        distances=pd.DataFrame({"train": to_train, "holdout": to_holdout}, index=chosen[1]),
        share_nearer_to_train=float(nearer),
        duplicate_rate=float(np.isin(hashes[1], hashes[0]).mean()),
        holdout_duplicate_rate=float(np.isin(hashes[2], hashes[0]).mean()),
        near_duplicate_rate=float(near_duplicates.mean()),
    )


def _row_hashes(columns: Sequence[Column]) -> list[npt.NDArray[np.uint64]]:
    n_tables = len(columns[0].values)
    return [
        pd.util.hash_pandas_object(
            # Adding zero makes -0.0 the same number as 0.0.
            pd.DataFrame({i: column.values[table] + 0 for i, column in enumerate(columns)}),
            index=False,
        ).to_numpy()
        for table in range(n_tables)
    ]
