"""Private descriptions of columns: what a schema holds, learnt from noisy counts alone."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import ParameterError, listed, short
from tabgan.private.curator import Curator, NoisyCounts
from tabgan.table.columns import (
    CategoricalColumn,
    Column,
    NumericColumn,
    NumericKind,
    ends_of,
    raw_amounts,
    signed_steps,
)
from tabgan.table.dtypes import as_objects, dtype_name
from tabgan.table.inference import kind_of
from tabgan.table.quantiles import QuantileTable

N_PARTS = 64
"""Parts into which one round cuts an interval."""

N_ROUNDS = 4
"""Most rounds of cutting for each numeric column."""

FREE_PARTS = 16
"""Parts of told bounds that are kept apart whatever the counts say, for bounds cost nothing."""

FINEST = 1e-5
"""Share of a column's range below which an interval with much mass counts as a single value."""

EXPONENTS = {"integer": (0, 64), "float": (-24, 64)}
"""Powers of two that bound the ranges in which a number without known bounds is looked for."""

YEARS = ("1700-01-01", "2200-01-01")
"""Bounds of dates, unless the user tells others."""

SEEN, SOLID = 2.5, 5.0
"""Standard deviations of noise from which a count is taken for more than nothing, and from which
it is worth being divided."""


@dataclass
class Interval:
    """A stretch of numbers with a noisy count.

    Attributes
    ----------
    low, high : float
        Ends; of whole numbers they lie halfway between two.
    count : float
    is_point : bool
        Whether it stands for a single value.
    is_open : bool
        Whether a further round may divide it.
    """

    low: float
    high: float
    count: float
    is_point: bool = False
    is_open: bool = True


@dataclass
class PublicColumn:
    """What is public of a column: label, dtype, and what the user told.

    Attributes
    ----------
    name : hashable
    dtype : dtype
    kind : {"float", "integer", "datetime", "timedelta", "categorical", "boolean"}
        By the dtype alone.
    inner : str
        As of `NumericColumn`.
    bounds : tuple of two float, or None
        In steps from `base`, as `amounts` are.
    is_told : bool
        Whether the bounds are the user's. Then they are kept whole.
    categories : list or None
    base, step : int
        Whole numbers are counted in steps from here; 0 and 1 for floats.
    decimals : int or None
        Of floats.
    """

    name: Hashable
    dtype: Any
    kind: str
    inner: str = ""
    bounds: tuple[float, float] | None = None
    is_told: bool = False
    categories: list[Any] | None = None
    base: int = 0
    step: int = 1
    decimals: int | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether values are amounts."""
        return self.kind in ("float", "integer", "datetime", "timedelta")

    @property
    def is_whole(self) -> bool:
        """Whether amounts are whole numbers."""
        return self.is_numeric and self.kind != "float"

    @property
    def may_miss(self) -> bool:
        """Whether the dtype has a missing value."""
        return not (isinstance(self.dtype, np.dtype) and self.dtype.kind in "biu")

    def ends_of_dtype(self) -> tuple[int, int]:
        """Return the least and the greatest step that the dtype of integers or floats holds."""
        low, high = ends_of(dtype_name(self.dtype))
        return -((self.base - low) // self.step), (high - self.base) // self.step

    def in_steps(self, values: pd.Series) -> NDArray[np.float64]:
        """Return amounts of values of which none is missing, shape (n,)."""
        raw = raw_amounts(values, _numeric(self.kind), self.inner)
        if not self.is_whole:
            return raw.astype(np.float64)
        if raw.dtype.kind == "f":
            return np.rint((raw - self.base) / self.step)
        return np.rint(signed_steps(raw, self.base, self.step))

    def amounts(self, values: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return amounts within the bounds, and which values are missing, both of shape (n,)."""
        missing = values.isna().to_numpy()
        amounts = np.zeros(len(values))
        amounts[~missing] = self.in_steps(values[~missing])
        if self.bounds is not None:
            amounts = np.clip(amounts, *self.bounds)
        return amounts, missing


def public_columns(
    frame: pd.DataFrame,
    bounds: Mapping[Hashable, Sequence[Any]],
    categories: Mapping[Hashable, Sequence[Any]],
    steps: Mapping[Hashable, Any],
    forced: Sequence[Hashable],
) -> list[PublicColumn]:
    """Collect what is public of each column, from dtypes and from what the user told.

    Parameters
    ----------
    frame : DataFrame
        Only its labels and dtypes are read.
    bounds, categories : mapping of column label to values
    steps : mapping of column label to number or duration
    forced : sequence of column labels
        Columns whose values are categories whatever their dtype.

    Returns
    -------
    list of PublicColumn
    """
    columns = []
    for name in frame.columns:
        empty = frame[name].iloc[:0]
        kind, inner = kind_of(empty, name, "X")
        told = None if name not in categories else list(categories[name])
        if told is not None or name in forced:
            kind = "boolean" if kind == "boolean" else "categorical"
        if kind == "boolean" and told is None:
            told = [False, True]
        column = PublicColumn(name, empty.dtype, kind, inner, categories=told)
        if column.is_numeric:
            _take_step(column, steps.get(name))
            column.bounds = _ends_told(column, bounds.get(name))
            column.is_told = name in bounds
        columns.append(column)
    return columns


def _take_step(column: PublicColumn, told: Any) -> None:
    """Read the step that the user told: decimals of a float, and whole steps of other numbers."""
    if column.inner == "decimal":
        column.decimals = int(column.dtype.pyarrow_dtype.scale)
    if told is None:
        return
    if column.kind == "float":
        column.decimals = max(0, round(-math.log10(told)))
    elif column.kind == "integer":
        column.step = int(told)
    else:
        unit = column.inner.partition("[")[2].rstrip("]").split(",")[0]
        column.step = int(pd.Timedelta(told) / pd.Timedelta(1, unit))


def check_told(
    frame: pd.DataFrame,
    bounds: Mapping[Hashable, Sequence[Any]],
    categories: Mapping[Hashable, Sequence[Any]],
    steps: Mapping[Hashable, Any],
) -> None:
    """Refuse what cannot be true of columns of these labels and dtypes; no row is read.

    Parameters
    ----------
    frame : DataFrame
    bounds, categories : mapping of column label to values
    steps : mapping of column label to number or duration

    Raises
    ------
    ParameterError
        Names the argument, the column and the value.
    """
    for argument, told in (("bounds", bounds), ("categories", categories), ("steps", steps)):
        for name in told:
            if name not in frame.columns:
                raise ParameterError(
                    f"{argument} names {name!r}, which is not a column; columns: "
                    f"{listed(list(frame.columns))}."
                )
    for name, ends in bounds.items():
        if kind_of(frame[name].iloc[:0], name, "X").kind in ("categorical", "boolean"):
            raise ParameterError(
                f"bounds names {name!r}, which is a column of categories; name them in categories."
            )
        if not ends[0] <= ends[1]:
            raise ParameterError(f"bounds of {name!r} must be ascending, got {short(ends)}.")
    for name, values in categories.items():
        if pd.Index(as_objects(values)).has_duplicates:
            raise ParameterError(f"categories of {name!r} must differ, got {short(values)}.")
    _check_steps(frame, steps)


def _check_steps(frame: pd.DataFrame, steps: Mapping[Hashable, Any]) -> None:
    """Refuse steps that no column of the dtype can have."""
    for name, told in steps.items():
        kind = kind_of(frame[name].iloc[:0], name, "X").kind
        wanted = {
            "float": "1 or a power of ten below 1, such as 0.01",
            "integer": "a positive integer",
        }.get(kind, 'a positive duration such as "1D"')
        try:
            if kind == "float":
                sound = 0 < told <= 1 and math.isclose(told, 10.0 ** round(math.log10(told)))
            elif kind == "integer":
                sound = told >= 1 and int(told) == told
            else:
                sound = kind in ("datetime", "timedelta") and pd.Timedelta(told).value > 0
        except (TypeError, ValueError):
            sound = False
        if not sound:
            raise ParameterError(
                f"steps of {name!r}, a column of dtype {frame[name].dtype}, must be {wanted}, "
                f"got {short(told)}."
            )


def _ends_told(column: PublicColumn, told: Sequence[Any] | None) -> tuple[float, float] | None:
    """Return the amounts of the ends that the user told, and those of `YEARS` for other dates."""
    if told is None and column.kind == "datetime":
        zone = getattr(column.dtype, "tz", None)
        told = [pd.Timestamp(year, tz=zone) for year in YEARS]
        if column.inner == "datetime64[D]":
            told = [year.date() for year in told]
    if told is None:
        return None
    ends = pd.Series(list(told)).astype(column.dtype)
    if column.is_whole:
        column.base = int(raw_amounts(ends, _numeric(column.kind), column.inner)[0])
    low, high = column.in_steps(ends)
    return float(low), float(np.floor(high) if column.is_whole else high)


class Described(NamedTuple):
    """A column, and what was counted where its levels are what was counted.

    Attributes
    ----------
    column : CategoricalColumn or NumericColumn
    counts : NoisyCounts or None
        Of the categories in the column's order, and of missing values behind them if the column
        has any. None for numbers.
    """

    column: Column
    counts: NoisyCounts | None = None


def describe(
    column: PublicColumn, curator: Curator, rho: float, delta: float, n_bins: int
) -> Described:
    """Describe one column from noisy counts.

    Parameters
    ----------
    column : PublicColumn
    curator : Curator
    rho, delta : float
        What the description may cost. Delta is spent on naming categories that nobody told.
    n_bins : int
        Levels of a number that are aimed for.

    Returns
    -------
    Described
    """
    if column.is_numeric:
        return Described(_describe_numbers(column, curator, rho, n_bins))
    what = f"categories of {column.name!r}"
    if column.categories is None:
        categories, counts = curator.common_values(column.name, rho, delta, what)
        if getattr(column.dtype, "ordered", False):
            # The order of a dtype is public, as the dtype is; which categories it lists is not.
            order = column.dtype.categories.get_indexer(as_objects(categories)).argsort()
            categories = [categories[i] for i in order]
            counts = NoisyCounts(counts.values[[*order, -1]], counts.sigma)
    else:
        categories, n = column.categories, len(column.categories)
        known = _category_column(
            column, categories, NoisyCounts(np.ones(n + 1, dtype=np.int64), 1.0)
        )
        place = np.array([*map(categories.index, known.categories), -1, n], dtype=np.int64)

        def cell(values: pd.Series) -> NDArray[np.int64]:
            # Unknown values have code -2, and missing ones -1.
            return place[known.codes(values)]

        counts = curator.count(column.name, cell, n + 1, rho, what)
    order = np.argsort(-counts.values[:-1], kind="stable")
    ordered = NoisyCounts(counts.values[order], counts.sigma)
    if column.may_miss and _missing(counts):
        ordered = NoisyCounts(np.r_[ordered.values, counts.values[-1]], counts.sigma)
    return Described(_category_column(column, categories, counts), ordered)


def _missing(counts: NoisyCounts) -> float:
    """Return the last count, of missing values, or 0 if it may well be noise."""
    count = float(counts.values[-1])
    return count if count >= 3 * counts.sigma and count >= 1 else 0.0


def _category_column(
    column: PublicColumn, values: Sequence[Any], counts: NoisyCounts
) -> CategoricalColumn:
    """Make the description of categories, the most frequent first, from their counts."""
    n_missing = _missing(counts) if column.may_miss else 0.0
    # Shares are positive, however little of a category was counted.
    positive = np.maximum(counts.values[:-1].astype(np.float64), min(0.5, counts.sigma))
    order, total = np.argsort(-counts.values[:-1], kind="stable"), positive.sum()
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    return CategoricalColumn(
        column.name,
        "boolean" if column.kind == "boolean" else "categorical",
        dtype_name(column.dtype),
        tuple(values[i] for i in order),
        tuple((positive[order] / total).tolist()),
        n_missing / (n_missing + total) if n_missing else float(not len(values)),
        "NaN",
        tuple(values) if is_category else None,
        dtype_name(column.dtype.categories.dtype) if is_category else "object",
        bool(column.dtype.ordered) if is_category else False,
    )


# ---------------------------------------------------------------------- numbers


def _describe_numbers(
    column: PublicColumn, curator: Curator, rho: float, n_bins: int
) -> NumericColumn | CategoricalColumn:
    """Cut the range of a number where there is much mass, round after round.

    The first round counts equal parts of the known bounds, or ranges that grow exponentially. Each
    further round divides the intervals that hold more than a bin should.
    """
    cuts = _Cuts(column, n_bins)
    share = rho / N_ROUNDS
    for step in range(N_ROUNDS):
        edges, wanted = cuts.edges(step)
        if not len(wanted):
            break
        n_cells = int(wanted.max()) + 1

        def cell(
            values: pd.Series, edges: Any = edges, wanted: Any = wanted, n_cells: int = n_cells
        ) -> Any:
            amounts, missing = column.amounts(values)
            place = np.clip(np.searchsorted(edges, amounts, side="right") - 1, 0, len(wanted) - 1)
            return np.where(missing, n_cells, wanted[place])

        what = f"intervals of {column.name!r}, round {step + 1}"
        cuts.take(curator.count(column.name, cell, n_cells + 1, share, what))
    return cuts.column()


class _Cuts:
    """The intervals of one column, from round to round."""

    def __init__(self, column: PublicColumn, n_bins: int) -> None:
        self.public, self.n_bins = column, n_bins
        self.intervals: list[Interval] = []
        self.n_missing, self.total = 0.0, 0.0
        self._parts: list[tuple[int, NDArray[np.float64]]] = []

    def edges(self, step: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the ends of what is counted next, and the number of the cell between two ends.

        Returns
        -------
        edges : ndarray of shape (m + 1,)
        cells : ndarray of shape (m,)
            -1 where nothing is counted.
        """
        if step == 0:
            first = self._first_edges()
            self._parts = [(-1, first)]
            return first, np.arange(len(first) - 1)
        self._parts = [
            (i, self._divided(interval.low, interval.high))
            for i, interval in enumerate(self.intervals)
            if interval.is_open
        ]
        if not self._parts:
            return np.zeros(0), np.zeros(0, dtype=np.int64)
        edges: list[float] = []
        cells: list[int] = []
        n = 0
        for _, part in self._parts:
            if edges and edges[-1] == part[0]:
                edges.pop()
            elif edges:
                cells.append(-1)
            edges += part.tolist()
            cells += range(n, n + len(part) - 1)
            n += len(part) - 1
        # Values beyond the outermost ends lie in no cell, unless the rows were cut off there.
        ends = [-np.inf, *edges, np.inf]
        return np.array(ends), np.array([-1, *cells, -1])

    def _first_edges(self) -> NDArray[np.float64]:
        """Cut the known bounds into equal parts, or all numbers at powers of two."""
        column = self.public
        if column.bounds is not None:
            low, high = column.bounds
            half = 0.5 if column.is_whole else 0.0
            if low == high and not half:
                high = np.nextafter(low, np.inf)
                return np.array([low, high])
            return self._divided(low - half, high + half)
        powers = 2.0 ** np.arange(*EXPONENTS["integer" if column.is_whole else "float"])
        if not column.is_whole:
            ends = map(float, column.ends_of_dtype())
            return np.unique(np.r_[-powers[::-1], powers].clip(*ends))
        edges = np.r_[-powers[::-1] - 0.5, powers - 0.5]
        low, high = (-(2**62), 2**62)
        if column.kind == "integer":
            low, high = column.ends_of_dtype()
        return np.unique(np.clip(edges, low - 0.5, high + 0.5))

    def _divided(self, low: float, high: float) -> NDArray[np.float64]:
        """Cut an interval into `N_PARTS` equal parts, or into single whole numbers."""
        if not self.public.is_whole:
            return np.linspace(low, high, N_PARTS + 1)
        n = min(N_PARTS, max(1, round(high - low)))
        inner = np.floor(np.linspace(low, high, n + 1)[1:-1]) + 0.5
        return np.unique(np.r_[low, inner, high])

    def take(self, counts: NoisyCounts) -> None:
        """Replace each interval that was divided by what the counts make of its parts."""
        values, sigma = counts.values[:-1].astype(np.float64), counts.sigma
        if self._parts[0][0] < 0:
            self.n_missing = _missing(counts) if self.public.may_miss else 0.0
            edges = self._parts[0][1]
            seen = np.flatnonzero(values >= SEEN * 1.6 * sigma)
            if self.public.is_told:
                seen = np.arange(len(values))
            elif not len(seen):
                seen = np.array([int(np.argmax(values))])
            first, last = int(seen[0]), int(seen[-1]) + 1
            self.total = max(1.0, float(values[first:last].sum()))
            self.intervals = self._grouped(edges[first : last + 1], values[first:last], sigma)
            return
        made: dict[int, list[Interval]] = {}
        start = 0
        for i, part in self._parts:
            n = len(part) - 1
            some = values[start : start + n]
            start += n
            old = self.intervals[i]
            if some.sum() < SOLID * sigma * math.sqrt(n):
                made[i] = [Interval(old.low, old.high, old.count, is_open=False)]
                continue
            made[i] = self._grouped(part, some, sigma)
        self.intervals = [
            new
            for i, old in enumerate(self.intervals)
            for new in made.get(i, [Interval(old.low, old.high, old.count, old.is_point, False)])
        ]

    def _grouped(
        self, edges: NDArray[np.float64], counts: NDArray[np.float64], sigma: float
    ) -> list[Interval]:
        """Divide parts in halves as long as the halves hold much, and leave out what holds nothing.

        Parameters
        ----------
        edges : ndarray of shape (m + 1,)
        counts : ndarray of shape (m,)
        sigma : float

        Returns
        -------
        list of Interval, in ascending order
        """
        n, total = len(counts), float(counts.sum())
        enough = self.total / self.n_bins
        cut = n // 2
        halves = ((edges[: cut + 1], counts[:cut]), (edges[cut:], counts[cut:]))
        if n > 1 and self._is_wide(edges[0], edges[-1]):
            return [new for ends, some in halves for new in self._grouped(ends, some, sigma)]
        if n == 1 or total < max(enough, SOLID * sigma * math.sqrt(n)):
            return [self._interval(edges[0], edges[-1], total, n, sigma)]
        found: list[Interval] = []
        for ends, some in halves:
            if some.sum() >= SEEN * sigma * math.sqrt(len(some)):
                found += self._grouped(ends, some, sigma)
        return found or [self._interval(edges[0], edges[-1], total, n, sigma)]

    def _is_wide(self, low: float, high: float) -> bool:
        """Whether an interval is wider than one and a half of `FREE_PARTS` of told bounds."""
        if not self.public.is_told or self.public.bounds is None:
            return False
        least, most = self.public.bounds
        return most > least and high - low > 1.5 * (most - least) / FREE_PARTS

    def _interval(self, low: float, high: float, count: float, n: int, sigma: float) -> Interval:
        """Describe an interval, and say whether it is to be divided further."""
        is_single = self.public.is_whole and high - low <= 1.0
        is_heavy = count >= max(self.total / self.n_bins, 1.2 * SOLID * sigma)
        return Interval(
            low, high, max(count, 0.5), is_point=is_single, is_open=is_heavy and not is_single
        )

    def column(self) -> NumericColumn | CategoricalColumn:
        """Describe the column, once all rounds are over."""
        public, found = self.public, self.intervals
        low, high = found[0].low, found[-1].high
        present = sum(interval.count for interval in found)
        rate = self.n_missing / (self.n_missing + present)
        name = dtype_name(public.dtype)
        origin, last = 0, 0
        if public.is_whole:
            origin, end = math.ceil(low), math.floor(high)
            if public.kind == "integer":
                least, most = public.ends_of_dtype()
                origin, end = max(origin, least), min(end, most)
            last = max(0, end - origin)
        lows, highs = [], []
        for interval in found:
            ends = interval.low - origin, interval.high - origin
            is_value = interval.is_point
            if public.bounds is not None and public.bounds[0] == public.bounds[1]:
                ends = (ends[0], ends[0])
            if public.is_whole and is_value:
                ends = (float(round((ends[0] + ends[1]) / 2)),) * 2
            elif (
                interval.is_open
                and not public.is_whole
                and ends[1] - ends[0] <= FINEST * (high - low)
            ):
                ends = (simplest(*ends),) * 2
            lows.append(ends[0])
            highs.append(ends[1])
        mass = np.array([interval.count for interval in found]) / present
        table = QuantileTable(mass, np.array(lows), np.array(highs))
        return NumericColumn(
            public.name,
            _numeric(public.kind),
            name,
            table,
            rate,
            public.base + public.step * origin,
            public.step,
            last,
            decimals=public.decimals,
            marker="NaN",
            inner=public.inner,
        )


def simplest(low: float, high: float) -> float:
    """Return the number of fewest decimals in an interval: 0, or else the shortest one.

    Parameters
    ----------
    low, high : float

    Returns
    -------
    float
        In ``[low, high]``.

    Examples
    --------
    >>> from tabgan.private.columns import simplest
    >>> simplest(-0.1, 0.2), simplest(39.97, 40.02), simplest(0.1234, 0.1239)
    (0.0, 40.0, 0.1236)
    """
    if low <= 0.0 <= high:
        return 0.0
    middle = (low + high) / 2
    for decimals in range(-18, 18):
        rounded = round(middle, decimals)
        if low <= rounded <= high:
            return rounded
    return middle


def _numeric(kind: str) -> NumericKind:
    assert kind in ("float", "integer", "datetime", "timedelta")
    return kind  # type: ignore[return-value]
