"""Lay tables of one schema side by side, column by column, in a form the metrics can compare.

Every public function of the evaluation reads its tables here and nowhere else.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tabgan.checks import LABEL, NONE, ParameterError, check, listed, sequence_of, short
from tabgan.table.dtypes import factorize
from tabgan.table.format import read_table

Table: TypeAlias = Any
"""Whatever `tabgan.table.format.read_table` reads: a pandas or polars DataFrame, an Arrow table, an
array of two dimensions, or a table with one of the interchange protocols."""

LABELS = NONE | sequence_of(LABEL, "a sequence of column labels")
"""What parameters that name some columns take."""

Kind = Literal["number", "datetime", "timedelta", "category"]

_KIND_OF_OBJECTS: dict[str, Kind] = {
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "datetime": "datetime",
    "datetime64": "datetime",
    "date": "datetime",
    "timedelta": "timedelta",
    "timedelta64": "timedelta",
}
_BOOLEAN_SPELLINGS = {"0": "False", "1": "True", "false": "False", "true": "True"}


@dataclass(frozen=True)
class Column:
    """One column of several tables, in one common encoding.

    Attributes
    ----------
    name : hashable
        The column's label.
    kind : {"number", "datetime", "timedelta", "category"}
        What the column is compared as.
    values : tuple of ndarray of shape (n_rows_of_table,)
        One array for each table. Categories are int64 positions in `labels`, -1 where missing.
        Everything else is float64, NaN where missing; datetimes are microseconds since 1970 (UTC)
        and timedeltas are microseconds.
    labels : tuple of str
        The categories, as text. Empty for the other kinds.
    """

    name: Hashable
    kind: Kind
    values: tuple[npt.NDArray[Any], ...]
    labels: tuple[str, ...] = ()

    @property
    def is_category(self) -> bool:
        """Whether the column is compared as categories rather than as an amount."""
        return self.kind == "category"

    @property
    def missing(self) -> tuple[npt.NDArray[np.bool_], ...]:
        """Which rows have no value, one mask for each table."""
        return tuple(v < 0 if self.is_category else np.isnan(v) for v in self.values)


def align_columns(
    tables: Mapping[str, Table],
    *,
    categorical_features: Sequence[Hashable] | None = None,
) -> list[Column]:
    """Bring the columns of several tables with the same columns into one encoding.

    Tables may store the same values under different dtypes: a CSV file gives integers back as
    floats, categories as strings and datetimes as text. The values are compared, not the dtypes.
    Categories are compared as text, so that 1, 1.0 and "1" are one category, and so are True and
    "true".

    Parameters
    ----------
    tables : mapping of str to table of shape (n_rows, n_columns)
        The tables under the names that error messages give them: pandas or polars DataFrames, Arrow
        tables, arrays. The first one decides the order of the columns and, where it has any value
        at all, what each column is.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.

    Returns
    -------
    list of Column
        In the order of the first table's columns.

    Raises
    ------
    TypeError
        If a table is no table.
    ValueError
        If a table has no rows, repeats a column label or has other columns than the first one; if a
        number or date column holds something else in another table, or an infinite number; if
        `categorical_features` names no column.
    """
    check("categorical_features", categorical_features, LABELS)
    frames = {name: read_frame(table, name) for name, table in tables.items()}
    first_name, first = next(iter(frames.items()))
    for name, frame in frames.items():
        _check_same_columns(first, frame, first_name, name)
    forced = set(categorical_features) if categorical_features is not None else set()
    unknown = [name for name in forced if name not in first.columns]
    if unknown:
        raise ValueError(
            f"categorical_features names {short(unknown[0])}, which is not a column of "
            f"{first_name}."
        )
    return [
        _align({table: frame[name] for table, frame in frames.items()}, name in forced)
        for name in first.columns
    ]


def check_target(tables: Mapping[str, Table], target: Hashable) -> None:
    """Raise a ValueError if `target` is not a column of the first of the tables."""
    check("target", target, LABEL)
    name, table = next(iter(tables.items()))
    columns = list(read_frame(table, name).columns)
    if target not in columns:
        raise ValueError(
            f"target must be a column of {name}, got {short(target)}; it has {listed(columns)}."
        )


def read_frame(table: Table, name: str) -> pd.DataFrame:
    """Read a table of any kind as a DataFrame of at least one row and one column.

    Raises
    ------
    TypeError
        If it is no table.
    ValueError
        If it has no rows, no columns, or two columns of one name.
    """
    shape = getattr(table, "shape", None)
    if isinstance(shape, tuple) and len(shape) == 2 and 0 in shape:
        what = "rows" if shape[0] == 0 else "columns"
        raise ValueError(f"{name} has no {what}; there is nothing to compare.")
    return read_table(table, name)[0]


def _check_same_columns(
    first: pd.DataFrame, other: pd.DataFrame, first_name: str, other_name: str
) -> None:
    lacking = [c for c in first.columns if c not in other.columns]
    extra = [c for c in other.columns if c not in first.columns]
    if lacking or extra:
        raise ValueError(
            f"{first_name} and {other_name} must have the same columns; "
            f"{other_name} lacks {listed(lacking)} and has {listed(extra)} besides."
        )


def _align(columns: dict[str, pd.Series], forced_category: bool) -> Column:
    first = next(iter(columns.values()))
    telling = next((c for c in columns.values() if c.notna().any()), first)
    kind = "category" if forced_category else _kind_of(telling)
    if kind == "category":
        return _align_categories(first.name, list(columns.values()))
    values = [_as_floats(column, kind, table) for table, column in columns.items()]
    if any(_is_single_precision(column.dtype) for column in columns.values()):
        # 0.1 stored in 32 bits is not 0.1 in 64: compare at the precision both have.
        values = [v.astype(np.float32).astype(np.float64) for v in values]
    return Column(first.name, kind, tuple(values))


def _kind_of(column: pd.Series) -> Kind:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) or types.is_bool_dtype(dtype):
        return "category"
    if types.is_numeric_dtype(dtype):
        return "number"
    if types.is_datetime64_any_dtype(dtype):
        return "datetime"
    if types.is_timedelta64_dtype(dtype):
        return "timedelta"
    return _KIND_OF_OBJECTS.get(types.infer_dtype(column, skipna=True), "category")


def _is_single_precision(dtype: Any) -> bool:
    return getattr(dtype, "numpy_dtype", dtype) in (np.dtype("float32"), np.dtype("float16"))


def _as_floats(column: pd.Series, kind: Kind, table: str) -> npt.NDArray[np.float64]:
    try:
        values = _numbers(column) if kind == "number" else _microseconds(column, kind)
    except (TypeError, ValueError, OverflowError) as error:
        example = column.dropna().iloc[0]
        raise ValueError(
            f"{table} must hold {kind}s in column {short(column.name)}, as the first table does; "
            f"it has {column.dtype} values such as {short(example)}."
        ) from error
    infinite = np.isinf(values)
    if infinite.any():
        raise ParameterError(
            f"{table} must hold finite numbers in column {short(column.name)}, got "
            f"{values[infinite][0]} in {infinite.sum():,} of {len(values):,} rows. "
            "Replace infinite numbers by finite or missing ones."
        )
    return values


def _numbers(column: pd.Series) -> npt.NDArray[np.float64]:
    if types.is_datetime64_any_dtype(column.dtype) or types.is_timedelta64_dtype(column.dtype):
        raise TypeError("a date is no number")
    if not types.is_numeric_dtype(column.dtype):
        column = pd.to_numeric(column.astype(object))
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _microseconds(column: pd.Series, kind: Kind) -> npt.NDArray[np.float64]:
    if types.is_numeric_dtype(column.dtype) and column.notna().any():
        raise TypeError("a number has no unit of time")
    if kind == "datetime":
        as_text = not types.is_datetime64_any_dtype(column.dtype)
        stamps = pd.to_datetime(column, utc=True, format="mixed" if as_text else None)
        ticks = stamps.dt.tz_localize(None).to_numpy("datetime64[us]")
    else:
        ticks = pd.to_timedelta(column).to_numpy("timedelta64[us]")
    return np.where(np.isnat(ticks), np.nan, ticks.astype(np.int64))


def _align_categories(name: Hashable, columns: list[pd.Series]) -> Column:
    factorized = [factorize(column) for column in columns]
    texts = [[_label(value) for value in uniques] for _, uniques in factorized]
    if any(of_table and set(of_table) <= {"True", "False"} for of_table in texts):
        texts = [[_BOOLEAN_SPELLINGS.get(text, text) for text in of_table] for of_table in texts]
    labels = pd.Index(list(dict.fromkeys(itertools.chain(*texts))), dtype=object)
    values = tuple(
        # `factorize` marks a missing value by -1, which picks the appended last entry.
        np.append(labels.get_indexer(pd.Index(of_table, dtype=object)), -1)[codes]
        for (codes, _), of_table in zip(factorized, texts, strict=True)
    )
    return Column(name, "category", values, tuple(labels))


def _label(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)
