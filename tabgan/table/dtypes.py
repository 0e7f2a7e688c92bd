"""Dtypes of pandas as texts, and values cast back to the dtype that a column came with."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.jsonable import check_zone

MARKERS = {"NaN": np.nan, "None": None, "NA": pd.NA, "NaT": pd.NaT}
"""The values that stand for a missing one in columns of dtype object, by name."""

_MARKER_OF_TYPE = {type(None): "None", type(pd.NA): "NA", type(pd.NaT): "NaT"}
_ARROW = "arrow:"


def dtype_name(dtype: Any) -> str:
    """Name a dtype so that `dtype_named` finds it again.

    The name of a categorical dtype is "category" alone; its categories are kept by the column.
    Arrow dtypes whose own names pandas cannot read, such as decimals, are named by a serialised
    Arrow schema of one column.

    Parameters
    ----------
    dtype : dtype of NumPy or pandas

    Returns
    -------
    str

    Raises
    ------
    TypeError
        A dtype that has no such name.
    """
    name = str(dtype)
    if isinstance(dtype, pd.CategoricalDtype) or name == "str":
        return name
    if isinstance(dtype, pd.StringDtype):
        name = f"string[{dtype.storage}]"
    try:
        if pd.api.types.pandas_dtype(name) == dtype:
            return name
    except (TypeError, ValueError, NotImplementedError):
        pass
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow

        schema = pyarrow.schema([("column", dtype.pyarrow_dtype)])
        return _ARROW + base64.b64encode(schema.serialize().to_pybytes()).decode("ascii")
    raise TypeError(f"dtype {name} cannot be found again by its name")


def dtype_named(name: str) -> Any:
    """Return the dtype of a name that `dtype_name` returned.

    Raises
    ------
    TypeError or ValueError
        No dtype has the name.
    """
    if not name.startswith(_ARROW):
        check_zone(name)
        dtype = pd.api.types.pandas_dtype(name)
        # Before pandas 3, "str" means strings in columns of dtype object.
        return np.dtype(object) if name == "str" and isinstance(dtype, np.dtype) else dtype
    import pyarrow

    data = pyarrow.py_buffer(base64.b64decode(name.removeprefix(_ARROW)))
    return pd.ArrowDtype(pyarrow.ipc.read_schema(data).field(0).type)


def marker_of(missing_values: pd.Series) -> str:
    """Name the most frequent marker among the missing values of an object column.

    Parameters
    ----------
    missing_values : Series of shape (n,)
        The missing values alone; there may be none.

    Returns
    -------
    {"NaN", "None", "NA", "NaT"}
    """
    types = missing_values.map(type).value_counts()
    return _MARKER_OF_TYPE.get(types.index[0], "NaN") if len(types) else "NaN"


def as_objects(values: Any) -> NDArray[Any]:
    """Put values into an object array of shape (n,), without unpacking tuples into columns."""
    return pd.Series(list(values), dtype=object).to_numpy()


def factorize(values: Any, sort: bool = False) -> tuple[NDArray[np.int64], Any]:
    r"""Give numbers to the distinct values of a column as `pandas.factorize` does, to whole texts.

    Before version 3, pandas compares texts up to their first NUL, and takes all lone surrogates for
    one character, wherever a column holds nothing but texts.

    Parameters
    ----------
    values : Series, Index or ndarray of shape (n,)
    sort : bool, default=False
        Whether the distinct values are sorted. By default they keep the order in which they appear.

    Returns
    -------
    codes : ndarray of shape (n,), int64
        Position of each value among the distinct values; -1 where a value is missing.
    distinct : Index, or ndarray if `values` is one

    Raises
    ------
    TypeError
        A value cannot be hashed.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.table.dtypes import factorize
    >>> codes, distinct = factorize(np.array(["b\0x", "b\0y", "b\0x"], dtype=object))
    >>> codes.tolist(), len(distinct)
    ([0, 1, 0], 2)
    """
    holds_objects = values.dtype == object or isinstance(values.dtype, pd.StringDtype)
    if not holds_objects or pd.api.types.infer_dtype(values, skipna=False) != "string":
        return pd.factorize(values, sort=sort)
    texts = np.asarray(values, dtype=object)
    # Beside a value that is no text, pandas compares objects by Python's own rules.
    codes, distinct = pd.factorize(np.concatenate([texts, np.array([b""], dtype=object)]))
    codes, distinct = codes[:-1], distinct[:-1]
    if sort:
        order = np.argsort(distinct, kind="stable")
        codes = np.where(codes < 0, -1, np.argsort(order)[codes])
        distinct = distinct[order]
    if isinstance(values, np.ndarray):
        return codes, distinct
    return codes, pd.Index(distinct, dtype=values.dtype)


def restore(
    values: NDArray[Any], missing: NDArray[np.bool_], dtype: str, marker: str = "NaN"
) -> pd.Series:
    """Make a column of a named dtype.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Values that can be cast to the dtype; those at missing rows are not looked at.
    missing : ndarray of shape (n,), bool
        Which rows have no value.
    dtype : str
        A name that `dtype_name` returned.
    marker : {"NaN", "None", "NA", "NaT"}
        The value that stands for a missing one if `dtype` is "object".

    Returns
    -------
    Series of shape (n,)
    """
    if dtype == "object":
        values = values.astype(object)
        values[missing] = MARKERS[marker]
        return pd.Series(values, dtype=object)
    target = dtype_named(dtype)
    if not missing.any():
        return pd.Series(values).astype(target)
    if isinstance(target, np.dtype) and target.kind == "f" and values.dtype != object:
        return pd.Series(values).where(~missing).astype(target)
    filled = pd.Series(values, dtype=object)
    filled[missing] = None
    return filled.astype(target)


def times_to_integers(values: pd.Series, clock: str) -> NDArray[np.int64]:
    """Turn dates into the units of time since 1970, and durations into their number of units.

    Parameters
    ----------
    values : Series of shape (n,)
        Dates or durations, in a time dtype or as objects; none is missing.
    clock : str
        The time dtype that says the unit and the time zone, such as "datetime64[us, UTC]" or
        "timedelta64[s]". "datetime64[D]" is for dates without a time of day, for which pandas has
        no dtype.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    if clock == "datetime64[D]":
        return values.to_numpy(dtype=object).astype(clock).astype(np.int64)
    times = values.astype(clock)
    if "," in clock:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return times.to_numpy(dtype=_plain(clock)).astype(np.int64)


def integers_to_times(
    counts: NDArray[np.int64], missing: NDArray[np.bool_], clock: str, dtype: str, marker: str
) -> pd.Series:
    """Turn counts that `times_to_integers` returned back into a column.

    Parameters
    ----------
    counts : ndarray of shape (n,), int64
    missing : ndarray of shape (n,), bool
    clock : str
        As for `times_to_integers`.
    dtype, marker : str
        As for `restore`.

    Returns
    -------
    Series of shape (n,)
    """
    if clock == "datetime64[D]":
        return restore(counts.astype(clock).astype(object), missing, dtype, marker)
    plain = counts.astype(_plain(clock))
    plain[missing] = np.array("NaT", dtype=plain.dtype)
    times = pd.Series(plain)
    if "," in clock:
        times = times.dt.tz_localize("UTC").astype(clock)
    if dtype == "object":
        return restore(times.astype(object).to_numpy(), missing, dtype, marker)
    return times.astype(dtype_named(dtype))


def _plain(clock: str) -> str:
    """Name the NumPy dtype of a clock: "datetime64[us]" for "datetime64[us, UTC]"."""
    return clock.split(",")[0].rstrip("]") + "]"
