"""JSON forms of the values that a schema holds, from which the same values are rebuilt exactly.

JSON has texts, numbers, truth values, lists and objects. Labels and categories of tables may also
be dates, tuples, intervals and more, so that each such value is written as its type's name beside a
text or list that `from_jsonable` reads.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd


def to_jsonable(value: Any, classes: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Turn a value into JSON types; what JSON lacks becomes ``{"type": name, "value": ...}``.

    Parameters
    ----------
    value : object
        A label, a category, an array, or an instance of one of `classes`; lists, tuples and dicts
        may hold such values to any depth.
    classes : mapping of str to type
        Dataclasses that may occur, by name; `from_jsonable` needs the same mapping.

    Returns
    -------
    None, bool, int, float, str, list or dict

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
        return {"type": "tuple", "value": [to_jsonable(item, classes) for item in value]}
    if isinstance(value, list):
        return [to_jsonable(item, classes) for item in value]
    if isinstance(value, dict):
        return {
            "type": "dict",
            "value": [[to_jsonable(k, classes), to_jsonable(v, classes)] for k, v in value.items()],
        }
    if isinstance(value, np.ndarray):
        return {"type": "array", "dtype": str(value.dtype), "value": value.tolist()}
    if value is pd.NaT:
        return {"type": "NaT", "value": None}
    if isinstance(value, pd.Timestamp | np.datetime64):
        stamp = pd.Timestamp(value)
        if stamp.tz is None:
            return {"type": "Timestamp", "value": stamp.isoformat()}
        return {"type": "Timestamp", "value": [stamp.tz_convert("UTC").isoformat(), str(stamp.tz)]}
    if isinstance(value, pd.Timedelta | np.timedelta64):
        return {"type": "Timedelta", "value": pd.Timedelta(value).isoformat()}
    if isinstance(value, datetime.date | datetime.time):
        return {"type": type(value).__name__, "value": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {"type": "timedelta", "value": value // datetime.timedelta(microseconds=1)}
    if isinstance(value, bytes):
        return {"type": "bytes", "value": value.hex()}
    if isinstance(value, decimal.Decimal):
        return {"type": "Decimal", "value": str(value)}
    if isinstance(value, pd.Period):
        return {"type": "Period", "value": [str(value), value.freqstr]}
    if isinstance(value, pd.Interval):
        ends = [to_jsonable(value.left, classes), to_jsonable(value.right, classes), value.closed]
        return {"type": "Interval", "value": ends}
    if type(value) in classes.values():
        fields = {
            field.name: to_jsonable(getattr(value, field.name), classes)
            for field in dataclasses.fields(value)
        }
        return {"type": type(value).__name__, "value": fields}
    raise TypeError(
        f"{value!r} of type {type(value).__name__} has no JSON form; "
        "convert such values to strings or numbers, or use pickle."
    )


def from_jsonable(data: Any, classes: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Rebuild a value that `to_jsonable` wrote, of the same type and equal to it.

    Parameters
    ----------
    data : None, bool, int, float, str, list or dict
        What `to_jsonable` returned.
    classes : mapping of str to type
        The dataclasses that may occur, by name. A class method `build`, if there is one, takes the
        fields; otherwise the class itself takes them.
    """
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
    if kind == "Timestamp" and isinstance(value, list):
        return pd.Timestamp(value[0]).tz_convert(value[1])
    if kind in classes:
        build = getattr(classes[kind], "build", classes[kind])
        return build(**{k: from_jsonable(v, classes) for k, v in value.items()})
    return {
        "float": float,
        "NaT": lambda _: pd.NaT,
        "Timestamp": pd.Timestamp,
        "Timedelta": pd.Timedelta,
        "datetime": datetime.datetime.fromisoformat,
        "date": datetime.date.fromisoformat,
        "time": datetime.time.fromisoformat,
        "timedelta": lambda count: datetime.timedelta(microseconds=count),
        "bytes": bytes.fromhex,
        "Decimal": decimal.Decimal,
    }[kind](value)
