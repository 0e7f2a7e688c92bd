"""Conditions as text: ``income=>50K``, ``member=true``, ``age=30..40``, ``joined=2020-01-31``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tabgan.cli.errors import InputError, check_column

if TYPE_CHECKING:
    from tabgan.table.schema import Column, Schema


def parse_conditions(texts: Sequence[str], schema: Schema) -> dict[Any, Any] | None:
    """Turn conditions from texts into values of the kinds that their columns hold.

    Parameters
    ----------
    texts : sequence of str
        Each is ``COLUMN=VALUE`` or, for numbers, dates and durations, also ``COLUMN=LOW..HIGH``
        with both ends included.
    schema : Schema
        The columns of the table that the synthesizer learns.

    Returns
    -------
    conditions : dict or None
        Values and closed intervals by column label, as ``sample(conditions=...)`` takes them;
        None where there are no texts.

    Raises
    ------
    InputError
        A text has no "=", or names an unknown column or a column that has a condition already; or
        its value is not of the column's kind, or never occurs in the training rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.cli.conditions import parse_conditions
    >>> from tabgan.table.schema import Schema
    >>> schema = Schema.infer(pd.DataFrame({"age": [20, 30, 40], "sick": ["no", "yes", "no"]}))
    >>> parse_conditions(["age=20..35", "sick=yes"], schema)
    {'age': Interval(20, 35, closed='both'), 'sick': 'yes'}
    """
    import pandas as pd

    from tabgan.table.conditions import encode_condition
    from tabgan.table.encoder import Encoder

    columns = {str(column.name): column for column in schema.columns}
    conditions: dict[Any, Any] = {}
    for text in texts:
        # A column's name may itself hold an "=", so that every "=" may be the one that separates
        # name and value; the shortest name that is a column's is taken.
        splits = [(text[:i], text[i + 1 :]) for i, letter in enumerate(text) if letter == "="]
        if not splits:
            raise InputError(f"--condition {text}: write it as COLUMN=VALUE.")
        name, value = next((split for split in splits if split[0] in columns), splits[0])
        check_column(name, columns, "--condition")
        column = columns[name]
        if column.name in conditions:
            raise InputError(f"--condition {text}: the column {name!r} has a condition already.")
        try:
            conditions[column.name] = _parse_value(value, column)
            # Sampling would refuse the value too, but only after training.
            asked = pd.Series([conditions[column.name]], dtype=object)
            encode_condition(Encoder(schema.select([column.name])), column.name, asked)
        except ValueError as error:
            reason = str(error).removeprefix("conditions: ")
            raise InputError(f"--condition {text}: {reason}") from error
    return conditions or None


def _parse_value(text: str, column: Column) -> Any:
    """Turn a text into a value or an interval of a column's kind; raise a ValueError if none."""
    import pandas as pd

    from tabgan.checks import suggestion

    if column.kind == "identifier":
        raise ValueError("the column is an identifier, of which nothing is learnt.")
    if column.kind in ("categorical", "boolean"):
        fold = str.casefold if column.kind == "boolean" else str
        values = {fold(str(value)): value for value in column.categories}
        if fold(text) not in values:
            known = [str(value) for value in column.categories]
            raise ValueError(f"there is no such value; {suggestion(text, known)}")
        return values[fold(text)]
    ends = [_parse_amount(end, column) for end in text.split("..")]
    if len(ends) == 1:
        return ends[0]
    if len(ends) > 2 or ends[0] > ends[1]:
        raise ValueError("write an interval as LOW..HIGH.")
    return pd.Interval(*ends, closed="both")


def _parse_amount(text: str, column: Column) -> Any:
    """Turn a text into a number, date or duration; raise a ValueError if it is none."""
    import pandas as pd

    readers: dict[str, Callable[[str], Any]] = {
        "integer": int,
        "float": float,
        "datetime": pd.Timestamp,
        "timedelta": pd.Timedelta,
    }
    try:
        value = readers[column.kind](text)
    except ValueError:
        value = None
    if pd.isna(value):
        raise ValueError(f"{text!r} is not of the column's kind, {column.kind}.")
    zone = getattr(pd.api.types.pandas_dtype(column.dtype), "tz", None)
    return value.tz_localize(zone) if zone and value.tzinfo is None else value
