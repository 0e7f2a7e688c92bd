"""Boosted trees that tell real rows from synthetic rows, read out of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

MAX_DEPTH, MAX_TREES = 6, 100
"""Greatest depth of a tree, and most trees of one round."""

N_SPLITS, N_LEAVES = 2**MAX_DEPTH - 1, 2**MAX_DEPTH
"""Splits and leaves of a complete tree of the greatest depth."""

NODE_FIELDS = ("value", "feature_idx", "num_threshold", "left", "right", "is_leaf")
"""Fields of scikit-learn's tree nodes that this module reads."""


def learn_trees(
    real: NDArray[np.float64], made: NDArray[np.float64], weight: NDArray[np.float64], seed: int
) -> list[NDArray[Any]]:
    """Learn boosted trees that tell real rows from weighted synthetic rows.

    Parameters
    ----------
    real : ndarray of shape (n_real, n_features)
    made : ndarray of shape (n_made, n_features)
        Synthetic rows.
    weight : ndarray of shape (n_made,)
        Weights of the synthetic rows, scaled here so that both kinds have the same total weight.
    seed : int
        Draws the rows on which scikit-learn decides when to stop.

    Returns
    -------
    list of ndarray
        The nodes of each tree, see `nodes_of`.

    Raises
    ------
    RuntimeError
        This version of scikit-learn stores trees in an unknown form.
    """
    trees = HistGradientBoostingClassifier(
        max_iter=MAX_TREES,
        max_depth=MAX_DEPTH,
        max_leaf_nodes=None,
        early_stopping=True,
        n_iter_no_change=5,
        validation_fraction=0.15,
        random_state=seed,
    )
    is_real = np.r_[np.ones(len(real)), np.zeros(len(made))]
    balanced = np.r_[np.ones(len(real)), weight * len(real) / weight.sum()]
    trees.fit(np.concatenate([real, made]), is_real, sample_weight=balanced)
    return nodes_of(trees)


def complete_tree(
    nodes: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Lay a tree out as a complete binary tree of depth `MAX_DEPTH`, in level order.

    The children of split i of a level are the entries 2 i and 2 i + 1 of the next level. A leaf
    above the greatest depth becomes splits by an infinite threshold, with the leaf's value below.

    Parameters
    ----------
    nodes : structured ndarray
        The nodes of one tree, the root first, see `nodes_of`.

    Returns
    -------
    feature : ndarray of shape (N_SPLITS,)
        The feature of each split.
    threshold : ndarray of shape (N_SPLITS,)
        Rows whose feature exceeds the threshold go to the second child.
    value : ndarray of shape (N_LEAVES,)
        The logit of each leaf.
    """
    place = np.zeros(1, dtype=np.int64)
    feature, threshold = [], []
    for _ in range(MAX_DEPTH):
        level = nodes[place]
        is_leaf = level["is_leaf"].astype(bool)
        feature.append(np.where(is_leaf, 0, level["feature_idx"]).astype(np.int64))
        threshold.append(np.where(is_leaf, np.inf, level["num_threshold"]).astype(np.float32))
        children = np.column_stack([level["left"], level["right"]]).astype(np.int64)
        place = np.where(is_leaf[:, None], place[:, None], children).ravel()
    return np.concatenate(feature), np.concatenate(threshold), nodes[place]["value"].astype("f4")


def nodes_of(trees: HistGradientBoostingClassifier) -> list[NDArray[Any]]:
    """Return the nodes of each tree of a fitted binary classifier.

    scikit-learn has no public way to read the trees. This function is the only place that knows the
    private way.

    Parameters
    ----------
    trees : HistGradientBoostingClassifier

    Returns
    -------
    list of structured ndarray
        The nodes of each tree, with at least the fields `NODE_FIELDS`.

    Raises
    ------
    RuntimeError
        This version of scikit-learn stores trees in an unknown form.
    """
    try:
        nodes = [predictors[0].nodes for predictors in trees._predictors]
        known = all(set(NODE_FIELDS) <= set(each.dtype.names or ()) for each in nodes)
    except (AttributeError, IndexError, TypeError):
        known = False
    if not known:
        raise RuntimeError(
            f"scikit-learn {sklearn.__version__} keeps boosted trees in a way that this version of "
            "tabgan cannot read; upgrade sklearn-tabgan, or set acceptance_rounds=0."
        )
    return nodes
