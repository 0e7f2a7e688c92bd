"""One column of every kind there is, each of few values that repeat, so that all come back."""

from __future__ import annotations

import datetime
import decimal
import functools

import numpy as np
import pandas as pd

from tabgan.table.columns import CategoricalColumn, IdentifierColumn
from tabgan.table.schema import Schema

N_ROWS = 24

_DAYS = ["2019-12-31", "2020-02-29", "2021-06-01"]
_WORDS = ["a", "b", "é", "e\u0301"]


def column(values, dtype=None):
    """Repeat a few values, as often each, to a column."""
    assert N_ROWS % len(values) == 0
    return pd.Series(list(values) * (N_ROWS // len(values)), dtype=dtype)


def _category(values, categories, ordered=False):
    dtype = pd.CategoricalDtype(categories, ordered=ordered)
    return pd.Series(pd.Categorical(column(values, object), dtype=dtype))


def _times(values, dtype):
    missing = [None] if len(values) == 3 else []
    if dtype.startswith("timedelta"):
        return column(pd.to_timedelta([*values, *missing])).astype(dtype)
    times = column(pd.to_datetime([*values, *missing], format="ISO8601"))
    if "," not in dtype:
        return times.astype(dtype)
    return times.dt.tz_localize("UTC").astype(dtype)


@functools.cache
def columns():
    """Columns by what is special about them, with the kind each is."""
    floats = {
        "float64": column([1.5, -2.0, 0.0, 3.25]),
        "float64, missing": column([1.5, -2.0, None, 3.25], "float64"),
        "float32": column([0.1, -2.5, np.nan, 3.25], "float32"),
        "float16": column([0.1, -2.5, np.nan, 65504.0], "float16"),
        "Float64": column([0.1, -2.5, None, 3.25], "Float64"),
        "Float32": column([0.1, -2.5, None, 3.25], "Float32"),
        "sparse": column([0.0, 0.0, 0.0, 1.5], "Sparse[float]"),
        "thirds": column([1 / 3, 2 / 3, 1e-9]),
        "negative zero": column([0.0, -0.0, 1.0]),
        "widest range": column([-1.7e308, 1.7e308, 0.0]),
        "denormal": column([5e-324, 1e-323, 0.0, 1.0]),
        "object floats": column([0.5, 2.5, None], object),
        "decimal.Decimal": column([decimal.Decimal("1.10"), decimal.Decimal("-2.25"), None]),
        "constant float": column([2.5]),
        "constant float, missing": column([2.5, None], "float64"),
    }
    integers = {
        "int64": column([3, -4, 70]),
        "int8": column([-128, 127, 0], "int8"),
        "uint8": column([255, 7, 0], "uint8"),
        "int64 ends": column([-(2**63), 2**63 - 1, 0], "int64"),
        "uint64 ends": column([2**64 - 1, 0], "uint64"),
        "uint64 top": column([2**64 - 1, 2**64 - 2, 2**64 - 5], "uint64"),
        "Int64": column([3, -4, None, 70], "Int64"),
        "UInt64": column([2**64 - 1, None, 2**64 - 6], "UInt64"),
        "object integers": column([3, -4, None, 70], object),
        "object integers, NaN": column([3, -4, np.nan, 70], object),
        "object uint64": column([2**64 - 1, None, 2**64 - 6], object),
        "sparse integers": column([0, 0, 0, 1], "Sparse[int]"),
        "steps of 1000": column([10**15, 10**15 + 7000, 10**15 + 3000]),
        "constant integer": column([2**62]),
    }
    booleans = {
        "bool": column([True, False, True]),
        "boolean": column([True, False, None], "boolean"),
        "boolean, all missing": column([None], "boolean"),
        "object bool, None": column([True, False, None], object),
        "object bool, NaN": column([True, False, np.nan], object),
        "object bool, NA": column([True, False, pd.NA], object),
    }
    names = {
        "str": pd.Series(column(_WORDS).to_list()),
        "str, missing": pd.Series(column(["a", "b", None]).to_list()),
        "string": column(["a", "b", None], "string"),
        "string[python]": column(["a", "b", None], "string[python]"),
        "object": column(_WORDS, object),
        "object, None": column(["a", "b", None], object),
        "object, NaN": column(["a", "b", np.nan], object),
        "object, NA": column(["a", "b", pd.NA], object),
        "object, NaT": column(["a", "b", pd.NaT], object),
        "words for nothing": column(["", " ", "nan", "None", "NaN", "<NA>"], object),
        "lone surrogate": column(["\ud800", "a"], object),
        "1 and '1'": column([1, "1", 1.5, None], object),
        "beyond 64 bits": column([10**30, 2, -(10**30)], object),
        "tuples": column([(1, 2), (1, "x"), None], object),
        "bytes": column([b"\xff", b"", None], object),
        "times of day": column([datetime.time(1, 2, 3, 4), datetime.time(0), None], object),
        "two time zones": column(
            [pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020", tz="Asia/Tokyo"), None], object
        ),
        "days and moments": column([datetime.date(2020, 1, 1), pd.Timestamp("2020-01-01T12")]),
        "period": column(pd.PeriodIndex(["2020-01", "2021-05", None], freq="M")),
        "interval": column(pd.arrays.IntervalArray.from_breaks([0.0, 1.5, 4.0, 5.0], "both")),
        "category": _category(["a", "b", "c"], ["c", "a", "b"]),
        "category, unused, missing": _category(["a", None, "b"], ["z", "b", "a"], ordered=True),
        "category of integers": _category([3, 1, None], pd.Index([3, 2, 1], dtype="int8")),
        "category of floats": _category([0.5, None], [0.5, 0.25]),
        "category of bools": _category([True, False, None], [True, False]),
        "category of 1 and '1'": _category([1, "1", None], pd.Index([1, "1"], dtype=object)),
        "category of days": _category(list(pd.to_datetime(_DAYS)), pd.to_datetime(_DAYS)),
        "category of zoned days": _category(
            list(pd.to_datetime(_DAYS).tz_localize("Asia/Tokyo")),
            pd.to_datetime(_DAYS).tz_localize("Asia/Tokyo"),
        ),
        "category of intervals": pd.Series(pd.cut(column([0.5, 1.5, np.nan]), [0, 1, 2, 3])),
        "category of strings": _category(["a", None], pd.Index(["b", "a"], dtype="string")),
        "constant text": column(["x"]),
        "constant text, missing": column(["x", None], object),
    }
    datetimes = {
        f"datetime64[{unit}]": _times(_DAYS, f"datetime64[{unit}]") for unit in ("s", "ms", "us")
    } | {
        "datetime64[ns]": _times([*_DAYS, "2262-04-11T23:47:16.854775807"], "datetime64[ns]"),
        "zoned": _times(
            ["2020-10-25T00:30", "2020-10-25T01:30", "2020-10-25T02:30"],
            "datetime64[us, Europe/Berlin]",
        ),
        "fixed offset": _times(_DAYS, "datetime64[ns, UTC+05:30]"),
        "object dates": column([datetime.date(2020, 2, 29), datetime.date(9999, 12, 31), None]),
        "object timestamps": column([*map(pd.Timestamp, _DAYS), None], object),
        "object zoned": column([pd.Timestamp("2020", tz="Asia/Tokyo"), pd.NaT], object),
    }
    timedeltas = {
        f"timedelta64[{unit}]": _times(["1D", "-3h", "7D"], f"timedelta64[{unit}]")
        for unit in ("s", "us", "ns")
    } | {"object timedeltas": column([datetime.timedelta(1, 5), pd.NaT], object)}
    absent = {
        f"all missing {dtype}": column([None], dtype)
        for dtype in (
            *("float64", "object", "string", "Int64", "Float32", "category"),
            *("datetime64[ns]", "datetime64[us, UTC]", "timedelta64[s]", "period[M]"),
        )
    }
    return {
        name: (values, kind)
        for kind, group in (
            ("float", floats),
            ("integer", integers),
            ("boolean", booleans),
            ("categorical", names | absent),
            ("datetime", datetimes),
            ("timedelta", timedeltas),
        )
        for name, values in group.items()
    }


@functools.cache
def arrow_columns():
    """Columns of PyArrow's dtypes, with the kind each is."""
    import pyarrow as pa

    dates = [datetime.date(2020, 2, 29), datetime.date(1900, 1, 1), None]
    moments = [pd.Timestamp("2020-02-29T12:30"), pd.Timestamp("1999-01-01"), None]
    zoned = [moment and moment.tz_localize("Europe/Berlin") for moment in moments]
    spans = [pd.Timedelta("1h"), pd.Timedelta("-3D"), None]
    prices = [decimal.Decimal("1.10"), decimal.Decimal("20.00"), None]
    return {
        str(arrow): (column(values, pd.ArrowDtype(arrow)), kind)
        for kind, arrow, values in (
            ("integer", pa.int64(), [2**63 - 1, -5, None]),
            ("integer", pa.uint8(), [255, 0, None]),
            ("float", pa.float64(), [0.1, -5.0, None]),
            ("float", pa.float32(), [0.1, -5.0, None]),
            ("float", pa.decimal128(7, 2), prices),
            ("boolean", pa.bool_(), [True, False, None]),
            ("categorical", pa.string(), ["a", "b", None]),
            ("categorical", pa.large_string(), ["a", "b", None]),
            ("categorical", pa.dictionary(pa.int32(), pa.string()), ["a", "b", None]),
            ("categorical", pa.time64("us"), [datetime.time(1, 2), datetime.time(3), None]),
            ("datetime", pa.date32(), dates),
            ("datetime", pa.timestamp("ns"), moments),
            ("datetime", pa.timestamp("us", tz="Europe/Berlin"), zoned),
            ("timedelta", pa.duration("ns"), spans),
        )
    }


def askable_table(n_rows=400):
    """Make a table of every kind of column that can be asked for."""
    rng = np.random.default_rng(0)
    i = np.arange(n_rows)
    table = pd.DataFrame(
        {
            "integer": rng.permutation(i) // 3,
            "short": (i % 7).astype("int8"),
            "huge": np.array([2**64 - 1, 2**64 - 2, 2**63], dtype="uint64")[i % 3],
            "nullable": pd.array(i % 90, dtype="Int64"),
            "steps": 5 * (i % 97),
            "float": rng.normal(size=n_rows),
            "single": (i % 11 / 10).astype("float32"),
            "cents": rng.lognormal(3, 1, n_rows).round(2),
            "zeros": np.where(rng.random(n_rows) < 0.6, 0.0, rng.exponential(size=n_rows)),
            "text": np.array(["a", "b", "c"])[i % 3],
            "category": pd.Categorical.from_codes(i % 2, ["x", "y", "never"], ordered=True),
            "flag": i % 2 == 0,
            "maybe": pd.array(i % 4 == 0, dtype="boolean"),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(i % 300, "D"),
            "zoned": pd.Timestamp("2020-01-01", tz="Europe/Berlin") + pd.to_timedelta(i, "h"),
            "span": pd.to_timedelta(i % 200, "h"),
            "date": [datetime.date(2020, 1, 1 + k % 28) for k in range(n_rows)],
            "decimal": [decimal.Decimal(k) / 100 for k in range(n_rows)],
            "tuple": pd.Series([(1, 2), (3, 4)] * (n_rows // 2)),
            "interval": pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 2]).take(i % 2)),
            "constant": 7,
            "absent": None,
        }
    )
    for name in ("nullable", "zeros", "maybe", "text", "day"):
        table.loc[::10, name] = None
    return table


def assert_same_column(made, seen):
    """Check dtype, name, values and markers of missing values."""
    pd.testing.assert_series_equal(made, seen, check_exact=True, check_index=False)
    missing = seen.isna()
    assert [*map(type, made[missing])] == [*map(type, seen[missing])]
    zones = [[str(getattr(value, "tzinfo", None)) for value in each] for each in (made, seen)]
    assert zones[0] == zones[1]


def assert_like(made, seen, n_rows):
    """Check that a made table could be of the same source as the one seen."""
    pd.testing.assert_index_equal(made.index, pd.RangeIndex(n_rows), exact=True)
    pd.testing.assert_index_equal(made.columns, seen.columns)
    for i in range(seen.shape[1]):
        one, other = made.iloc[:, i], seen.iloc[:, i]
        assert one.dtype == other.dtype
        if not other.isna().any():
            assert not one.isna().any()
        if other.isna().all():
            assert one.isna().all()
        markers = {type(value) for value in other[other.isna()]}
        if one.dtype == object:
            assert {type(value) for value in one[one.isna()]} <= markers
        assert_range(one.dropna(), other.dropna())


def assert_range(made, seen):
    column = Schema.infer(seen.rename("c").to_frame())["c"] if len(seen) else None
    if isinstance(column, CategoricalColumn):
        assert set(made) <= set(seen)
    elif isinstance(column, IdentifierColumn):
        # Texts that are named as categories are learnt after all.
        assert set(made) <= set(seen) or (made.is_unique and not set(made) & set(seen))
    elif column is not None and len(made):
        assert made.min() >= seen.min()
        assert made.max() <= seen.max()
        if seen.dtype == object:
            # A pandas Timestamp is a datetime, and a Timedelta a timedelta.
            kinds = (*{type(value) for value in seen}, float)
            assert all(isinstance(value, kinds) for value in made)
