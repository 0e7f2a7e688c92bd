"""Long tables to sequences and back, and padded batches of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from seeds import seed

from tabgan.datasets import make_prices
from tabgan.generation.sequence_set import SequenceTable
from tabgan.table.changes import Changes
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import Schema
from tabgan.table.sequences import EntityColumn, SequenceFormat, cut_windows, positions


def says(message):
    return "^" + re.escape(message) + "$"


@pytest.fixture
def table():
    """Three sequences of 3, 1 and 2 steps, their rows mixed; "size" does not vary within one."""
    return pd.DataFrame(
        {
            "time": [2, 0, 0, 1, 1, 0],
            "size": ["s", "m", "s", "s", "l", "l"],
            "who": [7, 5, 7, 7, 9, 9],
            "value": [0.3, 0.4, 0.1, 0.2, 0.6, 0.5],
        }
    )


# ---------------------------------------------------------------------- tables


def test_sequences_come_in_order_of_appearance_and_steps_in_order_of_time(table):
    form = SequenceFormat.infer(table, "who", "time")
    steps, given, _ = form.split(table)
    assert steps.to_dict("list") == {"value": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}
    assert given.to_dict("list") == {"size": ["s", "m", "l"], "length": [3, 1, 2]}


def test_there_and_back(table):
    form = SequenceFormat.infer(table, "who", "time")
    expected = table.iloc[[2, 3, 0, 1, 5, 4]].reset_index(drop=True)
    expected["who"] = [0, 0, 0, 1, 2, 2]
    pd.testing.assert_frame_equal(form.join(form.split(table)), expected)


def test_a_format_goes_through_json(table):
    for times in (table["time"], table["time"] ** 2 + table["who"]):
        form = SequenceFormat.infer(table.assign(time=times), "who", "time")
        again = SequenceFormat.from_dict(json.loads(json.dumps(form.to_dict())))
        sequences = form.split(table.assign(time=times))
        pd.testing.assert_frame_equal(again.join(sequences), form.join(sequences))


@pytest.mark.parametrize(
    "times",
    [
        np.array([0, 1, 2]),
        np.array([-7, 3, 4], dtype="int8"),
        np.array([2**63 + 1, 2**63 + 5, 2**63 + 9], dtype="uint64"),
        np.array([0.1, 0.2, 0.30000000000000004]),
        pd.date_range("2024-03-30", periods=3, tz="Europe/Berlin"),
        pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-09"]),
        pd.to_timedelta([1, 2, 5], "s"),
        pd.array([1, 2, 4], dtype="Int32"),
    ],
    ids=lambda times: str(times.dtype),
)
@pytest.mark.parametrize("shift", [False, True], ids=["same", "differ"])
def test_times_come_back_exactly(times, shift):
    """Whether all sequences have the same times or, with the second cut short, other ones."""
    times = pd.Series(times)
    table = pd.DataFrame({"who": list("aaabbb"), "x": range(6), "t": pd.concat([times] * 2)})
    table = table.reset_index(drop=True)
    if shift:
        table = table.drop(index=3).reset_index(drop=True)
    form = SequenceFormat.infer(table, "who", "t")
    assert (form.clock.grid is None) == shift
    made = form.join(form.split(table))
    pd.testing.assert_series_equal(made["t"], table["t"])


def test_the_first_gap_is_the_second():
    table = pd.DataFrame({"who": [0, 0, 0, 1, 2, 2], "t": [5, 8, 9, 0, 1, 3], "x": range(6)})
    form = SequenceFormat.infer(table, "who", "t")
    steps, given, _ = form.split(table)
    # The sequence of one step has the usual gap.
    assert steps["gap"].tolist() == [3, 3, 1, 2, 2, 2]
    assert given["t"].tolist() == [5, 0, 1]


def test_times_beyond_those_seen_can_be_made():
    table = pd.DataFrame({"who": [0, 0, 1, 1], "t": [0, 2, 10, 11], "x": range(4)})
    form = SequenceFormat.infer(table, "who", "t")
    steps, given, _ = form.split(table)
    made = form.join(form.split(table)._replace(steps=steps.assign(gap=5), given=given))
    assert made["t"].tolist() == [0, 5, 10, 15]


def test_without_time_rows_are_in_order():
    table = pd.DataFrame({"who": ["u", "v", "u"], "x": [3, 2, 1]})
    form = SequenceFormat.infer(table, "who")
    assert form.split(table).steps["x"].tolist() == [3, 1, 2]


def test_names_that_are_taken_get_underscores(table):
    table = table.rename(columns={"size": "length", "value": "gap"})
    form = SequenceFormat.infer(table.assign(time=table["time"] + table["who"]), "who", "time")
    assert (form.length, form.clock.gap, form.channels) == ("length_", "gap_", ["gap"])


@pytest.mark.filterwarnings("error")
def test_lengths_and_starts_that_all_differ_are_no_identifiers():
    rng = np.random.default_rng(0)
    lengths = rng.permutation(60) + 1
    who = np.repeat(np.arange(60), lengths)
    time = positions(lengths) ** 2 + 3 * rng.permutation(60)[who]
    table = pd.DataFrame({"who": who, "time": time, "value": rng.normal(size=len(who))})
    form = SequenceFormat.infer(table, "who", "time")
    assert form.learnt == ["length", "time", "gap"]
    steps, given, _ = form.split(table)
    assert given["time"].is_unique and given["length"].is_unique
    kinds = [column.kind for column in Schema.infer(given, learnt=form.learnt).columns]
    assert kinds == ["integer", "integer"]
    with pytest.warns(UserWarning, match="looks like an identifier"):
        Schema.infer(given)


def test_static_columns(table):
    def statics(table, *columns):
        return SequenceFormat.infer(table, "who", "time", *columns).statics

    assert statics(table) == ("size",)
    assert statics(table, []) == ()
    missing = table.assign(size=table["size"].where(table["size"] != "s"))
    assert statics(missing) == ("size",)
    once = table.drop_duplicates("who")
    assert statics(once) == ()
    assert statics(once, ["size"]) == ("size",)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7, 5, 9], [0, 1, 1]),
        (pd.array([7, 5, 9], dtype="Int16"), pd.array([0, 1, 1], dtype="Int16")),
        ([1.5, 2.5, 9.0], [0.0, 1.0, 1.0]),
        (["p07", "p5", "p9"], ["p00", "p01", "p01"]),
        (["ann", "bob", "cy"], ["who_0", "who_1", "who_1"]),
        (pd.Categorical(["p1", "p2", "p3"]), pd.Categorical(["p0", "p1", "p1"])),
        (pd.Categorical([4, 5, 6]), pd.Categorical([0, 1, 1])),
        ([True, False, True], [0, 1, 1]),
        (pd.date_range("2024-01-01", periods=3), [0, 1, 1]),
    ],
    ids=str,
)
def test_entities_are_numbered_in_their_own_dtype(values, expected):
    made = EntityColumn.infer(pd.Series(values, name="who")).series(np.array([0, 1, 1]))
    pd.testing.assert_series_equal(made, pd.Series(expected, name="who"))


def test_more_entities_than_the_dtype_holds():
    column = EntityColumn.infer(pd.Series([1, 2], dtype="int8", name="who"))
    assert column.series(np.arange(128)).dtype == "int8"
    made = column.series(np.arange(300))
    assert made.tolist() == list(range(300))


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, ("nobody", "time"), "entity is 'nobody', which is not a column; columns: "
         "['time', 'size', 'who', 'value']."),
        ({}, ("who", "hour"), "time is 'hour', which is not a column; columns: "
         "['time', 'size', 'who', 'value']."),
        ({"who": [7, None, 7, 7, 9, None]}, ("who", "time"), "X has 2 rows without a value in "
         "column 'who'; every row needs its entity and time."),
        ({"time": [2, 0, 0, 1, 1, None]}, ("who", "time"), "X has 1 rows without a value in "
         "column 'time'; every row needs its entity and time."),
        ({"time": [2, 0, 1, 1, 1, 0]}, ("who", "time"), "X has more than one row of entity 7 at "
         "time 1; an entity has one row for each time."),
        ({"time": list("abcdef")}, ("who", "time"), "time column 'time' must hold numbers, dates "
         "or durations, got 'a'; convert it first."),
        ({}, ("who", "time", ["value"]), "static_columns names 'value', which varies within "
         "entity 7; leave it out."),
        ({}, ("who", "time", ["who"]), "static_columns names 'who', which is no column besides "
         "entity and time; columns: ['size', 'value']."),
        ({"value": 1.0}, ("who", "time"), "X has no channel: of its columns "
         "['time', 'size', 'who', 'value'] none is left that varies within an entity; name the "
         "static ones, or none, in static_columns."),
    ],
    ids=lambda value: "",
)  # fmt: skip
def test_tables_that_hold_no_sequences(table, change, arguments, message):
    with pytest.raises(ValueError, match=says(message)):
        SequenceFormat.infer(table.assign(**change), *arguments)


# ---------------------------------------------------------------------- windows and changes


def test_windows_overlap_and_stay_within_their_series():
    cuts = cut_windows(np.array([4, 3]), 3)
    assert cuts.starts.tolist() == [0, 1, 4] and cuts.owners.tolist() == [0, 0, 1]
    assert cuts.rows().tolist() == [0, 1, 2, 1, 2, 3, 4, 5, 6]


def test_windows_of_very_long_series_lie_further_apart(monkeypatch):
    monkeypatch.setattr("tabgan.table.sequences.WINDOWED_STEPS", 30)
    assert cut_windows(np.array([20]), 5).starts.tolist() == [0, 3, 6, 9, 12, 15]
    assert cut_windows(np.array([200]), 5).starts.tolist() == list(range(0, 200, 5))


def test_a_series_is_split_into_windows_in_order_of_time(table):
    series = table.drop(columns="who").assign(time=[3, 5, 0, 1, 4, 2])
    form = SequenceFormat.infer(series, None, "time", window=4)
    steps, given, cuts = form.split(series)
    assert steps["value"].tolist() == [0.1, 0.2, 0.5, 0.3, 0.2, 0.5, 0.3, 0.6, 0.5, 0.3, 0.6, 0.4]
    assert given["time"].tolist() == [0, 1, 2] and given["length"].tolist() == [4, 4, 4]
    joined = form.join(form.split(series))
    assert list(joined) == ["time", "size", "value"]
    assert joined["time"].tolist() == [0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5]
    again = SequenceFormat.from_dict(json.loads(json.dumps(form.to_dict())))
    pd.testing.assert_frame_equal(again.join(form.split(series)), joined)


def test_changes_there_and_back():
    """Differences of a counter, ratios of a price; the first change of a sequence is the second."""
    steps = pd.DataFrame({"n": [5, 6, 8, 100], "price": [1.0, 2.0, 8.0, 3.0]})
    given, lengths = pd.DataFrame({"length": [3, 1]}), np.array([3, 1])
    schema = Schema.infer(steps, learnt=list(steps))
    changes = Changes.learn(steps, lengths, schema, ["length"], ["n", "price"])
    assert [change.is_ratio for change in changes.changes] == [False, False]
    price = changes.changes[1]
    both = Changes((changes.changes[0], replace(price, is_ratio=True)), changes.inner)
    changed, starts = both.express(steps, given, lengths)
    assert changed["n"].tolist() == [1, 1, 2, 0]
    np.testing.assert_allclose(changed["price"], np.log([2, 2, 4, 1]))
    assert starts["n at the start"].tolist() == [5, 100]
    pd.testing.assert_frame_equal(both.restore(changed, starts, "length"), steps)
    again = Changes.from_dict(json.loads(json.dumps(both.to_dict())))
    pd.testing.assert_frame_equal(again.restore(changed, starts, "length"), steps)
    far = changed.assign(price=9.0)
    assert both.restore(far, starts, "length")["price"].tolist() == [1.0, 8.0, 8.0, 3.0]


def test_channels_that_wander_are_learnt_by_their_changes():
    """Prices of 2,000 days do, in all of 40 seeds; noise and smooth waves do not."""
    prices = make_prices(2000, random_state=seed(0)).drop(columns="date")
    n = np.array([2000])
    found = Changes.learn(prices, n, Schema.infer(prices), []).changes
    assert [change.column.name for change in found] == ["open", "high", "low", "close"]
    noise = np.random.default_rng(seed(0)).normal(size=(4000, 2))
    time = np.arange(4000)
    table = pd.DataFrame(
        {
            "ratio": np.exp(0.02 * noise[:, 0].cumsum()),
            "difference": noise[:, 1].cumsum(),
            "noise": noise[:, 0],
            "smooth": np.sin(time / 9),
            "pulled": pd.Series(noise[:, 0]).ewm(alpha=0.3).mean(),
        }
    )
    found = Changes.learn(table, np.full(100, 40), Schema.infer(table), []).changes
    assert {change.column.name: change.is_ratio for change in found} == {
        "ratio": True,
        "difference": False,
    }


def test_whether_a_channel_wanders_does_not_depend_on_its_unit():
    walk = np.exp(0.02 * np.random.default_rng(seed(0)).normal(size=4000).cumsum())
    for unit in (1.0, 2.0**900):
        table = pd.DataFrame({"walk": unit * walk})
        with np.errstate(all="raise"):
            found = Changes.learn(table, np.full(100, 40), Schema.infer(table), []).changes
        assert [change.is_ratio for change in found] == [True]


# ---------------------------------------------------------------------- batches


def test_positions():
    assert positions(np.array([3, 1, 2])).tolist() == [0, 1, 2, 0, 0, 1]


def test_padded_batches(table):
    steps = SequenceFormat.infer(table, "who", "time").split(table).steps
    steps["kind"] = list("aabbab")
    encoder = Encoder(Schema.infer(steps))
    encoded = encoder.encode(steps)
    sequences = SequenceTable(encoded, torch.tensor([3, 1, 2]))
    assert (len(sequences), sequences.n_steps) == (3, 3)
    batch, mask = sequences.take(torch.tensor([2, 0, 1]))
    assert mask.tolist() == [[True, True, False], [True, True, True], [True, False, False]]
    flat = EncodedTable(batch.codes[mask], batch.scalars[mask])
    expected = steps.iloc[[4, 5, 0, 1, 2, 3]].reset_index(drop=True)
    pd.testing.assert_frame_equal(encoder.decode(flat), expected)
    # Padding repeats the last step.
    assert torch.equal(batch.scalars[0, 2], batch.scalars[0, 1])
