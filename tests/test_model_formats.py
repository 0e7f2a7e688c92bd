"""Tables of polars and Arrow through models: learnt, asked for, kept in files, and given back."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from contract import CARRIERS, fit_small, narrow_table

import tabgan
from tabgan.datasets import make_waves

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")


def plain_table():
    """Make a table with the kinds of columns that all libraries have."""
    rng = np.random.default_rng(0)
    n = 80
    days = [datetime.date(2024, 1, 1 + int(day)) for day in rng.integers(0, 9, n)]
    return {
        "length": [None if i % 7 == 0 else float(x) for i, x in enumerate(rng.normal(size=n))],
        "kind": [str(k) for k in rng.choice(["a", "b", "c"], n)],
        "flag": [bool(f) for f in rng.random(n) < 0.4],
        "count": [int(c) for c in rng.integers(0, 9, n)],
        "day": days,
    }


def as_polars(table):
    return polars.DataFrame(table)


def as_arrow(table):
    return pyarrow.table(table)


KINDS = {"polars": as_polars, "arrow": as_arrow}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def schema_of(table):
    return table.schema


@every_kind
def test_rows_come_back_in_the_kind_that_was_learnt(make):
    table = make(plain_table())
    model = fit_small(tabgan.WGANSynthesizer, table)
    rows = model.sample(30, random_state=0)
    assert type(rows) is type(table) and schema_of(rows) == schema_of(table) and len(rows) == 30
    assert list(model.feature_names_in_) == list(plain_table())
    model.partial_fit(table)
    assert model.n_steps_ == 4


@every_kind
def test_the_kind_of_a_table_does_not_change_what_is_learnt(make):
    """The same rows, whether a table comes as this kind or as pandas makes it."""
    table = make(plain_table())
    model, other = (
        fit_small(tabgan.GANSynthesizer, each) for each in (table, pd.DataFrame(plain_table()))
    )
    rows, others = model.sample(40, random_state=1), other.sample(40, random_state=1)
    rows = rows.to_pandas()
    assert rows["kind"].tolist() == others["kind"].tolist()
    assert rows["count"].tolist() == others["count"].tolist()
    np.testing.assert_array_equal(rows["length"].to_numpy(float), others["length"].to_numpy(float))


@pytest.mark.parametrize("carrier", CARRIERS)
@every_kind
def test_the_kind_survives_being_carried(make, carrier):
    table = make(plain_table())
    model = fit_small(tabgan.AAESynthesizer, table)
    copy = CARRIERS[carrier](model)
    rows, others = model.sample(9, random_state=0), copy.sample(9, random_state=0)
    assert schema_of(others) == schema_of(table) and rows.equals(others)


@every_kind
def test_conditions_may_be_tables_of_any_kind(make):
    table = make(plain_table())
    model = fit_small(tabgan.CGANSynthesizer, table, condition_columns=["kind"])
    asked = make({"kind": ["a", "b", "c"] * 4})
    for given in (model, fit_small(tabgan.GANSynthesizer, pd.DataFrame(plain_table()))):
        rows = given.sample(conditions=asked, random_state=0)
        frame = rows if isinstance(rows, pd.DataFrame) else rows.to_pandas()
        assert frame["kind"].tolist() == ["a", "b", "c"] * 4


@every_kind
def test_features_and_scores_of_any_kind_of_table(make):
    table = make(plain_table())
    model = fit_small(tabgan.AAESynthesizer, table)
    frame = pd.DataFrame(plain_table())
    np.testing.assert_array_equal(model.transform(table), model.transform(frame))
    assert model.score(table) == model.score(frame)
    back = model.inverse_transform(model.transform(table))
    assert schema_of(back) == schema_of(table)


@every_kind
def test_labels_and_distilled_rows(make):
    table = make({name: values for name, values in plain_table().items() if name != "kind"})
    model = fit_small(tabgan.TeachingSynthesizer, make(plain_table()), target="kind")
    X, y = model.distil(random_state=0)
    assert schema_of(X) == schema_of(table) and set(y) <= {"a", "b", "c"}


@every_kind
def test_long_tables_of_sequences(make):
    waves = make_waves(12, as_frame=True, random_state=0).frame
    table = make({name: waves[name].tolist() for name in waves})
    settings = {"n_steps": 2, "hidden_dim": 6, "batch_size": 8, "random_state": 0}
    model = tabgan.RCGANSynthesizer(entity="entity", time="time", **settings).fit(table)
    rows = model.sample(3, random_state=0)
    assert schema_of(rows) == schema_of(table) and len(rows) == 90


@every_kind
def test_translations_and_classes(make):
    table, y = make(plain_table()), np.arange(80) % 2
    settings = {"n_steps": 2, "hidden_dim": 6, "random_state": 0}
    translator = tabgan.CycleGANTranslator(**settings).fit(table, pd.DataFrame(plain_table()))
    assert isinstance(translator.transform(table), pd.DataFrame)
    assert schema_of(translator.inverse_transform(pd.DataFrame(plain_table()))) == schema_of(table)
    rows = tabgan.DAGANAugmenter(**settings).fit(table, y).augment(table)
    assert schema_of(rows) == schema_of(table)


def test_narrow_tables_stay_pandas():
    assert isinstance(fit_small(tabgan.GANSynthesizer, narrow_table()).sample(2), pd.DataFrame)


@every_kind
def test_a_missing_entity_is_told_with_labels_and_not_with_data(make):
    with pytest.raises(ValueError, match="^entity must name the column") as caught:
        tabgan.RCGANSynthesizer(n_steps=1).fit(make(plain_table()))
    assert "columns: ['length', 'kind', 'flag', 'count', 'day']." in str(caught.value)
