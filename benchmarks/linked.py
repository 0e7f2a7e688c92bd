"""Numbers that nearly determine each other: relations kept, fidelity and seconds.

    python benchmarks/linked.py [--data FOLDER] [--tables made billing prices adult ...]
        [--seeds 0 1] [--ways links none] [--rows 10000]
    python benchmarks/linked.py --smoke

The default model learns each table once as it is ("links") and once without the search for
equations ("none"). C2ST-XGB tells as many synthetic rows as train rows from train rows and from
test rows. For each relation of a table, *explained* is ``1 - var(y - f) / var(y)``, and *exact* the
share of rows in which y equals f up to rounding; both stand beside those of the test rows.

- *made*: a sum, a product, a number plus small noise, a copy in all rows, and one in part of them.
- *billing*: twelve monthly balances and payments; a balance is the one before less the payment,
  and in three months of ten a purchase more. Some pay all, some a twentieth, some another part.
- *prices*: the eight price columns of FOLDER/kick.csv.gz, nine tenths of the rows to train.
- adult, shoppers, beijing: the published split. Where no equation is found, the model is the same
  either way, and only the search is timed.

Results go to ``results/linked.json``, one entry for each table, seed and way.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from common import keep_result, load_published

from tabgan import AutoregressiveSynthesizer
from tabgan.evaluation import c2st
from tabgan.table.encoder import Encoder
from tabgan.table.link_search import find_links
from tabgan.table.schema import Schema

KEY = ("table", "seed", "way")
PRICES = [f"num_{i}" for i in range(15, 23)]
MONTHS = 12

Relation = tuple[str, Callable[[pd.DataFrame], Any]]

JUDGE: Any = "xgboost"
"""The classifier of the two-sample test."""


def made(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make a table with one relation of each kind."""
    group = rng.choice(["u", "v", "w"], n, p=[0.5, 0.3, 0.2])
    a, b = rng.gamma(3, 1000, n).round(2), rng.lognormal(6, 1, n).round(2)
    rate, c = rng.lognormal(0, 0.4, n).round(2), rng.normal(50, 12, n).round(2)
    is_same = rng.random(n) < np.where(group == "u", 0.8, 0.2)
    return pd.DataFrame(
        {
            "group": group,
            "a": a,
            "b": b,
            "total": (a + b).round(2),
            "rate": rate,
            "product": (a * rate).round(2),
            "c": c,
            "near": c + rng.normal(0, 0.01, n),
            "copy": b,
            "later": np.where(is_same, a, rng.gamma(3, 1000, n).round(2)),
        }
    )


def billing(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make twelve monthly balances and payments of accounts."""
    limit = rng.choice([1000.0, 2000.0, 5000.0, 10000.0], n, p=[0.3, 0.3, 0.25, 0.15])
    habit = rng.choice(["all", "part", "least"], n, p=[0.15, 0.5, 0.35])
    balance = (limit * rng.beta(1.5, 4, n)).round(2)
    columns: dict[str, Any] = {"limit": limit, "habit": habit}
    for month in range(1, MONTHS + 1):
        share = np.select(
            [habit == "all", habit == "least"], [1.0, 0.05], rng.uniform(0.05, 0.5, n)
        )
        payment = np.where(rng.random(n) < 0.05, 0.0, share * balance).round(2)
        columns |= {f"balance_{month}": balance, f"payment_{month}": payment}
        spent = np.where(rng.random(n) < 0.3, limit * rng.beta(1.2, 12, n), 0.0).round(2)
        balance = (balance - payment + spent).round(2)
    return pd.DataFrame(columns)


RELATIONS: dict[str, list[Relation]] = {
    "made": [
        ("total", lambda t: t["a"] + t["b"]),
        ("product", lambda t: t["a"] * t["rate"]),
        ("near", lambda t: t["c"]),
        ("copy", lambda t: t["b"]),
        ("later", lambda t: t["a"]),
    ],
    "billing": [
        (f"balance_{m + 1}", lambda t, m=m: t[f"balance_{m}"] - t[f"payment_{m}"])
        for m in range(1, MONTHS)
    ]
    + [(f"payment_{m}", lambda t, m=m: 0.05 * t[f"balance_{m}"]) for m in range(1, MONTHS + 1)],
    "prices": [
        *((PRICES[i + 2], lambda t, i=i: 1.08 * t[PRICES[i]] + 500) for i in (0, 1, 4, 5)),
        *((PRICES[i + 4], lambda t, i=i: t[PRICES[i]]) for i in range(4)),
    ],
}


def load(name: str, n: int, seed: int, data: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return train rows, test rows, and the columns that the judge takes as categories."""
    if name in ("made", "billing"):
        rng = np.random.default_rng([seed, 1])
        both = {"made": made, "billing": billing}[name](2 * n, rng)
        texts = list(both.columns[[dtype.kind not in "iuf" for dtype in both.dtypes]])
        return both.head(n), both.tail(n).reset_index(drop=True), texts
    if name == "prices":
        rows = pd.read_csv(data / "kick.csv.gz", usecols=PRICES)
        order = np.random.default_rng(seed).permutation(len(rows))
        train, test = (rows.iloc[part] for part in np.split(order, [int(0.9 * len(rows))]))
        return train.reset_index(drop=True), test.reset_index(drop=True), []
    table = load_published(name, data)
    return table.train, table.test, list(table.categorical)


def relations(name: str, table: pd.DataFrame) -> dict[str, list[float]]:
    """Compute the explained share and the share of exact rows of each relation, by its name."""
    found: dict[str, list[float]] = {}
    for i, (target, formula) in enumerate(RELATIONS.get(name, [])):
        apart = table[target] - formula(table)
        explained = 1 - apart.var() / table[target].var()
        step = 0.5 if name == "prices" else 0.005
        exact = (apart.abs() <= step * (1 + 1e-6)).mean()
        found[f"{i} {target}"] = [round(float(explained), 4), round(float(exact), 4)]
    return found


def measure(name: str, way: str, seed: int, n: int, data: Path, steps: int | None) -> Any:
    """Fit, sample and judge once; return the entry."""
    train, test, categorical = load(name, n, seed, data)
    model = AutoregressiveSynthesizer(random_state=seed, n_steps=steps)
    encoder = Encoder(Schema.infer(train), model.plan.numbers, **model.plan.cut(len(train)))
    started = time.process_time()
    links = find_links(train, encoder)
    entry = {
        "table": name,
        "seed": seed,
        "way": way,
        "n_train": len(train),
        "n_test": len(test),
        "search_cpu_s": round(time.process_time() - started, 2),
        "equations": [] if links is None else [str(one) for one in links.equations],
    }
    if links is None:
        return entry
    if way == "none":
        model.plan = replace(model.plan, finds_links=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        started = time.process_time()
        model.fit(train)
        fit_s = time.process_time() - started
    rows = model.sample(len(train), random_state=seed)
    started = time.process_time()
    model.sample(50_000 if steps is None else 500, random_state=seed + 1)
    sample_s = time.process_time() - started
    judged = {"classifier": JUDGE, "categorical_features": categorical}
    return entry | {
        "fit_cpu_s": round(fit_s, 1),
        "n_steps": model.n_steps_,
        "cpu_s_for_50000_rows": round(sample_s, 2),
        "c2st_xgb": round(c2st(train, rows, **judged), 4),
        "c2st_xgb_test": round(c2st(test, rows, **judged), 4),
        "real_c2st_xgb": round(c2st(train, test, **judged), 4),
        "relations": relations(name, rows),
        "real_relations": relations(name, test),
    }


def main() -> None:
    """Run what is asked for, and keep every entry."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the real tables")
    everything = ["made", "billing", "prices", "adult", "shoppers", "beijing"]
    parser.add_argument("--tables", nargs="+", default=everything, choices=everything)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--ways", nargs="+", default=["links", "none"])
    parser.add_argument("--rows", type=int, default=10_000, help="train rows of made tables")
    parser.add_argument("--smoke", action="store_true", help="made tables, few steps, no JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.smoke:
        args.tables, args.seeds, args.rows = ["made", "billing"], [0], 500
    for name in args.tables:
        for seed in args.seeds:
            for way in args.ways:
                steps = 3 if args.smoke else None
                entry = measure(name, way, seed, args.rows, args.data or Path("."), steps)
                print(entry, flush=True)
                if not args.smoke:
                    keep_result("linked", entry, KEY)


if __name__ == "__main__":
    main()
