"""The numeric columns of a table as the search for equations looks at them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.columns import NumericColumn
from tabgan.table.encoder import Encoder, NumericCodec
from tabgan.table.equations import Amounts, Equation, is_kept, to_amounts
from tabgan.table.privacy import Withheld

SEARCHED, CHECKED = 4000, 20_000
"""Rows for the search, and for the check of what it finds."""

MIN_HELD = 0.05
"""Share of rows in which an equation must hold."""


class Numbers:
    """The numeric columns of a table, as the search looks at them.

    Parameters
    ----------
    table : DataFrame of n rows
    encoder : Encoder
    withheld : Withheld, optional
        What is to be withheld because too few rows share it.
    """

    def __init__(
        self, table: pd.DataFrame, encoder: Encoder, withheld: Withheld | None = None
    ) -> None:
        self.withheld = withheld
        self.rng = np.random.default_rng(0)
        self.columns: dict[Hashable, NumericColumn] = {}
        self.amounts: Amounts = {}
        fine, widths, steps = [], [], []
        for column, codec in zip(encoder.schema.columns, encoder.codecs, strict=True):
            if not isinstance(codec, NumericCodec) or not isinstance(column, NumericColumn):
                continue
            numbers = column.numbers(table[column.name])
            amounts = to_amounts(column, numbers)
            if np.nanmax(np.abs(amounts)) >= 2**53 or column.table.n_segments < 3:
                continue
            is_fine, width = _fine(codec, column, numbers)
            scale = column.step if column.kind == "integer" else 1
            self.columns[column.name], self.amounts[column.name] = column, amounts
            fine.append(is_fine)
            widths.append(width * scale)
            steps.append(column.spacing * scale)
        self.names = list(self.columns)
        self.order = {name: i for i, name in enumerate(self.names)}
        self.widths, self.steps = np.array(widths), np.array(steps)
        self.is_fine = np.stack(fine) if fine else np.zeros((0, len(table)), dtype=bool)
        order = self.rng.permutation(len(table))
        cut = min(SEARCHED, len(table) // 2)
        self.seen, self.unseen = order[:cut], order[cut : cut + CHECKED]
        self.matrix = np.array([self.amounts[name] for name in self.names])

    def held(self, equation: Equation) -> NDArray[np.bool_]:
        """Say in which rows of the table an equation holds."""
        return is_kept(equation, self.columns[equation.target], self.amounts)

    def checked(self, equation: Equation) -> NDArray[np.bool_]:
        """Say in which rows of the check an equation holds, where its target lies in a wide bin.

        Nothing counts unless the equation holds far more often than it nearly holds.
        """
        some = {name: self.amounts[name][self.unseen] for name in equation.names}
        place = self.order[equation.target]
        column, step = self.columns[equation.target], self.steps[place]
        rows = is_kept(equation, column, some) & self.is_fine[place][self.unseen]
        if equation.noise is None and step:
            apart = np.abs(some[equation.target] - equation.value(some))
            near = (apart > 0.5 * step) & (apart < 20.5 * step)
            if rows.sum() < 5 * near.sum() / 40:
                return np.zeros(len(rows), dtype=bool)
        return rows

    def rate(self, equation: Equation) -> float:
        """Share of rows in which an equation holds, of whole rows with a target in a wide bin."""
        places = [self.order[name] for name in equation.names]
        is_whole = ~np.isnan(self.matrix[places][:, self.unseen]).any(axis=0)
        n_fine = (self.is_fine[places[0]][self.unseen] & is_whole).sum()
        return float(self.checked(equation).sum() / max(1, n_fine))

    def ways(self, equations: Sequence[Equation]) -> list[Equation]:
        """Order the ways to write one relation, which differ in the column that is computed.

        The last column comes first, as totals and later dates stand last, among those whose bins
        are wide enough that they lose little by the blur of the others. Ways that hold in fewer
        rows than others, as rounding can have it, are left out.
        """
        ways = [one for one in equations if self.rate(one) >= MIN_HELD]
        counts = []
        for one in ways:
            some = {name: self.amounts[name][self.unseen] for name in one.names}
            counts.append(is_kept(one, self.columns[one.target], some).sum())
        best = max(counts, default=0)
        ways = [one for one, count in zip(ways, counts, strict=True) if count >= 0.98 * best]
        return sorted(ways, key=lambda one: (not self._is_wide(one), -self.order[one.target]))

    def _is_wide(self, equation: Equation) -> bool:
        """Whether the target is no small difference of terms with much wider bins."""
        if len(equation.parents) == 1:
            return True
        places = [self.order[name] for name in equation.names]
        widths = self.widths[places]
        if equation.kind == "product":
            widths = widths / np.nanmedian(np.abs(self.matrix[places]), axis=1).clip(min=1e-300)
        widths = widths * np.abs([1.0, *equation.weights])
        return bool(3 * widths[0] >= widths[1:].max())

    def turned(self, equation: Equation) -> Iterator[Equation]:
        """Write an equation for each parent whose values it determines."""
        for place, name in enumerate(equation.parents):
            weight = equation.weights[place]
            if not weight or not equation.constant and equation.kind == "product":
                continue
            rest = [i for i in range(len(equation.parents)) if i != place]
            parents = (equation.target, *(equation.parents[i] for i in rest))
            weights = (1 / weight, *(-equation.weights[i] / weight for i in rest))
            if equation.kind == "sum":
                constant = -equation.constant / weight
            else:
                constant = equation.constant ** (-1 / weight)
            yield Equation(name, parents, equation.kind, weights, constant + 0.0)

    def simple(
        self, kind: Any, xs: Sequence[int], y: int, weights: Sequence[float], constant: float
    ) -> Equation:
        """Shorten the numbers of an equation as far as it holds in as many rows.

        Parameters
        ----------
        kind : {"sum", "product"}
        xs, y : sequence of int, int
            Positions of the parents and of the target.
        weights : sequence of float
        constant : float
        """
        target, parents = self.names[y], tuple(self.names[x] for x in xs)
        full = Equation(target, parents, kind, tuple(map(float, weights)), float(constant))
        some = {name: self.amounts[name][self.seen] for name in full.names}
        column = self.columns[target]
        near, full = self._refined(full, some)
        most = is_kept(full, column, some).sum()
        least = max(0.5 * MIN_HELD * len(self.seen), 0.99 * most)
        for digits in range(7):
            short = tuple(round(float(weight), digits) for weight in weights)
            if not all(short):
                continue
            rough = Equation(target, parents, kind, short, 0.0 if kind == "sum" else 1.0)
            middle = float(np.median(rough.rest(some)[near]))
            for places in range(7):
                simple = replace(rough, constant=round(middle, places) + 0.0)
                if is_kept(simple, column, some).sum() >= least:
                    return simple
        return full

    def _refined(self, equation: Equation, some: Amounts) -> tuple[NDArray[np.bool_], Equation]:
        """Fit an equation to the rows that nearly keep it, which come back too."""
        slack = self.steps[self.order[equation.target]]
        for name, weight in zip(equation.parents, equation.weights, strict=True):
            slack += abs(weight) * self.steps[self.order[name]] if equation.kind == "sum" else 0.0
        near = np.zeros(len(self.seen), dtype=bool)
        for _ in range(2):
            apart = np.abs(some[equation.target] - equation.value(some))
            near = apart <= max(slack, 2 * np.nanquantile(apart, 0.5 * MIN_HELD))
            terms = np.stack([some[name][near] for name in equation.parents])
            target = some[equation.target][near]
            if equation.kind == "product":
                with np.errstate(all="ignore"):
                    terms, target = np.log(terms), np.log(target)
            if not np.isfinite(terms).all() or not np.isfinite(target).all():
                break
            middle = terms.mean(axis=1, keepdims=True)
            design = np.vstack([terms - middle, np.ones(len(target))]).T
            fit, _, rank, _ = np.linalg.lstsq(design, target, rcond=None)
            if rank < len(fit):
                break
            constant = float(fit[-1] - fit[:-1] @ middle[:, 0])
            if equation.kind == "product":
                constant = float(np.exp(constant))
            fitted = replace(equation, weights=tuple(map(float, fit[:-1])), constant=constant)
            column = self.columns[equation.target]
            if is_kept(fitted, column, some).sum() < is_kept(equation, column, some).sum():
                break
            equation = fitted
        return near, equation


def _fine(
    codec: NumericCodec, column: NumericColumn, numbers: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], float]:
    """Say which numbers lie in bins wider than a step.

    Parameters
    ----------
    codec : NumericCodec
    column : NumericColumn
    numbers : ndarray of shape (n,)

    Returns
    -------
    is_fine : ndarray of shape (n,), bool
    width : float
        Median of the width of the bin in which a number lies; a step for levels that say the value.
    """
    least = max(column.spacing, 1e-300)
    if codec.rest is None:
        return np.zeros(len(numbers), dtype=bool), least
    width = np.diff(codec.rest.values(codec.edges))
    there = ~np.isnan(numbers)
    rows = np.where(there, numbers, column.table.low[0])
    bins = np.searchsorted(codec.edges[1:-1], codec.rest.ranks(rows), side="right")
    own = np.where(np.isin(rows, codec.atoms), 0.0, width[bins])
    return there & (own > 1.5 * column.spacing), max(float(np.median(own[there])), least)
