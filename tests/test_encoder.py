"""Codes and floats: exact round trips, exact rates, ranges, bounded memory."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from seeds import seed
from tables import N_ROWS, arrow_columns, assert_same_column, columns

from tabgan.datasets import load_adult, make_mixed_table
from tabgan.table.columns import IdentifierColumn
from tabgan.table.encoder import ATOM_MASS, EncodedTable, Encoder
from tabgan.table.schema import Schema

ENCODINGS = ("scalar", "bins", "rank")

pytestmark = pytest.mark.filterwarnings("error")


def encoder_of(table, numeric="scalar", **options):
    schema = Schema.infer(table, options.pop("categorical_features", ()))
    return Encoder(schema, numeric, **options)


def there_and_back(table, numeric="scalar", seed=0, **options):
    encoder = encoder_of(table, numeric, **options)
    rng = None if seed is None else np.random.default_rng(seed)
    return encoder.decode(encoder.encode(table, rng), rng)


def draw_from_masses(encoder, n, seed=0):
    """Make rows whose levels and scalars have training's rates and depend on nothing."""
    rng = np.random.default_rng(seed)
    codes = [rng.choice(len(masses), n, p=masses / masses.sum()) for masses in encoder.masses]
    scalars = rng.uniform(-1, 1, (n, encoder.layout.n_scalars))
    table = EncodedTable(
        torch.from_numpy(np.array(codes, dtype=np.int64).reshape(-1, n).T.copy()),
        torch.from_numpy(scalars).float(),
    )
    return encoder.decode(table, rng)


class TestRoundTrips:
    @pytest.mark.parametrize("numeric", ENCODINGS)
    @pytest.mark.parametrize("name", columns())
    def test_columns_of_few_values_come_back_exactly(self, name, numeric):
        table = columns()[name][0].rename("c").to_frame()
        for number in (None, 0):
            assert_same_column(there_and_back(table, numeric, number)["c"], table["c"])

    @pytest.mark.parametrize("numeric", ENCODINGS)
    def test_arrow_columns(self, numeric):
        pytest.importorskip("pyarrow")
        for values, _ in arrow_columns().values():
            table = values.rename("c").to_frame()
            assert_same_column(there_and_back(table, numeric)["c"], table["c"])

    @pytest.mark.parametrize("numeric", ENCODINGS)
    def test_all_at_once_with_labels_and_a_fresh_index(self, numeric):
        table = pd.DataFrame({name: values for name, (values, _) in columns().items()})
        table.columns = pd.MultiIndex.from_product([["x"], table.columns], names=["a", "b"])
        table.index = pd.Index(["same"] * N_ROWS)
        made = there_and_back(table, numeric)
        pd.testing.assert_index_equal(made.columns, table.columns)
        assert isinstance(made.index, pd.RangeIndex)
        for label in table.columns:
            assert_same_column(made[label], table[label].reset_index(drop=True))

    def test_forced_categories(self):
        names = [
            "float32",
            "int64",
            "uint64 top",
            "Int64",
            "datetime64[us]",
            "zoned",
            "timedelta64[s]",
        ]
        table = pd.DataFrame({name: columns()[name][0] for name in names})
        made = there_and_back(table, categorical_features=names)
        for name in names:
            assert_same_column(made[name], table[name])

    @pytest.mark.parametrize(
        "dtype", ["float64", "float32", "float16", "Float64", "double[pyarrow]"]
    )
    def test_floats_that_do_not_repeat_come_back_within_a_rank_of_float32(self, dtype):
        pytest.importorskip("pyarrow")
        values = pd.Series(np.random.default_rng(0).normal(size=2000).astype("float16"))
        table = values.drop_duplicates().astype("float64").astype(dtype).rename("c").to_frame()
        made = there_and_back(table)["c"]
        assert made.dtype == table["c"].dtype
        error = (made.astype("float64") - table["c"].astype("float64").reset_index(drop=True)).abs()
        assert error.max() < 2e-3

    def test_wide_integers_keep_their_ends_and_stay_between_them(self):
        rng = np.random.default_rng(0)
        for dtype, low, high in (("int64", -(2**63), 2**63), ("uint64", 0, 2**64)):
            values = np.r_[
                rng.integers(low, high, 500, dtype=dtype), np.array([low, high - 1], dtype)
            ]
            made = there_and_back(pd.DataFrame({"c": values}))["c"]
            assert made.dtype == dtype
            assert made.iloc[-2:].to_list() == [low, high - 1]
            # Ranks are float32, and so are exact to one part in 2 ** 24.
            np.testing.assert_allclose(made.astype(float), values.astype(float), atol=2.0**43)

    @pytest.mark.parametrize("numeric", ENCODINGS)
    def test_values_made_of_any_code_are_in_range_with_the_decimals_seen(self, numeric):
        rng = np.random.default_rng(0)
        table = pd.DataFrame(
            {
                "cents": rng.lognormal(3, 1, 500).round(2),
                "tenths": rng.normal(size=500).round(1).astype("float32"),
                "tens": 10 * rng.integers(-50, 90, 500),
                "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 500), "D"),
                "normal": rng.normal(size=500),
            }
        )
        encoder = encoder_of(table, numeric)
        made = draw_from_masses(encoder, 5000)
        assert (made.min() >= table.min()).all()
        assert (made.max() <= table.max()).all()
        assert (made.dtypes == table.dtypes).all()
        assert (made["cents"].round(2) == made["cents"]).all()
        assert (made["tenths"].astype(float).round(1).astype("float32") == made["tenths"]).all()
        assert not (made["tens"] % 10).any()
        assert (made["day"].dt.normalize() == made["day"]).all()
        # Values between training values come out, not the training values alone.
        assert (
            made["normal"].nunique() > 4000 if numeric != "bins" else made["normal"].nunique() > 50
        )

    def test_values_that_were_not_seen(self):
        table = pd.DataFrame({"x": [1.0, 2.0, 3.0] * 8, "k": ["a", "b", "c"] * 8, "n": 5})
        encoder = encoder_of(table)
        other = pd.DataFrame({"x": [9.0, -9.0, np.nan], "k": ["z", None, "a"], "n": [5, 7, 5]})
        encoded = encoder.encode(other)
        codes = dict(zip(("x", "k"), encoded.codes.T.tolist(), strict=True))
        assert codes == {"x": [2, 0, -1], "k": [-1, -1, 0]}
        assert encoder.blocks[2] == -1

    def test_floats_where_integers_were(self):
        encoder = encoder_of(pd.DataFrame({"n": [2**62, 2**62 + 4, 2**62 + 8] * 5}))
        other = pd.DataFrame({"n": [2.0**62, 1e300, -1e300, 2.0**62 + 4096, np.nan]})
        assert encoder.encode(other).codes[:, 0].tolist() == [0, 2, 0, 2, -1]

    def test_columns_that_became_something_else(self):
        encoder = encoder_of(pd.DataFrame({"x": [1.5, 2.5, 4.0]}))
        for value, reason in (
            ("many", "could not convert string to float: 'many'"),
            (-np.inf, "it contains infinity"),
        ):
            message = (
                "column 'x' held float values when the model was fitted, and now cannot be read "
                f"as such ({reason})."
            )
            with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
                encoder.encode(pd.DataFrame({"x": [value]}))

    def test_input_is_left_alone(self):
        table = make_mixed_table(100, missing=0.2, random_state=0)
        encoder = encoder_of(table)
        before = table.copy()
        encoded = encoder.encode(table, np.random.default_rng(0))
        kept = EncodedTable(encoded.codes.clone(), encoded.scalars.clone())
        encoder.decode(encoded, np.random.default_rng(0))
        pd.testing.assert_frame_equal(table, before)
        assert torch.equal(encoded.codes, kept.codes)
        assert torch.equal(encoded.scalars, kept.scalars)


class TestRates:
    @pytest.mark.parametrize("numeric", ENCODINGS)
    def test_masses_are_the_shares_of_training(self, numeric):
        table = make_mixed_table(2000, missing=0.2, random_state=0)
        encoder = encoder_of(table, numeric)
        encoded = encoder.encode(table, np.random.default_rng(0))
        assert len(encoder.masses) == encoder.layout.n_blocks
        for block, masses in enumerate(encoder.masses):
            np.testing.assert_allclose(masses.sum(), 1.0)
            seen = np.bincount(encoded.codes[:, block], minlength=len(masses)) / len(table)
            # Bins cut through intervals and atoms, whose values draw their rank.
            tolerance = 1e-12 if numeric == "scalar" else 4 / len(table) + 0.005
            np.testing.assert_allclose(seen, masses, atol=tolerance)

    def test_scalars_of_training_are_even(self):
        table = pd.DataFrame({"x": np.random.default_rng(0).standard_cauchy(5000)})
        encoded = encoder_of(table).encode(table, np.random.default_rng(0))
        even = np.sort(encoded.scalars[:, 0].numpy())
        np.testing.assert_allclose(even, np.linspace(-1, 1, 5000), atol=2 / 500)

    def test_rare_categories_come_out_at_their_own_rate(self):
        n, n_made = 20_000, 200_000
        rare = 60  # 0.3 %
        values = np.repeat(["common", "other", "rare"], [n - 5000 - rare, 5000, rare])
        made = draw_from_masses(encoder_of(pd.DataFrame({"c": values})), n_made)["c"]
        rate, share = (made == "rare").mean(), rare / n
        # Five standard errors: a false alarm in 1.7 million runs.
        assert abs(rate - share) < 5 * np.sqrt(share / n_made)

    def test_categories_beyond_the_limit_keep_their_rates(self):
        counts = np.r_[5000, 2000, 1000, 900, np.arange(1, 30)]
        table = pd.DataFrame({"c": np.repeat([f"k{i}" for i in range(len(counts))], counts)})
        encoder = encoder_of(table, max_categories=4)
        assert encoder.layout.n_levels == (4,)
        np.testing.assert_allclose(
            encoder.masses[0], np.r_[counts[:3], counts[3:].sum()] / counts.sum()
        )
        n_made = 200_000
        made = draw_from_masses(encoder, n_made)["c"].value_counts() / n_made
        share = table["c"].value_counts(normalize=True)
        error = (made.reindex(share.index, fill_value=0) - share).abs()
        # Of 33 categories one is off by five standard errors in 50,000 runs.
        assert (error < 5 * np.sqrt(share / n_made)).all()

    def test_atoms_keep_their_mass(self):
        rng = np.random.default_rng(0)
        values = np.where(rng.random(10_000) < 0.9, 0.0, rng.exponential(size=10_000))
        values[:800] = 40.0
        table = pd.DataFrame({"hours": values})
        for numeric in ENCODINGS:
            made = draw_from_masses(encoder_of(table, numeric), 100_000)["hours"]
            for atom in (0.0, 40.0):
                share = (values == atom).mean()
                error = 5 * np.sqrt(share * (1 - share) / 100_000)
                assert abs((made == atom).mean() - share) < error

    def test_levels_of_a_number(self):
        rng = np.random.default_rng(0)
        table = pd.DataFrame({"x": np.where(rng.random(1000) < 0.5, 0.0, rng.normal(size=1000))})
        table.loc[:99, "x"] = None
        scalar, bins, rank = (encoder_of(table, numeric, n_bins=8) for numeric in ENCODINGS)
        assert scalar.layout.n_levels == (3,)  # the rest, zero, missing
        assert (scalar.layout.n_scalars, scalar.layout.gates.tolist()) == (1, [0])
        assert bins.layout.n_scalars == 0
        assert bins.layout.n_levels[0] == pytest.approx(8 / 2 + 2, abs=1)
        assert rank.layout.n_levels == (2,)  # present, missing
        encoded = scalar.encode(table)
        assert torch.equal(encoded.codes[:100, 0], torch.full((100,), 2))
        assert not encoded.scalars[encoded.codes[:, 0] != 0].any()

    def test_few_values_are_levels_and_frequent_ones_beside_a_scalar(self):
        few = pd.DataFrame({"n": np.repeat([0, 1, 2, 9, 10], [500, 300, 198, 1, 1])})
        assert encoder_of(few).layout.n_levels == (5,)
        many = pd.DataFrame({"n": np.r_[np.arange(95).repeat(10), [1000] * 60]})
        encoder = encoder_of(many)
        assert 60 / len(many) > ATOM_MASS
        assert (encoder.layout.n_levels, encoder.layout.n_scalars) == ((2,), 1)

    def test_constants_and_all_missing_take_no_room(self):
        table = pd.DataFrame({"a": [1, 1], "b": ["x", "x"], "c": [None, None], "d": [0.5, 0.5]})
        encoder = encoder_of(table)
        assert encoder.layout.width == 0
        pd.testing.assert_frame_equal(there_and_back(table), table)


class TestManyCategories:
    def test_no_one_hot_table_is_ever_made(self):
        n, k = 50_000, 10_000
        rng = np.random.default_rng(0)
        table = pd.DataFrame({"c": [f"category {i}" for i in rng.integers(0, k, n)]})
        schema = Schema.infer(table)
        assert len(schema["c"].categories) > 9000
        tracemalloc.start()
        try:
            encoder = Encoder(schema)
            encoded = encoder.encode(table, rng)
            made = encoder.decode(encoded, rng)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert encoder.layout.width == 256
        assert sum(part.numel() for part in encoded) == n
        # A one-hot table would hold 500 million entries, or 12 million with rare ones pooled.
        assert peak < 10_000_000
        assert set(made["c"]) <= set(table["c"])
        common = schema["c"].categories[:255]
        assert (made["c"].isin(common) == table["c"].isin(common)).all()

    def test_as_many_levels_as_asked_for(self):
        table = pd.DataFrame({"c": np.arange(300).repeat(2)})
        for limit, width in ((2, 2), (299, 384), (300, 384), (1000, 384)):
            encoder = encoder_of(table, max_categories=limit, categorical_features=["c"])
            assert encoder.layout.n_levels == (min(limit, 300),)
            assert encoder.layout.width == width


class TestIdentifiers:
    @pytest.fixture
    def schema(self):
        ids = pd.Series([f"id{i:03d}" for i in range(90)] + [None] * 10, name="id")
        with pytest.warns(UserWarning, match="looks like an identifier"):
            return Schema.infer(pd.concat([ids, pd.Series(range(100), name="x") % 3], axis=1))

    def test_only_their_absence_is_encoded(self, schema):
        encoder = Encoder(schema)
        assert isinstance(schema["id"], IdentifierColumn)
        assert [masses.tolist() for masses in encoder.masses][0] == [0.9, 0.1]
        table = pd.DataFrame({"id": ["id007", None, "other"], "x": [0, 1, 2]})
        encoded = encoder.encode(table)
        assert encoded.codes[:, 0].tolist() == [0, 1, 0]
        made = encoder.decode(encoded)
        assert made["id"].isna().to_list() == [False, True, False]
        assert made["id"].dropna().to_list() == ["id090", "id092"]
        assert made["id"].dtype == table["id"].dtype

    def test_renumbering(self, schema):
        encoder = Encoder(schema)
        half = pd.DataFrame({"id": ["id090", None], "x": [0, 1]})
        both = pd.concat([half, half], ignore_index=True)
        encoder.renumber(both)
        assert both["id"].dropna().to_list() == ["id090", "id092"]

    def test_numbers_are_fresh_and_unique(self):
        table = pd.DataFrame({"id": np.arange(200), "x": np.arange(200) % 3})
        with pytest.warns(UserWarning, match="looks like an identifier"):
            encoder = encoder_of(table)
        made = encoder.decode(encoder.encode(table))
        both = pd.concat([made, made], ignore_index=True)
        encoder.renumber(both)
        assert both["id"].is_unique
        assert not set(both["id"]) & set(table["id"])
        assert both["id"].dtype == table["id"].dtype
        assert both["x"].tolist() == [*table["x"]] * 2


def test_adult_comes_back():
    table, _ = load_adult()
    encoder = encoder_of(table)
    rng = np.random.default_rng(seed(0))
    made = encoder.decode(encoder.encode(table, rng), rng)
    assert (made.dtypes == table.dtypes).all()
    # Ranks are floats of 24 bits: of 24 other seeds one had one of 456,000 cells at the edge of the
    # next value. At that rate more than three are once in ten million seeds.
    others = table.columns.drop("fnlwgt")
    is_off = (made[others] != table[others]) & (made[others].notna() | table[others].notna())
    assert is_off.to_numpy().sum() <= 3
    # 21,648 distinct weights are ranks in 512 intervals; those far apart are furthest off.
    relative = (made["fnlwgt"] - table["fnlwgt"]).abs() / table["fnlwgt"]
    assert relative.max() < 0.001


def test_rows_and_devices():
    encoded = EncodedTable(torch.arange(6).view(3, 2), torch.rand(3, 1))
    assert len(encoded) == 3
    taken = encoded.rows(torch.tensor([2, 2]))
    assert torch.equal(taken.codes, torch.tensor([[4, 5], [4, 5]]))
    assert {part.device.type for part in encoded.to(torch.device("meta"))} == {"meta"}


class TestTailBins:
    """Bins at both ends that are cut in halves, and ranks of levels."""

    TABLE = pd.DataFrame({"x": np.random.default_rng(0).lognormal(0, 2, 4000)})

    def test_masses_are_halved_towards_the_ends(self):
        encoder = encoder_of(self.TABLE, "bins", n_bins=10, n_halvings=2)
        inner = [0.1] * 8
        np.testing.assert_allclose(
            encoder.masses[0], [0.025, 0.025, 0.05, *inner, 0.05, 0.025, 0.025]
        )

    @pytest.mark.parametrize("n_halvings", [0, 1, 4])
    def test_levels_have_their_masses_and_values_come_back_near(self, n_halvings):
        encoder = encoder_of(self.TABLE, "bins", n_bins=10, n_halvings=n_halvings)
        codes = encoder.encode(self.TABLE, np.random.default_rng(0)).codes[:, 0].numpy()
        rates = np.bincount(codes, minlength=len(encoder.masses[0])) / len(codes)
        np.testing.assert_allclose(rates, encoder.masses[0], atol=2e-3)
        back = there_and_back(self.TABLE, "bins", n_bins=10, n_halvings=n_halvings)["x"]
        ranks = [values.rank(pct=True).to_numpy() for values in (self.TABLE["x"], back)]
        assert np.abs(ranks[0] - ranks[1]).max() <= 0.1 + 1e-3

    def test_halving_keeps_tails_apart(self):
        """The largest values share a bin of a 640th, not of a 40th, of the rows."""
        top = self.TABLE["x"].nlargest(6).index
        back = [
            there_and_back(self.TABLE, "bins", n_bins=40, n_halvings=n).loc[top, "x"].min()
            for n in (0, 4)
        ]
        assert back[1] > 2 * back[0]

    @pytest.mark.parametrize("numeric", ENCODINGS)
    def test_ranks_of_levels(self, numeric):
        table = make_mixed_table(600, missing=0.2, random_state=0)
        encoder = encoder_of(table, numeric)
        assert [len(ranks) for ranks in encoder.level_ranks] == list(encoder.layout.n_levels)
        kinds = {codec.column.kind for codec in encoder.codecs}
        assert len(kinds) > 2
        for codec in encoder.codecs:
            known = codec.level_ranks[~np.isnan(codec.level_ranks)]
            assert ((known >= 0) & (known <= 1)).all()
            if codec.column.missing_rate > 0 and len(codec.level_ranks) > 1:
                assert np.isnan(codec.level_ranks[-1])

    def test_ranks_follow_values(self):
        """Bins come before atoms among the levels; ranks say which lies where."""
        values = np.r_[np.zeros(300), np.linspace(-3, 3, 700)]
        encoder = encoder_of(pd.DataFrame({"x": values}), "bins", n_bins=8)
        decoded = encoder.decode(
            EncodedTable(
                torch.arange(len(encoder.masses[0]))[:, None],
                torch.zeros(len(encoder.masses[0]), 0),
            )
        )["x"]
        order = np.argsort(encoder.level_ranks[0])
        assert decoded.iloc[order].is_monotonic_increasing

    def test_ordered_categories_have_ranks_and_others_none(self):
        kinds = pd.Categorical(["lo", "mid", "hi", "mid"] * 9, ["lo", "mid", "hi"], ordered=True)
        table = pd.DataFrame({"ordered": kinds, "not": list("abca") * 9})
        ordered, other = encoder_of(table).level_ranks
        np.testing.assert_allclose(ordered, [1 / 6, 1 / 2, 5 / 6])
        assert np.isnan(other).all()
