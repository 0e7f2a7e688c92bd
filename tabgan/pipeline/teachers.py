"""Teachers, which label synthetic rows: the default ones, and the table that the default ones see.

Default teachers see plain columns alone: numbers, and texts that are categories. They are three
families of learners whose errors differ: linear models, averaged trees and boosted trees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from tabgan.checks import ParameterError
from tabgan.pipeline.fitting import weight_parameter
from tabgan.pipeline.joint import Features, as_given, column_names
from tabgan.pipeline.mixture import Teacher
from tabgan.randomness import draw_seed
from tabgan.table.format import TableFormat

MOST_CATEGORIES = 32
"""Categories of a column that default teachers tell apart; the rarer ones share one more."""

LARGEST = 1e30
"""Numbers beyond this size are cut, so that their squares are finite."""

_NUMBERS = make_column_selector(dtype_include="number")
_TEXTS = make_column_selector(dtype_exclude="number")


def plain_columns(X: Features) -> pd.DataFrame:
    """Turn columns of any kinds into float64 numbers and texts.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_rows, n_features)
        Not changed.

    Returns
    -------
    plain : DataFrame of shape (n_rows, n_features)
        With the labels of `column_names`. Numbers and booleans as float64, NaN where missing. Dates
        and durations as seconds. All else as texts, with a text of its own for missing values.
    """
    labels = column_names(X)
    table = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
    columns = [_plain(table.iloc[:, position]) for position in range(len(labels))]
    return pd.DataFrame(dict(zip(labels, columns, strict=True)), index=table.index)


def _plain(column: pd.Series) -> pd.Series:
    if types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds()
    if types.is_datetime64_any_dtype(column.dtype):
        naive = column if column.dt.tz is None else column.dt.tz_convert(None)
        return (naive - pd.Timestamp(0)).dt.total_seconds()
    if types.is_numeric_dtype(column.dtype) or types.is_bool_dtype(column.dtype):
        if not isinstance(column.dtype, pd.CategoricalDtype):
            return column.astype("Float64").astype(np.float64).clip(-LARGEST, LARGEST)
    return column.astype(object).map(_text).astype(object)


def _text(value: Any) -> str:
    return "missing" if pd.api.types.is_scalar(value) and pd.isna(value) else f"value {value}"


def collect_teachers(
    estimator: Any,
    given: Sequence[Any] | None,
    n_rows: int,
    is_classifier: bool,
    seed: int,
    fit_params: Mapping[str, Any],
    form: TableFormat | None,
) -> dict[str, Teacher]:
    """List the teachers of an estimator, the estimator itself first if it can teach.

    Parameters
    ----------
    estimator : estimator
        A classifier without ``predict_proba`` does not teach.
    given : sequence of estimator or None
        None stands for `default_teachers`.
    n_rows : int
        Training rows.
    is_classifier : bool
    seed : int
        Seeds the default teachers.
    fit_params : mapping
        Passed to the estimator's ``fit``. Weights among these go to all teachers that take weights.
    form : TableFormat or None
        The kind of table that estimator and given teachers take; None for features as they are.

    Returns
    -------
    teachers : dict of str to Teacher

    Raises
    ------
    ParameterError
        There is no teacher.
    """

    def as_user_gave(X: Features) -> Any:
        return as_given(X, form)

    teachers = {}
    if not is_classifier or hasattr(estimator, "predict_proba"):
        teachers["estimator"] = Teacher(estimator, as_user_gave, fit_params)
    if given is None:
        models, see = default_teachers(is_classifier, n_rows, seed), plain_columns
    else:
        models = {f"teacher {position}": model for position, model in enumerate(given)}
        see = as_user_gave
    weights = [
        value
        for name, value in fit_params.items()
        if name.endswith("sample_weight") and value is not None
    ]
    for name, model in models.items():
        takes = weight_parameter(model)
        params = {takes: weights[0]} if weights and takes is not None else {}
        teachers[name] = Teacher(model, see, params)
    if not teachers:
        raise ParameterError(
            "teachers must hold at least one classifier with predict_proba where the estimator "
            "has none, got ()."
        )
    return teachers


def default_teachers(is_classifier: bool, n_rows: int, seed: int) -> dict[str, Any]:
    """Build the default teachers.

    Parameters
    ----------
    is_classifier : bool
        Whether the teachers predict classes, or numbers.
    n_rows : int
        Number of training rows. Leaves of the boosted trees grow with it.
    seed : int
        Seeds the teachers.

    Returns
    -------
    teachers : dict of str to estimator
        Unfitted, by name. The teachers take tables of `plain_columns`.
    """
    rng = np.random.RandomState(seed)
    seeds = [draw_seed(rng) for _ in range(3)]
    forest = {"n_estimators": 100, "min_samples_leaf": 2}
    boosting = {
        "learning_rate": 0.05,
        "max_leaf_nodes": 8,
        "min_samples_leaf": int(np.clip(n_rows // 30, 3, 20)),
        "early_stopping": False,
        "random_state": seeds[2],
    }
    if is_classifier:
        linear: dict[str, Any] = {
            "linear": LogisticRegression(max_iter=300),
            "shrunken linear": LogisticRegression(C=0.05, max_iter=300),
        }
        trees = RandomForestClassifier(**forest, random_state=seeds[0])
        random_trees = ExtraTreesClassifier(**forest, random_state=seeds[1])
        boosted = HistGradientBoostingClassifier(**boosting)
    else:
        linear = {"linear": RidgeCV(np.logspace(-2, 4, 13))}
        trees = RandomForestRegressor(**forest, random_state=seeds[0])
        random_trees = ExtraTreesRegressor(**forest, random_state=seeds[1])
        boosted = HistGradientBoostingRegressor(**boosting)
    return {
        **{name: make_pipeline(_one_hot(), model) for name, model in linear.items()},
        "random forest": make_pipeline(_ordinal(), trees),
        "extra trees": make_pipeline(_one_hot(), random_trees),
        "boosting": make_pipeline(_ordinal(), boosted),
    }


def _one_hot() -> Any:
    return make_column_transformer(
        (make_pipeline(_imputer(), StandardScaler()), _NUMBERS),
        (
            OneHotEncoder(
                handle_unknown="infrequent_if_exist",
                max_categories=MOST_CATEGORIES,
                sparse_output=False,
            ),
            _TEXTS,
        ),
    )


def _ordinal() -> Any:
    return make_column_transformer(
        (_imputer(), _NUMBERS),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), _TEXTS),
    )


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", keep_empty_features=True)
