"""Differential privacy: the accountant, the noise, and that rows are read by mechanisms alone."""

from __future__ import annotations

import gc
import json
import math
import pickle
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from contract import carry_by_pickle, says
from safetensors import safe_open
from scipy import stats
from seeds import seed
from sklearn.base import clone

from tabgan import DPSynthesizer
from tabgan.adversarial.training import Training, TrainingRule
from tabgan.checks import ParameterError
from tabgan.datasets import make_mixed_table
from tabgan.models.dp import MarginalGame, NoRows
from tabgan.networks.mixtures import ProductMixture
from tabgan.private import curator as rows
from tabgan.private.accounting import (
    delta_of,
    epsilon_of,
    gaussian_sigma,
    rho_of,
    selection_epsilon,
    threshold,
)
from tabgan.private.answers import Answers
from tabgan.private.curator import Budget, BudgetError, Curator, Places, Spent, total_epsilon
from tabgan.private.noise import MAX_SIGMA, Noise, reproducible_noise
from tabgan.table.layout import Layout

# Epsilon of a Gaussian mechanism with rho = 1 / (2 sigma^2), for delta = 1e-9, 1e-6 and 1e-3, from
# `RdpAccountant` of dp-accounting 0.6.0 with 2,600 orders 1 + 10 ** (k / 200) from 1 + 1e-7 to
# 1 + 1e6. A grid of orders gives slightly more than the best order does.
DELTAS = (1e-9, 1e-6, 1e-3)
REFERENCE = {
    0.001: (0.2451193704691803, 0.18289791650183773, 0.09036270487799222),
    0.0244: (1.2908742762618348, 1.0009741516584345, 0.5957674100339538),
    0.1: (2.7155034807413356, 2.141970568973977, 1.3562119241590929),
    0.5: (6.4741451681896445, 5.221543424960961, 3.5365784610739155),
    2.0: (14.150147553874598, 11.688623729054617, 8.416064995317598),
    10.0: (37.637559713440865, 32.22194296900069, 25.08873533112905),
}
ALARM = 1e-6
"""Chance that a sound sampler fails one of these tests."""


def settings(**others):
    return {"n_steps": 2, "hidden_dim": 4, "random_state": 0, **others}


# ---------------------------------------------------------------------- the accountant


@pytest.mark.parametrize("rho", REFERENCE)
def test_epsilon_is_that_of_another_accountant(rho):
    for delta, reference in zip(DELTAS, REFERENCE[rho], strict=True):
        assert epsilon_of(rho, delta) == pytest.approx(reference, rel=2e-5)


def test_epsilon_is_that_of_the_accountant_that_is_installed():
    accountant = pytest.importorskip("dp_accounting.rdp.rdp_privacy_accountant")
    event = pytest.importorskip("dp_accounting").GaussianDpEvent
    orders = [1 + 10 ** (k / 100) for k in range(-400, 500)]
    for rho in (0.01, 0.3):
        other = accountant.RdpAccountant(orders).compose(event(math.sqrt(1 / (2 * rho))))
        assert epsilon_of(rho, 1e-6) == pytest.approx(other.get_epsilon(1e-6), rel=1e-3)


@pytest.mark.parametrize("epsilon", [1e-6, 0.01, 1.0, 10.0, 1e3, 1e9])
def test_the_budget_of_a_promise_keeps_it(epsilon):
    for delta in (1e-12, 1e-6, 0.1):
        rho = rho_of(epsilon, delta)
        assert 0 < rho <= epsilon + 1
        assert delta_of(rho, epsilon) <= delta
        assert epsilon_of(rho, delta) <= epsilon * (1 + 1e-9)
        # A little more would break it.
        assert delta_of(rho * (1 + 1e-6), epsilon) > delta


def test_the_conversion_is_no_better_than_the_truth():
    """The exact delta of the Gaussian mechanism lies below (Balle and Wang, 2018, theorem 8)."""
    for rho in (0.01, 0.2, 2.0):
        mu = math.sqrt(2 * rho)
        for epsilon in (0.1, 1.0, 3.0):
            exact = stats.norm.cdf(mu / 2 - epsilon / mu)
            exact -= math.exp(epsilon) * stats.norm.cdf(-mu / 2 - epsilon / mu)
            assert exact <= delta_of(rho, epsilon) <= 1


def test_costs_of_single_mechanisms():
    assert gaussian_sigma(0.5) == 1.0
    assert selection_epsilon(0.125) == 1.0


@pytest.mark.parametrize("sigma", [1e-4, 0.3, 1.0, 7.5, 80.0])
def test_a_value_of_one_row_is_named_as_rarely_as_promised(sigma):
    for delta in (1e-3, 1e-8):
        least = threshold(sigma, delta)
        far = np.arange(least - 1, least + int(40 * sigma) + 40, dtype=np.float64)
        every = np.arange(-int(40 * sigma) - 40, int(40 * sigma) + 41, dtype=np.float64)
        mass = np.exp(-(every**2) / (2 * sigma**2)).sum()
        assert np.exp(-(far**2) / (2 * sigma**2)).sum() / mass <= delta
        assert least <= 3 + sigma * stats.norm.isf(delta)


def test_a_budget_cannot_be_exceeded():
    budget = Budget(1.0, 1e-6)
    budget.spend(Spent("Gaussian", "this", 0.75, 0.0))
    assert budget.left == pytest.approx(0.25)
    told = "Gaussian of that costs rho = 0.5 and delta = 0, and 0.25 is left of rho = 1."
    with pytest.raises(BudgetError, match=says(told)):
        budget.spend(Spent("Gaussian", "that", 0.5, 0.0))
    with pytest.raises(BudgetError):
        budget.spend(Spent("Gaussian", "that", 0.1, 1e-5))
    with pytest.raises(BudgetError):
        budget.spend(Spent("Gaussian", "that", 0.0, 0.0))
    budget.spend(Spent("Gaussian", "that", 0.25, 1e-6))
    assert len(budget.ledger) == 2
    assert total_epsilon(budget.ledger, 2e-6) == epsilon_of(1.0, 1e-6)


# ---------------------------------------------------------------------- noise


@pytest.mark.parametrize("sigma", [0.2, 0.9, 3.0, 40.0])
def test_noise_is_discrete_gaussian(sigma):
    n, drawn = 20_000, Noise().gaussian(sigma, 20_000)
    most = int(6 * sigma) + 3
    values = np.arange(-most, most + 1)
    chance = np.exp(-(values.astype(float) ** 2) / (2 * sigma**2))
    chance /= chance.sum()
    assert np.abs(drawn).max() <= most + 10 * sigma
    counts = np.bincount(np.clip(drawn, -most, most) + most, minlength=len(values))
    # Neighbouring values share a bin until each bin expects twenty.
    bins = np.minimum((np.cumsum(n * chance) // 20).astype(int), int(n // 20) - 1)
    seen, expected = np.bincount(bins, counts), np.bincount(bins, n * chance)
    seen, expected = seen[expected > 0], expected[expected > 0]
    assert stats.chisquare(seen, expected).pvalue > ALARM


def test_noise_of_no_and_of_too_much_width():
    assert not Noise().gaussian(1e-5, 1000).any()
    assert np.abs(Noise().gaussian(MAX_SIGMA, 100)).max() < 2.0**53
    with pytest.raises(ValueError, match="raise epsilon"):
        Noise().gaussian(2 * MAX_SIGMA, 1)


@pytest.mark.parametrize("gamma", [Fraction(1), Fraction(1, 7), Fraction(123, 10), Fraction(0)])
def test_a_comparison_that_rounding_could_change_is_exact(gamma):
    noise, chance = Noise(), math.exp(-gamma)
    # The uniform number agrees with the probability in its first 50 bits.
    edge = int(chance * 2**53) << 11
    assert noise._is_below(max(0, edge - 2**14), gamma)
    if gamma:
        assert not noise._is_below(edge + 2**14, gamma)


def test_doubtful_comparisons_go_to_exact_arithmetic(monkeypatch):
    noise, asked = Noise(), []
    first = np.array([int(math.exp(-1) * 2**64), 5, 2**63], dtype=np.uint64)
    monkeypatch.setattr(noise, "bits", lambda n: first[:n])
    monkeypatch.setattr(noise, "_is_below", lambda known, gamma: asked.append(gamma) or True)
    happened = noise.happens(np.ones(3), 0.0, lambda i: Fraction(i + 1))
    assert asked == [Fraction(1)] and happened.tolist() == [True, True, False]


def test_integers_below_an_end_are_uniform():
    drawn = Noise().below(7, 7000)
    assert stats.chisquare(np.bincount(drawn, minlength=7)).pvalue > ALARM
    assert not Noise().below(1, 5).any()


def test_choices_are_those_of_the_exponential_mechanism():
    noise, scores, scale = Noise(), np.array([3.0, 1.0, 3.5, -40.0]), 0.8
    chance = np.exp(scale * (scores - scores.max()))
    picked = np.bincount([noise.choose(scores, scale) for _ in range(2000)], minlength=4)
    assert picked[3] == 0
    expected = 2000 * chance / chance.sum()
    assert stats.chisquare(picked[:3], expected[:3] * 2000 / expected[:3].sum()).pvalue > ALARM


def test_noise_comes_from_the_operating_system(monkeypatch):
    read = []
    monkeypatch.setattr("secrets.token_bytes", lambda n: read.append(n) or bytes(n))
    Noise().below(4, 3)
    assert read


def test_only_reproducible_noise_follows_from_a_seed():
    one, other = (Noise().gaussian(9.0, 50).tolist() for _ in range(2))
    assert one != other
    with pytest.warns(UserWarning, match="not differentially private") as told:
        with reproducible_noise(1):
            one, other = (Noise().gaussian(9.0, 50).tolist() for _ in range(2))
    assert one == other and len(told) == 1
    assert Noise().gaussian(9.0, 50).tolist() != one


# ---------------------------------------------------------------------- what a row can change


def curated(frame, rho=1e30, delta=0.5):
    return Curator(frame, Budget(rho, delta), Noise())


def answers_of(frame, monkeypatch, sigma_rho=1e12):
    """Ask each mechanism once, without noise, and return what it was about to add noise to."""
    asked = curated(frame)
    found = [asked.count("a", lambda values: values.to_numpy() % 3, 3, sigma_rho, "").values]
    values, counts = asked.common_values("b", sigma_rho, 0.4, "")
    named = dict(zip(values, counts.values, strict=False))
    found.append(np.array([named.get(value, 0) for value in "xyz"] + [counts.values[-1]]))
    places = Places((0, 3), (3, 2), 5)
    asked.encode(lambda t: np.stack([t["a"] % 3, t["a"] % 2], axis=1), places)
    found += [asked.marginal(0, sigma_rho, "").values, asked.pair(0, 1, sigma_rho, "").values]
    scores = []
    monkeypatch.setattr(Noise, "choose", lambda _, given, scale: scores.append(given) or 0)
    predicted = np.arange(25.0).reshape(5, 5)
    asked.worst_pair([(0, 1), (1, 0)], predicted, np.zeros(2), sigma_rho, "")
    return found, scores[0]


def test_one_row_more_changes_each_answer_by_one_at_most(monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.integers(0, 9, 50), "b": rng.choice(["x", "y", None], 50)})
    for row in ({"a": 4, "b": "x"}, {"a": 3, "b": None}, {"a": 0, "b": "y"}):
        more = pd.concat([frame, pd.DataFrame([row])], ignore_index=True)
        (one, one_scores), (other, other_scores) = (
            answers_of(each, monkeypatch) for each in (frame, more)
        )
        for before, after in zip(one, other, strict=True):
            assert np.abs(after - before).sum() == 1
        assert (np.abs(other_scores - one_scores) <= 1 + 1e-9).all()


def test_a_curator_gives_no_rows_away():
    secret = pd.DataFrame({"a": [7, 8]})
    held = curated(secret)
    assert not any("frame" in name for name in dir(held) if not name.startswith("_Curator"))
    with pytest.raises(TypeError, match="never written"):
        pickle.dumps(held)


def public_table(n, offset, rate, words):
    """Make a table whose labels and dtypes are always the same."""
    rng = np.random.default_rng(n)
    return pd.DataFrame(
        {
            "number": rng.normal(size=n) * rate + offset,
            "whole": rng.integers(0, 5 + offset, n),
            "word": rng.choice(words, n),
            "flag": rng.random(n) < min(0.9, rate),
            "day": pd.Timestamp("2001-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D"),
        }
    ).astype({"word": object})


def kept_by(table, path):
    """Return all that a fit on a table leaves: file, history, ledger, warnings, rows."""
    with warnings.catch_warnings(record=True) as caught, reproducible_noise(3):
        warnings.simplefilter("always")
        model = DPSynthesizer(**settings(n_steps=30, epsilon=0.5)).fit(table)
    model.save(path)
    with safe_open(path, framework="pt") as file:
        document = json.loads(file.metadata()["tabgan"])
        tensors = {name: file.get_tensor(name).numpy().tobytes() for name in file.keys()}
    training = document["state"]["value"]
    (run,) = (value for key, value in training if key == "training")
    text = json.dumps(document)
    seconds = json.dumps([v for k, v in run["value"] if k == "history"])
    history = model.history_.drop(columns="seconds").to_json()
    stripped = text.replace(seconds[1:-1], "").replace(str(model._core.training.seconds), "")
    told = [str(each.message) for each in caught]
    return stripped, tensors, history, model.privacy_.to_json(), told, model.sample(40, 1).to_json()


def test_nothing_but_answers_reaches_what_fit_leaves(monkeypatch, tmp_path):
    """With mechanisms that answer without a look at the rows, two tables leave the same.

    So whatever a fit leaves follows from public matters, the seed and what mechanisms answered.
    """

    def blind(self, counts, rho):
        sigma = gaussian_sigma(rho)
        drawn = np.random.default_rng(len(counts)).integers(-50, 200, len(counts))
        return rows.NoisyCounts(drawn, sigma)

    monkeypatch.setattr(Curator, "_noisy", blind)
    monkeypatch.setattr(
        Curator,
        "common_values",
        lambda self, name, rho, delta, what: (
            self.budget.spend(Spent("blind", what, rho, delta)) or ["a", "b"],
            rows.NoisyCounts(np.array([90, 40, 30]), 1.0),
        ),
    )
    monkeypatch.setattr(Noise, "choose", lambda self, scores, scale: 0)
    one = kept_by(public_table(60, 0, 0.1, ["a", "b"]), tmp_path / "one")
    other = kept_by(public_table(151, 40, 9.0, ["much", "else", None]), tmp_path / "other")
    for left, right in zip(one, other, strict=True):
        assert left == right


def test_no_row_outlives_the_fit():
    gc.collect()
    model = DPSynthesizer(**settings(epsilon=3.0)).fit(public_table(80, 0, 0.5, ["u", "v"]))
    gc.collect()
    assert not any(isinstance(each, Curator) for each in gc.get_objects())
    held = [*vars(model).values(), *vars(model._core).values()]
    assert not any(isinstance(value, pd.DataFrame) for value in held)


def test_what_one_row_alone_holds_is_not_named():
    rng = np.random.default_rng(0)
    names = [f"secret-{i}" for i in range(300)]
    table = pd.DataFrame({"name": names, "kind": rng.choice(["u", "v"], 300)})
    told = "no category of ['name'] is common enough to be named with epsilon=5, and ..."
    with pytest.warns(UserWarning, match=says(told)):
        model = DPSynthesizer(**settings(epsilon=5.0)).fit(table)
    assert model.schema_["name"].categories == ()
    assert sorted(model.schema_["kind"].categories) == ["u", "v"]
    assert model.sample(5)["name"].isna().all()


# ---------------------------------------------------------------------- the estimator's promise


def test_an_ordered_dtype_keeps_its_order_and_lists_what_was_named():
    sizes = pd.CategoricalDtype(["small", "medium", "large", "never"], ordered=True)
    table = pd.DataFrame({"size": pd.Series(["large", "small", "medium"] * 200, dtype=sizes)})
    made = DPSynthesizer(**settings(epsilon=5.0)).fit(table).sample(9)
    assert made["size"].cat.ordered
    assert made["size"].cat.categories.tolist() == ["small", "medium", "large"]


def test_the_ledger_keeps_the_promise():
    table = make_mixed_table(400, missing=0.1, random_state=0)
    for epsilon in (0.2, 4.0):
        model = DPSynthesizer(**settings(epsilon=epsilon, delta=1e-5)).fit(table)
        ledger = model.privacy_
        assert list(ledger) == ["mechanism", "what", "rho", "delta"]
        assert model.epsilon_ <= epsilon * (1 + 1e-6)
        # With little to spend, no category is named, and there are no pairs to spend more on.
        assert epsilon < 1 or model.epsilon_ > 0.999 * epsilon
        assert model.delta_ == 1e-5 and ledger["delta"].sum() < 1e-5
        assert model.rho_ == pytest.approx(ledger["rho"].sum())
        again = carry_by_pickle(model)
        pd.testing.assert_frame_equal(again.privacy_, ledger)


def test_the_same_seed_makes_other_noise_and_the_number_of_rows_is_noisy():
    table = make_mixed_table(300, random_state=0)
    one, other = (DPSynthesizer(**settings(epsilon=0.3)).fit(table) for _ in range(2))
    assert one._n_rows != 300 or other._n_rows != 300
    assert not one.sample(50, 0).equals(other.sample(50, 0))


def test_later_calls_spend_nothing_and_read_no_rows(monkeypatch):
    table = make_mixed_table(200, random_state=0)
    model = DPSynthesizer(**settings(epsilon=1.0)).fit(table)
    spent, n_rows = model.privacy_, model._n_rows
    monkeypatch.setattr(Curator, "__init__", None)
    model.partial_fit(table.head(3))
    model.set_params(warm_start=True).fit(table.tail(7))
    pd.testing.assert_frame_equal(model.privacy_, spent)
    assert model.n_steps_ == 6 and model._n_rows == n_rows
    assert not hasattr(clone(model), "_core")


def test_infinite_and_missing_numbers_are_no_errors():
    values = np.r_[np.random.default_rng(0).normal(size=300), np.inf, -np.inf, np.nan]
    table = pd.DataFrame({"x": values, "n": pd.array([1, 2, None] * 101, dtype="Int64")})
    for told in ({}, {"bounds": {"x": (-3, 3), "n": (0, 5)}}):
        made = DPSynthesizer(**settings(epsilon=50.0, **told)).fit(table).sample(200, 0)
        assert np.isfinite(made["x"].dropna()).all()
        assert made["n"].isna().mean() == pytest.approx(1 / 3, abs=0.2)
        assert not told or made["x"].dropna().between(-3, 3).all()


def test_numbers_that_are_categories_may_be_missing():
    values = pd.Series([3, 1, None] * 100, dtype=pd.CategoricalDtype([1, 2, 3], ordered=True))
    made = DPSynthesizer(epsilon=50.0, n_steps=2, random_state=0).fit(values.to_frame("x"))
    made = made.sample(300, random_state=0)["x"]
    assert list(made.dtype.categories) == [1, 3] and made.dtype.ordered
    assert made.isna().mean() == pytest.approx(1 / 3, abs=0.1)


def test_a_narrow_float_holds_the_range_that_is_found():
    table = pd.DataFrame({"x": pd.Series(np.arange(40) * 1600.0, dtype="float16")})
    model = DPSynthesizer(epsilon=0.01, n_steps=2, random_state=0).fit(table)
    made = model.sample(100, random_state=0)["x"]
    assert made.dtype == "float16" and np.isfinite(made).all()


def test_ranges_that_nobody_told_are_found():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "small": rng.normal(3, 0.01, 3000),
            "large": rng.normal(-4e7, 1e5, 3000),
            "atom": np.where(rng.random(3000) < 0.8, 12.5, rng.random(3000) * 100),
            "count": rng.poisson(4, 3000),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, 3000), "D"),
        }
    )
    made = DPSynthesizer(epsilon=10.0, n_steps=60, hidden_dim=64, steps={"day": "1D"}).fit(table)
    made = made.sample(3000, 0)
    for name in ("small", "large", "count"):
        spread = table[name].std()
        assert abs(made[name].mean() - table[name].mean()) < spread, name
        assert 0.5 * spread < made[name].std() < 2 * spread, name
    assert (made["atom"] == 12.5).mean() == pytest.approx(0.8, abs=0.05)
    assert abs((made["day"].median() - table["day"].median()).days) < 120
    assert (made["day"] == made["day"].dt.normalize()).all()


def test_what_is_public_must_fit_the_columns():
    table = pd.DataFrame({"x": [0.5, 1.5], "n": [1, 2], "w": ["a", "b"]})
    for settings_of, told in (
        ({"bounds": {"z": (0, 1)}}, "bounds names 'z', which is not a column; columns: ..."),
        ({"steps": {"x": 0.3}}, "steps of 'x', a column of dtype ..., must be 1 or a power..."),
        (
            {"steps": {"n": 0}},
            "steps of 'n', a column of dtype ..., must be a positive integer...",
        ),
        (
            {"steps": {"w": 1}},
            "steps of 'w', a column of dtype ..., must be a positive duration...",
        ),
        ({"bounds": {"x": (2, 1)}}, "bounds of 'x' must be ascending, got (2, 1)."),
        ({"bounds": {"w": (1, 2)}}, "bounds names 'w', which is a column of categories; ..."),
        ({"categories": {"w": ["a", "a"]}}, "categories of 'w' must differ, got ['a', 'a']."),
    ):
        with pytest.raises(ParameterError, match=says(told)):
            DPSynthesizer(**settings(**settings_of)).fit(table)
    with pytest.raises(TypeError, match="never read a part at a time|needs it whole"):
        DPSynthesizer(**settings()).fit([table, table])


# ---------------------------------------------------------------------- the mixture


def test_rows_given_levels_are_drawn_exactly():
    table = make_mixed_table(300, random_state=0)
    model = DPSynthesizer(**settings(n_steps=20, epsilon=50.0)).fit(table)
    core = model._core
    streams = model._streams(0)
    free = core.rows.draw(40_000, streams)
    for asked in ({"colour": "red"}, {"length": pd.Interval(0, 1)}, {"colour": {"red", "blue"}}):
        ((name, wanted),) = asked.items()
        if isinstance(wanted, pd.Interval):
            matching = free[free[name].between(wanted.left, wanted.right)]
        else:
            matching = free[free[name].isin([wanted] if isinstance(wanted, str) else wanted)]
        made = model.sample(4000, seed(0), conditions=asked)
        for other in ("size", "bought", "channel"):
            counts = pd.DataFrame(
                {"free": matching[other].value_counts(), "asked": made[other].value_counts()}
            ).fillna(0)
            counts = counts[counts.sum(axis=1) >= 20]
            assert len(counts) < 2 or stats.chi2_contingency(counts).pvalue > ALARM, (asked, other)


def test_likelihoods_of_all_rows_add_up_to_one():
    table = pd.DataFrame({"a": list("pqr") * 20, "b": list("uvvu") * 15})
    model = DPSynthesizer(**settings(n_steps=9, epsilon=50.0)).fit(table)
    core = model._core
    grid = torch.cartesian_prod(torch.arange(3), torch.arange(2))
    given = core.encoding.conditions.draw(6, np.random.default_rng(0))
    real = core.encoding.encode(table.head(6), np.random.default_rng(0))
    every = type(real)(type(real.made)(grid, real.made.scalars), given)
    assert core.source.log_likelihood(every).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_marginals_are_those_that_were_answered():
    table = make_mixed_table(2000, random_state=0)
    model = DPSynthesizer(epsilon=100.0, n_steps=600, hidden_dim=64, random_state=0).fit(table)
    made, distances = model.sample(4000, 0), []
    for one, other in (("colour", "size"), ("member", "bought"), ("channel", "colour")):
        real = pd.crosstab(table[one], table[other], normalize=True)
        ours = pd.crosstab(made[one], made[other], normalize=True).reindex_like(real).fillna(0)
        distances.append(0.5 * np.abs(ours - real).to_numpy().sum())
    assert np.mean(distances) < 0.06


def chain():
    """Return probabilities of three columns, of which the outer ones hang on the middle one."""
    middle, of_one = [0.4, 0.6], [[0.9, 0.2], [0.1, 0.8]]
    of_other = [[0.7, 0.1], [0.2, 0.2], [0.1, 0.7]]
    return np.einsum("b,ab,cb->abc", middle, of_one, of_other)


def marginal(joint, *kept):
    return joint.sum(tuple(set(range(joint.ndim)) - set(kept)))


def test_dependence_is_bounded_from_above():
    layout = Layout([2, 3, 2], [])
    mixture = ProductMixture(layout, torch.zeros(layout.width), 6)
    grid = torch.cartesian_prod(*(torch.arange(n) for n in layout.n_levels))
    with torch.no_grad():
        levels = mixture.log_levels()
        hot = layout.expand(grid, torch.zeros(len(grid), 0))
        of_rows = hot @ levels.masked_fill(layout.level_mask.isinf(), 0.0).T
        for chosen in ([0, 1, 2, 3, 4, 5], [2, 2, 5], [3], [1, 1]):
            joint = of_rows[:, chosen].exp().mean(1).reshape(layout.n_levels).double().numpy()
            product = np.einsum("a,b,c->abc", *(marginal(joint, i) for i in range(3)))
            exact = float((joint * np.log(joint / product)).sum())
            bound = float(mixture.dependence(torch.tensor(chosen)))
            assert exact - 1e-5 <= bound <= exact + 0.2
            assert len(set(chosen)) > 1 or bound == pytest.approx(0, abs=1e-5)


def test_pairs_that_nobody_counted_hang_together_no_more_than_they_must(monkeypatch):
    monkeypatch.setattr("tabgan.models.dp.INDEPENDENCE", 0.1)
    joint, n, layout = chain(), 10_000, Layout([2, 2, 3], [])
    places = Places(tuple(layout.offsets.tolist()), tuple(layout.n_levels), layout.width)
    answers = Answers(places)
    for blocks in ((0,), (1,), (2,), (0, 1), (1, 2)):
        counts = np.rint(n * marginal(joint, *blocks)).astype(np.int64).ravel()
        answers.add(blocks, rows.NoisyCounts(counts, 1.0))
    game = MarginalGame(ProductMixture(layout, torch.zeros(layout.width), 64))
    game.ask(answers, float(n))
    training = Training(game, TrainingRule.of(DPSynthesizer.plan, 0.05))
    training.run(NoRows(layout), 400, 1, torch.Generator().manual_seed(seed(0)))
    with torch.no_grad():
        pairs = game.marginals()[1].numpy()
    errors = {
        (i, j): 0.5 * np.abs(pairs[places.of(i), places.of(j)] - marginal(joint, i, j)).sum()
        for i, j in ((0, 1), (1, 2), (0, 2))
    }
    assert max(errors[0, 1], errors[1, 2]) < 0.02
    # Without the penalty it is about 0.08, and that of independent columns is 0.2.
    assert errors[0, 2] < 0.04


# ---------------------------------------------------------------------- an audit


def lower_epsilon(with_canary, without, delta, confidence=1 - 1e-4):
    """Bound epsilon from below by an attack on outcomes, with Clopper-Pearson intervals.

    Half of the outcomes choose the threshold above which the attack says "canary", and the other
    half count how often that is right and wrong (Jagielski et al., 2020, "Auditing Differentially
    Private Machine Learning", arXiv 2006.07709).
    """
    (first, ins), (second, outs) = (np.split(np.asarray(x), 2) for x in (with_canary, without))
    tried = np.quantile(second, [0.5, 0.8, 0.95, 0.99])
    gains = [((first > t).mean() - delta) / max((second > t).mean(), 0.02) for t in tried]
    best = tried[int(np.argmax(gains))]
    n_right, n_wrong = int((ins > best).sum()), int((outs > best).sum())
    tail = (1 - confidence) / 2
    least = stats.beta.ppf(tail, n_right, len(ins) - n_right + 1) if n_right else 0.0
    most = stats.beta.isf(tail, n_wrong + 1, len(outs) - n_wrong) if n_wrong < len(outs) else 1.0
    return math.log(max(1.0, (least - delta) / most)) if least > delta else 0.0


def outcomes(n, epsilon, delta, is_in):
    """Fit n times on a table with or without a canary, and score each fit by how canary-like it is.

    The score is the log-likelihood ratio of all answers, given a table with and without the canary.
    """
    base = pd.DataFrame({"a": list("pq") * 6, "b": list("uvv") * 4})
    canary = pd.DataFrame({"a": ["r"], "b": ["w"]})
    table = pd.concat([base, canary], ignore_index=True) if is_in else base
    told = {"a": ["p", "q", "r"], "b": ["u", "v", "w"]}
    scores = []
    for _ in range(n):
        model = DPSynthesizer(
            epsilon=epsilon, delta=delta, categories=told, n_steps=0, hidden_dim=1, random_state=0
        ).fit(table)
        score, encoder = 0.0, model._core.encoding.encoder
        levels = [
            codec.level_labels().index(value)
            for codec, value in zip(encoder.codecs, ("r", "w"), strict=True)
        ]
        for answer in model._answers.answers:
            counts = answer.counts
            shape = [len(encoder.codecs[encoder.blocks.index(i)].masses) for i in answer.blocks]
            at = tuple(levels[encoder.blocks.index(i)] for i in answer.blocks)
            score += counts.values.reshape(shape)[at] / counts.sigma**2
        scores.append(score)
    return scores


def audited(n, epsilon=1.0, delta=0.1):
    return lower_epsilon(
        outcomes(n, epsilon, delta, True), outcomes(n, epsilon, delta, False), delta
    )


def test_an_audit_finds_no_more_than_promised():
    assert audited(30, 0.5) <= 0.5


def test_an_audit_finds_a_mechanism_without_noise(monkeypatch):
    monkeypatch.setattr(Noise, "gaussian", lambda self, sigma, n: np.zeros(n, dtype=np.int64))
    assert audited(60, 0.5) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("epsilon", "delta"), [(0.5, 0.1), (1.0, 0.1), (3.0, 0.01)])
def test_an_audit_of_a_thousand_fits(epsilon, delta):
    assert audited(500, epsilon, delta) <= epsilon


@pytest.mark.slow
def test_an_audit_of_a_thousand_fits_finds_a_quarter_of_the_noise(monkeypatch):
    honest = Noise.gaussian
    monkeypatch.setattr(Noise, "gaussian", lambda self, sigma, n: honest(self, sigma / 4, n))
    assert audited(500, 1.0, 0.1) > 1.0
