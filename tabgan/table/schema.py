"""What each column of a table is: kind, dtype, categories, distribution, missing rate."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types as ptypes

from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.quantiles import QuantileTable

NumericKind = Literal["float", "integer", "datetime", "timedelta"]
Kind = Literal["categorical", "boolean", "identifier", "float", "integer", "datetime", "timedelta"]

MAX_DECIMALS = 8
"""Floats that need more decimals than this are not rounded."""

MIN_IDENTIFIER_ROWS = 50
"""A text column of fewer rows is never taken for an identifier."""


@dataclass(frozen=True)
class CategoricalColumn:
    """A column whose values are names: strings, categories, booleans, or numbers that are codes.

    Parameters
    ----------
    name : hashable
        The column's label.
    kind : {"categorical", "boolean"}
    dtype : str
        The pandas dtype to give back.
    categories : tuple
        Values seen in training, most frequent first. Empty when every value is missing.
    frequencies : tuple of float
        Share of each category among the rows that are not missing.
    missing_rate : float in [0, 1]
    missing_none : bool
        Whether an object column marks missing values by ``None`` rather than NaN.
    declared : tuple or None
        For a pandas categorical, all its categories in their order, used or not.
    ordered : bool
        Whether a pandas categorical is ordered.
    """

    name: Hashable
    kind: Kind
    dtype: str
    categories: tuple[Any, ...]
    frequencies: tuple[float, ...]
    missing_rate: float
    missing_none: bool = False
    declared: tuple[Any, ...] | None = None
    ordered: bool = False

    def codes(self, values: pd.Series) -> NDArray[np.int64]:
        """Positions in `categories`, shape (n,); -1 for missing and -2 for unknown values."""
        codes = pd.Index(list(self.categories), dtype=object).get_indexer(values.astype(object))
        return np.where(values.isna().to_numpy(), -1, np.where(codes < 0, -2, codes))

    def series(self, codes: NDArray[np.int64]) -> pd.Series:
        """Turn positions in `categories` (-1: missing) back into a column of the same dtype."""
        missing = codes < 0
        if self.declared is not None:
            dtype = pd.CategoricalDtype(list(self.declared), ordered=self.ordered)
            position = pd.Index(list(self.declared), dtype=object).get_indexer(
                pd.Index(list(self.categories), dtype=object)
            )
            in_declared = np.r_[position, -1][codes]
            return pd.Series(pd.Categorical.from_codes(in_declared, dtype=dtype), name=self.name)
        values = np.empty(len(self.categories) + 1, dtype=object)
        values[:-1] = self.categories
        values[-1] = None if self.missing_none or not missing.any() else np.nan
        taken = values[np.where(missing, -1, codes)]
        return _restore(taken, missing, self.dtype).rename(self.name)


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers, dates or durations, held as float64 steps above `origin`.

    Parameters
    ----------
    name : hashable
        The column's label.
    kind : {"float", "integer", "datetime", "timedelta"}
    dtype : str
        The pandas dtype to give back.
    table : QuantileTable
        The distribution of ``(value - origin) / step``.
    missing_rate : float in [0, 1)
    origin, step : int
        Integers, dates and durations are counted from `origin` in units of `step`, so that large
        ones lose no precision; 0 and 1 for floats.
    decimals : int or None
        Decimals to round floats to; None leaves them as they are.
    missing_none : bool
        Whether an object column marks missing values by ``None`` rather than NaN.
    """

    name: Hashable
    kind: NumericKind
    dtype: str
    table: QuantileTable
    missing_rate: float
    origin: int = 0
    step: int = 1
    decimals: int | None = None
    missing_none: bool = False

    def numbers(self, values: pd.Series) -> NDArray[np.float64]:
        """Values as float64 steps above `origin`, shape (n,); NaN where missing."""
        missing = values.isna().to_numpy()
        numbers = np.full(len(values), np.nan)
        present = _raw_numbers(values[~missing], self.kind, self.dtype)
        if self.kind == "float":
            numbers[~missing] = present
        else:
            numbers[~missing] = (present - self.origin) / self.step
        return numbers

    def series(self, numbers: NDArray[np.float64]) -> pd.Series:
        """Turn steps above `origin` (NaN: missing) back into a column of the same dtype."""
        missing = np.isnan(numbers)
        if self.kind == "float":
            rounded = numbers if self.decimals is None else np.round(numbers, self.decimals)
            # Rounding may step past the range seen.
            values: NDArray[Any] = np.clip(rounded, self.table.low[0], self.table.high[-1])
        else:
            steps = np.rint(np.where(missing, 0.0, numbers)).astype(np.int64)
            if self.origin >= 2**62:  # only Python integers reach the upper half of uint64
                values = steps.astype(object) * self.step + self.origin
            else:
                values = self.origin + steps * self.step
        if self.kind in ("datetime", "timedelta"):
            return _restore_times(values, missing, self.dtype).rename(self.name)
        return _restore(values, missing, self.dtype, none=self.missing_none).rename(self.name)


@dataclass(frozen=True)
class IdentifierColumn:
    """A text column in which no value repeats: it says nothing about the other columns.

    Fresh identifiers are made, a counter behind the prefix that all training values share; no
    training value is kept.
    """

    name: Hashable
    dtype: str
    prefix: str
    digits: int
    kind: Literal["identifier"] = "identifier"
    missing_rate: float = 0.0

    def series(self, n_rows: int) -> pd.Series:
        """Make `n_rows` distinct identifiers."""
        digits = max(self.digits, len(str(n_rows)))
        values = np.array([f"{self.prefix}{i:0{digits}d}" for i in range(n_rows)], dtype=object)
        return _restore(values, np.zeros(n_rows, bool), self.dtype).rename(self.name)


Column = CategoricalColumn | NumericColumn | IdentifierColumn
_KINDS: dict[str, type[Column]] = {
    "CategoricalColumn": CategoricalColumn,
    "NumericColumn": NumericColumn,
    "IdentifierColumn": IdentifierColumn,
}


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in order; valid by construction and JSON both ways.

    Parameters
    ----------
    columns : tuple of CategoricalColumn, NumericColumn or IdentifierColumn
    """

    columns: tuple[Column, ...]

    @property
    def names(self) -> list[Hashable]:
        """Column labels in order."""
        return [column.name for column in self.columns]

    def __getitem__(self, name: Hashable) -> Column:
        for column in self.columns:
            if column.name == name and type(column.name) is type(name):
                return column
        raise KeyError(name)

    @classmethod
    def infer(
        cls,
        frame: pd.DataFrame,
        categorical_features: Iterable[Hashable] = (),
        arg_name: str = "X",
    ) -> Schema:
        """Find out what each column of a table is.

        Parameters
        ----------
        frame : DataFrame of shape (n, d), n >= 1
        categorical_features : iterable of column labels
            Columns to take as categories whatever their dtype.
        arg_name : str
            How errors name the table.

        Raises
        ------
        ValueError
            Infinite values, or a column label that occurs twice.
        TypeError
            Values that cannot be hashed (lists, dicts), complex numbers.
        """
        if not frame.columns.is_unique:
            twice = frame.columns[frame.columns.duplicated()][0]
            raise ValueError(
                f"{arg_name} has more than one column named {twice!r}; column names must be unique."
            )
        forced = set(categorical_features)
        return cls(
            tuple(
                _infer_column(frame.iloc[:, i], name in forced, arg_name)
                for i, name in enumerate(frame.columns)
            )
        )

    def select(self, names: Sequence[Hashable]) -> Schema:
        """Return the schema of some of the columns, in the order of `names`."""
        return Schema(tuple(self[name] for name in names))

    def to_dict(self) -> list[dict[str, Any]]:
        """Return JSON-able values."""
        return [to_jsonable(column) for column in self.columns]

    @classmethod
    def from_dict(cls, data: list[dict[str, Any]]) -> Schema:
        """Rebuild a schema from `to_dict`."""
        return cls(
            tuple(
                from_jsonable(column, {**_KINDS, "QuantileTable": QuantileTable}) for column in data
            )
        )


def _infer_column(values: pd.Series, forced: bool, arg_name: str) -> Column:
    name, dtype = values.name, str(values.dtype)
    missing = values.isna().to_numpy()
    missing_rate = float(missing.mean())
    is_object = values.dtype == object
    missing_none = bool(is_object and any(value is None for value in values[missing]))
    kind = _kind_of(values, arg_name)
    if kind in ("categorical", "boolean") or forced or missing.all():
        return _infer_categorical(values, kind == "boolean", missing_rate, missing_none, arg_name)
    numbers = _raw_numbers(values[~missing], kind, dtype)
    if kind == "float":
        if not np.isfinite(numbers).all():
            raise ValueError(
                f"{arg_name} contains infinity in column {name!r}; replace infinite values, "
                "for example by missing ones: X.replace([np.inf, -np.inf], np.nan)."
            )
        table = QuantileTable.from_values(numbers)
        decimals = _decimals(numbers, dtype)
        return NumericColumn(
            name, "float", dtype, table, missing_rate, decimals=decimals, missing_none=missing_none
        )
    origin = int(numbers.min())
    steps = (numbers - origin).astype(np.uint64 if kind == "integer" else np.int64)
    step = max(1, int(np.gcd.reduce(steps)))
    table = QuantileTable.from_values((steps // step).astype(np.float64))
    return NumericColumn(
        name, kind, dtype, table, missing_rate, origin=origin, step=step, missing_none=missing_none
    )


def _kind_of(values: pd.Series, arg_name: str) -> Any:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "categorical"
    if ptypes.is_complex_dtype(dtype):
        raise ValueError(
            f"Complex data not supported: column {values.name!r} of {arg_name} is complex; "
            "pass its real and imaginary parts as two columns."
        )
    if ptypes.is_object_dtype(dtype):
        inferred = ptypes.infer_dtype(values, skipna=True)
        if inferred == "complex":
            raise ValueError(
                f"Complex data not supported: column {values.name!r} of {arg_name} is complex."
            )
        return {
            "boolean": "boolean",
            "integer": "integer",
            "floating": "float",
            "mixed-integer-float": "float",
        }.get(inferred, "categorical")
    for kind, test in (
        ("boolean", ptypes.is_bool_dtype),
        ("integer", ptypes.is_integer_dtype),
        ("float", ptypes.is_float_dtype),
        ("datetime", ptypes.is_datetime64_any_dtype),
        ("timedelta", ptypes.is_timedelta64_dtype),
    ):
        if test(dtype):
            return kind
    return "categorical"


def _infer_categorical(
    values: pd.Series, boolean: bool, missing_rate: float, missing_none: bool, arg_name: str
) -> Column:
    present = values[values.notna()]
    try:
        counts = present.astype(object).value_counts()
    except TypeError as error:
        raise TypeError(
            f"column {values.name!r} of {arg_name} holds values that cannot be hashed ({error}); "
            "every argument must be a string, a number, a date or another hashable value."
        ) from error
    declared: tuple[Any, ...] | None = None
    ordered = False
    if isinstance(values.dtype, pd.CategoricalDtype):
        declared = tuple(values.dtype.categories.astype(object))
        ordered = bool(values.dtype.ordered)
    elif len(counts) == len(values) >= MIN_IDENTIFIER_ROWS and all(
        isinstance(value, str) for value in counts.index
    ):
        return _infer_identifier(present, arg_name)
    # value_counts orders ties by appearance, which makes the schema depend on row order only there.
    return CategoricalColumn(
        name=values.name,
        kind="boolean" if boolean else "categorical",
        dtype=str(values.dtype),
        categories=tuple(counts.index),
        frequencies=tuple((counts / max(1, counts.sum())).tolist()),
        missing_rate=missing_rate,
        missing_none=missing_none,
        declared=declared,
        ordered=ordered,
    )


def _infer_identifier(values: pd.Series, arg_name: str) -> IdentifierColumn:
    warnings.warn(
        f"column {values.name!r} of {arg_name} looks like an identifier (every value differs): "
        "fresh identifiers are made for it and it is not learnt; drop it, or name it in "
        "categorical_features to learn it.",
        UserWarning,
        stacklevel=2,
    )
    texts = list(values)
    shortest, longest = min(texts), max(texts)
    prefix = shortest[
        : next((i for i, c in enumerate(shortest) if longest[i : i + 1] != c), len(shortest))
    ]
    prefix = prefix.rstrip("0123456789")
    digits = max(len(text) for text in texts) - len(prefix)
    return IdentifierColumn(values.name, str(values.dtype), prefix, min(digits, 12))


def _raw_numbers(values: pd.Series, kind: str, dtype: str) -> NDArray[Any]:
    """Present values as float64, int64 or (for large integers) Python ints."""
    if kind == "float":
        return values.to_numpy(dtype=np.float64)
    if kind in ("datetime", "timedelta"):
        unit = _time_unit(dtype)
        if kind == "datetime":
            stamps = pd.to_datetime(values)
            if stamps.dt.tz is not None:
                stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
            return stamps.to_numpy(dtype=f"datetime64[{unit}]").astype(np.int64)
        return pd.to_timedelta(values).to_numpy(dtype=f"timedelta64[{unit}]").astype(np.int64)
    if dtype.lower().startswith("uint64"):
        return values.to_numpy(dtype=np.uint64).astype(object)
    return values.to_numpy(dtype=np.int64)


def _time_unit(dtype: str) -> str:
    """Read the unit off a datetime or timedelta dtype, "ns" off "datetime64[ns, UTC]"."""
    return dtype.split("[")[1].split("]")[0].split(",")[0].strip()


def _decimals(numbers: NDArray[np.float64], dtype: str) -> int | None:
    """Fewest decimals that give every number back, or None if more than `MAX_DECIMALS`."""
    single = dtype.lower() in ("float32", "float16")
    exact = numbers.astype(np.float32) if single else numbers
    for decimals in range(MAX_DECIMALS + 1):
        rounded = np.round(numbers, decimals)
        if np.array_equal(rounded.astype(np.float32) if single else rounded, exact):
            return decimals
    return None


def _restore(
    values: NDArray[Any], missing: NDArray[np.bool_], dtype: str, none: bool = False
) -> pd.Series:
    """Cast values to a dtype named by `str(series.dtype)`, putting missing values in place."""
    if dtype == "object":
        values = values.astype(object)
        if none:
            values[missing] = None
        return pd.Series(values, dtype=object)
    if not missing.any():
        return pd.Series(values).astype(dtype)
    if dtype.startswith(("float", "double")) and values.dtype != object:
        return pd.Series(values).where(~missing).astype(dtype)
    filled = pd.Series(values, dtype=object)
    filled[missing] = None
    return filled.astype(dtype)


def _restore_times(values: NDArray[np.int64], missing: NDArray[np.bool_], dtype: str) -> pd.Series:
    unit = _time_unit(dtype)
    if dtype.startswith("timedelta"):
        spans = values.astype(f"timedelta64[{unit}]")
        spans[missing] = np.timedelta64("NaT")
        return pd.Series(pd.TimedeltaIndex(spans))
    stamps = values.astype(f"datetime64[{unit}]")
    stamps[missing] = np.datetime64("NaT")
    index = pd.DatetimeIndex(stamps)
    if "," in dtype:
        index = index.tz_localize("UTC").tz_convert(dtype.split(",")[1].strip(" ]"))
    return pd.Series(index)
