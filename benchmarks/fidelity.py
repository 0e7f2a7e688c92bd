"""Fidelity by the published protocol, beside published lines, rivals, and real rows.

    python benchmarks/fidelity.py --data DIR [--tables adult shoppers beijing] [--models ...]
        [--seeds 0 1 2 3 4] [--rivals ctgan tvae] [--again] [--seconds]
    python benchmarks/fidelity.py --csv FILE --target NAME [--categorical NAME ...]
        [--test-csv FILE]
    python benchmarks/fidelity.py --small
    python benchmarks/fidelity.py --table-only [--small]

DIR holds shoppers.csv.gz and beijing_pm25.csv.gz (UCI Machine Learning Repository); Adult ships
with the package. Any other table comes as CSV, with its target and the columns that judges take
as categories (by default those that hold no numbers). `--small` takes scikit-learn's iris, wine,
breast cancer and digits. Synthesizers get plain tables and no hints, at their defaults but for
`privacy="none"`, since published ones withhold nothing (what it costs: withheld.py); each fit
runs in a process of its own, so that peak memory is its own. As many rows are made as were learnt.

- c2st_xgb, c2st_xgb_test: 1 - (2 max(1/2, AUC) - 1) of XGBoost at its defaults, telling made rows
  from train rows or from test rows, three folds; c2st_trees and c2st_mlp: judges of two other
  families, on train rows.
- trend, trend_all, shape: SDMetrics' column pair trends, over the pairs that hang together in the
  train rows (its newer default, and what the published figures are) and over all pairs, and its
  column shapes.
- mle: XGBoost trained on made rows, scored on test rows: AUC, or the RMSE of the logarithm for
  amounts (plain RMSE where they are not mostly above 10).
- beta_recall: share of real rows inside the support of made rows.
- dcr: share of made rows nearer to one of as many train rows as test rows than to a test row, as
  published; nearer_to_train: the same of all train rows, corrected for unequal sizes;
  membership_*: area under the ROC curve of two membership-inference attacks; near_duplicates,
  duplicates: share of made rows that (nearly) equal a train row.
- fit_s, fit_cpu_s: seconds of the clock and of the processor.
- rows_per_s: of a second call of `sample`, of at least 50,000 rows.

Runs add up: results/fidelity.json (results/fidelity_small.json) keeps one entry per table, model
and seed, and only what is missing is run, unless `--again`. With `--seconds`, models are fitted and
sampled once more and judged by nothing: entries keep their figures and get new seconds, for a
machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from common import (
    SMALL_TABLES,
    RealTable,
    keep_result,
    load_csv,
    load_published,
    load_small,
    read_results,
)
from judging import fidelity, privacy
from rivals import (
    HALVES,
    INDEPENDENT,
    LINES,
    RIVALS,
    TARGETS,
    Entry,
    Rival,
    averages,
    check_installed,
    is_ours,
    other_lines,
    rungs,
    targets,
)

MODELS = [
    "AutoregressiveSynthesizer",
    "ARAESynthesizer",
    "AAESynthesizer",
    "BiGANSynthesizer",
    "WGANSynthesizer",
    "CGANSynthesizer",
    "CramerGANSynthesizer",
    "InfoGANFeaturizer",
    "LSGANSynthesizer",
    "GANSynthesizer",
]
KEY = ("table", "model", "seed")
QUICK_STEPS, QUICK_ROWS = 20, 1500

COLUMNS = {
    "c2st_xgb": "C2ST-XGB",
    "c2st_xgb_test": "vs test",
    "c2st_trees": "C2ST trees",
    "c2st_mlp": "C2ST MLP",
    "trend": "Trend",
    "trend_all": "Trend, all pairs",
    "mle": "MLE",
    "shape": "Shape",
    "beta_recall": "β-recall",
    "dcr": "DCR",
    "membership_distance": "attack, distance",
    "membership_density": "attack, density",
    "near_duplicates": "near duplicates",
    "fit_s": "fit s",
    "rows_per_s": "rows/s",
    "peak_mb": "peak MB",
}

MEASURES = {
    "roc_auc": "AUC",
    "rmse": "RMSE, lower is better",
    "log_rmse": "the RMSE of the logarithm, lower is better",
}

# ---------------------------------------------------------------------- one run


def load(args: argparse.Namespace, name: str, seed: int) -> RealTable:
    """Load a table, cut short for a quick run."""
    if args.csv:
        table = load_csv(Path(args.csv), args.target, args.categorical, args.test_csv)
    elif args.small:
        table = load_small(name, seed)
    else:
        table = load_published(name, Path(args.data or "."))
    if args.quick:
        table = replace(
            table, train=table.train.head(QUICK_ROWS), test=table.test.head(QUICK_ROWS // 2)
        )
    return table


def make_synthesizer(
    model: str, table: RealTable, seed: int, n_steps: int | None = None, quick: bool = False
) -> Any:
    """Build a synthesizer, which withholds nothing, or a rival, at its defaults."""
    if model in RIVALS.values():
        name = next(name for name, cls in RIVALS.items() if cls == model)
        return Rival(name, table.categorical, seed, quick)
    import tabgan

    given: dict[str, Any] = {"privacy": "none"}
    if model[:4] == "CGAN":
        given["condition_columns"] = [table.target]
    if quick:
        n_steps = QUICK_STEPS
    if n_steps is not None:
        given["n_steps"] = n_steps
    return getattr(tabgan, model)(random_state=seed, **given)


def fit_and_sample(
    synthesizer: Any, table: RealTable, seed: int, quick: bool = False
) -> tuple[pd.DataFrame, Entry]:
    """Fit, make as many rows as there are train rows, and tell what that took."""
    n_rows = len(table.train)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        started, processor = time.perf_counter(), time.process_time()
        synthesizer.fit(table.train)
        fit_s, fit_cpu_s = time.perf_counter() - started, time.process_time() - processor
        rows = synthesizer.sample(n_rows, random_state=seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    n_more = n_rows if quick else max(50_000, n_rows)
    started = time.perf_counter()
    synthesizer.sample(n_more, random_state=seed + 1)
    figures = {
        "fit_s": round(fit_s, 2),
        "fit_cpu_s": round(fit_cpu_s, 2),
        "n_steps": getattr(synthesizer, "n_steps_", None),
        "threads": torch.get_num_threads(),
        "rows_per_s": round(n_more / (time.perf_counter() - started)),
        "peak_mb": round(peak),
        "warnings": sorted({f"{each.category.__name__}: {each.message}" for each in warned}),
    }
    if isinstance(synthesizer, Rival):
        figures["package"] = synthesizer.package
    return rows, figures


def independent_columns(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Shuffle every column by itself."""
    rng = np.random.default_rng(seed)
    columns = {name: train[name].to_numpy()[rng.permutation(len(train))] for name in train}
    return pd.DataFrame(columns).astype(train.dtypes)


def run_one(args: argparse.Namespace, name: str, model: str, seed: int) -> Entry:
    """Fit, sample and judge one model on one table; what a child process does."""
    key = {"table": name, "model": model, "seed": seed}
    table = load(args, name, seed)
    if args.seconds:
        return {**key, **fit_and_sample(make_synthesizer(model, table, seed), table, seed)[1]}
    figures: Entry = {}
    learnt_from = None
    if model == INDEPENDENT:
        rows = independent_columns(table.train, seed)
    elif model == HALVES:
        # What perfect rows would score; nothing is to be told of half a table's usefulness.
        learnt_from = table.train
        order = np.random.default_rng(seed).permutation(len(table.train))
        halves = (table.train.iloc[part] for part in np.array_split(order, 2))
        rows, rest = (half.reset_index(drop=True) for half in halves)
        table = replace(table, train=rest)
    else:
        synthesizer = make_synthesizer(model, table, seed, quick=args.quick)
        rows, figures = fit_and_sample(synthesizer, table, seed, args.quick)
    started = time.perf_counter()
    judged = {**fidelity(rows, table, learnt_from), **privacy(rows, table)}
    return {
        **key,
        "n_train": len(table.train),
        "n_test": len(table.test),
        **figures,
        **judged,
        "judge_s": round(time.perf_counter() - started, 1),
    }


# ---------------------------------------------------------------------- printing


def print_tables(results: list[Entry]) -> None:
    """Print a Markdown table for each real table, ours first; mean ± standard deviation."""
    for name in dict.fromkeys(entry["table"] for entry in results):
        lines = averages(results, name)
        ordered = sorted(lines, key=lambda m: (m in LINES, not is_ours(m), -lines[m]["c2st_xgb"]))
        runs = [entry for entry in results if entry["table"] == name]
        n_train, n_test = max((e["n_train"], e["n_test"]) for e in runs)
        measure = MEASURES[next(iter(lines.values()))["measure"]]
        print(f"\n**{name.capitalize()}**: {n_train:,} train rows, {n_test:,} test rows; ", end="")
        print(f"MLE is {measure}\n")
        print("| | " + " | ".join(COLUMNS.values()) + " |")
        print("|---" * (len(COLUMNS) + 1) + "|")
        for model in ordered:
            line = lines[model]
            seeds = f"{line['seeds']} seed" + "s" * (line["seeds"] > 1)
            seeds += ", one thread" * (line.get("threads") == 1)
            package = next(
                (e["package"] for e in runs if e["model"] == model and "package" in e), ""
            )
            label = f"{model} ({package}, measured; {seeds})" if package else f"{model} ({seeds})"
            cells = [cell(key, line.get(key), line["sd"].get(key)) for key in COLUMNS]
            print(f"| {label} | " + " | ".join(cells) + " |")
        for label, figures in other_lines(name).items():
            cells = [cell(key, figures.get(key)) for key in COLUMNS]
            print(f"| {label} | " + " | ".join(cells) + " |")
    if any(other_lines(entry["table"]) for entry in results):
        print("\nPublished: five seeds, as reported with TabPC, on a GPU (their seconds too).")


def cell(key: str, value: float | None, spread: float | None = None) -> str:
    if value is None:
        return ""
    if key in ("fit_s", "rows_per_s", "peak_mb"):
        return f"{value:.1f}" if value < 10 else f"{value:,.0f}"
    shown = f"{value:.4f}" if key == "near_duplicates" else f"{value:.3f}"
    return shown if spread is None else f"{shown} ± {spread:.3f}"


def print_targets(results: list[Entry]) -> None:
    """Print targets and rungs as Markdown, a column for each synthesizer."""
    aims, steps = targets(results), rungs(results)
    models = list(dict.fromkeys(aims["model"]))
    if not models:
        return
    print("\n| table | figure | target | " + " | ".join(models) + " |")
    print("|---" * (len(models) + 3) + "|")
    for (table, figure, relation, aim), rows in aims.groupby(
        ["table", "figure", "relation", "target"], sort=False
    ):
        by_model = rows.set_index("model")
        cells = [_verdict(figure, by_model.loc[m]) if m in by_model.index else "" for m in models]
        bound = cell(figure, aim)
        print(f"| {table} | {figure} | {relation} {bound} | " + " | ".join(cells) + " |")
    if len(steps):
        print("\n| table | rung, C2ST-XGB | " + " | ".join(models) + " |")
        print("|---" * (len(models) + 2) + "|")
    for (table, rung, published), rows in steps.groupby(["table", "rung", "published"], sort=False):
        passed = rows.set_index("model")["passed"]
        cells = ["" if m not in passed else "passed" if passed[m] else "no" for m in models]
        print(f"| {table} | {rung} {published:.3f} | " + " | ".join(cells) + " |")


def _verdict(figure: str, row: pd.Series) -> str:
    if np.isnan(row["value"]):
        return ""
    by = cell(figure, abs(row["margin"]))
    verdict = f"met by {by}" if row["met"] else f"missed by {by}"
    return f"{cell(figure, row['value'])}, {verdict}"


# ---------------------------------------------------------------------- command line


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the published tables")
    parser.add_argument("--tables", nargs="+", help="adult, shoppers, beijing; or small ones")
    parser.add_argument("--csv", help="any table")
    parser.add_argument("--test-csv", help="its test rows; else a tenth is split off")
    parser.add_argument("--target", help="the column of --csv to predict")
    parser.add_argument("--categorical", nargs="*", help="columns of --csv that are categories")
    parser.add_argument("--small", action="store_true", help="scikit-learn's small tables")
    parser.add_argument("--models", nargs="*", default=[*MODELS, *LINES])
    parser.add_argument("--rivals", nargs="+", default=[], choices=RIVALS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--again", action="store_true", help="replace entries there are")
    parser.add_argument("--seconds", action="store_true", help="time entries anew, judge nothing")
    parser.add_argument("--table-only", action="store_true", help="print the tables, run nothing")
    parser.add_argument("--quick", action="store_true", help="a few steps and rows, no JSON")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.csv:
        if not args.target:
            parser.error("--csv needs --target, the column to predict")
        args.tables = [Path(args.csv).name.split(".")[0]]
    elif args.small:
        args.tables = args.tables or list(SMALL_TABLES)
    elif not (args.data or args.table_only or args.child):
        parser.error("give --data DIR, --csv FILE --target NAME, or --small")
    if not args.tables and not args.table_only:
        args.tables = list(TARGETS)
    args.seeds = args.seeds[:1] if args.quick else args.seeds
    return args


def main() -> None:
    """Run each model on each table in a process of its own, and print the tables."""
    args = parse()
    if args.child:
        job = argparse.Namespace(**json.loads(args.child))
        print(json.dumps(run_one(job, job.table, job.model, job.seed)))
        return
    if args.rivals:
        check_installed()
    file = "fidelity_small" if args.small else "fidelity"
    tables = [] if args.table_only else args.tables
    jobs = [(t, m, s) for t in tables for s in args.seeds for m in args.models]
    jobs += [(t, RIVALS[name], args.seeds[0]) for t in tables for name in args.rivals]
    results, failed = [], []
    for table, model, seed in jobs:
        known = {tuple(entry[part] for part in KEY): entry for entry in read_results(file)}
        before = known.get((table, model, seed))
        is_due = bool(before) if args.seconds else not before or args.again or args.quick
        if not is_due:
            continue
        job = json.dumps({**vars(args), "table": table, "model": model, "seed": seed})
        command = [sys.executable, __file__, "--child", job]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            failed.append(f"{model} on {table}, seed {seed}")
            print(f"failed: {failed[-1]}", flush=True)
            continue
        entry = json.loads(done.stdout.splitlines()[-1])
        results.append(entry)
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in entry.items()}, flush=True)
        if not args.quick:
            if before and args.seconds:
                entry = {"judged_commit": before["commit"], **before, **entry}
            keep_result(file, entry, KEY)
    if not args.quick:
        results = [e for e in read_results(file) if not args.tables or e["table"] in args.tables]
    if results:
        print_tables(results)
        print_targets(results)
    if failed:
        sys.exit("failed: " + "; ".join(failed))


if __name__ == "__main__":
    main()
