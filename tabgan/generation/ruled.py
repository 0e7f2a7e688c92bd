"""Tables that keep rules, from a chain that draws rewritten tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tabgan.constraints.rules import Constraints, Plan
from tabgan.generation.conditions import MadeRows
from tabgan.generation.on_demand import TableSource
from tabgan.generation.rejection import MAX_POOL, UNBOUNDED, Effort
from tabgan.notices import Progress, warn
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable


class Attempt(NamedTuple):
    """Rows that were drawn and restored.

    Attributes
    ----------
    rows : ndarray of shape (m,)
        For each row, its position in the table asked for.
    table : DataFrame of m rows
        In the user's columns.
    is_right : ndarray of shape (m,), bool
        Whether the row keeps all rules and meets its conditions.
    """

    rows: NDArray[np.int64]
    table: pd.DataFrame
    is_right: NDArray[np.bool_]


class Ruled(TableSource):
    """Draws rewritten tables on demand, restores the user's columns, and draws broken rows anew.

    Most rules are kept by construction. What is drawn anew are rows in which a computed number
    leaves the range that training saw, and rows that break a rule which can only be checked.

    Parameters
    ----------
    source : TableSource
        Draws rewritten tables.
    rules : Constraints
    """

    def __init__(self, source: TableSource, rules: Constraints) -> None:
        self.source, self.rules, self.schema = source, rules, rules.table

    def draw(self, n: int, streams: Streams) -> pd.DataFrame:
        """Draw rows whose conditions occur at their training rates; see `OnDemand.draw`."""

        def attempt(rows: NDArray[np.int64]) -> Attempt:
            expressed = self.source.draw(len(rows), streams)
            return Attempt(rows, *self.rules.restore(expressed, streams.rng))

        return self._kept(n, attempt)

    def of_conditions(self, given: EncodedTable, streams: Streams) -> MadeRows:
        """Draw one row for each encoded condition; see `OnDemand.of_conditions`.

        The encoded form that comes back is of the rewritten rows that were drawn first.
        """
        first = self.source.of_conditions(given, streams)
        drawn = [first.frame]

        def attempt(rows: NDArray[np.int64]) -> Attempt:
            if drawn:
                expressed = drawn.pop()
            else:
                index = torch.from_numpy(rows)
                expressed = self.source.of_conditions(given.rows(index), streams).frame
            return Attempt(rows, *self.rules.restore(expressed, streams.rng))

        return MadeRows(self._kept(len(given), attempt), first.table)

    def draw_asked(
        self, asked: pd.DataFrame, streams: Streams, effort: Effort = UNBOUNDED
    ) -> pd.DataFrame:
        """Draw one row for each row of conditions on the user's columns.

        Parameters
        ----------
        asked : DataFrame of n rows
            The conditions, see `tabgan.table.conditions`.
        streams : Streams
        effort : Effort, optional
            How long rejection may take, and what becomes of too few rows.

        Returns
        -------
        DataFrame of n rows, or fewer
            Every row keeps every rule and meets its conditions. The index says which condition each
            row meets.

        Raises
        ------
        ValueError
            Conditions break a rule, or see `OnDemand.draw_asked`.
        """
        plan = self.rules.read_asked(asked)
        groups = plan.groups() if plan.cells.open else np.empty(0, dtype=np.int64)

        def attempt(rows: NDArray[np.int64]) -> Attempt:
            if plan.inner is None:
                expressed = self.source.draw(len(rows), streams)
            else:
                conditions = plan.inner.iloc[rows].reset_index(drop=True)
                quiet = replace(effort, name=None)
                expressed = self.source.draw_asked(conditions, streams, quiet)
                rows = rows[expressed.index.to_numpy()]
            if plan.cells.open:
                table, _ = self.rules.restore(expressed, streams.rng)
                chosen, rows = _chosen(table, rows, groups, plan)
                if not len(chosen):
                    return Attempt(rows, table.iloc[:0], np.zeros(0, dtype=bool))
                expressed = expressed.iloc[chosen]
            table, is_right = self.rules.restore_asked(expressed, rows, plan, streams.rng)
            return Attempt(rows, table, is_right)

        return self._kept(len(asked), attempt, effort)

    def _kept(
        self, n: int, attempt: Callable[[NDArray[np.int64]], Attempt], effort: Effort = UNBOUNDED
    ) -> pd.DataFrame:
        """Draw until each of n rows is right.

        Parameters
        ----------
        n : int
        attempt : callable, ndarray of shape (m,) -> Attempt
            Draws a row for each position in the table asked for; positions may repeat.
        effort : Effort, optional

        Raises
        ------
        ValueError
            Too few of the rows that may be drawn are right, and `effort` does not ask for those
            that are.
        """
        drawn, started = 0, time.monotonic()
        found = _Found(n, self.rules)
        last = pd.DataFrame()
        with Progress(effort.name, n, "row", delay=effort.delay) as bar:
            while effort.allows(drawn, n, started):
                waiting = rows = found.waiting
                if drawn:
                    # A row is drawn often enough that most rows are right after one more call.
                    rate = (n - len(waiting) + 1) / (drawn + 1)
                    times = np.clip(2 / rate, 1, max(1, MAX_POOL // len(waiting)))
                    rows = np.repeat(waiting, int(times))
                made = attempt(rows)
                drawn += len(rows)
                found.add(made)
                if not len(found.waiting):
                    return found.table()
                bar.reach(n - len(found.waiting))
                last = made.table if len(made.table) else last
        broken = self.rules.counts(last) if len(last) else {}
        worst = max(broken, key=lambda rule: broken[rule], default="")
        blame = "conditions are met by too few rows, or computed numbers leave their range"
        if worst and broken[worst]:
            blame = f"{worst} is broken most often"
        told = (
            f"constraints: {n - len(found.waiting)} of {n} rows that keep all rules and meet all "
            f"conditions were found among {drawn} drawn; {blame}."
        )
        if effort.on_shortfall == "raise":
            raise ValueError(f"{told} Ask for fewer rows or conditions, or train longer.")
        warn(told)
        return found.table()


class _Found:
    """The right rows that were found for n positions.

    Parameters
    ----------
    n : int
    rules : Constraints
    """

    def __init__(self, n: int, rules: Constraints) -> None:
        self.rules = rules
        self.place = np.full(n, -1)
        self.parts: list[pd.DataFrame] = []

    @property
    def waiting(self) -> NDArray[np.int64]:
        """Positions for which no row was found."""
        return np.flatnonzero(self.place < 0)

    def add(self, made: Attempt) -> None:
        """Take the first right row for each position, and drop rows that repeat a key."""
        right = np.flatnonzero(made.is_right)
        places, first = np.unique(made.rows[right], return_index=True)
        size = sum(map(len, self.parts))
        self.parts.append(made.table.iloc[right[first]])
        self.place[places] = size + np.arange(len(places))
        if self.rules.has_keys:
            table = self.table()
            self.place[table.index[self.rules.repeats(table)]] = -1

    def table(self) -> pd.DataFrame:
        """Return the rows in the order of their positions, which are the index."""
        found = np.flatnonzero(self.place >= 0)
        table = pd.concat(self.parts, ignore_index=True) if len(self.parts) > 1 else self.parts[0]
        table = table.iloc[self.place[found]]
        table.index = pd.Index(found) if len(found) < len(self.place) else pd.RangeIndex(len(found))
        if len(self.parts) > 1:
            self.rules.renumber(table)
        return table


def _chosen(
    table: pd.DataFrame, rows: NDArray[np.int64], groups: NDArray[np.int64], plan: Plan
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose rows that are near the conditions which could not be translated.

    Rows that were drawn for equal conditions are alike in distribution, so that a row may serve
    another condition of its group than the one for which it was drawn. Each condition gets the
    first free row of its group that is near.

    Parameters
    ----------
    table : DataFrame of m rows
        Restored rows.
    rows : ndarray of shape (m,)
        For each row, the position of the conditions for which it was drawn.
    groups : ndarray of shape (n,)
        The group of each of n conditions.
    plan : Plan

    Returns
    -------
    chosen : ndarray of shape (k,)
        Positions in the table.
    served : ndarray of shape (k,)
        Positions of the conditions that these rows serve.
    """
    open_ = plan.cells.open
    nears = plan.asked.nears(table, list(open_))
    keys = np.column_stack([plan.asked.groups(list(open_)), *open_.values()])
    alike = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    chosen: list[NDArray[np.int64]] = []
    served: list[NDArray[np.int64]] = []
    for group in np.unique(groups[rows]):
        free = np.flatnonzero(groups[rows] == group)
        waiting = np.unique(rows[free])
        for kind in np.unique(alike[waiting]):
            equal = waiting[alike[waiting] == kind]
            fits = free
            for name, is_open in open_.items():
                if is_open[equal[0]]:
                    fits = fits[nears[name].meets(int(equal[0]), fits)]
            taken = fits[: len(equal)]
            chosen.append(taken)
            served.append(equal[: len(taken)])
            free = free[~np.isin(free, taken)] if len(taken) else free
    return np.concatenate(chosen), np.concatenate(served)
