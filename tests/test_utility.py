from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table, says, shuffled
from sklearn.tree import DecisionTreeClassifier

from tabgan.evaluation import (
    train_on_synthetic,
)


class TestTrainOnSynthetic:
    test = mixed_table(1000, 2)

    def test_classification(self):
        good, bad = mixed_table(1000, 0), shuffled(mixed_table(1000, 0))
        scores = train_on_synthetic(bad, self.test, "large", train=good)
        assert list(scores.index) == ["synthetic", "real"]
        assert list(scores.columns) == ["roc_auc"]
        assert scores.loc["real", "roc_auc"] > 0.95
        assert scores.loc["synthetic", "roc_auc"] < 0.75
        assert list(train_on_synthetic(good, self.test, "large").index) == ["synthetic"]

    @pytest.mark.parametrize("estimator", ["hist", "xgboost", DecisionTreeClassifier(max_depth=5)])
    def test_several_classes_and_learners(self, estimator):
        if estimator == "xgboost":
            pytest.importorskip("xgboost")
        made = mixed_table(1000, 0)
        score = train_on_synthetic(made, self.test, "kind", estimator=estimator)
        assert 0.6 < score.loc["synthetic", "roc_auc"] < 1

    def test_regression(self):
        scores = train_on_synthetic(mixed_table(1000, 0), self.test, "price")
        assert list(scores.columns) == ["rmse", "r2"]
        assert scores.loc["synthetic", "r2"] > 0.7
        assert scores.loc["synthetic", "rmse"] == pytest.approx(
            self.test["price"].std() * np.sqrt(1 - scores.loc["synthetic", "r2"]), rel=0.01
        )

    def test_target_transform(self):
        table, test = mixed_table(500, 0), self.test
        plain = train_on_synthetic(table, test, "price")
        tenth = train_on_synthetic(table, test, "price", target_transform=lambda y: y / 10)
        assert tenth.loc["synthetic", "rmse"] == pytest.approx(
            plain.loc["synthetic", "rmse"] / 10, rel=0.02
        )

    @pytest.mark.parametrize(
        ("values", "column"),
        [
            ([1, 2, 3], "roc_auc"),
            ([1.0, 2.0, np.nan], "roc_auc"),
            ([0.5, 1.0, 2.0], "rmse"),
            (list(range(11)), "rmse"),
            (["x", "y"], "roc_auc"),
            ([True, False], "roc_auc"),
            (list(pd.date_range("2020", periods=3)), "rmse"),
        ],
    )
    def test_task_is_told_from_the_target(self, values, column):
        table = self.test[["size"]].iloc[:66].assign(y=pd.Series(values * 33).iloc[:66].array)
        assert column in train_on_synthetic(table, table, "y")

    def test_task_can_be_given(self):
        table = self.test.assign(y=self.test["count"] % 15)
        assert "roc_auc" in train_on_synthetic(table, table, "y", task="classification")
        assert "rmse" in train_on_synthetic(
            table.assign(y=table["y"] % 2), table, "y", task="regression"
        )

    def test_a_class_that_was_not_made_scores_as_a_guess(self):
        test = pd.DataFrame({"x": np.arange(300) % 3, "y": np.array(list("abc") * 100)})
        message = (
            "synthetic lacks 1 of the target's 3 classes in test, ['a']; they score 0.5, "
            "as a guess does."
        )
        with pytest.warns(UserWarning, match=says(message)):
            scores = train_on_synthetic(test[test["y"] != "a"], test, "y")
        # c lies on one side of a and b, which are told apart as well as one threshold can.
        one_of_three = [0.5, 0.75, 1.0]
        assert scores.loc["synthetic", "roc_auc"] == pytest.approx(np.mean(one_of_three))

    @pytest.mark.parametrize("value", [True, None])
    def test_a_single_class_or_none_scores_as_a_guess(self, value):
        made = mixed_table(50, 0).assign(large=value)
        with pytest.warns(UserWarning, match="^synthetic lacks [12] of the target's 2 classes"):
            scores = train_on_synthetic(made, self.test, "large")
        assert scores.loc["synthetic", "roc_auc"] == 0.5

    def test_no_amount_to_learn_from(self):
        made = mixed_table(50, 0).assign(price=np.nan)
        message = "synthetic has no row with a known target; its score is NaN."
        with pytest.warns(UserWarning, match=says(message)):
            assert train_on_synthetic(made, self.test, "price").isna().all(axis=None)

    def test_a_test_table_of_one_class(self):
        message = (
            "test has a single class of the target, 'True': the area under the ROC curve is NaN. "
            "Pass test rows of at least two classes."
        )
        one_class = self.test[self.test["large"]]
        with pytest.warns(UserWarning, match=says(message)) as warned:
            scores = train_on_synthetic(self.test, one_class, "large", train=self.test)
        assert len(warned) == 1
        assert list(scores.index) == ["synthetic", "real"]
        assert scores.isna().all(axis=None)

    @pytest.mark.parametrize(("classes", "score"), [(["new"], np.nan), (["new", "other"], 0.5)])
    def test_a_test_table_of_unseen_classes_alone(self, classes, score):
        test = self.test.assign(kind=np.resize(classes, len(self.test)))
        with pytest.warns(UserWarning, match="'new'"):
            scores = train_on_synthetic(mixed_table(50, 0), test, "kind")
        np.testing.assert_equal(scores.loc["synthetic", "roc_auc"], score)

    def test_clear_errors(self):
        table = mixed_table(50, 0)
        columns = list(table)
        message = f"target must be a column of test, got 'cost'; it has {columns}."
        with pytest.raises(ValueError, match=says(message)):
            train_on_synthetic(table, table, "cost")
        message = "test has no row with a known 'price'; there is nothing to score on."
        with pytest.raises(ValueError, match=says(message)):
            train_on_synthetic(table, table.assign(price=np.nan), "price")
        message = "test has no column besides the target 'size' to predict it from."
        with pytest.raises(ValueError, match=says(message)):
            train_on_synthetic(table[["size"]], table[["size"]], "size")
        message = "target 'kind' holds categories; use task=\"classification\"."
        with pytest.raises(ValueError, match=says(message)):
            train_on_synthetic(table, table, "kind", task="regression")
        message = 'task must be "auto", "classification" or "regression", got "ranking".'
        with pytest.raises(ValueError, match=says(message.replace('"ranking"', "'ranking'"))):
            train_on_synthetic(table, table, "kind", task="ranking")
        ids = pd.DataFrame({"x": range(101), "id": [f"row {i}" for i in range(101)]})
        message = (
            "synthetic has 101 classes of the target, more than the 100 that can be scored; "
            "choose another target or put rare classes together."
        )
        with pytest.raises(ValueError, match=says(message)):
            train_on_synthetic(ids, ids, "id")
