"""Rules that give one column as a function of others: sums, products, named formulas."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import check, number
from tabgan.constraints.amounts import Amounts, Writer, cast, merged, read_amounts
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
    missing_in,
    several,
)
from tabgan.constraints.formulas import apply_formula, check_formula
from tabgan.table.columns import CategoricalColumn, NumericColumn
from tabgan.table.conditions import Kind
from tabgan.table.schema import Schema

RELATIVE_TOLERANCE = 1e-9
"""Relative error of an equation that counts as rounding noise of float64."""

SUM, REST, PRODUCT = "+", "-", "*"
"""Operations: all inputs added, the others taken from the first, all inputs multiplied."""


class _Equation(Constraint):
    """Base of rules by which a column is computed from others."""

    tolerance: float

    def equation(self) -> tuple[Hashable, str, tuple[Hashable, ...]]:
        """Return the computed column, the operation or the name of the formula, and the inputs."""
        raise NotImplementedError

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Labels of the columns that the rule reads, the computed one first."""
        target, _, inputs = self.equation()
        return (target, *inputs)

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows break the rule by more than rounding errors and the tolerance."""
        self.check_table(table)
        target, operation, inputs = self.equation()
        return _differs(table, target, operation, inputs, self.tolerance, self)

    def plan(self, schema: Schema) -> list[Part]:
        """Return one part, which computes a column from the others."""
        columns = [schema[name] for name in self.names]
        # The equation holds in no row if one of its columns is missing throughout.
        is_empty = any(isinstance(c, CategoricalColumn) and not c.categories for c in columns)
        return [Part(self, self.options(schema), is_needed=not is_empty)]

    def options(self, schema: Schema) -> list[Option]:
        """Return the ways to compute one of the columns; by default the one of the equation."""
        return [_option(self, *self.equation())]


def _option(
    rule: Constraint, target: Hashable, operation: str, inputs: tuple[Hashable, ...]
) -> Option:
    def learn(columns: Columns, writer: Writer, new: Callable[[str], str]) -> Computed:
        lacks, is_there = missing_in(columns, inputs), columns[target].notna().to_numpy()
        is_alone = lacks & is_there & any(writer.may_lack(name) for name in inputs)
        is_absent = ~lacks & ~is_there & writer.may_lack(target)
        return Computed(
            target,
            inputs,
            operation,
            new(f"{target} alone") if is_alone.any() else None,
            new(f"{target} known") if is_absent.any() else None,
        )

    return Option((target,), inputs, learn)


@dataclass(frozen=True)
class Sum(_Equation):
    """A column that is the sum of other columns: numbers, durations, or a date and durations.

    The total is not learnt but computed from its parts. If another rule computes the total, one of
    the parts is computed instead.

    Parameters
    ----------
    total : column label
        The column that is the sum.
    parts : list of column labels
        Two columns or more.
    tolerance : float >= 0, default=0.0
        How far the total of a row may be from the sum. Rounding errors of floating point always
        count as equal.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Sum
    >>> bills = pd.DataFrame({"net": [10.0, 20.0], "tax": [2.1, 4.2], "total": [12.1, 24.0]})
    >>> Sum("total", ["net", "tax"]).broken(bills)
    array([False,  True])
    """

    total: Hashable
    parts: tuple[Hashable, ...]
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", several("Sum", "parts", self.parts, 2))
        check_labels("Sum", total=self.total, parts=self.parts)
        check("tolerance", self.tolerance, number(0))

    def equation(self) -> tuple[Hashable, str, tuple[Hashable, ...]]:
        """Return the total, the operation and the parts."""
        return self.total, SUM, self.parts

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns that are never identifiers: all of the rule."""
        return self.names

    def options(self, schema: Schema) -> list[Option]:
        """Return the ways to compute the total, or the last part, or an earlier one."""
        options = [_option(self, self.total, SUM, self.parts)]
        for part in reversed(self.parts):
            others = tuple(name for name in self.parts if name != part)
            options.append(_option(self, part, REST, (self.total, *others)))
        return [o for o in options if isinstance(schema[o.targets[0]], NumericColumn)]


@dataclass(frozen=True)
class Product(_Equation):
    """A column of numbers that is the product of other columns.

    Parameters
    ----------
    product : column label
        The column that is the product. It is not learnt but computed.
    factors : list of column labels
        Two columns or more.
    tolerance : float >= 0, default=0.0
        How far the product of a row may be from the column, for products that were rounded: 0.005
        for amounts that were rounded to two decimals. Rounding errors of floating point always
        count as equal.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Product
    >>> orders = pd.DataFrame({"n": [2, 3], "price": [9.5, 4.0], "sum": [19.0, 12.5]})
    >>> Product("sum", ["n", "price"]).broken(orders)
    array([False,  True])
    """

    product: Hashable
    factors: tuple[Hashable, ...]
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", several("Product", "factors", self.factors, 2))
        check_labels("Product", product=self.product, factors=self.factors)
        check("tolerance", self.tolerance, number(0))

    def equation(self) -> tuple[Hashable, str, tuple[Hashable, ...]]:
        """Return the product, the operation and the factors."""
        return self.product, PRODUCT, self.factors

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns that are never identifiers: all of the rule."""
        return self.names


@dataclass(frozen=True)
class Formula(_Equation):
    """A column that a named function computes from other columns.

    Parameters
    ----------
    y : column label
        The column that is computed, and not learnt.
    function : str
        Name of the function: "copy", "difference", "ratio", "absolute", "mean", "minimum",
        "maximum", "year", "month", "day", "weekday" (0 is Monday), "hour", "upper", "lower",
        "length", or a name given with `register_formula`.
    columns : list of column labels
        The columns that the function takes, in its order.
    tolerance : float >= 0, default=0.0
        How far a number may be from that of the function, for numbers that were rounded. Rounding
        errors of floating point always count as equal.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Formula
    >>> sales = pd.DataFrame({"day": pd.to_datetime(["2024-05-01", "2025-05-01"]), "year": 2024})
    >>> Formula("year", "year", ["day"]).broken(sales)
    array([False,  True])
    """

    y: Hashable
    function: str
    columns: tuple[Hashable, ...]
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", several("Formula", "columns", self.columns, 1))
        check_labels("Formula", y=self.y, columns=self.columns)
        check_formula(self.function, len(self.columns))
        check("tolerance", self.tolerance, number(0))

    def equation(self) -> tuple[Hashable, str, tuple[Hashable, ...]]:
        """Return the computed column, the name of the function and its columns."""
        return self.y, self.function, self.columns

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns that are never identifiers: all of the rule."""
        return self.names


@dataclass(frozen=True)
class Computed(Rewriting):
    """Leaves a column out that is computed from others.

    Attributes
    ----------
    target : column label
    inputs : tuple of labels
    operation : str
        `SUM`, `REST`, `PRODUCT`, or the name of a formula.
    alone : str or None
        Label of the column that holds the target where an input is missing; None if training had
        no such row.
    known : str or None
        Label of the column that says whether the target is there where all inputs are; None if it
        always was in training.
    """

    target: Hashable
    inputs: tuple[Hashable, ...]
    operation: str
    alone: str | None
    known: str | None

    @property
    def targets(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        """The column that is left out."""
        return (self.target,)

    @property
    def reads(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        """The inputs."""
        return self.inputs

    def categories(self) -> tuple[Hashable, ...]:
        """Return the column that says whether the target is there."""
        return () if self.known is None else (self.known,)

    def express(self, columns: Columns) -> dict[Hashable, pd.Series]:
        """Return what the inputs do not say: where the target is missing or stands alone."""
        values, lacks = columns[self.target], missing_in(columns, self.inputs)
        found: dict[Hashable, pd.Series] = {}
        if self.alone is not None:
            found[self.alone] = values.where(lacks).astype(values.dtype)
        if self.known is not None:
            found[self.known] = pd.Series(lacks | values.notna().to_numpy())
        return found

    def imply(self, cells: Cells, writer: Writer) -> None:
        """Add the target where all inputs are known, and the one input that is left to know."""
        known = np.array([cells.is_value(name) for name in self.inputs])
        full = known.all(axis=0) & (cells.kind(self.target) == Kind.ANY)
        if full.any():
            values = {
                name: cast(writer.schema[name], cells.values(name, full)) for name in self.inputs
            }
            values |= {name: pd.Series([True] * int(full.sum())) for name in self._flags()}
            found = self.restore(values, writer, np.random.default_rng(0))
            cells.add_values(self.target, full, found.columns[self.target].astype(object))
        if self.operation not in (SUM, REST):
            return
        one_left = (known.sum(axis=0) == len(self.inputs) - 1) & cells.is_value(self.target)
        for i, name in enumerate(self.inputs):
            rows = one_left & (cells.kind(name) == Kind.ANY)
            if not rows.any() or not isinstance(writer.schema[name], NumericColumn):
                continue
            others = [other for other in self.inputs if other != name]
            read = [self.target, *others]
            values = {
                other: cast(writer.schema[other], cells.values(other, rows)) for other in read
            }
            amounts = read_amounts(values, read, self.target)
            target, rest = amounts.values[0], amounts.values[1:]
            if self.operation == SUM:
                found_amounts = target - np.sum(rest, axis=0)
            elif i == 0:
                found_amounts = target + np.sum(rest, axis=0)
            else:
                found_amounts = rest[0] - np.sum(rest[1:], axis=0) - target
            on_grid = writer.on_grid(name, found_amounts, amounts.unit)
            if not writer.in_range(name, on_grid, amounts.unit).all():
                bad = np.flatnonzero(rows)[~writer.in_range(name, on_grid, amounts.unit)][0]
                raise ValueError(
                    f"conditions: {cells.asked.as_written(int(bad))} leaves {name!r} a value that "
                    "is out of the range seen in training."
                )
            none = np.zeros(len(on_grid), dtype=bool)
            series = writer.series(name, on_grid, none, amounts.unit)
            cells.add_values(name, rows, series.astype(object))

    def _flags(self) -> list[str]:
        return [] if self.known is None else [self.known]

    def translate(self, cells: Cells, writer: Writer, inner: Schema) -> None:
        """Ask for what is learnt of the target; its value follows from the inputs or is open."""
        kinds, is_missing = cells.kind(self.target), cells.is_missing(self.target)
        known = np.logical_and.reduce([cells.is_value(name) for name in self.inputs])
        lacks = np.logical_or.reduce([cells.is_missing(name) for name in self.inputs])
        done = kinds == Kind.ANY
        if self.alone is not None:
            is_alone = lacks & ~done
            cells.ask(self.alone, is_alone, cells.values(self.target, is_alone))
            done = done | is_alone
        elif is_missing.any():
            done = done | (lacks & is_missing)
        if self.known is not None:
            cells.ask(self.known, known & is_missing, False)
            cells.ask(self.known, known & ~done & ~is_missing, True)
            done = done | (known & is_missing)
        done = done | (known & ~is_missing)
        cells.leave_open(self.target, ~done)

    def move(
        self,
        columns: Columns,
        target: Hashable,
        rows: NDArray[np.bool_],
        wanted: pd.Series,
        free: Mapping[Hashable, NDArray[np.bool_]],
        writer: Writer,
    ) -> dict[Hashable, Goal]:
        """Shift or stretch the input that scatters most, of those of which nothing is asked."""
        if self.operation not in (SUM, REST, PRODUCT):
            return {}
        pair = read_amounts({**columns, target: wanted}, [target, *self.inputs], target)
        inputs = Amounts(pair.values[1:], pair.missing[:, 1:], pair.unit)
        away = pair.values[0] - _calculated(inputs, self.operation)
        left = rows & pair.is_known & (away != 0)
        goals: dict[Hashable, Goal] = {}
        for i in sorted(range(len(self.inputs)), key=lambda i: -_spread(inputs, i)):
            name = self.inputs[i]
            mine = left & free[name]
            if not mine.any() or not isinstance(writer.schema[name], NumericColumn):
                continue
            values = inputs.values[i]
            if self.operation == PRODUCT:
                others = _calculated(inputs, PRODUCT) / np.where(values == 0, 1, values)
                safe = np.where(others == 0, 1.0, others)
                moved = np.where(others == 0, values, pair.values[0] / safe)
            else:
                moved = values + (away if self.operation == SUM or i == 0 else -away)
            moved = writer.on_grid(name, np.where(mine, moved, values), pair.unit)
            mine &= writer.in_range(name, moved, pair.unit)
            goals[name] = Goal(mine, writer.series(name, moved, ~mine, pair.unit))
            left &= ~mine
        return goals

    def restore(self, columns: Columns, writer: Writer, rng: np.random.Generator) -> Restored:
        """Compute the target wherever all inputs are there."""
        lacks = missing_in(columns, self.inputs)
        absent = lacks
        if self.known is not None:
            absent = lacks | ~columns[self.known].to_numpy(dtype=bool)
        in_range: NDArray[np.bool_] | bool = True
        if self.operation in (SUM, REST, PRODUCT):
            amounts = read_amounts(columns, self.inputs, self.target)
            value = writer.on_grid(self.target, _calculated(amounts, self.operation), amounts.unit)
            in_range = absent | writer.in_range(self.target, value, amounts.unit)
            series = writer.series(self.target, value, absent, amounts.unit)
        else:
            computed = _formula(columns, self.operation, self.inputs, ~absent)
            series = writer.objects(self.target, computed)
            in_range = absent | series.notna().to_numpy()
        if self.alone is not None and lacks.any():
            column = writer.schema[self.target]
            series = merged(column, series, ~lacks, columns[self.alone])
        return Restored({self.target: series}, in_range)


def _spread(amounts: Amounts, i: int) -> float:
    """Return the standard deviation of one of some columns."""
    values = amounts.values[i][~amounts.missing[:, i]].astype(np.float64)
    return float(np.std(values)) if len(values) else 0.0


@np.errstate(over="ignore", invalid="ignore")
def _calculated(amounts: Amounts, operation: str) -> NDArray[Any]:
    """Add, subtract or multiply columns, as float64 where integers would overflow."""
    values = amounts.values
    if operation == PRODUCT:
        largest = np.prod([np.abs(v.astype(np.float64)).max(initial=0.0) for v in values])
        if largest >= 2.0**62:
            values = tuple(v.astype(np.float64) for v in values)
        return np.prod(values, axis=0)
    if operation == REST:
        return values[0] - np.sum(values[1:], axis=0)
    return np.sum(values, axis=0)


def _formula(
    columns: Columns, function: str, inputs: Sequence[Hashable], is_known: NDArray[np.bool_]
) -> pd.Series:
    """Compute a formula in some rows, as a Series of objects that is None in the others."""
    found = pd.Series([None] * len(is_known), dtype=object)
    if not is_known.any():
        return found
    given = [columns[name][is_known].reset_index(drop=True) for name in inputs]
    result = apply_formula(function, given)
    if is_known.all():
        return result
    found[is_known] = result.astype(object).to_numpy()
    return found


@np.errstate(over="ignore", invalid="ignore")
def _differs(
    columns: Columns,
    target: Hashable,
    operation: str,
    inputs: Sequence[Hashable],
    tolerance: float,
    rule: Constraint,
) -> NDArray[np.bool_]:
    """Say in which rows, all of whose values are there, a column is not what it should be."""
    is_known = ~missing_in(columns, [target, *inputs])
    differs = np.zeros(len(is_known), dtype=bool)
    if not is_known.any():
        return differs
    if operation in (SUM, REST, PRODUCT):
        amounts = read_amounts(columns, [target, *inputs], rule)
        right = _calculated(Amounts(amounts.values[1:], amounts.missing, amounts.unit), operation)
        scale = np.abs(np.array(amounts.values, dtype=np.float64)).sum(axis=0)
        return is_known & _is_off(amounts.values[0], right, tolerance, scale)
    given = [columns[name][is_known].reset_index(drop=True) for name in inputs]
    right_series = apply_formula(operation, given)
    left = columns[target][is_known].reset_index(drop=True)
    try:
        pair = read_amounts({0: left, 1: right_series}, [0, 1], rule)
    except ValueError:
        differs[is_known] = (left.astype(object) != right_series.astype(object)).to_numpy()
        return differs
    scale = np.abs(np.array(pair.values, dtype=np.float64)).sum(axis=0)
    differs[is_known] = pair.missing.any(axis=1) | _is_off(
        pair.values[0], pair.values[1], tolerance, scale
    )
    return differs


def _is_off(
    one: NDArray[Any], other: NDArray[Any], tolerance: float, scale: NDArray[np.float64]
) -> NDArray[np.bool_]:
    if one.dtype.kind == other.dtype.kind == "i" and not tolerance:
        return one != other
    away = np.abs(one.astype(np.float64) - other.astype(np.float64))
    return ~(away <= tolerance + RELATIVE_TOLERANCE * scale)
