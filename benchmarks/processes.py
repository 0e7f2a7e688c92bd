"""How much quicker two processes are than one: training together, and drawing partitions.

    python benchmarks/processes.py --runs 3

Each fit runs in processes of its own, which ``torchrun`` starts, on the training rows of Adult,
with a fixed number of steps, without early stopping and without rejection. "1 x 2" is one process
of two threads, "2 x 1" two processes of one thread each. Wall seconds need a quiet machine. On one
that is not, the processor seconds of the busiest process tell what wall seconds would at best be.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

FITS = {
    "AutoregressiveSynthesizer, batches of 500": ("AutoregressiveSynthesizer", 500, 60),
    "AutoregressiveSynthesizer, batches of 4,000": ("AutoregressiveSynthesizer", 4000, 12),
    "WGANSynthesizer, batches of 500": ("WGANSynthesizer", 500, 30),
}
SHAPES = {"1 x 1": (1, 1), "1 x 2": (1, 2), "2 x 1": (2, 1)}
N_ROWS, PARTITION = 300_000, 10_000


def fit(name: str, batch_size: int, n_steps: int, folder: Path) -> None:
    """Fit in this process of a group, and write how long it took."""
    import torch

    import tabgan
    from tabgan.datasets import load_adult

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    warnings.simplefilter("ignore")
    train, settings = load_adult()[0], {"n_steps": n_steps, "batch_size": batch_size}
    if name == "AutoregressiveSynthesizer":
        settings["early_stopping"] = False
    model = getattr(tabgan, name)(distributed=True, random_state=0, acceptance_rounds=0, **settings)
    seen = [time.process_time()]
    model.set_params(callbacks=[lambda _: seen.append(time.process_time())])
    model.fit(train)
    # From the first record of the history to the last: training alone, without encoding.
    history = model.history_
    step, seconds = history["step"].to_numpy(), history["seconds"].to_numpy()
    n = int(step[-1] - step[0])
    told = {
        "wall": float(seconds[-1] - seconds[0]) / n,
        "processor": (seen[-1] - seen[1]) / n,
        "loss": float(history.iloc[-1, 2]),
    }
    rank = os.environ.get("RANK", "0")
    (folder / f"{rank}.json").write_text(json.dumps(told))


def train_with(shape: str, what: str) -> dict[str, float]:
    """Fit in processes of their own; return seconds of a step, those of the slowest process."""
    processes, threads = SHAPES[shape]
    here = Path(__file__).resolve()
    environment = {
        **os.environ,
        "PYTHONPATH": str(here.parents[1]),
        "OMP_NUM_THREADS": str(threads),
    }
    with tempfile.TemporaryDirectory() as folder:
        group = ["--standalone", "--nproc-per-node", str(processes)]
        command = [sys.executable, "-m", "torch.distributed.run", *group, str(here)]
        subprocess.run([*command, "--fit", what, "--into", folder], env=environment, check=True)
        told = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))]
    assert len(told) == processes
    return {part: max(each[part] for each in told) for part in told[0]}


def draw(model: Any, n_workers: int) -> dict[str, float]:
    """Return the rows that a cluster draws in a second, once its processes know the library."""
    import distributed

    from tabgan.dask import sample

    settings = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=n_workers, **settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(_warm, model)
        before, start = _used(client), time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            rows = sample(model, N_ROWS, partition_size=PARTITION, random_state=0)
            rows.to_parquet(folder)
        wall, after = time.perf_counter() - start, _used(client)
    busiest = max(after[worker] - before[worker] for worker in after)
    return {"wall": N_ROWS / wall, "processor": N_ROWS / busiest}


def _warm(model: Any) -> None:
    """Draw and write a few rows in a worker, so that the worker has imported what that needs."""
    import dask.dataframe

    rows = dask.dataframe.from_pandas(model.sample(100, random_state=0), npartitions=1)
    with tempfile.TemporaryDirectory() as folder:
        rows.to_parquet(folder, compute_kwargs={"scheduler": "synchronous"})


def _used(client: Any) -> dict[str, float]:
    """Return the processor seconds that each worker has used."""
    return client.run(time.process_time)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--fit")
    parser.add_argument("--into", type=Path)
    arguments = parser.parse_args()
    if arguments.fit:
        fit(*FITS[arguments.fit], arguments.into)
        return
    runs: dict[str, dict[str, list[dict[str, float]]]] = {}
    for _ in range(arguments.runs):
        for what in FITS:
            for shape in SHAPES:
                told = train_with(shape, what)
                runs.setdefault(what, {}).setdefault(shape, []).append(told)
                print(what, shape, told, flush=True)
    import tabgan
    from tabgan.datasets import load_adult

    warnings.simplefilter("ignore")
    train = load_adult()[0]
    model = tabgan.AutoregressiveSynthesizer(random_state=0, n_steps=200, verbose=0).fit(train)
    for _ in range(arguments.runs):
        for n_workers in (1, 2):
            told = draw(model, n_workers)
            runs.setdefault("rows a second", {}).setdefault(f"{n_workers} x 1", []).append(told)
            print("rows a second", n_workers, told, flush=True)
    results = {
        what: {
            shape: {part: round(median(run[part] for run in each), 5) for part in each[0]}
            for shape, each in shapes.items()
        }
        for what, shapes in runs.items()
    }
    print(json.dumps(results, indent=1))
    from common import write

    write("processes", {"runs": arguments.runs, "load": os.getloadavg()[1], "medians": results})


if __name__ == "__main__":
    main()
