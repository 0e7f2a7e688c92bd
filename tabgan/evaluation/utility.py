"""How useful a synthetic table is: train on it, score on real rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.metrics import r2_score, roc_auc_score, root_mean_squared_error
from sklearn.utils import check_random_state

from tabgan.evaluation.columns import Column, Table, align_columns, check_target
from tabgan.evaluation.learners import Task, build_learner

_MOST_INTEGER_CLASSES = 10
_MOST_CLASSES = 100

Floats = npt.NDArray[np.float64]


def train_on_synthetic(
    synthetic: Table,
    test: Table,
    target: Hashable,
    *,
    estimator: str | BaseEstimator = "hist",
    train: Table | None = None,
    task: Literal["auto", "classification", "regression"] = "auto",
    target_transform: Callable[[Floats], Floats] | None = None,
    categorical_features: Sequence[Hashable] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    """Train a learner on synthetic rows and score it on real ones ("TSTR").

    Parameters
    ----------
    synthetic : DataFrame or ndarray of shape (n_rows, n_columns)
        The rows to learn from.
    test : DataFrame or ndarray of shape (n_rows, n_columns)
        Real rows the synthesizer has not seen.
    target : hashable
        The column to predict from all others. Rows that lack it are left out.
    estimator : {"hist", "xgboost"} or scikit-learn estimator, default="hist"
        "hist" is scikit-learn's histogram gradient boosting, "xgboost" XGBoost with default
        parameters on one-hot categories (extra ``xgboost``). A classifier of your own needs
        ``predict_proba``.
    train : DataFrame or ndarray of shape (n_rows, n_columns), optional
        Real training rows. If given, the same learner is trained on them too, for comparison.
    task : {"auto", "classification", "regression"}, default="auto"
        "auto" is classification for a target that is no number and for one of at most 10 different
        whole numbers, else regression.
    target_transform : callable, ndarray -> ndarray, optional
        Applied to a regression target (float64, without missing values) before training and
        scoring, such as ``numpy.log1p``.
    categorical_features : sequence of column labels, optional
        Columns to pass as categories although they hold numbers or dates.
    random_state : int, RandomState or None, default=0
        Decides the learner's seed.

    Returns
    -------
    DataFrame
        A row "synthetic" and, if `train` is given, a row "real". Classification: column "roc_auc",
        the area under the ROC curve, averaged over one-versus-rest curves of the classes among the
        test rows; in [0, 1], 0.5 for guessing. Regression: columns "rmse" (in units of the
        transformed target) and "r2".

    Raises
    ------
    ValueError
        If `target` is no column, no test row has it, or more than 100 classes would be learnt.

    Warns
    -----
    UserWarning
        If the synthetic rows lack a class, or any row to learn from. What cannot be learnt scores
        as a guess: 0.5, or for regression NaN. A test table of a single class scores NaN.
    """
    if task not in ("auto", "classification", "regression"):
        raise ValueError(f'task must be "auto", "classification" or "regression", got {task!r}.')
    tables: dict[str, Any] = {"test": test, "synthetic": synthetic}
    if train is not None:
        tables["train"] = train
    check_target(tables, target)
    columns = align_columns(tables, categorical_features=categorical_features)
    label = next(column for column in columns if column.name == target)
    if task == "auto":
        task = _task_of(label)
    if task == "classification" and not label.is_category:
        categorical = [*(categorical_features or []), target]
        columns = align_columns(tables, categorical_features=categorical)
        label = next(column for column in columns if column.name == target)
    if task == "regression" and label.is_category:
        raise ValueError(f'target {target!r} holds categories; use task="classification".')

    seed = int(check_random_state(random_state).randint(2**31 - 1))
    inputs = [column for column in columns if column.name != target]
    known = [~missing for missing in label.missing]
    targets = [values[mask] for values, mask in zip(label.values, known, strict=True)]
    if task == "regression" and target_transform is not None:
        targets = [np.asarray(target_transform(values), dtype=np.float64) for values in targets]
    if not known[0].any():
        raise ValueError(f"test has no row with a known {target!r}; there is nothing to score on.")
    if not inputs:
        raise ValueError(f"test has no column besides the target {target!r} to predict it from.")
    scores = {}
    for position, table in enumerate(list(tables)[1:], start=1):
        model, features = build_learner(
            estimator, inputs, task=task, random_state=seed, argument="estimator"
        )
        rows, test_rows = features[position][known[position]], features[0][known[0]]
        score = _class_scores if task == "classification" else _amount_scores
        scores["real" if table == "train" else table] = score(
            model, rows, targets[position], test_rows, targets[0], table
        )
    return pd.DataFrame(scores).T


def _task_of(target: Column) -> Task:
    if target.is_category:
        return "classification"
    present = np.concatenate([target.values[0], *target.values[2:]])
    present = np.unique(present[~np.isnan(present)])
    whole = target.kind == "number" and bool(np.all(present == np.rint(present)))
    few = len(present) <= _MOST_INTEGER_CLASSES
    return "classification" if whole and few else "regression"


def _class_scores(
    model: Any,
    rows: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    test_rows: npt.NDArray[np.float32],
    test_labels: npt.NDArray[np.int64],
    table: str,
) -> dict[str, float]:
    learnt, encoded = np.unique(labels, return_inverse=True)
    asked = np.unique(test_labels)
    if len(learnt) > _MOST_CLASSES:
        raise ValueError(
            f"{table} has {len(learnt)} classes of the target, more than the {_MOST_CLASSES} that "
            "can be scored; choose another target or put rare classes together."
        )
    lacking = np.setdiff1d(asked, learnt)
    if len(lacking):
        warnings.warn(
            f"{table} lacks {len(lacking)} of the target's {len(asked)} classes in test; "
            "they score 0.5.",
            stacklevel=3,
        )
    if len(asked) < 2:
        warnings.warn("test has a single class of the target; its score is NaN.", stacklevel=3)
        return {"roc_auc": float("nan")}
    if len(learnt) < 2:
        return {"roc_auc": 0.5}
    probabilities = model.fit(rows, encoded).predict_proba(test_rows)
    areas = [
        roc_auc_score(test_labels == code, probabilities[:, np.searchsorted(learnt, code)])
        for code in np.setdiff1d(asked, lacking)
    ]
    return {"roc_auc": float(np.mean(areas + [0.5] * len(lacking)))}


def _amount_scores(
    model: Any,
    rows: npt.NDArray[np.float32],
    amounts: Floats,
    test_rows: npt.NDArray[np.float32],
    test_amounts: Floats,
    table: str,
) -> dict[str, float]:
    if len(rows) == 0:
        warnings.warn(f"{table} has no row with a known target; its score is NaN.", stacklevel=3)
        return {"rmse": float("nan"), "r2": float("nan")}
    predicted = model.fit(rows, amounts).predict(test_rows)
    return {
        "rmse": float(root_mean_squared_error(test_amounts, predicted)),
        "r2": float(r2_score(test_amounts, predicted)) if len(test_amounts) > 1 else float("nan"),
    }
