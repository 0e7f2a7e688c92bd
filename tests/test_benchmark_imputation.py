"""The benchmark of imputation: its gaps, its figures by hand, and a run in small."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from seeds import seed

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import imputation  # noqa: E402

DATA = Path("nowhere")  # Adult comes with the package


@pytest.fixture
def table():
    rng = np.random.default_rng(seed(0))
    kind = rng.choice(["a", "b", "c"], 3000)
    numbers = rng.normal(size=(3000, 3))
    return pd.DataFrame(numbers, columns=list("xyz")).assign(kind=pd.Categorical(kind))


@pytest.mark.parametrize("rate", [0.1, 0.5])
@pytest.mark.parametrize("mechanism", imputation.MECHANISMS)
def test_gaps_have_their_rate(table, mechanism, rate):
    gaps = imputation.make_gaps(table, mechanism, rate, np.random.default_rng(seed(1)))
    rates = gaps.mean(axis=0)
    # Missing at random leaves a third of the columns complete, here one of four.
    has_gaps = rates > 0
    assert has_gaps.sum() == (3 if mechanism == "mar" else 4)
    np.testing.assert_allclose(rates[has_gaps], rate, atol=0.06)


def test_what_decides_over_gaps(table):
    rng = np.random.default_rng(seed(1))
    gaps = imputation.make_gaps(table, "mnar", 0.3, rng)
    assert table["x"][gaps[:, 0]].mean() > table["x"][~gaps[:, 0]].mean() + 0.5
    gaps = imputation.make_gaps(table, "mcar", 0.3, rng)
    assert abs(table["x"][gaps[:, 0]].mean() - table["x"][~gaps[:, 0]].mean()) < 0.25


def test_a_setting_is_the_same_each_time():
    one, other = (imputation.make("adult", DATA, "mar", 0.3, 1, 100) for _ in range(2))
    pd.testing.assert_frame_equal(one.gappy, other.gappy)
    assert len(one.truth) == 100 and len(one.test) == imputation.MOST_TEST_ROWS
    assert one.gappy["income"].notna().all() and one.gappy.isna().any(axis=None)
    known = one.gappy.notna()
    pd.testing.assert_frame_equal(one.gappy, one.truth.where(known), check_dtype=False)


def test_errors_by_hand():
    truth = pd.DataFrame({"x": [0.0, 2.0, 4.0], "k": pd.Categorical(["a", "b", "a"])})
    gappy = truth.mask(np.array([[True, False], [True, True], [False, True]]))
    tables = [truth.assign(x=[1.0, 2.0, 4.0]), truth.assign(x=[3.0, 2.0, 4.0])]
    tables[0]["k"] = pd.Categorical(["a", "a", "a"], categories=["a", "b"])
    found = imputation.errors(imputation.Setting(truth, truth, gappy, truth, "k"), tables)
    assert found["nrmse"] == pytest.approx(np.sqrt(1 / 2) / 2)
    assert found["best nrmse"] == pytest.approx(np.sqrt(4 / 2) / 2)
    assert found["accuracy"] == 0.5


def test_energy_distance_by_hand():
    one, other = np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]])
    assert imputation.energy_distance(one, other) == pytest.approx(np.sqrt(2 * 1 - 1))
    assert imputation.energy_distance(one, one) == 0


def test_regression_and_means_by_hand(table):
    """Coefficients and their robust variances are those of the textbook formulas."""
    found = imputation.quantities(table, table, "z")
    estimates, variances, n_means = found
    assert n_means == 2 + 3
    assert estimates[0] == pytest.approx(table["x"].mean())
    assert variances[1] == pytest.approx(table["y"].var() / 3000)
    scaled = (table[["x", "y"]] - table[["x", "y"]].mean()) / table[["x", "y"]].std()
    X = np.column_stack([np.ones(3000), scaled])
    coefficients = np.linalg.lstsq(X, table["z"], rcond=None)[0]
    np.testing.assert_allclose(estimates[n_means:], coefficients[1:])
    # Independent columns of equal spread: the variance is close to that of a mean.
    np.testing.assert_allclose(variances[n_means:], table["z"].var() / 3000, rtol=0.35)


def test_categories_come_back_from_codes():
    table = pd.DataFrame({"x": [1.5, None], "k": pd.Categorical(["b", None], ["a", "b"])})
    codes = imputation.Codes(table)
    np.testing.assert_array_equal(codes.matrix, [[1.5, 1.0], [np.nan, np.nan]])
    filled = codes.restore(np.array([[9.0, 0.0], [2.5, 0.4]]))
    assert filled["x"].tolist() == [1.5, 2.5] and filled["k"].tolist() == ["b", "a"]


def test_a_run_in_small(tmp_path, capsys, monkeypatch):
    """Every method fills every gap, is measured once, and has its place in the summary."""
    monkeypatch.setattr(imputation, "MOST_TEST_ROWS", 200)
    monkeypatch.setattr(imputation, "N_DRAWS", 3)
    out = tmp_path / "lines.jsonl"
    for _ in range(2):
        imputation.main(["--smoke", "--out", str(out)])
        lines = [json.loads(each) for each in out.read_text().splitlines()]
        assert len(lines) == 2 * (1 + len(imputation.METHODS))
    found = imputation.summarize(lines)
    assert found["n_settings"] == 2 and set(found["methods"]) == {"complete", *imputation.METHODS}
    complete = found["methods"]["complete"]
    assert complete["nrmse"] == complete["energy"] == 0 and complete["accuracy"] == 1
    for line in lines:
        assert ("covered" in line) == (line["table"] == "adult")
        assert np.isfinite([line["nrmse"], line["energy"], line["learner"]]).all()
    assert "rank energy" in capsys.readouterr().out
