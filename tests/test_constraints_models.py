"""Rules in estimators: training, sampling, conditions, files, and everything beside."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from seeds import seed
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

import tabgan
import tabgan.models
from tabgan.checks import ParameterError
from tabgan.constraints import (
    FixedCombinations,
    Formula,
    Increment,
    Inequality,
    Pattern,
    Predicate,
    Range,
    Sum,
    Unique,
    Weekdays,
)
from tabgan.estimators.tables import TableSynthesizer
from tabgan.registry import MODELS

SYNTHESIZERS = [
    cls
    for cls in MODELS.values()
    if issubclass(cls, TableSynthesizer) and "constraints" in inspect.signature(cls).parameters
]


def trips(n=300, rng=None):
    """Trips that keep the rules of `RULES`, with missing values."""
    rng = np.random.default_rng(seed(0)) if rng is None else rng
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    end = pd.Series(start + pd.to_timedelta(rng.integers(0, 20, n), unit="D"))
    fare, tax = np.round(rng.gamma(2, 30, n), 2), np.round(rng.gamma(2, 3, n), 2)
    make = rng.choice(list("abc"), n)
    return pd.DataFrame(
        {
            "start": start,
            "end": end.mask(rng.random(n) < 0.05),
            "fare": fare,
            "tax": tax,
            "total": np.round(fare + tax, 2),
            "hours": rng.integers(0, 30, n) * 0.25,
            "make": make,
            "model": [f"{m}{i}" for m, i in zip(make, rng.integers(1, 4, n), strict=True)],
            "class": rng.choice(["first", "second"], n),
        }
    )


RULES = [
    Inequality("start", "end"),
    Sum("total", ["fare", "tax"]),
    Increment("hours", 0.25),
    FixedCombinations(["make", "model"]),
]


def assert_kept(rows, table, rules=RULES):
    for rule in rules:
        assert not rule.learn(table).broken(rows).any(), rule


@pytest.fixture(scope="module")
def table():
    return trips()


@pytest.fixture(scope="module")
def fitted(table):
    model = tabgan.AutoregressiveSynthesizer(
        n_steps=60, random_state=seed(0), constraints=RULES, acceptance_rounds=1
    )
    return model.fit(table)


@pytest.mark.filterwarnings("ignore:.*has collapsed")
@pytest.mark.parametrize("cls", SYNTHESIZERS, ids=lambda cls: cls.__name__)
def test_every_synthesizer_keeps_rules(cls, table):
    X, y = table, None
    if cls.__name__ in ("CGANSynthesizer", "TeachingSynthesizer", "RCGANSynthesizer"):
        X, y = table.drop(columns="class"), table["class"]
    settings = {"n_lessons": 2, "lesson_size": 20} if "Teaching" in cls.__name__ else {}
    model = cls(hidden_dim=32, n_steps=2, random_state=0, constraints=RULES, **settings).fit(X, y)
    rows = model.sample(500, random_state=seed(1))
    assert list(rows.columns) == list(X.columns)
    assert (rows.dtypes == X.dtypes).all()
    assert len(rows) == 500
    assert_kept(rows, table)
    assert model.schema_.select(list(X.columns)).names == list(X.columns)
    asked = model.sample(20, random_state=0, conditions={"make": "a"})
    assert (asked["make"] == "a").all()
    assert_kept(asked, table)


def test_rows_look_like_the_table(fitted, table):
    rows = fitted.sample(2000, random_state=seed(2))
    assert_kept(rows, table)
    assert (rows.dtypes == table.dtypes).all()
    # The standard error of each rate is below 0.02 in the table and below 0.01 in the rows.
    assert abs(rows["end"].isna().mean() - table["end"].isna().mean()) < 0.1
    gaps = [(t["end"] - t["start"]).dt.days.mean() for t in (rows, table)]
    assert abs(gaps[0] - gaps[1]) < 4


def test_a_file_and_a_pickle_keep_rules(fitted, table, tmp_path):
    fitted.save(tmp_path / "model.tabgan")
    loaded = tabgan.load(tmp_path / "model.tabgan", device="cpu")
    assert loaded.constraints == fitted.constraints
    expected = fitted.sample(50, random_state=3)
    pd.testing.assert_frame_equal(loaded.sample(50, random_state=3), expected)
    assert clone(fitted).get_params()["constraints"] == RULES
    loaded.partial_fit(table)
    assert_kept(loaded.sample(100, random_state=3), table)


def test_scores_are_of_the_users_table(fitted, table):
    assert 0 <= fitted.score(table) <= 1
    assert np.isfinite(fitted.score_samples(table)).all()
    posterior = fitted.conditional_proba(table[["start", "end", "fare", "class"]].head(), "hours")
    np.testing.assert_allclose(posterior.sum(axis=1), 1, rtol=1e-5)


def test_features_are_of_the_users_table(table):
    model = tabgan.BiGANSynthesizer(
        hidden_dim=32, n_steps=2, random_state=0, constraints=RULES
    ).fit(table)
    features = model.transform(table.head(30))
    rows = model.inverse_transform(features)
    assert list(rows.columns) == list(table.columns)


CONDITIONS = [
    {"start": pd.Timestamp("2024-05-01")},
    {"end": pd.Timestamp("2024-05-01")},
    {"end": None},
    {
        "end": tabgan.PRESENT,
        "start": pd.Interval(pd.Timestamp("2024-02-01"), pd.Timestamp("2024-04-01")),
    },
    {"start": pd.Timestamp("2024-01-20"), "end": pd.Timestamp("2024-10-20")},
    {"end": pd.Interval(pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-20"))},
    {
        "start": pd.Timestamp("2024-05-01"),
        "end": pd.Interval(pd.Timestamp("2024-05-05"), pd.Timestamp("2024-05-09")),
    },
    {"total": 50.25},
    {"total": 50.25, "fare": 45.0},
    {"fare": 45.0, "tax": 5.5},
    {"total": pd.Interval(40, 60)},
    {"make": "a"},
    {"model": {"a1", "b2"}},
    {"make": "b", "hours": 2.25, "class": "first", "end": pd.Timestamp("2024-05-01")},
]


@pytest.mark.parametrize("conditions", CONDITIONS, ids=lambda asked: "-".join(asked))
def test_conditions_and_rules_hold_together(fitted, table, conditions):
    rows = fitted.sample(40, random_state=seed(4), conditions=conditions)
    assert len(rows) == 40
    assert_kept(rows, table)
    for name, value in conditions.items():
        if isinstance(value, pd.Interval):
            assert all(each in value for each in rows[name])
        elif isinstance(value, set):
            assert set(rows[name]) <= value
        elif value is tabgan.PRESENT:
            assert rows[name].notna().all()
        elif value is None:
            assert rows[name].isna().all()
        else:
            assert (rows[name] == value).all()


def test_each_row_may_ask_for_something_else(fitted, table):
    asked = table[["end", "total", "model"]].sample(60, random_state=seed(5)).astype(object)
    asked = asked.mask(np.random.default_rng(seed(6)).random(asked.shape) < 0.3, tabgan.ANY)
    rows = fitted.sample(conditions=asked, random_state=seed(7))
    assert_kept(rows, table)
    for name in asked:
        for wanted, value in zip(asked[name], rows[name], strict=True):
            assert wanted is tabgan.ANY or value == wanted or (pd.isna(wanted) and pd.isna(value))


def test_conditions_are_met_by_a_gan(table):
    model = tabgan.WGANSynthesizer(n_steps=20, random_state=0, constraints=RULES).fit(table)
    rows = model.sample(20, random_state=0, conditions={"end": pd.Timestamp("2024-05-01")})
    assert (rows["end"] == pd.Timestamp("2024-05-01")).all()
    assert_kept(rows, table)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (
            {"start": pd.Timestamp("2024-05-02"), "end": pd.Timestamp("2024-05-01")},
            r"in row 0 breaks Inequality\('start', 'end'\)",
        ),
        ({"fare": 40.0, "tax": 5.0, "total": 46.0}, r"breaks Sum\('total', \['fare', 'tax'\]\)"),
        ({"make": "a", "model": "b1"}, "breaks FixedCombinations|never occurred together"),
        ({"total": 50.0, "fare": 49.99}, "leaves 'tax' a value that is out of the range"),
        ({"nothing": 1}, "names 'nothing', which is not a column"),
    ],
)
def test_conditions_against_rules_are_refused(fitted, conditions, message):
    with pytest.raises(ValueError, match=message):
        fitted.sample(3, conditions=conditions)


def test_totals_that_stand_alone_are_asked_for():
    rng = np.random.default_rng(seed(11))
    table = pd.DataFrame(rng.integers(0, 20, (300, 2)).astype(float), columns=["a", "b"])
    table["total"] = table["a"] + table["b"]
    table.loc[rng.random(300) < 0.2, "a"] = np.nan
    table.loc[rng.random(300) < 0.2, "total"] = np.nan
    rule = Sum("total", ["a", "b"])
    model = tabgan.AutoregressiveSynthesizer(
        hidden_dim=32, n_steps=20, random_state=0, constraints=[rule]
    )
    model.fit(table)
    assert model._rules.inner.names == ["a", "b", "total alone", "total known"]
    for asked in (
        {"a": 3.0, "b": 4.0},
        {"a": None, "total": 12.0},
        {"a": 3.0, "total": 12.0},
        {"a": 3.0, "b": 4.0, "total": None},
        {"total": tabgan.PRESENT},
        {"total": None},
        {"total": {7.0, 9.0}},
    ):
        rows = model.sample(30, random_state=seed(12), conditions=asked)
        assert_kept(rows, table, [rule])
        for name, value in asked.items():
            if isinstance(value, set):
                assert rows[name].isin(value).all()
            elif value is None:
                assert rows[name].isna().all()
            else:
                assert rows[name].notna().all()
                assert value is tabgan.PRESENT or (rows[name] == value).all()


def test_rates_hold_beside_rules(fitted, table):
    rows = fitted.sample(200, random_state=0, rates={"make": {"a": 0.5}})
    assert (rows["make"] == "a").sum() == 100
    assert_kept(rows, table)


def test_rows_that_break_a_rule_are_refused_or_dropped(table):
    wrong = table.copy()
    wrong.loc[[3, 5], "total"] += 1
    model = tabgan.AutoregressiveSynthesizer(
        hidden_dim=32, n_steps=2, random_state=0, constraints=RULES
    )
    with pytest.raises(ParameterError, match=r"Sum.* is broken by 2 of 300 rows.*\[3, 5\]"):
        model.fit(wrong)
    model.set_params(on_violation="drop")
    with pytest.warns(UserWarning, match="2 training rows are left out"):
        model.fit(wrong)
    with pytest.warns(UserWarning, match="2 training rows are left out"):
        model.partial_fit(wrong)
    assert_kept(model.sample(100), table)


def test_a_predicate_is_kept_by_rejection_and_not_saved(table, tmp_path):
    rule = Predicate(lambda rows: rows["hours"] + rows["tax"] > 4, name="long or dear")
    model = tabgan.AutoregressiveSynthesizer(
        n_steps=20, random_state=0, constraints=[rule, RULES[0]], on_violation="drop"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(table)
    assert not rule.broken(model.sample(500)).any()
    with pytest.warns(UserWarning, match=r"Predicate\(long or dear\), which is code"):
        model.save(tmp_path / "model.tabgan")
    assert tabgan.load(tmp_path / "model.tabgan").constraints == [RULES[0]]


def test_a_rule_that_no_row_keeps_ends(table):
    kept = [True]
    rule = Predicate(lambda rows: np.full(len(rows), kept[0]), name="never")
    model = tabgan.GANSynthesizer(n_steps=1, random_state=0, constraints=[rule]).fit(table)
    kept[0] = False
    with pytest.raises(ValueError, match=r"0 of 2 rows that keep.*Predicate\(never\) is broken"):
        model.sample(2)


def test_keys_are_unique(table):
    n = len(table)
    keyed = table.assign(
        id=[f"T{i:04d}" for i in range(n)], seat=np.arange(n) % 20, row=np.arange(n) // 20
    )
    keyed["code"] = [f"{m}-{i:04d}" for i, m in enumerate(table["make"])]
    rules = [Unique("id"), Unique("row", "seat"), Pattern("code", "[abc]-[0-9]{4}")]
    model = tabgan.AutoregressiveSynthesizer(
        hidden_dim=32, n_steps=30, random_state=0, constraints=rules
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(keyed)
    rows = model.sample(150, random_state=seed(8))
    assert_kept(rows, keyed, rules)
    assert not set(rows["id"]) & set(keyed["id"])


def test_weekdays_and_formulas_are_kept(table):
    start = table["start"] - pd.to_timedelta((table["start"].dt.day_of_week - 4).clip(0), unit="D")
    dated = pd.DataFrame({"start": start, "month": start.dt.month, "hours": table["hours"]})
    rules = [Weekdays("start"), Formula("month", "month", ["start"])]
    model = tabgan.AutoregressiveSynthesizer(
        hidden_dim=32, n_steps=20, random_state=0, constraints=rules
    )
    assert_kept(model.fit(dated).sample(500), dated, rules)


def test_a_condition_column_is_not_replaced(table):
    model = tabgan.CGANSynthesizer(
        condition_columns=["end"], n_steps=2, random_state=0, constraints=[RULES[0]]
    ).fit(table)
    rows = model.sample(20, random_state=0, conditions={"end": pd.Timestamp("2024-05-01")})
    assert (rows["end"] == pd.Timestamp("2024-05-01")).all()
    assert_kept(rows, table, [RULES[0]])


def test_arrays_have_rules_by_position():
    rng = np.random.default_rng(seed(9))
    X = np.sort(rng.normal(size=(100, 3)), axis=1)
    model = tabgan.AutoregressiveSynthesizer(
        n_steps=10, random_state=0, constraints=[Range(1, 0, 2)]
    )
    rows = model.fit(X).sample(200)
    assert isinstance(rows, np.ndarray)
    assert (np.diff(rows, axis=1) >= 0).all()


def test_pipeline_pieces_keep_the_rules_of_their_synthesizer(table):
    model = tabgan.AutoregressiveSynthesizer(hidden_dim=32, n_steps=5, constraints=RULES)
    longer = tabgan.augment(table, n=100, model=model, random_state=0)
    assert_kept(longer, table)
    numbers = table[["fare", "tax", "total"]]
    rule = Sum("total", ["fare", "tax"])
    synthesizer = tabgan.AutoregressiveSynthesizer(hidden_dim=32, n_steps=5, constraints=[rule])
    classifier = tabgan.AugmentedClassifier(
        LogisticRegression(), synthesizer=synthesizer, random_state=0
    )
    assert classifier.fit(numbers, table["class"]).predict(numbers).shape == (len(table),)


def test_unknown_values_are_filled_under_rules(table):
    rng = np.random.default_rng(seed(10))
    gaps = table.mask(rng.random(table.shape) < 0.1)
    model = tabgan.AutoregressiveSynthesizer(
        n_steps=30, random_state=0, constraints=RULES, missing="unknown"
    ).fit(gaps)
    rows = model.sample(500)
    assert rows.notna().all(axis=None)
    for rule in RULES[:3]:
        assert not rule.broken(rows).any()
    level = model._rules.inner["make + model"]
    assert set(level.categories) == set(range(9))
    pairs = set(zip(rows["make"], rows["model"], strict=True))
    assert pairs <= set(zip(table["make"], table["model"], strict=True))
