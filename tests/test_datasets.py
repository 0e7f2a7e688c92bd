"""The bundled table is whole, and the made tables are what their docstrings say."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from seeds import seed

from tabgan.datasets import load_adult, make_mixed_table, make_waves

# Statistical checks allow five standard errors: one that is right fails once in two million seeds.
SIGMAS = 5.0


def assert_mean(values, expected, deviation):
    """Check a sample's mean against its true mean, given the true standard deviation."""
    assert abs(np.mean(values) - expected) < SIGMAS * deviation / np.sqrt(len(values))


def assert_rate(values, expected):
    """Check how often a sample of booleans is true."""
    assert_mean(values, expected, np.sqrt(expected * (1.0 - expected)))


class TestAdult:
    integers = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]

    def test_is_whole(self):
        train, test = load_adult()
        assert train.shape == (32561, 15)
        assert test.shape == (16281, 15)
        # Counts and sums published with the data, and by everyone who has used it since.
        assert (train["income"] == ">50K").sum() == 7841
        assert (test["income"] == ">50K").sum() == 3846
        assert train["age"].sum() == 1_256_257
        assert train.columns[0] == "age"
        assert train.columns[-1] == "income"

    def test_dtypes_and_categories_agree(self):
        train, test = load_adult()
        assert list(train.select_dtypes("int64")) == self.integers
        assert len(train.select_dtypes("category").columns) == 9
        assert (train.dtypes == test.dtypes).all()
        for name in train.select_dtypes("category"):
            categories = train[name].cat.categories
            assert list(categories) == sorted(categories)
            assert not train[name].cat.ordered

    def test_question_marks_are_missing(self):
        train, test = load_adult()
        missing = {"workclass": 1836, "occupation": 1843, "native-country": 583}
        assert train.isna().sum().loc[lambda counts: counts > 0].to_dict() == missing
        assert test.isna().sum().sum() == 2203
        for name in missing:
            assert "?" not in train[name].cat.categories

    def test_calls_do_not_share_rows(self):
        first, _ = load_adult()
        first["age"] = 0
        assert load_adult()[0]["age"].min() == 17

    def test_source_is_named(self):
        text = (files("tabgan.datasets") / "data" / "README.md").read_text(encoding="utf-8")
        for part in ("Becker", "Kohavi", "CC BY 4.0", "https://doi.org/10.24432/C5XW20"):
            assert part in text


class TestWaves:
    def test_parameters_explain_every_value(self):
        waves = make_waves(200, 30, random_state=0)
        time = np.arange(30) / 30
        turns = waves.frequency[:, None] * time + waves.offset[:, None] / (2 * np.pi)
        expected = np.where(
            waves.target[:, None] == waves.target_names.index("sine"),
            np.sin(2 * np.pi * turns),
            2 * (turns - np.floor(turns)) - 1,
        )
        np.testing.assert_allclose(waves.data, waves.amplitude[:, None] * expected, atol=1e-12)

    def test_ranges(self):
        waves = make_waves(5000, random_state=seed(1))
        for values, low, high in (
            (waves.offset, -np.pi, np.pi),
            (waves.frequency, 1.0, 5.0),
            (waves.amplitude, 0.1, 0.9),
        ):
            assert low <= values.min()
            assert values.max() <= high
            assert_mean(values, (low + high) / 2, (high - low) / np.sqrt(12))

    def test_classes_are_even_and_shuffled(self):
        waves = make_waves(101, random_state=0)
        assert sorted(np.bincount(waves.target)) == [50, 51]
        assert (np.diff(waves.target) == 0).any()
        assert make_waves(3, classes=["sawtooth"], random_state=0).target_names == ["sawtooth"]

    def test_noise_adds_its_deviation(self):
        clean = make_waves(500, random_state=seed(0))
        noisy = make_waves(500, noise=0.2, random_state=seed(0))
        np.testing.assert_array_equal(clean.amplitude, noisy.amplitude)
        assert np.std(noisy.data - clean.data) == pytest.approx(0.2, rel=0.05)

    def test_random_state(self):
        first, again, other = (make_waves(5, random_state=seed).data for seed in (3, 3, 4))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_frame_holds_the_same_values(self):
        waves = make_waves(7, 5, as_frame=True, random_state=0)
        assert list(waves.frame) == ["entity", "time", "value", "wave"]
        wide = waves.frame.pivot(index="entity", columns="time", values="value")
        np.testing.assert_array_equal(wide.to_numpy(), waves.data)
        shapes = waves.frame.groupby("entity")["wave"].agg(["nunique", "first"])
        assert (shapes["nunique"] == 1).all()
        assert list(shapes["first"]) == [waves.target_names[i] for i in waves.target]
        assert make_waves(2, random_state=0).frame is None

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n_samples": 0}, "n_samples must be a positive integer, got 0."),
            ({"n_steps": 2.5}, "n_steps must be a positive integer, got 2.5."),
            ({"n_samples": True}, "n_samples must be a positive integer, got True."),
            ({"noise": -1.0}, "noise must be a finite number of at least 0, got -1.0."),
            ({"noise": np.inf}, "noise must be a finite number of at least 0, got inf."),
            ({"noise": "loud"}, "noise must be a finite number of at least 0, got 'loud'."),
            (
                {"classes": ["square"]},
                "classes must be different names from ['sine', 'sawtooth'], got ['square'].",
            ),
            (
                {"classes": []},
                "classes must be different names from ['sine', 'sawtooth'], got [].",
            ),
            (
                {"classes": ["sine", "sine"]},
                "classes must be different names from ['sine', 'sawtooth'], got ['sine', 'sine'].",
            ),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            make_waves(**arguments)


@pytest.fixture(scope="module")
def table():
    return make_mixed_table(50_000, random_state=seed(0))


@pytest.fixture(scope="module")
def holey():
    return make_mixed_table(50_000, missing=0.2, random_state=seed(0))


class TestMixedTable:
    @pytest.mark.parametrize("missing", [0.0, 0.3])
    def test_kinds_stay_with_and_without_missing_values(self, missing):
        table = make_mixed_table(100, missing=missing, random_state=0)
        dtypes = table.dtypes.astype(str).to_dict()
        assert dtypes.pop("colour") == dtypes.pop("channel") == str(pd.Series(["text"]).dtype)
        assert dtypes == {
            "size": "category",
            "member": "bool",
            "length": "float64",
            "count": "int64",
            "price": "float64",
            "visits": "Int64",
            "joined": "datetime64[ns]",
            "bought": "category",
        }
        assert table["size"].cat.ordered
        assert list(table["size"].cat.categories) == ["small", "medium", "large"]
        assert not table["bought"].cat.ordered

    def test_rates(self, table):
        rates = {"red": 0.45, "green": 0.34, "blue": 0.20, "violet": 0.01}
        for colour, rate in rates.items():
            assert_rate(table["colour"] == colour, rate)
        for size, rate in {"small": 0.2, "medium": 0.5, "large": 0.3}.items():
            assert_rate(table["size"] == size, rate)
        assert_rate(table["member"], 0.3)
        for member, channels in {
            True: {"web": 0.7, "shop": 0.2, "phone": 0.1},
            False: {"web": 0.3, "shop": 0.6, "phone": 0.1},
        }.items():
            for channel, rate in channels.items():
                assert_rate(table.loc[table["member"] == member, "channel"] == channel, rate)

    def test_numbers_depend_on_categories(self, table):
        for colour, mean in {"red": 0.0, "green": 3.0, "blue": -3.0, "violet": 8.0}.items():
            assert_mean(table.loc[table["colour"] == colour, "length"], mean, 1.0)
        for size, mean in {"small": 2.0, "medium": 6.0, "large": 12.0}.items():
            assert_mean(table.loc[table["size"] == size, "count"], mean, np.sqrt(mean))
        for member, mean in {True: 8.0, False: 1.0}.items():
            visits = table.loc[table["member"] == member, "visits"].astype(float)
            assert_mean(visits, 1.0 + mean, np.sqrt(mean))
            assert visits.min() >= 1.0

    def test_price_is_zero_inflated_cents(self, table):
        for member, free in {True: 0.25, False: 0.8}.items():
            assert_rate(table.loc[table["member"] == member, "price"] == 0.0, free)
        paid = table.loc[table["price"] > 0.0, "price"]
        assert (paid == paid.round(2)).all()
        assert_mean(np.log(paid), 3.0, 0.5)

    def test_dates_depend_on_membership(self, table):
        for member, start in {True: "2020-01-01", False: "2022-01-01"}.items():
            days = (table.loc[table["member"] == member, "joined"] - pd.Timestamp(start)).dt.days
            assert days.min() >= 0
            assert days.max() <= 729
            assert_mean(days, 364.5, np.sqrt((730**2 - 1) / 12))

    def test_target_is_the_logistic_function(self, table):
        logit = table["length"] / 2 + 2 * table["member"] - 1
        probability = 1 / (1 + np.exp(-logit))
        surprise = (table["bought"] == "yes") - probability
        variance = probability * (1 - probability)
        # The score of a logistic regression: zero at the true coefficients and nowhere else.
        for feature in (1, table["length"], table["member"].astype(int)):
            assert_mean(surprise * feature, 0.0, np.sqrt(np.mean(variance * feature**2)))

    def test_missing_values_depend_on_colour_alone(self, holey):
        share = {"red": 0.08, "green": 0.24, "blue": 0.4, "violet": 0.24}
        for name in ("size", "channel", "length", "visits", "joined"):
            assert_rate(holey[name].isna(), 0.2)
            for colour, rate in share.items():
                of_colour = holey[holey["colour"] == colour]
                assert_rate(of_colour[name].isna(), rate)
                assert_rate(of_colour.loc[of_colour["member"], name].isna(), rate)
        assert holey[["colour", "member", "count", "price", "bought"]].notna().all(axis=None)

    def test_visits_and_joined_go_missing_together(self, holey):
        assert (holey["visits"].isna() == holey["joined"].isna()).all()
        blue = holey[holey["colour"] == "blue"]
        assert_rate(blue["size"].isna() & blue["length"].isna(), 0.4**2)

    def test_missing_values_hide_and_change_nothing_else(self, table, holey):
        pd.testing.assert_frame_equal(holey.where(holey.notna(), table), table, check_dtype=False)

    def test_random_state(self):
        first, again, other = (make_mixed_table(50, missing=0.2, random_state=s) for s in (1, 1, 2))
        pd.testing.assert_frame_equal(first, again)
        assert not first.equals(other)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n_samples": -1}, "n_samples must be a positive integer, got -1."),
            ({"missing": 0.6}, "missing must be a number in [0, 0.5], got 0.6."),
            ({"missing": None}, "missing must be a number in [0, 0.5], got None."),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            make_mixed_table(**arguments)


def test_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - it is what must not move
    make_waves(5, random_state=0)
    make_mixed_table(5, random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
