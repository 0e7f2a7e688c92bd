"""The loss of groups that agree: by hand, its least value, and whom it takes for a neighbour."""

from __future__ import annotations

import contract
import numpy as np
import pandas as pd
import pytest
import torch
from contract import narrow_table, small, whole_batch
from seeds import seed

from tabgan import AAEClusterer, InfoGANFeaturizer
from tabgan.adversarial import grouping
from tabgan.adversarial.game import Batch
from tabgan.adversarial.grouping import Grouper, grouping_loss, neighbours
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


def batch_of(codes, n_levels):
    """A batch of rows of one block each, and the layout."""
    layout = Layout([n_levels], [])
    table = EncodedTable(torch.tensor(codes)[:, None], torch.zeros(len(codes), 0))
    nothing = EncodedTable(torch.zeros(len(codes), 0, dtype=torch.long), table.scalars)
    rng = torch.Generator().manual_seed(seed(0))
    return Batch(table, layout.expand(*table), table.scalars, nothing, rng), layout


def loss_of(weight, codes, code_layout):
    batch, layout = batch_of(codes, len(weight))
    n = len(weight)
    return grouping_loss(
        lambda row: row[:, :n] @ weight, lambda row: row, batch, layout, code_layout
    )


def test_the_loss_by_hand(monkeypatch):
    """Two kinds of rows, no column swapped, and the nearest rows are of the same kind."""
    monkeypatch.setattr(grouping, "SWAPPED", 0.0)
    monkeypatch.setattr(grouping, "N_NEIGHBOURS", 1)
    weight = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    p = torch.softmax(weight, dim=1)
    mean = (p[0] + p[1]) / 2
    sharp = torch.softmax(2 * weight, dim=1)
    entropy = -(p * p.log()).sum(dim=1).mean()
    copies = -(sharp * p.log()).sum(dim=1).mean()
    agreed = -p.square().sum(dim=1).log().mean()
    expected = 4 * (mean * mean.log()).sum() + entropy + copies + agreed
    found = loss_of(weight, [0, 0, 1, 1], Layout([2], []))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("n_groups", [2, 3, 5])
def test_certain_and_balanced_groups_have_the_least_loss(monkeypatch, n_groups):
    """A layout pads blocks of 3 and of 5 levels, which must not count."""
    monkeypatch.setattr(grouping, "SWAPPED", 0.0)
    layout = Layout([n_groups], [])
    weight = torch.zeros(n_groups, layout.width)
    weight[:, :n_groups] = 50 * torch.eye(n_groups)
    weight.requires_grad_()
    loss = loss_of(weight, list(range(n_groups)) * 4, layout)
    assert loss.item() == pytest.approx(-4 * np.log(n_groups), abs=1e-4)
    (slope,) = torch.autograd.grad(loss, weight)
    assert slope.isfinite().all()


def test_several_codes_add_up_and_numbers_do_not_count(monkeypatch):
    monkeypatch.setattr(grouping, "SWAPPED", 0.0)
    monkeypatch.setattr(grouping, "N_NEIGHBOURS", 1)
    one = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    both = torch.cat([torch.tensor([[7.0], [-7.0]]), one, one], dim=1)
    codes = [0, 0, 1, 1]
    twice = loss_of(both, codes, Layout([2, 2], [-1]))
    assert twice.item() == pytest.approx(2 * loss_of(one, codes, Layout([2], [])).item(), rel=1e-5)


def test_neighbours_are_near_and_others():
    points = torch.tensor([0.0, 0.1, 0.2, 0.3, 9.0, 9.1, 9.2, 9.3])[:, None]
    rng = torch.Generator().manual_seed(seed(0))
    found = torch.stack([neighbours(points, rng) for _ in range(100)])
    own = torch.arange(8)
    assert ((found < 4) == (own < 4)).all() and (found != own).all()
    # Each of the three is missed with a chance of e-17.
    assert all(len(column.unique()) == 3 for column in found.T)
    assert neighbours(points[:2], rng).tolist() == [1, 0]


def test_a_batch_of_one_row_has_no_neighbours():
    assert loss_of(torch.eye(2), [0], Layout([2], [])).isfinite()


@pytest.mark.parametrize("decoder", ["causal", "joint"])
def test_codes_of_infogan_learn_from_real_rows(decoder):
    """The critic's loss gets the weighted loss of agreement, and without a weight it does not."""
    losses = []
    for weight in (0.0, 1.0, 3.0):
        model = small(InfoGANFeaturizer, decoder=decoder, agreement_weight=weight, n_steps=0)
        model.fit(narrow_table())
        game, batch = model._core.training.game, whole_batch(model, narrow_table())
        batch.rng.manual_seed(seed(0))
        losses.append(game.agreement_loss(batch).item())
        (slope,) = torch.autograd.grad(game.critic_loss(batch), game.q_head.bias)
        assert slope.isfinite().all()
    assert losses[0] == 0 and losses[2] == pytest.approx(3 * losses[1], rel=1e-4)


def kinds(n=400):
    """Rows of three kinds, which four numbers tell, each for itself in three rows of four."""
    rng = np.random.default_rng(seed(0))
    kind = np.arange(n) % 3
    means = np.array([[0, 0, 2, 2], [2, 0, 0, 2], [0, 2, 2, 0]])[kind]
    return pd.DataFrame(rng.normal(means, 0.8)), kind


def test_clusters_of_the_paper_have_a_discriminator_of_their_own():
    paper = small(AAEClusterer, agreement_weight=0.0, n_steps=0).fit(narrow_table())
    game = paper._core.game
    assert [player.name for player in game.players()] == ["discriminator", "autoencoder"]
    assert game.labeller is None and len(game.players()[0].modules) == 2
    game = contract.fitted(AAEClusterer)._core.game
    names = [player.name for player in game.players()]
    assert names == ["clusters", "discriminator", "autoencoder"]
    assert len(game.players()[1].modules) == 1


def test_clusters_are_kinds_of_rows():
    """Chance is a third."""
    X, kind = kinds()
    parameters = {"n_steps": 100, "batch_size": 100, "hidden_dim": 32, "latent_dim": 1}
    model = AAEClusterer(n_clusters=3, random_state=seed(0), **parameters).fit(X)
    found = model.predict(X)
    counts = pd.crosstab(found, kind)
    assert len(counts) == 3
    assert counts.max(axis=1).sum() / len(kind) > 0.7


@pytest.mark.parametrize("decoder", ["causal", "joint"])
def test_classes_found_before_the_game_are_kinds_of_rows(monkeypatch, decoder):
    """Chance is a third."""
    monkeypatch.setattr(grouping, "N_STEPS", 100)
    X, kind = kinds()
    parameters = {"codes": (3, "continuous"), "n_init": 2, "n_steps": 2, "hidden_dim": 32}
    model = small(InfoGANFeaturizer, decoder=decoder, **parameters, batch_size=100).fit(X)
    game = model._core.game
    assert game.grouper is model._core.training.game.grouper and bool(game.grouper.has_learnt)
    raw = model._over_rows(X, lambda row: game.grouper(game.seen(row)))
    seen = game.seen(whole_batch(model, X).row)
    torch.testing.assert_close(game.grouper(seen[:7]), game.grouper(seen)[:7], atol=1e-4, rtol=1e-4)
    classes = game.code_layout.draw(torch.from_numpy(raw))[0][:, 0].numpy()
    assert pd.crosstab(classes, kind).max(axis=1).sum() / len(kind) > 0.7
    game.agreement_weight = 3.0
    found, inferred = (
        torch.softmax(infer(seen)[:, 1:4], dim=1) for infer in (game.grouper, game.infer)
    )
    expected = -3.0 * (found * inferred.log()).sum(dim=1).mean()
    loss = game.agreement_loss(whole_batch(model, X))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    before = [tensor.clone() for tensor in game.grouper.state_dict().values()]
    loaded = contract.carry_by_file(model)
    assert (loaded.predict(X) == model.predict(X)).all()
    loaded.partial_fit(X)
    after = loaded._core.game.grouper.state_dict().values()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_the_division_of_least_loss_is_kept(monkeypatch):
    monkeypatch.setattr(grouping, "N_STEPS", 0)
    judged = iter([3.0, 1.0, 2.0])
    kept = []

    def loss(self, *args, **kwargs):
        kept.append(self)
        return torch.tensor(next(judged))

    monkeypatch.setattr(grouping, "N_JUDGED", 1)
    monkeypatch.setattr(Grouper, "_loss", loss)
    model = small(InfoGANFeaturizer, n_init=3, n_steps=0).fit(narrow_table())
    found = model._core.game.grouper
    assert len(kept) == 3 and torch.equal(found.out.weight, kept[1].out.weight)
    assert not torch.equal(found.out.weight, kept[0].out.weight)


@pytest.mark.parametrize("weights", [{"n_init": 0}, {"agreement_weight": 0.0, "n_init": 2}])
def test_without_starts_or_without_agreement_nothing_is_found_before(weights):
    model = small(InfoGANFeaturizer, n_steps=0, **weights).fit(narrow_table())
    assert model._core.game.grouper is None
