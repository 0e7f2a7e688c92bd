"""Every synthesizer at its defaults on three real tables, beside independent columns and real rows.

    python benchmarks/main_job.py --data DIR [--tables adult shoppers beijing] [--models ...]

DIR holds shoppers.csv.gz and beijing_pm25.csv.gz (UCI Machine Learning Repository); Adult ships
with the package. Each fit runs in a process of its own, so that peak memory is its own. Missing
values are kept. C2ST and MLE use XGBoost at its defaults, as published: C2ST is 1 when train rows
and made rows cannot be told apart and 0 when they always can; MLE trains on made rows and scores
on the held-out test rows (AUC, or RMSE of the logarithm for Beijing).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import load_table, write

MODELS = ["WGANSynthesizer", "CGANSynthesizer", "AAESynthesizer", "InfoGANFeaturizer"]
MODELS += ["GANSynthesizer", "independent columns", "real rows"]


def make_rows(model: str, train: pd.DataFrame, target: str, seed: int) -> dict[str, Any]:
    """Fit one model at its defaults and sample as many rows as it saw."""
    import tabgan

    if model == "real rows":
        half = train.sample(frac=1.0, random_state=seed)
        return {"rows": half, "fit": 0.0, "sample": 0.0}
    started = time.perf_counter()
    if model == "independent columns":
        rng = np.random.default_rng(seed)
        columns = {
            name: train[name].to_numpy()[rng.permutation(len(train))] for name in train.columns
        }
        rows = pd.DataFrame(columns).astype(train.dtypes)
        return {"rows": rows, "fit": 0.0, "sample": time.perf_counter() - started}
    given = {"condition_columns": [target]} if model == "CGANSynthesizer" else {}
    synthesizer = getattr(tabgan, model)(random_state=seed, **given).fit(train)
    fitted = time.perf_counter()
    rows = synthesizer.sample(len(train), random_state=seed)
    return {
        "rows": rows,
        "fit": fitted - started,
        "sample": time.perf_counter() - fitted,
        "n_steps": synthesizer.n_steps_,
    }


def judge(rows: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame, target: str) -> dict:
    """Figures of made rows; the RMSE of Beijing is that of the logarithm, as published."""
    from tabgan.evaluation import evaluate, train_on_synthetic

    report = evaluate(train, rows, test=test, target=target, classifier="xgboost")
    figures = {name: entry["value"] for name, entry in report.to_dict()["summary"].items()}
    if pd.api.types.is_numeric_dtype(train[target]) and train[target].nunique() > 2:
        scores = train_on_synthetic(
            rows, test, target, estimator="xgboost", target_transform=lambda y: np.log(y.clip(1))
        )
        figures["mle_log_rmse"] = float(scores.loc["synthetic", "rmse"])
    return figures


def run_one(args: argparse.Namespace) -> dict[str, Any]:
    """Fit, sample and judge one model on one table; what a child process does."""
    train, test, target = load_table(args.tables[0], args.data)
    model = args.models[0]
    made = make_rows(model, train, target, args.seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = made.pop("rows")
    if model == "real rows":
        # Half of the training rows against the other half: what perfect rows would score.
        middle = len(rows) // 2
        rows, train = rows.iloc[:middle], rows.iloc[middle:]
    seconds = made["sample"]
    return {
        "table": args.tables[0],
        "model": model,
        "seed": args.seed,
        "fit_s": round(made["fit"], 1),
        "n_steps": made.get("n_steps"),
        "rows_per_s": round(len(rows) / seconds) if seconds else None,
        "peak_mb": round(peak),
        **judge(rows, train, test, target),
    }


def main() -> None:
    """Run each model on each table in a process of its own and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=["adult", "shoppers", "beijing"])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="main_job")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(run_one(args)))
        return
    results = []
    for table in args.tables:
        for model in args.models:
            command = [sys.executable, __file__, "--child", "--data", str(args.data)]
            command += ["--tables", table, "--models", model, "--seed", str(args.seed)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
            shown = {
                k: round(v, 4) if isinstance(v, float) else v
                for k, v in results[-1].items()
                if not isinstance(v, dict | list)
            }
            print(shown, flush=True)
            write(args.name, results)


if __name__ == "__main__":
    main()
