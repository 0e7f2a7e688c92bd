"""`GANSampler` keeps imbalanced-learn's contract, and tables as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import make_pipeline
from imblearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
)
from imblearn.utils.estimator_checks import parametrize_with_checks as imblearn_checks
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_validate
from sklearn.utils.estimator_checks import parametrize_with_checks as sklearn_checks
from stubs import BootstrapSynthesizer, RecordingSynthesizer

from tabgan.datasets import make_mixed_table
from tabgan.pipeline import GANSampler

SAMPLER = GANSampler(synthesizer=BootstrapSynthesizer(), random_state=0)


@imblearn_checks([SAMPLER])
def test_imbalanced_learn_contract(estimator, check):
    check(estimator)


@sklearn_checks([SAMPLER])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_imbalanced_learn_parameter_checks():
    check_param_validation("GANSampler", SAMPLER)


def test_imbalanced_learn_column_names():
    check_dataframe_column_names_consistency("GANSampler", SAMPLER)


@pytest.fixture(autouse=True)
def fresh_records():
    RecordingSynthesizer.forget()


@pytest.fixture
def table():
    table = make_mixed_table(200, missing=0.2, random_state=0)
    table = pd.concat(
        [table[table["bought"] == "no"].head(90), table[table["bought"] == "yes"].head(30)]
    )
    table = table.sample(frac=1, random_state=0)
    return table.drop(columns="bought"), table["bought"]


def test_tables_keep_values_dtypes_and_names(table):
    X, y = table
    assert y.value_counts().tolist() == [90, 30]
    X_more, y_more = SAMPLER.fit_resample(X, y)
    pd.testing.assert_frame_equal(X_more.head(120), X.reset_index(drop=True))
    pd.testing.assert_series_equal(y_more.head(120), y.reset_index(drop=True))
    pd.testing.assert_series_equal(X_more.dtypes, X.dtypes)
    assert y_more.dtype == y.dtype
    assert y_more.value_counts().tolist() == [90, 90]
    made = X_more.tail(60)
    assert made["size"].isna().any()
    assert made["colour"].isin(X["colour"]).all()
    pd.testing.assert_frame_equal(X, table[0])


def test_one_condition_per_row_and_one_fit(table):
    X, y = table
    sampler = GANSampler(synthesizer=RecordingSynthesizer(random_state=5), random_state=0)
    sampler.fit_resample(X, y)
    (learnt,) = RecordingSynthesizer.learnt
    assert list(learnt.columns) == [*X.columns, "target"]
    (conditions,) = RecordingSynthesizer.asked
    assert list(conditions.columns) == ["target"]
    assert conditions["target"].value_counts().loc["yes"] == 60
    assert sampler.sampling_strategy_ == {"yes": 60}
    assert RecordingSynthesizer.seeds != [5]
    assert not hasattr(sampler.synthesizer, "rows_")


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", {"a": 60, "b": 60, "c": 60}),
        ("minority", {"a": 60, "b": 60, "c": 30}),
        ("not minority", {"a": 60, "b": 10, "c": 60}),
        ({"b": 25}, {"a": 60, "b": 25, "c": 30}),
        ({"a": 61, "b": 10}, {"a": 61, "b": 10, "c": 30}),
        (lambda y: {"c": 31}, {"a": 60, "b": 10, "c": 31}),
    ],
)
def test_exact_counts(strategy, expected):
    X = np.random.RandomState(0).rand(100, 3)
    y = np.repeat(["a", "b", "c"], [60, 10, 30])
    sampler = GANSampler(
        sampling_strategy=strategy, synthesizer=BootstrapSynthesizer(), random_state=0
    )
    X_more, y_more = sampler.fit_resample(X, y)
    assert isinstance(X_more, np.ndarray)
    assert pd.Series(y_more).value_counts().to_dict() == expected
    np.testing.assert_array_equal(X_more[:100], X)
    np.testing.assert_array_equal(y_more[:100], y)
    # The stub's rows are copies: each has the label of the row it copies.
    first_value_to_label = dict(zip(X[:, 0], y, strict=True))
    assert [first_value_to_label[value] for value in X_more[:, 0]] == y_more.tolist()


def test_object_arrays_keep_values_of_every_kind():
    X = np.array([[1, "a", np.nan], [2, "b", 0.5], [3, "a", 1.5]], dtype=object)
    X_more, _ = SAMPLER.fit_resample(X, [0, 0, 1])
    assert X_more.dtype == object
    assert X_more[3].tolist() == [3, "a", 1.5]
    assert isinstance(X_more[3, 0], int)


def test_level_classes_need_no_synthesizer():
    sampler = GANSampler(synthesizer=RecordingSynthesizer())
    X_more, _ = sampler.fit_resample(np.eye(4), [0, 1, 0, 1])
    np.testing.assert_array_equal(X_more, np.eye(4))
    assert sampler.synthesizer_ is None
    assert RecordingSynthesizer.learnt == []


def test_same_random_state_same_rows(table):
    X, y = table
    first, _ = SAMPLER.fit_resample(X, y)
    again, _ = SAMPLER.fit_resample(X, y)
    other, _ = GANSampler(synthesizer=BootstrapSynthesizer(), random_state=1).fit_resample(X, y)
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_a_pipeline_resamples_training_rows_only(table):
    X, y = table
    X = X.assign(id=np.arange(120.0)).select_dtypes(["number", "category"])
    pipeline = make_pipeline(
        GANSampler(synthesizer=RecordingSynthesizer(), random_state=0),
        HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype"),
    )
    result = cross_validate(pipeline, X, y, cv=3, return_indices=True)
    assert len(RecordingSynthesizer.learnt) == 3
    for learnt, validation in zip(
        RecordingSynthesizer.learnt, result["indices"]["test"], strict=True
    ):
        assert not set(learnt["id"]) & set(X["id"].iloc[validation])


def test_sparse_matrices_are_refused():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        SAMPLER.fit_resample(sparse.csr_array(np.eye(4)), [0, 1, 0, 0])
