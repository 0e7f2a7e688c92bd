"""Columns of very many categories: profiles, contexts, draws, conditions and files."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from seeds import seed

import tabgan
from tabgan import AutoregressiveSynthesizer, WGANSynthesizer
from tabgan.networks.contexts import Context, WideContexts
from tabgan.networks.counts import Counts
from tabgan.networks.profiles import Profiles
from tabgan.networks.wide import WideModel
from tabgan.table.encoder import Encoder
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema


def towns_and_streets(n, rng):
    """Rows of 40 towns with streets of their own, a region by the town, and a height."""
    town = rng.integers(0, 40, n)
    street = 3 * town + rng.integers(0, 3, n)
    return pd.DataFrame(
        {
            "town": np.char.add("t", town.astype(str)),
            "street": np.char.add("s", street.astype(str)),
            "region": np.char.add("r", (town % 3).astype(str)),
            "height": 10.0 * town + rng.normal(size=n),
        }
    )


def numbers_of(rows):
    return {c: rows[c].str[1:].astype(int).to_numpy() for c in ("town", "street", "region")}


@pytest.fixture(scope="module")
def table():
    return towns_and_streets(1500, np.random.default_rng(seed(0)))


@pytest.fixture(scope="module")
def model(table):
    model = AutoregressiveSynthesizer(max_categories=8, n_steps=150, random_state=seed(1))
    return model.fit(table)


# ------------------------------------------------------------------ layout and encoder


def test_wide_blocks_follow_the_softmax_blocks(table):
    encoder = Encoder(Schema.infer(table), "bins", n_bins=4, max_categories=8, rare="wide")
    layout = encoder.layout
    assert layout.n_softmax == 2 and layout.n_levels_wide == (40, 120)
    assert [encoder.blocks[i] for i in (0, 1)] == [2, 3]
    encoded = encoder.encode(table)
    assert layout.expand(*encoded).shape == (len(table), layout.width)
    decoded = encoder.decode(encoded)
    pd.testing.assert_frame_equal(decoded[["town", "street"]], table[["town", "street"]])


def test_pooling_is_told_with_numbers(table):
    with pytest.warns(UserWarning, match=r"'street' \(120 categories, of which 113 with \d+"):
        # Streets of fewer than five rows count too.
        WGANSynthesizer(max_categories=8, n_steps=1, random_state=0, privacy="none").fit(table)


# ------------------------------------------------------------------ counts and profiles


def test_counts():
    contexts, levels = torch.tensor([0, 0, 1, -1]), torch.tensor([2, 4, 2, 0])
    counts = Counts(contexts, levels, torch.tensor([3, 1, 2, 9]), 3, 5)
    rows, distinct = counts.totals(torch.tensor([0, 1, 2, -1]))
    assert rows.tolist() == [4, 2, 0, 0] and distinct.tolist() == [2, 1, 0, 0]
    asked = torch.tensor([0, 0, 1, 2, -1]), torch.tensor([2, 3, 2, 2, 2])
    assert counts.of(*asked).tolist() == [3, 0, 2, 0, 0]
    shares = torch.tensor([0.0, 0.74, 0.76, 0.99])
    assert counts.draw(torch.zeros(4, dtype=torch.long), shares).tolist() == [2, 2, 4, 4]
    dense = torch.zeros(3, 5)
    counts.add_shares(torch.tensor([0, 2, 1]), torch.tensor([0.5, 1.0, 1.0]), dense)
    assert dense.tolist() == [[0, 0, 0.375, 0, 0.125], [0] * 5, [0, 0, 1, 0, 0]]


def test_a_row_is_left_out_of_its_own_profile():
    layout = Layout([2], [], [3])
    masses, ranks = [np.array([0.5, 0.5]), np.full(3, 1 / 3)], [np.full(2, np.nan)] * 2
    profiles = Profiles(layout, masses, ranks)
    codes = torch.tensor([[0, 0], [0, 0], [1, 1], [1, -1]])
    profiles.add(codes)
    levels, own = layout.wide_codes(codes)[:, 0], profiles.values(codes)
    left_out = profiles.of(0, levels, own)[:, : profiles.n_numbers]
    # The first two rows are each other's profile, shrunken by a half; the third is alone.
    torch.testing.assert_close(left_out[:2], own[[1, 0]] / 2)
    assert not left_out[2:].any()
    assert profiles.n_rows(0).tolist() == [2, 1, 0]


@pytest.mark.parametrize("n_wide", [1, 2, 3])
def test_contexts_know_what_occurred_together(n_wide):
    rng = np.random.default_rng(seed(2))
    codes = torch.from_numpy(rng.integers(-1, 4, (200, n_wide)))
    contexts = WideContexts([4] * n_wide)
    contexts.learn(codes[:150], [torch.zeros(4, dtype=torch.long)] * n_wide)
    contexts.learn(codes[150:], [torch.zeros(4, dtype=torch.long)] * n_wide)
    assert contexts.numbers.sum() == 200
    for wide in range(n_wide):
        for context in contexts.possible(wide, True):
            ids = contexts.ids(context, codes)
            rows, _ = contexts.counts(context, wide).totals(ids)
            of_level = codes[:, wide] >= 0
            for i in ids.unique().tolist():
                if i >= 0:
                    assert (rows[ids == i] == (of_level & (ids == i)).sum()).all()
    if n_wide == 3:
        unknown = torch.tensor([[-1, 0, 0]])
        assert contexts.ids(Context("prefix", 2), unknown).tolist() == [-1]


def test_likelihood_adds_up_to_one():
    rng = np.random.default_rng(seed(3))
    layout = Layout([2], [], [5, 7])
    masses, ranks = [np.full(k, 1 / k) for k in (2, 5, 7)], [np.full(k, np.nan) for k in (2, 5, 7)]
    model = WideModel(layout, masses, ranks)
    codes = torch.from_numpy(np.stack([rng.integers(0, k, 300) for k in (2, 5, 7)], axis=1))
    model.learn(codes, rng)
    pairs = torch.cartesian_prod(torch.zeros(1, dtype=torch.long), torch.arange(5), torch.arange(7))
    assert abs(float(model.log_likelihood(pairs, False).exp().sum()) - 1) < 1e-4


def test_categories_that_the_counted_rows_lack(monkeypatch):
    monkeypatch.setattr("tabgan.networks.wide.MOST_COMBINATIONS", 20)
    rng = np.random.default_rng(seed(9))
    layout = Layout([2], [], [60, 70, 80])
    sizes = (2, 60, 70, 80)
    masses, ranks = [np.full(k, 1 / k) for k in sizes], [np.full(k, np.nan) for k in sizes]
    model = WideModel(layout, masses, ranks)
    codes = torch.from_numpy(np.stack([rng.integers(0, k, 400) for k in sizes], axis=1))
    codes = torch.cat([codes, torch.tensor([[1, 59, 69, 79]])])
    model.learn(codes, rng)
    assert model.contexts.numbers.sum() == 20
    for own in (False, True):
        assert torch.isfinite(model.log_likelihood(codes, own)).all()
    assert (model.draw(50, torch.Generator().manual_seed(0)) >= 0).all()


# ------------------------------------------------------------------ rows


def test_ties_are_kept(model, table):
    numbers = numbers_of(model.sample(2000, random_state=seed(4)))
    assert np.mean(numbers["town"] % 3 == numbers["region"]) > 0.9
    assert np.mean(numbers["street"] // 3 == numbers["town"]) > 0.8
    assert set(numbers["town"]) == set(numbers_of(table)["town"])


def test_numbers_follow_categories(model):
    rows = model.sample(2000, random_state=seed(5))
    off = rows["height"].to_numpy() - 10.0 * numbers_of(rows)["town"]
    assert np.median(np.abs(off)) < 30  # the standard deviation of heights is 115


def test_conditions_on_and_of_wide_columns(model):
    asked = pd.DataFrame({"town": ["t3", "t20", "t39"] * 20})
    rows = model.sample(conditions=asked, random_state=seed(6))
    assert rows["town"].tolist() == asked["town"].tolist()
    assert np.mean(numbers_of(rows)["region"] == numbers_of(rows)["town"] % 3) > 0.8
    rows = model.sample(60, conditions={"town": {"t3", "t4"}}, random_state=seed(6))
    assert set(rows["town"]) <= {"t3", "t4"}
    rows = model.sample(200, conditions={"region": "r1"}, random_state=seed(6))
    assert set(rows["region"]) == {"r1"} and np.mean(numbers_of(rows)["town"] % 3 == 1) > 0.85


def test_posterior_of_a_wide_column(model, table):
    for known in (table.columns, ["region", "height"]):
        chances = model.conditional_proba(table[known].head(30), "town")
        assert chances.shape == (30, 40) and np.allclose(chances.sum(axis=1), 1, atol=1e-3)
        likely = np.array([chances.columns[i] for i in chances.to_numpy().argmax(axis=1)])
        near = pd.Series(likely).str[1:].astype(int) - numbers_of(table.head(30))["town"]
        assert np.median(np.abs(near)) <= 6


def test_files_copies_and_further_rows(model, table, tmp_path):
    rows = model.sample(50, random_state=1)
    model.save(tmp_path / "model.tabgan")
    again = tabgan.load(tmp_path / "model.tabgan", device="cpu")
    pd.testing.assert_frame_equal(again.sample(50, random_state=1), rows)
    np.testing.assert_allclose(again.score_samples(table), model.score_samples(table), rtol=1e-5)
    copied = copy.deepcopy(model)
    copied.set_params(n_steps=2).partial_fit(table.head(100))
    pd.testing.assert_frame_equal(model.sample(50, random_state=1), rows)
    game = copied._core.training
    assert game.game.wide is game.averaged.wide
    assert game.game.wide.contexts.numbers.sum() == 1600


@pytest.mark.parametrize("columns", [["street"], ["town", "street"]])
def test_tables_of_wide_columns_alone(table, columns):
    model = AutoregressiveSynthesizer(max_categories=8, n_steps=3, random_state=0)
    rows = model.fit(table[columns]).sample(400, random_state=seed(7))
    assert rows["street"].nunique() > 60
    if len(columns) == 2:
        towns = rows["town"].str[1:].astype(int)
        assert np.mean(rows["street"].str[1:].astype(int) // 3 == towns) > 0.7
    given = model.sample(2, conditions={"street": "s3"}, random_state=0)
    assert given["street"].tolist() == ["s3", "s3"]


@pytest.mark.parametrize("missing", ["level", "unknown"])
def test_gaps_in_wide_columns(table, missing):
    gaps = table.copy()
    gaps.loc[::3, "town"] = None
    # Of a model that has hardly learnt anything, rejection would shift the rates.
    model = AutoregressiveSynthesizer(
        max_categories=8,
        n_steps=5,
        missing=missing,
        acceptance_rounds=0,
        random_state=seed(8),
    ).fit(gaps)
    share = model.sample(900, random_state=0)["town"].isna().mean()
    assert abs(share - 1 / 3) < 0.05 if missing == "level" else share == 0
