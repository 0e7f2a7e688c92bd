"""What estimators that add synthetic rows to their training rows have in common."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import MetaEstimatorMixin, clone, is_classifier, is_regressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils import (
    Bunch,
    assert_all_finite,
    check_consistent_length,
    check_random_state,
    column_or_1d,
    get_tags,
)
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from tabgan.pipeline.augmentation import is_ratio
from tabgan.pipeline.joint import Features, Target
from tabgan.pipeline.selection import (
    Amount,
    Fold,
    InnerValidation,
    candidate_amounts,
    draw_rows,
    fit_on_rows,
    has_value_per_row,
)
from tabgan.pipeline.synthesis import draw_seed, seeded_clone

_DELEGATED = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score")


def estimator_has(method: str) -> Callable[[Any], bool]:
    """Check for `available_if` that the wrapped estimator, fitted or not, has a method."""

    def check(self: Any) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class Augmented(MetaEstimatorMixin):
    """All of a meta-estimator but the kind of target, which the two that inherit it know."""

    estimator: Any
    synthesizer: Any
    ratio: float | str
    ratios: Sequence[float]
    strategy: str
    cv: Any
    scoring: Any
    n_jobs: int | None
    random_state: int | np.random.RandomState | None
    _ratio_words: tuple[str, ...] = ("auto",)

    def fit(self, X: Any, y: Any, **fit_params: Any) -> Any:
        """Choose an amount, fit the synthesizer, and fit the estimator on the longer table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features. A DataFrame may hold whatever the estimator takes, and is handed to it as it
            is; anything else must be numeric.
        y : array-like of shape (n_rows,)
            Target.
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
        ValueError
            If a parameter of the meta-estimator is out of range, or a fit parameter other than
            ``sample_weight`` and ``groups`` has one value per row.
        """
        self._check_parameters()
        routed = self._route_fit(fit_params)
        names_target = y
        X, y = self._check_table(X, y)
        self._check_per_row(routed.estimator.fit, len(y))
        rng = check_random_state(self.random_state)
        fold_seed, inner_seed, model_seed, sample_seed = (draw_seed(rng) for _ in range(4))

        classes = self._classes_of(y)
        target = Target.beside(X, names_target, classes)
        counts = None if classes is None else target.counts(y)
        amounts = candidate_amounts(self.ratio, self.ratios, self.strategy, counts)
        self.cv_results_ = None
        if self.ratio != "auto":
            amount, self.reason_ = amounts[0], "The amount was given."
        elif len(amounts) == 1:
            amount, self.reason_ = amounts[0], "There was one amount to choose from."
        else:
            folds, obstacle = self._folds(X, y, fold_seed, routed.splitter.split)
            if obstacle:
                amount, self.reason_ = Amount(0.0, "all"), obstacle
                warnings.warn(obstacle, UserWarning, stacklevel=2)
            else:
                amount = self._choose(target, amounts, X, y, folds, inner_seed, routed)

        self.synthesizer_ = None
        rows = None
        if amount.n_extra(len(y)) > 0:
            self.synthesizer_ = seeded_clone(self.synthesizer, model_seed)
            self.synthesizer_.fit(target.join(X, y))
            rows = draw_rows(self.synthesizer_, [amount], target, y, sample_seed)[amount]
        self.estimator_ = fit_on_rows(
            clone(self.estimator), target, X, y, rows, routed.estimator.fit
        )
        self.ratio_, self.strategy_ = amount
        self.n_synthetic_ = amount.n_extra(len(y))
        if classes is not None:
            self.classes_ = classes
        return self

    def _choose(
        self,
        target: Target,
        amounts: list[Amount],
        X: Features,
        y: np.ndarray,
        folds: list[Fold],
        seed: int,
        routed: Bunch,
    ) -> Amount:
        scorer = check_scoring(self.estimator, scoring=self.scoring)
        trial = InnerValidation(self.estimator, self.synthesizer, amounts, target, scorer)
        rng = np.random.RandomState(seed)
        scores = Parallel(n_jobs=self.n_jobs)(
            delayed(trial.score_fold)(
                X, y, fold, draw_seed(rng), routed.estimator.fit, routed.scorer.score
            )
            for fold in folds
        )
        amount, self.cv_results_ = trial.choose(np.array(scores).T, folds)
        self.reason_ = f"Chosen by inner validation on {len(folds)} folds."
        return amount

    def _folds(
        self, X: Features, y: np.ndarray, seed: int, split_params: dict[str, Any]
    ) -> tuple[list[Fold], str]:
        """Split for inner validation, or say why that cannot be done."""
        splitter = 5 if self.cv is None else self.cv
        if isinstance(splitter, (int, np.integer)):
            most, obstacle = self._most_folds(y)
            if most < 2:
                return [], f"ratio='auto' added no rows (ratio_=0): {obstacle}"
            kind = StratifiedKFold if is_classifier(self) else KFold
            splitter = kind(min(splitter, most), shuffle=True, random_state=seed)
        splitter = check_cv(splitter, y, classifier=is_classifier(self))
        return list(splitter.split(X, y, **split_params)), ""

    def _check_parameters(self) -> None:
        if self.ratio not in self._ratio_words and not is_ratio(self.ratio):
            words = " or ".join(repr(word) for word in self._ratio_words)
            raise ValueError(f"ratio must be a finite number >= 0, {words}, got {self.ratio!r}.")
        if not all(is_ratio(each) for each in self.ratios):
            raise ValueError(f"ratios must be finite numbers >= 0, got {self.ratios!r}.")
        if isinstance(self.cv, (int, np.integer)) and self.cv < 2:
            raise ValueError(f"cv must be at least 2 folds, got {self.cv}.")

    def _check_table(self, X: Any, y: Any) -> tuple[Features, np.ndarray]:
        """Record the features' names and number; leave a DataFrame's values to the estimator."""
        if not isinstance(X, pd.DataFrame):
            X, y = validate_data(self, X, y, ensure_all_finite=False, y_numeric=is_regressor(self))
        else:
            validate_data(self, X, y, skip_check_array=True)
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
        if is_regressor(self) and y.dtype.kind not in "iuf":
            y = y.astype(np.float64)
        assert_all_finite(y, input_name="y")
        return X, y

    def _check_per_row(self, fit_params: dict[str, Any], n_rows: int) -> None:
        for name, value in fit_params.items():
            if has_value_per_row(value, n_rows) and not name.endswith("sample_weight"):
                raise ValueError(
                    f"The fit parameter {name!r} has one value per row, which synthetic rows "
                    "lack; only sample_weight can be passed that way."
                )

    def _route_fit(self, fit_params: dict[str, Any]) -> Bunch:
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **fit_params)
        fit_params = dict(fit_params)
        groups = fit_params.pop("groups", None)
        return Bunch(
            estimator=Bunch(fit=fit_params),
            splitter=Bunch(split={} if groups is None else {"groups": groups}),
            scorer=Bunch(score={}),
        )

    def _delegate(self, method: str, *args: Any, **params: Any) -> Any:
        check_is_fitted(self)
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, method, **params).estimator[method]
        return getattr(self.estimator_, method)(*args, **params)

    @available_if(estimator_has("predict"))
    def predict(self, X: Any, **params: Any) -> np.ndarray:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features.
        **params : dict
            Passed on.

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
            Passed on.

        Returns
        -------
        score : float
            Accuracy or R squared, unless the estimator has it otherwise.
        """
        return self._delegate("score", X, y, **params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Say which metadata go to the estimator, the splitter and the scorer.

        Returns
        -------
        routing : MetadataRouter
            See scikit-learn's guide to metadata routing.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        for method in _DELEGATED:
            mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)
        return router.add(
            splitter=check_cv(self.cv, classifier=is_classifier(self)),
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        ).add(
            scorer=check_scoring(self.estimator, scoring=self.scoring),
            method_mapping=MethodMapping().add(caller="fit", callee="score"),
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
        raise NotImplementedError

    def _most_folds(self, y: np.ndarray) -> tuple[int, str]:
        raise NotImplementedError
