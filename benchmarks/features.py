"""What latent features of unlabelled rows give to a learner that has few labelled rows.

    python benchmarks/features.py --data DIR --out LINES.jsonl [--half design|final|both]
        [--tables adult] [--systems PCA SCARF] [--draws 0 1 2] [--learners logistic kNN boosting]
    python benchmarks/features.py --out LINES.jsonl --summary
    python benchmarks/features.py --smoke

DIR holds the archives that `real_tables.py` names. Each draw of a table takes up to 10,000 rows
without labels, on which a system learns its features, and up to 5,000 other rows for the test. Of
the first rows, 50, 200 and 1,000 have labels, drawn by class; a number is left out where a class
would have fewer than two labelled rows. Learners are logistic regression, 15 nearest neighbours and
`HistGradientBoostingClassifier`, all three otherwise at their defaults. They get the raw columns
(one-hot categories, standardised numbers, missing numbers at the mean), or the raw columns and the
features beside them, or the features alone. Features are taken as they come: nothing scales them.
Reported is the area under the ROC curve, of one class against the others and averaged over classes
where there are more than two. A gain is the difference from the raw columns of the same draw, in
points of a hundred.

Each line of LINES.jsonl holds one system on one draw of one table. Lines that are there already are
not computed again. A summary averages the draws of a table, then the tables, all of equal weight.
Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import real_tables
import torch
from common import machine, write
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

import tabgan

LABELLED = (50, 200, 1000)
MOST_UNLABELLED = 10_000
MOST_TEST_ROWS = 5000
FEWEST_ROWS = 1400
"""Rows of the smallest table that is measured."""

FEWEST_OF_A_CLASS = 2
N_COMPONENTS = 16
"""Principal components that stand beside learnt features."""

RAW = "raw columns"
FORMS = ("raw + features", "features alone")

Transformer = Any


class SCARF(TransformerMixin, BaseEstimator):
    """SCARF (Bahri et al., 2022, arXiv 2106.15147): rows agree with corrupted copies of themselves.

    Six columns in ten of a copy come from other rows. The encoder has four layers and the head two,
    of width 256; the loss is InfoNCE at temperature 1. `transform` gives the encoder's output.

    Parameters
    ----------
    n_steps : int
        Steps on batches of 128 rows with Adam at 1e-3, as in the paper. The paper stops early; the
        number of steps here is fixed.
    random_state : int
    """

    def __init__(self, n_steps: int = 3000, random_state: int = 0) -> None:
        self.n_steps = n_steps
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any = None) -> SCARF:
        """Learn from rows of a table."""
        self.columns_ = columns().fit(X)
        names = self.columns_.get_feature_names_out()
        source = [max((c for c in X if _is_of(name, c)), key=len) for name in names]
        column_of = torch.tensor([list(X).index(column) for column in source])
        rows = self._tensor(X)
        with torch.random.fork_rng():
            torch.manual_seed(self.random_state)
            self.encoder_ = _mlp(rows.shape[1], 4)
            head = _mlp(256, 2)
            optimizer = torch.optim.Adam([*self.encoder_.parameters(), *head.parameters()], 1e-3)
            for _ in range(self.n_steps):
                row = rows[torch.randint(len(rows), (128,))]
                other = self._others(rows, column_of, X.shape[1])
                mask = (torch.rand(128, X.shape[1]) < 0.6)[:, column_of]
                one, two = (
                    nn.functional.normalize(head(self.encoder_(view)), dim=1)
                    for view in (row, torch.where(mask, other, row))
                )
                loss = nn.functional.cross_entropy(one @ two.T, torch.arange(128))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return self

    @staticmethod
    def _others(rows: torch.Tensor, column_of: torch.Tensor, n_columns: int) -> torch.Tensor:
        """Draw each column of 128 rows from another row each, shape (128, width)."""
        index = torch.randint(len(rows), (128, n_columns))[:, column_of]
        return rows.gather(0, index)

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Compute the encoder's output of rows, shape (n, 256)."""
        with torch.no_grad():
            return self.encoder_(self._tensor(X)).numpy()

    def _tensor(self, X: pd.DataFrame) -> torch.Tensor:
        return torch.from_numpy(self.columns_.transform(X).astype(np.float32))


def _is_of(name: str, column: str) -> bool:
    """Tell whether an encoded column, such as "city_Oslo", comes from a column."""
    return name == column or name.startswith(f"{column}_")


def _mlp(width: int, n_layers: int) -> nn.Sequential:
    """Stack layers of width 256, a ReLU between two layers and after the last."""
    widths = [width, *[256] * n_layers]
    layers = [
        layer for i in range(n_layers) for layer in (nn.Linear(widths[i], widths[i + 1]), nn.ReLU())
    ]
    return nn.Sequential(*layers)


def columns() -> Transformer:
    """One-hot categories, and numbers standardised after missing ones were put at the mean."""
    names = make_column_selector(dtype_exclude="number")
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer(
        (one_hot, names), remainder=numbers, verbose_feature_names_out=False
    )


class Principal(TransformerMixin, BaseEstimator):
    """The first principal components, or all where there are fewer.

    Parameters
    ----------
    n_components : int
    random_state : int
    """

    def __init__(self, n_components: int = N_COMPONENTS, random_state: int = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: Any = None) -> Principal:
        """Find the components."""
        n_components = min(self.n_components, *X.shape)
        self.pca_ = PCA(n_components, random_state=self.random_state).fit(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Compute the components of rows."""
        return self.pca_.transform(X)


class Kernel(TransformerMixin, BaseEstimator):
    """Features of a Gaussian kernel, whose exponent is the mean squared difference of columns.

    Parameters
    ----------
    approximation : class
        `Nystroem`, or `RBFSampler` for random features.
    random_state : int
    """

    def __init__(self, approximation: type = Nystroem, random_state: int = 0) -> None:
        self.approximation = approximation
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: Any = None) -> Kernel:
        """Choose the rows or the frequencies that the features are made of."""
        self.features_ = self.approximation(
            gamma=1 / X.var(axis=0).sum(), n_components=256, random_state=self.random_state
        ).fit(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Compute the features of rows."""
        return self.features_.transform(X)


Make = Callable[[int, dict[str, Any]], Transformer]


def _ours(name: str) -> Make:
    def make(seed: int, settings: dict[str, Any]) -> Transformer:
        # Test rows may hold categories that the rows without labels lack.
        return getattr(tabgan, name)(random_state=seed, handle_unknown="ignore", **settings)

    return make


SYSTEMS: dict[str, Make] = {
    "PCA": lambda seed, _: make_pipeline(columns(), Principal(random_state=seed)),
    "PCA, 64": lambda seed, _: make_pipeline(columns(), Principal(64, seed)),
    "kernel PCA": lambda seed, _: make_pipeline(
        columns(), Kernel(random_state=seed), Principal(random_state=seed)
    ),
    "random features": lambda seed, _: make_pipeline(columns(), Kernel(RBFSampler, seed)),
    "SCARF": lambda seed, settings: SCARF(random_state=seed, **settings),
    **{
        name: _ours(name)
        for name in (
            "DenoisingFeaturizer",
            "AAESynthesizer",
            "ARAESynthesizer",
            "BiGANSynthesizer",
            "InfoGANFeaturizer",
            "WGANSynthesizer",
            "CGANSynthesizer",
            "CramerGANSynthesizer",
            "GANSynthesizer",
            "LSGANSynthesizer",
        )
        if hasattr(getattr(tabgan, name), "transform")
    },
}
"""The systems by name; each is made from a seed and, in the smoke test, a number of steps."""

LEARNERS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: LogisticRegression(max_iter=1000),
    "kNN": lambda: KNeighborsClassifier(15),
    "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
}


@dataclass(frozen=True)
class Draw:
    """One draw of a table: rows without labels, labelled ones among them, and test rows.

    Attributes
    ----------
    X, X_test : DataFrame
    y, y_test : ndarray
    labelled : dict of int to ndarray
        Positions in `X` of the labelled rows, by their number.
    """

    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray
    labelled: dict[int, np.ndarray]


def draw(name: str, data: Path, seed: int, most: int = MOST_UNLABELLED) -> Draw:
    """Divide a table; at least a third of its rows are left for the test."""
    X, y = real_tables.load(name, data)
    n_train = min(most, len(y) * 2 // 3)
    train, rest = train_test_split(
        np.arange(len(y)), train_size=n_train, stratify=y, random_state=seed
    )
    test = rest[: min(MOST_TEST_ROWS, most)]
    labelled = {}
    for n in LABELLED:
        if n < n_train:
            chosen = train_test_split(
                np.arange(n_train), train_size=n, stratify=y[train], random_state=seed
            )[0]
            if np.bincount(y[train][chosen], minlength=y.max() + 1).min() >= FEWEST_OF_A_CLASS:
                labelled[n] = chosen
    return Draw(
        X.iloc[train].reset_index(drop=True),
        y[train],
        X.iloc[test].reset_index(drop=True),
        y[test],
        labelled,
    )


def auc(learner: Any, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: Any) -> float:
    """Fit a learner and compute its area under the ROC curve."""
    probability = learner.fit(X, y).predict_proba(X_test)
    if probability.shape[1] == 2:
        return float(roc_auc_score(y_test, probability[:, 1]))
    return float(roc_auc_score(y_test, probability, multi_class="ovr"))


def measure(rows: Draw, system: Transformer | None, learners: list[str]) -> dict[str, Any]:
    """Measure one system on one draw; without a system, the raw columns."""
    raw = columns().fit(rows.X)
    parts = [raw.transform(X) for X in (rows.X, rows.X_test)]
    entry: dict[str, Any] = {}
    forms = {RAW: parts}
    if system is not None:
        started = time.process_time()
        system.fit(rows.X)
        entry["fit_s"] = round(time.process_time() - started, 1)
        features = [np.asarray(system.transform(X)) for X in (rows.X, rows.X_test)]
        entry["n_features"] = features[0].shape[1]
        beside = [np.hstack(pair) for pair in zip(parts, features, strict=True)]
        forms = dict(zip(FORMS, (beside, features), strict=True))
    entry["auc"] = {
        form: {
            learner: {
                str(n): round(
                    auc(LEARNERS[learner](), X[chosen], rows.y[chosen], X_test, rows.y_test), 5
                )
                for n, chosen in rows.labelled.items()
            }
            for learner in learners
        }
        for form, (X, X_test) in forms.items()
    }
    return entry


def tables(half: str) -> list[str]:
    """List the tables with classes of one half or of both."""
    halves = ("design", "final") if half == "both" else (half,)
    return [name for each in halves for name in real_tables.names(each, is_numeric=False)]


def run(args: argparse.Namespace) -> None:
    """Measure what is not in the file yet, and append it line by line."""
    done = {(line["table"], line["draw"], line["system"]) for line in read(args.out)}
    for seed in args.draws:
        for name in args.tables or tables(args.half):
            if len(real_tables.load(name, args.data)[1]) < FEWEST_ROWS:
                continue
            rows = draw(name, args.data, seed, args.most_rows)
            for system in [RAW, *args.systems]:
                if (name, seed, system) in done:
                    continue
                made = None if system == RAW else SYSTEMS[system](seed, _settings(system, args))
                entry = {
                    "half": real_tables.half(name),
                    "table": name,
                    "draw": seed,
                    "system": system,
                    **measure(rows, made, args.learners),
                }
                with args.out.open("a") as out:
                    out.write(json.dumps(entry) + "\n")
                print(name, seed, system, entry.get("fit_s", ""), flush=True)


def _settings(system: str, args: argparse.Namespace) -> dict[str, Any]:
    """Return the number of steps of the smoke test, for systems that train in steps."""
    is_trained = system == "SCARF" or hasattr(tabgan, system)
    return {"n_steps": args.n_steps} if args.n_steps is not None and is_trained else {}


def read(path: Path) -> list[dict[str, Any]]:
    """Read the lines that are there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def half_of(line: dict[str, Any]) -> str:
    """Name the half of a line's table; tables of tests keep what the line says."""
    known = line["table"] in real_tables.SOURCES
    return real_tables.half(line["table"]) if known else str(line["half"])


def gains(lines: list[dict[str, Any]]) -> pd.DataFrame:
    """Compute the gains over the raw columns, a row for each table, system, form, learner and n.

    Returns
    -------
    DataFrame
        The columns are half, table, system, form, learner, n, raw (an area) and gain (in points),
        averages over draws, and n_draws.
    """
    raw = {(line["table"], line["draw"]): line["auc"][RAW] for line in lines if RAW in line["auc"]}
    found = []
    for line in lines:
        base = raw.get((line["table"], line["draw"]))
        if base is None or line["system"] == RAW:
            continue
        for form, of_learners in line["auc"].items():
            for learner, of_sizes in of_learners.items():
                for n, value in of_sizes.items():
                    before = base.get(learner, {}).get(n)
                    if before is not None:
                        key = (line["table"], line["system"], form, learner, int(n))
                        found.append(
                            (
                                half_of(line),
                                *key,
                                line["draw"],
                                before,
                                100 * (value - before),
                            )
                        )
    by = ["half", "table", "system", "form", "learner", "n"]
    frame = pd.DataFrame(found, columns=[*by, "draw", "raw", "gain"])
    grouped = frame.groupby(by, sort=False)
    means = grouped[["raw", "gain"]].mean().assign(n_draws=grouped["draw"].nunique())
    return means.reset_index()


def means(table: pd.DataFrame) -> pd.DataFrame:
    """Average gains over tables; the error is the standard error over tables."""
    grouped = table.groupby(["half", "system", "form", "n", "learner"], sort=False)
    found = grouped[["raw", "gain"]].mean()
    found["error"] = grouped["gain"].sem()
    found["n_tables"] = grouped["table"].nunique()
    return found.reset_index()


def show(found: pd.DataFrame) -> str:
    """Write the gains of each half as a table: n and learner down, system and form across."""
    parts = []
    order = {learner: i for i, learner in enumerate(LEARNERS)}
    for half, part in found.groupby("half", sort=False):
        part = part.assign(place=part["learner"].map(order))
        part["what"] = np.where(
            part["form"] == FORMS[0], "raw + " + part["system"], part["system"] + " alone"
        )
        wide = part.pivot_table(
            index=["n", "place", "learner"], columns="what", values="gain", sort=False
        ).sort_index()
        wide.insert(0, "raw AUC", part.groupby(["n", "place", "learner"])["raw"].mean())
        wide = wide.droplevel("place").T
        n_tables = part["n_tables"].max()
        parts.append(f"{half}, {n_tables} tables\n{wide.round(2).to_string()}")
    return "\n\n".join(parts)


def summarize(path: Path) -> None:
    """Print the gains and write them to the results."""
    of_tables = gains(read(path))
    of_all = means(of_tables)
    print(show(of_all))
    costs = pd.DataFrame([line for line in read(path) if line["system"] != RAW])
    cost = costs.groupby("system", sort=False)[["fit_s", "n_features"]].agg(["median", "max"])
    print(cost.to_string())
    write(
        "features",
        {
            "means": json.loads(of_all.round(4).to_json(orient="records")),
            "tables": json.loads(of_tables.round(4).to_json(orient="values")),
            "tables_columns": list(of_tables),
            "fit_s": costs.groupby("system", sort=False)["fit_s"].median().to_dict(),
        },
    )


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--half", choices=["design", "final", "both"], default="design")
    parser.add_argument("--tables", nargs="*", choices=list(real_tables.SOURCES))
    parser.add_argument("--systems", nargs="*", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--learners", nargs="*", choices=list(LEARNERS), default=list(LEARNERS))
    parser.add_argument("--draws", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--summary", action="store_true", help="print and write the gains")
    parser.add_argument("--smoke", action="store_true", help="few rows and steps of Adult")
    args = parser.parse_args()
    args.n_steps, args.most_rows = None, MOST_UNLABELLED
    if args.smoke:
        args.n_steps, args.most_rows = 20, 400
        args.tables, args.draws = ["adult"], [0]
        args.out = Path(tempfile.mkdtemp()) / "smoke.jsonl"
    elif args.out is None:
        parser.error("--out names the file of results")
    if args.summary:
        summarize(args.out)
        return
    print(machine())
    run(args)
    if args.smoke:
        print(show(means(gains(read(args.out)))))


if __name__ == "__main__":
    main()
