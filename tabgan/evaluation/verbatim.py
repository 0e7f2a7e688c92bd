"""Values of single training rows that occur in synthetic rows as they are.

The columns that go in are those of a training table, a synthetic table and a held-out table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tabgan.evaluation.attacks import FAILED, Attack
from tabgan.evaluation.columns import Column
from tabgan.evaluation.intervals import wilson

_TRAIN, _SYNTHETIC, _HOLDOUT = range(3)


def rare_strings(columns: Sequence[Column]) -> tuple[Attack, Attack, pd.DataFrame]:
    """Count the strings of single rows that occur in the synthetic table.

    Parameters
    ----------
    columns : sequence of Column

    Returns
    -------
    strings : Attack
        Of the strings that one row alone has, of all training and held-out rows together: the share
        that the synthetic table has. The main attack takes those of training rows, the control
        those of held-out rows.
    rows : Attack
        The share of synthetic rows (main) and of held-out rows (control) that carry a string which
        occurs once in the training table.
    by_column : DataFrame
        For each column of categories: "once", how many of its strings occur once in the training
        table; "found", how many of these occur in the synthetic table; "rows", how many synthetic
        rows carry one.
    """
    counts = {"train": [0, 0], "holdout": [0, 0]}
    n_synthetic, n_holdout = (len(columns[0].values[t]) for t in (_SYNTHETIC, _HOLDOUT))
    carried, as_real = np.zeros(n_synthetic, dtype=bool), np.zeros(n_holdout, dtype=bool)
    lines = {}
    for column in columns:
        if not column.is_category:
            continue
        train, made, held_out = (
            np.bincount(codes[codes >= 0], minlength=len(column.labels)) for codes in column.values
        )
        for name, own, other in (("train", train, held_out), ("holdout", held_out, train)):
            alone = (own == 1) & (other == 0)
            counts[name][0] += int(np.count_nonzero(alone & (made > 0)))
            counts[name][1] += int(np.count_nonzero(alone))
        # The code -1 of a missing value picks the last entry.
        once = np.append(train == 1, False)
        carrying = once[column.values[_SYNTHETIC]]
        carried |= carrying
        as_real |= once[column.values[_HOLDOUT]]
        lines[column.name] = {
            "once": int(np.count_nonzero(train == 1)),
            "found": int(np.count_nonzero((train == 1) & (made > 0))),
            "rows": int(np.count_nonzero(carrying)),
        }
    table = pd.DataFrame.from_dict(lines, orient="index", columns=["once", "found", "rows"])
    if not lines:
        return FAILED, FAILED, table
    return (
        Attack.of(wilson(*counts["train"]), wilson(*counts["holdout"])),
        Attack.of(wilson(int(carried.sum()), n_synthetic), wilson(int(as_real.sum()), n_holdout)),
        table,
    )


def extremes(columns: Sequence[Column]) -> tuple[Attack, pd.DataFrame]:
    """Count lowest and highest values of single rows that occur in the synthetic table.

    An end of a column counts if one row alone has it, of all training and held-out rows together:
    a lowest value that many rows share tells of nobody.

    Parameters
    ----------
    columns : sequence of Column

    Returns
    -------
    ends : Attack
        The share of the training table's ends (main) and of the held-out table's ends (control)
        that the synthetic table has.
    by_column : DataFrame
        For each column of numbers, dates or durations: "lowest" and "highest", whether the
        synthetic table ends at the same value as the training table; "single", how many of the
        training table's two ends are one row's alone; "found", how many of these the synthetic
        table has.
    """
    counts = [[0, 0], [0, 0]]
    lines = {}
    for column in columns:
        values = [v[~missing] for v, missing in zip(column.values, column.missing, strict=True)]
        if column.is_category or not all(len(v) for v in values):
            continue
        real = np.concatenate([values[_TRAIN], values[_HOLDOUT]])
        found, single = [0, 0], [0, 0]
        for which, table in enumerate((_TRAIN, _HOLDOUT)):
            for end in {values[table].min(), values[table].max()}:
                if np.count_nonzero(real == end) == 1:
                    single[which] += 1
                    found[which] += int((values[_SYNTHETIC] == end).any())
            counts[which][0] += found[which]
            counts[which][1] += single[which]
        lines[column.name] = {
            "lowest": bool(values[_SYNTHETIC].min() == values[_TRAIN].min()),
            "highest": bool(values[_SYNTHETIC].max() == values[_TRAIN].max()),
            "single": single[0],
            "found": found[0],
        }
    table = pd.DataFrame.from_dict(
        lines, orient="index", columns=["lowest", "highest", "single", "found"]
    )
    if not lines:
        return FAILED, table
    return Attack.of(wilson(*counts[0]), wilson(*counts[1])), table
