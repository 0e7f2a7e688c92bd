"""DAGAN for classes absent from its training, of which k = 1, 5 or 20 real rows are known.

    python benchmarks/dagan.py --data DIR [--quick] [--seeds 0 1]

DIR holds shoppers.csv.gz (UCI Machine Learning Repository). Classes are the ten digits, of which
three at random are kept from the augmenter; the eight commonest traffic types of Shoppers, of
which two are; and 24 made classes of 60 rows, of which six are. Rows of a made class lie around a
place of its own, and all classes spread along the same four directions. A classifier of the kept
classes learns from k rows each, alone or beside 100 made rows of each class: by DAGAN, by repeating
rows, by SMOTE (imbalanced-learn; needs two rows), or by jitter (normal noise of 0.3 standard
deviations on numbers). Accuracy is told on all other rows of those classes, the mean of three draws
of k rows, for logistic regression and random forest on standardised numbers and one-hot words. The
gain is the difference to the real rows alone of the same draw, with the standard error over splits.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import load_table, write
from imblearn.over_sampling import SMOTE
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tabgan import DAGANAugmenter

N_MADE, N_DRAWS = 100, 3


def load(name: str, data: Path) -> tuple[pd.DataFrame, pd.Series, int]:
    """Rows, their classes, and how many classes to keep from the augmenter."""
    if name == "digits":
        X, y = load_digits(return_X_y=True, as_frame=True)
        return X, y, 3
    if name == "made":
        rng = np.random.default_rng(0)
        y = pd.Series(np.repeat(np.arange(24), 60))
        places = 0.6 * rng.normal(size=(24, 6)) @ rng.normal(size=(6, 12))
        spread = rng.normal(size=(len(y), 4)) @ rng.normal(size=(4, 12))
        X = places[y] + spread + 0.3 * rng.normal(size=(len(y), 12))
        return pd.DataFrame(X, columns=[f"x{i}" for i in range(12)]), y, 6
    table = pd.concat(load_table("shoppers", data)[:2], ignore_index=True)
    kept = table["TrafficType"].isin(table["TrafficType"].value_counts().index[:8])
    table = table[kept].reset_index(drop=True)
    return table.drop(columns="TrafficType"), table["TrafficType"], 2


def jitter(X: pd.DataFrame, spread: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    """Add noise to numbers."""
    noise = rng.normal(size=(len(X), len(spread))) * spread.to_numpy() * 0.3
    return X.assign(**(X[spread.index] + noise).to_dict("series"))


def smote(X: pd.DataFrame, y: pd.Series, prepare: Any, seed: int) -> tuple[Any, Any]:
    """Oversample prepared rows."""
    k = int(y.value_counts().min())
    wanted = dict.fromkeys(y.unique(), k + N_MADE)
    sampler = SMOTE(sampling_strategy=wanted, k_neighbors=min(5, k - 1), random_state=seed)
    return sampler.fit_resample(prepare.transform(X), y)


def summary(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean accuracies and gains, and the standard error of gains over splits."""
    keys = ["table", "n_steps", "k", "rows", "classifier"]
    means = frame.groupby(keys, sort=False)["accuracy"].agg(["mean", "std", "count"])
    splits = frame.groupby([*keys, "seed"], sort=False)["gain"].mean().groupby(keys, sort=False)
    means["gain"], means["gain_error"] = splits.mean(), splits.sem()
    of_dagan = frame[frame["rows"] == "DAGANAugmenter"].groupby(keys, sort=False)
    means["strengths"] = of_dagan["strength"].agg(lambda s: ", ".join(f"{v:g}" for v in s[::3]))
    return means.round(4).reset_index().replace({np.nan: None}).to_dict("records")


def main() -> None:
    """Measure for each table and seed and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=["digits", "made", "shoppers"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--steps", type=int, default=200, help="training steps, 200 by default")
    parser.add_argument("--quick", action="store_true", help="one seed, few steps")
    parser.add_argument("--name", default="dagan")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    n_steps = 20 if args.quick else args.steps
    results: list[dict[str, Any]] = []
    for table in args.tables:
        X, y, n_kept = load(table, args.data)
        for seed in args.seeds[: 1 if args.quick else None]:
            rng = np.random.default_rng(seed)
            kept = rng.permutation(np.unique(y))[:n_kept]
            is_kept = y.isin(kept).to_numpy()
            started = time.perf_counter()
            model = DAGANAugmenter(n_steps=n_steps, random_state=seed)
            model.fit(X[~is_kept], y[~is_kept])
            seconds = time.perf_counter() - started
            prepare = make_column_transformer(
                (StandardScaler(), make_column_selector(dtype_include="number")),
                (
                    OneHotEncoder(handle_unknown="ignore"),
                    make_column_selector(dtype_exclude="number"),
                ),
                sparse_threshold=0,
            ).fit(X[~is_kept])
            spread = X[~is_kept].select_dtypes("number").std()
            spread = spread[spread > 0]
            for k in (1, 5, 20):
                for draw in range(N_DRAWS):
                    few = np.concatenate(
                        [rng.permutation(np.flatnonzero(y == c))[:k] for c in kept]
                    )
                    test = np.setdiff1d(np.flatnonzero(is_kept), few)
                    rows, labels = X.iloc[few], y.iloc[few]
                    turn = np.arange(N_MADE * n_kept) % len(few)
                    more = rows.iloc[turn], labels.iloc[turn]
                    made = model.augment(rows, n_samples=len(turn), random_state=draw)
                    ways = {
                        "real rows alone": (rows, labels),
                        "repeated": (pd.concat([rows, more[0]]), pd.concat([labels, more[1]])),
                        "jitter": (
                            pd.concat([rows, jitter(more[0], spread, rng)]),
                            pd.concat([labels, more[1]]),
                        ),
                        "DAGANAugmenter": (pd.concat([rows, made]), pd.concat([labels, more[1]])),
                    }
                    sets = {way: (prepare.transform(A), b) for way, (A, b) in ways.items()}
                    if k > 1:
                        sets["SMOTE"] = smote(rows, labels, prepare, draw)
                    alone: dict[str, float] = {}
                    for way, (A, b) in sets.items():
                        for judge in (
                            LogisticRegression(max_iter=1000),
                            RandomForestClassifier(random_state=draw),
                        ):
                            judge.fit(A, b)
                            accuracy = judge.score(prepare.transform(X.iloc[test]), y.iloc[test])
                            before = alone.setdefault(type(judge).__name__, accuracy)
                            results.append(
                                {
                                    "table": table,
                                    "seed": seed,
                                    "n_steps": n_steps,
                                    "fit_s": round(seconds, 1),
                                    "k": k,
                                    "rows": way,
                                    "classifier": type(judge).__name__,
                                    "accuracy": float(accuracy),
                                    "gain": float(accuracy - before),
                                    "strength": model.chosen_strength(k),
                                }
                            )
            frame = pd.DataFrame(results)
            shown = frame.pivot_table("accuracy", ["table", "classifier", "rows"], "k").round(3)
            print(shown.to_string(), flush=True)
            write(args.name + ("_quick" if args.quick else ""), summary(frame))


if __name__ == "__main__":
    main()
