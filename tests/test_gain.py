"""The adversarial imputer: its masks, hints and losses by hand, and what it learns to fill in."""

from __future__ import annotations

import contract
import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, narrow_table
from seeds import seed

from tabgan import GAINImputer
from tabgan.adversarial import R1, GradientPenalty, RelativisticPairing, SpectralNormalization
from tabgan.adversarial.game import Batch
from tabgan.models.gain import GAINGame
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

N = 4000
# Two blocks; a scalar that applies at level 0 of the first block, and a scalar of its own.
LAYOUT = Layout([2, 3], [0, -1])


def seeded(n=0):
    return torch.Generator().manual_seed(seed(n))


def game_of(hint_rate=0.9, hide_rate=0.2, weight=10.0):
    return GAINGame(LAYOUT, 8, hint_rate, hide_rate, weight)


def two_rows():
    """One row without gaps; one of whose columns only the second block is known."""
    codes = torch.tensor([[0, 2], [-1, 1]])
    return EncodedTable(codes, torch.tensor([[0.5, -0.25], [0.0, torch.nan]]))


def batch_of(table):
    row = LAYOUT.expand(*table)
    empty = EncodedTable(table.codes[:, :0], table.scalars[:, :0])
    return Batch(table, row, row[:, :0], empty, seeded())


def test_the_contract_finds_it():
    assert GAINImputer in contract.ESTIMATORS


def test_mask_and_columns_by_hand():
    game = game_of()
    assert game.n_columns == 3
    assert game.is_known(two_rows()).tolist() == [[True, True, True], [False, True, False]]
    # Scalars first: that of the first block, and the third column. Then blocks of 2 and 3 levels.
    assert game.columns.tolist() == [0, 2, 0, 0, 1, 1, 1]


def test_known_values_are_hidden_at_their_rate():
    game, known = game_of(hide_rate=0.3), torch.ones(N, 3, dtype=torch.bool)
    known[: N // 2, 0] = False
    visible = game.hide(known, seeded())
    assert not (visible & ~known).any()
    # Rows with gaps: 30 % of 4,000 values; six standard errors are 4.3 points.
    assert (~visible[: N // 2, 1:]).float().mean().item() == pytest.approx(0.3, abs=0.043)
    # Rows without gaps: one of three is hidden where none is by chance.
    at_least = (0.3 * 3 + 0.7**3) / 3
    assert (~visible[N // 2 :]).float().mean().item() == pytest.approx(at_least, abs=0.037)
    assert (~visible).any(dim=1).all()


def test_one_column_of_each_row_is_picked():
    among = torch.zeros(N, 3, dtype=torch.bool)
    among[:, 1:] = True
    picked = game_of().pick(among, seeded())
    assert (picked.sum(dim=1) == 1).all() and not picked[:, 0].any()
    assert picked[:, 1].float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_hints_tell_the_mask_and_never_the_picked_column():
    game, rng = game_of(hint_rate=0.8), seeded()
    mask = torch.rand(N, 3, generator=rng) < 0.5
    picked = game.pick(torch.ones_like(mask), rng)
    row, hint, asked = game.question(torch.zeros(N, 7), mask, picked, rng).split([7, 3, 3], dim=1)
    assert torch.equal(asked, picked.float()) and not row.any()
    assert (hint[picked] == 0.5).all()
    told = hint != 0.5
    assert torch.equal(hint[told], mask[told].float())
    assert told[~picked].float().mean().item() == pytest.approx(0.8, abs=0.04)


def test_questions_show_known_values_and_hide_nothing_else():
    game, batch = game_of(hide_rate=0.5), batch_of(two_rows())
    for _ in range(20):
        raw, real, fake = game.play(batch)
        assert raw.shape == (2, 7) and torch.isfinite(raw).all()
        row = batch.row.nan_to_num()
        for asked, wanted in ((real, 1.0), (fake, 0.0)):
            seen, hint, picked = asked.split([7, 3, 3], dim=1)
            assert (picked.sum(dim=1) == 1).all()
            if wanted:
                # What is said to be known is what the table holds.
                entries = picked.bool()[:, game.columns]
                torch.testing.assert_close(seen[entries], row[entries])
                assert picked[1].tolist() == [0, 1, 0]


def test_reconstruction_by_hand():
    """Seven entries: two scalars, two levels, three levels."""
    raw = torch.zeros(2, 7)
    raw[0, :2] = torch.tensor([0.25, 0.25])
    raw[:, 3] = np.log(3.0)
    error = game_of().reconstruction(raw, two_rows()).item()
    first = np.log(4) + np.log(3) + 0.25**2 + 0.5**2
    assert error == pytest.approx((first + np.log(3)) / 4, rel=1e-6)


def test_losses_are_the_sums_of_their_parts():
    game, table = game_of(weight=3.0), two_rows()
    for parameter in game.parameters():
        torch.nn.init.zeros_(parameter)
    # Scores of zero: each side of the discriminator loses log 2, and the generator too.
    assert game.discriminator_loss(batch_of(table)).item() == pytest.approx(2 * np.log(2))
    nothing = torch.zeros(2, 7)
    expected = np.log(2) + 3.0 * game.reconstruction(nothing, table).item()
    assert game.generator_loss(batch_of(table)).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "technique",
    [R1(), GradientPenalty(), RelativisticPairing(), SpectralNormalization()],
    ids=lambda technique: type(technique).__name__,
)
def test_techniques_change_the_discriminator(technique):
    imputer = fit_small(GAINImputer, narrow_table(), techniques=[technique])
    assert imputer.transform(narrow_table()).notna().all(axis=None)


@pytest.mark.parametrize("label", ["length", "kind", "flag"])
def test_one_column(label):
    table = narrow_table()[[label]]
    later = pd.concat([table, pd.DataFrame({label: [None] * 40})], ignore_index=True)
    completed = fit_small(GAINImputer, table).transform(later.astype(object))
    assert completed[label].notna().all() and completed[label].nunique() >= 2


@pytest.mark.filterwarnings("ignore:no value is known:UserWarning")
def test_awkward_tables():
    constant = pd.DataFrame({"one": [1.0] * 9 + [None], "none": [None] * 10})
    completed = fit_small(GAINImputer, constant).transform(constant)
    assert (completed["one"] == 1).all() and completed["none"].isna().all()
    rows = pd.DataFrame({"x": [1.5, None, 2.5, None], "y": ["a", None, None, None]})
    assert fit_small(GAINImputer, rows).transform(rows).notna().all(axis=None)


def test_what_is_filled_depends_on_what_is_known():
    """Two columns that decide each other, a third of each unknown at random.

    The number is 2 or -2 by kind, with a spread of 0.5. Values that do not depend on the other
    column are right in 50 % of the rows, and off by 2 on average.
    """
    rng = np.random.default_rng(seed(0))
    kind = rng.choice(["low", "high"], 600)
    truth = pd.DataFrame({"x": rng.normal(np.where(kind == "low", -2.0, 2.0), 0.5), "kind": kind})
    gap = rng.integers(0, 3, 600)
    table = truth.copy()
    table.loc[gap == 0, "x"] = np.nan
    table.loc[gap == 1, "kind"] = None
    imputer = GAINImputer(n_steps=400, hidden_dim=32, batch_size=100, random_state=seed(0))
    completed = imputer.fit_transform(table)
    assert (completed["kind"] == truth["kind"])[gap == 1].mean() > 0.85
    assert (completed["x"] - truth["x"])[gap == 0].abs().mean() < 1.0
