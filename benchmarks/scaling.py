"""Time and peak memory of a fit and of sampling over rows, columns and categories.

All fits make at most 500 steps, so that what differs is what the size costs; early stopping is on.
Each measurement runs in a process of its own, whose peak is the largest resident memory that the
operating system saw. Tables are written to Parquet first, by another process, and fitted from the
file. ``python benchmarks/scaling.py rows 10000 1000000`` measures some sizes alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import keep_result

SIZES = {
    "rows": (10_000, 100_000, 1_000_000, 10_000_000),
    "columns": (10, 30, 100, 300, 1_000),
    "categories": (10, 100, 1_000, 10_000, 100_000),
}
N_WIDE, N_CATEGORIES, N_SAMPLED = 2_000, 100_000, 262_144
N_STEPS = 500
WRITTEN = 1_000_000


def adult_like(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Resample Adult's training rows, and scatter the one column of many values."""
    from tabgan.datasets import load_adult

    train, _ = load_adult()
    table = train.iloc[rng.integers(len(train), size=n)].reset_index(drop=True)
    table["fnlwgt"] += rng.integers(-5_000, 5_000, size=n)
    return table


def wide(n_columns: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make 2,000 rows of numbers and categories that depend on ten hidden factors."""
    factors = rng.standard_normal((N_WIDE, 10))
    numbers = factors @ rng.standard_normal((10, n_columns)) / 3
    numbers += rng.standard_normal(numbers.shape)
    columns: dict[str, Any] = {}
    for j, values in enumerate(numbers.T):
        if j % 2:
            columns[f"c{j}"] = pd.Categorical(np.digitize(values, [-1.0, 0.0, 1.0]).astype(str))
        else:
            columns[f"x{j}"] = values.round(3)
    return pd.DataFrame(columns)


def many_categories(k: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make rows of a shop among k, a colour that follows from the shop, and a number."""
    uniform = rng.integers(k, size=N_CATEGORIES)
    skewed = np.minimum(rng.zipf(1.3, size=N_CATEGORIES) - 1, k - 1)
    shop = np.where(rng.random(N_CATEGORIES) < 0.5, uniform, skewed)
    shift = rng.normal(0, 3, size=k)[shop]
    return pd.DataFrame(
        {
            "shop": pd.Series(shop).map("shop {}".format),
            "colour": pd.Series((shop * 7919) % 12).map("colour {}".format),
            "x": (shift + rng.standard_normal(N_CATEGORIES)).round(2),
        }
    )


def write_table(what: str, size: int, path: Path) -> None:
    """Write the table of one measurement to Parquet, a million rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    if what != "rows":
        (wide if what == "columns" else many_categories)(size, rng).to_parquet(path)
        return
    writer = None
    for start in range(0, size, WRITTEN):
        part = adult_like(min(WRITTEN, size - start), rng)
        table = pa.Table.from_pandas(part, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=WRITTEN // 8)
    writer.close()


def measure(what: str, path: Path, seed: int) -> dict[str, Any]:
    """Fit the table in a file, write rows to another file, and measure both."""
    import torch

    import tabgan
    from tabgan.adversarial.training import Training

    train, spent = Training.run, []

    def run(*arguments: Any, **options: Any) -> None:
        spent.append(time.process_time())
        train(*arguments, **options)
        spent.append(time.process_time())

    Training.run = run  # type: ignore[method-assign]
    model = tabgan.AutoregressiveSynthesizer(n_steps=N_STEPS, random_state=seed)
    before = _peak()
    started, fit_started = time.perf_counter(), time.process_time()
    model.fit(path)
    fit_seconds, fit_cpu = time.perf_counter() - started, time.process_time() - fit_started
    after_fit = _peak()
    n = 2_000 if what == "columns" else N_SAMPLED
    started, cpu = time.perf_counter(), time.process_time()
    model.sample(n, random_state=0, into=path.with_name("sampled.parquet"))
    sample_seconds, sample_cpu = time.perf_counter() - started, time.process_time() - cpu
    return {
        "fit_seconds": round(fit_seconds, 2),
        "fit_cpu_seconds": round(fit_cpu, 2),
        "read_cpu_seconds": round(spent[0] - fit_started, 2),
        "training_cpu_seconds": round(spent[1] - spent[0], 2),
        "steps": model.n_steps_,
        "fit_peak_mb": after_fit,
        "rows_per_second": round(n / sample_seconds),
        "cpu_rows_per_second": round(n / sample_cpu),
        "sampled": n,
        "peak_mb": _peak(),
        "imports_peak_mb": before,
        "torch_threads": torch.get_num_threads(),
    }


def _peak() -> int:
    """Peak resident memory of this process so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def run(what: str, size: int, seed: int) -> None:
    """Write a table and measure it, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        for step in ("write", "measure"):
            command = [sys.executable, __file__, "--child", step, what, str(size), str(seed), path]
            done = subprocess.run(
                [str(part) for part in command], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(done.stderr[-2000:])
        result = json.loads(done.stdout.splitlines()[-1])
    print(what, f"{size:,}", result, flush=True)
    entry = {"what": what, "size": size, "seed": seed, **result}
    keep_result("scaling", entry, ["what", "size", "seed"])


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        step, what, size, seed, path = sys.argv[2:]
        if step == "write":
            write_table(what, int(size), Path(path))
        else:
            print(json.dumps(measure(what, Path(path), int(seed))))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=list(SIZES), help="default: all three")
    parser.add_argument("sizes", nargs="*", type=int, help="default: all sizes")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for what in [args.what] if args.what else SIZES:
        for size in args.sizes or SIZES[what]:
            run(what, size, args.seed)


if __name__ == "__main__":
    main()
