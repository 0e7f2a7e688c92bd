"""How many synthetic rows are added: the arithmetic, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from stubs import BootstrapSynthesizer

from tabgan.pipeline.amounts import asked_for, draw_rows, enough
from tabgan.pipeline.joint import Target
from tabgan.pipeline.mixture import Mixture, Teacher

TARGET = Target("target", np.array(["a", "b", "c"], dtype=object))
Y = np.repeat(["a", "c"], [70, 30])


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [("auto", None), (0, [0]), (0.5, [50]), (2, [200]), ("level", [0, 0, 40])],
)
def test_given_amounts(ratio, expected):
    extra = asked_for(ratio, TARGET, Y)
    assert (extra if extra is None else extra.tolist()) == expected


def mixture_of(*losses, names=("estimator", "other")):
    losses = np.array(losses, dtype=float)
    teachers = {name: Teacher(None, np.asarray, {}) for name in names}
    return Mixture(teachers, [], np.ones(2) / 2, 1.0, None, np.zeros(0), losses, pd.DataFrame())


@pytest.mark.parametrize(
    ("n_rows", "expected"), [(20, 200), (500, 5000), (2000, 5000), (6000, 6000)]
)
def test_enough_rows_by_the_size_of_the_table(n_rows, expected):
    mixture = mixture_of([1, 1, 1], [1, 1, 1], [0.5, 0.5, 0.5])
    extra, reason = enough(mixture, n_rows, "log loss", "")
    assert extra.tolist() == [expected]
    assert reason == (
        "Rows with soft labels were added: out of fold, the log loss of the mixture of teachers is "
        "0.5, and that of the estimator alone is 1."
    )


@pytest.mark.parametrize(("excess", "expected"), [(0.49, 40), (0.51, 0), (-3.0, 40)])
def test_nothing_beyond_one_standard_error(excess, expected):
    """Four differences of mean zero and standard deviation one: their mean has an error of .5."""
    noise = np.array([1, -1, 1, -1])
    alone = np.full(4, 2.0)
    extra, reason = enough(mixture_of(alone, alone, alone + noise + excess), 4, "error", "")
    assert extra.tolist() == [expected]
    assert reason.startswith("No rows" if expected == 0 else "Rows with soft labels were added")


def test_rows_without_a_prediction_do_not_count():
    alone = np.array([1.0, np.nan, 1.0])
    extra, reason = enough(mixture_of(alone, alone, alone - 0.5), 3, "error", "")
    assert extra.tolist() == [30]
    assert "is 0.5, and" in reason


def test_an_estimator_that_does_not_teach_is_not_compared():
    mixture = mixture_of([1, 1], [2, 2], [3, 3], names=("one", "other"))
    assert enough(mixture, 2, "log loss", "")[0].tolist() == [20]


def test_an_obstacle_adds_nothing():
    assert enough(None, 9, "log loss", "because")[1] == "because"
    assert enough(None, 9, "log loss", "because")[0].tolist() == [0]


def test_rows_are_drawn_as_counted():
    X = pd.DataFrame({"id": np.arange(100)})
    synthesizer = BootstrapSynthesizer().fit(TARGET.join(X, Y))
    assert len(draw_rows(synthesizer, TARGET, np.array([7]), 0)) == 7
    rows = draw_rows(synthesizer, TARGET, np.array([0, 0, 40]), 0)
    assert rows["target"].value_counts().to_dict() == {"c": 40, "a": 0, "b": 0}
