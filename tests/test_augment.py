"""`augment`: real rows first and untouched, then exactly the rows asked for."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from seeds import seed
from stubs import BootstrapSynthesizer, RecordingSynthesizer

from tabgan.datasets import make_mixed_table
from tabgan.pipeline import augment


@pytest.fixture(autouse=True)
def fresh_records():
    RecordingSynthesizer.forget()


@pytest.fixture
def table():
    table = make_mixed_table(90, missing=0.2, random_state=0)
    table.index = table.index[::-1] + 7
    return table


@pytest.mark.parametrize(
    ("amount", "n_extra"), [({"n": 11}, 11), ({"ratio": 0.5}, 45), ({"n": 0}, 0), ({"ratio": 0}, 0)]
)
def test_real_rows_come_first_and_untouched(table, amount, n_extra):
    before = table.copy()
    augmented = augment(table, **amount, model=BootstrapSynthesizer(), random_state=0)
    pd.testing.assert_frame_equal(augmented.head(90), table.reset_index(drop=True))
    pd.testing.assert_series_equal(augmented.dtypes, table.dtypes)
    assert augmented.index.equals(pd.RangeIndex(90 + n_extra))
    pd.testing.assert_frame_equal(table, before)


def test_balance_brings_every_value_to_the_most_frequent(table):
    for column in ("colour", "size", "member", "channel", "bought"):
        counts = table[column].value_counts()
        augmented = augment(table, balance=column, model=BootstrapSynthesizer(), random_state=0)
        counts_after = augmented[column].value_counts()
        assert set(counts_after) == {counts.max()}
        assert set(counts_after.index) == set(counts.index)
        assert augmented[column].isna().sum() == table[column].isna().sum()
        pd.testing.assert_series_equal(augmented.dtypes, table.dtypes)


def test_balance_asks_for_values_of_the_column_s_own_dtype(table):
    augment(table, balance="size", model=RecordingSynthesizer())
    (conditions,) = RecordingSynthesizer.asked
    assert conditions["size"].dtype == table["size"].dtype
    assert not conditions["size"].isna().any()


def test_unused_categories_and_level_columns_ask_for_nothing():
    kind = pd.Categorical(["a", "a", "b", "b"], categories=["a", "b", "never"])
    df = pd.DataFrame({"kind": kind, "number": [1.0, 2.0, 3.0, 4.0]})
    augmented = augment(df, balance="kind", model=RecordingSynthesizer())
    pd.testing.assert_frame_equal(augmented, df)
    assert RecordingSynthesizer.learnt == []
    empty = augment(df.assign(kind=np.nan), balance="kind", model=RecordingSynthesizer())
    assert len(empty) == 4


def test_origin_column(table):
    augmented = augment(table, n=5, model=BootstrapSynthesizer(), origin_column="origin")
    assert augmented.columns[-1] == "origin"
    assert augmented["origin"].tolist() == ["real"] * 90 + ["synthetic"] * 5
    untouched = augment(table, n=0, model=BootstrapSynthesizer(), origin_column="origin")
    assert untouched["origin"].tolist() == ["real"] * 90
    assert "origin" not in table


def test_a_model_fitted_on_these_columns_is_used_as_it_is(table):
    model = RecordingSynthesizer().fit(table.head(3))
    augmented = augment(table, n=20, model=model)
    assert len(RecordingSynthesizer.learnt) == 1
    made = augmented.tail(20).reset_index(drop=True)
    assert made["length"].dropna().isin(table["length"].head(3)).all()


@pytest.mark.parametrize("columns", [["length", "colour"], list(reversed(range(10)))])
def test_a_model_fitted_on_other_columns_is_cloned_and_fitted(table, columns):
    other = table[columns] if "length" in columns else table.iloc[:, columns]
    model = RecordingSynthesizer().fit(other)
    augmented = augment(table, n=20, model=model)
    assert len(RecordingSynthesizer.learnt) == 2
    assert list(model.feature_names_in_) == list(other.columns)
    assert len(augmented) == 110


def test_an_unfitted_model_stays_so(table):
    model = BootstrapSynthesizer()
    augment(table, n=2, model=model)
    assert not hasattr(model, "rows_")
    assert model.random_state is None


def test_same_random_state_same_rows_and_global_generator_untouched(table):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = augment(table, n=30, model=BootstrapSynthesizer(), random_state=0)
    again = augment(table, n=30, model=BootstrapSynthesizer(), random_state=0)
    other = augment(table, n=30, model=BootstrapSynthesizer(), random_state=1)
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_labels_need_not_be_strings():
    df = pd.DataFrame({0: [1, 2, 3], ("a", 1): [0.5, np.nan, 1.5]})
    augmented = augment(df, n=4, model=BootstrapSynthesizer())
    assert list(augmented.columns) == list(df.columns)
    assert len(augmented) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Give exactly one of n, ratio and balance, got none of them."),
        (
            {"n": 3, "balance": "a"},
            "Give exactly one of n, ratio and balance, got n=3, balance='a'.",
        ),
        ({"n": -1}, "n must be None or an integer from 0 to 2147483647, got -1."),
        ({"ratio": -0.5}, "ratio must be None or a finite number of at least 0, got -0.5."),
        (
            {"ratio": 1e30},
            "ratio must ask for at most 2147483647 synthetic rows, got 1e+30 for 2 real rows.",
        ),
        ({"balance": ["a"]}, "balance must be None or a column label, got ['a']."),
        (
            {"balance": "c"},
            "balance must name a column of the table, got 'c'; the columns are ['a', 'b'].",
        ),
        (
            {"n": 1, "origin_column": "a"},
            "origin_column must be a new name, got 'a', a column of the table.",
        ),
    ],
)
def test_errors(arguments, message):
    df = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        augment(df, model=BootstrapSynthesizer(), **arguments)


def test_arrays_are_refused():
    message = (
        "df must be a pandas or polars DataFrame or a pyarrow Table, got an object of type "
        "ndarray; wrap arrays and dicts with pandas.DataFrame(...)."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        augment(np.eye(3), n=1)


# Labels of teachers


def with_a_rule(n_rows):
    """Make a table in which the sign of one column decides the label, up to one label in ten."""
    rng = np.random.RandomState(seed(0))
    x = rng.normal(size=n_rows)
    label = np.where((x > 0) ^ (rng.uniform(size=n_rows) < 0.1), "high", "low")
    return pd.DataFrame({"x": x, "label": pd.Categorical(label), "other": rng.normal(size=n_rows)})


class ShuffledLabels(BootstrapSynthesizer):
    """Draws labels without regard to the other columns."""

    def sample(self, n_samples=1, random_state=None, *, conditions=None):
        rows = super().sample(n_samples, random_state, conditions=conditions)
        return rows.assign(label=rows["label"].sample(frac=1, random_state=0).to_numpy())


def test_teachers_label_the_synthetic_rows():
    table = with_a_rule(200)
    plain = augment(table, n=1000, model=ShuffledLabels(), random_state=0)
    taught = augment(table, n=1000, model=ShuffledLabels(), target="label", random_state=0)
    pd.testing.assert_frame_equal(taught.drop(columns="label"), plain.drop(columns="label"))
    pd.testing.assert_frame_equal(taught.head(200), table)
    pd.testing.assert_series_equal(taught.dtypes, table.dtypes)
    agreement = [
        np.mean((each["x"] > 0)[200:] == (each["label"] == "high")[200:])
        for each in (plain, taught)
    ]
    assert agreement[0] < 0.6
    assert agreement[1] > 0.75


def test_weights_are_the_probabilities_of_the_copies():
    table = with_a_rule(120)
    longer = augment(
        table,
        n=50,
        model=ShuffledLabels(),
        target="label",
        weight_column="weight",
        origin_column="origin",
        random_state=0,
    )
    assert longer.columns.tolist() == ["x", "label", "other", "weight", "origin"]
    is_real = longer["origin"] == "real"
    assert is_real.sum() == 120
    assert (longer["weight"][is_real] == 1).all()
    synthetic = longer[~is_real]
    assert 50 < len(synthetic) <= 100
    np.testing.assert_allclose(synthetic.groupby(["x", "other"])["weight"].sum() % 1, 0, atol=1e-6)
    np.testing.assert_allclose(synthetic["weight"].sum(), 50)


def test_a_numeric_target_gets_the_mean_prediction():
    rng = np.random.RandomState(seed(0))
    table = pd.DataFrame({"x": rng.normal(size=200)})
    table["y"] = (1000 * table["x"]).round().astype("Int64")
    table.loc[:5, "y"] = pd.NA
    longer = augment(
        table, n=100, model=BootstrapSynthesizer(), target="y", weight_column="w", random_state=0
    )
    assert str(longer["y"].dtype) == "Int64"
    assert longer["y"][200:].notna().all()
    errors = (longer["y"][200:] - 1000 * longer["x"][200:]).astype(float).abs()
    assert errors.median() < 100
    assert (longer["w"] == 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "no"}, "target must name a column of the table, got 'no'"),
        ({"weight_column": "w"}, "weight_column must be None without a target, got 'w'"),
        (
            {"target": "label", "weight_column": "x"},
            "weight_column must be a new name, got 'x', a column of the table.",
        ),
        (
            {"target": "label", "weight_column": "w", "origin_column": "w"},
            "origin_column must be a new name, got 'w'",
        ),
        ({"target": "same"}, "target must name a column with two rows of each of at least two"),
    ],
)
def test_what_targets_and_weights_must_be(arguments, message):
    table = with_a_rule(20).assign(same="a")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        augment(table, n=3, model=BootstrapSynthesizer(), **arguments)
