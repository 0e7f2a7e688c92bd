"""From the raw output of a translator between two tables to rows of the table translated into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabgan.generation.calibrated import even_knots, even_ranks, scalar_knots
from tabgan.generation.needed import needed_changes
from tabgan.table.columns import CategoricalColumn, NumericColumn
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.quantiles import QuantileTable
from tabgan.table.schema import Schema
from tabgan.table.soundness import check_quantiles

MOST_LEVELS, LEAST_ROWS = 64, 50
"""Most levels of a category within which numbers are matched, and least rows of such a level."""

LEAST_GAP = 0.02
"""Least mean distance of ranks within levels for which it is tried to match a number there."""

SHARES = np.linspace(0.0, 1.0, 65)
"""Quantiles by which distributions within levels are compared."""


class Within(NamedTuple):
    """How a number is matched within the levels of a category.

    Attributes
    ----------
    category : int
        Position of the category's column.
    levels : dict of int to pair of QuantileTable
        For each code of the category, the distribution of the number in the rows to translate and
        in the rows of the other table.
    """

    category: int
    levels: dict[int, tuple[QuantileTable, QuantileTable]]


class Direction(nn.Module):
    """Turns a translator's raw output into rows of the table that rows are translated into.

    If both tables have the same columns, a column of a translated row comes about in one of three
    ways, and boosted trees choose: as before training, where a category stays as it is and a number
    keeps its rank; as the translator makes it; or, for a number, by the rank that it has among the
    rows of one translated category. The third way keeps the order of the rows of a category, which
    a translator need not do: many translations make the same distribution.

    Numbers that the translator makes get the distribution that they have in the other table. A
    monotone map takes each number to its rank among all translated rows.

    Parameters
    ----------
    source, target : Encoder
        Encoders of the table that rows come from, and of the one they are translated into.

    Attributes
    ----------
    needed : ndarray of shape (n_columns,), bool
        Which columns are as the translator makes them.
    within : dict of int to Within
        How numbers are matched within the levels of a category, by the position of the column.
    """

    knots: Tensor

    def __init__(self, source: Encoder, target: Encoder) -> None:
        super().__init__()
        self.source, self.target = source, target
        n_scalars, columns = target.layout.n_scalars, target.schema.columns
        self.own = _own_ranks(source.schema, target.schema)
        self.matched = [target.scalars.index(j) in self.own for j in range(n_scalars)]
        self.categories = [
            i
            for i, column in enumerate(columns)
            if isinstance(column, CategoricalColumn) and len(column.categories) <= MOST_LEVELS
        ]
        self.needed = np.ones(len(columns), dtype=bool)
        self.within: dict[int, Within] = {}
        self.register_buffer("knots", even_knots(n_scalars))

    def values(self) -> dict[str, Any]:
        """Return the way of each column, in a form that JSON has."""
        within = [
            [
                column,
                way.category,
                [[code, *map(_parts, pair)] for code, pair in way.levels.items()],
            ]
            for column, way in self.within.items()
        ]
        return {"needed": self.needed.tolist(), "within": within}

    def restore(self, values: dict[str, Any]) -> None:
        """Restore what `values` returned.

        Raises
        ------
        ValueError
            The values are those of other columns.
        """
        needed = np.array(values["needed"], dtype=bool)
        if needed.shape != self.needed.shape:
            raise ValueError("the ways of columns are those of another table")
        self.needed, self.within = needed, {}
        for column, category, levels in values["within"]:
            if column not in self.own or category not in self.categories:
                raise ValueError("a column is matched within another that is no category")
            of_levels = {int(code): (_table(*a), _table(*b)) for code, a, b in levels}
            self.within[column] = Within(category, of_levels)

    @torch.no_grad()
    def ways(
        self, translate: Callable[[Tensor], Tensor], table: EncodedTable, is_alike: bool
    ) -> tuple[EncodedTable, EncodedTable]:
        """Translate encoded rows.

        Parameters
        ----------
        translate : callable, Tensor -> Tensor
            The translator.
        table : EncodedTable of n rows
            Encoded rows of the source.
        is_alike : bool
            Whether both tables have the same columns.

        Returns
        -------
        made, kept : EncodedTable of n rows
            Rows as the translator makes them, and as it made them before training. The latter are
            the former if the tables do not have the same columns.
        """
        row = self.source.layout.expand(*table)
        raw = translate(row)
        made = EncodedTable(*self.target.layout.draw(raw))
        if not is_alike:
            return made, made
        if any(self.matched):
            even = even_ranks(self.knots, made.scalars)
            made = EncodedTable(made.codes, self.target.layout.gate(made.codes, even))
        known = self.source.layout.in_known_blocks(row)
        known[:, : self.source.layout.n_scalars] = True
        return made, EncodedTable(*self.target.layout.draw(torch.where(known, row, raw)))

    @torch.no_grad()
    def spread(self, translate: Callable[[Tensor], Tensor], table: EncodedTable) -> None:
        """Learn the distribution of translated numbers.

        Parameters
        ----------
        translate : callable, Tensor -> Tensor
        table : EncodedTable of n rows
            Encoded rows of the source, with ranks drawn within ties.
        """
        raw = translate(self.source.layout.expand(*table))
        knots = scalar_knots(self.target.layout, EncodedTable(*self.target.layout.draw(raw)))
        self.knots[self.matched] = knots[self.matched]

    def judge(
        self,
        rows: pd.DataFrame,
        ways: tuple[EncodedTable, EncodedTable],
        real: pd.DataFrame,
        seed: int,
    ) -> None:
        """Choose the way of each column; see `needed_changes`.

        Parameters
        ----------
        rows : DataFrame of n rows
            Rows of the source.
        ways : pair of EncodedTable of n rows
            What `ways` returned for these rows.
        real : DataFrame
            Rows of the target.
        seed : int
        """
        schema = self.target.schema
        end, start = (_numbers(schema, self.target.decode(table)) for table in ways)
        like = _numbers(schema, real)
        self.within = {}
        self.needed = needed_changes(start, end, like, seed)
        now = np.where(self.needed, end, start)
        self._learn_within(_numbers(self.source.schema, rows), start, now, like)
        if self.within:
            matched = _numbers(schema, self.rows(rows, *ways))
            is_better = needed_changes(now, matched, like, seed)
            self.within = {i: way for i, way in self.within.items() if is_better[i]}

    def rows(self, given: pd.DataFrame, made: EncodedTable, kept: EncodedTable) -> pd.DataFrame:
        """Put translated rows together, each column in the way chosen for it.

        Parameters
        ----------
        given : DataFrame of n rows
            Rows of the source.
        made, kept : EncodedTable of n rows
            What `ways` returned for these rows.

        Returns
        -------
        DataFrame of n rows
        """
        start = self.target.decode(kept)
        end = start if made is kept else self.target.decode(made)
        columns = [
            (end if is_needed else start).iloc[:, i]
            for i, is_needed in enumerate(self.needed.tolist())
        ]
        sources: Sequence[Any] = self.source.schema.columns
        targets: Sequence[Any] = self.target.schema.columns
        for i, way in self.within.items():
            source, target, category = sources[i], targets[i], targets[way.category]
            numbers = target.numbers(start.iloc[:, i])
            before, codes = source.numbers(given.iloc[:, i]), category.codes(columns[way.category])
            for code, (of_source, of_target) in way.levels.items():
                own = (codes == code) & ~np.isnan(before) & ~np.isnan(numbers)
                numbers[own] = of_target.values(of_source.ranks(before[own]))
            columns[i] = target.series(numbers).set_axis(start.index)
        return pd.concat(columns, axis=1).set_axis(start.columns, axis=1)

    def _learn_within(
        self,
        given: NDArray[np.float64],
        start: NDArray[np.float64],
        now: NDArray[np.float64],
        real: NDArray[np.float64],
    ) -> None:
        """Find for each number the category within which its ranks differ most.

        Parameters
        ----------
        given, start, now : ndarray of shape (n, d)
            Rows of the source, as they are before training, and as they are translated so far.
        real : ndarray of shape (m, d)
            Rows of the target.
        """
        targets: Sequence[Any] = self.target.schema.columns
        for i in sorted(self.own):
            table, largest = targets[i].table, LEAST_GAP
            start_ranks, real_ranks = (table.ranks(rows[:, i]) for rows in (start, real))
            is_known, is_real = (
                ~np.isnan(start[:, i]) & ~np.isnan(given[:, i]),
                ~np.isnan(real[:, i]),
            )
            for k in self.categories:
                gap, levels = 0.0, {}
                for code in np.intersect1d(now[:, k], real[:, k]).tolist():
                    one, other = (now[:, k] == code) & is_known, (real[:, k] == code) & is_real
                    if min(one.sum(), other.sum()) >= LEAST_ROWS:
                        ends = (
                            np.quantile(ranks[own], SHARES)
                            for ranks, own in ((start_ranks, one), (real_ranks, other))
                        )
                        gap += float(np.abs(np.subtract(*ends)).mean() * one.mean())
                        levels[int(code)] = one, other
                if gap > largest:
                    largest = gap
                    self.within[i] = Within(
                        k,
                        {
                            code: (
                                QuantileTable.from_values(given[one, i]),
                                QuantileTable.from_values(real[other, i]),
                            )
                            for code, (one, other) in levels.items()
                        },
                    )


def _parts(table: QuantileTable) -> list[list[float]]:
    """Return the arrays of a table of quantiles as lists."""
    return [table.mass.tolist(), table.low.tolist(), table.high.tolist()]


def _table(mass: list[float], low: list[float], high: list[float]) -> QuantileTable:
    """Make a sound table of quantiles from lists."""
    table = QuantileTable(*(np.array(part, dtype=np.float64) for part in (mass, low, high)))
    check_quantiles(table)
    return table


def _own_ranks(a: Schema, b: Schema) -> set[int]:
    """Return the positions of the numbers that have ranks of their own in each of two tables."""
    if a.names != b.names:
        return set()
    return {
        i
        for i, (one, other) in enumerate(zip(a.columns, b.columns, strict=True))
        if isinstance(one, NumericColumn)
        and isinstance(other, NumericColumn)
        and not all(
            np.array_equal(getattr(one.table, name), getattr(other.table, name))
            for name in ("mass", "low", "high")
        )
    }


def _numbers(schema: Schema, frame: pd.DataFrame) -> NDArray[np.float64]:
    """Turn each column of a table into numbers that trees can split by, (n, d)."""
    columns: list[Any] = []
    for column, (_, values) in zip(schema.columns, frame.items(), strict=True):
        if isinstance(column, NumericColumn):
            columns.append(column.numbers(values))
        elif isinstance(column, CategoricalColumn):
            columns.append(column.codes(values).astype(np.float64))
        else:  # an identifier, of which only the gaps mean something
            columns.append(values.isna().to_numpy(dtype=np.float64))
    return np.column_stack(columns)
