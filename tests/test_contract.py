"""What every synthesizer promises of the rows it makes; a new model is found by itself."""

from __future__ import annotations

import contract
import numpy as np
import pandas as pd
import pytest
from contract import (
    FEATURIZERS,
    every_likeness,
    every_synthesizer,
    fit_small,
    narrow_table,
    says,
    small,
    those_of,
)
from seeds import seed
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

every_featurizer = pytest.mark.parametrize("cls", FEATURIZERS, ids=lambda cls: cls.__name__)
every_table = pytest.mark.parametrize("name", contract.TABLES)


@pytest.fixture(scope="module")
def numbers():
    """Two numeric columns, and two classes that depend on them."""
    X = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32)
    return X, (X.sum(axis=1) > 0).astype(int)


# ---------------------------------------------------------------------- the table comes back


@every_table
@every_synthesizer
def test_columns_dtypes_index_and_rows(cls, name):
    table = contract.TABLES[name]()
    made = contract.fitted(cls, name).sample(137, random_state=0)
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)
    pd.testing.assert_index_equal(made.index, pd.RangeIndex(137), exact=True)


@every_table
@every_synthesizer
def test_values_are_of_those_seen(cls, name):
    table = contract.TABLES[name]()
    made = contract.fitted(cls, name).sample(300, random_state=0)
    for label in table:
        seen, new = table[label].dropna(), made[label].dropna()
        if pd.api.types.is_numeric_dtype(table[label]) or "time" in str(table[label].dtype):
            if len(seen):
                assert new.between(seen.min(), seen.max()).all(), label
        else:
            assert set(new) <= set(seen), label
    if "price" in table:
        assert made["price"].round(2).equals(made["price"])


@every_table
@every_synthesizer
def test_values_are_missing_where_they_were_and_in_the_same_way(cls, name):
    table = contract.TABLES[name]()
    made = contract.fitted(cls, name).sample(300, random_state=0)
    for label in table:
        # Calibrated to 8 % of 300 rows at least: none missing has chance e-11.
        assert made[label].isna().any() == table[label].isna().any(), label
        markers = {type(value) for value in table[label][table[label].isna()]}
        if cls not in contract.SEERS:
            continue
        assert {type(value) for value in made[label][made[label].isna()]} == markers, label


@every_synthesizer
def test_column_labels_of_any_kind(cls):
    labels = [3, "3", ("a", 1), 2.5, pd.Timestamp("2024-01-01")]
    table = pd.DataFrame({i: narrow_table()["kind"] for i in range(5)})
    table.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    synthesizer = fit_small(cls, table)
    assert list(synthesizer.sample(3).columns) == labels
    assert not hasattr(synthesizer, "feature_names_in_")
    for label in labels:
        assert (synthesizer.sample(3, conditions={label: "b"})[label] == "b").all()


@every_synthesizer
def test_integer_labels_can_be_conditions(cls):
    table = narrow_table().set_axis(pd.Index([3, 5, 7]), axis=1)
    synthesizer = fit_small(cls, table)
    assert list(synthesizer.sample(2).columns) == [3, 5, 7]
    assert (synthesizer.sample(2, conditions={5: "c"})[5] == "c").all()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
@every_synthesizer
def test_array_in_array_out(cls, numbers, dtype):
    array = np.round(numbers[0]).astype(dtype)
    made = fit_small(cls, array).sample(9)
    assert type(made) is np.ndarray
    assert made.dtype == dtype and made.shape == (9, 2)
    assert np.isin(made, array).all()


@every_likeness
def test_missing_in_arrays(cls, numbers):
    array = np.where(np.arange(80)[:, None] % 3 == 0, np.nan, numbers[0])
    synthesizer = fit_small(cls, array, random_state=seed(0))
    made = synthesizer.sample(200, random_state=seed(0))
    # A third of 200 rows; five standard errors are 17 points.
    np.testing.assert_allclose(np.isnan(made).mean(axis=0), 1 / 3, atol=0.17)


@every_synthesizer
def test_tables_and_parameters_are_left_alone(cls):
    table = narrow_table().set_index(pd.Index(range(60, 0, -1)))
    before = table.copy(deep=True)
    synthesizer = small(cls, table, categorical_features=["kind"])
    parameters = {name: repr(value) for name, value in synthesizer.get_params().items()}
    synthesizer.fit(table)
    synthesizer.sample(3, conditions={"kind": "a"})
    pd.testing.assert_frame_equal(table, before)
    assert {name: repr(value) for name, value in synthesizer.get_params().items()} == parameters


# ---------------------------------------------------------------------- tables of awkward size


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_rows", [1, 2, 31])
@every_synthesizer
def test_few_rows(cls, n_rows):
    table = narrow_table()[1:].head(n_rows)
    made = fit_small(cls, table, **those_of(cls, batch_size=500)).sample(40)
    assert len(made) == 40
    assert set(made["kind"]) <= set(table["kind"])
    assert made["length"].dropna().between(table["length"].min(), table["length"].max()).all()
    assert n_rows > 1 or (made == table.iloc[0]).all(axis=None)


@pytest.mark.parametrize("batch_size", [1, 7])
@every_synthesizer
def test_odd_batch_sizes(cls, batch_size):
    assert (
        len(fit_small(cls, narrow_table(), **those_of(cls, batch_size=batch_size)).sample(3)) == 3
    )


@pytest.mark.parametrize("label", ["length", "kind", "flag"])
@every_synthesizer
def test_one_column(cls, label):
    table = narrow_table()[[label]]
    made = fit_small(cls, table).sample(200, random_state=0)
    assert made[label].nunique() >= 2
    assert made[label].isna().any() == table[label].isna().any()


@every_synthesizer
def test_continuous_columns_alone(cls, numbers):
    """No softmax block anywhere: nothing is categorical, missing or repeated."""
    table = pd.DataFrame(numbers[0].astype(float) + 1e-9, columns=["a", "b"])
    synthesizer = fit_small(cls, table)
    assert synthesizer.sample(50)["a"].nunique() > 10
    made = synthesizer.sample(5, conditions={"b": float(table["b"].median())})
    assert (made["b"] == table["b"].median()).all()


@pytest.mark.filterwarnings("error")
@every_synthesizer
def test_constant_table(cls):
    table = pd.DataFrame({"one": [1] * 10, "x": ["x"] * 10, "none": [None] * 10})
    synthesizer = fit_small(cls, table)
    expected = table.head(3)
    if cls not in contract.SEERS:
        expected["none"] = np.full(3, np.nan, dtype=object)
    pd.testing.assert_frame_equal(synthesizer.sample(3), expected)
    for carry in contract.CARRIERS.values():
        pd.testing.assert_frame_equal(carry(synthesizer).sample(3), expected)


# ---------------------------------------------------------------------- how many rows


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, True, "3", None, np.float64(2)])
@every_synthesizer
def test_n_samples_must_be_a_positive_integer(cls, n_samples):
    message = says(f"n_samples must be a positive integer, got {n_samples!r}.")
    with pytest.raises(ValueError, match=message):
        contract.fitted(cls).sample(n_samples)


@every_synthesizer
def test_default_is_one_row(cls):
    assert len(contract.fitted(cls).sample()) == 1
    assert len(contract.fitted(cls).sample(np.int64(5))) == 5


@every_synthesizer
def test_unfitted(cls, tmp_path):
    synthesizer = small(cls)
    told = says(
        f"This {cls.__name__} instance is not fitted yet. Call 'fit' with appropriate arguments "
        "before using this estimator."
    )
    for use in (synthesizer.sample, lambda: synthesizer.save(tmp_path / "model.tabgan")):
        with pytest.raises(NotFittedError, match=told):
            use()
    assert not hasattr(synthesizer, "history_")


# ---------------------------------------------------------------------- conditions


@every_likeness
def test_each_column_is_honoured_on_its_own(cls):
    """Every column of every kind, whether the model was trained to be given it or not."""
    table = contract.TABLES["mixed"]()
    synthesizer = contract.fitted(cls, "mixed")
    for label in table:
        wanted = table[label].dropna().iloc[3]
        made = synthesizer.sample(7, random_state=0, conditions={label: wanted})
        assert len(made) == 7
        assert made[label].dtype == table[label].dtype
        assert (made[label] == wanted).all(), label


@every_synthesizer
def test_all_columns_of_a_frame_are_honoured_in_its_order(cls):
    table = contract.TABLES["mixed"]()
    wanted = table[["channel", "size", "colour", "bought"]].dropna().tail(40)
    wanted = wanted[wanted["colour"] != "violet"]
    made = contract.fitted(cls, "mixed").sample(random_state=0, conditions=wanted)
    pd.testing.assert_frame_equal(made[wanted.columns], wanted.reset_index(drop=True))
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)


@every_likeness
def test_a_number_beside_a_name_is_honoured_exactly(cls):
    table = contract.TABLES["mixed"]()
    wanted = table.loc[table["colour"] != "violet", ["colour", "length"]].dropna().head(20)
    made = contract.fitted(cls, "mixed").sample(random_state=0, conditions=wanted)
    pd.testing.assert_frame_equal(made[wanted.columns], wanted.reset_index(drop=True))


@every_synthesizer
def test_missing_values_and_intervals_can_be_asked_for(cls):
    synthesizer = contract.fitted(cls)
    made = synthesizer.sample(6, random_state=0, conditions={"length": None, "flag": True})
    assert made["length"].isna().all() and made["flag"].all()
    interval = pd.Interval(-0.5, 1.0)
    made = synthesizer.sample(6, random_state=0, conditions={"length": interval})
    assert made["length"].between(-0.5, 1.0).all()


@every_synthesizer
def test_conditions_that_cannot_be_met(cls):
    synthesizer = contract.fitted(cls)
    told = "conditions: 'kind' was learnt without 'z'; it took 'a', 'c', 'b'."
    with pytest.raises(ValueError, match=says(told)):
        synthesizer.sample(2, conditions={"kind": "z"})
    with pytest.raises(
        ValueError, match=says("conditions names 'size', which is not a column; columns: ...")
    ):
        synthesizer.sample(2, conditions={"size": 1})


# ---------------------------------------------------------------------- transformers


@every_featurizer
def test_features_in_frames_and_their_names(cls):
    table = narrow_table().set_index(pd.Index(range(60, 0, -1)))
    synthesizer = fit_small(cls, table).set_output(transform="pandas")
    features = synthesizer.transform(table)
    pd.testing.assert_index_equal(features.index, table.index)
    prefix = cls.__name__.lower()
    assert list(features) == [f"{prefix}{i}" for i in range(features.shape[1])]
    assert np.isfinite(features).all(axis=None)
    plain = synthesizer.set_output(transform="default").transform(table)
    assert type(plain) is np.ndarray and plain.dtype == np.float32
    np.testing.assert_array_equal(plain, features.to_numpy())


@every_featurizer
def test_features_of_unseen_and_missing_values_are_finite(cls):
    odd = pd.DataFrame({"length": [1e300, None], "kind": ["new", None], "flag": [True, False]})
    assert np.isfinite(contract.fitted(cls).transform(odd)).all()


@every_featurizer
def test_other_columns_than_in_fit(cls):
    synthesizer, table = contract.fitted(cls), narrow_table()
    told = "The feature names should match those that were passed during fit.\n..."
    for other in (table[["kind", "length", "flag"]], table.rename(columns={"kind": "sort"})):
        with pytest.raises(ValueError, match=says(told)):
            synthesizer.transform(other)
    told = f"X has 2 features, but {cls.__name__} is expecting 3 features as input."
    with pytest.raises(ValueError, match=says(told)), pytest.warns(UserWarning, match="valid"):
        synthesizer.transform(table.to_numpy()[:, :2])
    told = f"X has columns [1, 2, 3], but {cls.__name__} was fitted on ['length', 'kind', 'flag']."
    with pytest.raises(ValueError, match=says(told)):
        synthesizer.transform(table.set_axis([1, 2, 3], axis=1))


@every_synthesizer
def test_partial_fit_on_other_columns(cls):
    synthesizer = contract.carry_by_pickle(contract.fitted(cls))
    with pytest.raises(ValueError, match="^The feature names should match"):
        synthesizer.partial_fit(narrow_table().rename(columns={"length": "width"}))


@every_featurizer
def test_grid_search_over_a_pipeline(cls, numbers):
    X, y = numbers
    steps = make_pipeline(small(cls), StandardScaler(), LogisticRegression())
    grid = {f"{cls.__name__.lower()}__hidden_dim": [2, 4]}
    search = GridSearchCV(steps, grid, cv=2, error_score="raise").fit(X, y)
    assert search.predict(X).shape == y.shape
    assert len(search.cv_results_["params"]) == 2


def test_halving_search_over_a_pipeline(numbers):
    X, y = numbers
    steps = make_pipeline(small(FEATURIZERS[0]), LogisticRegression())
    grid = {f"{FEATURIZERS[0].__name__.lower()}__hidden_dim": [4, 8]}
    search = HalvingGridSearchCV(
        steps, grid, cv=2, min_resources=30, error_score="raise", random_state=0
    )
    assert search.fit(X, y).best_params_ in search.cv_results_["params"]
    assert set(search.predict(X)) <= set(y)
