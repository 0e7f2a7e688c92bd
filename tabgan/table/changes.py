"""Channels that are learnt by their changes from step to step, such as prices."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import ParameterError, listed
from tabgan.table.columns import NumericColumn
from tabgan.table.inference import infer_column
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.quantiles import QuantileTable
from tabgan.table.schema import Schema
from tabgan.table.sequences import unused_label

SMALL_STEPS = 0.3
"""Ratio of the standard deviation of changes to that of values below which changes are learnt."""

WALKS, LONGEST_SPAN = (0.6, 1.5), 8
"""Variance ratios of random walks, and the most steps over which the ratio is taken."""

FEWEST_VALUES = 100
"""Fewest different values of a channel whose changes are learnt unasked.

Bins tell fewer values apart, and then say more than changes do.
"""

HIGHEST_EXPONENT = 400
"""Binary exponent of numbers above which squares of their differences may overflow."""


@dataclass(frozen=True)
class Change:
    """A channel that is replaced by its changes.

    The value at the first step of a sequence becomes one of the values that hold for the whole
    sequence. The first step itself has the change of the second step, so that it does not stand out
    from the others.

    Parameters
    ----------
    column : NumericColumn
        The channel.
    start : hashable
        Label of the value at the first step.
    is_ratio : bool
        Whether a change is the logarithm of a ratio, and not a difference.
    """

    column: NumericColumn
    start: Hashable
    is_ratio: bool

    def express(self, values: pd.Series, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Compute the changes of the steps of sequences, shape (N,)."""
        levels = _levels(self.column, values)
        scaled = np.log(levels) if self.is_ratio else levels
        first = np.cumsum(lengths) - lengths
        changes = np.diff(scaled, prepend=scaled[:1])
        is_long = lengths > 1
        changes[first] = 0.0
        changes[first[is_long]] = changes[first[is_long] + 1]
        return changes

    def restore(
        self, changes: pd.Series, starts: pd.Series, lengths: NDArray[np.int64]
    ) -> pd.Series:
        """Compute the values of the steps of sequences; beyond the range seen they are its ends."""
        first = np.cumsum(lengths) - lengths
        sums = changes.to_numpy(dtype=np.float64).cumsum()
        since = sums - np.repeat(sums[first], lengths)
        start = np.repeat(_levels(self.column, starts), lengths)
        levels = start * np.exp(since) if self.is_ratio else start + since
        column = self.column
        return column.series((levels - column.origin) / column.step).rename(column.name)


_CLASSES: dict[str, Any] = {part.__name__: part for part in (Change, NumericColumn, QuantileTable)}


@dataclass(frozen=True)
class Changes:
    """The channels of a table that are learnt by their changes.

    Parameters
    ----------
    changes : tuple of Change
    inner : Schema
        Schema of the channels, changes in the place of values.
    """

    changes: tuple[Change, ...]
    inner: Schema

    @classmethod
    def learn(
        cls,
        steps: pd.DataFrame,
        lengths: NDArray[np.int64],
        schema: Schema,
        taken: Sequence[Hashable],
        asked: Sequence[Hashable] | None = None,
    ) -> Changes:
        """Choose the channels whose changes are learnt.

        Parameters
        ----------
        steps : DataFrame of N rows
            The channels.
        lengths : ndarray of shape (n,)
            Steps of each sequence.
        schema : Schema
            Schema of the channels.
        taken : sequence of hashable
            Labels that the values of first steps cannot have.
        asked : sequence of hashable, optional
            The channels to choose; those that are not among the steps are passed over. By default
            channels of many values that wander.

        Returns
        -------
        Changes

        Raises
        ------
        ValueError
            A channel asked for holds no numbers, or lacks some.
        """
        chosen, taken = [], list(taken)
        for column in schema.columns:
            name = column.name
            is_able = (
                isinstance(column, NumericColumn)
                and column.kind in ("float", "integer")
                and not steps[name].isna().any()
            )
            if asked is not None and name in asked and not is_able:
                raise ParameterError(
                    f"changes names {name!r}, which holds something besides numbers; leave it out."
                )
            if not is_able or (asked is not None and name not in asked):
                continue
            assert isinstance(column, NumericColumn)
            levels = _in_reach(_levels(column, steps[name]))
            if asked is None and not _is_walk(levels, lengths):
                continue
            start = unused_label(f"{name} at the start", taken)
            taken.append(start)
            chosen.append(Change(column, start, _is_ratio(levels, lengths)))
        inner = {column.name: column for column in schema.columns}
        for change in chosen:
            name = change.column.name
            series = pd.Series(change.express(steps[name], lengths), name=name)
            inner[name] = infer_column(series, name, False, "X", True)
        return cls(tuple(chosen), replace(schema, columns=tuple(inner.values())))

    @property
    def starts(self) -> list[Hashable]:
        """Labels of the values at first steps."""
        return [change.start for change in self.changes]

    def express(
        self, steps: pd.DataFrame, given: pd.DataFrame, lengths: NDArray[np.int64]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Replace values by changes.

        Parameters
        ----------
        steps : DataFrame of N rows
        given : DataFrame of n rows
            What each sequence has once.
        lengths : ndarray of shape (n,)

        Returns
        -------
        steps : DataFrame of N rows
        given : DataFrame of n rows
            With the values at first steps.
        """
        first = np.cumsum(lengths) - lengths
        starts = {
            change.start: steps[change.column.name].iloc[first].reset_index(drop=True)
            for change in self.changes
        }
        changed = {
            change.column.name: change.express(steps[change.column.name], lengths)
            for change in self.changes
        }
        return _replaced(steps, changed), _replaced(given, starts)

    def restore(self, steps: pd.DataFrame, given: pd.DataFrame, length: Hashable) -> pd.DataFrame:
        """Compute values from changes.

        Parameters
        ----------
        steps : DataFrame of N rows
        given : DataFrame of n rows
        length : hashable
            Label of the lengths of sequences among the columns of `given`.

        Returns
        -------
        DataFrame of N rows
        """
        lengths = given[length].to_numpy(dtype=np.int64)
        values = {
            change.column.name: change.restore(
                steps[change.column.name], given[change.start], lengths
            )
            for change in self.changes
        }
        return _replaced(steps, values)

    def to_dict(self) -> dict[str, Any]:
        """Return the changes as values that JSON can write."""
        return {
            "changes": [to_jsonable(change, _CLASSES) for change in self.changes],
            "inner": self.inner.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Changes:
        """Rebuild what `to_dict` returned."""
        changes = tuple(from_jsonable(change, _CLASSES) for change in data["changes"])
        return cls(changes, Schema.from_dict(data["inner"]))


def check_changes(asked: Sequence[Hashable] | None, steps: pd.DataFrame) -> None:
    """Raise a ValueError if a channel whose changes are asked for is no channel."""
    for name in asked or ():
        if name not in steps.columns:
            raise ParameterError(
                f"changes names {name!r}, which is no channel; channels: {listed(steps.columns)}."
            )


def _levels(column: NumericColumn, values: pd.Series) -> NDArray[np.float64]:
    """Return numbers as floats; beyond the range that was seen they are the ends of that range."""
    numbers = column.numbers(values).clip(column.table.low[0], column.table.high[-1])
    return column.origin + column.step * numbers


def _in_reach(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide values whose squares would overflow by a power of two, which is exact."""
    exponent = int(np.frexp(np.abs(levels).max(initial=0.0))[1])
    return np.ldexp(levels, -exponent) if exponent > HIGHEST_EXPONENT else levels


def _diffs(
    levels: NDArray[np.float64], lengths: NDArray[np.int64], span: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the differences of steps that are `span` apart, and the value before each."""
    number = np.repeat(np.arange(len(lengths)), lengths)
    is_one = number[span:] == number[:-span]
    return (levels[span:] - levels[:-span])[is_one], levels[:-span][is_one]


def _is_walk(levels: NDArray[np.float64], lengths: NDArray[np.int64]) -> bool:
    """Whether a channel of many values wanders: small steps, each independent of those before.

    The variance of changes over k steps is k times that of changes over one step in a random walk.
    It is more in a smooth channel and less in one that returns to its mean (Lo and MacKinlay, 1988,
    "Stock Market Prices Do Not Follow Random Walks", equation 8). A channel whose changes are all
    equal is taken too.
    """
    diffs, _ = _diffs(levels, lengths)
    if len(np.unique(levels)) < FEWEST_VALUES or not len(diffs):
        return False
    if not diffs.std():
        return True
    span = min(LONGEST_SPAN, int(lengths.max()) // 2)
    if span < 2 or diffs.std() >= SMALL_STEPS * levels.std():
        return False
    ratio = _diffs(levels, lengths, span)[0].var() / (span * diffs.var())
    return bool(WALKS[0] < ratio < WALKS[1])


def _is_ratio(levels: NDArray[np.float64], lengths: NDArray[np.int64]) -> bool:
    """Whether changes grow in proportion to values rather than not at all."""
    diffs, before = _diffs(levels, lengths)
    if not len(diffs) or levels.min() <= 0:
        return False
    is_high = before > np.median(before)
    high, low = diffs[is_high], diffs[~is_high]
    if len(high) < 2 or not (high.std() > 0 and low.std() > 0):
        return False
    growth = before[is_high].mean() / before[~is_high].mean()
    return bool(2 * np.log(high.std() / low.std()) > np.log(growth))


def _replaced(frame: pd.DataFrame, columns: dict[Hashable, Any]) -> pd.DataFrame:
    """Return a table with some columns replaced, or added at the end."""
    if not columns:
        return frame
    frame = frame.copy()
    for name, values in columns.items():
        frame[name] = values
    return frame
