from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table, says

from tabgan.evaluation import distance_to_closest_record, neighbours


def slow_distances(rows, references, pooled):
    """Return the distances to the closest of `references`, one pair at a time."""
    squared = np.zeros((len(rows), len(references)))
    for name in rows:
        left, right = rows[name], references[name]
        if not pd.api.types.is_numeric_dtype(left.dtype):
            left, right = left.fillna("missing"), right.fillna("missing")
            squared += left.to_numpy()[:, None] != right.to_numpy()[None]
            continue
        scale = pooled[name].dropna()
        ranks = []
        for column in (left, right):
            below = np.array([np.mean(scale < value) for value in column])
            equal = np.array([np.mean(scale == value) for value in column])
            ranks.append(np.where(column.isna(), 0.5, below + equal / 2))
        gap = ranks[0][:, None] - ranks[1][None]
        squared += gap**2 + (left.isna().to_numpy()[:, None] != right.isna().to_numpy()[None])
    return np.sqrt(squared.min(axis=1))


class TestDistanceToClosestRecord:
    @pytest.mark.parametrize("n_pairs", [1, 130, 2**19])
    def test_against_the_slow_way(self, n_pairs, monkeypatch):
        monkeypatch.setattr(neighbours, "_CHUNK_ELEMENTS", n_pairs)
        columns = ["size", "count", "kind", "price"]
        train, made, holdout = (mixed_table(60, seed)[columns] for seed in range(3))
        result = distance_to_closest_record(train, made, holdout)
        pooled = pd.concat([train, holdout])
        to_train = slow_distances(made, train, pooled)
        to_holdout = slow_distances(made, holdout, pooled)
        np.testing.assert_allclose(result.distances["train"], to_train, atol=1e-12)
        np.testing.assert_allclose(result.distances["holdout"], to_holdout, atol=1e-12)
        assert result.share_nearer_to_train == pytest.approx(np.mean(to_train < to_holdout))

    def test_copies(self):
        train, holdout = mixed_table(500, 0), mixed_table(500, 1)
        result = distance_to_closest_record(train, train.sample(200, random_state=0), holdout)
        assert (result.distances["train"] == 0).all()
        assert result.share_nearer_to_train == 1.0
        assert result.duplicate_rate == 1.0
        assert result.holdout_duplicate_rate == 0.0
        assert result.near_duplicate_rate == 1.0

    def test_no_copies(self):
        tables = [mixed_table(1500, seed) for seed in range(3)]
        result = distance_to_closest_record(*tables)
        # 5 standard deviations of a fair coin; the rows of one table are independent.
        assert result.share_nearer_to_train == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(1500))
        assert result.duplicate_rate == 0.0
        assert 0.0 < result.near_duplicate_rate < 0.03

    def test_near_duplicates_by_hand(self):
        # Ranks are the scale: every held-out row lies 1/402 from a training row, or more.
        train = pd.DataFrame({"x": 2.0 * np.arange(201)})
        holdout = pd.DataFrame({"x": 2.0 * np.arange(201) + 1})
        made = pd.DataFrame({"x": [0.0, 5.0, 6.0, 399.0]})
        result = distance_to_closest_record(train, made, holdout)
        assert result.near_duplicate_rate == result.duplicate_rate == 0.5

    def test_near_duplicates_are_not_duplicates(self):
        train, holdout = mixed_table(1000, 0), mixed_table(1000, 1)
        made = train.assign(size=train["size"] + 1e-9)
        result = distance_to_closest_record(train, made, holdout)
        assert result.duplicate_rate == 0.0
        assert result.near_duplicate_rate > 0.99

    def test_nothing_is_nearer_than_common_duplicates(self):
        table = pd.DataFrame({"c": list("ab") * 50})
        result = distance_to_closest_record(table, table, table)
        assert result.near_duplicate_rate == 0.0
        train, holdout = (pd.DataFrame({"c": ["a"] * n + ["b"] * (200 - n)}) for n in (199, 0))
        assert distance_to_closest_record(train, train, holdout).near_duplicate_rate == 0.0

    def test_many_categories(self):
        rng = np.random.default_rng(0)
        tables = [pd.DataFrame({"c": rng.integers(0, 400, 300).astype(str)}) for _ in range(3)]
        result = distance_to_closest_record(*tables)
        expected = ~tables[1]["c"].isin(tables[0]["c"])
        np.testing.assert_array_equal(result.distances["train"], expected)

    def test_a_longer_training_table_is_no_nearer(self):
        result = distance_to_closest_record(*(mixed_table(n, n) for n in (3000, 1000, 300)))
        assert result.share_nearer_to_train == pytest.approx(0.5, abs=0.09)

    def test_ties_count_half(self):
        table = pd.DataFrame({"x": ["a", "b"]})
        result = distance_to_closest_record(table, table, table)
        assert result.share_nearer_to_train == 0.5
        assert result.duplicate_rate == result.holdout_duplicate_rate == 1.0

    def test_duplicates_in_every_column(self):
        train = pd.DataFrame({"x": [1.0, np.nan, 0.0], "c": ["a", None, "b"]})
        made = pd.DataFrame({"x": [1.0, np.nan, -0.0, 1.0], "c": ["b", None, "b", None]})
        result = distance_to_closest_record(train, made, train.iloc[:1])
        assert result.duplicate_rate == 0.5

    def test_max_rows(self):
        train, made, holdout = (mixed_table(100, seed) for seed in range(3))
        result = distance_to_closest_record(train, made, holdout, max_rows=20)
        assert len(result.distances) == 20
        assert result.distances.index.is_monotonic_increasing
        assert result.distances.index.max() >= 20
        message = "max_rows must be a positive integer, got 0."
        with pytest.raises(ValueError, match=says(message)):
            distance_to_closest_record(train, made, holdout, max_rows=0)

    def test_tables_of_one_kind(self):
        numbers, words = mixed_table(30, 0)[["size"]], mixed_table(30, 0)[["kind"]]
        empty = pd.DataFrame({"x": [np.nan] * 3, "c": [None] * 3})
        for table in (numbers, words, empty, numbers.iloc[:1]):
            assert (distance_to_closest_record(table, table, table).distances == 0).all(axis=None)
