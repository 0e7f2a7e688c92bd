"""A resampling step for imbalanced-learn pipelines. This module imports imbalanced-learn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from tabgan.checks import SEED, ParameterError, Rule, check, names_unexpected, short
from tabgan.pipeline.joint import Features, Target, check_same_length
from tabgan.pipeline.synthesis import MOST_ROWS, SYNTHESIZER, label_conditions, seeded_clone
from tabgan.randomness import draw_seed
from tabgan.table.format import TableFormat, read_table


class GANSampler(BaseOverSampler):
    """Over-sample small classes with synthetic rows, in an imbalanced-learn pipeline.

    The synthesizer learns the joint table of features and target, and draws rows given the class.
    An imbalanced-learn pipeline resamples inside ``fit`` and at no other time.

    Parameters
    ----------
    synthesizer : synthesizer, default=None
        Cloned, then fitted on the joint table. The target is the last column of that table, a
        categorical column called "target". Feature columns without string labels are called "x0",
        "x1" and so on. None stands for `default_synthesizer`.
    sampling_strategy : float, str, dict or callable, default="auto"
        As in every over-sampler of imbalanced-learn. A string names the classes to bring up to the
        largest class: "auto" or "not majority" (all but the largest), "minority", "not minority"
        or "all". A number is the ratio of the smaller to the larger of two classes that is wanted.
        A dict maps classes to the rows that are wanted in all, and a callable makes such a dict
        from the target.
    random_state : int, RandomState instance or None, default=None
        Seeds the synthesizer (over its own ``random_state``) and the sampling.

    Attributes
    ----------
    sampling_strategy_ : dict
        The number of synthetic rows of each class.
    synthesizer_ : synthesizer or None
        The fitted synthesizer; None if no rows were wanted.
    n_features_in_ : int
        Number of features seen during `fit_resample`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all are strings.

    See Also
    --------
    AugmentedClassifier : Adds rows with soft labels inside a classifier.

    Notes
    -----
    `fit_resample` gives real rows first, with their values, and then synthetic rows. A pandas or
    polars DataFrame and a pyarrow Table come back as what they were, with the dtypes of all
    columns, and may hold categories, strings, dates and missing values. Sparse matrices are
    refused.

    Examples
    --------
    >>> from imblearn.pipeline import make_pipeline
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from tabgan import AAESynthesizer, GANSampler
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> sampler = GANSampler(AAESynthesizer(n_steps=5), random_state=0)
    >>> X_more, y_more = sampler.fit_resample(X[:80], y[:80])
    >>> y_more.value_counts().to_dict()
    {0: 50, 1: 50}
    >>> pipeline = make_pipeline(sampler, LogisticRegression(max_iter=1000))
    >>> pipeline.fit(X[:80], y[:80]).predict(X[:2]).tolist()
    [0, 0]
    """

    # imbalanced-learn checks what it inherits to every sampler; `_RULES` refuses the rest.
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        "synthesizer": "no_validation",
    }
    _RULES: ClassVar[Mapping[str, Rule]] = {
        "synthesizer": SYNTHESIZER,
        "sampling_strategy": Rule(
            "a string, a number in (0, 1], a dict or a function",
            lambda value: not isinstance(value, bool | np.bool_ | type),
        ),
        "random_state": Rule(
            SEED.description, lambda value: not isinstance(value, bool | np.bool_)
        ),
    }

    @names_unexpected
    def __init__(
        self,
        synthesizer: Any | None = None,
        *,
        sampling_strategy: float | str | Mapping | Callable = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.synthesizer = synthesizer
        self.random_state = random_state

    def fit(self, X: Any, y: Any, **params: Any) -> GANSampler:
        """Check the input and count the rows that each class lacks, without drawing any.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features.
        y : array-like of shape (n_rows,)
            Class labels.
        **params : dict
            Taken for the interface of imbalanced-learn; not used.

        Returns
        -------
        self : GANSampler
        """
        X, y, _ = self._read(X, y)
        return super().fit(X, y, **params)

    def fit_resample(self, X: Any, y: Any, **params: Any) -> tuple[Any, Any]:
        """Fit the synthesizer, and append synthetic rows of the classes that lack rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Features.
        y : array-like of shape (n_rows,)
            Class labels.
        **params : dict
            Taken for the interface of imbalanced-learn; not used.

        Returns
        -------
        X_resampled : DataFrame or ndarray of shape (n_rows + n_synthetic, n_features)
            The kind of table that came in.
        y_resampled : Series or ndarray of shape (n_rows + n_synthetic,)
            A Series of pandas or polars, or a pyarrow ChunkedArray, if `y` is one.

        Raises
        ------
        ValueError, TypeError
            A parameter, `X` or `y` is not what it must be.
        """
        X_read, y_read, form = self._read(X, y)
        X_more, y_more = super().fit_resample(X_read, y_read, **params)
        return (X_more if form is None else form.restore(X_more)), _column_like(y, y_more)

    def _read(self, X: Any, y: Any) -> tuple[Any, Any, TableFormat | None]:
        """Check parameters, and turn tables that imbalanced-learn does not know into pandas'."""
        for name, rule in self._RULES.items():
            check(name, getattr(self, name), rule)
        check_same_length(X, y)
        # For arrays too: what is no table is refused by its kind, where scikit-learn's errors
        # would print the data.
        frame, form = read_table(X, "X", type(self).__name__)
        y = np.asarray(y) if _library(y) in ("polars", "pyarrow") else y
        if form.kind in ("array", "pandas"):
            return X, y, None
        return frame, y, form

    def _check_X_y(self, X: Any, y: Any) -> tuple[Features, np.ndarray, bool]:
        y, is_one_vs_all = check_target_type(y, indicate_one_vs_all=True)
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, y, skip_check_array=True)
            X = _densified(X)
        else:
            X = validate_data(self, X, y, dtype=None, ensure_all_finite="allow-nan")[0]
        return X, y, is_one_vs_all

    def _fit_resample(self, X: Features, y: np.ndarray) -> tuple[Features, np.ndarray]:
        rng = check_random_state(self.random_state)
        model_seed, sample_seed = draw_seed(rng), draw_seed(rng)
        labels = list(self.sampling_strategy_)
        if sum(self.sampling_strategy_.values()) > MOST_ROWS:
            raise ParameterError(
                f"sampling_strategy must ask for at most {MOST_ROWS} synthetic rows, got "
                f"{short(dict(self.sampling_strategy_))}."
            )
        n_wanted = np.array([self.sampling_strategy_[label] for label in labels], dtype=int)
        self.synthesizer_ = None
        if n_wanted.sum() == 0:
            return X, y
        target = Target.beside(X, y, np.unique(y))
        self.synthesizer_ = seeded_clone(self.synthesizer, model_seed).fit(target.join(X, y))
        conditions = label_conditions(
            target.name, labels, n_wanted, pd.CategoricalDtype(target.classes)
        )
        rows = self.synthesizer_.sample(random_state=sample_seed, conditions=conditions)
        return target.append(X, y, rows)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


def _library(data: Any) -> str:
    return type(data).__module__.partition(".")[0]


def _column_like(y: Any, y_more: Any) -> Any:
    """Turn the longer target into a column of polars or pyarrow if the target was one."""
    if _library(y) == "polars":
        return type(y)(y.name, y_more, dtype=y.dtype)
    if _library(y) == "pyarrow":
        pyarrow = sys.modules["pyarrow"]
        return pyarrow.chunked_array([pyarrow.array(y_more, type=y.type)])
    return y_more


def _densified(X: pd.DataFrame) -> pd.DataFrame:
    """Turn sparse columns, which synthesizers do not take, into dense ones."""
    dense = {
        label: dtype.subtype
        for label, dtype in X.dtypes.items()
        if isinstance(dtype, pd.SparseDtype)
    }
    return X.astype(dense) if dense else X
