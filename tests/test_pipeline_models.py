"""The pieces of the pipeline around real synthesizers, hardly trained: do they fit together?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import Ridge

from tabgan import (
    AAESynthesizer,
    AutoregressiveSynthesizer,
    CGANSynthesizer,
    GANSampler,
    WGANSynthesizer,
)
from tabgan.datasets import make_mixed_table
from tabgan.pipeline import (
    AugmentedClassifier,
    AugmentedRegressor,
    augment,
    default_synthesizer,
)


def quick(synthesizer_class=AAESynthesizer, **parameters):
    return synthesizer_class(n_steps=3, hidden_dim=16, **parameters)


@pytest.fixture(scope="module")
def table():
    table = make_mixed_table(300, missing=0.2, random_state=0)
    return pd.concat(
        [table[table["bought"] == "no"].head(90), table[table["bought"] == "yes"][:30]]
    )


def test_the_default_synthesizer():
    synthesizer = default_synthesizer(7)
    assert isinstance(synthesizer, AutoregressiveSynthesizer)
    assert (
        synthesizer.get_params()
        == AutoregressiveSynthesizer(privacy="none", random_state=7).get_params()
    )


@pytest.mark.parametrize("synthesizer_class", [AAESynthesizer, WGANSynthesizer])
def test_augment_balances_with_any_synthesizer(table, synthesizer_class):
    augmented = augment(
        table, balance="bought", model=quick(synthesizer_class), origin_column="origin"
    )
    assert augmented["bought"].value_counts().tolist() == [90, 90]
    pd.testing.assert_frame_equal(augmented[table.columns].head(120), table.reset_index(drop=True))
    pd.testing.assert_series_equal(augmented[table.columns].dtypes, table.dtypes)
    assert (augmented["bought"][augmented["origin"] == "synthetic"] == "yes").all()


def test_augment_uses_a_fitted_synthesizer(table):
    model = quick(random_state=0).fit(table)
    model.set_params(batch_size=0)  # another fit would raise
    first = augment(table, n=10, model=model, random_state=1)
    pd.testing.assert_frame_equal(first, augment(table, n=10, model=model, random_state=1))


def test_classifier_on_a_mixed_table(table):
    X = table[["size", "length", "count", "visits", "member"]]
    model = AugmentedClassifier(
        HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype"),
        quick(),
        ratio="level",
        cv=2,
        random_state=0,
    )
    model.fit(X, table["bought"])
    assert model.n_synthetic_ == 60
    assert list(model.synthesizer_.schema_.names) == [*X.columns, "bought"]
    again = AugmentedClassifier(**model.get_params(deep=False)).fit(X, table["bought"])
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


def test_classifier_with_a_synthesizer_conditioned_on_the_target(table):
    X = table[["length", "count"]].fillna(0.0).to_numpy()
    y = (table["bought"] == "yes").to_numpy()
    model = AugmentedClassifier(
        HistGradientBoostingClassifier(max_iter=3),
        quick(CGANSynthesizer, condition_columns=["target"]),
        cv=2,
        random_state=0,
    )
    model.fit(X, y)
    assert model.cv_results_["roc_auc"].between(0, 1).all()
    assert model.classes_.tolist() == [False, True]


def test_regressor():
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    model = AugmentedRegressor(Ridge(), quick(), ratio=0.5, random_state=0)
    model.fit(X[:100], y[:100])
    assert model.n_synthetic_ == 50
    assert model.predict(X[100:]).shape == (342,)


def test_sampler(table):
    X, y = table.drop(columns="bought"), table["bought"]
    sampler = GANSampler(synthesizer=quick(), random_state=0)
    X_more, y_more = sampler.fit_resample(X, y)
    assert y_more.value_counts().tolist() == [90, 90]
    pd.testing.assert_series_equal(X_more.dtypes, X.dtypes)
    pd.testing.assert_frame_equal(X_more.head(120), X.reset_index(drop=True))
