"""Rules: what breaks them, and that a rewritten table is restored as it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgan.checks import ParameterError
from tabgan.constraints import (
    FixedCombinations,
    Formula,
    Increment,
    Inequality,
    OneHot,
    Pattern,
    Predicate,
    Product,
    Range,
    Sum,
    Unique,
    Weekdays,
    register_formula,
)
from tabgan.constraints.rules import Constraints, kept_rows
from tabgan.table.schema import Schema


def learn(rules, table, keep=()):
    learnt = [name for rule in rules for name in rule.learnt()]
    return Constraints.learn(rules, table, Schema.infer(table, learnt=learnt), keep)


def assert_round_trip(rules, table, keep=()):
    """Express and restore a table, which must come back as it was; return the fitted rules."""
    fitted = learn(rules, table, keep)
    again = Constraints.from_dict(fitted.to_dict(), fitted.table)
    for each in (fitted, again):
        expressed = each.express(table)
        assert list(expressed.columns) == each.inner.names
        restored, is_kept = each.restore(expressed)
        pd.testing.assert_frame_equal(restored, table, check_freq=False)
        assert is_kept.all()
    return fitted


NUMBERS = st.integers(-50, 50)


@st.composite
def ordered_tables(draw):
    """Draw three columns in order, of numbers or dates, with missing values, as several dtypes."""
    n = draw(st.integers(1, 30))
    kind = draw(st.sampled_from(["int64", "Int64", "float64", "datetime64[ns]", "timedelta64[s]"]))
    rows = np.sort(draw(st.lists(st.tuples(*[NUMBERS] * 3), min_size=n, max_size=n)), axis=1)
    columns = {}
    for name, values in zip("abc", rows.T, strict=True):
        if kind == "datetime64[ns]":
            series = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(values, unit="D"))
        elif kind == "timedelta64[s]":
            series = pd.Series(pd.to_timedelta(values, unit="h")).astype(kind)
        else:
            series = pd.Series(values / 4 if kind == "float64" else values).astype(kind)
        if kind != "int64":
            lacks = draw(st.lists(st.booleans(), min_size=n, max_size=n))
            series = series.mask(np.array(lacks) & (n > 1) & (np.arange(n) > 0))
        columns[name] = series
    return pd.DataFrame(columns)


@given(ordered_tables())
@settings(max_examples=60, deadline=None)
def test_chains_come_back_with_their_missing_values(table):
    assert_round_trip([Inequality("a", "b", "c")], table)
    assert_round_trip([Range("b", "a", "c")], table)
    assert_round_trip([Inequality("a", "b", "c")], table, keep=["b", "c"])


@given(
    st.lists(
        st.tuples(*[st.integers(-999, 999) | st.none()] * 2, st.booleans(), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=60, deadline=None)
def test_sums_come_back_with_their_missing_values(rows):
    a, b = (pd.Series([row[i] for row in rows], dtype=float) / 100 for i in (0, 1))
    total = np.round(a + b, 2).mask([row[2] for row in rows])
    alone = pd.Series([row[3] for row in rows]) & (a + b).isna()
    total = total.mask(alone, 7.25)
    table = pd.DataFrame({"total": total, "a": a, "b": b})
    assert_round_trip([Sum("total", ["a", "b"])], table)
    rules = [Sum("total", ["a", "b"]), Formula("copy", "copy", ["total"])]
    assert_round_trip(rules, table.assign(copy=table["total"]))


CELLS = st.sampled_from(["x", "y", "z", None])


@given(st.lists(st.tuples(CELLS, CELLS, st.sampled_from([1.5, 2.5, None])), min_size=1))
@settings(max_examples=60, deadline=None)
def test_combinations_come_back_with_their_missing_values(rows):
    table = pd.DataFrame(rows, columns=["a", "b", "c"]).astype({"c": float})
    assert_round_trip([FixedCombinations(["a", "b", "c"])], table)
    overlapping = [FixedCombinations(["a", "b"]), FixedCombinations(["b", "c"])]
    assert len(assert_round_trip(overlapping, table).rewritings) == 1
    declared = table.assign(a=pd.Categorical(table["a"], ["z", "y", "x", "never"]))
    assert_round_trip([FixedCombinations(["a", "b"])], declared)


@pytest.mark.parametrize("dtype", ["int64", "bool", "Int64", "float64", "boolean"])
def test_one_hot_columns_come_back(dtype):
    table = pd.DataFrame({"a": [1, 0, 0, 1], "b": [0, 1, 0, 0], "c": [0, 0, 1, 0]}).astype(dtype)
    fitted = assert_round_trip([OneHot(["a", "b", "c"])], table)
    assert fitted.inner.names == ["a + b + c"]


def overlapping_table():
    rng = np.random.default_rng(0)
    a, gap = rng.integers(0, 50, 40), rng.integers(0, 9, 40)
    table = pd.DataFrame({"total": 2 * a + gap, "a": a, "b": a + gap, "c": a + 2 * gap})
    table["double"] = 2.0 * table["total"]
    return table.assign(two=2)


def test_overlapping_rules_are_all_kept():
    rules = [
        Inequality("a", "b"),
        Inequality("b", "c"),
        Inequality("a", "c"),
        Sum("total", ["a", "b"]),
        Product("double", ["two", "total"]),
    ]
    table = overlapping_table()
    fitted = assert_round_trip(rules, table)
    # Whatever the rewritten columns are, no rule breaks.
    rng = np.random.default_rng(1)
    expressed = fitted.express(table)
    shuffled = pd.DataFrame({name: rng.permutation(expressed[name]) for name in expressed})
    restored, is_kept = fitted.restore(shuffled)
    for rule in rules:
        assert not rule.broken(restored[is_kept]).any()
    assert is_kept.mean() > 0.5


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ([Inequality("a", "b"), Inequality("b", "a")], ["'a', 'b'", "'b', 'a'"]),
        ([Inequality("a", "b", "c"), Inequality("c", "a")], ["'a', 'b', 'c'", "'c', 'a'"]),
        ([Formula("a", "copy", ["b"]), Formula("a", "copy", ["c"])], ["['b']", "['c']"]),
        ([Formula("a", "copy", ["b"]), Formula("b", "copy", ["a"])], ["['b']", "['a']"]),
        ([OneHot(["a", "b"]), Formula("a", "copy", ["c"])], ["OneHot", "Formula"]),
    ],
)
def test_rules_that_clash_are_named(rules, named):
    table = pd.DataFrame({"a": [1, 0], "b": [1, 0], "c": [1, 0]})
    with pytest.raises(ParameterError, match="clash") as caught:
        learn(rules, table)
    for text in named:
        assert text in str(caught.value)


def test_a_rule_whose_columns_are_all_conditions_is_refused():
    table = pd.DataFrame({"a": [1, 0], "b": [1, 0]})
    with pytest.raises(ParameterError, match="is a condition or a label of the generator"):
        learn([Formula("a", "copy", ["b"])], table, keep=["a"])
    # An inequality can be kept by checking rows.
    assert learn([Inequality("a", "b")], table, keep=["a", "b"]).rewritings == ()


def test_rows_that_break_a_rule():
    nan = np.nan
    table = pd.DataFrame({"a": [1.0, 3.0, nan], "b": [2.0, 2.0, 1.0], "c": [3.0, 6.0, 1.0]})

    def broken(rule):
        return rule.broken(table).tolist()

    assert broken(Inequality("a", "b")) == [False, True, False]
    assert broken(Inequality("a", "b", "c", strict=True)) == [False, True, True]
    assert broken(Range("b", "a", "c")) == [False, True, False]
    assert broken(Sum("c", ["a", "b"])) == [False, True, False]
    assert broken(Sum("c", ["a", "b"], tolerance=1.5)) == [False, False, False]
    assert broken(Product("c", ["a", "b"])) == [True, False, False]
    assert broken(Formula("c", "maximum", ["a", "b"])) == [True, True, False]
    assert broken(Increment("a", 2, offset=1)) == [False, False, False]
    assert broken(Increment("b", 2)) == [False, False, True]
    assert broken(Unique("b")) == [False, True, False]
    assert broken(Predicate(lambda rows: rows["c"] < 5)) == [False, True, False]


def test_dates_and_durations_are_added():
    start = pd.Series(pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"]))
    length = pd.Series(pd.to_timedelta([3, 5, 9], unit="D"))
    table = pd.DataFrame({"start": start, "length": length, "end": start + length})
    assert_round_trip([Sum("end", ["start", "length"])], table)
    assert_round_trip([Sum("end", ["start", "length"])], table, keep=["end"])


@pytest.mark.parametrize(
    ("rule", "table"),
    [
        (Inequality("a", "b"), {"a": ["x"], "b": ["y"]}),
        (Inequality("a", "b"), {"a": [1], "b": [pd.Timestamp("2024-01-01")]}),
        (Increment("a", 1), {"a": [pd.Timestamp("2024-01-01")]}),
        (Weekdays("a"), {"a": [1]}),
    ],
)
def test_columns_of_another_kind_are_refused(rule, table):
    with pytest.raises(ValueError, match="needs|beside"):
        rule.broken(pd.DataFrame(table))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Inequality("a"), "columns of Inequality must be a list of at least 2"),
        (lambda: Inequality("a", "a"), "Inequality names 'a' twice"),
        (lambda: Sum("a", ["a", "b"]), "Sum names 'a' twice"),
        (lambda: Sum("a", "b"), "parts of Sum must be a list"),
        (lambda: Increment("a", 0), "step must be a finite number above 0"),
        (lambda: Pattern("a", "("), "regex must be a regular expression"),
        (lambda: Formula("a", "weakday", ["b"]), "did you mean 'weekday'"),
        (lambda: Formula("a", "weekday", ["b", "c"]), "takes 1 columns, got 2"),
        (lambda: Predicate(3), "function of Predicate must be callable"),
        (lambda: Weekdays("a", [7]), "whole numbers from 0 to 6"),
    ],
)
def test_wrong_rules_are_refused(make, message):
    with pytest.raises(ParameterError, match=message.replace("(", r"\(")):
        make()


def test_rules_are_compared_and_printed():
    assert Inequality("a", "b") == Inequality("a", "b") != Inequality("a", "b", strict=True)
    assert str(Inequality("a", "b", strict=True)) == "Inequality('a', 'b', strict=True)"
    assert str(Sum("t", ["a", "b"])) == "Sum('t', ['a', 'b'])"
    assert str(Unique("a")) == "Unique('a')"


def test_broken_training_rows_are_named():
    table = pd.DataFrame({"a": [1, 5, 9], "b": [2, 4, 8]})
    rules = [Inequality("a", "b")]
    with pytest.raises(ParameterError) as caught:
        kept_rows(rules, table, "raise")
    assert str(caught.value) == (
        "X breaks its constraints: Inequality('a', 'b') is broken by 2 of 3 rows, at the positions "
        '[1, 2]. Correct the rows, or set on_violation="drop" to leave them out.'
    )
    kept, told = kept_rows(rules, table, "drop")
    assert kept.tolist() == [True, False, False]
    assert told.startswith("Inequality('a', 'b') is broken by 2 of 3 rows")
    with pytest.raises(ParameterError, match="no row that keeps all constraints"):
        kept_rows(rules, table[1:], "drop")
    with pytest.raises(ParameterError, match="names 'z', which is not a column"):
        kept_rows([Inequality("a", "z")], table, "raise")


def test_grids_are_kept_in_any_direction():
    quarter = Increment("x", 0.1)
    values = np.array([0.26, 0.31, -0.14])
    assert quarter.to_grid(values, "", "nearest").tolist() == [0.3, 0.3, -0.1]
    assert quarter.to_grid(values, "", "up").tolist() == [0.3, 0.4, -0.1]
    assert quarter.to_grid(values, "", "down").tolist() == [0.2, 0.3, -0.2]
    # 4 May 2024 was a Saturday, day 19,847 of the count from 1970.
    days = np.array([19_847, 19_848, 19_849])
    assert Weekdays("x").to_grid(days, "D", "nearest").tolist() == [19_846, 19_849, 19_849]
    assert Weekdays("x").to_grid(days, "D", "up").tolist() == [19_849] * 3
    assert Weekdays("x").to_grid(days, "D", "down").tolist() == [19_846, 19_846, 19_849]


def test_a_distance_is_rounded_to_the_side_that_keeps_the_rule():
    table = pd.DataFrame({"fine": [0.12, 0.37, 2.99], "coarse": [0.2, 0.4, 3.0]})
    fitted = learn([Inequality("fine", "coarse", strict=True)], table)
    expressed = fitted.express(table)
    expressed["fine"] = [0.13, 0.26, 2.41]
    expressed["coarse - fine"] = 0.01
    restored, is_kept = fitted.restore(expressed)
    assert restored["coarse"].tolist() == [0.2, 0.3, 2.5]
    assert is_kept.all()


def test_keys_and_codes_are_fresh():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "id": np.arange(100, 180)[rng.permutation(80)],
            "name": [f"K-{i}" for i in range(80)],
            "code": [f"{'ABC'[i % 3]}{i:03d}" for i in rng.permutation(80)],
        }
    )
    rules = [Unique("id"), Unique("name"), Pattern("code", "[ABC][0-9]{3}"), Unique("code")]
    with pytest.warns(UserWarning, match="identifier"):
        fitted = learn(rules, table)
    restored, is_kept = fitted.restore(fitted.express(table), np.random.default_rng(1))
    assert is_kept.all()
    fitted.renumber(restored)
    assert restored["id"].min() >= 180 and restored["id"].is_unique
    assert not set(restored["name"]) & set(table["name"]) and restored["name"].is_unique
    assert restored["code"].str.fullmatch("[ABC][0-9]{3}").all()
    assert (restored.dtypes == table.dtypes).all()


def test_formulas_of_users_are_found_by_name():
    def plus_one(x):
        return x + 1

    register_formula("plus one of this test", plus_one, 1)
    register_formula("plus one of this test", plus_one, 1)
    with pytest.raises(ParameterError, match="the name of another function"):
        register_formula("plus one of this test", lambda x: x + 2)
    table = pd.DataFrame({"x": [1, 2, 3], "y": [2, 3, 4]})
    assert_round_trip([Formula("y", "plus one of this test", ["x"])], table)


def test_labels_may_be_numbers_or_tuples():
    table = pd.DataFrame([[1, 2], [3, 4]])
    assert_round_trip([Inequality(0, 1)], table)
    levels = pd.MultiIndex.from_tuples([("a", "low"), ("a", "high")])
    assert_round_trip([Inequality(("a", "low"), ("a", "high"))], table.set_axis(levels, axis=1))
