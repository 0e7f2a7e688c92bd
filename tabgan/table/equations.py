"""Equations between numeric columns: a column as a sum or a product of others."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tabgan.table.columns import NumericColumn
from tabgan.table.quantiles import QuantileTable

Amounts = dict[Hashable, NDArray[np.float64]]
"""Amounts of columns by label, each of shape (n,)."""

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
    >>> from tabgan.table.equations import Equation
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

    def rest(self, amounts: Mapping[Hashable, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Compute what is left of the target, shape (n,): its noise where the equation holds.

        The rest is ``target - value`` for a sum, and ``target / value`` for a product.
        """
        target, value = amounts[self.target], self.value(amounts)
        with np.errstate(all="ignore"):
            return np.asarray(target - value if self.kind == "sum" else target / value)

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
            rest = equation.rest(amounts)
            return (rest >= equation.noise.low[0]) & (rest <= equation.noise.high[-1])
        if column.spacing:
            # A value half-way between two steps may have been rounded either way.
            size = column.spacing * (column.step if column.kind == "integer" else 1)
            slack = 0.5 * size * (1 + 1e-6) + 1e-12 * np.abs(target)
            return np.abs(value - target) <= slack
        size = ROUNDING if column.dtype.lower() == "float64" else SINGLE_ROUNDING
        terms = sum(np.abs(amounts[name]) for name in equation.names)
        scale = np.abs(target) if equation.kind == "product" else terms
        return np.abs(value - target) <= size * scale


def first_held(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
    """Return the number of the first equation that holds in each row, from 1; 0 where none does.

    Parameters
    ----------
    masks : sequence of ndarray of shape (n,), bool, at least one
        For each equation, the rows in which it holds.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    levels = np.zeros(len(masks[0]), dtype=np.int64)
    for k, mask in reversed(list(enumerate(masks, 1))):
        levels[mask] = k
    return levels
