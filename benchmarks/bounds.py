"""What follows training, from one and from three million rows of three columns: seconds and memory.

Rates, rejection and features are learnt from bounded numbers of rows, so that three times as many
rows cost no more. Each measurement runs in a process of its own and makes ten steps:

    OMP_NUM_THREADS=1 python benchmarks/bounds.py --rows 1000000 3000000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from common import keep_result

MODELS = (
    "AutoregressiveSynthesizer",
    "WGANSynthesizer",
    "InfoGANFeaturizer",
    "ARAESynthesizer",
)


def table(n: int) -> pd.DataFrame:
    """Make rows of a number, a whole number and a category that hang together."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n).round(3)
    return pd.DataFrame(
        {
            "x": x,
            "n": (10 * x + rng.integers(0, 20, n)).astype(np.int64),
            "k": pd.Categorical(np.digitize(x, [-1.0, 0.0, 1.0]).astype(str)),
        }
    )


def measure(name: str, n: int) -> dict[str, Any]:
    """Fit one model, and time what comes before, in and after training."""
    import tabgan
    from tabgan.adversarial.training import Training

    train, spent = Training.run, []

    def run(*arguments: Any, **options: Any) -> bool:
        spent.append(time.process_time())
        done = train(*arguments, **options)
        spent.append(time.process_time())
        return done

    Training.run = run  # type: ignore[method-assign]
    rows = table(n)
    model = getattr(tabgan, name)(n_steps=10, acceptance_rounds=1, random_state=0)
    before, started = peak(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows)
    return {
        "reading_cpu_seconds": round(spent[0] - started, 1),
        "training_cpu_seconds": round(spent[-1] - spent[0], 1),
        "after_cpu_seconds": round(time.process_time() - spent[-1], 1),
        "table_mb": round(rows.memory_usage(index=False).sum() / 2**20),
        "before_peak_mb": before,
        "peak_mb": peak(),
    }


def peak() -> int:
    """Peak resident memory of this process so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    for name in options.models:
        for n in options.rows:
            command = [sys.executable, __file__, "--child", name, str(n)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr[-2000:])
            result = json.loads(done.stdout.splitlines()[-1])
            print(name, f"{n:,}", result, flush=True)
            keep_result("bounds", {"model": name, "rows": n, **result}, ["model", "rows"])


if __name__ == "__main__":
    main()
