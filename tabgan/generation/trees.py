"""Boosted trees that tell real rows from synthetic ones, and how scikit-learn keeps them."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

MAX_DEPTH, MAX_TREES = 6, 100
"""Size of one round's discriminator."""

N_SPLITS, N_LEAVES = 2**MAX_DEPTH - 1, 2**MAX_DEPTH
"""Nodes of a complete tree of that depth."""

NODE_FIELDS = ("value", "feature_idx", "num_threshold", "left", "right", "is_leaf")
"""What is read of each node that scikit-learn keeps."""


def learn_trees(
    real: NDArray[np.float64], made: NDArray[np.float64], weight: NDArray[np.float64], seed: int
) -> list[NDArray[Any]]:
    """Tell real rows from weighted made ones; returns the nodes of each tree."""
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
    """Lay a tree out as a complete one: splits and leaves in level order, a leaf repeated."""
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
    """Return the nodes of each tree of a fitted binary classifier, as structured arrays.

    scikit-learn has no public way to read its trees. This function is the only place that knows
    the private one.

    Raises
    ------
    RuntimeError
        This version of scikit-learn keeps its trees in another way.
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
