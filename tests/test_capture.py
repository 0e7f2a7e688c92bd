"""Recorded updates: what is recorded, with a stand-in for a GPU that does the work again."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from contract import fit_small, narrow_table, weights
from seeds import seed
from torch import nn

from tabgan import AutoregressiveSynthesizer, WGANSynthesizer
from tabgan.adversarial.capture import N_PLAIN, Capture
from tabgan.adversarial.game import Game, Player
from tabgan.adversarial.training import Training, TrainingRule, TrainingSet
from tabgan.adversarial.updates import adam
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


class StandIn:
    """Takes a recording for the work itself, which it does again in each replay."""

    def __init__(self):
        self.n_recorded = self.n_replayed = 0

    def plain(self, rng):
        return nullcontext()

    def record(self, work, rng):
        self.n_recorded += 1
        result = torch.zeros(())

        def replay():
            self.n_replayed += 1
            result.copy_(work())

        return replay, result


class Rows(Game):
    """A network of one layer, with a loss that the test chooses."""

    def __init__(self, loss=None):
        super().__init__()
        self.network, self.extra = nn.Linear(2, 1), loss or (lambda batch: 0.0)

    def players(self):
        return (Player("one", (self.network,), self.loss, 2),)

    def loss(self, batch):
        noise = torch.randn(len(batch.row), 1, generator=batch.rng)
        return (self.network(batch.row) - noise).square().mean() * (1.0 + self.extra(batch))


def train(loss=None, capture=None, n_steps=12):
    """Train on forty rows, at a rate that falls, and return the weights and the losses."""
    torch.manual_seed(0)
    table = EncodedTable(torch.zeros(40, 0, dtype=torch.long), torch.rand(40, 2))
    none = EncodedTable(table.codes, table.scalars[:, :0])
    data = TrainingSet(table, Layout([], [-1, -1]), none, Layout([], []))
    game = Rows(loss)
    training = Training(game, TrainingRule(adam(0.1, (0.0, 0.9))))
    batches = data.batches(8, torch.Generator().manual_seed(1))
    with capture.of(training.update) if capture else nullcontext():
        losses = [
            training.update.step(lambda: next(batches), 1 - i / n_steps, i / n_steps)["one"]
            for i in range(n_steps)
        ]
    rate = training.update.optimizers["one"].param_groups[0]["lr"]
    assert isinstance(rate, float) and rate == pytest.approx(0.1 / n_steps)
    return torch.cat([p.detach().flatten() for p in game.parameters()]), torch.stack(losses)


@pytest.mark.parametrize(
    ("loss", "n_recorded"),
    [
        (None, 1),
        (lambda batch: float(batch.index % 3 == 0), 3),
        (lambda batch: batch.progress, 0),
        (lambda batch: 0.5 if batch.progress > 0.5 else 0.0, 0),
        (lambda batch: 1.0 if batch.index > 4 else 0.0, 0),
    ],
    ids=["plain", "lazy penalty", "progress", "stages", "number"],
)
def test_recorded_updates_are_those_of_plain_training(loss, n_recorded):
    stand_in = StandIn()
    plain, recorded = train(loss), train(loss, Capture(stand_in))
    if n_recorded:
        torch.testing.assert_close(plain, recorded, rtol=0, atol=0)
    assert stand_in.n_recorded == n_recorded
    probed = 1 if n_recorded else 0
    assert stand_in.n_replayed == (24 - probed - n_recorded * N_PLAIN if n_recorded else 0)


def test_what_cannot_be_recorded_runs_as_usual():
    class Refusing(StandIn):
        def record(self, work, rng):
            raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.warns(UserWarning, match="^the updates of one cannot be recorded .*as usual"):
        recorded = train(capture=Capture(Refusing()))
    torch.testing.assert_close(train(), recorded, rtol=0, atol=0)


@pytest.mark.parametrize("cls", [AutoregressiveSynthesizer, WGANSynthesizer])
def test_models_are_recorded(cls, monkeypatch):
    settings = {"n_steps": 40, "random_state": seed(0), "acceptance_rounds": 0}
    plain, stand_in, run = fit_small(cls, narrow_table(), **settings), StandIn(), Training.run

    def watched(training, *args, **stages):
        with Capture(stand_in).of(training.update):
            return run(training, *args, **stages)

    monkeypatch.setattr(Training, "run", watched)
    recorded = fit_small(cls, narrow_table(), **settings)
    torch.testing.assert_close(weights(plain), weights(recorded), rtol=1e-3, atol=1e-5)
    assert stand_in.n_replayed > 20


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("cls", [AutoregressiveSynthesizer, WGANSynthesizer])
def test_a_gpu_replays_the_updates(cls):
    settings = {"n_steps": 60, "random_state": 0, "acceptance_rounds": 0, "device": "cuda"}
    plain = fit_small(cls, narrow_table(), **settings)
    recorded = fit_small(cls, narrow_table(), cuda_graph=True, **settings)
    torch.testing.assert_close(weights(plain), weights(recorded), rtol=1e-2, atol=1e-2)


def test_on_a_cpu_nothing_changes():
    one, other = (
        fit_small(WGANSynthesizer, narrow_table(), cuda_graph=flag) for flag in (True, False)
    )
    assert torch.equal(weights(one), weights(other))
