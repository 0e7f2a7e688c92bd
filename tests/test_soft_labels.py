"""Classifiers that are fitted on probabilities of classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import seed
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tabgan.pipeline.fitting import (
    N_DRAWS,
    DrawnLabels,
    copies,
    draw_labels,
    fit_softly,
    lengthened,
    weight_parameter,
)

CLASSES = np.array(["a", "b"])


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (LogisticRegression(), "sample_weight"),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            "logisticregression__sample_weight",
        ),
        (
            make_pipeline(StandardScaler(), make_pipeline(LogisticRegression())),
            "pipeline__logisticregression__sample_weight",
        ),
        (KNeighborsClassifier(), None),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), None),
        (LogisticRegression(class_weight="balanced"), None),
        (GridSearchCV(LogisticRegression(), {"C": [1]}), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_name_of_the_weights(estimator, expected):
    assert weight_parameter(estimator) == expected


def test_a_pipeline_under_metadata_routing_gets_no_weights():
    with sklearn.config_context(enable_metadata_routing=True):
        assert weight_parameter(make_pipeline(LogisticRegression())) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_copies_keep_the_weight_of_every_row(values):
    probabilities = np.array(values) + [0.001, 0, 0]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    rows, codes, shares = copies(probabilities)
    np.testing.assert_allclose(np.bincount(rows, shares, minlength=len(values)), 1)
    assert (np.diff(rows) >= 0).all()
    np.testing.assert_allclose(shares, probabilities[rows, codes], atol=0.03)


def test_a_classifier_with_weights_meets_the_probabilities():
    """Each x has a probability of its own; a tree with a leaf for each learns it exactly."""
    X = np.arange(5.0)[:, None]
    probabilities = np.column_stack([np.linspace(0.1, 0.9, 5), np.linspace(0.9, 0.1, 5)])
    fitted = fit_softly(DecisionTreeClassifier(), X, probabilities, CLASSES, {}, 0)
    np.testing.assert_allclose(fitted.predict_proba(X), probabilities)


def test_own_weights_multiply():
    X = np.zeros((2, 1))
    fit_params = {"sample_weight": np.array([1.0, 3.0])}
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5]])
    fitted = fit_softly(DecisionTreeClassifier(), X, probabilities, CLASSES, fit_params, 0)
    np.testing.assert_allclose(fitted.predict_proba(X[:1]), [[2.5 / 4, 1.5 / 4]])


def test_other_classifiers_are_averaged_over_draws_of_labels():
    X = np.repeat([[0.0], [1.0]], 500, axis=0)
    probabilities = np.repeat([[0.9, 0.1], [0.3, 0.7]], 500, axis=0)
    fitted = fit_softly(KNeighborsClassifier(50), X, probabilities, CLASSES, {}, seed(0))
    assert isinstance(fitted, DrawnLabels)
    assert len(fitted.estimators_) == N_DRAWS
    # The standard deviation of a mean of 8 x 50 labels is at most .025.
    np.testing.assert_allclose(
        fitted.predict_proba([[0.0], [1.0]]), [[0.9, 0.1], [0.3, 0.7]], atol=0.13
    )
    np.testing.assert_allclose(fitted.predict_log_proba(X[:1]), np.log(fitted.predict_proba(X[:1])))
    assert fitted.predict([[0.0], [1.0]]).tolist() == ["a", "b"]
    assert fitted.classes_.tolist() == ["a", "b"]


def test_classifiers_without_probabilities_vote():
    rng = np.random.RandomState(seed(0))
    X = rng.normal(size=(400, 2))
    of_second = (X[:, 0] > 0) * 0.98 + 0.01
    fitted = fit_softly(
        SGDClassifier(class_weight={"a": 1, "b": 1}, random_state=0),
        X,
        np.column_stack([1 - of_second, of_second]),
        CLASSES,
        {},
        0,
    )
    assert not hasattr(fitted, "predict_proba")
    assert fitted.score(X, CLASSES[(X[:, 0] > 0).astype(int)]) > 0.9


def test_draws_follow_the_probabilities():
    probabilities = np.tile([0.2, 0.0, 0.8], (20_000, 1))
    rates = np.bincount(draw_labels(probabilities, seed(0)), minlength=3) / 20_000
    # Five standard deviations are .014.
    np.testing.assert_allclose(rates, [0.2, 0, 0.8], atol=0.015)


def test_frames_have_a_fresh_index():
    X = pd.DataFrame({"x": [1.0, 2.0]}, index=[5, 5])
    fitted = fit_softly(Perceptron(), X, np.full((2, 2), 0.5), CLASSES, {}, 0)
    assert fitted.feature_names_in_.tolist() == ["x"]


def test_synthetic_rows_get_the_mean_weight():
    weights = np.array([1.0, 3.0])
    longer = lengthened({"step__sample_weight": weights, "note": "any", "sample_weight": None}, 2)
    assert longer["step__sample_weight"].tolist() == [1, 3, 2, 2]
    assert longer["note"] == "any"
    assert longer["sample_weight"] is None
    assert lengthened({"sample_weight": weights}, 0)["sample_weight"] is weights
