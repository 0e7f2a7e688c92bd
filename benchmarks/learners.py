"""Learners as a user would write them, and how good their predictions are.

Every learner takes a DataFrame with numbers, categories and missing values. Settings are the
defaults of the library that a learner comes from, with two exceptions: logistic regression may take
the steps that it needs to converge, and XGBoost stops early.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    log_loss,
    mean_pinball_loss,
    r2_score,
    roc_auc_score,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import has_fit_parameter

N_BINS = 15

LARGER_IS_BETTER = {
    "auc": True,
    "average_precision": True,
    "balanced_accuracy": True,
    "log_loss": False,
    "brier": False,
    "calibration_error": False,
    "r2": True,
    "pinball": False,
}
"""The figures of `class_scores` and `number_scores`, and whether larger ones are better."""


class DoesNotApply(ValueError):
    """What a method is does not fit a learner or a table, so that there is nothing to measure."""


# ------------------------------------------------------------------ learners


class _EarlyStopping(BaseEstimator):
    """Boosted trees of XGBoost that stop when a validation part of the training rows says so.

    A fifth of the rows is the validation part: the rows are sorted by the target, in random order
    among equals, and every fifth is taken. One row of every class is never taken, so that the trees
    see all classes. Where rows are repeated, as random oversampling does, copies of one row come to
    lie in both parts; a user who resamples first and then fits XGBoost has this fault too.

    Parameters
    ----------
    n_estimators : int, default=500
        Most rounds.
    patience : int, default=20
        Rounds without a better loss on the validation part after which training stops.
    random_state : int, default=0
        Chooses the validation part.
    """

    def __init__(self, n_estimators: int = 500, patience: int = 20, random_state: int = 0) -> None:
        self.n_estimators = n_estimators
        self.patience = patience
        self.random_state = random_state

    def _fit(
        self,
        make: Callable[..., Any],
        X: Any,
        y: np.ndarray,
        sample_weight: Any,
        has_classes: bool,
    ) -> Any:
        order = np.random.RandomState(self.random_state).permutation(len(y))
        order = order[np.argsort(y[order], kind="stable")]
        held = order[2::5]
        if has_classes:
            held = np.setdiff1d(held, order[np.unique(y[order], return_index=True)[1]])
        rest = np.setdiff1d(order, held)
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        X = _with_named_categories(X)
        model = make(
            n_estimators=self.n_estimators,
            early_stopping_rounds=self.patience,
            enable_categorical=True,
            random_state=self.random_state,
        )
        return model.fit(
            X.iloc[rest],
            y[rest],
            sample_weight=weights[rest],
            eval_set=[(X.iloc[held], y[held])],
            sample_weight_eval_set=[weights[held]],
            verbose=False,
        )


class EarlyStoppingClassifier(ClassifierMixin, _EarlyStopping):
    """Trees for classes."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> EarlyStoppingClassifier:
        """Fit trees; `sample_weight` has one value per row, of the validation part too."""
        from xgboost import XGBClassifier

        self.classes_, codes = np.unique(y, return_inverse=True)
        self.model_ = self._fit(XGBClassifier, X, codes, sample_weight, True)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities of shape (n_rows, n_classes)."""
        return self.model_.predict_proba(_with_named_categories(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class EarlyStoppingRegressor(RegressorMixin, _EarlyStopping):
    """Trees for numbers."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> EarlyStoppingRegressor:
        """Fit trees; `sample_weight` has one value per row, of the validation part too."""
        from xgboost import XGBRegressor

        self.model_ = self._fit(XGBRegressor, X, np.asarray(y), sample_weight, False)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict one number per row."""
        return self.model_.predict(_with_named_categories(X))


def _with_named_categories(X: pd.DataFrame) -> pd.DataFrame:
    """Name categories by strings, since XGBoost refuses booleans."""
    columns = {
        name: column.cat.rename_categories(str)
        if isinstance(column.dtype, pd.CategoricalDtype)
        else column
        for name, column in X.items()
    }
    return pd.DataFrame(columns)


def _one_hot() -> Any:
    """Impute and scale numbers; one column for each category."""
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), _numbers()),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), _categories()),
    )


def _ordinal() -> Any:
    """Impute numbers; one number for each category, -1 for missing and unknown ones."""
    numbered = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1
    )
    return make_column_transformer((SimpleImputer(), _numbers()), (numbered, _categories()))


def _numbers() -> Any:
    return make_column_selector(dtype_exclude="category")


def _categories() -> Any:
    return make_column_selector(dtype_include="category")


LEARNERS = ("linear", "neighbours", "forest", "hist boosting", "XGBoost", "MLP")


def make_learner(name: str, is_numeric: bool, seed: int) -> Any:
    """Make an unfitted learner.

    Parameters
    ----------
    name : str
        One of `LEARNERS`. "linear" is logistic regression for classes and ridge regression for
        numbers.
    is_numeric : bool
        Whether the target is a number.
    seed : int
        The learner's `random_state`.
    """
    seeded = {"random_state": seed}
    if is_numeric:
        makers: dict[str, Callable[[], Any]] = {
            "linear": lambda: make_pipeline(_one_hot(), Ridge()),
            "neighbours": lambda: make_pipeline(_one_hot(), KNeighborsRegressor()),
            "forest": lambda: make_pipeline(_ordinal(), RandomForestRegressor(**seeded)),
            "hist boosting": lambda: HistGradientBoostingRegressor(
                categorical_features="from_dtype", **seeded
            ),
            "XGBoost": lambda: EarlyStoppingRegressor(**seeded),
            "MLP": lambda: TransformedTargetRegressor(
                make_pipeline(_one_hot(), MLPRegressor(**seeded)), transformer=StandardScaler()
            ),
        }
    else:
        makers = {
            "linear": lambda: make_pipeline(_one_hot(), LogisticRegression(max_iter=1000)),
            "neighbours": lambda: make_pipeline(_one_hot(), KNeighborsClassifier()),
            "forest": lambda: make_pipeline(_ordinal(), RandomForestClassifier(**seeded)),
            "hist boosting": lambda: HistGradientBoostingClassifier(
                categorical_features="from_dtype", **seeded
            ),
            "XGBoost": lambda: EarlyStoppingClassifier(**seeded),
            "MLP": lambda: make_pipeline(_one_hot(), MLPClassifier(**seeded)),
        }
    return makers[name]()


def fit_with_class_weights(learner: Any, X: pd.DataFrame, y: np.ndarray) -> Any:
    """Fit a clone of a learner in which every class weighs the same.

    ``class_weight="balanced"`` is set where the learner has it; elsewhere the same weights go to
    ``fit``, one for each row.

    Raises
    ------
    DoesNotApply
        If the learner takes no weights.
    """
    learner = clone(learner)
    last = learner[-1] if isinstance(learner, Pipeline) else learner
    if "class_weight" in last.get_params():
        last.set_params(class_weight="balanced")
        return learner.fit(X, y)
    if not has_fit_parameter(last, "sample_weight"):
        raise DoesNotApply(f"{type(last).__name__} takes no weights.")
    step = f"{learner.steps[-1][0]}__" if isinstance(learner, Pipeline) else ""
    return learner.fit(X, y, **{f"{step}sample_weight": compute_sample_weight("balanced", y)})


# ------------------------------------------------------------------ figures


def aligned_probabilities(model: Any, X: pd.DataFrame, n_classes: int) -> np.ndarray:
    """Predict probabilities of shape (n_rows, n_classes); 0 for classes that a model lacks.

    Classes are the integers from 0 on.
    """
    p = np.zeros((len(X), n_classes))
    p[:, np.asarray(model.classes_, dtype=int)] = model.predict_proba(X)
    return p


def class_scores(y: np.ndarray, p: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Score predicted classes and probabilities.

    - AUC: of the two classes, or the mean over classes, each against the rest.
    - Average precision: of the rarer class of two, or the mean over classes, each against the rest.
    - Log loss: in nats; scikit-learn clips probabilities at the smallest step of a float, so that
      a learner that says 0 or 1 pays up to 36 nats for an error.
    - Brier score: half the squared distance of probabilities to the one-hot class (Brier, 1950);
      for two classes the mean squared error of a probability.
    - Calibration error: see `calibration_error`.
    - Balanced accuracy: the mean over classes of the share of rows predicted right.

    Classes of which there are no test rows are left out of means over classes.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        True classes, integers from 0 on.
    p : ndarray of shape (n_rows, n_classes)
    predicted : ndarray of shape (n_rows,)
    """
    n_classes = p.shape[1]
    is_class = y[:, None] == np.arange(n_classes)
    present = np.flatnonzero(is_class.any(axis=0))
    if n_classes == 2:
        present = present[[is_class[:, present].mean(axis=0).argmin()]]
    return {
        "auc": float(np.mean([roc_auc_score(is_class[:, k], p[:, k]) for k in present])),
        "average_precision": float(
            np.mean([average_precision_score(is_class[:, k], p[:, k]) for k in present])
        ),
        "log_loss": float(log_loss(y, p, labels=np.arange(n_classes))),
        "brier": float(((p - is_class) ** 2).sum(axis=1).mean() / 2),
        "calibration_error": calibration_error(y, p),
        "balanced_accuracy": float(balanced_accuracy_score(y, predicted)),
    }


def calibration_error(y: np.ndarray, p: np.ndarray, n_bins: int = N_BINS) -> float:
    """Compute the expected calibration error of the predicted class.

    The error is the mean over rows of the distance, in a row's bin, between the mean confidence
    and the share of rows predicted right (Guo et al., 2017, "On calibration of modern neural
    networks", equation 5). The confidence is the largest probability of a row. Bins hold equally
    many rows (Nguyen and O'Connor, 2015, "Posterior calibration and exploratory analysis for
    natural language processing models"), but rows of equal confidence share a bin, so that the
    order of the rows does not count.
    """
    confidence, is_right = p.max(axis=1), p.argmax(axis=1) == y
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, n_bins + 1)[1:-1]))
    bins = np.searchsorted(edges, confidence)
    distances = np.bincount(bins, weights=confidence - is_right)
    return float(np.abs(distances).sum() / len(y))


def number_scores(y: np.ndarray, predicted: np.ndarray, typical: float) -> dict[str, float]:
    """Score predicted numbers.

    - R squared.
    - Pinball loss at .5, which is half the mean absolute error, as a share of the loss of
      predicting `typical`, the median of the training rows, for every row. Learners that predict
      means are scored at no other level.
    """
    constant = np.full(len(y), typical)
    return {
        "r2": float(r2_score(y, predicted)),
        "pinball": float(mean_pinball_loss(y, predicted) / mean_pinball_loss(y, constant)),
    }
