from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table, says, shuffled
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tabgan.evaluation import (
    c2st,
)
from tabgan.evaluation.columns import align_columns
from tabgan.evaluation.learners import build_learner


class TestC2ST:
    def test_same_distribution(self):
        assert c2st(mixed_table(1500, 0), mixed_table(1500, 1)) > 0.85

    def test_told_apart_at_once(self):
        real = mixed_table(300, 0)
        assert c2st(real, real.assign(size=real["size"] + 100)) < 0.05

    @pytest.mark.parametrize("classifier", ["hist", "xgboost", DecisionTreeClassifier(max_depth=6)])
    def test_independent_columns_are_found_out(self, classifier):
        if classifier == "xgboost":
            pytest.importorskip("xgboost")
        real = mixed_table(1000, 0)
        assert c2st(real, shuffled(real), classifier=classifier) < 0.65

    def test_a_classifier_that_wants_no_missing_values(self):
        real, made = mixed_table(1000, 0), mixed_table(1000, 1)
        real.loc[:399, "price"] = np.nan
        model = make_pipeline(StandardScaler(), LogisticRegression())
        # 46 % of the real rows lack the price and 10 % of the others: an AUC of 0.68.
        assert c2st(real, made, classifier=model) == pytest.approx(0.64, abs=0.1)
        assert not hasattr(model[-1], "coef_")

    def test_categories_reach_the_classifier_as_categories(self):
        columns = align_columns({"real": mixed_table(200, 0), "synthetic": mixed_table(200, 1)})
        model, (rows, _) = build_learner("hist", columns)
        model.fit(rows, np.arange(200) % 2)
        assert model.is_categorical_.tolist() == [column.is_category for column in columns]
        _, (rows, _) = build_learner(DecisionTreeClassifier(), columns)
        kinds = rows[:, 2:5]
        assert set(kinds.sum(axis=1)) == {0.0, 1.0}
        assert (kinds.sum(axis=1) == 1).tolist() == mixed_table(200, 0)["kind"].notna().tolist()

    def test_rare_categories_are_put_together(self):
        rng = np.random.default_rng(0)
        labels = np.append(np.repeat(np.arange(254), 3), np.arange(254, 300))
        real, made = (pd.DataFrame({"c": rng.permutation(labels).astype(str)}) for _ in range(2))
        _, (codes, _) = build_learner("hist", align_columns({"real": real, "synthetic": made}))
        rare = real["c"].astype(int) >= 254
        assert (codes[rare, 0] == 254).all()
        assert len(set(codes[~rare, 0])) == 254

    @pytest.mark.parametrize("classifier", ["hist", DecisionTreeClassifier(max_depth=3)])
    def test_thousands_of_categories(self, classifier):
        rng = np.random.default_rng(0)
        names = np.array([f"id {i}" for i in range(3000)])
        real, made = (pd.DataFrame({"c": rng.choice(names, 3000)}) for _ in range(2))
        assert c2st(real, made, classifier=classifier) > 0.7

    def test_tables_of_different_length(self):
        real = mixed_table(2000, 0)
        assert c2st(real, mixed_table(500, 1)) > 0.8
        assert c2st(mixed_table(500, 1), real) > 0.8

    def test_reproducible_and_global_generator_untouched(self):
        # Rows that can be told apart, for scores of those that cannot are often 1 for all seeds.
        real, made = mixed_table(200, 0), shuffled(mixed_table(150, 1))
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        scores = {c2st(real, made, random_state=seed) for seed in (0, 0, 1)}
        assert len(scores) == 2
        np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002

    @pytest.mark.parametrize("learner", ["hist", "xgboost"])
    def test_learners_by_name_are_seeded(self, learner):
        if learner == "xgboost":
            pytest.importorskip("xgboost")
        columns = align_columns({"real": mixed_table(9, 0)})
        for task in ("classification", "regression"):
            model, _ = build_learner(learner, columns, task=task, random_state=7)
            assert model.random_state == 7

    def test_tiny_tables(self):
        real = mixed_table(3, 0)
        assert np.isnan(c2st(real, real.iloc[:1]))
        assert 0 <= c2st(real, real.iloc[:2]) <= 1

    @pytest.mark.parametrize("classifier", ["hist", DecisionTreeClassifier()])
    def test_numbers_too_large_for_single_precision(self, classifier):
        real = pd.DataFrame({"x": [1.0, 2.0, 1e300, 4.0] * 10})
        assert c2st(real, real.replace(1e300, -1e300), classifier=classifier) < 0.8
        assert c2st(real, real, classifier=classifier) > 0.8

    def test_each_fold_has_a_classifier_of_its_own(self):
        """A classifier that goes on learning would have seen the rows that it is scored on."""
        real, made = mixed_table(200, 0), mixed_table(200, 1)
        scores = [
            c2st(real, made, classifier=RandomForestClassifier(20, warm_start=warm, random_state=0))
            for warm in (False, True)
        ]
        assert scores[0] == scores[1]

    def test_bad_classifier(self):
        real = mixed_table(9, 0)
        message = 'classifier must be "hist", "xgboost" or a scikit-learn estimator, got "forest".'
        with pytest.raises(ValueError, match=says(message.replace('"forest"', "'forest'"))):
            c2st(real, real, classifier="forest")
        message = "classifier must have a predict_proba method, got LinearSVC()."
        with pytest.raises(ValueError, match=says(message)):
            c2st(real, real, classifier=LinearSVC())

    def test_without_xgboost(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "xgboost", None)
        message = (
            'The "xgboost" learner needs xgboost; '
            "install it with: pip install 'sklearn-tabgan[xgboost]'."
        )
        with pytest.raises(ImportError, match=says(message)):
            c2st(mixed_table(9, 0), mixed_table(9, 0), classifier="xgboost")
