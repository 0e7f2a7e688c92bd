"""Every parameter of the pipeline pieces refuses, by name and before any work, what it is not."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
from stubs import (
    BootstrapSynthesizer,
    RecordingClassifier,
    RecordingSynthesizer,
    forget_records,
    numbered_rows,
)

from tabgan import checks
from tabgan.pipeline import AugmentedClassifier, AugmentedRegressor, GANSampler, augment

LONGEST = 400
"""Characters of an error at most."""


def wrong_values():
    """Make values that few parameters take; anew, as a generator is used up."""
    return {
        "-1": -1,
        "0.5": 0.5,
        "1.5": 1.5,
        "10**30": 10**30,
        "nan": float("nan"),
        "inf": float("inf"),
        "-inf": float("-inf"),
        "True": True,
        "None": None,
        "x": "x",
        "bytes": b"x",
        "empty string": "",
        "empty list": [],
        "list": ["y"],
        "empty dict": {},
        "set": {"a"},
        "object": object(),
        "class": int,
        "synthesizer class": BootstrapSynthesizer,
        "lambda": lambda *_: None,
        "generator": (i for i in range(3)),
        "array": np.zeros((3, 3)),
        "long array": np.zeros(10**5),
        "frame": pd.DataFrame({"a": range(1000)}),
    }


LABELS = {"-1", "0.5", "1.5", "10**30", "inf", "-inf", "True", "x", "bytes", "empty string"}
LABELS |= {"object", "class", "synthesizer class", "lambda", "generator", "None"}

META = {
    "estimator": set(),
    "synthesizer": {"None"},
    "ratio": {"0.5", "1.5"},
    "labels": set(),
    "teachers": {"None", "empty list"},
    "features": {"None"},
    "cv": {"None", "10**30"},
    "random_state": {"None"},
    "n_jobs": {"None", "-1", "10**30"},
    "verbose": set(),
}
LEGAL = {
    AugmentedClassifier: META | {"threshold": {"None"}},
    AugmentedRegressor: META,
    GANSampler: {
        "synthesizer": {"None"},
        "sampling_strategy": {"0.5", "lambda", "empty dict"},
        "random_state": {"None"},
    },
    augment: {
        "df": {"frame"},
        "n": {"None"},
        "ratio": {"None", "0.5", "1.5"},
        "balance": {"None"},
        "model": {"None"},
        "target": {"None"},
        "weight_column": {"None"},
        "origin_column": LABELS,
        "random_state": {"None"},
    },
}
"""The wrong values that a parameter takes all the same, by class or function and parameter."""


def call(piece, **parameters):
    """Use a class or function on a small table, with stubs that remember whether they worked."""
    X, y = numbered_rows(12)
    if piece is augment:
        amount = {} if {"n", "ratio", "balance"} & parameters.keys() else {"n": 3}
        return augment(**{"df": X, "model": RecordingSynthesizer()} | amount | parameters)
    parameters = {"synthesizer": RecordingSynthesizer()} | parameters
    if piece is GANSampler:
        return GANSampler(**parameters).fit_resample(X, y)
    y = y if piece is AugmentedClassifier else X["noise"]
    return piece(**{"estimator": RecordingClassifier()} | parameters).fit(X, y)


CASES = [
    pytest.param(piece, name, key, id=f"{piece.__name__}-{name}-{key}")
    for piece, parameters in LEGAL.items()
    for name, legal in parameters.items()
    for key in wrong_values().keys() - legal
]
CASES.sort(key=lambda case: case.id)


@pytest.mark.parametrize("piece", LEGAL, ids=lambda piece: piece.__name__)
def test_no_parameter_is_left_out(piece):
    assert LEGAL[piece].keys() == inspect.signature(piece).parameters.keys()


@pytest.mark.parametrize(("piece", "name", "key"), CASES)
def test_a_wrong_value_is_refused_by_name_before_any_work(piece, name, key):
    forget_records()
    with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b.* must ") as caught:
        call(piece, **{name: wrong_values()[key]})
    assert len(str(caught.value)) < LONGEST
    assert RecordingClassifier.fitted == []
    assert RecordingSynthesizer.learnt == []


@pytest.mark.parametrize("piece", [AugmentedClassifier, AugmentedRegressor, GANSampler])
@pytest.mark.parametrize(
    "data",
    [
        {f"column {i}": list(range(12)) for i in range(5000)},
        [{f"column {i}": i for i in range(5000)}] * 12,
        np.zeros(12, dtype=[(f"column {i}", float) for i in range(100)]),
        np.zeros(12),
        "x" * 100_000,
    ],
    ids=["dict", "list of dicts", "records", "one dimension", "text"],
)
def test_what_is_no_table_is_refused_without_printing_it(piece, data):
    model = piece(**{} if piece is GANSampler else {"estimator": RecordingClassifier()})
    fit = model.fit_resample if piece is GANSampler else model.fit
    with pytest.raises((ValueError, TypeError), match=r"\b[Xy]\b") as caught:
        fit(data, [0, 1] * 6)
    assert len(str(caught.value)) < LONGEST


@pytest.mark.parametrize("as_frame", [True, False])
@pytest.mark.parametrize("piece", [AugmentedClassifier, AugmentedRegressor, GANSampler])
def test_a_target_of_another_length_is_refused_by_name(piece, as_frame):
    X, y = numbered_rows(12)
    X = X if as_frame else X.to_numpy()
    model = piece(**{} if piece is GANSampler else {"estimator": RecordingClassifier()})
    fit = model.fit_resample if piece is GANSampler else model.fit
    with pytest.raises(ValueError, match=r"^y must have one value per row of X, 12 values, got 11"):
        fit(X, np.arange(11) % 2)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([1.0, np.inf] * 6, "got inf in row 1; "),
        ([1.0, 1.0, np.nan] * 4, "got nan in row 2; "),
        ([1.0, -np.inf] * 6, "got -inf in row 1; "),
        (pd.Series([None, 1] * 6, dtype="Int64"), "got nan in row 0; "),
        (["heavy"] * 12, r"got \['heavy', "),
        (np.ones((12, 1)), r"12 numbers, got an array of shape \(12, 1\)."),
        (np.ones(11), r"12 numbers, got an array of shape \(11,\)."),
        (2.0, r"12 numbers, got an array of shape \(\)."),
    ],
    ids=["inf", "nan", "-inf", "missing", "text", "matrix", "short", "number"],
)
@pytest.mark.parametrize("ratio", [0, "auto"])
def test_a_weight_that_is_no_finite_number_is_refused_by_name(weights, told, ratio):
    forget_records()
    X, y = numbered_rows(12)
    model = AugmentedClassifier(RecordingClassifier(), RecordingSynthesizer(), ratio=ratio)
    with pytest.raises(ValueError, match=rf"^sample_weight must hold one finite number .*{told}"):
        model.fit(X, y, sample_weight=weights)
    assert RecordingClassifier.fitted == RecordingSynthesizer.learnt == []


@pytest.mark.parametrize(
    ("piece", "arguments", "message"),
    [
        (
            AugmentedClassifier,
            {"estimator": None, "ratoi": 1},
            "AugmentedClassifier has no parameter 'ratoi'; did you mean 'ratio'?",
        ),
        (
            AugmentedRegressor,
            {"estimator": None, "syntesizer": None},
            "AugmentedRegressor has no parameter 'syntesizer'; did you mean 'synthesizer'?",
        ),
        (
            GANSampler,
            {"strategy": "auto"},
            "GANSampler has no parameter 'strategy'; did you mean 'sampling_strategy'?",
        ),
        (
            GANSampler,
            {"k": 5},
            "GANSampler has no parameter 'k'; "
            "known are 'synthesizer', 'sampling_strategy', 'random_state'.",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_unknown_argument_is_answered_with_the_class_and_the_nearest_one(
    piece, arguments, message
):
    with pytest.raises(TypeError) as caught:
        piece(**arguments)
    assert str(caught.value) == message


def test_an_unknown_argument_names_the_class_that_was_called():
    class Own(AugmentedClassifier):
        def __init__(self, estimator, *, extra=1, **shared):
            super().__init__(estimator, **shared)

    error = checks.unexpected_argument(Own, "extar")
    assert str(error) == "Own has no parameter 'extar'; did you mean 'extra'?"
    with pytest.raises(TypeError, match="^Own has no parameter 'cvv'; did you mean 'cv'?"):
        Own(None, cvv=3)
    assert Own(None, cv=3).cv == 3


def test_the_synthesizer_comes_by_position_everywhere():
    synthesizer = BootstrapSynthesizer()
    assert GANSampler(synthesizer).synthesizer is synthesizer
    assert AugmentedClassifier(None, synthesizer).synthesizer is synthesizer
    assert AugmentedRegressor(None, synthesizer).synthesizer is synthesizer
    with pytest.raises(ValueError, match="^synthesizer must be None or a synthesizer"):
        GANSampler("minority").fit_resample(*numbered_rows(12))
