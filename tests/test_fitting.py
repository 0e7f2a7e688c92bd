"""Rows that do not fit their conditions: rejected where there are too many, and kept elsewhere."""

from __future__ import annotations

import contract
import numpy as np
import pandas as pd
import pytest
import torch
from contract import small
from seeds import seed

from tabgan import CGANSynthesizer
from tabgan.generation.encoding import Rows
from tabgan.generation.fitting import Fit, Fitting
from tabgan.generation.source import Source
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable


def table_of(n, right):
    """Rows whose x tells the label y in a share `right` of the rows, and a column of noise."""
    rng = np.random.default_rng(seed(0))
    y = rng.integers(0, 2, n)
    x = np.where(rng.random(n) < right, y, 1 - y)
    return pd.DataFrame({"x": np.array(["a", "b"])[x], "noise": rng.choice(["p", "q", "r"], n)}), y


class Careless(Source):
    """Draws rows whose x tells the label in a share of the rows."""

    def __init__(self, right, block, flip):
        self.right, self.block, self.flip = right, block, flip

    def draw(self, given, noise):
        n = len(given)
        codes = torch.zeros(n, 2, dtype=torch.long)
        is_right = torch.rand(n, generator=noise) < self.right
        y = given.codes[:, 0] if not self.flip else 1 - given.codes[:, 0]
        codes[:, self.block] = torch.where(is_right, y, 1 - y)
        codes[:, 1 - self.block] = torch.randint(3, (n,), generator=noise)
        return EncodedTable(codes, torch.zeros(n, 0))


def fitting_of(real_right, made_right, n=2000, n_twins=1):
    """A link around a careless source, learnt from real rows; and how to read a share off rows."""
    X, y = table_of(n, real_right)
    model = small(CGANSynthesizer, n_steps=0).fit(X, y)
    encoding = model._core.encoding
    table = X.assign(**{str(model._target_name): y})
    real = encoding.encode(table, np.random.default_rng(0))
    real = real.take(torch.arange(n))
    block = encoding.encoder.schema.names.index("x")
    agree = (real.made.codes[:, block] == real.given.codes[:, 0]).float().mean()
    flip = bool(agree < 0.5)
    link = Fitting(Careless(made_right, block, flip), encoding, 32, n_twins)
    streams = Streams.begin(seed(0), torch.device("cpu"))
    link.learn(real, streams)

    def share(rows, given):
        same = rows.codes[:, block] == given.codes[:, 0]
        return (same != flip).float().mean().item()

    given = EncodedTable(torch.arange(4000)[:, None] % 2, torch.zeros(4000, 0))
    return link, given, share, streams


def test_rows_fit_their_conditions_as_real_rows_do():
    """Where 20 % of real rows are of the other class, so are rows that are kept, not fewer."""
    link, given, share, streams = fitting_of(0.8, 0.55)
    assert link.fit.is_active
    drawn, kept = (source.draw(given, streams.noise) for source in (link.source, link))
    assert share(drawn, given) == pytest.approx(0.55, abs=0.05)
    assert share(kept, given) == pytest.approx(0.8, abs=0.06)


def test_the_least_of_several_pairs_counts():
    """Classes keep their overlap, and no pair gives a row a smaller ratio than is taken."""
    link, given, share, streams = fitting_of(0.8, 0.55, n_twins=2)
    assert link.fit.is_active
    rows = link.draw(given, streams.noise)
    assert share(rows, given) == pytest.approx(0.8, abs=0.06)
    both, pairs = Rows(rows, given), []
    ratio = link.fit.log_ratio(both)
    for i in range(2):
        pair = Fit(link.fit.view, link.fit.layout, 32)
        for name in ("of_real", "of_synthetic"):
            getattr(pair, name)[0].load_state_dict(getattr(link.fit, name)[i].state_dict())
        pair.softer.copy_(link.fit.softer[:, i : i + 1])
        pairs.append(pair.log_ratio(both))
    assert len(torch.stack(pairs).unique(dim=0)) == 2
    assert (ratio <= torch.stack(pairs).amin(dim=0) + 1e-5).all()


def test_few_rows_are_rejected_where_rows_fit():
    """Of rows like the real ones hardly any go, whether or not chance found a gain."""
    link, given, share, streams = fitting_of(0.8, 0.8)
    rows = Rows(link.source.draw(given, streams.noise), given)
    kept = link.fit.accept(rows, streams.noise).float().mean() if link.fit.is_active else 1.0
    assert kept > 0.6
    assert share(link.draw(given, streams.noise), given) == pytest.approx(0.8, abs=0.06)


def test_rare_pairs_stay_as_frequent_as_they_are():
    """4 % of real rows are of the other class; of rows like them as many stay."""
    link, given, share, streams = fitting_of(0.96, 0.96)
    link.fit.active.fill_(1.0)
    assert share(link.draw(given, streams.noise), given) == pytest.approx(0.96, abs=0.02)


def test_few_real_rows_reject_nothing():
    link, given, _, streams = fitting_of(1.0, 0.5, n=150)
    assert not link.fit.is_active
    assert len(link.draw(given, streams.noise)) == 4000


def test_the_link_is_in_the_chain_of_categories_alone():
    X, y = table_of(60, 1.0)
    chain = small(CGANSynthesizer).fit(X, y)._core.chain
    assert isinstance(chain.source, Fitting)
    assert not isinstance(
        small(CGANSynthesizer, condition_rejection=False).fit(X, y)._core.chain.source, Fitting
    )
    numbers = np.linspace(0.0, 1.0, 60)
    assert not isinstance(small(CGANSynthesizer).fit(X, numbers)._core.chain.source, Fitting)
    every = small(CGANSynthesizer, condition_columns="any").fit(X)
    assert not isinstance(every._core.chain.source, Fitting)


def test_the_classifiers_are_kept_in_the_file():
    X, y = table_of(400, 1.0)
    model = small(CGANSynthesizer, hidden_dim=32).fit(X, y)
    assert model._core.chain.source.fit.is_active
    loaded = contract.carry_by_file(model)
    pd.testing.assert_frame_equal(
        loaded.sample(conditions=y[:50], random_state=1),
        model.sample(conditions=y[:50], random_state=1),
    )
