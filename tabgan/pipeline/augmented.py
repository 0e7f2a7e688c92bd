"""Meta-estimators that add synthetic rows to the training rows, and only to those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from tabgan.checks import (
    NONE,
    ParameterError,
    Rule,
    choice,
    having,
    names_unexpected,
    number,
    sequence_of,
)
from tabgan.pipeline.metaestimator import Augmented, estimator_has
from tabgan.pipeline.synthesis import RATIO


class AugmentedClassifier(Augmented, ClassifierMixin, BaseEstimator):
    """A classifier that is fitted on real rows and on synthetic rows with soft labels.

    ``fit`` learns the joint table of features and target with a synthesizer, draws synthetic rows,
    labels these rows, and fits a clone of the estimator on real and synthetic rows. Rows are added
    inside ``fit`` alone, so that cross-validation, a parameter search or a score of this object
    never puts a synthetic row into a test, nor lets a model see a test row.

    The label of a synthetic row is soft: a probability for each class. The probabilities come from
    a mixture of teachers [1]_. Teachers are the estimator itself, linear models, two kinds of
    forests and boosted trees, each fitted once per fold. The losses of rows that a teacher has not
    seen decide the weights of the mixture. So the estimator learns from many rows what all the
    teachers together know. Labels that a synthesizer draws itself help much less: the synthetic
    rows then repeat what the real rows say, with more noise.

    Soft labels raise the ranking and the calibration of most classifiers on small tables, and do
    little on tables of many thousand rows. The user guide has figures.

    Parameters
    ----------
    estimator : classifier
        Cloned, then fitted on the longer table. A classifier whose ``fit`` takes `sample_weight`
        gets each row once for each class, with the probability of the class as weight. Any other
        classifier, and one with a `class_weight`, is fitted eight times on labels that are drawn
        from the probabilities, and the mean of the eight predicts.
    synthesizer : synthesizer, default=None
        Cloned, then fitted on the joint table. The target is the last column of that table, a
        categorical column named after `y` if `y` is a Series with a name, else "target". Feature
        columns without string labels are called "x0", "x1" and so on. None stands for
        `default_synthesizer`.
    ratio : float >= 0, "level" or "auto", default="auto"
        Synthetic rows per real row. "auto" adds ten rows for each real row, but on tables of more
        than 500 rows at most 5,000 rows or one for each real row. "auto" adds no rows if, out of
        fold, the estimator alone has a lower log loss than the mixture by more than one standard
        error. "level" adds the rows that bring every class up to the largest class.
    labels : {"soft", "synthesizer"}, default="soft"
        Labels of synthetic rows. "soft": probabilities by the mixture of teachers; the label of a
        real row becomes the mean of its own label and of the mixture's prediction out of fold.
        "synthesizer": the labels that the synthesizer drew with the rows. No teacher is fitted
        then, and `ratio` must not be "auto".
    teachers : sequence of classifier or None, default=None
        Classifiers with `predict_proba`, which take the features as the estimator does. The
        estimator itself teaches too if it has `predict_proba`. None stands for the teachers above.
    features : transformer or None, default=None
        Cloned, then fitted on all features without the target. Its output stands as further columns
        beside the features, for teachers and estimator; `DenoisingFeaturizer` is made for this. The
        estimator is then given a pandas DataFrame if a polars or pyarrow table came in.
    threshold : float in (0, 1), "balanced" or None, default=None
        How `predict` decides; probabilities stay as they are. None: as the estimator does, mostly
        for the most probable class. "balanced": for the class whose probability is greatest in
        proportion to the class's rate among training rows, which raises balanced accuracy. A
        number: for the second of two classes where its probability is at least that number.
    cv : int, splitter or iterable of (train, validation) indices, default=5
        Folds of the teachers. An integer is the number of shuffled stratified folds, or fewer if a
        class has fewer rows. None stands for 5.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds, the teachers, the synthesizer and the transformer (over their own
        ``random_state``), and the sampling. The estimator keeps its own ``random_state``.
    n_jobs : int or None, default=None
        Folds that run at the same time, as in joblib. The result does not depend on it.
    verbose : int >= 0, default=0
        Above 0, `fit` shows a progress bar.

    Attributes
    ----------
    ratio_ : float
        Synthetic rows per real row that were added.
    n_synthetic_ : int
        Number of synthetic rows added.
    reason_ : str
        Why this amount was used: it was given, the losses out of fold decided, or teachers could
        not be fitted out of fold (in which case there was a warning too).
    cv_results_ : DataFrame or None
        One row for each teacher and a last row for the mixture, with the weight in the mixture and
        proper scores out of fold: `log_loss`, `brier_score` (the sum over classes) and `roc_auc`
        (the mean of each class against the rest). None if no teachers were fitted.
    synthesizer_ : synthesizer or None
        Fitted on all training rows; None if no rows were added.
    features_ : transformer or None
        The fitted transformer.
    estimator_ : classifier
        The fitted clone, or an object that averages eight fitted clones (`estimators_`).
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    class_rates_ : ndarray of shape (n_classes,)
        Share of each class among the training rows.
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

    References
    ----------
    .. [1] Bucila, Caruana and Niculescu-Mizil (2006), "Model Compression", KDD: synthetic rows
       labelled by an ensemble; Hinton, Vinyals and Dean (2015), "Distilling the Knowledge in a
       Neural Network", arXiv 1503.02531: soft labels; Wolpert (1992), "Stacked Generalization":
       teachers out of fold.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from tabgan import AAESynthesizer, AugmentedClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> X, y = X[50:], y[50:]
    >>> tree = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
    >>> model = AugmentedClassifier(tree, AAESynthesizer(n_steps=5), ratio=2, cv=2, random_state=0)
    >>> model.fit(X, y).n_synthetic_
    200
    >>> model.reason_
    'The amount was given.'
    >>> model.cv_results_["teacher"].tolist()[:2]
    ['estimator', 'linear']
    >>> model.predict_proba(X).shape
    (100, 2)
    """

    classes_: np.ndarray

    _loss_name = "log loss"

    _parameter_constraints: ClassVar[Mapping[str, Rule]] = {
        **Augmented._parameter_constraints,
        "ratio": RATIO | choice("auto", "level"),
        "teachers": NONE
        | sequence_of(
            having("fit", "predict_proba", "get_params"),
            "a sequence of classifiers with fit, predict_proba and get_params",
        ),
        "threshold": NONE | number(0, 1, "neither") | choice("balanced"),
    }

    @names_unexpected
    def __init__(
        self,
        estimator: Any,
        synthesizer: Any | None = None,
        *,
        ratio: float | str = "auto",
        labels: str = "soft",
        teachers: Sequence[Any] | None = None,
        features: Any | None = None,
        threshold: float | str | None = None,
        cv: Any = 5,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.synthesizer = synthesizer
        self.ratio = ratio
        self.labels = labels
        self.teachers = teachers
        self.features = features
        self.threshold = threshold
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_combinations(self) -> None:
        super()._check_combinations()
        if self.threshold is not None and not hasattr(self.estimator, "predict_proba"):
            raise ParameterError(
                "threshold must be None for an estimator without predict_proba, got "
                f"{self.threshold!r}; wrap the estimator with CalibratedClassifierCV."
            )

    def _classes_of(self, y: np.ndarray) -> np.ndarray:
        check_classification_targets(y)
        classes, counts = np.unique(y, return_counts=True)
        if isinstance(self.threshold, float) and len(classes) > 2:
            raise ParameterError(
                f"threshold must be None or 'balanced' for {len(classes)} classes, got "
                f"{self.threshold!r}."
            )
        self.class_rates_ = counts / len(y)
        return classes

    @available_if(estimator_has("predict"))
    def predict(self, X: Any, **params: Any) -> np.ndarray:
        """Predict classes with the fitted estimator, or by `threshold`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features, passed on as they are.
        **params : dict
            Passed on to the estimator's own method.

        Returns
        -------
        y : ndarray of shape (n_rows,)
            Predicted classes.
        """
        if self.threshold is None:
            return self._delegate("predict", X, **params)
        probabilities = self._delegate("predict_proba", X, **params)
        if self.threshold == "balanced":
            return self.classes_[(probabilities / self.class_rates_).argmax(axis=1)]
        return self.classes_[(probabilities[:, -1] >= self.threshold).astype(int)]

    @available_if(estimator_has("score"))
    def score(self, X: Any, y: Any, **params: Any) -> float:
        """Score with the fitted estimator's own ``score``; with a `threshold`, by accuracy.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features.
        y : array-like of shape (n_rows,)
            True target.
        **params : dict
            Passed on to the estimator's own method; with a `threshold`, to `accuracy_score`.

        Returns
        -------
        score : float
            Accuracy, unless the estimator defines another score.
        """
        if self.threshold is None:
            return super().score(X, y, **params)
        check_is_fitted(self)
        return float(accuracy_score(y, self.predict(X), **params))

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
    """A regressor that is fitted on real rows and on synthetic rows that teachers label.

    The numeric counterpart of `AugmentedClassifier`: ``fit`` learns the joint table of features
    and target with a synthesizer and draws synthetic rows. The label of a synthetic row is the
    mean prediction of a mixture of teachers: the estimator itself, a ridge regression, two kinds of
    forests and boosted trees, each fitted once per fold and weighted by the errors out of fold.

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
        Synthetic rows per real row. "auto" adds ten rows for each real row, but on tables of more
        than 500 rows at most 5,000 rows or one for each real row. "auto" adds no rows if, out of
        fold, the estimator alone has a lower squared error than the mixture by more than one
        standard error.
    labels : {"soft", "synthesizer"}, default="soft"
        Labels of synthetic rows. "soft": predictions of the mixture of teachers; the label of a
        real row becomes the mean of its own value and of the mixture's prediction out of fold.
        "synthesizer": the values that the synthesizer drew with the rows; take this for an
        estimator of quantiles, because predictions of means have no spread. No teacher is fitted
        then, and `ratio` must be a number.
    teachers : sequence of regressor or None, default=None
        Regressors, which take the features as the estimator does. The estimator itself teaches too.
        None stands for the teachers above.
    features : transformer or None, default=None
        Cloned, then fitted on all features without the target. Its output stands as further columns
        beside the features, for teachers and estimator; `DenoisingFeaturizer` is made for this. The
        estimator is then given a pandas DataFrame if a polars or pyarrow table came in.
    cv : int, splitter or iterable of (train, validation) indices, default=5
        Folds of the teachers. An integer is the number of shuffled folds, or fewer where folds
        would have fewer than two rows. None stands for 5.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds, the teachers, the synthesizer and the transformer (over their own
        ``random_state``), and the sampling. The estimator keeps its own ``random_state``.
    n_jobs : int or None, default=None
        Folds that run at the same time, as in joblib. The result does not depend on it.
    verbose : int >= 0, default=0
        Above 0, `fit` shows a progress bar.

    Attributes
    ----------
    ratio_ : float
        Synthetic rows per real row that were added.
    n_synthetic_ : int
        Number of synthetic rows added.
    reason_ : str
        Why this amount was used: it was given, the losses out of fold decided, or teachers could
        not be fitted out of fold (in which case there was a warning too).
    cv_results_ : DataFrame or None
        One row for each teacher and a last row for the mixture, with the weight in the mixture and
        scores out of fold: `mean_squared_error` and `r2`. None if no teachers were fitted.
    synthesizer_ : synthesizer or None
        Fitted on all training rows; None if no rows were added.
    features_ : transformer or None
        The fitted transformer.
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
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from tabgan import AAESynthesizer, AugmentedRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> neighbours = KNeighborsRegressor()
    >>> model = AugmentedRegressor(neighbours, AAESynthesizer(n_steps=5), cv=2, random_state=0)
    >>> model.fit(X[:100], y[:100]).n_synthetic_
    1000
    >>> print(model.cv_results_["teacher"].tolist())
    ['estimator', 'linear', 'random forest', 'extra trees', 'boosting', 'mixture']
    """

    _loss_name = "squared error"

    _parameter_constraints: ClassVar[Mapping[str, Rule]] = {
        **Augmented._parameter_constraints,
        "teachers": NONE
        | sequence_of(
            having("fit", "predict", "get_params"),
            "a sequence of regressors with fit, predict and get_params",
        ),
    }

    @names_unexpected
    def __init__(
        self,
        estimator: Any,
        synthesizer: Any | None = None,
        *,
        ratio: float | str = "auto",
        labels: str = "soft",
        teachers: Sequence[Any] | None = None,
        features: Any | None = None,
        cv: Any = 5,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.synthesizer = synthesizer
        self.ratio = ratio
        self.labels = labels
        self.teachers = teachers
        self.features = features
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _classes_of(self, y: np.ndarray) -> None:
        return None
