"""What `privacy="standard"` costs and saves on few rows of Adult.

A synthesizer learns some training rows of Adult at its defaults, with and without `privacy`. Ten
times as many rows are drawn. Attackers who see them guess which rows were learnt, against as many
rows that were not (`membership_inference`); column shapes and pair trends compare the drawn rows
with 10,000 test rows.

Run it from the folder of benchmarks:

    OMP_NUM_THREADS=1 python withheld.py --rows 300 1000 --seeds 2

With `--data`, no model is trained: the training rows of the three published tables are encoded and
decoded, all of them and as few as `--rows` says, which shows what the description of columns alone
costs in fidelity to test rows. Unknown cells are drawn from the known ones of their column.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from statistics import fmean
from time import perf_counter

import numpy as np
import pandas as pd
from common import keep_result, load_published

import tabgan
from tabgan.datasets import load_adult
from tabgan.evaluation import (
    column_shapes,
    mean_pair_trend,
    membership_inference,
    pair_trends,
)
from tabgan.table.encoder import Encoder
from tabgan.table.privacy import Privacy, Withheld
from tabgan.table.schema import Schema

TIMES, HELD_OUT = 10, 10_000

PARTS = {"none": None, "standard": Privacy(), "ends as they are": Privacy(blunt_ends=False)}


def measure(cls: type, privacy: str, n_rows: int, seed: int) -> dict[str, float]:
    """Fit, draw, attack and compare once."""
    train, test = load_adult()
    rows = train.sample(n_rows, random_state=seed).reset_index(drop=True)
    held = test.sample(HELD_OUT, random_state=seed).reset_index(drop=True)
    start = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = cls(privacy=privacy, random_state=seed).fit(rows)
        fitted = perf_counter()
        made = model.sample(TIMES * n_rows)
    attack = membership_inference(rows, made, held)
    some: pd.DataFrame = made[:HELD_OUT]
    return {
        "distance_auc": attack.distance_auc,
        "density_auc": attack.density_auc,
        "shape": float(column_shapes(held, some).mean()),
        "trend": mean_pair_trend(pair_trends(held, some)),
        "fit_seconds": fitted - start,
    }


def round_trip(name: str, data: Path, n_rows: int | None = None) -> None:
    """Encode and decode training rows of a table, all by default, and compare with test rows."""
    table = load_published(name, data)
    train = table.train if n_rows is None else table.train.sample(n_rows, random_state=0)
    train = train.reset_index(drop=True)
    for label, privacy in PARTS.items():
        withheld = None if privacy is None else Withheld(privacy, len(train))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            schema = Schema.infer(train, withheld=withheld)
        encoder, rng = Encoder(schema, "bins", n_bins=100), np.random.default_rng(0)
        rows = encoder.encode(train, rng)
        for codes in rows.codes.numpy().T:
            codes[codes < 0] = rng.choice(codes[codes >= 0], (codes < 0).sum())
        made = encoder.decode(rows, rng)
        categorical = table.categorical
        entry = {
            "model": "none, rows encoded and decoded",
            "table": name,
            "rows": len(train),
            "privacy": label,
            "mean": {
                "shape": round(
                    float(column_shapes(table.test, made, categorical_features=categorical).mean()),
                    4,
                ),
                "trend": round(
                    mean_pair_trend(
                        pair_trends(table.test, made, categorical_features=categorical)
                    ),
                    4,
                ),
            },
        }
        keep_result("withheld", entry, ["model", "table", "rows", "privacy"])
        print(name, label, entry["mean"], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--model", default="AutoregressiveSynthesizer")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    if arguments.data is not None:
        for name in ("adult", "shoppers", "beijing"):
            for n_rows in (None, *arguments.rows):
                round_trip(name, arguments.data, n_rows)
        return
    for n_rows in arguments.rows:
        for privacy in ("none", "standard"):
            each = [
                measure(getattr(tabgan, arguments.model), privacy, n_rows, seed)
                for seed in range(arguments.seeds)
            ]
            entry = {
                "model": arguments.model,
                "table": "adult",
                "rows": n_rows,
                "privacy": privacy,
                "seeds": arguments.seeds,
                "mean": {key: round(fmean(one[key] for one in each), 4) for key in each[0]},
                "each": [{key: round(value, 4) for key, value in one.items()} for one in each],
            }
            keep_result("withheld", entry, ["model", "table", "rows", "privacy"])
            print(n_rows, privacy, entry["mean"], flush=True)


if __name__ == "__main__":
    main()
