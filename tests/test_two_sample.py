"""The two-sample test that the evaluation and the judge of synthetic rows share."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from tabgan.generation.two_sample import two_sample_score


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    return rng.normal(size=(90, 3)), rng.normal(0.4, 1, size=(90, 3))


def test_score_by_hand(tables):
    rows, is_real = np.concatenate(tables), np.repeat([1, 0], 90)
    gaps = []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=5).split(rows, is_real):
        model = LogisticRegression().fit(rows[train], is_real[train])
        auc = roc_auc_score(is_real[test], model.decision_function(rows[test]))
        gaps.append(2 * max(0.5, auc) - 1)
    for method in ("predict_proba", "decision_function"):
        score = two_sample_score(*tables, LogisticRegression, 3, 5, method=method)
        assert score == 1 - np.mean(gaps)


def test_rows_told_apart_at_once_and_rows_that_nothing_tells_apart(tables):
    real, _ = tables
    assert two_sample_score(real, real + 99, DecisionTreeClassifier, 3, 0) == 0.0
    constant = np.ones((90, 3))
    assert two_sample_score(constant, constant, DecisionTreeClassifier, 3, 0) == 1.0


def test_each_fold_has_a_new_classifier_and_there_are_no_more_folds_than_rows(tables):
    built = []

    def build():
        built.append(LogisticRegression())
        return built[-1]

    two_sample_score(tables[0][:4], tables[1][:4], build, 9, 0)
    assert len(built) == 4
