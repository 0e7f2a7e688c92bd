"""Check Shape, Trend and C2ST against SDMetrics, and time both, on the Adult table.

The pairs of tables compared are Adult's train and test rows, two halves of the train rows, and the
train rows against columns drawn independently of each other, in all rows and in a tenth. ``?``,
which marks a missing value in Adult, is kept as a category, since SDMetrics leaves missing values
out.

    pip install 'sklearn-tabgan[xgboost]' sdmetrics
    python benchmarks/sdmetrics_agreement.py --data DIR --out benchmarks/results/FILE.json

DIR holds adult_train.csv.gz and adult_test.csv.gz; without it the tables of the package are used.
SDMetrics averages its "Column Pair Trends" over strongly associated pairs unless both thresholds
are zero; both averages are compared. Its detection metric draws its folds from NumPy's global
generator, so C2ST agrees only up to the chance of the folds: it is run with several seeds.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sdmetrics.reports.single_table import QualityReport
from sdmetrics.single_table.detection.sklearn import ScikitLearnClassifierDetectionMetric
from xgboost import XGBClassifier

from tabgan.datasets import load_adult
from tabgan.evaluation import c2st, column_shapes, mean_pair_trend, pair_trends, strong_pairs


class XGBoostDetection(ScikitLearnClassifierDetectionMetric):
    """SDMetrics' detection test with XGBoost at its defaults: the published C2ST-XGB."""

    @staticmethod
    def _get_classifier() -> XGBClassifier:
        return XGBClassifier(random_state=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of adult_train and adult_test.csv.gz")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of the folds of C2ST")
    args = parser.parse_args()

    train, test = adult(args.data)
    rng = np.random.default_rng(0)
    halves = np.array_split(rng.permutation(len(train)), 2)
    independent = pd.DataFrame({c: train[c].to_numpy()[rng.permutation(len(train))] for c in train})
    pairs = {
        "train against test": (train, test),
        "half of train against the other half": tuple(
            train.iloc[half].reset_index(drop=True) for half in halves
        ),
        "train against independent columns": (train, independent),
        "train against test, a tenth of independent columns": (
            train,
            pd.concat([independent.iloc[: len(test) // 10], test.iloc[len(test) // 10 :]]),
        ),
    }
    packages = ("sdmetrics", "numpy", "pandas", "scikit-learn", "xgboost-cpu", "xgboost")
    result = {
        "machine": {"processor": processor(), "system": platform.system()},
        "versions": {"python": platform.python_version()} | versions(packages),
        "comparisons": {name: compare(*tables, args.seeds) for name, tables in pairs.items()},
    }
    text = json.dumps(result, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


def adult(folder: Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    if folder is None:
        train, test = (table.astype(object).fillna("?") for table in load_adult())
        return train.infer_objects(), test.infer_objects()
    names = ("adult_train.csv.gz", "adult_test.csv.gz")
    train, test = (pd.read_csv(folder / name, keep_default_na=False) for name in names)
    return train, test


def compare(real: pd.DataFrame, synthetic: pd.DataFrame, n_seeds: int) -> dict[str, Any]:
    theirs, their_seconds = timed(lambda: sdmetrics_report(real, synthetic, (0, 0)))
    strong_theirs = sdmetrics_report(real, synthetic, None)
    shapes, shape_seconds = timed(lambda: column_shapes(real, synthetic))
    trends, trend_seconds = timed(lambda: pair_trends(real, synthetic))
    their_shapes = theirs.get_details("Column Shapes").set_index("Column")["Score"]
    their_trends = theirs.get_details("Column Pair Trends")
    left, right = their_trends["Column 1"], their_trends["Column 2"]
    ours = [trends.loc[pair] for pair in zip(left, right, strict=True)]
    return {
        "rows": [len(real), len(synthetic)],
        "shape": scores(shapes.mean(), average(theirs, "Column Shapes")),
        "trend": scores(mean_pair_trend(trends), average(theirs, "Column Pair Trends")),
        "trend_strong": scores(
            mean_pair_trend(trends, strong_pairs(real)),
            average(strong_theirs, "Column Pair Trends"),
        ),
        "largest_difference": {
            "one column": float((shapes - their_shapes[shapes.index]).abs().max()),
            "one pair": float(np.abs(np.array(ours) - their_trends["Score"]).max()),
        },
        "shape and trend seconds": {
            "tabgan": shape_seconds + trend_seconds,
            "sdmetrics": their_seconds,
        },
        "c2st_xgboost": compare_c2st(real, synthetic, n_seeds),
    }


def compare_c2st(real: pd.DataFrame, synthetic: pd.DataFrame, n_seeds: int) -> dict[str, Any]:
    n_rows = min(len(real), len(synthetic))
    real, synthetic = (
        table.sample(n_rows, random_state=0).reset_index(drop=True) for table in (real, synthetic)
    )
    metadata = adult_metadata(real)
    runs: dict[str, list[tuple[float, float]]] = {"tabgan": [], "sdmetrics": []}
    for seed in range(n_seeds):
        np.random.seed(seed)  # noqa: NPY002 - the only generator SDMetrics asks
        runs["sdmetrics"].append(
            timed(lambda: float(XGBoostDetection.compute(real.copy(), synthetic.copy(), metadata)))
        )
        runs["tabgan"].append(
            timed(lambda seed=seed: c2st(real, synthetic, classifier="xgboost", random_state=seed))
        )
    return {
        name: {
            "median": statistics.median(score for score, _ in of_name),
            "lowest": min(score for score, _ in of_name),
            "highest": max(score for score, _ in of_name),
            "seconds": statistics.median(seconds for _, seconds in of_name),
        }
        for name, of_name in runs.items()
    }


def sdmetrics_report(
    real: pd.DataFrame, synthetic: pd.DataFrame, thresholds: tuple[float, float] | None
) -> QualityReport:
    report = QualityReport()
    report.num_rows_subsample = None
    if thresholds is not None:
        report.real_correlation_threshold, report.real_association_threshold = thresholds
    report.generate(real, synthetic, adult_metadata(real), verbose=False)
    return report


def adult_metadata(table: pd.DataFrame) -> dict[str, Any]:
    numbers = set(table.select_dtypes("number"))
    kinds = {name: "numerical" if name in numbers else "categorical" for name in table}
    return {"columns": {name: {"sdtype": kind} for name, kind in kinds.items()}}


def average(report: QualityReport, which: str) -> float:
    return float(report.get_properties().set_index("Property").loc[which, "Score"])


def scores(ours: float, theirs: float) -> dict[str, float]:
    return {"tabgan": float(ours), "sdmetrics": theirs, "difference": abs(float(ours) - theirs)}


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except ModuleNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
