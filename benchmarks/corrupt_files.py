"""What happens to files of small models that were damaged or edited, the checksum recomputed.

    python benchmarks/corrupt_files.py --files 5000 --seed 0

Files are drawn as in ``tests/test_corrupt_files.py``. Counted are files that were refused by
`ModelFileError`, files whose models then worked, and files that led to any other error, listed by
where the error came from.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import common

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import corruptions  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402

import tabgan  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    counts: Counter[str] = Counter()
    others: Counter[str] = Counter()
    slowest = 0.0
    path = Path(tempfile.mkdtemp()) / "model.tabgan"

    @seed(args.seed)
    @settings(
        max_examples=args.files,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(corruptions.corruptions())
    def run(file: object) -> None:
        nonlocal slowest
        file.write(path)
        start = time.perf_counter()
        try:
            model = tabgan.load(path, device="cpu")
        except tabgan.ModelFileError:
            counts["refused"] += 1
        except Exception as error:
            others[place(error)] += 1
        else:
            try:
                corruptions.use(model)
                counts["model works"] += 1
            except Exception as error:
                others[place(error)] += 1
        slowest = max(slowest, time.perf_counter() - start)

    run()
    entry = {"files": args.files, "seed": args.seed, **counts, "other errors": dict(others)}
    entry |= {"commit": common.commit(), "slowest_seconds": round(slowest, 2)}
    print(entry)
    common.keep_result("corrupt_files", entry, ["files", "seed"])


def place(error: Exception) -> str:
    """Name an error and the last place of the library that it came through."""
    frames = [
        each for each in traceback.extract_tb(error.__traceback__) if "tabgan" in each.filename
    ]
    return f"{type(error).__name__} in {Path(frames[-1].filename).name} {frames[-1].lineno}"


if __name__ == "__main__":
    main()
