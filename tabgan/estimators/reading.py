"""Checks of the data that users pass to estimators, and their conversion into DataFrames."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import _check_feature_names
from torch import Tensor

from tabgan.checks import ParameterError, Rule, check, listed, short
from tabgan.estimators.target import conditions_on_label
from tabgan.notices import warn
from tabgan.table.agreement import check_kinds, unseen_categories
from tabgan.table.chunks import Chunks, read_chunks
from tabgan.table.columns import IdentifierColumn
from tabgan.table.conditions import ANY, condition_frame
from tabgan.table.encoder import Encoder
from tabgan.table.format import TableFormat, is_frame, read_table
from tabgan.table.privacy import privacy_of
from tabgan.table.schema import Schema

MAX_SAMPLES = 2**31 - 1
"""Largest number of rows that one call of `sample` draws."""

N_SAMPLES = Rule(
    "a positive integer",
    lambda value: (
        isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) > 0
    ),
)


def read_fitted(
    estimator: Any, X: Any, anew: bool, *, name: str = "X", form: str = "_format"
) -> pd.DataFrame:
    """Turn a table into a DataFrame with a fresh index, and check the table against the first fit.

    Parameters
    ----------
    estimator : Estimator
        If `anew`, it remembers the table's format and the number and names of the columns.
    X : table of shape (n, d)
        Any kind of table that `tabgan.table.format.read_table` takes.
    anew : bool
        Whether nothing was fitted before.
    name : str, default="X"
        The argument's name in error messages.
    form : str, default="_format"
        The attribute of the estimator that holds the format.

    Returns
    -------
    DataFrame of shape (n, d)

    Raises
    ------
    ValueError
        If there are no rows, no columns, two columns of one name, or other columns than in `fit`.
    TypeError
        If X is not a table.
    """
    frame, given = read_table(X, name, type(estimator).__name__)
    named = frame if is_frame(X) else X
    return _checked(estimator, frame, named, given, anew, name, form)


def read_fitted_chunks(estimator: Any, X: Any, anew: bool) -> Chunks:
    """Open a table that need not fit in memory, and check it against the first fit.

    Parameters
    ----------
    estimator : Estimator
        As for `read_fitted`.
    X : path, dataset or chunks
        See `tabgan.table.chunks.read_chunks`.
    anew : bool
        Whether nothing was fitted before.

    Returns
    -------
    Chunks of shape (n, d)

    Raises
    ------
    ValueError
        As `read_chunks` and `read_fitted` do.
    """
    chunks = read_chunks(X)
    head = _checked(estimator, chunks.head, chunks.head, chunks.format, anew, "X", "_format")
    return chunks if anew else chunks.with_labels(head.columns)


def _checked(
    estimator: Any,
    frame: pd.DataFrame,
    named: Any,
    given: TableFormat,
    anew: bool,
    name: str,
    form: str,
) -> pd.DataFrame:
    """Remember the format and the columns of a table, or check them against those remembered."""
    is_first = form == "_format"
    if is_first:
        _remember_names(estimator, named, given, anew)
    if not anew:
        known: TableFormat = getattr(estimator, form)
        return known.check(frame, given, name, type(estimator).__name__)
    setattr(estimator, form, given)
    estimator._n_rows = len(frame) + (0 if is_first else estimator._n_rows)
    if is_first:
        estimator.n_features_in_ = frame.shape[1]
    return frame


def _remember_names(estimator: Any, X: Any, given: TableFormat, anew: bool) -> None:
    """Set or check `feature_names_in_`, which exists if all labels are strings."""
    if not given.has_labels or all(isinstance(label, str) for label in given.labels):
        _check_feature_names(estimator, X, reset=anew)
    elif anew:
        vars(estimator).pop("feature_names_in_", None)


def read_known(estimator: Any, frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Check the kinds of values in later rows, and look for categories that `fit` did not see.

    Parameters
    ----------
    estimator : Estimator
        Its parameter `handle_unknown` decides what follows from a category that `fit` did not see.
        With a parameter `privacy`, only categories of as many rows as it asks for count.
    frame : DataFrame of shape (n, d)
        It has the columns of the schema, and may have others.
    schema : Schema

    Returns
    -------
    DataFrame of shape (n, d)
        The same frame.

    Raises
    ------
    ValueError
        If a column holds values of another kind than `fit` saw, or if there are unknown categories
        and `handle_unknown` is "error".

    Warns
    -----
    UserWarning
        If there are unknown categories and `handle_unknown` is "warn".
    """
    known = frame[schema.names]
    check_kinds(schema, known)
    if estimator.handle_unknown == "ignore":
        return frame
    # What a model withholds may have been seen by fit; so few rows, of a later table too, say
    # nothing about that.
    privacy = privacy_of(getattr(estimator, "privacy", "none"), estimator._n_rows)
    unseen = unseen_categories(schema, known, 1 if privacy is None else privacy.min_rows)
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


def known_parts(estimator: Any, schema: Schema) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a function that does what `read_known` does, with at most one warning for all parts.

    Parameters
    ----------
    estimator : Estimator
    schema : Schema

    Returns
    -------
    callable, DataFrame -> DataFrame
    """
    has_warned = False

    def read(frame: pd.DataFrame) -> pd.DataFrame:
        nonlocal has_warned
        if not has_warned:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                read_known(estimator, frame, schema)
            for each in caught:
                has_warned = True
                warn(f"{each.message} Further rows are not searched.")
        else:
            check_kinds(schema, frame[schema.names])
        return frame

    return read


def check_n_samples(n_samples: Any) -> None:
    """Raise a ValueError unless `n_samples` is a positive integer of at most `MAX_SAMPLES`."""
    check("n_samples", n_samples, N_SAMPLES)
    if n_samples > MAX_SAMPLES:
        raise ParameterError(
            f"n_samples must be at most {MAX_SAMPLES}, got {short(n_samples)}; "
            "sample several times."
        )


def read_conditions(
    conditions: Any, n_samples: int, schema: Schema, target_name: Hashable | None
) -> pd.DataFrame:
    """Turn conditions of any form into a DataFrame with one row for each row to draw.

    Parameters
    ----------
    conditions : dict, Series, table, list or array
        A list or an array holds labels.
    n_samples : int
        Number of rows to draw, if the conditions do not have rows themselves.
    schema : Schema
        The columns that conditions may name.
    target_name : hashable or None
        The column of the labels that `fit` got, or None if `fit` got no labels.

    Returns
    -------
    DataFrame of shape (n, k)

    Raises
    ------
    ValueError
        If a condition names no column, or if the number of conditions does not fit `n_samples`.
    """
    if is_frame(conditions) and not isinstance(conditions, pd.DataFrame):
        conditions = read_table(conditions, "conditions")[0]
    return condition_frame(conditions_on_label(conditions, target_name), n_samples, schema)


def read_partial(X: Any, column: Hashable, encoder: Encoder) -> Tensor:
    """Encode rows of which some columns, or some cells, are unknown.

    Parameters
    ----------
    X : table of shape (n, k)
        It has some of the encoder's columns; other columns are passed over.
    column : hashable
        The column whose values count as unknown.
    encoder : Encoder
        An encoder without scalars.

    Returns
    -------
    Tensor of shape (n, n_blocks), int64
        Levels; -1 where a value is unknown.

    Raises
    ------
    ValueError
        If X has no rows or none of the columns, if it holds values of another kind than the schema
        says, or if `column` is not among the encoder's columns.
    """
    schema = encoder.schema
    if column not in schema.names:
        raise ParameterError(f"column must be one of {listed(schema.names)}, got {short(column)}.")
    if isinstance(schema[column], IdentifierColumn):
        raise ParameterError(f"column {column!r} is an identifier, of which nothing is learnt.")
    frame, _ = read_table(X, "X")
    names = [name for name in schema.names if name in frame.columns and name != column]
    if not len(frame) or not names:
        raise ParameterError(
            f"X must have rows and at least one of the columns {listed(schema.names)}."
        )
    codes = np.full((len(frame), encoder.layout.n_blocks), -1)
    for name in names:
        values = frame[name]
        is_any = np.zeros(len(values), dtype=bool)
        if values.dtype == object:
            is_any = np.array([value is ANY for value in values])
            values = values.mask(is_any, None).infer_objects()
        check_kinds(schema.select([name]), values.to_frame())
        place = schema.position(name)
        if encoder.blocks[place] >= 0:
            levels = encoder.codecs[place].encode(values).codes
            codes[:, encoder.blocks[place]] = np.where(is_any, -1, levels)
    return torch.from_numpy(codes)
