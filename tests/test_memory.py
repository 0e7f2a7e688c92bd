"""Bounds on memory: what stages hold beside the rows themselves does not grow with the rows.

The table in the guide (docs/guide/large_tables.md) states the bounds that are tested here. Bounds
on counts of rows are lowered, so that some hundred rows lie beyond them.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from contract import SYNTHESIZERS, narrow_table, small
from torch.utils._python_dispatch import TorchDispatchMode

import tabgan
from tabgan.evaluation import audit
from tabgan.generation import accepted, column_rows, fitting, level_rates, source, tables
from tabgan.models import infogan
from tabgan.randomness import Streams


class Largest(TorchDispatchMode):
    """Notes the largest tensor that was made, in bytes; views of other tensors do not count."""

    n_bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        given = {
            each.untyped_storage().data_ptr() for each in args if isinstance(each, torch.Tensor)
        }
        for each in made if isinstance(made, tuple | list) else [made]:
            if isinstance(each, torch.Tensor) and each.untyped_storage().data_ptr() not in given:
                self.n_bytes = max(self.n_bytes, each.untyped_storage().nbytes())
        return made


@pytest.fixture
def few(monkeypatch):
    """Lower the bounds on rows that stages after training look at."""
    monkeypatch.setattr(column_rows, "MAX_CALIBRATION_ROWS", 100)
    monkeypatch.setattr(infogan, "MAX_CALIBRATION_ROWS", 100)
    monkeypatch.setattr(level_rates, "COUNTED_ROWS", 100)
    monkeypatch.setattr(accepted, "MAX_REAL_ROWS", 200)
    monkeypatch.setattr(fitting, "MAX_REAL_ROWS", 200)
    # Of trees there are more or fewer; a pass is small then.
    monkeypatch.setattr(accepted, "_CHUNK", 16)
    monkeypatch.setattr(tables, "MAX_ROWS", 100)
    monkeypatch.setattr(source, "MOST_TYPICAL", 1_000)


# A private model looks at no rows after it has counted them.
@pytest.mark.parametrize(
    "cls",
    [cls for cls in SYNTHESIZERS if cls is not tabgan.DPSynthesizer],
    ids=lambda cls: cls.__name__,
)
def test_what_follows_training_looks_at_a_bounded_number_of_rows(cls, few):
    """Rates and rejection are learnt with no larger tensor from four times as many rows."""
    table = narrow_table()
    model = small(cls, table, n_steps=1, acceptance_rounds=1).fit(table)
    core, sizes = model._core, []
    for n in (1_000, 4_000):
        more = table.iloc[np.arange(n) % len(table)].reset_index(drop=True)
        more = model._read(more, None, anew=False)
        rows = core.encoding.encode(more, np.random.default_rng(0)).to(core.device)
        with Largest() as largest:
            core.chain.learn(rows, Streams.begin(0, core.device))
        sizes.append(largest.n_bytes)
    assert sizes[0] > 10_000
    assert sizes[1] <= sizes[0]


def test_every_synthesizer_is_looked_at():
    assert len(SYNTHESIZERS) > 10


# ---------------------------------------------------------------------- peaks of the process


def peak_beyond(work):
    """Return by how many bytes the resident memory of this process grew at most during some work.

    Linux alone can forget the peak so far. Freed memory that the process kept hides small
    allocations, so that the work must be one of many megabytes.
    """
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("the peak of memory cannot be reset here")
    gc.collect()

    def read(name):
        text = status.read_text()
        return 1024 * int(next(x for x in text.splitlines() if x.startswith(name)).split()[1])

    before = read("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    work()
    return read("VmHWM") - before


@pytest.fixture(scope="module")
def wide_model():
    """A model whose file has some tens of megabytes."""
    return small(tabgan.GANSynthesizer, n_steps=1, hidden_dim=600).fit(narrow_table())


def test_save_and_load_hold_a_file_a_few_times(wide_model, tmp_path):
    path = tmp_path / "model.tabgan"
    wide_model.save(path)
    size = path.stat().st_size
    assert size > 2 * 10**7
    assert peak_beyond(lambda: wide_model.save(path)) < 3 * size
    assert peak_beyond(lambda: tabgan.load(path, device="cpu")) < 4 * size
    assert peak_beyond(lambda: tabgan.read_card(path)) < 2 * size


def test_a_checkpoint_holds_its_file_a_few_times(wide_model, tmp_path):
    table, path = narrow_table(), tmp_path / "run.ckpt"
    sizes = []
    settings = {"n_steps": 2, "hidden_dim": 600, "checkpoint_every": 0}
    settings["callbacks"] = [lambda _: sizes.append(path.stat().st_size) if path.exists() else None]
    fits = [
        small(tabgan.GANSynthesizer, **settings, checkpoint=checkpoint)
        for checkpoint in (None, path)
    ]
    bare, kept = (peak_beyond(lambda fit=fit: fit.fit(table)) for fit in fits)
    assert kept - bare < 3 * max(sizes)


def traced_peak(work):
    """Return the most bytes that Python and NumPy held at once during some work."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_rows_into_a_file_hold_one_part(tmp_path, monkeypatch):
    from tabgan.estimators import sampling

    monkeypatch.setattr(sampling, "PART_ROWS", 2_000)
    model = small(tabgan.GANSynthesizer).fit(narrow_table())
    one, four = (
        traced_peak(lambda n=n: model.sample(n, into=tmp_path / "rows.csv")) for n in (2_000, 8_000)
    )
    assert four < 1.5 * one


def test_imputation_grows_with_the_rows_alone():
    """Twice as many rows take at most twice the memory, and a few hundred bytes a cell."""
    table = narrow_table()
    imputer = tabgan.SynthesizerImputer(
        small(tabgan.AutoregressiveSynthesizer, acceptance_rounds=0), random_state=0
    ).fit(table)
    peaks = [
        traced_peak(lambda n=n: imputer.transform(table.iloc[np.arange(n) % len(table)]))
        for n in (1_500, 3_000)
    ]
    assert peaks[1] < 2.2 * peaks[0]
    assert (peaks[1] - peaks[0]) / (1_500 * table.shape[1]) < 1_000


@pytest.mark.parametrize("work", ["audit", pytest.param("evaluate", marks=pytest.mark.slow)])
def test_judging_grows_with_the_rows_alone(work):
    """No matrix of all rows by all rows: twice as many rows take at most about twice the memory."""
    rng = np.random.default_rng(0)

    def judge(n):
        real, made, test = (
            pd.DataFrame({"x": rng.normal(size=n), "k": rng.choice(list("abc"), n)}) for _ in "abc"
        )
        if work == "audit":
            audit(real, made, test, max_rows=50, random_state=0)
        else:
            tabgan.evaluate(real, made, test=test, random_state=0)

    peaks = [traced_peak(lambda n=n: judge(n)) for n in (400, 800)]
    assert peaks[1] < 2.3 * peaks[0]


@pytest.mark.parametrize(
    ("cls", "judge", "rows"),
    [
        (tabgan.GenClassClassifier, "best_penalty", lambda judged: [len(x[1]) for x in judged]),
        (tabgan.DAGANAugmenter, "few_row_gains", lambda rows, *_: [len(rows)]),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_second_games_are_judged_by_a_bounded_number_of_rows(cls, judge, rows, monkeypatch):
    module, seen = sys.modules[cls.__module__], []
    real = getattr(module, judge)
    monkeypatch.setattr(module, judge, lambda *args: seen.extend(rows(*args)) or real(*args))
    table, y = narrow_table(240), np.arange(240) % 6
    is_told = cls is tabgan.GenClassClassifier
    more = {"class_attributes": pd.DataFrame(np.eye(8))} if is_told else {}
    for bound, least, most in ((50_000, 60, 160), (30, 30, 30)):
        monkeypatch.setattr(module, "MOST_JUDGED", bound)
        small(cls).fit(table, y, **more)
        assert seen and least <= min(seen) <= max(seen) <= most
        seen.clear()
