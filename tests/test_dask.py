"""Rows drawn on a cluster of two processes, which the tests start, and dask DataFrames compared."""

from __future__ import annotations

import importlib.util
import os
import signal

import numpy as np
import pandas as pd
import pytest
from contract import fit_small, narrow_table, says

import tabgan
from tabgan.checks import ParameterError
from tabgan.dask import evaluate, sample
from tabgan.datasets import make_mixed_table

dask = pytest.importorskip("dask")
frames = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")

reads_parts = importlib.util.find_spec("tabgan.table.chunks") is not None


@pytest.fixture(scope="module")
def client():
    """A client of two worker processes with one thread each."""
    settings = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=2, **settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def model():
    return fit_small(tabgan.AutoregressiveSynthesizer, narrow_table(), acceptance_rounds=1)


@pytest.fixture(scope="module")
def rows(model):
    """The rows that all tests expect, drawn in this process."""
    return sample(model, 95, partition_size=20, random_state=3).compute(scheduler="synchronous")


# ---------------------------------------------------------------------- rows


def test_rows_are_lazy_and_like_those_of_the_model(model, rows):
    lazy = sample(model, 95, partition_size=20, random_state=3)
    alone = model.sample(5, random_state=0)
    assert lazy.npartitions == 5 and lazy.divisions == (0, 20, 40, 60, 80, 94)
    for table in (lazy, rows):
        pd.testing.assert_series_equal(table.dtypes, alone.dtypes)
        assert list(table.columns) == list(alone.columns)
    assert rows.index.tolist() == list(range(95))
    first, second = rows[:20], rows[20:40].reset_index(drop=True)
    assert not first.equals(second)


@pytest.mark.parametrize("n", [1, 19, 20, 21, 40])
def test_every_number_of_rows_comes_out(model, n):
    made = sample(model, n, partition_size=20, random_state=0)
    assert len(made.compute(scheduler="synchronous")) == n
    assert made.divisions[-1] == n - 1


def test_rows_do_not_depend_on_the_scheduler(model, rows, client):
    lazy = sample(model, 95, partition_size=20, random_state=3)
    for options in ({}, {"scheduler": "threads"}, {"scheduler": "synchronous"}):
        pd.testing.assert_frame_equal(lazy.compute(**options), rows, check_exact=True)


def test_without_a_seed_each_call_draws_other_rows(model):
    one, other = (sample(model, 40, partition_size=20) for _ in range(2))
    again = [one.compute(scheduler="synchronous") for _ in range(2)]
    pd.testing.assert_frame_equal(*again, check_exact=True)
    assert not other.compute(scheduler="synchronous").equals(again[0])


def test_rows_go_to_parquet(model, rows, client, tmp_path):
    sample(model, 95, partition_size=20, random_state=3).to_parquet(tmp_path / "rows")
    assert len(list((tmp_path / "rows").glob("*.parquet"))) == 5
    read = frames.read_parquet(tmp_path / "rows").compute()
    pd.testing.assert_frame_equal(read, rows, check_dtype=False)


def test_a_killed_worker_loses_nothing(model, rows, client):
    lazy = sample(model, 95, partition_size=20, random_state=3)
    first, *_ = client.run(os.getpid).values()
    future = client.compute(lazy)
    os.kill(first, signal.SIGKILL)
    pd.testing.assert_frame_equal(future.result(timeout=120), rows, check_exact=True)


def test_settings_hold_in_every_partition(model):
    asked = {"conditions": {"kind": "b"}, "rates": {"flag": {True: 1.0}}}
    made = sample(model, 45, partition_size=20, random_state=0, **asked)
    made = made.compute(scheduler="synchronous")
    assert len(made) == 45 and set(made["kind"]) == {"b"} and made["flag"].all()


def test_wrong_arguments_are_refused_before_anything_is_drawn(model):
    with pytest.raises(ParameterError, match="^n_samples must be "):
        sample(model, 0)
    with pytest.raises(ParameterError, match="^partition_size must be "):
        sample(model, 5, partition_size=0.5)
    with pytest.raises(ParameterError, match="^rate is no parameter of Auto.*, which has .*rates"):
        sample(model, 5, rate={})
    with pytest.raises(ParameterError, match="^conditions must be a dict, which holds for all "):
        sample(model, 5, conditions=narrow_table()[["kind"]])
    with pytest.raises(TypeError, match="^model is .*; give a fitted synthesizer of tables"):
        sample("model.tabgan", 5)
    array = fit_small(tabgan.WGANSynthesizer, np.random.default_rng(0).random((40, 2)))
    with pytest.raises(TypeError, match="^model gives rows as ndarray.*; fit the model on a "):
        sample(array, 5)


def test_without_dask_the_error_names_the_extra(model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dask", None)
    told = "rows are drawn as a dask DataFrame, and needs dask: pip install 'sklearn-tabgan[dask]'."
    with pytest.raises(ImportError, match=says(told)):
        sample(model, 5)


# ---------------------------------------------------------------------- figures


def test_small_tables_are_compared_as_they_are():
    real, made = (make_mixed_table(90, missing=0.1, random_state=i) for i in (0, 1))
    parts = [frames.from_pandas(table, npartitions=3) for table in (real, made)]
    whole, gathered = tabgan.evaluate(real, made), evaluate(*parts, random_state=0)
    shapes = gathered.column_shapes - whole.column_shapes
    assert gathered.n_rows == whole.n_rows and shapes.abs().max() < 1e-12


def test_large_tables_are_compared_by_random_rows():
    table = pd.DataFrame({"x": np.arange(900.0), "y": np.arange(900) % 2})
    table.loc[:89, "x"] = np.nan
    parts = frames.from_pandas(table, npartitions=4)
    report = evaluate(parts, table, test=parts, max_rows=300)
    assert report.n_rows == {"real": 300, "synthetic": 300, "test": 300}
    assert report.columns().loc["x", ["missing_real", "missing_synthetic"]].tolist() == [0.1, 0.1]
    # Rows of all partitions are drawn, and those of the two tables are not the same.
    assert report.column_shapes["x"] > 0.8 and report.column_shapes["x"] < 1.0


def test_parameters_of_evaluate_are_passed_on():
    table = make_mixed_table(120, random_state=0)
    parts = frames.from_pandas(table, npartitions=2)
    target = table.columns[0]
    assert evaluate(parts, parts, test=parts, target=target).target == target
    with pytest.raises(ValueError, match="^target=.* needs real rows"):
        evaluate(parts, parts, target=target)


# ---------------------------------------------------------------------- learning


@pytest.mark.skipif(not reads_parts, reason="synthesizers read whole tables alone")
def test_a_synthesizer_is_fitted_one_partition_at_a_time(client):
    table = pd.concat([narrow_table()] * 3, ignore_index=True)
    # Dask would otherwise turn texts into Arrow's.
    with dask.config.set({"dataframe.convert-string": False}):
        parts = frames.from_pandas(table, npartitions=4)
    settings = {"random_state": 0, "n_steps": 3}
    one = fit_small(tabgan.AutoregressiveSynthesizer, parts, **settings)
    whole = fit_small(tabgan.AutoregressiveSynthesizer, table, **settings)
    pd.testing.assert_frame_equal(one.sample(20, 0), whole.sample(20, 0))
    assert len(sample(one, 30, random_state=0).compute()) == 30
