"""Does the Cramér GAN make categorical columns? Beside WGAN-GP, at equal steps.

    python benchmarks/cramer.py --data DIR [--tables adult shoppers] [--seeds 0] [--steps 500]

DIR holds shoppers.csv.gz (UCI Machine Learning Repository); Adult ships with the package. Both
models have the joint generator of the papers and five critic updates a step, reject no rows, and
have all else at its defaults. Shape and C2ST are of the categorical and of the numeric columns
alone; Trend is over pairs of two categories, of two numbers and of one of each. C2ST and MLE are
judged by XGBoost as in fidelity.py. Seconds are of one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import load_table, write

from tabgan import CramerGANSynthesizer, WGANSynthesizer
from tabgan.evaluation import c2st, column_shapes, pair_trends, train_on_synthetic

MODELS = {"WGAN-GP": WGANSynthesizer, "Cramér": CramerGANSynthesizer}
PAIRS = ("categorical", "mixed", "numeric")


def by_kind(real: pd.DataFrame, made: pd.DataFrame) -> dict[str, float]:
    """Shape, Trend and C2ST of categorical and numeric columns apart."""
    shapes, trends = column_shapes(real, made), pair_trends(real, made)
    is_number = np.array([column.dtype.kind in "iuf" for _, column in real.items()])
    first, second = np.triu_indices(len(trends), k=1)
    scores, n_numbers = (
        trends.to_numpy()[first, second],
        is_number[first].astype(int) + is_number[second],
    )
    figures = {
        f"trend_{name}": float(scores[n_numbers == k].mean()) for k, name in enumerate(PAIRS)
    }
    for name, chosen in (("categorical", ~is_number), ("numeric", is_number)):
        columns = list(real.columns[chosen])
        figures[f"shape_{name}"] = float(shapes[columns].mean())
        figures[f"c2st_{name}"] = c2st(real[columns], made[columns], classifier="xgboost")
    return figures


def run(table: str, model: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Fit one model on one table, and judge as many rows as it saw."""
    train, test, target = load_table(table, args.data)
    if args.quick:
        train = train.head(2000)
    started = time.process_time()
    papers = {"generator": "joint", "early_stopping": False, "acceptance_rounds": 0}
    synthesizer = MODELS[model](n_steps=args.steps, random_state=seed, **papers).fit(train)
    seconds = time.process_time() - started
    made = synthesizer.sample(len(train), random_state=seed)
    utility = train_on_synthetic(made, test, target, estimator="xgboost")
    return {
        "table": table,
        "model": model,
        "seed": seed,
        "n_steps": args.steps,
        "fit_cpu_s": round(seconds, 1),
        "c2st": c2st(train, made, classifier="xgboost"),
        "mle_auc": float(utility.loc["synthetic", "roc_auc"]),
        **by_kind(train, made),
    }


def main() -> None:
    """Run both models on each table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=["adult", "shoppers"])
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--name", default="cramer")
    parser.add_argument("--quick", action="store_true", help="2,000 rows, 20 steps, no JSON")
    args = parser.parse_args()
    if args.quick:
        args.steps = 20
    results = []
    for table in args.tables:
        for seed in args.seeds:
            for model in args.models:
                results.append(run(table, model, seed, args))
                shown = {
                    k: round(v, 3) if isinstance(v, float) else v for k, v in results[-1].items()
                }
                print(shown, flush=True)
                if not args.quick:
                    write(args.name, results)


if __name__ == "__main__":
    main()
