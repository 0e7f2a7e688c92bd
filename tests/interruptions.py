"""Ways to cut a fit short, and to tell whether another fit ended alike."""

from __future__ import annotations

import contextlib
import hashlib
import sys

import pandas as pd
from contract import examples, small
from seeds import seed

N_STEPS = 6


class Killed(BaseException):
    """The end of a process, which nothing catches."""


def killed_at(step):
    """A callback that ends the process after a step."""

    def kill(training):
        if training.step == step:
            raise Killed

    return kill


def make(cls, **parameters):
    """Return an instance of an estimator that trains for `N_STEPS` steps, in a blink."""
    defaults = {"n_steps": N_STEPS, "batch_size": 25, "random_state": seed(0)}
    return small(cls, **{**defaults, **parameters})


def fit(estimator, table):
    """Fit to a table, and to the labels or the second table that the estimator needs."""
    return estimator.fit(*examples(estimator, table))


def weights(estimator):
    """Return the learnt tensors by name."""
    return {
        f"{part}.{name}": value.clone()
        for part, module in estimator._core.modules().items()
        for name, value in module.state_dict().items()
    }


def history(estimator):
    """Return the record of training without what no two runs share, the seconds."""
    return estimator.history_.drop(columns="seconds", errors="ignore")


def assert_same(one, other):
    """Check that two fits ended alike, bit for bit."""
    ours, theirs = weights(one), weights(other)
    assert list(ours) == list(theirs)
    assert all((ours[name] == theirs[name]).all() for name in ours)
    pd.testing.assert_frame_equal(history(one), history(other))


def digest(estimator):
    """Describe what was learnt, bit for bit, in one word."""
    told = hashlib.sha256(history(estimator).to_csv().encode())
    for name, value in weights(estimator).items():
        told.update(name.encode() + value.cpu().numpy().tobytes())
    return told.hexdigest()


@contextlib.contextmanager
def calls_counted():
    """Yield a list whose one number is how many Python functions were called so far."""
    calls = [0]

    def trace(frame, event, detail):
        calls[0] += 1

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield calls
    finally:
        sys.settrace(before)


@contextlib.contextmanager
def raised_at(call, error):
    """Raise an error where a Python function is called for the `call`-th time, whichever it is."""
    calls = 0

    def trace(frame, event, detail):
        nonlocal calls
        calls += 1
        if calls == call:
            sys.settrace(None)
            raise error

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
