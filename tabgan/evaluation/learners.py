"""Build a learner by name and the feature matrices that suit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tabgan.checks import ParameterError, Rule, check, having, short
from tabgan.evaluation.columns import Column

Task = Literal["classification", "regression"]

LEARNER = Rule(
    '"hist", "xgboost" or a scikit-learn estimator',
    lambda value: (
        value in ("hist", "xgboost")
        if isinstance(value, str)
        else having("fit", "get_params").accepts(value)
    ),
)
"""What parameters that choose a learner take."""

_MOST_LEVELS = 254  # HistGradientBoosting takes 255 categories a column; one is for the rest.
_MOST_ONE_HOT_COLUMNS = 4096
_FEWEST_VALUES = 20  # in a column; HistGradientBoosting makes no leaf of fewer rows
_LARGEST = 1e30  # sums of such numbers are finite in single precision


class _ManyGaps:
    """Fit although a column has no value, or hardly any.

    scikit-learn's histogram gradient boosting refuses a column without a value, and whether a
    column of very few values has one depends on the rows of a fold. Such columns are set to zero:
    no leaf could be as small as to use them.
    """

    def fit(self, X: npt.NDArray[np.float32], y: Any) -> Any:
        hardly_known = np.count_nonzero(~np.isnan(X), axis=0) < _FEWEST_VALUES
        return super().fit(np.where(hardly_known, np.float32(0.0), X), y)  # type: ignore[misc]


class _Classifier(_ManyGaps, HistGradientBoostingClassifier):
    pass


class _Regressor(_ManyGaps, HistGradientBoostingRegressor):
    pass


def build_learner(
    learner: str | BaseEstimator,
    columns: Sequence[Column],
    *,
    task: Task = "classification",
    random_state: int = 0,
    argument: str = "classifier",
) -> tuple[Any, list[npt.NDArray[np.float32]]]:
    """Return an unfitted learner and one feature matrix for each table.

    Parameters
    ----------
    learner : {"hist", "xgboost"} or scikit-learn estimator
        "hist" is scikit-learn's histogram gradient boosting; it gets categories as categories.
        "xgboost" is XGBoost with default parameters; it gets one-hot categories. Both learn from
        missing values. An estimator is cloned; it gets one-hot categories, the median of all tables
        in the place of missing numbers, and one more column that tells where numbers were missing.
    columns : sequence of Column
        The features. Categories beyond a column's 254 most frequent ones become one category
        (beyond fewer when very many columns have to be one-hot encoded).
    task : {"classification", "regression"}
        What a learner given by name is for.
    random_state : int
        The seed of a learner given by name.
    argument : str
        What error messages call `learner`.

    Returns
    -------
    learner : scikit-learn estimator
    features : list of ndarray of shape (n_rows, n_features), float32

    Raises
    ------
    ImportError
        If `learner` is "xgboost" and XGBoost is not installed.
    ValueError
        If `learner` is no learner, or a classifier without `predict_proba`.
    """
    check(argument, learner, LEARNER)
    if learner == "hist":
        categorical = [column.is_category for column in columns]
        boosting = _Classifier if task == "classification" else _Regressor
        model = boosting(categorical_features=categorical, random_state=random_state)
        return model, _as_codes(columns)
    if learner == "xgboost":
        return _xgboost(task, random_state), _as_one_hot(columns, fill_missing=False)
    if task == "classification" and not hasattr(learner, "predict_proba"):
        raise ParameterError(f"{argument} must have a predict_proba method, got {short(learner)}.")
    return clone(learner), _as_one_hot(columns, fill_missing=True)


def _xgboost(task: Task, random_state: int) -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise ImportError(
            'The "xgboost" learner needs xgboost; '
            "install it with: pip install 'sklearn-tabgan[xgboost]'."
        ) from error
    model = xgboost.XGBClassifier if task == "classification" else xgboost.XGBRegressor
    return model(random_state=random_state)


def _as_codes(columns: Sequence[Column]) -> list[npt.NDArray[np.float32]]:
    by_column = [_levels(c, _MOST_LEVELS) if c.is_category else _numbers(c) for c in columns]
    return [np.column_stack(table) for table in zip(*by_column, strict=True)]


def _as_one_hot(columns: Sequence[Column], *, fill_missing: bool) -> list[npt.NDArray[np.float32]]:
    n_categorical = sum(column.is_category for column in columns)
    most = int(np.clip(_MOST_ONE_HOT_COLUMNS // max(n_categorical, 1), 2, _MOST_LEVELS))
    by_column: list[list[npt.NDArray[np.float32]]] = []
    for column in columns:
        if column.is_category:
            levels = _levels(column, most)
            n_levels = int(max(np.nanmax(v, initial=0) for v in levels)) + 1
            grid = np.arange(n_levels, dtype=np.float32)
            by_column.append([(v[:, None] == grid).astype(np.float32) for v in levels])
            continue
        numbers = _numbers(column)
        if fill_missing:
            missing = [np.isnan(v).astype(np.float32) for v in numbers]
            if any(mask.any() for mask in missing):
                by_column.append(missing)
                pooled = np.concatenate(numbers)
                middle = 0.0 if np.isnan(pooled).all() else float(np.nanmedian(pooled))
                numbers = [np.nan_to_num(v, nan=middle) for v in numbers]
        by_column.append(numbers)
    return [np.column_stack(table) for table in zip(*by_column, strict=True)]


def _levels(column: Column, most: int) -> list[npt.NDArray[np.float32]]:
    """Return the codes of the `most` most frequent categories; the others share one more."""
    n_labels = len(column.labels)
    if n_labels <= most:
        level_of = np.arange(n_labels, dtype=np.float32)
    else:
        pooled = np.concatenate(column.values)
        counts = np.bincount(pooled[pooled >= 0], minlength=n_labels)
        level_of = np.full(n_labels, most, dtype=np.float32)
        level_of[np.argsort(-counts, kind="stable")[:most]] = np.arange(most)
    with_missing = np.append(level_of, np.float32(np.nan))  # the code -1 picks the last entry
    return [with_missing[codes] for codes in column.values]


def _numbers(column: Column) -> list[npt.NDArray[np.float32]]:
    offset = 0.0
    if column.kind == "datetime":
        # Microseconds since 1970 do not fit 32 bits; since the first date, they nearly do.
        pooled = np.concatenate(column.values)
        offset = 0.0 if np.isnan(pooled).all() else np.nanmin(pooled)
    return [np.clip(v - offset, -_LARGEST, _LARGEST).astype(np.float32) for v in column.values]
