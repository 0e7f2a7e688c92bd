"""How near the default model's rows lie to its training rows, on the tables of the protocol.

    python benchmarks/near_duplicates.py --data DIR [--tables beijing] [--seeds 0]

DIR holds the tables as benchmarks/common.py reads them. Figures are those of `evaluate`, which
thins nothing; fresh real rows score .5 and what stands under "fresh near duplicates".
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

from common import load_table, write

import tabgan
from tabgan.evaluation import distance_to_closest_record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=["beijing"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = []
    for name in options.tables:
        train, test, _ = load_table(name, options.data)
        for seed in options.seeds:
            model = tabgan.AutoregressiveSynthesizer(random_state=seed).fit(train)
            rows = model.sample(len(train), random_state=seed)
            found = distance_to_closest_record(train, rows, test, max_rows=10_000, random_state=0)
            results.append(
                {
                    "table": name,
                    "seed": seed,
                    "nearer to train": round(found.share_nearer_to_train, 4),
                    "near duplicates": round(found.near_duplicate_rate, 4),
                    "fresh near duplicates": round(found.holdout_near_duplicate_rate, 4),
                    "dcr": round(found.dcr, 4),
                }
            )
            print(results[-1], flush=True)
    write("near_duplicates", results)


if __name__ == "__main__":
    main()
