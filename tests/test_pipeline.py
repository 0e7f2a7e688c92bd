"""Augmentation of a table, and the meta-estimators around it, with stub synthesizers."""

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
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_moons
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_validate
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from stubs import BootstrapSynthesizer, RecordingSynthesizer, ShuffledTargetSynthesizer

import tabgan.pipeline
from tabgan.datasets import make_mixed_table
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


class RecordingClassifier(ClassifierMixin, BaseEstimator):
    """Remembers, beyond clones, what it was fitted and asked to predict on."""

    fitted: list = []
    weights: list = []
    predicted: list = []

    def fit(self, X, y, sample_weight=None, note=None):
        self.fitted.append((X, y))
        self.weights.append(sample_weight)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self.predicted.append(X)
        return np.repeat(self.classes_[:1], len(X))


@pytest.fixture(autouse=True)
def fresh_records():
    RecordingSynthesizer.forget()
    for record in (
        RecordingClassifier.fitted,
        RecordingClassifier.weights,
        RecordingClassifier.predicted,
    ):
        record.clear()


def numbered_rows(n_rows=60):
    """Make rows of which each can be recognised, with a third of them in the rarer class."""
    X = pd.DataFrame({"id": np.arange(n_rows), "noise": np.random.RandomState(0).rand(n_rows)})
    return X, pd.Series(np.where(np.arange(n_rows) % 3 == 0, "rare", "often"), name="kind")


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


@pytest.mark.parametrize("parameters", [{"ratio": 2.0}, {"ratio": "level"}, {"ratio": "auto"}])
def test_cross_validation_never_leaks(parameters):
    X, y = numbered_rows()
    model = AugmentedClassifier(KNeighborsClassifier(), RecordingSynthesizer(), cv=2, **parameters)
    outer = list(KFold(2, shuffle=True, random_state=1).split(X))
    result = cross_validate(model, X, y, cv=outer, return_estimator=True)
    learnt = RecordingSynthesizer.learnt
    per_fold = len(learnt) // 2
    assert len(learnt) == sum(
        (each.cv_results_ is not None) * 2 + (each.n_synthetic_ > 0) for each in result["estimator"]
    )
    if parameters["ratio"] != "auto":
        assert per_fold == 1
    for position, (train, _) in enumerate(outer):
        for table in learnt[position * per_fold : (position + 1) * per_fold]:
            assert set(table["id"]) <= set(train)


# What is chosen


class MoonsSynthesizer(BootstrapSynthesizer):
    """As good as can be: draws from the true distribution of `moons`."""

    def sample(self, n_samples=1, random_state=None, *, conditions=None):
        X, y = make_moons(n_samples, noise=0.1, random_state=random_state)
        target = pd.Categorical(y, categories=[0, 1])
        return pd.DataFrame(X, columns=["x0", "x1"]).assign(target=target)


def moons(n_rows=40):
    return make_moons(n_rows, noise=0.1, random_state=3)


def test_helpful_rows_are_added():
    X, y = moons()
    model = AugmentedClassifier(KNeighborsClassifier(5), MoonsSynthesizer(), random_state=0)
    model.fit(X, y)
    assert model.ratio_ > 0
    assert model.n_synthetic_ == round(model.ratio_ * len(X))
    assert model.reason_ == "Chosen by inner validation on 5 folds."
    X_test, y_test = make_moons(2000, noise=0.1, random_state=4)
    plain = KNeighborsClassifier(5).fit(X, y)
    assert model.score(X_test, y_test) > plain.score(X_test, y_test)


def test_harmful_rows_are_not_added():
    X, y = moons(100)
    model = AugmentedClassifier(
        KNeighborsClassifier(5), ShuffledTargetSynthesizer(), random_state=0
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


# Kinds of tables


def test_every_kind_of_column_reaches_the_estimator_as_it_was():
    table = make_mixed_table(80, missing=0.2, random_state=0)
    before = table.copy()
    X, y = table.drop(columns="bought"), table["bought"]
    X.index = X.index[::-1]
    AugmentedClassifier(RecordingClassifier(), BootstrapSynthesizer(), ratio=1.5).fit(X, y)
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
    AugmentedClassifier(RecordingClassifier(), BootstrapSynthesizer(), ratio="level").fit(X, y)
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
    AugmentedClassifier(RecordingClassifier(), RecordingSynthesizer(), ratio=1).fit(X, y)
    (table,) = RecordingSynthesizer.learnt
    assert list(table.columns) == (columns or ["target", "target_", "target__"])
    assert isinstance(table.iloc[:, -1].dtype, pd.CategoricalDtype)
    if isinstance(X, pd.DataFrame):
        assert list(RecordingClassifier.fitted[0][0].columns) == list(X.columns)


# Fit parameters and routing


def test_synthetic_rows_get_the_mean_weight():
    X, y = numbered_rows()
    weights = np.arange(60.0)
    model = AugmentedClassifier(RecordingClassifier(), BootstrapSynthesizer(), ratio=0.5)
    model.fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(
        RecordingClassifier.weights[0], np.concatenate([weights, np.full(30, weights.mean())])
    )
    model.set_params(ratio=0).fit(X, y, sample_weight=weights)
    assert RecordingClassifier.weights[1] is weights


def test_weights_are_cut_to_the_inner_folds():
    X, y = numbered_rows()
    weights = pd.Series(np.arange(60.0))
    folds = list(KFold(2).split(X))
    model = AugmentedClassifier(
        RecordingClassifier(), BootstrapSynthesizer(), cv=folds, ratios=[1], strategy="all"
    )
    model.fit(X, y, sample_weight=weights)
    train = folds[0][0]
    np.testing.assert_array_equal(RecordingClassifier.weights[0], train)
    np.testing.assert_array_equal(
        RecordingClassifier.weights[1], np.concatenate([train, np.full(30, train.mean())])
    )


def test_weights_of_a_pipeline_step():
    X, y = numbered_rows()
    pipeline = make_pipeline(SimpleImputer(), RecordingClassifier())
    model = AugmentedClassifier(pipeline, BootstrapSynthesizer(), ratio=1)
    model.fit(X, y, recordingclassifier__sample_weight=np.ones(60))
    np.testing.assert_array_equal(RecordingClassifier.weights[0], np.ones(120))


def test_other_fit_parameters():
    X, y = numbered_rows()
    model = AugmentedClassifier(RecordingClassifier(), BootstrapSynthesizer(), ratio=1)
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
    model = AugmentedClassifier(
        KNeighborsClassifier(), RecordingSynthesizer(), cv=GroupKFold(3), random_state=0
    )
    model.fit(X, y, groups=groups)
    folds = list(GroupKFold(3).split(X, y, groups))
    for table, (train, _) in zip(RecordingSynthesizer.learnt, folds, strict=False):
        assert table["id"].tolist() == train.tolist()
    with sklearn.config_context(enable_metadata_routing=True):
        RecordingSynthesizer.forget()
        estimator = RecordingClassifier().set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=False)
        model = AugmentedClassifier(
            estimator, RecordingSynthesizer(), cv=GroupKFold(3), ratios=[1], strategy="all"
        )
        model.fit(X, y, groups=groups, sample_weight=np.arange(60.0))
        assert RecordingSynthesizer.learnt[0]["id"].tolist() == folds[0][0].tolist()
        np.testing.assert_array_equal(RecordingClassifier.weights[0], folds[0][0])
        model.predict(X)


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
    model = AugmentedClassifier(
        KNeighborsClassifier(), BootstrapSynthesizer(random_state=3), random_state=0
    )
    grid = {"ratio": [0, "level", 1], "estimator__n_neighbors": [3, 5]}
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert search.best_params_.keys() == grid.keys()
    assert clone(model).synthesizer.random_state == 3


def test_same_random_state_same_model():
    X, y = moons()
    model = AugmentedClassifier(
        KNeighborsClassifier(), RecordingSynthesizer(random_state=3), ratios=[1], random_state=0
    )
    first = clone(model).fit(X, y)
    seeds = RecordingSynthesizer.seeds.copy()
    assert len(set(seeds)) == len(seeds) >= 5
    assert 3 not in seeds
    with joblib.parallel_config(backend="threading"):
        second = clone(model).set_params(n_jobs=2).fit(X, y)
    pd.testing.assert_frame_equal(first.cv_results_, second.cv_results_)
    assert sorted(RecordingSynthesizer.seeds) == sorted(seeds * 2)
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
        ({"ratio": -1}, "ratio must be a finite number >= 0, 'auto' or 'level', got -1."),
        ({"ratio": np.inf}, "ratio must be a finite number >= 0, 'auto' or 'level', got inf."),
        ({"ratio": "some"}, "ratio must be a finite number >= 0, 'auto' or 'level', got 'some'."),
        ({"ratios": (0, -1)}, "ratios must be finite numbers >= 0, got (0, -1)."),
        ({"strategy": "some"}, "strategy must be 'auto', 'all' or 'balance', got 'some'."),
        ({"cv": 1}, "cv must be at least 2 folds, got 1."),
        (
            {"ratio": "level", "strategy": "all"},
            "ratio='level' adds rows class by class; set strategy to 'auto' or 'balance', "
            "got 'all'.",
        ),
    ],
)
def test_parameter_errors(parameters, message):
    X, y = moons()
    model = AugmentedClassifier(LogisticRegression(), BootstrapSynthesizer(), **parameters)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.fit(X, y)


def test_a_regressor_has_no_classes_to_level():
    message = "ratio must be a finite number >= 0, 'auto', got 'level'."
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
