"""Gaps filled by a synthesizer: the rest stays, any table goes in, and the draws are right."""

from __future__ import annotations

import dataclasses
import re

import contract
import numpy as np
import pandas as pd
import pytest
from contract import every_kind_table, narrow_table, says
from seeds import seed
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

import tabgan
from tabgan import AutoregressiveSynthesizer, SynthesizerImputer, WGANSynthesizer
from tabgan.constraints import Inequality, Sum
from tabgan.table.gaps import fill_gaps

QUIET = pytest.mark.filterwarnings("ignore:no value is known:UserWarning")


def small(synthesizer=None, **parameters):
    """Return an imputer that trains in a blink."""
    if synthesizer is None:
        synthesizer = AutoregressiveSynthesizer(n_steps=3, hidden_dim=8, acceptance_rounds=0)
    return SynthesizerImputer(synthesizer, **{"random_state": 0, **parameters})


@parametrize_with_checks([small(), small(add_indicator=True)])
def test_scikit_learn_check(estimator, check):
    check(estimator)


def with_gaps(table, rate=0.3):
    """Return a table in which each value is missing at a rate, in its own dtype where it can."""
    rng = np.random.default_rng(1)
    gaps = rng.random(table.shape) < rate
    columns = {}
    for i, name in enumerate(table):
        column = table[name]
        if column.dtype == bool:
            column = column.astype("boolean")
        columns[name] = column.mask(gaps[:, i])
    return pd.DataFrame(columns)


# ---------------------------------------------------------------------- what comes back


@QUIET
@pytest.mark.parametrize("missing", ["unknown", "level"])
def test_gaps_are_filled_and_nothing_else_is_touched(missing):
    table = every_kind_table().set_index(pd.RangeIndex(1, 600, 5))
    completed = small(missing=missing).fit(table).transform(table)
    pd.testing.assert_index_equal(completed.index, table.index)
    pd.testing.assert_series_equal(completed.dtypes, table.dtypes)
    for name in table:
        known = table[name].notna()
        pd.testing.assert_series_equal(completed[name][known], table[name][known], check_exact=True)
        if known.any():
            assert completed[name].notna().all(), name
            assert set(completed[name]) <= set(table[name].dropna()) or table[name].nunique() > 15


@QUIET
def test_all_columns_missing_together():
    """Rows of nothing but gaps are drawn like any other row of the table."""
    table = every_kind_table().drop(columns="all missing")
    imputer = small().fit(table)
    empty = table.head(0).reindex(range(5))
    completed = imputer.transform(empty)
    assert completed.notna().all(axis=None)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_array_in_array_out(dtype):
    array = np.random.default_rng(0).normal(size=(60, 3)).astype(dtype)
    array[::4, 1] = np.nan
    completed = small().fit_transform(array)
    assert type(completed) is np.ndarray and completed.dtype == dtype
    is_known = ~np.isnan(array)
    np.testing.assert_array_equal(completed[is_known], array[is_known])
    assert np.isfinite(completed).all()
    wide = small(add_indicator=True).fit_transform(array)
    np.testing.assert_array_equal(wide[:, 3], np.isnan(array[:, 1]))


@pytest.mark.parametrize("kind", ["polars", "arrow", "arrow batch"])
def test_other_tables_come_back_as_they_went_in(kind):
    table = with_gaps(narrow_table()[["length", "kind"]])
    if kind == "polars":
        polars = pytest.importorskip("polars")
        given = polars.DataFrame(
            {k: [None if pd.isna(v) else v for v in table[k]] for k in table}
        ).with_columns(number=polars.Series([None, 2**60 + 1, 5] * 20, dtype=polars.Int64))
        schema = dict(given.schema)
        n_missing = sum(given.null_count().row(0))
        count = lambda made: sum(made.null_count().row(0))  # noqa: E731
    else:
        pyarrow = pytest.importorskip("pyarrow")
        given = pyarrow.Table.from_pandas(table, preserve_index=False)
        given = given.append_column("number", pyarrow.array([None, 2**60 + 1, 5] * 20))
        given = given.to_batches()[0] if kind == "arrow batch" else given
        schema = {field.name: field.type for field in given.schema}
        n_missing = sum(column.null_count for column in given.columns)
        count = lambda made: sum(column.null_count for column in made.columns)  # noqa: E731
    assert n_missing > 20
    completed = small(add_indicator=True).fit_transform(given)
    assert type(completed) is type(given)
    assert count(completed) == 0
    made = completed.schema if kind == "polars" else {f.name: f.type for f in completed.schema}
    assert {k: dict(made)[k] for k in schema} == schema if kind == "polars" else True
    names = ["missingindicator_length", "missingindicator_kind", "missingindicator_number"]
    assert list(made) == [*schema, *names]
    assert set(completed["number"].to_pylist() if kind != "polars" else completed["number"]) == {
        2**60 + 1,
        5,
    }


def test_a_table_without_gaps_comes_back_as_it_is():
    table = narrow_table()
    whole = table.dropna()
    imputer = small().fit(table)
    pd.testing.assert_frame_equal(imputer.transform(whole), whole)
    for completed in imputer.sample(whole, 2):
        pd.testing.assert_frame_equal(completed, whole)


def test_gaps_where_fit_had_none():
    imputer = small().fit(narrow_table().dropna())
    later = with_gaps(narrow_table())
    completed = imputer.transform(later)
    assert completed.notna().all(axis=None) and set(completed["kind"]) <= set("abc")


def test_given_tables_are_left_alone():
    table = with_gaps(narrow_table())
    before = table.copy(deep=True)
    small().fit(table).transform(table)
    pd.testing.assert_frame_equal(table, before)


# ---------------------------------------------------------------------- awkward values


def test_a_column_without_any_value_keeps_its_gaps():
    table = narrow_table().assign(nothing=np.nan)
    told = (
        "no value is known of the columns ['nothing'], so that their gaps stay; drop the columns, "
        "or fit on rows that hold values of them."
    )
    with pytest.warns(UserWarning, match=says(told)):
        imputer = small().fit(table)
    completed = imputer.transform(table.assign(nothing=[1.5] + [None] * 59))
    assert completed["nothing"].isna().sum() == 59 and completed["nothing"][0] == 1.5
    assert completed["length"].notna().all()


@QUIET
def test_a_table_of_nothing_but_gaps():
    table = pd.DataFrame({"a": [np.nan] * 6, "b": [None] * 6})
    pd.testing.assert_frame_equal(small().fit_transform(table), table)


def test_unseen_categories_and_numbers_out_of_range_come_back():
    imputer = small(handle_unknown="ignore").fit(narrow_table())
    odd = pd.DataFrame(
        {"length": [99.0, None, -99.0], "kind": ["new", "new", None], "flag": [None, True, False]}
    )
    completed = imputer.transform(odd)
    assert completed["kind"].tolist()[:2] == ["new", "new"] and completed["kind"][2] in set("abc")
    assert completed["length"][[0, 2]].tolist() == [99.0, -99.0]
    assert np.isfinite(completed["length"][1]) and completed["flag"].notna().all()
    told = "column 'kind' has 2 values of 1 categories never seen by fit: ['new']"
    with pytest.warns(UserWarning, match=re.escape(told)):
        small().fit(narrow_table()).transform(odd)
    with pytest.raises(ValueError, match=re.escape(told)):
        small(handle_unknown="error").fit(narrow_table()).transform(odd)


def test_categories_of_a_later_dtype():
    table = pd.DataFrame({"size": pd.Categorical(["s", "m", None, "s"] * 5, ["s", "m", "l"])})
    imputer = small().fit(table)
    later = pd.DataFrame({"size": pd.Categorical(["s", None] * 20)})
    completed = imputer.transform(later)["size"]
    assert list(completed.cat.categories) in (["s"], ["s", "m", "l"])
    assert set(completed) <= {"s", "m"}


def test_identifiers_are_fresh():
    names = [f"id-{i:03d}" for i in range(80)]
    table = pd.DataFrame({"name": [*names, *[None] * 9], "x": np.arange(89.0) % 7})
    with pytest.warns(UserWarning, match="looks like an identifier"):
        completed = small().fit_transform(table)
    assert completed["name"].is_unique and completed["name"][:80].tolist() == names


def test_infinite_numbers_are_refused():
    imputer = small().fit(narrow_table())
    told = "X contains infinity in column 'length'; replace infinite values, for example ..."
    with pytest.raises(ValueError, match=says(told)):
        imputer.transform(narrow_table().assign(length=np.inf))


# ---------------------------------------------------------------------- draws


def test_same_seed_same_tables():
    table = with_gaps(narrow_table())
    one, other = (small().fit(table) for _ in range(2))
    pd.testing.assert_frame_equal(one.transform(table), other.transform(table))
    pd.testing.assert_frame_equal(one.transform(table), one.transform(table))
    tables = [*one.sample(table, 2), *one.sample(table, 2), *one.sample(table, 1, random_state=3)]
    for i, made in enumerate(tables):
        assert not any(made.equals(earlier) for earlier in tables[:i])
    for a, b in zip([*tables[:4]], [*other.sample(table, 2), *other.sample(table, 2)], strict=True):
        pd.testing.assert_frame_equal(a, b)
    pd.testing.assert_frame_equal(*one.sample(table, 1, 3), *one.sample(table, 1, random_state=3))
    fitted = [small(random_state=None).fit(table).transform(table) for _ in range(2)]
    assert not fitted[0].equals(fitted[1])


def test_number_of_draws():
    table = with_gaps(narrow_table())
    imputer = small().fit(table)
    assert len(imputer.sample(table)) == 10
    with pytest.raises(ValueError, match="^n_draws must be a positive integer, got 0"):
        imputer.sample(table, 0)
    with pytest.raises(NotFittedError):
        small().sample(table)


def test_draws_follow_the_known_values():
    """Two columns that decide each other, a third of each unknown at random.

    The number is 2 or -2 by kind, with a spread of 0.5. Draws without regard to the other column
    are right in 50 % of the rows, and off by 2 on average.
    """
    rng = np.random.default_rng(seed(0))
    kind = rng.choice(["low", "high"], 600)
    truth = pd.DataFrame({"x": rng.normal(np.where(kind == "low", -2.0, 2.0), 0.5), "kind": kind})
    gap = rng.integers(0, 3, 600)
    table = truth.copy()
    table.loc[gap == 0, "x"] = np.nan
    table.loc[gap == 1, "kind"] = None
    synthesizer = AutoregressiveSynthesizer(n_steps=300, hidden_dim=32, acceptance_rounds=0)
    completed = small(synthesizer, random_state=seed(0)).fit_transform(table)
    assert (completed["kind"] == truth["kind"])[gap == 1].mean() > 0.85
    off = (completed["x"] - truth["x"])[gap == 0]
    assert off.abs().mean() < 1.0
    # A draw, not a mean: the spread within a kind is kept.
    within = (completed["x"] - np.where(truth["kind"] == "low", -2.0, 2.0))[gap == 0]
    assert within.std() > 0.3


def test_draws_of_rows_that_know_the_same_vary_as_independent_ones_do():
    """Rows with the same known values share candidates, which must not make draws too alike.

    Half of 400 rows lack one column, which is "a" or "b" and depends on the other one. The rate of
    "a" among 200 independent rows has the variance ``p (1 - p) / 200``, or slightly less. Over 40
    draws the estimated variance is below 0.35 times that with a probability of 1e-5.
    """
    table = pd.DataFrame({"kind": ["a", "b", None, None, "b", None, None, "a"] * 50})
    table["flag"] = [True, False, True, False, False, None, True, None] * 50
    model = AutoregressiveSynthesizer(n_steps=20, hidden_dim=8, acceptance_rounds=0)
    imputer = small(model, random_state=seed(0)).fit(table)
    is_gap = table["kind"].isna()
    rates = [(made["kind"] == "a")[is_gap].mean() for made in imputer.sample(table, 40)]
    chance = np.mean(rates)
    assert 0.3 < chance < 0.7
    assert np.var(rates, ddof=1) > 0.35 * chance * (1 - chance) / 200


def test_rules_of_the_synthesizer_hold_in_filled_rows():
    rng = np.random.default_rng(0)
    start = rng.integers(0, 50, 200).astype(float)
    parts = rng.integers(1, 9, (200, 2)).astype(float)
    table = pd.DataFrame({"start": start, "end": start + rng.integers(0, 20, 200)})
    table = table.assign(a=parts[:, 0], b=parts[:, 1], total=parts.sum(axis=1))
    rules = [Inequality("start", "end"), Sum("total", ["a", "b"])]
    model = AutoregressiveSynthesizer(n_steps=5, hidden_dim=8, constraints=rules)
    gappy = with_gaps(table, 0.25)
    completed = small(model).fit_transform(gappy)
    assert (completed["start"] <= completed["end"]).all()
    np.testing.assert_allclose(completed["total"], completed["a"] + completed["b"])
    pd.testing.assert_frame_equal(completed.where(gappy.notna()), gappy)


def test_a_synthesizer_without_conditional_draws_fills_by_rejection():
    table = narrow_table()
    imputer = small(WGANSynthesizer(n_steps=3, hidden_dim=8), missing="level").fit(table)
    completed = imputer.transform(table)
    assert completed.notna().all(axis=None)
    told = (
        'missing must be "level" for a WGANSynthesizer, which takes gaps for values of their own, '
        'got "unknown".'
    )
    with pytest.raises(ValueError, match=says(told)):
        small(WGANSynthesizer()).fit(table)


# ---------------------------------------------------------------------- within scikit-learn


def test_names_and_indicators():
    table = narrow_table()
    imputer = small(add_indicator=True).fit(table)
    completed = imputer.transform(table)
    names = ["length", "kind", "flag", "missingindicator_length"]
    assert list(completed) == list(imputer.get_feature_names_out()) == names
    assert (completed["missingindicator_length"] == table["length"].isna()).all()
    assert list(small().fit(table).get_feature_names_out()) == names[:3]
    framed = imputer.set_output(transform="pandas").transform(table)
    pd.testing.assert_frame_equal(framed, completed)


def test_pipeline_and_column_transformer():
    table = with_gaps(narrow_table()).drop(columns="flag")
    y = narrow_table()["flag"]
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    pipeline = make_pipeline(small(), columns, LogisticRegression()).fit(table, y)
    assert pipeline.predict(table).shape == (60,)
    some = make_column_transformer((small(), ["length"]), remainder="drop")
    assert np.isfinite(some.fit_transform(table)).all()
    grid = pipeline.get_params()
    assert grid["synthesizerimputer__synthesizer__n_steps"] == 3


@pytest.mark.parametrize("carrier", contract.CARRIERS)
def test_copies_fill_alike(carrier):
    table = with_gaps(narrow_table())
    imputer = small(add_indicator=True).fit(table)
    imputer.sample(table, 1)
    copied = contract.CARRIERS[carrier](imputer)
    assert repr(copied) == repr(imputer)
    pd.testing.assert_frame_equal(copied.transform(table), imputer.transform(table))
    pd.testing.assert_frame_equal(copied.sample(table, 1)[0], imputer.sample(table, 1)[0])
    assert list(copied.feature_names_in_) == list(table)


def test_file_of_the_default_synthesizer(tmp_path, monkeypatch):
    plan = dataclasses.replace(AutoregressiveSynthesizer.plan, n_steps=5)
    monkeypatch.setattr(AutoregressiveSynthesizer, "plan", plan)
    table = with_gaps(narrow_table())
    imputer = SynthesizerImputer(random_state=0).fit(table)
    imputer.save(tmp_path / "imputer.tabgan")
    copied = tabgan.load(tmp_path / "imputer.tabgan")
    assert copied.synthesizer is None
    pd.testing.assert_frame_equal(copied.transform(table), imputer.transform(table))


def test_a_synthesizer_of_ones_own_has_no_file(tmp_path):
    class Own(AutoregressiveSynthesizer):
        pass

    imputer = small(Own(n_steps=1, hidden_dim=4)).fit(narrow_table())
    told = "Own is not a class of tabgan.models, and has no file format; pickle it."
    with pytest.raises(TypeError, match=says(told)):
        imputer.save(tmp_path / "imputer.tabgan")


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("synthesizer", LogisticRegression(), "None or a synthesizer of tables"),
        ("missing", "drop", '"unknown" or "level"'),
        ("add_indicator", "yes", "True or False"),
        ("handle_unknown", None, '"warn", "ignore" or "error"'),
        ("random_state", -1, "a non-negative integer below 2**32, a numpy RandomState or None"),
    ],
)
def test_wrong_parameters_are_refused_by_name(name, value, takes):
    with pytest.raises(ValueError, match=f"^{name} must be {re.escape(takes)}, got "):
        small().set_params(**{name: value}).fit(narrow_table())
    with pytest.raises(TypeError, match="^SynthesizerImputer has no parameter 'synthesiser'"):
        SynthesizerImputer(synthesiser=None)


# ---------------------------------------------------------------------- filling by hand


def test_a_dtype_that_cannot_hold_what_fills_it_gives_way():
    frame = pd.DataFrame({"x": pd.array([1, None, 3], dtype="Int8")})
    values = pd.DataFrame({"x": [1000.0]})
    filled = fill_gaps(frame, values, np.array([1]))
    assert filled["x"].tolist() == [1, 1000, 3]
