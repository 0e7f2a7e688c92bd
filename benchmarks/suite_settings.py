"""Does the suite pass on any processor, with any number of threads and any seeds? All settings.

    python benchmarks/suite_settings.py [--settings unset avx2 ...] [--workers 2] [-- PYTEST ARGS]

Runs the whole suite once in each setting, one after the other, from the root of a checkout, and
writes what passed and how long each run took to results/suite_settings.json. A setting is a name
and the environment variables that differ from a plain run:

- kernels: ``ATEN_CPU_CAPABILITY`` limits torch's own kernels to no vectors ("default") or AVX2;
- products: ``TABGAN_BFLOAT16`` makes matrix products round their inputs to bfloat16 ("on", as
  processors with AMX do), or keeps all products in float32 ("off");
- threads: ``OMP_NUM_THREADS`` gives every worker two threads, where a plain run has one; there
  are half as many workers then;
- seeds: ``TABGAN_SEED_SHIFT`` gives every statistical test other random numbers.

No run is repeated. The script ends with 1 if a test failed in any setting.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import keep_result

SETTINGS: dict[str, dict[str, str]] = {
    "unset": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "default": {"ATEN_CPU_CAPABILITY": "default"},
    "bfloat16 on": {"TABGAN_BFLOAT16": "on"},
    "bfloat16 off": {"TABGAN_BFLOAT16": "off"},
    "two threads": {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    "seeds shifted by 1": {"TABGAN_SEED_SHIFT": "1"},
    "seeds shifted by 2": {"TABGAN_SEED_SHIFT": "2"},
    "seeds shifted by 3": {"TABGAN_SEED_SHIFT": "3"},
}
KNOWN = {name for values in SETTINGS.values() for name in values}
ROOT = Path(__file__).parent.parent


def run(setting: str, workers: int, arguments: list[str]) -> dict[str, Any]:
    """Run the suite in one setting; counts of outcomes, failed tests and seconds."""
    plain = {name: value for name, value in os.environ.items() if name not in KNOWN}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**plain, "PYTHONPATH": path, **SETTINGS[setting]}
    command = [sys.executable, "-m", "pytest", "-rfE", "-n", str(workers), *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    counts = re.findall(r"(\d+) (passed|failed|error|skipped)", done.stdout[-2000:])
    outcome = {kind: int(count) for count, kind in counts}
    return {
        "setting": setting,
        "environment": SETTINGS[setting],
        "workers": workers,
        "tests": arguments or ["all"],
        "exit_code": done.returncode,
        "passed": outcome.get("passed", 0),
        "failed": outcome.get("failed", 0) + outcome.get("error", 0),
        "skipped": outcome.get("skipped", 0),
        "failures": re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, flags=re.MULTILINE),
        "wall_s": round(time.perf_counter() - started, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("arguments", nargs="*", help="passed on to pytest")
    options = parser.parse_args()
    is_well = True
    for setting in options.settings:
        threads = SETTINGS[setting].get("OMP_NUM_THREADS", "1")
        # Workers that share cores crawl if each has two threads: the threads wait for each other.
        entry = run(setting, max(1, options.workers // int(threads)), options.arguments)
        # What the machine's description says of threads is of this run, not of this script.
        os.environ["OMP_NUM_THREADS"] = threads
        keep_result("suite_settings", entry, ["setting"])
        is_well &= entry["exit_code"] == 0
        print(
            f"{setting:20} {entry['passed']:6} passed {entry['failed']:4} failed "
            f"{entry['wall_s']:7.0f} s  {' '.join(entry['failures'])}",
            flush=True,
        )
    return 0 if is_well else 1


if __name__ == "__main__":
    raise SystemExit(main())
