"""How many synthetic rows to add, of which classes, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabgan.pipeline.joint import Target
from tabgan.pipeline.mixture import Mixture
from tabgan.pipeline.synthesis import count_extra, label_conditions

MOST_RATIO, FEW_ROWS = 10, 5000
"""Synthetic rows per real row that "auto" adds, as long as there are no more than so many in all.

On larger tables "auto" adds so many rows, or one for each real row if that is more.
"""


def asked_for(ratio: float | str, target: Target, y: np.ndarray) -> np.ndarray | None:
    """Count the synthetic rows that a ratio asks for.

    Parameters
    ----------
    ratio : float, "level" or "auto"
        As in `AugmentedClassifier`.
    target : Target
    y : ndarray of shape (n_rows,)

    Returns
    -------
    extra : ndarray of shape (n_classes,), ndarray of shape (1,) or None
        Rows of each class, for "level"; rows of any classes, for a number; None for "auto".
    """
    if ratio == "auto":
        return None
    if ratio == "level":
        counts = target.counts(y)
        return np.where(counts > 0, counts.max() - counts, 0)
    return np.array([count_extra("ratio", float(ratio), len(y))])


def enough(
    mixture: Mixture | None, n_rows: int, loss_name: str, obstacle: str
) -> tuple[np.ndarray, str]:
    """Decide how many rows "auto" adds.

    No rows are added if the estimator alone has a lower loss out of fold than the mixture by more
    than one standard error of the mean difference, nor where there is no mixture.

    Parameters
    ----------
    mixture : Mixture or None
        The estimator is the teacher called "estimator", the first one, if it teaches.
    n_rows : int
        Real rows.
    loss_name : str
        What the losses of the mixture are called.
    obstacle : str
        The reason that is returned where there is no mixture.

    Returns
    -------
    extra : ndarray of shape (1,)
    reason : str
    """
    if mixture is None:
        return np.array([0]), obstacle
    n_extra = min(MOST_RATIO * n_rows, max(FEW_ROWS, n_rows))
    mixed = float(np.nanmean(mixture.losses[-1]))
    told = f"out of fold, the {loss_name} of the mixture of teachers is {mixed:.4g}"
    if "estimator" in mixture.teachers:
        alone = float(np.nanmean(mixture.losses[0]))
        told += f", and that of the estimator alone is {alone:.4g}"
        excess = mixture.losses[-1] - mixture.losses[0]
        excess = excess[~np.isnan(excess)]
        if excess.mean() > excess.std() / np.sqrt(len(excess)):
            return np.array([0]), f"No rows were added: {told}."
    return np.array([n_extra]), f"Rows with soft labels were added: {told}."


def draw_rows(synthesizer: Any, target: Target, extra: np.ndarray, seed: int) -> pd.DataFrame:
    """Draw the rows that `asked_for` or `enough` counts.

    Parameters
    ----------
    synthesizer : synthesizer
        Fitted on the joint table.
    target : Target
    extra : ndarray of shape (n_classes,) or (1,)
        Rows of each class, or rows of any classes.
    seed : int

    Returns
    -------
    rows : DataFrame of shape (sum of extra, n_features + 1)
    """
    if len(extra) == 1 or target.classes is None:
        return synthesizer.sample(int(extra.sum()), random_state=seed)
    conditions = label_conditions(target.name, target.classes, extra, target.dtype)
    return synthesizer.sample(random_state=seed, conditions=conditions)
