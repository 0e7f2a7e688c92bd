"""Rows on demand: any columns as asked, those the generator is given and, by rejection, others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.generation.conditions import MadeRows, equal_conditions, made_column
from tabgan.generation.encoding import Encoding
from tabgan.generation.source import Source
from tabgan.notices import Progress
from tabgan.randomness import Streams
from tabgan.table.conditions import EncodedCondition, encode_condition
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import Schema

MIN_DRAWS, DRAWS_PER_ROW, MAX_POOL = 400_000, 200, 100_000
"""Rejection makes at most `MIN_DRAWS` + `DRAWS_PER_ROW` rows per row asked for, in pools."""


class OnDemand:
    """The last link of a chain: draws rows as a table, with the values asked for.

    Parameters
    ----------
    source : Source
    encoding : Encoding
    schema : Schema
        Of the whole table, whose order of columns rows come in.
    """

    def __init__(self, source: Source, encoding: Encoding, schema: Schema) -> None:
        self.source, self.encoding, self.schema = source, encoding, schema

    def draw(self, n: int, streams: Streams) -> pd.DataFrame:
        """Draw `n` rows, conditions at the rates of training."""
        return self.of_conditions(self.encoding.conditions.draw(n, streams.rng), streams).frame

    def of_conditions(self, given: EncodedTable, streams: Streams) -> MadeRows:
        """Draw one row for each encoded condition, and decode it beside its condition."""
        encoding = self.encoding
        told = given.to(encoding.layout.offsets.device)
        table = self.source.draw(told, streams.noise)
        frame = encoding.encoder.decode(table, streams.rng)
        if encoding.conditions.names:
            columns = encoding.conditions.encoder.decode(given, streams.rng)
            frame = pd.concat([frame, columns], axis=1)[self.schema.names]
        return MadeRows(frame, table)

    def draw_asked(
        self, asked: pd.DataFrame, streams: Streams, progress: str | None = None
    ) -> pd.DataFrame:
        """Draw one row for each row of conditions on any columns.

        Parameters
        ----------
        asked : DataFrame of n rows
            What columns are to be, see `tabgan.table.conditions`.
        streams : Streams
        progress : str, optional
            Shows a bar of this name while rows are sought by rejection.

        Returns
        -------
        DataFrame of n rows

        Raises
        ------
        ValueError
            A condition that cannot be met, or too few rows found that meet it.
        """
        conditions, encoder = self.encoding.conditions, self.encoding.encoder
        trained = conditions.names
        given = {
            c: encode_condition(conditions.encoder, c, asked[c]) for c in asked if c in trained
        }
        others = {c: encode_condition(encoder, c, asked[c]) for c in asked if c not in trained}

        def make(wanted: NDArray[np.int64]) -> MadeRows:
            return self.of_conditions(conditions.draw_given(given, wanted, streams.rng), streams)

        everyone = np.arange(len(asked))
        if others:
            group = equal_conditions(given | others)
            with Progress(progress, len(asked), "row") as bar:
                frame = fulfil(make, encoder, others, group, not given, bar)
        else:
            frame = make(everyone).frame
        for name, condition in (given | others).items():
            frame[name] = condition.impose(frame[name], everyone)
        return frame


def fulfil(
    make: Callable[[NDArray[np.int64]], MadeRows],
    encoder: Encoder,
    asked_for: Mapping[Hashable, EncodedCondition],
    group: NDArray[np.int64],
    shared: bool,
    bar: Progress,
) -> pd.DataFrame:
    """Make rows until every condition is met by one of its own.

    Parameters
    ----------
    make : callable
        Makes one row for each condition number it is given.
    encoder : Encoder
        Of the columns asked for.
    asked_for : mapping of column label to EncodedCondition
        Each of n entries.
    group : ndarray of shape (n,)
        Equal asked_for have equal numbers, 0 to k - 1.
    shared : bool
        Whether a row made for one condition may serve another.
    bar : Progress
        Counts the rows found.

    Returns
    -------
    DataFrame of n rows, in the order of the asked_for

    Raises
    ------
    ValueError
        Too few rows of some condition among all the rows that may be drawn.
    """
    n = len(group)
    first = np.unique(group, return_index=True)[1]
    # Wider intervals choose first: what narrower ones within them leave over is unlike the whole.
    width = sum(
        np.nan_to_num(condition.high - condition.low)[first] for condition in asked_for.values()
    )
    waiting = {g: np.flatnonzero(group == g).tolist() for g in np.argsort(-width, kind="stable")}
    parts: list[pd.DataFrame] = []
    places: list[int] = []
    budget, drawn = MIN_DRAWS + DRAWS_PER_ROW * n, 0
    while waiting and drawn < budget:
        n_waiting = n - len(places)
        rate = (len(places) + 1) / (drawn + 1) if drawn else 0.5
        size = int(np.clip(1.2 * n_waiting / rate, 1024, min(MAX_POOL, budget - drawn + 1024)))
        groups = np.fromiter(waiting, dtype=np.int64)
        share = np.array([len(waiting[g]) for g in groups]) / n_waiting
        made_for = groups[np.searchsorted(np.cumsum(share), (np.arange(size) + 0.5) / size)]
        made = make(first[made_for])
        drawn += size
        columns = [
            made_column(encoder, name, condition, made) for name, condition in asked_for.items()
        ]
        free = np.ones(size, dtype=bool)
        for g in groups:
            rows = np.flatnonzero(free if shared else made_for == g)
            for column in columns:
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
        worst = next(iter(waiting))
        told = {
            name: condition.as_written(int(first[worst])) for name, condition in asked_for.items()
        }
        raise ValueError(
            f"conditions: {len(places)} of {n} rows found among {drawn} made; too few or none "
            f"are like {told}. Ask for fewer columns or wider intervals at once, or train for it: "
            f"CGANSynthesizer(condition_columns={list(asked_for)})."
        )
    frame = pd.concat(parts, ignore_index=True).iloc[np.argsort(places)].reset_index(drop=True)
    encoder.renumber(frame)
    return frame
