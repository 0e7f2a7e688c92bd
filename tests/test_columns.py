from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table, says

from tabgan.evaluation import (
    c2st,
    column_shapes,
    distance_to_closest_record,
    pair_trends,
)

STORED = {
    "float as int": (pd.Series([1.0, 2.0, 3.0]), pd.Series([1, 2, 3])),
    "nullable": (pd.Series([1, 2, 3]), pd.Series([1, 2, 3], dtype="Int64")),
    "nullable with NA": (pd.Series([1.0, np.nan]), pd.Series([1, None], dtype="Int64")),
    "single precision": (pd.Series([0.1, 0.2]), pd.Series([0.1, 0.2], dtype="float32")),
    "nullable single": (pd.Series([0.1, 0.2]), pd.Series([0.1, 0.2], dtype="Float32")),
    "number as text": (pd.Series([1.5, 2.0]), pd.Series(["1.5", "2"])),
    "number as category": (pd.Series([1.5, 2.0]), pd.Series([1.5, 2.0]).astype("category")),
    "number as object": (pd.Series([1, 2], dtype=object), pd.Series([1, 2])),
    "bool as number": (pd.Series([1, 0, 1]), pd.Series([True, False, True])),
    "number as bool": (pd.Series([True, False, True]), pd.Series([1.0, 0.0, 1.0])),
    "text as bool": (pd.Series([True, False]), pd.Series(["true", "false"])),
    "boolean": (pd.Series([True, None], dtype="boolean"), pd.Series(["True", None])),
    "category": (pd.Series(["a", "b"]).astype("category"), pd.Series(["b", "a"])),
    "category of ints": (pd.Series([1, 2]).astype("category"), pd.Series([1.0, 2.0])),
    "string": (pd.Series(["a", "b"], dtype="string"), pd.Series(["a", "b"], dtype=object)),
    "date as text": (
        pd.Series(pd.to_datetime(["2020-01-01 00:00", "2020-01-02 03:00"])),
        pd.Series(["2020-01-02 03:00:00", "2020-01-01"]),
    ),
    "date units": (
        pd.Series(pd.to_datetime(["2020-01-01"]).astype("datetime64[s]")),
        pd.Series(pd.to_datetime(["2020-01-01"]).astype("datetime64[ns]")),
    ),
    "time zone as text": (
        pd.Series(pd.to_datetime(["2020-01-01 12:00"]).tz_localize("Europe/Rome")),
        pd.Series(["2020-01-01 11:00+00:00"]),
    ),
    "duration as text": (pd.Series(pd.to_timedelta([1, 2], "D")), pd.Series(["1 days", "2 days"])),
    "date as category": (
        pd.Series(pd.to_datetime(["2020-01-01", "2020-01-02"])),
        pd.Series(pd.to_datetime(["2020-01-02", "2020-01-01"])).astype("category"),
    ),
    "duration as category": (
        pd.Series(pd.to_timedelta([1, 2], "D")),
        pd.Series(pd.to_timedelta([2, 1], "D")).astype("category"),
    ),
    "all missing as float": (pd.Series([None, None], dtype=object), pd.Series([np.nan, np.nan])),
}


class TestDifferentDtypes:
    @pytest.mark.parametrize(("left", "right"), STORED.values(), ids=STORED.keys())
    def test_values_are_compared(self, left, right):
        left, right = left.to_frame("x"), right.to_frame("x")
        assert column_shapes(left, right)["x"] == 1.0

    @pytest.mark.parametrize("case", [case for case in STORED if "as text" not in case])
    def test_either_way_round(self, case):
        left, right = (column.to_frame("x") for column in STORED[case])
        assert column_shapes(right, left)["x"] == 1.0

    def test_all_metrics_after_a_round_trip_through_csv(self, tmp_path):
        real = mixed_table(200, 0).round({"size": 3})
        real["kind"] = real["kind"].astype("category")
        real["count"] = real["count"].astype("Int64")
        real.to_csv(tmp_path / "made.csv", index=False)
        made = pd.read_csv(tmp_path / "made.csv")
        assert (column_shapes(real, made) == 1).all()
        assert (pair_trends(real, made) == 1).all(axis=None)
        assert distance_to_closest_record(real, made, real).duplicate_rate == 1.0

    def test_a_column_without_values_is_what_the_other_table_says(self):
        nothing = pd.DataFrame({"x": [np.nan, np.nan]})
        words = pd.DataFrame({"x": ["a", None]})
        assert column_shapes(nothing, words)["x"] == column_shapes(words, nothing)["x"] == 0.5

    def test_columns_in_another_order_and_arrays(self):
        real = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
        assert (column_shapes(real, real[["y", "x"]]) == 1).all()
        assert column_shapes(real.to_numpy(), real.to_numpy()).to_dict() == {0: 1.0, 1: 1.0}

    def test_labels_that_are_no_strings(self):
        table = pd.DataFrame([[1, "a"], [2, "b"]], columns=pd.Index([("x", 1), 7], dtype=object))
        assert list(column_shapes(table, table).index) == [("x", 1), 7]
        assert pair_trends(table, table).loc[7, 7] == 1.0


class TestClearErrors:
    real = pd.DataFrame({"x": [1.0, 2.0], "when": pd.to_datetime(["2020", "2021"])})

    def test_other_columns(self):
        message = (
            "real and synthetic must have the same columns; "
            "synthetic lacks ['when'] and has ['z'] besides."
        )
        with pytest.raises(ValueError, match=says(message)):
            column_shapes(self.real, self.real.rename(columns={"when": "z"}))

    def test_no_rows_or_columns(self):
        with pytest.raises(
            ValueError, match=says("synthetic has no rows; there is nothing to compare.")
        ):
            pair_trends(self.real, self.real.iloc[:0])
        with pytest.raises(
            ValueError, match=says("real has no columns; there is nothing to compare.")
        ):
            pair_trends(self.real[[]], self.real)

    @pytest.mark.parametrize("table", [[1, 2], 3, None, "rows.csv", {"x": [1] * 9999}, object()])
    def test_no_table(self, table):
        """The error names the table and prints none of it."""
        with pytest.raises((TypeError, ValueError), match="^synthetic ") as told:
            c2st(self.real, table)
        assert len(str(told.value)) < 250

    def test_repeated_columns(self):
        twice = pd.DataFrame([[1, 2]], columns=["x", "x"])
        with pytest.raises(ValueError, match="^real has more than one column named 'x'; "):
            column_shapes(twice, twice)

    def test_hundreds_of_other_columns_are_counted(self):
        wide = pd.DataFrame(np.zeros((2, 500)))
        with pytest.raises(ValueError, match=r"lacks \['x', 'when'\] and has \[0, 1, ") as told:
            column_shapes(self.real, wide)
        assert "490 more" in str(told.value)

    def test_text_in_a_number_column(self):
        made = self.real.assign(x=["1", "many"])
        message = (
            "synthetic must hold numbers in column 'x', as the first table does; "
            f"it has {made['x'].dtype} values such as '1'."
        )
        with pytest.raises(ValueError, match=says(message)):
            column_shapes(self.real, made)

    @pytest.mark.parametrize("value", [3, "soon"])
    def test_no_date_in_a_date_column(self, value):
        with pytest.raises(ValueError, match="^synthetic must hold datetimes in column 'when', as"):
            column_shapes(self.real, self.real.assign(when=value))

    def test_date_in_a_number_column(self):
        with pytest.raises(ValueError, match="^synthetic must hold numbers in column 'x', as"):
            column_shapes(self.real, self.real.assign(x=self.real["when"]))

    def test_unknown_categorical_feature(self):
        message = "categorical_features names 'q', which is not a column of real."
        with pytest.raises(ValueError, match=says(message)):
            column_shapes(self.real, self.real, categorical_features=["q"])
