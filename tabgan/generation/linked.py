"""Tables in whose rows equations between numeric columns hold exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tabgan.generation.conditions import MadeRows
from tabgan.generation.on_demand import TableSource
from tabgan.generation.rejection import UNBOUNDED, Effort
from tabgan.randomness import Streams
from tabgan.table.conditions import ANY, PRESENT
from tabgan.table.encoder import EncodedTable
from tabgan.table.links import Links, with_columns


class Linked(TableSource):
    """Draws tables with switches on demand, and computes columns as the switches say.

    Parameters
    ----------
    source : TableSource
        Draws tables with switches.
    links : Links
    """

    def __init__(self, source: TableSource, links: Links) -> None:
        self.source, self.links, self.schema = source, links, links.table

    def draw(self, n: int, streams: Streams) -> pd.DataFrame:
        """Draw rows whose conditions occur at their training rates; see `OnDemand.draw`."""
        return self.links.settle(self.source.draw(n, streams), {}, streams.rng)

    def of_conditions(self, given: EncodedTable, streams: Streams) -> MadeRows:
        """Draw one row for each encoded condition; see `OnDemand.of_conditions`.

        The encoded form that comes back is of the rows before columns were computed.
        """
        made = self.source.of_conditions(given, streams)
        return MadeRows(self.links.settle(made.frame, {}, streams.rng), made.table)

    def draw_asked(
        self, asked: pd.DataFrame, streams: Streams, effort: Effort = UNBOUNDED
    ) -> pd.DataFrame:
        """Draw one row for each row of conditions on any columns; see `OnDemand.draw_asked`.

        Values that conditions ask for stay, and columns without conditions are computed from them.
        """
        linked = [name for name in self.links.linked if name in asked]
        fixed = {
            name: np.array([cell is not ANY and cell is not PRESENT for cell in asked[name]])
            for name in linked
        }
        known = self.links.known(asked[linked].map(_value_or_any)) if linked else {}
        drawn = self.source.draw_asked(with_columns(asked, known), streams, effort)
        rows = drawn.index.to_numpy()
        here = {name: is_fixed[rows] for name, is_fixed in fixed.items()}
        return self.links.settle(drawn, here, streams.rng)


def _value_or_any(cell: object) -> object:
    """Replace what is no single value by `ANY`."""
    is_open = isinstance(cell, pd.Interval | list | set | frozenset) or cell is PRESENT
    return ANY if is_open else cell
