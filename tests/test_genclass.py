"""Classes decided by the nearest mean of what is generated for them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, narrow_table, says, small
from seeds import seed
from torch import nn

from tabgan import GenClassClassifier
from tabgan.adversarial.game import Batch
from tabgan.models.genclass import ClassSet, GenClassGame
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


@pytest.fixture
def game():
    """Rows of two scalars, three classes on a line, the last one unseen; nothing is transformed."""
    attributes, seen = torch.tensor([[-1.0], [0.0], [1.0]]), torch.tensor([True, True, False])
    game = GenClassGame(Layout([], [-1, -1]), attributes, seen, 2, 4, 1, 3.0)
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
def corners():
    """Six places on a grid, told by their two coordinates; one is never seen."""
    places = pd.DataFrame([[x, y] for x in (-1, 0, 1) for y in (-1, 1)], index=list("abcdef"))
    y = np.repeat(places.index, 40)
    X = 3.0 * places.loc[y].to_numpy() + np.random.default_rng(seed(0)).normal(size=(240, 2)) * 0.4
    model = small(
        GenClassClassifier,
        n_steps=100,
        batch_size=100,
        hidden_dim=32,
        learning_rate=3e-3,
        n_critic=1,
        random_state=seed(0),
    )
    return model.fit(X[y != "c"], y[y != "c"], places), X, y, places


def test_classes_seen_and_unseen_are_told(corners):
    model, X, y, _ = corners
    assert model.classes_.tolist() == list("abcdef")
    assert model.score(X[y != "c"], y[y != "c"]) > 0.8
    assert model.score(X[y == "c"], y[y == "c"]) > 0.5  # a sixth by guessing, none without it
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_rows_on_demand(corners):
    model, X, y, places = corners
    made = model.generate(["c"] * 200 + ["f"] * 200, random_state=seed(0))
    assert np.linalg.norm(made[200:].mean(axis=0) - 3 * places.loc["f"]) < 1.5
    np.testing.assert_array_equal(
        made, model.generate(["c"] * 200 + ["f"] * 200, random_state=seed(0))
    )
    told = "classes names 'z', which has no attributes; classes: ['a', 'b', 'c', 'd', 'e', 'f']."
    with pytest.raises(ValueError, match=says(told)):
        model.generate(["z"])


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
