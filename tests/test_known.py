"""Later rows that the schema does not know: categories never seen, and columns of another kind."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from contract import (
    ESTIMATORS,
    FEATURIZERS,
    carry_by_pickle,
    every_estimator,
    every_synthesizer,
    examples,
    fit_small,
    fitted,
    narrow_table,
    says,
    small,
)

import tabgan

every_featurizer = pytest.mark.parametrize("cls", FEATURIZERS, ids=lambda cls: cls.__name__)


def with_unseen():
    table = narrow_table().copy()
    table.loc[:4, "kind"] = ["new", "new", "new", "other", "other"]
    return table


TOLD = (
    "column 'kind' has 5 values of 2 categories never seen by fit: ['new', 'other']. "
    "They count as unknown."
)


# A word about later rows would have to be paid for, as a look at the first ones is.
TELLING = [cls for cls in ESTIMATORS if cls is not tabgan.DPSynthesizer]


@pytest.mark.parametrize("cls", TELLING, ids=lambda cls: cls.__name__)
def test_unseen_categories_are_told_once_by_partial_fit(cls):
    model = (
        carry_by_pickle(fitted(cls))
        if cls is not tabgan.CGANSynthesizer
        else fit_small(cls, narrow_table())
    )
    table = with_unseen()
    given = examples(model, table)
    if cls is tabgan.CycleGANTranslator:
        given = (table, narrow_table())
    with pytest.warns(UserWarning, match="never seen") as warned:
        model.partial_fit(*given)
    assert [str(each.message) for each in warned] == [TOLD]
    assert warned[0].filename == __file__


@every_featurizer
def test_unseen_categories_are_told_once_by_transform(cls):
    model = fitted(cls)
    with pytest.warns(UserWarning, match=says(TOLD)) as warned:
        features = model.transform(with_unseen())
    assert len(warned) == 1 and warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.transform(narrow_table())
        quiet = carry_by_pickle(model).set_params(handle_unknown="ignore")
        np.testing.assert_array_equal(quiet.transform(with_unseen()), features)
    strict = carry_by_pickle(model).set_params(handle_unknown="error")
    with pytest.raises(ValueError, match="^column 'kind' has 5 values of 2 categories never seen"):
        strict.transform(with_unseen())


def test_thousands_of_unseen_categories_are_counted_and_few_are_named():
    model = fitted(tabgan.GANSynthesizer)
    table = narrow_table(5000).assign(kind=[f"k{i}" for i in range(5000)])
    with pytest.warns(UserWarning, match="5000 values of 5000 categories") as warned:
        model.transform(table)
    assert len(str(warned[0].message)) < 300


@pytest.mark.parametrize(
    ("column", "values", "held", "now"),
    [
        ("length", pd.Timestamp("2020-01-01"), "numbers", "dates"),
        ("length", "long", "numbers", "strings"),
        ("kind", 3.5, "strings", "numbers"),
        ("flag", "True", "booleans", "strings"),
    ],
)
@every_synthesizer
def test_a_column_of_another_kind_is_refused(cls, column, values, held, now):
    model = fitted(cls)
    table = narrow_table().assign(**{column: values})
    told = (
        f"column {column!r} of X held {held} when the model was fitted, and now holds {now}; pass "
        "a column of the same kind."
    )
    calls = [model.score] + [
        getattr(model, name) for name in ("transform", "score_samples") if hasattr(model, name)
    ]
    for call in calls:
        with pytest.raises(ValueError, match=says(told)):
            call(table)
    with pytest.raises(ValueError, match=says(told)):
        carry_by_pickle(model).partial_fit(*examples(model, table))


def test_missing_columns_and_other_dtypes_of_a_kind_are_taken():
    model = fitted(tabgan.AAESynthesizer)
    for length in (None, 3, np.float32(0.5), pd.array([1] * 60, dtype="Int64")):
        assert model.transform(narrow_table().assign(length=length)).shape[0] == 60


# ---------------------------------------------------------------------- what is no table, or labels


@every_estimator
def test_what_is_no_table_is_refused_in_few_words(cls):
    n = 20_000
    records = [{"a": i, "b": "x"} for i in range(n)]
    strangers = {
        "dict": {"a": list(range(n)), "b": ["x"] * n},
        "list of dicts": records,
        "record array": np.rec.fromrecords([(i, "x") for i in range(n)], names="a,b"),
        "generator": (i for i in range(n)),
        "text": "people.csv",
        "number": 5,
    }
    for told, X in strangers.items():
        model = small(cls)
        with pytest.raises((TypeError, ValueError)) as caught:
            model.fit(X, X if cls is tabgan.CycleGANTranslator else None)
        assert len(str(caught.value)) < 300, told
        assert str(caught.value).startswith(("X ", "A ")), caught.value


@pytest.mark.parametrize("cls", [tabgan.CGANSynthesizer, tabgan.AAESynthesizer])
def test_labels_that_are_all_missing_are_refused(cls):
    told = "y has no label that is not missing; leave it out, or pass labels."
    for y in ([None] * 60, [np.nan] * 60):
        with pytest.raises(ValueError, match=says(told)):
            cls(n_steps=1).fit(narrow_table(), y)


@pytest.mark.parametrize(
    "cls",
    [tabgan.CGANSynthesizer, tabgan.AAESynthesizer, tabgan.DAGANAugmenter]
    + [tabgan.GenClassClassifier, tabgan.TeachingSynthesizer],
)
def test_labels_of_another_length_are_refused_by_name(cls):
    told = "y must have one label for each of the 60 rows of X, got 59."
    with pytest.raises(ValueError, match=says(told)):
        cls(n_steps=1).fit(narrow_table(), np.arange(59) % 2)


@every_synthesizer
def test_a_constant_table_scores_one(cls):
    table = pd.DataFrame({"one": [1] * 10, "x": ["x"] * 10, "none": [None] * 10})
    model = fit_small(cls, table)
    assert model.score(*examples(model, table)) == 1.0


def test_a_missing_column_label_survives_a_file(tmp_path):
    table = narrow_table().rename(columns={"flag": np.nan})
    for condition in ("kind", np.nan):
        model = tabgan.CGANSynthesizer(
            condition_columns=["kind"] if condition == "kind" else None, n_steps=1, random_state=0
        )
        model.fit(table, None if condition == "kind" else np.arange(60) % 2)
        model.save(tmp_path / "model")
        again = tabgan.load(tmp_path / "model")
        pd.testing.assert_frame_equal(model.sample(20), again.sample(20))


@pytest.mark.parametrize("n_samples", [10**30, 2**31])
def test_more_rows_than_can_be_made_are_refused(n_samples):
    with pytest.raises(ValueError, match="^n_samples must be at most 2147483647, got "):
        fitted(tabgan.GANSynthesizer).sample(n_samples)
