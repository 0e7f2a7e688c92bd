"""Descriptions of one column: categories, amounts, or identifiers.

Each description turns a pandas column into numbers (positions of categories, or steps above the
least amount), and such numbers back into a column of the dtype that was learnt.
"""

from __future__ import annotations

import decimal
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.dtypes import (
    as_objects,
    dtype_named,
    integers_to_times,
    restore,
    times_to_integers,
)
from tabgan.table.quantiles import QuantileTable

CategoricalKind = Literal["categorical", "boolean"]
NumericKind = Literal["float", "integer", "datetime", "timedelta"]

MISSING, UNKNOWN = -1, -2
"""Codes of missing values, and of values that are none of the categories."""


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of categories: strings, pandas categories, booleans, or numbers that name something.

    Values that are equal in Python, such as 1, 1.0 and True, are one category.

    Parameters
    ----------
    name : hashable
        The column's label.
    kind : {"categorical", "boolean"}
    dtype : str
        Name of the pandas dtype to give back.
    categories : tuple
        Values seen in training, most frequent first. Empty when every value is missing.
    frequencies : tuple of float
        Share of each category among the rows that are not missing.
    missing_rate : float in [0, 1]
        Share of the rows that are missing.
    marker : {"NaN", "None", "NA", "NaT"}
        How a column of dtype object marks missing values.
    declared : tuple or None
        For a pandas categorical, all categories that its dtype lists, in their order, whether or
        not they occur.
    declared_dtype : str
        For a pandas categorical, name of the dtype of its categories.
    ordered : bool
        Whether a pandas categorical is ordered.
    """

    name: Hashable
    kind: CategoricalKind
    dtype: str
    categories: tuple[Any, ...]
    frequencies: tuple[float, ...]
    missing_rate: float
    marker: str = "NaN"
    declared: tuple[Any, ...] | None = None
    declared_dtype: str = "object"
    ordered: bool = False

    def codes(self, values: pd.Series) -> NDArray[np.int64]:
        """Return positions in `categories`: -1 for missing and -2 for unknown values.

        Parameters
        ----------
        values : Series of shape (n,)

        Returns
        -------
        ndarray of shape (n,), int64
        """
        known = _index(self.categories)
        if isinstance(values.dtype, pd.CategoricalDtype):
            codes = known.get_indexer(values.cat.categories.astype(object))
            return np.r_[np.where(codes < 0, UNKNOWN, codes), MISSING][values.cat.codes]
        codes = known.get_indexer(pd.Index(values.astype(object), dtype=object))
        return np.where(values.isna().to_numpy(), MISSING, np.where(codes < 0, UNKNOWN, codes))

    def series(self, codes: NDArray[np.int64]) -> pd.Series:
        """Turn positions in `categories`, or -1 for missing, into a column of the learnt dtype."""
        if self.declared is not None:
            declared = pd.Index(list(self.declared), dtype=dtype_named(self.declared_dtype))
            dtype = pd.CategoricalDtype(declared, ordered=self.ordered)
            positions = _index(self.declared).get_indexer(_index(self.categories))
            values = pd.Categorical.from_codes(np.r_[positions, MISSING][codes], dtype=dtype)
            return pd.Series(values, name=self.name)
        taken = as_objects((*self.categories, None))[codes]
        return restore(taken, codes < 0, self.dtype, self.marker).rename(self.name)


@dataclass(frozen=True)
class NumericColumn:
    """A column of amounts: numbers, dates or durations.

    A model sees an amount as a float64 count of steps above `origin`. Integers, dates and durations
    are 64-bit integers, of which float64 holds only the first 53 bits exactly. Their distances from
    the least one, divided by the step that all distances share, are mostly small enough to be
    exact: days in nanoseconds become small numbers of days.

    Parameters
    ----------
    name : hashable
        The column's label.
    kind : {"float", "integer", "datetime", "timedelta"}
    dtype : str
        Name of the pandas dtype to give back.
    table : QuantileTable
        The distribution of ``(value - origin) / step``.
    missing_rate : float in [0, 1)
        Share of the rows that are missing.
    origin, step, last : int
        The least value, the greatest common divisor of all distances from it, and the number of
        steps to the greatest value; 0, 1 and 0 for floats.
    decimals : int or None
        Decimals that floats are rounded to; None leaves them as they are.
    marker : {"NaN", "None", "NA", "NaT"}
        How a column of dtype object marks missing values.
    inner : str
        What the values are where `dtype` does not say it: the time dtype in which dates or
        durations are counted, or "decimal" for ``decimal.Decimal``; "" for plain numbers.
    """

    name: Hashable
    kind: NumericKind
    dtype: str
    table: QuantileTable
    missing_rate: float
    origin: int = 0
    step: int = 1
    last: int = 0
    decimals: int | None = None
    marker: str = "NaN"
    inner: str = ""

    @property
    def ends(self) -> tuple[Any, Any]:
        """Lowest and highest value seen, as a column of this dtype holds them."""
        low, high = self.series(np.array([self.table.low[0], self.table.high[-1]]))
        return low, high

    def numbers(self, values: pd.Series) -> NDArray[np.float64]:
        """Turn values into steps above `origin`, shape (n,), float64; NaN where missing."""
        missing = values.isna().to_numpy()
        if not missing.any():
            return self.steps(raw_amounts(values, self.kind, self.inner))
        numbers = np.full(len(values), np.nan)
        numbers[~missing] = self.steps(raw_amounts(values[~missing], self.kind, self.inner))
        return numbers

    def series(self, numbers: NDArray[np.float64]) -> pd.Series:
        """Turn steps above `origin`, or NaN for missing, into a column of the learnt dtype.

        Steps are rounded to whole ones, floats to their decimals; what lies outside the range that
        was seen becomes the nearest end of that range.
        """
        missing = np.isnan(numbers)
        if self.kind == "float":
            rounded = numbers if self.decimals is None else np.round(numbers, self.decimals)
            # Interpolating may step past the range seen by a rounding error.
            return self.restore(np.clip(rounded, self.table.low[0], self.table.high[-1]), missing)
        steps = np.rint(np.where(missing, 0.0, numbers))
        # The last step may lie beyond what float64, or uint64 after rounding, can hold.
        is_last = steps >= self.last
        counts = np.where(is_last, 0.0, np.maximum(steps, 0.0)).astype(np.uint64)
        counts[is_last] = self.last
        return self.restore(counts * np.uint64(self.step) + _wrapped(self.origin), missing)

    @property
    def spacing(self) -> float:
        """Distance of two neighbouring numbers of the column; 0 for floats that are not rounded."""
        if self.kind != "float":
            return 1.0
        return 0.0 if self.decimals is None else 10.0**-self.decimals

    def outermost(
        self, low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the least and the greatest number of the column in closed intervals.

        Parameters
        ----------
        low, high : ndarray of shape (n,)
            Ends; beyond the range seen they become the ends of that range.

        Returns
        -------
        first, last : ndarray of shape (n,)
            ``first > last`` if the column can hold no number in the interval.
        """
        low = np.maximum(low, self.table.low[0])
        high = np.minimum(high, self.table.high[-1])
        if self.kind != "float":
            return np.ceil(low), np.floor(high)
        if self.decimals is None:
            return low, high
        first, last = np.round(low, self.decimals), np.round(high, self.decimals)
        first = np.where(first < low, np.round(first + self.spacing, self.decimals), first)
        last = np.where(last > high, np.round(last - self.spacing, self.decimals), last)
        return first, last

    def steps(self, amounts: NDArray[Any]) -> NDArray[np.float64]:
        """Turn amounts that `raw_amounts` returned into steps above `origin`."""
        if amounts.dtype.kind == "f":
            return (amounts - self.origin) / self.step
        return signed_steps(amounts, self.origin, self.step)

    def restore(self, amounts: NDArray[Any], missing: NDArray[np.bool_]) -> pd.Series:
        """Turn amounts that `raw_amounts` returned into a column of the learnt dtype."""
        if self.inner == "decimal":
            texts = (f"{amount:.{self.decimals}f}" for amount in amounts.tolist())
            amounts = as_objects(map(decimal.Decimal, texts))
        elif self.kind != "float":
            is_signed = self.origin + self.last * self.step < 2**63
            amounts = amounts.astype(np.int64 if is_signed else np.uint64)
        if self.kind in ("datetime", "timedelta"):
            series = integers_to_times(amounts, missing, self.inner, self.dtype, self.marker)
        else:
            series = restore(amounts, missing, self.dtype, self.marker)
        return series.rename(self.name)


@dataclass(frozen=True)
class IdentifierColumn:
    """A column in which values hardly repeat: they say nothing about the other columns.

    Fresh identifiers are made, and no training value is kept. Texts are a counter behind a prefix.
    Integers count on from the greatest that was seen. Whether an identifier is missing is learnt
    like any other value.

    Parameters
    ----------
    name : hashable
        The column's label.
    dtype : str
        Name of the pandas dtype to give back.
    prefix : str
        What every text begins with.
    start, digits : int
        The first number of the counter, beyond those of training, and the width that numbers in
        texts are padded to with zeros.
    missing_rate : float in [0, 1)
    marker : {"NaN", "None", "NA", "NaT"}
        How a column of dtype object marks missing values.
    is_number : bool
        Whether identifiers are integers, not texts.
    step : int >= 1
        The distance of one integer to the next.
    least : int
        The least integer seen.
    """

    name: Hashable
    dtype: str
    prefix: str
    start: int
    digits: int
    missing_rate: float = 0.0
    marker: str = "NaN"
    kind: Literal["identifier"] = "identifier"
    is_number: bool = False
    step: int = 1
    least: int = 0

    def series(self, missing: NDArray[np.bool_]) -> pd.Series:
        """Make identifiers that all differ, one for each row that does not lack it."""
        if self.is_number:
            return self._integers(missing).rename(self.name)
        numbers = range(self.start, self.start + len(missing))
        values = as_objects(f"{self.prefix}{number:0{self.digits}d}" for number in numbers)
        return restore(values, missing, self.dtype, self.marker).rename(self.name)

    def after(self, n: int) -> IdentifierColumn:
        """Return a column whose identifiers follow the first `n` ones of this column."""
        away = n * self.step if self.is_number else n
        return replace(self, start=self.start + away, least=self.least - away)

    def _integers(self, missing: NDArray[np.bool_]) -> pd.Series:
        """Count up from the greatest integer seen.

        Where the dtype ends too soon, count down from the least integer seen, or between the first
        two that can have been seen. A dtype without any such room gives way to 64 bits.
        """
        n, dtype = len(missing), self.dtype
        up = range(self.start, self.start + n * self.step, self.step)
        down = range(self.least - self.step, self.least - (n + 1) * self.step, -self.step)
        between = range(self.least + 1, self.least + 1 + n)
        numbers = up
        if n and dtype != "object":
            low, high = ends_of(dtype)
            if up[-1] > high:
                if down[-1] >= low:
                    numbers = down
                elif n < self.step:
                    numbers = between
                else:
                    dtype = "Int64" if missing.any() else "int64"
        return restore(as_objects(numbers), missing, dtype, self.marker)


Column = CategoricalColumn | NumericColumn | IdentifierColumn


def raw_amounts(values: pd.Series, kind: NumericKind, inner: str) -> NDArray[Any]:
    """Turn values into float64, or into 64-bit integers with or without a sign.

    Parameters
    ----------
    values : Series of shape (n,)
        None is missing.
    kind, inner : str
        As of a `NumericColumn`. Floats given for a column of integers stay floats.

    Returns
    -------
    ndarray of shape (n,), float64, int64 or uint64
    """
    if kind == "float" or values.dtype.kind == "f":
        return values.to_numpy(dtype=np.float64)
    if kind in ("datetime", "timedelta"):
        return times_to_integers(values, inner)
    is_unsigned = values.dtype.kind == "u" or (values.dtype == object and max(values) >= 2**63)
    return values.to_numpy(dtype=np.uint64 if is_unsigned else np.int64)


def signed_steps(amounts: NDArray[Any], origin: int, step: int) -> NDArray[np.float64]:
    """Count the steps from `origin` to 64-bit integers, shape (n,), negative below `origin`.

    The distance of two 64-bit integers can need all 64 bits, which int64 does not have beside its
    sign. Unsigned integers wrap around, so that the difference of two is right whatever the signs
    of the amounts were. The larger of the two comes first, and the sign is set afterwards.
    """
    above = amounts >= origin
    unsigned = amounts.astype(np.uint64)
    start = _wrapped(origin)
    distance = np.where(above, unsigned - start, start - unsigned)
    whole, part = np.divmod(distance, np.uint64(step))
    steps = whole.astype(np.float64) + part / step
    return np.where(above, steps, -steps)


def _index(values: tuple[Any, ...]) -> pd.Index:
    return pd.Index(as_objects(values), dtype=object)


def ends_of(dtype: str) -> tuple[int, int]:
    """Return the least and the greatest number of a dtype, see `dtype_name`.

    Parameters
    ----------
    dtype : str
        Name of a dtype, which may be nullable, sparse or Arrow's.
    """
    held = dtype_named(dtype)
    held = getattr(held, "subtype", getattr(held, "numpy_dtype", held))
    ends = np.finfo(held) if np.dtype(held).kind == "f" else np.iinfo(held)
    return int(ends.min), int(ends.max)


def _wrapped(number: int) -> np.uint64:
    return np.uint64(number % 2**64)
