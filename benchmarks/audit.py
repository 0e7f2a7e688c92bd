"""Whether the audit of privacy ranks known leaks, and what it finds in the default model's rows.

Real rows are split into a training table, as many held-out rows and as many fresh ones. Audited are

- copy: the training rows themselves;
- jitter: the training rows, each number moved by a millionth of its standard deviation;
- redrawn: training rows drawn with replacement, which leave out 37 % of them;
- tenth: copies of one training row in ten, and fresh rows;
- fresh: other rows of the same source;
- autoregressive: as many rows of `AutoregressiveSynthesizer` at its defaults as were learnt;
- autoregressive x10: ten times as many.

"mean risk" is the mean of the risks that are listed there: it ranks the leaks. Run it from the
folder of benchmarks; the second command adds the attack by shadow models, which fits the model four
times more:

    OMP_NUM_THREADS=1 python audit.py --seeds 0 1 2
    OMP_NUM_THREADS=1 python audit.py --tables mixed --cases autoregressive --shadows --seeds 0
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from time import perf_counter, process_time

import pandas as pd
from common import keep_result
from privacy_figures import adult, jitter, mixed

import tabgan
from tabgan.evaluation import audit

TABLES: dict[str, tuple[Callable[[int, int], pd.DataFrame], int]] = {
    "mixed": (mixed, 300),
    "adult": (adult, 5_000),
}
RANKED = (
    "singling_out_univariate",
    "singling_out_multivariate",
    "linkability",
    "inference",
    "membership_tpr_1",
)
LEAKS = ("copy", "jitter", "redrawn", "tenth", "fresh")
CASES = (*LEAKS, "autoregressive", "autoregressive x10")


def leaking(case: str, train: pd.DataFrame, fresh: pd.DataFrame, seed: int) -> pd.DataFrame:
    if case == "copy":
        return train.sample(frac=1.0, random_state=seed)
    if case == "jitter":
        return jitter(train, seed)
    if case == "redrawn":
        return train.sample(len(train), replace=True, random_state=seed)
    if case == "tenth":
        tenth = len(train) // 10
        copied = train.sample(tenth, random_state=seed)
        return pd.concat([copied, fresh.iloc[tenth:]], ignore_index=True)
    return fresh


def measure(name: str, case: str, seed: int, shadows: bool) -> dict[str, object]:
    make, n_rows = TABLES[name]
    rows = make(3 * n_rows, seed)
    train, holdout, fresh = (
        rows.iloc[k * n_rows : (k + 1) * n_rows].reset_index(drop=True) for k in range(3)
    )
    model = None
    if case.startswith("autoregressive"):
        model = tabgan.AutoregressiveSynthesizer(random_state=seed).fit(train)
        synthetic = model.sample(n_rows * (10 if case.endswith("x10") else 1), random_state=seed)
    else:
        synthetic = leaking(case, train, fresh, seed)
    wall, processor = perf_counter(), process_time()
    found = audit(train, synthetic, holdout, model=model if shadows else None, random_state=seed)
    return {
        "mean risk": round(float(found.figures.loc[list(RANKED), "value"].mean()), 4),
        "figures": {
            str(metric): [round(float(row[key]), 4) for key in ("value", "low", "high")]
            for metric, row in found.figures.iterrows()
            if row["value"] == row["value"]
        },
        "leaks": found.leaks,
        "rows at risk": found.to_dict()["rows_at_risk"],
        "riskiest column": str(found.inference.index[0]),
        "seconds": round(perf_counter() - wall, 1),
        "processor seconds": round(process_time() - processor, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--shadows", action="store_true", help="also attack by shadow models")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in options.tables:
        for seed in options.seeds:
            for case in options.cases:
                measured = measure(name, case, seed, options.shadows)
                entry = {
                    "table": name,
                    "rows": TABLES[name][1],
                    "case": case,
                    "seed": seed,
                    "shadows": options.shadows,
                    **measured,
                }
                keep_result("audit", entry, ["table", "case", "seed", "shadows"])
                print(name, case, seed, measured["mean risk"], measured["leaks"], flush=True)


if __name__ == "__main__":
    main()
