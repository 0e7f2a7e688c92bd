"""Whether descriptions of columns that were read from a file can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tabgan.checks import short
from tabgan.table.columns import MISSING, CategoricalColumn, Column, IdentifierColumn, NumericColumn
from tabgan.table.dtypes import MARKERS
from tabgan.table.quantiles import QuantileTable

if TYPE_CHECKING:
    from tabgan.table.schema import Schema

MOST_DIGITS = 1000
"""Most digits of an identifier's number, and most decimals of a number."""

TOLERANCE = 1e-6
"""Error up to which shares add up to one."""


class UnsoundError(ValueError):
    """A description that no table has."""


def check_schema(schema: Schema) -> None:
    """Refuse a schema whose columns cannot be described so, or that has one label twice.

    Parameters
    ----------
    schema : Schema
        The fields of its parts are of the types that they are annotated with.

    Raises
    ------
    UnsoundError
        Names the column and what is wrong with it.
    """
    for column in schema.columns:
        check_column(column)
    if not schema.labels.is_unique:
        raise UnsoundError("two columns have one label")


def check_column(column: Column) -> None:
    """Refuse a column that cannot be described so, and one that cannot give values back.

    Raises
    ------
    UnsoundError
        Names the column and what is wrong with it.
    """
    try:
        _check_shared(column)
        if isinstance(column, CategoricalColumn):
            _check_categories(column)
        elif isinstance(column, NumericColumn):
            _check_numbers(column)
        else:
            _check_identifier(column)
    except Exception as error:
        # Whatever values of an odd kind raise, the description is to blame.
        told = str(error) or type(error).__name__
        raise UnsoundError(f"column {short(column.name)}: {told}") from error


def example_rows(schema: Schema) -> pd.DataFrame:
    """Make two rows of a schema: the most frequent categories, the least numbers.

    Parameters
    ----------
    schema : Schema
        At least one column.

    Returns
    -------
    DataFrame of shape (2, d)
    """
    series = []
    for column in schema.columns:
        if isinstance(column, CategoricalColumn):
            series.append(column.series(np.full(2, 0 if column.categories else MISSING)))
        elif isinstance(column, NumericColumn):
            series.append(column.series(np.repeat(column.table.low[:1], 2)))
        else:
            series.append(column.series(np.zeros(2, dtype=bool)))
    frame = pd.concat(series, axis=1, keys=range(len(series)))
    return frame.set_axis(schema.labels, axis=1)


def check_quantiles(table: QuantileTable) -> None:
    """Refuse a table of quantiles whose segments are out of order, or whose mass is not one.

    Raises
    ------
    UnsoundError
    """
    parts = (table.mass, table.low, table.high)
    _demand(all(part.dtype == np.float64 and part.ndim == 1 for part in parts), "its quantiles")
    _demand(all(np.isfinite(part).all() for part in parts), "its quantiles are not finite")
    ordered = (table.low <= table.high).all() and (table.high[:-1] <= table.low[1:]).all()
    _demand(bool(ordered), "its quantiles are out of order")
    _check_shares(table.mass)


def _demand(holds: bool, told: str) -> None:
    if not holds:
        raise UnsoundError(told)


def _check_shares(shares: Any) -> None:
    shares = np.asarray(shares, dtype=np.float64)
    _demand(bool((shares > 0).all()), "a share is not positive")
    _demand(abs(float(shares.sum()) - 1.0) < TOLERANCE, "its shares do not add up to one")


def _check_shared(column: Column) -> None:
    _demand(0.0 <= column.missing_rate <= 1.0, f"its missing rate is {column.missing_rate}")
    _demand(column.marker in MARKERS, f"its marker is {short(column.marker)}")


def _check_categories(column: CategoricalColumn) -> None:
    n = len(column.categories)
    _demand(len(column.frequencies) == n, "it has another number of frequencies than of categories")
    if n:
        _check_shares(column.frequencies)
    codes = np.arange(-1 if column.missing_rate > 0 or not n else 0, n)
    values = column.series(codes)
    _demand(np.array_equal(column.codes(values), codes), "its categories do not come back")


def _check_numbers(column: NumericColumn) -> None:
    check_quantiles(column.table)
    _demand(column.missing_rate < 1.0, "it has no values")
    _demand(column.step >= 1 and column.last >= 0, "its steps are negative")
    end = column.origin + column.step * column.last
    limit = 2**64 if column.origin >= 0 else 2**63
    _demand(-(2**63) <= column.origin and end < limit, "its range is that of no integer")
    if column.decimals is not None:
        _demand(0 <= column.decimals <= MOST_DIGITS, f"it has {column.decimals} decimals")
    low, high = column.ends
    _demand(bool(low <= high), "its range is empty")


def _check_identifier(column: IdentifierColumn) -> None:
    _demand(column.missing_rate < 1.0, "it has no values")
    _demand(0 <= column.digits <= MOST_DIGITS, f"it has {column.digits} digits")
    _demand(max(abs(column.start), abs(column.least)) < 10**MOST_DIGITS, "its numbers are too long")
    _demand(column.step >= 1, "its steps are negative")
    _demand(column.is_number or column.start >= 0, "its first number is negative")
    column.series(np.array([False, column.missing_rate > 0]))
