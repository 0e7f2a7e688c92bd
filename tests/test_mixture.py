"""The mixture of teachers: its weights, its predictions out of fold, and what default ones see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from seeds import seed
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier

from tabgan.datasets import make_mixed_table
from tabgan.pipeline.mixture import Teacher, fit_mixture, has_value_per_row, sharpened
from tabgan.pipeline.teachers import default_teachers, plain_columns

CLASSES = np.array(["a", "b"])


class Says(ClassifierMixin, BaseEstimator):
    """Gives the true class, which is the first column, a given probability."""

    def __init__(self, probability=0.5):
        self.probability = probability

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        of_second = np.where(X[:, 0] == 1, self.probability, 1 - self.probability)
        return np.column_stack([1 - of_second, of_second])


class SaysNumber(RegressorMixin, BaseEstimator):
    """Predicts a multiple of the first column."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.factor * X[:, 0]


def mix(models, X, y, classes=CLASSES, n_folds=4, **options):
    folds = list(KFold(n_folds, shuffle=True, random_state=0).split(X))
    teachers = {
        str(position): Teacher(model, np.asarray, {}) for position, model in enumerate(models)
    }
    return fit_mixture(teachers, X, y, classes, folds, **options)


def two_classes(n_rows):
    codes = np.arange(n_rows) % 2
    return codes[:, None].astype(float), CLASSES[codes]


def test_many_rows_give_all_weight_to_the_better_teacher_and_few_rows_do_not():
    shares = [mix([Says(0.9), Says(0.5)], *two_classes(n)).weights[0] for n in (8, 60, 4000)]
    assert 0.5 < shares[0] < shares[1] < shares[2]
    assert shares[0] < 0.75
    assert shares[2] > 0.9


def test_teachers_that_are_equally_good_weigh_the_same():
    mixture = mix([Says(0.8), Says(0.8), Says(0.8)], *two_classes(200))
    np.testing.assert_allclose(mixture.weights, 1 / 3, atol=1e-3)


def test_a_mixture_that_is_too_careful_is_sharpened():
    X, y = two_classes(400)
    wrong = np.arange(400) % 10 == 0
    y = np.where(wrong, np.where(y == "a", "b", "a"), y)
    careful, bold = mix([Says(0.7)], X, y), mix([Says(0.99)], X, y)
    assert careful.exponent > 1 > bold.exponent
    for mixture in (careful, bold):
        np.testing.assert_allclose(mixture.predict(X).max(axis=1), 0.9, atol=0.03)


def test_predictions_out_of_fold_are_of_models_that_have_not_seen_the_row():
    """A nearest neighbour knows each row that it was fitted on, and labels are noise."""
    rng = np.random.RandomState(seed(0))
    X, y = rng.normal(size=(400, 3)), CLASSES[rng.randint(2, size=400)]
    mixture = mix([KNeighborsClassifier(1)], X, y)
    accuracy = np.mean(CLASSES[mixture.out_of_fold.argmax(axis=1)] == y)
    # Binomial of 400 with rate .5: .4 and .6 are four standard deviations away.
    assert 0.4 < accuracy < 0.6
    assert mixture.results["roc_auc"].between(0.38, 0.62).all()


def test_results_are_proper_scores_by_hand():
    X, y = two_classes(20)
    results = mix([Says(0.8), Says(0.6)], X, y).results
    assert results["teacher"].tolist() == ["0", "1", "mixture"]
    np.testing.assert_allclose(results["log_loss"][:2], -np.log([0.8, 0.6]))
    np.testing.assert_allclose(results["brier_score"][:2], [2 * 0.2**2, 2 * 0.4**2])
    np.testing.assert_allclose(results["roc_auc"], 1)
    np.testing.assert_allclose(results["weight"][:2].sum(), 1)


def test_numbers():
    rng = np.random.RandomState(seed(0))
    X = rng.normal(size=(300, 1))
    y = X[:, 0] + rng.normal(scale=0.1, size=300)
    mixture = mix([SaysNumber(1.0), SaysNumber(-1.0)], X, y, classes=None)
    assert mixture.weights[0] > 0.95
    assert mixture.predict(X).shape == (300, 1)
    assert mixture.exponent == 1
    expected = [np.mean((y - factor * X[:, 0]) ** 2) for factor in (1, -1)]
    np.testing.assert_allclose(mixture.results["mean_squared_error"][:2], expected)
    np.testing.assert_allclose(mixture.results["r2"][:2], 1 - np.array(expected) / y.var())


def test_rows_in_no_validation_part_have_no_prediction():
    X, y = two_classes(20)
    folds = [(np.arange(10), np.arange(10, 14)), (np.arange(10, 20), np.arange(4))]
    teachers = {"one": Teacher(Says(0.8), np.asarray, {})}
    mixture = fit_mixture(teachers, X, y, CLASSES, folds)
    known = ~np.isnan(mixture.out_of_fold).any(axis=1)
    assert np.flatnonzero(known).tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    assert np.isnan(mixture.losses[:, ~known]).all()
    assert mixture.results["log_loss"].notna().all()


def test_progress_is_reported_fold_by_fold():
    done = []
    mix([Says()], *two_classes(20), report=done.append)
    assert done == [1, 2, 3, 4]


def test_sharpened_by_hand():
    np.testing.assert_allclose(sharpened(np.array([[0.2, 0.8]]), 2.0), [[0.04 / 0.68, 0.64 / 0.68]])
    np.testing.assert_allclose(sharpened(np.array([[1.0, 0.0]]), 0.5), [[1, 0]], atol=1e-5)


def test_plain_columns_are_numbers_and_texts():
    table = make_mixed_table(60, missing=0.2, random_state=0)
    table["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(60), unit="D")
    table.loc[3, "day"] = pd.NaT
    table["there"] = table["day"].dt.tz_localize("Europe/Berlin")
    table["took"] = pd.to_timedelta(np.arange(60), unit="h")
    table["whole"] = pd.array([None, *range(59)], dtype="Int64")
    table["flag"] = pd.array([None, *[True, False] * 29, True], dtype="boolean")
    table["digits"] = pd.Categorical(np.arange(60) % 3)
    before = table.copy()
    plain = plain_columns(table)
    assert {str(dtype) for dtype in plain.dtypes} == {"float64", "object"}
    assert plain.shape == table.shape
    assert np.diff(plain["day"].to_numpy()[4:7]).tolist() == [86400, 86400]
    assert np.diff(plain["there"].to_numpy()[4:7]).tolist() == [86400, 86400]
    assert plain["took"].tolist()[:2] == [0, 3600]
    assert np.isnan(plain["whole"][0]) and np.isnan(plain["flag"][0]) and np.isnan(plain["day"][3])
    assert plain["digits"].tolist()[:3] == ["value 0", "value 1", "value 2"]
    pd.testing.assert_frame_equal(table, before)
    unnamed = plain_columns(np.eye(2))
    assert unnamed.columns.tolist() == ["x0", "x1"]


@pytest.mark.parametrize("is_classifier", [True, False])
def test_default_teachers_take_any_table(is_classifier):
    table = make_mixed_table(90, missing=0.2, random_state=seed(0))
    X = table.drop(columns="bought").assign(
        empty=np.nan, huge=np.where(np.arange(90) % 2, 1e300, -np.inf), same="x"
    )
    y = table["bought"].to_numpy() if is_classifier else np.arange(90.0)
    new = plain_columns(X.assign(same="never seen"))
    teachers = default_teachers(is_classifier, len(X), seed=0)
    for model in teachers.values():
        fitted = model.fit(plain_columns(X), y)
        predicted = fitted.predict_proba(new) if is_classifier else fitted.predict(new)
        assert np.isfinite(predicted).all()


@pytest.mark.parametrize(
    ("model", "classes"),
    [(LogisticRegression(), CLASSES), (Ridge(), None)],
    ids=["classes", "numbers"],
)
def test_weights_of_rows_are_cut_to_the_fold(model, classes):
    rng = np.random.RandomState(seed(0))
    X = rng.normal(size=(80, 2))
    y = X[:, 0] if classes is None else CLASSES[(X[:, 0] > 0).astype(int)]
    weights = rng.uniform(size=80)
    folds = list(KFold(2).split(X))
    teachers = {"one": Teacher(model, np.asarray, {"sample_weight": weights})}
    mixture = fit_mixture(teachers, X, y, classes, folds)
    train = folds[0][0]
    alone = type(model)().fit(X[train], y[train], sample_weight=weights[train])
    np.testing.assert_allclose(mixture.models[0][0].coef_, alone.coef_)


@pytest.mark.parametrize(
    ("value", "expected"),
    [([1, 2, 3], True), (np.ones(3), True), (pd.Series([1, 2, 3]), True), ([1, 2], False)]
    + [("abc", False), ({"a": 1, "b": 2, "c": 3}, False), (3, False), (None, False)],
)
def test_what_has_a_value_per_row(value, expected):
    assert has_value_per_row(value, 3) is expected
