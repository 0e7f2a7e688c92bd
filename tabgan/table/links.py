"""Links: equations between numeric columns that hold in many rows, and the rows that keep them.

Networks know a number by its bin, so that an equation such as ``total = price + tax`` blurs to the
width of a bin. `Links` keeps the equations of a table. For an equation that holds in some rows
alone, a table gets a *switch*: a column that says in which rows. Networks learn switches like any
other column. In drawn rows the value of one column of each equation is computed from the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import short
from tabgan.table.allowed import replaced
from tabgan.table.columns import CategoricalColumn, NumericColumn
from tabgan.table.conditions import ANY
from tabgan.table.dtypes import as_objects
from tabgan.table.equations import (
    Amounts,
    Equation,
    first_held,
    is_kept,
    rounded,
    to_amounts,
    to_numbers,
)
from tabgan.table.inference import infer_column
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.privacy import Withheld
from tabgan.table.quantiles import QuantileTable
from tabgan.table.schema import Schema
from tabgan.table.soundness import check_quantiles

ALWAYS = -1
"""In place of a switch: the equation holds in all rows."""

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
        withheld: Withheld | None = None,
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
            columns.append(infer_column(levels, name, True, "X", True, withheld))
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
        return with_columns(table, known)

    def _levels(self, switch: int, table: pd.DataFrame) -> NDArray[np.int64]:
        """Compute the levels of a switch from a table with all columns of its equations."""
        of_targets: dict[Hashable, list[Equation]] = {}
        for equation in self._of_switch(switch):
            of_targets.setdefault(equation.target, []).append(equation)
        levels = None
        for target, own in of_targets.items():
            names = {name for equation in own for name in equation.names}
            amounts = {name: self._amounts(name, table[name]) for name in names}
            column = self._column(target)
            found = first_held([is_kept(equation, column, amounts) for equation in own])
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
                    for place in range(len(equation.names)):
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
        """Rebuild links from what `to_dict` returned, and the schema of the table.

        Raises
        ------
        ValueError
            The links are those of no table of this schema.
        """
        equations = tuple(from_jsonable(equation, _CLASSES) for equation in data["equations"])
        switches = Schema.from_dict(data["switches"])
        links = cls(table, equations, from_jsonable(data["switch_of"]), switches)
        links._check()
        return links

    def _check(self) -> None:
        """Refuse equations of columns that are no numbers, and switches that are none."""
        numbers = {c.name for c in self.table.columns if isinstance(c, NumericColumn)}
        for equation in self.equations:
            n = len(equation.parents)
            is_sound = set(equation.names) <= numbers and len(equation.weights) == n > 0
            if not is_sound or not np.isfinite([equation.constant, *equation.weights]).all():
                raise ValueError(f"equation {short(str(equation))} is one of no columns")
            if 0.0 in equation.weights:
                raise ValueError(f"equation {short(str(equation))} has a weight of 0")
            if equation.noise is not None:
                check_quantiles(equation.noise)
        places = range(ALWAYS, len(self.switches.columns))
        if set(self.switch_of) != {equation.target for equation in self.equations} or not all(
            type(place) is int and place in places for place in self.switch_of.values()
        ):
            raise ValueError("the switches of equations are those of other equations")
        for switch, column in enumerate(self.switches.columns):
            of_target: dict[Hashable, int] = {}
            for equation in self._of_switch(switch):
                of_target[equation.target] = of_target.get(equation.target, 0) + 1
            is_sound = isinstance(column, CategoricalColumn) and not column.missing_rate
            if not is_sound or not of_target:
                raise ValueError(f"switch {short(column.name)} is none")


def with_columns(table: pd.DataFrame, further: Mapping[Hashable, pd.Series]) -> pd.DataFrame:
    """Put further columns behind those of a table, whatever the labels are.

    Parameters
    ----------
    table : DataFrame of n rows
    further : mapping of label to Series of shape (n,)
        In the order of the rows.

    Returns
    -------
    DataFrame of n rows
    """
    labels = as_objects([*table.columns, *further])
    both = pd.concat([table, *(one.set_axis(table.index) for one in further.values())], axis=1)
    return both.set_axis(pd.Index(labels, dtype=object, tupleize_cols=False), axis=1)
