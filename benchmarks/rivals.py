"""What there is to beat: published lines, rivals run beside us where installed, and targets."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

Entry = dict[str, Any]

INDEPENDENT, HALVES = "independent columns", "real half against half"
LINES = [INDEPENDENT, HALVES]

# C2ST-XGB, Trend, MLE (AUC; RMSE of the logarithm for Beijing) and beta-recall as reported with
# TabPC, five seeds; seconds are of the same runs, on a GPU, rows per second from sampling Adult.
PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    "CTGAN": {
        "adult": {
            "c2st_xgb": 0.000, "trend": 0.758, "mle": 0.862, "beta_recall": 0.131,
            "fit_s": 3798, "rows_per_s": 17_100,
        },
        "beijing": {"c2st_xgb": 0.000, "trend": 0.743, "mle": 1.03, "beta_recall": 0.385},
        "shoppers": {
            "c2st_xgb": 0.000, "trend": 0.755, "mle": 0.850, "beta_recall": 0.238, "fit_s": 1453,
        },
    },
    "TVAE": {
        "adult": {
            "c2st_xgb": 0.000, "trend": 0.666, "mle": 0.871, "beta_recall": 0.122, "fit_s": 1310,
        },
        "beijing": {"c2st_xgb": 0.000, "trend": 0.702, "mle": 1.04, "beta_recall": 0.054},
        "shoppers": {
            "c2st_xgb": 0.000, "trend": 0.793, "mle": 0.903, "beta_recall": 0.191, "fit_s": 579,
        },
    },
    "CoDi": {
        "adult": {"c2st_xgb": 0.000},
        "beijing": {"c2st_xgb": 0.000},
        "shoppers": {"c2st_xgb": 0.000},
    },
    "STaSy": {
        "adult": {"c2st_xgb": 0.342},
        "beijing": {"c2st_xgb": 0.367},
        "shoppers": {"c2st_xgb": 0.228},
    },
    "shallow mixture": {
        "adult": {"c2st_xgb": 0.773, "fit_s": 60},
        "beijing": {"c2st_xgb": 0.733},
        "shoppers": {"c2st_xgb": 0.290, "fit_s": 48},
    },
    "TabSyn": {
        "adult": {
            "c2st_xgb": 0.794, "trend": 0.980, "mle": 0.910, "beta_recall": 0.480,
            "fit_s": 3083, "rows_per_s": 6_500,
        },
        "beijing": {"c2st_xgb": 0.527, "trend": 0.955, "mle": 0.626, "beta_recall": 0.522},
        "shoppers": {
            "c2st_xgb": 0.655, "trend": 0.977, "mle": 0.914, "beta_recall": 0.478, "fit_s": 2441,
        },
    },
    "TabDiff": {
        "adult": {
            "c2st_xgb": 0.841, "trend": 0.985, "mle": 0.913, "beta_recall": 0.526,
            "fit_s": 11605, "rows_per_s": 3_000,
        },
        "beijing": {"c2st_xgb": 0.772, "trend": 0.974, "mle": 0.564, "beta_recall": 0.598},
        "shoppers": {
            "c2st_xgb": 0.736, "trend": 0.981, "mle": 0.917, "beta_recall": 0.511, "fit_s": 10321,
        },
    },
    "TabPC": {
        "adult": {
            "c2st_xgb": 0.855, "trend": 0.986, "mle": 0.916, "beta_recall": 0.500,
            "fit_s": 272, "rows_per_s": 830,
        },
        "beijing": {"c2st_xgb": 0.570, "trend": 0.978, "mle": 0.656, "beta_recall": 0.573},
        "shoppers": {
            "c2st_xgb": 0.894, "trend": 0.982, "mle": 0.897, "beta_recall": 0.500, "fit_s": 51,
        },
    },
}  # fmt: skip

# Measured by the same protocol on one core of a machine like ours, defaults, one seed.
MEASURED: dict[str, dict[str, dict[str, float]]] = {
    "ARF 0.1.1": {
        "adult": {
            "c2st_xgb": 0.010, "trend": 0.863, "mle": 0.908,
            "fit_s": 404, "rows_per_s": 2_800, "peak_mb": 905,
        },
        "shoppers": {
            "c2st_xgb": 0.013, "trend": 0.833, "mle": 0.899,
            "fit_s": 123, "rows_per_s": 2_300, "peak_mb": 482,
        },
    },
    "mostlyai-engine 2.7.3": {
        "adult": {
            "c2st_xgb": 0.764, "trend": 0.973, "mle": 0.917,
            "fit_s": 142, "rows_per_s": 27_000, "peak_mb": 866,
        },
        "shoppers": {
            "c2st_xgb": 0.425, "trend": 0.959, "mle": 0.880,
            "fit_s": 65, "rows_per_s": 11_000, "peak_mb": 753,
        },
    },
}  # fmt: skip

# Above (or, for "<" and "<=", below) which our best synthesizer is to be.
TARGETS: dict[str, dict[str, tuple[str, float]]] = {
    table: {
        "c2st_xgb": (">", c2st),
        "c2st_xgb_test": (">", c2st_test),
        "trend": (">", trend),
        "mle": mle,
        "shape": (">", shape),
        "beta_recall": (">", beta),
        "dcr": ("<=", 0.53),
        "fit_s": ("<=", fit_s),
        "rows_per_s": (">=", 50_000),
    }
    for table, c2st, c2st_test, trend, mle, shape, beta, fit_s in [
        ("adult", 0.95, 0.92, 0.990, (">", 0.916), 0.994, 0.52, 120),
        ("shoppers", 0.95, 0.92, 0.988, (">", 0.917), 0.991, 0.51, 60),
        ("beijing", 0.90, 0.88, 0.985, ("<", 0.56), 0.994, 0.60, 120),
    ]
}
DATA_SPACE_MODELS = ["WGANSynthesizer", "CGANSynthesizer"]
DATA_SPACE_TARGETS = {"trend": (">", 0.96), "mle": (">", 0.90), "c2st_xgb": (">", 0.5)}


RIVALS = {"ctgan": "CTGAN", "tvae": "TVAE"}
"""Rivals that can be run: their names on the command line, and the classes of package ctgan."""


class Rival:
    """A synthesizer of package ctgan at its defaults, with `fit` and `sample` as ours have them.

    Parameters
    ----------
    name : {"ctgan", "tvae"}
    categorical : sequence of str
        Columns of categories, which these synthesizers have to be told.
    random_state : int
    quick : bool, default=False
        One epoch only, to try the script.
    """

    def __init__(
        self, name: str, categorical: Sequence[str], random_state: int, quick: bool = False
    ) -> None:
        check_installed()
        import ctgan

        self.package = f"ctgan {version('ctgan')}"
        self.categorical = list(categorical)
        self.model = getattr(ctgan, RIVALS[name])(**({"epochs": 1} if quick else {}))
        self.model.set_random_state(random_state)

    def fit(self, table: pd.DataFrame) -> Rival:
        """Learn a table, completed: these synthesizers refuse missing values."""
        texts = [*self.categorical, *table.select_dtypes(exclude="number")]
        discrete = [name for name in table if name in texts]
        self.model.fit(_completed(table, discrete), discrete)
        return self

    def sample(self, n_samples: int, random_state: int) -> pd.DataFrame:
        """Make rows."""
        self.model.set_random_state(random_state)
        return self.model.sample(n_samples)


def check_installed() -> None:
    """Raise ImportError if there is no package ctgan."""
    try:
        import ctgan  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"The rivals {', '.join(RIVALS)} need ctgan; install it with: pip install ctgan"
        ) from error


def _completed(table: pd.DataFrame, discrete: Sequence[str]) -> pd.DataFrame:
    """Make missing categories the category "?", and missing numbers the median."""
    completed = table.copy()
    for name in table.columns[table.isna().any()]:
        column = table[name]
        if name in discrete:
            completed[name] = np.where(column.isna(), "?", column.astype(str))
        else:
            completed[name] = column.fillna(column.median())
    return completed


def other_lines(table: str) -> dict[str, dict[str, Any]]:
    """Return the figures others report for a table, by name; "(GPU)" where they needed one."""
    lines = {f"{name}, published": by.get(table) for name, by in PUBLISHED.items()}
    lines |= {f"{name}, one core": by.get(table) for name, by in MEASURED.items()}
    return {name: figures for name, figures in lines.items() if figures}


def averages(results: list[Entry], table: str) -> dict[str, Entry]:
    """Average the seeds of each model; "sd" holds the spreads, and "seeds" the number."""
    frame = pd.DataFrame([entry for entry in results if entry["table"] == table])
    lines = {}
    for model, runs in frame.groupby("model", sort=False):
        numbers = runs.drop(columns=["table", "model", "seed"]).select_dtypes("number")
        lines[str(model)] = {
            **numbers.mean().dropna().to_dict(),
            "sd": numbers.std().dropna().to_dict(),
            "seeds": len(runs),
            "measure": runs["mle_measure"].iloc[0],
        }
    return lines


def is_ours(model: str) -> bool:
    """Whether a line is of a synthesizer of this package."""
    return model not in (*LINES, *RIVALS.values())


def targets(results: list[Entry]) -> pd.DataFrame:
    """List what was aimed at and what each synthesizer reached.

    Returns
    -------
    DataFrame
        Columns table, figure, relation, target, model, value, margin (positive: better than the
        target) and met; a row for each target and synthesizer of which there are figures.
    """
    found = []
    for name in dict.fromkeys(entry["table"] for entry in results):
        lines = averages(results, name)
        aims = TARGETS.get(name) or _targets_of_unknown(lines)
        for model in filter(is_ours, lines):
            own = dict(aims)
            if name == "adult" and model in DATA_SPACE_MODELS:
                own |= {f"{key}, data space": aim for key, aim in DATA_SPACE_TARGETS.items()}
            for figure, (relation, aim) in own.items():
                value = lines[model].get(figure.split(",")[0], float("nan"))
                margin = value - aim if relation[0] == ">" else aim - value
                met = margin > 0 or (margin == 0 and relation[-1] == "=")
                found.append((name, figure, relation, aim, model, value, margin, met))
    columns = ["table", "figure", "relation", "target", "model", "value", "margin", "met"]
    return pd.DataFrame(found, columns=columns)


def _targets_of_unknown(lines: dict[str, Entry]) -> dict[str, tuple[str, float]]:
    """Aim ahead of the best line there is; real halves bound what can be asked of C2ST."""
    perfect = lines.get(HALVES, {}).get("c2st_xgb", 1.0)
    unseen = (">=", 0.95 * min(1.0, perfect / 0.99))
    aims: dict[str, tuple[str, float]] = {"c2st_xgb": unseen, "c2st_xgb_test": unseen}
    for figure in ("trend", "mle", "shape", "beta_recall"):
        falls = figure == "mle" and next(iter(lines.values()))["measure"] != "roc_auc"
        # Independent columns have the best shapes of all.
        rivals = [
            line[figure]
            for model, line in lines.items()
            if not is_ours(model)
            and model != HALVES
            and figure in line
            and (figure, model) != ("shape", INDEPENDENT)
        ]
        if rivals:
            aims[figure] = ("<", min(rivals)) if falls else (">", max(rivals))
    return {**aims, "dcr": ("<=", 0.53), "rows_per_s": (">=", 50_000)}


def rungs(results: list[Entry]) -> pd.DataFrame:
    """List every published C2ST-XGB, and whether each synthesizer passes it.

    Returns
    -------
    DataFrame
        Columns table, rung, published, model, value and passed.
    """
    found = []
    for name in dict.fromkeys(entry["table"] for entry in results):
        lines = averages(results, name)
        for rung, by_table in PUBLISHED.items():
            for model in filter(is_ours, lines):
                if name in by_table:
                    value, published = lines[model]["c2st_xgb"], by_table[name]["c2st_xgb"]
                    found.append((name, rung, published, model, value, value > published))
    return pd.DataFrame(found, columns=["table", "rung", "published", "model", "value", "passed"])
