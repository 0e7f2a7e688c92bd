"""Rules that confine one column: steps of a grid, and days of the week."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import ParameterError, check, listed, number, short
from tabgan.constraints.amounts import NOISE, UNITS, Rounding, read_amounts
from tabgan.constraints.base import Constraint, check_labels


@dataclass(frozen=True)
class Increment(Constraint):
    """A column of numbers that are whole multiples of a step, counted from an offset.

    Parameters
    ----------
    x : column label
        The column.
    step : float > 0
        The distance of one number to the next.
    offset : float, default=0.0
        A number of the grid.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Increment
    >>> hours = pd.DataFrame({"hours": [0.25, 1.5, 1.6]})
    >>> Increment("hours", 0.25).broken(hours)
    array([False, False,  True])
    """

    x: Hashable
    step: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        check_labels("Increment", x=self.x)
        check("step", self.step, number(0, closed="neither"))
        check("offset", self.offset, number(-np.inf))

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Label of the column."""
        return (self.x,)

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows hold a number between two steps; rounding errors do not count."""
        self.check_table(table)
        amounts = read_amounts(table, [self.x], self)
        if amounts.unit:
            raise ValueError(f"{self} needs numbers, and column {self.x!r} holds dates.")
        values = amounts.values[0]
        away = np.abs(values - self.to_grid(values, "", "nearest"))
        scale = np.abs(values).astype(np.float64)
        return amounts.is_known & (away > NOISE * self.step + 1e-9 * scale)

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns that are never identifiers: all of the rule."""
        return (self.x,)

    def grids(self) -> dict[Hashable, Any]:
        """Return the rule itself, which is the grid of its column."""
        return {self.x: self}

    def to_grid(self, amounts: NDArray[Any], unit: str, rounding: Rounding) -> NDArray[Any]:
        """Return the nearest multiples of the step, or the nearest above or below."""
        steps = (amounts - self.offset) / self.step
        whole = np.rint(steps)
        if rounding == "up":
            whole = np.where(whole < steps - NOISE, whole + 1, whole)
        elif rounding == "down":
            whole = np.where(whole > steps + NOISE, whole - 1, whole)
        # Fifteen digits hold every step that can be written down, without the noise of the product.
        exact = self.offset + whole * self.step
        places = 15 - np.ceil(np.log10(np.maximum(np.abs(exact), 1e-6))).max(initial=0.0)
        exact = np.round(exact, int(np.clip(places, 0, 15)))
        return np.rint(exact).astype(np.int64) if amounts.dtype.kind == "i" else exact


@dataclass(frozen=True)
class Weekdays(Constraint):
    """A column of dates that lie on some days of the week alone.

    Parameters
    ----------
    x : column label
        The column. Dates with a time zone are taken as those of UTC.
    days : sequence of int, default=(0, 1, 2, 3, 4)
        The days: 0 is Monday and 6 is Sunday.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Weekdays
    >>> visits = pd.DataFrame({"day": pd.to_datetime(["2024-05-03", "2024-05-04"])})
    >>> Weekdays("day").broken(visits)
    array([False,  True])
    """

    x: Hashable
    days: tuple[int, ...] = (0, 1, 2, 3, 4)

    def __post_init__(self) -> None:
        check_labels("Weekdays", x=self.x)
        days = tuple(self.days) if isinstance(self.days, list | tuple) else ()
        if not days or any(day not in range(7) for day in days):
            raise ParameterError(
                f"days must be a list of whole numbers from 0 to 6, got {short(self.days)}."
            )
        object.__setattr__(self, "days", tuple(sorted(set(days))))

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Label of the column."""
        return (self.x,)

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows hold a date of another day."""
        self.check_table(table)
        amounts = read_amounts(table, [self.x], self)
        if not amounts.unit and amounts.is_known.any():
            raise ValueError(f"{self} needs dates, and column {self.x!r} holds other values.")
        if not amounts.unit:
            return np.zeros(len(table), dtype=bool)
        return amounts.is_known & ~np.isin(_weekday(amounts.values[0], amounts.unit), self.days)

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns that are never identifiers: all of the rule."""
        return (self.x,)

    def grids(self) -> dict[Hashable, Any]:
        """Return the rule itself, which is the grid of its column."""
        return {self.x: self}

    def to_grid(self, amounts: NDArray[Any], unit: str, rounding: Rounding) -> NDArray[Any]:
        """Move dates to the next allowed day, at the same time of day."""
        day = _per_day(unit)
        weekday = _weekday(amounts, unit)
        allowed = np.isin(np.arange(7), self.days)
        up = np.array([next(k for k in range(7) if allowed[(d + k) % 7]) for d in range(7)])
        down = np.array([next(k for k in range(7) if allowed[(d - k) % 7]) for d in range(7)])
        if rounding == "up":
            return amounts + up[weekday] * day
        if rounding == "down":
            return amounts - down[weekday] * day
        move = np.where(up[weekday] <= down[weekday], up[weekday], -down[weekday])
        return amounts + move * day

    def __str__(self) -> str:
        days = "" if self.days == (0, 1, 2, 3, 4) else f", days={listed(self.days)}"
        return f"Weekdays({self.x!r}{days})"


def _per_day(unit: str) -> int:
    return max(1, UNITS["D"] // UNITS[unit])


def _weekday(amounts: NDArray[Any], unit: str) -> NDArray[np.int64]:
    # Day 0 of 1970 was a Thursday.
    return (amounts // _per_day(unit) + 3) % 7
