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

from tabgan.checks import CALLABLE, LABEL, NONE, SEED, check, choice, listed, short
from tabgan.evaluation.columns import Column, Table, align_columns, check_target
from tabgan.evaluation.learners import LEARNER, Task, build_learner
from tabgan.randomness import draw_seed

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
    """Train a learner on synthetic rows and score it on real rows ("TSTR").

    Parameters
    ----------
    synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        The rows to learn from.
    test : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        Real rows the synthesizer has not seen.
    target : hashable
        The column to predict from all others. Rows that lack it are left out.
    estimator : {"hist", "xgboost"} or scikit-learn estimator, default="hist"
        "hist" is scikit-learn's histogram gradient boosting, "xgboost" XGBoost with default
        parameters on one-hot categories (extra ``xgboost``). Any other classifier needs
        ``predict_proba``.
    train : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns), optional
        Real training rows. If given, the same learner is trained on them too, for comparison.
    task : {"auto", "classification", "regression"}, default="auto"
        "auto" is classification if the target is neither a number nor a date, or has at most 10
        different values that are all whole numbers; otherwise it is regression.
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
    ImportError
        If `estimator` is "xgboost" and XGBoost is not installed.
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns or no rows, if `target` is no column, if no test row
        has it, if more than 100 classes would be learnt, or if an argument is out of its range.

    Warns
    -----
    UserWarning
        If the training rows lack a class of the test rows, which then scores 0.5 as a guess does;
        if no training row has a target to learn a regression from, which then scores NaN; if the
        test rows have a single class, which scores NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from tabgan.evaluation import train_on_synthetic
    >>> x = np.arange(200)
    >>> table = pd.DataFrame({"x": x, "large": x > 99})
    >>> train_on_synthetic(table, table, "large")
               roc_auc
    synthetic      1.0
    """
    check("target", target, LABEL)
    check("estimator", estimator, LEARNER)
    check("task", task, choice("auto", "classification", "regression"))
    check("target_transform", target_transform, NONE | CALLABLE)
    check("random_state", random_state, SEED)
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
        raise ValueError(f'target {short(target)} holds categories; use task="classification".')

    seed = draw_seed(random_state)
    inputs = [column for column in columns if column.name != target]
    known = [~missing for missing in label.missing]
    targets = [values[mask] for values, mask in zip(label.values, known, strict=True)]
    if task == "regression" and target_transform is not None:
        targets = [np.asarray(target_transform(values), dtype=np.float64) for values in targets]
    if not known[0].any():
        raise ValueError(
            f"test has no row with a known {short(target)}; there is nothing to score on."
        )
    if not inputs:
        raise ValueError(
            f"test has no column besides the target {short(target)} to predict it from."
        )
    if task == "classification" and len(set(targets[0])) == 1:
        warnings.warn(
            f"test has a single class of the target, {short(label.labels[targets[0][0]])}: the "
            "area under the ROC curve is NaN. Pass test rows of at least two classes.",
            stacklevel=2,
        )
        return pd.DataFrame({"roc_auc": np.nan}, index=["synthetic", "real"][: len(tables) - 1])
    scores = {}
    for position, table in enumerate(list(tables)[1:], start=1):
        model, features = build_learner(
            estimator, inputs, task=task, random_state=seed, argument="estimator"
        )
        rows, test_rows = features[position][known[position]], features[0][known[0]]
        learnt, asked = targets[position], targets[0]
        if task == "classification":
            score = _class_scores(model, rows, learnt, test_rows, asked, label.labels, table)
        else:
            score = _amount_scores(model, rows, learnt, test_rows, asked, table)
        scores["real" if table == "train" else table] = score
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
    names: Sequence[str],
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
            f"{table} lacks {len(lacking)} of the target's {len(asked)} classes in test, "
            f"{listed(names[code] for code in lacking)}; they score 0.5, as a guess does.",
            stacklevel=3,
        )
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
