"""Comparing methods over tables: gains, intervals, ranks, and the critical-difference plot.

A table counts once, whatever the number of its sizes, seeds and learners.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, wilcoxon

LEVEL = 0.05


def mean_over_tables(values: pd.Series) -> pd.Series:
    """Average over what a table has first, then over tables; one figure for each method.

    Parameters
    ----------
    values : Series
        With the index levels "method" and "table", among others.
    """
    return values.groupby(["method", "table"], sort=False).mean().groupby("method").mean()


def interval(values: pd.Series, families: pd.Series, n_draws: int = 2000) -> tuple[float, float]:
    """Bootstrap a 95 % interval of a mean over tables.

    Families of tables are drawn with replacement, since tables made from one source are alike.

    Parameters
    ----------
    values : Series of shape (n_tables,)
    families : Series of shape (n_tables,)
        The family of each table.
    """
    sums = values.groupby(families.to_numpy()).agg(["sum", "size"]).to_numpy()
    rng = np.random.default_rng(0)
    drawn = sums[rng.integers(len(sums), size=(n_draws, len(sums)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return float(low), float(high)


def compare_ranks(by_table: pd.DataFrame) -> dict[str, Any]:
    """Rank methods on each table, and test which of them differ.

    Friedman's test asks whether any method differs (Demšar, 2006, "Statistical comparisons of
    classifiers over multiple data sets", section 3.2.2). Pairs are told apart by Wilcoxon's
    signed-rank test with Holm's correction, which unlike Nemenyi's test does not depend on the
    other methods of the comparison (Benavoli, Corani and Mangili, 2016, "Should we really use
    post-hoc tests based on mean-ranks?").

    Parameters
    ----------
    by_table : DataFrame of shape (n_tables, n_methods)
        Larger is better.

    Returns
    -------
    comparison : dict
        "ranks", the mean rank of each method, 1 is best, in order; "friedman_p"; and "cliques", the
        largest groups of methods, neighbours in the order of ranks, no two of which are told apart.
    """
    ranks = by_table.rank(axis=1, ascending=False).mean().sort_values()
    methods = list(ranks.index)
    test = None
    if len(methods) > 2 and len(by_table) > 1:
        p = float(friedmanchisquare(*by_table.to_numpy().T).pvalue)
        test = p if p == p else None
    told_apart = _told_apart(by_table)
    cliques: list[list[str]] = []
    for start in range(len(methods)):
        end = start + 1
        while end < len(methods) and not any(
            frozenset((methods[end], other)) in told_apart for other in methods[start:end]
        ):
            end += 1
        if end - start > 1 and not any(set(methods[start:end]) <= set(c) for c in cliques):
            cliques.append(methods[start:end])
    return {"ranks": ranks.to_dict(), "friedman_p": test, "cliques": cliques}


def _told_apart(by_table: pd.DataFrame) -> set[frozenset[str]]:
    """Return the pairs of columns that Wilcoxon's test with Holm's correction tells apart."""
    found = []
    for a, b in itertools.combinations(by_table.columns, 2):
        difference = (by_table[a] - by_table[b]).to_numpy()
        p = wilcoxon(difference).pvalue if np.any(difference) else 1.0
        found.append((float(p), frozenset((a, b))))
    found.sort(key=lambda each: each[0])
    told_apart = set()
    for place, (p, pair) in enumerate(found):
        if p > LEVEL / (len(found) - place):
            break
        told_apart.add(pair)
    return told_apart


def draw_ranks(comparison: dict[str, Any], ax: Any, title: str) -> None:
    """Draw a critical-difference plot (Demšar, 2006, figure 1): mean ranks, and bars over cliques.

    Methods under one bar are not told apart.

    Parameters
    ----------
    comparison : dict
        From `compare_ranks`.
    ax : matplotlib Axes
    title : str
    """
    ranks = comparison["ranks"]
    methods = list(ranks)
    n_left = (len(methods) + 1) // 2
    cliques = comparison["cliques"]
    first_line = -0.6 - 0.35 * len(cliques)
    low, high = 1, len(methods)
    ax.plot([low, high], [0, 0], color="black", linewidth=1)
    for rank in range(low, high + 1):
        ax.plot([rank, rank], [0, 0.15], color="black", linewidth=1)
        ax.text(rank, 0.25, str(rank), ha="center", va="bottom", fontsize=8)
    for place, method in enumerate(methods):
        is_left = place < n_left
        row = place if is_left else len(methods) - 1 - place
        y = first_line - 0.6 * row
        edge = low - 0.3 if is_left else high + 0.3
        ax.plot([ranks[method]] * 2 + [edge], [0, y, y], color="black", linewidth=0.8)
        ax.text(
            edge + (-0.1 if is_left else 0.1),
            y,
            f"{method}, {ranks[method]:.1f}",
            ha="right" if is_left else "left",
            va="center",
            fontsize=8,
        )
    for place, clique in enumerate(cliques):
        y = -0.35 - 0.35 * place
        ends = [ranks[clique[0]] - 0.05, ranks[clique[-1]] + 0.05]
        ax.plot(ends, [y, y], color="black", linewidth=3, solid_capstyle="butt")
    width = high - low + 1
    ax.set(xlim=(low - 0.7 * width, high + 0.7 * width), ylim=(first_line - 0.6 * n_left, 1.2))
    ax.set_title(title, fontsize=9)
    ax.axis("off")
