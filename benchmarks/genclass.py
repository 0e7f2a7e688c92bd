"""GenClass on classes that are known by their attributes alone: digits, and a made table.

    python benchmarks/genclass.py [--quick] [--tables digits made] [--seeds 0 1 2]

Each of ten digits is described by the lit segments of a seven-segment display, loops, and open or
diagonal strokes; three digits are out of training. The made table has 20 classes of 60 rows, each
described by eight numbers, and rows of 12 numbers and a word that depend on these by a curved map
and on noise; five classes are out of training. A third of the rows of the other classes is held out
too. Accuracy is told on held-out rows of classes seen, on all rows of the unseen, both with all
classes to choose from, and as their harmonic mean; and on the unseen when only they can be chosen.
Beside it: the system as in the paper, from random weights and without a penalty on seen classes;
and the mean row of each class regressed on its attributes, and the nearest such mean.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import write
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split

from tabgan import GenClassClassifier

SEGMENTS = ["1110111", "0010010", "1011101", "1011011", "0111010"]
SEGMENTS += ["1101011", "1101111", "1010010", "1111111", "1111011"]
LOOPS = [1, 0, 0, 0, 0, 0, 1, 0, 2, 1]
DIAGONALS = [0, 0, 1, 0, 1, 0, 0, 1, 0, 0]
OPEN_LEFT = [0, 0, 1, 2, 0, 1, 0, 1, 0, 1]
OPEN_RIGHT = [0, 0, 1, 0, 1, 1, 1, 0, 0, 0]


def attributes() -> pd.DataFrame:
    """Describe the ten digits."""
    segments = pd.DataFrame([[int(lit) for lit in lights] for lights in SEGMENTS])
    strokes = np.array([LOOPS, DIAGONALS, OPEN_LEFT, OPEN_RIGHT]).T
    return pd.concat([segments, pd.DataFrame(strokes)], axis=1, ignore_index=True)


def load(name: str, seed: int) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, int]:
    """Rows, their classes, the attributes of the classes, and how many classes are unseen."""
    if name == "digits":
        X, y = load_digits(return_X_y=True, as_frame=True)
        return X, y.to_numpy(), attributes(), 3
    rng = np.random.default_rng([seed, 7])
    described = rng.normal(size=(20, 8))
    y = np.repeat(np.arange(20), 60)
    hidden = np.tanh(described @ rng.normal(size=(8, 16)) / np.sqrt(8))[y]
    hidden = hidden + 0.3 * rng.normal(size=hidden.shape)
    X = hidden @ rng.normal(size=(16, 12)) / 4 + 0.2 * rng.normal(size=(len(y), 12))
    table = pd.DataFrame(X, columns=[f"x{i}" for i in range(12)])
    table["word"] = np.array(["a", "b", "c"])[(hidden @ rng.normal(size=(16, 3))).argmax(axis=1)]
    return table, y, pd.DataFrame(described), 5


def judge(
    scores: np.ndarray, y: np.ndarray, unseen: np.ndarray, is_test: np.ndarray
) -> dict[str, float]:
    """Accuracies from scores of all classes, the higher the likelier."""
    new = np.isin(y, unseen)
    right = scores.argmax(axis=1) == y
    seen_accuracy, unseen_accuracy = right[is_test & ~new].mean(), right[new].mean()
    total = seen_accuracy + unseen_accuracy
    among = unseen[scores[new][:, unseen].argmax(axis=1)]
    return {
        "seen": float(seen_accuracy),
        "unseen": float(unseen_accuracy),
        "harmonic_mean": float(2 * seen_accuracy * unseen_accuracy / total) if total else 0.0,
        "unseen_among_unseen": float((among == y[new]).mean()),
    }


def regressed_means(X: np.ndarray, y: np.ndarray, description: np.ndarray) -> np.ndarray:
    """Regress mean rows on attributes; the strength of the ridge is cross-validated."""
    seen = np.unique(y)
    means = np.stack([X[y == number].mean(axis=0) for number in seen])
    return RidgeCV(np.logspace(-3, 3, 13)).fit(description[seen], means).predict(description)


MODELS: dict[str, dict[str, Any]] = {
    "GenClassClassifier": {},
    "as in the paper": {"linear_start": False, "seen_penalty": 0.0},
}


def main() -> None:
    """Measure for each table and split and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="not needed: digits ship with scikit-learn")
    parser.add_argument("--tables", nargs="+", default=["digits", "made"])
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, help="training steps, the plan's by default")
    parser.add_argument("--quick", action="store_true", help="one split, few steps")
    parser.add_argument("--name", default="genclass")
    args = parser.parse_args()
    n_steps = 20 if args.quick else args.steps or GenClassClassifier.plan.n_steps
    results: list[dict[str, Any]] = []
    for name, seed in itertools.product(args.tables, args.seeds[: 1 if args.quick else None]):
        X, y, described, n_unseen = load(name, seed)
        rng = np.random.default_rng(seed)
        unseen = np.sort(rng.permutation(len(described))[:n_unseen])
        train, test = train_test_split(
            np.arange(len(y)), test_size=1 / 3, random_state=seed, stratify=y
        )
        is_test = np.isin(np.arange(len(y)), test)
        train = train[~np.isin(y[train], unseen)]
        entry = {"table": name, "seed": seed, "unseen_classes": unseen.tolist()}
        for model in args.models:
            started = time.perf_counter()
            fitted = GenClassClassifier(n_steps=n_steps, random_state=seed, **MODELS[model])
            fitted.fit(X.iloc[train], y[train], described)
            cost = {"n_steps": n_steps, "fit_s": round(time.perf_counter() - started, 1)}
            scores = np.log(fitted.predict_proba(X) + 1e-300)
            figures = judge(scores, y, unseen, is_test)
            results.append({**entry, "model": model, **cost, **figures})
            print(results[-1], flush=True)
        numbers = pd.get_dummies(X).to_numpy(dtype=float)
        standard = ((described - described.mean()) / described.std()).to_numpy()
        means = regressed_means(numbers[train], y[train], standard)
        distance = ((numbers[:, None] - means) ** 2).sum(axis=2)
        figures = judge(-distance, y, unseen, is_test)
        results.append({**entry, "model": "nearest regressed mean", **figures})
        print(results[-1], flush=True)
        write(args.name + ("_quick" if args.quick else ""), results)
    print(pd.DataFrame(results).groupby(["table", "model"])[list(figures)].mean().round(3))


if __name__ == "__main__":
    main()
