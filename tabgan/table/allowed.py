"""Levels that conditions allow, and values that are drawn within both a level and a condition."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tabgan.table.columns import NumericColumn
from tabgan.table.conditions import EncodedCondition, Kind
from tabgan.table.encoder import CategoricalCodec, Codec, Encoder, NumericCodec
from tabgan.table.evidence import FREE, OPEN, Evidence
from tabgan.table.quantiles import uniform


def read_evidence(
    encoder: Encoder, asked_for: Mapping[Hashable, EncodedCondition], n: int
) -> Evidence:
    """Turn conditions into what is known about the blocks of an encoded row.

    Parameters
    ----------
    encoder : Encoder
        An encoder without scalars.
    asked_for : mapping of column label to EncodedCondition
        Conditions of n rows on each column.
    n : int

    Returns
    -------
    Evidence of n rows, on the CPU
    """
    codes = np.full((n, encoder.layout.n_blocks), FREE)
    shares, which = {}, {}
    for name, condition in asked_for.items():
        place = encoder.schema.position(name)
        block = encoder.blocks[place]
        if block < 0:
            continue
        is_open = ~np.isin(condition.kinds, (Kind.VALUE, Kind.ANY))
        codes[:, block] = np.where(is_open, OPEN, condition.codes)
        if is_open.any():
            first, inverse = np.unique(
                condition.keys(), axis=0, return_index=True, return_inverse=True
            )[1:]
            table = level_shares(encoder.codecs[place], condition, first)
            shares[block] = torch.from_numpy(table).float()
            which[block] = torch.from_numpy(inverse.ravel())
    return Evidence(torch.from_numpy(codes), shares, which)


def level_shares(
    codec: Codec, condition: EncodedCondition, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute which share of each level meets conditions.

    Parameters
    ----------
    codec : Codec
        Of a column without a scalar.
    condition : EncodedCondition
    rows : ndarray of shape (m,)
        Positions of the conditions.

    Returns
    -------
    ndarray of shape (m, n_levels), in [0, 1]
        The share of the mass of each bin that lies in an interval; 1 for a level that meets the
        condition as a whole. No row is zero everywhere.
    """
    kinds = condition.kinds[rows]
    n_levels = len(codec.masses)
    shares = np.ones((len(rows), n_levels))
    if codec.column.missing_rate > 0:
        shares[kinds == Kind.PRESENT, -1] = 0.0
    of_value = np.flatnonzero(kinds == Kind.VALUE)
    shares[of_value] = 0.0
    shares[of_value, condition.codes[rows[of_value]]] = 1.0
    in_interval = kinds == Kind.INTERVAL
    if in_interval.any():
        assert isinstance(codec, NumericCodec)
        low, high = condition.low[rows[in_interval]], condition.high[rows[in_interval]]
        shares[in_interval] = codec.shares(low, high)
    for c in np.unique(condition.choice[rows][kinds == Kind.ONE_OF]):
        of_members = _member_shares(codec, condition.choices[c])
        shares[condition.choice[rows] == c] = of_members.sum(axis=0).clip(max=1.0)
    return shares


def _member_shares(codec: Codec, members: EncodedCondition) -> NDArray[np.float64]:
    """Compute which share of each level each member of a set takes, shape (m, n_levels).

    One value of a bin takes the share of a single step of the column. A rare category takes its
    rate among the categories with which it shares a level.
    """
    everyone = np.arange(len(members.kinds))
    shares = level_shares(codec, members, everyone)
    is_value = (members.kinds == Kind.VALUE) & ~members.values.isna().to_numpy()
    if isinstance(codec, NumericCodec):
        in_bin = is_value.copy()
        in_bin[is_value] = members.codes[is_value] < codec.n_rest
        if codec.n_rest and in_bin.any():
            of_step = codec.step_shares(members.numbers[in_bin], members.codes[in_bin])
            shares[in_bin] *= of_step[:, None]
    elif isinstance(codec, CategoricalCodec):
        categories = codec.column.codes(members.values[is_value])
        shares[is_value] *= codec.shares_of_level(categories)[:, None]
    return shares


def decode_within(
    codec: Codec,
    condition: EncodedCondition,
    made: pd.Series,
    levels: NDArray[np.int64],
    rng: np.random.Generator,
) -> pd.Series:
    """Draw values anew in the rows whose condition is an interval or a set.

    Parameters
    ----------
    codec : Codec
    condition : EncodedCondition of n rows
    made : Series of shape (n,)
        The decoded column.
    levels : ndarray of shape (n,), int64
        The level of each row, which the condition allows.
    rng : numpy Generator

    Returns
    -------
    Series of shape (n,)
        Every value lies in its row's level and meets its row's condition.
    """
    in_interval = condition.kinds == Kind.INTERVAL
    if in_interval.any():
        rows = np.flatnonzero(in_interval)
        made = _in_intervals(codec, condition, made, levels, rows, rows, rng)
    for c, members in enumerate(condition.choices):
        rows = np.flatnonzero(condition.choice == c)
        chances = _member_shares(codec, members)[:, levels[rows]].T
        edges = chances.cumsum(axis=1)
        u = rng.random(len(rows)) * edges[:, -1]
        member = np.minimum((edges <= u[:, None]).sum(axis=1), len(members.kinds) - 1)
        is_value = members.kinds[member] == Kind.VALUE
        fixed = members.values.iloc[member[is_value]]
        made = replaced(made, rows[is_value], fixed)
        inside = members.kinds[member] == Kind.INTERVAL
        if inside.any():
            made = _in_intervals(codec, members, made, levels, rows[inside], member[inside], rng)
    return made


def _in_intervals(
    codec: Codec,
    condition: EncodedCondition,
    made: pd.Series,
    levels: NDArray[np.int64],
    rows: NDArray[np.int64],
    asked: NDArray[np.int64],
    rng: np.random.Generator,
) -> pd.Series:
    """Draw values of some rows in the intervals of the conditions `asked`."""
    assert isinstance(codec, NumericCodec) and isinstance(codec.column, NumericColumn)
    low, high = condition.low[asked], condition.high[asked]
    numbers = codec.draw_within(levels[rows], low, high, uniform(len(rows), rng))
    return replaced(made, rows, codec.column.series(numbers))


def replaced(made: pd.Series, rows: NDArray[np.int64], values: pd.Series) -> pd.Series:
    """Return a column with other values, of the same dtype, in some rows."""
    kept = np.arange(len(made))
    kept[rows] = len(made) + np.arange(len(rows))
    both = pd.concat([made, values], ignore_index=True)
    return both.iloc[kept].set_axis(made.index).astype(made.dtype).rename(made.name)
