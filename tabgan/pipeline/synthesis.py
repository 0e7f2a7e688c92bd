"""The synthesizer behind a pipeline piece: which one, how seeded, and what it is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from tabgan.checks import NONE, ParameterError, having, number, short
from tabgan.randomness import draw_seed

MOST_ROWS = 2**31 - 1
"""Synthetic rows that one call may ask for; more would not fit into memory."""

SYNTHESIZER = replace(
    NONE | having("fit", "sample", "get_params"),
    description="None or a synthesizer, an object with fit, sample and get_params",
)
"""What every parameter that holds a synthesizer takes; None stands for `default_synthesizer`."""

RATIO = number(0)
"""Synthetic rows per real row."""


def default_synthesizer(random_state: int | np.random.RandomState | None = None) -> Any:
    """Return the synthesizer that is used wherever none is given.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed of the synthesizer.

    Returns
    -------
    synthesizer : AutoregressiveSynthesizer
        Unfitted, with default settings but for `privacy`: its rows go to a learner beside the rows
        that it learnt from, and nothing of these is withheld.

    Examples
    --------
    >>> from tabgan.pipeline import default_synthesizer
    >>> default_synthesizer(random_state=0)
    AutoregressiveSynthesizer(privacy='none', random_state=0)
    """
    from tabgan.models import AutoregressiveSynthesizer

    return AutoregressiveSynthesizer(privacy="none", random_state=random_state)


def count_extra(name: str, ratio: float, n_rows: int) -> int:
    """Count the synthetic rows that a ratio asks for, and refuse a number beyond `MOST_ROWS`.

    Parameters
    ----------
    name : str
        The parameter that holds the ratio; an error names it.
    ratio : float
        Synthetic rows per real row, >= 0.
    n_rows : int
        Real rows.

    Returns
    -------
    n_extra : int
        ``ratio * n_rows``, rounded.

    Raises
    ------
    ParameterError
        If the ratio asks for more than `MOST_ROWS` rows.
    """
    asked = float(ratio) * n_rows
    if not math.isfinite(asked) or asked > MOST_ROWS:
        raise ParameterError(
            f"{name} must ask for at most {MOST_ROWS} synthetic rows, got {short(ratio)} "
            f"for {n_rows} real rows."
        )
    return round(ratio * n_rows)


def seeded_clone(synthesizer: Any | None, seed: int) -> Any:
    """Return an unfitted synthesizer, every ``random_state`` parameter of which is set.

    Parameters
    ----------
    synthesizer : synthesizer or None
        The synthesizer to clone; it is not changed. None stands for `default_synthesizer`.
    seed : int
        Seed from which one seed for each ``random_state`` parameter is drawn.

    Returns
    -------
    synthesizer : synthesizer
        The clone.
    """
    if synthesizer is None:
        return default_synthesizer(seed)
    rng = np.random.RandomState(seed)
    copy = clone(synthesizer)
    names = [
        name
        for name in sorted(copy.get_params(deep=True))
        if name == "random_state" or name.endswith("__random_state")
    ]
    return copy.set_params(**{name: draw_seed(rng) for name in names})


def label_conditions(
    column: Any, labels: Sequence[Any] | pd.Index, counts: np.ndarray, dtype: Any = None
) -> pd.DataFrame:
    """Build conditions that ask for a number of rows of each label.

    Parameters
    ----------
    column : hashable
        Name of the column that holds the labels.
    labels : sequence of length n_labels
        Values of that column.
    counts : ndarray of shape (n_labels,)
        Rows to draw with each label, >= 0.
    dtype : dtype, default=None
        Dtype of the column; None keeps the dtype of `labels`.

    Returns
    -------
    conditions : DataFrame of shape (sum of counts, 1)
        One row per synthetic row, the labels in blocks and in the order given, as
        ``sample(conditions=...)`` takes them.
    """
    values = pd.Series(pd.Index(labels).repeat(counts), dtype=dtype)
    return pd.DataFrame({column: values})
