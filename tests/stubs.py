"""Synthesizers that learn nothing, and small tables, to test what is built around synthesizers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_moons
from sklearn.utils import check_random_state


class BootstrapSynthesizer(BaseEstimator):
    """Resamples the rows it was fitted on; conditions choose among them."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.rows_ = X.reset_index(drop=True)
        self.feature_names_in_ = np.array(list(X.columns), dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def sample(self, n_samples=1, random_state=None, *, conditions=None):
        rng = check_random_state(random_state)
        if conditions is None:
            taken = rng.randint(len(self.rows_), size=n_samples)
            return self.rows_.iloc[taken].reset_index(drop=True)
        taken = np.empty(len(conditions), dtype=int)
        for values, wanted in conditions.groupby(list(conditions.columns), observed=True):
            fits = (self.rows_[list(conditions.columns)] == list(values)).all(axis=1)
            if not fits.any():
                raise ValueError(f"No row has {values}.")
            at = conditions.index.get_indexer(wanted.index)
            taken[at] = rng.choice(np.flatnonzero(fits), size=len(wanted))
        return self.rows_.iloc[taken].reset_index(drop=True)


class RecordingSynthesizer(BootstrapSynthesizer):
    """Remembers, beyond clones, every table that was learnt and every seed used."""

    learnt: ClassVar[list[pd.DataFrame]] = []
    seeds: ClassVar[list[int]] = []
    asked: ClassVar[list[object]] = []

    def fit(self, X, y=None):
        self.learnt.append(X.copy())
        self.seeds.append(self.random_state)
        return super().fit(X, y)

    def sample(self, n_samples=1, random_state=None, *, conditions=None):
        self.asked.append(n_samples if conditions is None else conditions.copy())
        return super().sample(n_samples, random_state, conditions=conditions)

    @classmethod
    def forget(cls):
        cls.learnt.clear()
        cls.seeds.clear()
        cls.asked.clear()


class ShuffledTargetSynthesizer(BootstrapSynthesizer):
    """Harmful: the last column is drawn without regard to the others."""

    def sample(self, n_samples=1, random_state=None, *, conditions=None):
        rows = super().sample(n_samples, random_state, conditions=conditions)
        if conditions is None:
            shuffled = rows.iloc[:, -1].sample(frac=1, random_state=random_state)
            rows[rows.columns[-1]] = shuffled.to_numpy()
        return rows


class RecordingClassifier(ClassifierMixin, BaseEstimator):
    """Remembers, beyond clones, what it was fitted and asked to predict on."""

    fitted: ClassVar[list] = []
    weights: ClassVar[list] = []
    predicted: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None, note=None):
        self.fitted.append((X, y))
        self.weights.append(sample_weight)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self.predicted.append(X)
        return np.repeat(self.classes_[:1], len(X))


class RecordingTeacher(RecordingClassifier):
    """Predicts the rates of the classes that it was fitted on."""

    def fit(self, X, y, sample_weight=None, note=None):
        super().fit(X, y, sample_weight, note)
        self.rates_ = np.unique(y, return_counts=True)[1] / len(y)
        return self

    def predict_proba(self, X):
        self.predicted.append(X)
        return np.tile(self.rates_, (len(X), 1))


def forget_records():
    """Empty what the recording classes remember."""
    RecordingSynthesizer.forget()
    for record in (
        RecordingClassifier.fitted,
        RecordingClassifier.weights,
        RecordingClassifier.predicted,
    ):
        record.clear()


def numbered_rows(n_rows=60):
    """Make rows of which each can be recognised, with a third of them in the rarer class."""
    X = pd.DataFrame({"id": np.arange(n_rows), "noise": np.random.RandomState(0).rand(n_rows)})
    return X, pd.Series(np.where(np.arange(n_rows) % 3 == 0, "rare", "often"), name="kind")


def moons(n_rows=40):
    return make_moons(n_rows, noise=0.1, random_state=3)
