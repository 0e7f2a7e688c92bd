"""How like a real table made rows are, how useful, and how private: the published protocol."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from common import RealTable
from rivals import Entry


def fidelity(
    rows: pd.DataFrame, table: RealTable, learnt_from: pd.DataFrame | None = None
) -> Entry:
    """Judge how like the real table, and how useful, made rows are.

    The learner of MLE is trained on `learnt_from` if given.
    """
    from tabgan.evaluation import beta_recall, c2st, column_shapes

    as_categories = {"categorical_features": table.categorical}
    figures = {
        "c2st_xgb": c2st(table.train, rows, classifier="xgboost", **as_categories),
        "c2st_xgb_test": c2st(table.test, rows, classifier="xgboost", **as_categories),
        "shape": float(column_shapes(table.train, rows, **as_categories).mean()),
        "beta_recall": beta_recall(table.train, rows, **as_categories),
        **trend_and_mle(rows if learnt_from is None else learnt_from, rows, table),
    }
    with warnings.catch_warnings():
        # A judge that stops early is the same for everyone.
        warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
        for name, judge in _other_judges(min(len(rows), len(table.train))).items():
            figures[name] = c2st(table.train, rows, classifier=judge, **as_categories)
    return figures


def trend_and_mle(learnt_from: pd.DataFrame, rows: pd.DataFrame, table: RealTable) -> Entry:
    """Compare pairs of columns, and train a learner to score it on the test rows."""
    from tabgan.evaluation import mean_pair_trend, pair_trends, strong_pairs, train_on_synthetic

    as_categories = {"categorical_features": table.categorical}
    trends = pair_trends(table.train, rows, **as_categories)
    everywhere = mean_pair_trend(trends)
    among_strong = mean_pair_trend(trends, strong_pairs(table.train, **as_categories))
    target = table.train[table.target]
    in_logs = target.dtype.kind in "iuf" and target.min() >= 0 and target.median() > 10
    scores = train_on_synthetic(
        learnt_from,
        table.test,
        table.target,
        estimator="xgboost",
        target_transform=(lambda y: np.log(y.clip(1))) if in_logs else None,
        **as_categories,
    ).loc["synthetic"]
    measure = "roc_auc" if "roc_auc" in scores else "rmse"
    return {
        "trend": everywhere if np.isnan(among_strong) else among_strong,
        "trend_all": everywhere,
        "mle": float(scores[measure]),
        "mle_measure": "log_rmse" if measure == "rmse" and in_logs else measure,
    }


def _other_judges(n_rows: int) -> dict[str, Any]:
    """Classifiers of other families than boosted trees."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    epochs = int(np.clip(800_000 / n_rows, 20, 400))
    network = MLPClassifier((64,), max_iter=epochs, random_state=0)
    return {
        "c2st_trees": ExtraTreesClassifier(
            n_estimators=100, min_samples_leaf=5, n_jobs=1, random_state=0
        ),
        "c2st_mlp": make_pipeline(StandardScaler(), network),
    }


def privacy(rows: pd.DataFrame, table: RealTable) -> Entry:
    """Judge whether made rows are copies of train rows, or tell who was among them."""
    from tabgan.evaluation import distance_to_closest_record, membership_inference

    tables = (table.train, rows, table.test)
    closest = distance_to_closest_record(*tables, categorical_features=table.categorical)
    attack = membership_inference(*tables, categorical_features=table.categorical)
    return {
        "dcr": closest.dcr,
        "nearer_to_train": closest.share_nearer_to_train,
        "near_duplicates": closest.near_duplicate_rate,
        "near_duplicates_of_test_rows": closest.holdout_near_duplicate_rate,
        "duplicates": closest.duplicate_rate,
        "duplicates_of_test_rows": closest.holdout_duplicate_rate,
        "membership_distance": attack.distance_auc,
        "membership_density": attack.density_auc,
    }
