"""Rows on demand: conditions a generator was trained on, and bounded rejection for all others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tabgan.table.conditions import Wish
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import CategoricalColumn, NumericColumn, Schema

N_BINS = 32
"""Conditions that are scalars are remembered to within so many bins."""

MIN_DRAWS, DRAWS_PER_ROW, MAX_POOL = 400_000, 200, 100_000
"""Rejection makes at most `MIN_DRAWS` + `DRAWS_PER_ROW` rows per row asked for, in pools."""


@dataclass
class Combinations:
    """A histogram of the condition columns alone: distinct combinations and how often they occur.

    Attributes
    ----------
    codes : ndarray of shape (k, n_blocks)
    bins : ndarray of shape (k, n_scalars)
        Scalars, to within a bin.
    counts : ndarray of shape (k,)
    """

    codes: NDArray[np.int64]
    bins: NDArray[np.int64]
    counts: NDArray[np.int64]


class ConditionModel:
    """The columns a generator is given: their encoding, and how often combinations occur.

    Parameters
    ----------
    schema : Schema
        Condition columns; may have none.
    max_categories : int

    Attributes
    ----------
    combinations : Combinations
        How often which conditions occurred together.
    """

    def __init__(self, schema: Schema, max_categories: int) -> None:
        self.encoder = Encoder(schema, "scalar", max_categories=max_categories)
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
        """Encode conditions; a missing number that no level stands for is NaN."""
        table = self.encoder.encode(frame[self.names], rng)
        places = zip(self.names, self.encoder.blocks, self.encoder.scalars, strict=True)
        for name, block, scalar in places:
            if block < 0 <= scalar:
                table.scalars[np.flatnonzero(frame[name].isna()), scalar] = torch.nan
        return table

    def learn(self, table: EncodedTable) -> None:
        """Count the combinations of fully known conditions."""
        codes = table.codes.numpy()
        known = (codes >= 0).all(axis=1) & ~np.isnan(table.scalars.numpy()).any(axis=1)
        codes, ranks = codes[known], (table.scalars.numpy()[known] + 1) / 2
        bins = np.clip(ranks * N_BINS, 0, N_BINS - 1).astype(np.int64)
        both = np.concatenate([codes, bins], axis=1)
        if both.shape[1] and len(both):
            distinct, counts = np.unique(both, axis=0, return_counts=True)
            distinct_codes, distinct_bins = np.split(distinct, [codes.shape[1]], axis=1)
            self.combinations = Combinations(distinct_codes, distinct_bins, counts)

    def draw(self, n: int, rng: np.random.Generator) -> EncodedTable:
        """Draw `n` conditions at the rates of training."""
        counts = self.combinations.counts
        picked = rng.choice(len(counts), size=n, p=counts / counts.sum())
        return self._encoded(picked, rng)

    def draw_given(
        self, wishes: Mapping[Hashable, Wish], asked: NDArray[np.int64], rng: np.random.Generator
    ) -> EncodedTable:
        """Draw a condition for each wish in `asked`, the columns not wished for at their rates.

        Raises
        ------
        ValueError
            Levels that never occurred together in training.
        """
        n_wishes = int(asked.max()) + 1
        picked = np.zeros(len(asked), dtype=np.int64)
        for i in range(n_wishes) if wishes else ():
            rows = np.flatnonzero(asked == i)
            if len(rows):
                weights = self._weights(wishes, i)
                picked[rows] = rng.choice(len(weights), size=len(rows), p=weights / weights.sum())
        if not wishes:
            return self.draw(len(asked), rng)
        table = self._encoded(picked, rng)
        for name, wish in wishes.items():
            column = self.names.index(name)
            scalar = self.encoder.scalars[column]
            if scalar >= 0:
                wanted = torch.from_numpy(wish.scalars[asked]).float()
                table.scalars[:, scalar] = torch.where(
                    wanted.isnan(), table.scalars[:, scalar], wanted
                )
        return table

    def _weights(self, wishes: Mapping[Hashable, Wish], i: int) -> NDArray[np.float64]:
        """Weight of each remembered combination under wish `i`."""
        fits = np.ones(len(self.combinations.counts), dtype=bool)
        near = np.ones(len(self.combinations.counts))
        for name, wish in wishes.items():
            index = self.names.index(name)
            block, scalar = self.encoder.blocks[index], self.encoder.scalars[index]
            column = self.encoder.schema.columns[index]
            if block >= 0 and wish.codes[i] >= 0:
                fits &= self.combinations.codes[:, block] == wish.codes[i]
            if scalar >= 0 and not np.isnan(wish.scalars[i]):
                centres = (self.combinations.bins[:, scalar] + 0.5) / N_BINS * 2 - 1
                near *= np.exp(-np.abs(centres - wish.scalars[i]) * N_BINS)
            if isinstance(column, NumericColumn) and not np.isnan(wish.low[i]):
                raise ValueError(
                    f"conditions: {name!r} is a column this model was trained to be given and "
                    "takes values, not intervals; draw values from the interval instead."
                )
        if not fits.any():
            told = {name: wish.values.iloc[i] for name, wish in wishes.items()}
            raise ValueError(
                f"conditions: {told} never occurred together in training, so there is nothing "
                "to learn such rows from; ask for fewer columns at once."
            )
        weights = np.where(fits, self.combinations.counts * near, 0.0)
        return weights if weights.sum() > 0 else fits.astype(float)

    def _encoded(self, picked: NDArray[np.int64], rng: np.random.Generator) -> EncodedTable:
        gates = self.encoder.layout.gates.cpu().numpy()
        codes, bins = self.combinations.codes[picked], self.combinations.bins[picked]
        scalars = 2 * (bins + rng.random(bins.shape)) / N_BINS - 1
        if codes.shape[1] and len(gates):
            scalars[(gates >= 0) & (codes[:, np.maximum(gates, 0)] != 0)] = 0.0
        return EncodedTable(torch.from_numpy(codes), torch.from_numpy(scalars.astype(np.float32)))


class MadeRows(NamedTuple):
    """Made rows, decoded and encoded."""

    frame: pd.DataFrame
    table: EncodedTable


def fulfil(
    make: Callable[[NDArray[np.int64]], MadeRows],
    encoder: Encoder,
    wishes: Mapping[Hashable, Wish],
    group: NDArray[np.int64],
    shared: bool,
) -> pd.DataFrame:
    """Make rows until every wish is met by one of its own.

    Parameters
    ----------
    make : callable
        Makes one row for each wish number it is given.
    encoder : Encoder
        Of the columns wished for.
    wishes : mapping of column label to Wish
        Each of n entries.
    group : ndarray of shape (n,)
        Equal wishes have equal numbers, 0 to k - 1.
    shared : bool
        Whether a row made for one wish may serve another.

    Returns
    -------
    DataFrame of n rows, in the order of the wishes

    Raises
    ------
    ValueError
        Too few rows of some wish among all the rows that may be drawn.
    """
    n = len(group)
    first = np.unique(group, return_index=True)[1]
    waiting = {g: np.flatnonzero(group == g).tolist() for g in range(len(first))}
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
        free = np.ones(size, dtype=bool)
        for g in groups:
            fits = free if shared else free & (made_for == g)
            for name, wish in wishes.items():
                fits = fits & _met(wish, int(first[g]), encoder, name, made)
            taken = np.flatnonzero(fits)[: len(waiting[g])]
            free[taken] = False
            if len(taken):
                parts.append(made.frame.iloc[taken])
                places += waiting[g][: len(taken)]
                waiting[g] = waiting[g][len(taken) :]
            if not waiting[g]:
                del waiting[g]
    if waiting:
        worst = next(iter(waiting))
        told = {name: _told(wish, int(first[worst])) for name, wish in wishes.items()}
        raise ValueError(
            f"conditions: {len(places)} of {n} rows found among {drawn} made; too few or none "
            f"are like {told}. Ask for fewer columns or wider intervals at once, or train for it: "
            f"CGANSynthesizer(condition_columns={list(wishes)})."
        )
    return pd.concat(parts, ignore_index=True).iloc[np.argsort(places)].reset_index(drop=True)


def _met(wish: Wish, i: int, encoder: Encoder, name: Hashable, made: MadeRows) -> NDArray[np.bool_]:
    index = encoder.schema.names.index(name)
    column = encoder.schema.columns[index]
    assert isinstance(column, NumericColumn | CategoricalColumn)
    block, scalar = encoder.blocks[index], encoder.scalars[index]
    codes = made.table.codes[:, block].cpu().numpy() if block >= 0 else None
    scalars = made.table.scalars[:, scalar].cpu().numpy() if scalar >= 0 else None
    return wish.met_by(i, column, codes, scalars, made.frame[name])


def _told(wish: Wish, i: int) -> object:
    """Say wish `i` in the user's terms."""
    return wish.values.iloc[i] if np.isnan(wish.low[i]) else "the interval asked for"
