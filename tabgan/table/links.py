"""Links: equations between numeric columns that hold in many rows, and the rows that keep them.

Networks know a number by its bin, so that an equation such as ``total = price + tax`` blurs to the
width of a bin. `Links` keeps the equations of a table. For an equation that holds in some rows
alone, a table gets a *switch*: a column that says in which rows. Networks learn switches like any
other column. In drawn rows the value of one column of each equation is computed from the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.allowed import replaced
from tabgan.table.columns import NumericColumn
from tabgan.table.conditions import ANY
from tabgan.table.dtypes import as_objects
from tabgan.table.inference import infer_column
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.quantiles import QuantileTable
from tabgan.table.schema import Schema

Amounts = dict[Hashable, NDArray[np.float64]]
"""Amounts of columns by label, each of shape (n,)."""

ALWAYS = -1
"""In place of a switch: the equation holds in all rows."""

ROUNDING, SINGLE_ROUNDING = 1e-9, 1e-5
"""Relative rounding error of numbers that have no fixed decimals, of 64 and of fewer bits."""


@dataclass(frozen=True, eq=False)
class Equation:
    """One numeric column as a sum or a product of others.

    The value is ``constant + sum_i weight_i * parent_i`` for a sum, and
    ``constant * prod_i parent_i ** weight_i`` for a product, rounded as the target is.

    Parameters
    ----------
    target : hashable
        Label of the column that the equation computes.
    parents : tuple of labels
    kind : {"sum", "product"}
    weights : tuple of float
        One for each parent.
    constant : float
    noise : QuantileTable or None
        The distribution of ``target - value`` for a sum, or of ``target / value`` for a product. It
        is much narrower than a bin of the target. None: the target equals the value.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.table.links import Equation
    >>> total = Equation("total", ("price", "tax"), "sum", (1.0, 1.0), 0.0)
    >>> str(total)
    'total = price + tax'
    >>> total.value({"price": np.array([2.0]), "tax": np.array([0.5])})
    array([2.5])
    >>> total.solve(1, {"total": np.array([2.5]), "price": np.array([2.0]), "tax": np.zeros(1)})
    array([0.5])
    """

    target: Hashable
    parents: tuple[Hashable, ...]
    kind: Literal["sum", "product"]
    weights: tuple[float, ...]
    constant: float
    noise: QuantileTable | None = None

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Labels of the target and of the parents."""
        return (self.target, *self.parents)

    def value(self, amounts: Mapping[Hashable, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Compute the value from amounts of the parents, shape (n,), without noise."""
        pairs = zip(self.parents, self.weights, strict=True)
        with np.errstate(all="ignore"):
            if self.kind == "sum":
                terms = (weight * amounts[name] for name, weight in pairs)
                return np.asarray(self.constant + sum(terms))
            factors = (amounts[name] ** weight for name, weight in pairs)
            return np.asarray(self.constant * np.prod(list(factors), axis=0))

    def solve(
        self, place: int, amounts: Mapping[Hashable, NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Compute one parent from the target and the other parents, without noise.

        Parameters
        ----------
        place : int
            Position of the parent.
        amounts : mapping of label to ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (n,)
            Not finite where the equation has no solution.
        """
        neutral = 0.0 if self.kind == "sum" else 1.0
        name, weight, target = self.parents[place], self.weights[place], amounts[self.target]
        rest = self.value({**amounts, name: np.full(len(target), neutral)})
        with np.errstate(all="ignore"):
            if self.kind == "sum":
                return np.asarray((target - rest) / weight)
            return np.asarray((target / rest) ** (1.0 / weight))

    def __str__(self) -> str:
        """Write the equation as one would by hand."""
        if self.kind == "product":
            factors = [
                f"{name}" if weight == 1 else f"{name}^{weight:g}"
                for name, weight in zip(self.parents, self.weights, strict=True)
            ]
            factors += [f"{self.constant:g}"] * (self.constant != 1)
            return f"{self.target} = {' * '.join(factors)}"
        text = ""
        for name, weight in zip(self.parents, self.weights, strict=True):
            size = "" if abs(weight) == 1 else f"{abs(weight):g} "
            text += f"{' - ' if weight < 0 else ' + '}{size}{name}"
        if self.constant:
            text += f"{' - ' if self.constant < 0 else ' + '}{abs(self.constant):g}"
        text = text.removeprefix(" + ").strip()
        return f"{self.target} = {text}"


def to_amounts(column: NumericColumn, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a column's numbers into amounts: the values of numbers; steps of dates and durations."""
    if column.kind == "integer":
        return column.origin + column.step * numbers
    return numbers


def to_numbers(column: NumericColumn, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn amounts into the column's numbers, rounded as the column is."""
    if column.kind == "integer":
        return np.rint((amounts - column.origin) / column.step)
    if column.kind != "float":
        return np.rint(amounts)
    return amounts if column.decimals is None else np.round(amounts, column.decimals)


def rounded(column: NumericColumn, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round amounts as the column is rounded."""
    return to_amounts(column, to_numbers(column, amounts))


def is_kept(
    equation: Equation, column: NumericColumn, amounts: Mapping[Hashable, NDArray[np.float64]]
) -> NDArray[np.bool_]:
    """Say in which rows an equation holds.

    Parameters
    ----------
    equation : Equation
    column : NumericColumn
        The target.
    amounts : mapping of label to ndarray of shape (n,)
        Of the target and the parents; NaN where missing.

    Returns
    -------
    ndarray of shape (n,), bool
        False where an amount is missing.
    """
    target, value = amounts[equation.target], equation.value(amounts)
    with np.errstate(all="ignore"):
        if equation.noise is not None:
            apart = target - value if equation.kind == "sum" else target / value
            return (apart >= equation.noise.low[0]) & (apart <= equation.noise.high[-1])
        if column.spacing:
            # A value half-way between two steps may have been rounded either way.
            size = column.spacing * (column.step if column.kind == "integer" else 1)
            slack = 0.5 * size * (1 + 1e-6) + 1e-12 * np.abs(target)
            return np.abs(value - target) <= slack
        size = ROUNDING if column.dtype.lower() == "float64" else SINGLE_ROUNDING
        terms = sum(np.abs(amounts[name]) for name in equation.names)
        scale = np.abs(target) if equation.kind == "product" else terms
        return np.abs(value - target) <= size * scale


_CLASSES: dict[str, Any] = {part.__name__: part for part in (Equation, QuantileTable)}


@dataclass(frozen=True, eq=False)
class Links:
    """The equations of a table, and the switches that say in which rows they hold.

    A switch is a column of whole numbers. Several targets may share a switch. In a row in which the
    switch is 0, none of these targets is computed. In a row in which it is k, the k-th equation of
    each of these targets holds, in the order of `equations`.

    Parameters
    ----------
    table : Schema
        Schema of the table.
    equations : tuple of Equation
        No equation computes a parent of an earlier one.
    switch_of : dict of label to int
        For each target the position of its switch, or `ALWAYS`: its equation holds in all rows.
    switches : Schema
        Schema of the switches.

    Attributes
    ----------
    inner : Schema
        Schema of the table with its switches.
    """

    table: Schema
    equations: tuple[Equation, ...]
    switch_of: dict[Hashable, int]
    switches: Schema
    inner: Schema = field(init=False)

    def __post_init__(self) -> None:
        inner = Schema((*self.switches.columns, *self.table.columns))
        object.__setattr__(self, "inner", inner)

    @classmethod
    def learn(
        cls,
        table: pd.DataFrame,
        schema: Schema,
        equations: Sequence[Equation],
        switch_of: dict[Hashable, int],
    ) -> Links:
        """Name and describe the switches of equations; see the class for parameters."""
        bare = cls(schema, tuple(equations), switch_of, Schema(()))
        taken = {str(name) for name in schema.names}
        columns = []
        for switch in range(max(switch_of.values()) + 1):
            name = next(str(one) for one in equations if switch_of[one.target] == switch)
            while name in taken:
                name = f"{name}_"
            taken.add(name)
            levels = pd.Series(bare._levels(switch, table), name=name)
            columns.append(infer_column(levels, name, True, "X", True))
        return cls(schema, tuple(equations), switch_of, Schema(tuple(columns)))

    @property
    def linked(self) -> list[Hashable]:
        """Labels of the columns that occur in equations."""
        found = {name: None for equation in self.equations for name in equation.names}
        return list(found)

    def express(self, table: pd.DataFrame) -> pd.DataFrame:
        """Put the switches before the columns of a table.

        Parameters
        ----------
        table : DataFrame of shape (n, d)

        Returns
        -------
        DataFrame of shape (n, n_switches + d)
        """
        levels = [
            pd.Series(self._levels(switch, table), index=table.index)
            for switch in range(len(self.switches.columns))
        ]
        columns = [*levels, *(table[name] for name in self.table.names)]
        frame = pd.concat(columns, axis=1, keys=range(len(columns)))
        frame.columns = self.inner.labels
        return frame

    def known(self, cells: pd.DataFrame) -> dict[Hashable, pd.Series]:
        """Say which switches follow from what is known of rows.

        Parameters
        ----------
        cells : DataFrame of n rows
            Some columns of the table; cells that are no values hold `ANY`.

        Returns
        -------
        dict of label to Series of shape (n,), dtype object
            Levels of switches, `ANY` where a level is not known. Switches of which no level is
            known are left out.
        """
        found: dict[Hashable, pd.Series] = {}
        for switch, column in enumerate(self.switches.columns):
            needed = {name for one in self._of_switch(switch) for name in one.names}
            if not needed <= set(cells.columns):
                continue
            rows = cells[list(needed)]
            is_known = ~(rows.map(lambda cell: cell is ANY)).any(axis=1).to_numpy()
            if not is_known.any():
                continue
            values = np.full(len(cells), ANY, dtype=object)
            values[is_known] = self._levels(switch, rows[is_known].infer_objects())
            seen = column.categories  # type: ignore[union-attr]
            values[[value not in seen for value in values]] = ANY
            found[column.name] = pd.Series(values, dtype=object)
        return found

    def beside(self, table: pd.DataFrame, column: Hashable) -> pd.DataFrame:
        """Put what is known of the switches beside rows of which some columns are known.

        Parameters
        ----------
        table : DataFrame of n rows
            Some columns of the table; cells that hold `ANY` are unknown.
        column : hashable
            A column whose values count as unknown.

        Returns
        -------
        DataFrame of n rows
        """
        names = [name for name in self.linked if name in table.columns and name != column]
        cells = table[names].reset_index(drop=True)
        known = self.known(cells) if names else {}
        labels = as_objects([*table.columns, *known])
        both = pd.concat([table, *(one.set_axis(table.index) for one in known.values())], axis=1)
        return both.set_axis(pd.Index(labels, dtype=object, tupleize_cols=False), axis=1)

    def _levels(self, switch: int, table: pd.DataFrame) -> NDArray[np.int64]:
        """Compute the levels of a switch from a table with all columns of its equations."""
        of_targets: dict[Hashable, list[Equation]] = {}
        for equation in self._of_switch(switch):
            of_targets.setdefault(equation.target, []).append(equation)
        levels = None
        for target, own in of_targets.items():
            found = np.zeros(len(table), dtype=np.int64)
            for k, equation in reversed(list(enumerate(own, 1))):
                amounts = {name: self._amounts(name, table[name]) for name in equation.names}
                found[is_kept(equation, self._column(target), amounts)] = k
            levels = found if levels is None else np.where(levels == found, found, 0)
        assert levels is not None
        return levels

    def settle(
        self, expressed: pd.DataFrame, fixed: Mapping[Hashable, NDArray[np.bool_]], rng: Any
    ) -> pd.DataFrame:
        """Compute columns so that equations hold in the rows that their switches say.

        In each equation one column is computed: the target, or the only column that is not fixed
        or computed yet. A value that would leave the range of its column stays as it was drawn.

        Parameters
        ----------
        expressed : DataFrame of n rows
            The switches and the columns of the table.
        fixed : mapping of label to ndarray of shape (n,), bool
            For columns of the table, the rows whose values stay as they are.
        rng : numpy Generator
            Draws noise.

        Returns
        -------
        DataFrame of n rows
            The columns of the table.
        """
        frame = expressed[self.table.names].copy()
        amounts = {name: self._amounts(name, frame[name]) for name in self.linked}
        holds, n_before = [], dict.fromkeys(self.linked, 0)
        for equation in self.equations:
            is_there = ~np.logical_or.reduce([np.isnan(amounts[name]) for name in equation.names])
            switch = self.switch_of[equation.target]
            n_before[equation.target] += 1
            if switch != ALWAYS:
                levels = expressed[self.switches.names[switch]].to_numpy()
                is_there &= levels == n_before[equation.target]
            holds.append(is_there)
        set_ = {name: fixed.get(name, np.zeros(len(frame), bool)).copy() for name in self.linked}
        moved = {name: np.zeros(len(frame), bool) for name in self.linked}
        if any(mask.any() for mask in set_.values()):
            self._solve(amounts, holds, set_, moved, rng)
        for equation, rows in zip(self.equations, holds, strict=True):
            due = rows & ~set_[equation.target]
            self._compute(equation, None, amounts, due, set_, moved, rng)
        for name, rows in moved.items():
            if rows.any():
                column = self._column(name)
                new = column.series(to_numbers(column, amounts[name][rows]))
                frame[name] = replaced(frame[name], np.flatnonzero(rows), new)
        return frame

    def _solve(
        self,
        amounts: Amounts,
        holds: list[NDArray[np.bool_]],
        set_: dict[Hashable, NDArray[np.bool_]],
        moved: dict[Hashable, NDArray[np.bool_]],
        rng: Any,
    ) -> None:
        """Compute what follows from fixed values, equation by equation, until nothing follows.

        In a row where several parents of an equation with a fixed target are open, all but the last
        of them keep the values that were drawn.
        """
        for keeps_drawn in (False, True):
            changed = True
            while changed:
                changed = False
                for equation, rows in zip(self.equations, holds, strict=True):
                    is_open = np.stack([~set_[name] for name in equation.names])
                    n_open = is_open.sum(axis=0)
                    anchored = ~is_open[0] if keeps_drawn else (n_open == 1)
                    due = rows & anchored & (n_open > 0)
                    if not due.any():
                        continue
                    last = len(is_open) - 1 - np.argmax(is_open[::-1], axis=0)
                    for place, name in enumerate(equation.names):
                        some = due & (last == place)
                        if some.any():
                            solved = None if place == 0 else place - 1
                            self._compute(equation, solved, amounts, some, set_, moved, rng)
                            for other in equation.names:
                                set_[other] |= some
                            changed = True

    def _compute(
        self,
        equation: Equation,
        place: int | None,
        amounts: Amounts,
        due: NDArray[np.bool_],
        set_: dict[Hashable, NDArray[np.bool_]],
        moved: dict[Hashable, NDArray[np.bool_]],
        rng: Any,
    ) -> None:
        """Compute the target, or the parent at a place, in the rows that are due."""
        rows = np.flatnonzero(due)
        if not len(rows):
            return
        some = {name: amounts[name][rows] for name in equation.names}
        name = equation.target if place is None else equation.parents[place]
        if equation.noise is not None:
            noise = equation.noise.values(rng.random(len(rows)))
            is_sum = equation.kind == "sum"
        if place is None:
            value = equation.value(some)
            if equation.noise is not None:
                value = value + noise if is_sum else value * noise
        else:
            if equation.noise is not None:
                target = some[equation.target]
                some[equation.target] = target - noise if is_sum else target / noise
            value = equation.solve(place, some)
        column = self._column(name)
        low, high = to_amounts(column, np.array([column.table.low[0], column.table.high[-1]]))
        value = rounded(column, value)
        slack = 1e-9 * (high - low)
        fits = (value >= low - slack) & (value <= high + slack)
        amounts[name][rows[fits]] = value[fits]
        moved[name][rows[fits]] = True
        set_[name][rows] = True

    def _of_switch(self, switch: int) -> list[Equation]:
        """Return the equations of one switch."""
        return [one for one in self.equations if self.switch_of[one.target] == switch]

    def _column(self, name: Hashable) -> NumericColumn:
        column = self.table[name]
        assert isinstance(column, NumericColumn)
        return column

    def _amounts(self, name: Hashable, values: pd.Series) -> NDArray[np.float64]:
        column = self._column(name)
        return to_amounts(column, column.numbers(values))

    def to_dict(self) -> dict[str, Any]:
        """Return equations and switches as values that JSON can write."""
        return {
            "equations": [to_jsonable(equation, _CLASSES) for equation in self.equations],
            "switch_of": to_jsonable(self.switch_of),
            "switches": self.switches.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], table: Schema) -> Links:
        """Rebuild links from what `to_dict` returned, and the schema of the table."""
        equations = tuple(from_jsonable(equation, _CLASSES) for equation in data["equations"])
        switches = Schema.from_dict(data["switches"])
        return cls(table, equations, from_jsonable(data["switch_of"]), switches)
