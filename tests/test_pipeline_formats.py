"""Tables of polars and pyarrow go through the pipeline pieces as pandas' do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from stubs import (
    BootstrapSynthesizer,
    RecordingClassifier,
    RecordingSynthesizer,
    forget_records,
    numbered_rows,
)

from tabgan import AAESynthesizer
from tabgan.pipeline import AugmentedClassifier, AugmentedRegressor, GANSampler, augment


def to_polars(frame):
    return pytest.importorskip("polars").DataFrame(columns_of(frame))


def to_pyarrow(frame):
    return pytest.importorskip("pyarrow").table(columns_of(frame))


def columns_of(frame):
    missing = frame.isna()
    return {name: frame[name].astype(object).mask(missing[name], None).to_list() for name in frame}


KINDS = pytest.mark.parametrize("convert", [to_polars, to_pyarrow])


@pytest.fixture(autouse=True)
def fresh_records():
    forget_records()


def values_of(column):
    """List the values of a column of any kind, missing values as None."""
    listed = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    return [None if pd.isna(value) else value for value in listed]


def rows_of(table):
    """List the rows of a table of any kind, missing values as None."""
    names = getattr(table, "column_names", None) or list(table.columns)
    return list(zip(*(values_of(table[name]) for name in names), strict=True))


def labelled(n_rows=60):
    X, y = numbered_rows(n_rows)
    colour = [None if i % 7 == 0 else "red" if i % 2 else "blue" for i in range(n_rows)]
    return X.assign(colour=colour), y


@KINDS
@pytest.mark.parametrize("amount", [{"n": 11}, {"ratio": 0.5}, {"balance": "kind"}, {"n": 0}])
def test_augment_gives_back_the_kind_that_came_in(convert, amount):
    X, y = labelled()
    frame = X.assign(kind=y)
    table = convert(frame)
    options = {"model": BootstrapSynthesizer(), "random_state": 0}
    augmented = augment(table, **amount, **options)
    assert type(augmented) is type(table)
    assert augmented.schema == table.schema
    assert rows_of(augmented) == rows_of(augment(frame, **amount, **options))


@KINDS
def test_augment_adds_origins_to_any_kind(convert):
    X, _ = labelled()
    augmented = augment(
        convert(X), n=5, model=BootstrapSynthesizer(), origin_column="origin", random_state=0
    )
    assert [row[:-1] for row in rows_of(augmented)][:60] == rows_of(X)
    assert values_of(augmented["origin"]) == ["real"] * 60 + ["synthetic"] * 5
    with pytest.raises(ValueError, match="^origin_column must be a string in a"):
        augment(convert(X), n=5, model=RecordingSynthesizer(), origin_column=0)
    assert RecordingSynthesizer.learnt == []


@KINDS
def test_augment_uses_a_synthesizer_fitted_on_another_kind(convert):
    frame = labelled()[0][["noise", "colour"]]
    model = AAESynthesizer(n_steps=2, hidden_dim=8, random_state=0).fit(frame)
    augmented = augment(convert(frame), n=7, model=model, random_state=0)
    assert rows_of(augmented) == rows_of(augment(frame, n=7, model=model, random_state=0))


@KINDS
@pytest.mark.parametrize("ratio", [0, 0.5, "level", "auto"])
def test_the_estimator_is_given_the_kind_that_came_in(convert, ratio):
    X, y = labelled()
    table = convert(X)
    model = AugmentedClassifier(
        RecordingClassifier(), BootstrapSynthesizer(), ratio=ratio, cv=2, random_state=0
    )
    as_pandas = clone(model).fit(X, y)
    expected = [rows_of(seen) for seen, _ in RecordingClassifier.fitted]
    expected += [rows_of(seen) for seen in RecordingClassifier.predicted]
    forget_records()

    target = convert(pd.DataFrame({"kind": y}))["kind"]
    model.fit(table, target)
    assert model.ratio_ == as_pandas.ratio_
    assert model.feature_names_in_.tolist() == ["id", "noise", "colour"]
    seen = [each for each, _ in RecordingClassifier.fitted] + RecordingClassifier.predicted
    assert {type(each) for each in seen} == {type(table)}
    assert all(each.schema == table.schema for each in seen)
    assert [rows_of(each) for each in seen] == expected
    model.predict(table)
    assert RecordingClassifier.predicted[-1] is table


@KINDS
def test_a_regressor_takes_any_kind(convert):
    X, y = labelled()
    table = convert(X[["id", "noise"]])
    model = AugmentedRegressor(
        RecordingClassifier(), BootstrapSynthesizer(), ratio=1, labels="synthesizer"
    )
    model.fit(table, convert(pd.DataFrame({"y": X["id"] * 1.5}))["y"])
    ((seen, target),) = RecordingClassifier.fitted
    assert type(seen) is type(table)
    np.testing.assert_allclose(target, [row[0] * 1.5 for row in rows_of(seen)])


@KINDS
def test_the_sampler_gives_back_the_kind_that_came_in(convert):
    X, y = labelled()
    table, target = convert(X), convert(pd.DataFrame({"kind": y}))["kind"]
    sampler = GANSampler(BootstrapSynthesizer(), random_state=0)
    X_more, y_more = sampler.fit_resample(table, target)
    assert type(X_more) is type(table)
    assert X_more.schema == table.schema
    assert type(y_more) is type(target)
    expected_X, expected_y = sampler.fit_resample(X, y)
    assert rows_of(X_more) == rows_of(expected_X)
    assert values_of(y_more) == expected_y.tolist()
    assert sampler.fit(table, target).sampling_strategy_ == {"rare": 20}
