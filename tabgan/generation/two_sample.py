"""The classifier two-sample test: whether a classifier can tell two tables apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold


def two_sample_score(
    real: npt.NDArray[Any],
    fake: npt.NDArray[Any],
    make_classifier: Callable[[], Any],
    n_folds: int,
    seed: int,
    *,
    method: str = "predict_proba",
) -> float:
    """Score how hard it is for a classifier to tell real rows from fake rows [1]_.

    For each fold, a classifier learns to tell the two kinds apart on the other folds. The area
    under the ROC curve (AUC) on the fold itself scores the classifier.

    Parameters
    ----------
    real, fake : ndarray of shape (n, n_features)
        Equal numbers of real and fake rows, at least 2 of each.
    make_classifier : callable without arguments
        Returns a new unfitted classifier for each fold. The classifier learns the label 1 for real
        and 0 for fake rows.
    n_folds : int
        Number of folds, at least 2. With fewer than `n_folds` rows of each kind there are n folds.
    seed : int
        Decides the folds.
    method : {"predict_proba", "decision_function"}, default="predict_proba"
        The classifier's method that ranks the rows.

    Returns
    -------
    float
        ``1 - (2 max(1/2, AUC) - 1)``, averaged over the folds, in [0, 1]. The score is 1 if the
        classifiers cannot tell the rows apart, and 0 if the classifiers always can.

    References
    ----------
    .. [1] Lopez-Paz and Oquab (2017), "Revisiting Classifier Two-Sample Tests".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from tabgan.generation.two_sample import two_sample_score
    >>> real = np.arange(10.0)[:, None]
    >>> two_sample_score(real, real + 100, DecisionTreeClassifier, n_folds=3, seed=0)
    0.0
    """
    rows, is_real = np.concatenate([real, fake]), np.repeat([1, 0], len(real))
    folds = StratifiedKFold(min(n_folds, len(real)), shuffle=True, random_state=seed)
    gaps = []
    for train, test in folds.split(rows, is_real):
        classifier = make_classifier().fit(rows[train], is_real[train])
        ranks = getattr(classifier, method)(rows[test])
        auc = roc_auc_score(is_real[test], ranks[:, 1] if ranks.ndim == 2 else ranks)
        gaps.append(2.0 * max(0.5, auc) - 1.0)
    return 1.0 - float(np.mean(gaps))
