"""What a learner fresh from random weights learns from a taught table, beside as many real rows.

    python benchmarks/teaching.py [--quick] [--seeds 0 1]

Learners are perceptrons trained by plain gradient descent, 32 rows a step, on numbers as ranks in
[-1, 1] and one-hot words. The real rows are as many as the taught ones, at random; their learning
rate is the best of five on a fifth of the training rows. Taught rows are learnt from at the rate
they were made for. Accuracy is on held-out rows, the mean of five learners. Then twelve
architectures are ranked by 32 steps on taught rows and on real rows, and by training on all.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from common import load_table, write
from scipy.stats import spearmanr
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, QuantileTransformer
from torch import nn

from tabgan import TeachingSynthesizer

STEPS, SIZE, RATES, N_LEARNERS = (1, 8, 32), 32, (0.03, 0.1, 0.3, 1.0, 3.0), 5
ARCHITECTURES = list(itertools.product((8, 32, 128), (1, 2), (nn.LeakyReLU, nn.Tanh)))


def load(name: str, seed: int) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame, pd.Series]:
    """Training rows and labels, and those to test on."""
    if name == "adult":
        train, test, target = load_table("adult", Path())
        return train.drop(columns=target), train[target], test.drop(columns=target), test[target]
    X, y = load_digits(return_X_y=True, as_frame=True)
    X, test, y, labels = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)
    return X, y, test, labels


def preparation() -> Any:
    """Numbers as ranks in [-1, 1], words as one-hot."""
    words = make_pipeline(
        FunctionTransformer(lambda frame: frame.astype(object).where(frame.notna(), "missing")),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    ranks = make_pipeline(
        SimpleImputer(strategy="median"),
        QuantileTransformer(subsample=None),
        FunctionTransformer(lambda u: 2 * u - 1),
    )
    return make_column_transformer(
        (ranks, make_column_selector(dtype_include="number")),
        (words, make_column_selector(dtype_exclude="number")),
    )


def learn(
    rows: tuple[Any, Any],
    test: tuple[Any, Any],
    rate: float,
    seed: int,
    steps: tuple[int, ...] = STEPS,
    architecture: Any = (128, 1, nn.LeakyReLU),
) -> list[float]:
    """Accuracy after so many steps over the rows in their order, again and again."""
    X, y = torch.tensor(rows[0], dtype=torch.float32), torch.tensor(rows[1])
    width, depth, activation = architecture
    n_classes = int(max(y.max(), test[1].max())) + 1
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        widths = [X.shape[1], *[width] * depth]
        hidden = [
            layer
            for pair in itertools.pairwise(widths)
            for layer in (nn.Linear(*pair), activation())
        ]
        learner = nn.Sequential(*hidden, nn.Linear(width, n_classes))
    descent = torch.optim.SGD(learner.parameters(), lr=rate)
    tested = torch.tensor(test[0], dtype=torch.float32)
    accuracies = []
    for step in range(max(steps)):
        place = torch.arange(step * SIZE, (step + 1) * SIZE) % len(X)
        descent.zero_grad()
        nn.functional.cross_entropy(learner(X[place]), y[place]).backward()
        descent.step()
        if step + 1 in steps:
            found = learner(tested).argmax(dim=1).numpy()
            accuracies.append(float((found == test[1]).mean()))
    return accuracies


def mean_accuracy(*args: Any, **kwargs: Any) -> np.ndarray:
    """Mean over learners of other first weights."""
    return np.mean([learn(*args, seed=seed, **kwargs) for seed in range(N_LEARNERS)], axis=0)


def main() -> None:
    """Measure for each table and seed and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="not needed: both tables ship with packages")
    parser.add_argument("--tables", nargs="+", default=["digits", "adult"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=1000, help="training steps, 1000 by default")
    parser.add_argument("--quick", action="store_true", help="one seed, few steps")
    parser.add_argument("--name", default="teaching")
    args = parser.parse_args()
    n_steps = 5 if args.quick else args.steps
    results: list[dict[str, Any]] = []
    for name, seed in itertools.product(args.tables, args.seeds[: 1 if args.quick else None]):
        train, labels, test, test_labels = load(name, seed)
        classes = pd.Index(np.unique(labels))
        prepare = preparation().fit(train)
        started = time.perf_counter()
        model = TeachingSynthesizer(n_steps=n_steps, random_state=seed).fit(train, labels)
        seconds = time.perf_counter() - started
        taught = model.distil(random_state=seed)
        order = np.random.default_rng(seed).permutation(len(train))
        held, order = np.split(order, [len(order) // 5])
        real = order[: len(taught[0])]

        def coded(X: pd.DataFrame, y: Any, prepare: Any = prepare, classes: Any = classes) -> Any:
            return prepare.transform(X), classes.get_indexer(y)

        everything = coded(train.iloc[order], labels.iloc[order])
        judged = coded(train.iloc[held], labels.iloc[held])
        sets = {
            "taught": coded(*taught),
            "real": coded(train.iloc[real], labels.iloc[real]),
        }
        tested = coded(test, test_labels)
        rates = {"taught": model.learner_rate_}
        by_rate = {r: mean_accuracy(sets["real"], judged, r)[-1] for r in RATES}
        rates["real"] = max(by_rate, key=by_rate.__getitem__)
        for way, rows in sets.items():
            accuracies = mean_accuracy(rows, tested, rates[way])
            results.append({"table": name, "seed": seed, "rows": way, "n_rows": len(rows[0])})
            results[-1] |= {
                f"accuracy_after_{k}": a for k, a in zip(STEPS, accuracies, strict=True)
            }
            results[-1] |= {"rate": rates[way], "n_steps": n_steps, "fit_s": round(seconds, 1)}
            print(results[-1], flush=True)
        ranks = {
            way: [
                mean_accuracy(rows, tested, rates[way], steps=(STEPS[-1],), architecture=a)[0]
                for a in ARCHITECTURES
            ]
            for way, rows in sets.items()
        }
        long = 20 if args.quick else 2000
        full = [
            learn(everything, tested, 0.1, 0, steps=(long,), architecture=a)[0]
            for a in ARCHITECTURES
        ]
        for way, scores in ranks.items():
            correlation = float(spearmanr(scores, full).statistic)
            results.append(
                {"table": name, "seed": seed, "rows": way, "rank_correlation": correlation}
            )
            print(results[-1], flush=True)
        write(args.name + ("_quick" if args.quick else ""), results)


if __name__ == "__main__":
    main()
