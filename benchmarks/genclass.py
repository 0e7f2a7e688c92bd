"""GenClass on digits described by attributes, some of them never seen in training.

    python benchmarks/genclass.py [--quick] [--seeds 0 1 2 3 4]

Each digit is described by how it is drawn: the segments of a seven-segment display, loops, and
open or diagonal strokes. Each split takes three digits out of training; a third of the images of
the others is held out too. Accuracy is told on held-out images of digits seen, on all images of
the unseen, both with all ten digits to choose from, and as their harmonic mean; and on the unseen
when only they can be chosen. Beside it: the mean image of each digit regressed on its attributes,
and the nearest such mean.
"""

from __future__ import annotations

import argparse
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


def judge(
    scores: np.ndarray, y: np.ndarray, unseen: np.ndarray, is_test: np.ndarray
) -> dict[str, float]:
    """Accuracies from scores of all ten digits, the higher the likelier."""
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
    """Regress mean images on attributes; the strength of the ridge is cross-validated."""
    seen = np.unique(y)
    means = np.stack([X[y == digit].mean(axis=0) for digit in seen])
    return RidgeCV(np.logspace(-3, 3, 13)).fit(description[seen], means).predict(description)


def main() -> None:
    """Measure for each split and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="not needed: digits ship with scikit-learn")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=1000, help="training steps, 1000 by default")
    parser.add_argument("--quick", action="store_true", help="one split, few steps")
    parser.add_argument("--name", default="genclass")
    args = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    described = attributes()
    standard = ((described - described.mean()) / described.std()).to_numpy()
    n_steps = 20 if args.quick else args.steps
    results: list[dict[str, Any]] = []
    for seed in args.seeds[: 1 if args.quick else None]:
        rng = np.random.default_rng(seed)
        unseen = np.sort(rng.permutation(10)[:3])
        train, test = train_test_split(
            np.arange(len(y)), test_size=1 / 3, random_state=seed, stratify=y
        )
        is_test = np.isin(np.arange(len(y)), test)
        train = train[~np.isin(y[train], unseen)]
        started = time.perf_counter()
        model = GenClassClassifier(n_steps=n_steps, random_state=seed)
        model.fit(X[train], y[train], described)
        seconds = time.perf_counter() - started
        means = regressed_means(X[train], y[train], standard)
        distance = ((X[:, None] - means) ** 2).sum(axis=2)
        for name, scores in (
            ("GenClassClassifier", np.log(model.predict_proba(X) + 1e-300)),
            ("nearest regressed mean", -distance),
        ):
            figures = judge(scores, y, unseen, is_test)
            results.append({"seed": seed, "unseen_digits": unseen.tolist(), "model": name})
            if name == "GenClassClassifier":
                results[-1] |= {"n_steps": n_steps, "fit_s": round(seconds, 1)}
            results[-1] |= figures
            print(results[-1], flush=True)
        write(args.name + ("_quick" if args.quick else ""), results)
    print(pd.DataFrame(results).groupby("model")[list(figures)].mean().round(3))


if __name__ == "__main__":
    main()
