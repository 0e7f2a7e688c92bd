"""Fidelity against seconds of training: what a shorter fit gives up, and when rungs are passed.

    python benchmarks/fidelity_over_time.py [--data DIR] [--table adult] [--models ...]
        [--seeds 0] [--points 7] [--again]
    python benchmarks/fidelity_over_time.py --table-only

Each point is a fit of its own, in a process of its own, with everything but `n_steps` at its
default: learning rates follow schedules over the whole run, so that a run broken off says nothing
of a short one. The first fit takes the default number of steps; every further point half as many
as the one before. C2ST-XGB, Trend and MLE are those of fidelity.py. Seconds are those of
the processor, so that other programs hardly change them. Runs add up in
results/fidelity_over_time.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import pandas as pd
from common import keep_result, read_results
from fidelity import fit_and_sample, load, make_synthesizer
from judging import trend_and_mle
from rivals import PUBLISHED, Entry

FILE = "fidelity_over_time"
MODELS = ["AutoregressiveSynthesizer", "ARAESynthesizer", "WGANSynthesizer", "CGANSynthesizer"]
KEY = ("table", "model", "point", "seed")
QUICK_POINTS = 2


def run_one(args: argparse.Namespace, model: str, seed: int, n_steps: int | None) -> Entry:
    """Fit with so many steps, or the default, and judge; what a child process does."""
    from tabgan.evaluation import c2st

    table = load(args, args.table, seed)
    synthesizer = make_synthesizer(model, table, seed, n_steps)
    rows, figures = fit_and_sample(synthesizer, table, seed, args.quick)
    as_categories = {"categorical_features": table.categorical}
    return {
        "table": table.name,
        "model": model,
        "seed": seed,
        **figures,
        "c2st_xgb": c2st(table.train, rows, classifier="xgboost", **as_categories),
        **trend_and_mle(rows, rows, table),
    }


def print_curves(results: list[Entry]) -> None:
    """Print, as Markdown, a curve for each model, and the seconds at which it passes the rungs."""
    frame = pd.DataFrame(results)
    figures = ["fit_cpu_s", "c2st_xgb", "trend", "mle"]
    for table, of_table in frame.groupby("table", sort=False):
        print(f"\n**{table}**, means over seeds\n")
        print("| model | steps | fit CPU s | C2ST-XGB | Trend | MLE |\n|---|---|---|---|---|---|")
        curves = of_table.groupby(["model", "n_steps"])[figures].mean()
        for (model, n_steps), point in curves.iterrows():
            shown = " | ".join(f"{point[name]:.3f}" for name in figures[1:])
            print(f"| {model} | {n_steps:,} | {point['fit_cpu_s']:.0f} | {shown} |")
        rungs = {name: by[table]["c2st_xgb"] for name, by in PUBLISHED.items() if table in by}
        if not rungs:
            continue
        models = list(dict.fromkeys(of_table["model"]))
        print("\nShortest fit, in seconds, that passes a published C2ST-XGB:\n")
        print("| rung | " + " | ".join(models) + " |")
        print("|---" * (len(models) + 1) + "|")
        for name, value in sorted(rungs.items(), key=lambda rung: rung[1]):
            seconds = [first_above(curves.loc[model], value) for model in models]
            cells = ["not passed" if s is None else f"{s:.0f}" for s in seconds]
            print(f"| {name}, {value:.3f} | " + " | ".join(cells) + " |")


def first_above(curve: pd.DataFrame, value: float) -> float | None:
    """Return the seconds of the shortest fit whose C2ST-XGB is above a value, None without one."""
    seconds = curve.loc[curve["c2st_xgb"] > value, "fit_cpu_s"]
    return float(seconds.min()) if len(seconds) else None


def main() -> None:
    """Fit each model with ever fewer steps, and print the curves."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the tables other than adult")
    parser.add_argument("--table", default="adult")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--points", type=int, default=7, help="the number of fits on each curve")
    parser.add_argument("--again", action="store_true", help="replace entries there are")
    parser.add_argument("--table-only", action="store_true", help="print the tables, run nothing")
    parser.add_argument("--quick", action="store_true", help="a few steps and rows, no JSON")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        job = argparse.Namespace(**json.loads(args.child))
        print(json.dumps(run_one(job, job.model, job.seed, job.n_steps)))
        return
    results: list[Entry] = []
    for model in [] if args.table_only else args.models:
        for seed in args.seeds:
            results += curve(args, model, seed)
    if not args.quick:
        results = read_results(FILE)
    if results:
        print_curves(results)


def curve(args: argparse.Namespace, model: str, seed: int) -> list[Entry]:
    """Fit one model at all points; point p takes the default's steps divided by 2 ** p."""
    entries: list[Entry] = []
    n_steps = 40 if args.quick else None
    for point in range(QUICK_POINTS if args.quick else args.points):
        if point:
            n_steps = round(entries[0]["n_steps"] / 2**point)
        if n_steps == 0:
            break
        known = [] if args.again or args.quick else read_results(FILE)
        wanted = (args.table, model, point, seed)
        entry = next((e for e in known if tuple(e[part] for part in KEY) == wanted), None)
        if entry is None:
            job = {**vars(args), "model": model, "seed": seed, "n_steps": n_steps}
            # What `load` is to know of the table.
            job |= {"csv": None, "small": False}
            command = [sys.executable, __file__, "--child", json.dumps(job)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if done.returncode:
                print(f"failed: {model}, seed {seed}, {n_steps or 'default'} steps", flush=True)
                break
            entry = {**json.loads(done.stdout.splitlines()[-1]), "point": point}
            print(entry, flush=True)
            if not args.quick:
                keep_result(FILE, entry, KEY)
        entries.append(entry)
    return entries


if __name__ == "__main__":
    main()
