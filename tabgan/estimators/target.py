"""Labels that `fit` gets beside the table.

Labels are learnt as one more column of the table. That column is not part of the rows that come
back.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

from tabgan.checks import ParameterError, short
from tabgan.table.dtypes import factorize
from tabgan.table.encoder import MAX_DISCRETE_LEVELS
from tabgan.table.inference import kind_of
from tabgan.table.quantiles import ROWS_PER_ATOM


def append_target(
    estimator: Any, table: pd.DataFrame, y: Any, anew: bool, are_known: bool = True
) -> tuple[pd.DataFrame, list[Hashable]]:
    """Append labels to a table as its last column.

    The column is named after the Series, or "target" if labels have no name.
    `estimator._target_name` keeps the name; it is None without labels.

    Parameters
    ----------
    estimator : Estimator
    table : DataFrame of shape (n, d)
    y : array-like of shape (n,) or None
    anew : bool
        Whether nothing was fitted before.
    are_known : bool, default=True
        Whether at least one label must be known. The labels of clusters are all unknown.

    Returns
    -------
    table : DataFrame of shape (n, d) or (n, d + 1)
    names : list
        The name of the label's column, or nothing without labels.

    Raises
    ------
    ValueError
        If the number of labels is not the number of rows, if all labels are missing, or if one fit
        of a model got labels and the next one does not.
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
    """Return the class number of each row; classes that can be sorted have numbers in order.

    Parameters
    ----------
    estimator : Estimator
        Error messages name it.
    table : DataFrame of shape (n, d)
    y : array-like of shape (n,)

    Returns
    -------
    codes : ndarray of shape (n,)
        The class number of each row.
    classes : Index
        ``classes[codes]`` are the labels.

    Raises
    ------
    ValueError
        If there are no labels, if the number of labels is not the number of rows, or if a label is
        missing.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None; "
            "pass the class of each row."
        )
    labels = _labels(y, table)
    codes, classes = factorize(labels, sort=True)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        raise ValueError(f"y has no class in row {row}; leave out rows whose class is missing.")
    return codes, pd.Index(classes)


def are_classes(labels: pd.Series) -> bool:
    """Say whether labels are classes, not amounts.

    Floats, dates and durations are no classes. Integers are if there are few of them: at most
    `MAX_DISCRETE_LEVELS`, and on average in `ROWS_PER_ATOM` rows each.

    Parameters
    ----------
    labels : Series of shape (n,)
    """
    kind = kind_of(labels, labels.name, "y").kind
    is_few = labels.nunique() <= min(MAX_DISCRETE_LEVELS, len(labels) / ROWS_PER_ATOM)
    return kind in ("categorical", "boolean") or (kind == "integer" and is_few)


def refuse_rare_classes(labels: pd.Series, min_rows: int) -> None:
    """Raise a ParameterError if a class of labels has fewer rows than a model may rest on.

    Parameters
    ----------
    labels : Series of shape (n,)
        Classes.
    min_rows : int
    """
    codes, classes = factorize(labels)
    counts = np.bincount(codes[codes >= 0], minlength=len(classes))
    names = classes.tolist()
    rare = [f"{short(names[i])} ({counts[i]} rows)" for i in np.flatnonzero(counts < min_rows)]
    if rare:
        raise ParameterError(
            f"privacy needs {min_rows} rows of each class of y, and there are fewer of "
            f"{', '.join(rare[:5])}{' and others' if rare[5:] else ''}; leave out their rows, join "
            'classes, set min_rows of tabgan.Privacy, or set privacy to "standard", which keeps '
            "labels."
        )


def conditions_on_label(conditions: Any, target_name: Hashable) -> Any:
    """Turn labels alone (an array, a list, a nameless Series) into conditions on their column."""
    if target_name is not None and isinstance(conditions, list | np.ndarray):
        labels = _as_series(conditions)
        return labels.rename(target_name).to_frame()
    if target_name is not None and isinstance(conditions, pd.Series) and conditions.name is None:
        return conditions.rename(target_name)
    return conditions


def _labels(y: Any, table: pd.DataFrame) -> pd.Series:
    """Turn labels into a Series, one label for each row of the table.

    Raises
    ------
    ValueError
        If the number of labels is not the number of rows.
    """
    labels = y if isinstance(y, pd.Series) else _as_series(y)
    if len(labels) != len(table):
        raise ParameterError(
            f"y must have one label for each of the {len(table)} rows of X, got {len(labels)}."
        )
    return labels


def _as_series(y: Any) -> pd.Series:
    array = np.asarray(y)
    if array.dtype.kind == "U" and all(isinstance(value, str) for value in y):
        # NumPy's texts lose NULs at their ends.
        array = np.array(y, dtype=object)
    column = column_or_1d(array, warn=True)
    try:
        return pd.Series(column).infer_objects()
    except UnicodeEncodeError:
        # Arrow, in which pandas holds texts, has no lone surrogates.
        return pd.Series(column, dtype=object)
