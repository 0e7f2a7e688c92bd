"""How a column is described, given its values: kind, categories, range and decimals."""

from __future__ import annotations

import datetime
import os.path
import warnings
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types as ptypes

from tabgan.table.columns import (
    CategoricalColumn,
    Column,
    IdentifierColumn,
    NumericColumn,
    raw_amounts,
    signed_steps,
)
from tabgan.table.dtypes import dtype_name, factorize, marker_of
from tabgan.table.privacy import (
    FRESH_SHARE,
    Withheld,
    common_missing,
    common_quantiles,
    common_step,
)
from tabgan.table.quantiles import QuantileTable

MAX_DECIMALS = 8
"""Most decimals that a column of floats is rounded to; columns with more are not rounded."""

MIN_IDENTIFIER_ROWS = 50
"""Least number of values of an identifier; a shorter column is never taken for one."""

MIN_IDENTIFIER_SHARE = 0.95
"""An identifier has at least so many distinct values per value, be they texts or integers."""

MIN_SURPRISE = 7.0
"""Integers are identifiers where fewer repeat than chance would have it, by so many standard
deviations: independent integers are taken for identifiers in one column of 100,000."""


class _Kind(NamedTuple):
    """The kind of a column, and what a `NumericColumn` calls `inner`."""

    kind: Any
    inner: str = ""


def infer_column(
    values: pd.Series,
    name: Hashable,
    is_categorical: bool,
    arg_name: str,
    is_learnt: bool = False,
    withheld: Withheld | None = None,
) -> Column:
    """Describe one column.

    Parameters
    ----------
    values : Series of shape (n,), n >= 1
    name : hashable
        The column's label.
    is_categorical : bool
        Whether the values are categories whatever their dtype.
    arg_name : str
        How errors name the table.
    is_learnt : bool, default=False
        Whether the column is never taken for an identifier.
    withheld : Withheld, optional
        What is to be withheld, and what was; by default nothing is.

    Raises
    ------
    ValueError
        Infinite or complex values.
    TypeError
        Values that cannot be hashed, or a dtype that cannot be given back.
    """
    try:
        dtype = dtype_name(values.dtype)
    except TypeError as error:
        raise TypeError(
            f"column {name!r} of {arg_name} cannot be given back as it is ({error}); "
            f"convert it first, for example with {arg_name}[{name!r}].astype(object)."
        ) from error
    missing = values.isna().to_numpy()
    if withheld is not None and withheld.label is not None and name == withheld.label:
        withheld.note_classes(values)
        withheld = None
    rate, is_enough = common_missing(missing, name, withheld)
    marker = marker_of(values[missing]) if dtype == "object" else "NaN"
    kind, inner = kind_of(values, name, arg_name)
    present = values[~missing] if missing.any() else values
    present = present if is_enough else present[:0]
    if kind in ("categorical", "boolean") or is_categorical or not len(present):
        kind = "boolean" if kind == "boolean" else "categorical"
        is_known = is_categorical or is_learnt
        return _infer_names(present, name, kind, is_known, dtype, rate, marker, arg_name, withheld)
    amounts = raw_amounts(present, kind, inner)
    if kind == "float":
        if not np.isfinite(amounts).all():
            raise ValueError(
                f"{arg_name} contains infinity in column {name!r}; replace infinite values, "
                "for example by missing ones: X.replace([np.inf, -np.inf], np.nan)."
            )
        least = 1 if withheld is None else withheld.min_rows
        if inner == "decimal":
            decimals: int | None = _scale(present, least)
        else:
            decimals = _decimals(amounts, values.dtype, least)
        if withheld is None:
            table = QuantileTable.from_values(amounts)
        else:
            table = _as_held(common_quantiles(amounts, name, withheld, decimals), values.dtype)
        return NumericColumn(
            name, kind, dtype, table, rate, decimals=decimals, marker=marker, inner=inner
        )
    origin = int(amounts.min())
    distances = amounts.astype(np.uint64) - np.uint64(origin % 2**64)
    step = max(1, int(np.gcd.reduce(distances)))
    last = int(distances.max()) // step
    if kind == "integer" and not is_learnt and _repeats_too_seldom(distances // np.uint64(step)):
        _warn_of_identifier(name, arg_name, is_number=True)
        if withheld is not None:
            origin, step, last = _blunted_counter(amounts, withheld.min_rows)
        return _integer_identifier(name, dtype, rate, marker, origin, step, last)
    if withheld is None:
        table = QuantileTable.from_values(signed_steps(amounts, origin, step))
    else:
        table, origin, step, last = _common_steps(amounts, origin, step, name, withheld)
    return NumericColumn(
        name, kind, dtype, table, rate, origin, step, last, marker=marker, inner=inner
    )


def kind_of(values: pd.Series, name: Hashable, arg_name: str) -> _Kind:
    """Find the kind of a column: by its dtype, or by its values for a column of objects.

    Parameters
    ----------
    values : Series of shape (n,)
    name : hashable
        The column's label.
    arg_name : str
        How errors name the table.

    Raises
    ------
    ValueError
        Complex values.
    """
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _Kind("categorical")
    if ptypes.is_object_dtype(dtype):
        return _kind_of_objects(values.dropna(), name, arg_name)
    if ptypes.is_complex_dtype(dtype):
        raise _complex_error(name, arg_name)
    if isinstance(dtype, pd.ArrowDtype):
        arrow = str(dtype.pyarrow_dtype)
        if arrow.startswith("date"):
            return _Kind("datetime", "datetime64[D]")
        if arrow.startswith("timestamp"):
            return _Kind("datetime", arrow.replace("timestamp", "datetime64").replace("tz=", ""))
        if arrow.startswith("duration"):
            return _Kind("timedelta", arrow.replace("duration", "timedelta64"))
        if arrow.startswith("decimal"):
            return _Kind("float", "decimal")
    if ptypes.is_datetime64_any_dtype(dtype):
        return _Kind("datetime", str(dtype))
    if ptypes.is_timedelta64_dtype(dtype):
        return _Kind("timedelta", str(dtype))
    if ptypes.is_bool_dtype(dtype):
        return _Kind("boolean")
    if ptypes.is_integer_dtype(dtype):
        return _Kind("integer")
    return _Kind("float" if ptypes.is_float_dtype(dtype) else "categorical")


def _kind_of_objects(present: pd.Series, name: Hashable, arg_name: str) -> _Kind:
    inferred = ptypes.infer_dtype(present)
    if inferred == "complex":
        raise _complex_error(name, arg_name)
    if inferred == "integer":
        low, high = min(present), max(present)
        fits = -(2**63) <= low and high < (2**63 if low < 0 else 2**64)
        return _Kind("integer" if fits else "categorical")
    if inferred in ("datetime", "datetime64", "timedelta", "timedelta64"):
        dtype = present.infer_objects().dtype
        if dtype.kind in "mM" and _has_name(dtype):
            return _Kind("datetime" if dtype.kind == "M" else "timedelta", str(dtype))
    if inferred == "date" and (present.map(type) == datetime.date).all():
        return _Kind("datetime", "datetime64[D]")
    return {
        "boolean": _Kind("boolean"),
        "floating": _Kind("float"),
        "mixed-integer-float": _Kind("float"),
        "decimal": _Kind("float", "decimal"),
    }.get(inferred, _Kind("categorical"))


def _has_name(dtype: Any) -> bool:
    try:
        return bool(dtype_name(dtype))
    except TypeError:
        return False


def _complex_error(name: Hashable, arg_name: str) -> ValueError:
    return ValueError(
        f"Complex data not supported: column {name!r} of {arg_name} is complex; "
        "pass its real and imaginary parts as two columns."
    )


def categories_of(
    values: pd.Series, name: Hashable, arg_name: str
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Give a number to each distinct value of a column.

    Parameters
    ----------
    values : Series of shape (n,)
    name : hashable
        The column's label.
    arg_name : str
        How errors name the table.

    Returns
    -------
    codes : ndarray of shape (n,), int64
        -1 for a missing value.
    distinct : ndarray of objects

    Raises
    ------
    TypeError
        A value cannot be hashed.
    """
    try:
        return factorize(values.astype(object).to_numpy())
    except TypeError as error:
        raise TypeError(
            f"column {name!r} of {arg_name} holds values that cannot be hashed ({error}); "
            "every argument must be a string, a number, a date or another hashable value."
        ) from error


def _infer_names(
    present: pd.Series,
    name: Hashable,
    kind: Any,
    is_learnt: bool,
    dtype: str,
    missing_rate: float,
    marker: str,
    arg_name: str,
    withheld: Withheld | None = None,
) -> CategoricalColumn | IdentifierColumn:
    codes, distinct = categories_of(present, name, arg_name)
    declared: tuple[Any, ...] | None = None
    declared_dtype, ordered = "object", False
    if isinstance(present.dtype, pd.CategoricalDtype):
        declared = tuple(present.cat.categories.astype(object))
        declared_dtype = dtype_name(present.cat.categories.dtype)
        ordered = bool(present.cat.ordered)
    elif (
        not is_learnt
        and len(present) >= MIN_IDENTIFIER_ROWS
        and len(distinct) >= MIN_IDENTIFIER_SHARE * len(present)
        and all(isinstance(value, str) for value in distinct)
    ):
        _warn_of_identifier(name, arg_name)
        least = 1 if withheld is None else withheld.min_rows
        return _text_identifier(list(present), name, dtype, missing_rate, marker, least)
    counts = np.bincount(codes, minlength=len(distinct))
    if withheld is not None and withheld.privacy.rare_categories != "kept":
        is_rare = counts < withheld.min_rows
        n_rare, all_rare = int(counts[is_rare].sum()), bool(is_rare.all())
        is_fresh = withheld.privacy.rare_categories == "fresh" and not is_learnt
        if declared is None and (all_rare or is_fresh and n_rare > FRESH_SHARE * len(present)):
            fresh = _fresh(present, name, dtype, missing_rate, marker, withheld)
            if fresh is not None:
                told = f"{n_rare:,} rare of "
                withheld.note("columns drawn afresh", name, len(present), told, is_grave=True)
                return fresh
        if is_rare.any():
            withheld.note("categories left out", name, n_rare, f"{int(is_rare.sum()):,} of ")
        counts, distinct = counts[~is_rare], distinct[~is_rare]
        missing_rate = 1.0 if all_rare else missing_rate
    # Categories of one frequency keep the order in which they appear; nothing else in a schema
    # depends on the order of rows.
    order = np.argsort(-counts, kind="stable")
    return CategoricalColumn(
        name,
        kind,
        dtype,
        categories=tuple(distinct[order]),
        frequencies=tuple((counts[order] / max(1, counts.sum())).tolist()),
        missing_rate=missing_rate,
        marker=marker,
        declared=declared,
        declared_dtype=declared_dtype,
        ordered=ordered,
    )


def describe_key(values: pd.Series, name: Hashable, min_rows: int = 1) -> IdentifierColumn:
    """Describe a column of texts or integers as an identifier, whatever its values look like.

    Parameters
    ----------
    values : Series of shape (n,)
        At least one value is there.
    name : hashable
        The column's label.
    min_rows : int, default=1
        Rows that the first number of the counter rests on, at least.

    Returns
    -------
    IdentifierColumn
    """
    missing = values.isna()
    dtype, rate = dtype_name(values.dtype), float(missing.mean())
    marker = marker_of(values[missing]) if dtype == "object" else "NaN"
    present = values[~missing]
    if kind_of(values, name, "X").kind != "integer":
        return _text_identifier(list(present), name, dtype, rate, marker, min_rows)
    amounts = raw_amounts(present, "integer", "")
    if min_rows > 1:
        counter = _blunted_counter(amounts, min_rows)
        return _integer_identifier(name, dtype, rate, marker, *counter)
    return _integer_identifier(
        name, dtype, rate, marker, int(amounts.min()), 1, int(np.ptp(amounts))
    )


def _integer_identifier(
    name: Hashable, dtype: str, rate: float, marker: str, origin: int, step: int, last: int
) -> IdentifierColumn:
    start = origin + (last + 1) * step
    return IdentifierColumn(
        name, dtype, "", start, 0, rate, marker, is_number=True, step=step, least=origin
    )


def _fresh(
    present: pd.Series,
    name: Hashable,
    dtype: str,
    missing_rate: float,
    marker: str,
    withheld: Withheld,
) -> IdentifierColumn | None:
    """Describe rare texts or integers as identifiers; None for values that are neither."""
    kind = ptypes.infer_dtype(present.astype(object))
    if kind == "string":
        return _text_identifier(list(present), name, dtype, missing_rate, marker, withheld.min_rows)
    if kind != "integer":
        return None
    # Their counter starts at one whatever they are, for integers of any size may name something.
    return _integer_identifier(name, dtype, missing_rate, marker, 0, 1, 0)


def _blunted_counter(amounts: NDArray[Any], min_rows: int) -> tuple[int, int, int]:
    """Return origin, step and last of a counter whose range single rows do not move.

    The range between the ends that enough rows reach is as wide again at either side, so that a
    counter without gaps lies within it.
    """
    ordered = np.sort(amounts)
    low, high = int(ordered[min_rows - 1]), int(ordered[-min_rows])
    width = max(1, high - low)
    lowest, highest = (-(2**63), 2**63 - 1) if low - width < 0 else (0, 2**64 - 1)
    low, high = max(lowest, low - width), min(highest - 1, high + width)
    return low, 1, high - low


def _common_steps(
    amounts: NDArray[Any], origin: int, step: int, name: Hashable, withheld: Withheld
) -> tuple[QuantileTable, int, int, int]:
    """Summarise integers; return the table of their steps, origin, step and last step."""
    greatest = int(amounts.max())
    step, origin = common_step(amounts, origin, step, withheld.min_rows)
    n_steps = (greatest - origin) // step
    steps = np.clip(np.rint(signed_steps(amounts, origin, step)), 0.0, float(n_steps))
    table = common_quantiles(steps, name, withheld)
    first = np.rint(table.low[0])
    last = min(int(np.rint(table.high[-1]) - first), n_steps - int(first))
    table = QuantileTable(table.mass, table.low - first, table.high - first)
    return table, origin + int(first) * step, step, last


def _text_identifier(
    texts: list[str],
    name: Hashable,
    dtype: str,
    missing_rate: float,
    marker: str,
    min_rows: int = 1,
) -> IdentifierColumn:
    prefix = os.path.commonprefix(texts).rstrip("0123456789")
    tails = [text[len(prefix) :] for text in texts]
    if all(tail.isdecimal() for tail in tails):
        numbers = sorted(map(int, tails))
        start, digits = numbers[-1] + 1, max(map(len, tails))
        if min_rows > 1:
            low, high = numbers[min_rows - 1], numbers[-min_rows]
            start, digits = 2 * high - low + 1, sorted(map(len, tails))[-min_rows]
    else:
        prefix, start, digits = f"{name}_" if isinstance(name, str) else "id_", 1, 1
    return IdentifierColumn(name, dtype, prefix, start, digits, missing_rate, marker)


def _repeats_too_seldom(steps: NDArray[np.uint64]) -> bool:
    """Whether integers repeat so seldom that they must have been given out one by one.

    Amounts repeat by chance: of n independent ones that spread evenly over k whole numbers, about
    ``n * (n - 1) / (2 * k)`` pairs are equal. Row numbers, and numbers of customers or orders, do
    not repeat, for each is given out once. The expected number of equal pairs is summed over short
    stretches of the sorted values, so that the values may be spread in any way. It is compared with
    the number of repeats seen as two Poisson counts are, by twice the difference of their square
    roots, whose standard deviation is one.

    Parameters
    ----------
    steps : ndarray of shape (n,)
        Integers in units of their greatest common divisor.
    """
    n = len(steps)
    ordered = np.sort(steps)
    n_repeats = int((ordered[1:] == ordered[:-1]).sum())
    if n < MIN_IDENTIFIER_ROWS or n - n_repeats < MIN_IDENTIFIER_SHARE * n:
        return False
    length = max(10, int(np.sqrt(n)))
    stretches = ordered[: n - n % length].reshape(-1, length)
    n_numbers = (stretches[:, -1] - stretches[:, 0]).astype(np.float64) + 1
    n_expected = (length * (length - 1) / 2 / n_numbers).sum() * n / stretches.size
    return bool(2 * (np.sqrt(n_expected) - np.sqrt(n_repeats)) >= MIN_SURPRISE)


def _warn_of_identifier(name: Hashable, arg_name: str, is_number: bool = False) -> None:
    if is_number:
        reason = "hardly a number repeats, where chance would repeat many"
        way_out = "convert it to float to learn it as a number"
    else:
        reason = "hardly a value repeats"
        way_out = "name it in categorical_features to learn it"
    warnings.warn(
        f"column {name!r} of {arg_name} looks like an identifier ({reason}): fresh identifiers are "
        f"made for it and it is not learnt; drop it, or {way_out}.",
        UserWarning,
        stacklevel=2,
    )


def _decimals(numbers: NDArray[np.float64], dtype: Any, min_rows: int = 1) -> int | None:
    """Return the fewest decimals that fewer numbers of a dtype lose than `min_rows`.

    None is returned beyond `MAX_DECIMALS`.
    """
    precision = _precision(dtype)
    with np.errstate(over="ignore"):
        for decimals in range(MAX_DECIMALS + 1):
            rounded = np.round(numbers, decimals).astype(precision)
            if (rounded != numbers).sum() < min_rows:
                return decimals
    return None


def _precision(dtype: Any) -> str:
    """Return the NumPy dtype in which a column of floats holds its values."""
    held = str(getattr(dtype, "numpy_dtype", dtype))
    return held if held in ("float16", "float32") else "float64"


def _as_held(table: QuantileTable, dtype: Any) -> QuantileTable:
    """Round the ends of segments to numbers that a column of a dtype can hold.

    Means are none of the column's values. An end beyond the nearest such number would be out of
    the range that the column says it has.
    """
    precision = _precision(dtype)
    low, high = (ends.astype(precision).astype(np.float64) for ends in (table.low, table.high))
    return QuantileTable(table.mass, low, high)


def _scale(values: pd.Series, min_rows: int = 1) -> int:
    """Return the most decimals that `min_rows` values are written with, zeros included."""
    scales = sorted(-value.as_tuple().exponent for value in values.astype(object))
    return max(0, scales[-min_rows])
