"""What the tests of every estimator share: who they are, tiny instances, tables."""

from __future__ import annotations

import copy
import datetime
import functools
import inspect
import io
import pickle
import re
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils import get_tags
from torch.utils._python_dispatch import TorchDispatchMode

import tabgan.models
from tabgan.adversarial.training import TrainingSet
from tabgan.datasets import make_mixed_table
from tabgan.estimators.estimator import Estimator
from tabgan.estimators.features import Features
from tabgan.estimators.imputing import Imputing
from tabgan.estimators.tables import TableSynthesizer
from tabgan.registry import MODELS

EVERYONE = list(MODELS.values())
# What is learnt from sequences has tables, and so a contract, of its own.
ESTIMATORS = [
    cls for cls in EVERYONE if "SequenceSynthesizer" not in {base.__name__ for base in cls.__mro__}
]
SYNTHESIZERS = [cls for cls in ESTIMATORS if issubclass(cls, TableSynthesizer)]
every_estimator = pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
every_synthesizer = pytest.mark.parametrize("cls", SYNTHESIZERS, ids=lambda cls: cls.__name__)
# What teaches best need not be like the table: rows of it that are rare may never be made.
LIKENESSES = [cls for cls in SYNTHESIZERS if cls is not tabgan.TeachingSynthesizer]
every_likeness = pytest.mark.parametrize("cls", LIKENESSES, ids=lambda cls: cls.__name__)
# What no dtype tells of values, a model with differential privacy does not learn: how they are
# marked where they are missing, and the digits of floats.
SEERS = [cls for cls in SYNTHESIZERS if cls is not tabgan.DPSynthesizer]
every_seer = pytest.mark.parametrize("cls", SEERS, ids=lambda cls: cls.__name__)
FEATURIZERS = [cls for cls in ESTIMATORS if issubclass(cls, Features)]

assert all(issubclass(cls, Estimator) for cls in EVERYONE)


def those_of(cls, **settings):
    """Return the settings that are parameters of a class."""
    own = inspect.signature(cls).parameters
    return {name: value for name, value in settings.items() if name in own}


class CountOperations(TorchDispatchMode):
    """Counts the operations of tensors that run while it is entered."""

    def __init__(self):
        super().__init__()
        self.n_calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n_calls += 1
        return func(*args, **(kwargs or {}))


def whole_batch(synthesizer, table):
    """Return the whole table as one batch of a synthesizer's game."""
    encoding = synthesizer._core.encoding
    rows = encoding.encode(table, np.random.default_rng(0))
    data = TrainingSet(rows.made, encoding.layout, rows.given, encoding.condition_layout)
    return next(data.batches(len(table), torch.Generator().manual_seed(0)))


def small(cls, table=None, **parameters):
    """Return an instance that trains in a blink and can be fitted to `table` without y.

    A new model comes through here as it is. One that cannot be fitted without y or a parameter of
    its own gets a line here.
    """
    settings = those_of(cls, n_steps=2, batch_size=32, hidden_dim=8, latent_dim=3, random_state=0)
    if cls is tabgan.CGANSynthesizer and table is not None and len(labels_of(table)) > 1:
        settings["condition_columns"] = [condition_of(table)]
    if cls is tabgan.TeachingSynthesizer and table is not None and len(labels_of(table)) > 1:
        settings["target"] = condition_of(table)
    if cls is tabgan.DPSynthesizer and table is not None:
        settings |= public_of(table)
    return cls(**{**settings, **parameters})


def public_of(table):
    """Tell a private model all it can be told, and a budget at which its noise rounds to zero."""
    frame = pd.DataFrame(table)
    told = {"epsilon": 1e9, "bounds": {}, "categories": {}, "steps": {}}
    for name in frame:
        present = frame[name].dropna()
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            told["categories"][name] = frame[name].cat.categories.tolist()
        elif present.dtype.kind in "OU" or isinstance(present.dtype, pd.StringDtype):
            told["categories"][name] = present.unique().tolist()
        elif present.dtype.kind in "iufmM" and len(present):
            told["bounds"][name] = (present.min(), present.max())
            if present.dtype.kind == "f":
                fine = [k for k in range(4) if (present.round(k) == present).all()]
                if fine:
                    told["steps"][name] = 10.0 ** -fine[0]
    told["categories"] = {name: each for name, each in told["categories"].items() if each}
    return told


def fit_small(cls, table, **parameters):
    """Fit a tiny instance to any table, of one column too."""
    estimator = small(cls, table, **parameters)
    return estimator.fit(*examples(estimator, table))


def examples(estimator, table):
    """Return what `fit` takes: the table, and labels or another table where it needs them."""
    if isinstance(estimator, tabgan.CycleGANTranslator):
        return table[::2], table[1::2]
    return (table, np.arange(len(table)) % 2 if get_tags(estimator).target_tags.required else None)


def outcome(estimator, random_state=None):
    """Return a table that shows all of what was learnt from the narrow table."""
    if isinstance(estimator, Imputing):
        return estimator.sample(narrow_table(), 1, random_state)[0]
    if hasattr(estimator, "sample"):
        return estimator.sample(20, random_state)
    if hasattr(estimator, "augment"):
        return estimator.augment(narrow_table(), n_samples=90, random_state=random_state)
    if isinstance(estimator, tabgan.CycleGANTranslator):
        there = estimator.transform(narrow_table())
        return pd.concat([there, estimator.inverse_transform(narrow_table())])
    if isinstance(estimator, Features):
        return pd.DataFrame(estimator.transform(narrow_table()))
    return pd.DataFrame(estimator.predict_proba(narrow_table()))


def weights(estimator):
    """Return all weights that rows are made with, as one vector."""
    return torch.cat([p.detach().flatten() for p in estimator._core.game.parameters()])


def go_on(estimator, table=None):
    """Train on, with the narrow table unless told another."""
    return estimator.partial_fit(*examples(estimator, narrow_table() if table is None else table))


def labels_of(table):
    """Column labels, or positions in an array."""
    return list(table.columns) if isinstance(table, pd.DataFrame) else list(range(table.shape[1]))


def condition_of(table):
    """Return a column to be given: a categorical one if there is one, else the last."""
    labels = labels_of(table)
    if not isinstance(table, pd.DataFrame):
        return labels[-1]
    names = table.select_dtypes(exclude=["number", "datetime", "timedelta", "datetimetz"])
    return [*labels[-1:], *reversed(list(names.columns))][-1]


@functools.cache
def narrow_table(n_rows=60):
    """Make a table that is quick to learn: a number, names, a flag, some missing."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "length": rng.normal(size=n_rows),
            "kind": rng.choice(["a", "b", "c"], n_rows, p=[0.5, 0.3, 0.2]),
            "flag": rng.random(n_rows) < 0.4,
        }
    )
    table.loc[::7, "length"] = np.nan
    return table


@functools.cache
def every_kind_table(n_rows=120):
    """Make a table with each dtype pandas has, with and without missing values, by hand."""
    rng = np.random.default_rng(1)
    words = rng.choice(["red", "grün", "青", " ", "NaN"], n_rows, p=[0.4, 0.3, 0.2, 0.05, 0.05])
    days = pd.Timestamp("2020-02-28") + pd.to_timedelta(rng.integers(0, 12, n_rows), "D")
    whole = rng.integers(-3, 9, n_rows)
    eighths = rng.integers(0, 9, n_rows) / 8
    table = pd.DataFrame(
        {
            "float64": rng.standard_cauchy(n_rows),
            "float64 missing": rng.normal(size=n_rows),
            "float32": eighths.astype("float32"),
            "Float64": pd.array(eighths, dtype="Float64"),
            "price": rng.lognormal(3, 1, n_rows).round(1),
            "mostly zero": np.where(rng.random(n_rows) < 0.7, 0.0, rng.exponential(size=n_rows)),
            "int64": whole,
            "int8": whole.astype("int8"),
            "large": 10**15 + 1000 * rng.integers(0, 9, n_rows),
            "Int64": pd.array(whole, dtype="Int64"),
            "bool": rng.random(n_rows) < 0.3,
            "boolean": pd.array(rng.random(n_rows) < 0.3, dtype="boolean"),
            "text": words,
            "string": pd.array(words, dtype="string"),
            "object, None": pd.Series(words, dtype=object),
            "object, NaN": pd.Series(words, dtype=object),
            "category": pd.Categorical(words, [*np.unique(words), "never"]),
            "ordered": pd.Categorical(rng.choice(["lo", "mid", "hi"], n_rows), ["lo", "mid", "hi"]),
            "codes": pd.Categorical(rng.integers(1, 4, n_rows)),
            "datetime": days,
            "seconds": days.astype("datetime64[s]"),
            "time zone": days.tz_localize("Europe/Berlin"),
            "timedelta": pd.to_timedelta(rng.integers(0, 9, n_rows), "h"),
            "date": [datetime.date(2020, 1, int(day)) for day in rng.integers(1, 9, n_rows)],
            "constant": 7,
            "constant text": "x",
            "all missing": np.nan,
            "ünïcode 列": rng.choice(["p", "q"], n_rows),
        }
    )
    table["ordered"] = table["ordered"].cat.as_ordered()
    for start, name in enumerate(
        ["float64 missing", "Float64", "Int64", "boolean", "text", "string", "category", "ordered"]
        + ["datetime", "time zone", "timedelta"]
    ):
        table.loc[start % 5 :: 5, name] = None
    # One at a time: pandas turns a list of None into NaN.
    for i in range(0, n_rows, 5):
        table.at[i, "object, None"] = None
        table.at[i + 1, "object, NaN"] = np.nan
    return table


TABLES = {
    "mixed": lambda: make_mixed_table(200, missing=0.1, random_state=0),
    "every kind": every_kind_table,
}


@functools.cache
def fitted(cls, table_name="narrow"):
    """Return an instance fitted once for all tests, which must not change it."""
    return fit_small(cls, {**TABLES, "narrow": narrow_table}[table_name]())


def carry_by_pickle(synthesizer):
    return pickle.loads(pickle.dumps(synthesizer))


def carry_by_joblib(synthesizer):
    buffer = io.BytesIO()
    joblib.dump(synthesizer, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def carry_by_file(synthesizer):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tabgan"
        synthesizer.save(path)
        return tabgan.load(path)


CARRIERS = {
    "pickle": carry_by_pickle,
    "joblib": carry_by_joblib,
    "deepcopy": copy.deepcopy,
    "file": carry_by_file,
}


def says(message):
    """Match an error's whole text; three dots stand for what others say in it."""
    return "^" + re.escape(message).replace(re.escape("..."), "(.|\n)*") + "$"
