"""How long fits and samples take, beside another checkout of the same library in one run.

    python benchmarks/speed.py --against /a/checkout/of/before

Both checkouts are run in turn, each in a process of its own, so that a machine whose speed drifts
slows both. The ratios are those of the medians of processor seconds: below 1, this checkout is
quicker.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

MODELS = {
    "AutoregressiveSynthesizer": {"n_steps": 100, "early_stopping": False},
    "WGANSynthesizer": {"n_steps": 60},
    "ARAESynthesizer": {"n_steps": 60},
    "AAESynthesizer": {"n_steps": 200},
}


def measure() -> dict[str, dict[str, float]]:
    """Time the models of the library that Python imports, in processor seconds."""
    import tabgan
    from tabgan.datasets import load_adult

    train = load_adult()[0].head(8000)
    result = {}
    warnings.simplefilter("ignore")
    for name, settings in MODELS.items():
        model = getattr(tabgan, name)(random_state=0, **settings)
        seconds = {}
        for what, work in (
            ("fit", lambda model=model: model.fit(train)),
            ("sample", lambda model=model: model.sample(20_000)),
            (
                "conditional sample",
                lambda model=model: model.sample(300, conditions={"sex": "Female"}),
            ),
        ):
            before = time.process_time()
            work()
            seconds[what] = time.process_time() - before
        result[name] = seconds
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--against", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.against is None:
        print(json.dumps(measure()))
        return
    here = Path(__file__).resolve().parents[1]
    runs: dict[str, list[dict[str, Any]]] = {"before": [], "after": []}
    for _ in range(arguments.runs):
        for side, root in (("before", arguments.against.resolve()), ("after", here)):
            done = subprocess.run(
                [sys.executable, __file__],
                env={**os.environ, "PYTHONPATH": str(root)},
                cwd=root,
                capture_output=True,
                text=True,
                check=True,
            )
            runs[side].append(json.loads(done.stdout.splitlines()[-1]))
            print(side, done.stdout.splitlines()[-1], flush=True)
    result: dict[str, Any] = {"seconds": {}, "ratio": {}}
    for name in MODELS:
        for what in runs["after"][0][name]:
            before, after = (
                median(run[name][what] for run in runs[side]) for side in ("before", "after")
            )
            result["seconds"][f"{name} {what}"] = [round(before, 3), round(after, 3)]
            result["ratio"][f"{name} {what}"] = round(after / before, 3)
    print(json.dumps(result["ratio"], indent=1))
    from common import write

    print(write("speed", result))


if __name__ == "__main__":
    main()
