"""Labels of teachers for the synthetic rows of one table."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
from pandas.api import types

from tabgan.checks import ParameterError, short
from tabgan.pipeline.fitting import copies, draw_labels
from tabgan.pipeline.folds import split_into_folds
from tabgan.pipeline.mixture import Mixture, Teacher, fit_mixture
from tabgan.pipeline.teachers import default_teachers, plain_columns
from tabgan.randomness import draw_seed
from tabgan.table.dtypes import factorize

MOST_NUMERIC_CLASSES = 20
"""A numeric column of no more distinct values than these has classes."""


def relabel(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    target: Hashable,
    weight_column: Hashable | None,
    seed: int,
) -> pd.DataFrame:
    """Replace the labels of synthetic rows by those of a mixture of teachers.

    The teachers are the default ones of `AugmentedClassifier` or `AugmentedRegressor`. They learn
    from the real rows whose label is known.

    Parameters
    ----------
    real : DataFrame of shape (n_rows, n_columns)
    synthetic : DataFrame of shape (n_new, n_columns)
        Not changed.
    target : hashable
        Label of the column that is replaced.
    weight_column : hashable or None
        Label of a new column with weights. None draws one class for each row.
    seed : int
        Seeds folds, teachers and drawing.

    Returns
    -------
    rows : DataFrame of shape (n_new, n_columns), or of more rows and one more column
        With a `weight_column` and a target that has classes, each row stands once for each class,
        and its copies' weights are the probabilities of the classes. A numeric target is the mean
        prediction, a whole number if the column holds such, and its weights are one.

    Raises
    ------
    ParameterError
        The known labels are too few for teachers.
    """
    column = real[target]
    known = column.notna().to_numpy()
    X = real.drop(columns=target)[known].reset_index(drop=True)
    features = synthetic.drop(columns=target)
    is_number = (
        types.is_numeric_dtype(column.dtype)
        and not types.is_bool_dtype(column.dtype)
        and column.nunique() > MOST_NUMERIC_CLASSES
    )
    if is_number:
        mixture = _teach(X, column[known].to_numpy(dtype=np.float64), None, target, seed)
        rows = synthetic.copy()
        predicted = mixture.predict(features)[:, 0]
        is_whole = types.is_integer_dtype(column.dtype)
        rows[target] = predicted.round() if is_whole else predicted
        if weight_column is not None:
            rows[weight_column] = 1.0
        return rows
    codes, labels = factorize(pd.Index(column[known]))
    mixture = _teach(X, codes, np.arange(len(labels)), target, seed)
    probabilities = mixture.predict(features)
    if weight_column is None:
        drawn = draw_labels(probabilities, seed)
        return _with_labels(synthetic, target, labels, drawn)
    index, drawn, shares = copies(probabilities)
    rows = _with_labels(synthetic.iloc[index].reset_index(drop=True), target, labels, drawn)
    rows[weight_column] = shares
    return rows


def _with_labels(
    rows: pd.DataFrame, target: Hashable, labels: pd.Index, codes: np.ndarray
) -> pd.DataFrame:
    changed = rows.copy()
    changed[target] = pd.Series(labels.take(codes), index=rows.index)
    return changed


def _teach(
    X: pd.DataFrame, y: np.ndarray, classes: np.ndarray | None, target: Hashable, seed: int
) -> Mixture:
    rng = np.random.RandomState(seed)
    folds, obstacle = split_into_folds(None, X, y, classes, draw_seed(rng))
    if obstacle:
        raise ParameterError(
            "target must name a column with two rows of each of at least two classes, or with four "
            f"numbers, for teachers to learn from; got {short(target)}."
        )
    models = default_teachers(classes is not None, len(y), draw_seed(rng))
    teachers = {name: Teacher(model, plain_columns, {}) for name, model in models.items()}
    return fit_mixture(teachers, X, y, classes, folds)
