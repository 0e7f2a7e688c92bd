from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table

from tabgan.evaluation import distance_to_closest_record, membership_inference


def areas(*tables, **options):
    attack = membership_inference(*tables, **options)
    return np.array([attack.distance_auc, attack.density_auc])


class TestMembershipInference:
    def test_copies_give_all_away(self):
        train, holdout = mixed_table(600, 0), mixed_table(600, 1)
        attack = membership_inference(train, train.sample(frac=1, random_state=0), holdout)
        assert attack.distance_auc == 1.0
        assert attack.density_auc > 0.9

    def test_fresh_rows_give_nothing_away(self):
        train, made, holdout = (mixed_table(1500, seed) for seed in range(3))
        # 5 standard deviations of the area, of 1500 and of 750 rows on each side.
        tolerance = 5 / np.sqrt(6 * np.array([1500, 750]))
        assert (np.abs(areas(train, made, holdout) - 0.5) < tolerance).all()

    def test_distance_by_hand(self):
        train = pd.DataFrame({"x": np.arange(10.0)})
        holdout = pd.DataFrame({"x": np.arange(10.0) + 100})
        attack = membership_inference(train, train.iloc[:1], holdout)
        assert attack.distance_auc == 1.0
        attack = membership_inference(train, holdout, holdout)
        assert attack.distance_auc == 0.0
        attack = membership_inference(train, train, train)
        assert attack.distance_auc == 0.5

    def test_half_copies_give_half_away(self):
        train, holdout = mixed_table(1000, 0), mixed_table(1000, 1)
        made = pd.concat([train.iloc[:500], mixed_table(500, 2)])
        # Copied rows come first, the others at chance: 1/2 + 1/2 · 1/2.
        assert areas(train, made, holdout)[0] == pytest.approx(0.75, abs=0.05)

    def test_copies_with_one_column_changed(self):
        train, holdout = mixed_table(1000, 0), mixed_table(1000, 1)
        made = train.assign(kind="a")
        assert (areas(train, made, holdout) > [0.7, 0.55]).all()
        assert distance_to_closest_record(train, made, holdout).duplicate_rate < 0.6

    def test_a_longer_training_table_is_no_easier(self):
        made = mixed_table(1000, 0)
        for n_train, n_holdout in ((4000, 500), (500, 4000)):
            tables = mixed_table(n_train, 1), made, mixed_table(n_holdout, 2)
            assert np.abs(areas(*tables) - 0.5).max() < 5 / np.sqrt(6 * 250)

    def test_missing_values(self):
        train, holdout = mixed_table(400, 0), mixed_table(400, 1)
        for table in (train, holdout):
            table["none"] = np.nan
            table.loc[::2, "size"] = np.nan
        assert (areas(train, train, holdout) > 0.8).all()

    def test_all_synthetic_rows_serve_the_attack(self):
        train, holdout = mixed_table(400, 0), mixed_table(400, 1)
        assert areas(train, train, holdout, max_rows=50)[0] == 1.0

    def test_attacked_rows_are_drawn_at_random(self):
        train, holdout = mixed_table(400, 0), mixed_table(400, 1)
        made = pd.concat([train.iloc[:200], mixed_table(200, 2)])
        assert areas(train, made, holdout, max_rows=100)[0] == pytest.approx(0.75, abs=0.1)

    def test_order_and_units_do_not_matter_to_distances(self):
        train, made, holdout = (mixed_table(200, seed) for seed in range(3))
        score = areas(train, made, holdout)[0]
        turned = [t.assign(size=np.exp(t["size"])) for t in (train, made, holdout)]
        # Distances that are equal but for rounding change places: here 0 to 2 of 40,000 pairs.
        assert areas(turned[0], turned[1][::-1], turned[2])[0] == pytest.approx(score, abs=1e-4)

    def test_reproducible(self):
        tables = [mixed_table(300, seed) for seed in range(3)]
        first = areas(*tables, max_rows=100, random_state=1)
        np.testing.assert_array_equal(first, areas(*tables, max_rows=100, random_state=1))
        assert (first != areas(*tables, max_rows=100, random_state=2)).all()

    def test_too_little_to_attack(self):
        tables = [mixed_table(n, 0) for n in (9, 10, 19, 20, 200)]
        assert np.isnan(areas(tables[0], tables[4], tables[4])).all()
        assert np.isnan(areas(tables[4], tables[4], tables[0])).all()
        attacks = areas(tables[4], tables[4], tables[2])
        assert np.isfinite(attacks[0]) and np.isnan(attacks[1])
        assert np.isnan(areas(tables[4], tables[0], tables[4])[1])
        assert np.isfinite(areas(tables[1], tables[1], tables[3])).all()
        assert np.isnan(areas(*tables[:3], max_rows=9)).all()

    def test_clear_errors(self):
        table = mixed_table(30, 0)
        with pytest.raises(
            ValueError, match="^real_train and holdout must have the same columns; "
        ):
            membership_inference(table, table, table[["size"]])
