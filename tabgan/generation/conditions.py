"""Conditions of a generator: the encoding, and the joint distribution in training."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tabgan.table.columns import CategoricalColumn, IdentifierColumn, NumericColumn
from tabgan.table.conditions import EncodedCondition, Kind, SyntheticColumn
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.privacy import recombined
from tabgan.table.schema import Schema

N_BINS = 32
"""Number of equal bins of [-1, 1] to which the scalars of conditions are rounded."""

N_CANDIDATES = 50_000
"""Conditions that are drawn to find conditions in the intervals asked for."""


@dataclass
class Combinations:
    """The distinct combinations of condition values in training, and how often each occurred.

    Attributes
    ----------
    codes : ndarray of shape (k, n_blocks), int64
        Levels of each combination.
    bins : ndarray of shape (k, n_scalars), int64
        Bins of the scalars, in [0, N_BINS).
    counts : ndarray of shape (k,), int64
        Number of training rows of each combination.
    """

    codes: NDArray[np.int64]
    bins: NDArray[np.int64]
    counts: NDArray[np.int64]


class ConditionModel:
    """A model of the condition columns: their encoding and the joint histogram of their values.

    A generator with conditions models the other columns given the condition columns. Rows without
    conditions asked for need conditions from somewhere, at training rates. The histogram of
    distinct combinations is an exact model of categorical conditions. Scalars are rounded to one of
    `N_BINS` bins, and are drawn uniformly within the bin.

    If the user asks for values of some condition columns, the other condition columns are drawn
    from the histogram given those values, see `draw_given`.

    Parameters
    ----------
    schema : Schema
        Schema of the condition columns, of which there may be none.
    max_categories : int
        Most levels of a categorical column.
    min_rows : int, default=1
        Rows that share a combination which is kept as it is. The values of other rows are
        recombined at random, each column for itself: rates are kept, and who has what is not.

    Attributes
    ----------
    encoder : Encoder
        Encoder of the condition columns.
    combinations : Combinations
        The histogram.
    n_recombined : int
        Number of combinations that `learn` recombined.

    Raises
    ------
    ValueError
        A condition column is an identifier.
    """

    def __init__(self, schema: Schema, max_categories: int, min_rows: int = 1) -> None:
        for column in schema.columns:
            if isinstance(column, IdentifierColumn):
                raise ValueError(
                    f"column {column.name!r} cannot be a condition, for it looks like an "
                    "identifier; leave it out, or name it in categorical_features."
                )
        self.encoder = Encoder(schema, "scalar", max_categories=max_categories)
        self.min_rows, self.n_recombined = min_rows, 0
        layout = self.encoder.layout
        self.combinations = Combinations(
            np.zeros((1, layout.n_blocks), dtype=np.int64),
            np.zeros((1, layout.n_scalars), dtype=np.int64),
            np.ones(1, dtype=np.int64),
        )

    @property
    def names(self) -> list[Hashable]:
        """Labels of the condition columns."""
        return self.encoder.schema.names

    def encode(self, frame: pd.DataFrame, rng: np.random.Generator) -> EncodedTable:
        """Encode the condition columns of a table.

        Parameters
        ----------
        frame : DataFrame of n rows
        rng : numpy Generator
            Draws ranks within ties.

        Returns
        -------
        EncodedTable of n rows
            The scalar is NaN for a missing number of a column that had no missing numbers in
            training.
        """
        table = self.encoder.encode(frame[self.names], rng)
        places = zip(self.names, self.encoder.blocks, self.encoder.scalars, strict=True)
        for name, block, scalar in places:
            if block < 0 <= scalar:
                table.scalars[np.flatnonzero(frame[name].isna()), scalar] = torch.nan
        return table

    def learn(self, table: EncodedTable) -> None:
        """Count the combinations in the rows whose conditions are all known.

        If no row's condition is known and there is one block and no scalar, all levels get the same
        count. An example is a cluster number that training has yet to find.

        Parameters
        ----------
        table : EncodedTable of n rows, on the CPU
        """
        codes = table.codes.numpy()
        known = (codes >= 0).all(axis=1) & ~np.isnan(table.scalars.numpy()).any(axis=1)
        codes, ranks = codes[known], (table.scalars.numpy()[known] + 1) / 2
        bins = np.clip(ranks * N_BINS, 0, N_BINS - 1).astype(np.int64)
        both = np.concatenate([codes, bins], axis=1)
        if both.shape[1] and len(both):
            if self.min_rows > 1:
                both = self._with_common_ties(both, codes.shape[1])
            distinct, counts = np.unique(both, axis=0, return_counts=True)
            distinct_codes, distinct_bins = np.split(distinct, [codes.shape[1]], axis=1)
            self.combinations = Combinations(distinct_codes, distinct_bins, counts)
        elif not len(both) and codes.shape[1] == both.shape[1] == 1:
            levels = np.arange(self.encoder.layout.n_levels[0])[:, None]
            self.combinations = Combinations(levels, levels[:, :0], np.ones_like(levels[:, 0]))

    def _with_common_ties(self, rows: NDArray[np.int64], n_blocks: int) -> NDArray[np.int64]:
        """Merge bins of too few rows, and recombine what too few rows have in common.

        Parameters
        ----------
        rows : ndarray of shape (n, n_blocks + n_scalars), int64
            Levels and bins of the training rows.
        n_blocks : int

        Returns
        -------
        ndarray of the same shape
        """
        rows = rows.copy()
        for i in range(n_blocks, rows.shape[1]):
            rows[:, i] = _common_bins(rows[:, i], self.min_rows)
        if rows.shape[1] > 1:
            rows, self.n_recombined = recombined(rows, self.min_rows)
        return rows

    def restore(self, combinations: Combinations) -> None:
        """Take a histogram from a file.

        Parameters
        ----------
        combinations : Combinations

        Raises
        ------
        ValueError
            The histogram is not one of these columns.
        """
        layout, counts = self.encoder.layout, combinations.counts
        is_sound = counts.shape == (len(counts),) and len(counts) > 0 and bool((counts > 0).all())
        is_sound = is_sound and float(counts.sum(dtype=np.float64)) < 2**62
        levels = np.array(layout.n_levels, dtype=np.int64)
        for name, ends in (("codes", levels), ("bins", np.full(layout.n_scalars, N_BINS))):
            part = getattr(combinations, name)
            # An array without entries has lost its second dimension in the file.
            part = part.reshape(len(counts), len(ends)) if not part.size else part
            is_sound = is_sound and part.shape == (len(counts), len(ends))
            is_sound = is_sound and bool(((part >= 0) & (part < ends)).all())
            is_sound = is_sound and part.dtype == counts.dtype == np.int64
            setattr(combinations, name, part)
        if not is_sound:
            raise ValueError("the histogram of conditions is not one of these columns")
        self.combinations = combinations

    def draw(self, n: int, rng: np.random.Generator) -> EncodedTable:
        """Draw conditions at their training rates.

        Parameters
        ----------
        n : int
        rng : numpy Generator

        Returns
        -------
        EncodedTable of n rows, on the CPU
        """
        counts = self.combinations.counts
        picked = rng.choice(len(counts), size=n, p=counts / counts.sum())
        return self._encoded(picked, rng)

    def draw_given(
        self,
        asked_for: Mapping[Hashable, EncodedCondition],
        asked: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> EncodedTable:
        """Draw a complete condition for each partial condition that was asked for.

        If values alone are asked for, a combination is drawn from the histogram with weights: zero
        for combinations of other levels, and the count times ``exp(-N_BINS * distance)`` for
        others, where the distance is that of the combination's bins from the scalars asked for.
        With intervals and sets, weights would need the share of each bin within the interval.
        Complete conditions are then drawn without regard to what was asked for, and those that meet
        it are used.

        Parameters
        ----------
        asked_for : mapping of column label to EncodedCondition
            Conditions on some of the condition columns.
        asked : ndarray of shape (n,), int64
            Positions of the conditions in the entries of `asked_for`.
        rng : numpy Generator

        Returns
        -------
        EncodedTable of n rows, on the CPU
            Scalars that were asked for are exact.

        Raises
        ------
        ValueError
            Values that were asked for never occurred together in training.
        """
        if not asked_for:
            return self.draw(len(asked), rng)
        some = (Kind.INTERVAL, Kind.ONE_OF, Kind.PRESENT)
        if any(np.isin(condition.kinds[asked], some).any() for condition in asked_for.values()):
            table = self._draw_like(asked_for, asked, rng)
        else:
            picked = np.empty(len(asked), dtype=np.int64)
            for rows in _equal_rows(asked_for, asked):
                weights = self._weights(asked_for, int(asked[rows[0]]))
                picked[rows] = rng.choice(len(weights), size=len(rows), p=weights / weights.sum())
            table = self._encoded(picked, rng)
        for name, condition in asked_for.items():
            column = self.encoder.schema.position(name)
            scalar = self.encoder.scalars[column]
            if scalar >= 0:
                wanted = torch.from_numpy(condition.scalars[asked]).float()
                table.scalars[:, scalar] = torch.where(
                    wanted.isnan(), table.scalars[:, scalar], wanted
                )
        return table

    def _weights(
        self, asked_for: Mapping[Hashable, EncodedCondition], i: int
    ) -> NDArray[np.float64]:
        """Return the weight of each combination of the histogram under condition `i`, shape (k,).

        If all weights round to zero, because the scalars asked for are far from all bins,
        combinations of the levels asked for have equal weights.
        """
        fits = np.ones(len(self.combinations.counts), dtype=bool)
        near = np.ones(len(self.combinations.counts))
        for name, condition in asked_for.items():
            index = self.encoder.schema.position(name)
            block, scalar = self.encoder.blocks[index], self.encoder.scalars[index]
            if block >= 0 and condition.codes[i] >= 0:
                fits &= self.combinations.codes[:, block] == condition.codes[i]
            if scalar >= 0 and not np.isnan(condition.scalars[i]):
                centres = (self.combinations.bins[:, scalar] + 0.5) / N_BINS * 2 - 1
                near *= np.exp(-np.abs(centres - condition.scalars[i]) * N_BINS)
        if not fits.any():
            raise _never_together(asked_for, i)
        weights = np.where(fits, self.combinations.counts * near, 0.0)
        return weights if weights.sum() > 0 else fits.astype(float)

    def _draw_like(
        self,
        asked_for: Mapping[Hashable, EncodedCondition],
        asked: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> EncodedTable:
        """Draw a complete condition for each condition in `asked`, from many candidates."""
        drawn = self.draw(N_CANDIDATES, rng)
        made = MadeRows(self.encoder.decode(drawn, rng), drawn)
        columns = [
            made_column(self.encoder, name, condition, made)
            for name, condition in asked_for.items()
        ]
        picked = np.empty(len(asked), dtype=np.int64)
        for rows in _equal_rows(asked_for, asked):
            i = int(asked[rows[0]])
            fits = np.arange(N_CANDIDATES)
            for column in columns:
                fits = fits[column.meets(i, fits)]
            if not len(fits):
                raise _never_together(asked_for, i)
            picked[rows] = rng.choice(fits, size=len(rows))
        return drawn.rows(torch.from_numpy(picked))

    def _encoded(self, picked: NDArray[np.int64], rng: np.random.Generator) -> EncodedTable:
        """Encode combinations by their positions; scalars are uniform within their bins."""
        codes = torch.from_numpy(self.combinations.codes[picked])
        bins = self.combinations.bins[picked]
        scalars = torch.from_numpy(2 * (bins + rng.random(bins.shape)) / N_BINS - 1).float()
        return EncodedTable(codes, self.encoder.layout.gate(codes, scalars))


def _common_bins(bins: NDArray[np.int64], min_rows: int) -> NDArray[np.int64]:
    """Merge neighbouring bins until each has enough rows; each takes the number of its fullest.

    Parameters
    ----------
    bins : ndarray of shape (n,), int64, in [0, N_BINS)
    min_rows : int

    Returns
    -------
    ndarray of shape (n,), int64
    """
    counts = np.bincount(bins, minlength=N_BINS)
    groups: list[list[int]] = [[]]
    for place in range(N_BINS):
        if counts[groups[-1]].sum() >= min_rows:
            groups.append([])
        groups[-1].append(place)
    if counts[groups[-1]].sum() < min_rows and groups[1:]:
        groups[-2] += groups.pop()
    number = np.zeros(N_BINS, dtype=np.int64)
    for group in groups:
        number[group] = group[int(np.argmax(counts[group]))]
    return number[bins]


def _equal_rows(
    asked_for: Mapping[Hashable, EncodedCondition], asked: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Split positions in `asked` into groups of equal conditions."""
    group = equal_conditions(asked_for)[asked]
    counts = np.unique(group, return_counts=True)[1]
    return np.split(np.argsort(group, kind="stable"), np.cumsum(counts)[:-1])


def equal_conditions(asked_for: Mapping[Hashable, EncodedCondition]) -> NDArray[np.int64]:
    """Assign numbers to conditions, the same number to equal conditions.

    Parameters
    ----------
    asked_for : mapping of column label to EncodedCondition
        Conditions of n rows on each column.

    Returns
    -------
    ndarray of shape (n,), int64
        Numbers 0 to k - 1.
    """
    table = np.concatenate([condition.keys() for condition in asked_for.values()], axis=1)
    return np.unique(table, axis=0, return_inverse=True)[1].ravel()


def _never_together(asked_for: Mapping[Hashable, EncodedCondition], i: int) -> ValueError:
    """Make the error that names condition `i` as the user wrote the condition."""
    written = {name: condition.as_written(i) for name, condition in asked_for.items()}
    return ValueError(
        f"conditions: {written} never occurred together in training, so there is nothing "
        "to learn such rows from; ask for fewer columns at once."
    )


class MadeRows(NamedTuple):
    """Synthetic rows in both forms.

    Attributes
    ----------
    frame : DataFrame of n rows
        The decoded rows.
    table : EncodedTable of n rows
        The encoded rows.
    """

    frame: pd.DataFrame
    table: EncodedTable


def made_column(
    encoder: Encoder, name: Hashable, condition: EncodedCondition, made: MadeRows
) -> SyntheticColumn:
    """Put one column of synthetic rows beside the conditions on the column.

    Parameters
    ----------
    encoder : Encoder
        Encoder of the rows.
    name : hashable
        Label of the column.
    condition : EncodedCondition
    made : MadeRows

    Returns
    -------
    SyntheticColumn
        Its method `meets` says which rows meet which condition.
    """
    index = encoder.schema.position(name)
    column = encoder.schema.columns[index]
    assert isinstance(column, NumericColumn | CategoricalColumn)
    block, scalar = encoder.blocks[index], encoder.scalars[index]
    codes = made.table.codes[:, block].cpu().numpy() if block >= 0 else None
    scalars = made.table.scalars[:, scalar].cpu().numpy() if scalar >= 0 else None
    return SyntheticColumn(condition, column, codes, scalars, made.frame[name])
