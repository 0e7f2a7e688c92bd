"""Links between the core and the user's sequences: values from changes, and steps by rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabgan.checks import ParameterError, listed
from tabgan.constraints.base import Constraint
from tabgan.constraints.rules import Constraints
from tabgan.generation.sequences import SequenceCore
from tabgan.randomness import Streams
from tabgan.table.changes import Changes
from tabgan.table.encoder import EncodedTable
from tabgan.table.sequences import positions

MAX_ROUNDS = 400
"""Most rounds in which sequences with a broken step are drawn anew."""

RESTART = 40
"""Rounds after which a sequence is begun anew, and not from its first broken step."""


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


class UserSequences:
    """Draws sequences, and restores the user's channels from what the core draws.

    Values are restored from changes, then columns that rules have rewritten. Most rules are kept by
    construction. Broken are steps in which a computed number leaves the range that training saw, or
    which break a rule that can only be checked. A sequence is drawn anew from its first broken step
    on if the core can go on from the steps before, and otherwise as a whole.

    Parameters
    ----------
    core : SequenceCore
    changes : Changes
    rules : Constraints or None
    """

    def __init__(self, core: SequenceCore, changes: Changes, rules: Constraints | None) -> None:
        self.core, self.changes, self.rules = core, changes, rules
        self.length = core.encoding.length

    def draw(
        self, given: EncodedTable, told: pd.DataFrame, streams: Streams, latent: Tensor | None
    ) -> pd.DataFrame:
        """Draw the steps of n sequences.

        Parameters
        ----------
        given : EncodedTable of n rows
            Encoded conditions.
        told : DataFrame of n rows
            What each sequence has once.
        streams : Streams
        latent : Tensor of shape (n, latent_dim) or None

        Returns
        -------
        DataFrame of N rows
            The user's channels, sequence after sequence.

        Raises
        ------
        ValueError
            Steps still break a rule after the last round.
        """
        lengths = told[self.length].to_numpy(dtype=np.int64)
        number, place = np.repeat(np.arange(len(lengths)), lengths), positions(lengths)
        encoded, drawn = self.core.draw(given, told, streams, latent)
        table, is_kept = self._restored(drawn, told, streams)
        # A step is settled if no step up to it is broken.
        for round_ in range(MAX_ROUNDS):
            n_right = _first_false(is_kept, lengths)
            waiting = np.flatnonzero(n_right < lengths)
            if not len(waiting):
                return table
            is_waiting = np.isin(number, waiting)
            rows = np.flatnonzero(is_waiting)
            is_settled = place[rows] < n_right[number[rows]]
            begun = None
            if not self.core.goes_on or round_ % RESTART == RESTART - 1:
                is_settled[:] = False
            else:
                begun = encoded.codes.new_full(
                    (len(waiting), lengths.max(), encoded.codes.shape[1]), -1
                )
                settled = rows[is_settled]
                row_of = np.searchsorted(waiting, number[settled])
                begun[row_of, place[settled]] = encoded.codes[settled]
            index = torch.from_numpy(waiting)
            some = None if latent is None else latent[index.to(latent.device)]
            of_waiting = told.iloc[waiting].reset_index(drop=True)
            fresh, decoded = self.core.draw(given.rows(index), of_waiting, streams, some, begun)
            for old, new in zip(encoded, fresh, strict=True):
                old[rows] = new
            # Settled steps keep the values that were decoded for them.
            chosen = np.where(is_settled, 0, len(rows)) + np.arange(len(rows))
            both = pd.concat([drawn.iloc[rows], decoded], ignore_index=True)
            part = both.iloc[chosen].reset_index(drop=True)
            drawn = _with_rows(drawn, rows, part)
            restored, is_kept[rows] = self._restored(part, of_waiting, streams)
            table = _with_rows(table, rows, restored)
        n_broken = int((_first_false(is_kept, lengths) < lengths).sum())
        raise ValueError(
            f"constraints: {n_broken} of {len(lengths)} sequences still have a step that breaks a "
            f"rule after {MAX_ROUNDS} rounds. Ask for fewer sequences, or train longer."
        )

    def _restored(
        self, drawn: pd.DataFrame, told: pd.DataFrame, streams: Streams
    ) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        """Return the user's channels, and which steps keep all rules."""
        values = self.changes.restore(drawn, told, self.length)
        if self.rules is None:
            return values, np.ones(len(values), dtype=bool)
        return self.rules.restore(values, streams.rng)


def _first_false(flags: NDArray[np.bool_], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many flags of each sequence come before the first that is False, shape (n,)."""
    place = np.where(flags, np.iinfo(np.int64).max, positions(lengths))
    return np.minimum(np.minimum.reduceat(place, np.cumsum(lengths) - lengths), lengths)


def _with_rows(table: pd.DataFrame, rows: NDArray[np.int64], values: pd.DataFrame) -> pd.DataFrame:
    """Return a table with some rows replaced."""
    order = np.arange(len(table))
    order[rows] = len(table) + np.arange(len(rows))
    return pd.concat([table, values], ignore_index=True).iloc[order].reset_index(drop=True)
