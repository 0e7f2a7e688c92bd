from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table, shuffled
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import MinMaxScaler

from tabgan.datasets import load_adult
from tabgan.evaluation import beta_recall, neighbours


def published(real, synthetic, categories):
    """Return beta-recall as Alaa et al. define it, of tables without missing numbers."""
    both = pd.concat([real, synthetic], ignore_index=True)
    numbers = MinMaxScaler().fit(real.drop(columns=categories))
    one_hot = pd.get_dummies(both[categories].astype(object).fillna("missing").astype(str))
    points = np.column_stack([numbers.transform(both.drop(columns=categories)), one_hot])
    x, s = points[: len(real)], points[len(real) :]
    to_real = NearestNeighbors(n_neighbors=2).fit(x).kneighbors(x)[0][:, 1]
    to_synthetic, closest = NearestNeighbors(n_neighbors=1).fit(s).kneighbors(x)
    center = np.sqrt(((s[closest[:, 0]] - s.mean(axis=0)) ** 2).sum(axis=1))
    alphas = np.linspace(0, 1, 30)
    betas = [
        np.mean((to_synthetic[:, 0] <= to_real) & (center <= radius))
        for radius in np.quantile(center, alphas)
    ]
    return 1 - np.abs(alphas - betas).sum() / alphas.sum()


class TestBetaRecall:
    @pytest.mark.parametrize("n_pairs", [1, 1000, 2**19])
    def test_is_the_published_figure(self, n_pairs, monkeypatch):
        monkeypatch.setattr(neighbours, "_CHUNK_ELEMENTS", n_pairs)
        names = ["size", "count", "kind", "large"]
        real, other = (mixed_table(400, seed)[names] for seed in range(2))
        wider = other.assign(size=1.5 * other["size"])
        for made in (other, wider, shuffled(real)):
            expected = published(real, made, ["kind", "large"])
            assert beta_recall(real, made) == pytest.approx(expected, abs=1e-12)

    def test_is_the_published_figure_of_adult(self):
        train, test = (table.sample(1500, random_state=0) for table in load_adult())
        categories = list(train.columns[train.dtypes != "int64"])
        for made in (test, shuffled(train)):
            expected = published(train, made, categories)
            assert beta_recall(train, made) == pytest.approx(expected, abs=1e-12)

    def test_by_hand(self):
        real = pd.DataFrame({"x": [0.0, 1.0, 3.0, 7.0]})
        made = pd.DataFrame({"x": [0.5, 1.0, 1.5, 30.0]})
        # Only 7 is not covered: 1.5 is 5.5 away from it, and 3 only 4.
        # The neighbours 0.5, 1, 1.5, 1.5 lie 7.75, 7.25, 6.75, 6.75 from the middle, 8.25, so that
        # of 3, 1, 0 the first is reached from 0, the next from 2/3 and the last from 1 on.
        alphas = np.linspace(0, 1, 30)
        betas = 0.25 + 0.25 * (alphas >= 2 / 3) + 0.25 * (alphas == 1)
        expected = 1 - np.abs(alphas - betas).sum() / alphas.sum()
        assert beta_recall(real, made) == pytest.approx(expected)

    def test_fresh_rows_copies_and_a_constant(self):
        real, fresh = mixed_table(1500, 0), mixed_table(1500, 1)
        # 5 standard deviations of a fair coin; neighbouring rows are about independent.
        assert beta_recall(real, fresh) == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(1500))
        assert beta_recall(real, real.sample(frac=1, random_state=0)) > 0.99
        assert beta_recall(real, fresh.iloc[[0] * 1500]) < 0.02

    def test_few_modes_are_worse_than_all(self):
        real, fresh = mixed_table(1000, 0), mixed_table(5000, 1)
        assert beta_recall(real, fresh[fresh["kind"] == "b"]) < beta_recall(real, fresh) - 0.2

    def test_order_and_units_do_not_matter(self):
        real, made = mixed_table(300, 0), mixed_table(300, 1)
        score = beta_recall(real, made)
        turned = [
            t.assign(size=-1000 * t["size"] + 7, price=t["price"] / 100)[t.columns[::-1]][::-1]
            for t in (real, made)
        ]
        assert beta_recall(*turned) == pytest.approx(score, abs=1e-12)

    def test_rows_of_the_longer_table_are_left_out(self):
        real, made = mixed_table(2000, 0), mixed_table(6000, 1)
        assert beta_recall(real, made) == pytest.approx(0.5, abs=0.06)
        assert beta_recall(made, real) == pytest.approx(0.5, abs=0.06)

    def test_rounding_decides_nothing(self):
        # Steps of 0.1 along x, as far as each row's neighbour lies off in y; no two round alike.
        real = pd.DataFrame({"x": np.arange(0, 11) / 10, "y": 0.0})
        scores = [beta_recall(real, real.assign(y=gap)) for gap in (0.09, 0.1, 0.11)]
        assert scores[0] == pytest.approx(scores[1])
        assert scores[2] == pytest.approx(0.0)

    def test_missing_values(self):
        kinds = pd.Series(["a", "b", None, "c", None, "a"] * 30)
        x = np.random.default_rng(0).normal(size=(2, 180))
        real, made = (pd.DataFrame({"x": row, "c": kinds}) for row in x)
        named = [table.fillna({"c": "none"}) for table in (real, made)]
        assert beta_recall(real, made) == beta_recall(*named)

        gone = np.arange(180) % 3 == 0
        real, made = (table.assign(x=table["x"].mask(gone)) for table in (real, made))
        low, high = real["x"].min(), real["x"].max()
        spelt = [
            pd.DataFrame(
                {
                    "x": table["x"].fillna((low + high) / 2),
                    "gone": gone.astype(float),
                    "c": table["c"],
                }
            )
            for table in (real, made)
        ]
        expected = published(*spelt, ["c"])
        # Rows that lack the number have equals, whose distances the published code rounds.
        assert beta_recall(real, made) == pytest.approx(beta_recall(*spelt), abs=1e-12)
        assert beta_recall(real, made) >= expected - 1e-12

    def test_more_categories_than_a_byte_holds(self):
        rng = np.random.default_rng(0)
        real, made = (
            pd.DataFrame({"c": rng.integers(0, 400, 900).astype(str), "x": rng.normal(size=900)})
            for _ in range(2)
        )
        assert beta_recall(real, made) == pytest.approx(published(real, made, ["c"]), abs=1e-12)

    def test_categorical_features(self):
        rng = np.random.default_rng(0)
        real, made = (pd.DataFrame({"k": rng.integers(0, 9, 50) ** 2}) for _ in range(2))
        words = [table.astype(str) for table in (real, made)]
        assert beta_recall(real, made, categorical_features=["k"]) == beta_recall(*words)

    def test_odd_tables(self):
        empty = pd.DataFrame({"x": [np.nan] * 5, "c": [None] * 5})
        full = pd.DataFrame({"x": [1e308, -1e308, 1e300, 1.0, 0.0], "c": list("abcde")})
        for real, made in ((empty, full), (full, empty), (full, full)):
            assert 0.0 <= beta_recall(real, made) <= 1.0
        assert np.isnan(beta_recall(full, full.iloc[:1]))

    def test_max_rows(self):
        real, made = mixed_table(500, 0), mixed_table(500, 1)
        score = beta_recall(real, made, max_rows=100)
        assert score == beta_recall(real, made, max_rows=100)
        assert score != beta_recall(real, made, max_rows=100, random_state=1)
