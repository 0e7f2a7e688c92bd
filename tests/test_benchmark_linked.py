"""The benchmark of numbers that determine each other: a run in small."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def linked():
    """Return the script, which imports others by bare names."""
    before = list(sys.path)
    sys.path[:0] = [str(ROOT / "benchmarks")]
    try:
        import linked

        yield linked
    finally:
        sys.path[:] = before


def test_made_tables_keep_their_relations(linked):
    for name in ("made", "billing"):
        table = getattr(linked, name)(2000, np.random.default_rng(0))
        found = linked.relations(name, table)
        assert len(found) == len(linked.RELATIONS[name])
        assert all(explained <= 1 and exact <= 1 for explained, exact in found.values())
    exact = {key: figures[1] for key, figures in linked.relations("made", made(linked)).items()}
    assert exact["0 total"] == exact["1 product"] == exact["3 copy"] == 1
    assert 0.3 < exact["4 later"] < 0.7


def made(linked):
    return linked.made(2000, np.random.default_rng(1))


def test_a_run_in_small(linked, monkeypatch):
    monkeypatch.setattr(linked, "JUDGE", DecisionTreeClassifier(max_depth=3))
    entry = linked.measure("made", "links", 0, 400, Path("."), 3)
    assert "total = a + b" in entry["equations"]
    assert entry["relations"]["3 copy"] == [1.0, 1.0]
    assert {"c2st_xgb", "c2st_xgb_test", "fit_cpu_s"} <= set(entry)
