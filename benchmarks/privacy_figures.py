"""Tell copies from fresh rows by the privacy figures, whatever the sizes of the tables.

Real rows are split into a training table and a holdout, and four synthetic tables as long as the
training table are judged:

- copy: the training rows themselves;
- jitter: the training rows, each number moved by a millionth of its standard deviation;
- fresh: other rows of the same source;
- tenth: copies of one training row in ten, and fresh rows.

A figure that can be trusted gives `nearer_to_train` 1, 1, 0.5 and 0.55 at any split, and gives
`near_duplicates` 1, 1, the rate of the held-out rows, and that rate plus a tenth of the rest.
`dcr` is the published share, which draws training rows down to the number of held-out rows.

Run it from the folder of benchmarks:

    OMP_NUM_THREADS=1 python privacy_figures.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import fmean, pstdev
from time import perf_counter

import numpy as np
import pandas as pd
from common import keep_result

from tabgan.datasets import load_adult, make_mixed_table
from tabgan.evaluation import distance_to_closest_record

N_REAL = 3_000
SPLITS = (0.5, 0.8, 0.95)
ADULT = pd.concat(load_adult(), ignore_index=True)


def numbers(n_rows: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(n_rows, 5)), columns=list("abcde"))


def mixed(n_rows: int, seed: int) -> pd.DataFrame:
    return make_mixed_table(n_rows, missing=0.05, random_state=seed)


def adult(n_rows: int, seed: int) -> pd.DataFrame:
    return ADULT.sample(n_rows, random_state=seed).reset_index(drop=True)


def ties(n_rows: int, seed: int) -> pd.DataFrame:
    """Make a table of few values: a fifth of the fresh rows equal another row."""
    rng = np.random.default_rng(seed)
    often_zero = np.where(rng.random(n_rows) < 0.9, 0, rng.integers(1, 3000, n_rows))
    return pd.DataFrame(
        {
            "a": rng.integers(0, 6, n_rows),
            "b": rng.choice(list("xyz"), n_rows),
            "count": rng.poisson(2, n_rows),
            "gain": often_zero,
            "hours": rng.integers(0, 40, n_rows),
        }
    )


def jitter(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    moved = {}
    for name in table.select_dtypes("number"):
        column = table[name].astype(float)
        moved[name] = column + 1e-6 * column.std() * rng.normal(size=len(table))
    return table.assign(**moved)


def synthetic_tables(
    train: pd.DataFrame, fresh: pd.DataFrame, seed: int
) -> dict[str, pd.DataFrame]:
    tenth = len(train) // 10
    copied = train.sample(tenth, random_state=seed)
    return {
        "copy": train,
        "jitter": jitter(train, seed),
        "fresh": fresh,
        "tenth": pd.concat([copied, fresh.iloc[tenth:]], ignore_index=True),
    }


def measure(
    make: Callable[[int, int], pd.DataFrame], share: float, seeds: range
) -> dict[str, object]:
    n_train = round(share * N_REAL)
    figures: dict[str, list[float]] = {}
    start = perf_counter()
    for seed in seeds:
        rows = make(N_REAL + n_train, seed)
        cuts = (0, n_train, N_REAL, len(rows))
        train, holdout, fresh = (
            rows.iloc[a:b].reset_index(drop=True) for a, b in zip(cuts, cuts[1:], strict=False)
        )
        for case, synthetic in synthetic_tables(train, fresh, seed).items():
            closest = distance_to_closest_record(train, synthetic, holdout)
            for key, attribute in (
                ("nearer_to_train", "share_nearer_to_train"),
                ("dcr", "dcr"),
                ("near_duplicates", "near_duplicate_rate"),
                ("near_duplicates_of_holdout", "holdout_near_duplicate_rate"),
            ):
                if hasattr(closest, attribute):
                    figures.setdefault(f"{case}_{key}", []).append(getattr(closest, attribute))
    spread = {name: [round(fmean(v), 4), round(pstdev(v), 4)] for name, v in figures.items()}
    return {**spread, "seconds": round((perf_counter() - start) / len(seeds), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--label", default="corrected for unequal sizes")
    arguments = parser.parse_args()
    for make in (numbers, mixed, adult, ties):
        for share in SPLITS:
            figures = measure(make, share, range(arguments.seeds))
            entry = {
                "label": arguments.label,
                "table": make.__name__,
                "train": round(share * N_REAL),
                "holdout": N_REAL - round(share * N_REAL),
                "seeds": arguments.seeds,
                "mean and standard deviation": figures,
            }
            keep_result("privacy_figures", entry, ["label", "table", "train"])
            shown = {k: v[0] for k, v in figures.items() if isinstance(v, list)}
            print(make.__name__, share, shown, flush=True)


if __name__ == "__main__":
    main()
