"""The benchmark of augmentation: a run in small, its figures, and its summary."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from seeds import seed

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def scripts():
    """Return the scripts, which import each other by bare names."""
    before = list(sys.path)
    sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "docs")]
    try:
        import augmentation
        import common
        import comparing
        import learners
        import make_benchmarks

        yield SimpleNamespace(
            augmentation=augmentation,
            common=common,
            comparing=comparing,
            learners=learners,
            make_benchmarks=make_benchmarks,
        )
    finally:
        sys.path[:] = before


@pytest.fixture(scope="module")
def smoke(scripts, tmp_path_factory):
    """Run the benchmark in small and return the file of its lines."""
    path = tmp_path_factory.mktemp("augmentation") / "lines.jsonl"
    scripts.augmentation.main(["--smoke", "--out", str(path)])
    return path


class TestRun:
    def test_every_method_has_a_line_and_none_fails(self, scripts, smoke):
        lines = pd.DataFrame(scripts.augmentation.read_lines(smoke))
        assert "failure" not in lines
        assert not lines.duplicated(scripts.augmentation.KEY).any()
        assert set(lines["method"]) == set(scripts.augmentation.METHODS)
        measured = lines[lines["does_not_apply"].isna()]
        for kind, figure in scripts.augmentation.MAIN_FIGURE.items():
            assert measured.loc[measured["kind"] == kind, figure].notna().all()

    def test_a_tuned_threshold_moves_labels_alone(self, scripts, smoke):
        lines = pd.DataFrame(scripts.augmentation.read_lines(smoke))
        by_method = lines[lines["table"] == "adult"].set_index(["learner", "method"])
        tuned = by_method.xs("tuned threshold", level="method")
        alone = by_method.xs("alone", level="method").loc[tuned.index]
        assert (tuned["log_loss"] == alone["log_loss"]).all()
        assert (tuned["balanced_accuracy"] != alone["balanced_accuracy"]).any()

    def test_a_run_goes_on_where_it_was_stopped(self, scripts, smoke, tmp_path):
        lines = smoke.read_text(encoding="utf-8").splitlines()
        is_last = [json.loads(line)["table"] == "diabetes" for line in lines]
        kept = [line for line, last in zip(lines, is_last, strict=True) if not last]
        part = tmp_path / "part.jsonl"
        options = ["--smoke", "--out", str(part), "--methods", "alone", "Gaussian jitter"]
        cut_off = lines[is_last.index(True)][:40]
        part.write_text("\n".join([*kept, cut_off]), encoding="utf-8")
        scripts.augmentation.main(options)
        whole = scripts.augmentation.read_lines(part)
        assert len(whole) == len(kept) + 4
        assert whole[: len(kept)] == [json.loads(line) for line in kept]
        again = part.read_text(encoding="utf-8")
        scripts.augmentation.main(options)
        assert part.read_text(encoding="utf-8") == again

    def test_the_summary_becomes_a_page(self, scripts, smoke, tmp_path, monkeypatch):
        monkeypatch.setattr(scripts.common, "RESULTS", tmp_path)
        picture = tmp_path / "ranks.png"
        scripts.augmentation.main(["--out", str(smoke), "--summary", "--plot", str(picture)])
        parts = json.loads((tmp_path / "augmentation.json").read_text())["results"]
        assert picture.stat().st_size > 0
        assert [(part["half"], part["kind"]) for part in parts] == [
            ("design", "classes"),
            ("smoke", "classes"),
            ("design", "numbers"),
        ]
        for part in parts:
            gains = {each["method"]: each["gain"] for each in part["methods"]}
            assert gains["alone"] == 0
            assert all(np.isfinite(list(gains.values())))
        text = scripts.make_benchmarks.augmentation_tables(parts)
        shown = [name for name in scripts.augmentation.METHODS if "bootstrap" not in name]
        assert all(f"| {name} |" in text for name in shown)


class TestFigures:
    def test_calibration_error(self, scripts):
        # Confidence .8 and 6 of 10 right; confidence .6 and all right.
        p = np.repeat([[0.8, 0.2], [0.4, 0.6]], [10, 10], axis=0)
        y = np.array([0] * 6 + [1] * 4 + [1] * 10)
        assert scripts.learners.calibration_error(y, p) == pytest.approx((0.2 + 0.4) / 2)
        order = np.random.default_rng(seed(0)).permutation(20)
        assert scripts.learners.calibration_error(y[order], p[order]) == pytest.approx(0.3)

    def test_scores_of_two_classes_and_of_three(self, scripts):
        y, p = np.array([0, 0, 0, 1]), np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]])
        found = scripts.learners.class_scores(y, p, y)
        assert found["auc"] == found["average_precision"] == found["balanced_accuracy"] == 1
        assert found["brier"] == found["calibration_error"] == 0
        # The rarer class is the one whose average precision counts.
        even = scripts.learners.class_scores(1 - y, np.full((4, 2), 0.5), y)
        assert even["average_precision"] == 0.25
        assert even["brier"] == 0.25
        of_three = scripts.learners.class_scores(
            np.array([0, 1, 2]), np.full((3, 3), 1 / 3), np.array([0, 0, 0])
        )
        assert of_three["auc"] == 0.5
        assert of_three["brier"] == pytest.approx((4 / 9 + 2 / 9) / 2)
        assert of_three["balanced_accuracy"] == pytest.approx(1 / 3)

    def test_pinball_loss_is_a_share_of_that_of_the_typical_number(self, scripts):
        y = np.array([0.0, 1.0, 5.0])
        assert scripts.learners.number_scores(y, np.full(3, 1.0), 1.0)["pinball"] == 1
        assert scripts.learners.number_scores(y, y, 1.0) == {"r2": 1, "pinball": 0}

    def test_boosting_with_early_stopping_sees_all_classes(self, scripts):
        # By its place among the sorted rows the only row of "r" would be held out.
        pytest.importorskip("xgboost")
        rng = np.random.default_rng(seed(0))
        X = pd.DataFrame({"a": rng.normal(size=38)})
        y = np.repeat(["p", "q", "r"], [30, 7, 1])
        model = scripts.learners.EarlyStoppingClassifier(n_estimators=5).fit(X, y)
        p = model.predict_proba(X)
        assert p.shape == (38, 3)
        assert np.allclose(p.sum(axis=1), 1, atol=1e-5)
        assert set(model.predict(X)) <= {"p", "q", "r"}
        regressor = scripts.learners.EarlyStoppingRegressor(n_estimators=5).fit(X, X["a"])
        assert regressor.predict(X).shape == (38,)


class TestComparison:
    def test_gains_are_paired_and_zero_where_a_method_does_not_apply(self, scripts):
        def line(method, learner, auc, n_seed=0):
            return {
                "table": "t",
                "n": 100,
                "seed": n_seed,
                "learner": learner,
                "method": method,
                "auc": auc,
            }

        lines = pd.DataFrame(
            [
                line("alone", "linear", 0.8),
                line("alone", "MLP", 0.7),
                line("class weights", "linear", 0.82),
                line("class weights", "MLP", None),
                line("stack", "all", 0.9),
                # A seed that lacks a line counts for nothing.
                line("alone", "linear", 0.1, n_seed=1),
            ]
        )
        gains = scripts.augmentation.gains(lines, "auc").to_dict()
        expected = {
            ("t", 100, 0, "linear", "alone"): 0,
            ("t", 100, 0, "MLP", "alone"): 0,
            ("t", 100, 0, "linear", "class weights"): 2,
            ("t", 100, 0, "MLP", "class weights"): 0,
            ("t", 100, 0, "linear", "stack"): 10,
            ("t", 100, 0, "MLP", "stack"): 20,
        }
        assert gains.keys() == expected.keys()
        assert all(gains[key] == pytest.approx(value) for key, value in expected.items())

    def test_chance_is_half_of_what_differs(self, scripts):
        index = pd.MultiIndex.from_product(
            [
                ["t", "u"],
                [100],
                [0, 1],
                ["linear"],
                ["alone, bootstrap 1", "alone, bootstrap 2"],
            ],
            names=[*scripts.augmentation.SETTING, "method"],
        )
        # Of t one seed of two differs by more than a point, and so does the mean; of u none.
        values = pd.Series([5.0, 1.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.5], index)
        assert scripts.augmentation.by_chance(values) == {"runs": 0.125, "cases": 0.25}
        assert scripts.augmentation.by_chance(values[::2]) is None

    def test_ranks_and_cliques(self, scripts):
        rng = np.random.default_rng(seed(0))
        noise = rng.normal(size=20)
        by_table = pd.DataFrame(
            {
                "worst": noise - 10,
                "best": noise + 10,
                "even": noise + np.tile([0.1, -0.1], 10),
                "plain": noise,
            }
        )
        found = scripts.comparing.compare_ranks(by_table)
        assert found["ranks"] == {"best": 1, "even": 2.5, "plain": 2.5, "worst": 4}
        assert found["cliques"] == [["even", "plain"]]
        assert found["friedman_p"] < 1e-6

    def test_an_interval_draws_families(self, scripts):
        values = pd.Series([1.0, 1.0, 3.0], ["a", "b", "c"])
        families = pd.Series(["f", "f", "g"], ["a", "b", "c"])
        assert scripts.comparing.interval(values, families) == (1, 3)
        one = pd.Series(["f"] * 3, values.index)
        assert scripts.comparing.interval(values, one) == pytest.approx((5 / 3, 5 / 3))
