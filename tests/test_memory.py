"""Bounds on memory: what stages hold beside the rows themselves does not grow with the rows.

The table in the guide (docs/guide/large_tables.md) states the bounds that are tested here. Bounds
on counts of rows are lowered, so that some hundred rows lie beyond them.
"""

from __future__ import annotations

import gc
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from contract import SYNTHESIZERS, every_synthesizer, narrow_table, small
from torch.utils._python_dispatch import TorchDispatchMode

import tabgan
from tabgan.evaluation import audit
from tabgan.generation import accepted, column_rows, level_rates, source, tables
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
    monkeypatch.setattr(tables, "MAX_HELD_OUT", 100)
    monkeypatch.setattr(tables, "MAX_ROWS", 100)
    monkeypatch.setattr(source, "MOST_TYPICAL", 1_000)


def known(model, table):
    """Encode a table as training does."""
    core = model._core
    return core.encoding.encode(table, np.random.default_rng(0)).to(core.device)


@every_synthesizer
def test_what_follows_training_looks_at_a_bounded_number_of_rows(cls, few):
    """Rates and rejection are learnt with no larger tensor from four times as many rows."""
    table = narrow_table(60)
    model = small(cls, table, n_steps=1, acceptance_rounds=1)
    y = table.pop("kind") if "Teaching" in cls.__name__ else None
    if y is not None:
        model.set_params(target=None)
    model.fit(table, y)
    sizes = []
    for n in (1_000, 4_000):
        rows = known(model, _repeated(model, table, y, n))
        streams = Streams.begin(0, model._core.device)
        with Largest() as largest:
            model._core.chain.learn(rows, streams)
        sizes.append(largest.n_bytes)
    assert sizes[0] > 10_000
    assert sizes[1] <= sizes[0]


def _repeated(model, table, y, n):
    whole = table if y is None else table.assign(**{str(model._target_name): y})
    if model._target_name is not None and y is None:
        return whole
    return whole.iloc[np.arange(n) % len(whole)].reset_index(drop=True)


def test_every_synthesizer_is_looked_at():
    assert len(SYNTHESIZERS) > 10
