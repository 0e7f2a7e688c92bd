"""Seconds of augmentation beside those of tuning the learner, on rows of Adult.

    OMP_NUM_THREADS=1 python benchmarks/augmentation_speed.py

For each learner: the seconds of one fit, of a search over ten settings in five folds (what a user
who tunes the learner waits for), of one fit of the default synthesizer, and of
`AugmentedClassifier` at its defaults, that fit included. Medians of three runs. Nothing else may
run on the machine meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import write
from learners import LEARNERS, make_learner
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from tabgan import AugmentedClassifier
from tabgan.datasets import load_adult
from tabgan.pipeline import default_synthesizer

N_ROWS, N_RUNS = 2000, 3

GRIDS: dict[str, dict[str, Any]] = {
    "linear": {"logisticregression__C": np.logspace(-3, 2, 10)},
    "neighbours": {"kneighborsclassifier__n_neighbors": [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]},
    "forest": {
        "randomforestclassifier__min_samples_leaf": [1, 2, 4, 8, 16],
        "randomforestclassifier__max_features": ["sqrt", 0.5],
    },
    "hist boosting": {"max_leaf_nodes": [4, 8, 16, 31, 63], "learning_rate": [0.05, 0.1]},
    "XGBoost": {"patience": [5, 10, 15, 20, 25, 30, 40, 50, 70, 100]},
    "MLP": {"mlpclassifier__alpha": np.logspace(-5, 1, 10)},
}


def seconds(work: Callable[[], Any]) -> float:
    """Time a piece of work once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure, print and write the seconds."""
    train, _ = load_adult()
    rows = train.sample(N_ROWS, random_state=0).reset_index(drop=True)
    X, y = rows.drop(columns="income"), (rows["income"] == ">50K").to_numpy().astype(int)
    results = []
    for name in LEARNERS:
        learner = make_learner(name, False, 0)
        works = {
            "fit_s": lambda learner=learner: clone(learner).fit(X, y),
            "search_s": lambda learner=learner, name=name: GridSearchCV(
                learner, GRIDS[name], cv=5
            ).fit(X, y),
            "synthesizer_s": lambda: default_synthesizer(0).fit(rows),
            "augmented_s": lambda learner=learner: AugmentedClassifier(learner, random_state=0).fit(
                X, y
            ),
        }
        runs = {key: [seconds(work) for _ in range(N_RUNS)] for key, work in works.items()}
        entry = {"learner": name, "n_rows": N_ROWS}
        entry |= {key: round(float(np.median(values)), 2) for key, values in runs.items()}
        entry["spread_s"] = round(float(np.ptp(runs["augmented_s"])), 2)
        entry["beyond_synthesizer_over_search"] = round(
            (entry["augmented_s"] - entry["synthesizer_s"]) / entry["search_s"], 2
        )
        print(entry, flush=True)
        results.append(entry)
    write("augmentation_speed", results)


if __name__ == "__main__":
    main()
