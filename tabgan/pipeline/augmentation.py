"""Real rows and more of their kind: augmentation of one table."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from tabgan.pipeline.joint import append_frames
from tabgan.pipeline.synthesis import draw_seed, label_conditions, seeded_clone


def augment(
    df: pd.DataFrame,
    *,
    n: int | None = None,
    ratio: float | None = None,
    balance: Hashable | None = None,
    model: Any | None = None,
    origin_column: Hashable | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame:
    """Return the rows of a table followed by synthetic rows of the same kind.

    Exactly one of `n`, `ratio` and `balance` says how many. Rows made here have seen every row of
    `df`: split off test rows first, or use `AugmentedClassifier`, which does so by itself.

    Parameters
    ----------
    df : DataFrame of shape (n_rows, n_columns)
        The real rows; any kinds of columns, missing values included. Not changed.
    n : int, default=None
        Number of synthetic rows, >= 0.
    ratio : float, default=None
        Synthetic rows per real row, >= 0; 0.5 adds half as many rows as there are.
    balance : hashable, default=None
        Name of a column: every value of it that occurs is brought up to the count of the most
        frequent one. Missing values of that column are neither counted nor added.
    model : synthesizer, default=None
        A synthesizer of this package, or any object with its ``fit`` and ``sample``. One that is
        already fitted on these columns is used as it is, any other is cloned and fitted on `df`.
        None stands for `default_synthesizer`.
    origin_column : hashable, default=None
        Name of a column, added last, that says of each row whether it is "real" or "synthetic".
    random_state : int, RandomState instance or None, default=None
        Seeds the synthesizer and the sampling.

    Returns
    -------
    augmented : DataFrame
        Real rows first, values and dtypes untouched, with a fresh RangeIndex.

    Raises
    ------
    TypeError
        If `df` is not a DataFrame.
    ValueError
        If not exactly one amount is given, or it is out of range, or `balance` is no column of the
        table, or `origin_column` is one.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan import augment
    >>> df = pd.DataFrame({"age": [31, 42, 57, 23], "sick": ["no", "no", "no", "yes"]})
    >>> augment(df, balance="sick")["sick"].value_counts()  # doctest: +SKIP
    sick
    no     3
    yes    3
    Name: count, dtype: int64
    """
    _check_arguments(df, n, ratio, balance, origin_column)
    rng = check_random_state(random_state)
    conditions = None if balance is None else _balancing_conditions(df[balance])
    if conditions is not None:
        n_extra = len(conditions)
    else:
        n_extra = n if n is not None else round(ratio * len(df))  # type: ignore[operator]

    augmented = df.reset_index(drop=True)
    if n_extra > 0:
        model_seed, sample_seed = draw_seed(rng), draw_seed(rng)
        fitted: Any = model if _is_fitted_on(model, df) else seeded_clone(model, model_seed).fit(df)
        if conditions is None:
            synthetic = fitted.sample(n_extra, random_state=sample_seed)
        else:
            synthetic = fitted.sample(random_state=sample_seed, conditions=conditions)
        augmented = append_frames(augmented, synthetic)
    if origin_column is not None:
        origins = pd.Categorical.from_codes(
            np.repeat([0, 1], [len(df), n_extra]), categories=["real", "synthetic"]
        )
        augmented[origin_column] = origins
    return augmented


def _check_arguments(
    df: pd.DataFrame,
    n: int | None,
    ratio: float | None,
    balance: Hashable | None,
    origin_column: Hashable | None,
) -> None:
    if not isinstance(df, pd.DataFrame):
        raise TypeError(
            f"df must be a pandas DataFrame, got {type(df).__name__}; "
            "wrap arrays with pandas.DataFrame(...)."
        )
    given = {
        name: value
        for name, value in {"n": n, "ratio": ratio, "balance": balance}.items()
        if value is not None
    }
    if len(given) != 1:
        told = ", ".join(f"{name}={value!r}" for name, value in given.items()) or "none of them"
        raise ValueError(f"Give exactly one of n, ratio and balance, got {told}.")
    if n is not None and not _is_count(n):
        raise ValueError(f"n must be a non-negative integer, got {n!r}.")
    if ratio is not None and not is_ratio(ratio):
        raise ValueError(f"ratio must be a finite number >= 0, got {ratio!r}.")
    if balance is not None and balance not in df.columns:
        raise ValueError(
            f"balance must name a column of the table, got {balance!r}; "
            f"the columns are {list(df.columns)}."
        )
    if origin_column is not None and origin_column in df.columns:
        raise ValueError(
            f"origin_column must be a new name, got {origin_column!r}, a column of the table."
        )


def is_ratio(value: Any) -> bool:
    """Say whether a value is an amount of rows per real row: a finite number >= 0."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return bool(is_number and np.isfinite(value) and value >= 0)


def _is_count(value: Any) -> bool:
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return bool(is_integer and value >= 0)


def _balancing_conditions(column: pd.Series) -> pd.DataFrame:
    """Ask for what each value of a column lacks to be as frequent as the most frequent one."""
    counts = column.value_counts(sort=False, dropna=True)
    counts = counts[counts > 0]
    lacking = (counts.max() - counts).to_numpy() if len(counts) else np.zeros(0, dtype=int)
    return label_conditions(column.name, counts.index, lacking, column.dtype)


def _is_fitted_on(model: Any | None, df: pd.DataFrame) -> bool:
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError):
        return False
    return list(getattr(model, "feature_names_in_", ())) == list(df.columns)
