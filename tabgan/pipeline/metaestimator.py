"""The mixin of the two meta-estimators that add synthetic rows to their training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.base import MetaEstimatorMixin, clone, is_regressor
from sklearn.model_selection import check_cv
from sklearn.utils import (
    Bunch,
    assert_all_finite,
    check_random_state,
    column_or_1d,
    get_tags,
)
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from tabgan.checks import (
    NONE,
    SEED,
    ParameterError,
    Rule,
    check_parameters,
    choice,
    having,
    integer,
)
from tabgan.notices import Progress, warn
from tabgan.pipeline.amounts import asked_for, draw_rows, enough
from tabgan.pipeline.fitting import check_fit_params, fit_softly, lengthened
from tabgan.pipeline.folds import FOLDS, split_into_folds
from tabgan.pipeline.joint import Features, Target, as_given, check_same_length
from tabgan.pipeline.latent_columns import LatentColumns, read_unlabelled
from tabgan.pipeline.mixture import Mixture, fit_mixture
from tabgan.pipeline.synthesis import RATIO, SYNTHESIZER, seeded_clone
from tabgan.pipeline.teachers import collect_teachers
from tabgan.randomness import draw_seed
from tabgan.table.format import TableFormat, read_table

_DELEGATED = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score")


def estimator_has(method: str) -> Callable[[Any], bool]:
    """Make the check for `available_if` that the wrapped estimator has a method.

    The fitted estimator is asked where there is one, the parameter `estimator` otherwise.
    """

    def check(self: Any) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class Seeds(NamedTuple):
    """Seeds of the random parts of one fit."""

    folds: int
    features: int
    teachers: int
    synthesizer: int
    rows: int
    labels: int


class Augmented(MetaEstimatorMixin):
    """Mixin for a meta-estimator that adds synthetic rows to the training rows of an estimator.

    The mixin fits the teachers, the synthesizer and the estimator, and passes predictions on. A
    subclass holds the parameters, and says whether the target has classes (`_classes_of`).
    """

    estimator: Any
    synthesizer: Any
    ratio: float | str
    labels: str
    teachers: Sequence[Any] | None
    features: Any
    cv: Any
    n_jobs: int | None
    verbose: int
    random_state: int | np.random.RandomState | None

    synthesizer_: Any
    reason_: str = ""
    _loss_name: str

    _parameter_constraints: ClassVar[Mapping[str, Rule]] = {
        "estimator": replace(
            having("fit", "predict", "get_params"),
            description="a scikit-learn estimator, an object (not a class) with fit, predict and "
            "get_params",
        ),
        "synthesizer": SYNTHESIZER,
        "ratio": RATIO | choice("auto"),
        "labels": choice("soft", "synthesizer"),
        "features": replace(
            NONE | having("fit", "transform", "get_params"),
            description="None or a transformer, an object with fit, transform and get_params",
        ),
        "cv": FOLDS,
        "random_state": SEED,
        "n_jobs": replace(
            NONE | Rule("", lambda value: integer(-(2**31)).accepts(value) and value != 0),
            description="None or an integer other than 0",
        ),
        "verbose": integer(0),
    }

    def fit(self, X: Any, y: Any, *, X_unlabelled: Any = None, **fit_params: Any) -> Any:
        """Fit teachers and synthesizer, and then the estimator on real and synthetic rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features. A pandas or polars DataFrame or a pyarrow Table may hold columns of any kinds
            that the estimator takes, and the estimator is given the kind of table that came in.
            Anything else must be an array of numbers.
        y : array-like of shape (n_rows,)
            Target.
        X_unlabelled : table like `X`, of shape (n_more, n_features), default=None
            More rows, of which the target is not known. The transformer given as `features` learns
            from these rows too. Refused without `features`.
        **fit_params : dict
            Passed to the estimator's ``fit``. Of a ``sample_weight`` the real rows keep their
            values and the synthetic rows get the mean; the synthesizer takes no weights.
            ``groups`` goes to the splitter given as `cv`.

        Returns
        -------
        self : object
            The fitted meta-estimator.

        Raises
        ------
        ValueError, TypeError
            A parameter of the meta-estimator, `X`, `y` or a weight is not what it must be; or a fit
            parameter other than ``sample_weight`` and ``groups`` has one value per row.
        """
        check_parameters(self)
        self._check_combinations()
        routed = self._route_fit(fit_params)
        names_target = y
        X, y, form = self._check_table(X, y)
        name = type(self).__name__
        unlabelled = read_unlabelled(X_unlabelled, X, self.features is not None, name)
        check_fit_params(routed.estimator.fit, len(y))
        rng = check_random_state(self.random_state)
        seeds = Seeds(*(draw_seed(rng) for _ in Seeds._fields))

        target = Target.beside(X, names_target, self._classes_of(y))
        extra = asked_for(self.ratio, target, y)
        self.cv_results_ = self.features_ = self.synthesizer_ = None
        with Progress(name if self.verbose else None, 100, "%") as bar:
            columns = LatentColumns(None)
            if self.features is not None:
                columns = LatentColumns.learn(self.features, X, unlabelled, seeds.features)
                self.features_, form = columns.transformer, None
            mixture = None
            if self.labels == "soft" and (extra is None or extra.sum() > 0):
                mixture = self._teach(columns.beside(X), y, target, seeds, routed, form, bar)
            if extra is None:
                extra, self.reason_ = enough(mixture, len(y), self._loss_name, self.reason_)
            elif mixture is not None or self.labels == "synthesizer" or extra.sum() == 0:
                self.reason_ = "The amount was given."
            bar.reach(50)
            X_all, y_all = X, y
            if extra.sum() > 0:
                self.synthesizer_ = seeded_clone(self.synthesizer, seeds.synthesizer)
                self.synthesizer_.fit(target.join(X, y))
                rows = draw_rows(self.synthesizer_, target, extra, seeds.rows)
                X_all, y_all = target.append(X, y, rows)
            bar.reach(80)
            fit_params = lengthened(routed.estimator.fit, len(y_all) - len(y))
            wide = columns.beside(X_all)
            if mixture is None or extra.sum() == 0:
                self.estimator_ = clone(self.estimator).fit(
                    as_given(wide, form), y_all, **fit_params
                )
            else:
                labels = mixture.label(wide, y)
                self.estimator_ = fit_softly(
                    self.estimator, wide, labels, target.classes, fit_params, seeds.labels, form
                )
            bar.reach(100)
        self.n_synthetic_ = int(extra.sum())
        self.ratio_ = self.n_synthetic_ / len(y)
        if target.classes is not None:
            self.classes_ = target.classes
        return self

    def _teach(
        self,
        X: Features,
        y: np.ndarray,
        target: Target,
        seeds: Seeds,
        routed: Bunch,
        form: TableFormat | None,
        bar: Progress,
    ) -> Mixture | None:
        """Fit the mixture of teachers, or say in `reason_` and in a warning why there is none."""
        folds, obstacle = split_into_folds(
            self.cv, X, y, target.classes, seeds.folds, routed.splitter.split
        )
        if obstacle:
            self.reason_ = (
                f"ratio='auto' added no rows (ratio_=0): {obstacle}"
                if self.ratio == "auto"
                else f"synthetic rows keep the labels that the synthesizer drew: {obstacle}"
            )
            warn(self.reason_)
            return None
        teachers = collect_teachers(
            self.estimator,
            self.teachers,
            len(y),
            target.classes is not None,
            seeds.teachers,
            routed.estimator.fit,
            form,
        )
        # More workers than folds would idle.
        n_jobs = None if self.n_jobs is None else min(self.n_jobs, len(folds))
        mixture = fit_mixture(
            teachers,
            X,
            y,
            target.classes,
            folds,
            n_jobs,
            lambda done: bar.reach(50 * done // len(folds)),
        )
        self.cv_results_ = mixture.results
        return mixture

    def _check_combinations(self) -> None:
        """Refuse parameters that are right one by one, but not together."""
        if self.ratio == "auto" and self.labels == "synthesizer":
            raise ParameterError(
                "ratio='auto' chooses an amount for soft labels alone; give a number of synthetic "
                "rows per real row, or set labels to 'soft'."
            )

    def _check_table(self, X: Any, y: Any) -> tuple[Features, np.ndarray, TableFormat | None]:
        """Read features and target, and record the features' names and number.

        Returns
        -------
        X : DataFrame or ndarray of shape (n_rows, n_features)
            A DataFrame's values are left to the estimator to check.
        y : ndarray of shape (n_rows,)
        form : TableFormat or None
            The kind of table to turn features back into; None for pandas and for arrays.
        """
        check_same_length(X, y)
        frame, form = read_table(X, "X", type(self).__name__)
        if form.kind == "array":
            X, y = validate_data(self, X, y, ensure_all_finite=False, y_numeric=is_regressor(self))
        else:
            X = X if form.kind == "pandas" else frame
            validate_data(self, X, y, skip_check_array=True)
            y = column_or_1d(y, warn=True)
        if is_regressor(self) and y.dtype.kind not in "iuf":
            y = y.astype(np.float64)
        assert_all_finite(y, input_name="y")
        return X, y, None if form.kind in ("array", "pandas") else form

    def _route_fit(self, fit_params: dict[str, Any]) -> Bunch:
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **fit_params)
        fit_params = dict(fit_params)
        groups = fit_params.pop("groups", None)
        return Bunch(
            estimator=Bunch(fit=fit_params),
            splitter=Bunch(split={} if groups is None else {"groups": groups}),
        )

    def _delegate(self, method: str, *args: Any, **params: Any) -> Any:
        check_is_fitted(self)
        X, *rest = args
        args = (self._seen(X), *rest)
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, method, **params).estimator[method]
        return getattr(self.estimator_, method)(*args, **params)

    def _seen(self, X: Any) -> Any:
        """Turn features into those that the estimator takes, latent features beside the others."""
        if self.features_ is None:
            return X
        frame, form = read_table(X, "X", type(self).__name__)
        table = frame
        if form.kind == "array":
            table = validate_data(self, X, reset=False, ensure_all_finite=False)
        return LatentColumns(self.features_).beside(table)

    @available_if(estimator_has("predict"))
    def predict(self, X: Any, **params: Any) -> np.ndarray:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features, passed on as they are.
        **params : dict
            Passed on to the estimator's own method.

        Returns
        -------
        y : ndarray of shape (n_rows,)
            Predicted target.
        """
        return self._delegate("predict", X, **params)

    @available_if(estimator_has("score"))
    def score(self, X: Any, y: Any, **params: Any) -> float:
        """Score with the fitted estimator's own ``score``.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features.
        y : array-like of shape (n_rows,)
            True target.
        **params : dict
            Passed on to the estimator's own method.

        Returns
        -------
        score : float
            Accuracy of a classifier, R squared of a regressor, unless the estimator defines another
            score.
        """
        return self._delegate("score", X, y, **params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Say which metadata go to the estimator, the splitter and the scorer.

        Returns
        -------
        routing : MetadataRouter
            The routing, as scikit-learn's guide to metadata routing describes it.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        for method in _DELEGATED:
            mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)
        # Integers and iterables of folds take no metadata; an iterator must not be used up here.
        splitter = check_cv(self.cv if hasattr(self.cv, "split") else None)
        return router.add(
            splitter=splitter,
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.input_tags.positive_only = inner.input_tags.positive_only
        tags.target_tags.positive_only = inner.target_tags.positive_only
        tags.non_deterministic = inner.non_deterministic
        if tags.classifier_tags is not None and inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
            tags.classifier_tags.poor_score = inner.classifier_tags.poor_score
        if tags.regressor_tags is not None and inner.regressor_tags is not None:
            tags.regressor_tags.poor_score = inner.regressor_tags.poor_score
        return tags

    def _classes_of(self, y: np.ndarray) -> np.ndarray | None:
        """Return the sorted classes of the target, or None for a numeric target."""
        raise NotImplementedError
