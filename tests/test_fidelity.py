from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table, shuffled
from scipy.stats import ks_2samp
from scipy.stats.contingency import association

from tabgan.datasets import load_adult
from tabgan.evaluation import (
    column_shapes,
    mean_pair_trend,
    pair_trends,
    strong_pairs,
)


class TestColumnShapes:
    def test_numbers_are_one_minus_kolmogorov_smirnov(self):
        rng = np.random.default_rng(0)
        real = pd.DataFrame({"normal": rng.normal(size=300), "count": rng.poisson(3, 300)})
        made = pd.DataFrame({"normal": rng.normal(0.4, 2, 200), "count": rng.poisson(4, 200)})
        scores = column_shapes(real, made)
        assert list(scores.index) == ["normal", "count"]
        for name in real:
            assert scores[name] == pytest.approx(1 - ks_2samp(real[name], made[name]).statistic)

    def test_categories_are_one_minus_total_variation(self):
        real = pd.DataFrame({"x": list("aabc"), "b": [True, True, True, False]})
        made = pd.DataFrame({"x": list("abbd") * 2, "b": [True, False] * 4})
        scores = column_shapes(real, made)
        assert scores["x"] == pytest.approx(1 - 0.5 * (0.25 + 0.25 + 0.25 + 0.25))
        assert scores["b"] == pytest.approx(0.75)

    @pytest.mark.parametrize("seed", range(3))
    def test_missing_numbers_count_at_the_worse_end_of_the_scale(self, seed):
        rng = np.random.default_rng(seed)
        real, made = rng.normal(size=200), rng.normal(1, 1, 150)
        real[rng.random(200) < 0.3], made[rng.random(150) < 0.1] = np.nan, np.nan
        worst = max(
            ks_2samp(np.nan_to_num(real, nan=end), np.nan_to_num(made, nan=end)).statistic
            for end in (-1e9, 1e9)
        )
        score = column_shapes(pd.DataFrame({"x": real}), pd.DataFrame({"x": made}))["x"]
        assert score == pytest.approx(1 - worst)

    def test_missing_rate_alone(self):
        real = pd.DataFrame({"x": [1.0, 2.0, 1.0, 2.0], "c": ["a", "a", None, None]})
        made = pd.DataFrame({"x": [1.0, 2.0, np.nan, np.nan], "c": ["a", None, None, None]})
        assert column_shapes(real, made).to_dict() == {"x": 0.5, "c": 0.75}

    def test_dates_and_durations(self):
        days = pd.date_range("2020-01-01", periods=10)
        real = pd.DataFrame({"when": days, "since": days - days[0]})
        later = days + pd.Timedelta(days=5)
        made = pd.DataFrame({"when": later, "since": later - days[0]})
        assert column_shapes(real, made).to_dict() == {"when": 0.5, "since": 0.5}

    def test_categorical_features(self):
        real, made = pd.DataFrame({"code": [1, 2, 3, 4]}), pd.DataFrame({"code": [4, 1, 2, 9]})
        assert column_shapes(real, made)["code"] == 0.75
        real["code"] *= 10
        made["code"] = [40, 10, 20, 11]
        assert column_shapes(real, made, categorical_features=["code"])["code"] == 0.75
        real["code"] = [1, 2, 3, 4]
        made["code"] = [5, 6, 7, 8]
        assert column_shapes(real, made, categorical_features=["code"])["code"] == 0.0

    def test_empty_columns_and_single_rows(self):
        real = pd.DataFrame({"none": [np.nan] * 3, "also": [None] * 3, "one": [7] * 3})
        assert column_shapes(real, real.iloc[:1]).to_dict() == {"none": 1, "also": 1, "one": 1}
        full = pd.DataFrame({"none": [1.0], "also": ["a"], "one": [8]})
        assert column_shapes(real, full).to_dict() == {"none": 0, "also": 0, "one": 0}
        assert column_shapes(full, real).to_dict() == {"none": 0, "also": 0, "one": 0}


def total_variation(left, right):
    """Return the total variation distance of two lists of hashables, the slow way."""
    left = pd.Series(list(left)).value_counts(normalize=True)
    right = pd.Series(list(right)).value_counts(normalize=True)
    return 0.5 * left.sub(right, fill_value=0).abs().sum()


class TestPairTrends:
    def test_two_numbers(self):
        rng = np.random.default_rng(0)
        real = rng.normal(size=(100, 2)) @ [[1, 1], [0, 1]]
        made = rng.normal(size=(150, 2)) @ [[1, -1], [0, 1]]
        gap = np.corrcoef(real.T)[0, 1] - np.corrcoef(made.T)[0, 1]
        assert pair_trends(real, made).loc[0, 1] == pytest.approx(1 - abs(gap) / 2)

    def test_two_categories(self):
        real, made = mixed_table(200, 0), mixed_table(150, 1)
        trends = pair_trends(real, made)
        pairs = [zip(t["kind"].fillna("-"), t["large"], strict=True) for t in (real, made)]
        assert trends.loc["kind", "large"] == pytest.approx(1 - total_variation(*pairs))

    def test_a_number_and_a_category(self):
        real, made = mixed_table(200, 0), mixed_table(150, 1)
        pairs = []
        for table in (real, made):
            bins = np.digitize(table["size"], np.histogram_bin_edges(table["size"], bins=10))
            pairs.append(zip(bins, table["large"], strict=True))
        expected = 1 - total_variation(*pairs)
        assert pair_trends(real, made).loc["large", "size"] == pytest.approx(expected)

    def test_missing_together(self):
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(2, 1000))
        gone = rng.random(1000) < 0.5
        together = pd.DataFrame({"x": np.where(gone, np.nan, x), "y": np.where(gone, np.nan, y)})
        apart = pd.DataFrame({"x": np.where(gone, np.nan, x), "y": np.where(gone, y, np.nan)})
        assert pair_trends(together, together).loc["x", "y"] == 1.0
        assert pair_trends(together, apart).loc["x", "y"] == pytest.approx(0.0)

    def test_correlation_over_complete_rows(self):
        table = mixed_table(300, 0)[["size", "price"]]
        made = shuffled(table)
        gap = table.dropna().corr().iloc[0, 1] - made.dropna().corr().iloc[0, 1]
        assert pair_trends(table, made).iloc[0, 1] == pytest.approx(1 - abs(gap) / 2)

    def test_a_constant_has_no_correlation(self):
        line = np.arange(10.0)
        real = pd.DataFrame({"x": line, "y": line, "z": 0.1})
        made = pd.DataFrame({"x": line, "y": 0.1, "z": 0.1})
        trends = pair_trends(real, made)
        assert trends.loc["x", "y"] == pytest.approx(0.5)
        assert trends.loc["y", "z"] == 1.0

    def test_many_categories(self):
        rng = np.random.default_rng(0)
        codes = rng.permutation(20_000)[:2000].reshape(2, 1000).T
        real = pd.DataFrame(codes, columns=["x", "y"]).astype(str)
        trends = pair_trends(real, real.iloc[::-1])
        assert trends.loc["x", "y"] == pytest.approx(1.0)
        moved = real.assign(y=np.roll(real["y"], 1))
        assert pair_trends(real, moved).loc["x", "y"] == pytest.approx(0.0)

    def test_symmetric_and_labelled(self):
        trends = pair_trends(mixed_table(100, 0), mixed_table(100, 1))
        np.testing.assert_array_equal(trends, trends.T)
        np.testing.assert_array_equal(np.diag(trends), 1.0)
        assert list(trends.index) == list(trends.columns) == list(mixed_table(1, 0))

    def test_mean(self):
        trends = pd.DataFrame([[1.0, 0.2, 0.4], [0.2, 1.0, 0.9], [0.4, 0.9, 1.0]])
        assert mean_pair_trend(trends) == pytest.approx(0.5)
        chosen = pd.DataFrame([[1, 1, 0], [1, 1, 1], [0, 1, 1]]).astype(bool)
        assert mean_pair_trend(trends, chosen) == pytest.approx(0.55)
        assert np.isnan(mean_pair_trend(trends.iloc[:1, :1]))

    def test_strong_pairs(self):
        table = mixed_table(2000, 0)
        strong = strong_pairs(table)
        assert strong.loc["size", "price"] and strong.loc["large", "size"]
        assert not strong.loc["day", "kind"] and not strong.loc["size", "day"]
        assert strong_pairs(pd.DataFrame({"x": ["a", "a"], "y": ["a", "b"]})).to_numpy().sum() == 2

    def test_strong_pairs_are_judged_by_cramers_v(self):
        rng = np.random.default_rng(0)
        for share in np.linspace(0.1, 0.6, 11):
            x = rng.integers(0, 4, 500)
            y = np.where(rng.random(500) < share, x, rng.integers(0, 3, 500))
            table = pd.DataFrame({"x": x, "y": y}).astype(str)
            cramers_v = association(pd.crosstab(table["x"], table["y"]).to_numpy(), "cramer")
            assert strong_pairs(table).loc["x", "y"] == (cramers_v > 0.3)


class TestAgainstSDMetrics:
    """Figures of SDMetrics 0.32, see benchmarks/sdmetrics_agreement.py."""

    def test_adult(self):
        train, test = load_adult()  # whose missing categories SDMetrics was given as "?"
        assert column_shapes(train, test).mean() == pytest.approx(0.9936708745867535, abs=1e-9)
        trends = pair_trends(train, test)
        assert mean_pair_trend(trends) == pytest.approx(0.9821597319140959, abs=1e-9)
        strong = strong_pairs(train)
        assert mean_pair_trend(trends, strong) == pytest.approx(0.9863501694802079, abs=1e-9)
