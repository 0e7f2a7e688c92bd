"""Systems with an encoder: round trips, latent features, and clusters and classes.

    python benchmarks/autoencoders.py --data DIR [--parts round_trip digits] [--seeds 0]

DIR holds shoppers.csv.gz (UCI Machine Learning Repository).

- round_trip: BiGAN, AAE, ARAE on Shoppers, at their defaults: held-out rows encoded and decoded.
  Reported are the share of categorical cells that come back, and the mean absolute difference of
  ranks of numbers, beside rows drawn from the marginals. And InfoGAN too: the area under the ROC
  curve of logistic regression on the columns, on the features as they come, and on both in a
  FeatureUnion.
- digits: accuracy of ten and twenty clusters of the clustering AAE (each cluster named by its most
  frequent digit, and for ten after one-to-one matching), and of the semi-supervised AAE with 100
  labels beside logistic regression on those; 1,000 steps, batches of 256.

Seconds are of one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import CODES_ALONE, load_table, write
from digits import matched_accuracy
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tabgan import (
    AAEClusterer,
    AAESynthesizer,
    ARAESynthesizer,
    BiGANSynthesizer,
    InfoGANFeaturizer,
)

Figures = dict[str, Any]


def round_trip(seed: int, args: argparse.Namespace) -> list[Figures]:
    """Encode and decode held-out rows of Shoppers, and learn from their features."""
    train, test, target = load_table("shoppers", args.data)
    y, y_test = train.pop(target), test.pop(target)
    rng = np.random.default_rng(seed)
    drawn = train.apply(lambda column: rng.choice(column.to_numpy(), len(test)))
    results = [
        {
            "model": "columns alone",
            **errors(test, drawn, train),
            "auc": auc(columns(), train, y, test, y_test),
        }
    ]
    for cls in (AAESynthesizer, ARAESynthesizer, BiGANSynthesizer, InfoGANFeaturizer):
        started = time.process_time()
        model = cls(random_state=seed, **args.steps).fit(train)
        figures = {"model": cls.__name__, "fit_cpu_s": round(time.process_time() - started, 1)}
        if hasattr(model, "inverse_transform"):
            back = model.inverse_transform(model.transform(test))
            figures |= errors(test, back, train)
        features = FrozenEstimator(model)
        figures["auc_features_alone"] = auc(features, train, y, test, y_test)
        both = FeatureUnion([("columns", columns()), ("features", features)])
        figures["auc"] = auc(both, train, y, test, y_test)
        results.append(figures)
        print(figures, flush=True)
    return results


def errors(rows: pd.DataFrame, back: pd.DataFrame, train: pd.DataFrame) -> dict[str, float]:
    """Share of categorical cells that are right, and mean absolute rank error of numbers."""
    numbers = [name for name in rows if rows[name].dtype.kind in "iuf"]
    names = [name for name in rows if name not in numbers]
    right = [(rows[name].astype(str) == back[name].astype(str)).mean() for name in names]
    off = [
        np.abs(ranks(rows[name], train[name]) - ranks(back[name], train[name])).mean()
        for name in numbers
    ]
    return {"cells_right": float(np.mean(right)), "rank_error": float(np.mean(off))}


def ranks(values: pd.Series, among: pd.Series) -> np.ndarray:
    """Ranks in [0, 1] among training values, ties in their middle."""
    ordered = np.sort(among.to_numpy())
    sides = [np.searchsorted(ordered, values.to_numpy(), side=side) for side in ("left", "right")]
    return (sides[0] + sides[1]) / (2 * len(ordered))


def columns() -> Any:
    """One-hot categories and scaled numbers."""
    names = make_column_selector(dtype_exclude="number")
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer((one_hot, names), remainder=StandardScaler())


def auc(transformer: Any, X: pd.DataFrame, y: pd.Series, X_test: Any, y_test: Any) -> float:
    """Score logistic regression on transformed rows by its area under the ROC curve."""
    learner = make_pipeline(transformer, LogisticRegression(max_iter=2000)).fit(X, y)
    return float(roc_auc_score(y_test, learner.predict_proba(X_test)[:, 1]))


def digits(seed: int, args: argparse.Namespace) -> list[Figures]:
    """Clusters without labels, and classes from a hundred."""
    X, y = load_digits(return_X_y=True)
    settings = {"n_steps": 1000, **args.steps, "batch_size": 256, "random_state": seed}
    results = []
    for n_clusters in (10, 20):
        started = time.process_time()
        found = AAEClusterer(n_clusters=n_clusters, **settings).fit(X).predict(X)
        figures = {
            "model": f"AAE, {n_clusters} clusters",
            "fit_cpu_s": round(time.process_time() - started, 1),
            "accuracy": sum(np.bincount(y[found == k]).max() for k in set(found)) / len(y),
        }
        if n_clusters == 10:
            figures["matched_accuracy"] = matched_accuracy(found, y)
        results.append(figures)
        print(figures, flush=True)
    known = np.random.default_rng(seed).permutation(len(y)) < 100
    started = time.process_time()
    aae = AAESynthesizer(**settings, **CODES_ALONE).fit(X, np.where(known, y, np.nan))
    results.append(
        {
            "model": "AAE, 100 labels",
            "fit_cpu_s": round(time.process_time() - started, 1),
            "accuracy": accuracy_score(y[~known], aae.predict(X[~known])),
            "logistic_regression": make_pipeline(StandardScaler(), LogisticRegression())
            .fit(X[known], y[known])
            .score(X[~known], y[~known]),
        }
    )
    print(results[-1], flush=True)
    return results


PARTS = {"round_trip": round_trip, "digits": digits}


def main() -> None:
    """Run the parts asked for; each has a JSON of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--quick", action="store_true", help="20 steps, no JSON")
    args = parser.parse_args()
    args.steps = {"n_steps": 20} if args.quick else {}
    for part in args.parts:
        results = [{"seed": seed, **row} for seed in args.seeds for row in PARTS[part](seed, args)]
        if not args.quick:
            write(f"autoencoders_{part}", results)


if __name__ == "__main__":
    main()
