"""Pairs of one class, and rows made from rows of classes that training did not see."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, fitted, narrow_table, says, small, weights
from seeds import seed

import tabgan
from tabgan import DAGANAugmenter
from tabgan.models.dagan import STRENGTHS, PairSet, toward
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
        strength=1.0,
        random_state=seed(0),
    )
    rows = rng.uniform(-4, 4, (20, 2))
    made = augmenter.fit(X, y).augment(rows, n_samples=4000, random_state=seed(1))
    made = made.reshape(200, 20, 2)
    wide, narrow = made.std(axis=0).mean(axis=0)
    assert wide > 1.0 and wide > 1.5 * narrow
    for axis in (0, 1):
        assert np.corrcoef(made.mean(axis=0)[:, axis], rows[:, axis])[0, 1] > 0.6


def test_rows_are_moved_back_by_hand():
    """A scalar goes half of the way; a level has half of its own and half of the made chance."""
    layout = Layout([2], [-1])
    raw = torch.tensor([[0.8, 0.0, 1.0], [0.8, 0.0, 1.0]])
    row = torch.tensor([[0.2, 1.0, 0.0], [0.2, 0.0, 0.0]])
    made = toward(layout, raw, row, 0.5)
    torch.testing.assert_close(made[:, 0], torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(
        made[0, 1:].exp(), torch.tensor([0.5 + 0.5 / (1 + np.e), 0.5 * np.e / (1 + np.e)])
    )
    torch.testing.assert_close(made[1], torch.tensor([0.5, 0.0, 1.0]))  # level unknown
    assert toward(layout, raw, row, 1.0) is raw


def test_without_strength_rows_are_copies():
    table = narrow_table()
    augmenter = fit_small(DAGANAugmenter, table, learning_rate=0.1, strength=0.0)
    pd.testing.assert_frame_equal(augmenter.augment(table), table, rtol=1e-4)
    assert not augmenter.set_params(strength=1.0).augment(table).equals(table)


NUMBERS = np.random.default_rng(0).normal(size=(60, 2)) + np.arange(60)[:, None] % 6


@pytest.fixture(scope="module")
def judged():
    """An augmenter of six classes of ten rows each."""
    return small(DAGANAugmenter).fit(NUMBERS, np.arange(60) % 6)


def test_classes_that_are_held_out_tell_the_gain(judged, tmp_path):
    """Three parts of two classes, four draws each; twenty rows a class there are not."""
    assert judged.gains_["n_rows"].tolist() == [1] * 4 + [5] * 4
    assert judged.gains_["strength"].tolist() == 2 * list(STRENGTHS)
    assert (judged.gains_["n"] == 12).all()
    assert (judged.gains_["gain"][judged.gains_["strength"] == 0] == 0).all()
    judged.save(tmp_path / "model")
    again = tabgan.load(tmp_path / "model")
    pd.testing.assert_frame_equal(again.gains_, judged.gains_)
    # The second games leave the first one as it is.
    plain = small(DAGANAugmenter, strength=1.0).fit(NUMBERS, np.arange(60) % 6)
    torch.testing.assert_close(weights(plain), weights(judged), rtol=0, atol=0)
    assert len(plain.gains_) == 0


def test_strength_goes_by_the_known_rows_of_a_class(judged):
    """With one row the surest gain is at 1/2, with five at 0; twelve rows are nearer to twenty."""
    augmenter = copy.deepcopy(judged)
    gains = {1: [0.0, 0.01, 0.02, 0.03], 5: [0.0, -0.01, 0.005, 0.0], 20: [0.0, 0.02, 0.01, 0.0]}
    errors = [0.0, 0.01, 0.01, 0.03]
    augmenter._gains = [
        [k, *each, 12]
        for k, means in gains.items()
        for each in zip(STRENGTHS, means, errors, strict=True)
    ]
    used = []
    augmenter._raw = lambda game, row, strength, noise: used.append(strength) or row
    for n_rows, y in ((6, None), (6, np.arange(6)), (18, np.arange(18) % 3), (24, [0, 1] * 12)):
        augmenter.augment(NUMBERS[:n_rows], y)
    assert used == [0.5, 0.5, 0.0, 0.25]
    augmenter.set_params(strength=0.75).augment(NUMBERS)
    assert used[-1] == 0.75


def test_rows_without_gain_are_told_with_numbers():
    augmenter = small(DAGANAugmenter)
    gains = [[1, 0.0, 0.0, 0.0, 12], [1, 1.0, -0.0512, 0.0204, 12]]
    augmenter._core, augmenter._gains = None, gains
    told = (
        "rows that DAGANAugmenter made of held-out classes did not help a classifier of these "
        "(balanced accuracy, 1 known rows: -0.051 ± 0.020); augment therefore uses the strengths "
        "0, at which rows did least harm."
    )
    with pytest.warns(UserWarning, match=says(told)):
        augmenter._warn_of_no_gain()
    augmenter._gains = [*gains, [5, 1.0, 0.05, 0.02, 12]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        augmenter._warn_of_no_gain()


def test_too_few_classes_to_hold_some_out_are_told():
    told = (
        "DAGANAugmenter got 3 classes and needs 4 to hold some out, so it is unknown whether its "
        "rows of new classes help a classifier; set strength to choose how far rows go from the "
        "given ones."
    )
    with pytest.warns(UserWarning, match=says(told)):
        augmenter = small(DAGANAugmenter).fit(NUMBERS, np.arange(60) % 3)
    assert len(augmenter.gains_) == 0


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
