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

_ONE_HOT_UP_TO = 48  # categories; beyond, comparing codes is faster than a longer dot product
_CHUNK_ELEMENTS = 2**23


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
    """

    distances: pd.DataFrame
    share_nearer_to_train: float
    duplicate_rate: float
    holdout_duplicate_rate: float


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
    table twice as long as the holdout therefore shows in `share_nearer_to_train` at half strength,
    and in full in `duplicate_rate`.

    References
    ----------
    .. [1] Zhao et al. (2021), "CTAB-GAN: Effective Table Data Synthesizing", section 4.2.4.
    .. [2] Platzer and Reutterer (2021), "Holdout-Based Empirical Assessment of Mixed-Type Synthetic
       Data".
    """
    if isinstance(max_rows, bool) or not isinstance(max_rows, (int, np.integer)) or max_rows < 1:
        raise ValueError(f"max_rows must be a positive integer, got {max_rows!r}.")
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
        np.sort(rng.permutation(n_rows)[:n_drawn])
        for n_rows, n_drawn in (
            (n_train, n_references),
            (n_synthetic, min(n_synthetic, max_rows)),
            (n_holdout, n_references),
        )
    ]
    train_rows, rows, holdout_rows = _embed(columns, chosen)
    to_train, to_holdout = _nearest(rows, train_rows), _nearest(rows, holdout_rows)
    nearer = np.mean(to_train < to_holdout) + 0.5 * np.mean(to_train == to_holdout)
    hashes = _row_hashes(columns)
    return ClosestRecords(
        distances=pd.DataFrame({"train": to_train, "holdout": to_holdout}, index=chosen[1]),
        share_nearer_to_train=float(nearer),
        duplicate_rate=float(np.isin(hashes[1], hashes[0]).mean()),
        holdout_duplicate_rate=float(np.isin(hashes[2], hashes[0]).mean()),
    )


@dataclass(frozen=True)
class _Rows:
    """Rows as points: squared distance = |difference|² + number of differing codes."""

    points: npt.NDArray[np.float32]
    codes: npt.NDArray[np.int32]


def _embed(columns: Sequence[Column], chosen: Sequence[npt.NDArray[np.intp]]) -> list[_Rows]:
    points: list[list[npt.NDArray[np.float32]]] = [[] for _ in chosen]
    codes: list[list[npt.NDArray[np.int32]]] = [[] for _ in chosen]
    for column in columns:
        values = [v[rows] for v, rows in zip(column.values, chosen, strict=True)]
        if column.is_category and len(column.labels) > _ONE_HOT_UP_TO:
            for of_table, v in zip(codes, values, strict=True):
                of_table.append(v.astype(np.int32))
            continue
        if column.is_category:
            grid = np.arange(-1, len(column.labels))
            blocks = [np.float32(np.sqrt(0.5)) * (v[:, None] == grid) for v in values]
        else:
            scale = np.sort(np.concatenate([values[0], values[2]]))
            scale = scale[~np.isnan(scale)]
            blocks = [_quantiles(v, scale) for v in values]
        for table, block in zip(points, blocks, strict=True):
            table.append(block.astype(np.float32))
    return [
        _Rows(
            np.column_stack(point or [np.zeros((len(rows), 0), dtype=np.float32)]),
            np.column_stack(code or [np.zeros((len(rows), 0), dtype=np.int32)]),
        )
        for point, code, rows in zip(points, codes, chosen, strict=True)
    ]


def _quantiles(
    values: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return mid-rank quantiles in [0, 1] and a mask of missing values, shape (n, 2)."""
    missing = np.isnan(values)
    ranks = (np.searchsorted(scale, values, "left") + np.searchsorted(scale, values, "right")) / 2
    quantiles = np.where(missing, 0.5, ranks / max(len(scale), 1))
    return np.column_stack([quantiles, missing])


def _nearest(rows: _Rows, references: _Rows) -> npt.NDArray[np.float64]:
    """Return each row's distance to the closest reference, holding one chunk of pairs at a time."""
    half_norms = 0.5 * np.einsum("ij,ij->i", references.points, references.points)
    n_rows, n_chunk = len(rows.points), max(1, _CHUNK_ELEMENTS // len(references.points))
    closest = np.empty(n_rows, dtype=np.intp)
    for start in range(0, n_rows, n_chunk):
        chunk = slice(start, start + n_chunk)
        # The largest of x·r - |r|²/2 + matches/2 is the smallest distance.
        score = rows.points[chunk] @ references.points.T
        score -= half_norms
        for code, reference_code in zip(rows.codes[chunk].T, references.codes.T, strict=True):
            score += np.float32(0.5) * (code[:, None] == reference_code)
        closest[chunk] = score.argmax(axis=1)
    # Differences rather than dot products: a copy is at distance 0 exactly, to both tables alike.
    gaps = rows.points.astype(np.float64) - references.points[closest]
    mismatches = np.count_nonzero(rows.codes != references.codes[closest], axis=1)
    return np.sqrt(np.einsum("ij,ij->i", gaps, gaps) + mismatches)


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
