"""What we tried to break: random tables, corrupt files, kills, interrupts, a full disk, attacks.

    OMP_NUM_THREADS=1 python benchmarks/adversarial_day.py
    OMP_NUM_THREADS=1 python benchmarks/adversarial_day.py --parts tables kills --tables 10000
    OMP_NUM_THREADS=1 python benchmarks/adversarial_day.py --parts tables --replay 4711

Everything follows from seeds, 0 to n - 1 for each part: a random table, file, moment or attack. A
failure is listed with its seed, and ``--replay`` tries a seed again and shows the traceback (of
kills the moment is that of a clock, so that a seed says what is done but not quite when). Results
are kept in blocks of seeds: what is there is not repeated, so that a long run can be stopped and
continued, and ``--again`` repeats the blocks in which something failed.

- tables: random tables on every estimator in turn, see ``random_tables.py``.
- files: damaged and edited files of models, the checksum recomputed, see ``tests/corruptions.py``.
- kills, interrupts, disks, at_once: see ``cut_short.py``.
- attacks: the audit of privacy on known leaks and on our models, see ``audit.py``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import common

sys.path.append(str(Path(__file__).parent.parent / "tests"))

import cut_short  # noqa: E402
import random_tables  # noqa: E402

NAME = "adversarial_day"

PARTS = {
    "tables": (10_000, 100),
    "files": (10_000, 250),
    "kills": (1_000, 50),
    "interrupts": (1_000, 50),
    "disks": (300, 50),
    "at_once": (300, 50),
    "attacks": (3, 1),
}
"""For each part how many seeds are tried by default, and how many make a block."""

MOST_SECONDS = 300
"""Seconds of one seed after which it counts as a failure."""

MOST_LISTED = 20
"""Failures of one block that are listed; all are counted."""


class TooSlow(BaseException):
    """Something took too long."""


@contextmanager
def bounded_time(seconds: int) -> Iterator[None]:
    """Raise `TooSlow` if the body of a ``with`` takes longer."""

    def ring(*_: Any) -> None:
        raise TooSlow(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# ---------------------------------------------------------------------- files and attacks


def corrupt(first: int, n: int) -> Iterator[tuple[int, Callable[[], str]]]:
    """Yield n corrupt files of the stream of one seed, each with what tries it."""
    import corruptions
    from hypothesis import HealthCheck, Phase, given, seed, settings

    files: list[Any] = []

    @seed(first)
    @settings(
        max_examples=n,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(corruptions.corruptions())
    def collect(file: Any) -> None:
        files.append(file)

    collect()
    for k, file in enumerate(files[:n]):

        def attempt(file: Any = file) -> str:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.tabgan"
                file.write(path)
                return "refused" if corruptions.loads_or_refuses(path) else "model works"

        yield first + k, attempt


RANKING = (("copy", "redrawn"), ("jitter", "tenth"), ("redrawn", "tenth"), ("tenth", "fresh"))
"""Known leaks, the greater first, whose mean risks the audit must rank so."""


def attack(seed: int) -> tuple[str, dict[str, Any]]:
    """Audit known leaks and rows of the default model, and check that known leaks are ranked."""
    import audit

    risks, leaks = {}, {}
    for case in audit.CASES:
        found = audit.measure("mixed", case, seed, False)
        risks[case], leaks[case] = found["mean risk"], found["leaks"]
    for worse, better in RANKING:
        random_tables.check(risks[worse] > risks[better], f"{worse} ranks below {better}: {risks}")
    for case in ("copy", "jitter", "redrawn", "tenth"):
        random_tables.check(bool(leaks[case]), f"nothing is found in {case}")
    return "ranked", {"risks": risks, "leaks": {case: len(found) for case, found in leaks.items()}}


# ---------------------------------------------------------------------- counting


def attempts(part: str, first: int, n: int) -> Iterator[tuple[int, Callable[[], Any]]]:
    """Yield the seeds of a block, each with what tries it."""
    if part == "files":
        yield from corrupt(first, n)
        return
    tries: dict[str, Callable[[int], Any]] = {
        "tables": random_tables.try_one,
        "kills": cut_short.kill,
        "interrupts": cut_short.interrupt,
        "disks": cut_short.fill_disk,
        "at_once": cut_short.at_once,
        "attacks": attack,
    }
    for seed in range(first, first + n):
        yield seed, lambda seed=seed: tries[part](seed)


def run_block(part: str, first: int, n: int) -> dict[str, Any]:
    """Try a block of seeds, and count what happens."""
    counts: Counter[str] = Counter()
    failures, figures = [], {}
    slowest, started, processor = 0.0, time.perf_counter(), time.process_time()
    for seed, attempt in attempts(part, first, n):
        begun = time.perf_counter()
        try:
            with bounded_time(MOST_SECONDS):
                told = attempt()
            if isinstance(told, tuple):
                told, figures[str(seed)] = told
            counts[told] += 1
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            counts["failed"] += 1
            failures.append({"seed": seed, "what": describe(error)})
            print(part, seed, failures[-1]["what"], flush=True)
        slowest = max(slowest, time.perf_counter() - begun)
    return {
        "tried": sum(counts.values()),
        "counts": dict(sorted(counts.items())),
        "failures": failures[:MOST_LISTED],
        "figures": figures,
        "slowest seconds": round(slowest, 1),
        "seconds": round(time.perf_counter() - started, 1),
        "processor seconds": round(time.process_time() - processor, 1),
    }


def describe(error: BaseException) -> str:
    """Name an error, the last place of the library that it came through, and its first words."""
    package = Path(random_tables.tabgan.__file__).parent
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if package in Path(frame.filename).parents]
    place = ""
    if ours:
        place = f" in {Path(ours[-1].filename).relative_to(package)} {ours[-1].name}"
    told = " ".join(str(error).split())[:200].encode("ascii", "backslashreplace").decode()
    return f"{type(error).__name__}{place}: {told}"


def replay(part: str, seed: int) -> None:
    """Try one seed, and let its error through."""
    size = PARTS[part][1]
    for each, attempt in attempts(part, seed - seed % size, size):
        if each == seed:
            print(part, seed, attempt())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    for part, (number, _) in PARTS.items():
        told = f"default {number:,}"
        parser.add_argument(f"--{part.replace('_', '-')}", type=int, default=number, help=told)
    parser.add_argument("--corruptions", type=int, dest="files", help="the same as --files")
    parser.add_argument("--again", action="store_true", help="repeat blocks with failures")
    parser.add_argument("--replay", type=int, metavar="SEED", help="try one seed of one part")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.replay is not None:
        replay(options.parts[0], options.replay)
        return
    for part in options.parts:
        number, size = getattr(options, part), PARTS[part][1]
        for first in range(0, number, size):
            n = min(size, number - first)
            if not is_due(part, first, n, options.again):
                continue
            measured = run_block(part, first, n)
            entry = {"part": part, "first": first, **measured}
            common.keep_result(NAME, entry, ["part", "first"])
            print(part, first, measured["counts"], f"{measured['seconds']} s", flush=True)


def is_due(part: str, first: int, n: int, again: bool) -> bool:
    """Say whether a block is to be run: it was not, or for fewer seeds, or something failed."""
    for entry in common.read_results(NAME):
        if (entry["part"], entry["first"]) == (part, first):
            return entry["tried"] < n or (again and bool(entry["failures"]))
    return True


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
