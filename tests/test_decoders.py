"""Decoders that draw one column after another, given the code of a row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from contract import CountOperations, fit_small, narrow_table, whole_batch
from seeds import seed

import tabgan
from tabgan import AAESynthesizer, ARAESynthesizer, BiGANSynthesizer, InfoGANFeaturizer

GAMES = [AAESynthesizer, ARAESynthesizer, BiGANSynthesizer, InfoGANFeaturizer]
every_game = pytest.mark.parametrize("cls", GAMES, ids=lambda cls: cls.__name__)


def fit_causal(cls, table, **parameters):
    """Fit a tiny instance whose decoder draws columns in turn."""
    return fit_small(cls, table, **{"decoder": "causal", **parameters})


def generator(k=0):
    return torch.Generator().manual_seed(seed(k))


def pairs(n=1000):
    """Two columns of four letters that agree, and a number without any tie to them."""
    rng = np.random.default_rng(seed(0))
    letters = rng.choice(list("abcd"), n)
    return pd.DataFrame({"one": letters, "other": letters, "number": rng.normal(size=n)})


def fit(cls, table, **parameters):
    parameters = {"hidden_dim": 32, "acceptance_rounds": 0, "n_steps": 200, **parameters}
    parameters |= {"decoder": "causal", "early_stopping": True}
    return cls(batch_size=200, random_state=seed(0), **parameters).fit(table)


@every_game
def test_columns_are_players_of_their_own(cls):
    model = fit_causal(cls, narrow_table(), learning_rate=1e-4, n_steps=1)
    update = model._core.training.update
    *others, columns = update.players
    assert columns.name == "columns" and "columns" in model.history_
    rates = [optimizer.param_groups[0]["lr"] for optimizer in update.optimizers.values()]
    assert columns.rate == model._core.game.column_rate
    if not columns.stage:
        assert rates[-1] == pytest.approx(columns.rate * rates[0])
    owned = {id(p) for player in others for p in player.parameters()}
    assert not owned & {id(p) for p in columns.parameters()}


@pytest.mark.parametrize("cls", [BiGANSynthesizer, InfoGANFeaturizer], ids=lambda c: c.__name__)
def test_columns_learn_after_the_codes(cls):
    """Of nine steps the last three; codes then are those of the averaged weights, and stay."""
    seen = []

    def note(training):
        seen.append(
            [
                {name: value.clone() for name, value in game.state_dict().items()}
                for game in (training.game, training.averaged)
            ]
        )

    model = fit_causal(cls, narrow_table(), n_steps=9, early_stopping=False, callbacks=[note])
    assert model.n_steps_ == len(seen) == 9
    codes = [name for name, _ in model._core.game.named_parameters() if "networks." not in name]
    columns = [name for name, _ in model._core.game.named_parameters() if "networks." in name]

    def changed(names, before, after, game):
        return {n for n in names if (seen[before][game][n] != seen[after][game][n]).any()}

    for step in range(1, 9):
        assert bool(changed(codes, step - 1, step, 0)) == (step <= 6)
        assert bool(changed(codes, step - 1, step, 1)) == (step < 6)
        assert bool(changed(columns, step - 1, step, 0)) == (step >= 6)
    assert all((seen[8][0][n] == seen[5][1][n]).all() for n in codes)
    history = model.history_
    assert history["columns"].isna().tolist() == [True] * 6 + [False] * 3


def test_a_later_stage_warms_up_and_averages_anew():
    model = fit_causal(BiGANSynthesizer, narrow_table(), n_steps=9, early_stopping=False)
    training = model._core.training
    full = training.update.optimizers["columns"].defaults["lr"] * model._core.game.column_rate
    rate = training.update.optimizers["columns"].param_groups[0]["lr"] / full
    assert rate == pytest.approx(3 / model._plan.warm_up)
    # After one step of a stage the average is a mean of two, and soon follows the weights.
    assert training._since == 6


@every_game
def test_loss_of_columns_by_hand(cls):
    """The negative log-likelihood of rows given their codes, but for dropout."""
    table = narrow_table()
    model = fit_causal(cls, table, n_steps=1)
    game, batch = model._core.game, whole_batch(model, table)
    raw = game.networks(batch.table.codes, game.real_codes(batch))
    nll = game.networks.layout.cross_entropy(raw, batch.table.codes).mean()
    assert game.columns_loss(batch).item() == pytest.approx(nll.item(), rel=0.3)


@every_game
def test_a_game_without_columns_is_that_of_the_papers(cls, tmp_path):
    table = narrow_table()
    model = fit_causal(cls, table, decoder="joint")
    assert model._core.game.networks is None and "columns" not in model.history_
    assert model._plan is cls.joint_plan
    assert model._plan is not fit_causal(cls, table)._plan
    rows = model.sample(40, random_state=0)
    assert list(rows) == list(table)
    model.save(tmp_path / "model")
    loaded = tabgan.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.sample(40, random_state=0), rows)


@every_game
def test_networks_of_columns_change_no_code(cls):
    table = narrow_table()
    model = fit_causal(cls, table, n_steps=1)
    game, update = model._core.training.game, model._core.training.update
    batch, columns = whole_batch(model, table), update.players[-1]
    before = {name: tensor.clone() for name, tensor in game.state_dict().items()}
    update._move(columns, lambda: batch)
    changed = {name for name, tensor in game.state_dict().items() if (tensor != before[name]).any()}
    assert changed and all(name.startswith("networks.") for name in changed)


@every_game
def test_noise_of_codes_is_of_the_size_asked_for(cls):
    """The sum of code and noise, of variance 1 + 1/4, is scaled down to that of the code."""
    game = fit_causal(cls, narrow_table(), code_noise=0.5, n_steps=0)._core.game
    given = game.blurred(torch.full((20_000, 3), 2.0), generator()) * 1.25**0.5
    assert given.std().item() == pytest.approx(0.5 * game.code_scale, rel=0.03)
    assert given.mean().item() == pytest.approx(2, abs=0.02)
    game.code_noise = 0
    assert game.blurred(given, generator()) is given


def test_noise_of_codes_grows_with_the_prior():
    game = fit_small(AAESynthesizer, narrow_table(), prior_scale=3, n_steps=0)._core.game
    added = game.blurred(torch.zeros(20_000, 3), generator())
    assert added.std().item() == pytest.approx(3 * 0.5**0.5, rel=0.03)


@every_game
@pytest.mark.parametrize("noise", [1, 20])
def test_what_the_code_does_not_say_is_drawn_together_all_the_same(cls, noise):
    """With noise of 20 a code says next to nothing, and yet letters agree."""
    made = fit(cls, pairs(), code_noise=noise).sample(1000, random_state=seed(1))
    assert (made["one"] == made["other"]).mean() > 0.8
    assert abs(made["one"].value_counts(normalize=True).max() - 0.25) < 0.12


def test_a_row_follows_its_code():
    """Decoded from codes of real rows, letters are those of the rows; from others', they are not.

    A quarter would agree by chance.
    """
    table = pairs()
    model = fit(ARAESynthesizer, table, code_noise=0, learning_rate=3e-3)
    game, batch = model._core.game, whole_batch(model, table)
    with torch.no_grad():
        codes = game.real_codes(batch)
        block = game.networks.layout.n_levels.index(4)
        own, others = (
            (game.networks.draw(given, generator())[:, block] == batch.table.codes[:, block])
            .float()
            .mean()
            .item()
            for given in (codes, codes.roll(1, dims=0))
        )
    assert own > 0.7 > 0.5 > others


@every_game
def test_rates_of_levels_are_those_of_training(cls):
    rng = np.random.default_rng(seed(0))
    table = pd.DataFrame({"kind": rng.choice(["a", "b"], 2000, p=[0.97, 0.03])})
    table["x"] = rng.normal(size=2000)
    made = fit(cls, table, n_steps=40).sample(4000, random_state=seed(1))
    assert (made["kind"] == "b").mean() == pytest.approx((table["kind"] == "b").mean(), abs=0.015)


@every_game
def test_conditions_are_met(cls):
    made = fit(cls, pairs(), n_steps=40).sample(50, conditions={"one": "b"}, random_state=0)
    assert (made["one"] == "b").all()


def test_labels_are_met_and_decide():
    table = pairs()
    y = table.pop("other")
    model = AAESynthesizer(
        n_steps=120, hidden_dim=32, batch_size=200, acceptance_rounds=0, random_state=seed(0)
    ).fit(table, y)
    asked = np.repeat(list("abcd"), 100)
    made = model.sample(conditions=asked, random_state=seed(1))
    assert (made["one"].to_numpy() == asked).mean() > 0.8


def test_columns_are_drawn_from_one_network_pass_each():
    """The number of operations of a draw does not grow with the rows."""
    game = fit_small(AAESynthesizer, narrow_table())._core.game
    counts = []
    for n in (10, 1000):
        with CountOperations() as count, torch.no_grad():
            game.draw(torch.zeros(n, 0), generator())
        counts.append(count.n_calls)
    assert counts[0] == counts[1]
