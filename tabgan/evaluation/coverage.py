"""How much of the real table the synthetic rows reach: β-recall."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from sklearn.utils import check_random_state

from tabgan.evaluation.columns import Table, align_columns
from tabgan.evaluation.neighbours import (
    Floats,
    check_max_rows,
    distances_to_mean,
    draw_rows,
    embed,
    nearest,
    shorter,
)

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

    A real row is covered if a synthetic row is at least as near to it as the nearest other real
    row. Covered rows are counted for 30 levels from 0 to 1, at each of which only the synthetic
    rows nearest to the synthetic table's mean take part, so many that they are the neighbours of
    that share of the real rows. The score is one minus the distance of this curve from the
    diagonal, relative to the area below the diagonal.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray of shape (n_rows, n_columns)
        Two tables with the same columns. The longer one is cut down at random to the length of the
        other: whose rows are more are nearer by chance alone.
    max_rows : int, default=50000
        At most so many rows of each table take part, drawn at random.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.
    random_state : int, RandomState or None, default=0
        Decides the rows drawn.

    Returns
    -------
    float
        In [0, 1]. About 0.5 for fresh rows from the same source; 1 for a copy of the real table,
        so that more than 0.5 speaks of rows drawn nearer to real ones than those are to each
        other; 0 if no real row is covered. NaN if a table has a single row.

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
    - It takes the last one-hot column for a target and leaves it out, so that the last column's
      last category differs less from the others than any other.

    References
    ----------
    .. [1] Alaa et al. (2022), "How Faithful is your Synthetic Data? Sample-level Metrics for
       Evaluating and Auditing Generative Models".
    """
    check_max_rows(max_rows)
    columns = align_columns(
        {"real": real, "synthetic": synthetic}, categorical_features=categorical_features
    )
    rng = check_random_state(random_state)
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
