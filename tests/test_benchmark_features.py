"""The benchmark of features: its draws, its gains, and its rival SCARF, all in small."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from contract import narrow_table

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import features  # noqa: E402

DATA = Path("nowhere")  # Adult comes with the package


def line(table, draw, system, value, form=features.FORMS[0]):
    of_form = {form: {"kNN": {"50": value}}}
    return {"half": "design", "table": table, "draw": draw, "system": system, "auc": of_form}


def test_labelled_rows_are_among_the_rows_without_labels_and_test_rows_are_others():
    rows = features.draw("adult", DATA, seed=1, most=300)
    assert len(rows.X) == len(rows.y) == len(rows.X_test) == len(rows.y_test) == 300
    assert {n: len(chosen) for n, chosen in rows.labelled.items()} == {50: 50, 200: 200}
    assert max(rows.labelled[200]) < 300 and len(set(rows.labelled[200])) == 200
    assert min(np.bincount(rows.y[rows.labelled[50]])) >= features.FEWEST_OF_A_CLASS


def test_gains_are_differences_from_the_raw_columns_and_tables_have_equal_weight():
    lines = [line("a", draw, features.RAW, 0.5, features.RAW) for draw in (0, 1)]
    lines += [line("b", 0, features.RAW, 0.7, features.RAW)]
    lines += [line("a", 0, "PCA", 0.52), line("a", 1, "PCA", 0.54), line("b", 0, "PCA", 0.69)]
    lines += [line("c", 0, "PCA", 0.9)]  # without raw columns there is no gain
    of_tables = features.gains(lines)
    assert of_tables["gain"].tolist() == pytest.approx([3.0, -1.0])
    assert of_tables["n_draws"].tolist() == [2, 1]
    (of_all,) = features.means(of_tables).to_dict("records")
    assert of_all["gain"] == pytest.approx(1.0) and of_all["raw"] == pytest.approx(0.6)
    assert "raw + PCA" in features.show(pd.DataFrame([of_all]))


def test_a_system_is_measured_once(tmp_path, monkeypatch):
    out = tmp_path / "lines.jsonl"
    words = ["--out", str(out), "--tables", "adult", "--systems", "PCA", "--draws", "0"]
    monkeypatch.setattr(features, "MOST_UNLABELLED", 300)
    monkeypatch.setattr(sys, "argv", ["features.py", *words, "--learners", "logistic"])
    for _ in range(2):
        features.main()
        lines = [json.loads(each) for each in out.read_text().splitlines()]
        assert [each["system"] for each in lines] == [features.RAW, "PCA"]
    assert 0.5 < lines[0]["auc"][features.RAW]["logistic"]["200"] < 1
    assert set(lines[1]["auc"]) == set(features.FORMS)


def test_every_system_gives_finite_features():
    for name, make in features.SYSTEMS.items():
        is_trained = name == "SCARF" or hasattr(features.tabgan, name)
        system = make(0, {"n_steps": 2} if is_trained else {}).fit(narrow_table(300))
        found = system.transform(narrow_table())
        assert len(found) == 60 and np.isfinite(found).all(), name


def test_scarf_swaps_whole_columns():
    scarf = features.SCARF(n_steps=1).fit(narrow_table())
    names = scarf.columns_.get_feature_names_out()
    assert sum(features._is_of(name, "kind") for name in names) == 3
    assert sum(features._is_of(name, "length") for name in names) == 1
