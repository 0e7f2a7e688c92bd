"""The autoregressive generator: what each column sees, exact probabilities, even randomness."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, narrow_table
from seeds import seed

from tabgan import AutoregressiveSynthesizer, WGANSynthesizer
from tabgan.networks.columns import STRATUM, ColumnNetworks, _even_shares
from tabgan.networks.grouped import CausalLinear, GroupedLinear, GroupedResidual, drop_units
from tabgan.table.layout import Layout

LEVELS = (5, 2, 3, 2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_networks(n_given, kind=ColumnNetworks):
    """Networks of random weights for four blocks, one of ordered levels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        masses = [np.full(k, 1 / k) for k in LEVELS]
        ranks = [np.full(k, np.nan) for k in LEVELS]
        ranks[0] = np.linspace(0.1, 0.9, 5)
        networks = kind(Layout(LEVELS, []), masses, ranks, 200, n_given, 8, 0.5)
        for parameter in networks.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
    return networks.requires_grad_(False)


@pytest.fixture
def networks():
    return random_networks(2)


def every_row():
    return torch.tensor(list(itertools.product(*map(range, LEVELS))))


# ---------------------------------------------------------------------- layers


def test_causal_layer_sees_earlier_groups_alone():
    """Of 4 groups of 3 inputs, after one that all see."""
    layer, x = CausalLinear(1, 4, 3, 2), torch.randn(5, 13, generator=generator())
    before = layer(x)
    for place in range(13):
        changed = x.clone()
        changed[:, place] += 1.0
        differs = (layer(changed) != before).any(dim=2).any(dim=1)
        group = (place - 1) // 3
        assert differs.tolist() == [later > group for later in range(4)]
    for group in range(4):
        torch.testing.assert_close(layer.each()[group](x), before[group])


@pytest.mark.parametrize(
    "make", [lambda: GroupedLinear(3, 4, 4), lambda: GroupedResidual(3, 4, 0.5)]
)
def test_grouped_layers_do_not_mix_groups(make):
    layer, x = make(), torch.randn(3, 5, 4, generator=generator())
    whole = layer(x)
    for group in range(3):
        torch.testing.assert_close(layer.each()[group](x[group]), whole[group])


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_dropped_units(rate):
    x = torch.ones(301, 77)
    dropped = drop_units(x, rate, generator(seed(0)))
    assert torch.equal(dropped, drop_units(x, rate, generator(seed(0))))
    kept = dropped != 0
    # One unit in 23,177: five standard errors, and rates are to within 1 / 512.
    assert abs(kept.float().mean() - (1 - rate)) < 5 * 0.5 / len(kept.flatten()) ** 0.5 + 1 / 512
    assert dropped.mean() == pytest.approx(1.0, abs=0.1)
    assert len(dropped[kept].unique()) == 1


def test_fates_of_units_are_independent_of_their_place():
    """Eight units share a word: none of its bytes is special."""
    kept = drop_units(torch.ones(8 * 20_000), 0.5, generator(seed(0))) != 0
    by_byte = kept.view(-1, 8).float()
    assert (by_byte.mean(dim=0) - 0.5).abs().max() < 5 * 0.5 / 20_000**0.5
    assert (torch.corrcoef(by_byte.T) - torch.eye(8)).abs().max() < 5 / 20_000**0.5


# ---------------------------------------------------------------------- probabilities


def test_each_block_depends_on_the_blocks_before_it(networks):
    layout, given = networks.layout, torch.zeros(1, 2)
    codes = torch.ones(1, 4, dtype=torch.long)
    before = networks(codes, given)
    order = layout.order.tolist()
    assert [LEVELS[block] for block in order] == sorted(LEVELS)
    for place, block in enumerate(order):
        changed = codes.clone()
        changed[0, block] = 0
        differs = networks(changed, given) != before
        for other in range(4):
            start = layout.offsets[other]
            own = differs[0, start : start + LEVELS[other]]
            assert own.any() == (order.index(other) > place)


def test_probabilities_of_all_rows_sum_to_one(networks):
    rows = every_row()
    raw = networks(rows, torch.ones(len(rows), 2))
    assert (-networks.layout.cross_entropy(raw, rows)).exp().sum() == pytest.approx(1.0, abs=1e-5)


def test_rows_are_drawn_with_their_probabilities(networks):
    """Chi-squared over all 60 rows: false alarm once in 10,000 seeds, or rarer, for evenness."""
    rows, n = every_row(), 20_000
    share = (-networks.layout.cross_entropy(networks(rows, torch.ones(len(rows), 2)), rows)).exp()
    drawn = networks.draw(torch.ones(n, 2), generator(seed(0)))
    numbers = drawn @ torch.tensor([12, 6, 2, 1])
    counts = torch.bincount(numbers, minlength=60)
    statistic = ((counts - n * share) ** 2 / (n * share)).sum()
    assert statistic < 108  # 0.9999 quantile of 59 degrees of freedom


def test_rows_that_are_the_same_so_far_are_computed_once(networks, monkeypatch):
    """Rows that come with conditions, here of zeros, are computed each by itself."""
    untold = random_networks(0)
    weights = {name: value.clone() for name, value in networks.state_dict().items()}
    weights["inward.weight"] = weights["inward.weight"][:, 2:]
    untold.load_state_dict(weights)
    n, n_computed = 2000, []
    each = CausalLinear.each

    def counted(layer):
        return lambda x: n_computed.append(len(x)) or layer(x)

    monkeypatch.setattr(CausalLinear, "each", lambda self: list(map(counted, each(self))))
    drawn = [net.draw(torch.zeros(n, k), generator()) for net, k in ((networks, 2), (untold, 0))]
    # Rounding may differ with the number of rows.
    assert (drawn[0] == drawn[1]).all(dim=1).float().mean() > 0.99
    assert n_computed == [n] * 4 + [1, 2, 4, 12]


def test_rates_stray_less_than_those_of_independent_rows(networks):
    """Pairs of the last two blocks drawn: half the variance of independent draws, or less."""
    pairs = []
    for i in range(40):
        drawn = networks.draw(torch.ones(512, 2), generator(seed(i)))
        pairs.append(torch.bincount(drawn[:, 0] * 3 + drawn[:, 2], minlength=15).double() / 512)
    shares = torch.stack(pairs)
    mean = shares.mean(dim=0)
    assert shares.var(dim=0).sum() < 0.5 * (mean * (1 - mean) / 512).sum()


def test_a_row_does_not_depend_on_how_many_come_along(networks):
    """One row at a time has the same distribution as many: no bias from sharing randomness."""
    alone = torch.cat([networks.draw(torch.ones(1, 2), generator(seed(i))) for i in range(2000)])
    together = networks.draw(torch.ones(20_000, 2), generator(seed(0)))
    for block, n_levels in enumerate(LEVELS):
        for level in range(n_levels):
            shares = [(codes[:, block] == level).float().mean() for codes in (alone, together)]
            assert abs(shares[0] - shares[1]) < 5 * 0.5 / 2000**0.5


@pytest.mark.parametrize("n", [1, STRATUM - 1, STRATUM, 1000])
def test_even_shares(n):
    shares = _even_shares(n, generator(seed(0)))
    assert shares.shape == (n,) and shares.min() >= 0 and shares.max() < 1
    for part in shares.split(STRATUM):
        assert len(torch.unique((part * STRATUM).long())) == len(part)


def test_unknown_levels_cost_nothing_and_tell_nothing(networks):
    layout, given = networks.layout, torch.zeros(1, 2)
    last = layout.order[-1]
    known = torch.ones(1, 4, dtype=torch.long)
    unknown = known.index_fill(1, last, -1)
    costs = [layout.cross_entropy(networks(codes, given), codes) for codes in (known, unknown)]
    assert costs[1] < costs[0]
    first = known.index_fill(1, layout.order[0], -1)
    assert not torch.equal(networks(known, given), networks(first, given))


# ---------------------------------------------------------------------- the estimator


def xor_table(n, seed):
    """Two fair coins, whether they differ (nine times in ten), and a number that follows."""
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, n)) < 0.5
    differ = (a ^ b) ^ (rng.random(n) < 0.1)
    number = np.where(differ, 3.0, -3.0) + rng.normal(size=n)
    return pd.DataFrame({"a": a, "b": b, "differ": differ, "number": number.round(2)})


@pytest.fixture(scope="module")
def xor_model():
    return AutoregressiveSynthesizer(
        n_steps=600, hidden_dim=32, random_state=seed(0), acceptance_rounds=0
    ).fit(xor_table(3000, seed=seed(0)))


def test_structure_of_three_columns_is_learnt(xor_model):
    """Pairs of coins are independent; only all three together say anything.

    Over 4 seeds they agreed in 91 to 92 % of the rows; independent coins do in half of them.
    """
    made = xor_model.sample(4000, random_state=seed(1))
    agree = (made["differ"] == (made["a"] ^ made["b"])).mean()
    assert agree == pytest.approx(0.9, abs=0.05)
    assert made.groupby("differ")["number"].mean().to_numpy() == pytest.approx([-3, 3], abs=0.2)


def test_training_ends_when_held_out_rows_become_no_likelier(xor_model):
    history = xor_model.history_
    assert xor_model.n_steps_ < 600
    best = history["log_likelihood"].max()
    assert best > history["log_likelihood"].dropna().iloc[0]
    fresh = xor_model.score_samples(xor_table(3000, seed=seed(5))).mean()
    assert fresh == pytest.approx(best, abs=0.25)


def test_levels_have_their_training_rates_given_real_rows(xor_model):
    """Whatever dropout and early stopping left undone."""
    table = xor_table(3000, seed=seed(0))
    encoder, layout = xor_model._core.encoding.encoder, xor_model._core.encoding.layout
    codes = encoder.encode(table, np.random.default_rng(seed(0))).codes
    with torch.no_grad():
        raw = xor_model._core.game.networks(codes, torch.zeros(3000, 0))
    rates = layout.activate(raw).mean(dim=0)
    for block, masses in enumerate(encoder.masses):
        start = int(layout.offsets[block])
        np.testing.assert_allclose(rates[start : start + len(masses)], masses, atol=4e-3)


@pytest.mark.parametrize(
    ("n_rows", "n_bins", "n_halvings"),
    [(1, 8, 0), (150, 15, 1), (2560, 256, 1), (11_097, 256, 3), (32_561, 256, 4), (10**6, 256, 4)],
)
def test_how_finely_numbers_are_cut(n_rows, n_bins, n_halvings):
    """No bin of fewer than ten rows, five in the tails, but for tables of very few."""
    cut = AutoregressiveSynthesizer.plan.cut(n_rows)
    assert cut == {"n_bins": n_bins, "n_halvings": n_halvings}
    assert WGANSynthesizer.plan.cut(n_rows) == cut
    assert WGANSynthesizer.joint_plan.cut(n_rows) == {"n_bins": min(n_bins, 64), "n_halvings": 0}


def test_real_rows_are_likelier_than_shuffled_ones(xor_model):
    rows = xor_table(500, seed=seed(3))
    likely = xor_model.score_samples(rows)
    assert likely.shape == (500,) and likely.dtype == np.float64
    shuffled = rows.assign(number=rows["number"].to_numpy()[::-1])
    assert xor_model.score_samples(shuffled).mean() < likely.mean() - 1
    np.testing.assert_allclose(xor_model.score_samples(rows[7:8]), likely[7:8], rtol=1e-4)


def test_unseen_categories_are_scored(xor_model):
    table = narrow_table()
    model = fit_small(AutoregressiveSynthesizer, table)
    assert np.isfinite(model.score_samples(table.assign(kind="never seen"))).all()


@pytest.mark.parametrize(("n_rows", "dropout"), [(10, 0.35), (11_111, 0.3), (1_000_000, 0.2)])
def test_default_dropout_is_less_of_more_rows(xor_model, n_rows, dropout):
    encoding = copy.copy(xor_model._core.encoding)
    encoding.n_rows = n_rows
    game = xor_model._make_game(encoding)
    assert game.networks.dropout == pytest.approx(dropout, abs=1e-3)


def test_own_weights_of_ordered_levels_say_less_of_few_rows():
    """Two ordered levels of 300 and of no rows, and two without an order."""
    masses = [np.array([1.0, 0.0]), np.array([1.0, 0.0])]
    ranks = [np.array([0.25, 0.75]), np.full(2, np.nan)]
    networks = ColumnNetworks(Layout([2, 2], []), masses, ranks, 300, 0, 8, 0.5)
    assert networks.own_share.flatten().tolist() == [0.5, 0.0, 1.0, 1.0]
    with torch.no_grad():
        before = networks.outputs(), networks.embeddings()
        networks.out += 1.0
        networks.embedding += 1.0
        after = networks.outputs(), networks.embeddings()
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(second - first, networks.own_share.expand_as(first))


def test_wide_tables_do_not_blow_up():
    """300 columns: weights of the order of 64 columns', and rows come out."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.random((40, 300)) < 0.3)
    model = fit_small(AutoregressiveSynthesizer, table, hidden_dim=128, acceptance_rounds=0)
    assert sum(p.numel() for p in model._core.game.parameters()) < 20_000_000
    assert model.sample(3).shape == (3, 300)


def many_columns(n):
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.integers(3, size=(60, n)), columns=[f"x{i}" for i in range(n)])


def test_a_fit_of_very_many_columns_says_what_memory_it_needs(monkeypatch):
    monkeypatch.setattr("tabgan.models.autoregressive.MANY_BLOCKS", 3)
    with pytest.warns(UserWarning, match="columns need about 0 GB of memory.*WGANSynthesizer"):
        fit_small(AutoregressiveSynthesizer, many_columns(4), n_steps=1)
