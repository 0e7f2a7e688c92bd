"""Digits: InfoGAN's code against the true digit, the AAE's plane, the conditional GAN's obedience.

    python benchmarks/digits.py [--seeds 0 1 2 3 4] [--parts infogan agreement aae cgan]

All models see the 1,797 images of scikit-learn's `load_digits` as 64 numbers.

- infogan: joint decoder, 700 steps, batches of 128, classes found from 10 starts: accuracy of the
  ten-way code after the best one-to-one matching.
- agreement: the same, with classes that Q finds during the game (``n_init=0``, the default).
- aae: a code of two dimensions, 1,000 steps, batches of 256: accuracy of 15 nearest neighbours.
- cgan: joint generator, 1,000 steps, batches of 256, ten pairs of classifiers: share of 2,000
  images, asked for by digit, that a support vector machine reads as asked.

Seconds are of the processor, one thread.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from common import CODES_ALONE, keep_result
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from tabgan import AAESynthesizer, CGANSynthesizer, InfoGANFeaturizer

Figures = dict[str, Any]


def matched_accuracy(codes: np.ndarray, truth: np.ndarray) -> float:
    """Accuracy after the best one-to-one matching of codes and digits."""
    counts = np.zeros((10, 10))
    np.add.at(counts, (codes, truth), 1)
    return float(counts[linear_sum_assignment(-counts)].sum() / len(truth))


def infogan(seed: int, args: argparse.Namespace) -> Figures:
    """Match the ten-way code whose classes are found from several starts."""
    return code(seed, args, n_init=1 if args.quick else 10)


def agreement(seed: int, args: argparse.Namespace) -> Figures:
    """Match the ten-way code whose classes Q finds during the game."""
    return code(seed, args, n_init=0)


def code(seed: int, args: argparse.Namespace, n_init: int) -> Figures:
    """Match the ten-way code to the true digits."""
    X, y = load_digits(return_X_y=True)
    steps = {"n_steps": 700, **args.steps}
    model = InfoGANFeaturizer(
        n_init=n_init, batch_size=128, random_state=seed, **steps, **CODES_ALONE
    ).fit(X)
    return {"matched_accuracy": matched_accuracy(model.predict(X), y)}


def aae(seed: int, args: argparse.Namespace) -> Figures:
    """Tell digits apart by a code of two dimensions."""
    X, y = load_digits(return_X_y=True)
    steps = {"n_steps": 1000, **args.steps}
    model = AAESynthesizer(latent_dim=2, batch_size=256, random_state=seed, **steps, **CODES_ALONE)
    plane = model.fit_transform(X)
    neighbours = KNeighborsClassifier(15)
    return {"plane_knn_accuracy": float(cross_val_score(neighbours, plane, y, cv=5).mean())}


def cgan(seed: int, args: argparse.Namespace) -> Figures:
    """Read the digits that were asked for."""
    X, y = load_digits(return_X_y=True)
    settings: dict[str, Any] = {
        "generator": "joint",
        "early_stopping": False,
        "n_steps": 1000,
        "n_critic": 2,
        "batch_size": 256,
        "acceptance_rounds": 6,
        "n_twins": 1 if args.quick else 10,
        **args.steps,
    }
    model = CGANSynthesizer(random_state=seed, **settings).fit(X, y)
    asked = np.arange(2000) % 10
    started = time.process_time()
    made = model.sample(conditions=asked, random_state=seed)
    rate = len(asked) / (time.process_time() - started)
    judge = SVC(gamma=0.001).fit(X, y)
    return {
        "made_as_asked": float((judge.predict(made) == asked).mean()),
        "rows_per_cpu_s": round(rate),
    }


PARTS = {"infogan": infogan, "agreement": agreement, "aae": aae, "cgan": cgan}


def main() -> None:
    """Measure the parts asked for with each seed, and keep the figures in the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="20 steps, no JSON")
    args = parser.parse_args()
    args.steps = {"n_steps": 20} if args.quick else {}
    for seed in args.seeds:
        for part in args.parts:
            started = time.process_time()
            figures = PARTS[part](seed, args)
            seconds = round(time.process_time() - started, 1)
            entry = {"seed": seed, "part": part, **figures, "cpu_s": seconds}
            print(entry, flush=True)
            if not args.quick:
                keep_result("digits", entry, ["seed", "part"])


if __name__ == "__main__":
    main()
