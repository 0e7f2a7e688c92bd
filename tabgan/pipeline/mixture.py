"""A mixture of teachers that are fitted out of fold: the source of soft labels.

The labels of a mixture are better than the labels of one learner only if no teacher labels a row
that the teacher was fitted on [1]_. So each teacher is fitted once for each fold. A real row gets
the prediction of the models that have not seen the row. A synthetic row gets the mean over all
folds.

References
----------
.. [1] Wolpert (1992), "Stacked Generalization", Neural Networks 5; Hinton, Vinyals and Dean (2015),
   "Distilling the Knowledge in a Neural Network", arXiv 1503.02531.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from tabgan.pipeline.folds import Fold
from tabgan.pipeline.joint import Features

REAL_SHARE = 0.5
"""Weight of a real row's own label in the soft label of that row; the mixture has the rest."""

PRIOR_ROWS = 10.0
"""Strength of the prior that all teachers are equally good, in rows that say so."""

EXPONENT_SPREAD = 0.3
"""Standard deviation of the prior of the logarithm of the exponent, which is centred at zero."""

LEAST_PROBABILITY = 1e-4
"""Smaller probabilities count as this one where logarithms are taken."""


@dataclass(frozen=True)
class Teacher:
    """One teacher.

    Attributes
    ----------
    model : estimator
        Unfitted.
    see : callable, features -> features
        Turns features into those that the teacher takes.
    fit_params : dict
        Passed to ``fit``; a value with one entry per row is cut to the rows of the fold.
    """

    model: Any
    see: Callable[[Features], Any]
    fit_params: Mapping[str, Any]


@dataclass(frozen=True)
class Mixture:
    """Fitted teachers and the weights of their mean.

    Attributes
    ----------
    teachers : dict of str to Teacher
        By name.
    models : list of list of estimator
        One list for each teacher, one fitted clone for each fold.
    weights : ndarray of shape (n_teachers,)
        Sum to one.
    exponent : float
        Power to which probabilities of classes are raised before they are normalised; 1 for
        numbers. Above one, the mean of the teachers was too careful.
    classes : ndarray of shape (n_classes,) or None
        Sorted classes; None for a numeric target.
    out_of_fold : ndarray of shape (n_rows, n_outputs)
        Predictions of the mixture for its training rows, out of fold: probabilities of classes, or
        one number. NaN for rows that are in no validation part.
    losses : ndarray of shape (n_teachers + 1, n_rows)
        Loss of each teacher and of the mixture, the last one, for each row out of fold: the
        negative logarithm of the probability of the true class, or the squared error.
    results : DataFrame of n_teachers + 1 rows
        Proper scores out of fold, see `fit_mixture`.
    """

    teachers: Mapping[str, Teacher]
    models: Sequence[Sequence[Any]]
    weights: np.ndarray
    exponent: float
    classes: np.ndarray | None
    out_of_fold: np.ndarray
    losses: np.ndarray
    results: pd.DataFrame

    def predict(self, X: Features) -> np.ndarray:
        """Predict new rows by the mean over all folds and teachers.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_features)

        Returns
        -------
        predictions : ndarray of shape (n_rows, n_outputs)
        """
        total: Any = 0.0
        seen: dict[Callable[[Features], Any], Any] = {}
        for teacher, models, weight in zip(
            self.teachers.values(), self.models, self.weights, strict=True
        ):
            if weight > 0:
                if teacher.see not in seen:
                    seen[teacher.see] = teacher.see(X)
                for model in models:
                    share = weight / len(models)
                    shown = seen[teacher.see]
                    total = total + share * predictions(model, shown, self.classes)
        return total if self.classes is None else sharpened(total, self.exponent)

    def label(self, X: Features, y: np.ndarray) -> np.ndarray:
        """Give soft labels to real rows and to the synthetic rows that follow them.

        The label of a real row is the mean of its own label and of the prediction out of fold,
        with weight `REAL_SHARE` on its own. Synthetic rows are labelled by the mixture alone.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows + n_synthetic, n_features)
            The real rows that the mixture was fitted on, in their order, come first.
        y : ndarray of shape (n_rows,)
            Labels of the real rows.

        Returns
        -------
        labels : ndarray of shape (n_rows + n_synthetic, n_outputs)
        """
        own = (
            y[:, None].astype(np.float64)
            if self.classes is None
            else np.eye(len(self.classes))[np.searchsorted(self.classes, y)]
        )
        others = np.where(np.isnan(self.out_of_fold), own, self.out_of_fold)
        synthetic = X.iloc[len(y) :] if isinstance(X, pd.DataFrame) else X[len(y) :]
        real = REAL_SHARE * own + (1 - REAL_SHARE) * others
        return np.concatenate([real, self.predict(synthetic)])


def fit_mixture(
    teachers: Mapping[str, Teacher],
    X: Features,
    y: np.ndarray,
    classes: np.ndarray | None,
    folds: Sequence[Fold],
    n_jobs: int | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Mixture:
    """Fit each teacher once for each fold, and weigh the teachers by their losses out of fold.

    The weights maximise the likelihood of the real labels out of fold, with a prior that pulls
    towards equal weights. The prior counts `PRIOR_ROWS` rows, so that a teacher gets all weight
    only where many rows say so. For classes the exponent of `sharpened` is fitted with the weights.
    For numbers, errors are normal and of one unknown variance.

    Parameters
    ----------
    teachers : dict of str to Teacher
    X : DataFrame or ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    classes : ndarray of shape (n_classes,) or None
        None for a numeric target.
    folds : sequence of (train indices, validation indices)
    n_jobs : int or None, default=None
        Folds that run at the same time.
    report : callable, int -> None
        Called with the number of folds that are done.

    Returns
    -------
    mixture : Mixture
        `results` has one row for each teacher and a last row for the mixture. Its columns are
        `teacher`, `weight`, and proper scores out of fold: `log_loss`, `brier_score` and `roc_auc`
        (one class against the rest; NaN where undefined) for classes, `mean_squared_error` and `r2`
        for numbers.
    """
    runs = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_fold)(teachers, X, y, classes, fold) for fold in folds
    )
    n_outputs = 1 if classes is None else len(classes)
    sums = np.zeros((len(teachers), len(y), n_outputs))
    counts = np.zeros(len(y))
    by_fold = []
    for done, ((_, validation), (models, predicted)) in enumerate(
        zip(folds, runs, strict=True), start=1
    ):
        by_fold.append(models)
        np.add.at(counts, validation, 1)
        for position, each in enumerate(predicted):
            np.add.at(sums[position], validation, each)
        report(done)
    with np.errstate(invalid="ignore"):
        out_of_fold = sums / counts[:, None]
    known = counts > 0
    if classes is None:
        weights, exponent = _weights_for_numbers(out_of_fold[:, known, 0], y[known]), 1.0
        mixed = np.einsum("t,tnk->nk", weights, out_of_fold)
        every = np.concatenate([out_of_fold, mixed[None]])
        losses = (every[:, :, 0] - y) ** 2
    else:
        codes = np.searchsorted(classes, y)
        weights, exponent = _weights_for_classes(out_of_fold[:, known], codes[known])
        mixed = sharpened(np.einsum("t,tnk->nk", weights, out_of_fold), exponent)
        every = np.concatenate([out_of_fold, mixed[None]])
        losses = -np.log(every[:, np.arange(len(y)), codes].clip(LEAST_PROBABILITY))
    results = pd.DataFrame(
        {
            "teacher": [*teachers, "mixture"],
            "weight": [*weights, 1.0],
            **(
                _scores_of_numbers(losses[:, known], y[known])
                if classes is None
                else _scores_of_classes(every[:, known], losses[:, known], codes[known])
            ),
        }
    )
    models_of = [list(models) for models in zip(*by_fold, strict=True)]
    return Mixture(teachers, models_of, weights, exponent, classes, mixed, losses, results)


def _fit_fold(
    teachers: Mapping[str, Teacher],
    X: Features,
    y: np.ndarray,
    classes: np.ndarray | None,
    fold: Fold,
) -> tuple[list[Any], list[np.ndarray]]:
    train, validation = fold
    models, predicted = [], []
    # Teachers that see the features in the same way share one table.
    seen: dict[Callable[[Features], Any], tuple[Any, Any]] = {}
    for teacher in teachers.values():
        fit_params = rows_of(teacher.fit_params, train, len(y))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            if teacher.see not in seen:
                parts = [_safe_indexing(X, rows) for rows in (train, validation)]
                seen[teacher.see] = teacher.see(parts[0]), teacher.see(parts[1])
            shown, unseen = seen[teacher.see]
            model = clone(teacher.model).fit(shown, y[train], **fit_params)
        models.append(model)
        predicted.append(predictions(model, unseen, classes))
    return models, predicted


def predictions(model: Any, X: Any, classes: np.ndarray | None) -> np.ndarray:
    """Predict probabilities of classes, or one number, shape (n_rows, n_outputs).

    A class that the model was not fitted on has probability zero.
    """
    if classes is None:
        return np.asarray(model.predict(X), dtype=np.float64).reshape(-1, 1)
    probabilities = np.asarray(model.predict_proba(X), dtype=np.float64)
    table = np.zeros((len(probabilities), len(classes)))
    table[:, np.searchsorted(classes, model.classes_)] = probabilities
    return table


def sharpened(probabilities: np.ndarray, exponent: float) -> np.ndarray:
    """Raise probabilities of classes to a power and normalise them; shape (n_rows, n_classes)."""
    powers = probabilities.clip(1e-12) ** exponent
    return powers / powers.sum(axis=1, keepdims=True)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _from_uniform(weights: np.ndarray) -> float:
    """Compute the divergence of weights from equal weights, in nats."""
    return float((weights * np.log(weights * len(weights) + 1e-12)).sum())


def _weights_for_classes(out_of_fold: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, float]:
    clipped = out_of_fold.clip(LEAST_PROBABILITY)
    rows = np.arange(len(codes))

    def objective(free: np.ndarray) -> float:
        weights, log_exponent = _softmax(free[:-1]), free[-1]
        mixed = sharpened(np.einsum("t,tnk->nk", weights, clipped), np.exp(log_exponent))
        loss = -np.log(mixed[rows, codes].clip(LEAST_PROBABILITY)).sum()
        prior = 0.5 * (log_exponent / EXPONENT_SPREAD) ** 2
        return float(loss + PRIOR_ROWS * _from_uniform(weights) + prior)

    found = minimize(objective, np.zeros(len(out_of_fold) + 1), method="L-BFGS-B").x
    return _softmax(found[:-1]), float(np.exp(found[-1]))


def _weights_for_numbers(out_of_fold: np.ndarray, y: np.ndarray) -> np.ndarray:
    scale = max(float(np.var(y)), np.finfo(float).tiny)

    def objective(free: np.ndarray) -> float:
        weights = _softmax(free)
        error = np.mean((weights @ out_of_fold - y) ** 2) / scale
        likelihood = 0.5 * len(y) * np.log(error + 1e-12)
        return float(likelihood + PRIOR_ROWS * _from_uniform(weights))

    return _softmax(minimize(objective, np.zeros(len(out_of_fold)), method="L-BFGS-B").x)


def _scores_of_classes(
    predicted: np.ndarray, losses: np.ndarray, codes: np.ndarray
) -> dict[str, list[float]]:
    truth = np.eye(predicted.shape[2])[codes]
    return {
        "log_loss": losses.mean(axis=1).tolist(),
        "brier_score": ((predicted - truth) ** 2).sum(axis=2).mean(axis=1).tolist(),
        "roc_auc": [_area(each, truth) for each in predicted],
    }


def _area(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean area under the ROC curve of one class against the rest."""
    both = (truth.sum(axis=0) > 0) & (truth.sum(axis=0) < len(truth))
    if not both.any():
        return float("nan")
    return float(
        np.mean([roc_auc_score(truth[:, k], probabilities[:, k]) for k in np.flatnonzero(both)])
    )


def _scores_of_numbers(losses: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    errors = losses.mean(axis=1)
    variance = float(np.var(y))
    r2 = 1 - errors / variance if variance > 0 else np.full(len(errors), np.nan)
    return {"mean_squared_error": errors.tolist(), "r2": r2.tolist()}


def rows_of(params: Mapping[str, Any], index: np.ndarray, n_rows: int) -> dict[str, Any]:
    """Cut the parameters that hold one value for each of `n_rows` rows to some of the rows."""
    return {
        name: _safe_indexing(value, index) if has_value_per_row(value, n_rows) else value
        for name, value in params.items()
    }


def has_value_per_row(value: Any, n_rows: int) -> bool:
    """Say whether a parameter holds a sequence of one value for each of `n_rows` rows."""
    is_sequence = hasattr(value, "__len__") and not isinstance(value, (str, bytes, dict))
    return is_sequence and len(value) == n_rows
