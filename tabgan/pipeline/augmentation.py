"""Augmentation of one table: its rows, followed by synthetic rows of the same kind."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from tabgan.checks import LABEL, NONE, SEED, ParameterError, Rule, check, integer, listed, short
from tabgan.pipeline.joint import append_frames
from tabgan.pipeline.relabelling import relabel
from tabgan.pipeline.synthesis import (
    MOST_ROWS,
    RATIO,
    SYNTHESIZER,
    count_extra,
    label_conditions,
    seeded_clone,
)
from tabgan.randomness import draw_seed
from tabgan.table.format import TableFormat, is_frame, read_table

_RULES: Mapping[str, Rule] = {
    "n": NONE | integer(0, MOST_ROWS),
    "ratio": NONE | RATIO,
    "balance": NONE | LABEL,
    "model": SYNTHESIZER,
    "target": NONE | LABEL,
    "weight_column": NONE | LABEL,
    "origin_column": NONE | LABEL,
    "random_state": SEED,
}

_ORIGINS = ("real", "synthetic")


def augment(
    df: Any,
    *,
    n: int | None = None,
    ratio: float | None = None,
    balance: Hashable | None = None,
    model: Any | None = None,
    target: Hashable | None = None,
    weight_column: Hashable | None = None,
    origin_column: Hashable | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Return the rows of a table followed by synthetic rows of the same kind.

    Exactly one of `n`, `ratio` and `balance` says how many synthetic rows there are. The
    synthesizer learns every row of `df`: split off test rows first, or use `AugmentedClassifier`,
    which keeps validation rows away from the synthesizer by itself.

    Parameters
    ----------
    df : DataFrame of shape (n_rows, n_columns)
        The real rows, as a pandas or polars DataFrame or a pyarrow Table; with columns of any
        kinds, missing values included. Not changed.
    n : int, default=None
        Number of synthetic rows, >= 0.
    ratio : float, default=None
        Synthetic rows per real row, >= 0; 0.5 adds half as many rows as there are.
    balance : hashable, default=None
        Label of a column: every value that occurs in the column is brought up to the count of the
        most frequent value. Missing values of the column are neither counted nor added.
    model : synthesizer, default=None
        A synthesizer of this package, or any object with ``fit``, ``sample`` and ``get_params``.
        A synthesizer that is already fitted on these columns is used as it is; any other is cloned
        and the clone is fitted on `df`. None stands for `default_synthesizer`.
    target : hashable, default=None
        Label of a column that a learner will predict. Synthetic rows then get soft labels: teachers
        as in `AugmentedClassifier` and `AugmentedRegressor` learn to predict the column, and their
        mixture, fitted out of fold, labels the synthetic rows. A numeric column of more than 20
        distinct values gets the predicted number. Any other column gets a class that is drawn from
        the predicted probabilities, unless there is a `weight_column`.
    weight_column : hashable, default=None
        Label of a new column of weights, for the ``sample_weight`` of a learner; needs a `target`.
        Real rows have weight 1. A synthetic row stands once for each class of the target, and the
        probabilities of the classes are the weights of these copies, so that there are more rows
        than the amount says.
    origin_column : hashable, default=None
        Label of a new column, the last one, that says of each row whether the row is "real" or
        "synthetic". polars and pyarrow take strings alone.
    random_state : int, RandomState instance or None, default=None
        Seeds the synthesizer and the sampling.

    Returns
    -------
    augmented : DataFrame of shape (n_rows + n_synthetic, n_columns)
        The kind of table that came in; real rows first, with their values and dtypes. A pandas
        DataFrame has a fresh RangeIndex.

    Raises
    ------
    ValueError, TypeError
        An argument is not what it must be; not exactly one amount is given; `balance` is no column
        of the table; `origin_column` is one already.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan import AAESynthesizer, augment
    >>> df = pd.DataFrame({"age": [31, 42, 57, 23], "sick": ["no", "no", "no", "yes"]})
    >>> model = AAESynthesizer(n_steps=5)
    >>> augmented = augment(df, balance="sick", model=model, origin_column="origin", random_state=0)
    >>> augmented["sick"].tolist()
    ['no', 'no', 'no', 'yes', 'yes', 'yes']
    >>> augmented["origin"].value_counts().to_dict()
    {'real': 4, 'synthetic': 2}

    Soft labels, as weights of the copies of a synthetic row:

    >>> df = pd.DataFrame({"age": [31, 42, 57, 23] * 5, "sick": ["no", "yes", "yes", "no"] * 5})
    >>> longer = augment(
    ...     df, n=10, model=model, target="sick", weight_column="weight", random_state=0
    ... )
    >>> round(float(longer["weight"].sum()), 6)
    30.0
    """
    arguments = {
        "n": n,
        "ratio": ratio,
        "balance": balance,
        "model": model,
        "target": target,
        "weight_column": weight_column,
        "origin_column": origin_column,
        "random_state": random_state,
    }
    for name, value in arguments.items():
        check(name, value, _RULES[name])
    amounts = {name: arguments[name] for name in ("n", "ratio", "balance")}
    _check_one_amount(amounts)
    if not is_frame(df):
        raise ParameterError(
            f"df must be a pandas or polars DataFrame or a pyarrow Table, got an object of type "
            f"{type(df).__name__}; wrap arrays and dicts with pandas.DataFrame(...)."
        )
    frame, form = read_table(df, "df")
    _check_columns(frame, {"balance": balance, "target": target})
    _check_new_columns(
        frame, form, {"weight_column": weight_column, "origin_column": origin_column}
    )
    if weight_column is not None and target is None:
        raise ParameterError(
            f"weight_column must be None without a target, got {short(weight_column)}; name the "
            "column that a learner will predict as target."
        )
    conditions = None if balance is None else _balancing_conditions(frame[balance])
    if conditions is not None:
        n_extra = len(conditions)
    elif ratio is not None:
        n_extra = count_extra("ratio", ratio, len(frame))
    else:
        n_extra = int(n or 0)

    rng = check_random_state(random_state)
    augmented, weights = frame, None
    if n_extra > 0:
        model_seed, sample_seed, label_seed = draw_seed(rng), draw_seed(rng), draw_seed(rng)
        is_ready = _is_fitted_on(model, frame)
        fitted: Any = model if is_ready else seeded_clone(model, model_seed).fit(frame)
        if conditions is None:
            synthetic = fitted.sample(n_extra, random_state=sample_seed)
        else:
            synthetic = fitted.sample(random_state=sample_seed, conditions=conditions)
        # A fitted synthesizer gives back the kind of table that it was itself fitted on.
        rows = read_table(synthetic, "the synthetic table")[0]
        if target is not None:
            rows = relabel(frame, rows, target, weight_column, label_seed)
            weights = rows.pop(weight_column) if weight_column is not None else None
        augmented = append_frames(frame, rows)
    n_synthetic = len(augmented) - len(frame)
    augmented = form.restore(augmented)
    if weight_column is not None:
        values = np.ones(len(frame) + n_synthetic)
        values[len(frame) :] = 1.0 if weights is None else weights
        augmented = _with_weights(augmented, form, weight_column, values)
    if origin_column is None:
        return augmented
    origins = np.repeat([0, 1], [len(frame), n_synthetic])
    return _with_origins(augmented, form, origin_column, origins)


def _check_one_amount(amounts: Mapping[str, Any]) -> None:
    given = [f"{name}={short(value)}" for name, value in amounts.items() if value is not None]
    if len(given) != 1:
        raise ParameterError(
            f"Give exactly one of n, ratio and balance, got {', '.join(given) or 'none of them'}."
        )


def _check_columns(frame: pd.DataFrame, known: Mapping[str, Hashable | None]) -> None:
    """Refuse arguments that must name a column and do not."""
    for name, label in known.items():
        if label is not None and label not in list(frame.columns):
            raise ParameterError(
                f"{name} must name a column of the table, got {short(label)}; "
                f"the columns are {listed(list(frame.columns))}."
            )


def _check_new_columns(
    frame: pd.DataFrame, form: TableFormat, new: Mapping[str, Hashable | None]
) -> None:
    """Refuse arguments that must name a new column and do not."""
    taken = list(frame.columns)
    for name, label in new.items():
        if label is None:
            continue
        if label in taken:
            raise ParameterError(
                f"{name} must be a new name, got {short(label)}, a column of the table."
            )
        if form.kind != "pandas" and not isinstance(label, str):
            raise ParameterError(
                f"{name} must be a string in a {form.kind} table, got {short(label)}."
            )
        taken.append(label)


def _balancing_conditions(column: pd.Series) -> pd.DataFrame:
    """Ask for the rows that each value of a column lacks to be as frequent as the top value."""
    counts = column.value_counts(sort=False, dropna=True)
    counts = counts[counts > 0]
    lacking = (counts.max() - counts).to_numpy() if len(counts) else np.zeros(0, dtype=int)
    return label_conditions(column.name, counts.index, lacking.astype(int), column.dtype)


def _is_fitted_on(model: Any | None, frame: pd.DataFrame) -> bool:
    """Say whether a synthesizer is fitted, and on a table of the same columns in their order."""
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError):
        return False
    return list(getattr(model, "feature_names_in_", ())) == list(frame.columns)


def _with_weights(table: Any, form: TableFormat, label: Hashable, values: np.ndarray) -> Any:
    if form.kind == "polars":
        return table.with_columns(sys.modules["polars"].Series(label, values))
    if form.kind.startswith("pyarrow"):
        return table.append_column(label, sys.modules["pyarrow"].array(values))
    table[label] = values
    return table


def _with_origins(table: Any, form: TableFormat, label: Hashable, codes: np.ndarray) -> Any:
    """Add the column of origins; each kind of table has its own categorical dtype for it."""
    if form.kind == "polars":
        polars = sys.modules["polars"]
        values = [_ORIGINS[code] for code in codes]
        return table.with_columns(polars.Series(label, values, dtype=polars.Enum(_ORIGINS)))
    if form.kind.startswith("pyarrow"):
        pyarrow = sys.modules["pyarrow"]
        column = pyarrow.DictionaryArray.from_arrays(codes.astype(np.int8), list(_ORIGINS))
        return table.append_column(label, column)
    table[label] = pd.Categorical.from_codes(codes, categories=list(_ORIGINS))
    return table
