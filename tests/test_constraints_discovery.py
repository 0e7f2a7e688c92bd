"""Rules that are found in a table, and rules that synthetic rows break."""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from seeds import seed

from tabgan.checks import ParameterError
from tabgan.constraints import Inequality, Product, Sum, discover
from tabgan.datasets import make_mixed_table
from tabgan.evaluation import broken_rules, evaluate, unseen_pairs

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def load_benchmark():
    """Import the benchmark, which imports a module beside it."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location(
            "constraints_benchmark", BENCHMARKS / "constraints.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(BENCHMARKS))


TABLES = load_benchmark().TABLES

# What is found of each table's rules; a rule on three columns is found as two rules on two.
FOUND = {
    "stays": ["Inequality('start', 'end')"],
    "quotes": ["Inequality('low', 'close')", "Inequality('close', 'high')"],
    "bills": ["Product('net', ['number', 'price'])", "Sum('total', ['net', 'shipping'])"],
    "cars": ["FixedCombinations(['make', 'model'])"],
    "shifts": [
        "Increment('hours', 0.25)",
        "OneHot(['office', 'home', 'travel'])",
        "Weekdays('date')",
    ],
    "orders": [
        "Unique('order')",
        "Inequality('ordered', 'shipped')",
        "Inequality('shipped', 'delivered')",
        "Sum('total', ['net', 'tax'])",
    ],
}


@pytest.mark.parametrize("name", TABLES)
def test_rules_of_made_tables_are_kept_and_found(name):
    table, rules = TABLES[name](2000, np.random.default_rng(seed(0)))
    assert not any(rule.broken(table).any() for rule in rules)
    found = discover(table)
    assert set(FOUND[name]) <= {str(rule) for rule in found["rule"]}
    assert (found["could_break"] >= 10).all() and (found["support"] <= len(table)).all()
    assert not any(rule.learn(table).broken(table).any() for rule in found["rule"])


@pytest.mark.parametrize("name", TABLES)
def test_a_shuffled_table_shows_no_rules_between_columns(name):
    table, _ = TABLES[name](2000, np.random.default_rng(seed(1)))
    rng = np.random.default_rng(seed(2))
    shuffled = pd.DataFrame({column: rng.permutation(table[column]) for column in table})
    # A rule that ten rows could break is kept by chance once in 20,000 shuffled pairs.
    assert all(len(rule.names) == 1 for rule in discover(shuffled)["rule"])


def test_independent_columns_have_no_rules():
    assert not len(discover(make_mixed_table(2000, random_state=seed(3))))
    assert not len(discover(np.random.default_rng(seed(4)).normal(size=(500, 6))))


def test_rules_that_follow_from_others_are_left_out():
    rng = np.random.default_rng(seed(5))
    steps = np.cumsum(rng.integers(1, 9, (200, 4)), axis=1)
    found = discover(pd.DataFrame(steps, columns=list("abcd")))
    assert {str(rule) for rule in found["rule"]} == {
        "Inequality('a', 'b')",
        "Inequality('b', 'c')",
        "Inequality('c', 'd')",
    }


def test_rules_are_checked_on_all_rows():
    table = pd.DataFrame({"a": np.arange(1000) % 50})
    table["b"] = table["a"] + np.arange(1000) % 7
    table.loc[999, "b"] = -1
    assert not len(discover(table, max_rows=100, random_state=seed(6)))
    with pytest.raises(ParameterError, match="max_rows must be a positive integer"):
        discover(table, max_rows=0)


def test_empty_and_small_tables_have_no_rules():
    assert list(discover(pd.DataFrame({"a": [1], "b": [2]})).columns) == [
        "rule",
        "support",
        "could_break",
    ]
    assert not len(discover(pd.DataFrame({"a": [None, None], "b": [1, 2]})))


def test_broken_rules_are_counted():
    real = pd.DataFrame({"a": [1, 2, 3, 4] * 20, "b": [2, 3, 4, 5] * 20})
    made = real.assign(b=[0, 3, 4, 5] * 20)
    counted = broken_rules(real, made, constraints=[Inequality("a", "b")])
    assert counted.to_dict("records") == [
        {"rule": "Inequality('a', 'b')", "broken": 20, "share": 0.25}
    ]
    # Values of another kind cannot be compared.
    assert not len(broken_rules(real, made.astype(str), constraints=[Inequality("a", "b")]))
    with pytest.raises(ParameterError, match="names 'c', which is not a column"):
        broken_rules(real, made, constraints=[Inequality("a", "c")])


def test_unseen_pairs_are_counted():
    real = pd.DataFrame({"a": list("xy"), "b": list("uv"), "c": ["w", None]})
    assert unseen_pairs(real, real) == 0
    # Of three pairs of columns, two hold b; one row in two of theirs is new.
    assert unseen_pairs(real, real.assign(b=list("uu"))) == pytest.approx(1 / 3)
    assert np.isnan(unseen_pairs(real[["a"]], real[["a"]]))


def test_the_report_lists_broken_rules(tmp_path):
    table, _ = TABLES["bills"](300, np.random.default_rng(seed(7)))
    rng = np.random.default_rng(seed(8))
    made = table.assign(total=rng.permutation(table["total"]))
    report = evaluate(table, made)
    assert report.rules.loc[0, "share"] > 0.9
    assert report.summary().loc["broken_rules", "value"] == report.rules["share"].max()
    assert json.loads(json.dumps(report.to_dict()))["rules"][0]["broken"] > 200
    page = report._repr_html_()
    assert "rule of the real table" in page and "Sum(&#x27;total&#x27;" in page
    assert "broken_rules" not in evaluate(table, made, constraints=[]).summary().index


def test_numbers_beyond_64_bits_have_no_grid():
    for scale in (1e19, 1e300):
        table = pd.DataFrame({"huge": scale * np.arange(1, 40)})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not len(discover(table))
            more = table.assign(one=table["huge"][::-1].to_numpy(), other=table["huge"])
            rules = [Product("huge", ("one", "other")), Sum("huge", ("one", "other"))]
            assert all(rule.broken(more).any() for rule in rules)
