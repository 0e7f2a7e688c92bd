"""Distributions of single columns, counted once so that they can be drawn without the rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabgan.checks import check, short
from tabgan.evaluation.columns import LABELS, Column, Kind, Table, align_columns
from tabgan.evaluation.fidelity import column_shape

_MOST_CATEGORIES = 10
_MOST_VALUES = 12
_N_BINS = 30
_TAIL = 0.005
_LONG_TAIL = 1.5
_MOSTLY = 0.95
_LARGEST_WHOLE = 2**52
_LARGEST = 1e300  # differences of such numbers are finite

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Marginal:
    """How one column is distributed in a real and in a synthetic table.

    Attributes
    ----------
    name : hashable
        The column's label.
    kind : {"number", "datetime", "timedelta", "category"}
        What the column is compared as.
    shape : float
        The column's score by `column_shapes`.
    real, synthetic : ndarray of shape (n_bars,)
        Shares of all rows, in [0, 1].
    labels : tuple of str
        What the bars stand for: categories or single values, most frequent first for categories;
        empty for a histogram.
    edges : ndarray of shape (n_bars + 1,)
        The histogram's bin edges, in the units of `Column.values`; empty otherwise. The outer bins
        also hold the values beyond them.
    missing : tuple of two floats
        Share of missing values in the real and in the synthetic table. A column of categories has
        a bar for them too.
    """

    name: Hashable
    kind: Kind
    shape: float
    real: Floats
    synthetic: Floats
    labels: tuple[str, ...]
    edges: Floats
    missing: tuple[float, float]

    def __repr__(self) -> str:
        return (
            f"Marginal({short(self.name)}, {self.kind}, shape={self.shape:.4g}, "
            f"{len(self.real)} bars)"
        )


def marginals(
    real: Table,
    synthetic: Table,
    *,
    columns: Sequence[Hashable] | None = None,
    categorical_features: Sequence[Hashable] | None = None,
) -> list[Marginal]:
    """Count how columns are distributed in two tables.

    Parameters
    ----------
    real, synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        Two tables with the same columns.
    columns : sequence of column labels, optional
        The columns to count, in this order; all by default.
    categorical_features : sequence of column labels, optional
        Columns to count as categories although they hold numbers or dates.

    Returns
    -------
    list of Marginal
        Categories: the ten most frequent ones, the rest together. Numbers of at most twelve
        different values: each value. Other numbers and dates: at most thirty bins of equal width
        (of whole width for whole numbers), the outer ones of which take in long tails.

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns or no rows, or if `columns` or `categorical_features`
        names no column.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.evaluation import marginals
    >>> real = pd.DataFrame({"sex": ["m", "f", "f", "f"]})
    >>> marginals(real, real)[0].labels, marginals(real, real)[0].real
    (('f', 'm'), array([0.75, 0.25]))
    """
    check("columns", columns, LABELS)
    tables = {"real": real, "synthetic": synthetic}
    aligned = {
        column.name: column
        for column in align_columns(tables, categorical_features=categorical_features)
    }
    names = list(aligned) if columns is None else list(columns)
    unknown = [name for name in names if name not in aligned]
    if unknown:
        raise ValueError(f"columns names {short(unknown[0])}, which is not a column of real.")
    return [_marginal(aligned[name]) for name in names]


def _marginal(column: Column) -> Marginal:
    missing = column.missing
    if column.is_category:
        labels, shares, edges = _category_shares(column)
    else:
        present = [
            np.clip(v[~mask], -_LARGEST, _LARGEST)
            for v, mask in zip(column.values, missing, strict=True)
        ]
        values = np.unique(np.concatenate(present))
        if 0 < len(values) <= _MOST_VALUES and column.kind == "number":
            labels = tuple(f"{value:.6g}" for value in values)
            edges = np.empty(0)
            shares = [
                np.array([(p == value).sum() for value in values]) / len(v)
                for p, v in zip(present, column.values, strict=True)
            ]
        else:
            labels, edges = (), _edges(np.concatenate(present), values)
            shares = [
                np.histogram(np.clip(p, edges[0], edges[-1]), bins=edges)[0] / len(v)
                for p, v in zip(present, column.values, strict=True)
            ]
    return Marginal(
        column.name,
        column.kind,
        column_shape(column),
        shares[0],
        shares[1],
        labels,
        edges,
        (float(missing[0].mean()), float(missing[1].mean())),
    )


def _category_shares(column: Column) -> tuple[tuple[str, ...], list[Floats], Floats]:
    n_labels = len(column.labels)
    # Position 0 counts the code -1, the missing values.
    shares = np.array([np.bincount(v + 1, minlength=n_labels + 1) / len(v) for v in column.values])
    missing, shares = shares[:, 0], shares[:, 1:]
    order = np.argsort(-shares.sum(axis=0), kind="stable")
    shown, rest = order[:_MOST_CATEGORIES], order[_MOST_CATEGORIES:]
    labels = [column.labels[i] for i in shown]
    bars = [shares[:, shown]]
    if len(rest):
        labels.append(f"{len(rest)} others")
        bars.append(shares[:, rest].sum(axis=1, keepdims=True))
    if missing.any():
        labels.append("missing")
        bars.append(missing[:, None])
    return tuple(labels), list(np.hstack(bars)), np.empty(0)


def _edges(pooled: Floats, values: Floats) -> Floats:
    """Return the bin edges for `pooled`, whose sorted distinct values are `values`."""
    if len(values) == 0:
        return np.array([0.0, 1.0])
    low, high = np.quantile(pooled, [_TAIL, 1.0 - _TAIL])
    if values[-1] - values[0] < _LONG_TAIL * (high - low) or low == high:
        low, high = values[0], values[-1]
    if np.mean(pooled == np.rint(pooled)) > _MOSTLY and high - low < _LARGEST_WHOLE:
        # Bins that hold two whole numbers here and three there would draw a comb.
        low, high = np.floor(low), np.ceil(high)
        width = max(1.0, np.ceil((high - low + 1.0) / _N_BINS))
        n_bins = int(np.ceil((high - low + 1.0) / width))
        return low - 0.5 + width * np.arange(n_bins + 1)
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    return np.linspace(low, high, _N_BINS + 1)
