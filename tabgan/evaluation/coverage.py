"""How much of the real table the synthetic rows reach: β-recall."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from tabgan.checks import SEED, check, integer
from tabgan.evaluation.columns import Table, align_columns
from tabgan.evaluation.neighbours import (
    Floats,
    distances_to_mean,
    draw_rows,
    embed,
    nearest,
    shorter,
)
from tabgan.randomness import own_stream

_N_LEVELS = 30
_LARGEST = 1e300  # twice this is finite
_FARTHEST = 1e6  # ranges of the real column; far enough to be nobody's neighbour


def beta_recall(
    real: Table,
    synthetic: Table,
    *,
    max_rows: int = 50_000,
    categorical_features: Sequence[Hashable] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    """Score by β-recall how much of the real table the synthetic rows reach.

    A real row is covered if its closest synthetic row is at least as near as its closest other real
    row. The covered rows are counted at 30 levels from 0 to 1. At level b, a real row counts only
    if its closest synthetic row is among those near the middle of the synthetic table: within the
    radius, around the synthetic table's mean, that takes in the closest synthetic rows of a share b
    of the real rows. The score is one minus the area between this curve and the diagonal, divided
    by the area below the diagonal.

    Parameters
    ----------
    real, synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        Two tables with the same columns. The longer one is cut down at random to the length of the
        other, because the closest of more rows is nearer by chance alone.
    max_rows : int, default=50000
        At most so many rows of each table take part, drawn at random.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.
    random_state : int, RandomState or None, default=0
        Decides the rows drawn.

    Returns
    -------
    float
        In [0, 1]. About 0.5 for fresh rows from the same source; 1 for a copy of the real table; 0
        if no real row is covered. More than 0.5 means that synthetic rows lie nearer to real rows
        than real rows lie to each other. NaN if a table has a single row.

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns or no rows, or if an argument is out of its range.

    Notes
    -----
    This is the "β-recall" of the papers on TabSyn and TabDiff, called
    ``delta_coverage_beta_naive`` in synthcity's ``AlphaPrecision`` [1]_: Euclidean distances,
    numbers scaled to [0, 1] by the real column's range, categories one-hot. There are four steps
    away from that code:

    - Missing values, which it refuses, are a category of their own among categories; among numbers
      they lie in the middle of the range, and 1 away from all numbers in one more dimension.
    - A category that the real table lacks, which it refuses, is a category like any other.
    - Equal distances count as covered even where rounding makes them differ.
    - That code leaves out the last one-hot column, which it takes for a target. The last category
      of the last column then lies nearer to the others than they lie to each other. Here all
      categories are equally far apart.

    References
    ----------
    .. [1] Alaa et al. (2022), "How Faithful is your Synthetic Data? Sample-level Metrics for
       Evaluating and Auditing Generative Models".

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.evaluation import beta_recall
    >>> real, fresh = np.random.default_rng(0).normal(size=(2, 500, 3))
    >>> 0.4 < beta_recall(real, fresh) < 0.6
    True
    """
    check("max_rows", max_rows, integer(1))
    check("random_state", random_state, SEED)
    columns = align_columns(
        {"real": real, "synthetic": synthetic}, categorical_features=categorical_features
    )
    rng = own_stream(random_state)
    lengths = [len(values) for values in columns[0].values]
    n_rows = min(*lengths, max_rows)
    if n_rows < 2:
        return float("nan")
    chosen = [draw_rows(length, n_rows, rng) for length in lengths]
    real_rows, synthetic_rows = embed(columns, chosen, _place_in_range)
    _, to_real = nearest(real_rows, real_rows, skip_own=True)
    neighbours, to_synthetic = nearest(real_rows, synthetic_rows)
    covered = ~shorter(to_real, to_synthetic)
    from_center = distances_to_mean(synthetic_rows, neighbours)
    levels = np.linspace(0.0, 1.0, _N_LEVELS)
    radii = np.quantile(from_center, levels)
    # How many covered rows lie within each radius.
    shares = np.searchsorted(np.sort(from_center[covered]), radii, side="right") / n_rows
    return 1.0 - float(np.abs(levels - shares).sum() / levels.sum())


def _place_in_range(values: list[Floats]) -> list[Floats]:
    """Scale numbers by the real column's range; see `beta_recall` for missing ones."""
    finite = values[0][np.isfinite(values[0])]
    if len(finite) == 0:
        finite = np.zeros(1)
    low, high = np.clip([finite.min(), finite.max()], -_LARGEST, _LARGEST)
    span = high - low if high > low else 1.0
    placed = []
    for v in values:
        missing = np.isnan(v)
        with np.errstate(over="ignore"):
            scaled = (v - low) / span
        scaled = np.where(missing, 0.5, np.clip(scaled, -_FARTHEST, _FARTHEST))
        # One-hot categories are √2 apart; in our points they are 1 apart.
        placed.append(np.sqrt(0.5) * np.column_stack([scaled, missing]))
    return placed
