"""Rows under differential privacy: errors of marginals, Trend, MLE, seconds, beside MST and AIM.

    python benchmarks/differential_privacy.py --data FOLDER [--tables adult shoppers ...]
        [--systems ours MST AIM ...] [--epsilons 0.5 1 3 10] [--seeds 0 1]
        [--rival-python PYTHON] [--limit 1200] [--again]
    python benchmarks/differential_privacy.py --smoke

Every system gets one CSV file, and fits in a process of its own. Categories and bounds of numbers
are those of the published table, training and test rows together, and are public to all systems.
What the systems learn beyond these is paid for out of epsilon.

- *ours*: `DPSynthesizer`, told the public categories and bounds, and which numbers are whole.
- *ours, private bounds*: the same, which is not told the bounds and finds them privately.
- *one-way*: independent columns. Each column's counts over its categories, or over 32 intervals of
  equal width between the public bounds, get Gaussian noise of an equal part of the budget.
- *MST*, *AIM*: of the package dpmm, by `dpmm_rival.py` under the interpreter `--rival-python`.
- *real test rows*: no synthesizer; what a perfect one would reach, apart from chance. MLE is that
  of the training rows.

Tables are Adult and Shoppers as published, scikit-learn's breast cancer and a made table, half of
whose rows are held out.

- tv_2, tv_3: total variation distance (half the L1 distance) of the marginals of all pairs of
  columns, and of 200 triples drawn once for each table, from the training rows; the mean.
  tv_2_test, tv_3_test: from the test rows. Numbers are cut at the deciles of all real rows, a value
  of more than a tenth of the rows by itself, and gaps too. No system is told these cuts.
- trend, mle: as in `judging.trend_and_mle`.
- fit_cpu_s: processor seconds of `fit`; fit_s: by the clock; peak_mb: of the whole process.

A fit that takes more than `--limit` processor seconds is ended, and its entry says so. Results
go to ``results/differential_privacy.json``, one entry for each table, system, epsilon and seed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from common import RealTable, keep_result, load_published, load_small, read_results
from dpmm_rival import read_rows
from numpy.typing import NDArray

from tabgan.datasets import make_mixed_table

NAME = "differential_privacy"
KEY = ("table", "system", "epsilon", "seed")
DELTA = 1e-6
TABLES = ("adult", "shoppers", "breast_cancer", "mixed")
RIVALS = ("MST", "AIM")
SYSTEMS = ("ours", "ours, private bounds", "one-way", *RIVALS, "real test rows")
EPSILONS = (0.5, 1.0, 3.0, 10.0)
N_TRIPLES = 200
N_MIXED = 2000
N_INTERVALS = 32
RIVAL = Path(__file__).with_name("dpmm_rival.py")

Codes = NDArray[np.int64]
Columns = dict[str, dict[str, Any]]


# ---------------------------------------------------------------------- tables


def load(name: str, data: Path) -> RealTable:
    """Load a table, categories as strings and dates as days, which every system can read."""
    if name in ("adult", "shoppers"):
        table = load_published(name, data)
    elif name == "breast_cancer":
        table = load_small(name, 0)
    else:
        table = _made()
    train, test = (_as_text(part, table.categorical) for part in (table.train, table.test))
    return RealTable(name, train, test, table.target, table.categorical)


def _made() -> RealTable:
    rows = make_mixed_table(2 * N_MIXED, missing=0.05, random_state=0)
    rows["joined"] = (rows["joined"] - pd.Timestamp("2020-01-01")).dt.days.astype(float)
    rows["visits"] = rows["visits"].astype(float)
    categorical = ["colour", "size", "member", "channel", "bought"]
    parts = (rows.head(N_MIXED), rows.tail(N_MIXED))
    train, test = (part.reset_index(drop=True) for part in parts)
    return RealTable("mixed", train, test, "bought", categorical)


def _as_text(rows: pd.DataFrame, categorical: Sequence[str]) -> pd.DataFrame:
    return rows.assign(
        **{name: rows[name].astype(object).where(rows[name].notna(), "?") for name in categorical}
    ).astype(dict.fromkeys(categorical, str))


def public_columns(table: RealTable) -> Columns:
    """Describe what is public: the categories of each column, or its bounds."""
    real = pd.concat([table.train, table.test], ignore_index=True)
    columns: Columns = {}
    for name, column in real.items():
        if name in table.categorical:
            columns[name] = {"categories": sorted(column.unique())}
        else:
            is_whole = bool((column.dropna() % 1 == 0).all())
            bounds = [float(column.min()), float(column.max())]
            columns[name] = {"bounds": bounds, "whole": is_whole}
    return columns


# ---------------------------------------------------------------------- marginals


class Cells:
    """A binning of every column that no system is told, for comparing marginals.

    Parameters
    ----------
    table : RealTable

    Attributes
    ----------
    sizes : list of int
        Number of cells of each column.
    triples : list of tuple of int
        Places of the columns of the three-way marginals that are compared.
    """

    def __init__(self, table: RealTable) -> None:
        real = pd.concat([table.train, table.test], ignore_index=True)
        self._categorical = table.categorical
        self._levels = {name: sorted(real[name].unique()) for name in table.categorical}
        self._cuts = {
            name: _cuts(real[name]) for name in real.columns if name not in table.categorical
        }
        self.sizes = [
            len(self._levels[name]) + 1 if name in self._levels else len(self._cuts[name]) + 2
            for name in real.columns
        ]
        places = range(len(self.sizes))
        self.pairs = list(itertools.combinations(places, 2))
        triples = list(itertools.combinations(places, 3))
        chosen = np.random.default_rng(0).permutation(len(triples))[:N_TRIPLES]
        self.triples = [triples[place] for place in np.sort(chosen)]

    def codes(self, rows: pd.DataFrame) -> Codes:
        """Return the cells of rows, (n_rows, n_columns); cell 0 is a gap or an unknown category."""
        columns = []
        for name, column in rows.items():
            if name in self._levels:
                codes = pd.Index(self._levels[name]).get_indexer(column) + 1
            else:
                values = column.to_numpy(dtype=float)
                above = np.searchsorted(self._cuts[name], values, side="right") + 1
                codes = np.where(np.isnan(values), 0, above)
            columns.append(codes)
        return np.stack(columns, axis=1)

    def distance(self, one: Codes, other: Codes, cliques: Sequence[tuple[int, ...]]) -> float:
        """Return the mean total variation distance of the marginals of `cliques`."""
        found = []
        for clique in cliques:
            sizes = [self.sizes[place] for place in clique]
            shares = [
                np.bincount(
                    np.ravel_multi_index(tuple(codes[:, clique].T), sizes),
                    minlength=int(np.prod(sizes)),
                )
                / len(codes)
                for codes in (one, other)
            ]
            found.append(0.5 * np.abs(shares[0] - shares[1]).sum())
        return float(np.mean(found))


def _cuts(column: pd.Series) -> NDArray[np.float64]:
    """Cut at the deciles, and on both sides of a value of more than a tenth of the rows."""
    values = column.dropna().to_numpy(dtype=float)
    cuts = np.quantile(values, np.arange(1, 10) / 10)
    levels, counts = np.unique(values, return_counts=True)
    frequent = levels[counts > len(values) / 10]
    return np.unique(np.concatenate([cuts, frequent, np.nextafter(frequent, np.inf)]))


def judge(
    rows: pd.DataFrame, table: RealTable, learnt_from: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Compare marginals with training and test rows, and compute Trend and MLE.

    The learner of MLE is trained on `learnt_from` if given.
    """
    from judging import trend_and_mle

    cells = Cells(table)
    made, train, test = (cells.codes(part) for part in (rows, table.train, table.test))
    figures: dict[str, Any] = {}
    for suffix, real in (("", train), ("_test", test)):
        figures[f"tv_2{suffix}"] = cells.distance(made, real, cells.pairs)
        figures[f"tv_3{suffix}"] = cells.distance(made, real, cells.triples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            figures |= trend_and_mle(rows if learnt_from is None else learnt_from, rows, table)
        except ValueError as error:
            # The learner needs both classes, which the rows of a small budget can lack.
            figures["no_mle"] = str(error).split("\n", maxsplit=1)[0]
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}


# ---------------------------------------------------------------------- systems


def fit_ours(spec: dict[str, Any], train: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fit `DPSynthesizer` and sample."""
    from tabgan import DPSynthesizer

    columns: Columns = spec["columns"]
    model = DPSynthesizer(
        epsilon=spec["epsilon"],
        delta=spec["delta"],
        categories={name: of["categories"] for name, of in columns.items() if "categories" in of},
        bounds={name: tuple(of["bounds"]) for name, of in columns.items() if "bounds" in of}
        if spec["system"] == "ours"
        else None,
        steps={name: 1 for name, of in columns.items() if of.get("whole")},
        random_state=spec["seed"],
    )
    figures = _timed(lambda: model.fit(train))
    return model.sample(spec["n_rows"], random_state=spec["seed"]), figures


def fit_one_way(spec: dict[str, Any], train: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure each column by itself, with Gaussian noise, and draw columns independently."""
    rng = np.random.default_rng(spec["seed"])
    from tabgan.private.accounting import rho_of

    rho = rho_of(spec["epsilon"], spec["delta"])
    sigma = np.sqrt(len(spec["columns"]) / (2 * rho))
    made: dict[str, Any] = {}

    def measure() -> None:
        for name, of in spec["columns"].items():
            made[name] = _one_way(train[name], of, sigma, spec["n_rows"], rng)

    figures = _timed(measure)
    return pd.DataFrame(made), figures


def _one_way(
    column: pd.Series, of: dict[str, Any], sigma: float, n_rows: int, rng: np.random.Generator
) -> Any:
    if "categories" in of:
        codes = pd.Index(of["categories"]).get_indexer(column)
        n_cells = len(of["categories"])
    else:
        low, high = of["bounds"]
        edges = np.linspace(low, high, N_INTERVALS + 1)
        values = column.to_numpy(dtype=float)
        inside = np.searchsorted(edges[1:-1], values, side="right")
        codes = np.where(np.isnan(values), N_INTERVALS, inside)
        n_cells = N_INTERVALS + 1
    counts = np.bincount(codes, minlength=n_cells) + rng.normal(0, sigma, n_cells)
    shares = np.maximum(counts, 0) + 1e-9
    drawn = rng.choice(n_cells, n_rows, p=shares / shares.sum())
    if "categories" in of:
        return np.array(of["categories"], dtype=object)[drawn]
    edges = np.append(edges, np.nan)
    ends = np.append(edges[1:], np.nan)
    values = edges[drawn] + (ends - edges)[drawn] * rng.random(n_rows)
    return np.round(values) if of["whole"] else values


def _timed(fit: Any) -> dict[str, Any]:
    wall, processor = time.perf_counter(), time.process_time()
    fit()
    return {
        "fit_s": round(time.perf_counter() - wall, 1),
        "fit_cpu_s": round(time.process_time() - processor, 1),
    }


FITS = {"ours": fit_ours, "ours, private bounds": fit_ours, "one-way": fit_one_way}


def fit_here(path: Path) -> None:
    """Do what `dpmm_rival.py` does, for the systems of this environment."""
    spec = json.loads(path.read_text())
    train = read_rows(spec["csv"], spec["columns"])
    rows, figures = FITS[spec["system"]](spec, train)
    figures["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    rows.to_csv(spec["rows"], index=False)
    Path(spec["figures"]).write_text(json.dumps(figures))


# ---------------------------------------------------------------------- a run


def run(
    table: RealTable,
    system: str,
    epsilon: float,
    seed: int,
    rival_python: str = sys.executable,
    limit: int | None = None,
) -> dict[str, Any]:
    """Fit one system in a process of its own, and judge its rows; return the entry."""
    entry: dict[str, Any] = {
        "table": table.name,
        "system": system,
        "epsilon": epsilon,
        "seed": seed,
        "delta": DELTA,
        "n_train": len(table.train),
        "n_test": len(table.test),
        "n_columns": table.train.shape[1],
    }
    if system == "real test rows":
        figures = judge(table.test, table, learnt_from=table.train)
        return entry | {k: v for k, v in figures.items() if not k.endswith("_test")}
    with TemporaryDirectory() as folder:
        paths = {name: str(Path(folder) / name) for name in ("csv", "rows", "figures")}
        columns = public_columns(table)
        spec = {**entry, "columns": columns, "n_rows": len(table.train), **paths}
        table.train.to_csv(paths["csv"], index=False)
        path = Path(folder) / "specification.json"
        path.write_text(json.dumps(spec))
        command = (
            [rival_python, str(RIVAL), str(path)]
            if system in RIVALS
            else [sys.executable, __file__, "--fit", str(path)]
        )
        done = subprocess.run(
            command, env=_environment(), preexec_fn=lambda: _limit(limit) if limit else None
        )
        if done.returncode == -signal.SIGXCPU:
            return entry | {"ended_after_cpu_s": limit}
        if done.returncode:
            raise RuntimeError(f"{system} failed on {table.name}: {' '.join(command)}.")
        rows = _as_real(pd.read_csv(paths["rows"], dtype=str, keep_default_na=False), table)
        figures = json.loads(Path(paths["figures"]).read_text())
    return entry | figures | judge(rows, table)


def _limit(seconds: int) -> None:
    """End this process after so many processor seconds, however busy the machine is."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))


def _environment() -> dict[str, str]:
    """Give every system one thread, however its libraries are told."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, "1")}


def _as_real(rows: pd.DataFrame, table: RealTable) -> pd.DataFrame:
    """Give made rows the order of columns and the kinds of the real table."""
    return pd.DataFrame(
        {
            name: rows[name] if name in table.categorical else pd.to_numeric(rows[name])
            for name in table.train
        }
    )


def main() -> None:
    """Run what is asked for and not there yet, and keep every entry."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=Path("."), help="folder of the real tables")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--epsilons", nargs="+", type=float, default=list(EPSILONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--rival-python", help="interpreter of an environment that holds dpmm")
    parser.add_argument("--limit", type=int, help="processor seconds after which a fit is ended")
    parser.add_argument("--again", action="store_true", help="also what results hold already")
    parser.add_argument("--smoke", action="store_true", help="one small table, no JSON")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit is not None:
        fit_here(options.fit)
        return
    if options.smoke:
        print(run(load("mixed", options.data), "one-way", 1.0, 0))
        return
    done = {tuple(entry[part] for part in KEY) for entry in read_results(NAME)}
    for name, seed, epsilon in itertools.product(options.tables, options.seeds, options.epsilons):
        table = load(name, options.data)
        for system in options.systems:
            if system in RIVALS and options.rival_python is None:
                continue
            if system == "real test rows" and (seed, epsilon) != (0, max(EPSILONS)):
                continue
            if (name, system, epsilon, seed) in done and not options.again:
                continue
            entry = run(table, system, epsilon, seed, options.rival_python, options.limit)
            print({k: v for k, v in entry.items() if k != "measured"}, flush=True)
            keep_result(NAME, entry, KEY)


if __name__ == "__main__":
    main()
