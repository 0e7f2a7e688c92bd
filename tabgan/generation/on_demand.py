"""Rows that meet conditions on any columns, whether trained for or not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.generation.conditions import MadeRows, equal_conditions
from tabgan.generation.encoding import Encoding
from tabgan.generation.rates import conditions_at_rates, read_rates
from tabgan.generation.rejection import UNBOUNDED, Effort, fulfil
from tabgan.generation.source import Source, complete
from tabgan.randomness import Streams
from tabgan.table.allowed import decode_within, read_evidence
from tabgan.table.conditions import EncodedCondition, encode_condition
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import Schema

N_POOL = 20_000
"""Rows from which conditions at given rates are drawn."""


class TableSource:
    """Base of what draws tables: rows as the model has them, and rows for conditions.

    Attributes
    ----------
    schema : Schema
        Schema of the tables.
    """

    schema: Schema

    def draw(self, n: int, streams: Streams) -> pd.DataFrame:
        """Draw n rows whose conditions occur at their training rates."""
        raise NotImplementedError

    def of_conditions(self, given: EncodedTable, streams: Streams) -> MadeRows:
        """Draw one row for each encoded condition."""
        raise NotImplementedError

    def draw_asked(
        self, asked: pd.DataFrame, streams: Streams, effort: Effort = UNBOUNDED
    ) -> pd.DataFrame:
        """Draw one row for each row of conditions on any columns."""
        raise NotImplementedError

    def at_rates(
        self,
        rates: Any,
        n: int,
        asked: pd.DataFrame | None,
        streams: Streams,
        effort: Effort,
    ) -> pd.DataFrame:
        """Draw conditions that rebalance columns to given rates, see `conditions_at_rates`.

        Parameters
        ----------
        rates : mapping of column label to mapping of condition to rate
        n : int
        asked : DataFrame of n rows or None
            Further conditions, on other columns.
        streams : Streams
        effort : Effort

        Returns
        -------
        DataFrame of n rows
            The conditions on all columns.

        Raises
        ------
        ValueError
            Rates are no rates, or name a column that has conditions.
        """
        rates = read_rates(rates, self.schema.names)
        for name in rates:
            if asked is not None and name in asked:
                raise ValueError(f"rates and conditions both name {name!r}; name it once.")
        everything = Encoder(self.schema, "bins")

        def made(frame: pd.DataFrame) -> MadeRows:
            return MadeRows(frame, everything.encode(frame, streams.rng))

        def draw_asked(more: pd.DataFrame) -> MadeRows:
            """Draw rows of further conditions, beside those that are given."""
            if asked is not None:
                repeated = asked.iloc[np.arange(len(more)) % n].reset_index(drop=True)
                more = pd.concat([repeated, more], axis=1)
            return made(self.draw_asked(more, streams, effort))

        if asked is None:
            pool = made(self.draw(N_POOL, streams))
        else:
            pool = draw_asked(pd.DataFrame(index=range(N_POOL)))
        at_rates = conditions_at_rates(rates, n, everything, pool, draw_asked, streams.rng)
        return at_rates if asked is None else pd.concat([asked, at_rates], axis=1)


class OnDemand(TableSource):
    """The last link of a chain, which draws tables with the values that the user asked for.

    Conditions on the condition columns, with which the generator was trained, are inputs of the
    generator. Conditions on other columns are met by completion if the source has proposals, see
    `complete`, and by rejection otherwise, see `fulfil`.

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
        self, asked: pd.DataFrame, streams: Streams, effort: Effort = UNBOUNDED
    ) -> pd.DataFrame:
        """Draw one row for each row of conditions on any columns.

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
            Columns that were asked for hold exactly the values asked for. The index says which
            condition each row meets.

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
            frame = fulfil(make, encoder, others, group, not given, effort)
        else:
            frame = make(everyone).frame
        for name, condition in (given | others).items():
            frame[name] = condition.impose(frame[name], frame.index.to_numpy())
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
