"""What the command line is given, tables in files and conditions as text, becomes what it is."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from contract import says

import tabgan.models  # noqa: F401
from tabgan.cli import commands
from tabgan.cli.conditions import parse_conditions, parse_rates, read_conditions
from tabgan.cli.errors import InputError
from tabgan.cli.files import read_table
from tabgan.datasets import make_mixed_table
from tabgan.estimators.tables import TableSynthesizer
from tabgan.registry import MODELS
from tabgan.table.conditions import ANY, PRESENT
from tabgan.table.schema import Schema


class TestTables:
    def test_csv_columns_get_plain_dtypes(self, tmp_path):
        table = pd.DataFrame(
            {
                "whole": [1, 2, 3],
                "holes": pd.array([1, None, 3], dtype="Int64"),
                "cents": [1.25, np.nan, 3.5],
                "yes": [True, False, True],
                "perhaps": pd.array([True, None, False], dtype="boolean"),
                "day": pd.to_datetime(["2020-02-29", None, "2021-01-01"]),
                "second": pd.to_datetime(["2020-02-29 10:00:01"] * 3),
                "text": ["a", "2020-01-01", None],
                "no date": ["2020-02-30", "2020-02-29", "2020-02-28"],
                "zip": ["01234X", "99", "é"],
                "nothing": [None, None, None],
            }
        )
        for path in (tmp_path / "table.csv", tmp_path / "table.csv.gz"):
            table.to_csv(path, index=False)
            again = read_table(path)
            kinds = {name: re.sub(r"\[.*", "", str(dtype)) for name, dtype in again.dtypes.items()}
            assert kinds == {
                "whole": "int64",
                "holes": "Int64",
                "cents": "float64",
                "yes": "bool",
                "perhaps": "boolean",
                "day": "datetime64",
                "second": "datetime64",
                "text": "object",
                "no date": "object",
                "zip": "object",
                "nothing": "Int64",
            }
            for name in table:
                assert list(again[name].dropna()) == list(table[name].dropna())
                assert list(again[name].isna()) == list(table[name].isna())

    def test_parquet_keeps_dtypes(self, tmp_path):
        table = make_mixed_table(50, missing=0.3, random_state=0)
        table.to_parquet(tmp_path / "table.parquet")
        pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), table)


class TestConditions:
    schema = Schema.infer(
        pd.concat(
            [
                make_mixed_table(500, random_state=0),
                pd.DataFrame(
                    {
                        "a=b": ["x", "y=z"] * 250,
                        "wait": pd.to_timedelta(range(500), unit="min"),
                        "zoned": pd.date_range("2020-01-01", periods=500, tz="UTC"),
                        7: [7, 8] * 250,
                    }
                ),
            ],
            axis=1,
        )
    )

    @pytest.mark.parametrize(
        ("text", "name", "value"),
        [
            ("colour=red", "colour", "red"),
            ("size=small", "size", "small"),
            ("member=true", "member", True),
            ("member=False", "member", False),
            ("count=3", "count", 3),
            ("count=3..5", "count", pd.Interval(3, 5, closed="both")),
            ("count=-3..5", "count", pd.Interval(-3, 5, closed="both")),
            ("length=-1.5", "length", -1.5),
            ("length=-1.5..1e1", "length", pd.Interval(-1.5, 10.0, closed="both")),
            ("visits=4", "visits", 4),
            ("joined=2020-03-01", "joined", pd.Timestamp("2020-03-01")),
            (
                "joined=2020-03-01..2020-04-01 12:00",
                "joined",
                pd.Interval(
                    pd.Timestamp("2020-03-01"), pd.Timestamp("2020-04-01 12:00"), closed="both"
                ),
            ),
            ("wait=1h..90min", "wait", pd.Interval(*pd.to_timedelta(["1h", "90min"]), "both")),
            ("zoned=2020-03-01", "zoned", pd.Timestamp("2020-03-01", tz="UTC")),
            ("a=b=y=z", "a=b", "y=z"),
            ("7=7", 7, 7),
        ],
    )
    def test_values_are_of_the_columns_kind(self, text, name, value):
        [(found_name, found)] = parse_conditions([text], self.schema).items()
        assert found_name == name
        assert found == value
        assert type(found) is type(value)

    def test_many_or_none(self):
        both = parse_conditions(["colour=red", "count=3"], self.schema)
        assert both == {"colour": "red", "count": 3}
        assert parse_conditions([], self.schema) is None

    def test_identifier(self):
        texts = pd.DataFrame({"id": [f"person {i}" for i in range(60)]})
        with pytest.warns(UserWarning, match="identifier"):
            schema = Schema.infer(texts)
        message = (
            "--condition id=person 1: the column is an identifier, of which nothing is learnt."
        )
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            parse_conditions(["id=person 1"], schema)

    @pytest.mark.parametrize(
        ("texts", "message"),
        [
            (["colour"], "--condition colour: write it as COLUMN=VALUE."),
            (
                ["color=red"],
                "--condition color: there is no such column; did you mean 'colour'?",
            ),
            (["colour=rad"], "--condition colour=rad: there is no such value; did you mean 'red'?"),
            (
                ["colour="],
                "--condition colour=: there is no such value; "
                "known are 'red', 'green', 'blue', 'violet'.",
            ),
            (
                ["member=maybe"],
                "--condition member=maybe: there is no such value; known are 'False', 'True'.",
            ),
            (
                ["count=many"],
                "--condition count=many: 'many' is not of the column's kind, integer.",
            ),
            (["count=1.5"], "--condition count=1.5: '1.5' is not of the column's kind, integer."),
            (["count=.."], "--condition count=..: write an interval as LOW..HIGH."),
            (["colour=red|rad"], "--condition colour=red|rad: there is no such value; did ..."),
            (["count=999.."], "--condition count=999..: the column lies in [...] in training."),
            (["length=nan"], "--condition length=nan: 'nan' is not of the column's kind, float."),
            (
                ["joined=soon"],
                "--condition joined=soon: 'soon' is not of the column's kind, datetime.",
            ),
            (["count=5..3"], "--condition count=5..3: write an interval as LOW..HIGH."),
            (["count=3..4..5"], "--condition count=3..4..5: write an interval as LOW..HIGH."),
            (
                ["count=3", "count=4"],
                "--condition count=4: the column 'count' has a condition already.",
            ),
        ],
    )
    def test_errors(self, texts, message):
        with pytest.raises(InputError, match=says(message)):
            parse_conditions(texts, self.schema)

    def test_sets_open_ranges_and_missing_values(self):
        texts = ["colour=red|blue", "count=3..", "member=<present>"]
        asked = parse_conditions(texts, self.schema)
        assert asked["colour"] == ["red", "blue"]
        gaps = Schema.infer(pd.DataFrame({"x": ["a", None, "b"]}))
        assert parse_conditions(["x=<missing>|a"], gaps) == {"x": [None, "a"]}
        assert asked["count"] == pd.Interval(3, self.schema["count"].ends[1], "both")
        assert asked["member"] is PRESENT

    def test_rates(self):
        texts = ["colour=red:0.5", "colour=blue:.25", "count=..3:1"]
        low = self.schema["count"].ends[0]
        assert parse_rates(texts, self.schema) == {
            "colour": {"red": 0.5, "blue": 0.25},
            "count": {pd.Interval(low, 3, "both"): 1.0},
        }
        assert parse_rates([], self.schema) is None

    @pytest.mark.parametrize("text", ["colour=red", "colour=red:2", "colour=red:half"])
    def test_rates_that_are_refused(self, text):
        message = f"--rates {text}: write it as COLUMN=VALUE:RATE, a rate from 0 to 1."
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            parse_rates([text], self.schema)
        with pytest.raises(InputError, match="give each value a rate of its own"):
            parse_rates(["colour=red|blue:0.5"], self.schema)

    def test_a_file_of_conditions(self, tmp_path):
        path = tmp_path / "asked.csv"
        path.write_text("colour,count\nred,3..5\n,\nred|blue,<present>\n")
        asked = read_conditions(path, self.schema)
        assert asked["colour"].to_list() == ["red", ANY, ["red", "blue"]]
        assert asked["count"].to_list() == [pd.Interval(3, 5, "both"), ANY, PRESENT]
        path.write_text("colour\nrad\n")
        with pytest.raises(
            InputError, match=says(f"--conditions {path}: colour=rad: there is ...")
        ):
            read_conditions(path, self.schema)
        path.write_text("colour\n")
        with pytest.raises(InputError, match="has no rows"):
            read_conditions(path, self.schema)
        with pytest.raises(InputError, match="--conditions"):
            read_conditions(tmp_path / "absent.csv", self.schema)

    @pytest.mark.parametrize("text", ["count=90..99", "count=90", "joined=1999-01-01"])
    def test_what_sampling_would_refuse(self, text):
        name = text.partition("=")[0]
        with pytest.raises(InputError, match=f"^--condition {text}: '{name}' .*(training|learnt)"):
            parse_conditions([text], self.schema)

    def test_long_lists_are_cut(self):
        schema = Schema.infer(pd.DataFrame({"letter": list("abcdefghij") * 2}))
        with pytest.raises(InputError, match=r"known are 'a', .* 'h', \.\.\.$"):
            parse_conditions(["letter=?"], schema)


def test_the_command_line_has_every_synthesizer_that_learns_a_table_by_itself():
    """Its list of names lets help do without importing models; the registry knows them all.

    What is public of a table, and how much may be spent on it, cannot be told on the command line.
    """
    tables = {name for name, cls in MODELS.items() if issubclass(cls, TableSynthesizer)}
    assert set(commands.MODELS.values()) == tables - {
        "AAEClusterer",
        "DPSynthesizer",
        "TeachingSynthesizer",
    }
