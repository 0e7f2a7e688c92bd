"""Numbers, dates and durations as arrays that rules compute with, and back into columns."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.columns import CategoricalColumn, Column, NumericColumn, raw_amounts
from tabgan.table.dtypes import restore
from tabgan.table.inference import kind_of
from tabgan.table.schema import Schema

Rounding = Literal["nearest", "up", "down"]

UNITS = {"D": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9}
UNITS |= {"ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds in each unit of time."""

NOISE = 1e-6
"""Share of a step by which a float may miss a grid and still counts as on the grid."""


class Grid(Protocol):
    """Values that a column is confined to by a rule of its own."""

    def to_grid(self, amounts: NDArray[Any], unit: str, rounding: Rounding) -> NDArray[Any]:
        """Return the nearest values of the grid, or the nearest above or below."""


class Amounts(NamedTuple):
    """Columns of n rows as numbers.

    Attributes
    ----------
    values : tuple of ndarray of shape (n,)
        All int64, or all float64; 0 where missing. Dates count from 1970.
    missing : ndarray of shape (n, number of columns), bool
    unit : str
        The unit of dates and durations, a key of `UNITS`; "" for numbers.
    """

    values: tuple[NDArray[Any], ...]
    missing: NDArray[np.bool_]
    unit: str

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Whether no column is missing, shape (n,)."""
        return np.logical_and.reduce(~self.missing, axis=1)


def read_amounts(
    columns: Mapping[Hashable, pd.Series],
    names: Sequence[Hashable],
    rule: object,
    unit: str | None = None,
) -> Amounts:
    """Read columns as numbers that can be compared and added.

    Parameters
    ----------
    columns : mapping of label to Series, or DataFrame
    names : sequence of labels
    rule : object
        What errors name as the reader.
    unit : str, optional
        The unit to count dates and durations in; by default the finest unit of the columns.

    Returns
    -------
    Amounts

    Raises
    ------
    ValueError
        A column holds neither numbers nor dates nor durations, or numbers stand beside dates.
    """
    series = [columns[name] for name in names]
    missing = np.column_stack([values.isna().to_numpy() for values in series])
    read, inners = [], []
    for i, (name, values) in enumerate(zip(names, series, strict=True)):
        present = values[~missing[:, i]] if missing[:, i].any() else values
        amounts, inner = _read(present, name, rule)
        full = amounts
        if missing[:, i].any():
            full = np.zeros(len(values), dtype=amounts.dtype)
            full[~missing[:, i]] = amounts
        read.append(full)
        inners.append(inner)
    times = [_unit(inner) for inner in inners if inner]
    if times and any(inner == "" for inner in inners):
        raise ValueError(f"{rule} reads numbers beside dates or durations; convert one of them.")
    if len({"," in inner for inner in inners if inner and inner.startswith("datetime")}) > 1:
        raise ValueError(f"{rule} reads dates with and without a time zone; convert one of them.")
    if times:
        common = min(times, key=UNITS.__getitem__) if unit is None else unit
        read = [
            _converted(amounts, _unit(inner), common) if inner else amounts.astype(np.int64)
            for amounts, inner in zip(read, inners, strict=True)
        ]
        return Amounts(tuple(read), missing, common)
    if any(amounts.dtype.kind == "f" for amounts in read):
        read = [amounts.astype(np.float64) for amounts in read]
    return Amounts(tuple(read), missing, "")


def _read(present: pd.Series, name: Hashable, rule: object) -> tuple[NDArray[Any], str | None]:
    """Read the values of one column, and say how the values are counted; None if there are none."""
    if not len(present):
        return np.empty(0, dtype=np.int64), None
    kind, inner = kind_of(present, name, "the table")
    if kind == "categorical":
        raise ValueError(
            f"{rule} needs numbers, dates or durations, and column {name!r} holds other values."
        )
    if kind == "boolean":
        return present.to_numpy(dtype=bool).astype(np.int64), ""
    amounts = raw_amounts(present, kind, inner)
    if amounts.dtype == np.uint64:
        is_small = not len(amounts) or amounts.max() < 2**63
        amounts = amounts.astype(np.int64 if is_small else np.float64)
    return amounts, inner if kind in ("datetime", "timedelta") else ""


def _unit(inner: str) -> str:
    """Return the unit of a time dtype: "ns" for "datetime64[ns, UTC]"."""
    found = re.search(r"\[(\w+)", inner)
    return found[1] if found else "ns"


def _converted(amounts: NDArray[Any], before: str, after: str) -> NDArray[Any]:
    """Convert counts of one unit of time into counts of another."""
    if UNITS[before] >= UNITS[after]:
        return amounts * (UNITS[before] // UNITS[after])
    return amounts // (UNITS[after] // UNITS[before])


def inner_series(
    amounts: NDArray[Any], missing: NDArray[np.bool_], decimals: int | None = None
) -> pd.Series:
    """Make a column of numbers for a model to learn.

    Parameters
    ----------
    amounts : ndarray of shape (n,)
    missing : ndarray of shape (n,), bool
    decimals : int, optional
        Decimals that floats are rounded to, which removes the noise of subtraction.

    Returns
    -------
    Series of shape (n,)
    """
    if amounts.dtype.kind == "f":
        if decimals is not None:
            amounts = np.round(amounts, decimals)
        return pd.Series(np.where(missing, np.nan, amounts))
    if not missing.any():
        return pd.Series(amounts)
    return pd.Series(pd.arrays.IntegerArray(amounts.astype(np.int64), missing.copy()))


def cast(column: Column, values: pd.Series) -> pd.Series:
    """Turn objects into a column as the user's table has it; None is missing.

    Parameters
    ----------
    column : NumericColumn or CategoricalColumn
    values : Series of shape (n,), dtype object
        A category that training did not see becomes missing.

    Returns
    -------
    Series of shape (n,)
    """
    if isinstance(column, CategoricalColumn):
        return column.series(np.maximum(column.codes(values), -1))
    assert isinstance(column, NumericColumn)
    missing = values.isna().to_numpy()
    amounts = np.zeros(len(values), dtype=np.float64 if column.kind == "float" else np.int64)
    if not missing.all():
        amounts[~missing] = raw_amounts(values[~missing], column.kind, column.inner)
    return column.restore(amounts, missing)


def merged(
    column: Column, first: pd.Series, is_first: NDArray[np.bool_], second: pd.Series
) -> pd.Series:
    """Take each row from the first of two columns or from the second one."""
    if is_first.all():
        return first
    values = first.astype(object).where(is_first, second.astype(object))
    return cast(column, values.where(values.notna(), None))


@dataclass(frozen=True)
class Writer:
    """Turns amounts into columns of the user's table, on the grid on which each column lies.

    Parameters
    ----------
    schema : Schema
        Schema of the user's table.
    grids : mapping of label to list of Grid
        Grids that rules confine columns to.
    min_rows : int, default=1
        Rows that what is learnt of a key rests on, at least.
    """

    schema: Schema
    grids: Mapping[Hashable, Sequence[Grid]]
    min_rows: int = 1

    def may_lack(self, name: Hashable) -> bool:
        """Say whether missing values of a column are learnt, and not taken for unknown ones."""
        return self.schema[name].missing_rate > 0

    def on_grid(
        self, name: Hashable, amounts: NDArray[Any], unit: str, rounding: Rounding = "nearest"
    ) -> NDArray[Any]:
        """Move amounts to values that the column can hold: its decimals, its steps, its grids.

        Parameters
        ----------
        name : hashable
            Label of a numeric column.
        amounts : ndarray of shape (n,)
        unit : str
            The unit of time of the amounts; "" for numbers.
        rounding : {"nearest", "up", "down"}

        Returns
        -------
        ndarray of shape (n,)
        """
        column = self.schema[name]
        assert isinstance(column, NumericColumn)
        if column.kind == "float":
            if column.decimals is not None:
                amounts = _on_decimals(amounts, column.decimals, rounding)
        else:
            scale = self.scale(name, unit)
            amounts = _on_steps(amounts, column.origin * scale, column.step * scale, rounding)
        for grid in self.grids.get(name, ()):
            amounts = grid.to_grid(amounts, unit, rounding)
        return amounts

    def scale(self, name: Hashable, unit: str) -> int:
        """Return how many units of time one unit of a column of dates is; 1 for numbers."""
        column = self.schema[name]
        assert isinstance(column, NumericColumn)
        return max(1, UNITS[_unit(column.inner)] // UNITS[unit]) if unit else 1

    def series(
        self, name: Hashable, amounts: NDArray[Any], missing: NDArray[np.bool_], unit: str
    ) -> pd.Series:
        """Turn amounts on the grid into a column of the user's table.

        Parameters
        ----------
        name : hashable
        amounts : ndarray of shape (n,)
        missing : ndarray of shape (n,), bool
        unit : str

        Returns
        -------
        Series of shape (n,)
        """
        column = self.schema[name]
        assert isinstance(column, NumericColumn)
        if column.kind == "float":
            return column.restore(np.where(missing, 0.0, amounts), missing)
        if unit:
            amounts = _converted(amounts, unit, _unit(column.inner))
        low, high = column.origin, column.origin + column.last * column.step
        # Rows out of range are drawn anew, but must not overflow the dtype before.
        inside = np.where(missing, low, np.clip(np.nan_to_num(amounts), low, high))
        return column.restore(inside, missing)

    def in_range(self, name: Hashable, amounts: NDArray[Any], unit: str) -> NDArray[np.bool_]:
        """Say which amounts lie in the range that training saw, shape (n,)."""
        column = self.schema[name]
        assert isinstance(column, NumericColumn)
        if column.kind == "float":
            return (amounts >= column.table.low[0]) & (amounts <= column.table.high[-1])
        if unit:
            amounts = _converted(amounts, unit, _unit(column.inner))
        return (amounts >= column.origin) & (amounts <= column.origin + column.last * column.step)

    def objects(self, name: Hashable, values: Any) -> pd.Series:
        """Turn what a function of columns returned into a column of the user's table."""
        column = self.schema[name]
        series = values if isinstance(values, pd.Series) else pd.Series(values)
        missing = series.isna().to_numpy()
        if isinstance(column, NumericColumn) and not missing.all():
            amounts = read_amounts({name: series}, [name], repr(name))
            on_grid = self.on_grid(name, amounts.values[0], amounts.unit)
            return self.series(name, on_grid, missing, amounts.unit)
        if isinstance(column, CategoricalColumn):
            return cast(column, series.astype(object))
        return restore(series.to_numpy(dtype=object), missing, column.dtype, column.marker)


def _on_decimals(amounts: NDArray[Any], decimals: int, rounding: Rounding) -> NDArray[np.float64]:
    nearest = np.asarray(np.round(amounts.astype(np.float64), decimals), dtype=np.float64)
    if rounding == "nearest":
        return nearest
    step = float(10.0**-decimals)
    if rounding == "up":
        return np.where(
            nearest < amounts - NOISE * step, np.round(nearest + step, decimals), nearest
        )
    return np.where(nearest > amounts + NOISE * step, np.round(nearest - step, decimals), nearest)


def _on_steps(
    amounts: NDArray[Any], origin: int, step: int, rounding: Rounding
) -> NDArray[np.int64]:
    if amounts.dtype.kind == "f":
        steps = (amounts - origin) / step
        whole = np.rint(steps)
        if rounding == "up":
            whole = np.where(whole < steps - NOISE, whole + 1, whole)
        elif rounding == "down":
            whole = np.where(whole > steps + NOISE, whole - 1, whole)
        return origin + np.clip(whole, -(2.0**62), 2.0**62).astype(np.int64) * step
    if step == 1:
        return amounts
    above = amounts - origin
    if rounding == "up":
        return origin - (-above // step) * step
    return origin + (above + (step // 2 if rounding == "nearest" else 0)) // step * step
