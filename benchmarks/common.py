"""What every benchmark needs: machine, versions, tables of the published protocol, JSON out."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
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
