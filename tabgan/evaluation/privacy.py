"""Whether synthetic rows are copies: nearness to training rows, exact and near duplicates."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tabgan.checks import SEED, check, integer
from tabgan.evaluation.columns import Column, Table, align_columns
from tabgan.evaluation.neighbours import (
    Floats,
    draw_rows,
    embed,
    nearest,
    nearest_with_ties,
    place_quantiles,
    shorter,
)
from tabgan.evaluation.text import figures_line
from tabgan.randomness import own_stream

_NEAR_DUPLICATE = 0.01  # the share of held-out rows, duplicates aside, that count as near
_LEAST_TOLD_APART = 0.2  # of the expected share; below that, ties say nothing about copies


@dataclass(frozen=True, repr=False)
class ClosestRecords:
    """How near synthetic rows lie to the rows that a synthesizer was trained on.

    Attributes
    ----------
    distances : DataFrame of shape (n_synthetic, 2)
        Columns "train" and "holdout": the distance of each synthetic row measured to its closest
        training row and to its closest held-out row. The closest of more rows is nearer by chance,
        so that the columns compare only where there are as many training rows as held-out rows.
        The index holds the rows' positions in the synthetic table.
    share_nearer_to_train : float
        Whether synthetic rows lie nearer to training rows than to held-out rows, corrected for how
        many there are of either. In [0, 1]. 0.5: rows as fresh as the held-out ones; 1: all rows
        are copies; ``0.5 + c / 2``: a share `c` of the rows are copies and the others are fresh.
    dcr : float
        The published share of the distance to the closest record: the share of the synthetic
        rows that lie nearer to one of as many training rows as held-out rows, drawn at random.
        Ties count half. In [0, 1]. 0.5: rows as fresh as the held-out ones. Where there are more
        training rows than held-out rows, most copied rows are not drawn, and a pure copy reaches
        only about ``0.5 + n_holdout / (2 * n_train)``.
    duplicate_rate : float
        Share of all synthetic rows that equal some training row in every column.
    holdout_duplicate_rate : float
        The same share of the held-out rows: how many duplicates chance alone brings about.
    near_duplicate_rate : float
        Share of the synthetic rows whose closest training row is as near as that of the nearest
        hundredth of the held-out rows; held-out rows that are exact duplicates do not count for
        this distance. In [0, 1]. As `holdout_near_duplicate_rate`: fresh rows; 1: all rows are
        copies or differ from a training row by a trifle.
    holdout_near_duplicate_rate : float
        The same share of the held-out rows: their exact duplicates and one hundredth of the rest.
    """

    distances: pd.DataFrame
    share_nearer_to_train: float
    dcr: float
    duplicate_rate: float
    holdout_duplicate_rate: float
    near_duplicate_rate: float
    holdout_near_duplicate_rate: float

    def __repr__(self) -> str:
        return figures_line(self)


def distance_to_closest_record(
    real_train: Table,
    synthetic: Table,
    holdout: Table,
    *,
    max_rows: int = 20_000,
    categorical_features: Sequence[Hashable] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> ClosestRecords:
    r"""Compare how near synthetic rows lie to training rows and to rows never seen.

    Parameters
    ----------
    real_train : DataFrame, Arrow table or ndarray of shape (n_train, n_columns)
        The rows that the synthesizer was trained on.
    synthetic : DataFrame, Arrow table or ndarray of shape (n_synthetic, n_columns)
        The rows to judge.
    holdout : DataFrame, Arrow table or ndarray of shape (n_holdout, n_columns)
        Rows from the same source that the synthesizer has not seen.
    max_rows : int, default=20000
        Distances are measured from at most so many synthetic rows and so many held-out rows, drawn
        at random. They are measured to all training rows and all held-out rows, because a copy
        shows only where the copied row takes part. The duplicate rates always use all rows.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.
    random_state : int, RandomState or None, default=0
        Decides the rows drawn.

    Returns
    -------
    ClosestRecords

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns or no rows, or if an argument is out of its range.

    Notes
    -----
    The distance is Euclidean. A number counts as its quantile among the training and held-out
    rows, so that heavy tails do not drown the rest; two different categories are at distance 1; a
    missing value is at least 1 away from every value and 0 away from another missing value.

    `share_nearer_to_train` needs no equal numbers of training and held-out rows. A fresh row has
    its closest real row among the n held-out rows rather than among the N training rows with
    probability :math:`e = n / (N + n)`, whatever the distribution; where k training and l held-out
    rows are equally close, the row counts :math:`l / (k + l)`. With the share q of synthetic rows
    closest to a held-out row, and the share :math:`q_0` that the training table itself gets in
    their place (0 unless training rows equal held-out rows), the score is

    .. math:: \frac12 + \frac{e - q}{2 (e - q_0)}.

    It is cut to [0, 1]. Where most training rows equal held-out rows, copies and fresh rows are
    the same rows: the divisor is then at least :math:`0.4 e`, and a copy stays near 0.5. Between
    fresh tables of as many synthetic as training rows, the score has a standard deviation of
    about ``0.6 / sqrt(n_holdout)``.

    References
    ----------
    .. [1] Platzer and Reutterer (2021), "Holdout-Based Empirical Assessment of Mixed-Type Synthetic
       Data", section 3.2; the measure of the papers on TabSyn and TabDiff.
    .. [2] Zhao et al. (2021), "CTAB-GAN: Effective Table Data Synthesizing", section 4.2.4.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.evaluation import distance_to_closest_record
    >>> rows = np.random.default_rng(0).normal(size=(1_000, 3))
    >>> train, holdout = rows[:800], rows[800:]
    >>> distance_to_closest_record(train, train, holdout).share_nearer_to_train
    1.0
    """
    check("max_rows", max_rows, integer(1))
    check("random_state", random_state, SEED)
    tables: dict[str, Any] = {
        "real_train": real_train,
        "synthetic": synthetic,
        "holdout": holdout,
    }
    columns = align_columns(tables, categorical_features=categorical_features)
    rng = own_stream(random_state)
    n_train, n_synthetic, n_holdout = (len(values) for values in columns[0].values)
    every = [np.arange(n_train), draw_rows(n_synthetic, max_rows, rng), np.arange(n_holdout)]
    train, rows, held_out = embed(columns, every, place_quantiles)
    to_train, n_at_train = nearest_with_ties(rows, train)
    to_holdout, n_at_holdout = nearest_with_ties(rows, held_out)
    of_holdout = nearest(held_out.take(draw_rows(n_holdout, max_rows, rng)), train)[1]

    hashes = _row_hashes(columns)
    weights = n_at_holdout / (n_at_train + n_at_holdout)
    weights[shorter(to_train, to_holdout)] = 0.0
    weights[shorter(to_holdout, to_train)] = 1.0
    bound = _near_distance(of_holdout)
    return ClosestRecords(
        distances=pd.DataFrame({"train": to_train, "holdout": to_holdout}, index=every[1]),
        share_nearer_to_train=_corrected_share(
            float(weights.mean()), _share_of_a_copy(hashes[0], hashes[2]), n_train, n_holdout
        ),
        dcr=_published_share(train, rows, held_out, to_train, to_holdout, rng),
        duplicate_rate=float(np.isin(hashes[1], hashes[0]).mean()),
        holdout_duplicate_rate=float(np.isin(hashes[2], hashes[0]).mean()),
        near_duplicate_rate=float(np.mean(~shorter(bound, to_train))),
        holdout_near_duplicate_rate=float(np.mean(~shorter(bound, of_holdout))),
    )


def _corrected_share(at_holdout: float, of_copy: float, n_train: int, n_holdout: int) -> float:
    """Return `share_nearer_to_train`; see the notes of `distance_to_closest_record`.

    Parameters
    ----------
    at_holdout : float
        Share q of the synthetic rows that are closest to a held-out row.
    of_copy : float
        What the training table itself gets in the place of q.
    """
    expected = n_holdout / (n_train + n_holdout)
    divisor = max(expected - of_copy, _LEAST_TOLD_APART * expected)
    return float(np.clip(0.5 + 0.5 * (expected - at_holdout) / divisor, 0.0, 1.0))


def _share_of_a_copy(train: npt.NDArray[np.uint64], holdout: npt.NDArray[np.uint64]) -> float:
    """Return how often a training row, being at distance 0 to its equals, has held-out equals."""
    _, row = np.unique(np.concatenate([train, holdout]), return_inverse=True)
    in_train = np.bincount(row[: len(train)], minlength=row.max() + 1)
    in_holdout = np.bincount(row[len(train) :], minlength=row.max() + 1)
    return float(np.average(in_holdout / (in_train + in_holdout), weights=in_train))


def _near_distance(distances: Floats) -> Floats:
    """Return the distance within which the nearest hundredth of the rows lie, duplicates aside."""
    apart = np.sort(distances[distances > 0])
    n_near = int(np.ceil(_NEAR_DUPLICATE * len(apart)))
    return apart[n_near - 1 : n_near] if len(apart) else np.zeros(1)


def _published_share(
    train: Any,
    rows: Any,
    held_out: Any,
    to_train: Floats,
    to_holdout: Floats,
    rng: np.random.RandomState,
) -> float:
    n_each = min(len(train), len(held_out))
    if n_each < len(train):
        to_train = nearest(rows, train.take(draw_rows(len(train), n_each, rng)))[1]
    if n_each < len(held_out):
        to_holdout = nearest(rows, held_out.take(draw_rows(len(held_out), n_each, rng)))[1]
    nearer = np.mean(shorter(to_train, to_holdout))
    return float(0.5 * nearer + 0.5 * np.mean(~shorter(to_holdout, to_train)))


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
