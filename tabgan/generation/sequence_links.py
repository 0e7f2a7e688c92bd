"""Links between the core and the user's sequences: values from changes, and steps by rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from tabgan.checks import ParameterError, listed
from tabgan.constraints.base import Constraint
from tabgan.constraints.rules import Constraints
from tabgan.generation.sequences import SequenceCore
from tabgan.randomness import Streams
from tabgan.table.changes import Changes
from tabgan.table.encoder import EncodedTable

MAX_DRAWS, FEWEST_DRAWS = 100, 1000
"""Most sequences drawn for each one asked for, and the number that may be drawn in any case."""


def check_step_rules(rules: Sequence[Constraint], steps: pd.DataFrame) -> None:
    """Raise a ValueError for a rule that does not hold within one step of a sequence.

    Parameters
    ----------
    rules : sequence of Constraint
    steps : DataFrame
        The channels.

    Raises
    ------
    ValueError
        A rule names a column that is no channel, or compares rows with each other.
    """
    for rule in rules:
        if rule.compares_rows:
            raise ParameterError(
                f"constraints: {rule} compares rows with each other, and a rule of sequences holds "
                "within a step; leave it out."
            )
        others = [name for name in rule.names if name not in steps.columns]
        if others:
            raise ParameterError(
                f"constraints: {rule} names {others[0]!r}, which varies along no sequence; a rule "
                f"of sequences names channels alone: {listed(steps.columns)}."
            )


class ChangedSequences:
    """Draws sequences of changes, and restores the values of channels.

    Parameters
    ----------
    core : SequenceCore
    changes : Changes
    """

    def __init__(self, core: SequenceCore, changes: Changes) -> None:
        self.core, self.changes = core, changes
        self.length = core.encoding.length

    def draw(self, given: EncodedTable, told: pd.DataFrame, streams: Streams, latent: Any) -> Any:
        """Draw the steps of n sequences; see `SequenceCore.draw`."""
        drawn = self.core.draw(given, told, streams, latent)
        return self.changes.restore(drawn, told, self.length)


class RuledSequences:
    """Draws sequences of rewritten steps, restores the user's channels, and draws broken ones anew.

    Most rules are kept by construction. What is drawn anew are sequences with a step in which a
    computed number leaves the range that training saw, or which breaks a rule that can only be
    checked.

    Parameters
    ----------
    source : ChangedSequences
        Draws rewritten steps.
    rules : Constraints
    """

    def __init__(self, source: ChangedSequences, rules: Constraints) -> None:
        self.source, self.rules = source, rules

    def draw(self, given: EncodedTable, told: pd.DataFrame, streams: Streams, latent: Any) -> Any:
        """Draw the steps of n sequences; see `SequenceCore.draw`.

        Raises
        ------
        ValueError
            Too few of the sequences that may be drawn keep all rules.
        """
        lengths = told[self.source.length].to_numpy(dtype=np.int64)
        n = len(lengths)
        parts: list[pd.DataFrame] = []
        place: list[Any] = [None] * n
        waiting, n_drawn, n_rows = np.arange(n), 0, 0
        while len(waiting):
            if n_drawn > max(FEWEST_DRAWS, MAX_DRAWS * n):
                raise ValueError(
                    f"constraints: {n - len(waiting)} of {n} sequences that keep all rules were "
                    f"found among {n_drawn} drawn. Ask for fewer sequences, or train longer."
                )
            index = torch.from_numpy(waiting)
            some = None if latent is None else latent[index.to(latent.device)]
            drawn = self.source.draw(given.rows(index), told.iloc[waiting], streams, some)
            table, is_kept = self.rules.restore(drawn, streams.rng)
            stops = np.cumsum(lengths[waiting])
            starts = stops - lengths[waiting]
            is_right = np.add.reduceat(~is_kept, starts) == 0
            for i, start, stop in zip(waiting, starts, stops, strict=True):
                place[i] = np.arange(n_rows + start, n_rows + stop)
            parts.append(table)
            n_drawn, n_rows = n_drawn + len(waiting), n_rows + len(table)
            waiting = waiting[~is_right]
        whole = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        return whole.iloc[np.concatenate(place)].reset_index(drop=True)
