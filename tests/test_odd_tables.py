"""Tables that random ones have shown to be hard: each works, or is refused clearly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contract import every_estimator, fit_small, says, small

import tabgan
from tabgan.table.schema import Schema


@pytest.mark.parametrize("cls", [tabgan.GANSynthesizer, tabgan.AutoregressiveSynthesizer])
def test_sets_of_categories_that_share_a_level(cls):
    """One in twenty texts each; two have levels of their own, and the others share one."""
    names = [f"c{i}" for i in range(20)]
    table = pd.DataFrame({"name": names * 6, "x": np.arange(120) % 7.0})
    model = small(cls, table, max_categories=2, categorical_features=["name"]).fit(table)
    for asked in ({"c7"}, {"c7", "c8"}, {"c0", "c9", "c19"}, ["c3", "c4", "c5"]):
        rows = model.sample(60, conditions={"name": asked}, random_state=0)
        found = rows["name"].value_counts()
        assert set(found.index) <= set(asked)
        if "c0" not in asked:
            # Equally frequent members come about equally often.
            assert set(found.index) == set(asked)
            assert found.min() >= 60 // len(asked) - 15


@pytest.mark.parametrize("asked", [{2**62 + 1}, {2**62 + 3, 5}, {5, 2**62 + 1, 2**62 + 3}])
def test_sets_of_whole_numbers_that_floats_cannot_hold(asked):
    values = [5, 2**62 + 1, 2**62 + 3, -(2**62) - 5, 17]
    table = pd.DataFrame({"n": values * 12, "x": np.arange(60) % 7.0})
    model = small(tabgan.GANSynthesizer).fit(table)
    rows = model.sample(40, conditions={"n": asked}, random_state=0)
    assert set(rows["n"]) <= asked


def test_privacy_for_columns_of_fewer_values_than_hands():
    table = pd.DataFrame({"n": pd.array([2**64 - 1] * 5 + [None] * 15, dtype="UInt64")})
    model = small(tabgan.GANSynthesizer, privacy="standard")
    with pytest.warns(UserWarning):
        assert len(model.fit(table).sample(9)) == 9


def test_no_step_for_columns_of_many_categories():
    table = pd.DataFrame({"c": [f"c{i % 40}" for i in range(80)]})
    settings = {"n_steps": 0, "max_categories": 16}
    rows = small(tabgan.AutoregressiveSynthesizer, **settings).fit(table).sample(50)
    assert set(rows["c"]) <= set(table["c"])


@every_estimator
def test_names_that_are_all_booleans_are_refused(cls):
    table = pd.DataFrame({True: [1.5, 2.5, 3.5] * 10, False: [1.0, 2.0] * 15})
    told = "... has no column names but True and False, which pandas takes for a choice of rows; "
    with pytest.raises(ValueError, match=says(f"{told}rename the columns.")):
        fit_small(cls, table)
    assert Schema.infer(table.rename(columns={True: "a"})).names == ["a", False]


@pytest.mark.parametrize(
    "cls", [tabgan.RCGANSynthesizer, tabgan.SeqGANSynthesizer, tabgan.SequenceARAESynthesizer]
)
def test_sequences_of_what_cannot_be_hashed_are_refused(cls):
    table = pd.DataFrame({"who": [0, 0, 1, 1], "x": [1.0, 2.0, 3.0, 4.0]})
    table["bad"] = pd.Series([[1], [2], [3], [4]], dtype=object)
    told = "column 'bad' of X holds values that cannot be hashed (...); every value must be ..."
    with pytest.raises(TypeError, match=says(told)):
        cls(n_steps=1, entity="who").fit(table)


@pytest.mark.parametrize("n_classes", [1, 3])
def test_classes_of_rows_without_anything_to_learn(n_classes):
    table = pd.DataFrame({"constant": [True] * 6, "missing": [None] * 6})
    model = small(tabgan.GenClassClassifier).fit(table, np.arange(6) % n_classes)
    np.testing.assert_allclose(model.predict_proba(table), 1 / n_classes, atol=0.5)
