"""A later table's columns against the schema: other kinds are refused, new categories counted."""

from __future__ import annotations

import datetime
import decimal
import time

import numpy as np
import pandas as pd
import pytest
from contract import says
from tables import arrow_columns, columns

from tabgan.table.agreement import check_kinds, unseen_categories
from tabgan.table.schema import Schema

SAMPLES = {
    "numbers": pd.Series([1.5, 2.0, -3.0]),
    "booleans": pd.Series([True, False, True]),
    "dates": pd.Series(pd.to_datetime(["2020-01-01", "2021-05-05", "2022-02-02"])),
    "durations": pd.Series(pd.to_timedelta([1, 2, 5], unit="h")),
    "strings": pd.Series(["a", "b", "c"]),
    "bytes": pd.Series([b"a", b"b", b"c"]),
    "times of day": pd.Series([datetime.time(1), datetime.time(2), datetime.time(3)]),
    "periods": pd.Series(pd.period_range("2020-01", periods=3, freq="M")),
    "intervals": pd.Series(pd.arrays.IntervalArray.from_breaks([0.0, 1.5, 4.0, 5.0])),
}


def schema_of(values, **options):
    return Schema.infer(pd.DataFrame({"c": values}), **options)


class TestKinds:
    @pytest.mark.parametrize("learnt", SAMPLES)
    @pytest.mark.parametrize("given", SAMPLES)
    def test_another_kind_is_refused_by_name(self, learnt, given):
        schema, table = schema_of(SAMPLES[learnt]), pd.DataFrame({"c": SAMPLES[given]})
        if learnt == given or (learnt, given) == ("numbers", "booleans"):
            check_kinds(schema, table)
            return
        message = (
            f"column 'c' of A held {learnt} when the model was fitted, and now holds {given}; "
            "pass a column of the same kind."
        )
        with pytest.raises(TypeError, match=says(message)):
            check_kinds(schema, table, "A")
        with pytest.raises(ValueError):
            check_kinds(schema, table, "A")

    def test_the_table_that_was_learnt_agrees(self):
        for values, _ in columns().values():
            check_kinds(schema_of(values), pd.DataFrame({"c": values}))

    def test_arrow_columns_that_were_learnt_agree(self):
        pytest.importorskip("pyarrow")
        for values, _ in arrow_columns().values():
            check_kinds(schema_of(values), pd.DataFrame({"c": values}))
            check_kinds(schema_of(values), pd.DataFrame({"c": values.astype(object)}))

    @pytest.mark.parametrize(
        "values",
        [
            np.array([1, 2], dtype="int8"),
            [0.5, np.nan],
            pd.array([1, None], dtype="Int64"),
            pd.Series([1, 2.5], dtype=object),
            pd.Series([10**30, None], dtype=object),
            [decimal.Decimal("1.5"), None],
            pd.Categorical([1, 2]),
            pd.array([0.0, 1.0], dtype="Sparse[float]"),
        ],
        ids=lambda values: type(values).__name__,
    )
    def test_numbers_of_any_dtype_are_numbers(self, values):
        for seen in ([1, 2, 3], [1.5, 2.5], [decimal.Decimal("1.5")]):
            check_kinds(schema_of(pd.Series(seen)), pd.DataFrame({"c": values}))

    @pytest.mark.parametrize("learnt", SAMPLES)
    @pytest.mark.parametrize("dtype", ["object", "float64", "string", "datetime64[ns]", "category"])
    def test_missing_values_are_of_any_kind(self, learnt, dtype):
        table = pd.DataFrame({"c": pd.Series([None, None], dtype=dtype)})
        check_kinds(schema_of(SAMPLES[learnt]), table)

    @pytest.mark.parametrize("given", SAMPLES)
    def test_columns_without_any_value_and_identifiers_take_every_kind(self, given):
        table = pd.DataFrame({"c": SAMPLES[given]})
        check_kinds(schema_of(pd.Series([None, None])), table)
        for ids in ([f"id{i}" for i in range(60)], np.arange(60)):
            with pytest.warns(UserWarning, match="looks like an identifier"):
                schema = schema_of(ids)
            check_kinds(schema, table)

    def test_numbers_that_are_0_and_1_are_booleans(self):
        schema = schema_of([True, False])
        for values in ([0, 1], [1.0, None], pd.Series([0, True], dtype=object)):
            check_kinds(schema, pd.DataFrame({"c": values}))
        with pytest.raises(TypeError, match="held booleans .* and now holds numbers"):
            check_kinds(schema, pd.DataFrame({"c": [0, 2]}))
        with pytest.raises(TypeError, match="held booleans .* and now holds strings"):
            check_kinds(schema, pd.DataFrame({"c": ["True", "False"]}))

    def test_numbers_learnt_as_categories(self):
        schema = schema_of([3, 1, 2], categorical_features=["c"])
        check_kinds(schema, pd.DataFrame({"c": [7.0, None]}))
        with pytest.raises(TypeError, match="held numbers .* and now holds strings"):
            check_kinds(schema, pd.DataFrame({"c": ["3", "1"]}))

    def test_mixed_categories_take_what_they_hold(self):
        schema = schema_of(pd.Series([1, "1", 1.5], dtype=object))
        check_kinds(schema, pd.DataFrame({"c": ["1", "2"]}))
        check_kinds(schema, pd.DataFrame({"c": [1, 2]}))

    def test_pandas_categories_are_looked_into(self):
        schema = schema_of(pd.Categorical(["a", "b"]))
        check_kinds(schema, pd.DataFrame({"c": ["b", "z"]}))
        with pytest.raises(TypeError, match="held strings .* and now holds numbers"):
            check_kinds(schema, pd.DataFrame({"c": pd.Categorical([1, 2])}))

    def test_the_second_column_is_found_too(self):
        schema = Schema.infer(pd.DataFrame({"a": ["x"], "b": [1.5]}))
        with pytest.raises(TypeError, match="column 'b' of X held numbers"):
            check_kinds(schema, pd.DataFrame({"a": ["y"], "b": ["1.5"]}))


class TestUnseenCategories:
    def test_each_is_counted_the_most_frequent_first(self):
        schema = Schema.infer(pd.DataFrame({"a": ["x", "y"], "n": [1.5, 2.5], "b": [True, True]}))
        table = pd.DataFrame({"a": ["u", "x", "v", "v", None], "n": [9.0] * 5, "b": [False] * 5})
        assert unseen_categories(schema, table) == {"a": [("v", 2), ("u", 1)], "b": [(False, 5)]}

    def test_what_was_seen_or_is_missing_is_left_out(self):
        schema = Schema.infer(pd.DataFrame({"a": ["x", "y"]}))
        assert unseen_categories(schema, pd.DataFrame({"a": ["y", None, np.nan, "x"]})) == {}

    @pytest.mark.parametrize("dtype", ["object", "string", "category"])
    def test_every_dtype_of_names(self, dtype):
        values = pd.Series(["x", "y"]).astype(dtype)
        later = pd.Series(["x", "z", "z", None]).astype(dtype)
        assert unseen_categories(schema_of(values), later.to_frame("c")) == {"c": [("z", 2)]}

    def test_declared_categories_that_never_occurred_are_unseen(self):
        schema = schema_of(pd.Categorical(["a"], categories=["a", "b"]))
        later = pd.Categorical(["b", "a"], categories=["a", "b"])
        assert unseen_categories(schema, pd.DataFrame({"c": later})) == {"c": [("b", 1)]}

    def test_identifiers_have_none(self):
        with pytest.warns(UserWarning, match="looks like an identifier"):
            schema = schema_of([f"id{i}" for i in range(60)])
        assert unseen_categories(schema, pd.DataFrame({"c": ["new"]})) == {}

    def test_a_million_rows_take_no_loop(self):
        schema = schema_of(pd.Series(list("abc")))
        later = pd.DataFrame({"c": np.array(list("abd"))[np.arange(1_000_000) % 3]})
        start = time.perf_counter()
        assert unseen_categories(schema, later) == {"c": [("d", 333_333)]}
        assert time.perf_counter() - start < 20
