"""The mixin of the two meta-estimators that add synthetic rows to their training rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn import get_config
from sklearn.base import MetaEstimatorMixin, clone, is_classifier, is_regressor
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils import (
    Bunch,
    assert_all_finite,
    check_random_state,
    column_or_1d,
    get_tags,
)
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
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
    sequence_of,
    short,
)
from tabgan.pipeline.joint import Features, Target, check_same_length
from tabgan.pipeline.selection import (
    Amount,
    Fold,
    InnerValidation,
    candidate_amounts,
    draw_rows,
    fit_on_rows,
    has_value_per_row,
)
from tabgan.pipeline.synthesis import RATIO, SYNTHESIZER, count_extra, seeded_clone
from tabgan.randomness import draw_seed
from tabgan.table.format import TableFormat, read_table

_DELEGATED = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score")

_PAIR = Rule(
    "a pair of sequences",
    lambda value: isinstance(value, Sequence | np.ndarray) and len(value) == 2,
)

_FOLDS = replace(
    NONE
    | integer(2)
    | having("split", "get_n_splits")
    | sequence_of(_PAIR, "pairs", least=1)
    | Rule("an iterator", lambda value: isinstance(value, Iterator)),
    description="None, an integer of at least 2, a splitter such as KFold(), or an iterable of "
    "(train, validation) pairs of row numbers",
)

_SCORING = Rule(
    "None, the name of a scorer (sklearn.metrics.get_scorer_names() lists them) or a function of "
    "estimator, X and y",
    lambda value: (
        value is None
        or (isinstance(value, str) and value in get_scorer_names())
        or (callable(value) and not isinstance(value, type))
    ),
)


def estimator_has(method: str) -> Callable[[Any], bool]:
    """Make the check for `available_if` that the wrapped estimator has a method.

    The fitted estimator is asked where there is one, the parameter `estimator` otherwise.
    """

    def check(self: Any) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class Augmented(MetaEstimatorMixin):
    """Mixin for a meta-estimator that adds synthetic rows to the training rows of an estimator.

    The mixin chooses how many rows to add, fits the synthesizer and the estimator, and passes
    predictions on. A subclass holds the parameters, says whether the target has classes
    (`_classes_of`), and how many inner folds the target allows (`_most_folds`).
    """

    estimator: Any
    synthesizer: Any
    ratio: float | str
    ratios: Sequence[float]
    strategy: str
    cv: Any
    scoring: Any
    n_jobs: int | None
    random_state: int | np.random.RandomState | None

    _parameter_constraints: ClassVar[Mapping[str, Rule]] = {
        "estimator": replace(
            having("fit", "predict", "get_params"),
            description="a scikit-learn estimator, an object (not a class) with fit, predict and "
            "get_params",
        ),
        "synthesizer": SYNTHESIZER,
        "ratio": RATIO | choice("auto"),
        "ratios": sequence_of(
            RATIO, "a non-empty sequence of finite numbers of at least 0", least=1
        ),
        "cv": _FOLDS,
        "scoring": _SCORING,
        "random_state": SEED,
        "n_jobs": replace(
            NONE | Rule("", lambda value: integer(-(2**31)).accepts(value) and value != 0),
            description="None or an integer other than 0",
        ),
    }

    def fit(self, X: Any, y: Any, **fit_params: Any) -> Any:
        """Choose an amount, fit the synthesizer, and fit the estimator on the longer table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features. A pandas or polars DataFrame or a pyarrow Table may hold columns of any kinds
            that the estimator takes, and the estimator is given the kind of table that came in.
            Anything else must be an array of numbers.
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
        ValueError, TypeError
            A parameter of the meta-estimator, `X`, `y` or a weight is not what it must be; or a fit
            parameter other than ``sample_weight`` and ``groups`` has one value per row.
        """
        check_parameters(self)
        self._check_combinations()
        routed = self._route_fit(fit_params)
        names_target = y
        X, y, form = self._check_table(X, y)
        self._check_per_row(routed.estimator.fit, len(y))
        rng = check_random_state(self.random_state)
        fold_seed, inner_seed, model_seed, sample_seed = (draw_seed(rng) for _ in range(4))

        classes = self._classes_of(y)
        target = Target.beside(X, names_target, classes)
        counts = None if classes is None else target.counts(y)
        amounts = candidate_amounts(self.ratio, self.ratios, self.strategy, counts)
        for amount in amounts:
            count_extra("ratios" if self.ratio == "auto" else "ratio", amount.ratio, len(y))
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
                amount = self._choose(target, amounts, X, y, folds, inner_seed, routed, form)

        self.synthesizer_ = None
        rows = None
        if amount.n_extra(len(y)) > 0:
            self.synthesizer_ = seeded_clone(self.synthesizer, model_seed)
            self.synthesizer_.fit(target.join(X, y))
            rows = draw_rows(self.synthesizer_, [amount], target, y, sample_seed)[amount]
        self.estimator_ = fit_on_rows(
            clone(self.estimator), target, X, y, rows, routed.estimator.fit, form
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
        form: TableFormat | None,
    ) -> Amount:
        """Run inner validation, and keep its results and its reason."""
        scorer = check_scoring(self.estimator, scoring=self.scoring)
        trial = InnerValidation(self.estimator, self.synthesizer, amounts, target, scorer, form)
        rng = np.random.RandomState(seed)
        # More workers than folds would idle.
        n_jobs = None if self.n_jobs is None else min(self.n_jobs, len(folds))
        scores = Parallel(n_jobs=n_jobs)(
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
        """Split the rows for inner validation, or say why that cannot be done."""
        splitter = 5 if self.cv is None else self.cv
        if isinstance(splitter, (int, np.integer)):
            most, obstacle = self._most_folds(y)
            if most < 2:
                return [], f"ratio='auto' added no rows (ratio_=0): {obstacle}"
            kind = StratifiedKFold if is_classifier(self) else KFold
            splitter = kind(min(splitter, most), shuffle=True, random_state=seed)
        elif not hasattr(splitter, "split"):
            splitter = list(splitter)
            _check_folds(splitter, len(y))
        splitter = check_cv(splitter, y, classifier=is_classifier(self))
        return list(splitter.split(X, y, **split_params)), ""

    def _check_combinations(self) -> None:
        """Refuse parameters that are right one by one, but not together."""

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

    def _check_per_row(self, fit_params: dict[str, Any], n_rows: int) -> None:
        for name, value in fit_params.items():
            if name.endswith("sample_weight"):
                _check_weights(name, value, n_rows)
            elif has_value_per_row(value, n_rows):
                raise ParameterError(
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
        """Return the sorted classes of the target, or None for a numeric target."""
        raise NotImplementedError

    def _most_folds(self, y: np.ndarray) -> tuple[int, str]:
        """Return the most folds that the target allows, and the reason why it allows no more."""
        raise NotImplementedError


def _check_folds(folds: list[Any], n_rows: int) -> None:
    """Refuse folds that are no pairs of row numbers.

    Raises
    ------
    ParameterError
        Names `cv` and the first thing that is no fold.
    """
    for fold in folds or [None]:
        parts = [np.asarray(part) for part in fold] if _PAIR.accepts(fold) else [np.empty(0)] * 2
        if not all(_are_row_numbers(part, n_rows) for part in parts):
            raise ParameterError(
                "cv must give one (train, validation) pair of non-empty sequences of row numbers "
                f"below {n_rows} for each fold, got {'no folds' if fold is None else short(fold)}."
            )


def _are_row_numbers(part: np.ndarray, n_rows: int) -> bool:
    if part.ndim != 1 or part.dtype.kind not in "iub" or not part.size:
        return False
    if part.dtype.kind == "b":
        return len(part) == n_rows
    return bool(part.min() >= -n_rows and part.max() < n_rows)


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
