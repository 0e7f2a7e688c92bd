"""Rows given any columns: how quick, how right, and what the ability costs.

    python benchmarks/on_demand.py --data FOLDER [--tables adult shoppers beijing] [--seeds 0 ...]
    python benchmarks/on_demand.py --smoke

For the default synthesizer on each table, with the published split:

- *speed*: 10,000 rows are asked for, whose known values in k random columns come from test rows,
  and 10,000 rows in three intervals. Rows a second, whether every row came, and whether every row
  keeps every known value. Test rows with values that training never saw are left out, because
  conditions on them are refused.
- *target*: the posterior of the target given all other columns, on test rows, beside boosted trees
  that learnt the target from the training rows. Rows are also drawn, and agree with the truth as
  often as the posterior says.
- *columns*: every column in turn is hidden in test rows. The score is the accuracy of the most
  probable category, or R² of the posterior mean of a number, divided by that of boosted trees.
- *refill*: five random columns of training rows are drawn anew. C2ST-XGB tells these rows from the
  training rows.
- *rare*: rows under a condition of probability near 1e-4, beside rows that long rejection found.
  The distance in each column (Kolmogorov-Smirnov, or total variation) beside the distance that two
  random halves of the rejected rows have on average.
- *cost*: seconds of a fit with and without the any-order networks, and C2ST-XGB against test rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from common import RealTable, keep_result, load_published, load_small
from scipy.stats import ks_2samp
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score

import tabgan
from tabgan.evaluation import c2st
from tabgan.models.autoregressive import AutoregressiveGame

KEY = ("table", "seed", "part")
ATTEMPTS = 4_000_000


class Sizes:
    """Rows of each part, and the judge of rows; `smoke` makes all rows few."""

    def __init__(self, smoke: bool) -> None:
        self.asked, self.hidden, self.refilled = (200, 40, 400) if smoke else (10_000, 2000, 12_000)
        self.rare, self.attempts = (20, 20_000) if smoke else (1000, ATTEMPTS)
        self.judge = {} if smoke else {"classifier": "xgboost"}


def seen_in_training(table: RealTable) -> pd.DataFrame:
    """Keep the test rows whose every value may be asked for."""
    kept = np.ones(len(table.test), dtype=bool)
    for name, real in table.train.items():
        values = table.test[name]
        if pd.api.types.is_numeric_dtype(real) and real.dtype != bool:
            known = values.between(real.min(), real.max())
        else:
            known = values.isin(real.dropna().unique())
        kept &= (known | (values.isna() & real.isna().any())).to_numpy()
    return table.test[kept].reset_index(drop=True)


def same(made: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """Say which cells are equal, or both missing."""
    return (made.astype(object) == asked.astype(object)) | (made.isna() & asked.isna())


def speed(model: Any, table: RealTable, sizes: Sizes, seed: int) -> Iterator[dict[str, Any]]:
    """Measure rows given k random columns, and rows in three intervals."""
    rng = np.random.default_rng(seed)
    rows = seen_in_training(table)
    rows = rows.sample(sizes.asked, replace=len(rows) < sizes.asked, random_state=seed)
    rows = rows.reset_index(drop=True)
    width = rows.shape[1]
    for k in [k for k in (1, 2, 4, 7, 10, 14) if k < width]:
        hidden = rng.random(rows.shape).argsort(axis=1) >= k
        asked = rows.astype(object).mask(hidden, tabgan.ANY)
        started = time.perf_counter()
        made = model.sample(conditions=asked, random_state=seed)
        seconds = time.perf_counter() - started
        kept = (same(made, rows) | hidden).all(axis=1)
        yield {
            "known": k,
            "rows": len(made),
            "honoured": float(kept.mean()),
            "rows_per_s": round(len(made) / seconds),
        }
    numbers = [c for c in rows if pd.api.types.is_numeric_dtype(table.train[c])]
    some = rng.permutation([c for c in numbers if table.train[c].nunique() > 20]).tolist()[:3]
    asked = {}
    for name in some:
        low, high = table.train[name].quantile([0.5, 0.9])
        asked[name] = pd.Interval(float(low), float(high), closed="both")
    started = time.perf_counter()
    made = model.sample(sizes.asked, conditions=asked, random_state=seed)
    seconds = time.perf_counter() - started
    inside = [made[name].between(each.left, each.right) for name, each in asked.items()]
    yield {
        "known": "three intervals",
        "rows": len(made),
        "honoured": float(np.mean(np.all(inside, axis=0))),
        "rows_per_s": round(len(made) / seconds),
    }


def boosted(table: RealTable, column: str, rows: pd.DataFrame) -> tuple[Any, bool]:
    """Predict a column of rows by boosted trees that learnt from the training rows.

    Returns
    -------
    predicted : ndarray of shape (n,)
        The most probable category; for two categories, the probability of the second; the mean of
        a number.
    is_number : bool
    """
    X, others = table.train.drop(columns=column), rows.drop(columns=column)
    texts = [c for c in X if not pd.api.types.is_numeric_dtype(X[c]) or c in table.categorical]
    many = [c for c in texts if X[c].nunique() > 250]
    X, others = X.drop(columns=many), others.drop(columns=many)
    texts = [c for c in texts if c not in many]
    for name in texts:
        known = pd.CategoricalDtype(X[name].dropna().unique())
        X = X.assign(**{name: X[name].astype(known)})
        others = others.assign(**{name: others[name].astype(known)})
    y = table.train[column]
    known_y = y.notna()
    X, y = X[known_y], y[known_y]
    is_number = column not in table.categorical and pd.api.types.is_numeric_dtype(y)
    if is_number and y.nunique() > 2:
        trees: Any = HistGradientBoostingRegressor(categorical_features=texts, random_state=0)
        return trees.fit(X, y.astype(float)).predict(others), True
    trees = HistGradientBoostingClassifier(categorical_features=texts, random_state=0)
    y = y.astype(str)
    # Early stopping holds out some rows of each class.
    is_common = y.map(y.value_counts()) >= 10
    trees.fit(X[is_common], y[is_common])
    if len(trees.classes_) == 2:
        return trees.predict_proba(others)[:, 1], False
    return trees.predict(others), False


def target(model: Any, table: RealTable, sizes: Sizes, seed: int) -> Iterator[dict[str, Any]]:
    """Judge the posterior of the target, and draws from it."""
    rows = seen_in_training(table)
    others = rows.drop(columns=table.target)
    started = time.perf_counter()
    chance = model.conditional_proba(others, table.target)
    seconds = time.perf_counter() - started
    made = model.sample(conditions=others, random_state=seed)[table.target]
    predicted, is_number = boosted(table, table.target, rows)
    truth = rows[table.target]
    entry = {"target": table.target, "rows": len(rows), "rows_per_s": round(len(rows) / seconds)}
    if is_number:
        mean = chance.to_numpy() @ middles(chance.columns)
        yield entry | {
            "r2": r2_score(truth, mean),
            "r2_trees": r2_score(truth, predicted),
            "r2_of_draws": r2_score(truth, made),
            "expected_r2_of_draws": r2_score(truth, mean)
            - float(np.mean(chance.to_numpy() @ middles(chance.columns) ** 2 - mean**2))
            / float(np.var(truth)),
        }
        return
    last = sorted(map(str, truth.unique()))[-1]
    of_last = chance.loc[:, [str(c) == last for c in chance]].iloc[:, 0]
    is_last = (truth.astype(str) == last).to_numpy()
    yield entry | {
        "auc": roc_auc_score(is_last, of_last),
        "auc_trees": roc_auc_score(is_last, predicted),
        "agree": float((made.astype(str) == truth.astype(str)).mean()),
        "agree_expected": float((chance.to_numpy() ** 2).sum(axis=1).mean()),
        "rate_drawn": float((made.astype(str) == last).mean()),
        "rate": float(is_last.mean()),
    }


def middles(levels: pd.Index) -> np.ndarray:
    """Return the number that stands for each level: the middle of a bin; 0 for missing values."""
    return np.array(
        [0.0 if level is None else float(getattr(level, "mid", level)) for level in levels]
    )


def columns(model: Any, table: RealTable, sizes: Sizes, seed: int) -> Iterator[dict[str, Any]]:
    """Hide every column in turn, and predict it."""
    rows = seen_in_training(table).head(sizes.hidden)
    for name in table.train:
        if table.train[name].nunique() > 250 and not pd.api.types.is_numeric_dtype(
            table.train[name]
        ):
            continue
        truth = rows[name]
        known = truth.notna()
        chance = model.conditional_proba(rows[known].drop(columns=name), name)
        chance = chance.loc[:, [c is not None for c in chance]]
        predicted, is_number = boosted(table, name, rows[known])
        truth = truth[known]
        if is_number:
            values = chance.to_numpy()
            mean = values @ middles(chance.columns) / values.sum(axis=1)
            score, by_trees = r2_score(truth, mean), r2_score(truth, predicted)
        else:
            best = chance.columns.to_numpy()[chance.to_numpy().argmax(axis=1)]
            score = float((best.astype(str) == truth.astype(str)).mean())
            if predicted.dtype.kind == "f":
                classes = sorted(table.train[name].dropna().astype(str).unique())
                predicted = np.array(classes)[(predicted > 0.5).astype(int)]
            by_trees = float((predicted == truth.astype(str)).mean())
        yield {"column": name, "is_number": is_number, "score": score, "trees": by_trees}


def refill(model: Any, table: RealTable, sizes: Sizes, seed: int) -> Iterator[dict[str, Any]]:
    """Draw five random columns of training rows anew."""
    rng = np.random.default_rng(seed)
    rows = table.train.sample(min(sizes.refilled, len(table.train)), random_state=seed)
    rows = rows.reset_index(drop=True)
    hidden = rng.random(rows.shape).argsort(axis=1) < 5
    made = model.sample(conditions=rows.astype(object).mask(hidden, tabgan.ANY), random_state=seed)
    as_categories = {"categorical_features": table.categorical}
    yield {
        "rows": len(rows),
        "c2st_xgb": c2st(rows, made, **sizes.judge, **as_categories),
        "kept": float((same(made, rows) | hidden).all(axis=None)),
    }


def rare(model: Any, table: RealTable, sizes: Sizes, seed: int) -> Iterator[dict[str, Any]]:
    """Compare rows under a rare condition with those that rejection finds."""
    rng = np.random.default_rng(seed)
    train = table.train
    numbers = [
        c for c in train if pd.api.types.is_numeric_dtype(train[c]) and train[c].nunique() > 20
    ]
    asked: dict[str, Any] = {}
    meets = np.ones(len(train), dtype=bool)
    # Upper intervals of one number after another, until few training rows are left.
    for name in rng.permutation(numbers).tolist():
        low = train.loc[meets, name].quantile(0.95)
        high = train[name].max()
        if low >= high or low <= train[name].min():
            continue
        asked[name] = pd.Interval(float(low), float(high), closed="both")
        meets &= train[name].between(low, high).to_numpy()
        if meets.mean() < 2e-4:
            break
    found, drawn = [], 0
    while drawn < sizes.attempts and sum(map(len, found)) < sizes.rare:
        pool = model.sample(200_000 if sizes.attempts > 1e6 else 5000)
        drawn += len(pool)
        inside = [pool[name].between(each.left, each.right) for name, each in asked.items()]
        found.append(pool[np.all(inside, axis=0)])
    rejected = pd.concat(found, ignore_index=True)
    made = model.sample(max(2, len(rejected)), conditions=asked, random_state=seed)
    apart, noise = [], []
    for name in train:
        is_number = pd.api.types.is_numeric_dtype(train[name]) and name not in table.categorical
        apart.append(distance(rejected[name], made[name], is_number))
        halves = []
        for _ in range(20):
            order = rng.permutation(len(rejected))
            first, second = np.array_split(order, 2)
            halves.append(
                distance(rejected[name].iloc[first], rejected[name].iloc[second], is_number)
            )
        # Halves hold half as many rows as the samples that are compared.
        noise.append(float(np.mean(halves)) / np.sqrt(2))
    yield {
        "condition": {name: [each.left, each.right] for name, each in asked.items()},
        "probability": len(rejected) / drawn,
        "rows": len(rejected),
        "distance": float(np.mean(apart)),
        "distance_by_noise": float(np.mean(noise)),
        "worst": float(np.max(np.array(apart) - np.array(noise))),
    }


def distance(first: pd.Series, second: pd.Series, is_number: bool) -> float:
    """Return the Kolmogorov-Smirnov distance of numbers, or the total variation of categories."""
    if not len(first) or not len(second):
        return float("nan")
    if is_number:
        return float(
            ks_2samp(
                first.astype(float).fillna(-1e300), second.astype(float).fillna(-1e300)
            ).statistic
        )
    rates = [part.astype(str).value_counts(normalize=True) for part in (first, second)]
    return float(rates[0].sub(rates[1], fill_value=0.0).abs().sum() / 2)


def cost(model: Any, table: RealTable, sizes: Sizes, seed: int) -> Iterator[dict[str, Any]]:
    """Time a fit with and without the any-order networks, and judge rows without conditions."""
    seconds = {}
    players = AutoregressiveGame.players
    for kind in ("with", "without"):
        if kind == "without":
            AutoregressiveGame.players = lambda game: players(game)[:1]  # type: ignore[method-assign]
        started = time.perf_counter()
        clone(model).fit(table.train)
        seconds[kind] = time.perf_counter() - started
    AutoregressiveGame.players = players  # type: ignore[method-assign]
    rows = model.sample(len(table.train), random_state=seed)
    as_categories = {"categorical_features": table.categorical, **sizes.judge}
    yield {
        "fit_s": round(seconds["with"], 2),
        "fit_s_without": round(seconds["without"], 2),
        "ratio": round(seconds["with"] / seconds["without"], 2),
        "c2st_xgb": c2st(table.train, rows, **as_categories),
        "c2st_xgb_test": c2st(table.test, rows, **as_categories),
    }


PARTS = {
    "speed": speed,
    "target": target,
    "columns": columns,
    "refill": refill,
    "rare": rare,
    "cost": cost,
}


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("."))
    parser.add_argument("--tables", nargs="+", default=["adult", "shoppers", "beijing"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--smoke", action="store_true", help="few rows and steps; writes nothing")
    options = parser.parse_args()
    sizes = Sizes(options.smoke)
    names = ["breast_cancer"] if options.smoke else options.tables
    for name in names:
        for seed in options.seeds:
            load = load_small if options.smoke else load_published
            table = load(name, seed if options.smoke else options.data)  # type: ignore[operator]
            n_steps = 20 if options.smoke else None
            # Test rows are asked for, whatever their values.
            model = tabgan.AutoregressiveSynthesizer(
                privacy="none", n_steps=n_steps, random_state=seed
            )
            model.fit(table.train)
            for part in options.parts:
                entries = list(PARTS[part](model, table, sizes, seed))
                for entry in entries:
                    print(name, seed, part, entry, flush=True)
                if not options.smoke:
                    threads = torch.get_num_threads()
                    found = {"table": name, "seed": seed, "part": part, "threads": threads}
                    keep_result("on_demand", found | {"figures": entries}, KEY)


if __name__ == "__main__":
    main()
