"""Every game's training step on a GPU without values: one device, and no wait for a value."""

from __future__ import annotations

import contract
import contract_sequences
import numpy as np
import pandas as pd
import pytest
import torch
from contract import EVERYONE, narrow_table
from fake_device import DEVICE, Transfer, on_fake_device
from torch import nn

from tabgan import AutoregressiveSynthesizer, GANSynthesizer
from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.techniques import TECHNIQUES
from tabgan.adversarial.training import Training, TrainingRule, TrainingSet
from tabgan.adversarial.updates import adam
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

every_model = pytest.mark.parametrize("cls", EVERYONE, ids=lambda cls: cls.__name__)


class Caught(Exception):
    """Ends a fit as soon as training would start."""


def about_to_train(cls, monkeypatch, table=None, **parameters):
    """Begin to fit a tiny instance; return its training, and the data that it would train on."""

    def watched(training, data, *args, **settings):
        raise Caught(training, data)

    monkeypatch.setattr(Training, "run", watched)
    with pytest.raises(Caught) as caught:
        if cls in contract_sequences.SYNTHESIZERS:
            contract_sequences.fit_small(cls, contract_sequences.long_table(), **parameters)
        else:
            contract.fit_small(cls, narrow_table() if table is None else table, **parameters)
    return caught.value.args


def take_steps(training, data, rng):
    """Take two steps, of which the first has all lazy penalties, and one in each later part."""
    batches = data.batches(16, rng)
    for progress in (0.0, 0.0, 0.62, 0.97):
        losses = training.update.step(lambda: next(batches), 0.5, progress)
        training.step += 1
        training._average()
    return losses


@every_model
def test_a_step_stays_on_the_device(cls, monkeypatch):
    with on_fake_device(*about_to_train(cls, monkeypatch)) as moved:
        losses = take_steps(*moved)
        assert losses and all(loss.device == DEVICE for loss in losses.values())


def test_a_step_on_columns_of_many_categories_stays_on_the_device(monkeypatch):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.integers(0, 30, (90, 3)).astype(str)).assign(x=rng.random(90))
    asked = about_to_train(AutoregressiveSynthesizer, monkeypatch, table, max_categories=8)
    assert asked[0].game.wide.n_wide == 3
    with on_fake_device(*asked) as moved:
        take_steps(*moved)


@pytest.mark.parametrize("technique", TECHNIQUES.values(), ids=TECHNIQUES)
def test_a_step_with_a_technique_stays_on_the_device(technique, monkeypatch):
    asked = about_to_train(GANSynthesizer, monkeypatch, techniques=[technique()])
    with on_fake_device(*asked) as moved:
        take_steps(*moved)


# ---------------------------------------------------------------------- what the test would find


class Careless(Game):
    """A game whose loss does what a step must not do."""

    def __init__(self, deed):
        super().__init__()
        self.network, self.constant, self.deed = nn.Linear(1, 1), torch.ones(3), deed

    def players(self):
        return (Player("one", (self.network,), self.loss),)

    def loss(self, batch: Batch):
        loss = self.network(batch.row[:, :1]).square().mean()
        return self.deed(self, batch, loss)


DEEDS = {
    "nothing wrong": (lambda game, batch, loss: loss, ()),
    "item": (lambda game, batch, loss: loss * loss.item(), Transfer),
    "float": (lambda game, batch, loss: loss * float(loss.detach()), Exception),
    "branch": (lambda game, batch, loss: loss if loss > 0 else -loss, Exception),
    "nonzero": (lambda game, batch, loss: loss * len(batch.row.nonzero()), Exception),
    "mask": (lambda game, batch, loss: loss + batch.row[batch.row > 0].sum(), Exception),
    "numpy": (lambda game, batch, loss: loss * batch.row.cpu().numpy().sum(), Transfer),
    "host": (lambda game, batch, loss: loss * torch.tensor([1.0], device=DEVICE).sum(), Transfer),
    "list": (lambda game, batch, loss: loss + batch.row[[0]].sum(), Transfer),
    "left behind": (lambda game, batch, loss: (loss + game.constant).sum(), RuntimeError),
    "made on CPU": (lambda game, batch, loss: (batch.row + torch.ones(2)).sum(), RuntimeError),
}


@pytest.mark.parametrize(("deed", "error"), DEEDS.values(), ids=DEEDS)
def test_careless_steps_are_found(deed, error):
    table = EncodedTable(torch.zeros(40, 0, dtype=torch.long), torch.rand(40, 2))
    none = EncodedTable(table.codes, table.scalars[:, :0])
    data = TrainingSet(table, Layout([], [-1, -1]), none, Layout([], []))
    training = Training(Careless(deed), TrainingRule(adam(0.1, (0.0, 0.9))))
    with on_fake_device(training, data) as moved:
        if not error:
            take_steps(*moved)
            return
        with pytest.raises(error) as caught:
            take_steps(*moved)
    assert not isinstance(caught.value, TypeError | AttributeError)
