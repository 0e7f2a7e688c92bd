"""Scores of synthetic sequences, and the chains that sequences are drawn from."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import torch
from seeds import seed

from tabgan.datasets import make_markov_sequences, make_prices, make_waves
from tabgan.evaluation import discriminative_score, evaluate, predictive_score


def says(message):
    return "^" + re.escape(message) + "$"


# ---------------------------------------------------------------------- scores


@pytest.fixture(scope="module")
def waves():
    return [make_waves(200, 30, random_state=seed(i)).data[:, :12, None] for i in range(2)]


def shuffled(waves):
    return np.random.default_rng(seed(0)).permuted(waves, axis=1)


def test_discriminative_score_tells_shuffled_waves_from_real_ones(waves):
    real, other = waves
    # 120 sequences are held out: the accuracy's standard error is 0.046 where nothing can be told.
    assert discriminative_score(real, other, n_steps=100) < 0.2
    assert discriminative_score(real, shuffled(other), n_steps=100) > 0.3


def test_predictive_score_is_better_for_real_sequences(waves):
    real, other = waves
    assert predictive_score(real, other, n_steps=100) < 0.17
    assert predictive_score(real, shuffled(other), n_steps=100) > 0.2


def test_predictive_error_by_hand():
    """A channel of two values, ranks 1/4 and 3/4, that nothing predicts: wrong by 1/4.

    The scores learnt from the rows that they are asked for, and are a little better by chance:
    0.229 to 0.244 over 5 seeds.
    """
    real = np.random.default_rng(seed(0)).integers(0, 2, (300, 6, 1)).astype(float)
    assert predictive_score(real, real, n_steps=60) == pytest.approx(0.25, abs=0.05)


def test_scores_of_long_tables_with_categories_missing_values_and_unequal_lengths():
    tables = []
    for i in range(2):
        made = make_markov_sequences(
            80, lengths=(2, 6), states="abc", order=1, as_frame=True, random_state=seed(i)
        )
        frame = made.frame.assign(level=np.random.default_rng(seed(i)).normal(size=len(made.frame)))
        frame.loc[::5, "level"] = np.nan
        tables.append(frame.sample(frac=1, random_state=0))
    how = {"entity": "entity", "time": "time", "n_steps": 30}
    assert discriminative_score(*tables, **how) < 0.25
    apart = tables[1].assign(state="a")
    assert discriminative_score(tables[0], apart, **how) > 0.25
    assert 0 < predictive_score(*tables, **how) < 1


def test_scores_are_repeatable_silent_and_leave_global_generators_alone(waves, capfd):
    before = torch.get_rng_state()
    for score in (discriminative_score, predictive_score):
        one, other = (score(*waves, n_steps=5, random_state=3) for _ in range(2))
        assert one == other
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")


def test_scores_of_what_is_no_sequence(waves):
    real, other = waves
    with pytest.raises(ValueError, match=says("test_size must be a number in (0, 1), got 1.")):
        discriminative_score(real, other, test_size=1)
    told = "discriminative_score needs at least 2 sequences of either kind, got 1."
    with pytest.raises(ValueError, match=says(told)):
        discriminative_score(real, other[:1])
    told = "predictive_score needs sequences of at least 2 steps, got 1."
    with pytest.raises(ValueError, match=says(told)):
        predictive_score(real[:, :1], other[:, :1])
    told = "real must be a table, or an array of shape (n, T, d), got ndarray of shape (200, 12)."
    with pytest.raises(ValueError, match=says(told)):
        predictive_score(real[..., 0], other)
    told = "real and synthetic must both be tables, or both be arrays."
    with pytest.raises(ValueError, match=says(told)):
        predictive_score(pd.DataFrame({"x": [1.0]}), other)
    told = (
        "entity must name the column that tells sequences apart; for one long series, set window."
    )
    with pytest.raises(ValueError, match=says(told)):
        predictive_score(pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [1.0]}))


# ---------------------------------------------------------------------- windows and reports


def test_windows_of_series_are_compared():
    """A series cut by `window` scores as the same windows told apart by entity."""
    prices = [make_prices(96, random_state=seed(i)) for i in range(2)]
    told = [each.assign(who=np.arange(96) // 8) for each in prices]
    for score in (discriminative_score, predictive_score):
        cut = score(*prices, time="date", window=8, n_steps=5)
        assert cut == score(*told, entity="who", time="date", n_steps=5)
    longer = [each.assign(who=np.arange(96) // 20) for each in prices]
    assert 0 <= discriminative_score(*longer, entity="who", window=8, n_steps=5) <= 0.5
    array = np.random.default_rng(0).normal(size=(4, 20, 1))
    cut = predictive_score(array, array, window=8, n_steps=5)
    assert cut == predictive_score(*[array[:, :16].reshape(8, 8, 1)] * 2, n_steps=5)
    told = "window is 99, but the longest series has 96 steps; take a smaller window."
    with pytest.raises(ValueError, match=says(told)):
        discriminative_score(*prices, window=99)
    told = "window is 21, but sequences have 20 steps; take a smaller window."
    with pytest.raises(ValueError, match=says(told)):
        discriminative_score(array, array, window=21)


def test_a_report_told_of_sequences_judges_them_as_sequences(monkeypatch):
    """The report has the scores of sequences, and those of the test sequences in their place."""
    asked = []

    def score(name):
        def found(one, other, **how):
            asked.append((name, one, other, how))
            return 0.1 * len(asked)

        return found

    for name in ("discriminative_score", "predictive_score"):
        monkeypatch.setattr(f"tabgan.evaluation.report.{name}", score(name))
    real, made, test = (
        make_waves(20, 4, as_frame=True, random_state=seed(i)).frame for i in range(3)
    )
    how = {"entity": "entity", "time": "time"}
    report = evaluate(real, made, test=test, **how)
    assert "entity" not in report.column_shapes.index
    summary = report.summary().loc[["discriminative", "predictive"], ["value", "real"]]
    assert summary.to_numpy().ravel().tolist() == pytest.approx([0.1, 0.3, 0.2, 0.4])
    pairs = [(real, made), (test, made), (real, test), (test, real)]
    for (_, one, other, told), pair in zip(asked, pairs, strict=True):
        assert one.equals(pair[0]) and other.equals(pair[1]) and told["entity"] == "entity"
    assert report.to_dict()["summary"]["predictive"]["value"] == pytest.approx(0.2)
    assert np.isnan(evaluate(real, made, **how).summary().loc["predictive", "real"])
    assert "predictive" not in evaluate(real, made).summary().index
    told = "time orders the rows of sequences; name their column in entity."
    with pytest.raises(ValueError, match=says(told)):
        evaluate(real, made, time="time")


# ---------------------------------------------------------------------- chains


def test_chain_likelihood_by_hand():
    made = make_markov_sequences(5, lengths=(1, 6), states="abc", order=2, random_state=0)
    expected = []
    for row, length in zip(made.data, made.lengths, strict=True):
        history, total = [3, 3], 0.0
        for state in row[:length]:
            total += np.log(made.transitions[(*history, state)])
            history = [history[1], state]
        expected.append(total)
    np.testing.assert_allclose(made.log_likelihood(made.data), expected)


def test_chain_follows_its_transitions():
    made = make_markov_sequences(4000, 6, states="abc", order=1, random_state=seed(0))
    before, after = made.data[:, :-1].ravel(), made.data[:, 1:].ravel()
    counts = np.zeros((3, 3))
    np.add.at(counts, (before, after), 1)
    n, rates = counts.sum(axis=1, keepdims=True), made.transitions[:3]
    # Five standard errors: nine rates are off once in 200,000 seeds.
    assert (np.abs(counts / n - rates) < 5 * np.sqrt(rates * (1 - rates) / n)).all()
    np.testing.assert_allclose(made.transitions.sum(axis=-1), 1)
    assert (made.transitions > 0.003).all()


def test_chain_as_frame_and_lengths():
    made = make_markov_sequences(50, lengths=(2, 5), as_frame=True, random_state=1)
    assert set(made.lengths) == {2, 3, 4, 5}
    np.testing.assert_array_equal((made.data >= 0).sum(axis=1), made.lengths)
    assert list(made.frame) == ["entity", "time", "state"]
    assert made.frame.groupby("entity").size().tolist() == made.lengths.tolist()
    first = made.frame.groupby("entity")["state"].first()
    assert first.tolist() == [made.state_names[i] for i in made.data[:, 0]]
    again = make_markov_sequences(50, lengths=(2, 5), random_state=1)
    np.testing.assert_array_equal(made.data, again.data)
    assert again.frame is None
    other = make_markov_sequences(50, chain_state=1, random_state=1)
    assert not np.allclose(made.transitions, other.transitions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, "n_samples must be a positive integer, got 0."),
        ({"n_steps": 1.5}, "n_steps must be a positive integer, got 1.5."),
        ({"order": 0}, "order must be a positive integer, got 0."),
        ({"states": "aa"}, "states must be at least two different names, got 'aa'."),
        ({"concentration": 0}, "concentration must be a finite number above 0, got 0."),
        ({"lengths": (4, 3)}, "lengths must be two integers, 1 <= low <= high, got (4, 3)."),
    ],
)
def test_chains_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=says(message)):
        make_markov_sequences(**arguments)
