"""Augmentation of a table, and the meta-estimators around it, with stub synthesizers."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
import pandas as pd
import pytest
from seeds import seed
from sklearn.datasets import make_moons
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import KFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from stubs import (
    BootstrapSynthesizer,
    RecordingClassifier,
    RecordingSynthesizer,
    ShuffledTargetSynthesizer,
    forget_records,
    numbered_rows,
)

from tabgan.pipeline import AugmentedClassifier, AugmentedRegressor


@parametrize_with_checks(
    [
        AugmentedClassifier(LogisticRegression(), BootstrapSynthesizer(), cv=2),
        AugmentedClassifier(LogisticRegression(), BootstrapSynthesizer(), ratio="level"),
        AugmentedClassifier(
            HistGradientBoostingClassifier(max_iter=5), BootstrapSynthesizer(), ratio=0.5
        ),
        AugmentedRegressor(Ridge(), BootstrapSynthesizer(), cv=2),
        AugmentedRegressor(Ridge(), BootstrapSynthesizer(), ratio=0.5),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(autouse=True)
def fresh_records():
    forget_records()


# No leakage


def test_the_synthesizer_never_sees_validation_rows():
    X, y = numbered_rows()
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    model = AugmentedClassifier(
        RecordingClassifier(), RecordingSynthesizer(), cv=folds, ratios=(0, 1, 3), strategy="all"
    )
    model.fit(X, y)

    assert len(RecordingSynthesizer.learnt) == len(folds)
    for table, (train, _) in zip(RecordingSynthesizer.learnt, folds, strict=True):
        assert table["id"].tolist() == train.tolist()
        assert table["kind"].tolist() == y.iloc[train].tolist()
    assert RecordingSynthesizer.asked == [3 * len(train) for train, _ in folds]
    fold_of_fit = [folds[fit // 3] for fit in range(9)]
    for (X_seen, _), (train, _) in zip(RecordingClassifier.fitted[:9], fold_of_fit, strict=True):
        assert X_seen["id"].head(len(train)).tolist() == train.tolist()
        assert set(X_seen["id"]) <= set(train)
    for X_seen, (_, validation) in zip(RecordingClassifier.predicted, fold_of_fit, strict=True):
        assert X_seen["id"].tolist() == validation.tolist()


@pytest.mark.parametrize("seed", [0, 8, 142])
@pytest.mark.parametrize("parameters", [{"ratio": 2.0}, {"ratio": "level"}, {"ratio": "auto"}])
def test_cross_validation_never_leaks(parameters, seed):
    X, y = numbered_rows()
    model = AugmentedClassifier(
        KNeighborsClassifier(), RecordingSynthesizer(), cv=2, random_state=seed, **parameters
    )
    outer = list(KFold(2, shuffle=True, random_state=1).split(X))
    result = cross_validate(model, X, y, cv=outer, return_estimator=True)
    learnt = iter(RecordingSynthesizer.learnt)
    for (train, _), fitted in zip(outer, result["estimator"], strict=True):
        n_inner = 2 if parameters["ratio"] == "auto" else 0
        assert (fitted.cv_results_ is not None) == (n_inner > 0)
        for table in islice(learnt, n_inner + (fitted.n_synthetic_ > 0)):
            assert set(table["id"]) <= set(train)
    assert next(learnt, None) is None


# What is chosen


class MoonsSynthesizer(BootstrapSynthesizer):
    """As good as can be: draws from the true distribution of `moons`."""

    def sample(self, n_samples=1, random_state=None, *, conditions=None):
        X, y = make_moons(n_samples, noise=0.1, random_state=random_state)
        target = pd.Categorical(y, categories=[0, 1])
        return pd.DataFrame(X, columns=["x0", "x1"]).assign(target=target)


def test_helpful_rows_are_added():
    """A classifier that needs more rows than there are gets true ones.

    Of 35 neighbours among 60 rows most are of the other class or none. Over 15 other seeds rows
    were added each time, and test accuracy rose by 0.136 at least.
    """
    X, y = make_moons(60, noise=0.1, random_state=seed(3))
    model = AugmentedClassifier(KNeighborsClassifier(35), MoonsSynthesizer(), random_state=seed(0))
    model.fit(X, y)
    assert model.ratio_ > 0
    assert model.n_synthetic_ == round(model.ratio_ * len(X))
    assert model.reason_ == "Chosen by inner validation on 5 folds."
    X_test, y_test = make_moons(2000, noise=0.1, random_state=seed(4))
    plain = KNeighborsClassifier(35).fit(X, y)
    assert model.score(X_test, y_test) > plain.score(X_test, y_test) + 0.05


def test_harmful_rows_are_not_added():
    """Labels of the rows made say nothing; over 60 other seeds none were added."""
    X, y = make_moons(100, noise=0.1, random_state=seed(3))
    model = AugmentedClassifier(
        KNeighborsClassifier(5), ShuffledTargetSynthesizer(), random_state=seed(0)
    ).fit(X, y)
    assert model.ratio_ == 0
    assert model.strategy_ == "all"
    assert model.n_synthetic_ == 0
    assert model.synthesizer_ is None
    plain = KNeighborsClassifier(5).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_balancing_is_chosen_by_a_score_that_minds_small_classes():
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(0, 1, (180, 2)), rng.normal(1.5, 1, (20, 2))])
    y = np.repeat([0, 1], [180, 20])
    model = AugmentedClassifier(
        LogisticRegression(), BootstrapSynthesizer(), scoring="balanced_accuracy", random_state=0
    ).fit(X, y)
    assert model.strategy_ == "balance"
    results = model.cv_results_
    assert results.columns.tolist() == (
        ["ratio", "strategy"]
        + [f"split{split}_test_score" for split in range(5)]
        + ["mean_test_score", "std_test_score", "shortfall", "standard_error", "chosen"]
    )
    assert list(zip(results["ratio"], results["strategy"], strict=True)) == [
        (0.0, "all"),
        (0.5, "all"),
        (0.5, "balance"),
        (0.8, "balance"),
        (1.0, "all"),
        (2.0, "all"),
    ]
    chosen = results[results["chosen"]].iloc[0]
    assert (chosen["ratio"], chosen["strategy"]) == (model.ratio_, model.strategy_)


def test_regressor_chooses_too():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(100, 2))
    y = X[:, 0] + rng.normal(scale=0.1, size=100)
    model = AugmentedRegressor(LinearRegression(), ShuffledTargetSynthesizer(), random_state=0)
    model.fit(X, y)
    assert model.ratio_ == 0
    assert model.cv_results_["ratio"].tolist() == [0, 0.5, 1, 2]
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"ratio": 0.25}, {"rare": 20, "often": 40, "extra": 15}),
        ({"ratio": 0}, {"rare": 20, "often": 40, "extra": 0}),
        ({"ratio": 0.25, "strategy": "balance"}, {"rare": 35, "often": 40, "extra": 15}),
        ({"ratio": "level"}, {"rare": 40, "often": 40, "extra": 20}),
        ({"ratio": 1, "strategy": "balance"}, {"rare": 60, "often": 60, "extra": 60}),
    ],
)
def test_given_amounts(parameters, expected):
    X, y = numbered_rows()
    model = AugmentedClassifier(RecordingClassifier(), BootstrapSynthesizer(), **parameters)
    model.fit(X, y)
    assert model.reason_ == "The amount was given."
    assert model.cv_results_ is None
    assert model.n_synthetic_ == expected["extra"]
    ((X_seen, y_seen),) = RecordingClassifier.fitted
    assert len(X_seen) == len(y_seen) == 60 + expected["extra"]
    assert X_seen["id"].head(60).tolist() == X["id"].tolist()
    assert y_seen[:60].tolist() == y.tolist()
    if model.strategy_ == "balance":
        labels, counts = np.unique(y_seen, return_counts=True)
        assert dict(zip(labels, counts, strict=True)) == {
            label: expected[label] for label in ("often", "rare")
        }
    # Rows stay whole: the stub's are copies, so that every id still has its own label.
    assert (y_seen == y.to_numpy()[X_seen["id"]]).all()


# Tables too small to choose on


def test_a_class_of_one_row_leaves_nothing_to_validate_on():
    X, y = numbered_rows()
    y.iloc[0] = "single"
    model = AugmentedClassifier(LogisticRegression(), RecordingSynthesizer())
    message = (
        "ratio='auto' added no rows (ratio_=0): inner validation needs two rows of every class at "
        "least, and class 'single' has 1."
    )
    with pytest.warns(UserWarning, match=re.escape(message)):
        model.fit(X, y)
    assert model.reason_ == message
    assert model.ratio_ == 0
    assert RecordingSynthesizer.learnt == []
    assert set(model.classes_) == {"often", "rare", "single"}


def test_a_class_of_three_rows_means_three_folds():
    X, y = numbered_rows()
    y[:] = "often"
    y.iloc[:3] = "rare"
    model = AugmentedClassifier(LogisticRegression(), BootstrapSynthesizer()).fit(X, y)
    assert model.reason_ == "Chosen by inner validation on 3 folds."


def test_inner_folds_are_stratified_and_shuffled():
    X, y = numbered_rows()
    AugmentedClassifier(KNeighborsClassifier(), RecordingSynthesizer(), cv=4).fit(X, y)
    for table in RecordingSynthesizer.learnt[:4]:
        assert table["kind"].value_counts().to_dict() == {"often": 30, "rare": 15}
        assert set(np.diff(table["id"])) != {1}


def test_regression_on_three_rows():
    model = AugmentedRegressor(Ridge(), BootstrapSynthesizer())
    message = (
        "ratio='auto' added no rows (ratio_=0): inner validation needs four rows at least, got 3."
    )
    with pytest.warns(UserWarning, match=re.escape(message)):
        model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    assert model.ratio_ == 0
