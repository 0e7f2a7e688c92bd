"""Which columns have to change for the rows of one table to look like those of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold

FEWEST_ROWS, MOST_ROWS = 200, 5_000
"""Rows of each table from which on columns are judged, and most rows that are compared."""

N_ERRORS = 2.0
"""Standard errors by which a change has to make rows harder to tell apart."""


def needed_changes(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    real: NDArray[np.float64],
    seed: int,
) -> NDArray[np.bool_]:
    """Find the columns whose change makes rows harder to tell from real rows.

    Boosted trees learn to tell changed rows from real rows, and the loss on rows that the trees
    have not seen says how hard that is. Columns are set back to what they were, in groups that are
    halved while the loss falls by more than its noise. A column is needed if the loss falls when
    that column alone is set back.

    Parameters
    ----------
    before, after : ndarray of shape (n, d)
        Rows before and after the change, one number for each column; NaN for a missing value.
    real : ndarray of shape (m, d)
        Rows that the changed rows should look like.
    seed : int
        Draws the rows that are compared, and the folds.

    Returns
    -------
    ndarray of shape (d,), bool
        With fewer than `FEWEST_ROWS` rows every column counts as needed.

    Examples
    --------
    Real rows have the second number 5 higher. The change moved the first one too:

    >>> import numpy as np
    >>> from tabgan.generation.needed import needed_changes
    >>> rows = np.random.default_rng(0).normal(size=(600, 2))
    >>> needed_changes(rows[:300], rows[:300] + [0.1, 5.0], rows[300:] + [0.0, 5.0], seed=0)
    array([False,  True])
    """
    n = min(len(before), len(real), MOST_ROWS)
    if n < FEWEST_ROWS:
        return np.ones(before.shape[1], dtype=bool)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(before))[:n]
    before, after = before[chosen], after[chosen].copy()
    real = real[rng.permutation(len(real))[:n]]
    changed = np.flatnonzero(~_equal(before, after).all(axis=0))
    losses = _losses(after, real, seed)
    needed = np.zeros(before.shape[1], dtype=bool)
    groups = [changed] if len(changed) else []
    while groups:
        group = groups.pop()
        trial = after.copy()
        trial[:, group] = before[:, group]
        trial_losses = _losses(trial, real, seed)
        fall = losses - trial_losses
        if fall.mean() <= N_ERRORS * fall.std() / np.sqrt(len(fall)):
            after, losses = trial, trial_losses
        elif len(group) == 1:
            needed[group] = True
        else:
            groups += np.array_split(group, 2)
    return needed


def _equal(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which entries are equal or both missing."""
    return (one == other) | (np.isnan(one) & np.isnan(other))


def _losses(made: NDArray[np.float64], real: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Compute the cross-entropy of each row, made rows first, by trees that have not seen it."""
    rows, is_real = np.concatenate([made, real]), np.repeat([0, 1], [len(made), len(real)])
    losses = np.empty(len(rows))
    for train, test in StratifiedKFold(2, shuffle=True, random_state=seed).split(rows, is_real):
        trees = HistGradientBoostingClassifier(
            max_iter=50, early_stopping=False, random_state=seed
        ).fit(rows[train], is_real[train])
        logits = trees.decision_function(rows[test])
        losses[test] = np.logaddexp(0.0, np.where(is_real[test], -logits, logits))
    return losses
