"""CycleGAN against known shifts: two halves of a table, one of which was changed by a known rule.

    python benchmarks/cyclegan.py --data DIR [--quick] [--tables adult shoppers] [--seeds 0 1]

DIR holds shoppers.csv.gz (UCI Machine Learning Repository). The rule of Adult changes ages and
gains along curves, weekly hours by sex, and words of four columns, one of them by sex; that of
Shoppers changes three numbers along curves, a count by the kind of visitor, and words of two
columns. Rows of the first half are translated; since the rule is known, so is the truth. An error
is the share of wrong words, or the distance from the right number in standard deviations. Beside
it: doing nothing, and matching each column's distribution to the second half's on its own. Then a
classifier of the target learns from translated rows and is tested on rows of the second half.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import load_table, write
from sklearn.metrics import roc_auc_score
from xgboost import XGBClassifier

from tabgan import CycleGANTranslator

TARGETS = {"adult": ("income", ">50K"), "shoppers": ("Revenue", "True")}
"""Of each table what is predicted, and which value counts as yes."""


def shift_shoppers(table: pd.DataFrame) -> pd.DataFrame:
    """Apply the rule of Shoppers."""
    moved = table.copy()
    moved["ProductRelated_Duration"] = table["ProductRelated_Duration"] / 60
    moved["ExitRates"] = np.sqrt(table["ExitRates"]).round(9)
    moved["PageValues"] = (100 * np.log1p(table["PageValues"] / 20)).round(9)
    returns = table["VisitorType"] == "Returning_Visitor"
    count = table["ProductRelated"]
    moved["ProductRelated"] = np.where(returns, np.ceil(1.5 * count), 0.5 * count).astype(int)
    moved["Month"] = table["Month"].replace({"Aug": "Summer", "Jul": "Summer", "Nov": "November"})
    moved["VisitorType"] = table["VisitorType"].replace("Returning_Visitor", "Known")
    return moved


def shift_adult(table: pd.DataFrame) -> pd.DataFrame:
    """Apply the rule of Adult."""
    moved = table.copy()
    woman = table["sex"] == "Female"
    moved["age"] = np.round(17 + 73 * ((table["age"] - 17) / 73) ** 0.7).astype(int)
    moved["hours-per-week"] = np.where(
        woman, np.round(0.75 * table["hours-per-week"]), np.minimum(99, table["hours-per-week"] + 5)
    ).astype(int)
    gain = table["capital-gain"]
    moved["capital-gain"] = np.round(100 * np.sqrt(gain)).astype(int)
    names = {
        "workclass": {f"{level}-gov": "Government" for level in ("Federal", "State", "Local")},
        "relationship": {"Husband": "Spouse", "Wife": "Spouse"},
        "marital-status": {"Married-civ-spouse": "Married", "Never-married": "Single"},
    }
    for column, new in names.items():
        moved[column] = table[column].replace(new)
    clerk = woman & (table["occupation"] == "Adm-clerical")
    moved["occupation"] = table["occupation"].mask(clerk, "Secretary")
    return moved


def match_marginals(
    a: pd.DataFrame, b: pd.DataFrame, rows: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Give each column of `rows`, drawn like `a`, the distribution it has in `b`."""
    matched = rows.copy()
    for column in rows:
        if pd.api.types.is_numeric_dtype(rows[column]):
            low, high = (
                np.searchsorted(np.sort(a[column]), rows[column], side=side)
                for side in ("left", "right")
            )
            rank = (low + rng.random(len(rows)) * (high - low)) / len(a)
            matched[column] = np.quantile(b[column], rank, method="nearest")
        else:
            before, after = (t[column].value_counts(normalize=True) for t in (a, b))
            before, after = before.align(after, fill_value=0.0)
            keep = (after / before.clip(lower=1e-9)).clip(upper=1.0)
            gone = rng.random(len(rows)) > rows[column].map(keep).fillna(0.0)
            spare = (after - before).clip(lower=0.0)
            if spare.sum() > 0:
                drawn = rng.choice(spare.index, size=len(rows), p=spare / spare.sum())
                matched[column] = rows[column].mask(gone & rows[column].notna(), drawn)
    return matched


def errors(rows: pd.DataFrame, truth: pd.DataFrame, changed: list[str]) -> dict[str, float]:
    """Error of the columns the rule changes and of those it leaves alone."""
    by_column = {}
    for column in truth:
        if pd.api.types.is_numeric_dtype(truth[column]):
            wrong = (rows[column] - truth[column]).abs() / truth[column].std()
        else:
            wrong = rows[column].fillna("") != truth[column].fillna("")
        by_column[column] = float(wrong.mean())
    left = [column for column in truth if column not in changed]
    return {
        "changed_columns": float(np.mean([by_column[column] for column in changed])),
        "other_columns": float(np.mean([by_column[column] for column in left])),
        **{f"of {column}": round(by_column[column], 4) for column in changed},
    }


def auc(train: pd.DataFrame, labels: pd.Series, test: pd.DataFrame, yes: str) -> float:
    """Train on some rows and their labels, test on others."""
    X, T = (table.drop(columns=labels.name) for table in (train, test))
    both = pd.concat([X, T], ignore_index=True)
    words = both.select_dtypes(exclude="number").columns
    both[words] = both[words].astype("category")
    model = XGBClassifier(enable_categorical=True, n_jobs=1, n_estimators=100)
    model.fit(both[: len(X)], labels.eq(yes))
    return float(
        roc_auc_score(test[labels.name].eq(yes), model.predict_proba(both[len(X) :])[:, 1])
    )


def read(name: str, data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read training and test rows, whose words and flags are texts."""
    train, test, _ = load_table(name, data)
    words = train.select_dtypes(exclude="number").columns
    flags = dict.fromkeys(train.select_dtypes("bool").columns, str)
    texts = dict.fromkeys(words, object)
    return train.astype(flags).astype(texts), test.astype(flags).astype(texts)


def main() -> None:
    """Measure for each table and seed and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(), help="not needed for Adult")
    parser.add_argument("--tables", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=1000, help="training steps, 1000 by default")
    parser.add_argument("--quick", action="store_true", help="one seed, few steps")
    parser.add_argument("--name", default="cyclegan")
    args = parser.parse_args()
    n_steps = 20 if args.quick else args.steps
    results: list[dict[str, Any]] = []
    for table in args.tables:
        shift = {"adult": shift_adult, "shoppers": shift_shoppers}[table]
        target, yes = TARGETS[table]
        train, test = read(table, args.data)
        for seed in args.seeds[: 1 if args.quick else None]:
            order = np.random.default_rng(seed).permutation(len(train))
            a, b = (train.iloc[half].reset_index(drop=True) for half in np.array_split(order, 2))
            truth, b, tested = shift(a), shift(b), shift(test)
            changed = [column for column in a if not truth[column].equals(a[column])]
            started = time.perf_counter()
            model = CycleGANTranslator(n_steps=n_steps, random_state=seed).fit(a, b)
            seconds = time.perf_counter() - started
            rows = {
                "do nothing": a,
                "match marginals": match_marginals(a, b, a, np.random.default_rng(seed)),
                "CycleGANTranslator": model.transform(a),
                "truth": truth,
            }
            for name, made in rows.items():
                results.append(
                    {
                        "table": table,
                        "seed": seed,
                        "rows": name,
                        **errors(made, truth, changed),
                        "auc_on_b": auc(made, a[target], tested, yes),
                        "n_steps": n_steps if name == "CycleGANTranslator" else None,
                        "fit_s": round(seconds, 1) if name == "CycleGANTranslator" else None,
                    }
                )
                print(results[-1], flush=True)
            write(args.name + ("_quick" if args.quick else ""), results)


if __name__ == "__main__":
    main()
