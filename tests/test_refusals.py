"""Conditions that cannot be met: what is said of them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from condition_cases import ENCODINGS, condition_for, stamps
from contract import says
from tables import askable_table

from tabgan.generation.conditions import ConditionModel
from tabgan.table.encoder import Encoder
from tabgan.table.schema import Schema


@pytest.fixture(scope="module")
def table():
    return askable_table()


@pytest.fixture(scope="module", params=ENCODINGS)
def encoder(request, table):
    return Encoder(Schema.infer(table), request.param)


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
                "leave the column out, or write tabgan.ANY, to accept any value.",
            ),
            (
                "flag",
                pd.NA,
                "'flag' is missing, but it never was in training; "
                "leave the column out, or write tabgan.ANY, to accept any value.",
            ),
            ("text", "z", "'text' was learnt without 'z'; it took 'b', 'c', 'a'."),
            ("category", "never", "'category' was learnt without 'never'; it took 'x', 'y'."),
            ("text", {}, "'text' got no category (unhashable type: 'dict')."),
            ("flag", "True", "'flag' was learnt without 'True'; it took True, False."),
            ("tuple", (5, 6), "'tuple' was learnt without (5, 6); it took (1, 2), (3, 4)."),
            ("absent", "a", "'absent' was learnt without 'a'; all its values were missing."),
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
                "'integer' was learnt within [0, 133], and without a number in (200, 300].",
            ),
            (
                "integer",
                pd.Interval(3, 4, "neither"),
                "'integer' was learnt within [0, 133], and without a number in (3, 4).",
            ),
            (
                "short",
                pd.Interval(2.1, 2.9),
                "'short' was learnt within [0, 6], and without a number in (2.1, 2.9].",
            ),
            (
                "single",
                pd.Interval(0.11, 0.19),
                "'single' was learnt within [0.0, 1.0], and without a number in (0.11, 0.19].",
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
        with pytest.raises(ValueError, match=says(f"conditions: {message}")):
            condition_for(encoder, name, asked)

    def test_whole_numbers_of_a_wide_column(self):
        numbers = np.random.default_rng(0).integers(0, 10**6, 300).astype("uint64")
        numbers[:2] = 0, 10**6
        encoder = Encoder(Schema.infer(pd.DataFrame({"n": numbers})))
        message = "conditions: 'n' must lie in [0, 1000000], the range seen in training, got -1."
        with pytest.raises(ValueError, match=says(message)):
            condition_for(encoder, "n", -1)
        message = (
            "conditions: 'n' was learnt within [0, 1000000], and without a number in (2.1, 2.9]."
        )
        with pytest.raises(ValueError, match=says(message)):
            condition_for(encoder, "n", pd.Interval(2.1, 2.9))

    def test_one_of_many(self, encoder):
        message = "conditions: 'text' was learnt without 'q'; it took 'b', 'c', 'a'."
        with pytest.raises(ValueError, match=says(message)):
            condition_for(encoder, "text", "a", None, "q", "r")

    def test_long_lists_of_categories_are_cut(self):
        encoder = Encoder(Schema.infer(pd.DataFrame({"c": [f"k{i}" for i in range(12)] * 9})))
        seen = ", ".join(f"'k{i}'" for i in range(10))
        message = f"conditions: 'c' was learnt without 'z'; it took {seen}, ...."
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            condition_for(encoder, "c", "z")

    @pytest.mark.filterwarnings("ignore:column 'id'")
    def test_identifiers(self):
        schema = Schema.infer(pd.DataFrame({"id": [f"u{i}" for i in range(60)]}))
        message = "conditions: 'id' is an identifier, which is not learnt; drop it."
        with pytest.raises(ValueError, match=says(message)):
            condition_for(Encoder(schema), "id", "u3")
        message = (
            "column 'id' cannot be a condition, for it looks like an identifier; leave it out, "
            "or name it in categorical_features."
        )
        with pytest.raises(ValueError, match=says(message)):
            ConditionModel(schema, 256)
