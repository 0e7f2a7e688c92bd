"""Tables that keep rules, from a chain that draws rewritten tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.constraints.rules import Constraints
from tabgan.generation.conditions import MadeRows
from tabgan.generation.on_demand import DRAWS_PER_ROW, MAX_POOL, MIN_DRAWS, OnDemand
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable


class Ruled:
    """Draws rewritten tables on demand, restores the user's columns, and draws broken rows anew.

    Most rules are kept by construction. What is drawn anew are rows in which a computed number
    leaves the range that training saw, and rows that break a rule which can only be checked.

    Parameters
    ----------
    source : OnDemand
        Draws rewritten tables.
    rules : Constraints
    """

    def __init__(self, source: OnDemand, rules: Constraints) -> None:
        self.source, self.rules = source, rules

    def draw(self, n: int, streams: Streams) -> pd.DataFrame:
        """Draw rows whose conditions occur at their training rates; see `OnDemand.draw`."""
        return self._kept(n, lambda rows: self.source.draw(len(rows), streams), streams)

    def of_conditions(self, given: EncodedTable, streams: Streams) -> MadeRows:
        """Draw one row for each encoded condition; see `OnDemand.of_conditions`.

        The encoded form that comes back is of the rewritten rows that were drawn first.
        """
        import torch

        first = self.source.of_conditions(given, streams)
        drawn = [first.frame]

        def make(rows: NDArray[np.int64]) -> pd.DataFrame:
            if drawn:
                return drawn.pop()
            index = torch.from_numpy(rows)
            return self.source.of_conditions(given.rows(index), streams).frame

        return MadeRows(self._kept(len(given), make, streams), first.table)

    def draw_asked(
        self, asked: pd.DataFrame, streams: Streams, progress: str | None = None
    ) -> pd.DataFrame:
        """Draw one row for each row of conditions on the user's columns.

        Parameters
        ----------
        asked : DataFrame of n rows
            The conditions, see `tabgan.table.conditions`.
        streams : Streams
        progress : str, optional
            Name of a progress bar that is shown during rejection.

        Returns
        -------
        DataFrame of n rows
            Every row keeps every rule and meets its conditions.

        Raises
        ------
        ValueError
            Conditions break a rule, or see `OnDemand.draw_asked`.
        """
        raise NotImplementedError

    def _kept(
        self,
        n: int,
        make: Callable[[NDArray[np.int64]], pd.DataFrame],
        streams: Streams,
    ) -> pd.DataFrame:
        """Draw until each of n rows keeps all rules.

        Parameters
        ----------
        n : int
        make : callable, ndarray of shape (m,) -> DataFrame of m rows
            Draws a rewritten row for each position in the table asked for; positions may repeat.
        streams : Streams

        Raises
        ------
        ValueError
            Too few of the rows that may be drawn keep all rules.
        """
        table, is_kept = self.rules.restore(make(np.arange(n)), streams.rng)
        drawn, budget = n, MIN_DRAWS + DRAWS_PER_ROW * n
        while True:
            waiting = np.flatnonzero(~is_kept | self.rules.repeats(table))
            if not len(waiting):
                break
            if drawn >= budget:
                raise self._shortfall(n - len(waiting), n, drawn, table)
            # A row is drawn often enough that most rows are kept after one more call.
            rate = (n - len(waiting) + 1) / (drawn + 1)
            times = int(np.clip(2 / rate, 1, max(1, MAX_POOL // len(waiting))))
            rows = np.repeat(waiting, times)
            fresh, is_right = self.rules.restore(make(rows), streams.rng)
            drawn += len(rows)
            places, first = np.unique(rows[is_right], return_index=True)
            taken = np.flatnonzero(is_right)[first]
            if len(places):
                table = _replaced(table, places, fresh.iloc[taken])
                self.rules.renumber(table)
                is_kept[places] = True
        return table

    def _shortfall(self, found: int, n: int, drawn: int, table: pd.DataFrame) -> ValueError:
        """Make the error for rows that were not found."""
        counts = {rule: int(rule.broken(table).sum()) for rule in self.rules.rules}
        worst = max(counts, key=lambda rule: counts[rule])
        blame = f"{worst} is broken most often" if counts[worst] else "numbers leave their range"
        return ValueError(
            f"constraints: {found} of {n} rows that keep all rules were found among {drawn} drawn; "
            f"{blame}. Ask for fewer rows or fewer conditions, or train longer."
        )


def _replaced(table: pd.DataFrame, places: NDArray[np.int64], rows: pd.DataFrame) -> pd.DataFrame:
    """Put rows at some places of a table."""
    order = np.arange(len(table))
    order[places] = len(table) + np.arange(len(rows))
    return pd.concat([table, rows], ignore_index=True).iloc[order].reset_index(drop=True)
