"""Rules of order: one column is never above another."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import FLAG, check
from tabgan.constraints.amounts import Rounding, Writer, cast, inner_series, merged, read_amounts
from tabgan.constraints.asked import Cells
from tabgan.constraints.base import (
    Columns,
    Constraint,
    Goal,
    Option,
    Part,
    Restored,
    Rewriting,
    check_labels,
    several,
)
from tabgan.table.columns import NumericColumn
from tabgan.table.conditions import PRESENT, Kind
from tabgan.table.schema import Schema


@dataclass(frozen=True, init=False)
class Inequality(Constraint):
    """Columns of numbers, dates or durations, none of which is above the next one.

    The later column of each pair is learnt as its distance from the earlier column, which is never
    negative.

    Parameters
    ----------
    *columns : column labels
        Two columns or more, the lowest first.
    strict : bool, default=False
        Whether two columns must differ.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Inequality
    >>> stays = pd.DataFrame({"arrival": [3, 5, 8], "departure": [4, 5, 7]})
    >>> Inequality("arrival", "departure").broken(stays)
    array([False, False,  True])
    >>> Inequality("arrival", "departure", strict=True).broken(stays)
    array([False,  True,  True])
    """

    columns: tuple[Hashable, ...]
    strict: bool = False

    def __init__(self, *columns: Hashable, strict: bool = False) -> None:
        several("Inequality", "columns", columns, 2)
        check_labels("Inequality", columns=columns)
        check("strict", strict, FLAG)
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "strict", strict)

    @classmethod
    def build(cls, **values: Any) -> Inequality:
        """Build a constraint from its fields, as a file holds them."""
        return cls(*values["columns"], strict=values["strict"])

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Labels of the columns that the rule reads."""
        return self.columns

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows break the rule; a pair with a missing value does not."""
        self.check_table(table)
        return _out_of_order(table, self.columns, self.strict, self)

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns that are never identifiers: all of the rule."""
        return self.columns

    def links(self) -> list[tuple[Hashable, Hashable, bool]]:
        """Return each pair of neighbours, and whether the two must differ."""
        return [(a, b, self.strict) for a, b in zip(self.columns, self.columns[1:], strict=False)]

    def plan(self, schema: Schema) -> list[Part]:
        """Return a part for each pair of neighbours."""
        return [_part(self, schema, *link) for link in self.links()]

    def __str__(self) -> str:
        told = ", ".join(map(repr, self.columns))
        return f"Inequality({told}{', strict=True' if self.strict else ''})"


@dataclass(frozen=True)
class Range(Constraint):
    """A column that lies between two other columns.

    The column is learnt as its distance from the lower column, and the upper column as its distance
    from the column.

    Parameters
    ----------
    x : column label
        The column in between.
    low, high : column label
        The columns that bound it.
    strict : bool, default=False
        Whether the column must differ from both.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Range
    >>> days = pd.DataFrame({"low": [3, 5], "close": [4, 9], "high": [6, 8]})
    >>> Range("close", "low", "high").broken(days)
    array([False,  True])
    """

    x: Hashable
    low: Hashable
    high: Hashable
    strict: bool = False

    def __post_init__(self) -> None:
        check_labels("Range", x=self.x, low=self.low, high=self.high)
        check("strict", self.strict, FLAG)

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Labels of the columns that the rule reads, the lowest first."""
        return self.low, self.x, self.high

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows break the rule; a pair with a missing value does not."""
        self.check_table(table)
        return _out_of_order(table, self.names, self.strict, self)

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns that are never identifiers: all of the rule."""
        return self.names

    def links(self) -> list[tuple[Hashable, Hashable, bool]]:
        """Return each pair of neighbours, and whether the two must differ."""
        return [(self.low, self.x, self.strict), (self.x, self.high, self.strict)]

    def plan(self, schema: Schema) -> list[Part]:
        """Return a part for each pair of neighbours."""
        return [_part(self, schema, *link) for link in self.links()]


def _out_of_order(
    table: pd.DataFrame, names: Sequence[Hashable], strict: bool, rule: Constraint
) -> NDArray[np.bool_]:
    """Say in which rows two neighbours, both there, are in the wrong order."""
    amounts = read_amounts(table, names, rule)
    broken = np.zeros(len(table), dtype=bool)
    for i in range(len(names) - 1):
        low, high = amounts.values[i : i + 2]
        is_known = ~amounts.missing[:, i : i + 2].any(axis=1)
        broken |= is_known & ((low >= high) if strict else (low > high))
    return broken


def _part(rule: Constraint, schema: Schema, low: Hashable, high: Hashable, strict: bool) -> Part:
    """Return the two ways to keep two columns in order: either is a distance from the other."""

    def option(base: Hashable, target: Hashable, sign: int) -> Option:
        def learn(columns: Columns, writer: Writer, new: Callable[[str], str]) -> Gap:
            return Gap.learn(rule, columns, writer, new, base, target, sign, strict)

        return Option((target,), (base,), learn)

    options = [option(low, high, 1), option(high, low, -1)]
    numeric = [o for o in options if isinstance(schema[o.targets[0]], NumericColumn)]
    return Part(rule, numeric, is_needed=False)


@dataclass(frozen=True)
class Gap(Rewriting):
    """Replaces a column by its distance from another column, the base.

    Attributes
    ----------
    base, target : column label
    sign : {1, -1}
        1 if the target is the upper column of the two.
    strict : bool
        Whether the two columns must differ.
    name : str
        Label of the distance.
    alone : str or None
        Label of the column that holds the target where the base is missing; None if training had
        no such row.
    unit : str
        Unit of time of the distance.
    decimals : int or None
        Decimals of the distance.
    base_gives_way : bool
        Whether the base scatters more than the distance, so that the base moves if the target is
        asked for.
    """

    base: Hashable
    target: Hashable
    sign: int
    strict: bool
    name: str
    alone: str | None
    unit: str
    decimals: int | None
    base_gives_way: bool

    @property
    def targets(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        """The column that is replaced."""
        return (self.target,)

    @property
    def reads(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        """The base."""
        return (self.base,)

    @classmethod
    def learn(
        cls,
        rule: Constraint,
        columns: Columns,
        writer: Writer,
        new: Callable[[str], str],
        base: Hashable,
        target: Hashable,
        sign: int,
        strict: bool,
    ) -> Gap:
        """Learn how fine the distance is, and whether the target stands alone in some rows."""
        amounts = read_amounts(columns, [base, target], rule)
        is_alone = amounts.missing[:, 0] & ~amounts.missing[:, 1]
        finest = [_decimals(writer.schema[name]) for name in (base, target)]
        decimals = None if None in finest else max(d for d in finest if d is not None)
        low, high = (base, target) if sign > 0 else (target, base)
        name = new(f"{high} - {low}")
        is_learnt = writer.may_lack(base)
        alone = new(f"{target} alone") if is_learnt and is_alone.any() else None
        start, end = (values[amounts.is_known].astype(np.float64) for values in amounts.values)
        gives_way = bool(len(start)) and float(np.std(start)) > float(np.std(end - start))
        return cls(base, target, sign, strict, name, alone, amounts.unit, decimals, gives_way)

    def express(self, columns: Columns) -> dict[Hashable, pd.Series]:
        """Compute the distance, and the target where it stands alone."""
        amounts = read_amounts(columns, [self.base, self.target], self.name, self.unit)
        base, target = amounts.values
        gap = (target - base) * self.sign
        found: dict[Hashable, pd.Series] = {
            self.name: inner_series(gap, ~amounts.is_known, self.decimals)
        }
        if self.alone is not None:
            values = columns[self.target]
            found[self.alone] = values.where(amounts.missing[:, 0]).astype(values.dtype)
        return found

    def translate(self, cells: Cells, writer: Writer, inner: Schema) -> None:
        """Ask for the distance where both columns are known, or for the target where it is alone.

        A distance beyond those that training saw becomes the nearest of those; `aim` sets it right.
        """
        kinds, is_missing = cells.kind(self.target), cells.is_missing(self.target)
        is_value, has_base = cells.is_value(self.target), cells.is_value(self.base)
        has_room = isinstance(inner[self.name], NumericColumn)
        done = kinds == Kind.ANY
        if has_room and has_base.any():
            both = is_value & has_base
            if both.any():
                cells.ask(self.name, both, self._distances(cells, both, writer, inner))
            within = (kinds == Kind.INTERVAL) & has_base
            if within.any():
                cells.ask(self.name, within, self._intervals(cells, within, writer))
            done = done | both | within
        if self.alone is not None:
            is_alone = cells.is_missing(self.base) & ~done
            cells.ask(self.alone, is_alone, cells.values(self.target, is_alone))
            done = done | is_alone
        else:
            cells.ask(self.name, is_missing & ~done, None)
            if inner[self.name].missing_rate > 0:
                cells.ask(self.name, kinds == Kind.PRESENT, PRESENT)
            done = done | is_missing | (kinds == Kind.PRESENT)
        cells.leave_open(self.target, ~done)

    def _distances(
        self, cells: Cells, rows: NDArray[np.bool_], writer: Writer, inner: Schema
    ) -> pd.Series:
        """Compute the distances of pairs of values that are asked for, in the range of training."""
        known = {
            name: cast(writer.schema[name], cells.values(name, rows))
            for name in (self.base, self.target)
        }
        gaps = self.express(known)[self.name]
        column = inner[self.name]
        assert isinstance(column, NumericColumn)
        return column.series(column.numbers(gaps)).astype(object)

    def _intervals(
        self, cells: Cells, rows: NDArray[np.bool_], writer: Writer
    ) -> list[pd.Interval]:
        """Move intervals that are asked for by the values of the base."""
        base = {self.base: cast(writer.schema[self.base], cells.values(self.base, rows))}
        start = read_amounts(base, [self.base], self.name, self.unit).values[0]
        scale = writer.scale(self.target, self.unit)
        low, high = (scale * end[rows] - start for end in cells.asked.ends(self.target))
        if self.sign < 0:
            low, high = -high, -low
        low = np.maximum(low, 0.0)
        if (high < low).any():
            i = int(np.flatnonzero(rows)[np.flatnonzero(high < low)[0]])
            raise ValueError(
                f"conditions: {cells.asked.as_written(i)} leaves no room between {self.base!r} and "
                f"{self.target!r}, which are in order."
            )
        return [pd.Interval(a, b, closed="both") for a, b in zip(low, high, strict=True)]

    def move(
        self,
        columns: Columns,
        target: Hashable,
        rows: NDArray[np.bool_],
        wanted: pd.Series,
        free: Mapping[Hashable, NDArray[np.bool_]],
        writer: Writer,
    ) -> dict[Hashable, Goal]:
        """Move the base, where it scatters more than the distance does."""
        if not self.base_gives_way or not isinstance(writer.schema[self.base], NumericColumn):
            return {}
        aim = read_amounts({self.target: wanted}, [self.target], self.name, self.unit)
        gaps = read_amounts(columns, [self.name], self.name)
        known = aim.is_known & gaps.is_known & columns[self.base].notna().to_numpy()
        moved = aim.values[0] - self.sign * gaps.values[0]
        moved = writer.on_grid(self.base, moved, self.unit)
        rows = rows & known & free[self.base] & writer.in_range(self.base, moved, self.unit)
        return {self.base: Goal(rows, writer.series(self.base, moved, ~rows, self.unit))}

    def aim(
        self,
        columns: dict[Hashable, pd.Series],
        target: Hashable,
        rows: NDArray[np.bool_],
        wanted: pd.Series,
    ) -> None:
        """Set the distance to that of the value asked for, where it is not negative."""
        pair = {self.base: columns[self.base], self.target: wanted}
        gaps = self.express(pair)[self.name]
        amounts = read_amounts({0: gaps, 1: columns[self.name]}, [0, 1], self.name)
        is_right = rows & ~amounts.missing[:, 0] & (amounts.values[0] >= 0)
        values = np.where(is_right, *amounts.values)
        missing = np.where(is_right, False, amounts.missing[:, 1])
        columns[self.name] = inner_series(values, missing, self.decimals)

    def restore(self, columns: Columns, writer: Writer, rng: np.random.Generator) -> Restored:
        """Add the distance to the base; rounding errors move to the side that keeps the rule."""
        amounts = read_amounts(columns, [self.base], self.name, self.unit)
        gaps = read_amounts(columns, [self.name], self.name)
        base, known = amounts.values[0], ~amounts.missing[:, 0] & ~gaps.missing[:, 0]
        aim = base + self.sign * gaps.values[0]
        value = writer.on_grid(self.target, aim, self.unit)
        below = (value - base) * self.sign
        wrong = known & ((below <= 0) if self.strict else (below < 0))
        if wrong.any():
            rounding: Rounding = "up" if self.sign > 0 else "down"
            value = np.where(wrong, writer.on_grid(self.target, base, self.unit, rounding), value)
        in_range = ~known | writer.in_range(self.target, value, self.unit)
        series = writer.series(self.target, value, ~known, self.unit)
        if self.alone is not None:
            column = writer.schema[self.target]
            series = merged(column, series, ~amounts.missing[:, 0], columns[self.alone])
        return Restored({self.target: series}, in_range)


def _decimals(column: Any) -> int | None:
    """Return the decimals of a column; 0 for whole numbers and dates, None for plain floats."""
    if isinstance(column, NumericColumn) and column.kind == "float":
        return column.decimals
    return 0
