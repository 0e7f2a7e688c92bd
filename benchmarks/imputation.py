"""How well gaps are filled: values, distributions, learners and intervals, beside other imputers.

    python benchmarks/imputation.py --data DIR --out LINES.jsonl [--tables adult wine]
        [--methods synthesizer GAIN] [--mechanisms mcar mar mnar] [--rates 0.1 0.3 0.5]
        [--seeds 0] [--rows 1000]
    python benchmarks/imputation.py --out LINES.jsonl --summary
    python benchmarks/imputation.py --smoke

DIR holds the csv.gz files of Shoppers and Beijing. Rows with gaps of their own are left out, for
their truth is not known. A setting draws training rows from a table, at most `--rows` of them, and
up to 2,000 other rows for the test, and makes gaps in all columns but the target:

- mcar: each value is missing at the rate, whatever the values are;
- mar: a third of the columns stay complete, and a logistic function of a random combination of
  these decides what is missing of the others;
- mnar: the value itself decides, by its rank or by a random weight of its category.

Methods get the training rows with gaps, target included. Measured are

- nrmse: root mean squared error of filled numbers, in standard deviations of the column, mean over
  columns; accuracy: share of filled categories that are right, mean over columns. Both are those of
  one completed table, and "best guess" is the mean (or mode) over ten draws where a method draws;
- energy: energy distance (its square root) between the rows with gaps as completed and the same
  rows as they were, numbers standardised, categories one-hot over sqrt(2);
- learner: area under the ROC curve, or R2, of `HistGradientBoosting` fitted to the completed
  training rows, on complete test rows; "learner, draws" is that of the mean prediction of learners
  on five completed tables where a method draws;
- covered: share of 95 % intervals that cover what all rows of the table give, for tables of at
  least four times the training rows: means of numbers and of common categories, and coefficients of
  the linear regression of the target on the numbers (variances robust to unequal spread). Ten
  completed tables are combined by `tabgan.imputation.pool`; a method that gives one table is
  treated as if that table were complete.

"complete" is the training table before gaps were made. Seconds are of one process, those of ten
draws included. Each line holds one method in one setting; lines that are there already are not
computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import load_table, machine, write
from scipy.spatial.distance import cdist
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.metrics import r2_score, roc_auc_score

import tabgan
from tabgan.imputation import SynthesizerImputer, pool

BIG, SMALL = ("adult", "shoppers", "beijing"), ("breast_cancer", "wine", "digits")
MECHANISMS, RATES = ("mcar", "mar", "mnar"), (0.3, 0.1, 0.5)
N_DRAWS, N_LEARNERS, MOST_TEST_ROWS, MOST_PAIRS = 10, 5, 2000, 1000
SLOPE = 2.0
"""Slope of the logistic function that decides what is missing, per standard deviation."""

COMMON = 0.05
"""Share of the rows from which on the rate of a category is among the means."""

KEY = ("table", "mechanism", "rate", "seed", "method")


# ---------------------------------------------------------------------- settings


@dataclass(frozen=True)
class Setting:
    """One table with gaps.

    Attributes
    ----------
    everyone : DataFrame
        All rows of the table.
    truth, gappy : DataFrame
        Training rows before and after gaps were made.
    test : DataFrame
    target : str
    """

    everyone: pd.DataFrame
    truth: pd.DataFrame
    gappy: pd.DataFrame
    test: pd.DataFrame
    target: str

    @property
    def gaps(self) -> np.ndarray:
        """Which values are missing, shape (n, d)."""
        return self.gappy.isna().to_numpy()


def load(name: str, data: Path) -> tuple[pd.DataFrame, str]:
    """Read all complete rows of a table; texts become categories.

    Returns
    -------
    table : DataFrame
    target : str
    """
    if name in BIG:
        train, test, target = load_table(name, data)
        table = pd.concat([train, test], ignore_index=True).dropna(ignore_index=True)
    else:
        from sklearn import datasets

        table, target = getattr(datasets, f"load_{name}")(as_frame=True).frame, "target"
        table[target] = table[target].astype(str)
    table.columns = [str(column) for column in table.columns]
    for column in table:
        if table[column].dtype.kind not in "iuf":
            table[column] = table[column].astype(str).astype("category")
        else:
            table[column] = table[column].astype(np.float64)
    return table[[column for column in table if table[column].nunique() > 1]], target


def make(name: str, data: Path, mechanism: str, rate: float, seed: int, n_rows: int) -> Setting:
    """Draw the rows of a setting and make its gaps."""
    table, target = load(name, data)
    place = MECHANISMS.index(mechanism), round(100 * rate)
    rng = np.random.default_rng([seed, *place])
    order = rng.permutation(len(table))
    n_train = min(n_rows, len(table) * 3 // 4)
    train, test = order[:n_train], order[n_train : n_train + MOST_TEST_ROWS]
    truth = table.iloc[train].reset_index(drop=True)
    gaps = make_gaps(truth.drop(columns=target), mechanism, rate, rng)
    gappy = truth.copy()
    for i, column in enumerate(truth.drop(columns=target)):
        gappy[column] = truth[column].mask(gaps[:, i])
    return Setting(table, truth, gappy, table.iloc[test].reset_index(drop=True), target)


def make_gaps(
    table: pd.DataFrame, mechanism: str, rate: float, rng: np.random.Generator
) -> np.ndarray:
    """Decide which values are missing, shape (n, d); no column is left without values."""
    n, d = table.shape
    scores = np.column_stack([_score(table[column], rng) for column in table])
    if mechanism == "mcar":
        chance = np.full((n, d), rate)
    elif mechanism == "mnar":
        chance = np.column_stack([_calibrated(scores[:, j], rate) for j in range(d)])
    else:
        drivers = rng.permutation(d)[: max(1, d // 3)]
        chance = np.zeros((n, d))
        for j in set(range(d)) - set(drivers.tolist()):
            mixed = scores[:, drivers] @ rng.normal(size=len(drivers))
            chance[:, j] = _calibrated(mixed / max(mixed.std(), 1e-9), rate)
    gaps = rng.random((n, d)) < chance
    gaps[:5] &= ~gaps[:5].all(axis=0)
    return gaps


def _score(values: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """Give each value a number of variance one: its rank, or a random weight of its category."""
    if values.dtype.kind == "f":
        numbers = values.rank(pct=True).to_numpy()
    else:
        numbers = rng.normal(size=len(values.cat.categories))[values.cat.codes]
    return (numbers - numbers.mean()) / max(numbers.std(), 1e-9)


def _calibrated(score: np.ndarray, rate: float) -> np.ndarray:
    """Turn scores into probabilities of a mean rate, by a logistic function."""
    low, high = -20.0, 20.0
    for _ in range(60):
        shift = (low + high) / 2
        chance = 1 / (1 + np.exp(-(SLOPE * score + shift)))
        low, high = (shift, high) if chance.mean() < rate else (low, shift)
    return chance


# ---------------------------------------------------------------------- methods


class Codes:
    """Categories as numbers 0, 1, ..., numbers as they are; and back.

    Parameters
    ----------
    table : DataFrame
        With gaps.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.is_number = np.array([table[column].dtype.kind == "f" for column in table])
        self.matrix = np.column_stack(
            [
                table[column] if number else table[column].cat.codes.where(table[column].notna())
                for column, number in zip(table, self.is_number, strict=True)
            ]
        ).astype(np.float64)

    def restore(self, matrix: np.ndarray) -> pd.DataFrame:
        """Fill the gaps of the table with a matrix; categories are the nearest codes."""
        columns = {}
        for j, column in enumerate(self.table):
            given = self.table[column]
            if self.is_number[j]:
                columns[column] = given.where(given.notna(), matrix[:, j])
            else:
                last = len(given.cat.categories) - 1
                codes = np.clip(np.rint(np.nan_to_num(matrix[:, j])), 0, last).astype(int)
                codes = np.where(given.notna(), given.cat.codes, codes)
                columns[column] = pd.Series(pd.Categorical.from_codes(codes, dtype=given.dtype))
        return pd.DataFrame(columns)


def typical(table: pd.DataFrame, seed: int, steps: int | None) -> list[pd.DataFrame]:
    """Fill in means and most frequent categories."""
    codes = Codes(table)
    fill = [
        np.nanmean(column) if number else pd.Series(column).mode()[0]
        for column, number in zip(codes.matrix.T, codes.is_number, strict=True)
    ]
    return [codes.restore(np.tile(fill, (len(table), 1)))]


def neighbours(table: pd.DataFrame, seed: int, steps: int | None) -> list[pd.DataFrame]:
    """Fill in the mean of five neighbours, by standardised numbers and one-hot categories."""
    codes = Codes(table)
    parts, places = [], []
    for column, number in zip(codes.matrix.T, codes.is_number, strict=True):
        if number:
            wide = ((column - np.nanmean(column)) / max(np.nanstd(column), 1e-9))[:, None]
        else:
            levels = np.arange(np.nanmax(column) + 1)
            wide = np.where(np.isnan(column)[:, None], np.nan, (column[:, None] == levels) / 2**0.5)
        places.append(slice(sum(p.shape[1] for p in parts), None))
        parts.append(wide)
    filled = KNNImputer(n_neighbors=5).fit_transform(np.hstack(parts))
    back = []
    for j, (part, place) in enumerate(zip(parts, places, strict=True)):
        own = filled[:, place.start : place.start + part.shape[1]]
        column = codes.matrix[:, j]
        if codes.is_number[j]:
            back.append(own[:, 0] * max(np.nanstd(column), 1e-9) + np.nanmean(column))
        else:
            back.append(own.argmax(axis=1))
    return [codes.restore(np.column_stack(back))]


def _iterative(draws: bool, trees: bool) -> Callable[..., list[pd.DataFrame]]:
    def fill(table: pd.DataFrame, seed: int, steps: int | None) -> list[pd.DataFrame]:
        codes = Codes(table)
        low, high = np.nanmin(codes.matrix, axis=0), np.nanmax(codes.matrix, axis=0)
        completed = []
        for draw in range(N_DRAWS if draws else 1):
            imputer = IterativeImputer(
                HistGradientBoostingRegressor(random_state=seed) if trees else None,
                sample_posterior=draws,
                max_iter=steps or (5 if trees else 10),
                min_value=low,
                max_value=high + 1e-9,
                random_state=1000 * seed + draw,
            )
            completed.append(codes.restore(imputer.fit_transform(codes.matrix)))
        return completed

    return fill


def forest(table: pd.DataFrame, seed: int, steps: int | None) -> list[pd.DataFrame]:
    """Fill in predictions of forests, column after column, five times over (like missForest)."""
    codes = Codes(table)
    gaps = np.isnan(codes.matrix)
    (first,) = typical(table, seed, steps)
    matrix = Codes(first).matrix
    for _ in range(steps or 5):
        for j in np.argsort(gaps.sum(axis=0)):
            if not gaps[:, j].any():
                continue
            others = np.delete(matrix, j, axis=1)
            kind = ExtraTreesRegressor if codes.is_number[j] else ExtraTreesClassifier
            learner = kind(50, min_samples_leaf=2, random_state=seed)
            learner.fit(others[~gaps[:, j]], matrix[~gaps[:, j], j])
            matrix[gaps[:, j], j] = learner.predict(others[gaps[:, j]])
    return [codes.restore(matrix)]


def _ours(make_imputer: Callable[[int, dict[str, Any]], Any]) -> Callable[..., list[pd.DataFrame]]:
    def fill(table: pd.DataFrame, seed: int, steps: int | None) -> list[pd.DataFrame]:
        settings = {} if steps is None else {"n_steps": steps}
        return make_imputer(seed, settings).fit(table).sample(table, N_DRAWS)

    return fill


def _synthesizer(seed: int, settings: dict[str, Any]) -> SynthesizerImputer:
    model = tabgan.AutoregressiveSynthesizer(**settings) if settings else None
    return SynthesizerImputer(model, random_state=seed)


METHODS: dict[str, Callable[..., list[pd.DataFrame]]] = {
    "synthesizer": _ours(_synthesizer),
    "GAIN": _ours(lambda seed, settings: tabgan.GAINImputer(random_state=seed, **settings)),
    "mean and mode": typical,
    "neighbours": neighbours,
    "ridge": _iterative(draws=False, trees=False),
    "ridge, draws": _iterative(draws=True, trees=False),
    "boosted trees": _iterative(draws=False, trees=True),
    "forests": forest,
}
"""The methods by name, (table with gaps, seed, steps or None) -> completed tables."""


# ---------------------------------------------------------------------- figures


def errors(setting: Setting, completed: list[pd.DataFrame]) -> dict[str, float | None]:
    """Compute the errors of filled values: of one table, and of the best guess from all."""
    single: dict[str, list[float]] = {"nrmse": [], "accuracy": []}
    best: dict[str, list[float]] = {"nrmse": [], "accuracy": []}
    for j, column in enumerate(setting.gappy):
        rows = np.flatnonzero(setting.gaps[:, j])
        if not len(rows):
            continue
        truth = setting.truth[column].iloc[rows]
        filled = [table[column].iloc[rows] for table in completed]
        if truth.dtype.kind == "f":
            spread = max(setting.truth[column].std(), 1e-9)
            mean = np.mean(filled, axis=0)
            for figures, guess in ((single, filled[0]), (best, mean)):
                figures["nrmse"].append(float(np.sqrt(np.mean((guess - truth) ** 2)) / spread))
        else:
            codes = np.array([truth.cat.categories.get_indexer(each) for each in filled])
            n_levels = len(truth.cat.categories)
            votes = np.array([np.bincount(each, minlength=n_levels) for each in codes.T])
            for figures, guess in ((single, codes[0]), (best, votes.argmax(axis=1))):
                figures["accuracy"].append(float(np.mean(guess == truth.cat.codes)))
    found = {name: float(np.mean(v)) if v else None for name, v in single.items()}
    guesses = {f"best {name}": float(np.mean(v)) if v else None for name, v in best.items()}
    return found | guesses


def wide(table: pd.DataFrame, like: pd.DataFrame) -> np.ndarray:
    """Standardise numbers by another table; one-hot categories over sqrt(2)."""
    parts = []
    for column in like:
        if like[column].dtype.kind == "f":
            scale = max(like[column].std(), 1e-9)
            parts.append(((table[column] - like[column].mean()) / scale).to_numpy()[:, None])
        else:
            codes = like[column].cat.categories.get_indexer(table[column])
            parts.append(np.eye(len(like[column].cat.categories))[codes] / 2**0.5)
    return np.hstack(parts)


def energy_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Compute the square root of ``2 E|X - Y| - E|X - X'| - E|Y - Y'|``."""
    cross = 2 * cdist(one, other).mean()
    return float(np.sqrt(max(0.0, cross - cdist(one, one).mean() - cdist(other, other).mean())))


def learner_score(completed: list[pd.DataFrame], setting: Setting, seed: int) -> float:
    """Fit boosted trees to completed tables, and score their mean prediction on complete rows."""
    y_test = setting.test[setting.target]
    is_number = y_test.dtype.kind == "f"
    kind = HistGradientBoostingRegressor if is_number else HistGradientBoostingClassifier
    predictions = []
    for table in completed:
        rows = pd.concat([table, setting.test]).drop(columns=setting.target)
        X = pd.get_dummies(rows, dtype=float).to_numpy()
        y = table[setting.target] if is_number else table[setting.target].astype(str)
        model = kind(random_state=seed).fit(X[: len(table)], y)
        predict = model.predict if is_number else model.predict_proba
        predictions.append(predict(X[len(table) :]))
    mean = np.mean(predictions, axis=0)
    if is_number:
        return float(r2_score(y_test, mean))
    if mean.shape[1] == 2:
        return float(roc_auc_score(y_test.astype(str) == model.classes_[1], mean[:, 1]))
    return float(roc_auc_score(y_test.astype(str), mean, multi_class="ovr"))


def quantities(
    table: pd.DataFrame, everyone: pd.DataFrame, target: str
) -> tuple[np.ndarray, np.ndarray, int]:
    """Estimate means and regression coefficients of a table with their variances.

    Returns
    -------
    estimates, variances : ndarray of shape (k,)
    n_means : int
        The first so many are means, the others coefficients.
    """
    n = len(table)
    columns = []
    for column in everyone.drop(columns=target):
        if everyone[column].dtype.kind == "f":
            columns.append(table[column].to_numpy())
        else:
            rates = everyone[column].value_counts(normalize=True)
            common = rates[rates > COMMON].index
            columns += [(table[column] == level).to_numpy(np.float64) for level in common]
    values = np.column_stack(columns)
    means, variances = values.mean(axis=0), values.var(axis=0, ddof=1) / n
    numbers = [c for c in everyone.drop(columns=target) if everyone[c].dtype.kind == "f"]
    scaled = (table[numbers] - everyone[numbers].mean()) / everyone[numbers].std()
    X = np.column_stack([np.ones(n), scaled])
    y = table[target]
    y = y.to_numpy() if y.dtype.kind == "f" else (y == everyone[target].mode()[0]).to_numpy(float)
    inverse = np.linalg.pinv(X.T @ X)
    coefficients = inverse @ X.T @ y
    rest = (y - X @ coefficients) ** 2 * n / (n - X.shape[1])
    robust = (inverse @ X.T) ** 2 @ rest
    return (
        np.r_[means, coefficients[1:]],
        np.r_[variances, robust[1:]],
        len(means),
    )


def coverage(setting: Setting, completed: list[pd.DataFrame]) -> dict[str, list[int]]:
    """Count intervals that cover what all rows give, and all intervals."""
    about = setting.everyone, setting.target
    true, _, n_means = quantities(setting.everyone, *about)
    rows = [quantities(table, *about)[:2] for table in completed]
    estimates, variances = (np.array(part) for part in zip(*rows, strict=True))
    if len(completed) > 1:
        low, high = pool(estimates, variances, df=len(setting.truth) - 1).interval()
    else:
        reach = 1.96 * np.sqrt(variances[0])
        low, high = estimates[0] - reach, estimates[0] + reach
    inside = (low <= true) & (true <= high)
    return {
        "means": [int(inside[:n_means].sum()), n_means],
        "coefficients": [int(inside[n_means:].sum()), len(inside) - n_means],
    }


def measure(setting: Setting, method: str, seed: int, steps: int | None = None) -> dict[str, Any]:
    """Measure one method in one setting."""
    started = time.perf_counter()
    if method == "complete":
        completed = [setting.truth]
    else:
        completed = METHODS[method](setting.gappy, seed, steps)
    entry: dict[str, Any] = {"seconds": round(time.perf_counter() - started, 2)}
    entry |= errors(setting, completed)
    rows = np.flatnonzero(setting.gaps.any(axis=1))[:MOST_PAIRS]
    parts = [
        wide(table.iloc[rows], setting.truth.drop(columns=setting.target))
        for table in (completed[0], setting.truth)
    ]
    entry["energy"] = energy_distance(*parts)
    entry["learner"] = entry["learner, draws"] = learner_score(completed[:1], setting, seed)
    if len(completed) > 1:
        entry["learner, draws"] = learner_score(completed[:N_LEARNERS], setting, seed)
    if len(setting.everyone) >= 4 * len(setting.truth):
        entry["covered"] = coverage(setting, completed)
    return entry


# ---------------------------------------------------------------------- the run


def read(path: Path) -> list[dict[str, Any]]:
    """Read the lines that are there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(args: argparse.Namespace) -> None:
    """Measure what is not in the file yet, and append it line by line."""
    done = {tuple(line[part] for part in KEY) for line in read(args.out)}
    for seed in args.seeds:
        for rate in args.rates:
            for table in args.tables:
                for mechanism in args.mechanisms:
                    setting = None
                    for method in ("complete", *args.methods):
                        key = (table, mechanism, rate, seed, method)
                        if key in done:
                            continue
                        setting = setting or make(
                            table, args.data, mechanism, rate, seed, args.rows
                        )
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore")
                            entry = measure(setting, method, seed, args.steps)
                        entry = {**dict(zip(KEY, key, strict=True)), **entry}
                        entry["n_rows"] = len(setting.truth)
                        with args.out.open("a") as out:
                            out.write(json.dumps(entry) + "\n")
                        print(*key, entry["seconds"], flush=True)


def summarize(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Average the figures of each method over settings, with mean ranks and coverage.

    Only settings in which all methods of the lines were measured count.
    """
    frame = pd.DataFrame(lines)
    setting = list(KEY[:-1])
    n_methods = frame["method"].nunique()
    whole = frame.groupby(setting)["method"].transform("nunique") == n_methods
    frame = frame[whole]
    real = frame[frame["method"] != "complete"]
    ranks = pd.DataFrame(
        {
            "rank energy": real.groupby(setting)["energy"].rank(),
            "rank learner": real.groupby(setting)["learner"].rank(ascending=False),
            "rank learner, draws": real.groupby(setting)["learner, draws"].rank(ascending=False),
        }
    )
    frame = frame.join(ranks)
    means = {}
    figures = ["nrmse", "accuracy", "best nrmse", "best accuracy", "energy", "seconds"]
    figures += ["learner", "learner, draws"]
    measured = set(frame["method"])
    for method in filter(measured.__contains__, ("complete", *METHODS)):
        own = frame[frame["method"] == method]
        row = {name: own[name].astype(float).mean() for name in [*figures, *ranks]}
        row["median seconds"] = own["seconds"].median()
        for what in ("means", "coefficients"):
            for mechanism in (*MECHANISMS, "mcar and mar"):
                some = own[[m in mechanism.split() for m in own["mechanism"]]]["covered"].dropna()
                counts = np.array([each[what] for each in some])
                if len(counts):
                    row[f"covered {what}, {mechanism}"] = counts[:, 0].sum() / counts[:, 1].sum()
        means[method] = {k: round(float(v), 4) for k, v in row.items() if v == v}
    return {"n_settings": int(len(frame) / n_methods), "methods": means}


def main(arguments: list[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tables", nargs="*", choices=BIG + SMALL, default=BIG + SMALL)
    parser.add_argument("--methods", nargs="*", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--mechanisms", nargs="*", choices=MECHANISMS, default=MECHANISMS)
    parser.add_argument("--rates", nargs="*", type=float, default=RATES)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--rows", type=int, default=1000, help="most training rows")
    parser.add_argument("--summary", action="store_true", help="print and write the means")
    parser.add_argument("--smoke", action="store_true", help="few rows and steps of two tables")
    args = parser.parse_args(arguments)
    args.steps = None
    if args.smoke:
        args.steps, args.rows, args.rates = 2, 100, [0.3]
        args.tables, args.mechanisms = ["wine", "adult"], ["mar"]
        args.out = args.out or Path(tempfile.mkdtemp()) / "smoke.jsonl"
    elif args.out is None:
        parser.error("--out names the file of results")
    if args.summary:
        lines = read(args.out)
        found = summarize(lines)
        print(pd.DataFrame(found["methods"]).round(3).T.to_string())
        write("imputation", {**found, "lines": lines})
        return
    print(machine())
    run(args)
    if args.smoke:
        print(pd.DataFrame(summarize(read(args.out))["methods"]).round(3).T.to_string())


if __name__ == "__main__":
    main(sys.argv[1:])
