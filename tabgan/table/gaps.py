"""Gaps of a table, which are its missing values, filled with the values of another table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def fill_gaps(frame: pd.DataFrame, values: pd.DataFrame, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Fill the missing values of a table with the values of another one, cell by cell.

    Parameters
    ----------
    frame : DataFrame of shape (n, d)
        The table with gaps, which is not changed.
    values : DataFrame of shape (m, d)
        Values for some rows of `frame`, with its columns in the same order. The dtypes may differ.
        A value that is missing here too leaves a gap.
    rows : ndarray of shape (m,)
        The positions of those rows, in ascending order. Rows with gaps are among them.

    Returns
    -------
    DataFrame of shape (n, d)
        With the index, the labels and the dtypes of `frame`, and with its values where it has any.
        A column takes the dtype of `values` if it holds nothing but gaps, or if its own dtype
        cannot hold the values that fill it. A categorical column gets the categories that it lacks.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from tabgan.table.gaps import fill_gaps
    >>> frame = pd.DataFrame({"age": [31, None, 58], "city": [None, "Rome", "Bonn"]})
    >>> values = pd.DataFrame({"age": [99, 47], "city": ["Oslo", "Paris"]})
    >>> fill_gaps(frame, values, np.array([0, 1]))
        age  city
    0  31.0  Oslo
    1  47.0  Rome
    2  58.0  Bonn
    """
    columns = [_filled(frame.iloc[:, i], values.iloc[:, i], rows) for i in range(frame.shape[1])]
    filled = pd.concat(columns, axis=1, keys=range(len(columns)))
    return filled.set_axis(frame.columns, axis=1)


def _filled(column: pd.Series, values: pd.Series, rows: NDArray[np.int64]) -> pd.Series:
    """Fill the missing values of one column."""
    is_gap = column.isna().to_numpy()
    if not is_gap.any():
        return column
    gaps = np.flatnonzero(is_gap)
    chosen = values.iloc[np.searchsorted(rows, gaps)].set_axis(column.index[gaps])
    if is_gap.all():
        return chosen
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = _with_categories(column, chosen)
    elif column.dtype == values.dtype:
        # Both parts have one dtype, which `concat` keeps.
        order = np.argsort(np.r_[np.flatnonzero(~is_gap), gaps])
        return pd.concat([column[~is_gap], chosen]).iloc[order]
    objects = column.astype(object)
    objects.iloc[gaps] = chosen.astype(object).to_numpy()
    try:
        return objects.astype(column.dtype)
    except (TypeError, ValueError, OverflowError):
        return objects


def _with_categories(column: pd.Series, values: pd.Series) -> pd.Series:
    """Add the categories of some values to a categorical column that lacks them."""
    known = set(column.cat.categories)
    lacking = [value for value in values.dropna().drop_duplicates() if value not in known]
    if not lacking:
        return column
    of_values = values.dtype
    if (
        isinstance(of_values, pd.CategoricalDtype)
        and column.cat.categories.isin(of_values.categories).all()
    ):
        return column.cat.set_categories(of_values.categories)
    return column.cat.add_categories(lacking)
