"""Pandas dtypes by name, markers of missing values, and values cast back to both."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MARKERS = {"NaN": np.nan, "None": None, "NA": pd.NA, "NaT": pd.NaT}
"""What stands for a missing value in columns of dtype object, by name."""

_MARKER_OF_TYPE = {type(None): "None", type(pd.NA): "NA", type(pd.NaT): "NaT"}
_ARROW = "arrow:"


def dtype_name(dtype: Any) -> str:
    """Name a dtype so that `dtype_named` finds it again.

    A categorical's name is "category" alone; its categories are kept elsewhere.

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
    """Return the dtype that `dtype_name` named."""
    if not name.startswith(_ARROW):
        dtype = pd.api.types.pandas_dtype(name)
        # Before pandas 3, "str" means strings in columns of dtype object.
        return np.dtype(object) if name == "str" and isinstance(dtype, np.dtype) else dtype
    import pyarrow

    data = pyarrow.py_buffer(base64.b64decode(name.removeprefix(_ARROW)))
    return pd.ArrowDtype(pyarrow.ipc.read_schema(data).field(0).type)


def marker_of(missing_values: pd.Series) -> str:
    """Name the commonest marker among the missing values of an object column."""
    types = missing_values.map(type).value_counts()
    return _MARKER_OF_TYPE.get(types.index[0], "NaN") if len(types) else "NaN"


def as_objects(values: Any) -> NDArray[Any]:
    """Put values, tuples included, into a one-dimensional object array."""
    return pd.Series(list(values), dtype=object).to_numpy()


def restore(
    values: NDArray[Any], missing: NDArray[np.bool_], dtype: str, marker: str = "NaN"
) -> pd.Series:
    """Cast values to a dtype of this name, with missing values in place.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Whatever can be cast where not missing.
    missing : ndarray of shape (n,)
    dtype : str
        From `dtype_name`.
    marker : {"NaN", "None", "NA", "NaT"}
        What stands for missing values if `dtype` is "object".
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
    """Count dates or durations, none missing, in the unit of their clock.

    Parameters
    ----------
    values : Series of shape (n,)
        Of a time dtype, or objects that stand for times.
    clock : str
        A time dtype, such as "datetime64[us, UTC]" or "timedelta64[s]"; "datetime64[D]" for dates
        without a time of day, which pandas has no dtype for.
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
    """Turn counts from `times_to_integers` into a column of a dtype of this name."""
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
