"""Two tables without pairs: what the translators play for, and that they find a known shift."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, fitted, narrow_table, says, small
from seeds import seed
from torch import nn

from tabgan import CycleGANTranslator
from tabgan.models.cyclegan import TwoTables, row_error
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


def both(translator, a, b):
    """Both tables whole, as one batch."""
    core = translator._core
    layouts = core.encoder_a.layout, core.encoder_b.layout
    tables = core.encode_a(pd.DataFrame(a)), core.encode_b(pd.DataFrame(b))
    return next(TwoTables(tables, layouts).batches(len(a), torch.Generator().manual_seed(0)))


def test_row_error_by_hand():
    """One scalar that always applies, one that a level 1 switches off, and that block."""
    layout = Layout([2], [-1, 0])
    raw = torch.tensor([[0.5, -0.5, np.log(3.0), 0.0], [0.0, 0.9, 0.0, 0.0]])
    table = EncodedTable(torch.tensor([[0], [1]]), torch.tensor([[0.25, 0.5], [1.0, 0.0]]))
    expected = [0.25 + 1.0 + np.log(4 / 3), 1.0 + np.log(2)]
    assert row_error(layout, raw, table).item() == pytest.approx(np.mean(expected), rel=1e-6)


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + 1.0


def test_translators_of_the_same_columns_start_as_the_identity(numbers):
    a, b = numbers
    translator = small(CycleGANTranslator, n_steps=0).fit(a, b)
    np.testing.assert_allclose(translator.transform(a), a, rtol=1e-5)
    np.testing.assert_allclose(translator.inverse_transform(b), b, rtol=1e-5)
    game, batch = translator._core.game, both(translator, a, b)
    assert game.cycle_loss(batch, *game.translate(batch)).item() == 0
    assert game.identity_loss(batch).item() == 0


class Tell(nn.Module):
    """Scores a row by the sum of its entries."""

    def forward(self, x):
        return x.sum(dim=1)


def test_losses_are_the_sums_of_their_parts(numbers):
    a, b = numbers
    translator = small(CycleGANTranslator, n_steps=0, cycle_weight=7.0, identity_weight=2.0)
    game = translator.fit(a, b)._core.training.game
    batch = both(translator, a, b)
    game.adversary_a.critic = game.adversary_b.critic = Tell()
    for adversary in (game.adversary_a, game.adversary_b):
        adversary.penalties.clear()
    # A change by 0.1 each way: rows come back 0.2 off, and stay put but for 0.1.
    for network in (game.to_a.network, game.to_b.network):
        nn.init.constant_(network.change.out[1].bias, 0.1)
    total_a, total_b = batch.row.sum(dim=1).mean(), batch.condition.sum(dim=1).mean()
    critics = (total_b + 0.2 - total_a) + (total_a + 0.2 - total_b)
    assert game.critic_loss(batch).item() == pytest.approx(critics.item(), abs=1e-5)
    fooling = -(total_a + 0.2) - (total_b + 0.2)
    # Two columns, two tables.
    expected = fooling.item() + 7.0 * 4 * 0.2 + 2.0 * 4 * 0.1
    assert game.translator_loss(batch).item() == pytest.approx(expected, abs=1e-5)


def test_a_known_shift_is_found():
    """Small numbers belong to a word; B adds to the number, renames one word, keeps the other.

    Of 14 fits by other seeds, with bfloat16 products and without, words were right in 87 % of the
    rows or more there and in 89 % back, and numbers were off by 0.62 at most.
    """
    rng = np.random.default_rng(seed(0))

    def rows(n):
        kind = rng.choice(["small", "large"], n, p=[0.3, 0.7])
        return pd.DataFrame({"x": rng.normal(np.where(kind == "small", -2.0, 2.0), 0.5), "k": kind})

    def shift(table):
        return table.assign(x=table["x"] + 3.0, k=table["k"].replace("small", "little"))

    a, b = rows(300), shift(rows(300))
    translator = small(
        CycleGANTranslator,
        n_steps=150,
        n_critic=4,
        batch_size=100,
        hidden_dim=32,
        learning_rate=1e-2,
        random_state=seed(0),
    )
    made, truth = translator.fit(a, b).transform(a), shift(a)
    assert (made["k"] == truth["k"]).mean() > 0.8  # 0.7 if left alone
    assert (made["x"] - truth["x"]).abs().mean() < 1.0  # 3 if left alone
    back = translator.inverse_transform(truth)
    assert (back["k"] == a["k"]).mean() > 0.8


def test_tables_of_different_columns():
    a = narrow_table()
    b = pd.DataFrame(
        {"weight": np.random.default_rng(0).normal(size=45), "kind": ["x", "y", None] * 15}
    )
    translator = small(CycleGANTranslator).fit(a, b)
    rows = a.set_index(pd.Index(range(100, 160)))
    there = translator.transform(rows)
    assert list(there) == ["weight", "kind"] and set(there["kind"].dropna()) <= {"x", "y"}
    pd.testing.assert_index_equal(there.index, rows.index)
    back = translator.inverse_transform(b)
    pd.testing.assert_series_equal(back.dtypes, a.dtypes)
    pd.testing.assert_frame_equal(translator.transform(rows), there)
    told = "B has 3 features, but CycleGANTranslator is expecting 2 features as input."
    with pytest.raises(ValueError, match=says(told)):
        translator.inverse_transform(a)
    told = "B has columns ['length', 'kind'], but CycleGANTranslator was fitted on ['weight', ..."
    with pytest.raises(ValueError, match=says(told)):
        translator.inverse_transform(a[["length", "kind"]])


def test_frame_and_array():
    translator = small(CycleGANTranslator).fit(narrow_table(), np.eye(60)[:, :4])
    assert translator.transform(narrow_table()).shape == (60, 4)
    assert list(translator.inverse_transform(np.eye(60)[:7, :4])) == list(narrow_table())
    told = "B has 3 features, but CycleGANTranslator is expecting 4 features as input."
    with pytest.raises(ValueError, match=says(told)):
        translator.inverse_transform(np.eye(3))


def test_the_second_table_is_needed():
    told = "B must be a table like A or of columns of its own, got None."
    with pytest.raises(ValueError, match=says(told)):
        small(CycleGANTranslator).fit(narrow_table(), None)


def test_history_tells_the_cycle():
    assert list(fitted(CycleGANTranslator).history_)[2:] == ["critics", "translators", "cycle"]
    translator = fit_small(CycleGANTranslator, narrow_table())
    assert translator.schema_a_ is translator.schema_b_
