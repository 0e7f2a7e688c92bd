"""Labels given to `fit` beside the table: one more column, which is not given back."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

from tabgan.checks import ParameterError


def append_target(
    estimator: Any, table: pd.DataFrame, y: Any, anew: bool, are_known: bool = True
) -> tuple[pd.DataFrame, list[Hashable]]:
    """Put labels beside the table as its last column.

    The column takes the Series' name, or "target"; `estimator._target_name` keeps it, None
    without labels.

    Parameters
    ----------
    estimator : Estimator
    table : DataFrame of shape (n, d)
    y : array-like of shape (n,) or None
    anew : bool
        Whether nothing was fitted before.
    are_known : bool, default=True
        Whether some labels must be known; those of clusters yet to be found are not.

    Returns
    -------
    table : DataFrame of shape (n, d) or (n, d + 1)
    names : list
        The label's name, if there is one.

    Raises
    ------
    ValueError
        Another number of labels than of rows, no label that is not missing, or labels given to one
        fit of a model and left out of the next.
    """
    if not anew and (y is None) != (estimator._target_name is None):
        raise ValueError(
            f"y must be {'left out' if estimator._target_name is None else 'passed'}, "
            "as in the first fit of this model."
        )
    if y is None:
        estimator._target_name = None
        return table, []
    labels = _labels(y, table).reset_index(drop=True)
    if are_known and labels.isna().all():
        raise ParameterError("y has no label that is not missing; leave it out, or pass labels.")
    if anew:
        name = labels.name if labels.name is not None else "target"
        while name in table.columns:
            name = f"{name}_"
        estimator._target_name = name
    labels = labels.rename(estimator._target_name)
    return pd.concat([table, labels], axis=1), [estimator._target_name]


def class_codes(estimator: Any, table: pd.DataFrame, y: Any) -> tuple[NDArray[np.int64], pd.Index]:
    """Give each row the number of its class, in the classes' own order where they have one.

    Parameters
    ----------
    estimator : Estimator
        Named in errors.
    table : DataFrame of shape (n, d)
    y : array-like of shape (n,)

    Returns
    -------
    codes : ndarray of shape (n,)
    classes : Index
        ``classes[codes]`` are the labels.

    Raises
    ------
    ValueError
        No labels, another number of them than of rows, or missing ones.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None; "
            "pass the class of each row."
        )
    labels = _labels(y, table)
    codes, classes = pd.factorize(labels, sort=True)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        raise ValueError(f"y has no class in row {row}; leave out rows whose class is missing.")
    return codes, pd.Index(classes)


def conditions_on_label(conditions: Any, target_name: Hashable) -> Any:
    """Let plain labels, an array or a list, stand for conditions on the label."""
    if target_name is not None and isinstance(conditions, list | np.ndarray):
        labels = _as_series(conditions)
        return labels.rename(target_name).to_frame()
    if target_name is not None and isinstance(conditions, pd.Series) and conditions.name is None:
        return conditions.rename(target_name)
    return conditions


def _labels(y: Any, table: pd.DataFrame) -> pd.Series:
    """Turn labels into a Series of as many rows as the table.

    Raises
    ------
    ValueError
        Another number of labels than of rows.
    """
    labels = y if isinstance(y, pd.Series) else _as_series(y)
    if len(labels) != len(table):
        raise ParameterError(
            f"y must have one label for each of the {len(table)} rows of X, got {len(labels)}."
        )
    return labels


def _as_series(y: Any) -> pd.Series:
    return pd.Series(column_or_1d(np.asarray(y), warn=True)).infer_objects()
