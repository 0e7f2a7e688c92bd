"""Conditions: how they may be put, what each kind of column takes, and that rows honour them."""

from __future__ import annotations

import datetime
import decimal
import re

import numpy as np
import pandas as pd
import pytest
import torch

from tabgan import AAESynthesizer, CGANSynthesizer, WGANSynthesizer
from tabgan.models import conditioning
from tabgan.models.conditioning import ConditionModel, MadeRows, fulfil
from tabgan.table.conditions import RANK_TOLERANCE, MadeColumn, as_frame, encode_wish
from tabgan.table.encoder import Encoder
from tabgan.table.schema import Schema

N = 400
ENCODINGS = ("scalar", "bins", "rank")


def exactly(message):
    """Match a whole text; three dots stand for what pandas says in it."""
    return "^" + re.escape(message).replace(re.escape("..."), ".*") + "$"


def make_table(n=N, seed=0):
    """Make a table of every kind of column that can be asked for."""
    rng = np.random.default_rng(seed)
    i = np.arange(n)
    table = pd.DataFrame(
        {
            "integer": rng.permutation(i) // 3,
            "short": (i % 7).astype("int8"),
            "huge": np.array([2**64 - 1, 2**64 - 2, 2**63], dtype="uint64")[i % 3],
            "nullable": pd.array(i % 90, dtype="Int64"),
            "steps": 5 * (i % 97),
            "float": rng.normal(size=n),
            "single": (i % 11 / 10).astype("float32"),
            "cents": rng.lognormal(3, 1, n).round(2),
            "zeros": np.where(rng.random(n) < 0.6, 0.0, rng.exponential(size=n)),
            "text": np.array(["a", "b", "c"])[i % 3],
            "category": pd.Categorical.from_codes(i % 2, ["x", "y", "never"], ordered=True),
            "flag": i % 2 == 0,
            "maybe": pd.array(i % 4 == 0, dtype="boolean"),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(i % 300, "D"),
            "zoned": pd.Timestamp("2020-01-01", tz="Europe/Berlin") + pd.to_timedelta(i, "h"),
            "span": pd.to_timedelta(i % 200, "h"),
            "date": [datetime.date(2020, 1, 1 + k % 28) for k in range(n)],
            "decimal": [decimal.Decimal(k) / 100 for k in range(n)],
            "tuple": pd.Series([(1, 2), (3, 4)] * (n // 2)),
            "interval": pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 2]).take(i % 2)),
            "constant": 7,
            "absent": None,
        }
    )
    for name in ("nullable", "zeros", "maybe", "text", "day"):
        table.loc[::10, name] = None
    return table


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture(scope="module", params=ENCODINGS)
def encoder(request, table):
    return Encoder(Schema.infer(table), request.param)


@pytest.fixture(scope="module")
def schema(table):
    return Schema.infer(table)


def objects(*values):
    return pd.Series(list(values), dtype=object)


def wish_for(encoder, name, *values):
    return encode_wish(encoder, name, objects(*values))


def stamps(*texts, tz=None):
    return pd.Interval(*(pd.Timestamp(text, tz=tz) for text in texts), closed="both")


class TestAsFrame:
    def test_one_value_for_all_rows(self, schema):
        frame = as_frame({"integer": 3, "text": None}, 2, schema)
        expected = pd.DataFrame({"integer": [3, 3], "text": [None, None]}, dtype=object)
        pd.testing.assert_frame_equal(frame, expected, check_column_type=False)

    @pytest.mark.parametrize(
        "values",
        [
            [1, 2],
            (1, 2),
            np.array([1, 2]),
            pd.Series([1, 2], index=[7, 7]),
            pd.Index([1, 2]),
            pd.array([1, 2], dtype="Int64"),
            pd.Categorical([1, 2]),
            range(1, 3),
        ],
        ids=lambda values: type(values).__name__,
    )
    def test_one_value_per_row(self, schema, values):
        frame = as_frame({"integer": values, "text": "a"}, 1, schema)
        assert frame["integer"].to_list() == [1, 2]
        assert frame["text"].to_list() == ["a", "a"]

    def test_a_tuple_that_is_a_category_is_one_value(self, schema):
        frame = as_frame({"tuple": (1, 2), "integer": [1, 2, 3]}, 1, schema)
        assert frame["tuple"].to_list() == [(1, 2)] * 3
        assert as_frame({"tuple": [(1, 2), (3, 4)]}, 1, schema)["tuple"].to_list() == [
            (1, 2),
            (3, 4),
        ]

    def test_a_row_of_a_table(self, schema, table):
        frame = as_frame(table.iloc[5], 3, schema)
        assert frame.columns.to_list() == table.columns.to_list()
        assert len(frame) == 3
        assert frame["tuple"].to_list() == [(3, 4)] * 3

    def test_a_named_column(self, schema):
        values = pd.Series([3, 4, 5], index=[9, 9, 9], name="integer")
        pd.testing.assert_frame_equal(
            as_frame(values, 1, schema), pd.DataFrame({"integer": [3, 4, 5]}, dtype=object)
        )

    def test_a_table_in_its_order_with_a_fresh_index(self, schema, table):
        frame = as_frame(table[["text", "category", "nullable"]].iloc[[3, 1, 1]], 1, schema)
        assert frame.columns.to_list() == ["text", "category", "nullable"]
        assert frame.index.to_list() == [0, 1, 2]
        assert (frame.dtypes == "object").all()
        assert frame["category"].to_list() == ["y", "y", "y"]

    def test_labels_that_are_not_strings(self):
        labels = pd.Index([("a", 1), None, 1.5, 3], dtype=object, tupleize_cols=False)
        schema = Schema.infer(pd.DataFrame(np.ones((2, 4)), columns=labels))
        frame = as_frame({("a", 1): 1, None: 1.0, 3: [1, 1]}, 1, schema)
        assert frame.columns.to_list() == [("a", 1), None, 3]
        assert frame.shape == (2, 3)

    @pytest.mark.parametrize(
        ("conditions", "n_samples", "message"),
        [
            ({}, 1, "conditions is empty; leave it out to sample without conditions."),
            (
                pd.DataFrame(index=[0]),
                1,
                "conditions is empty; leave it out to sample without conditions.",
            ),
            ({"integer": []}, 1, "conditions has 0 rows; give at least one."),
            (
                {"integer": [1, 2], "text": ["a"] * 3},
                1,
                "conditions holds lists of different lengths, [2, 3]; "
                "give every column one value, or lists of one length.",
            ),
            (
                {"integer": [1, 2]},
                3,
                "n_samples is 3 but conditions has 2 rows; "
                "leave n_samples out, or make the two agree.",
            ),
            (
                pd.concat([pd.Series([1], name="integer")] * 2, axis=1),
                1,
                "conditions names 'integer' more than once; name each column once.",
            ),
        ],
    )
    def test_errors(self, schema, conditions, n_samples, message):
        with pytest.raises(ValueError, match=exactly(message)):
            as_frame(conditions, n_samples, schema)

    @pytest.mark.parametrize(
        "conditions",
        [{"colour": 1}, pd.Series({"integer": 1, "colour": 2}), pd.DataFrame({"colour": [1]})],
        ids=["dict", "Series", "DataFrame"],
    )
    def test_a_name_that_is_no_column(self, schema, conditions):
        message = f"conditions names 'colour', which is not a column; columns: {schema.names}."
        with pytest.raises(ValueError, match=exactly(message)):
            as_frame(conditions, 1, schema)

    def test_types_that_name_no_columns(self, schema):
        for conditions in ([1, 2], "integer", np.ones(3)):
            message = (
                "conditions must be a dict, a Series or a DataFrame whose names are columns, "
                f"got {type(conditions).__name__}."
            )
            with pytest.raises(TypeError, match=exactly(message)):
                as_frame(conditions, 1, schema)


class TestValues:
    @pytest.mark.parametrize(
        ("name", "asked", "given"),
        [
            ("integer", np.int64(3), 3),
            ("integer", 3.0, 3),
            ("integer", "3", 3),
            ("integer", decimal.Decimal(3), 3),
            ("short", np.float32(3), 3),
            ("huge", 2**64 - 2, 2**64 - 2),
            ("nullable", 17, 17),
            ("nullable", pd.NA, pd.NA),
            ("nullable", np.nan, pd.NA),
            ("nullable", None, pd.NA),
            ("steps", 7, 7),
            ("float", 0.125, 0.125),
            ("float", np.float32(0.5), 0.5),
            ("float", 0, 0.0),
            ("single", 0.1, np.float32(0.1)),
            ("single", 0.7, np.float32(0.7)),
            ("cents", 3.14159, 3.14159),
            ("zeros", 0, 0.0),
            ("zeros", None, np.nan),
            ("text", np.str_("b"), "b"),
            ("text", None, None),
            ("category", "y", "y"),
            ("flag", np.True_, True),
            ("flag", 0, False),
            ("maybe", False, False),
            ("maybe", None, pd.NA),
            ("day", "2020-02-29", pd.Timestamp("2020-02-29")),
            ("day", datetime.date(2020, 2, 29), pd.Timestamp("2020-02-29")),
            ("day", np.datetime64("2020-02-29"), pd.Timestamp("2020-02-29")),
            ("day", pd.NaT, pd.NaT),
            ("zoned", "2020-01-02", pd.Timestamp("2020-01-02", tz="Europe/Berlin")),
            (
                "zoned",
                pd.Timestamp("2020-01-02", tz="UTC"),
                pd.Timestamp("2020-01-02T01:00", tz="Europe/Berlin"),
            ),
            ("span", "5h", pd.Timedelta("5h")),
            ("span", datetime.timedelta(hours=5), pd.Timedelta("5h")),
            ("span", np.timedelta64(5, "h"), pd.Timedelta("5h")),
            ("date", datetime.date(2020, 1, 5), datetime.date(2020, 1, 5)),
            ("date", pd.Timestamp("2020-01-05T12:00"), datetime.date(2020, 1, 5)),
            ("decimal", 0.05, decimal.Decimal("0.05")),
            ("tuple", (3, 4), (3, 4)),
            ("interval", pd.Interval(0, 1), pd.Interval(0, 1)),
            ("constant", 7.0, 7),
            ("absent", None, None),
        ],
    )
    def test_values_asked_for_are_given_exactly(self, encoder, table, name, asked, given):
        wish = wish_for(encoder, name, asked)
        assert wish.values.dtype == table[name].dtype
        made = wish.values.iloc[0]
        if pd.api.types.is_scalar(given) and pd.isna(given):
            assert pd.isna(made)
        else:
            assert made == given
            assert isinstance(made, type(given)) or isinstance(given, int | float | bool)
        imposed = wish.impose(table[name].iloc[[1]], np.zeros(1, dtype=int))
        assert imposed.index.to_list() == [1]
        assert imposed.dtype == table[name].dtype
        assert wish.told(0) is asked or wish.told(0) == asked

    def test_training_rows_meet_themselves(self, encoder, table):
        encoded = encoder.encode(table)
        for name in table:
            asked = table[name].astype(object)
            wish = encode_wish(encoder, name, asked)
            index = encoder.schema.position(name)
            block, scalar = encoder.blocks[index], encoder.scalars[index]
            column = MadeColumn(
                wish,
                encoder.schema[name],
                encoded.codes[:, block].numpy() if block >= 0 else None,
                encoded.scalars[:, scalar].numpy() if scalar >= 0 else None,
                table[name],
            )
            for i in range(0, N, 37):
                assert column.meets(i, np.array([i])).all(), name
            assert wish.values.equals(table[name]) or name == "absent"

    @pytest.mark.parametrize(
        ("name", "interval", "low", "high"),
        [
            ("integer", pd.Interval(2, 5), 3, 5),
            ("integer", pd.Interval(2.5, np.inf), 3, 133),
            ("integer", pd.Interval(-np.inf, 4.5, "both"), 0, 4),
            ("steps", pd.Interval(4, 21), 5, 20),
            ("float", pd.Interval(-0.5, 0.5), -0.5, 0.5),
            ("cents", pd.Interval(5.0, 9.0, "left"), 5.0, 8.99),
            ("zeros", pd.Interval(0.0, 1.0, "both"), 0.0, 1.0),
            (
                "day",
                stamps("2020-02-01T12:00", "2020-02-03T12:00"),
                *pd.to_datetime(["2020-02-02", "2020-02-03"]),
            ),
            ("zoned", stamps("2020-01-02", "2020-01-03", tz="UTC"), None, None),
            (
                "span",
                pd.Interval(pd.Timedelta("5h"), pd.Timedelta("7h")),
                *pd.to_timedelta(["6h", "7h"]),
            ),
            (
                "date",
                stamps("2020-01-03", "2020-01-05"),
                datetime.date(2020, 1, 3),
                datetime.date(2020, 1, 5),
            ),
            ("decimal", pd.Interval(0.05, 0.06), decimal.Decimal("0.06"), decimal.Decimal("0.06")),
            ("constant", pd.Interval(0, 10), 7, 7),
        ],
    )
    def test_intervals(self, encoder, table, name, interval, low, high):
        wish = wish_for(encoder, name, interval)
        assert wish.codes.tolist() == [-1]
        assert np.isnan(wish.scalars).all()
        column = MadeColumn(wish, encoder.schema[name], None, None, table[name])
        inside = column.meets(0, np.arange(N))
        if low is None:
            low, high = interval.left, interval.right
        expected = ((table[name] >= low) & (table[name] <= high)).fillna(False).to_numpy(dtype=bool)
        if name == "float":
            expected = expected & (table[name] > low).to_numpy()
        np.testing.assert_array_equal(inside, expected)
        assert inside.any()
        made = table[name].iloc[[0, 1]]
        pd.testing.assert_series_equal(wish.impose(made, np.zeros(2, dtype=int)), made)

    def test_a_number_is_met_within_two_per_cent_of_the_rows(self, table):
        encoder = Encoder(Schema.infer(table[["float"]]))
        ordered = table["float"].sort_values(ignore_index=True)
        wish = encode_wish(encoder, "float", objects(ordered[200]))
        scalars = encoder.encode(ordered.to_frame()).scalars[:, 0].numpy()
        column = MadeColumn(wish, encoder.schema["float"], None, scalars, ordered)
        assert abs(column.meets(0, np.arange(N)).sum() - 2 * RANK_TOLERANCE * N) <= 2

    def test_an_equal_number_is_met_wherever_it_ranks(self, table):
        encoder = Encoder(Schema.infer(table[["zeros"]].dropna()), "rank")
        values = pd.Series([0.0, 0.0, 1.0])
        wish = encode_wish(encoder, "zeros", objects(0.0))
        scalars = np.array([-0.9, wish.scalars[0], 0.9])
        column = MadeColumn(wish, encoder.schema["zeros"], None, scalars, values)
        assert column.meets(0, np.arange(3)).tolist() == [True, True, False]

    def test_many_wishes_at_once(self, encoder):
        wish = wish_for(encoder, "zeros", 0, None, pd.Interval(0.5, 1.0), 0.0)
        assert np.isnan(wish.low).tolist() == [True, True, False, True]
        assert wish.codes[0] == wish.codes[3] >= 0
        assert wish.values.isna().tolist() == [False, True, False, False]
        made = pd.Series([9.0, 9.0, 9.0], index=[4, 5, 6])
        imposed = wish.impose(made, np.array([2, 1, 0]))
        pd.testing.assert_series_equal(imposed, pd.Series([9.0, np.nan, 0.0], index=[4, 5, 6]))


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "asked", "message"),
        [
            ("integer", 3.5, "'integer' holds integer values, got 3.5 (3.5 is not whole)."),
            (
                "integer",
                np.inf,
                "'integer' must lie in [0, 133], the range seen in training, got inf.",
            ),
            ("integer", 1j, "'integer' holds integer values, got 1j (not a real number)."),
            ("integer", "many", "'integer' holds integer values, got 'many' (...)."),
            (
                "integer",
                pd.Timestamp(0),
                f"'integer' holds integer values, got {pd.Timestamp(0)!r} (...).",
            ),
            ("integer", -1, "'integer' must lie in [0, 133], the range seen in training, got -1."),
            (
                "integer",
                2**70,
                f"'integer' must lie in [0, 133], the range seen in training, got {2**70}.",
            ),
            ("short", 300, "'short' must lie in [0, 6], the range seen in training, got 300."),
            (
                "huge",
                2**63 - 1,
                f"'huge' must lie in [{2**63}, {2**64 - 1}], the range seen in training, "
                f"got {2**63 - 1}.",
            ),
            ("float", "x", "'float' holds float values, got 'x' (...)."),
            (
                "single",
                1.1,
                "'single' must lie in [0.0, 1.0], the range seen in training, got 1.1.",
            ),
            (
                "float",
                None,
                "'float' is missing, but it never was in training; "
                "leave the column out to accept any value.",
            ),
            (
                "flag",
                pd.NA,
                "'flag' is missing, but it never was in training; "
                "leave the column out to accept any value.",
            ),
            ("text", "z", "'text' was never 'z' in training; it took 'b', 'c', 'a'."),
            ("category", "never", "'category' was never 'never' in training; it took 'x', 'y'."),
            ("text", ["a"], "'text' got no category (unhashable type: 'list')."),
            ("flag", "True", "'flag' was never 'True' in training; it took True, False."),
            ("tuple", (5, 6), "'tuple' was never (5, 6) in training; it took (1, 2), (3, 4)."),
            ("absent", "a", "'absent' was never 'a' in training; all its values were missing."),
            ("constant", 8, "'constant' must lie in [7, 7], the range seen in training, got 8."),
            ("day", 5, "'day' holds datetime values, got 5 (5 has no unit)."),
            ("day", True, "'day' holds datetime values, got True (True has no unit)."),
            ("day", "someday", "'day' holds datetime values, got 'someday' (...)."),
            ("day", pd.Timestamp("2020", tz="UTC"), "'day' holds datetime values, got ... (...)."),
            (
                "day",
                "2019-01-01",
                "'day' must lie in [2020-01-02 00:00:00, 2020-10-26 00:00:00], "
                "the range seen in training, got '2019-01-01'.",
            ),
            ("span", 5, "'span' holds timedelta values, got 5 (5 has no unit)."),
            (
                "integer",
                pd.Interval(200, 300),
                "'integer' lies in [0, 133] in training, and was never in (200, 300].",
            ),
            (
                "integer",
                pd.Interval(3, 4, "neither"),
                "'integer' lies in [0, 133] in training, and was never in (3, 4).",
            ),
            (
                "short",
                pd.Interval(2.1, 2.9),
                "'short' lies in [0, 6] in training, and was never in (2.1, 2.9].",
            ),
            (
                "single",
                pd.Interval(0.11, 0.19),
                "'single' lies in [0.0, 1.0] in training, and was never in (0.11, 0.19].",
            ),
            (
                "float",
                stamps("2020", "2021"),
                f"'float' holds float values, and {pd.Timestamp('2020')!r} is no end for an "
                "interval of such (...).",
            ),
            (
                "day",
                pd.Interval(1, 2),
                "'day' holds datetime values, and 1 is no end for an interval of such "
                "(1 has no unit).",
            ),
        ],
    )
    def test_messages(self, encoder, name, asked, message):
        with pytest.raises(ValueError, match=exactly(f"conditions: {message}")):
            wish_for(encoder, name, asked)

    def test_one_of_many(self, encoder):
        message = "conditions: 'text' was never 'q' in training; it took 'b', 'c', 'a'."
        with pytest.raises(ValueError, match=exactly(message)):
            wish_for(encoder, "text", "a", None, "q", "r")

    def test_long_lists_of_categories_are_cut(self):
        encoder = Encoder(Schema.infer(pd.DataFrame({"c": [f"k{i}" for i in range(12)] * 9})))
        seen = ", ".join(f"'k{i}'" for i in range(10))
        message = f"conditions: 'c' was never 'z' in training; it took {seen}, ...."
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            wish_for(encoder, "c", "z")

    @pytest.mark.filterwarnings("ignore:column 'id'")
    def test_identifiers(self):
        schema = Schema.infer(pd.DataFrame({"id": [f"u{i}" for i in range(60)]}))
        message = "conditions: 'id' is an identifier, which is not learnt; drop it."
        with pytest.raises(ValueError, match=exactly(message)):
            wish_for(Encoder(schema), "id", "u3")
        message = (
            "column 'id' cannot be a condition, for it looks like an identifier; leave it out, "
            "or name it in categorical_features."
        )
        with pytest.raises(ValueError, match=exactly(message)):
            ConditionModel(schema, 256)


class Resampler:
    """Stands for a generator whose rows are like those of training: it draws from them."""

    def __init__(self, table, seed=0, numeric="scalar"):
        self.table, self.rng = table, np.random.default_rng(seed)
        self.encoder = Encoder(Schema.infer(table), numeric)
        self.n_made = 0

    def make(self, wanted):
        self.n_made += len(wanted)
        rows = self.table.iloc[self.rng.integers(0, len(self.table), len(wanted))]
        rows = rows.reset_index(drop=True)
        return MadeRows(rows, self.encoder.encode(rows, self.rng))

    def fulfil(self, asked, shared=True):
        wishes = {name: encode_wish(self.encoder, name, asked[name]) for name in asked}
        told = [part for wish in wishes.values() for part in wish[:4]]
        group = np.unique(
            np.nan_to_num(np.column_stack(told), nan=-9.0), axis=0, return_inverse=True
        )[1]
        frame = fulfil(self.make, self.encoder, wishes, group.ravel(), shared)
        for name, wish in wishes.items():
            frame[name] = wish.impose(frame[name], np.arange(len(asked)))
        return frame


class TestFulfil:
    @pytest.mark.parametrize("shared", [True, False])
    @pytest.mark.parametrize("numeric", ENCODINGS)
    def test_each_row_honours_each_column_in_order(self, table, numeric, shared):
        names = ["text", "category", "zeros", "maybe", "short", "float"]
        asked = table[names].sample(60, replace=True, random_state=0).reset_index(drop=True)
        table = table[["day", *names]]
        made = Resampler(table, numeric=numeric).fulfil(asked.astype(object), shared)
        pd.testing.assert_frame_equal(made[names], asked)
        assert isinstance(made.index, pd.RangeIndex)
        assert (made.dtypes == table.dtypes).all()

    def test_intervals_and_values_in_one_column(self, table):
        asked = pd.DataFrame({"float": objects(0.5, pd.Interval(-0.1, 0.1), 0.5), "text": "b"})
        asked = pd.concat([asked] * 10, ignore_index=True).astype(object)
        made = Resampler(table).fulfil(asked)
        assert (made["text"] == "b").all()
        is_value = np.arange(30) % 3 != 1
        assert (made["float"][is_value] == 0.5).all()
        assert made["float"][~is_value].between(-0.1, 0.1).all()
        assert made["float"][~is_value].nunique() > 3

    def test_other_columns_are_as_they_are_given_the_condition(self):
        rng = np.random.default_rng(0)
        x = rng.integers(0, 2, 4000)
        table = pd.DataFrame({"x": x, "y": np.where(rng.random(4000) < 0.9, x, 1 - x)})
        asked = pd.DataFrame({"x": [0, 1] * 5000}, dtype=object)
        made = Resampler(table).fulfil(asked)
        for value in (0, 1):
            seen = table["y"][table["x"] == value].mean()
            # Five standard errors: a false alarm in 1.7 million runs.
            error = 5 * np.sqrt(0.9 * 0.1 / 5000)
            assert abs(made["y"][made["x"] == value].mean() - seen) < error

    def test_intervals_within_others_do_not_thin_them(self):
        table = pd.DataFrame({"x": np.random.default_rng(0).random(5000)})
        narrow, wide = pd.Interval(0.4, 0.5), pd.Interval(0.0, 1.0)
        asked = pd.DataFrame({"x": objects(*[narrow] * 3000, *[wide] * 3000)})
        made = Resampler(table).fulfil(asked)["x"]
        assert made[:3000].between(0.4, 0.5).all()
        seen = ((table["x"] > 0.4) & (table["x"] <= 0.5)).mean()
        # Five standard errors: a false alarm in 1.7 million runs.
        assert abs(made[3000:].between(0.4, 0.5).mean() - seen) < 5 * np.sqrt(0.09 / 3000)

    def test_rows_are_not_handed_out_twice(self, table):
        unique = table[["float", "text"]].assign(row=np.arange(N) / 7)
        sampler = Resampler(unique)
        sampler.rng = np.random.default_rng(0)
        order = iter(np.array_split(np.arange(40_000) % N, 4))
        sampler.make = lambda wanted: MadeRows(
            rows := unique.iloc[next(order)[: len(wanted)]].reset_index(drop=True),
            sampler.encoder.encode(rows),
        )
        made = sampler.fulfil(pd.DataFrame({"text": ["b", "c"] * 60}, dtype=object))
        assert not made["row"].duplicated().any()

    def test_thousand_distinct_rows_share_the_rows_made(self, table):
        asked = pd.DataFrame(
            {"float": np.random.default_rng(1).uniform(-1, 1, 1000), "flag": [True, False] * 500}
        )
        sampler = Resampler(table[["float", "flag"]])
        made = sampler.fulfil(asked.astype(object))
        pd.testing.assert_frame_equal(made[["float", "flag"]], asked)
        # About 2 % of rows would do for each; made one after the other that took 50,000.
        assert sampler.n_made < 30_000

    @pytest.mark.filterwarnings("ignore:column 'id'")
    def test_identifiers_of_rows_from_many_pools_differ(self, table):
        table = table[["text", "short"]].assign(id=[f"u{i}" for i in range(N)])
        made = Resampler(table).fulfil(pd.DataFrame({"short": [3] * 3000}, dtype=object))
        assert made["id"].is_unique
        assert made["id"].iloc[0] == f"u{N}"

    def test_an_impossible_combination_stops_at_the_bound(self, table, monkeypatch):
        monkeypatch.setattr(conditioning, "MIN_DRAWS", 5000)
        monkeypatch.setattr(conditioning, "DRAWS_PER_ROW", 10)
        sampler = Resampler(table)
        asked = pd.DataFrame(
            {"flag": [True, True, True], "category": ["x", "y", "y"]}, dtype=object
        )
        message = (
            "conditions: 1 of 3 rows found among 6... made; too few or none are like "
            "{'flag': True, 'category': 'y'}. Ask for fewer columns or wider intervals at once, or "
            "train for it: CGANSynthesizer(condition_columns=['flag', 'category'])."
        )
        with pytest.raises(ValueError, match=exactly(message)):
            sampler.fulfil(asked)
        assert sampler.n_made < 5030 + 2 * 1024

    def test_the_error_names_what_was_asked_in_the_user_s_terms(self, table, monkeypatch):
        monkeypatch.setattr(conditioning, "MIN_DRAWS", 2000)
        asked = pd.DataFrame(
            {
                "integer": objects(pd.Interval(3, 4)),
                "short": objects(np.int64(5)),
                "steps": objects(7),
            }
        )
        with pytest.raises(ValueError) as caught:
            Resampler(table).fulfil(asked)
        assert "{'integer': Interval(3, 4, closed='right'), 'short': 5, 'steps': 7}" in str(
            caught.value
        )


class TestConditionModel:
    @pytest.fixture
    def model(self, table):
        names = ["text", "category", "zeros", "float"]
        model = ConditionModel(Schema.infer(table).select(names), 256)
        model.learn(model.encoder.encode(table[names], np.random.default_rng(0)))
        return model

    def wishes(self, model, **asked):
        return {name: wish_for(model.encoder, name, *values) for name, values in asked.items()}

    def decode(self, model, table):
        return model.encoder.decode(table, np.random.default_rng(0))

    def test_drawn_at_the_rates_of_training(self, model, table):
        n = 20_000
        made = self.decode(model, model.draw(n, np.random.default_rng(0)))
        for name in ("text", "category"):
            share = table[name].value_counts(normalize=True, dropna=False)
            error = (made[name].value_counts(normalize=True, dropna=False) - share).abs()
            # Six rates at five standard errors: a false alarm in 290,000 runs.
            assert (error <= 5 * np.sqrt(share / n).reindex(error.index)).all()
        assert abs((made["zeros"] == 0).mean() - (table["zeros"] == 0).mean()) < 0.02
        np.testing.assert_allclose(
            made["float"].quantile([0.1, 0.5, 0.9]),
            table["float"].quantile([0.1, 0.5, 0.9]),
            atol=0.15,
        )

    def test_values_asked_for_are_drawn_and_others_go_with_them(self, model, table):
        wishes = self.wishes(model, category=["x", "y"], float=[0.5, -0.5])
        asked = np.array([0, 1] * 500)
        made = self.decode(model, model.draw_given(wishes, asked, np.random.default_rng(0)))
        assert made["category"].to_list() == ["x", "y"] * 500
        np.testing.assert_allclose(made["float"], np.where(asked == 0, 0.5, -0.5), atol=1e-5)
        assert made["text"].isna().any()
        assert set(made["text"].dropna()) == {"a", "b", "c"}

    def test_intervals(self, model):
        wishes = self.wishes(
            model, float=[pd.Interval(0.0, 1.0), 0.25], zeros=[pd.Interval(0.0, 0.5, "both"), None]
        )
        asked = np.array([0, 0, 1] * 300)
        made = self.decode(model, model.draw_given(wishes, asked, np.random.default_rng(0)))
        of_first = made[asked == 0]
        assert of_first["float"].between(0, 1).all()
        assert of_first["zeros"].between(0, 0.5).all()
        assert 0 < (of_first["zeros"] == 0).mean() < 1
        assert of_first["float"].nunique() > 20
        np.testing.assert_allclose(made["float"][asked == 1], 0.25, atol=1e-5)
        assert made["zeros"][asked == 1].isna().all()

    def test_without_wishes(self, model):
        table = model.draw_given({}, np.zeros(7, dtype=int), np.random.default_rng(0))
        assert len(table) == 7

    @pytest.mark.parametrize("value", ["c", pd.Interval(0.9, 1.0)])
    def test_what_never_occurred_together(self, value):
        table = pd.DataFrame({"k": ["a"] * 60 + ["c"] * 60, "x": np.linspace(0, 1, 120)})
        table["g"] = table["k"].map({"a": "left", "c": "right"})
        model = ConditionModel(Schema.infer(table), 256)
        model.learn(model.encoder.encode(table, np.random.default_rng(0)))
        name = "k" if value == "c" else "x"
        wishes = self.wishes(model, g=["left"], **{name: [value]})
        message = (
            f"conditions: {{'g': 'left', {name!r}: {value!r}}} never occurred together in "
            "training, so there is nothing to learn such rows from; ask for fewer columns at once."
        )
        with pytest.raises(ValueError, match=exactly(message)):
            model.draw_given(wishes, np.zeros(3, dtype=int), np.random.default_rng(0))

    def test_rows_of_unknown_condition_are_not_counted(self, table):
        model = ConditionModel(Schema.infer(table).select(["category"]), 256)
        known = model.encoder.encode(table[["category"]])
        known.codes[::2] = -1
        model.learn(known)
        assert model.combinations.codes.tolist() == [[1]]
        assert model.combinations.counts.tolist() == [N // 2]

    def test_one_continuous_condition(self, table):
        model = ConditionModel(Schema.infer(table).select(["float"]), 256)
        model.learn(model.encoder.encode(table[["float"]]))
        drawn = model.draw(1000, np.random.default_rng(0))
        assert drawn.codes.shape == (1000, 0)
        assert torch.isfinite(drawn.scalars).all()
        assert (drawn.scalars.abs() <= 1).all()


SMALL = {"n_steps": 1, "hidden_dim": 8, "latent_dim": 4, "random_state": 0, "batch_size": 50}


@pytest.fixture(scope="module")
def small():
    table = make_table(120)
    return table[["text", "category", "zeros", "nullable", "day", "flag", "constant", "absent"]]


@pytest.fixture(scope="module", params=["wgan", "aae", "cgan"])
def fitted(request, small):
    if request.param == "cgan":
        return CGANSynthesizer(condition_columns=["category", "zeros"], **SMALL).fit(small)
    return {"wgan": WGANSynthesizer, "aae": AAESynthesizer}[request.param](**SMALL).fit(small)


class TestSynthesizers:
    """Small models that learnt nothing: whatever they make, conditions must hold."""

    def test_every_column_alone(self, fitted, small):
        for name in small:
            value = small[name].iloc[3]
            made = fitted.sample(7, random_state=0, conditions={name: value})
            assert made.shape == (7, small.shape[1])
            assert (made.dtypes == small.dtypes).all()
            same = made[name].isna() if pd.isna(value) else made[name] == value
            assert same.all(), name

    def test_a_table_of_conditions_in_order(self, fitted, small):
        names = ["category", "text", "zeros"]
        asked = small[names].iloc[[5, 0, 17, 5, 40]].reset_index(drop=True)
        made = fitted.sample(conditions=asked, random_state=0)
        pd.testing.assert_frame_equal(made[names], asked)
        assert made.columns.to_list() == small.columns.to_list()

    def test_intervals_and_missing_values(self, fitted, small):
        days = pd.Interval(pd.Timestamp("2020-01-05"), pd.Timestamp("2020-03-05"))
        made = fitted.sample(
            20,
            random_state=0,
            conditions={"zeros": pd.Interval(0.1, 9.0), "day": days, "text": None},
        )
        assert ((made["zeros"] > 0.1) & (made["zeros"] <= 9.0)).all()
        assert ((made["day"] > days.left) & (made["day"] <= days.right)).all()
        assert made["text"].isna().all()

    def test_numpy_scalars(self, fitted):
        made = fitted.sample(
            conditions={"nullable": np.int32(5), "flag": np.False_, "category": np.str_("y")}
        )
        assert (made["nullable"][0], made["flag"][0], made["category"][0]) == (5, False, "y")

    def test_repeatable(self, fitted):
        one, other = (fitted.sample(30, 1, conditions={"flag": True}) for _ in range(2))
        pd.testing.assert_frame_equal(one, other)

    def test_thousand_distinct_rows(self, small):
        model = WGANSynthesizer(**SMALL).fit(make_table()[["float", "flag", "text"]])
        asked = pd.DataFrame({"float": np.linspace(-1.5, 1.5, 1000), "flag": [True, False] * 500})
        made = model.sample(conditions=asked, random_state=0)
        pd.testing.assert_frame_equal(made[["float", "flag"]], asked)

    @pytest.mark.parametrize(
        "labels",
        [
            pd.Index([("a", 1), None, 1.5], dtype=object, tupleize_cols=False),
            pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["l", None]),
            pd.Index([2, 0, 1], name="n"),
        ],
        ids=["odd", "MultiIndex", "integers"],
    )
    def test_labels_that_are_not_strings(self, labels):
        table = make_table(60)[["text", "float", "flag"]].set_axis(labels, axis=1)
        model = AAESynthesizer(**SMALL).fit(table)
        asked = {labels[0]: "b", labels[1]: pd.Interval(-1, 1)}
        made = model.sample(9, conditions=asked, random_state=0)
        pd.testing.assert_index_equal(made.columns, labels)
        assert (made[labels[0]] == "b").all()
        assert made[labels[1]].between(-1, 1).all()
        asked = table[[labels[2], labels[0]]].iloc[:5].dropna().reset_index(drop=True)
        made = model.sample(conditions=asked, random_state=0)
        pd.testing.assert_frame_equal(made[list(asked)], asked)

    def test_columns_of_an_array_by_position(self):
        numbers = np.random.default_rng(0).integers(0, 4, (80, 3)).astype(np.float32)
        model = WGANSynthesizer(**SMALL).fit(numbers)
        made = model.sample(11, conditions={1: 2}, random_state=0)
        assert (type(made), made.dtype, made.shape) == (np.ndarray, np.float32, (11, 3))
        assert (made[:, 1] == 2).all()

    @pytest.mark.filterwarnings("ignore:column 'id'")
    def test_identifiers_never_repeat(self, small):
        table = small.assign(id=[f"row-{i}" for i in range(len(small))])
        model = WGANSynthesizer(**SMALL).fit(table)
        made = model.sample(1500, conditions={"flag": True}, random_state=0)
        assert made["id"].is_unique
        assert not set(made["id"]) & set(table["id"])
