"""Rules of the real table that synthetic rows break, and pairs of categories that do not exist."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from tabgan.checks import NONE, check, instance, sequence_of
from tabgan.constraints import Constraint, discover
from tabgan.evaluation.columns import Table, align_columns, read_frame

CONSTRAINTS = NONE | sequence_of(
    instance(Constraint, "a constraint"), "a list of constraints of tabgan.constraints"
)
"""What the parameter `constraints` takes."""

MAX_ROWS = 20_000
"""Most rows of the real table among which rules are looked for."""


def broken_rules(
    real: Table, synthetic: Table, *, constraints: Sequence[Constraint] | None = None
) -> pd.DataFrame:
    """Count the synthetic rows that break rules of the real table.

    Parameters
    ----------
    real, synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        Two tables with the same columns.
    constraints : sequence of constraints, default=None
        The rules. None takes those that `tabgan.constraints.discover` finds in the real table.

    Returns
    -------
    DataFrame
        One row for each rule, the most broken first. Columns: "rule", the constraint as text;
        "broken", number of synthetic rows that break the rule; "share", their share of the rows in
        which no column of the rule is missing. Rules that cannot be applied to the synthetic table,
        because its values are of another kind, are left out.

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If a constraint names a column that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Inequality
    >>> from tabgan.evaluation import broken_rules
    >>> real = pd.DataFrame({"low": [1, 2, 3, 4], "high": [2, 4, 6, 8]})
    >>> synthetic = real.assign(low=[1, 5, 3, 9])
    >>> broken_rules(real, synthetic, constraints=[Inequality("low", "high")])
                              rule  broken  share
    0  Inequality('low', 'high')       2    0.5
    """
    check("constraints", constraints, CONSTRAINTS)
    known, made = read_frame(real, "real"), read_frame(synthetic, "synthetic")
    rules = list(constraints) if constraints is not None else None
    if rules is None:
        rules = discover(known, max_rows=MAX_ROWS)["rule"].tolist()
    rows = []
    for rule in rules:
        rule.check_table(known)
        try:
            broken = int(rule.learn(known).broken(made).sum())
        except (TypeError, ValueError):
            continue
        names = list(rule.names)
        n_rows = int(made[names].notna().all(axis=1).sum()) if names else len(made)
        rows.append({"rule": str(rule), "broken": broken, "share": broken / max(1, n_rows)})
    table = pd.DataFrame(rows, columns=["rule", "broken", "share"])
    return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def unseen_pairs(
    real: Table, synthetic: Table, *, categorical_features: Sequence[Hashable] | None = None
) -> float:
    """Compute the share of pairs of categories in synthetic rows that the real table never has.

    For each pair of categorical columns, counted are the synthetic rows whose two categories never
    occur together in the real table. Missing values count as a category.

    Parameters
    ----------
    real, synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        Two tables with the same columns.
    categorical_features : sequence of column labels, optional
        Columns that are categories although they hold numbers or dates.

    Returns
    -------
    float
        In [0, 1], the mean over pairs of columns; NaN with fewer than two categorical columns.

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns or no rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.evaluation import unseen_pairs
    >>> real = pd.DataFrame({"make": ["Fiat", "Ford"], "model": ["Uno", "Focus"]})
    >>> unseen_pairs(real, real.assign(model=["Uno", "Uno"]))
    0.5
    """
    tables = {"real": read_frame(real, "real"), "synthetic": read_frame(synthetic, "synthetic")}
    columns = align_columns(tables, categorical_features=categorical_features)
    categories = [column for column in columns if column.kind == "category"]
    shares = []
    for i, one in enumerate(categories):
        for other in categories[:i]:
            width = len(other.labels) + 1
            seen, made = (
                (a + 1) * width + b + 1 for a, b in zip(one.values, other.values, strict=True)
            )
            shares.append(1.0 - float(np.isin(made, np.unique(seen)).mean()))
    return float(np.mean(shares)) if shares else float("nan")
