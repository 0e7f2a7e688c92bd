"""Arguments of the evaluation and of displays: wrong ones are refused by name and in few words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table

from tabgan import evaluation
from tabgan.displays import LatentSpaceDisplay, LatentWalkDisplay, PairTrendDisplay, RowGridDisplay

TABLE = mixed_table(40, 0)
WAVES = np.zeros((4, 3, 1))
WRONG = [
    -1, 0.5, float("nan"), float("inf"), 1 + 2j, True, "nonsense", b"bytes", [], {}, [None], object,
    lambda: None, np.zeros((99, 99)), pd.DataFrame({"a": range(9999)}), "long" * 9999,
]  # fmt: skip
FITTING = {
    # Values of the list above that a parameter takes.
    "categorical_features": (None, []),
    "columns": (None, []),
    "model": (None,),
    "test_size": (0.5,),
    "extent": (0.5,),
    "vmin": (-1, 0.5),
}
CALLS = {
    "column_shapes": ((TABLE, TABLE), ["categorical_features"]),
    "pair_trends": ((TABLE, TABLE), ["categorical_features"]),
    "strong_pairs": ((TABLE,), ["categorical_features"]),
    "marginals": ((TABLE, TABLE), ["columns", "categorical_features"]),
    "c2st": (
        (TABLE, TABLE),
        ["classifier", "n_splits", "categorical_features", "random_state"],
    ),
    "beta_recall": ((TABLE, TABLE), ["max_rows", "categorical_features", "random_state"]),
    "distance_to_closest_record": (
        (TABLE, TABLE, TABLE),
        ["max_rows", "categorical_features", "random_state"],
    ),
    "membership_inference": (
        (TABLE, TABLE, TABLE),
        ["max_rows", "categorical_features", "random_state"],
    ),
    "train_on_synthetic": (
        (TABLE, TABLE, "large"),
        ["estimator", "task", "target_transform", "categorical_features", "random_state"],
    ),
    "audit": (
        (TABLE, TABLE, TABLE),
        ["model", "n_shadows", "max_rows", "categorical_features", "random_state"],
    ),
    "evaluate": (
        (TABLE, TABLE),
        ["classifier", "categorical_features", "audit", "random_state"],
    ),
    "discriminative_score": (
        (WAVES, WAVES),
        ["test_size", "n_steps", "hidden_dim", "random_state"],
    ),
    "predictive_score": (
        (WAVES, WAVES),
        ["n_steps", "hidden_dim", "random_state"],
    ),
}


def taken(parameter, value):
    fitting = FITTING.get(parameter, ())
    return any(type(value) is type(each) and value == each for each in fitting)


def refused(parameter, call):
    """The parameter is named first, and the whole message is short."""
    with pytest.raises((TypeError, ValueError), match=f"^{parameter}") as told:
        call()
    assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, parameter) for name, (_, parameters) in CALLS.items() for parameter in parameters],
)
def test_wrong_values_are_refused_by_name(name, parameter):
    tables, _ = CALLS[name]
    for value in WRONG:
        if parameter == "target_transform" and callable(value) or taken(parameter, value):
            continue
        refused(
            parameter, lambda value=value: getattr(evaluation, name)(*tables, **{parameter: value})
        )


@pytest.mark.parametrize(
    "name", [name for name in CALLS if name not in ("discriminative_score", "predictive_score")]
)
def test_what_is_no_table_is_refused_by_name_and_never_printed(name):
    tables, _ = CALLS[name]
    names = {"strong_pairs": "real", "train_on_synthetic": "synthetic"}
    first = names.get(name, "real")
    for value in (None, 3, "rows.csv", {"x": list(range(9999))}, [1, 2], [{"x": 1}] * 9999):
        refused(first, lambda value=value: getattr(evaluation, name)(value, *tables[1:]))


@pytest.mark.parametrize("target", [None, float("nan"), ["large"], "none such", 3])
def test_wrong_targets(target):
    refused("target", lambda: evaluation.train_on_synthetic(TABLE, TABLE, target))
    if target is not None:
        refused("target", lambda: evaluation.evaluate(TABLE, TABLE, test=TABLE, target=target))


@pytest.mark.parametrize("parameter", ["entity", "time"])
def test_wrong_names_of_columns(parameter):
    for value in ([], {}, float("nan"), ["entity"]):
        refused(
            parameter,
            lambda value=value: evaluation.predictive_score(WAVES, WAVES, **{parameter: value}),
        )


def test_wrong_trends():
    refused("trends", lambda: evaluation.mean_pair_trend(np.eye(3)))
    refused("trends", lambda: evaluation.mean_pair_trend(TABLE))
    refused("pairs", lambda: evaluation.mean_pair_trend(pd.DataFrame(np.eye(3)), TABLE))
    two, three = (pd.DataFrame(np.eye(n, dtype=bool)) for n in (2, 3))
    refused("pairs", lambda: evaluation.mean_pair_trend(three * 1.0, two))


class Plane:
    def transform(self, X):
        return np.asarray(X)

    def inverse_transform(self, X):
        return X

    def get_feature_names_out(self):
        return np.array(["a", "b"])


@pytest.mark.parametrize(
    ("parameter", "draw"),
    [
        ("estimator", lambda value: LatentSpaceDisplay.from_estimator(value, np.eye(2))),
        (
            "max_points",
            lambda v: LatentSpaceDisplay.from_estimator(Plane(), np.eye(2), max_points=v),
        ),
        (
            "random_state",
            lambda v: LatentSpaceDisplay.from_estimator(Plane(), np.eye(2), random_state=v),
        ),
        ("n_across", lambda value: RowGridDisplay.from_rows(np.eye(4), value)),
        ("image_shape", lambda value: RowGridDisplay.from_rows(np.eye(4), 2, image_shape=value)),
        ("features", lambda value: LatentWalkDisplay.from_estimator(Plane(), value)),
        ("extent", lambda value: LatentWalkDisplay.from_estimator(Plane(), extent=value)),
        ("n", lambda value: LatentWalkDisplay.from_estimator(Plane(), n=value)),
        ("vmin", lambda value: PairTrendDisplay.from_frames(TABLE, TABLE, vmin=value)),
    ],
)
def test_wrong_values_of_displays(parameter, draw):
    for value in WRONG:
        # A DataFrame has a method called transform.
        is_encoder = parameter == "estimator" and isinstance(value, pd.DataFrame)
        if not is_encoder and not taken(parameter, value):
            refused(parameter, lambda value=value: draw(value))
