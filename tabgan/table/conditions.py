"""What a user asks rows to be: checked against the schema, encoded, matched against made rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.encoder import Encoder
from tabgan.table.schema import CategoricalColumn, IdentifierColumn, NumericColumn, Schema

RANK_TOLERANCE = 0.02
"""A made number within this share of the training rows counts as the number asked for."""


def as_frame(conditions: Any, n_samples: int, schema: Schema) -> pd.DataFrame:
    """Turn a dict, Series, DataFrame or list of labels into one row of wishes per row to make.

    Parameters
    ----------
    conditions : dict, Series, DataFrame or array-like
        A dict, or a Series indexed by column, holds for all `n_samples` rows (or, if its values
        are lists, one entry per row); a DataFrame of m rows asks for m rows; a Series named after
        a column does too.
    n_samples : int
    schema : Schema
        Columns that may be asked for.

    Returns
    -------
    DataFrame of shape (n, k) and dtype object, with a fresh index

    Raises
    ------
    ValueError
        A name that is not a column, or a length that does not fit `n_samples`.
    TypeError
        `conditions` is of none of these types.
    """
    names = schema.names
    if isinstance(conditions, pd.Series):
        if len(conditions) and all(label in names for label in conditions.index):
            conditions = conditions.to_dict()
        else:
            conditions = conditions.to_frame()
    if isinstance(conditions, Mapping):
        values = {
            name: list(value) if isinstance(value, list | tuple | np.ndarray | pd.Series) else value
            for name, value in conditions.items()
        }
        lengths = {len(value) for value in values.values() if isinstance(value, list)}
        if len(lengths) > 1:
            raise ValueError(
                f"conditions holds lists of different lengths, {sorted(lengths)}; "
                "give every column one value, or lists of one length."
            )
        n_rows = lengths.pop() if lengths else n_samples
        frame = pd.DataFrame(index=range(n_rows), columns=pd.Index(list(values), dtype=object))
        for name, value in values.items():
            column = np.empty(n_rows, dtype=object)
            column[:] = value if isinstance(value, list) else [value] * n_rows
            frame[name] = pd.Series(column, dtype=object)
    elif isinstance(conditions, pd.DataFrame):
        frame = conditions.astype(object).reset_index(drop=True)
    else:
        raise TypeError(
            "conditions must be a dict, a Series or a DataFrame whose names are columns, "
            f"got {type(conditions).__name__}."
        )
    for name in frame.columns:
        if name not in names:
            raise ValueError(f"conditions names {name!r}, which is not a column; columns: {names}.")
    if not len(frame.columns):
        raise ValueError("conditions is empty; leave it out to sample without conditions.")
    if n_samples not in (1, len(frame)):
        raise ValueError(
            f"n_samples is {n_samples} but conditions has {len(frame)} rows; "
            "leave n_samples out, or make the two agree."
        )
    if not len(frame):
        raise ValueError("conditions has 0 rows; give at least one.")
    return frame


class Wish(NamedTuple):
    """What one column is asked to be, encoded; arrays of shape (n,).

    Attributes
    ----------
    codes : int
        The level asked for; -1 where any will do (an interval).
    scalars : float
        The scalar asked for; NaN where any will do.
    low, high : float
        For an interval, its ends in the column's numbers; NaN elsewhere.
    values : Series
        The values asked for in the column's dtype; meaningless where an interval is asked for.
    """

    codes: NDArray[np.int64]
    scalars: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    values: pd.Series

    def met_by(
        self,
        i: int,
        column: NumericColumn | CategoricalColumn,
        codes: NDArray[np.int64] | None,
        scalars: NDArray[np.float64] | None,
        values: pd.Series,
    ) -> NDArray[np.bool_]:
        """Which made rows meet wish `i`, shape (m,).

        Parameters
        ----------
        i : int
        column : NumericColumn or CategoricalColumn
        codes, scalars : ndarray of shape (m,) or None
            The column's levels and scalars in the made rows, as far as it has them.
        values : Series of shape (m,)
            The column's made values.
        """
        fits = np.ones(len(values), dtype=bool)
        if codes is not None and self.codes[i] >= 0:
            fits &= codes == self.codes[i]
        if scalars is not None and not np.isnan(self.scalars[i]):
            fits &= np.abs(scalars - self.scalars[i]) <= 2 * RANK_TOLERANCE
        if isinstance(column, NumericColumn) and not np.isnan(self.low[i]):
            numbers = column.numbers(values)
            fits &= (numbers >= self.low[i]) & (numbers <= self.high[i])
        return fits

    def impose(self, made: pd.Series, asked: NDArray[np.int64]) -> pd.Series:
        """Put the exact values asked for into rows that met wishes `asked`."""
        wanted = self.values.iloc[asked].set_axis(made.index)
        in_interval = ~np.isnan(self.low[asked])
        return made.where(in_interval, wanted) if in_interval.any() else wanted


def encode_wish(encoder: Encoder, name: Hashable, asked: pd.Series) -> Wish:
    """Encode what one column is asked to be.

    Parameters
    ----------
    encoder : Encoder
    name : hashable
        A column of the encoder's schema.
    asked : Series of dtype object, shape (n,)
        Values, missing values, or ``pandas.Interval`` for numbers and dates.

    Raises
    ------
    ValueError
        An unknown category, a number out of range or of the wrong type, or a missing value where
        training had none.
    """
    schema = encoder.schema
    index = schema.names.index(name)
    column, codec = schema.columns[index], encoder.codecs[index]
    n = len(asked)
    if isinstance(column, IdentifierColumn) or codec is None:
        raise ValueError(f"conditions: {name!r} is an identifier, which is not learnt; drop it.")
    if asked.isna().any() and column.missing_rate == 0:
        raise ValueError(
            f"conditions: {name!r} is missing, but it never was in training; "
            "leave the column out to accept any value."
        )
    in_interval = np.array([isinstance(value, pd.Interval) for value in asked], dtype=bool)
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    if isinstance(column, CategoricalColumn):
        if in_interval.any():
            raise ValueError(f"conditions: {name!r} is categorical and takes no intervals.")
        values = column.series(_category_codes(column, asked))
    else:
        low[in_interval], high[in_interval] = _interval_ends(column, asked[in_interval])
        numbers = np.full(n, column.table.low[0])
        numbers[~in_interval] = _numbers(column, asked[~in_interval])
        values = column.series(numbers)
    levels = codec.encode(values)
    is_any = in_interval | (encoder.blocks[index] < 0)
    codes = np.where(is_any, -1, levels.codes)
    is_scalar = codec.has_scalar & ~in_interval & (levels.codes == 0)
    scalars = np.where(is_scalar, 2 * levels.ranks - 1, np.nan)
    return Wish(codes, scalars, low, high, values)


def _category_codes(column: CategoricalColumn, values: pd.Series) -> NDArray[np.int64]:
    codes = column.codes(values)
    if (codes == -2).any():
        unknown = values[codes == -2].iloc[0]
        seen = ", ".join(repr(c) for c in column.categories[:10])
        more = ", ..." if len(column.categories) > 10 else ""
        raise ValueError(
            f"conditions: {column.name!r} was never {unknown!r} in training; it took {seen}{more}."
        )
    return codes


def _numbers(column: NumericColumn, values: pd.Series) -> NDArray[np.float64]:
    """Count steps above the column's origin; values out of range or off its grid are errors."""
    missing = values.isna()
    numbers = np.full(len(values), np.nan)
    try:
        if column.kind == "integer":
            asked = values[~missing].astype(np.float64)
            if (asked % 1 != 0).any():
                raise ValueError(f"{asked[asked % 1 != 0].iloc[0]} is not whole")
        present = values[~missing].astype(column.dtype if column.dtype != "object" else float)
        numbers[~missing.to_numpy()] = column.numbers(present)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"conditions: {column.name!r} holds {column.kind} values, got "
            f"{values[~missing].iloc[0]!r} ({error})."
        ) from error
    table = column.table
    outside = (numbers < table.low[0]) | (numbers > table.high[-1])
    if outside.any():
        ends = column.series(np.array([table.low[0], table.high[-1]]))
        raise ValueError(
            f"conditions: {column.name!r} must lie in [{ends[0]}, {ends[1]}], the range seen in "
            f"training, got {values[outside].iloc[0]!r}."
        )
    return numbers


def _interval_ends(
    column: NumericColumn, intervals: pd.Series
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count intervals' closed ends in steps above the column's origin."""
    dtype = column.dtype if column.kind in ("datetime", "timedelta") else "float64"
    ends = []
    for side in ("left", "right"):
        values = pd.Series([getattr(interval, side) for interval in intervals])
        numbers = (
            column.numbers(values.astype(dtype))
            if column.kind in ("datetime", "timedelta")
            else (values.to_numpy(dtype=np.float64) - column.origin) / column.step
        )
        is_open = np.array([getattr(interval, f"open_{side}") for interval in intervals])
        toward = np.inf if side == "left" else -np.inf
        ends.append(np.where(is_open, np.nextafter(numbers, toward), numbers))
    low, high = ends
    if not len(intervals):
        return low, high
    outside = (high < column.table.low[0]) | (low > column.table.high[-1]) | (low > high)
    if outside.any():
        seen = column.series(np.array([column.table.low[0], column.table.high[-1]]))
        raise ValueError(
            f"conditions: {column.name!r} lies in [{seen[0]}, {seen[1]}] in training, which "
            f"{intervals[outside].iloc[0]} does not meet."
        )
    return low, high
