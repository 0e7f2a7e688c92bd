"""Tables of every kind come in, and rows go out in the kind, order and dtypes that came in."""

from __future__ import annotations

import datetime
import decimal
import json
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from contract import says
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgan.table.encoder import Encoder
from tabgan.table.format import TableFormat, is_frame, read_stack, read_table
from tabgan.table.schema import Schema

DAYS = [datetime.date(1900, 1, 1), datetime.date(2020, 2, 29), None]
MOMENTS = [datetime.datetime(2020, 2, 29, 12, 30), datetime.datetime(1999, 1, 1), None]
SPANS = [datetime.timedelta(hours=1), datetime.timedelta(-3), None]
PRICES = [decimal.Decimal("1.10"), decimal.Decimal("-20.00"), None]
TIMES = [datetime.time(1, 2, 3), datetime.time(0), None]


def reread(form):
    """Send a format through JSON text."""
    return TableFormat.from_dict(json.loads(json.dumps(form.to_dict(), allow_nan=False)))


def through_encoder(frame):
    """Encode rows and decode them again, as a model that makes perfect copies would."""
    encoder = Encoder(Schema.infer(frame))
    return encoder.decode(encoder.encode(frame))


def polars_columns():
    """Columns of every polars dtype that a schema describes, with and without nulls."""
    pl = pytest.importorskip("polars")
    whole = {
        f"{sign}Int{bits}": pl.Series([1, 0, 100, None], dtype=getattr(pl, f"{sign}Int{bits}"))
        for sign in ("", "U")
        for bits in (8, 16, 32, 64)
    }
    clocks = {
        f"Datetime {unit} {zone}": pl.Series(MOMENTS, dtype=pl.Datetime(unit)).dt.replace_time_zone(
            zone
        )
        for unit in ("ms", "us", "ns")
        for zone in (None, "UTC", "Europe/Berlin")
    }
    spans = {
        f"Duration {unit}": pl.Series(SPANS, dtype=pl.Duration(unit)) for unit in ("ms", "us", "ns")
    }
    columns = whole | clocks | spans
    columns |= {
        "ends": pl.Series([-(2**63), 2**63 - 1, None]),
        "top": pl.Series([2**64 - 1, 2**63, None], dtype=pl.UInt64),
        "Float32": pl.Series([0.1, -2.5, None], dtype=pl.Float32),
        "Float64": pl.Series([0.1, -2.5, None]),
        "Boolean": pl.Series([True, False, None]),
        "String": pl.Series(["a", "é", "", None]),
        "Categorical": pl.Series(["b", "a", None], dtype=pl.Categorical),
        "Enum": pl.Series(["b", "a", None], dtype=pl.Enum(["c", "b", "a"])),
        "Date": pl.Series(DAYS),
        "Time": pl.Series(TIMES),
        "Decimal": pl.Series(PRICES, dtype=pl.Decimal(12, 2)),
        "Binary": pl.Series([b"\xff", b"", None]),
        "Null": pl.Series([None, None], dtype=pl.Null),
    }
    return columns


def arrow_columns():
    """Columns of every Arrow type that a schema describes, with nulls."""
    pa = pytest.importorskip("pyarrow")
    texts = ["a", "b", None]
    zoned = [moment and moment.replace(tzinfo=datetime.timezone.utc) for moment in MOMENTS]
    types = [
        *(
            (getattr(pa, f"{sign}int{b}")(), [1, 0, 100, None])
            for sign in ("", "u")
            for b in (8, 64)
        ),
        *((arrow, [0.5, -2.0, None]) for arrow in (pa.float32(), pa.float64())),
        (pa.bool_(), [True, False, None]),
        *((arrow, texts) for arrow in (pa.string(), pa.large_string(), pa.string_view())),
        (pa.dictionary(pa.int8(), pa.string(), ordered=True), texts),
        (pa.dictionary(pa.int32(), pa.int64()), [4, 7, None]),
        (pa.binary(), [b"\xff", b"", None]),
        (pa.date32(), DAYS),
        (pa.date64(), DAYS),
        (pa.time64("us"), TIMES),
        *((pa.timestamp(unit), MOMENTS) for unit in ("s", "us", "ns")),
        (pa.timestamp("ms", tz="Europe/Berlin"), zoned),
        (pa.duration("ns"), SPANS),
        (pa.decimal128(12, 2), PRICES),
        (pa.null(), [None, None]),
    ]
    return {str(arrow): pa.array(values, arrow) for arrow, values in types}


class TestPolars:
    @pytest.mark.parametrize("with_nulls", [True, False])
    def test_every_dtype_comes_back(self, with_nulls):
        pl = pytest.importorskip("polars")
        for name, column in polars_columns().items():
            if name == "Null" and not with_nulls:
                continue
            table = pl.DataFrame({"c": column if with_nulls else column.drop_nulls()})
            frame, form = read_table(table)
            for rows in (frame, through_encoder(frame)):
                made = reread(form).restore(rows)
                assert made.schema == table.schema, name
                assert made.equals(table), name

    def test_columns_come_in_their_order_and_surplus_ones_are_left_out(self):
        pl = pytest.importorskip("polars")
        table = pl.DataFrame({"b": [1, 2], "a": ["x", None]})
        frame, form = read_table(table)
        assert form.labels == ["b", "a"] and form.kind == "polars"
        rows = frame.assign(target=0)[["target", "a", "b"]]
        assert form.restore(rows).equals(table)

    def test_nan_is_missing(self):
        pl = pytest.importorskip("polars")
        frame, form = read_table(pl.DataFrame({"c": [float("nan"), 1.0, None]}))
        assert frame["c"].isna().tolist() == [True, False, True]
        assert form.restore(frame)["c"].to_list() == [None, 1.0, None]

    def test_values_beyond_the_dtype_take_a_wider_one(self):
        pl = pytest.importorskip("polars")
        table = pl.DataFrame(
            {
                "small": pl.Series([1, 2], dtype=pl.Int8),
                "name": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])),
                "day": DAYS[:2],
            }
        )
        _, form = read_table(table)
        made = form.restore(pd.DataFrame({"small": [1, 1000], "name": ["a", "c"], "day": [0, 1]}))
        assert made.dtypes == [pl.Int64, pl.String, pl.Int64]
        assert made["small"].to_list() == [1, 1000]

    def test_categories_of_other_columns_are_not_declared(self):
        pl = pytest.importorskip("polars")
        table = pl.DataFrame({"c": ["x", "y"], "d": ["u", "v"]}).cast(pl.Categorical)
        frame, _ = read_table(table)
        assert list(frame["c"].cat.categories) == ["x", "y"]

    def test_lazy_frames_are_refused_with_the_way_out(self):
        pl = pytest.importorskip("polars")
        with pytest.raises(TypeError, match=says("X is a polars LazyFrame; pass X.collect().")):
            read_table(pl.LazyFrame({"a": [1]}))

    def test_pyarrow_is_not_needed(self):
        pytest.importorskip("polars")
        code = (
            "import sys; sys.modules['pyarrow'] = None\n"
            "import polars as pl\nfrom tabgan.table.format import read_table\n"
            "table = pl.DataFrame({'a': [1, None], 'b': ['x', None]})\n"
            "frame, form = read_table(table)\nassert form.restore(frame).equals(table)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestArrow:
    def test_every_type_comes_back(self):
        pa = pytest.importorskip("pyarrow")
        for name, column in arrow_columns().items():
            table = pa.table({"c": column})
            frame, form = read_table(table)
            for rows in (frame, through_encoder(frame)):
                made = reread(form).restore(rows)
                assert made.schema == table.schema, name
                assert made.to_pylist() == table.to_pylist(), name

    def test_batches_come_back_as_batches(self):
        pa = pytest.importorskip("pyarrow")
        batch = pa.record_batch({"a": [1, None], "b": ["x", "y"]})
        frame, form = read_table(batch)
        assert form.restore(frame).equals(batch)

    def test_the_index_of_a_table_made_from_pandas_is_not_restored(self):
        pa = pytest.importorskip("pyarrow")
        table = pa.Table.from_pandas(pd.DataFrame({"a": [1, 2]}))
        frame, form = read_table(table)
        made = form.restore(pd.concat([frame, frame], ignore_index=True))
        assert made.to_pandas()["a"].tolist() == [1, 2, 1, 2]

    def test_notes_on_columns_are_kept(self):
        pa = pytest.importorskip("pyarrow")
        field = pa.field("a", pa.int64(), nullable=False, metadata={"unit": "m"})
        table = pa.Table.from_arrays([pa.array([1, 2])], schema=pa.schema([field], {"k": "v"}))
        frame, form = read_table(table)
        assert form.restore(frame).schema.equals(table.schema, check_metadata=True)

    def test_values_beyond_the_type_take_a_wider_one(self):
        pa = pytest.importorskip("pyarrow")
        _, form = read_table(pa.table({"a": pa.array([1], pa.int8()), "d": pa.array(DAYS[:1])}))
        made = form.restore(pd.DataFrame({"a": [1000], "d": ["x"]}))
        assert made.to_pylist() == [{"a": 1000, "d": "x"}]

    def test_two_columns_of_one_name(self):
        pa = pytest.importorskip("pyarrow")
        table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
        with pytest.raises(ValueError, match="X has more than one column named 'a'"):
            read_table(table)


class Stream:
    """A table of a stranger's library that offers Arrow's stream of batches alone."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Interchange:
    """A table of a stranger's library that offers the interchange protocol alone."""

    def __init__(self, frame):
        self.frame = frame

    def __dataframe__(self, *args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.frame.__dataframe__(*args, **kwargs)


class TestStrangers:
    def test_arrow_streams_come_back_as_arrow_tables(self):
        pa = pytest.importorskip("pyarrow")
        table = pa.table({"a": [1, 2], "b": ["x", None]})
        frame, form = read_table(Stream(table))
        assert form.restore(frame).equals(table)

    def test_the_interchange_protocol(self):
        seen = pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan]})
        frame, form = read_table(Interchange(seen))
        pd.testing.assert_frame_equal(frame, seen)
        pd.testing.assert_frame_equal(form.restore(frame), seen)

    def test_what_narwhals_wraps_comes_back_unwrapped(self):
        nw = pytest.importorskip("narwhals")
        seen = pd.DataFrame({"a": [1, 2]})
        frame, form = read_table(nw.from_native(seen))
        assert form.kind == "pandas"
        pd.testing.assert_frame_equal(form.restore(frame), seen)

    def test_streams_of_a_single_column_are_no_tables(self):
        pa = pytest.importorskip("pyarrow")
        with pytest.raises(TypeError, match="X is a .*Stream that holds no table; pass a table"):
            read_table(Stream(pa.chunked_array([[1, 2]])))


class TestPandas:
    def test_a_fresh_index_and_the_same_columns(self):
        seen = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[7, 7])
        before = seen.copy()
        frame, form = read_table(seen)
        pd.testing.assert_index_equal(frame.index, pd.RangeIndex(2), exact=True)
        pd.testing.assert_frame_equal(reread(form).restore(frame.assign(y=0)), frame)
        pd.testing.assert_frame_equal(seen, before)

    @pytest.mark.parametrize(
        "labels", [[0, "a"], [(1, 2), "x"], [np.nan, 1.5], [pd.Timestamp("2020"), None]]
    )
    def test_labels_of_any_kind(self, labels):
        seen = pd.DataFrame([[1, 2.5]]).set_axis(pd.Index(labels, tupleize_cols=False), axis=1)
        frame, form = read_table(seen)
        again = reread(form)
        assert again.check(frame, form).shape == (1, 2)
        assert again.restore(frame).shape == (1, 2)

    def test_two_columns_of_one_name(self):
        with pytest.raises(ValueError, match="A has more than one column named 'a'"):
            read_table(pd.DataFrame([[1, 2]], columns=["a", "a"]), "A")

    @pytest.mark.parametrize(
        ("frame", "kind"), [(pd.DataFrame({"a": []}), "sample"), (pd.DataFrame([[]]), "feature")]
    )
    def test_nothing_in_it(self, frame, kind):
        told = (
            f"Found array with 0 {kind}(s) (shape={frame.shape}) while a minimum of 1 is required "
            "by WGANSynthesizer."
        )
        with pytest.raises(ValueError, match=says(told)):
            read_table(frame, owner="WGANSynthesizer")


class TestArrays:
    @pytest.mark.parametrize(
        "dtype", ["float32", "int8", "float64", "bool", "<U2", "datetime64[s]"]
    )
    def test_dtype_comes_back(self, dtype):
        seen = np.array([[0, 1], [1, 0]]).astype(dtype)
        frame, form = read_table(seen)
        made = reread(form).restore(frame)
        np.testing.assert_array_equal(made, seen.astype(made.dtype))
        assert made.dtype == (object if dtype == "<U2" else seen.dtype)

    def test_nested_lists_and_objects(self):
        frame, form = read_table([[1, 2], [3, 4]])
        assert form.labels == [0, 1] and form.restore(frame).tolist() == [[1, 2], [3, 4]]
        frame, form = read_table(np.array([[1, "a"], [2, None]], dtype=object))
        assert [dtype.kind for dtype in frame.dtypes][0] == "i"
        assert form.restore(frame).dtype == object

    def test_stacks_of_sequences(self):
        seen = np.arange(12.0, dtype="float32").reshape(3, 2, 2)
        frame, n_steps, form = read_stack(seen)
        assert frame.shape == (6, 2) and n_steps == 2
        np.testing.assert_array_equal(form.restore(frame).reshape(-1, 2, 2), seen)

    @pytest.mark.parametrize("shape", [(6,), (3, 2), (3, 0, 2), (2, 2, 0), (1, 2, 3, 4)])
    def test_stacks_of_another_shape(self, shape):
        told = (
            f"X must be a DataFrame or an array of shape (n, T, d), got an array of shape {shape}."
        )
        with pytest.raises(ValueError, match=says(told)):
            read_stack(np.ones(shape))

    def test_no_sequences(self):
        with pytest.raises(ValueError, match="Found array with 0 sample"):
            read_stack(np.ones((0, 2, 2)))


class TestLaterTables:
    def test_labels_decide_and_not_kinds(self):
        pl = pytest.importorskip("polars")
        _, form = read_table(pl.DataFrame({"a": [1], "b": [2]}))
        frame, given = read_table(pd.DataFrame({"a": [5], "b": [6]}))
        assert form.check(frame, given)["b"].tolist() == [6]
        with pytest.raises(ValueError, match="has columns"):
            form.check(*read_table(pd.DataFrame({"b": [5], "a": [6]})))

    def test_arrays_are_compared_by_position(self):
        _, form = read_table(pd.DataFrame({"a": [1], "b": [2]}))
        assert list(form.check(*read_table([[3, 4]]))) == ["a", "b"]
        _, form = read_table([[3, 4]])
        assert list(form.check(*read_table(pd.DataFrame({"a": [1], "b": [2]})))) == [0, 1]

    def test_other_columns(self):
        _, form = read_table(pd.DataFrame({"a": [1], 2: [2]}))
        told = "X has columns ['a', 3], but WGANSynthesizer was fitted on ['a', 2]."
        frame, given = read_table(pd.DataFrame({"a": [1], 3: [2]}))
        with pytest.raises(ValueError, match=says(told)):
            form.check(frame, given, owner="WGANSynthesizer")

    def test_another_number_of_columns(self):
        _, form = read_table([[1, 2]])
        frame, given = read_table([[1, 2, 3]])
        told = "X has 3 features, but WGANSynthesizer is expecting 2 features as input."
        with pytest.raises(ValueError, match=says(told)):
            form.check(frame, given, owner="WGANSynthesizer")

    def test_a_thousand_labels_are_not_printed(self):
        _, form = read_table(pd.DataFrame(np.ones((1, 1000))).rename(columns=str))
        frame, given = read_table(pd.DataFrame(np.ones((1, 1000))).rename(columns="c{}".format))
        with pytest.raises(ValueError) as error:
            form.check(frame, given)
        assert len(str(error.value)) < 400


LONG = list(range(5000))
NO_TABLES = {
    "dict": ({"a": LONG}, "X is a dict; pass a table, for example pandas.DataFrame(X)."),
    "dicts": (
        [{"a": i} for i in LONG],
        "X is a list of dicts; pass a table, for example pandas.DataFrame(X).",
    ),
    "records": (
        np.zeros(5000, dtype=[("a", "f8"), ("b", "i8")]),
        "X is a structured array; pass a table, for example pandas.DataFrame(X).",
    ),
    "text": ("x" * 5000, "X is a str; pass a table, for example pandas.read_csv(X)."),
    "number": (5, "X is an int; pass a table."),
    "nothing": (None, "X is a NoneType; pass a table."),
    "generator": (
        (i for i in LONG),
        "X is a generator; pass a table, for example pandas.DataFrame(list(X)).",
    ),
    "set": (set(LONG), "X is a set; pass a table, for example pandas.DataFrame(list(X))."),
    "function": (read_table, "X is a function; pass a table."),
    "list": (LONG[:900], "X must have two dimensions, rows and columns, got an array of shape (9"),
    "column": (pd.Series(LONG), "X must have two dimensions, rows and columns, got an array of "),
    "complex": (np.ones((30, 30)) * 1j, "Complex data not supported: X is complex; pass its real"),
}


class TestNoTables:
    @pytest.mark.parametrize("name", NO_TABLES)
    def test_errors_name_the_kind_and_never_print_the_data(self, name):
        value, told = NO_TABLES[name]
        with pytest.raises(ValueError) as error:
            read_table(value)
        assert str(error.value).startswith(told)
        assert len(str(error.value)) < 250
        assert not is_frame(value)

    def test_ragged_lists(self):
        with pytest.raises(ValueError) as error:
            read_table([[1, 2], [3], *[[4, 5]] * 3000])
        assert len(str(error.value)) < 250

    def test_sparse_matrices_are_a_type_error(self):
        with pytest.raises(TypeError, match="Sparse data was passed for X"):
            read_table(scipy.sparse.eye(3))

    def test_stacks(self):
        with pytest.raises(TypeError, match="X is a dict; pass a DataFrame or an array of"):
            read_stack({"a": LONG})


values = {
    "Int16": st.integers(-(2**15), 2**15 - 1),
    "UInt64": st.integers(0, 2**64 - 1),
    "Float32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "Float64": st.floats(allow_nan=False, allow_infinity=False),
    "Boolean": st.booleans(),
    "String": st.text(max_size=5),
    "Categorical": st.sampled_from(["a", "b", ""]),
    "Date": st.dates(),
    "Time": st.times(),
    "Datetime": st.datetimes(),
    "Duration": st.timedeltas(datetime.timedelta(-(10**6)), datetime.timedelta(10**6)),
}


@st.composite
def polars_tables(draw):
    """Draw polars DataFrames of any dtypes, nulls included."""
    pl = pytest.importorskip("polars")
    n = draw(st.integers(1, 8))
    names = draw(st.lists(st.text(max_size=3), min_size=1, max_size=4, unique=True))
    columns = []
    for name in names:
        dtype = draw(st.sampled_from(sorted(values)))
        cells = draw(st.lists(st.none() | values[dtype], min_size=n, max_size=n))
        columns.append(pl.Series(name, cells, dtype=getattr(pl, dtype)))
    return pl.DataFrame(columns)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(polars_tables())
def test_any_polars_table_comes_back_exactly(table):
    frame, form = read_table(table)
    made = reread(form).restore(frame)
    assert made.schema == table.schema
    assert made.equals(table)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(polars_tables())
def test_any_arrow_table_comes_back_exactly(table):
    pa = pytest.importorskip("pyarrow")
    seen = pa.table({name: table[name].to_arrow() for name in table.columns})
    frame, form = read_table(seen)
    made = reread(form).restore(frame)
    assert made.schema == seen.schema
    assert made.to_pylist() == seen.to_pylist()
