"""Meta-estimators and what goes through them: kinds of tables, fit parameters, manners."""

from __future__ import annotations

import re
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.parallel import Parallel
from stubs import (
    BootstrapSynthesizer,
    RecordingClassifier,
    RecordingSynthesizer,
    RecordingTeacher,
    forget_records,
    moons,
    numbered_rows,
)

import tabgan.pipeline
from tabgan.datasets import make_mixed_table
from tabgan.pipeline import AugmentedClassifier, AugmentedRegressor


@pytest.fixture(autouse=True)
def fresh_records():
    forget_records()


# Kinds of tables


def test_every_kind_of_column_reaches_the_estimator_as_it_was():
    table = make_mixed_table(80, missing=0.2, random_state=0)
    before = table.copy()
    X, y = table.drop(columns="bought"), table["bought"]
    X.index = X.index[::-1]
    AugmentedClassifier(
        RecordingClassifier(), BootstrapSynthesizer(), ratio=1.5, labels="synthesizer"
    ).fit(X, y)
    ((X_seen, y_seen),) = RecordingClassifier.fitted
    pd.testing.assert_series_equal(X_seen.dtypes, X.dtypes)
    pd.testing.assert_frame_equal(X_seen.head(80), X.reset_index(drop=True))
    assert X_seen.index.equals(pd.RangeIndex(200))
    assert y_seen.tolist()[:80] == y.tolist()
    pd.testing.assert_frame_equal(table, before)


def test_without_synthetic_rows_the_estimator_gets_the_very_table():
    X, y = numbered_rows()
    AugmentedClassifier(RecordingClassifier(), BootstrapSynthesizer(), ratio=0).fit(X, y)
    assert RecordingClassifier.fitted[0][0] is X


def test_an_estimator_that_takes_categories_and_missing_values():
    table = make_mixed_table(120, missing=0.2, random_state=0)
    X = table[["size", "length", "count"]].assign(colour=table["colour"].astype("category"))
    estimator = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    model = AugmentedClassifier(estimator, BootstrapSynthesizer(), cv=2).fit(X, table["bought"])
    assert set(model.predict(X)) <= {"yes", "no"}
    assert model.feature_names_in_.tolist() == ["size", "length", "count", "colour"]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1]),
        np.array([-3, 7], dtype=np.int8),
        np.array([False, True]),
        np.array([-1.0, 1.0]),
        np.array(["a", "b"]),
        np.array(["a", "b"], dtype=object),
    ],
    ids=str,
)
def test_class_labels_keep_their_dtype(labels):
    y = labels[np.arange(30) % 3 // 2]
    X = np.random.RandomState(0).rand(30, 2).astype(np.float32)
    AugmentedClassifier(
        RecordingClassifier(), BootstrapSynthesizer(), ratio="level", labels="synthesizer"
    ).fit(X, y)
    ((X_seen, y_seen),) = RecordingClassifier.fitted
    assert X_seen.dtype == X.dtype
    assert X_seen.shape == (40, 2)
    assert y_seen.dtype == labels.dtype
    assert np.unique(y_seen, return_counts=True)[1].tolist() == [20, 20]


def test_missing_values_in_an_array_are_left_to_the_estimator():
    X = np.random.RandomState(0).rand(40, 2)
    X[::5, 0] = np.nan
    y = (X[:, 1] > 0.5).astype(int)
    pipeline = make_pipeline(SimpleImputer(), LogisticRegression())
    AugmentedClassifier(pipeline, BootstrapSynthesizer(), cv=2).fit(X, y).predict(X)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        AugmentedClassifier(LogisticRegression(), BootstrapSynthesizer(), ratio=1).fit(X, y)


def test_sparse_matrices_are_refused():
    X, y = sparse.csr_array(np.eye(4)), [0, 1, 0, 1]
    with pytest.raises(TypeError, match="Sparse data was passed"):
        AugmentedClassifier(LogisticRegression(), BootstrapSynthesizer()).fit(X, y)


@pytest.mark.parametrize(
    ("X", "y", "columns"),
    [
        (pd.DataFrame({"a": [1, 2]}), pd.Series([0, 1], name="y"), ["a", "y"]),
        (pd.DataFrame({"y": [1, 2]}), pd.Series([0, 1], name="y"), ["y", "y_"]),
        (pd.DataFrame({"target": [1, 2], "target_": [3, 4]}), [0, 1], None),
        (pd.DataFrame({0: [1, 2], 1: [3, 4]}), pd.Series([0, 1], name=0), ["x0", "x1", "target"]),
        (np.eye(2), [0, 1], ["x0", "x1", "target"]),
    ],
)
def test_the_target_is_one_more_column_with_a_name_of_its_own(X, y, columns):
    AugmentedClassifier(
        RecordingClassifier(), RecordingSynthesizer(), ratio=1, labels="synthesizer"
    ).fit(X, y)
    (table,) = RecordingSynthesizer.learnt
    assert list(table.columns) == (columns or ["target", "target_", "target__"])
    assert isinstance(table.iloc[:, -1].dtype, pd.CategoricalDtype)
    if isinstance(X, pd.DataFrame):
        assert list(RecordingClassifier.fitted[0][0].columns) == list(X.columns)


# Fit parameters and routing


def test_synthetic_rows_get_the_mean_weight():
    X, y = numbered_rows()
    weights = np.arange(60.0)
    model = AugmentedClassifier(
        RecordingClassifier(), BootstrapSynthesizer(), ratio=0.5, labels="synthesizer"
    )
    model.fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(
        RecordingClassifier.weights[0], np.concatenate([weights, np.full(30, weights.mean())])
    )
    model.set_params(ratio=0).fit(X, y, sample_weight=weights)
    assert RecordingClassifier.weights[1] is weights


def test_weights_are_cut_to_the_folds_and_shared_among_the_copies_of_a_row():
    X, y = numbered_rows()
    weights = pd.Series(np.arange(60.0))
    folds = list(KFold(2).split(X))
    model = AugmentedClassifier(
        RecordingTeacher(), BootstrapSynthesizer(), ratio=1, cv=folds, teachers=[]
    )
    model.fit(X, y, sample_weight=weights)
    for seen, (train, _) in zip(RecordingClassifier.weights[:2], folds, strict=True):
        np.testing.assert_array_equal(seen, train)
    (X_seen, y_seen), seen = RecordingClassifier.fitted[2], RecordingClassifier.weights[2]
    assert len(X_seen) == len(y_seen) == len(seen) == 2 * 120
    np.testing.assert_allclose(np.sum(seen), weights.sum() + 60 * weights.mean())
    # The teacher knows that two of three rows are "often"; a real row's own label has half.
    np.testing.assert_allclose(seen[6:8] / 3, [1 / 3, 2 / 3])
    np.testing.assert_array_equal(y_seen[6:8], ["often", "rare"])


def test_weights_of_a_pipeline_step():
    X, y = numbered_rows()
    pipeline = make_pipeline(SimpleImputer(), RecordingClassifier())
    model = AugmentedClassifier(pipeline, BootstrapSynthesizer(), ratio=1, labels="synthesizer")
    model.fit(X, y, recordingclassifier__sample_weight=np.ones(60))
    np.testing.assert_array_equal(RecordingClassifier.weights[0], np.ones(120))


def test_other_fit_parameters():
    X, y = numbered_rows()
    model = AugmentedClassifier(
        RecordingClassifier(), BootstrapSynthesizer(), ratio=1, labels="synthesizer"
    )
    model.fit(X, y, note="any")
    message = (
        "The fit parameter 'note' has one value per row, which synthetic rows lack; "
        "only sample_weight can be passed that way."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.fit(X, y, note=np.ones(60))


def test_groups_go_to_the_splitter():
    X, y = numbered_rows()
    groups = np.arange(60) % 7
    folds = list(GroupKFold(3).split(X, y, groups))
    model = AugmentedClassifier(
        RecordingTeacher(), BootstrapSynthesizer(), cv=GroupKFold(3), ratio=1, teachers=[]
    )
    model.fit(X, y, groups=groups)
    for (X_seen, _), (train, _) in zip(RecordingClassifier.fitted, folds, strict=False):
        assert X_seen["id"].tolist() == train.tolist()
    with sklearn.config_context(enable_metadata_routing=True):
        forget_records()
        estimator = RecordingTeacher().set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=False)
        model.set_params(estimator=estimator)
        model.fit(X, y, groups=groups, sample_weight=np.arange(60.0))
        np.testing.assert_array_equal(RecordingClassifier.weights[0], folds[0][0])
        model.predict(X)


@pytest.mark.parametrize("routing", [False, True])
def test_an_iterator_of_folds_is_used_once(routing):
    X, y = numbered_rows()
    folds = list(KFold(3).split(X))
    model = AugmentedClassifier(
        RecordingTeacher(), BootstrapSynthesizer(), cv=iter(folds), ratio=1, teachers=[]
    )
    with sklearn.config_context(enable_metadata_routing=routing):
        model.fit(X, y)
    assert [X_seen["id"].tolist() for X_seen, _ in RecordingClassifier.fitted[:3]] == [
        train.tolist() for train, _ in folds
    ]


def test_more_workers_than_folds_are_not_started(monkeypatch):
    asked = []

    def parallel(n_jobs, return_as):
        asked.append(n_jobs)
        return Parallel(n_jobs=1, return_as=return_as)

    monkeypatch.setattr("tabgan.pipeline.mixture.Parallel", parallel)
    X, y = moons()
    model = AugmentedClassifier(KNeighborsClassifier(), BootstrapSynthesizer(), cv=3, teachers=[])
    for n_jobs in (1000, 2, -1, None):
        model.set_params(n_jobs=n_jobs).fit(X, y)
    assert asked == [3, 2, -1, None]


# Meta-estimator manners


def test_methods_are_those_of_the_estimator():
    with_probabilities = AugmentedClassifier(LogisticRegression())
    assert hasattr(with_probabilities, "predict_proba")
    assert hasattr(with_probabilities, "predict_log_proba")
    assert hasattr(with_probabilities, "decision_function")
    without = AugmentedClassifier(Perceptron())
    assert not hasattr(without, "predict_proba")
    assert hasattr(without, "decision_function")
    assert not hasattr(AugmentedClassifier(KNeighborsClassifier()), "decision_function")


def test_predictions_and_parameters_are_passed_on():
    X, y = moons()
    model = AugmentedClassifier(LogisticRegression(), BootstrapSynthesizer(), ratio=1).fit(X, y)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_array_equal(
            getattr(model, method)(X), getattr(model.estimator_, method)(X)
        )
    assert model.score(X, y) == model.estimator_.score(X, y)
    regressor = AugmentedRegressor(GaussianProcessRegressor(), BootstrapSynthesizer(), ratio=0)
    _, deviation = regressor.fit(X, y).predict(X, return_std=True)
    assert deviation.shape == (40,)


def test_tags_are_those_of_the_estimator():
    tags = get_tags(AugmentedClassifier(HistGradientBoostingClassifier()))
    assert tags.estimator_type == "classifier"
    assert tags.input_tags.allow_nan
    assert not tags.input_tags.sparse
    assert tags.target_tags.required
    assert not get_tags(AugmentedClassifier(LogisticRegression())).input_tags.allow_nan
    assert get_tags(AugmentedClassifier(MultinomialNB())).input_tags.positive_only
    assert get_tags(AugmentedRegressor(Ridge())).estimator_type == "regressor"


def test_grid_search_sets_parameters_of_both_parts():
    X, y = moons()
    settings = {"teachers": [KNeighborsClassifier()], "random_state": 0}
    model = AugmentedClassifier(
        KNeighborsClassifier(), BootstrapSynthesizer(random_state=3), **settings
    )
    grid = {"ratio": [0, "level", 1], "estimator__n_neighbors": [3, 5]}
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    best = search.best_estimator_
    chosen = {"ratio": best.ratio, "estimator__n_neighbors": best.estimator_.n_neighbors}
    assert chosen == search.best_params_
    assert clone(model).synthesizer.random_state == 3


def test_same_random_state_same_model():
    X, y = moons()
    settings = {"ratio": 1, "cv": 2, "random_state": 0}
    model = AugmentedClassifier(
        KNeighborsClassifier(), RecordingSynthesizer(random_state=3), **settings
    )
    first = clone(model).fit(X, y)
    (seed,) = RecordingSynthesizer.seeds
    assert seed != 3
    with joblib.parallel_config(backend="threading"):
        second = clone(model).set_params(n_jobs=2).fit(X, y)
    pd.testing.assert_frame_equal(first.cv_results_, second.cv_results_)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert RecordingSynthesizer.seeds == [seed, seed]
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert not first.cv_results_.equals(other.cv_results_)


def test_parameters_of_the_parts_are_left_alone():
    X, y = moons()
    synthesizer, estimator = BootstrapSynthesizer(), LogisticRegression()
    AugmentedClassifier(estimator, synthesizer, ratio=1).fit(X, y)
    assert not hasattr(synthesizer, "rows_")
    assert synthesizer.random_state is None
    assert not hasattr(estimator, "coef_")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"ratio": -1},
            'ratio must be a finite number of at least 0 or "auto" or "level", got -1.',
        ),
        (
            {"ratio": 1e30},
            "ratio must ask for at most 2147483647 synthetic rows, got 1e+30 for 40 real rows.",
        ),
        ({"labels": "hard"}, 'labels must be "soft" or "synthesizer", got \'hard\'.'),
        (
            {"teachers": [Perceptron()]},
            "teachers must be None or a sequence of classifiers with fit, predict_proba and "
            "get_params, got [Perceptron()].",
        ),
        (
            {"threshold": 1},
            'threshold must be None or a number in (0, 1) or "balanced", got 1.',
        ),
        (
            {"features": "pca"},
            "features must be None or a transformer, an object with fit, transform and get_params, "
            "got 'pca'.",
        ),
        ({"verbose": -1}, "verbose must be a non-negative integer, got -1."),
        (
            {"cv": 1},
            "cv must be None, an integer of at least 2, a splitter such as KFold(), or an iterable "
            "of (train, validation) pairs of row numbers, got 1.",
        ),
        (
            {"cv": [([0, 1], [2, 40])]},
            "cv must give one (train, validation) pair of non-empty sequences of row numbers below "
            "40 for each fold, got ([0, 1], [2, 40]).",
        ),
        (
            {"labels": "synthesizer"},
            "ratio='auto' chooses an amount for soft labels alone; give a number of synthetic rows "
            "per real row, or set labels to 'soft'.",
        ),
    ],
)
def test_parameter_errors(parameters, message):
    X, y = moons()
    model = AugmentedClassifier(LogisticRegression(), BootstrapSynthesizer(), **parameters)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.fit(X, y)


def test_a_regressor_has_no_classes_to_level():
    message = "ratio must be a finite number of at least 0 or \"auto\", got 'level'."
    model = AugmentedRegressor(Ridge(), BootstrapSynthesizer(), ratio="level")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.fit([[0.0], [1.0]], [0.0, 1.0])


def test_gan_sampler_is_imported_on_demand_and_names_its_extra(monkeypatch):
    code = "import sys, tabgan.pipeline; sys.exit('imblearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "imblearn", None)
    message = (
        "GANSampler needs imbalanced-learn; install it with: "
        "pip install 'sklearn-tabgan[imblearn]'."
    )
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        _ = tabgan.pipeline.GANSampler
    with pytest.raises(AttributeError, match="has no attribute 'Sampler'"):
        _ = tabgan.pipeline.Sampler
