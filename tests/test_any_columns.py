"""Rows given any columns: what conditions allow, proposals and their weights, the estimators."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from condition_cases import condition_for, objects
from contract import says
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import seed
from tables import askable_table
from test_autoregressive import LEVELS, every_row, generator, random_networks, xor_table

import tabgan
from tabgan import ANY, PRESENT, AutoregressiveSynthesizer, CGANSynthesizer, WGANSynthesizer
from tabgan.generation.source import Source, complete
from tabgan.networks.any_order import AnyOrderNetworks, hide_blocks
from tabgan.networks.grouped import OthersLinear
from tabgan.table.allowed import decode_within, level_shares, read_evidence
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.evidence import FREE, OPEN, Evidence
from tabgan.table.layout import Layout
from tabgan.table.quantiles import QuantileTable
from tabgan.table.schema import Schema

# ---------------------------------------------------------------------- networks


@pytest.fixture
def networks():
    return random_networks(2, AnyOrderNetworks)


def test_a_group_sees_all_groups_but_itself():
    """Of 4 groups of 3 inputs, after one that all see."""
    layer, x = OthersLinear(1, 4, 3, 2), torch.randn(5, 13, generator=generator())
    before = layer(x)
    for place in range(13):
        changed = x.clone()
        changed[:, place] += 1.0
        differs = (layer(changed) != before).any(dim=2).any(dim=1)
        group = (place - 1) // 3
        assert differs.tolist() == [place == 0 or g != group for g in range(4)]
    for group in range(4):
        torch.testing.assert_close(layer.each()[group](x), before[group])


def test_no_block_depends_on_itself(networks):
    rows, given_ = every_row(), torch.zeros(60, 2)
    raw = networks(rows, given_)
    for block, k in enumerate(LEVELS):
        other = rows.clone()
        other[:, block] = (rows[:, block] + 1) % k
        start = int(networks.layout.offsets[block])
        own = slice(start, start + k)
        torch.testing.assert_close(networks(other, given_)[:, own], raw[:, own])
        assert not torch.equal(networks(other, given_), raw)
        posterior = networks.posterior(rows, given_, block)
        torch.testing.assert_close(posterior, torch.log_softmax(raw[:, own], dim=1))


def test_the_number_of_hidden_blocks_is_even():
    n = 20_000
    shown = hide_blocks(torch.zeros(n, 4, dtype=torch.long), generator(seed(0)))
    n_hidden = (shown == FREE).sum(dim=1)
    assert n_hidden.min() == 1
    # Each of the numbers 1 to 4 at a quarter, within five standard errors: one false alarm in
    # 430,000 runs.
    rates = torch.bincount(n_hidden, minlength=5)[1:] / n
    assert (rates - 0.25).abs().max() < 5 * (0.25 * 0.75 / n) ** 0.5


def test_unknown_values_are_neither_shown_nor_predicted(networks):
    codes = every_row()
    codes[:, 1] = -1
    loss = networks.hidden_loss(codes, torch.zeros(60, 2), generator())
    assert torch.isfinite(loss)
    codes[:] = -1
    assert networks.hidden_loss(codes, torch.zeros(60, 2), generator()) == 0


def test_weighted_candidates_follow_the_model():
    """Known, open and free blocks; two thousand candidates for each row.

    The mean over candidates by their weights of each remaining combination is its exact
    probability, which follows from the probabilities of all 60 rows.
    """
    model, proposal = random_networks(0), random_networks(0, AnyOrderNetworks)
    rows, nothing = every_row(), torch.zeros(60, 0)
    joint = -model.layout.cross_entropy(model(rows, nothing), rows)
    shares = torch.tensor([[1.0, 0.5, 0.0, 0.25, 1.0]])
    evidence = Evidence(
        torch.tensor([[OPEN, FREE, 2, FREE]]), {0: shares}, {0: torch.zeros(1, dtype=torch.long)}
    )
    target = joint.exp() * shares[0][rows[:, 0]] * (rows[:, 2] == 2)
    n = 4000
    codes, log_density = proposal.draw(evidence, torch.zeros(1, 0), n, generator(seed(0)))
    assert (codes[:, 2] == 2).all() and (codes[:, 0] != 2).all()
    drawn = -model.layout.cross_entropy(model(codes, torch.zeros(n, 0)), codes)
    weights = torch.softmax(drawn - log_density, dim=0)
    n_effective = 1 / (weights**2).sum()
    assert n_effective > n / 20
    row = (codes * torch.tensor([12, 6, 2, 1])).sum(dim=1)
    made = torch.zeros(60).scatter_add(0, row, weights)
    exact = target / target.sum()
    # Six standard errors of a weighted mean, and what is left of few draws.
    error = 6 * (exact * (1 - exact) / n_effective).sqrt() + 6 / n_effective
    assert ((made - exact).abs() < error).all()


def test_candidates_begin_in_equal_strata():
    """One block of two equal levels: of eight candidates exactly four have each level."""
    layout = Layout([2], [])
    masses, ranks = [np.full(2, 0.5)], [np.full(2, np.nan)]
    networks = AnyOrderNetworks(layout, masses, ranks, 100, 0, 8, 0.0).requires_grad_(False)
    networks.out.zero_()
    evidence = Evidence(torch.full((50, 1), FREE), {}, {})
    codes, _ = networks.draw(evidence, torch.zeros(50, 0), 8, generator())
    assert (codes.view(50, 8).sum(dim=1) == 4).all()


class Searching(Source):
    """Proposes level 15, which alone is likely, twice among 512 candidates or more, else never."""

    has_proposals = True

    def __init__(self):
        self.asked = []

    def propose(self, evidence, given, n_candidates, noise):
        self.asked.append((len(evidence), n_candidates))
        # No other level is proposed twice for a row, so that one candidate has nearly all weight.
        levels = [
            16 + torch.randperm(10_000, generator=noise)[:n_candidates] for _ in evidence.codes
        ]
        codes = torch.stack(levels)
        if n_candidates >= 512:
            codes[:, -2:] = 15
        log_weights = torch.where(codes == 15, 0.0, -50.0 - codes)
        return EncodedTable(codes.view(-1, 1), torch.zeros(codes.numel(), 0)), log_weights


def test_rows_of_few_effective_candidates_get_more():
    source = Searching()
    codes = torch.full((5, 2), FREE)
    codes[:, 1] = torch.arange(5)
    nothing = EncodedTable(torch.zeros(5, 0, dtype=torch.long), torch.zeros(5, 0))
    made = complete(source, Evidence(codes, {}, {}), nothing, generator(seed(0)))
    assert (made.codes == 15).all()
    assert source.asked[0] == (5, 64)
    assert all(n_candidates in (64, 512) for _, n_candidates in source.asked)


class Halves(Source):
    """Proposes 16 levels alike, of which the model makes the first eight three times as often."""

    has_proposals = True

    def propose(self, evidence, given, n_candidates, noise):
        codes = torch.randint(0, 16, (len(evidence) * n_candidates, 1), generator=noise)
        weight = torch.where(codes[:, 0] < 8, 3.0, 1.0).log()
        return EncodedTable(codes, torch.zeros(len(codes), 0)), weight.view(-1, n_candidates)


def test_rows_of_equal_evidence_share_candidates():
    """A hundred rows with one evidence: each level comes out as often as its weight says."""
    nothing = EncodedTable(torch.zeros(1000, 0, dtype=torch.long), torch.zeros(1000, 0))
    evidence = Evidence(torch.full((1000, 1), FREE), {}, {})
    made = complete(Halves(), evidence, nothing, generator(seed(0)))
    rate = float((made.codes < 8).double().mean())
    # Among 20,000 candidates half are below 8, within five standard errors: .75 within .0133.
    assert abs(rate - 0.75) < 0.015


# ---------------------------------------------------------------------- what conditions allow


def test_mass_below_values():
    table = QuantileTable.from_values(np.array([0.0, 0.0, 1.0, 3.0]))
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 9.0])
    assert table.below(values, inclusive=False).tolist() == [0, 0, 0.5, 0.5, 0.625, 0.75, 1]
    assert table.below(values, inclusive=True).tolist() == [0, 0.5, 0.5, 0.5, 0.625, 1, 1]


@pytest.fixture(scope="module")
def table():
    return askable_table()


@pytest.fixture(scope="module")
def encoder(table):
    return Encoder(Schema.infer(table), "bins", n_bins=16, max_categories=3)


def conditional_rows(encoder, table, name, asked, n, rng):
    """Draw a column's values under one condition, from levels at their rates in training."""
    condition = condition_for(encoder, name, *[asked] * n)
    place = encoder.schema.position(name)
    codec = encoder.codecs[place]
    shares = level_shares(codec, condition, np.zeros(1, dtype=np.int64))[0]
    chance = shares * codec.masses
    assert chance.sum() > 0
    levels = rng.choice(len(chance), size=n, p=chance / chance.sum())
    made = codec.decode(levels, np.zeros(n), rng)
    made = decode_within(codec, condition, made, levels, rng)
    return condition.impose(made, np.arange(n))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("integer", pd.Interval(2, 5)),
        ("integer", pd.Interval(2.5, np.inf)),
        ("integer", {3, 7}),
        ("integer", [3, pd.Interval(10, 20)]),
        ("steps", pd.Interval(4, 21)),
        ("float", pd.Interval(-0.5, 0.5)),
        ("cents", pd.Interval(5.0, 9.0, "left")),
        ("zeros", pd.Interval(0.0, 1.0, "both")),
        ("zeros", {0.0, None}),
        ("nullable", PRESENT),
        ("text", {"a", None}),
        ("text", PRESENT),
        ("maybe", [True, None]),
        ("constant", pd.Interval(0, 10)),
        ("constant", {7}),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_values_follow_those_of_training_under_the_condition(encoder, table, name, asked):
    rng = np.random.default_rng(seed(0))
    made = conditional_rows(encoder, table, name, asked, 4000, rng)
    assert made.dtype == table[name].dtype
    members = list(asked) if isinstance(asked, set | list) else [asked]

    def meets(values):
        fits = np.zeros(len(values), dtype=bool)
        for member in members:
            if member is PRESENT:
                fits |= values.notna().to_numpy()
            elif isinstance(member, pd.Interval):
                fits |= np.array([not pd.isna(v) and v in member for v in values])
            elif member is None:
                fits |= values.isna().to_numpy()
            else:
                fits |= (values == member).fillna(False).to_numpy(dtype=bool)
        return fits

    assert meets(made).all()
    real = table[name][meets(table[name])]
    assert abs(made.isna().mean() - real.isna().mean()) < 0.05
    if isinstance(encoder.schema[name].kind, str) and encoder.schema[name].kind in (
        "integer",
        "float",
    ):
        low, high = real.astype(float).min(), real.astype(float).max()
        spread = max(high - low, 1e-9)
        gap = abs(made.astype(float).mean() - real.astype(float).mean())
        # A bin of 25 rows is spread evenly, which moves means within it.
        assert gap < 0.15 * spread


@settings(max_examples=60)
@given(
    low=st.floats(-4, 4),
    width=st.floats(1e-6, 8),
    closed=st.sampled_from(["both", "left", "right", "neither"]),
    name=st.sampled_from(["float", "cents", "integer", "zeros"]),
)
def test_no_value_leaves_its_interval(encoder, table, low, width, closed, name):
    interval = pd.Interval(low, low + width, closed)
    try:
        condition_for(encoder, name, interval)
    except ValueError:
        return
    made = conditional_rows(encoder, table, name, interval, 50, np.random.default_rng(0))
    assert all(value in interval for value in made)


def test_rare_categories_share_a_level_and_come_out_as_asked(encoder, table):
    """Three levels for more categories: the last two share one."""
    schema = Schema.infer(pd.DataFrame({"k": list("aaaaaaaabbbbbbccccdd") * 10}))
    rare = Encoder(schema, "bins", max_categories=3)
    rng = np.random.default_rng(seed(0))
    made = conditional_rows(rare, None, "k", {"d", "a"}, 6000, rng)
    assert set(made) == {"a", "d"}
    # a has 8 rows of 10; five standard errors: one false alarm in 1.7 million runs.
    assert abs((made == "a").mean() - 0.8) < 5 * (0.16 / 6000) ** 0.5


def test_evidence_of_mixed_rows(encoder):
    asked = {
        "text": condition_for(encoder, "text", "a", ANY, {"a", "b"}, PRESENT),
        "float": condition_for(encoder, "float", ANY, 0.5, ANY, pd.Interval(0, 1)),
    }
    evidence = read_evidence(encoder, asked, 4)
    text, number = (encoder.blocks[encoder.schema.position(name)] for name in asked)
    assert evidence.codes[0, text] >= 0 and evidence.codes[1, text] == FREE
    assert evidence.codes[2:, text].tolist() == [OPEN, OPEN]
    assert evidence.codes[:, number].tolist()[0] == FREE and evidence.codes[3, number] == OPEN
    assert evidence.codes[1, number] >= 0
    others = [b for b in range(evidence.codes.shape[1]) if b not in (text, number)]
    assert (evidence.codes[:, others] == FREE).all()
    assert evidence.shares[text][evidence.which[text][3]][-1] == 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (set(), "conditions: 'text' is to be one of no values; give at least one."),
        ({"a", "zebra"}, "conditions: 'text' was learnt without 'zebra'; it took ..."),
    ],
)
def test_sets_that_are_refused(encoder, asked, message):
    with pytest.raises(ValueError, match=says(message)):
        condition_for(encoder, "text", asked)


def test_wildcards_say_their_names():
    assert repr(ANY) == "tabgan.ANY" and repr(PRESENT) == "tabgan.PRESENT"
    assert tabgan.ANY is ANY


# ---------------------------------------------------------------------- estimators


@pytest.fixture(scope="module")
def coins():
    """A model that knows whether two coins differ, and the number that follows."""
    return AutoregressiveSynthesizer(
        n_steps=600, hidden_dim=32, random_state=seed(0), acceptance_rounds=0
    ).fit(xor_table(3000, seed=seed(0)))


def test_any_known_columns_are_kept_and_tell_the_others(coins):
    real = xor_table(2000, seed=seed(1))
    real["number"] = real["number"].clip(-5.0, 5.0)
    rng = np.random.default_rng(seed(0))
    is_asked = rng.random(real.shape) < 0.5
    made = coins.sample(conditions=real.astype(object).where(is_asked, ANY), random_state=0)
    assert (made.dtypes == real.dtypes).all()
    assert ((made == real) | ~is_asked).all().all()
    differ = made["a"] ^ made["b"]
    # Real rows agree in 90 % of the cases; independent coins would in half of them.
    assert (made["differ"] == differ).mean() > 0.8
    assert (made["differ"] == (made["number"] > 0)).mean() > 0.9


def test_intervals_and_sets_tell_the_other_columns(coins):
    high = coins.sample(500, conditions={"number": pd.Interval(2, 5)}, random_state=0)
    assert high["number"].between(2, 5).all() and (high["number"] > 2).all()
    assert high["differ"].mean() > 0.9
    ends = coins.sample(
        500,
        conditions={"number": [pd.Interval(-np.inf, -2), pd.Interval(2, np.inf)], "a": {True}},
        random_state=0,
    )
    assert (ends["number"].abs() >= 2).all() and ends["a"].all()
    assert 0.3 < ends["differ"].mean() < 0.7


def test_the_posterior_is_that_of_the_scores(coins):
    rows = xor_table(50, seed=seed(2))
    made = coins.conditional_proba(rows, "differ")
    assert set(made.columns) == {False, True}
    of_levels = np.column_stack(
        [coins.score_samples(rows.assign(differ=value)) for value in made.columns]
    )
    exact = np.exp(of_levels - np.logaddexp.reduce(of_levels, axis=1, keepdims=True))
    np.testing.assert_allclose(made, exact, atol=1e-5)
    some = coins.conditional_proba(rows[["number"]], "differ")
    np.testing.assert_allclose(some.sum(axis=1), 1.0, atol=1e-5)
    agree = some.iloc[:, some.columns.to_list().index(True)] > 0.5
    assert (agree == (rows["number"] > 0)).mean() > 0.9
    numbers = coins.conditional_proba(rows, "number")
    assert all(isinstance(label, float | pd.Interval) for label in numbers.columns)
    positive = [(x if isinstance(x, float) else x.left) >= 0 for x in numbers.columns]
    assert (numbers.loc[rows["differ"].to_numpy(), positive].sum(axis=1) > 0.9).all()


@pytest.mark.parametrize(
    ("column", "drops", "message"),
    [
        ("colour", [], "column must be one of ['a', 'b', 'differ', 'number'], got 'colour'."),
        ("a", ["b", "differ", "number"], "X must have rows and at least one of the columns ..."),
    ],
)
def test_posteriors_that_are_refused(coins, column, drops, message):
    rows = xor_table(5, seed=0).drop(columns=drops)
    with pytest.raises(ValueError, match=says(message)):
        coins.conditional_proba(rows, column)


@pytest.fixture(scope="module")
def gaps():
    """The coins with a third of the values missing at random."""
    rng = np.random.default_rng(seed(0))
    real = xor_table(3000, seed=seed(3)).astype({"a": "boolean", "b": "boolean"})
    return real.mask(rng.random(real.shape) < 0.33)


def test_unknown_values_still_teach_and_never_come_out(gaps):
    # Rows are asked for that hold the least and the greatest numbers.
    model = AutoregressiveSynthesizer(
        n_steps=600, hidden_dim=32, missing="unknown", random_state=seed(0), privacy="none"
    ).fit(gaps)
    made = model.sample(2000, random_state=0)
    assert made.notna().all().all()
    differ = made["a"] ^ made["b"]
    assert (made["differ"].astype(bool) == differ).mean() > 0.75
    filled = model.sample(conditions=gaps.astype(object).where(gaps.notna(), ANY), random_state=0)
    known = gaps.notna()
    assert ((filled.astype(object) == gaps.astype(object)) | ~known).all().all()
    with pytest.raises(ValueError, match="never was in training"):
        model.sample(conditions={"a": None})


@pytest.fixture(scope="module")
def small():
    table = askable_table(120)
    return table[["text", "category", "zeros", "nullable", "day", "flag", "constant", "absent"]]


@pytest.fixture(scope="module", params=["autoregressive", "cgan"])
def fitted(request, small):
    shared = {"n_steps": 2, "hidden_dim": 8, "random_state": 0, "batch_size": 50}
    shared["privacy"] = "none"  # every value is asked for, rare ones and ends too
    if request.param == "cgan":
        return CGANSynthesizer(condition_columns="any", latent_dim=4, **shared).fit(small)
    return AutoregressiveSynthesizer(**shared).fit(small)


def test_every_row_keeps_every_known_value(fitted, small):
    """Models that learnt nothing: whatever they draw, conditions hold."""
    rng = np.random.default_rng(0)
    is_asked = rng.random(small.shape) < 0.5
    asked = small.astype(object).where(is_asked, ANY)
    made = fitted.sample(conditions=asked, random_state=0)
    assert (made.dtypes == small.dtypes).all()
    same = (made.astype(object) == small.astype(object)).fillna(False)
    same |= made.isna() & small.isna()
    assert (same | ~is_asked).all().all()


def test_rates_are_met_to_the_row(fitted):
    made = fitted.sample(
        200,
        rates={"category": {"x": 0.25}, "text": {None: 0.1, "a": 0.5}},
        conditions={"flag": True},
        random_state=0,
    )
    assert (made["category"] == "x").sum() in (49, 50, 51)
    assert made["text"].isna().sum() in (19, 20, 21)
    assert (made["text"] == "a").sum() in (99, 100, 101)
    assert made["flag"].all()


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({}, "rates must map columns to rates of their values, such as ..."),
        ({"colour": {"x": 0.5}}, "rates names 'colour', which is not a column; columns: ..."),
        ({"category": 0.5}, "rates['category'] must map values to rates, got 0.5."),
        ({"category": {"x": 1.5}}, "rates['category']['x'] must lie in [0, 1], got 1.5."),
        (
            {"category": {"x": 0.7, "y": 0.7}},
            "rates['category'] add up to 1.4; they may add up to 1 at most.",
        ),
        ({"flag": {True: 0.5}}, "rates and conditions both name 'flag'; name it once."),
    ],
)
def test_rates_that_are_refused(fitted, rates, message):
    with pytest.raises(ValueError, match=says(message)):
        fitted.sample(5, rates=rates, conditions={"flag": True})


def test_rates_by_rejection(small):
    model = WGANSynthesizer(n_steps=1, hidden_dim=8, latent_dim=4, random_state=0).fit(small)
    made = model.sample(40, rates={"category": {"x": 0.75}}, random_state=0)
    assert (made["category"] == "x").sum() == 30


def test_what_rejection_finds_is_not_lost(small):
    # The first day and the greatest number are asked for.
    model = WGANSynthesizer(
        n_steps=1, hidden_dim=8, latent_dim=4, random_state=0, privacy="none"
    ).fit(small)
    first, last = small["day"].min(), small["day"].max()
    asked = pd.DataFrame({"category": objects("x", "y", "x"), "text": objects(ANY, "c", ANY)})
    asked["day"] = objects(ANY, pd.Interval(first, first, "both"), ANY)
    asked["nullable"] = objects(ANY, int(small["nullable"].max()), pd.NA)
    assert first < last
    with pytest.warns(UserWarning, match="The rarest is"):
        made = model.sample(
            conditions=asked, on_shortfall="partial", time_limit=1e-6, random_state=0
        )
    assert set(made.index) <= {0, 1, 2}
    assert made["category"].to_list() == [asked["category"][i] for i in made.index]
    with pytest.raises(ValueError, match=says('on_shortfall must be "raise" or "partial", ...')):
        model.sample(conditions=asked, on_shortfall="nothing")
