"""Fit an estimator on real and synthetic rows, with labels or with probabilities of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import has_fit_parameter

from tabgan.checks import ParameterError, short
from tabgan.pipeline.joint import Features, as_given
from tabgan.pipeline.mixture import has_value_per_row, predictions
from tabgan.randomness import draw_seed
from tabgan.table.format import TableFormat

LEAST_SHARE = 0.01
"""A class whose probability in a row is lower gets no copy of the row."""

N_DRAWS = 8
"""Number of classifiers that are averaged where labels have to be drawn."""


def weight_parameter(estimator: Any) -> str | None:
    """Name the parameter of ``fit`` that takes weights of rows.

    Parameters
    ----------
    estimator : classifier

    Returns
    -------
    name : str or None
        "sample_weight", or in a pipeline the name with the last step before it. None if the
        classifier takes no weights, if metadata routing decides who gets weights, or if the
        classifier has a `class_weight`: it would count the copies of a row, not their weights.
    """
    if isinstance(estimator, Pipeline):
        if get_config()["enable_metadata_routing"]:
            return None
        last, model = estimator.steps[-1]
        name = weight_parameter(model)
        return None if name is None else f"{last}__{name}"
    if getattr(estimator, "class_weight", None) is not None:
        return None
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def check_fit_params(fit_params: Mapping[str, Any], n_rows: int) -> None:
    """Refuse parameters of ``fit`` that synthetic rows would lack, and weights that are none.

    Parameters
    ----------
    fit_params : mapping
        By name.
    n_rows : int
        Real rows.

    Raises
    ------
    ParameterError
        A parameter other than weights holds one value per row; or weights are not one finite
        number for each row.
    """
    for name, value in fit_params.items():
        if name.endswith("sample_weight"):
            _check_weights(name, value, n_rows)
        elif has_value_per_row(value, n_rows):
            raise ParameterError(
                f"The fit parameter {name!r} has one value per row, which synthetic rows "
                "lack; only sample_weight can be passed that way."
            )


def _check_weights(name: str, weights: Any, n_rows: int) -> None:
    """Refuse weights that are not one finite number per real row; None is no weights.

    Raises
    ------
    ParameterError
        Names the parameter and the first weight that is not finite.
    """
    if weights is None:
        return
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(
            f"{name} must hold one finite number per row, got {short(weights)}."
        ) from None
    if values.shape != (n_rows,):
        raise ParameterError(
            f"{name} must hold one finite number per row, {n_rows} numbers, got "
            f"an array of shape {values.shape}."
        )
    is_bad = ~np.isfinite(values)
    if is_bad.any():
        row = int(is_bad.argmax())
        raise ParameterError(
            f"{name} must hold one finite number per row, got {values[row]} in row {row}; "
            "leave such rows out or give them a weight of 0."
        )


def lengthened(fit_params: Mapping[str, Any], n_more: int) -> dict[str, Any]:
    """Give synthetic rows, which follow the real rows, the mean weight of the real rows.

    Parameters
    ----------
    fit_params : mapping
        Every parameter whose name ends in "sample_weight" holds the weights of the real rows (in a
        pipeline the name of the step stands before), or is None.
    n_more : int
        Synthetic rows.
    """
    if n_more == 0:
        return dict(fit_params)
    return {
        name: np.concatenate([value, np.full(n_more, np.mean(value))])
        if name.endswith("sample_weight") and value is not None
        else value
        for name, value in fit_params.items()
    }


def fit_softly(
    estimator: Any,
    X: Features,
    labels: np.ndarray,
    classes: np.ndarray | None,
    fit_params: Mapping[str, Any],
    seed: int,
    form: TableFormat | None = None,
) -> Any:
    """Fit a clone of an estimator on rows with probabilities of classes, or numbers, as labels.

    A classifier that takes weights gets each row once for each class, with the probability as the
    weight: so the expected loss is minimised. Any other classifier is fitted `N_DRAWS` times, on
    labels that are drawn from the probabilities, and the mean of the fitted clones predicts.

    Parameters
    ----------
    estimator : classifier or regressor
        Not changed.
    X : DataFrame or ndarray of shape (n_rows, n_features)
    labels : ndarray of shape (n_rows, n_classes) or (n_rows, 1)
        Probabilities of classes, or numbers.
    classes : ndarray of shape (n_classes,) or None
        Sorted labels; None for numbers.
    fit_params : mapping
        Passed to ``fit``. Every parameter whose name ends in "sample_weight" holds one weight for
        each row of `X`, or is None.
    seed : int
        Seeds the drawing of labels.
    form : TableFormat or None, default=None
        The kind of table that the classifier is given; None for `X` as it is.

    Returns
    -------
    fitted : classifier or regressor
        A fitted clone, or a `DrawnLabels` of fitted clones.
    """
    if classes is None:
        return clone(estimator).fit(as_given(X, form), labels[:, 0], **fit_params)
    name = weight_parameter(estimator)
    if name is None:
        rng = np.random.RandomState(seed)
        fitted = []
        for _ in range(N_DRAWS):
            drawn = classes[draw_labels(labels, draw_seed(rng))]
            fitted.append(clone(estimator).fit(as_given(X, form), drawn, **fit_params))
        return DrawnLabels(fitted, classes)
    rows, codes, shares = copies(labels)
    fit_params = {
        key: np.asarray(value)[rows]
        if key.endswith("sample_weight") and value is not None
        else value
        for key, value in fit_params.items()
    }
    weights = fit_params.get(name)
    fit_params[name] = shares if weights is None else shares * weights
    repeated = _safe_indexing(X, rows)
    if isinstance(repeated, pd.DataFrame):
        repeated = repeated.reset_index(drop=True)
    return clone(estimator).fit(as_given(repeated, form), classes[codes], **fit_params)


def copies(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Repeat each row once for each class that it may have.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows, n_classes)

    Returns
    -------
    rows : ndarray of int, shape (n_copies,)
        The row of each copy, in ascending order.
    codes : ndarray of int, shape (n_copies,)
        The class of each copy.
    shares : ndarray of shape (n_copies,)
        The probability of the class. The shares of the copies of a row sum to one.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.pipeline.fitting import copies
    >>> rows, codes, shares = copies(np.array([[1.0, 0.0], [0.25, 0.75]]))
    >>> rows.tolist(), codes.tolist(), shares.tolist()
    ([0, 1, 1], [0, 0, 1], [1.0, 0.25, 0.75])
    """
    least = np.minimum(LEAST_SHARE, probabilities.max(axis=1, keepdims=True))
    rows, codes = np.nonzero(probabilities >= least)
    shares = probabilities[rows, codes]
    return rows, codes, shares / np.bincount(rows, shares)[rows]


def draw_labels(probabilities: np.ndarray, seed: int) -> np.ndarray:
    """Draw one class for each row, shape (n_rows,)."""
    uniform = np.random.RandomState(seed).uniform(size=(len(probabilities), 1))
    edges = probabilities.cumsum(axis=1)
    return (edges[:, :-1] <= uniform * edges[:, -1:]).sum(axis=1)


def _all_have(method: str) -> Any:
    def check(self: Any) -> bool:
        for each in self.estimators_:
            getattr(each, method)
        return True

    return check


class DrawnLabels(ClassifierMixin, BaseEstimator):
    """The mean of classifiers that were fitted on different draws of the same soft labels.

    Parameters
    ----------
    estimators : sequence of classifier
        Fitted.
    classes : ndarray of shape (n_classes,)
        Sorted labels.

    Attributes
    ----------
    estimators_ : list of classifier
    classes_ : ndarray of shape (n_classes,)
    """

    def __init__(self, estimators: Any, classes: Any) -> None:
        self.estimators = estimators
        self.classes = classes

    @property
    def estimators_(self) -> list[Any]:
        """The fitted classifiers."""
        return list(self.estimators)

    @property
    def classes_(self) -> np.ndarray:
        """Sorted labels."""
        return np.asarray(self.classes)

    @available_if(_all_have("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Average the probabilities of all classifiers, shape (n_rows, n_classes)."""
        every = [predictions(each, X, self.classes_) for each in self.estimators_]
        return np.mean(every, axis=0)

    @available_if(_all_have("predict_proba"))
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`, shape (n_rows, n_classes)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of the highest mean probability, or else of the most votes."""
        if hasattr(self, "predict_proba"):
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        codes = np.stack(
            [np.searchsorted(self.classes_, each.predict(X)) for each in self.estimators_]
        )
        votes = (codes[:, :, None] == np.arange(len(self.classes_))).sum(axis=0)
        return self.classes_[votes.argmax(axis=1)]
