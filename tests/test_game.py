"""Updates, the training loop, averaging and calibration against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from contract import every_likeness, fit_small, says
from scipy import stats
from seeds import seed
from torch import nn

from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.training import (
    N_RECORDS,
    Training,
    TrainingRule,
    TrainingSet,
)
from tabgan.adversarial.updates import AlternatingUpdate, adam
from tabgan.generation.calibrated import Calibration
from tabgan.networks.precision import fast_matmul
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------------- updates


class Duel(Game):
    """Two numbers a and b; both players' losses depend on both."""

    def __init__(self, n_updates=1):
        super().__init__()
        self.a, self.b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        for layer in (self.a, self.b):
            nn.init.constant_(layer.weight, 2.0)
        self.n_updates = n_updates
        self.seen = []

    def players(self):
        return (
            Player("one", (self.a,), self.loss_of_a, self.n_updates),
            Player("two", (self.b,), self.loss_of_b),
        )

    def loss_of_a(self, batch):
        self.seen.append(
            ("one", batch.index, self.a.weight.requires_grad, self.b.weight.requires_grad)
        )
        return self.a.weight.sum() * self.b.weight.sum()

    def loss_of_b(self, batch):
        self.seen.append(
            ("two", batch.index, self.a.weight.requires_grad, self.b.weight.requires_grad)
        )
        return -self.a.weight.sum() * self.b.weight.sum()


class Cards:
    """A stand-in for batches that counts how many are taken."""

    def __init__(self):
        self.n_taken = 0

    def __call__(self):
        self.n_taken += 1
        row = torch.zeros(1, 0)
        table = EncodedTable(torch.zeros(1, 0, dtype=torch.long), row)
        return Batch(table, row, row, table, seeded())


def test_players_move_in_turn_with_the_others_frozen():
    game, cards = Duel(n_updates=3), Cards()
    update = AlternatingUpdate(game.players(), adam(0.1, (0.0, 0.9)))
    told = [update.step(cards, rate=1.0) for _ in range(2)]
    assert cards.n_taken == 8
    first = [("one", i, True, False) for i in range(3)] + [("two", 0, False, True)]
    second = [("one", i, True, False) for i in range(3, 6)] + [("two", 1, False, True)]
    assert game.seen == first + second
    assert list(told[0]) == ["one", "two"]
    assert not any(loss.requires_grad for losses in told for loss in losses.values())
    # Adam with a constant sign of the gradient moves by about the learning rate each time.
    assert told[0]["two"].item() == pytest.approx(-2.0 * (2.0 - 3 * 0.1), rel=1e-3)


def test_a_player_leaves_no_gradient_with_the_others():
    game = Duel()
    update = AlternatingUpdate(game.players(), adam(0.1, (0.0, 0.9)))
    update.step(Cards())
    # The second player moved last, and the first one's gradient is still its own.
    assert game.a.weight.grad.item() == 2.0
    assert game.b.weight.grad.item() == pytest.approx(-1.9)


def test_rate_scales_the_learning_rate():
    game = Duel()
    update = AlternatingUpdate(game.players()[:1], adam(0.1, (0.0, 0.9)))
    update.step(Cards(), rate=0.25)
    assert game.a.weight.item() == pytest.approx(2.0 - 0.025)


def rule(learning_rate=0.1, averaging=0.0):
    return TrainingRule(adam(learning_rate, (0.0, 0.9)), averaging=averaging)


# ---------------------------------------------------------------------- training


@pytest.fixture
def rows():
    """Ten rows of one block of two levels and one scalar: the row's number."""
    table = EncodedTable(torch.arange(10)[:, None] % 2, torch.arange(10.0)[:, None])
    return TrainingSet(table, Layout([2], [-1]), table, Layout([2], [-1]))


def test_rows_are_dealt_once_a_pass(rows):
    batches = rows.batches(5, seeded())
    passes = [[next(batches) for _ in range(2)] for _ in range(3)]
    orders = [torch.cat([batch.table.scalars for batch in each]).flatten() for each in passes]
    for order in orders:
        assert sorted(order.tolist()) == list(range(10))
    assert not torch.equal(orders[0], orders[1]) and not torch.equal(orders[1], orders[2])


@pytest.mark.parametrize(("batch_size", "dealt"), [(3, 9), (4, 8), (7, 7), (10, 10), (500, 10)])
def test_no_row_is_dealt_twice_in_a_pass(rows, batch_size, dealt):
    batches, size = rows.batches(batch_size, seeded()), min(batch_size, 10)
    for _ in range(3):
        taken = [next(batches) for _ in range(dealt // size)]
        assert all(len(batch.row) == size for batch in taken)
        order = torch.cat([batch.table.scalars for batch in taken]).flatten().tolist()
        assert len(set(order)) == len(order) == dealt
    # Rows left over by one pass have their chance in the next: all are dealt in the end.
    seen = {number for _ in range(60) for number in next(batches).table.scalars.flatten().tolist()}
    assert seen == set(range(10))


def test_batches_keep_rows_and_conditions_together(rows):
    batch = next(rows.batches(10, seeded()))
    torch.testing.assert_close(batch.condition_table.scalars, batch.table.scalars)
    expected = rows.layout.expand(*batch.table)
    torch.testing.assert_close(batch.row, expected)
    torch.testing.assert_close(batch.condition, expected)


def test_unknown_numbers_of_a_condition_are_zero_for_networks():
    table = EncodedTable(torch.zeros(2, 0, dtype=torch.long), torch.tensor([[torch.nan], [0.5]]))
    data = TrainingSet(table, Layout([], [-1]), table, Layout([], [-1]))
    batch = next(data.batches(2, seeded()))
    assert sorted(batch.condition.flatten().tolist()) == [0.0, 0.5]
    assert batch.condition_table.scalars.isnan().sum() == 1


@pytest.mark.parametrize("averaging", [0.0, 0.5, 0.999])
def test_averaged_weights(rows, averaging):
    """w <- d w + (1 - d) v with d = min(averaging, t / (t + 10))."""
    game = Duel()
    training = Training(game, rule(0.1, averaging))
    live, averaged = [], []

    def watch(training):
        live.append(training.game.a.weight.item())
        averaged.append(training.averaged.a.weight.item())

    training.run(rows, 6, 5, seeded(), [watch])
    expected = 2.0
    for t, weight in enumerate(live, start=1):
        decay = min(averaging, t / (t + 10))
        expected = decay * expected + (1 - decay) * weight
        assert averaged[t - 1] == pytest.approx(expected, rel=1e-5)
    assert averaging or averaged == live
    assert not training.averaged.a.weight.requires_grad
    assert not training.averaged.training and not training.game.training


def test_learning_rate_falls_to_zero_over_the_second_half(rows):
    training = Training(Duel(), rule())
    rates = []

    def watch(training):
        rates.append([o.param_groups[0]["lr"] for o in training.update.optimizers.values()])

    training.run(rows, 8, 5, seeded(), [watch])
    expected = 0.1 * np.array([1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    np.testing.assert_allclose(rates, np.column_stack([expected, expected]))


@pytest.mark.parametrize(("n_steps", "n_records"), [(1, 1), (399, 399), (400, 200), (450, 225)])
def test_how_often_history_is_recorded(rows, n_steps, n_records):
    training = Training(Duel(), rule(1e-4))
    training.run(rows, n_steps, 5, seeded())
    assert len(training.history) == n_records < 2 * N_RECORDS + 1
    assert training.history[-1]["step"] == training.step == n_steps
    assert list(training.history[0]) == ["step", "seconds", "one", "two"]


def test_a_loss_that_is_not_finite_stops_training(rows):
    game = Duel()
    game.loss_of_b = lambda batch: game.b.weight.sum() * torch.nan
    training = Training(game, rule())
    told = (
        "training diverged at step 1 ({'one': 4.0, 'two': nan}); lower learning_rate, or raise "
        "batch_size."
    )
    with pytest.raises(FloatingPointError, match=says(told)):
        training.run(rows, 6, 5, seeded())


@pytest.mark.parametrize("before", ["highest", "high"])
def test_precision_of_matrix_products_is_put_back(rows, before):
    outside = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(before)
    inside = []

    def fail(training):
        inside.append(torch.get_float32_matmul_precision())
        raise RuntimeError("from a callback")

    try:
        with fast_matmul():
            assert torch.get_float32_matmul_precision() == "medium"
        assert torch.get_float32_matmul_precision() == before
        with pytest.raises(RuntimeError, match="from a callback"):
            Training(Duel(), rule()).run(rows, 6, 5, seeded(), [fail])
        assert inside == ["medium"]
        assert torch.get_float32_matmul_precision() == before
    finally:
        torch.set_float32_matmul_precision(outside)


# ---------------------------------------------------------------------- calibration


def test_a_biased_generator_gets_its_marginals_right():
    """A level of 0.3 % comes out at 0.3 %, a lopsided number evenly spread, and order is kept."""
    masses = [np.array([0.9, 0.097, 0.003]), np.array([0.5, 0.5])]
    layout, n = Layout([3, 2], [-1, 0]), 40_000
    noise = torch.randn(2 * n, layout.width, generator=seeded(seed(0)))
    bias = torch.zeros(layout.width)
    bias[layout.offsets[0] : layout.offsets[0] + 3] = torch.tensor([0.0, 0.0, 2.0])
    bias[layout.offsets[1]] = 3.0
    raw = noise + bias
    raw[:, :2] = (0.4 * noise[:, :2].exp() - 0.6).clamp(max=1.5)
    learnt, fresh = raw[:n], raw[n:]
    calibration = Calibration(layout)
    calibration.fit(layout, masses, learnt, seeded(seed(1)))
    codes, scalars = calibration.draw(layout, fresh, seeded(seed(2)))
    for block, mass in enumerate(masses):
        shares = codes[:, block].bincount(minlength=len(mass)).numpy() / n
        # Four standard errors of the draw, and as much again for the rows that were learnt from.
        np.testing.assert_allclose(shares, mass, atol=8 * np.sqrt(mass * (1 - mass) / n).max())
        assert shares[-1] == pytest.approx(mass[-1], rel=0.3)
    # Either sample errs by 1.95 / sqrt(n) in 0.1 % of cases; knots lie 1/256 apart.
    applies = codes[:, 0] == 0
    for values in (scalars[:, 0], scalars[applies, 1]):
        distance = stats.kstest((values.numpy() + 1) / 2, "uniform").statistic
        assert distance < 2 * 1.95 / math.sqrt(len(values)) + 1 / 256
    assert (scalars[~applies, 1] == 0).all()
    inside = fresh[:, 0] < 1.0
    assert stats.spearmanr(fresh[inside, 0], scalars[inside, 0]).statistic > 0.999
    assert scalars.abs().max() <= 1.0


def test_uncalibrated_rows_would_fail():
    """What the calibration is for: the same generator, drawn from without it."""
    layout = Layout([3], [])
    raw = torch.zeros(40_000, layout.width)
    raw[:, 2] = 2.0
    codes = Calibration(layout).draw(layout, raw, seeded()).codes
    assert (codes == 2).double().mean() > 0.7


def test_numbers_made_all_alike_are_spread_evenly():
    layout = Layout([], [-1])
    calibration = Calibration(layout)
    raw = torch.full((5000, 1), 3.0)
    calibration.fit(layout, [], raw, seeded(seed(0)))
    values = calibration.draw(layout, raw, seeded(seed(1))).scalars[:, 0]
    assert stats.kstest((values.numpy() + 1) / 2, "uniform").pvalue > 1e-4


def test_too_few_rows_leave_numbers_as_they_are():
    layout = Layout([], [-1])
    calibration = Calibration(layout)
    raw = torch.linspace(-0.9, 0.3, 50)[:, None]
    calibration.fit(layout, [], raw, seeded())
    torch.testing.assert_close(calibration.draw(layout, raw, seeded()).scalars, raw)


@every_likeness
def test_rare_categories_come_out_at_their_own_rate(cls):
    """Two steps of training teach nothing, and still 1 % is 1 %."""
    rng = np.random.default_rng(seed(0))
    table = pd.DataFrame(
        {
            "level": rng.permutation(np.repeat(["common", "some", "rare"], [840, 150, 10])),
            "other": rng.random(1000) < 0.5,
            "given": rng.choice(["p", "q"], 1000),
        }
    )
    synthesizer = fit_small(cls, table[["given", "other", "level"]], random_state=seed(0))
    made = synthesizer.sample(20_000, random_state=seed(0))["level"].value_counts(normalize=True)
    # Four standard errors of 20,000 draws, and as much for the 20,000 rows calibrated on.
    assert made["rare"] == pytest.approx(0.01, abs=8 * math.sqrt(0.01 * 0.99 / 20_000))
    assert made["some"] == pytest.approx(0.15, abs=8 * math.sqrt(0.15 * 0.85 / 20_000))
