"""Whether a later table agrees with a schema: the kinds of its columns, and its categories."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types as ptypes

from tabgan.checks import ParameterError
from tabgan.table.columns import UNKNOWN, CategoricalColumn, Column, IdentifierColumn
from tabgan.table.dtypes import as_objects, factorize
from tabgan.table.inference import kind_of
from tabgan.table.schema import Schema

_OF_KIND = {
    "float": "numbers",
    "integer": "numbers",
    "boolean": "booleans",
    "datetime": "dates",
    "timedelta": "durations",
}
"""What errors call the values of a column of each kind but "categorical"."""

_OF_OBJECTS = {
    "string": "strings",
    "bytes": "bytes",
    "boolean": "booleans",
    "time": "times of day",
    "period": "periods",
    "interval": "intervals",
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal"), "numbers"),
    **dict.fromkeys(("datetime", "datetime64", "date"), "dates"),
    **dict.fromkeys(("timedelta", "timedelta64"), "durations"),
}
"""What errors call objects, by pandas' name for what they have in common."""


def check_kinds(schema: Schema, frame: pd.DataFrame, name: str = "X") -> None:
    """Refuse a later table in which a column is of another kind than in the table learnt.

    Dtypes may differ: integers are numbers as floats are, and objects are what they hold. Booleans
    and the numbers 0 and 1 are equal in Python, and either stands for the other. Any kind agrees
    with a column that is missing throughout, then or now, and with an identifier, of which nothing
    is learnt.

    Parameters
    ----------
    schema : Schema
    frame : DataFrame of shape (n, d)
        With the schema's columns in the schema's order.
    name : str, default="X"
        How the error names the table.

    Raises
    ------
    ParameterError
        The first column of another kind. The error is a TypeError and a ValueError.
    """
    for i, column in enumerate(schema.columns):
        learnt = _kind_learnt(column)
        given = _kind_given(frame.iloc[:, i], name)
        if learnt is None or given is None or learnt == given:
            continue
        if {learnt, given} == {"booleans", "numbers"} and (
            given == "booleans" or frame.iloc[:, i].dropna().isin([0, 1]).all()
        ):
            continue
        raise ParameterError(
            f"column {column.name!r} of {name} held {learnt} when the model was fitted, and now "
            f"holds {given}; pass a column of the same kind."
        )


def unseen_categories(
    schema: Schema, frame: pd.DataFrame, min_rows: int = 1
) -> dict[Hashable, list[tuple[Any, int]]]:
    """Count the categories of a later table that the schema does not know.

    Parameters
    ----------
    schema : Schema
    frame : DataFrame of shape (n, d)
        With the schema's columns in the schema's order.
    min_rows : int, default=1
        Categories of fewer rows are passed over.

    Returns
    -------
    dict
        For each categorical column that has any, its unknown categories with the number of rows
        that hold them, the most frequent first. Missing values are no categories.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.table.agreement import unseen_categories
    >>> from tabgan.table.schema import Schema
    >>> schema = Schema.infer(pd.DataFrame({"colour": ["red", "blue"]}))
    >>> unseen_categories(schema, pd.DataFrame({"colour": ["red", "green", "green"]}))
    {'colour': [('green', 2)]}
    """
    unseen: dict[Hashable, list[tuple[Any, int]]] = {}
    for i, column in enumerate(schema.columns):
        if isinstance(column, CategoricalColumn):
            values = frame.iloc[:, i]
            is_unseen = column.codes(values) == UNKNOWN
            if is_unseen.any():
                codes, distinct = factorize(values[is_unseen].astype(object).to_numpy())
                counts = np.bincount(codes)
                order = np.argsort(-counts, kind="stable")
                told = [(distinct[j], int(counts[j])) for j in order if counts[j] >= min_rows]
                unseen |= {column.name: told} if told else {}
    return unseen


def _kind_learnt(column: Column) -> str | None:
    """Say what a column held in training; None if any kind agrees with that."""
    if isinstance(column, IdentifierColumn):
        return None
    if column.kind != "categorical":
        return _OF_KIND[column.kind]
    categories = ptypes.infer_dtype(as_objects(column.categories), skipna=False)
    return _OF_OBJECTS.get(categories)


def _kind_given(values: pd.Series, name: str) -> str | None:
    """Say what a column holds; None for nothing, or for objects that have no kind in common."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        # The categories that occur say what the values are, and are few.
        values = pd.Series(values.cat.remove_unused_categories().cat.categories)
    if values.isna().all():
        return None
    if isinstance(values.dtype, pd.StringDtype):
        return "strings"
    if not ptypes.is_object_dtype(values.dtype):
        kind = kind_of(values, values.name, name).kind
        if kind != "categorical":
            return _OF_KIND[kind]
    return _OF_OBJECTS.get(ptypes.infer_dtype(values.astype(object), skipna=True))
