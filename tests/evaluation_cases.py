"""Tables and small helpers shared by the tests of the evaluation."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from seeds import seed as shifted


def mixed_table(n_rows, seed):
    """Return a table whose columns depend on one another, with missing values."""
    rng = np.random.default_rng(shifted(seed))
    size = rng.normal(size=n_rows)
    table = pd.DataFrame(
        {
            "size": size,
            "count": rng.poisson(np.exp(0.5 * size + 1)),
            "kind": rng.choice(["a", "b", "c"], n_rows, p=[0.5, 0.3, 0.2]),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n_rows), "D"),
            "large": size > 0.3,
        }
    )
    table["price"] = (10 + 3 * size + 5 * (table["kind"] == "a") + rng.normal(size=n_rows)).round(2)
    table.loc[rng.random(n_rows) < 0.1, "price"] = np.nan
    table.loc[rng.random(n_rows) < 0.1, "kind"] = None
    return table


def shuffled(table, seed=0):
    """Return the table with its columns made independent of one another."""
    rng = np.random.default_rng(shifted(seed))
    return pd.DataFrame({name: table[name].array[rng.permutation(len(table))] for name in table})


def says(message):
    return f"^{re.escape(message)}$"
