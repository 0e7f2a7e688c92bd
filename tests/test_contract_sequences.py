"""What every synthesizer of sequences promises; a new model is found by itself."""

from __future__ import annotations

import functools
import random

import contract
import numpy as np
import pandas as pd
import pytest
import torch
from contract import says
from contract_sequences import SYNTHESIZERS, fit_small, fitted, long_table, small
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from tabgan.constraints import Inequality, Unique
from tabgan.datasets import make_prices

pytestmark = pytest.mark.parametrize("cls", SYNTHESIZERS, ids=lambda cls: cls.__name__)


def assert_same(one, other):
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    else:
        np.testing.assert_array_equal(one, other)


def weights(synthesizer):
    return torch.cat([p.detach().flatten() for p in synthesizer._core.game.parameters()])


# ---------------------------------------------------------------------- the table comes back


def test_columns_dtypes_index_and_entities(cls):
    table, made = long_table(), fitted(cls).sample(23, random_state=0)
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)
    pd.testing.assert_index_equal(made.index, pd.RangeIndex(len(made)), exact=True)
    assert made["who"].drop_duplicates().tolist() == [f"patient {i:03d}" for i in range(23)]


def test_values_are_of_those_seen_and_missing_where_they_were(cls):
    table, made = long_table(), fitted(cls).sample(200, random_state=0)
    for name in ("value", "count", "seen", "age"):
        assert made[name].dropna().between(table[name].min(), table[name].max()).all()
    for name in ("group", "flag", "word"):
        assert set(made[name].dropna()) <= set(table[name].dropna())
    for name in table:
        assert made[name].isna().any() == table[name].isna().any(), name


def test_lengths_times_and_static_columns(cls):
    table, made = long_table(), fitted(cls).sample(200, random_state=0)
    lengths = made.groupby("who").size()
    assert set(lengths) <= set(table.groupby("who").size()) and lengths.nunique() > 2
    for name in ("group", "age"):
        assert (made.groupby("who")[name].nunique(dropna=False) == 1).all()
    step = made.groupby("who").cumcount()
    expected = pd.Timestamp("2021-03-01") + pd.to_timedelta(step, "D")
    assert (made["when"] == expected).all()


def test_lengths_and_static_columns_are_drawn_together(cls):
    """Every entity of group "a" is of two steps, every other of four."""
    group = np.repeat(["a", "b"] * 10, [2, 4] * 10)
    table = pd.DataFrame({"who": np.repeat(np.arange(20), [2, 4] * 10), "group": group})
    table["value"] = np.random.default_rng(0).normal(size=len(table))
    made = fit_small(cls, table).sample(60, random_state=0)
    steps = made.groupby("who").agg(n=("value", "size"), group=("group", "first"))
    assert (steps["n"] == steps["group"].map({"a": 2, "b": 4})).all()
    assert steps["group"].nunique() == 2
    assert made["who"].dtype == table["who"].dtype


def test_times_that_differ_are_made_too(cls):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"who": np.repeat(np.arange(25), 4), "value": rng.normal(size=100)})
    gaps = rng.integers(1, 4, 100)
    table["when"] = gaps.cumsum()
    made = fit_small(cls, table).sample(40, random_state=0)
    apart = made.groupby("who")["when"].diff().dropna()
    assert apart.isin([1, 2, 3]).all() and apart.nunique() > 1
    starts = made.groupby("who")["when"].first()
    assert starts.between(table["when"].min(), table["when"].max()).all() and starts.nunique() > 3
    assert made["when"].dtype == table["when"].dtype


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_array_in_array_out(cls, dtype):
    array = np.random.default_rng(0).integers(0, 5, size=(20, 4, 2)).astype(dtype)
    made = fit_small(cls, array).sample(7)
    assert made.shape == (7, 4, 2) and made.dtype == dtype
    assert np.isin(made, array).all()


def test_missing_values_in_arrays(cls):
    array = np.random.default_rng(0).normal(size=(30, 4, 2))
    array[::2, 1, 0] = np.nan
    made = fit_small(cls, array).sample(200, random_state=0)
    assert np.isnan(made[..., 0]).any() and not np.isnan(made[..., 1]).any()


def test_tables_and_parameters_are_left_alone(cls):
    table = long_table()
    before = table.copy(deep=True)
    synthesizer = small(cls, entity="who", time="when", static_columns=["group"])
    parameters = {name: repr(value) for name, value in synthesizer.get_params().items()}
    synthesizer.fit(table).sample(2)
    pd.testing.assert_frame_equal(table, before)
    assert {name: repr(value) for name, value in synthesizer.get_params().items()} == parameters


# ---------------------------------------------------------------------- awkward sizes


@pytest.mark.filterwarnings("error")
def test_one_sequence(cls):
    table = long_table()[long_table()["who"] == "patient 000"]
    made = fit_small(cls, table).sample(3)
    assert (made.groupby("who").size() == len(table)).all() and len(made) == 3 * len(table)


@pytest.mark.filterwarnings("error")
def test_sequences_of_one_step(cls):
    table = long_table().drop_duplicates("who")
    made = fit_small(cls, table).sample(5)
    assert len(made) == 5 and made["who"].is_unique
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)


@pytest.mark.filterwarnings("error")
def test_constant_channels(cls):
    table = pd.DataFrame({"who": [1, 1, 2, 2], "one": 1.0, "x": "x"})
    made = fit_small(cls, table, static_columns=[]).sample(2)
    pd.testing.assert_frame_equal(made, table.assign(who=[0, 0, 1, 1]))


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_odd_batch_sizes(cls, batch_size):
    made = fit_small(cls, long_table(), batch_size=batch_size).sample(3)
    assert made["who"].nunique() == 3


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, True, None])
def test_n_samples_must_be_a_positive_integer(cls, n_samples):
    message = says(f"n_samples must be a positive integer, got {n_samples!r}.")
    with pytest.raises(ValueError, match=message):
        fitted(cls).sample(n_samples)


def test_default_is_one_sequence(cls):
    assert fitted(cls).sample()["who"].nunique() == 1
    with pytest.raises(NotFittedError):
        small(cls).sample()


# ---------------------------------------------------------------------- conditions


def test_conditions_are_honoured(cls):
    wanted = pd.DataFrame({"group": ["b", "a", "b"], "length": [3, 5, 5], "age": [33, 41, 25]})
    wanted = long_table().assign(length=long_table().groupby("who")["who"].transform("size"))
    wanted = wanted.drop_duplicates("who")[["group", "length", "age"]].head(8)
    made = fitted(cls).sample(random_state=0, conditions=wanted)
    once = made.groupby("who").agg(
        group=("group", "first"), length=("age", "size"), age=("age", "first")
    )
    pd.testing.assert_frame_equal(
        once.reset_index(drop=True), wanted.reset_index(drop=True), check_dtype=False
    )
    made = fitted(cls).sample(9, conditions={"length": 4, "group": "b"})
    assert (made.groupby("who").size() == 4).all() and (made["group"] == "b").all()


def test_labels_beside_the_table(cls):
    groups = long_table().groupby("who")["group"].first()
    y = groups.astype(str).str.upper().rename("kind").sample(frac=1, random_state=1)
    synthesizer = fit_small(cls, long_table(), y)
    for conditions in (["A", "B"] * 10, {"kind": ("A", "B") * 10}):
        made = synthesizer.sample(conditions=conditions)
        assert made.drop_duplicates("who")["group"].tolist() == ["a", "b"] * 10
    assert list(made) == list(long_table())
    array = np.random.default_rng(0).normal(size=(12, 3, 1))
    synthesizer = fit_small(cls, array, np.array(["u", "v"] * 6))
    assert synthesizer.sample(conditions=["v", "u", "v"]).shape == (3, 3, 1)
    told = "conditions: 'target' was learnt without 'w'; it took 'u', 'v'."
    with pytest.raises(ValueError, match=says(told)):
        synthesizer.sample(conditions=["w"])


def test_conditions_that_cannot_be_met(cls):
    told = "conditions names 'value', which is made along a sequence; what can be asked for: ..."
    with pytest.raises(ValueError, match=says(told)):
        fitted(cls).sample(conditions={"value": 1.0})
    with pytest.raises(ValueError, match=says("conditions names 'size', which is not a column...")):
        fitted(cls).sample(conditions={"size": 1})
    told = "conditions: 'group' was learnt without 'z'; it took ..."
    with pytest.raises(ValueError, match=says(told)):
        fitted(cls).sample(conditions={"group": "z"})


# ---------------------------------------------------------------------- random numbers, copies


def test_same_seed_same_sequences_bit_for_bit(cls):
    one, other = (fit_small(cls, long_table(), random_state=7) for _ in range(2))
    assert torch.equal(weights(one), weights(other))
    for _ in range(2):
        assert_same(one.sample(5), other.sample(5))
    assert_same(one.sample(5, 3), one.sample(5, 3))
    asked = {"length": 2}
    assert_same(*(each.sample(5, 3, conditions=asked) for each in (one, other)))
    assert not one.sample(5).equals(one.sample(5))
    third = fit_small(cls, long_table(), random_state=8)
    assert not torch.equal(weights(one), weights(third))


def test_global_generators_are_left_alone_and_nothing_is_said(cls, capfd):
    def states():
        numpy_state = np.random.get_state()  # noqa: NPY002
        return random.getstate(), numpy_state[1].tolist(), torch.get_rng_state().tolist()

    before = states()
    synthesizer = fit_small(cls, long_table(), random_state=None)
    synthesizer.sample(3, conditions={"length": 2})
    contract.carry_by_file(synthesizer)
    assert states() == before
    assert capfd.readouterr() == ("", "")


def test_clone(cls):
    synthesizer = small(cls, entity="who", static_columns=["group"])
    copied = clone(synthesizer)
    assert copied.get_params() == synthesizer.get_params()
    with pytest.raises(NotFittedError):
        clone(fitted(cls)).sample()


@pytest.mark.parametrize("carrier", contract.CARRIERS)
def test_copies_make_the_same_sequences_and_go_on_training_alike(cls, carrier):
    original = contract.carry_by_pickle(fitted(cls))
    copied = contract.CARRIERS[carrier](original)
    assert_same(copied.sample(4), original.sample(4))
    assert_same(
        copied.sample(4, 1, conditions={"group": "a"}),
        original.sample(4, 1, conditions={"group": "a"}),
    )
    for each in (copied, original):
        each.partial_fit(long_table())
    assert original.n_steps_ == 6
    assert torch.equal(weights(copied), weights(original))
    assert_same(copied.sample(4), original.sample(4))


def test_warm_start_goes_on_and_fit_starts_anew(cls):
    table = long_table()
    synthesizer = fit_small(cls, table, warm_start=True).fit(table)
    assert synthesizer.n_steps_ == 6 and len(synthesizer.history_) == 6
    assert synthesizer.set_params(warm_start=False).fit(table).n_steps_ == 3
    with pytest.raises(
        ValueError, match=says(f"X is an array, but {cls.__name__} was fitted on a DataFrame.")
    ):
        synthesizer.partial_fit(np.zeros((3, 2, 1)))


def test_arrays_are_saved_too(cls):
    array = np.random.default_rng(0).normal(size=(12, 3, 2))
    synthesizer = fit_small(cls, array)
    assert_same(contract.carry_by_file(synthesizer).sample(3), synthesizer.sample(3))


# ---------------------------------------------------------------------- windows, rules, changes


OHLC = [Inequality("low", "open"), Inequality("low", "close"), Inequality("open", "high"),
        Inequality("close", "high")]  # fmt: skip


@functools.cache
def prices():
    return make_prices(120, random_state=0)


def test_one_long_series_is_cut_into_windows_that_keep_rules(cls):
    model = small(cls, time="date", window=6, constraints=OHLC).fit(prices())
    made = model.sample(9, random_state=0)
    pd.testing.assert_series_equal(made.dtypes, prices().dtypes)
    assert len(made) == 54
    for rule in OHLC:
        assert not rule.broken(made).any()
    for name in prices():
        assert made[name].between(prices()[name].min(), prices()[name].max() + pd.Timedelta("20D")
                                  if name == "date" else prices()[name].max()).all()  # fmt: skip
    assert (made.groupby(np.arange(54) // 6)["date"].diff().dropna() >= pd.Timedelta("1D")).all()
    again = contract.carry_by_file(model)
    assert_same(again.sample(4, 1), model.sample(4, 1))
    assert model.partial_fit(prices()).n_steps_ == 6


def test_windows_of_each_entity_have_its_static_values_and_label(cls):
    table = long_table()
    longest = table.groupby("who")["who"].transform("size") >= 4
    table = table[longest]
    groups = table.groupby("who")["group"].first().astype(str)
    model = small(cls, entity="who", time="when", window=3).fit(table, groups.rename("kind"))
    made = model.sample(conditions={"kind": ("a", "b") * 8})
    once = made.groupby("who").agg(n=("group", "size"), group=("group", "first"))
    assert (once["n"] == 3).all() and once["group"].tolist() == ["a", "b"] * 8
    assert (made.groupby("who")["age"].nunique() == 1).all()


def test_arrays_are_cut_too(cls):
    series = np.random.default_rng(0).normal(size=(40, 2))
    assert small(cls, window=8).fit(series).sample(3).shape == (3, 8, 2)
    model = small(cls, window=8).fit(series.reshape(2, 20, 2), ["u", "v"])
    assert model.sample(conditions=["v", "u"]).shape == (2, 8, 2)


def test_series_shorter_than_the_window(cls):
    told = "window is 121, but the series has 120 steps; take a window of at most 120."
    with pytest.raises(ValueError, match=says(told)):
        small(cls, time="date", window=121).fit(prices())
    table = pd.DataFrame({"who": [7, 7, 7, 8], "x": [1.0, 2.0, 3.0, 4.0]})
    told = (
        "window is 2, but the series of 8 has 1 step; take a window of at most 1, or leave out "
        "shorter series."
    )
    with pytest.raises(ValueError, match=says(told)):
        small(cls, entity="who", window=2).fit(table)
    twice = pd.DataFrame({"when": [1, 2, 2, 3], "x": [1.0, 2.0, 3.0, 4.0]})
    told = (
        "X has more than one row at time 2; one series has one row for each time. If X has several "
        "series, name their column in entity."
    )
    with pytest.raises(ValueError, match=says(told)):
        small(cls, time="when", window=2).fit(twice)


def test_rules_that_training_steps_break(cls):
    table = pd.DataFrame({"who": np.repeat(np.arange(10), 3), "a": np.arange(30.0)})
    table["b"] = table["a"] + 1
    table.loc[4, "b"] = 0
    rule = [Inequality("a", "b")]
    with pytest.raises(ValueError, match="^X breaks its constraints: .* by 1 of 30 rows, at the "):
        small(cls, entity="who", constraints=rule).fit(table)
    with pytest.warns(UserWarning, match="^1 training sequences are left out: Inequality"):
        model = small(cls, entity="who", constraints=rule, on_violation="drop").fit(table)
    assert (model.sample(20)["a"] <= model.sample(20, 0)["b"].max()).all()
    table["b"], table["size"] = table["a"] + 1, table["who"]
    told = (
        "constraints: Inequality('a', 'size') names 'size', which varies along no sequence; a rule "
        "of sequences names channels alone: ['a', 'b']."
    )
    with pytest.raises(ValueError, match=says(told)):
        small(cls, entity="who", constraints=[Inequality("a", "size")], on_violation="drop").fit(
            table
        )
    with pytest.raises(ValueError, match="^constraints: Unique.* compares rows with each other"):
        small(cls, entity="who", constraints=[Unique("a")]).fit(table)


def test_values_follow_from_changes(cls):
    """Steps of 1 along each sequence, from anywhere: no change that is made is another one."""
    start = np.random.default_rng(0).integers(0, 1000, 30)
    table = pd.DataFrame({"who": np.repeat(np.arange(30), 4), "x": np.repeat(start, 4)})
    table["x"] += np.tile(np.arange(4), 30)
    model = small(cls, entity="who").fit(table)
    made = model.sample(20, random_state=0)
    low, high = table["x"].min(), table["x"].max()
    steps = made.groupby("who")["x"].diff().dropna()
    assert steps.isin([0, 1]).all() and (steps[made["x"] < high - 4] == 1).all()
    assert made["x"].between(low, high).all() and made["x"].dtype == table["x"].dtype
    made = model.sample(5, conditions={"x at the start": 500})
    assert made.groupby("who")["x"].first().tolist() == [500] * 5
    assert not model.set_params(changes=[]).fit(table)._changes.changes
    with pytest.raises(ValueError, match=says("changes names 'y', which is no channel; ...")):
        small(cls, entity="who", changes=["y"]).fit(table)
