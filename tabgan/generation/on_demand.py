"""Rows that meet conditions on any columns, whether trained for or not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.generation.conditions import MadeRows, equal_conditions, made_column
from tabgan.generation.encoding import Encoding
from tabgan.generation.source import Source, complete
from tabgan.notices import Progress
from tabgan.randomness import Streams
from tabgan.table.allowed import decode_within, read_evidence
from tabgan.table.conditions import EncodedCondition, encode_condition
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import Schema

MIN_DRAWS, DRAWS_PER_ROW, MAX_POOL = 400_000, 200, 100_000
"""Bounds on the rows that rejection draws, see `fulfil`.

For n rows asked for, rejection draws about ``MIN_DRAWS + DRAWS_PER_ROW * n`` rows at most, and at
most `MAX_POOL` rows at once.
"""


class OnDemand:
    """The last link of a chain, which draws tables with the values that the user asked for.

    Conditions on the condition columns, with which the generator was trained, are inputs of the
    generator. Conditions on other columns are met by rejection, see `fulfil`.

    Parameters
    ----------
    source : Source
    encoding : Encoding
    schema : Schema
        Schema of the whole table, in whose order of columns tables are returned.
    """

    def __init__(self, source: Source, encoding: Encoding, schema: Schema) -> None:
        self.source, self.encoding, self.schema = source, encoding, schema

    def draw(self, n: int, streams: Streams) -> pd.DataFrame:
        """Draw rows whose conditions occur at their training rates.

        Parameters
        ----------
        n : int
        streams : Streams

        Returns
        -------
        DataFrame of n rows
        """
        return self.of_conditions(self.encoding.conditions.draw(n, streams.rng), streams).frame

    def of_conditions(self, given: EncodedTable, streams: Streams) -> MadeRows:
        """Draw one row for each encoded condition, decoded beside the condition.

        Parameters
        ----------
        given : EncodedTable of n rows
        streams : Streams

        Returns
        -------
        MadeRows of n rows
        """
        encoding = self.encoding
        on_device = given.to(encoding.layout.offsets.device)
        table = self.source.draw(on_device, streams.noise)
        return MadeRows(self._decoded(table, given, streams), table)

    def _decoded(self, table: EncodedTable, given: EncodedTable, streams: Streams) -> pd.DataFrame:
        """Decode rows and their conditions, with the columns in the order of the schema."""
        encoding = self.encoding
        frame = encoding.encoder.decode(table, streams.rng)
        if encoding.conditions.names:
            columns = encoding.conditions.encoder.decode(given, streams.rng)
            frame = pd.concat([frame, columns], axis=1)[self.schema.names]
        return frame

    def draw_asked(
        self, asked: pd.DataFrame, streams: Streams, progress: str | None = None
    ) -> pd.DataFrame:
        """Draw one row for each row of conditions on any columns.

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
            Columns that were asked for hold exactly the values asked for.

        Raises
        ------
        ValueError
            A condition is no value of the column, conditions never occurred together in training,
            or rejection finds too few rows.
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
        if others and self.source.has_proposals:
            wanted = conditions.draw_given(given, everyone, streams.rng)
            frame = self._completed(others, wanted, streams)
        elif others:
            group = equal_conditions(given | others)
            with Progress(progress, len(asked), "row") as bar:
                frame = fulfil(make, encoder, others, group, not given, bar)
        else:
            frame = make(everyone).frame
        for name, condition in (given | others).items():
            frame[name] = condition.impose(frame[name], everyone)
        return frame

    def _completed(
        self,
        asked_for: Mapping[Hashable, EncodedCondition],
        given: EncodedTable,
        streams: Streams,
    ) -> pd.DataFrame:
        """Draw rows that meet conditions without rejection, from a source with proposals."""
        encoder, device = self.encoding.encoder, self.encoding.layout.offsets.device
        evidence = read_evidence(encoder, asked_for, len(given)).to(device)
        table = complete(self.source, evidence, given.to(device), streams.noise)
        frame = self._decoded(table, given, streams)
        for name, condition in asked_for.items():
            place = encoder.schema.position(name)
            codec, block = encoder.codecs[place], encoder.blocks[place]
            levels = np.zeros(len(given), dtype=np.int64)
            if block >= 0:
                levels = table.codes[:, block].cpu().numpy()
            frame[name] = decode_within(codec, condition, frame[name], levels, streams.rng)
        return frame


def fulfil(
    make: Callable[[NDArray[np.int64]], MadeRows],
    encoder: Encoder,
    asked_for: Mapping[Hashable, EncodedCondition],
    group: NDArray[np.int64],
    shared: bool,
    bar: Progress,
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
    bar : Progress
        Shows the number of conditions that are met.

    Returns
    -------
    DataFrame of n rows
        In the order of the conditions.

    Raises
    ------
    ValueError
        Some condition is met by too few of the rows that may be drawn.
    """
    n = len(group)
    first = np.unique(group, return_index=True)[1]
    # Groups are dictionary entries in the order in which groups choose, the widest interval first.
    width = sum(condition.widths()[first] for condition in asked_for.values())
    waiting = {g: np.flatnonzero(group == g).tolist() for g in np.argsort(-width, kind="stable")}
    parts: list[pd.DataFrame] = []
    places: list[int] = []
    budget, drawn = MIN_DRAWS + DRAWS_PER_ROW * n, 0
    while waiting and drawn < budget:
        n_waiting = n - len(places)
        # A fifth more rows than needed on average, as a further pool costs more than spare rows.
        rate = (len(places) + 1) / (drawn + 1) if drawn else 0.5
        size = int(np.clip(1.2 * n_waiting / rate, 1024, min(MAX_POOL, budget - drawn + 1024)))
        groups = np.fromiter(waiting, dtype=np.int64)
        share = np.array([len(waiting[g]) for g in groups]) / n_waiting
        # Entry i of the pool serves the group at quantile (i + 1/2) / size.
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
        shown = {
            name: condition.as_written(int(first[worst])) for name, condition in asked_for.items()
        }
        raise ValueError(
            f"conditions: {len(places)} of {n} rows found among {drawn} made; too few or none "
            f"are like {shown}. Ask for fewer columns or wider intervals at once, or train for it: "
            f"CGANSynthesizer(condition_columns={list(asked_for)})."
        )
    frame = pd.concat(parts, ignore_index=True).iloc[np.argsort(places)].reset_index(drop=True)
    encoder.renumber(frame)
    return frame
