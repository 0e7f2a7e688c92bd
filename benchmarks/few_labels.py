"""Semi-supervised: the adversarial autoencoder with 100 labels, beside logistic regression.

    python benchmarks/few_labels.py --data DIR [--tables digits] [--seeds 0 1 2] [--steps 1000]

DIR holds the archives that `real_tables.py` names; digits come with scikit-learn. A hundred rows of
at most 6,000 have labels. The autoencoder learns from all rows, at its defaults but for the number
of steps and batches of 256. Logistic regression learns from the labelled rows: one-hot categories,
standardised numbers, its other settings at their defaults. Reported is the share of the other rows
whose label is predicted. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import real_tables
from common import CODES_ALONE, keep_result
from features import columns
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tabgan import AAESynthesizer

TABLES = ("digits", "texture", "phoneme", "spambase")
"""Digits, and three tables that are looked at while methods are designed."""

N_LABELS = 100
MOST_ROWS = 6000


def load(name: str, data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Read a table, at most `MOST_ROWS` of its rows in random order."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return pd.DataFrame(X).add_prefix("x"), y
    X, y = real_tables.load(name, data)
    chosen = np.random.default_rng(12345).permutation(len(y))[:MOST_ROWS]
    return X.iloc[chosen].reset_index(drop=True), y[chosen]


def main() -> None:
    """Measure both on each table with each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--smoke", action="store_true", help="20 steps on digits, no JSON")
    args = parser.parse_args()
    if args.smoke:
        args.tables, args.seeds, args.steps = ["digits"], [0], 20
    for seed in args.seeds:
        for name in args.tables:
            X, y = load(name, args.data)
            known = np.random.default_rng(seed).permutation(len(y)) < N_LABELS
            started = time.process_time()
            aae = AAESynthesizer(
                n_steps=args.steps,
                batch_size=256,
                random_state=seed,
                **CODES_ALONE,
            )
            aae.fit(X, np.where(known, y, np.nan))
            seconds = time.process_time() - started
            regression = make_pipeline(columns(), LogisticRegression(max_iter=1000))
            regression.fit(X[known], y[known])
            entry = {
                "table": name,
                "seed": seed,
                "n_steps": args.steps,
                "fit_cpu_s": round(seconds, 1),
                "accuracy": round(float((aae.predict(X[~known]) == y[~known]).mean()), 4),
                "logistic_regression": round(regression.score(X[~known], y[~known]), 4),
            }
            print(entry, flush=True)
            if not args.smoke:
                keep_result("few_labels", entry, ["table", "seed"])


if __name__ == "__main__":
    main()
