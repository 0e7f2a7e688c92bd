"""Digits: InfoGAN's code against the true digit, the AAE's plane, the conditional GAN's obedience.

    python benchmarks/digits.py [--seeds 0 1 2]

All models see the 1,797 images of scikit-learn's `load_digits` as 64 numbers.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from common import CODES_ALONE, write
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from tabgan import AAESynthesizer, CGANSynthesizer, InfoGANFeaturizer


def matched_accuracy(codes: np.ndarray, truth: np.ndarray) -> float:
    """Accuracy after the best one-to-one matching of codes and digits."""
    counts = np.zeros((10, 10))
    np.add.at(counts, (codes, truth), 1)
    return float(counts[linear_sum_assignment(-counts)].sum() / len(truth))


def main() -> None:
    """Measure the three models for each seed and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    digits = load_digits()
    X, y = digits.data, digits.target
    judge = SVC(gamma=0.001).fit(X, y)
    results: list[dict[str, Any]] = []
    for seed in args.seeds:
        started = time.perf_counter()
        infogan = InfoGANFeaturizer(
            n_steps=3000, batch_size=128, random_state=seed, **CODES_ALONE
        ).fit(X)
        infogan_s = time.perf_counter() - started
        aae = AAESynthesizer(
            latent_dim=2, n_steps=1000, batch_size=256, random_state=seed, **CODES_ALONE
        )
        plane = aae.fit_transform(X)
        joint: dict[str, Any] = {"generator": "joint", "early_stopping": False}
        cgan = CGANSynthesizer(
            n_steps=1000,
            n_critic=2,
            batch_size=256,
            acceptance_rounds=6,
            random_state=seed,
            **joint,
        ).fit(X, y)
        asked = np.arange(2000) % 10
        made = cgan.sample(conditions=asked, random_state=seed)
        results.append(
            {
                "seed": seed,
                "infogan_matched_accuracy": matched_accuracy(infogan.predict(X), y),
                "infogan_fit_s": round(infogan_s, 1),
                "aae_plane_knn_accuracy": float(
                    cross_val_score(KNeighborsClassifier(15), plane, y, cv=5).mean()
                ),
                "cgan_made_as_asked": float((judge.predict(made) == asked).mean()),
            }
        )
        print(results[-1], flush=True)
        write("digits", results)


if __name__ == "__main__":
    main()
