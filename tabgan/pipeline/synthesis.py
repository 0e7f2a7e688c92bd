"""The synthesizer behind a pipeline piece: which one, how seeded, and what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

_LARGEST_SEED = np.iinfo(np.int32).max


def default_synthesizer(random_state: int | np.random.RandomState | None = None) -> Any:
    """Return the synthesizer used wherever none is given.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed of the synthesizer.

    Returns
    -------
    synthesizer : AutoregressiveSynthesizer
        Unfitted, with default settings.
    """
    from tabgan.models import AutoregressiveSynthesizer

    return AutoregressiveSynthesizer(random_state=random_state)


def draw_seed(rng: np.random.RandomState) -> int:
    """Draw a seed for a part of the work, so that parts may run in any order or process."""
    return int(rng.randint(_LARGEST_SEED))


def seeded_clone(synthesizer: Any | None, seed: int) -> Any:
    """Return an unfitted synthesizer, every ``random_state`` parameter of which is set.

    Parameters
    ----------
    synthesizer : synthesizer or None
        What to clone; None stands for `default_synthesizer`.
    seed : int
        Source of the seeds.

    Returns
    -------
    synthesizer : synthesizer
        A clone; the one given is left alone.
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
    """Ask for so many rows of each label.

    Parameters
    ----------
    column : hashable
        Name of the column that holds the labels.
    labels : sequence of length n_labels
        What the column is to be.
    counts : ndarray of shape (n_labels,)
        Rows wanted of each label, >= 0.
    dtype : dtype, default=None
        Of the column; None keeps that of `labels`.

    Returns
    -------
    conditions : DataFrame of shape (sum of counts, 1)
        The labels in blocks, in the order given, as ``sample(conditions=...)`` takes them.
    """
    wanted = pd.Series(pd.Index(labels).repeat(counts), dtype=dtype)
    return pd.DataFrame({column: wanted})
