"""Columns of very many categories: their ties, fidelity, usefulness, seconds and memory.

    python benchmarks/many_categories.py [--seeds 0 1] [--data DIR] [--tables shops_2000 ...]

- shops_K: 50,000 rows; each of K shops has one colour of 12, and its own mean of x. Measured are
  the share of synthetic rows whose colour is the shop's, and R2 of x given the shop.
- access: 32,769 made requests for access, with six columns of 326 to 5,600 categories.
- kick: a real table of 73,000 used cars in DIR, whose columns "cat_..." are taken as categories,
  among them an odometer of 37,800 values; a tenth of the rows is held out.
- users: a column of 100,000 categories beside two others, for seconds and memory.

c2st and c2st_test are `tabgan.evaluation.c2st` with XGBoost against train and test rows, mle the
area under the ROC curve of XGBoost trained on synthetic rows and scored on test rows (real_mle:
trained on train rows). unseen is the mean, over pairs of categorical columns, of the share of
synthetic rows whose pair of categories is not among the train rows; unseen_test the same of test
rows, and unseen_most the greatest ratio of both over pairs (test rows counted as at least .01).
The way "pooled" is the same model with all but 255 categories of a column in one level. Each run
has a process of its own, on as many threads as OMP_NUM_THREADS says. Results go to
``results/many_categories.json``.
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
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import RealTable, keep_result, split_as_published
from made_tables import Shops, access_requests

from tabgan import AutoregressiveSynthesizer
from tabgan.evaluation import c2st, train_on_synthetic

KEY = ("table", "way", "seed")
SHOPS = {f"shops_{k}": k for k in (200, 2_000, 20_000)}
TABLES = (*SHOPS, "access", "users", "kick")


class Pooled(AutoregressiveSynthesizer):
    """The default model with rare categories in one level."""

    plan = replace(AutoregressiveSynthesizer.plan, rare="pooled")


WAYS = {"default": AutoregressiveSynthesizer, "pooled": Pooled}


def load_kick(data: Path) -> RealTable:
    """Read kick with all its categories as texts."""
    table = pd.read_csv(data / "kick.csv.gz", dtype=str, keep_default_na=False)
    categorical = [*(name for name in table if name.startswith("cat")), "target"]
    for name in table.columns.difference(categorical):
        table[name] = pd.to_numeric(table[name])
    return RealTable("kick", *split_as_published(table, categorical), "target", categorical)


def load_access(seed: int) -> RealTable:
    """Make requests for access, a tenth of them held out."""
    table = access_requests(32_769, seed)
    categorical = list(table)
    split = split_as_published(table, categorical)
    return RealTable("access", *split, "granted", categorical)


def unseen_pairs(known: pd.DataFrame, rows: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Share of rows whose pair of categories is not among the known ones, for each pair."""
    shares = []
    for pair in combinations(columns, 2):
        of_known, of_rows = (pd.MultiIndex.from_frame(each[list(pair)]) for each in (known, rows))
        shares.append(1 - of_rows.isin(of_known).mean())
    return np.array(shares)


def usefulness(rows: pd.DataFrame, table: RealTable) -> float:
    """Train XGBoost on rows, and score it on the test rows."""
    as_categories = {"categorical_features": table.categorical}
    scores = train_on_synthetic(
        rows, table.test, table.target, estimator="xgboost", **as_categories
    )
    return float(scores.loc["synthetic", "roc_auc"])


def judge(rows: pd.DataFrame, table: RealTable) -> dict[str, float]:
    """Judge rows of a table with train and test rows."""
    as_categories = {"categorical_features": table.categorical}
    made, real = (unseen_pairs(table.train, each, table.categorical) for each in (rows, table.test))
    return {
        "c2st": c2st(table.train, rows, classifier="xgboost", **as_categories),
        "c2st_test": c2st(table.test, rows, classifier="xgboost", **as_categories),
        "mle": usefulness(rows, table),
        "real_mle": usefulness(table.train, table),
        "unseen": float(made.mean()),
        "unseen_test": float(real.mean()),
        "unseen_most": float((made / real.clip(min=0.01)).max()),
    }


def users(seed: int) -> pd.DataFrame:
    """Make 200,000 rows of 100,000 users, each with a country and a mean of spending."""
    truth, rng = np.random.default_rng(3), np.random.default_rng([seed, 3])
    user = np.r_[np.arange(100_000), rng.integers(0, 100_000, 100_000)]
    country, mean = truth.integers(0, 40, 100_000), truth.normal(size=100_000)
    return pd.DataFrame(
        {
            "user": np.char.add("user", user.astype(str)),
            "country": np.char.add("country", country[user].astype(str)),
            "spending": np.round(np.exp(mean[user] + 0.3 * rng.normal(size=len(user))), 2),
        }
    )


def run(name: str, way: str, seed: int, data: Path) -> dict[str, Any]:
    """Fit one model on one table, and measure."""
    table, shops = None, None
    if name in SHOPS:
        shops = Shops(SHOPS[name])
        train = shops.rows(50_000, seed)
    elif name == "users":
        train = users(seed)
    else:
        table = load_kick(data) if name == "kick" else load_access(seed)
        train = table.train
    model = WAYS[way](random_state=seed)
    before, started = _peak(), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(train)
    fitted = time.perf_counter()
    rows = model.sample(len(train), random_state=seed)
    entry: dict[str, Any] = {"table": name, "way": way, "seed": seed, "rows": len(train)}
    entry["fit_seconds"] = round(fitted - started, 1)
    entry["rows_per_second"] = round(len(train) / (time.perf_counter() - fitted))
    entry["steps"] = model.n_steps_
    entry["peak_gb"], entry["peak_before_gb"] = _peak(), before
    if shops is not None:
        entry |= shops.ties(rows) | {"real_r2": shops.ties(train)["r2"]}
    elif table is not None:
        entry |= judge(rows, table)
    else:
        known = train.drop_duplicates("user").set_index("user")["country"]
        entry["tie"] = float((known.loc[rows["user"]].to_numpy() == rows["country"]).mean())
    return entry


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        entry = run(options.tables[0], options.ways[0], options.seeds[0], options.data)
        print(json.dumps(entry))
        return
    for seed in options.seeds:
        for table in options.tables:
            for way in options.ways:
                arguments = ["--one", "--tables", table, "--ways", way, "--seeds", str(seed)]
                command = [sys.executable, __file__, *arguments, "--data", str(options.data)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                entry = json.loads(done.stdout.strip().splitlines()[-1])
                print(entry, flush=True)
                keep_result("many_categories", entry, KEY)


if __name__ == "__main__":
    main()
