"""MST and AIM of the package dpmm, for `differential_privacy.py`; runs in dpmm's own environment.

    PYTHON benchmarks/dpmm_rival.py SPECIFICATION.json

dpmm 0.1.9 asks for Python 3.11, NumPy 1.26 and pandas 2.1, so that it cannot be installed beside
tabgan. The specification is what `differential_privacy.run` writes: the CSV file of
the training rows, the public categories and bounds, and the budget. Synthetic rows go to the CSV
file that it names as "rows", seconds and peak memory to the JSON file that it names as "figures".

dpmm's pipeline cuts numbers by PrivTree, whose budget comes on top of `epsilon`. Here it is taken
out of the promised epsilon: a tenth of it, at most dpmm's own default of 0.1. AIM's models are
limited to 80 MB, as its paper has it; dpmm's pipeline sets no limit by default.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def read_rows(path: str, columns: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Read the training rows: categories as strings, other columns as numbers."""
    texts = {name: str for name, of in columns.items() if "categories" in of}
    rows = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    for name in texts:
        if rows[name].isna().any():
            raise ValueError(f"Column {name!r} holds categories and has gaps.")
    return rows


def main() -> None:
    """Fit, sample, and write rows and figures."""
    from dpmm.pipelines import AIMPipeline, MSTPipeline

    spec = json.loads(Path(sys.argv[1]).read_text())
    columns = spec["columns"]
    rows = read_rows(spec["csv"], columns)
    domain = {
        name: {"categories": of["categories"]}
        if "categories" in of
        else {"lower": of["bounds"][0], "upper": of["bounds"][1]}
        for name, of in columns.items()
    }
    for_bins = min(0.1, spec["epsilon"] / 10)
    make, options = (
        (MSTPipeline, {}) if spec["system"] == "MST" else (AIMPipeline, {"max_model_size": 80})
    )
    pipeline = make(
        epsilon=spec["epsilon"] - for_bins,
        delta=spec["delta"],
        proc_epsilon=for_bins,
        n_jobs=1,
        **options,
    )
    wall, processor = time.perf_counter(), time.process_time()
    pipeline.fit(rows, domain=domain, random_state=spec["seed"])
    figures = {
        "fit_s": round(time.perf_counter() - wall, 1),
        "fit_cpu_s": round(time.process_time() - processor, 1),
    }
    wall = time.perf_counter()
    made = pipeline.generate(n_records=spec["n_rows"], random_state=spec["seed"])
    figures["sample_s"] = round(time.perf_counter() - wall, 1)
    figures["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    figures["measured"] = [list(clique) for clique in pipeline.gen.generator.cliques]
    figures["software"] = {
        "dpmm": version("dpmm"),
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    made[list(rows)].to_csv(spec["rows"], index=False)
    Path(spec["figures"]).write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
