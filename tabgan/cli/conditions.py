"""Conditions as text: ``income=>50K``, ``member=true``, ``age=30..40``, ``colour=red|blue``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgan.cli.errors import InputError, check_column

if TYPE_CHECKING:
    import pandas as pd

    from tabgan.table.schema import Column, Schema

MISSING, SOMETHING = "<missing>", "<present>"
"""Texts that ask for a missing value, and for any value that is not missing."""


def parse_conditions(texts: Sequence[str], schema: Schema) -> dict[Any, Any] | None:
    """Turn conditions from texts into values of the kinds that their columns hold.

    Parameters
    ----------
    texts : sequence of str
        Each is ``COLUMN=VALUE``. For numbers, dates and durations a value may also be
        ``LOW..HIGH``, ``LOW..`` or ``..HIGH`` with the ends included. ``<missing>`` asks for a
        missing value and ``<present>`` for one that is not missing. ``A|B`` asks for A or B.
    schema : Schema
        The columns of the table that the synthesizer learns.

    Returns
    -------
    conditions : dict or None
        Conditions by column label, as ``sample(conditions=...)`` takes them; None where there are
        no texts.

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
    >>> parse_conditions(["age=20|30.."], schema)
    {'age': [20, Interval(30, 40, closed='both')]}
    """
    columns = {str(column.name): column for column in schema.columns}
    conditions: dict[Any, Any] = {}
    for text in texts:
        column, value = _split(text, columns, "--condition", "COLUMN=VALUE")
        if column.name in conditions:
            name = str(column.name)
            raise InputError(f"--condition {text}: the column {name!r} has a condition already.")
        conditions[column.name] = _parse_cell(value, column, schema, f"--condition {text}")
    return conditions or None


def parse_rates(texts: Sequence[str], schema: Schema) -> dict[Any, dict[Any, float]] | None:
    """Turn rates from texts into what ``sample(rates=...)`` takes.

    Parameters
    ----------
    texts : sequence of str
        Each is ``COLUMN=VALUE:RATE``, with one value or interval and a rate in [0, 1].
    schema : Schema

    Returns
    -------
    dict or None
        Rates of conditions by column label; None where there are no texts.

    Raises
    ------
    InputError
        As of `parse_conditions`, or the rate is no number in [0, 1].

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.cli.conditions import parse_rates
    >>> from tabgan.table.schema import Schema
    >>> schema = Schema.infer(pd.DataFrame({"age": [20, 30, 40], "sick": ["no", "yes", "no"]}))
    >>> parse_rates(["sick=yes:0.5"], schema)
    {'sick': {'yes': 0.5}}
    """
    columns = {str(column.name): column for column in schema.columns}
    rates: dict[Any, dict[Any, float]] = {}
    for text in texts:
        column, rest = _split(text, columns, "--rates", "COLUMN=VALUE:RATE")
        value, colon, share = rest.rpartition(":")
        try:
            rate = float(share)
        except ValueError:
            rate = -1.0
        if not colon or not 0 <= rate <= 1:
            raise InputError(f"--rates {text}: write it as COLUMN=VALUE:RATE, a rate from 0 to 1.")
        asked = _parse_cell(value, column, schema, f"--rates {text}")
        if isinstance(asked, list):
            raise InputError(f"--rates {text}: give each value a rate of its own.")
        rates.setdefault(column.name, {})[asked] = rate
    return rates or None


def read_conditions(path: Path, schema: Schema) -> pd.DataFrame:
    """Read a CSV file of conditions, one row for each row to write.

    Parameters
    ----------
    path : Path
        A table whose header names columns. A cell is written as the value of ``--condition``; an
        empty cell asks for nothing.
    schema : Schema

    Returns
    -------
    DataFrame of shape (n, k), dtype object

    Raises
    ------
    InputError
        The file cannot be read, names an unknown column, has no rows, or holds a cell that is no
        condition.
    """
    import pandas as pd

    from tabgan.table.conditions import ANY
    from tabgan.table.dtypes import as_objects

    try:
        texts = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(f"--conditions {path}: {error}") from error
    if not len(texts):
        raise InputError(f"--conditions {path}: it has no rows.")
    columns = {str(column.name): column for column in schema.columns}
    asked = {}
    for name in texts:
        check_column(str(name), columns, f"--conditions {path}:")
        column = columns[str(name)]
        cells = {"": ANY}
        for text in texts[name].unique():
            if text:
                told = f"--conditions {path}: {name}={text}"
                cells[text] = _parse_cell(text, column, schema, told)
        values = as_objects(cells[text] for text in texts[name])
        asked[column.name] = pd.Series(values, dtype=object)
    return pd.DataFrame(asked)


def _split(text: str, columns: dict[str, Column], argument: str, form: str) -> tuple[Column, str]:
    """Split a text at the "=" between the name of a column and the rest."""
    # A column's name may itself hold an "=", so that every "=" may be the one that separates name
    # and value; the shortest name that is a column's is taken.
    splits = [(text[:i], text[i + 1 :]) for i, letter in enumerate(text) if letter == "="]
    if not splits:
        raise InputError(f"{argument} {text}: write it as {form}.")
    name, value = next((split for split in splits if split[0] in columns), splits[0])
    check_column(name, columns, argument)
    return columns[name], value


def _parse_cell(text: str, column: Column, schema: Schema, told: str) -> Any:
    """Turn a text into a condition; an InputError begins with what was told."""
    import pandas as pd

    from tabgan.table.conditions import encode_condition
    from tabgan.table.encoder import Encoder

    try:
        value = _parse_value(text, column)
        # Sampling would refuse the value too, but only after training.
        asked = pd.Series([value], dtype=object)
        encode_condition(Encoder(schema.select([column.name])), column.name, asked)
    except ValueError as error:
        reason = str(error).removeprefix("conditions: ")
        raise InputError(f"{told}: {reason}") from error
    return value


def _parse_value(text: str, column: Column) -> Any:
    """Turn a text into a condition of a column's kind; raise a ValueError if it is none."""
    from tabgan.checks import suggestion
    from tabgan.table.conditions import PRESENT

    if column.kind == "identifier":
        raise ValueError("the column is an identifier, of which nothing is learnt.")
    categories: tuple[Any, ...] = getattr(column, "categories", ())
    fold = str.casefold if column.kind == "boolean" else str
    values = {fold(str(value)): value for value in categories}
    # A category may itself be written like a condition.
    if fold(text) in values:
        return values[fold(text)]
    if text in (MISSING, SOMETHING):
        return None if text == MISSING else PRESENT
    if "|" in text:
        return [_parse_value(part, column) for part in text.split("|")]
    if column.kind in ("categorical", "boolean"):
        known = [str(value) for value in categories]
        raise ValueError(f"there is no such value; {suggestion(text, known)}")
    return _parse_range(text, column)


def _parse_range(text: str, column: Any) -> Any:
    """Turn a text into an amount or a closed interval; raise a ValueError if it is none."""
    import pandas as pd

    texts = text.split("..")
    if len(texts) == 1:
        return _parse_amount(text, column)
    if len(texts) > 2 or not any(texts):
        raise ValueError("write an interval as LOW..HIGH.")
    ends = [
        _parse_amount(end, column) if end else own
        for end, own in zip(texts, column.ends, strict=True)
    ]
    if all(texts) and ends[0] > ends[1]:
        raise ValueError("write an interval as LOW..HIGH.")
    if ends[0] > ends[1]:
        low, high = column.ends
        raise ValueError(f"the column lies in [{low}, {high}] in training.")
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
