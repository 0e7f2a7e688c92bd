"""The benchmark of rows on demand: a run in small, and its table."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

import tabgan

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def on_demand():
    """Return the script, which imports others by bare names."""
    before = list(sys.path)
    sys.path[:0] = [str(ROOT / "benchmarks")]
    try:
        import on_demand

        yield on_demand
    finally:
        sys.path[:] = before


def test_every_part_runs_in_small(on_demand):
    table = on_demand.load_small("iris", 0)
    model = tabgan.AutoregressiveSynthesizer(privacy="none", n_steps=5, random_state=0)
    model.fit(table.train)
    sizes = on_demand.Sizes(smoke=True)
    for name, part in on_demand.PARTS.items():
        entries = list(part(model, table, sizes, 0))
        assert entries, name
        if name == "speed":
            assert all(each["honoured"] == 1.0 for each in entries)


def test_distances(on_demand):
    first, second = pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.0, 9.0])
    assert on_demand.distance(first, first, True) == 0
    assert on_demand.distance(first, second, True) == pytest.approx(1 / 3)
    texts = pd.Series(["a", "a", "b"]), pd.Series(["a", "b", "b"])
    assert on_demand.distance(*texts, False) == pytest.approx(1 / 3)


def test_middles_of_levels(on_demand):
    levels = pd.Index([pd.Interval(0.0, 2.0), 5.0, None], dtype=object)
    assert on_demand.middles(levels).tolist() == [1.0, 5.0, 0.0]
