"""What columns are taken for, what is said about odd ones, and the schema's JSON."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import warnings

import numpy as np
import pandas as pd
import pytest
from contract import says
from tables import arrow_columns, column, columns

from tabgan.table.columns import CategoricalColumn, IdentifierColumn, NumericColumn
from tabgan.table.dtypes import dtype_name, dtype_named
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.schema import Header, Schema


def infer(values, **options):
    """Describe one column, given as a Series or as what a Series is made of, without warnings."""
    values = pd.Series(values, name="c")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Schema.infer(values.to_frame(), **options)["c"]


def through_json(schema):
    return Schema.from_dict(json.loads(json.dumps(schema.to_dict(), allow_nan=False)))


class TestKinds:
    @pytest.mark.parametrize("name", columns())
    def test_every_dtype(self, name):
        values, kind = columns()[name]
        described = infer(values)
        assert described.kind == kind
        assert described.missing_rate == values.isna().mean()

    def test_every_arrow_dtype(self):
        pytest.importorskip("pyarrow")
        for values, kind in arrow_columns().values():
            assert infer(values).kind == kind, values.dtype

    @pytest.mark.parametrize(
        "name", ["float32", "int64", "Int64", "bool", "datetime64[us]", "timedelta64[s]", "zoned"]
    )
    def test_any_column_may_be_declared_categorical(self, name):
        values, _ = columns()[name]
        described = infer(values, categorical_features=["c"])
        assert isinstance(described, CategoricalColumn)
        assert set(described.categories) == set(values.dropna())

    def test_the_table_is_left_alone(self):
        table = pd.DataFrame({name: values for name, (values, _) in columns().items()})
        before = table.copy()
        Schema.infer(table)
        pd.testing.assert_frame_equal(table, before)


class TestNumbers:
    @pytest.mark.parametrize(
        ("values", "decimals"),
        [
            ([1.0, 2.0, -3.0], 0),
            ([0.1, 0.25], 2),
            ([19.99, 1e6 + 0.01], 2),
            ([1e-8, 1.0], 8),
            ([1e-9, 1.0], None),
            ([1 / 3], None),
            ([1e300, 0.5], 1),
            ([1.7e308, 1e-300], None),
        ],
    )
    def test_decimals(self, values, decimals):
        assert infer(values).decimals == decimals

    @pytest.mark.parametrize("dtype", ["float16", "float32", "Float32"])
    def test_decimals_of_short_floats(self, dtype):
        assert infer(pd.Series([0.1, 0.3, 7.5], dtype=dtype)).decimals == 1
        assert infer(pd.Series([1 / 3, 0.3], dtype=dtype)).decimals in (None, 4, 8)

    def test_decimals_of_decimals_count_trailing_zeros(self):
        described = infer([decimal.Decimal("1.50"), decimal.Decimal("2")])
        assert (described.decimals, described.inner) == (2, "decimal")

    def test_integers_are_counted_from_the_least_in_their_common_step(self):
        described = infer([1000, 1300, 10_000])
        assert (described.origin, described.step, described.last) == (1000, 300, 30)
        np.testing.assert_array_equal(described.numbers(pd.Series([1300, 700])), [1.0, -1.0])

    def test_days_in_nanoseconds_are_counted_in_days(self):
        days = pd.Series(pd.to_datetime(["2020-01-01", "2020-01-03", "2020-01-08"]))
        described = infer(days.astype("datetime64[ns]"))
        assert (described.step, described.last) == (24 * 3600 * 10**9, 7)
        assert [str(end) for end in described.ends] == [
            "2020-01-01 00:00:00",
            "2020-01-08 00:00:00",
        ]

    def test_infinity(self):
        message = (
            "X contains infinity in column 'c'; replace infinite values, "
            "for example by missing ones: X.replace([np.inf, -np.inf], np.nan)."
        )
        for values in ([1.0, np.inf], [-np.inf, None], [decimal.Decimal("Infinity")]):
            with pytest.raises(ValueError, match=says(message)):
                infer(values)

    def test_complex_numbers(self):
        message = (
            "Complex data not supported: column 'c' of table is complex; "
            "pass its real and imaginary parts as two columns."
        )
        for values in (pd.Series([1j, 2.0]), pd.Series([1j, 2j], dtype=object)):
            with pytest.raises(ValueError, match=says(message)):
                infer(values, arg_name="table")


class TestNames:
    def test_categories_are_sorted_by_frequency_then_appearance(self):
        described = infer(["c", "b", "a", "b", None])
        assert described.categories == ("b", "c", "a")
        assert described.frequencies == (0.5, 0.25, 0.25)
        assert described.missing_rate == 0.2

    def test_declared_categories_are_kept_apart_from_those_seen(self):
        values = pd.Categorical(["a", "b", "b"], ["z", "b", "a"], ordered=True)
        described = infer(values)
        assert described.categories == ("b", "a")
        assert (described.declared, described.ordered) == (("z", "b", "a"), True)

    def test_equal_values_are_one_category(self):
        assert infer(pd.Series([1, True, 1.0, "1"], dtype=object)).categories == (1, "1")

    @pytest.mark.parametrize("marker", ["None", "NaN", "NA", "NaT"])
    def test_the_commonest_marker_of_missing_values(self, marker):
        missing = {"None": None, "NaN": np.nan, "NA": pd.NA, "NaT": pd.NaT}
        rest = [value for name, value in missing.items() if name != marker]
        values = pd.Series(["a", *rest, *[missing[marker]] * 2], dtype=object)
        assert infer(values).marker == marker

    def test_values_that_cannot_be_hashed(self):
        message = (
            "column 'c' of X holds values that cannot be hashed (unhashable type: 'list'); "
            "every argument must be a string, a number, a date or another hashable value."
        )
        with pytest.raises(TypeError, match=says(message)):
            infer(pd.Series([[1], [2]]))


class TestIdentifiers:
    MESSAGE = (
        "column 'c' of X looks like an identifier (hardly a value repeats): fresh identifiers are "
        "made for it and it is not learnt; drop it, or name it in categorical_features to learn it."
    )

    def warned(self, values, message=MESSAGE):
        with pytest.warns(UserWarning, match=says(message)) as caught:
            described = Schema.infer(pd.Series(values, name="c").to_frame())["c"]
        assert len(caught) == 1
        return described

    def test_fresh_ones_count_on_from_those_seen(self):
        described = self.warned([f"user_{i:05d}" for i in range(50)])
        assert described == IdentifierColumn("c", infer(["a"]).dtype, "user_", 50, 5)
        made = described.series(np.zeros(3, dtype=bool))
        assert made.to_list() == ["user_00050", "user_00051", "user_00052"]

    def test_words_get_a_prefix_of_their_own(self):
        described = self.warned([f"{i * 7919:x}-{i}" for i in range(60)])
        assert described.series(np.array([False, True, False])).dropna().to_list() == ["c_1", "c_3"]

    def test_a_few_may_repeat_or_be_missing(self):
        names = [f"name {i}" for i in range(100)]
        described = self.warned([*names, "name 3", "name 4", None, None])
        assert described.missing_rate == 2 / 104
        assert isinstance(described, IdentifierColumn)

    @pytest.mark.parametrize("dtype", ["object", "string", "string[python]"])
    def test_dtypes_are_kept(self, dtype):
        values = pd.Series([f"id{i}" for i in range(50)] + [None], dtype=dtype)
        made = self.warned(values).series(np.array([True, False]))
        assert made.dtype == values.dtype
        assert type(made[0]) is type(values[50])

    @pytest.mark.parametrize(
        "values",
        [
            [f"user_{i}" for i in range(49)],
            [f"user_{i}" for i in range(90)] * 2,
            pd.Categorical([f"user_{i}" for i in range(100)]),
            np.random.default_rng(0).normal(size=100),
        ],
        ids=["few rows", "repeated", "declared", "numbers"],
    )
    def test_not_everything_is_one(self, values):
        assert not isinstance(infer(values), IdentifierColumn)

    def test_categorical_features_may_say_otherwise(self):
        described = infer([f"user_{i}" for i in range(100)], categorical_features=["c"])
        assert len(described.categories) == 100

    NUMBERS = (
        "column 'c' of X looks like an identifier (hardly a number repeats, where chance would "
        "repeat many): fresh identifiers are made for it and it is not learnt; drop it, or convert "
        "it to float to learn it as a number."
    )

    def test_fresh_numbers_count_on_from_those_seen(self):
        rows = np.random.default_rng(0).permutation(60) + 1
        made = self.warned(rows, self.NUMBERS).series(np.zeros(3, dtype=bool))
        assert made.to_list() == [61, 62, 63] and made.dtype == rows.dtype
        made = self.warned(rows * 10 + 7, self.NUMBERS).series(np.zeros(2, dtype=bool))
        assert made.to_list() == [617, 627]

    @pytest.mark.parametrize(
        "dtype", ["int8", "uint8", "int64", "uint64", "Int16", "object", "Sparse[int64]"]
    )
    def test_numbers_keep_their_dtype(self, dtype):
        values = pd.Series(np.arange(60)).astype(dtype)
        made = self.warned(values, self.NUMBERS).series(np.zeros(60, dtype=bool))
        assert made.dtype == values.dtype
        assert made.to_list() == list(range(60, 120))
        assert dtype != "object" or {type(value) for value in made} == {int}

    @pytest.mark.parametrize("dtype", ["Int64", "object"])
    def test_numbers_may_be_missing(self, dtype):
        values = pd.Series([*range(100), None], dtype=dtype)
        described = self.warned(values, self.NUMBERS)
        assert described.missing_rate == 1 / 101
        made = described.series(np.array([False, True, False]))
        assert made.dtype == values.dtype
        assert made.dropna().to_list() == [100, 102]
        assert type(made[1]) is type(values[100])

    def test_numbers_at_the_top_of_their_dtype_count_down_from_those_seen(self):
        for dtype in ("uint64", "int8", "Int64"):
            top = int(np.iinfo(dtype.lower()).max)
            values = pd.Series([top - 2 * i for i in range(60)], dtype=dtype)
            made = self.warned(values, self.NUMBERS).series(np.zeros(3, dtype=bool))
            assert made.dtype == dtype
            assert made.to_list() == [top - 120, top - 122, top - 124]

    @pytest.mark.parametrize("missing", [False, True])
    def test_numbers_without_room_in_their_dtype_take_a_wider_one(self, missing):
        values = pd.Series(np.arange(-128, 128), dtype="int8")
        gaps = np.zeros(9, dtype=bool)
        gaps[0] = missing
        made = self.warned(values, self.NUMBERS).series(gaps)
        assert made.dtype == ("Int64" if missing else "int64")
        assert made.dropna().to_list() == list(range(128 + missing, 137))

    def test_numbers_that_fill_their_dtype_in_wide_steps_are_counted_in_between(self):
        values = np.arange(-64, 64) * 2**57
        made = self.warned(values, self.NUMBERS).series(np.zeros(200, dtype=bool))
        assert made.is_unique and made.dtype == "int64"
        assert not set(made) & set(values)

    def test_a_few_numbers_may_repeat(self):
        rows = np.random.default_rng(0).permutation(600)
        described = self.warned(np.r_[rows, rows[:20]], self.NUMBERS)
        assert described.series(np.array([False]))[0] == 600

    def test_sparse_numbers_of_a_dense_series_are_identifiers(self):
        # Half of the numbers of orders were cancelled.
        numbers = np.random.default_rng(0).permutation(2000)[:1000]
        assert isinstance(self.warned(numbers, self.NUMBERS), IdentifierColumn)

    @pytest.mark.parametrize("seed", range(20))
    @pytest.mark.parametrize("n", [60, 1000])
    def test_amounts_whose_repeats_are_those_of_chance_are_learnt(self, n, seed):
        rng = np.random.default_rng(seed)
        for values in (
            rng.integers(0, 10**9, n),
            rng.integers(0, n * n // 4, n),
            rng.integers(0, n, n),
            rng.normal(50_000, 15_000, n),
            rng.lognormal(8, 1, n),
            rng.exponential(300, n),
        ):
            assert isinstance(infer(values.astype(int)), NumericColumn)

    def test_small_whole_or_learnt_columns_are_numbers(self):
        rows = np.random.default_rng(0).permutation(60) + 1
        for values in (rows[:40], rows.astype(float), pd.to_timedelta(rows, unit="D")):
            infer(values)
        assert isinstance(infer(rows, learnt=["c"]), NumericColumn)
        assert isinstance(infer([f"id{i}" for i in range(60)], learnt=["c"]), CategoricalColumn)
        assert isinstance(infer(rows, categorical_features=["c"]), CategoricalColumn)

    def test_numbers_through_json(self):
        described = self.warned(np.arange(60), self.NUMBERS)
        assert through_json(Schema((described,))) == Schema((described,))


class TestLabels:
    @pytest.mark.parametrize(
        "labels",
        [
            pd.Index(["a", "b", "ü", "u\u0308"]),
            pd.Index(["a", "b", "c", "d"], dtype=object, name="letters"),
            pd.Index([1, "1", 1.5, None], dtype=object),
            pd.Index([("a", 1), "a", ("a", 2), 1], dtype=object, tupleize_cols=False),
            pd.Index([("a", 1), ("a", 2), ("b", 1), ("b", 2)], tupleize_cols=False),
            pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["letter", None]),
            pd.RangeIndex(4, name="n"),
            pd.Index([0.5, np.nan, 2.0, -1.0]),
            pd.Index([True, False, "True", pd.Timestamp("2020")], dtype=object),
            pd.DatetimeIndex(["2020", "2021", "2022", "2023"], tz="UTC"),
            pd.period_range("2020", periods=4, freq="M"),
            pd.interval_range(0, 4),
        ],
        ids=lambda labels: f"{type(labels).__name__} {labels[0]!r}",
    )
    def test_index_of_labels_is_kept(self, labels):
        table = pd.DataFrame(np.arange(8.0).reshape(2, 4), columns=labels)
        schema = through_json(Schema.infer(table))
        pd.testing.assert_index_equal(schema.labels, labels, exact="equiv")
        for i, label in enumerate(labels):
            assert schema.position(label) == i
            assert schema[label].name is label or schema[label].name == label or label != label
        pd.testing.assert_index_equal(
            schema.select(list(labels[::-2])).labels, labels[::-2], exact="equiv"
        )

    def test_labels_of_a_categorical_index_are_plain_labels(self):
        labels = pd.CategoricalIndex(["a", "b"], categories=["b", "a", "c"], name="letters")
        schema = Schema.infer(pd.DataFrame([[1, 2]], columns=labels))
        assert schema.header == Header(("letters",), "object")
        assert schema.names == ["a", "b"]

    def test_a_label_that_is_not_there(self):
        schema = Schema.infer(pd.DataFrame({"1": [0]}))
        with pytest.raises(KeyError):
            schema[1]

    @pytest.mark.parametrize("labels", [["a", "b", "a"], [1, True, 2]])
    def test_labels_that_occur_twice(self, labels):
        message = f"X has more than one column named {labels[2] if labels[0] == 'a' else True!r}"
        with pytest.raises(ValueError, match=says(f"{message}; column names must be unique.")):
            Schema.infer(pd.DataFrame([[1, 2, 3]], columns=pd.Index(labels, dtype=object)))

    @pytest.mark.parametrize(
        ("labels", "told"),
        [
            ([None, np.nan], "None, nan"),
            (["a", pd.NaT, np.nan], "NaT, nan"),
            ([None, "a"], "None"),
            ([pd.NA, "a"], "<NA>"),
            ([True, b"x"], "True, b'x'"),
        ],
    )
    def test_labels_that_pandas_does_not_find(self, labels, told):
        table = pd.DataFrame([range(len(labels))], columns=pd.Index(labels, dtype=object))
        message = f"X has columns named {told}, which pandas does not find in a list of its "
        with pytest.raises(ValueError, match=says(f"{message}columns; rename them.")):
            Schema.infer(table)


class TestDtypes:
    @pytest.mark.parametrize("name", columns())
    def test_names_find_dtypes_again(self, name):
        dtype = columns()[name][0].dtype
        found = dtype_named(dtype_name(dtype))
        assert found == ("category" if isinstance(dtype, pd.CategoricalDtype) else dtype)

    def test_names_of_arrow_dtypes(self):
        pytest.importorskip("pyarrow")
        for values, _ in arrow_columns().values():
            assert dtype_named(dtype_name(values.dtype)) == values.dtype

    def test_a_dtype_that_cannot_be_named(self):
        message = (
            "column 'c' of X cannot be given back as it is (dtype Sparse[int64, 3] cannot be found "
            "again by its name); convert it first, for example with X['c'].astype(object)."
        )
        values = pd.Series([3, 1], dtype=pd.SparseDtype("int64", 3), name="c")
        with pytest.raises(TypeError, match=says(message)):
            infer(values)
        infer(values.astype(object))


class TestJSON:
    def test_every_column(self):
        table = pd.DataFrame({name: values for name, (values, _) in columns().items()})
        schema = Schema.infer(table)
        again = through_json(schema)
        assert again.to_dict() == schema.to_dict()
        for one, other in zip(schema.columns, again.columns, strict=True):
            for field in dataclasses.fields(one):
                before, after = (getattr(each, field.name) for each in (one, other))
                if field.name == "table":
                    for part in ("mass", "low", "high"):
                        np.testing.assert_array_equal(getattr(before, part), getattr(after, part))
                else:
                    assert after == before
                if isinstance(before, tuple):
                    assert [*map(type, after)] == [*map(type, before)]

    def test_arrow_columns_and_identifiers(self):
        pytest.importorskip("pyarrow")
        table = pd.DataFrame({name: values for name, (values, _) in arrow_columns().items()})
        schema = Schema.infer(table)
        assert through_json(schema).to_dict() == schema.to_dict()
        column = IdentifierColumn("c", "object", "ü", 10**20, 7, 0.25, "NaT")
        assert through_json(Schema((column,))) == Schema((column,))

    @pytest.mark.parametrize(
        "value",
        [
            *(None, True, 0, -(2**70), 1e-320, 0.1, "", "\ud800", b"\x00\xff"),
            *(np.inf, -np.inf, (), (1, ("a", None)), [[1.5]], {"a": 1, 2: (3,)}, {}),
            *(datetime.date(1, 1, 1), datetime.time(1, 2, 3, 4), datetime.timedelta(-1, 5, 7)),
            datetime.datetime(2020, 1, 1, 1, 1, 1, 1),
            datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
            *(decimal.Decimal("1.10"), decimal.Decimal("-Infinity")),
            *(pd.Timestamp("2020-01-01T01:02:03.000000004"), pd.Timedelta(-1, "ns")),
            *(pd.Period("2020-03", "M"), pd.Period("2020-01-05", "W-SUN")),
            *(pd.Interval(0, 1.5, "both"), pd.Interval(pd.Timestamp(0), pd.Timestamp(1), "left")),
        ],
        ids=repr,
    )
    def test_values(self, value):
        again = from_jsonable(json.loads(json.dumps(to_jsonable(value), allow_nan=False)))
        assert again == value
        assert type(again) is type(value)
        assert repr(again) == repr(value)

    def test_time_zones_keep_their_name_at_either_end_of_summer(self):
        for hour in (0, 1):
            stamp = pd.Timestamp(f"2020-10-25T0{hour}:30", tz="UTC").tz_convert("Europe/Berlin")
            again = from_jsonable(to_jsonable(stamp))
            assert (again, str(again), str(again.tz)) == (stamp, str(stamp), "Europe/Berlin")

    def test_missing_values(self):
        assert np.isnan(from_jsonable(to_jsonable(np.nan)))
        assert from_jsonable(to_jsonable(pd.NaT)) is pd.NaT

    def test_numpy_values_become_python_s(self):
        for value in (np.int8(3), np.float64(0.5), np.bool_(True), np.str_("a")):
            assert type(from_jsonable(to_jsonable(value))) is type(value.item())
        array = from_jsonable(to_jsonable(np.arange(6.0).reshape(2, 3)))
        np.testing.assert_array_equal(array, np.arange(6.0).reshape(2, 3))

    def test_values_without_a_form(self):
        @dataclasses.dataclass(frozen=True)
        class NumericColumn:
            name: str

        for value in (frozenset({1}), object(), NumericColumn("a")):
            message = (
                f"{value!r} of type {type(value).__name__} has no JSON form; "
                "convert such values to strings or numbers, or use pickle."
            )
            schema = Schema((CategoricalColumn("c", "categorical", "object", (value,), (1.0,), 0),))
            with pytest.raises(TypeError, match=says(message)):
                schema.to_dict()


def test_restored_strings_of_a_newer_pandas():
    # Before pandas 3, "str" names a NumPy dtype that columns cannot have.
    described = CategoricalColumn("c", "categorical", "str", ("a",), (1.0,), 0.5)
    made = described.series(np.array([0, -1]))
    assert made[0] == "a"
    assert made.isna().to_list() == [False, True]


def test_column_helper():
    assert len(column([1, 2, 3])) == len(column([None]))
