"""Conditions that rebalance columns to given rates."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.generation.conditions import MadeRows, made_column
from tabgan.table.conditions import encode_condition
from tabgan.table.encoder import Encoder

N_ROUNDS = 200
"""Rounds of iterative proportional fitting."""

FEW = 200
"""Rows of a value below which the pool gets as many rows of that value."""


def read_rates(rates: Any, names: list[Hashable]) -> dict[Hashable, dict[Any, float]]:
    """Check rates that a user gave.

    Parameters
    ----------
    rates : mapping of column label to mapping of condition to number
    names : list of column labels

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        `rates` is empty or no mapping of mappings, names no column, or holds a rate outside [0, 1]
        or rates of one column that add up to more than 1.
    """
    if not isinstance(rates, Mapping) or not rates:
        raise ValueError(
            'rates must map columns to rates of their values, such as {"sex": {"female": 0.5}}, '
            f"got {rates!r}."
        )
    for name, of_column in rates.items():
        if name not in names:
            raise ValueError(f"rates names {name!r}, which is not a column; columns: {names}.")
        if not isinstance(of_column, Mapping) or not of_column:
            raise ValueError(f"rates[{name!r}] must map values to rates, got {of_column!r}.")
        for value, rate in of_column.items():
            is_number = isinstance(rate, int | float | np.number) and not isinstance(rate, bool)
            if not is_number or not 0.0 <= rate <= 1.0:
                raise ValueError(f"rates[{name!r}][{value!r}] must lie in [0, 1], got {rate!r}.")
        total = sum(of_column.values())
        if total > 1.0 + 1e-9:
            raise ValueError(f"rates[{name!r}] add up to {total:g}; they may add up to 1 at most.")
    return {name: dict(of_column) for name, of_column in rates.items()}


def conditions_at_rates(
    rates: Mapping[Hashable, Mapping[Any, float]],
    n: int,
    encoder: Encoder,
    pool: MadeRows,
    draw_asked: Callable[[pd.DataFrame], MadeRows],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw conditions on columns at given rates.

    Iterative proportional fitting [1]_ weights the rows of a pool so that every column has the
    rates asked for. The ties between these columns stay as the model has them, as far as the rates
    allow. Rows are drawn from the pool by systematic sampling with these weights, so that the
    counts of one column miss ``n * rate`` by less than 1. Each drawn row gives the conditions of
    one row: the value asked for, or, where the row has none of them, the row's own value.

    Parameters
    ----------
    rates : mapping of column label to mapping of condition to rate
        Values that are not named share what is left, at the model's rates.
    n : int
        Number of conditions.
    encoder : Encoder
        Encoder of the columns.
    pool : MadeRows
        Rows of the model.
    draw_asked : callable, DataFrame of m conditions -> MadeRows of m rows
        Draws rows of values that are rare in the pool.
    rng : numpy Generator

    Returns
    -------
    DataFrame of shape (n, n_columns) and dtype object

    Raises
    ------
    ValueError
        A value is none of the column's, or the rates leave nothing for the other values although
        the rates add up to less than 1.

    References
    ----------
    .. [1] Deming and Stephan (1940), "On a Least Squares Adjustment of a Sampled Frequency Table
       When the Expected Marginal Totals are Known", Annals of Mathematical Statistics 11(4).
    """
    parts = [pool]
    classes = [_classes(rates, encoder, pool)]
    for at, (name, of_column) in enumerate(rates.items()):
        for j, (value, rate) in enumerate(of_column.items()):
            if rate > 0 and (classes[0][:, at] == j).sum() < FEW:
                asked = pd.DataFrame({name: pd.Series([value] * FEW, dtype=object)})
                parts.append(draw_asked(asked))
                classes.append(_classes(rates, encoder, parts[-1]))
    of_row = np.concatenate(classes)
    weight = np.ones(len(of_row))
    targets = [np.array([*of_column.values(), 1.0]) for of_column in rates.values()]
    for name, target, column in zip(rates, targets, of_row.T, strict=True):
        target[-1] = max(0.0, 1.0 - target[:-1].sum())
        if target[-1] > 1e-9 and not (column == len(target) - 1).any():
            raise ValueError(
                f"rates[{name!r}] add up to {target[:-1].sum():g}, and the model makes no other "
                "values that could fill the rest; let the rates add up to 1."
            )
    for _ in range(N_ROUNDS):
        for at, target in enumerate(targets):
            share = np.bincount(of_row[:, at], weights=weight, minlength=len(target))
            weight *= (target / np.maximum(share, 1e-300))[of_row[:, at]]
    # Sorted by class, so that systematic sampling draws each class at its rate.
    order = np.lexsort((rng.random(len(of_row)), *of_row.T[::-1]))
    edges = np.cumsum(weight[order])
    picked = order[np.searchsorted(edges, (np.arange(n) + rng.random()) / n * edges[-1])]
    picked = rng.permutation(picked)
    rows = pd.concat([part.frame[list(rates)] for part in parts], ignore_index=True).iloc[picked]
    asked = {}
    for at, (name, of_column) in enumerate(rates.items()):
        own = rows[name].astype(object).to_list()
        values = [*of_column, None]
        last = len(of_column)
        asked[name] = pd.Series(
            [own[i] if c == last else values[c] for i, c in enumerate(of_row[picked, at])],
            dtype=object,
        )
    return pd.DataFrame(asked)


def _classes(
    rates: Mapping[Hashable, Mapping[Any, float]], encoder: Encoder, pool: MadeRows
) -> NDArray[np.int64]:
    """Say which of the values asked for each row has, shape (n, n_columns); else their number."""
    everyone = np.arange(len(pool.frame))
    columns = []
    for name, of_column in rates.items():
        asked = pd.Series(list(of_column), dtype=object)
        condition = encode_condition(encoder, name, asked)
        column = made_column(encoder, name, condition, pool)
        found = np.full(len(everyone), len(asked))
        for j in reversed(range(len(asked))):
            found[column.meets(j, everyone)] = j
        columns.append(found)
    return np.column_stack(columns)
