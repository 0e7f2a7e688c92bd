"""Rows on demand: each honours every column asked for, in order, or there is an error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from condition_cases import ENCODINGS, condition_for, objects
from contract import says
from seeds import seed
from tables import askable_table

from tabgan import AAESynthesizer, CGANSynthesizer, WGANSynthesizer
from tabgan.generation import rejection
from tabgan.generation.conditions import ConditionModel, MadeRows, equal_conditions
from tabgan.generation.rejection import Effort, fulfil
from tabgan.table.conditions import encode_condition
from tabgan.table.encoder import Encoder
from tabgan.table.schema import Schema

N = 400


@pytest.fixture(scope="module")
def table():
    return askable_table()


class Resampler:
    """Stands for a generator whose rows are like those of training: it draws from them."""

    def __init__(self, table, seed=0, numeric="scalar"):
        self.table, self.rng = table, np.random.default_rng(seed)
        self.encoder = Encoder(Schema.infer(table), numeric)
        self.n_made = 0

    def make(self, wanted):
        self.n_made += len(wanted)
        rows = self.table.iloc[self.rng.integers(0, len(self.table), len(wanted))]
        rows = rows.reset_index(drop=True)
        return MadeRows(rows, self.encoder.encode(rows, self.rng))

    def fulfil(self, asked, shared=True):
        asked_for = {name: encode_condition(self.encoder, name, asked[name]) for name in asked}
        group = equal_conditions(asked_for)
        frame = fulfil(self.make, self.encoder, asked_for, group, shared, Effort())
        for name, condition in asked_for.items():
            frame[name] = condition.impose(frame[name], np.arange(len(asked)))
        return frame


class TestFulfil:
    @pytest.mark.parametrize("shared", [True, False])
    @pytest.mark.parametrize("numeric", ENCODINGS)
    def test_each_row_honours_each_column_in_order(self, table, numeric, shared):
        names = ["text", "category", "zeros", "maybe", "short", "float"]
        asked = table[names].sample(60, replace=True, random_state=0).reset_index(drop=True)
        table = table[["day", *names]]
        made = Resampler(table, numeric=numeric).fulfil(asked.astype(object), shared)
        pd.testing.assert_frame_equal(made[names], asked)
        assert isinstance(made.index, pd.RangeIndex)
        assert (made.dtypes == table.dtypes).all()

    def test_intervals_and_values_in_one_column(self, table):
        asked = pd.DataFrame({"float": objects(0.5, pd.Interval(-0.1, 0.1), 0.5), "text": "b"})
        asked = pd.concat([asked] * 10, ignore_index=True).astype(object)
        made = Resampler(table).fulfil(asked)
        assert (made["text"] == "b").all()
        is_value = np.arange(30) % 3 != 1
        assert (made["float"][is_value] == 0.5).all()
        assert made["float"][~is_value].between(-0.1, 0.1).all()
        assert made["float"][~is_value].nunique() > 3

    def test_other_columns_are_as_they_are_given_the_condition(self):
        rng = np.random.default_rng(seed(0))
        x = rng.integers(0, 2, 4000)
        table = pd.DataFrame({"x": x, "y": np.where(rng.random(4000) < 0.9, x, 1 - x)})
        asked = pd.DataFrame({"x": [0, 1] * 5000}, dtype=object)
        made = Resampler(table).fulfil(asked)
        for value in (0, 1):
            seen = table["y"][table["x"] == value].mean()
            # Five standard errors: a false alarm in 1.7 million runs.
            error = 5 * np.sqrt(0.9 * 0.1 / 5000)
            assert abs(made["y"][made["x"] == value].mean() - seen) < error

    def test_intervals_within_others_do_not_thin_them(self):
        table = pd.DataFrame({"x": np.random.default_rng(seed(0)).random(5000)})
        narrow, wide = pd.Interval(0.4, 0.5), pd.Interval(0.0, 1.0)
        asked = pd.DataFrame({"x": objects(*[narrow] * 3000, *[wide] * 3000)})
        made = Resampler(table).fulfil(asked)["x"]
        assert made[:3000].between(0.4, 0.5).all()
        seen = ((table["x"] > 0.4) & (table["x"] <= 0.5)).mean()
        # Five standard errors: a false alarm in 1.7 million runs.
        assert abs(made[3000:].between(0.4, 0.5).mean() - seen) < 5 * np.sqrt(0.09 / 3000)

    def test_rows_are_not_handed_out_twice(self):
        rng = np.random.default_rng(0)
        table = pd.DataFrame({"x": rng.random(5000), "row": rng.permutation(5000) / 7})
        sampler = Resampler(table)

        def make_next(wanted):
            rows = table[sampler.n_made : sampler.n_made + len(wanted)].reset_index(drop=True)
            sampler.n_made += len(wanted)
            return MadeRows(rows, sampler.encoder.encode(rows))

        sampler.make = make_next
        wide, narrow = pd.Interval(0.0, 1.0), pd.Interval(0.4, 0.6)
        made = sampler.fulfil(pd.DataFrame({"x": objects(*[wide, narrow, 0.5] * 50)}))
        assert made["row"].is_unique

    def test_rows_made_for_one_condition_serve_no_other_unless_shared(self):
        rng = np.random.default_rng(0)
        sampler = Resampler(pd.DataFrame({"x": rng.random(500), "made_for": rng.random(500)}))

        def make_marked(wanted):
            rows = pd.DataFrame({"x": rng.random(len(wanted)), "made_for": wanted.astype(float)})
            return MadeRows(rows, sampler.encoder.encode(rows))

        sampler.make = make_marked
        asked = pd.DataFrame({"x": objects(*[pd.Interval(0.0, 0.9), pd.Interval(0.1, 1.0)] * 30)})
        assert sampler.fulfil(asked, shared=False)["made_for"].to_list() == [0.0, 1.0] * 30
        assert sampler.fulfil(asked, shared=True)["made_for"].to_list() != [0.0, 1.0] * 30

    def test_thousand_distinct_rows_share_the_rows_made(self, table):
        asked = pd.DataFrame(
            {
                "float": np.random.default_rng(seed(1)).uniform(-1, 1, 1000),
                "flag": [True, False] * 500,
            }
        )
        sampler = Resampler(table[["float", "flag"]])
        made = sampler.fulfil(asked.astype(object))
        pd.testing.assert_frame_equal(made[["float", "flag"]], asked)
        # About 2 % of rows would do for each; made one after the other that took 50,000.
        assert sampler.n_made < 30_000

    @pytest.mark.filterwarnings("ignore:column 'id'")
    def test_identifiers_of_rows_from_many_pools_differ(self, table):
        table = table[["text", "short"]].assign(id=[f"u{i}" for i in range(N)])
        made = Resampler(table).fulfil(pd.DataFrame({"short": [3] * 3000}, dtype=object))
        assert made["id"].is_unique
        assert made["id"].iloc[0] == f"u{N}"

    def test_an_impossible_combination_stops_at_the_bound(self, table, monkeypatch):
        monkeypatch.setattr(rejection, "MIN_DRAWS", 5000)
        monkeypatch.setattr(rejection, "DRAWS_PER_ROW", 10)
        sampler = Resampler(table)
        asked = pd.DataFrame(
            {"flag": [True, True, True], "category": ["x", "y", "y"]}, dtype=object
        )
        message = (
            "conditions: 1 of 3 rows found among 6... made; too few or none are like "
            "{'flag': True, 'category': 'y'}. The rarest is 'category', which ... % of the rows "
            "meet. Ask for fewer columns or wider intervals at once, take what is found with "
            'on_shortfall="partial", or fit AutoregressiveSynthesizer, which meets any conditions '
            "without rejection."
        )
        with pytest.raises(ValueError, match=says(message)):
            sampler.fulfil(asked)
        assert sampler.n_made < 5030 + 2 * 1024

    def test_the_error_names_what_was_asked_in_the_user_s_terms(self, table, monkeypatch):
        monkeypatch.setattr(rejection, "MIN_DRAWS", 2000)
        asked = pd.DataFrame(
            {
                "integer": objects(pd.Interval(3, 4)),
                "short": objects(np.int64(5)),
                "steps": objects(7),
            }
        )
        with pytest.raises(ValueError) as caught:
            Resampler(table).fulfil(asked)
        assert "{'integer': Interval(3, 4, closed='right'), 'short': 5, 'steps': 7}" in str(
            caught.value
        )


class TestConditionModel:
    @pytest.fixture
    def model(self, table):
        names = ["text", "category", "zeros", "float"]
        model = ConditionModel(Schema.infer(table).select(names), 256)
        model.learn(model.encoder.encode(table[names], np.random.default_rng(0)))
        return model

    def asked_for(self, model, **asked):
        return {name: condition_for(model.encoder, name, *values) for name, values in asked.items()}

    def decode(self, model, table):
        return model.encoder.decode(table, np.random.default_rng(0))

    def test_drawn_at_the_rates_of_training(self, model, table):
        n = 20_000
        made = self.decode(model, model.draw(n, np.random.default_rng(seed(0))))
        for name in ("text", "category"):
            share = table[name].value_counts(normalize=True, dropna=False)
            error = (made[name].value_counts(normalize=True, dropna=False) - share).abs()
            # Six rates at five standard errors: a false alarm in 290,000 runs.
            assert (error <= 5 * np.sqrt(share / n).reindex(error.index)).all()
        assert abs((made["zeros"] == 0).mean() - (table["zeros"] == 0).mean()) < 0.02
        np.testing.assert_allclose(
            made["float"].quantile([0.1, 0.5, 0.9]),
            table["float"].quantile([0.1, 0.5, 0.9]),
            atol=0.15,
        )

    def test_values_asked_for_are_drawn_and_others_go_with_them(self, model, table):
        asked_for = self.asked_for(model, category=["x", "y"], float=[0.5, -0.5])
        asked = np.array([0, 1] * 500)
        made = self.decode(model, model.draw_given(asked_for, asked, np.random.default_rng(0)))
        assert made["category"].to_list() == ["x", "y"] * 500
        np.testing.assert_allclose(made["float"], np.where(asked == 0, 0.5, -0.5), atol=1e-5)
        assert made["text"].isna().any()
        assert set(made["text"].dropna()) == {"a", "b", "c"}

    def test_columns_not_asked_for_come_at_their_rates(self):
        table = pd.DataFrame({"g": ["l"] * 1000 + ["r"] * 1000})
        table["k"] = np.repeat(["a", "b", "a", "b"], [900, 100, 300, 700])
        model = ConditionModel(Schema.infer(table), 256)
        model.learn(model.encoder.encode(table))
        asked_for = self.asked_for(model, g=["l", "r"])
        asked = np.repeat([0, 1], 10_000)
        made = self.decode(
            model, model.draw_given(asked_for, asked, np.random.default_rng(seed(0)))
        )
        for g, share in (("l", 0.9), ("r", 0.3)):
            rate = (made["k"][made["g"] == g] == "a").mean()
            # Five standard errors: a false alarm in 1.7 million runs.
            assert abs(rate - share) < 5 * np.sqrt(share * (1 - share) / 10_000)

    def test_intervals(self, model):
        asked_for = self.asked_for(
            model, float=[pd.Interval(0.0, 1.0), 0.25], zeros=[pd.Interval(0.0, 0.5, "both"), None]
        )
        asked = np.array([0, 0, 1] * 300)
        made = self.decode(model, model.draw_given(asked_for, asked, np.random.default_rng(0)))
        of_first = made[asked == 0]
        assert of_first["float"].between(0, 1).all()
        assert of_first["zeros"].between(0, 0.5).all()
        assert 0 < (of_first["zeros"] == 0).mean() < 1
        assert of_first["float"].nunique() > 20
        np.testing.assert_allclose(made["float"][asked == 1], 0.25, atol=1e-5)
        assert made["zeros"][asked == 1].isna().all()

    def test_without_encoded_conditions(self, model):
        table = model.draw_given({}, np.zeros(7, dtype=int), np.random.default_rng(0))
        assert len(table) == 7

    @pytest.mark.parametrize("value", ["c", pd.Interval(0.9, 1.0)])
    def test_what_never_occurred_together(self, value):
        table = pd.DataFrame({"k": ["a"] * 60 + ["c"] * 60, "x": np.linspace(0, 1, 120)})
        table["g"] = table["k"].map({"a": "left", "c": "right"})
        model = ConditionModel(Schema.infer(table), 256)
        model.learn(model.encoder.encode(table, np.random.default_rng(0)))
        name = "k" if value == "c" else "x"
        asked_for = self.asked_for(model, g=["left"], **{name: [value]})
        message = (
            f"conditions: {{'g': 'left', {name!r}: {value!r}}} never occurred together in "
            "training, so there is nothing to learn such rows from; ask for fewer columns at once."
        )
        with pytest.raises(ValueError, match=says(message)):
            model.draw_given(asked_for, np.zeros(3, dtype=int), np.random.default_rng(0))

    def test_rows_of_unknown_condition_are_not_counted(self, table):
        model = ConditionModel(Schema.infer(table).select(["category"]), 256)
        known = model.encoder.encode(table[["category"]])
        known.codes[::2] = -1
        model.learn(known)
        assert model.combinations.codes.tolist() == [[1]]
        assert model.combinations.counts.tolist() == [N // 2]

    def test_one_continuous_condition(self, table):
        model = ConditionModel(Schema.infer(table).select(["float"]), 256)
        model.learn(model.encoder.encode(table[["float"]]))
        drawn = model.draw(1000, np.random.default_rng(0))
        assert drawn.codes.shape == (1000, 0)
        assert torch.isfinite(drawn.scalars).all()
        assert (drawn.scalars.abs() <= 1).all()


SMALL = {
    "privacy": "none",
    "n_steps": 1,
    "hidden_dim": 8,
    "latent_dim": 4,
    "random_state": 0,
    "batch_size": 50,
}


@pytest.fixture(scope="module")
def small():
    table = askable_table(120)
    return table[["text", "category", "zeros", "nullable", "day", "flag", "constant", "absent"]]


@pytest.fixture(scope="module", params=["wgan", "aae", "cgan"])
def fitted(request, small):
    if request.param == "cgan":
        return CGANSynthesizer(condition_columns=["category", "zeros"], **SMALL).fit(small)
    return {"wgan": WGANSynthesizer, "aae": AAESynthesizer}[request.param](**SMALL).fit(small)


class TestSynthesizers:
    """Small models that learnt nothing: whatever they make, conditions must hold."""

    def test_every_column_alone(self, fitted, small):
        for name in small:
            value = small[name].iloc[3]
            made = fitted.sample(7, random_state=0, conditions={name: value})
            assert made.shape == (7, small.shape[1])
            assert (made.dtypes == small.dtypes).all()
            same = made[name].isna() if pd.isna(value) else made[name] == value
            assert same.all(), name

    def test_a_table_of_conditions_in_order(self, fitted, small):
        names = ["category", "text", "zeros"]
        asked = small[names].iloc[[5, 0, 17, 5, 40]].reset_index(drop=True)
        made = fitted.sample(conditions=asked, random_state=0)
        pd.testing.assert_frame_equal(made[names], asked)
        assert made.columns.to_list() == small.columns.to_list()

    def test_intervals_and_missing_values(self, fitted, small):
        days = pd.Interval(pd.Timestamp("2020-01-05"), pd.Timestamp("2020-03-05"))
        made = fitted.sample(
            20,
            random_state=0,
            conditions={"zeros": pd.Interval(0.1, 9.0), "day": days, "text": None},
        )
        assert ((made["zeros"] > 0.1) & (made["zeros"] <= 9.0)).all()
        assert ((made["day"] > days.left) & (made["day"] <= days.right)).all()
        assert made["text"].isna().all()

    def test_numpy_scalars(self, fitted):
        made = fitted.sample(
            conditions={"nullable": np.int32(5), "flag": np.False_, "category": np.str_("y")}
        )
        assert (made["nullable"][0], made["flag"][0], made["category"][0]) == (5, False, "y")

    def test_repeatable(self, fitted):
        one, other = (fitted.sample(30, 1, conditions={"flag": True}) for _ in range(2))
        pd.testing.assert_frame_equal(one, other)

    def test_thousand_distinct_rows(self, small):
        model = WGANSynthesizer(**SMALL).fit(askable_table()[["float", "flag", "text"]])
        asked = pd.DataFrame({"float": np.linspace(-1.5, 1.5, 1000), "flag": [True, False] * 500})
        made = model.sample(conditions=asked, random_state=0)
        pd.testing.assert_frame_equal(made[["float", "flag"]], asked)

    @pytest.mark.parametrize(
        "labels",
        [
            pd.Index([("a", 1), None, 1.5], dtype=object, tupleize_cols=False),
            pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["l", None]),
            pd.Index([2, 0, 1], name="n"),
        ],
        ids=["odd", "MultiIndex", "integers"],
    )
    def test_labels_that_are_not_strings(self, labels):
        table = askable_table(60)[["text", "float", "flag"]].set_axis(labels, axis=1)
        model = AAESynthesizer(**SMALL).fit(table)
        asked = {labels[0]: "b", labels[1]: pd.Interval(-1, 1)}
        made = model.sample(9, conditions=asked, random_state=0)
        pd.testing.assert_index_equal(made.columns, labels)
        assert (made[labels[0]] == "b").all()
        assert made[labels[1]].between(-1, 1).all()
        asked = table[[labels[2], labels[0]]].iloc[:5].dropna().reset_index(drop=True)
        made = model.sample(conditions=asked, random_state=0)
        pd.testing.assert_frame_equal(made[list(asked)], asked)

    def test_columns_of_an_array_by_position(self):
        numbers = np.random.default_rng(0).integers(0, 4, (80, 3)).astype(np.float32)
        model = WGANSynthesizer(**SMALL).fit(numbers)
        made = model.sample(11, conditions={1: 2}, random_state=0)
        assert (type(made), made.dtype, made.shape) == (np.ndarray, np.float32, (11, 3))
        assert (made[:, 1] == 2).all()

    @pytest.mark.filterwarnings("ignore:column 'id'")
    def test_identifiers_never_repeat(self, small):
        table = small.assign(id=[f"row-{i}" for i in range(len(small))])
        model = WGANSynthesizer(**SMALL).fit(table)
        made = model.sample(1500, conditions={"flag": True}, random_state=0)
        assert made["id"].is_unique
        assert not set(made["id"]) & set(table["id"])
