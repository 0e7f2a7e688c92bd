"""Declared checks: what each rule takes, and errors that name argument, value and way out."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from tabgan import checks


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (checks.integer(1), [1, np.int64(5), 2**31 - 1], [0, 10**30, True, 1.0, "1", None, np.nan]),
        (checks.integer(0, 3), [0, 3], [-1, 4]),
        (
            checks.number(0),
            [0, 0.5, np.float32(2)],
            [-1, True, np.inf, np.nan, "x", None, 1j, 10**400],
        ),
        (checks.number(-math.inf), [-1e9, 0], [-math.inf, np.nan, True, None]),
        (checks.number(0, 1, "neither"), [0.5], [0, 1, 0.0, 1.0]),
        (checks.number(0, 1, "left"), [0], [1]),
        (checks.number(0, closed="neither"), [0.1], [0]),
        (checks.choice("gp", "clip"), ["gp"], ["GP", "", None, b"gp", ["gp"]]),
        (checks.FLAG, [True, np.False_], [0, 1, "True", None, np.nan]),
        (checks.SEED, [None, 0, 2**32 - 1, np.random.RandomState(0)], [-1, 2**32, "x", 1.5, True]),
        (checks.LABEL, ["a", 0, ("a", 1)], [None, np.nan, ["a"], {}]),
        (checks.having("fit"), [checks.Rule], [3]),
        (
            checks.sequence_of(checks.LABEL, "labels"),
            [[], ["a"], ("a", 1), np.arange(2), pd.Index(["a"])],
            ["ab", b"ab", 3, None, {"a"}, [None]],
        ),
        (checks.NONE | checks.integer(1), [None, 1], [0]),
    ],
    ids=lambda part: part.description if isinstance(part, checks.Rule) else "",
)
def test_a_rule_takes_what_it_says_and_nothing_else(rule, right, wrong):
    if rule.description.startswith("an object with"):
        right = [type("Fits", (), {"fit": lambda self: None})()]
    assert [value for value in right if not rule.accepts(value)] == []
    for value in wrong:
        with pytest.raises(checks.ParameterError, match=r"^size must be "):
            checks.check("size", value, rule)


def test_the_error_names_argument_rule_and_value():
    with pytest.raises(ValueError, match=r"^n_samples must be a positive integer, got 0\.$"):
        checks.check("n_samples", 0, checks.integer(1))
    with pytest.raises(TypeError, match=r'^loss must be "a", "b" or "c", got \'x\'\.$'):
        checks.check("loss", "x", checks.choice("a", "b", "c"))


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((1000, 1000)),
        {i: list(range(1000)) for i in range(1000)},
        "x" * 10**6,
        pd.DataFrame({"a": range(10**5)}),
        [pd.Series(range(10**5))] * 100,
        10**500,
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_error_prints_more_than_a_few_values(value):
    assert len(checks.short(value)) <= checks.MAX_REPR
    assert len(checks.listed([value] * 1000)) <= 12 * checks.MAX_REPR
