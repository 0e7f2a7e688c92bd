"""Classes decided by the nearest mean of what is generated for them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, narrow_table, says, small, weights
from seeds import seed
from torch import nn

from tabgan import GenClassClassifier
from tabgan.adversarial.game import Batch
from tabgan.models.genclass import ClassSet, GenClassGame, best_penalty
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


@pytest.fixture
def game():
    """Rows of two scalars, three classes on a line, the last one unseen; nothing is transformed."""
    attributes, seen = torch.tensor([[-1.0], [0.0], [1.0]]), torch.tensor([True, True, False])
    game = GenClassGame(Layout([], [-1, -1]), attributes, seen, 2, 4, 1, 3.0, False)
    game.classifier = nn.Identity()
    return game


def test_logits_by_hand(game):
    means = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    logits = game.logits(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), means)
    torch.testing.assert_close(logits, torch.tensor([[0.0, -12.5], [-4.5, -8.0]]))


def test_class_means_are_means_of_rows_made_for_a_class(game):
    class Echo(nn.Module):
        def forward(self, x):
            return torch.cat([x[:, 2:], x[:, :1]], dim=1)  # attribute, noise

    game.generator = Echo()
    means = game.class_means(4000, torch.Generator().manual_seed(seed(0)))
    torch.testing.assert_close(means[:, 0], torch.tensor([-1.0, 0.0, 1.0]))
    assert means[:, 1].abs().max() < 0.08  # five standard errors


def test_classifier_loss_by_hand_leaves_unseen_classes_out(game):
    game.class_means = lambda n, rng: torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    codes = EncodedTable(torch.tensor([[0], [1]]), torch.zeros(2, 0))
    row = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    batch = Batch(codes, row, row[:, :1], codes, torch.Generator())
    expected = (math.log(1 + math.exp(-2.0)) + math.log(2)) / 2
    assert game.classifier_loss(batch).item() == pytest.approx(expected, rel=1e-6)
    # The critic's score of made rows counts once, the classes three times.
    game.adversary.generator_loss = lambda *args: torch.tensor(0.25)
    assert game.generator_loss(batch).item() == pytest.approx(0.25 + 3 * expected, rel=1e-6)


def test_batches_hold_the_attributes_of_each_rows_class():
    classes = torch.tensor([3, 1, 2, 0, 4])
    table = EncodedTable(torch.zeros(5, 0, dtype=torch.long), classes[:, None] * 10.0)
    data = ClassSet(table, Layout([], [-1]), classes, torch.arange(7.0, 12.0)[:, None])
    batch = next(data.batches(5, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(batch.condition, 7.0 + batch.row / 10.0)
    assert torch.equal(batch.condition_table.codes, (batch.row / 10.0).long())


@pytest.fixture(scope="module")
def grid():
    """Nine places on a grid, described by their two coordinates; the middle one is never seen."""
    places = pd.DataFrame([[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1)], index=list("abcdefghi"))
    y = np.repeat(places.index, 30)
    X = 3.0 * places.loc[y].to_numpy() + np.random.default_rng(seed(0)).normal(size=(270, 2)) * 0.4
    model = small(
        GenClassClassifier,
        n_steps=100,
        batch_size=100,
        hidden_dim=32,
        learning_rate=3e-3,
        n_critic=1,
        random_state=seed(0),
    )
    return model.fit(X[y != "e"], y[y != "e"], places), X, y, places


def test_classes_seen_and_unseen_are_told(grid):
    """Of 5 fits by other seeds 92 % of seen rows or more were right, and all of the unseen ones.

    Guessing gets a ninth, and a classifier of seen classes alone no row of the unseen one.
    """
    model, X, y, _ = grid
    assert model.classes_.tolist() == list("abcdefghi")
    assert model.score(X[y != "e"], y[y != "e"]) > 0.75
    assert model.score(X[y == "e"], y[y == "e"]) > 0.5
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_rows_on_demand(grid):
    """Places are 3 apart. Of 5 fits rows lay within 0.3 of a seen place, 0.2 of the unseen one."""
    model, _, _, places = grid
    asked = ["e"] * 200 + ["i"] * 200
    made = model.generate(asked, random_state=seed(0))
    for rows, place, off in ((made[:200], "e", 2.0), (made[200:], "i", 1.0)):
        assert np.linalg.norm(rows.mean(axis=0) - 3 * places.loc[place]) < off
    np.testing.assert_array_equal(made, model.generate(asked, random_state=seed(0)))
    told = f"classes names 'z', which has no attributes; classes: {list('abcdefghi')}."
    with pytest.raises(ValueError, match=says(told)):
        model.generate(["z"])


def linear_rows():
    """Rows of five classes whose means are linear in two attributes: a number and a word."""
    rng = np.random.default_rng(seed(0))
    attributes = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [0.5, 0.5]])
    classes = torch.arange(5).repeat_interleave(400)
    chance = torch.softmax(attributes @ torch.tensor([[1.0, -1.0], [0.5, 0.0]]), dim=1)
    codes = torch.from_numpy((rng.random(2000) < chance[classes, 1].numpy()).astype(np.int64))
    scalars = (attributes @ torch.tensor([[0.3], [0.5]]))[classes]
    scalars = scalars + torch.from_numpy(rng.normal(size=(2000, 1)) * 0.1).float()
    return EncodedTable(codes[:, None], scalars), classes, attributes, chance


def test_rows_start_as_the_regression_on_attributes():
    """The fifth class is known by its attributes alone, and its rows follow from the others.

    The least ridge, 0.1 on sums of squares of 2, shrinks slopes by 5 %. Standard errors of the
    slopes are .005 for the number and .1 for the logits of the word; shares are off by .05 then.
    """
    table, classes, attributes, chance = linear_rows()
    seen = torch.tensor([True] * 4 + [False])
    game = GenClassGame(Layout([2], [-1]), attributes, seen, 3, 8, 1, 1.0, True)
    known = torch.nonzero(classes < 4)[:, 0]
    game.start(table.rows(known), classes[known])
    row = game.layout.activate(game.generate(attributes, torch.Generator().manual_seed(0)))
    expected = attributes @ torch.tensor([0.3, 0.5])
    torch.testing.assert_close(row[:, 0], expected, rtol=0, atol=0.08)
    torch.testing.assert_close(row[:, 1:], chance, rtol=0, atol=0.12)


def test_the_change_reads_attributes_of_seen_classes_alone():
    table, classes, attributes, _ = linear_rows()
    seen = torch.tensor([True] * 4 + [False])
    game = GenClassGame(Layout([], [-1, -1]), attributes, seen, 3, 8, 1, 1.0, True)

    class Echo(nn.Module):
        def forward(self, x):
            return x[:, 3:]  # what stands beside three numbers of noise

    game.generator.change, game.classifier = Echo(), nn.Identity()
    rng = torch.Generator().manual_seed(0)
    torch.testing.assert_close(game.generate(attributes, rng, seen), attributes * seen[:, None])
    game.generator.base.fill_(5.0)
    expected = 5.0 + attributes * seen[:, None]
    torch.testing.assert_close(game.class_means(2, rng), expected)
    game.generator.base.zero_()
    # In the game against the critic, half of the rows are made as those of unseen classes are.
    made = game.generate(attributes[:1].expand(4000, 2), torch.Generator().manual_seed(seed(0)))
    share = (made == attributes[0]).all(dim=1).float().mean()
    assert share == pytest.approx(0.5, abs=0.04)  # five standard errors


def test_two_classes_start_at_their_mean():
    table, classes, attributes, _ = linear_rows()
    seen = torch.tensor([True, True, False, False, False])
    game = GenClassGame(Layout([2], [-1]), attributes, seen, 3, 8, 1, 1.0, True)
    known = torch.nonzero(classes < 2)[:, 0]
    game.start(table.rows(known), classes[known])
    made = game.generate(attributes, torch.Generator().manual_seed(0))
    assert made.std(dim=0).max() == 0
    torch.testing.assert_close(made[0, 0], table.scalars[known].mean())


def test_the_penalty_has_the_best_harmonic_mean():
    """Against every threshold between two gaps, on scores of two parts drawn at random."""
    rng = np.random.default_rng(seed(0))
    is_new = np.array([False, False, False, True, True])
    judged = []
    for _ in range(2):
        classes = np.r_[np.arange(5), rng.integers(0, 5, 60)]
        scores = rng.normal(size=(65, 5)) + 2 * np.eye(5)[classes]
        scores[:, ~is_new] += 3.0
        judged.append((scores, classes, is_new))

    def harmonic(penalty):
        total = 0.0
        for scores, classes, _ in judged:
            right = (scores - penalty * ~is_new).argmax(axis=1) == classes
            each = np.array([right[classes == k].mean() for k in range(5)])
            seen, new = each[~is_new].mean(), each[is_new].mean()
            total += 2 * seen * new / (seen + new) if seen + new else 0.0
        return total

    best = best_penalty(judged)
    assert 1.0 < best < 5.0
    assert harmonic(best) >= max(map(harmonic, np.linspace(0.0, 6.0, 601))) - 1e-9


def test_a_penalty_is_found_only_where_a_class_has_no_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 2)) + np.arange(90)[:, None] % 6, np.arange(90) % 6
    places = np.arange(7.0)[:, None]
    assert small(GenClassClassifier).fit(X, y, places[:6]).seen_penalty_ == 0
    assert small(GenClassClassifier, seen_penalty=0.5).fit(X, y, places).seen_penalty_ == 0.5
    few = small(GenClassClassifier).fit(X[y < 3], y[y < 3], places)
    assert few.seen_penalty_ == 0  # too few classes to hold some out
    plain = small(GenClassClassifier, seen_penalty=0.0).fit(X, y, places)
    model = small(GenClassClassifier).fit(X, y, places)
    # The second games leave the first one as it is; the penalty moves odds between its classes.
    torch.testing.assert_close(weights(plain), weights(model), rtol=0, atol=0)
    odds, before = (m.predict_proba(X) for m in (model, plain))
    moved = (odds[:, 6] / odds[:, 0]) / (before[:, 6] / before[:, 0])
    np.testing.assert_allclose(moved, np.exp(model.seen_penalty_), rtol=1e-6)


def test_networks_of_the_paper_are_there():
    model = small(GenClassClassifier, linear_start=False, seen_penalty=0.0)
    game = model.fit(np.eye(4), [0, 1, 0, 1])._core.game
    assert [type(part).__name__ for part in (game.generator, game.classifier)] == [
        "ResidualMLP",
        "MLP",
    ]


def test_attributes_of_arrays_are_by_class_number():
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    attributes = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    one = small(GenClassClassifier).fit(X, y, attributes)
    other = small(GenClassClassifier).fit(X, y, pd.DataFrame(attributes)[::-1])
    assert one.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


NOT_NUMBERS = (
    "class_attributes must hold finite numbers alone; turn categories into one column of 0 and 1 "
    "each, for example by pandas.get_dummies."
)


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        (np.eye(1), "y has class 1, which has no attributes; classes: [0]."),
        (np.diag([1.0, np.nan]), NOT_NUMBERS),
        (pd.DataFrame([["a"], ["b"]]), NOT_NUMBERS),
        (
            pd.DataFrame(np.eye(2), index=[0, 0]),
            "class_attributes describes a class more than once.",
        ),
    ],
)
def test_attributes_that_will_not_do(attributes, told):
    with pytest.raises(ValueError, match=says(told)):
        small(GenClassClassifier).fit(np.eye(4), [0, 1, 0, 1], attributes)


def test_partial_fit_keeps_the_classes():
    model = fit_small(GenClassClassifier, narrow_table())
    with pytest.raises(ValueError, match=says("y has class 2, which has no attributes; ...")):
        model.partial_fit(narrow_table(), np.arange(60) % 3)
    assert model.partial_fit(narrow_table().head(8), np.zeros(8, dtype=int)).n_steps_ == 4
