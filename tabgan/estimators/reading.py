"""What estimators are given, checked and turned into DataFrames."""

from __future__ import annotations

import numbers
from collections.abc import Hashable
from typing import Any

import pandas as pd
from sklearn.utils.validation import _check_feature_names

from tabgan.checks import ParameterError, Rule, check, listed, short
from tabgan.estimators.target import conditions_on_label
from tabgan.notices import warn
from tabgan.table.agreement import check_kinds, unseen_categories
from tabgan.table.conditions import condition_frame
from tabgan.table.format import TableFormat, is_frame, read_table
from tabgan.table.schema import Schema

MAX_SAMPLES = 2**31 - 1
"""Rows that one call makes at most."""

N_SAMPLES = Rule(
    "a positive integer",
    lambda value: (
        isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) > 0
    ),
)


def read_fitted(
    estimator: Any, X: Any, anew: bool, *, name: str = "X", form: str = "_format"
) -> pd.DataFrame:
    """Turn X into a DataFrame with a fresh index, and check it against what was fitted.

    Parameters
    ----------
    estimator : Estimator
        If `anew`, remembers the table's format, number and names of columns.
    X : table of shape (n, d)
        Of any kind that `tabgan.table.format.read_table` takes.
    anew : bool
        Whether nothing was fitted before.
    name : str, default="X"
        How errors name the table.
    form : str, default="_format"
        The attribute that holds the format.

    Returns
    -------
    DataFrame of shape (n, d)

    Raises
    ------
    ValueError
        No rows, no columns, two columns of one name, or other columns than in `fit`.
    TypeError
        X is no table.
    """
    owner = type(estimator).__name__
    frame, given = read_table(X, name, owner)
    is_first = form == "_format"
    if is_first:
        _remember_names(estimator, frame if is_frame(X) else X, given, anew)
    if not anew:
        known: TableFormat = getattr(estimator, form)
        return known.check(frame, given, name, owner)
    setattr(estimator, form, given)
    if is_first:
        estimator.n_features_in_ = frame.shape[1]
    return frame


def _remember_names(estimator: Any, X: Any, given: TableFormat, anew: bool) -> None:
    """Set or check `feature_names_in_`, as scikit-learn does, where all labels are strings."""
    if not given.has_labels or all(isinstance(label, str) for label in given.labels):
        _check_feature_names(estimator, X, reset=anew)
    elif anew:
        vars(estimator).pop("feature_names_in_", None)


def read_known(estimator: Any, frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Check later rows against the schema: kinds of columns, and categories never seen.

    Parameters
    ----------
    estimator : Estimator
        Its `handle_unknown` says what becomes of categories never seen.
    frame : DataFrame of shape (n, d)
        Has the schema's columns, and perhaps others.
    schema : Schema

    Returns
    -------
    DataFrame of shape (n, d)
        The frame, as it is.

    Raises
    ------
    ValueError
        Values of another kind than were learnt, or unknown categories with
        ``handle_unknown="error"``.
    """
    known = frame[schema.names]
    check_kinds(schema, known)
    if estimator.handle_unknown == "ignore":
        return frame
    unseen = unseen_categories(schema, known)
    if unseen:
        told = "; ".join(
            f"column {label!r} has {sum(n for _, n in counts)} values of {len(counts)} categories "
            f"never seen by fit: {listed((value for value, _ in counts), 5)}"
            for label, counts in list(unseen.items())[:5]
        )
        if estimator.handle_unknown == "error":
            raise ValueError(f'{told}; fit anew, or set handle_unknown="ignore".')
        warn(f"{told}. They count as unknown.")
    return frame


def check_n_samples(n_samples: Any) -> None:
    """Raise a ValueError unless so many rows can be made."""
    check("n_samples", n_samples, N_SAMPLES)
    if n_samples > MAX_SAMPLES:
        raise ParameterError(
            f"n_samples must be at most {MAX_SAMPLES}, got {short(n_samples)}; "
            "sample several times."
        )


def read_conditions(
    conditions: Any, n_samples: int, schema: Schema, target_name: Hashable | None
) -> pd.DataFrame:
    """Turn conditions of any form into a DataFrame with a row for each row to make.

    Parameters
    ----------
    conditions : dict, Series, table, list or array
        A list or array holds labels.
    n_samples : int
    schema : Schema
        Columns that may be asked for.
    target_name : hashable or None
        The column of the labels given to `fit`, if there were any.
    """
    if is_frame(conditions) and not isinstance(conditions, pd.DataFrame):
        conditions = read_table(conditions, "conditions")[0]
    return condition_frame(conditions_on_label(conditions, target_name), n_samples, schema)
