"""Folds of training rows, and what a parameter that chooses folds takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from tabgan.checks import NONE, ParameterError, Rule, having, integer, sequence_of, short
from tabgan.pipeline.joint import Features

Fold: TypeAlias = tuple[np.ndarray, np.ndarray]

N_FOLDS = 5
"""Folds where none are given."""

_PAIR = Rule(
    "a pair of sequences",
    lambda value: isinstance(value, Sequence | np.ndarray) and len(value) == 2,
)

FOLDS = replace(
    NONE
    | integer(2)
    | having("split", "get_n_splits")
    | sequence_of(_PAIR, "pairs", least=1)
    | Rule("an iterator", lambda value: isinstance(value, Iterator)),
    description="None, an integer of at least 2, a splitter such as KFold(), or an iterable of "
    "(train, validation) pairs of row numbers",
)
"""What a parameter that chooses folds takes."""


def split_into_folds(
    cv: Any,
    X: Features,
    y: np.ndarray,
    classes: np.ndarray | None,
    seed: int,
    split_params: Mapping[str, Any] | None = None,
) -> tuple[list[Fold], str]:
    """Split rows into folds, or say why that cannot be done.

    Parameters
    ----------
    cv : None, int, splitter or iterable of (train, validation) row numbers
        An integer is the number of shuffled folds, stratified by class, or fewer where a class has
        fewer rows or a fold would have fewer than two. None stands for `N_FOLDS`.
    X : DataFrame or ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    classes : ndarray of shape (n_classes,) or None
        None for a numeric target.
    seed : int
        Seeds the shuffling.
    split_params : mapping, optional
        Passed to the ``split`` of a splitter.

    Returns
    -------
    folds : list of (train, validation) row numbers
        Empty if there is an obstacle.
    obstacle : str
        Why soft labels are not possible; empty if they are.

    Raises
    ------
    ParameterError
        `cv` is an iterable of something else than folds.
    """
    splitter = N_FOLDS if cv is None else cv
    if isinstance(splitter, (int, np.integer)):
        most, obstacle = _most_folds(y, classes)
        if most < 2:
            return [], obstacle
        kind = KFold if classes is None else StratifiedKFold
        splitter = kind(min(splitter, most), shuffle=True, random_state=seed)
    elif not hasattr(splitter, "split"):
        splitter = list(splitter)
        _check_folds(splitter, len(y))
    splitter = check_cv(splitter, y, classifier=classes is not None)
    folds = list(splitter.split(X, y, **(split_params or {})))
    if classes is not None and any(len(np.unique(y[train])) < 2 for train, _ in folds):
        return [], "the training rows of a fold are of one class."
    return folds, ""


def _most_folds(y: np.ndarray, classes: np.ndarray | None) -> tuple[int, str]:
    """Return the most folds that a target allows, and the reason why it allows no more."""
    if classes is None:
        return len(y) // 2, f"soft labels need four rows at least, got {len(y)}."
    counts = np.unique(y, return_counts=True)[1]
    if len(counts) == 1:
        return 0, f"soft labels need two classes at least, got {y[0]!r} alone."
    rarest = counts.argmin()
    return int(counts[rarest]), (
        f"soft labels need two rows of every class at least, and class {classes[rarest]!r} has 1."
    )


def _check_folds(folds: list[Any], n_rows: int) -> None:
    """Refuse folds that are no pairs of row numbers.

    Raises
    ------
    ParameterError
        Names `cv` and the first thing that is no fold.
    """
    for fold in folds or [None]:
        parts = [np.asarray(part) for part in fold] if _PAIR.accepts(fold) else [np.empty(0)] * 2
        if not all(_are_row_numbers(part, n_rows) for part in parts):
            raise ParameterError(
                "cv must give one (train, validation) pair of non-empty sequences of row numbers "
                f"below {n_rows} for each fold, got {'no folds' if fold is None else short(fold)}."
            )


def _are_row_numbers(part: np.ndarray, n_rows: int) -> bool:
    if part.ndim != 1 or part.dtype.kind not in "iub" or not part.size:
        return False
    if part.dtype.kind == "b":
        return len(part) == n_rows
    return bool(part.min() >= -n_rows and part.max() < n_rows)
