"""Rules of tables: broken rows, fidelity and seconds with constraints and without.

    python benchmarks/constraints.py [--seeds 0 1 2] [--rows 8000] [--sampled 100000]

Six tables are made, each of which keeps rules of its own in every row. The default model learns the
training rows of each table, once without constraints and once with the table's rules. Counted are
the rows of 100,000 synthetic ones that break a rule. Fidelity is `tabgan.evaluation.c2st` between
synthetic rows and as many fresh rows of the table. Seconds are those of the processor: of `fit`,
the median of three calls of `sample`, and those of `sample` that the rules take. Results go to
``results/constraints.json``, one entry for each table, seed and way.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from common import keep_result

from tabgan import AutoregressiveSynthesizer
from tabgan.constraints import (
    Constraint,
    FixedCombinations,
    Formula,
    Increment,
    Inequality,
    OneHot,
    Pattern,
    Product,
    Range,
    Sum,
    Unique,
    Weekdays,
)
from tabgan.evaluation import c2st, column_shapes, mean_pair_trend, pair_trends

Rng = np.random.Generator


def days(numbers: Any) -> pd.Series:
    """Count days from the first of 2022."""
    return pd.Series(pd.Timestamp("2022-01-01") + pd.to_timedelta(numbers, unit="D"))


def stays(n: int, rng: Rng) -> tuple[pd.DataFrame, list[Constraint]]:
    """Stays in a hospital: an end that is never before the start, and sometimes missing."""
    ward = rng.choice(["surgery", "children", "heart"], n, p=[0.5, 0.3, 0.2])
    mean = pd.Series(ward).map({"surgery": 4, "children": 2, "heart": 9}).to_numpy()
    start = rng.integers(0, 700, n)
    length = rng.poisson(mean * rng.gamma(2, 0.5, n))
    end = days(start + length).where(rng.random(n) > 0.05)
    age = np.where(ward == "children", rng.integers(0, 18, n), rng.integers(18, 95, n))
    cost = np.round(300 * length + rng.gamma(2, 200, n), 2)
    table = pd.DataFrame({"ward": ward, "start": days(start), "end": end, "age": age, "cost": cost})
    return table, [Inequality("start", "end")]


def quotes(n: int, rng: Rng) -> tuple[pd.DataFrame, list[Constraint]]:
    """Prices of a day: the close lies between the low and the high."""
    sector = rng.choice(["energy", "food", "steel"], n)
    level = np.exp(rng.normal(pd.Series(sector).map({"energy": 4, "food": 3, "steel": 5}), 0.4))
    spread = level * rng.gamma(2, 0.01, n)
    share = rng.beta(2, 2, n)
    low = np.round(level - spread * share, 2)
    high = np.round(level + spread * (1 - share), 2)
    close = np.round(np.clip(level + spread * rng.normal(0, 0.2, n), low, high), 2)
    volume = np.rint(np.exp(rng.normal(8, 1, n)) * (1 + spread / level))
    table = pd.DataFrame(
        {"sector": sector, "low": low, "close": close, "high": high, "volume": volume}
    )
    return table, [Range("close", "low", "high")]


def bills(n: int, rng: Rng) -> tuple[pd.DataFrame, list[Constraint]]:
    """Bills: net is a number times a price, and the total is net and shipping."""
    kind = rng.choice(["private", "trade"], n, p=[0.7, 0.3])
    number = 1 + rng.poisson(np.where(kind == "trade", 8, 1))
    price = np.round(rng.gamma(2, 12, n), 2)
    shipping = rng.choice([0.0, 4.9, 9.9], n, p=[0.4, 0.4, 0.2])
    net = np.round(number * price, 2)
    total = np.round(net + shipping, 2)
    table = pd.DataFrame(
        {
            "kind": kind,
            "number": number,
            "price": price,
            "net": net,
            "shipping": shipping,
            "total": total,
        }
    )
    return table, [Product("net", ["number", "price"]), Sum("total", ["net", "shipping"])]


def cars(n: int, rng: Rng) -> tuple[pd.DataFrame, list[Constraint]]:
    """Cars: each model is of one make, and each make and model has a few engines."""
    makes = 12
    make = rng.choice(makes, n, p=rng.permutation(np.arange(1, makes + 1)) / 78)
    model = make * 8 + np.minimum(rng.geometric(0.35, n) - 1, 7)
    engine = np.array(["petrol", "diesel", "electric"])[(model + rng.integers(0, 2, n)) % 3]
    age = rng.gamma(2, 3, n)
    price = np.rint(np.exp(9 + 0.1 * make - 0.12 * age + rng.normal(0, 0.2, n)))
    table = pd.DataFrame(
        {
            "make": [f"make {i}" for i in make],
            "model": [f"model {i}" for i in model],
            "engine": engine,
            "year": 2024 - age.astype(int),
            "price": price,
        }
    )
    return table, [FixedCombinations(["make", "model"]), FixedCombinations(["model", "engine"])]


def shifts(n: int, rng: Rng) -> tuple[pd.DataFrame, list[Constraint]]:
    """Shifts: quarters of an hour, on weekdays, in one of three places."""
    date = rng.integers(0, 700, n)
    date = date + np.array([0, 0, 0, 0, 0, 2, 1])[(date + 5) % 7]
    weekday = (date + 5) % 7
    place = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    hours = 0.25 * np.rint(rng.normal(4 * (6 + place), 6, n)).clip(4, 48)
    table = pd.DataFrame({"date": days(date), "weekday": weekday, "hours": hours})
    for i, name in enumerate(["office", "home", "travel"]):
        table[name] = (place == i).astype(int)
    table["wage"] = np.round(18 + 4 * rng.gamma(2, 1, n) + place, 2)
    return table, [
        Weekdays("date"),
        Formula("weekday", "weekday", ["date"]),
        Increment("hours", 0.25),
        OneHot(["office", "home", "travel"]),
    ]


def orders(n: int, rng: Rng) -> tuple[pd.DataFrame, list[Constraint]]:
    """Orders: keys, codes, a chain of dates with gaps, and a total that bounds a part of it."""
    ordered = rng.integers(0, 600, n)
    shipped = ordered + rng.poisson(2, n)
    delivered = shipped + 1 + rng.poisson(3, n)
    lost = rng.random(n) < 0.04
    net = np.round(np.exp(rng.normal(4, 0.8, n)), 2)
    tax = np.round(net * rng.choice([0.07, 0.19], n), 2)
    letters = rng.choice(list("ABCDE"), (n, 2))
    table = pd.DataFrame(
        {
            "order": np.arange(100_000, 100_000 + n),
            "code": [
                f"{a}{b}-{k:06d}" for (a, b), k in zip(letters, rng.permutation(n), strict=True)
            ],
            "ordered": days(ordered),
            "shipped": days(shipped),
            "delivered": days(delivered).where(~lost),
            "net": net,
            "tax": tax,
            "total": np.round(net + tax, 2),
            "customer": rng.permutation(n) % max(1, n // 4),
            "line": np.repeat(np.arange(4), -(-n // 4))[:n],
        }
    )
    order = rng.permutation(n)
    table["customer"], table["line"] = order // 4, order % 4
    return table, [
        Unique("order"),
        Pattern("code", "[A-E]{2}-[0-9]{6}"),
        Inequality("ordered", "shipped", "delivered"),
        Sum("total", ["net", "tax"]),
        Inequality("net", "total"),
    ]


TABLES: dict[str, Callable[[int, Rng], tuple[pd.DataFrame, list[Constraint]]]] = {
    "stays": stays,
    "quotes": quotes,
    "bills": bills,
    "cars": cars,
    "shifts": shifts,
    "orders": orders,
}


def measure(name: str, seed: int, with_rules: bool, n_rows: int, n_sampled: int) -> dict[str, Any]:
    """Fit one table, sample it, and count what is broken."""
    table, rules = TABLES[name](2 * n_rows, np.random.default_rng(seed))
    # Rows in a random order: keys and lines are given out in the order of the rows.
    order = np.random.default_rng(seed + 1).permutation(len(table))
    train, fresh = (
        table.iloc[rows].reset_index(drop=True) for rows in (order[:n_rows], order[n_rows:])
    )
    assert not any(rule.broken(train).any() for rule in rules)
    model = AutoregressiveSynthesizer(random_state=seed, constraints=rules if with_rules else None)
    start = time.process_time()
    model.fit(train)
    fit_cpu_s = time.process_time() - start
    seconds = []
    for _ in range(3):
        start = time.process_time()
        rows = model.sample(n_sampled, random_state=seed)
        seconds.append(time.process_time() - start)
    # Pairs that exist are those of the whole table, which the rules of the training rows lack.
    known = [rule.learn(table) for rule in rules]
    broken = {
        str(rule): int(each.broken(rows).sum()) for rule, each in zip(rules, known, strict=True)
    }
    any_broken = np.logical_or.reduce([rule.broken(rows) for rule in known])
    keys = [c for c in ("order", "code") if c in table]
    compared = rows.iloc[: len(fresh)].drop(columns=keys).reset_index(drop=True)
    real = fresh.drop(columns=keys)
    return {
        "table": name,
        "seed": seed,
        "rules": with_rules,
        "rows": n_rows,
        "sampled": n_sampled,
        "broken_rows": int(any_broken.sum()),
        "broken": broken,
        "c2st": c2st(real, compared, random_state=seed),
        "shape": float(column_shapes(real, compared).mean()),
        "trend": mean_pair_trend(pair_trends(real, compared)),
        "fit_cpu_s": fit_cpu_s,
        "steps": model.n_steps_,
        "sample_cpu_s": float(np.median(seconds)),
        "rule_cpu_s": rule_cpu_s(model, n_sampled, seed),
    }


def rule_cpu_s(model: AutoregressiveSynthesizer, n_sampled: int, seed: int) -> float | None:
    """Time what rules add to the drawing of rows: restoring and checking the user's columns."""
    if model._rules is None:
        return None
    expressed = model._core.rows.source.draw(n_sampled, model._streams(seed))
    start = time.process_time()
    model._rules.restore(expressed, np.random.default_rng(seed))
    return time.process_time() - start


def main() -> None:
    """Measure all tables, and keep and print each entry."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=8_000)
    parser.add_argument("--sampled", type=int, default=100_000)
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    parser.add_argument("--name", default="constraints", help="name of the file of results")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", ".*looks like an identifier", UserWarning)
    for seed in args.seeds:
        for name in args.tables:
            for with_rules in (False, True):
                entry = measure(name, seed, with_rules, args.rows, args.sampled)
                keep_result(args.name, entry, ["table", "seed", "rules"])
                shown = {k: v for k, v in entry.items() if k != "broken"}
                print(
                    *(
                        f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}"
                        for k, v in shown.items()
                    )
                )
                print("   ", entry["broken"], flush=True)


if __name__ == "__main__":
    main()
