"""Functions of columns by name, so that files which hold a formula hold no code."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tabgan.checks import ParameterError, short, suggestion

FORMULAS: dict[str, tuple[Callable[..., Any], int | None]] = {}
"""Functions of one or more Series by name, and how many they take; None for any number."""


def register_formula(name: str, function: Callable[..., Any], n_columns: int | None = None) -> None:
    """Give a function of columns a name by which `Formula` finds the function.

    Files hold the name alone. Register the function again, in the same way, before a file is loaded
    that names it.

    Parameters
    ----------
    name : str
        The name.
    function : callable
        Takes as many Series of shape (n,) as there are columns, none of whose values is missing,
        and returns n values. Each value must follow from its row alone.
    n_columns : int >= 1 or None, default=None
        Number of columns that the function takes; None for any number.

    Raises
    ------
    ValueError
        If the name is that of another function.

    Examples
    --------
    >>> from tabgan.constraints import Formula, register_formula
    >>> register_formula("to_fahrenheit", lambda celsius: celsius * 1.8 + 32, 1)
    >>> rule = Formula("f", "to_fahrenheit", ["c"])
    """
    known = FORMULAS.get(name)
    if known is not None and getattr(known[0], "__code__", known[0]) != getattr(
        function, "__code__", function
    ):
        raise ParameterError(
            f"name must be a new one, got {short(name)}, the name of another function."
        )
    FORMULAS[name] = (function, n_columns)


def check_formula(name: Any, n_columns: int) -> None:
    """Refuse a name that no function has, or a number of columns that the function does not take.

    Raises
    ------
    ParameterError
    """
    if not isinstance(name, str) or name not in FORMULAS:
        hint = suggestion(name, sorted(FORMULAS), most=20) if isinstance(name, str) else ""
        raise ParameterError(
            f"function of Formula must be the name of a function, got {short(name)}; "
            f"{hint} Give a function of your own a name with register_formula."
        )
    takes = FORMULAS[name][1]
    if takes is not None and takes != n_columns:
        raise ParameterError(f"Formula {name!r} takes {takes} columns, got {n_columns}.")


def apply_formula(name: str, columns: Sequence[pd.Series]) -> pd.Series:
    """Compute a formula from columns of n rows, none of whose values is missing.

    Raises
    ------
    ValueError
        No function has the name, or the function does not return n values.
    """
    check_formula(name, len(columns))
    result = FORMULAS[name][0](*columns)
    series = result if isinstance(result, pd.Series) else pd.Series(result)
    if len(series) != len(columns[0]):
        raise ValueError(
            f"Formula {name!r} returned {len(series)} values for {len(columns[0])} rows."
        )
    return series.reset_index(drop=True)


def _register_own() -> None:
    def numbers(values: pd.Series) -> pd.Series:
        return values.astype(np.float64)

    def dates(values: pd.Series) -> Any:
        return pd.to_datetime(values).dt

    own: dict[str, tuple[Callable[..., Any], int | None]] = {
        "copy": (lambda x: x, 1),
        "difference": (lambda x, y: x - y, 2),
        "ratio": (lambda x, y: numbers(x) / numbers(y), 2),
        "absolute": (lambda x: x.abs(), 1),
        "mean": (lambda *x: sum(map(numbers, x)) / len(x), None),
        "minimum": (lambda *x: functools.reduce(np.minimum, x), None),
        "maximum": (lambda *x: functools.reduce(np.maximum, x), None),
        "year": (lambda x: dates(x).year, 1),
        "month": (lambda x: dates(x).month, 1),
        "day": (lambda x: dates(x).day, 1),
        "weekday": (lambda x: dates(x).day_of_week, 1),
        "hour": (lambda x: dates(x).hour, 1),
        "upper": (lambda x: x.astype(object).str.upper(), 1),
        "lower": (lambda x: x.astype(object).str.lower(), 1),
        "length": (lambda x: x.astype(object).str.len(), 1),
    }
    FORMULAS.update(own)


_register_own()
