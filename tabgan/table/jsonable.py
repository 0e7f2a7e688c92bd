"""Exact JSON forms of the values a schema holds: labels, categories, arrays, dataclasses."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def to_jsonable(value: Any) -> Any:
    """Turn a value into JSON types; what JSON lacks becomes ``{"type": name, "value": ...}``.

    Raises
    ------
    TypeError
        A value with no JSON form, such as an object of a user's class.
    """
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else {"type": "float", "value": repr(value)}
    if isinstance(value, tuple):
        return {"type": "tuple", "value": [to_jsonable(item) for item in value]}
    if isinstance(value, list):
        return [to_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {
            "type": "dict",
            "value": [[to_jsonable(k), to_jsonable(v)] for k, v in value.items()],
        }
    if isinstance(value, np.ndarray):
        return {"type": "array", "dtype": str(value.dtype), "value": value.tolist()}
    if isinstance(value, pd.Timestamp | np.datetime64):
        return {"type": "Timestamp", "value": pd.Timestamp(value).isoformat()}
    if isinstance(value, pd.Timedelta | np.timedelta64):
        return {"type": "Timedelta", "value": pd.Timedelta(value).isoformat()}
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return {"type": "date", "value": value.isoformat()}
    if isinstance(value, decimal.Decimal):
        return {"type": "Decimal", "value": str(value)}
    if isinstance(value, pd.Period):
        return {"type": "Period", "value": [str(value), value.freqstr]}
    if isinstance(value, pd.Interval):
        ends = [to_jsonable(value.left), to_jsonable(value.right), value.closed]
        return {"type": "Interval", "value": ends}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, "value": fields}
    raise TypeError(
        f"{value!r} of type {type(value).__name__} has no JSON form; "
        "convert such values to strings or numbers, or use pickle."
    )


def from_jsonable(data: Any, classes: Mapping[str, Any] | None = None) -> Any:
    """Rebuild a value from `to_jsonable`; dataclasses are looked up in `classes` by name."""
    if isinstance(data, list):
        return [from_jsonable(item, classes) for item in data]
    if not isinstance(data, dict):
        return data
    kind, value = data["type"], data["value"]
    if kind == "tuple":
        return tuple(from_jsonable(item, classes) for item in value)
    if kind == "dict":
        return {from_jsonable(k, classes): from_jsonable(v, classes) for k, v in value}
    if kind == "array":
        return np.array(value, dtype=data["dtype"])
    if kind == "Period":
        return pd.Period(value[0], freq=value[1])
    if kind == "Interval":
        left, right, closed = value
        return pd.Interval(from_jsonable(left, classes), from_jsonable(right, classes), closed)
    if classes and kind in classes:
        return classes[kind](**{k: from_jsonable(v, classes) for k, v in value.items()})
    return {
        "float": float,
        "Timestamp": pd.Timestamp,
        "Timedelta": pd.Timedelta,
        "date": datetime.date.fromisoformat,
        "Decimal": decimal.Decimal,
    }[kind](value)
