"""What `privacy="standard"` costs and saves.

A synthesizer learns some training rows of Adult at its defaults, with and without `privacy`. Ten
times as many rows are drawn. Attackers who see them guess which rows were learnt, against as many
rows that were not (`membership_inference`); column shapes and pair trends compare the drawn rows
with 10,000 test rows.

Run it from the folder of benchmarks:

    OMP_NUM_THREADS=1 python withheld.py --rows 300 1000 --seeds 0 1

With `--fit`, the training rows of `--tables` are learnt, at most `--most-rows`, and as many rows
are drawn: C2ST, trends and shapes against test rows, and MLE, as in `judging.py`:

    OMP_NUM_THREADS=1 python withheld.py --fit --data DIR --tables adult iris --seeds 0 1

Pair trends cut each table's own range into bins, so that one number more at an end moves every bin.
`trend_common` cuts both tables where the test rows have their bins.

With `--data` alone, no model is trained: the training rows of the three published tables are
encoded and decoded, all of them and as few as `--rows` says, which shows what the description of
columns alone costs in fidelity to test rows. Unknown cells are drawn from the known ones of their
column.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from time import perf_counter

import numpy as np
import pandas as pd
from common import SMALL_TABLES, RealTable, keep_result, load_published, load_small
from judging import trend_and_mle

import tabgan
from tabgan.datasets import load_adult
from tabgan.evaluation import (
    c2st,
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


def trend_in_common_bins(real: pd.DataFrame, made: pd.DataFrame, categorical: list[str]) -> float:
    """Return the mean pair trend, with numbers beside categories in ten bins of the real range."""
    own = pair_trends(real, made, categorical_features=categorical).to_numpy()
    numbers = [name for name in real if name not in categorical and real[name].dtype.kind in "iuf"]
    tables = [real.copy(), made.copy()]
    for name in numbers:
        edges = np.linspace(real[name].min(), real[name].max(), 11)[1:-1]
        for table in tables:
            bins = np.digitize(table[name].to_numpy(dtype=float), edges)
            table[name] = np.where(table[name].isna(), -1, bins)
    common = pair_trends(*tables, categorical_features=[*categorical, *numbers]).to_numpy()
    is_number = real.columns.isin(numbers)
    both = is_number[:, None] & is_number
    trends = np.where(both, own, common)
    return float(trends[np.triu_indices(len(trends), 1)].mean())


def judge(model: str, table: RealTable, privacy: str, seed: int) -> dict[str, float]:
    """Fit on all training rows, draw as many, and compare with test rows."""
    start = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fitted = getattr(tabgan, model)(privacy=privacy, random_state=seed).fit(table.train)
        seconds = perf_counter() - start
        made = fitted.sample(len(table.train))
    as_categories = {"categorical_features": table.categorical}
    figures = trend_and_mle(made, made, table)
    return {
        "c2st": c2st(table.test, made, classifier="xgboost", **as_categories),
        "c2st_train": c2st(table.train, made, classifier="xgboost", **as_categories),
        "shape": float(column_shapes(table.test, made, **as_categories).mean()),
        "trend": figures["trend"],
        "trend_all": figures["trend_all"],
        "trend_test": mean_pair_trend(pair_trends(table.test, made, **as_categories)),
        "trend_common": trend_in_common_bins(table.test, made, table.categorical),
        "mle": figures["mle"],
        "fit_seconds": seconds,
    }


def fit_whole(arguments: argparse.Namespace) -> None:
    """Keep one entry for each table, seed and `privacy`."""
    for seed in arguments.seeds:
        for name in arguments.tables:
            table = (
                load_small(name, seed)
                if name in SMALL_TABLES
                else load_published(name, arguments.data)
            )
            if arguments.most_rows < len(table.train):
                some = table.train.sample(arguments.most_rows, random_state=seed)
                table = replace(table, train=some.reset_index(drop=True))
            for privacy in arguments.privacy:
                figures = judge(arguments.model, table, privacy, seed)
                entry = {
                    "model": arguments.model,
                    "table": name,
                    "rows": len(table.train),
                    "privacy": privacy,
                    "seed": seed,
                    **{key: round(value, 4) for key, value in figures.items()},
                }
                keep_result("withheld_fits", entry, ["model", "table", "rows", "privacy", "seed"])
                print(entry, flush=True)


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
    texts = list(held.select_dtypes(exclude="number"))
    return {
        "distance_auc": attack.distance_auc,
        "density_auc": attack.density_auc,
        "shape": float(column_shapes(held, some).mean()),
        "trend": mean_pair_trend(pair_trends(held, some)),
        "trend_common": trend_in_common_bins(held, some, texts),
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
                "trend_common": round(trend_in_common_bins(table.test, made, categorical), 4),
            },
        }
        keep_result("withheld", entry, ["model", "table", "rows", "privacy"])
        print(name, label, entry["mean"], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--privacy", nargs="+", default=["none", "standard"])
    parser.add_argument("--model", default="AutoregressiveSynthesizer")
    parser.add_argument("--tables", nargs="+", default=["adult", "shoppers", "beijing"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--most-rows", type=int, default=10**9)
    arguments = parser.parse_args()
    if arguments.fit:
        fit_whole(arguments)
        return
    if arguments.data is not None:
        for name in arguments.tables:
            for n_rows in (None, *arguments.rows):
                round_trip(name, arguments.data, n_rows)
        return
    for n_rows in arguments.rows:
        for privacy in arguments.privacy:
            each = [
                measure(getattr(tabgan, arguments.model), privacy, n_rows, seed)
                for seed in arguments.seeds
            ]
            entry = {
                "model": arguments.model,
                "table": "adult",
                "rows": n_rows,
                "privacy": privacy,
                "seeds": len(arguments.seeds),
                "mean": {key: round(fmean(one[key] for one in each), 4) for key in each[0]},
                "each": [{key: round(value, 4) for key, value in one.items()} for one in each],
            }
            keep_result("withheld", entry, ["model", "table", "rows", "privacy"])
            print(n_rows, privacy, entry["mean"], flush=True)


if __name__ == "__main__":
    main()
