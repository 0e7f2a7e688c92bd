"""Meta-estimators that add synthetic rows to the training rows, and only to those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from tabgan.pipeline.metaestimator import Augmented, estimator_has


class AugmentedClassifier(Augmented, ClassifierMixin, BaseEstimator):
    """A classifier fitted on real rows and synthetic ones, as many as inner validation bears out.

    ``fit`` learns the joint table of features and target, appends generated rows and fits a clone
    of the estimator. Nothing is added anywhere else, so that cross-validating, searching or
    scoring this object never lets synthetic rows, or rows they were learnt from, into a test.

    With ``ratio="auto"`` several amounts are tried on inner folds, none among them: the synthesizer
    is fitted once per fold on its training rows, the estimator once per amount, and scores are
    taken on real validation rows. The smallest amount within one standard error of the best is
    used (of two equally small ones the better), so that rows are added where they help by more
    than the noise of the trial.

    Parameters
    ----------
    estimator : classifier
        Cloned, then fitted on the longer table.
    synthesizer : synthesizer, default=None
        Cloned, then fitted on the features and, last, the target: a categorical column with the
        name of `y` if that is a Series with a name of its own, else "target". Columns without
        string names are called "x0", "x1" and so on. None stands for `default_synthesizer`.
    ratio : float >= 0, "level" or "auto", default="auto"
        Synthetic rows per real row. "level" adds what brings every class up to the largest.
        "auto" chooses among `ratios`; it fits the synthesizer `cv` times, and once more if rows
        are to be added.
    ratios : sequence of float >= 0, default=(0, 0.5, 1, 2)
        What "auto" tries. Zero is always tried, and, where balancing is, what levels the classes.
    strategy : {"auto", "all", "balance"}, default="auto"
        Which rows to add. "all": as they come, classes at their learnt rates. "balance": drawn
        given the class, smallest class first, until all are level and then evenly. "auto": both
        are tried where ``ratio="auto"`` and adding what levels the classes is worth the name (at
        least a tenth of the real rows); a given ratio is drawn as they come, "level" balanced.
    cv : int, splitter or iterable of (train, validation) indices, default=5
        Inner folds. An integer stands for that many shuffled stratified folds, fewer if a class
        has fewer rows.
    scoring : str, callable or None, default=None
        What is validated, greater being better; None stands for the estimator's ``score``. Name
        one that minds the small classes, such as "balanced_accuracy", if you do.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds, the synthesizer (over its own ``random_state``) and the sampling. The
        estimator keeps its own.
    n_jobs : int or None, default=None
        Inner folds run at a time, as in joblib. The result does not depend on it.

    Attributes
    ----------
    ratio_ : float
        The ratio used.
    strategy_ : {"all", "balance"}
        The strategy used.
    n_synthetic_ : int
        Rows added.
    reason_ : str
        Why this amount: given, chosen, or none because inner validation was not possible (which
        is a warning too).
    cv_results_ : DataFrame or None
        One row per amount tried: `ratio`, `strategy`, a score per fold, their mean and standard
        deviation, the mean shortfall against the best, its standard error, and `chosen`.
    synthesizer_ : synthesizer or None
        Fitted on all training rows; None if no rows were added.
    estimator_ : classifier
        The fitted clone.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all are strings.

    See Also
    --------
    AugmentedRegressor : The same for a number.
    augment : The longer table itself.
    GANSampler : A resampling step for imbalanced-learn pipelines.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from tabgan import AugmentedClassifier
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = AugmentedClassifier(LogisticRegression(), scoring="balanced_accuracy")
    >>> cross_val_score(model, X, y).mean()  # doctest: +SKIP
    """

    classes_: np.ndarray
    _ratio_words = ("auto", "level")

    def __init__(
        self,
        estimator: Any,
        synthesizer: Any | None = None,
        *,
        ratio: float | str = "auto",
        ratios: Sequence[float] = (0, 0.5, 1, 2),
        strategy: str = "auto",
        cv: Any = 5,
        scoring: Any | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.synthesizer = synthesizer
        self.ratio = ratio
        self.ratios = ratios
        self.strategy = strategy
        self.cv = cv
        self.scoring = scoring
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.strategy not in ("auto", "all", "balance"):
            raise ValueError(f"strategy must be 'auto', 'all' or 'balance', got {self.strategy!r}.")
        if self.ratio == "level" and self.strategy == "all":
            raise ValueError(
                "ratio='level' adds rows class by class; set strategy to 'auto' or 'balance', "
                "got 'all'."
            )

    def _classes_of(self, y: np.ndarray) -> np.ndarray:
        check_classification_targets(y)
        return np.unique(y)

    def _most_folds(self, y: np.ndarray) -> tuple[int, str]:
        classes, counts = np.unique(y, return_counts=True)
        rarest = counts.argmin()
        obstacle = (
            "inner validation needs two rows of every class at least, and class "
            f"{classes[rarest]!r} has 1."
        )
        return int(counts[rarest]), obstacle

    @available_if(estimator_has("predict_proba"))
    def predict_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Predict class probabilities with the fitted estimator.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features.
        **params : dict
            Passed on.

        Returns
        -------
        probabilities : ndarray of shape (n_rows, n_classes)
            In the order of `classes_`.
        """
        return self._delegate("predict_proba", X, **params)

    @available_if(estimator_has("predict_log_proba"))
    def predict_log_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Predict logarithms of class probabilities with the fitted estimator.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features.
        **params : dict
            Passed on.

        Returns
        -------
        log_probabilities : ndarray of shape (n_rows, n_classes)
            In the order of `classes_`.
        """
        return self._delegate("predict_log_proba", X, **params)

    @available_if(estimator_has("decision_function"))
    def decision_function(self, X: Any, **params: Any) -> np.ndarray:
        """Compute the fitted estimator's decision function.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features.
        **params : dict
            Passed on.

        Returns
        -------
        decision : ndarray of shape (n_rows,) or (n_rows, n_classes)
            As the estimator has it.
        """
        return self._delegate("decision_function", X, **params)


class AugmentedRegressor(Augmented, RegressorMixin, BaseEstimator):
    """A regressor fitted on real rows and synthetic ones, as many as inner validation bears out.

    Works as `AugmentedClassifier` does, with a number for a target and so without balancing.

    Parameters
    ----------
    estimator : regressor
        Cloned, then fitted on the longer table.
    synthesizer : synthesizer, default=None
        Cloned, then fitted on the features and, last, the target: a numeric column with the name
        of `y` if that is a Series with a name of its own, else "target". Columns without string
        names are called "x0", "x1" and so on. None stands for `default_synthesizer`.
    ratio : float >= 0 or "auto", default="auto"
        Synthetic rows per real row; "auto" chooses among `ratios`.
    ratios : sequence of float >= 0, default=(0, 0.5, 1, 2)
        What "auto" tries. Zero is always tried.
    cv : int, splitter or iterable of (train, validation) indices, default=5
        Inner folds. An integer stands for that many shuffled folds of two rows at least.
    scoring : str, callable or None, default=None
        What is validated, greater being better; None stands for the estimator's ``score``.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds, the synthesizer (over its own ``random_state``) and the sampling. The
        estimator keeps its own.
    n_jobs : int or None, default=None
        Inner folds run at a time, as in joblib. The result does not depend on it.

    Attributes
    ----------
    ratio_ : float
        The ratio used.
    strategy_ : {"all"}
        Rows are added as they come.
    n_synthetic_ : int
        Rows added.
    reason_ : str
        Why this amount: given, chosen, or none because inner validation was not possible (which
        is a warning too).
    cv_results_ : DataFrame or None
        One row per amount tried: `ratio`, `strategy`, a score per fold, their mean and standard
        deviation, the mean shortfall against the best, its standard error, and `chosen`.
    synthesizer_ : synthesizer or None
        Fitted on all training rows; None if no rows were added.
    estimator_ : regressor
        The fitted clone.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all are strings.

    See Also
    --------
    AugmentedClassifier : The same for classes.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from tabgan import AugmentedRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = AugmentedRegressor(Ridge()).fit(X, y)  # doctest: +SKIP
    >>> model.ratio_, model.reason_  # doctest: +SKIP
    """

    strategy = "all"

    def __init__(
        self,
        estimator: Any,
        synthesizer: Any | None = None,
        *,
        ratio: float | str = "auto",
        ratios: Sequence[float] = (0, 0.5, 1, 2),
        cv: Any = 5,
        scoring: Any | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.synthesizer = synthesizer
        self.ratio = ratio
        self.ratios = ratios
        self.cv = cv
        self.scoring = scoring
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _classes_of(self, y: np.ndarray) -> None:
        return None

    def _most_folds(self, y: np.ndarray) -> tuple[int, str]:
        return len(y) // 2, f"inner validation needs four rows at least, got {len(y)}."
