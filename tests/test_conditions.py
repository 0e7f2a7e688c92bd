"""Conditions: how they may be put, and what each kind of column takes."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from condition_cases import ENCODINGS, condition_for, objects, stamps
from contract import says
from tables import askable_table

from tabgan.table.conditions import (
    RANK_TOLERANCE,
    SyntheticColumn,
    condition_frame,
    encode_condition,
)
from tabgan.table.encoder import Encoder
from tabgan.table.schema import Schema

N = 400


@pytest.fixture(scope="module")
def table():
    return askable_table()


@pytest.fixture(scope="module", params=ENCODINGS)
def encoder(request, table):
    return Encoder(Schema.infer(table), request.param)


@pytest.fixture(scope="module")
def schema(table):
    return Schema.infer(table)


class TestConditionFrame:
    def test_one_value_for_all_rows(self, schema):
        frame = condition_frame({"integer": 3, "text": None}, 2, schema)
        expected = pd.DataFrame({"integer": [3, 3], "text": [None, None]}, dtype=object)
        pd.testing.assert_frame_equal(frame, expected, check_column_type=False)

    @pytest.mark.parametrize(
        "values",
        [
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
        frame = condition_frame({"integer": values, "text": "a"}, 1, schema)
        assert frame["integer"].to_list() == [1, 2]
        assert frame["text"].to_list() == ["a", "a"]

    def test_a_tuple_that_is_a_category_is_one_value(self, schema):
        frame = condition_frame({"tuple": (1, 2), "integer": np.array([1, 2, 3])}, 1, schema)
        assert frame["tuple"].to_list() == [(1, 2)] * 3
        assert condition_frame({"tuple": ((1, 2), (3, 4))}, 1, schema)["tuple"].to_list() == [
            (1, 2),
            (3, 4),
        ]

    def test_a_row_of_a_table(self, schema, table):
        frame = condition_frame(table.iloc[5], 3, schema)
        assert frame.columns.to_list() == table.columns.to_list()
        assert len(frame) == 3
        assert frame["tuple"].to_list() == [(3, 4)] * 3

    def test_a_named_column(self, schema):
        values = pd.Series([3, 4, 5], index=[9, 9, 9], name="integer")
        pd.testing.assert_frame_equal(
            condition_frame(values, 1, schema), pd.DataFrame({"integer": [3, 4, 5]}, dtype=object)
        )

    def test_a_table_in_its_order_with_a_fresh_index(self, schema, table):
        frame = condition_frame(table[["text", "category", "nullable"]].iloc[[3, 1, 1]], 1, schema)
        assert frame.columns.to_list() == ["text", "category", "nullable"]
        assert frame.index.to_list() == [0, 1, 2]
        assert (frame.dtypes == "object").all()
        assert frame["category"].to_list() == ["y", "y", "y"]

    def test_labels_that_are_not_strings(self):
        labels = pd.Index([("a", 1), None, 1.5, 3], dtype=object, tupleize_cols=False)
        schema = Schema.infer(pd.DataFrame(np.ones((2, 4)), columns=labels))
        frame = condition_frame({("a", 1): 1, None: 1.0, 3: np.ones(2)}, 1, schema)
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
            ({"integer": ()}, 1, "conditions has 0 rows; give at least one."),
            (
                {"integer": (1, 2), "text": ("a",) * 3},
                1,
                "conditions holds arrays of different lengths, [2, 3]; "
                "give every column one value, or arrays of one length.",
            ),
            (
                {"integer": (1, 2)},
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
        with pytest.raises(ValueError, match=says(message)):
            condition_frame(conditions, n_samples, schema)

    @pytest.mark.parametrize(
        "conditions",
        [{"colour": 1}, pd.Series({"integer": 1, "colour": 2}), pd.DataFrame({"colour": [1]})],
        ids=["dict", "Series", "DataFrame"],
    )
    def test_a_name_that_is_no_column(self, schema, conditions):
        message = f"conditions names 'colour', which is not a column; columns: {schema.names}."
        with pytest.raises(ValueError, match=says(message)):
            condition_frame(conditions, 1, schema)

    def test_types_that_name_no_columns(self, schema):
        for conditions in ([1, 2], "integer", np.ones(3)):
            message = (
                "conditions must be a dict, a Series or a DataFrame whose names are columns, "
                f"got {type(conditions).__name__}."
            )
            with pytest.raises(TypeError, match=says(message)):
                condition_frame(conditions, 1, schema)


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
    def test_values_asked_for_are_given_says(self, encoder, table, name, asked, given):
        condition = condition_for(encoder, name, asked)
        assert condition.values.dtype == table[name].dtype
        made = condition.values.iloc[0]
        if pd.api.types.is_scalar(given) and pd.isna(given):
            assert pd.isna(made)
        else:
            assert made == given
            assert isinstance(made, type(given)) or isinstance(given, int | float | bool)
        imposed = condition.impose(table[name].iloc[[1]], np.zeros(1, dtype=int))
        assert imposed.index.to_list() == [1]
        assert imposed.dtype == table[name].dtype
        assert condition.as_written(0) is asked or condition.as_written(0) == asked

    def test_training_rows_meet_themselves(self, encoder, table):
        encoded = encoder.encode(table)
        for name in table:
            asked = table[name].astype(object)
            condition = encode_condition(encoder, name, asked)
            index = encoder.schema.position(name)
            block, scalar = encoder.blocks[index], encoder.scalars[index]
            column = SyntheticColumn(
                condition,
                encoder.schema[name],
                encoded.codes[:, block].numpy() if block >= 0 else None,
                encoded.scalars[:, scalar].numpy() if scalar >= 0 else None,
                table[name],
            )
            for i in range(0, N, 37):
                assert column.meets(i, np.array([i])).all(), name
            assert condition.values.equals(table[name]) or name == "absent"

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
        condition = condition_for(encoder, name, interval)
        assert condition.codes.tolist() == [-1]
        assert np.isnan(condition.scalars).all()
        column = SyntheticColumn(condition, encoder.schema[name], None, None, table[name])
        inside = column.meets(0, np.arange(N))
        if low is None:
            low, high = interval.left, interval.right
        expected = ((table[name] >= low) & (table[name] <= high)).fillna(False).to_numpy(dtype=bool)
        if name == "float":
            expected = expected & (table[name] > low).to_numpy()
        np.testing.assert_array_equal(inside, expected)
        assert inside.any()
        made = table[name].iloc[[0, 1]]
        pd.testing.assert_series_equal(condition.impose(made, np.zeros(2, dtype=int)), made)

    def test_a_number_is_met_within_two_per_cent_of_the_rows(self, table):
        encoder = Encoder(Schema.infer(table[["float"]]))
        ordered = table["float"].sort_values(ignore_index=True)
        condition = encode_condition(encoder, "float", objects(ordered[200]))
        scalars = encoder.encode(ordered.to_frame()).scalars[:, 0].numpy()
        column = SyntheticColumn(condition, encoder.schema["float"], None, scalars, ordered)
        assert abs(column.meets(0, np.arange(N)).sum() - 2 * RANK_TOLERANCE * N) <= 2

    def test_an_equal_number_is_met_wherever_it_ranks(self, table):
        encoder = Encoder(Schema.infer(table[["zeros"]].dropna()), "rank")
        values = pd.Series([0.0, 0.0, 1.0])
        condition = encode_condition(encoder, "zeros", objects(0.0))
        scalars = np.array([-0.9, condition.scalars[0], 0.9])
        column = SyntheticColumn(condition, encoder.schema["zeros"], None, scalars, values)
        assert column.meets(0, np.arange(3)).tolist() == [True, True, False]

    @pytest.mark.parametrize("members", [[0.25, None], [None, 0.25]])
    def test_a_set_of_a_number_and_a_missing_value_gives_that_number(self, encoder, members):
        condition = condition_for(encoder, "zeros", members)
        imposed = condition.impose(pd.Series([0.26, np.nan]), np.zeros(2, dtype=int))
        pd.testing.assert_series_equal(imposed, pd.Series([0.25, np.nan]))

    def test_many_conditions_at_once(self, encoder):
        condition = condition_for(encoder, "zeros", 0, None, pd.Interval(0.5, 1.0), 0.0)
        assert np.isnan(condition.low).tolist() == [True, True, False, True]
        assert condition.codes[0] == condition.codes[3] >= 0
        assert condition.values.isna().tolist() == [False, True, False, False]
        made = pd.Series([9.0, 9.0, 9.0], index=[4, 5, 6])
        imposed = condition.impose(made, np.array([2, 1, 0]))
        pd.testing.assert_series_equal(imposed, pd.Series([9.0, np.nan, 0.0], index=[4, 5, 6]))
