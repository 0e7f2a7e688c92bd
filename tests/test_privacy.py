from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table

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
        scale = np.sort(pooled[name].dropna())
        levels = np.unique(scale)
        middles = [np.mean(scale < level) + np.mean(scale == level) / 2 for level in levels]
        ranks = [
            np.where(column.isna(), 0.5, np.interp(column, levels, middles))
            for column in (left, right)
        ]
        gap = ranks[0][:, None] - ranks[1][None]
        squared += gap**2 + (left.isna().to_numpy()[:, None] != right.isna().to_numpy()[None])
    return np.sqrt(squared.min(axis=1))


def tied_table(n_rows, seed):
    """Return a table of few values, in which every sixth fresh row equals another one."""
    rng = np.random.default_rng(seed)
    often_zero = np.where(rng.random(n_rows) < 0.9, 0, rng.integers(1, 3000, n_rows))
    return pd.DataFrame(
        {
            "a": rng.integers(0, 6, n_rows),
            "b": rng.choice(list("xyz"), n_rows),
            "count": rng.poisson(2, n_rows),
            "gain": often_zero,
            "hours": rng.integers(0, 40, n_rows),
        }
    )


def split(make, share, seed, n_rows=1500):
    """Return a training table, a holdout, and as many fresh rows as there are training rows."""
    n_train = round(share * n_rows)
    table = make(n_rows + n_train, seed)
    parts = np.split(np.arange(len(table)), [n_train, n_rows])
    return [table.iloc[rows].reset_index(drop=True) for rows in parts]


def jittered(table, seed):
    rng = np.random.default_rng(seed)
    numbers = table.select_dtypes("number").columns
    return table.assign(
        **{name: table[name] + 1e-6 * rng.normal(size=len(table)) for name in numbers}
    )


SPLITS = pytest.mark.parametrize(
    ("make", "share"),
    [(make, share) for make in (mixed_table, tied_table) for share in (0.5, 0.8, 0.95)],
)


@SPLITS
class TestUnequalSizes:
    """Whatever the sizes of the training table and the holdout, copies and fresh rows show."""

    def test_a_copy_is_one(self, make, share):
        train, holdout, _ = split(make, share, 0)
        result = distance_to_closest_record(train, train, holdout)
        assert result.share_nearer_to_train == 1.0
        assert result.near_duplicate_rate == 1.0

    def test_a_copy_with_tiny_noise_is_one(self, make, share):
        train, holdout, _ = split(make, share, 1)
        result = distance_to_closest_record(train, jittered(train, 2), holdout)
        # The noise leads as far away from a held-out equal of the copied row as from that row.
        assert result.share_nearer_to_train == pytest.approx(1.0, abs=0.01)
        assert result.near_duplicate_rate > 0.999

    def test_fresh_rows_are_a_half_and_one_copy_in_ten_adds_a_twentieth(self, make, share):
        figures = []
        for seed in range(3, 7):
            train, holdout, fresh = split(make, share, seed)
            tenth = len(train) // 10
            some = pd.concat([train.sample(tenth, random_state=0), fresh.iloc[tenth:]])
            results = [distance_to_closest_record(train, made, holdout) for made in (fresh, some)]
            figures.append(
                [each.share_nearer_to_train for each in results]
                + [each.near_duplicate_rate for each in results]
                + [results[0].holdout_near_duplicate_rate]
            )
        fresh_share, some_share, fresh_near, some_near, real_near = np.mean(figures, axis=0)
        # 5 standard errors of the mean of four tables; 0.7 / sqrt(n_holdout) is one table's.
        tolerance = 5 * 0.7 / np.sqrt(4 * len(holdout))
        assert fresh_share == pytest.approx(0.5, abs=tolerance)
        assert some_share == pytest.approx(0.55, abs=tolerance)
        # A rate of at most 0.3 of a holdout: its standard error is below 0.46 / sqrt(n_holdout).
        tolerance = 6 * 0.46 / np.sqrt(4 * len(holdout))
        assert fresh_near == pytest.approx(real_near, abs=tolerance)
        # The same training tables and the same fresh rows: nine tenths of them are left.
        assert some_share - fresh_share == pytest.approx(0.05, abs=0.6 / np.sqrt(len(holdout)))
        assert some_near - fresh_near == pytest.approx(0.1 * (1 - fresh_near), abs=0.02)


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
        # With as many training as held-out rows and no ties, the share is the published one.
        assert result.share_nearer_to_train == pytest.approx(np.mean(to_train < to_holdout))
        assert result.dcr == pytest.approx(np.mean(to_train < to_holdout))

    def test_copies(self):
        train, holdout = mixed_table(500, 0), mixed_table(500, 1)
        result = distance_to_closest_record(train, train.sample(200, random_state=0), holdout)
        assert (result.distances["train"] == 0).all()
        assert result.share_nearer_to_train == 1.0
        assert result.duplicate_rate == 1.0
        assert result.holdout_duplicate_rate == 0.0
        assert result.near_duplicate_rate == 1.0

    def test_near_duplicates_by_hand(self):
        def rows(*cells):
            return pd.DataFrame(cells, columns=list("abc"))

        train = rows(*[(f"t{i}",) * 3 for i in range(100)])
        # Two held-out rows are duplicates, one differs in one column, and 99 in two columns.
        others = [(f"t{i}", "x", "x") for i in range(99)]
        holdout = rows(("t0",) * 3, ("t1",) * 3, ("t2", "t2", "x"), *others)
        made = rows(("t5",) * 3, ("t6", "t6", "y"), ("t7", "y", "y"), ("y", "y", "y"))
        result = distance_to_closest_record(train, made, holdout)
        assert result.holdout_duplicate_rate == pytest.approx(2 / 102)
        assert result.holdout_near_duplicate_rate == pytest.approx(3 / 102)
        assert result.duplicate_rate == 0.25
        assert result.near_duplicate_rate == 0.5

    def test_near_duplicates_are_not_duplicates(self):
        train, holdout = mixed_table(1000, 0), mixed_table(1000, 1)
        made = train.assign(size=train["size"] + 1e-9)
        result = distance_to_closest_record(train, made, holdout)
        assert result.duplicate_rate == 0.0
        assert result.near_duplicate_rate > 0.99

    def test_near_duplicates_of_a_table_of_duplicates_are_as_many_as_real_ones(self):
        table = pd.DataFrame({"c": list("ab") * 50})
        result = distance_to_closest_record(table, table, table)
        assert result.near_duplicate_rate == result.holdout_near_duplicate_rate == 1.0
        train, holdout = (pd.DataFrame({"c": ["a"] * n + ["b"] * (200 - n)}) for n in (199, 0))
        result = distance_to_closest_record(train, train, holdout)
        assert result.near_duplicate_rate == result.holdout_near_duplicate_rate == 1.0

    def test_many_categories(self):
        rng = np.random.default_rng(0)
        tables = [pd.DataFrame({"c": rng.integers(0, 400, 300).astype(str)}) for _ in range(3)]
        result = distance_to_closest_record(*tables)
        expected = ~tables[1]["c"].isin(tables[0]["c"])
        np.testing.assert_array_equal(result.distances["train"], expected)

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

    def test_training_rows_are_never_left_out(self):
        train, holdout = mixed_table(300, 0), mixed_table(50, 1)
        result = distance_to_closest_record(train, train, holdout, max_rows=20)
        assert result.share_nearer_to_train == result.near_duplicate_rate == 1.0

    def test_the_published_share_misses_most_copies_of_a_longer_table(self):
        train, holdout, _ = split(mixed_table, 0.8, 0)
        # A quarter of the training rows is drawn; of the others, a half is nearer to train.
        dcr = distance_to_closest_record(train, train, holdout).dcr
        assert dcr == pytest.approx(0.625, abs=5 * 0.7 / np.sqrt(300))

    def test_copies_cannot_be_told_where_all_rows_are_alike(self):
        one = pd.DataFrame({"c": ["a"] * 40})
        assert distance_to_closest_record(one, one, one[:10]).share_nearer_to_train == 0.5
        train, holdout, fresh = split(tied_table, 0.8, 0)
        few = [table[["b"]] for table in (train, train, holdout)]
        assert distance_to_closest_record(*few).share_nearer_to_train == pytest.approx(0.5, abs=0.1)

    def test_rows_nearer_to_the_holdout_are_below_a_half(self):
        train, holdout = mixed_table(300, 0), mixed_table(100, 1)
        assert distance_to_closest_record(train, holdout, holdout).share_nearer_to_train == 0.0

    def test_global_generator_untouched(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        distance_to_closest_record(*[mixed_table(20, 0)] * 3, random_state=None)
        np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002

    def test_short_repr(self):
        result = distance_to_closest_record(*[mixed_table(200, 0)] * 3)
        assert repr(result).startswith("ClosestRecords(share_nearer_to_train=0.5, dcr=0.5, ")
        assert len(repr(result)) < 250

    def test_max_rows(self):
        train, made, holdout = (mixed_table(100, seed) for seed in range(3))
        result = distance_to_closest_record(train, made, holdout, max_rows=20)
        assert len(result.distances) == 20
        assert result.distances.index.is_monotonic_increasing
        assert result.distances.index.max() >= 20

    def test_tables_of_one_kind(self):
        numbers, words = mixed_table(30, 0)[["size"]], mixed_table(30, 0)[["kind"]]
        empty = pd.DataFrame({"x": [np.nan] * 3, "c": [None] * 3})
        for table in (numbers, words, empty, numbers.iloc[:1]):
            assert (distance_to_closest_record(table, table, table).distances == 0).all(axis=None)
