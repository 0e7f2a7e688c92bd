"""The mixin of the two meta-estimators that add synthetic rows to their training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.base import MetaEstimatorMixin, clone, is_classifier, is_regressor
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
from tabgan.notices import Progress, warn
from tabgan.pipeline.fitting import fit_softly, lengthened, weight_parameter
from tabgan.pipeline.joint import Features, Target, as_given, check_same_length
from tabgan.pipeline.latent_columns import LatentColumns
from tabgan.pipeline.mixture import Fold, Mixture, Teacher, fit_mixture, has_value_per_row
from tabgan.pipeline.synthesis import (
    RATIO,
    SYNTHESIZER,
    count_extra,
    label_conditions,
    seeded_clone,
)
from tabgan.pipeline.teachers import default_teachers, plain_columns
from tabgan.randomness import draw_seed
from tabgan.table.format import TableFormat, read_table

MOST_RATIO, FEW_ROWS = 10, 5000
"""Synthetic rows per real row that "auto" adds, as long as there are no more than so many in all.

On larger tables "auto" adds so many rows, or one for each real row if that is more.
"""

REAL_SHARE = 0.5
"""Weight of a real row's own label in the soft label of that row; the mixture has the rest."""

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

    The mixin fits the teachers, decides how many rows to add, fits the synthesizer and the
    estimator, and passes predictions on. A subclass holds the parameters, says whether the target
    has classes (`_classes_of`), and how many folds the target allows (`_most_folds`).
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
        "cv": _FOLDS,
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
        unlabelled = self._check_unlabelled(X, X_unlabelled)
        self._check_per_row(routed.estimator.fit, len(y))
        rng = check_random_state(self.random_state)
        seeds = Seeds(*(draw_seed(rng) for _ in Seeds._fields))

        classes = self._classes_of(y)
        target = Target.beside(X, names_target, classes)
        extra = self._asked_for(target, y)
        self.cv_results_ = None
        self.features_, wide, reads = None, X, X
        with Progress(type(self).__name__ if self.verbose else None, 100, "%") as bar:
            if self.features is not None:
                latent = LatentColumns.learn(self.features, X, unlabelled, seeds.features)
                self.features_, form = latent.transformer, None
                wide = latent.beside(X)
            mixture = None
            if self.labels == "soft" and (extra is None or extra.sum() > 0):
                mixture = self._teach(wide, y, classes, seeds, routed, form, bar)
            if extra is None:
                extra = self._enough(mixture, len(y))
            elif mixture is not None or self.labels == "synthesizer" or extra.sum() == 0:
                self.reason_ = "The amount was given."
            bar.reach(50)
            self.synthesizer_ = None
            if extra.sum() > 0:
                self.synthesizer_ = seeded_clone(self.synthesizer, seeds.synthesizer)
                self.synthesizer_.fit(target.join(X, y))
                rows = self._draw(target, extra, seeds.rows)
                reads, y_all = target.append(X, y, rows)
                wide = latent.beside(reads) if self.features is not None else reads
            else:
                y_all = y
            bar.reach(80)
            fit_params = lengthened(routed.estimator.fit, len(y_all) - len(y))
            if mixture is None or extra.sum() == 0:
                self.estimator_ = clone(self.estimator).fit(
                    as_given(wide, form), y_all, **fit_params
                )
            else:
                labels = self._soft_labels(mixture, wide, y)
                self.estimator_ = self._fit_softly(
                    wide, labels, classes, fit_params, seeds.labels, form
                )
            bar.reach(100)
        self.n_synthetic_ = int(extra.sum())
        self.ratio_ = self.n_synthetic_ / len(y)
        if classes is not None:
            self.classes_ = classes
        return self

    def _asked_for(self, target: Target, y: np.ndarray) -> np.ndarray | None:
        """Count the synthetic rows that `ratio` asks for.

        Returns
        -------
        extra : ndarray of shape (n_classes,), ndarray of shape (1,) or None
            Rows of each class, for "level"; rows of any classes, for a number; None for "auto".
        """
        if self.ratio == "auto":
            return None
        if self.ratio == "level":
            counts = target.counts(y)
            return np.where(counts > 0, counts.max() - counts, 0)
        return np.array([count_extra("ratio", float(self.ratio), len(y))])

    def _draw(self, target: Target, extra: np.ndarray, seed: int) -> Any:
        """Draw the rows that `_asked_for` counts, from the fitted synthesizer."""
        if self.ratio != "level":
            return self.synthesizer_.sample(int(extra.sum()), random_state=seed)
        assert target.classes is not None
        conditions = label_conditions(target.name, target.classes, extra, target.dtype)
        return self.synthesizer_.sample(random_state=seed, conditions=conditions)

    def _teach(
        self,
        X: Features,
        y: np.ndarray,
        classes: np.ndarray | None,
        seeds: Seeds,
        routed: Bunch,
        form: TableFormat | None,
        bar: Progress,
    ) -> Mixture | None:
        """Fit the mixture of teachers, or say in `reason_` and in a warning why there is none."""
        folds, obstacle = self._folds(X, y, seeds.folds, routed.splitter.split)
        if obstacle:
            self.reason_ = obstacle
            warn(obstacle)
            return None
        # More workers than folds would idle.
        n_jobs = None if self.n_jobs is None else min(self.n_jobs, len(folds))
        mixture = fit_mixture(
            self._teachers(len(y), classes, seeds.teachers, routed.estimator.fit, form),
            X,
            y,
            classes,
            folds,
            n_jobs,
            lambda done: bar.reach(50 * done // len(folds)),
        )
        self.cv_results_ = mixture.results
        return mixture

    def _teachers(
        self,
        n_rows: int,
        classes: np.ndarray | None,
        seed: int,
        fit_params: Mapping[str, Any],
        form: TableFormat | None,
    ) -> dict[str, Teacher]:
        """List the teachers, the estimator itself first if the estimator can teach."""

        def as_user_gave(X: Features) -> Any:
            return as_given(X, form)

        teachers = {}
        if classes is None or hasattr(self.estimator, "predict_proba"):
            teachers["estimator"] = Teacher(self.estimator, as_user_gave, fit_params)
        given = self.teachers is not None
        models = (
            {f"teacher {position}": model for position, model in enumerate(self.teachers or ())}
            if given
            else default_teachers(classes is not None, n_rows, seed)
        )
        weights = [
            value
            for name, value in fit_params.items()
            if name.endswith("sample_weight") and value is not None
        ]
        for name, model in models.items():
            takes = weight_parameter(model)
            params = {takes: weights[0]} if weights and takes is not None else {}
            teachers[name] = Teacher(model, as_user_gave if given else plain_columns, params)
        if not teachers:
            raise ParameterError(
                "teachers must hold at least one classifier with predict_proba where the estimator "
                "has none, got ()."
            )
        return teachers

    def _enough(self, mixture: Mixture | None, n_rows: int) -> np.ndarray:
        """Decide how many rows "auto" adds, and say why in `reason_`.

        No rows are added if the estimator alone has a lower loss out of fold than the mixture by
        more than one standard error of the mean difference.
        """
        if mixture is None:
            return np.array([0])
        n_extra = min(MOST_RATIO * n_rows, max(FEW_ROWS, n_rows))
        mixed = float(np.nanmean(mixture.losses[-1]))
        told = f"out of fold, the {self._loss_name} of the mixture of teachers is {mixed:.4g}"
        if "estimator" not in mixture.teachers:
            self.reason_ = f"Rows with soft labels were added: {told}."
            return np.array([n_extra])
        alone = float(np.nanmean(mixture.losses[0]))
        told += f", and that of the estimator alone is {alone:.4g}"
        excess = mixture.losses[-1] - mixture.losses[0]
        excess = excess[~np.isnan(excess)]
        if excess.mean() > excess.std() / np.sqrt(len(excess)):
            self.reason_ = f"No rows were added: {told}."
            return np.array([0])
        self.reason_ = f"Rows with soft labels were added: {told}."
        return np.array([n_extra])

    def _soft_labels(self, mixture: Mixture, X: Features, y: np.ndarray) -> np.ndarray:
        """Label real rows by their own labels and the mixture, and synthetic rows by the mixture.

        Returns
        -------
        labels : ndarray of shape (n_rows + n_synthetic, n_outputs)
        """
        own = (
            y[:, None].astype(np.float64)
            if mixture.classes is None
            else np.eye(len(mixture.classes))[np.searchsorted(mixture.classes, y)]
        )
        others = np.where(np.isnan(mixture.out_of_fold), own, mixture.out_of_fold)
        synthetic = mixture.predict(_rows_from(X, len(y)))
        return np.concatenate([REAL_SHARE * own + (1 - REAL_SHARE) * others, synthetic])

    def _fit_softly(
        self,
        X: Features,
        labels: np.ndarray,
        classes: np.ndarray | None,
        fit_params: dict[str, Any],
        seed: int,
        form: TableFormat | None,
    ) -> Any:
        if classes is None:
            return clone(self.estimator).fit(as_given(X, form), labels[:, 0], **fit_params)
        return fit_softly(self.estimator, X, labels, classes, fit_params, seed, form)

    def _check_unlabelled(self, X: Features, unlabelled: Any) -> Features | None:
        """Read the unlabelled rows, and refuse those that no transformer would see."""
        if unlabelled is None:
            return None
        if self.features is None:
            raise ParameterError(
                "X_unlabelled must be None without features, which alone would learn from it; give "
                "a transformer as features."
            )
        frame, form = read_table(unlabelled, "X_unlabelled", type(self).__name__)
        if isinstance(X, np.ndarray):
            rows: Features = frame.to_numpy(dtype=X.dtype)
            labels, expected = list(range(rows.shape[1])), list(range(X.shape[1]))
        else:
            rows, labels, expected = frame, list(frame.columns), list(X.columns)
        if labels != expected:
            raise ParameterError(
                f"X_unlabelled must have the columns of X, {short(expected)}, got {short(labels)}."
            )
        return rows

    def _folds(
        self, X: Features, y: np.ndarray, seed: int, split_params: dict[str, Any]
    ) -> tuple[list[Fold], str]:
        """Split the rows for inner validation, or say why that cannot be done."""
        splitter = 5 if self.cv is None else self.cv
        if isinstance(splitter, (int, np.integer)):
            most, obstacle = self._most_folds(y)
            if most < 2:
                return [], self._without_folds(obstacle)
            kind = StratifiedKFold if is_classifier(self) else KFold
            splitter = kind(min(splitter, most), shuffle=True, random_state=seed)
        elif not hasattr(splitter, "split"):
            splitter = list(splitter)
            _check_folds(splitter, len(y))
        splitter = check_cv(splitter, y, classifier=is_classifier(self))
        folds = list(splitter.split(X, y, **split_params))
        if is_classifier(self) and any(len(np.unique(y[train])) < 2 for train, _ in folds):
            return [], self._without_folds("the training rows of a fold are of one class.")
        return folds, ""

    def _without_folds(self, obstacle: str) -> str:
        """Say what `fit` does where teachers cannot be fitted out of fold."""
        if self.ratio == "auto":
            return f"ratio='auto' added no rows (ratio_=0): {obstacle}"
        return f"synthetic rows keep the labels that the synthesizer drew: {obstacle}"

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


def _rows_from(X: Features, start: int) -> Features:
    return X.iloc[start:] if hasattr(X, "iloc") else X[start:]
