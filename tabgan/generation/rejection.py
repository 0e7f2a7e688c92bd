"""Rows that meet conditions by rejection: drawn until each condition is met."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.generation.conditions import MadeRows, made_column
from tabgan.notices import Progress, warn
from tabgan.table.conditions import EncodedCondition
from tabgan.table.encoder import Encoder

MIN_DRAWS, DRAWS_PER_ROW, MAX_POOL = 400_000, 200, 100_000
"""Bounds on the rows that rejection draws, see `fulfil`.

For n rows asked for, rejection draws about ``MIN_DRAWS + DRAWS_PER_ROW * n`` rows at most, and at
most `MAX_POOL` rows at once.
"""


def most_draws(n: int) -> int:
    """Return about how many rows rejection draws at most for n rows asked for."""
    return MIN_DRAWS + DRAWS_PER_ROW * n


@dataclass(frozen=True)
class Effort:
    """How long rejection may take, and what becomes of too few rows.

    Attributes
    ----------
    on_shortfall : {"raise", "partial"}, default="raise"
        Whether too few rows are an error, or are returned with a warning.
    time_limit : float > 0 or None, default=None
        Seconds after which no further rows are drawn; None sets no limit.
    name : str or None, default=None
        Name of the progress bar; None shows no bar.
    delay : float >= 0, default=0
        Seconds before the bar appears.
    """

    on_shortfall: Literal["raise", "partial"] = "raise"
    time_limit: float | None = None
    name: str | None = None
    delay: float = 0.0

    def allows(self, drawn: int, n: int, started: float) -> bool:
        """Return whether further rows may be drawn; the first ones always may.

        Parameters
        ----------
        drawn : int
            Rows drawn so far.
        n : int
            Rows asked for.
        started : float
            When drawing began, on the monotonic clock.

        Returns
        -------
        bool
        """
        if not drawn:
            return True
        seconds = time.monotonic() - started
        in_time = self.time_limit is None or seconds < self.time_limit
        return in_time and drawn < most_draws(n)


UNBOUNDED = Effort()
"""Rejection without a time limit, which raises an error for too few rows."""


def fulfil(
    make: Callable[[NDArray[np.int64]], MadeRows],
    encoder: Encoder,
    asked_for: Mapping[Hashable, EncodedCondition],
    group: NDArray[np.int64],
    shared: bool,
    effort: Effort,
) -> pd.DataFrame:
    """Draw rows until every condition is met by a row of its own (rejection sampling).

    A row that the model draws and that happens to meet a condition is a draw from the model's
    distribution given the condition. The function therefore draws pools of rows and gives each
    waiting condition the first free row of the pool that meets the condition. Equal conditions form
    one group, which is compared with the pool once. A pool holds about as many rows as the
    conditions still wait for, divided by the share of rows that met a condition so far. Groups get
    parts of the pool in proportion to their waiting conditions.

    Conditions on wider intervals choose first. If narrower intervals within a wider interval chose
    first, the rows that are left would no longer be distributed like the whole wider interval.

    Parameters
    ----------
    make : callable, ndarray of shape (m,) -> MadeRows of m rows
        Draws one row for each condition, by the position of the condition.
    encoder : Encoder
        Encoder of the columns asked for.
    asked_for : mapping of column label to EncodedCondition
        Conditions of n rows on each column.
    group : ndarray of shape (n,)
        Number of the group of each condition, 0 to k - 1, see `equal_conditions`.
    shared : bool
        Whether a row that was drawn for one condition may serve another condition. True if rows are
        drawn without regard to conditions.
    effort : Effort

    Returns
    -------
    DataFrame of n rows, or fewer
        In the order of the conditions. The index holds the positions of the conditions that are
        met.

    Raises
    ------
    ValueError
        Some condition is met by too few of the rows that may be drawn, and `effort` does not ask
        for those that were found.

    Warns
    -----
    UserWarning
        There are too few rows, and `effort` asks for those that were found.
    """
    n = len(group)
    first = np.unique(group, return_index=True)[1]
    # Groups are dictionary entries in the order in which groups choose, the widest interval first.
    width = sum(condition.widths()[first] for condition in asked_for.values())
    waiting = {g: np.flatnonzero(group == g).tolist() for g in np.argsort(-width, kind="stable")}
    parts: list[pd.DataFrame] = []
    places: list[int] = []
    drawn, started = 0, time.monotonic()
    met_alone = dict.fromkeys(asked_for, 0)
    with Progress(effort.name, n, "row", delay=effort.delay) as bar:
        while waiting and effort.allows(drawn, n, started):
            n_waiting = n - len(places)
            # A fifth more rows than needed on average, for a further pool costs more than spare
            # rows.
            rate = (len(places) + 1) / (drawn + 1) if drawn else 0.5
            most = min(MAX_POOL, most_draws(n) - drawn + 1024)
            size = int(np.clip(1.2 * n_waiting / rate, 1024, most))
            groups = np.fromiter(waiting, dtype=np.int64)
            share = np.array([len(waiting[g]) for g in groups]) / n_waiting
            # Entry i of the pool serves the group at quantile (i + 1/2) / size.
            made_for = groups[np.searchsorted(np.cumsum(share), (np.arange(size) + 0.5) / size)]
            made = make(first[made_for])
            drawn += size
            parts = parts or [made.frame.iloc[:0]]
            columns = {
                name: made_column(encoder, name, condition, made)
                for name, condition in asked_for.items()
            }
            free = np.ones(size, dtype=bool)
            everyone = np.arange(size)
            for name, column in columns.items():
                met_alone[name] += int(column.meets(int(first[groups[0]]), everyone).sum())
            for g in groups:
                rows = np.flatnonzero(free if shared else made_for == g)
                for column in columns.values():
                    rows = rows[column.meets(int(first[g]), rows)]
                taken = rows[: len(waiting[g])]
                free[taken] = False
                if len(taken):
                    parts.append(made.frame.iloc[taken])
                    places += waiting[g][: len(taken)]
                    waiting[g] = waiting[g][len(taken) :]
                if not waiting[g]:
                    del waiting[g]
            bar.reach(len(places))
    if waiting:
        worst = int(first[next(iter(waiting))])
        shown = {name: condition.as_written(worst) for name, condition in asked_for.items()}
        rarest = min(met_alone, key=lambda name: met_alone[name])
        told = (
            f"conditions: {len(places)} of {n} rows found among {drawn} made; too few or none "
            f"are like {shown}. The rarest is {rarest!r}, which "
            f"{100 * met_alone[rarest] / max(1, drawn):.2g} % of the rows meet."
        )
        if effort.on_shortfall == "raise":
            raise ValueError(
                f"{told} Ask for fewer columns or wider intervals at once, take what is found "
                'with on_shortfall="partial", or fit AutoregressiveSynthesizer, which meets any '
                "conditions without rejection."
            )
        warn(told)
    order = np.argsort(places).astype(np.int64)
    frame = pd.concat(parts, ignore_index=True).iloc[order].reset_index(drop=True)
    encoder.renumber(frame)
    if waiting:
        frame.index = pd.Index(np.array(places, dtype=np.int64)[order])
    return frame
