"""What every benchmark needs: machine, versions, tables of the published protocol, JSON out."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
CODES_ALONE: dict[str, Any] = {
    "decoder": "joint",
    "early_stopping": False,
    "acceptance_rounds": 0,
}
"""Parameters of an autoencoder of which codes or labels are asked, and no rows."""

PACKAGES = ("sklearn-tabgan", "torch", "numpy", "pandas", "scikit-learn", "scipy", "xgboost-cpu")


def machine() -> dict[str, Any]:
    """Describe processor, cores and package versions."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except ImportError:
        return None


def write(name: str, results: Any) -> Path:
    """Write results with machine and versions to ``results/<name>.json``."""
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")
    print(f"wrote {path}")
    return path


def commit() -> str | None:
    """Name the version of the code, "-dirty" where files differ from it, those of results aside."""
    try:
        name = _git("describe", "--always")
        changed = _git("status", "--porcelain", "-uno", "--", ":/", f":(exclude){RESULTS.name}")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{name}-dirty" if changed else name


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=RESULTS.parent, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def read_results(name: str) -> list[dict[str, Any]]:
    """Read what `keep_result` has written to ``results/<name>.json``; nothing if there is none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text())["results"] if path.exists() else []


def keep_result(name: str, entry: dict[str, Any], key: Sequence[str]) -> None:
    """Put one entry into ``results/<name>.json`` in place of one with the same values under `key`.

    Machine and versions are written once for all entries that share them, under the name that each
    of these entries has at "machine". Several processes may write to one file.
    """
    path = RESULTS / f"{name}.json"
    block = machine()
    digest = hashlib.sha256(json.dumps(block, sort_keys=True).encode()).hexdigest()[:8]
    entry = {**entry, "commit": commit(), "machine": digest}
    with _locked(RESULTS):
        document = json.loads(path.read_text()) if path.exists() else {"machines": {}}
        others = [
            old
            for old in document.get("results", [])
            if any(old.get(part) != entry[part] for part in key)
        ]
        results = sorted([*others, entry], key=lambda e: [str(e[part]) for part in key])
        used = {each["machine"] for each in results}
        machines = {**document["machines"], digest: block}
        document = {
            "machines": {name: machines[name] for name in sorted(used)},
            "results": results,
        }
        written = path.with_suffix(".json.part")
        written.write_text(json.dumps(document, indent=1) + "\n")
        written.replace(path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True)
class RealTable:
    """Real rows to learn from and rows held out.

    Attributes
    ----------
    name : str
    train, test : DataFrame
    target : str
        What is predicted from the other columns to tell how useful made rows are.
    categorical : list of str
        Columns that judges take as categories though they may hold numbers. Synthesizers are not
        told.
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    categorical: list[str]


def load_published(name: str, data: Path) -> RealTable:
    """Read one of the three real tables exactly as the published figures had it.

    Unlike `load_table`'s, Adult's missing values are the category "?", and Beijing's rows with
    missing values are left out. Judges take as categories what TabSyn's metadata does: Beijing's
    date and hour, and the numbered browsers, systems, regions and traffic of Shoppers.
    """
    if name == "adult":
        from tabgan.datasets import load_adult

        train, test = (_question_marks(part) for part in load_adult())
        texts = train.select_dtypes(exclude="number")
        return RealTable(name, train, test, "income", list(texts))
    if name == "shoppers":
        table, target = pd.read_csv(data / "shoppers.csv.gz"), "Revenue"
        categorical = list(table.columns[10:])
    elif name == "beijing":
        table, target = pd.read_csv(data / "beijing_pm25.csv.gz").drop(columns="No"), "pm2.5"
        table = table.dropna(ignore_index=True)
        categorical = ["year", "month", "day", "hour", "cbwd"]
    else:
        raise ValueError(f"table must be adult, shoppers or beijing, got {name!r}.")
    return RealTable(name, *split_as_published(table, categorical), target, categorical)


def _question_marks(table: pd.DataFrame) -> pd.DataFrame:
    columns = {
        name: column.astype(object).where(column.notna(), "?").infer_objects()
        if isinstance(column.dtype, pd.CategoricalDtype)
        else column
        for name, column in table.items()
    }
    return pd.DataFrame(columns)


def load_csv(
    path: Path, target: str, categorical: Sequence[str] | None, test_path: Path | None = None
) -> RealTable:
    """Read any table; without test rows of its own it is split as published."""
    table = pd.read_csv(path)
    for name in [target, *(categorical or [])]:
        if name not in table:
            raise ValueError(f"{path} has no column {name!r}; it has {list(table)}.")
    if categorical is None:
        categorical = list(table.select_dtypes(exclude="number"))
    categorical = _with_target(table, target, categorical)
    name = path.name.split(".")[0]
    if test_path is not None:
        return RealTable(name, table, pd.read_csv(test_path)[list(table)], target, categorical)
    return RealTable(name, *split_as_published(table, categorical), target, categorical)


def _with_target(table: pd.DataFrame, target: str, categorical: Sequence[str]) -> list[str]:
    """Count a target of at most ten different values among the categories."""
    is_class = table[target].dtype.kind not in "iuf" or table[target].nunique() <= 10
    return list(dict.fromkeys([*categorical, target] if is_class else categorical))


SMALL_TABLES = ("iris", "wine", "breast_cancer", "digits")


def load_small(name: str, seed: int) -> RealTable:
    """Load one of scikit-learn's small tables, a fifth of it held out.

    The split goes with the seed: figures of thirty held-out rows say little for one split alone.
    """
    from sklearn import datasets

    table = getattr(datasets, f"load_{name}")(as_frame=True).frame
    order = np.random.default_rng(seed).permutation(len(table))
    test, train = np.split(order, [len(table) // 5])
    parts = [table.iloc[rows].reset_index(drop=True) for rows in (train, test)]
    return RealTable(name, *parts, "target", _with_target(table, "target", []))


def split_as_published(
    table: pd.DataFrame, categorical: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split off a tenth of the rows as TabSyn, TabDiff and TabPC do.

    Rows are shuffled by seed 1234; while the training rows lack a category they are shuffled
    further, by the next seed. If two hundred seeds do not do, the first split is taken.
    """
    codes = [pd.factorize(table[name])[0] for name in categorical]
    n_levels = [len(np.unique(code)) for code in codes]
    order = np.arange(len(table))
    n_train = int(len(table) * 0.9)
    first = None
    for seed in range(1234, 1434):
        np.random.RandomState(seed).shuffle(order)
        first = order.copy() if first is None else first
        kept = [len(np.unique(code[order[:n_train]])) for code in codes]
        if kept == n_levels:
            break
    else:
        order = first
    train, test = order[:n_train], order[n_train:]
    return (
        table.iloc[train].reset_index(drop=True),
        table.iloc[test].reset_index(drop=True),
    )


def load_table(name: str, data: Path) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Read one of the three real tables, split as published, missing values kept.

    Adult has its own split. Others: 90 % / 10 %, shuffled by seed 1234, seed + 1 until the
    training rows hold every category.

    Returns
    -------
    train, test : DataFrame
    target : str
    """
    if name == "adult":
        from tabgan.datasets import load_adult

        return (*load_adult(), "income")
    if name == "shoppers":
        table, target = pd.read_csv(data / "shoppers.csv.gz"), "Revenue"
    elif name == "beijing":
        table, target = pd.read_csv(data / "beijing_pm25.csv.gz").drop(columns="No"), "pm2.5"
    else:
        raise ValueError(f"table must be adult, shoppers or beijing, got {name!r}.")
    n_train = int(len(table) * 0.9)
    texts = table.select_dtypes(exclude="number")
    for seed in range(1234, 2234):
        order = np.random.RandomState(seed).permutation(len(table))
        train = order[:n_train]
        if (texts.iloc[train].nunique() == texts.nunique()).all():
            break
    rest = order[n_train:]
    return (
        table.iloc[train].reset_index(drop=True),
        table.iloc[rest].reset_index(drop=True),
        target,
    )
