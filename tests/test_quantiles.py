"""One column's distribution: closed forms, inverses, and floats at their limits."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seeds import seed

from tabgan.table.quantiles import MAX_INTERVALS, QuantileTable, uniform, uniform_within

finite = st.floats(allow_nan=False, allow_infinity=False)
columns_of_floats = st.lists(finite, min_size=1, max_size=60).map(np.array)

FAR = np.finfo(np.float64).max


class TestSegments:
    def test_one_value(self):
        table = QuantileTable.from_values(np.array([3.5, 3.5]))
        assert (table.mass, table.low, table.high) == ([1.0], [3.5], [3.5])
        assert table.is_atom.all()

    def test_values_that_do_not_repeat_are_one_interval_of_touching_parts(self):
        table = QuantileTable.from_values(np.arange(10.0))
        assert not table.is_atom[:-1].any()
        np.testing.assert_array_equal(table.high[:-1], table.low[1:])
        np.testing.assert_array_equal([table.low[0], table.high[-1]], [0.0, 9.0])

    def test_atoms_have_their_own_mass(self):
        values = np.r_[np.zeros(50), np.arange(1, 51)]
        table = QuantileTable.from_values(values)
        assert (table.mass[0], table.low[0], table.high[0]) == (0.5, 0.0, 0.0)
        # No interval reaches over the gap between zero and one.
        assert table.low[1] == 1.0

    def test_where_values_repeat_the_rare_are_atoms_too(self):
        values = np.repeat([0.0, 1.0, 7.0, 8.0], [600, 398, 1, 1])
        table = QuantileTable.from_values(values)
        np.testing.assert_array_equal(table.low, [0.0, 1.0, 7.0, 8.0])
        np.testing.assert_allclose(table.mass, [0.6, 0.398, 0.001, 0.001])
        assert table.is_atom.all()
        assert not QuantileTable.from_values(np.repeat(values, 2) + np.arange(2000)).is_atom[0]

    def test_few_rows_are_no_atoms(self):
        assert not QuantileTable.from_values(np.array([1.0, 2.0])).is_atom[0]

    def test_the_number_of_segments_is_bounded(self):
        values = np.random.default_rng(0).normal(size=50_000)
        assert QuantileTable.from_values(values).n_segments <= MAX_INTERVALS + 1

    @given(columns_of_floats)
    def test_segments_are_sorted_and_hold_all_mass(self, values):
        table = QuantileTable.from_values(values)
        np.testing.assert_allclose(table.mass.sum(), 1.0)
        assert (table.mass > 0).all()
        assert (table.low <= table.high).all()
        assert (table.high[:-1] <= table.low[1:]).all()
        assert (table.low[0], table.high[-1]) == (values.min(), values.max())

    def test_lengths_must_agree(self):
        message = "A quantile table needs mass, low and high of one length >= 1."
        for mass, low in (([], []), ([0.5, 0.5], [1.0])):
            with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
                QuantileTable(np.array(mass), np.array(low), np.array(low))


class TestWithout:
    def test_mass_is_shared_among_the_rest(self):
        table = QuantileTable.from_values(np.repeat([1.0, 2.0, 3.0], [50, 30, 20]))
        rest = table.without(np.array([True, False, False]))
        np.testing.assert_allclose(rest.mass, [0.6, 0.4])
        np.testing.assert_array_equal(rest.low, [2.0, 3.0])

    def test_nothing_left(self):
        table = QuantileTable.from_values(np.ones(3))
        assert table.without(np.array([True])) is None


class TestRanksAndValues:
    def test_closed_form(self):
        table = QuantileTable(np.array([0.5, 0.5]), np.array([0.0, 1.0]), np.array([0.0, 3.0]))
        np.testing.assert_allclose(
            table.values(np.array([0.0, 0.4, 0.5, 0.75, 1.0])), [0, 0, 1, 2, 3]
        )
        np.testing.assert_allclose(
            table.ranks(np.array([0.0, 1.0, 2.0, 3.0])), [0.25, 0.5, 0.75, 1]
        )

    def test_beyond_the_ends(self):
        table = QuantileTable.from_values(np.arange(10.0))
        np.testing.assert_array_equal(table.values(np.array([-1.0, 2.0])), [0.0, 9.0])
        np.testing.assert_array_equal(
            table.ranks(np.array([-5.0, 50.0])), table.ranks(np.array([0.0, 9.0]))
        )

    @settings(max_examples=200, deadline=None)
    @given(columns_of_floats)
    @example(np.array([-FAR, FAR]))
    @example(np.array([-FAR, FAR, 0.0]))
    @example(np.array([-FAR, FAR, 5e-324, 0.0]))
    @example(np.array([5e-324, 1e-323, 1.5e-323]))
    @example(np.array([1.0, np.nextafter(1.0, 2.0)]))
    @example(np.array([0.0, -0.0]))
    def test_training_values_come_back(self, values):
        table = QuantileTable.from_values(values)
        span = np.max(values / 2) - np.min(values / 2)
        for rng in (None, np.random.default_rng(0)):
            ranks = table.ranks(values, rng)
            assert ((ranks >= 0) & (ranks <= 1)).all()
            made = table.values(ranks)
            assert ((made >= values.min()) & (made <= values.max())).all()
            # A rank may lie up to 1e-9 of a segment below its end.
            np.testing.assert_allclose(made / 2, values / 2, rtol=1e-9, atol=4e-9 * span)

    def test_the_last_value_before_an_atom_is_not_taken_for_it(self):
        values = np.r_[np.arange(2000.0), np.full(500, 5000.0)]
        table = QuantileTable.from_values(values)
        made = table.values(table.ranks(values))
        np.testing.assert_allclose(made, values, atol=1e-6)

    @given(columns_of_floats, st.lists(st.floats(0, 1), min_size=2, max_size=20).map(sorted))
    def test_values_rise_with_ranks_and_ranks_with_values(self, values, ranks):
        table = QuantileTable.from_values(values)
        made = table.values(np.array(ranks))
        span = np.max(values / 2) - np.min(values / 2)
        assert (np.diff(made / 2) >= -1e-15 * span).all()
        assert (np.diff(table.ranks(np.sort(values))) >= 0).all()

    def test_atoms_take_their_rank_from_their_mass(self):
        table = QuantileTable.from_values(np.repeat([0.0, 1.0], [80, 20]))
        np.testing.assert_allclose(table.ranks(np.array([0.0, 1.0])), [0.4, 0.9])
        ranks = table.ranks(np.zeros(1000), np.random.default_rng(0))
        assert ranks.min() >= 0.0
        assert ranks.max() < 0.8

    @pytest.mark.parametrize("draw", ["standard_normal", "standard_cauchy", "exponential"])
    def test_ranks_are_even_and_quantiles_kept_in_heavy_tails(self, draw):
        rng = np.random.default_rng(seed(0))
        values = getattr(rng, draw)(size=20_000)
        values[:4000] = 0.5
        table = QuantileTable.from_values(values)
        ranks = np.sort(table.ranks(values, rng))
        # Training ranks are even but for the randomness within atoms and intervals, whose share
        # is at most 1/512 each: no draw of 4000 differs from evenness by more than 0.05 in 1e8
        # runs (Dvoretzky, Kiefer and Wolfowitz), and atoms weigh a fifth of that.
        even = (np.arange(len(ranks)) + 0.5) / len(ranks)
        assert np.abs(ranks - even).max() < 0.05 / 5 + 2 / MAX_INTERVALS
        made = np.sort(table.values(even))
        at_rank = np.searchsorted(np.sort(values), made, side="right") / len(values)
        below = np.searchsorted(np.sort(values), made, side="left") / len(values)
        assert np.maximum(below - even, even - at_rank).max() < 2 / MAX_INTERVALS


def test_uniform():
    np.testing.assert_array_equal(uniform(3, None), [0.5, 0.5, 0.5])
    draws = uniform(1000, np.random.default_rng(0))
    assert ((draws >= 0) & (draws < 1)).all()
    assert len(np.unique(draws)) == 1000


def test_numbers_are_even_within_each_group():
    groups = np.random.default_rng(seed(0)).permutation(np.repeat([0, 3, 4], [1, 7, 200]))
    drawn = uniform_within(groups, np.random.default_rng(seed(1)))
    assert ((drawn >= 0) & (drawn < 1)).all()
    for group, n in ((0, 1), (3, 7), (4, 200)):
        parts = np.sort((drawn[groups == group] * n).astype(int))
        np.testing.assert_array_equal(parts, np.arange(n))
    # Which row gets which part says nothing: false alarm once in a million.
    assert abs(np.corrcoef(np.arange(200), drawn[groups == 4])[0, 1]) < 0.35
    np.testing.assert_array_equal(uniform_within(groups, None), np.full(208, 0.5))
    assert len(uniform_within(groups[:0], np.random.default_rng(seed(0)))) == 0
