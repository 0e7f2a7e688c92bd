"""Meta-estimators that add synthetic rows to the training rows, and only to those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from tabgan.checks import ParameterError, Rule, choice, names_unexpected
from tabgan.pipeline.metaestimator import Augmented, estimator_has
from tabgan.pipeline.synthesis import RATIO


class AugmentedClassifier(Augmented, ClassifierMixin, BaseEstimator):
    """A classifier that is fitted on real rows and as many synthetic rows as help.

    ``fit`` learns the joint table of features and target with a synthesizer, appends synthetic
    rows to the training rows, and fits a clone of the estimator on the longer table. Rows are
    added inside ``fit`` alone, so that cross-validation, a parameter search or a score of this
    object never puts a synthetic row into a test, nor lets the synthesizer see a test row.

    With ``ratio="auto"`` inner validation chooses how many rows to add. In each inner fold, the
    synthesizer is fitted on the training rows, the estimator is fitted once for each amount, and
    its scores are computed on real validation rows. The smallest amount whose mean score is within
    one standard error of the best is used, so that rows are added only where they help by more
    than the noise of the scores. No synthetic rows at all is one of the amounts.

    Parameters
    ----------
    estimator : classifier
        Cloned, then fitted on the longer table.
    synthesizer : synthesizer, default=None
        Cloned, then fitted on the joint table. The target is the last column of that table, a
        categorical column named after `y` if `y` is a Series with a name, else "target". Feature
        columns without string labels are called "x0", "x1" and so on. None stands for
        `default_synthesizer`.
    ratio : float >= 0, "level" or "auto", default="auto"
        Synthetic rows per real row. "level" adds the rows that bring every class up to the largest
        class. "auto" chooses among `ratios`; it fits the synthesizer once for each inner fold, and
        once more if rows are added.
    ratios : sequence of float >= 0, default=(0, 0.5, 1, 2)
        The ratios that "auto" tries. Zero is always tried. Where balancing is tried, the ratio that
        levels the classes is tried too.
    strategy : {"auto", "all", "balance"}, default="auto"
        Which rows to add. "all": classes come at the rates that the synthesizer learned.
        "balance": rows are drawn given their class, for the smallest class first, until all
        classes are level, and evenly from then on. "auto": with ``ratio="auto"`` both are tried,
        balancing only if levelling the classes takes at least a tenth of the real rows; a given
        ratio is drawn with "all", and "level" with "balance".
    cv : int, splitter or iterable of (train, validation) indices, default=5
        Inner folds. An integer is the number of shuffled stratified folds, or fewer if a class has
        fewer rows. None stands for 5.
    scoring : str, callable or None, default=None
        The score of inner validation; greater is better. None stands for the estimator's
        ``score``. Where small classes matter, name a score that weighs them, such as
        "balanced_accuracy".
    random_state : int, RandomState instance or None, default=None
        Seeds the folds, the synthesizer (over its own ``random_state``) and the sampling. The
        estimator keeps its own ``random_state``.
    n_jobs : int or None, default=None
        Inner folds that run at the same time, as in joblib. The result does not depend on it.

    Attributes
    ----------
    ratio_ : float
        Synthetic rows per real row that were added.
    strategy_ : {"all", "balance"}
        The strategy used.
    n_synthetic_ : int
        Number of synthetic rows added.
    reason_ : str
        Why this amount was used: it was given, inner validation chose it, or inner validation was
        not possible (in which case there was a warning too).
    cv_results_ : DataFrame or None
        One row for each amount tried: `ratio`, `strategy`, a score for each fold, their mean and
        standard deviation, the mean shortfall against the best amount, its standard error, and
        `chosen`. None if there was no inner validation.
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
    AugmentedRegressor : The same for a numeric target.
    augment : The longer table itself.
    GANSampler : A resampling step for imbalanced-learn pipelines.

    Notes
    -----
    The estimator is given the kind of table that came in: if `fit` is called with a polars
    DataFrame, so is the estimator's ``fit``, and the methods that predict pass on what they are
    given. An estimator that takes numbers alone refuses categories, whatever is around it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from tabgan import AAESynthesizer, AugmentedClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = AugmentedClassifier(
    ...     LogisticRegression(max_iter=1000), AAESynthesizer(n_steps=5), ratio=0.5, random_state=0
    ... )
    >>> model.fit(X, y).n_synthetic_
    75
    >>> model.predict(X).shape
    (150,)

    Inner validation chooses the amount, here on two folds:

    >>> model.set_params(ratio="auto", ratios=(0, 1), cv=2).fit(X, y).reason_
    'Chosen by inner validation on 2 folds.'
    >>> model.cv_results_["ratio"].tolist()
    [0.0, 1.0]
    """

    classes_: np.ndarray

    _parameter_constraints: ClassVar[Mapping[str, Rule]] = {
        **Augmented._parameter_constraints,
        "ratio": RATIO | choice("auto", "level"),
        "strategy": choice("auto", "all", "balance"),
    }

    @names_unexpected
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

    def _check_combinations(self) -> None:
        if self.ratio == "level" and self.strategy == "all":
            raise ParameterError(
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
            Features, passed on as they are.
        **params : dict
            Passed on to the estimator's own method.

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
            Features, passed on as they are.
        **params : dict
            Passed on to the estimator's own method.

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
            Features, passed on as they are.
        **params : dict
            Passed on to the estimator's own method.

        Returns
        -------
        decision : ndarray of shape (n_rows,) or (n_rows, n_classes)
            The estimator's values, of the shape that the estimator returns.
        """
        return self._delegate("decision_function", X, **params)


class AugmentedRegressor(Augmented, RegressorMixin, BaseEstimator):
    """A regressor that is fitted on real rows and as many synthetic rows as help.

    The numeric counterpart of `AugmentedClassifier`: ``fit`` learns the joint table of features
    and target with a synthesizer, appends synthetic rows to the training rows, and fits a clone of
    the estimator on the longer table. With ``ratio="auto"`` inner validation on real rows chooses
    the smallest amount whose mean score is within one standard error of the best.

    Parameters
    ----------
    estimator : regressor
        Cloned, then fitted on the longer table.
    synthesizer : synthesizer, default=None
        Cloned, then fitted on the joint table. The target is the last column of that table, a
        numeric column named after `y` if `y` is a Series with a name, else "target". Feature
        columns without string labels are called "x0", "x1" and so on. None stands for
        `default_synthesizer`.
    ratio : float >= 0 or "auto", default="auto"
        Synthetic rows per real row; "auto" chooses among `ratios`.
    ratios : sequence of float >= 0, default=(0, 0.5, 1, 2)
        The ratios that "auto" tries. Zero is always tried.
    cv : int, splitter or iterable of (train, validation) indices, default=5
        Inner folds. An integer is the number of shuffled folds, or fewer where folds would have
        fewer than two rows. None stands for 5.
    scoring : str, callable or None, default=None
        The score of inner validation; greater is better. None stands for the estimator's
        ``score``.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds, the synthesizer (over its own ``random_state``) and the sampling. The
        estimator keeps its own ``random_state``.
    n_jobs : int or None, default=None
        Inner folds that run at the same time, as in joblib. The result does not depend on it.

    Attributes
    ----------
    ratio_ : float
        Synthetic rows per real row that were added.
    strategy_ : {"all"}
        Rows are drawn from the whole joint table.
    n_synthetic_ : int
        Number of synthetic rows added.
    reason_ : str
        Why this amount was used: it was given, inner validation chose it, or inner validation was
        not possible (in which case there was a warning too).
    cv_results_ : DataFrame or None
        One row for each amount tried: `ratio`, `strategy`, a score for each fold, their mean and
        standard deviation, the mean shortfall against the best amount, its standard error, and
        `chosen`. None if there was no inner validation.
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

    Notes
    -----
    The estimator is given the kind of table that came in, as in `AugmentedClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from tabgan import AAESynthesizer, AugmentedRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = AugmentedRegressor(Ridge(), AAESynthesizer(n_steps=5), ratio=1, random_state=0)
    >>> model.fit(X[:100], y[:100]).n_synthetic_
    100
    >>> model.reason_
    'The amount was given.'
    """

    strategy = "all"

    @names_unexpected
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
