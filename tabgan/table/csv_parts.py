"""CSV files read a part at a time, with the dtypes that their whole columns have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types as ptypes

Kind = Literal["boolean", "integer", "unsigned", "float", "date", "text"]

_READ_AS = {
    "boolean": "boolean",
    "integer": "Int64",
    "unsigned": "UInt64",
    "float": "Float64",
    "date": "string",
    "text": "string",
}
"""The nullable dtype that pandas reads a column of each kind as."""

_DATE = r"\d{4}-\d{2}-\d{2}"


def csv_parts(path: Path, size: int) -> Iterator[pd.DataFrame]:
    """Read a CSV file a part at a time; a first pass over the file finds the dtypes.

    Parameters
    ----------
    path : Path
        A file in UTF-8 whose first line names the columns; it may be compressed.
    size : int >= 1
        Rows of a part.

    Yields
    ------
    DataFrame of at most `size` rows
        Columns are float64, int64 or bool; Int64 or boolean if integers or truth values are missing
        in any part; datetime64 if all values are dates in ISO 8601; else object, of texts.

    Raises
    ------
    ValueError
        The file is empty, is not text in UTF-8, or is not a table.
    """
    kinds: dict[str, Kind | None] = {}
    gaps: dict[str, bool] = {}
    for part in _read(path, size, dtype_backend="numpy_nullable"):
        for name in part:
            kinds[name] = _joined(kinds.get(name), csv_kind(part[name]))
            gaps[name] = gaps.get(name, False) or bool(part[name].isna().any())
    dtypes = {name: _READ_AS[kind] for name, kind in kinds.items() if kind is not None}
    for part in _read(path, size, dtype=dtypes):
        yield pd.DataFrame({n: plain_column(part[n], kinds[n], gaps[n]) for n in part})


def plain_column(column: pd.Series, kind: Kind | None, has_gaps: bool) -> pd.Series:
    """Turn a nullable column of a CSV file into the dtype that pandas users are used to.

    Parameters
    ----------
    column : Series of shape (n,)
        The whole column or a part of it.
    kind : str or None
        Kind of the whole column; None if it has no value.
    has_gaps : bool
        Whether the whole column has missing values.

    Returns
    -------
    Series of shape (n,)
    """
    if kind == "float":
        return column.astype("float64")
    if kind is None:
        return column.astype("Int64")
    if kind in ("boolean", "integer", "unsigned"):
        dtype = ptypes.pandas_dtype(_READ_AS[kind])
        return column.astype(dtype if has_gaps else dtype.numpy_dtype)
    text = column.astype(object).where(column.notna(), np.nan)
    return pd.to_datetime(text, format="ISO8601") if kind == "date" else text


def _read(path: Path, size: int, **options: Any) -> Iterator[pd.DataFrame]:
    """Read a file in parts, and say in plain words what is wrong with the file."""
    try:
        with pd.read_csv(path, chunksize=size, **options) as parts:
            for part in parts:
                # pandas takes the first values of rows that are too long for row labels.
                if not isinstance(part.index, pd.RangeIndex):
                    raise ValueError("its rows have more values than its first line has names")
                yield part
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path} is empty; its first line must name the columns.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in UTF-8; convert it first.") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {str(error).strip()}.") from error


def csv_kind(column: pd.Series) -> Kind | None:
    """Find the kind of the values of a nullable column; None without any value."""
    dtype = column.dtype
    if column.isna().all():
        return None
    if ptypes.is_bool_dtype(dtype):
        return "boolean"
    if ptypes.is_unsigned_integer_dtype(dtype):
        return "unsigned"
    if ptypes.is_integer_dtype(dtype):
        return "integer"
    if ptypes.is_float_dtype(dtype):
        return "float"
    present = column.dropna().astype(str)
    if not present.str.match(_DATE).all():
        return "text"
    try:
        pd.to_datetime(present, format="ISO8601")
    except ValueError:
        # Some dates do not exist, such as the 30th of February.
        return "text"
    return "date"


def _joined(one: Kind | None, other: Kind | None) -> Kind | None:
    """Return the kind of a column of which two parts are of these kinds."""
    if one is None or other is None or one == other:
        return one or other
    both = {one, other}
    if both <= {"integer", "unsigned"}:
        return "unsigned"
    return "float" if both <= {"integer", "unsigned", "float"} else "text"
