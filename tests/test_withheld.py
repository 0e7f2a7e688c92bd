"""What `privacy` withholds: nothing that is kept rests on fewer training rows than it asks for."""

from __future__ import annotations

import datetime
import decimal
import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from contract import (
    SYNTHESIZERS,
    TABLES,
    fit_small,
    labels_of,
    small,
    those_of,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from sklearn.base import clone
from tables import N_ROWS, columns

import tabgan
from tabgan import Privacy
from tabgan.checks import ParameterError
from tabgan.constraints import FixedCombinations, Inequality, Unique
from tabgan.datasets import make_mixed_table
from tabgan.estimators.adversarial import Latent
from tabgan.generation.conditions import ConditionModel
from tabgan.table.columns import CategoricalColumn, IdentifierColumn, NumericColumn
from tabgan.table.encoder import Encoder
from tabgan.table.privacy import Withheld, common_quantiles
from tabgan.table.schema import Schema

WITHHOLDING = [cls for cls in SYNTHESIZERS if those_of(cls, privacy="none")]
every_withholding = pytest.mark.parametrize("cls", WITHHOLDING, ids=lambda cls: cls.__name__)
SALARY, TEXT = 987654.32, "the only note about Ms Rara"


def described(table, privacy=None):
    """Return the schema of a table, of which something is withheld."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Schema.infer(table, withheld=Withheld(privacy or Privacy(), len(table)))


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(*args, **kwargs)


def random_table(rng, n):
    """Return columns of many shapes: long tails, ties, steps, missing values, rare categories."""
    pick = rng.choice
    table = pd.DataFrame(
        {
            "tail": np.exp(rng.normal(0, rng.uniform(0.1, 4), n)),
            "cents": rng.gamma(1, 30, n).round(pick([0, 1, 2])),
            "spike": np.where(rng.random(n) < rng.random(), 0.0, rng.normal(0, 9, n)),
            "count": rng.poisson(rng.uniform(0.1, 30), n),
            "steps": rng.integers(0, 9, n) * 500 + 17,
            "few": pick([1.0, 2.5, 100.0], n, p=[0.9, 0.09, 0.01]),
            "gaps": np.where(rng.random(n) < rng.random(), np.nan, rng.normal(size=n)),
            "word": pick([f"w{i}" for i in range(60)], n, p=_falling(60, rng)),
            "flag": rng.random(n) < rng.choice([0.003, 0.2]),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
        }
    )
    table["some"] = pd.Series(pick(["a", "b", "c"], n)).where(rng.random(n) > 0.01)
    return table


def _falling(n, rng):
    share = np.arange(1, n + 1) ** -rng.uniform(0.5, 3)
    return share / share.sum()


def check_sound(table, schema, k):
    """Check that each part of a schema rests on at least `k` rows of the table."""
    for column in schema.columns:
        values = table[column.name]
        n_missing, n_present = values.isna().sum(), values.notna().sum()
        assert column.missing_rate in (0.0, 1.0) or min(n_missing, n_present) >= k
        if isinstance(column, CategoricalColumn):
            counts = values.value_counts()
            assert all(counts[category] >= k for category in column.categories)
        elif isinstance(column, NumericColumn):
            check_numbers(column, values, k)


def check_numbers(column, values, k):
    quantiles = column.table
    numbers = np.sort(column.numbers(values.dropna()))
    n = len(numbers)
    # Rows: `mass` counts them, for the values that are there.
    assert (np.rint(quantiles.mass * n) >= k).all()
    assert np.allclose(quantiles.mass * n, np.rint(quantiles.mass * n))
    assert abs(quantiles.mass.sum() - 1) < 1e-9
    assert (quantiles.low <= quantiles.high).all()
    assert (quantiles.high[:-1] <= quantiles.low[1:]).all()
    assert numbers[0] - 1e-9 <= quantiles.low[0] and quantiles.high[-1] <= numbers[-1] + 1e-9
    held, counts = np.unique(numbers, return_counts=True)
    alone = set(held[counts < k].tolist())
    ends = set(quantiles.low.tolist()) | set(quantiles.high.tolist())
    # On a grid, a mean may be rounded to a value that occurs; elsewhere none does.
    inner = ends - {quantiles.low[0], quantiles.high[-1]} if column.spacing else ends
    on_grid = {end for end in inner if column.spacing and end == np.round(end, 9)}
    assert not alone & (inner - on_grid)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 1500), st.sampled_from([2, 5, 10]))
def test_nothing_in_a_schema_rests_on_too_few_rows(seed, n, k):
    table = random_table(np.random.default_rng(seed), n)
    schema = described(table, Privacy(min_rows=k))
    check_sound(table, schema, k)
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))).to_dict() == schema.to_dict()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(60, 1500), st.sampled_from([2, 5, 10]), st.booleans())
@example(43, 60, 10, False)
@example(482543890, 60, 10, True)
def test_how_far_out_the_outermost_rows_lie_moves_nothing(seed, n, k, is_above):
    """Of numbers pushed out, no part of a schema tells how far: not the ends, the step, a mean."""
    rng = np.random.default_rng(seed)
    table = random_table(rng, n)[["tail", "cents", "spike", "count", "steps"]]
    sign = 1 if is_above else -1
    near, far = table.copy(), table.copy()
    for name in table:
        outermost = (sign * table[name]).nlargest(k - 1).index
        width, away = np.ptp(table[name]) + 1, rng.permutation(k - 1) + 1
        for moved, times in ((near, 3), (far, 70)):
            pushed = moved.loc[outermost, name] + sign * width * (times + away)
            moved.loc[outermost, name] = pushed.astype(table[name].dtype)
    one, other = (described(moved, Privacy(min_rows=k)) for moved in (near, far))
    for a, b in zip(one.columns, other.columns, strict=True):
        assert (a.origin, a.step, a.last, a.decimals) == (b.origin, b.step, b.last, b.decimals)
        # Steps are counted from a least number that differs, which rounds means differently.
        for part in ("mass", "low", "high"):
            assert np.allclose(getattr(a.table, part), getattr(b.table, part), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 800))
def test_what_is_decoded_fits_the_column(seed, n):
    table = random_table(np.random.default_rng(seed), n)
    schema = described(table)
    rng = np.random.default_rng(0)
    for numeric in ("scalar", "bins", "rank"):
        encoder = Encoder(schema, numeric)
        rows = encoder.encode(table, rng)
        rows.codes.clamp_(min=0)
        made = encoder.decode(rows, rng)
        assert (made.dtypes == table.dtypes).all()
        for column in schema.columns:
            if isinstance(column, NumericColumn) and column.kind == "float":
                low, high = column.ends
                assert made[column.name].dropna().between(low, high).all()
                if column.decimals is not None:
                    rounded = made[column.name].round(column.decimals)
                    assert np.allclose(made[column.name], rounded, equal_nan=True)


@pytest.mark.parametrize("name", columns())
def test_every_kind_of_column_is_described_and_comes_back(name):
    _, values = columns()[name]
    table = pd.DataFrame({"x": values, "y": np.arange(N_ROWS) % 2})
    schema = described(table)
    check = Encoder(schema)
    rows = check.encode(table)
    assert (check.decode(rows).dtypes == table.dtypes).all()
    assert Schema.from_dict(schema.to_dict()).to_dict() == schema.to_dict()


# ---------------------------------------------------------------------- parts of columns


def test_a_single_large_number_moves_nothing():
    rng = np.random.default_rng(0)
    values = rng.normal(3000, 500, 300).round(2)
    planted = values.copy()
    planted[17] = SALARY
    one, other = (described(pd.DataFrame({"x": v})).columns[0] for v in (values, planted))
    assert other.ends[1] < 2 * np.sort(values)[-4]
    assert abs(other.ends[1] - one.ends[1]) < 500
    assert other.decimals == one.decimals == 2


def test_four_rows_of_one_large_number_move_nothing_and_five_make_an_atom():
    values = np.random.default_rng(0).normal(3000, 500, 300).round(2)
    for n, is_kept in ((4, False), (5, True)):
        planted = values.copy()
        planted[:n] = SALARY
        column = described(pd.DataFrame({"x": planted})).columns[0]
        assert (column.ends[1] == SALARY) is is_kept


@pytest.mark.parametrize("n_low", [4, 6, 8, 12, 40])
def test_a_single_number_between_two_frequent_ones_does_not_come_out(n_low):
    low = np.random.default_rng(0).uniform(10, 90, n_low).round(2)
    values = np.r_[np.zeros(100), low, 500_000, np.full(100, 1e6)]
    column = described(pd.DataFrame({"x": values})).columns[0]
    made = column.table.values(np.random.default_rng(0).random(20_000))
    assert not ((made > 1000) & (made < 999_999)).any()


def test_ends_stay_if_they_are_not_to_be_blunted():
    values = pd.DataFrame({"x": np.random.default_rng(0).normal(size=300)})
    column = described(values, Privacy(blunt_ends=False)).columns[0]
    assert column.ends == (values["x"].min(), values["x"].max())


def test_step_decimals_and_origin_do_not_rest_on_a_few_rows():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 200, 400) * 250
    cents = rng.integers(0, 4000, 400) / 4
    odd, precise = numbers.copy(), cents.copy()
    odd[[3, 50, 99]] = [7, 131, 9_999_999]
    precise[[3, 50]] = [0.123456, 7.7777]
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 400), "D")
    times = days.to_numpy().copy()
    times[5] += np.timedelta64(12_345, "s")
    exact = [decimal.Decimal(int(v)) / 4 for v in rng.integers(0, 4000, 400)]
    exact[7] = decimal.Decimal("1.123456789")
    table = pd.DataFrame({"odd": odd, "precise": precise, "times": times, "exact": exact})
    schema = described(table)
    assert schema["odd"].step == 250 and schema["odd"].origin % 250 == 0
    assert schema["odd"].ends[1] < 60_000
    assert schema["precise"].decimals == schema["exact"].decimals == 2
    assert schema["times"].series(np.arange(3.0)).dt.normalize().is_monotonic_increasing
    made = schema["times"].series(np.arange(30.0))
    assert (made == made.dt.normalize()).all()


def test_rare_categories_are_left_out_and_declared_ones_stay_declared():
    values = ["a"] * 60 + ["b"] * 30 + ["c"] * 4 + ["d"]
    plain = pd.Series(values)
    given = pd.Series(pd.Categorical(values, categories=["d", "b", "a", "c"], ordered=True))
    schema = described(pd.DataFrame({"plain": plain, "given": given}))
    for column in schema.columns:
        assert column.categories == ("a", "b")
        assert column.frequencies == (60 / 90, 30 / 90)
    assert schema["given"].declared == ("d", "b", "a", "c") and schema["given"].ordered
    kept = described(pd.DataFrame({"plain": plain}), Privacy(rare_categories="kept"))
    assert kept["plain"].categories == ("a", "b", "c", "d")


@pytest.mark.parametrize("what", ["fresh", "dropped"])
def test_texts_of_which_most_are_rare_are_drawn_afresh(what):
    texts = ["yes"] * 40 + [f"note of {i}" for i in range(60)]
    column = described(pd.DataFrame({"x": texts}), Privacy(rare_categories=what))["x"]
    if what == "dropped":
        assert column.categories == ("yes",)
        return
    assert isinstance(column, IdentifierColumn)
    made = column.series(np.zeros(50, dtype=bool))
    assert made.is_unique and not set(made) & set(texts)


def test_free_text_of_which_some_repeats_brings_no_text_of_training_back():
    texts = [f"once {i}" for i in range(93)] + [f"seldom {i % 84}" for i in range(207)]
    table = pd.DataFrame({"text": texts, "n": np.arange(300)})
    assert table["text"].nunique() == 0.59 * len(table)
    made = quietly(tabgan.AutoregressiveSynthesizer(n_steps=3, random_state=0).fit, table)
    assert not set(made.sample(300, random_state=0)["text"]) & set(texts)


@pytest.mark.parametrize("values", [[f"t{i}" for i in range(60)], list(range(60)), [None] * 60])
def test_a_column_of_rare_categories_alone_still_makes_a_column(values):
    table = pd.DataFrame({"x": values, "y": np.arange(60) % 2})
    withheld = Withheld(Privacy(rare_categories="dropped"), 60)
    schema = quietly(Schema.infer, table, ["x"], withheld=withheld)
    encoder = Encoder(schema)
    assert (encoder.decode(encoder.encode(table)).dtypes == table.dtypes).all()
    days = pd.DataFrame({"x": [datetime.time(i // 60, i % 60) for i in range(60)]})
    schema = quietly(Schema.infer, days, withheld=Withheld(Privacy(), 60))
    assert schema["x"].missing_rate == 1.0 and schema["x"].categories == ()


def test_counters_do_not_tell_the_greatest_number():
    numbers = np.random.default_rng(0).permutation(300) + 1000
    table = pd.DataFrame({"number": numbers, "text": [f"c-{n}" for n in numbers]})
    table.loc[3, "number"], table.loc[3, "text"] = 987_654_321, "c-987654321"
    schema = described(table)
    for column in schema.columns:
        assert isinstance(column, IdentifierColumn)
        made = column.series(np.zeros(300, dtype=bool)).astype(str)
        assert not set(made) & set(table[column.name].astype(str))
        assert "98765" not in json.dumps(schema.to_dict())


def test_a_few_missing_or_present_values_are_not_told():
    x = np.random.default_rng(0).normal(size=200)
    some, most = x.copy(), x.copy()
    some[:4], most[4:] = np.nan, np.nan
    schema = described(pd.DataFrame({"some": some, "most": most}))
    assert schema["some"].missing_rate == 0.0
    assert schema["most"].missing_rate == 1.0 and schema["most"].dtype == "float64"


def test_quantiles_of_a_smooth_column_stay_near_those_of_the_rows():
    rng = np.random.default_rng(0)
    for values in (
        rng.normal(size=5000),
        np.where(rng.random(5000) < 0.4, 0, rng.gamma(2, 9, 5000)),
    ):
        table = common_quantiles(values, "x", Withheld(Privacy(), 5000), None)
        made = table.values(rng.random(5000))
        ordered = np.sort(values)
        below = np.searchsorted(np.sort(made), ordered, side="right") / 5000
        assert np.abs(below - np.searchsorted(ordered, ordered, side="right") / 5000).max() < 0.04


@pytest.mark.parametrize("numeric", ["scalar", "bins", "rank"])
def test_rare_numbers_are_encoded_as_the_frequent_ones_that_they_count_to(numeric):
    rng = np.random.default_rng(0)
    values = np.r_[np.repeat([10, 20, 30], 60), [11, 12, 28, 29, 29], rng.normal(99, 9, 200)]
    table = pd.DataFrame({"x": values})
    schema = described(table)
    encoder = Encoder(schema, numeric, n_bins=20)
    rows = encoder.encode(table, rng)
    made = encoder.decode(rows, rng)["x"].to_numpy()
    assert (made[180:185] == [10, 10, 30, 30, 30]).all()
    # The levels' masses, to which rows are calibrated, count them there too.
    if numeric != "rank":
        rates = np.bincount(rows.codes[:, 0].numpy(), minlength=len(encoder.masses[0]))
        assert np.abs(rates / len(table) - encoder.masses[0]).max() < 0.02


# ---------------------------------------------------------------------- combinations


def test_combinations_of_few_rows_are_recombined():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"c{i}": rng.choice(list("abcdef"), 300) for i in range(6)})
    table.loc[:49] = ["a"] * 6
    schema = described(table)
    model = ConditionModel(schema, 256, min_rows=5)
    model.learn(model.encode(table, rng))
    codes, counts = model.combinations.codes, model.combinations.counts
    assert counts.max() >= 50 and counts.sum() == 300
    real = {tuple(row) for row in model.encode(table, rng).codes.tolist()}
    alike = [count for row, count in zip(codes.tolist(), counts, strict=True) if tuple(row) in real]
    assert sum(count for count in alike if count < 5) < 0.1 * 250
    # Every level can be asked for, at its rate.
    for i in range(6):
        rates = np.bincount(codes[:, i], weights=counts)
        assert np.array_equal(rates, np.bincount(model.encode(table, rng).codes[:, i]))


def test_bins_of_conditions_hold_enough_rows():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=60), "c": rng.choice(["a", "b"], 60)})
    model = ConditionModel(described(table), 256, min_rows=5)
    model.learn(model.encode(table, rng))
    bins = np.repeat(model.combinations.bins[:, 0], model.combinations.counts)
    assert np.unique(bins, return_counts=True)[1].min() >= 5


# ---------------------------------------------------------------------- models


def planted_table(n=120):
    """Return a table in which one row holds a salary, a text and a combination of its own."""
    table = make_mixed_table(n, random_state=0)
    rng = np.random.default_rng(1)
    table["salary"] = rng.gamma(4, 800, n).round(2)
    table["note"] = rng.choice(["paid", "open", "late"], n)
    table.loc[9, ["salary", "note"]] = [SALARY, TEXT]
    return table


def text_of(path):
    """Return all that a model file says in its JSON."""
    with safe_open(path, framework="pt") as file:
        return file.metadata()["tabgan"]


@every_withholding
def test_every_synthesizer_learns_and_keeps_what_it_is_told_to_withhold(cls, tmp_path):
    table = planted_table()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = fit_small(cls, table, privacy="standard")
    told = [str(each.message) for each in caught]
    assert sum("privacy withholds" in each for each in told) == 1
    assert sum("120 rows" in each for each in told) == 1
    assert not any("never seen" in each for each in told)
    made = estimator.sample(200, random_state=0)
    assert list(made.columns) == list(table.columns)
    assert (made.dtypes == table.dtypes).all()
    assert TEXT not in set(made["note"]) and made["salary"].max() < SALARY / 10
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        estimator.score(table)
        if hasattr(estimator, "transform"):
            estimator.transform(table)
    estimator.save(tmp_path / "model")
    document = text_of(tmp_path / "model")
    assert TEXT not in document and "Rara" not in document
    assert not re.search(r"987654|98765432", document)
    again = tabgan.load(tmp_path / "model")
    assert again.privacy == "standard"
    assert again.sample(20, random_state=1).equals(estimator.sample(20, random_state=1))
    quietly(estimator.partial_fit, table)


@every_withholding
def test_what_is_withheld_is_the_default(cls):
    assert small(cls).get_params()["privacy"] == "none"
    assert cls().privacy == "standard"


@every_withholding
def test_rows_fit_the_table_by_default(cls):
    """The contract under the default; files and later rows are tested above."""
    table = TABLES["mixed" if issubclass(cls, Latent) else "every kind"]()
    estimator = quietly(fit_small, cls, table, privacy=cls().privacy)
    made = estimator.sample(80, random_state=0)
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)
    for label in table:
        seen, new = table[label].dropna(), made[label].dropna()
        if pd.api.types.is_numeric_dtype(table[label]) or "time" in str(table[label].dtype):
            assert new.between(seen.min(), seen.max()).all() or not len(seen), label
        else:
            assert set(new) <= set(seen), label
        assert table[label].isna().any() or not made[label].isna().any(), label
    if cls is not tabgan.TeachingSynthesizer:
        for label in table.columns[[0, -1]]:
            wanted = table[label].dropna().sort_values().iloc[len(table) // 3]
            given = estimator.sample(2, random_state=0, conditions={label: wanted})
            assert (given[label] == wanted).all(), label


def test_parts_are_kept_in_files_and_clones(tmp_path):
    privacy = Privacy(min_rows=8, blunt_ends=False, rare_categories="dropped")
    estimator = quietly(fit_small, tabgan.GANSynthesizer, planted_table(), privacy=privacy)
    assert clone(estimator).privacy == privacy
    estimator.save(tmp_path / "model")
    assert tabgan.load(tmp_path / "model").privacy == privacy


@pytest.mark.parametrize(
    "parts", [{"min_rows": 1}, {"min_rows": 2.5}, {"blunt_ends": 1}, {"rare_categories": "gone"}]
)
def test_wrong_parts_are_refused_by_name(parts):
    with pytest.raises(ParameterError, match=f"{next(iter(parts))} of Privacy must be"):
        Privacy(**parts)


@pytest.mark.parametrize("privacy", ["strict", None, 5, {"min_rows": 5}])
def test_wrong_privacy_is_refused(privacy):
    with pytest.raises(ParameterError, match=r'privacy must be "none" or "standard" or a tabgan'):
        small(tabgan.GANSynthesizer, privacy=privacy).fit(planted_table())


def test_too_few_rows_are_refused_by_parts_and_kept_by_the_standard():
    with pytest.raises(ValueError, match="at least 10 rows"):
        small(tabgan.GANSynthesizer, privacy=Privacy()).fit(planted_table()[:9])
    table = planted_table()[:14]
    estimator = small(
        tabgan.CGANSynthesizer, condition_columns=["note", "colour"], privacy="standard"
    )
    with pytest.warns(UserWarning) as caught:
        estimator.fit(table)
    told = [str(each.message) for each in caught]
    assert len(told) == 1 and "14 rows, too few to withhold anything" in told[0]
    assert estimator.schema_["salary"].ends[1] == SALARY
    assert len(estimator.sample(3, conditions={"note": TEXT})) == 3
    estimator = small(tabgan.GANSynthesizer, privacy="standard")
    quietly(estimator.fit, planted_table()[:15])
    assert estimator.schema_["salary"].ends[1] < SALARY / 10


def test_a_rare_class_of_labels_is_refused_by_parts_and_kept_by_the_standard():
    table = planted_table()
    y = pd.Series(["common"] * 117 + ["rare"] * 3)
    numbers = [0] * 60 + [1] * 57 + [2] * 3
    with pytest.raises(ParameterError, match=r"'rare' \(3 rows\)"):
        small(tabgan.CGANSynthesizer, privacy=Privacy()).fit(table, y)
    with pytest.raises(ParameterError, match=r"fewer of 2 \(3 rows\)"):
        small(tabgan.CGANSynthesizer, privacy=Privacy()).fit(table, numbers)
    for cls in (tabgan.CGANSynthesizer, tabgan.AAESynthesizer):
        for labels, rare in ((y, "rare"), (numbers, 2)):
            estimator = small(cls, privacy="standard")
            with pytest.warns(UserWarning, match=r"labels kept: 'target' \(3 rows\)"):
                estimator.fit(table, labels)
            assert len(estimator.sample(4, conditions=[rare] * 4)) == 4
    teacher = small(tabgan.TeachingSynthesizer, target="class", privacy="standard")
    with pytest.warns(UserWarning, match=r"labels kept: 'class' \(3 rows\)"):
        teacher.fit(table.assign(**{"class": y}))


def test_a_rare_condition_is_left_out():
    table = planted_table()
    amounts = np.r_[np.arange(117) % 3, 9.5, 9.5, 9.5]
    quietly(small(tabgan.CGANSynthesizer, privacy="standard").fit, table, amounts)
    estimator = small(tabgan.CGANSynthesizer, condition_columns=["note"], privacy="standard")
    quietly(estimator.fit, table)
    assert set(estimator.sample(100, conditions={"note": "paid"})["note"]) == {"paid"}
    with pytest.raises(ValueError, match="note"):
        estimator.sample(2, conditions={"note": TEXT})


def test_many_condition_columns_keep_no_row_of_the_table(tmp_path):
    table = planted_table(300)
    names = ["colour", "size", "channel", "note", "count", "visits"]
    estimator = small(tabgan.CGANSynthesizer, condition_columns=names, privacy="standard")
    with pytest.warns(UserWarning, match="combinations of conditions recombined"):
        estimator.fit(table)
    conditions = estimator._core.encoding.conditions
    encoded = conditions.encode(table, np.random.default_rng(0))
    real = {tuple(row) for row in encoded.codes.tolist()}
    kept = conditions.combinations
    alone = [tuple(row) for row in kept.codes[kept.counts < 5].tolist()]
    assert len(alone) > 50
    assert sum(row in real for row in alone) < 0.5 * len(alone)
    assert len(estimator.sample(50)) == 50
    assert set(estimator.sample(9, conditions={"colour": "red"})["colour"]) == {"red"}


def test_columns_of_many_categories_keep_no_row_of_the_table():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.integers(0, 30, 600).astype(str) for name in "abc"})
    table.loc[:99] = ["1", "2", "3"]
    estimator = small(tabgan.AutoregressiveSynthesizer, max_categories=8, privacy="standard")
    quietly(estimator.fit, table)
    encoding = estimator._core.encoding
    codes = encoding.encoder.encode(table).codes
    real = {tuple(row) for row in codes.tolist()}
    contexts = estimator._core.training.game.wide.contexts
    kept = zip(contexts.combinations.tolist(), contexts.numbers.tolist(), strict=True)
    counts = {tuple(row): number for row, number in kept}
    assert max(counts.values()) >= 100
    alone = [row for row, number in counts.items() if number < 5]
    assert len(alone) > 300 and sum(row in real for row in alone) < 0.1 * len(alone)


def test_constraints_keep_their_rules_and_no_rare_combination(tmp_path):
    rng = np.random.default_rng(0)
    pairs = [("Fiat", "Uno"), ("Fiat", "Panda"), ("Ford", "Focus")]
    picked = [pairs[i] for i in rng.integers(0, 3, 200)]
    picked[5] = ("Rara", "Avis")
    table = pd.DataFrame(picked, columns=["make", "model"])
    table["start"] = rng.integers(0, 50, 200)
    table["end"] = table["start"] + rng.integers(0, 30, 200)
    table.loc[5, "end"] = 987_654
    rules = [FixedCombinations(["make", "model"]), Inequality("start", "end")]
    estimator = small(tabgan.AutoregressiveSynthesizer, constraints=rules, privacy="standard")
    quietly(estimator.fit, table)
    made = estimator.sample(300, random_state=0)
    assert set(zip(made["make"], made["model"], strict=True)) <= set(pairs)
    assert (made["start"] <= made["end"]).all() and made["end"].max() < 100
    estimator.save(tmp_path / "model")
    assert not re.search("Rara|Avis|987654", text_of(tmp_path / "model"))


def test_a_key_does_not_tell_its_greatest_number(tmp_path):
    table = pd.DataFrame({"key": np.random.default_rng(0).permutation(5000)[:300]})
    table["group"] = np.arange(300) % 3
    table.loc[8, "key"] = 987_654_321
    estimator = small(
        tabgan.AutoregressiveSynthesizer, constraints=[Unique("key")], privacy="standard"
    )
    quietly(estimator.fit, table)
    made = estimator.sample(100, random_state=0)
    assert made["key"].is_unique and made["key"].max() < 20_000
    estimator.save(tmp_path / "model")
    assert "98765" not in text_of(tmp_path / "model")


def test_equations_are_found_without_what_is_withheld():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.gamma(2, 50, 400).round(2), "b": rng.gamma(2, 50, 400).round(2)})
    table["sum"] = (table["a"] + table["b"]).round(2)
    estimator = small(tabgan.AutoregressiveSynthesizer, privacy="standard")
    quietly(estimator.fit, table)
    made = estimator.sample(200, random_state=0)
    assert np.isclose(made["sum"], made["a"] + made["b"], atol=0.011).mean() > 0.9


def test_a_table_in_chunks_is_described_as_in_memory():
    table = planted_table(300)
    parts = [table[:100], table[100:]]
    whole, chunked = (small(tabgan.AutoregressiveSynthesizer, privacy="standard") for _ in "ab")
    quietly(whole.fit, table)
    quietly(chunked.fit, parts)
    assert labels_of(table) == chunked.schema_.names
    assert chunked.schema_.to_dict() == whole.schema_.to_dict()


def test_nothing_is_said_or_withheld_with_none():
    table = planted_table()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = fit_small(tabgan.GANSynthesizer, table, privacy="none")
    assert not any("privacy" in str(each.message) for each in caught)
    assert estimator.schema_["salary"].ends[1] == SALARY


def test_an_imputer_withholds_nothing_unless_it_is_told_to():
    table = planted_table()
    table.loc[::7, "note"] = None
    for privacy, kept in (("standard", "none"), (Privacy(), Privacy())):
        imputer = tabgan.SynthesizerImputer(
            small(tabgan.AutoregressiveSynthesizer, privacy=privacy)
        )
        quietly(imputer.fit, table)
        assert imputer.synthesizer_.privacy == kept
        assert quietly(imputer.transform, table)["salary"].equals(table["salary"])


def test_ends_are_numbers_that_a_narrow_dtype_holds():
    values = np.random.default_rng(0).normal(size=200).astype("float32")
    column = described(pd.DataFrame({"x": values})).columns[0]
    for end in column.ends:
        assert column.table.low[0] <= float(end) <= column.table.high[-1]


def test_a_large_table_of_which_little_is_withheld_is_learnt_without_a_word():
    """Nothing is said of four rows in a thousand, and all of a column that is no longer itself."""
    rng = np.random.default_rng(0)
    n = 10_000
    table = pd.DataFrame(
        {
            "amount": rng.gamma(2, 40, n).round(2),
            "count": rng.poisson(3, n),
            "word": rng.choice([*"abc", "rare"], n, p=[0.5, 0.3, 0.199, 0.001]),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        small(tabgan.GANSynthesizer, privacy="standard").fit(table)
    table["note"] = [f"note of {i}" if i % 5 else "none" for i in range(n)]
    with pytest.warns(UserWarning) as caught:
        small(tabgan.GANSynthesizer, privacy="standard").fit(table)
    told = [str(each.message) for each in caught]
    assert len(told) == 1
    assert "columns drawn afresh: 'note' (8,000 rare of 10,000 rows)" in told[0]
