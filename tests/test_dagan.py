"""Pairs of one class, and rows made from rows of classes that training did not see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, fitted, narrow_table, says, small
from seeds import seed

from tabgan import DAGANAugmenter
from tabgan.models.dagan import PairSet
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


@pytest.fixture
def pairs():
    """Rows numbered by their one scalar, in classes of 1, 2 and 5 rows."""
    classes = torch.tensor([2, 1, 2, 0, 2, 1, 2, 2])
    scalars = torch.arange(8.0)[:, None]
    table = EncodedTable(torch.zeros(8, 0, dtype=torch.long), scalars)
    return PairSet(table, Layout([], [-1]), classes), classes


def test_pairs_are_two_rows_of_one_class(pairs):
    data, classes = pairs
    rng = torch.Generator().manual_seed(seed(0))
    batches = data.batches(8, rng)
    seen = torch.zeros(8, 8)
    for _ in range(400):
        batch = next(batches)
        one, other = batch.row[:, 0].long(), batch.condition[:, 0].long()
        assert sorted(one.tolist()) == list(range(8))
        seen[one, other] += 1
    possible = classes[:, None] == classes
    possible &= ~torch.eye(8, dtype=torch.bool) | (classes == 0)[:, None]
    assert torch.equal(seen > 0, possible)
    # Each of four others has 100 draws of 400; six standard errors are 52.
    assert (seen[classes == 2][:, classes == 2].max() - 100).abs() < 52


def test_batches_hold_codes_of_the_right_rows(pairs):
    data, _ = pairs
    batch = next(data.batches(3, torch.Generator().manual_seed(0)))
    assert len(batch.row) == 3
    assert torch.equal(batch.table.scalars, batch.row)
    assert torch.equal(batch.condition_table.scalars, batch.condition)


def test_the_critic_sees_the_row_made_beside_the_row_it_was_made_from():
    game = fit_small(DAGANAugmenter, narrow_table(), n_steps=0)._core.training.game
    width = game.layout.width
    codes = torch.zeros(4, game.layout.n_blocks, dtype=torch.long)
    table = EncodedTable(codes, torch.zeros(4, game.layout.n_scalars))
    data = PairSet(table, game.layout, torch.zeros(4, dtype=torch.long))
    batch = next(data.batches(4, torch.Generator().manual_seed(0)))
    inputs = []
    game.adversary.critic.trunk[0].register_forward_pre_hook(lambda _, x: inputs.append(x[0]))
    game.generator_loss(batch)
    assert torch.equal(inputs[0][:, width:], batch.condition)
    assert not torch.equal(inputs[0][:, :width], batch.row)


def test_before_training_a_row_is_made_from_itself():
    """The change is none, so that numbers come back and levels are the likeliest."""
    numbers = np.random.default_rng(seed(0)).normal(size=(50, 3))
    augmenter = fit_small(DAGANAugmenter, numbers, n_steps=0)
    # A rank is a float of 24 bits, so that numbers near zero are off by what the largest are.
    np.testing.assert_allclose(augmenter.augment(numbers), numbers, rtol=1e-5, atol=1e-5)
    table = narrow_table()
    augmenter = fit_small(DAGANAugmenter, table, n_steps=0)
    made = augmenter.augment(table, n_samples=600, random_state=seed(0))
    # e^3 against two others of e^0: 91 % are kept; four standard errors of 600 are 5 points.
    assert (made["kind"] == np.tile(table["kind"], 10)).mean() == pytest.approx(0.91, abs=0.05)


def test_unseen_classes_vary_as_seen_ones_do():
    """Thirty classes are ten times as wide along one axis as along the other; so are others.

    Means over twenty rows of unseen classes. Of 16 fits by other seeds, with bfloat16 products and
    without, rows were spread by 1.68 or more along the wide axis, 2.2 to 18 times as much as along
    the narrow one; noise that is the same along both gives 1. Where rows lay correlated by 0.88 or
    more with the rows that they were made from; without regard to these, twenty pairs correlate by
    more than 0.6 once in 400 seeds.
    """
    rng = np.random.default_rng(seed(0))
    y = np.repeat(np.arange(30), 20)
    X = rng.uniform(-6, 6, (30, 2))[y] + rng.normal(size=(600, 2)) * [2.0, 0.2]
    augmenter = small(
        DAGANAugmenter,
        n_steps=300,
        batch_size=128,
        hidden_dim=64,
        latent_dim=8,
        n_critic=3,
        penalty_weight=0.1,
        learning_rate=3e-3,
        random_state=seed(0),
    )
    rows = rng.uniform(-4, 4, (20, 2))
    made = augmenter.fit(X, y).augment(rows, n_samples=4000, random_state=seed(1))
    made = made.reshape(200, 20, 2)
    wide, narrow = made.std(axis=0).mean(axis=0)
    assert wide > 1.0 and wide > 1.5 * narrow
    for axis in (0, 1):
        assert np.corrcoef(made.mean(axis=0)[:, axis], rows[:, axis])[0, 1] > 0.6


def test_rows_are_made_in_turn_and_labels_come_along():
    table = narrow_table()
    rows = table.head(3).set_index(pd.Index([7, 8, 9]))
    made, labels = fitted(DAGANAugmenter).augment(rows, pd.Series(["a", "b", "c"]), n_samples=8)
    assert labels.tolist() == ["a", "b", "c"] * 2 + ["a", "b"]
    pd.testing.assert_index_equal(made.index, pd.RangeIndex(8))
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)
    assert len(fitted(DAGANAugmenter).augment(rows)) == 3


def test_calls_differ_unless_told_otherwise():
    augmenter, table = fitted(DAGANAugmenter), narrow_table()
    one, other = (augmenter.augment(table) for _ in range(2))
    assert not one.equals(other)
    one, other = (augmenter.augment(table, random_state=3) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (
            None,
            "DAGANAugmenter requires y to be passed, but the target y is None; pass the class of "
            "each row.",
        ),
        (["a"] * 59 + [None], "y has no class in row 59; leave out rows whose class is missing."),
        (["a"] * 3, "y must have one label for each of the 60 rows of X, got 3."),
    ],
)
def test_labels_that_will_not_do(y, told):
    with pytest.raises(ValueError, match=says(told)):
        small(DAGANAugmenter).fit(narrow_table(), y)


def test_arguments_out_of_range():
    with pytest.raises(ValueError, match=says("n_samples must be a positive integer, got 0.")):
        fitted(DAGANAugmenter).augment(narrow_table(), n_samples=0)
    with pytest.raises(ValueError, match=says("code_dim must be a positive integer, got 0.")):
        fit_small(DAGANAugmenter, narrow_table(), code_dim=0)
