"""What the tests of every synthesizer of sequences share: who they are, tiny instances, tables."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from contract import EVERYONE, those_of

from tabgan.estimators.sequences import SequenceSynthesizer

SYNTHESIZERS = [cls for cls in EVERYONE if issubclass(cls, SequenceSynthesizer)]

assert SYNTHESIZERS


def small(cls, **parameters):
    """Return an instance that trains in a blink."""
    settings = those_of(cls, n_steps=3, batch_size=16, hidden_dim=6, latent_dim=3, random_state=0)
    return cls(**{**settings, **parameters})


def fit_small(cls, table, y=None, **parameters):
    """Fit a tiny instance to an array or a long table of columns "who" and perhaps "when"."""
    if isinstance(table, pd.DataFrame):
        parameters = {"entity": "who", "time": "when" if "when" in table else None} | parameters
    return small(cls, **parameters).fit(table, y)


@functools.cache
def long_table(n=30, longest=6):
    """Make sequences of unequal lengths with every kind of channel, in no order of rows.

    Entities are strings, times dates a day apart; "group" and "age" do not vary within an entity.
    """
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, longest + 1, n)
    lengths[0] = longest
    who = np.repeat(np.arange(n), lengths)
    step = np.concatenate([np.arange(length) for length in lengths])
    level = rng.normal(size=len(who)).cumsum()
    table = pd.DataFrame(
        {
            "value": level,
            "who": [f"patient {i:03d}" for i in who],
            "group": pd.Categorical(np.array(["a", "b"])[rng.integers(0, 2, n)][who]),
            "count": pd.array(rng.poisson(3, len(who)), dtype="Int64"),
            "when": pd.Timestamp("2021-03-01") + pd.to_timedelta(step, "D"),
            "flag": rng.random(len(who)) < 0.4,
            "word": rng.choice(["x", "y", "z"], len(who)),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 9, len(who)), "h"),
            "age": rng.integers(20, 60, n)[who],
        }
    )
    table.loc[::7, "value"] = np.nan
    table.loc[3::9, "count"] = None
    table.loc[5::8, "word"] = None
    return table.sample(frac=1, random_state=0)


@functools.cache
def fitted(cls):
    """Return an instance fitted once for all tests, which must not change it."""
    return fit_small(cls, long_table())
