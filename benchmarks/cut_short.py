"""Work that is killed, interrupted, out of disk or done twice at once, and what is left of it.

Each function takes a seed, which decides what is done and when it is cut short, and says what
happened in a few words. It raises an error if what is left is not as it should be.
``adversarial_day.py`` counts.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from random_tables import check
from safetensors import safe_open

sys.path.append(str(Path(__file__).parent.parent / "tests"))

import contract  # noqa: E402
from interruptions import calls_counted, digest, fit, make, raised_at  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402

import tabgan  # noqa: E402
from tabgan.datasets import make_mixed_table  # noqa: E402
from tabgan.estimators import sampling  # noqa: E402
from tabgan.networks.precision import fast_matmul  # noqa: E402

PART_ROWS = 60
"""Rows of a part of a file, so few that a file of some hundred rows has several parts."""


@functools.cache
def jobs() -> list[tuple[Any, pd.DataFrame]]:
    """List unfitted estimators with their tables: every class, and four with all later stages.

    A private fit keeps no checkpoint, for it would hold what no noise was added to.
    """
    mixed = make_mixed_table(300, missing=0.1, random_state=0)
    wgan = functools.partial(make, tabgan.WGANSynthesizer)
    staged = [
        wgan(n_steps=20, early_stopping=True, acceptance_rounds=2),
        wgan(n_steps=20, early_stopping=True, generator="joint"),
        make(tabgan.AutoregressiveSynthesizer, n_steps=20, acceptance_rounds=2),
        make(tabgan.BiGANSynthesizer, n_steps=20, early_stopping=True),
    ]
    kept = [cls for cls in contract.ESTIMATORS if cls is not tabgan.DPSynthesizer]
    each = [(make(cls), contract.narrow_table()) for cls in kept]
    return [*each, *((model, mixed) for model in staged)]


def job(seed: int) -> tuple[Any, pd.DataFrame, int]:
    """Return an estimator, its table, and its number; seeds take turns."""
    number = seed % len(jobs())
    model, table = jobs()[number]
    return clone(model), table, number


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leave out warnings; whether they are right, the tests say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def whole(number: int) -> tuple[str, float]:
    """Return the digest of an uninterrupted fit, and the seconds of one that keeps every step."""
    model, table, _ = job(number)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        told = digest(fit(clone(model), table))
        model.set_params(checkpoint=f"{folder}/run.ckpt", checkpoint_every=0)
        started = time.perf_counter()
        check(digest(fit(model, table)) == told, "a fit with a checkpoint ends otherwise")
        return told, time.perf_counter() - started


@functools.cache
def fitted() -> Any:
    """Return a fitted model, which nothing changes."""
    with quiet():
        return fit(make(tabgan.AutoregressiveSynthesizer), contract.narrow_table())


@functools.cache
def other() -> Any:
    """Return another fitted model of the same class."""
    with quiet():
        model = make(tabgan.AutoregressiveSynthesizer, random_state=5)
        return fit(model, contract.narrow_table())


# ---------------------------------------------------------------------- processes of their own


class Child:
    """A copy of this process that does one thing and tells the result."""

    def __init__(self, work: Callable[[], Any]) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(reading)
            try:
                with quiet():
                    told = {"result": work()}
            except BaseException:
                told = {"error": traceback.format_exc()}
            with os.fdopen(writing, "w") as pipe:
                json.dump(told, pipe)
            os._exit(0)
        os.close(writing)
        self._pipe = os.fdopen(reading)

    def kill(self, seconds: float) -> bool:
        """Kill the process after some time, and return whether it was still at work."""
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGKILL)
        return os.WIFSIGNALED(os.waitpid(self.pid, 0)[1])

    def result(self) -> Any:
        """Wait for the result."""
        text = self._pipe.read()
        self._pipe.close()
        os.waitpid(self.pid, 0)
        told = json.loads(text)
        check("error" not in told, told.get("error", "")[-600:])
        return told["result"]


def leftovers(folder: Path, *names: str) -> None:
    """Check that a folder holds nothing but what is named."""
    others = {path.name for path in folder.iterdir()} - set(names)
    check(not others, f"left behind: {sorted(others)}")


# ---------------------------------------------------------------------- kills


def kill(seed: int) -> str:
    """Kill a process (SIGKILL) at a random moment of a fit, a save or a draw into a file."""
    ways = (_kill_fit, _kill_fit, _kill_fit, _kill_save, _kill_draw)
    rng = np.random.default_rng([seed, 19])
    with tempfile.TemporaryDirectory() as folder:
        return ways[seed % len(ways)](seed // len(ways), rng, Path(folder))


def _kill_fit(seed: int, rng: np.random.Generator, folder: Path) -> str:
    """Kill a fit, perhaps more than once; it ends bit for bit as if it had not been killed."""
    model, table, number = job(int(rng.integers(len(jobs()))))
    told, seconds = whole(number)
    path = folder / "run.ckpt"
    model.set_params(checkpoint=path, checkpoint_every=0)
    stages = []
    for _ in range(int(rng.integers(1, 4))):
        child = Child(lambda: fit(model, table) and None)
        if child.kill(float(rng.uniform(0, 1.1 * seconds))):
            stages.append(_stage(path))
    check(Child(lambda: digest(fit(model, table))).result() == told, f"{model} ends otherwise")
    leftovers(folder)
    return "fit: " + (stages[-1] if stages else "had ended")


def _stage(path: Path) -> str:
    """Say from its checkpoint where a fit was killed; whatever is there is whole."""
    if not path.exists():
        return "before the first step was kept"
    with safe_open(str(path), framework="pt") as file:
        kept = json.loads(file.metadata()["tabgan_checkpoint"])
    n_steps = dict(kept["fit"]["parameters"]).get("n_steps")
    is_last = str(kept["training"]["done"]) == n_steps
    return "after training" if is_last else "in training"


def _held(path: Path) -> str:
    """Return the digest of the model in a file."""
    return digest(tabgan.load(path, device="cpu"))


def _kill_save(seed: int, rng: np.random.Generator, folder: Path) -> str:
    """Kill a save; the file is the old or the new one, and the next save removes what was left."""
    path = folder / "model.tabgan"
    other().save(path)

    def write() -> None:
        while True:
            for model in (other(), fitted()):
                model.save(path)

    Child(write).kill(float(rng.uniform(0, 0.1)))
    check(_held(path) in (digest(other()), digest(fitted())), "a file of two models")
    fitted().save(path)
    leftovers(folder, path.name)
    return "save"


@functools.cache
def _drawn(suffix: str) -> tuple[Any, float, int]:
    with tempfile.TemporaryDirectory() as folder, quiet():
        started = time.perf_counter()
        path = _draw_into(Path(folder) / f"rows{suffix}")
        return _content(path), time.perf_counter() - started, path.stat().st_size


def _draw_into(path: Path) -> Path:
    sampling.PART_ROWS = PART_ROWS
    return fitted().sample(5 * PART_ROWS, random_state=3, into=path, resume=True)


def _content(path: Path) -> Any:
    """Return what a file of rows holds; Parquet and gzip write the time or the like, too."""
    return (
        pd.read_parquet(path).to_csv() if path.suffix == ".parquet" else pd.read_csv(path).to_csv()
    )


def _kill_draw(seed: int, rng: np.random.Generator, folder: Path) -> str:
    """Kill a draw into a file; the file is what it would have been in the end."""
    suffix = (".csv", ".parquet", ".csv.gz")[seed % 3]
    told, seconds, _ = _drawn(suffix)
    path = folder / f"rows{suffix}"
    for _ in range(int(rng.integers(1, 4))):
        Child(lambda: str(_draw_into(path))).kill(float(rng.uniform(0, 1.1 * seconds)))
    check(_content(Path(Child(lambda: str(_draw_into(path))).result())) == told, "other rows")
    leftovers(folder, path.name)
    return "draw into a file"


# ---------------------------------------------------------------------- interrupts


def interrupt(seed: int) -> str:
    """Press Ctrl-C where a random Python function is called, in a fit, a draw or a save."""
    ways = (
        _interrupt_fit,
        _interrupt_fit,
        _interrupt_kept_fit,
        _interrupt_kept_fit,
        _interrupt_use,
    )
    rng = np.random.default_rng([seed, 20])
    with tempfile.TemporaryDirectory() as folder, quiet():
        return ways[seed % len(ways)](rng, Path(folder))


@functools.cache
def _n_calls(number: int, is_kept: bool) -> int:
    model, table, _ = job(number)
    whole(number)
    with tempfile.TemporaryDirectory() as folder, quiet():
        if is_kept:
            model.set_params(checkpoint=f"{folder}/run.ckpt", checkpoint_every=0)
        with calls_counted() as calls:
            fit(model, table)
    return calls[0]


def _interrupted(work: Callable[[], Any], call: int) -> bool:
    """Do something, and say whether an interrupt came out of it."""
    try:
        with raised_at(call, KeyboardInterrupt):
            work()
    except KeyboardInterrupt:
        return True
    except Exception as error:
        # NumPy turns an interrupt in some of its own code into an error of another kind.
        before: BaseException | None = error
        while before is not None and not isinstance(before, KeyboardInterrupt):
            before = before.__cause__ or before.__context__
        if before is None:
            raise
        return True
    return False


def _interrupt_fit(rng: np.random.Generator, folder: Path) -> str:
    """Interrupt a fit; it leaves a model that works, or one that is not fitted."""
    model, table, number = job(int(rng.integers(len(jobs()))))
    call = int(rng.integers(1, _n_calls(number, False) + 1))
    came_out = _interrupted(lambda: fit(model, table), call)
    is_fitted = model.__sklearn_is_fitted__()
    check(
        is_fitted != came_out, f"{model} is fitted: {is_fitted}, interrupted: {came_out}, {call=}"
    )
    if not is_fitted:
        try:
            _use(model)
        except NotFittedError:
            return "fit: clearly not fitted"
        raise AssertionError(f"{model} that is not fitted can be used")
    _use(model)
    model.save(folder / "model.tabgan")
    _use(tabgan.load(folder / "model.tabgan", device="cpu"))
    return "fit: a model that works"


def _use(model: Any) -> None:
    made = contract.outcome(model, 0)
    check(len(made) > 0, "nothing is made")


def _interrupt_kept_fit(rng: np.random.Generator, folder: Path) -> str:
    """Interrupt a fit with a checkpoint; it goes on, and ends bit for bit alike."""
    model, table, number = job(int(rng.integers(len(jobs()))))
    told, _ = whole(number)
    model.set_params(checkpoint=folder / "run.ckpt", checkpoint_every=0)
    call = int(rng.integers(1, _n_calls(number, True) + 1))
    came_out = _interrupted(lambda: fit(model, table), call)
    again = clone(model)
    check(digest(fit(again, table)) == told, f"{model} ends otherwise, {call=}")
    leftovers(folder)
    return "fit with a checkpoint: resumed" + ("" if came_out else " from a usable model")


def _interrupt_use(rng: np.random.Generator, folder: Path) -> str:
    """Interrupt a draw, a save or a load, which changes neither the model nor the old file."""
    model, path = fitted(), folder / "model.tabgan"
    before = model.sample(30, random_state=1)
    works: tuple[Callable[[], Any], ...] = (
        lambda: model.sample(30, random_state=1, conditions={"kind": "a"}),
        lambda: model.save(path),
        lambda: tabgan.load(path),
    )
    work = works[int(rng.integers(len(works)))]
    other().save(path)
    with calls_counted() as calls:
        work()
    other().save(path)
    _interrupted(work, int(rng.integers(1, calls[0] + 1)))
    check(model.sample(30, random_state=1).equals(before), "the model draws other rows")
    check(_held(path) in (digest(other()), digest(model)), "the old file is lost")
    model.save(path)
    leftovers(folder, path.name)
    return "draw, save or load"


# ---------------------------------------------------------------------- a full disk


def fill_disk(seed: int) -> str:
    """Let no file grow beyond a random size, while a model, a checkpoint or rows are written."""
    ways = (_full_save, _full_fit, _full_draw)
    rng = np.random.default_rng([seed, 21])
    with tempfile.TemporaryDirectory() as folder, quiet():
        return ways[seed % len(ways)](rng, Path(folder))


@contextlib.contextmanager
def _no_file_beyond(n_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _refused(work: Callable[[], Any], n_bytes: int, name: str) -> bool:
    """Say whether work was refused for want of room, by an error that names the file."""
    try:
        with _no_file_beyond(n_bytes):
            work()
    except OSError as error:
        check(name in str(error), f"the error does not name the file: {error}")
        return True
    return False


def _full_save(rng: np.random.Generator, folder: Path) -> str:
    path = folder / "model.tabgan"
    other().save(path)
    old = path.read_bytes()
    is_refused = _refused(lambda: fitted().save(path), int(rng.integers(len(old) + 1)), path.name)
    check(not is_refused or path.read_bytes() == old, "the old file is lost")
    leftovers(folder, path.name)
    return "save: " + ("refused, the old file kept" if is_refused else "there was room")


def _full_fit(rng: np.random.Generator, folder: Path) -> str:
    """Leave a checkpoint no room; the fit says so, and goes on once there is room."""
    model, table, number = job(int(rng.integers(len(jobs()))))
    told, _ = whole(number)
    path = folder / "run.ckpt"
    model.set_params(checkpoint=path, checkpoint_every=0)
    is_refused = _refused(lambda: fit(model, table), int(rng.integers(200_000)), path.name)
    check(not is_refused or not model.__sklearn_is_fitted__(), "half a fit counts as one")
    leftovers(folder, path.name)
    check(digest(fit(clone(model), table)) == told, f"{model} ends otherwise")
    return "checkpoint: " + ("refused, then resumed" if is_refused else "there was room")


def _full_draw(rng: np.random.Generator, folder: Path) -> str:
    suffix = str(rng.choice([".csv", ".parquet", ".csv.gz"]))
    told, _, size = _drawn(suffix)
    path = folder / f"rows{suffix}"
    # Parts are smaller than the file, and are joined in the end.
    is_refused = _refused(lambda: _draw_into(path), int(rng.integers(1.1 * size)), path.name)
    check(not is_refused or not path.exists(), "half a file")
    check(_content(_draw_into(path)) == told, "other rows")
    leftovers(folder, path.name)
    return "rows: " + ("refused, then resumed" if is_refused else "there was room")


# ---------------------------------------------------------------------- at once


def at_once(seed: int) -> str:
    """Do things at once that seldom meet: threads, forks, joblib, two writers of one file."""
    ways = (_threads_draw, _threads_fit, _forks, _two_writers, _two_fits, _joblib)
    rng = np.random.default_rng([seed, 22])
    with tempfile.TemporaryDirectory() as folder, quiet():
        return ways[seed % len(ways)](rng, Path(folder))


def _in_threads(works: list[Callable[[], Any]]) -> list[Any]:
    results: list[Any] = [None] * len(works)

    def do(i: int) -> None:
        try:
            results[i] = works[i]()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=do, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _draws(rng: np.random.Generator) -> list[Callable[[], str]]:
    """Draw from one model with several seeds, some under conditions."""

    def draw(seed: int, asked: Any) -> str:
        return fitted().sample(80, random_state=seed, conditions=asked).to_csv()

    seeds = rng.integers(0, 9, 4)
    return [functools.partial(draw, int(s), None if s % 2 else {"kind": "a"}) for s in seeds]


def _fits(rng: np.random.Generator) -> tuple[list[Callable[[], str]], list[str]]:
    """Return fits of random estimators, and what they learn one after another."""
    chosen = [job(int(k))[:2] for k in rng.integers(0, len(jobs()), 3)]
    works = [functools.partial(lambda m, t: digest(fit(clone(m), t)), *each) for each in chosen]
    return works, [work() for work in works]


def _threads_draw(rng: np.random.Generator, folder: Path) -> str:
    works = _draws(rng)
    check(_in_threads(works) == [work() for work in works], "threads draw other rows")
    return "threads draw from one model"


def _threads_fit(rng: np.random.Generator, folder: Path) -> str:
    # The precision of products is one setting of all threads, which training alone lowers: what
    # follows training depends on whether another thread trains. So it is low throughout here.
    with fast_matmul():
        works, alone = _fits(rng)
        check(_in_threads(works) == alone, "threads learn otherwise")
    return "threads fit"


def _forks(rng: np.random.Generator, folder: Path) -> str:
    works, alone = _fits(rng)
    children = [Child(work) for work in [*works, *_draws(rng)[:1]]]
    *learnt, _ = [child.result() for child in children]
    check(learnt == alone, "forks learn otherwise")
    return "forks fit and draw"


def _two_writers(rng: np.random.Generator, folder: Path) -> str:
    path = folder / "model.tabgan"
    models = (fitted(), other())
    wanted = {digest(model) for model in models}
    models[0].save(path)

    def write(model: Any) -> int:
        for _ in range(15):
            model.save(path)
        return 0

    children = [Child(functools.partial(write, model)) for model in models]
    for _ in range(8):
        check(_held(path) in wanted, "a file of two models")
    for child in children:
        child.result()
    check(_held(path) in wanted, "a file of two models")
    leftovers(folder, path.name)
    return "two writers and a reader of one file"


def _two_fits(rng: np.random.Generator, folder: Path) -> str:
    model, table, number = job(int(rng.integers(len(jobs()))))
    model.set_params(checkpoint=folder / "run.ckpt", checkpoint_every=0)
    children = [Child(lambda: digest(fit(clone(model), table))) for _ in range(2)]
    check([child.result() for child in children] == [whole(number)[0]] * 2, "they end otherwise")
    leftovers(folder)
    return "two fits with one checkpoint"


def _joblib(rng: np.random.Generator, folder: Path) -> str:
    from joblib import Parallel, delayed

    # Processes of joblib's own start anew, which takes seconds: once in a while.
    backend = "loky" if rng.random() < 0.05 else "threading"
    if backend == "loky":
        table = contract.narrow_table()
        models = [clone(fitted()) for _ in range(2)]
        made = Parallel(2, backend)(delayed(_sampled)(model, table) for model in models)
        check(made == [_sampled(clone(fitted()), table)] * 2, "joblib's processes learn otherwise")
    else:
        with fast_matmul():
            works, alone = _fits(rng)
            made = Parallel(2, backend)(delayed(work)() for work in works)
        check(made == alone, "joblib's threads learn otherwise")
    return f"joblib, {backend}"


def _sampled(model: Any, table: pd.DataFrame) -> str:
    torch.set_num_threads(1)
    with quiet():
        return model.fit(table).sample(30, random_state=0).to_csv()
