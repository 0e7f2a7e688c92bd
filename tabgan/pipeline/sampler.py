"""A resampling step for imbalanced-learn pipelines. Imports imbalanced-learn at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import validate_data

from tabgan.pipeline.joint import Features, Target
from tabgan.pipeline.synthesis import draw_seed, label_conditions, seeded_clone


class GANSampler(BaseOverSampler):
    """Over-sample small classes with generated rows, in an imbalanced-learn pipeline.

    The synthesizer learns the joint table of features and target, and rows are drawn from it given
    the class. An imbalanced-learn pipeline resamples when it fits and at no other time.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in every over-sampler of imbalanced-learn: "auto" (all classes but the largest are
        brought up to it), "minority", "not minority", "all", the wanted ratio of the smaller to
        the larger of two classes, or the wanted count of every class to be resampled.
    synthesizer : synthesizer, default=None
        Cloned, then fitted on the features and, last, the target: a categorical column called
        "target". Columns without string names are called "x0", "x1" and so on. None stands for
        `default_synthesizer`.
    random_state : int, RandomState instance or None, default=None
        Seeds the synthesizer (over its own ``random_state``) and the sampling.

    Attributes
    ----------
    sampling_strategy_ : dict
        Class to number of rows generated for it.
    synthesizer_ : synthesizer or None
        The fitted synthesizer; None if no rows were wanted.
    n_features_in_ : int
        Number of features seen during `fit_resample`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all are strings.

    See Also
    --------
    AugmentedClassifier : Chooses by inner validation how many rows to add.

    Notes
    -----
    Rows come back with the real ones first and untouched. Categories, strings, dates and missing
    values are kept in a DataFrame, as are the dtypes of all columns; sparse matrices are refused.

    Examples
    --------
    >>> from imblearn.pipeline import make_pipeline
    >>> from sklearn.linear_model import LogisticRegression
    >>> from tabgan import GANSampler
    >>> pipeline = make_pipeline(GANSampler(random_state=0), LogisticRegression())
    """

    _parameter_constraints: dict = {
        **BaseOverSampler._parameter_constraints,
        "synthesizer": [HasMethods(["fit", "sample"]), None],
    }

    def __init__(
        self,
        *,
        sampling_strategy: float | str | Mapping | Callable = "auto",
        synthesizer: Any | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.synthesizer = synthesizer
        self.random_state = random_state

    def _check_X_y(self, X: Any, y: Any) -> tuple[Features, np.ndarray, bool]:
        y, is_one_vs_all = check_target_type(y, indicate_one_vs_all=True)
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, y, skip_check_array=True)
            X = _densified(X)
        else:
            X = validate_data(self, X, y, dtype=None, ensure_all_finite="allow-nan")[0]
        check_consistent_length(X, y)
        return X, y, is_one_vs_all

    def _fit_resample(self, X: Features, y: np.ndarray) -> tuple[Features, np.ndarray]:
        rng = check_random_state(self.random_state)
        model_seed, sample_seed = draw_seed(rng), draw_seed(rng)
        labels = list(self.sampling_strategy_)
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


def _densified(X: pd.DataFrame) -> pd.DataFrame:
    dense = {
        label: dtype.subtype
        for label, dtype in X.dtypes.items()
        if isinstance(dtype, pd.SparseDtype)
    }
    return X.astype(dense) if dense else X
