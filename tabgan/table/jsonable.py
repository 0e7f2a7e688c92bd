"""JSON forms of the values that a schema holds, from which the same values are rebuilt exactly.

JSON has texts, numbers, truth values, lists and objects. Labels and categories of tables may also
be dates, tuples, intervals and more, so that each such value is written as its type's name beside a
text or list that `from_jsonable` reads.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd

from tabgan.checks import short

_PAIR = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")
"""The place between two lone surrogates, which JSON would take for one letter, written in two."""


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
    if isinstance(value, str) and _PAIR.search(value):
        return {"type": "text", "value": _PAIR.split(value)}
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
        items = value.tolist()
        if value.dtype == object:
            items = to_jsonable(items, classes)
        return {"type": "array", "dtype": str(value.dtype), "value": items}
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

    Raises
    ------
    ValueError
        `data` names another kind of value, or a field of a dataclass is of another type than its
        annotation says.
    Exception
        Of many kinds, where `data` is not what `to_jsonable` writes. Nothing that `data` names is
        called or imported, but for the kinds of values listed here and the classes given.
    """
    if isinstance(data, list):
        return [from_jsonable(item, classes) for item in data]
    if not isinstance(data, dict):
        return data
    kind, value = data["type"], data["value"]
    if not isinstance(kind, str):
        raise ValueError(f"the kind of a value is {short(kind)}")
    if kind == "tuple":
        return tuple(from_jsonable(item, classes) for item in value)
    if kind == "dict":
        return {from_jsonable(k, classes): from_jsonable(v, classes) for k, v in value}
    if kind == "array":
        is_object = data["dtype"] == "object"
        return _array(from_jsonable(value, classes) if is_object else value, data["dtype"])
    if kind == "Period":
        return pd.Period(value[0], freq=value[1])
    if kind == "Interval":
        left, right, closed = value
        return pd.Interval(from_jsonable(left, classes), from_jsonable(right, classes), closed)
    if kind == "Timestamp" and isinstance(value, list):
        return pd.Timestamp(value[0]).tz_convert(check_zone(value[1]))
    if kind in classes:
        build = getattr(classes[kind], "build", classes[kind])
        built = build(**{k: from_jsonable(v, classes) for k, v in value.items()})
        check_fields(built)
        return built
    if kind not in _PLAIN:
        raise ValueError(f"{short(kind)} is no kind of value")
    return _PLAIN[kind](value)


def _joined(parts: Any) -> str:
    """Put the parts of a text together."""
    if not isinstance(parts, list):
        raise ValueError(f"the parts of a text are {short(parts)}")
    return "".join(parts)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "NaT": lambda _: pd.NaT,
    "Timestamp": pd.Timestamp,
    "Timedelta": pd.Timedelta,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda count: datetime.timedelta(microseconds=count),
    "bytes": bytes.fromhex,
    "text": _joined,
    "Decimal": decimal.Decimal,
}
"""What rebuilds each kind of value that holds no other values, by name."""


def check_zone(name: Any) -> Any:
    """Return the name of a time zone; refuse one by which dateutil would open a file.

    Raises
    ------
    ValueError
    """
    if not isinstance(name, str) or "dateutil" in name or "/" in name[:1] or ".." in name:
        raise ValueError(f"{short(name)} is no name of a time zone")
    return name


def _array(value: Any, dtype: Any) -> np.ndarray:
    """Make an array; a dtype of texts or structures could ask for any amount of memory."""
    kind = np.dtype(dtype) if isinstance(dtype, str) else None
    if kind is None or kind.kind not in "biufcOmM" or kind.hasobject != (kind.kind == "O"):
        raise ValueError(f"{short(dtype)} is no dtype of an array")
    return np.array(value, dtype=kind)


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    """Return the annotations of a dataclass's fields."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def check_fields(built: Any) -> None:
    """Raise a ValueError if a field of a dataclass is of another type than its annotation says."""
    cls: Any = type(built)
    for name, hint in _hints(cls).items():
        value = getattr(built, name)
        if not _fits(value, hint):
            raise ValueError(f"{name} of a {type(built).__name__} is {short(value)}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the type that an annotation describes."""
    if hint is Any:
        return True
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple and inner[-1:] != (Ellipsis,):
        is_tuple = isinstance(value, tuple) and len(value) == len(inner)
        return is_tuple and all(map(_fits, value, inner))
    if origin in (tuple, list, Sequence):
        is_sequence = (
            isinstance(value, list | tuple) if origin is Sequence else type(value) is origin
        )
        return is_sequence and all(_fits(each, inner[0]) for each in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(
            _fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items()
        )
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is None:
        return value is None
    kind = origin or hint
    return isinstance(value, kind) if isinstance(kind, type) else True
