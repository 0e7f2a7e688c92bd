"""A membership attack learnt from shadow models: clones of the model, fitted on known rows.

The attacker knows the model's class and parameters and has real rows of the source. The attack is
that of Shokri et al. (2017), "Membership Inference Attacks Against Machine Learning Models",
section V, on synthetic tables as in Stadler et al. (2022), "Synthetic Data - Anonymisation
Groundhog Day".
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tabgan.evaluation.columns import align_columns
from tabgan.evaluation.learners import build_learner
from tabgan.evaluation.membership import ATTACKER
from tabgan.evaluation.neighbours import Floats, Rows, embed, nearest, place_quantiles

_LEAST = 1e-9  # distance whose logarithm is taken for that of a copy


def shadow_scores(
    model: Any,
    tables: dict[str, pd.DataFrame],
    members: Rows,
    others: Rows,
    *,
    n_shadows: int,
    max_fit_rows: int,
    max_made_rows: int,
    categorical_features: Sequence[Hashable] | None,
    seed: int,
) -> tuple[Floats, Floats]:
    """Score real rows by a classifier that has learnt membership from shadow tables.

    Each shadow is a clone of the model, fitted on rows drawn from the training and held-out rows
    alike, so that its members say nothing about those of the model. Features of a real row and a
    synthetic table: the distance to the closest synthetic row; this distance beside that to the
    other shadows' tables; the density of the table's rows divided by that of the other tables.

    Parameters
    ----------
    model : estimator
        With ``fit`` and ``sample``; it is cloned and left as it is.
    tables : dict of str to DataFrame
        "real", "synthetic" and "holdout".
    members, others : ndarray of int
        Positions of the training rows and of the held-out rows to score.
    n_shadows : int
        At least 2.
    max_fit_rows : int
        Most rows that a shadow learns.
    max_made_rows : int
        Most rows that a shadow makes.
    categorical_features : sequence of column labels, optional
    seed : int

    Returns
    -------
    of_members, of_others : ndarray
        Logits of being a training row.
    """
    rng = np.random.RandomState(seed)
    real, holdout = tables["real"], tables["holdout"]
    pool = pd.concat([real, _like(holdout, real)], ignore_index=True)
    n_fit = min(len(real), max_fit_rows)
    n_made = max(1, min(round(len(tables["synthetic"]) * n_fit / len(real)), max_made_rows))
    shadows, learnt = {}, []
    for k in range(n_shadows):
        rows = rng.permutation(len(pool))[:n_fit]
        clone_k = clone(model)
        if "random_state" in clone_k.get_params():
            clone_k.set_params(random_state=int(rng.randint(2**31 - 1)))
        clone_k.fit(pool.iloc[rows].reset_index(drop=True))
        shadows[f"shadow {k}"] = clone_k.sample(n_made)
        learnt.append(np.isin(np.arange(len(pool)), rows))
    made = tables["synthetic"].iloc[rng.permutation(len(tables["synthetic"]))[:max_made_rows]]
    attacked = np.concatenate([members, len(real) + others])
    features = _features(
        {"real": real, "attacked table": made, **shadows, "holdout": holdout},
        members,
        others,
        categorical_features,
        seed,
    )
    attacker = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    attacker.fit(
        np.concatenate(features[1:]), np.concatenate([is_member[attacked] for is_member in learnt])
    )
    logits = attacker.decision_function(features[0])
    return logits[: len(members)], logits[len(members) :]


def _features(
    tables: dict[str, Any],
    members: Rows,
    others: Rows,
    categorical_features: Sequence[Hashable] | None,
    seed: int,
) -> list[Floats]:
    """Return the features of all attacked rows for each synthetic table, the real one first."""
    columns = align_columns(tables, categorical_features=categorical_features)
    every = [np.arange(len(values)) for values in columns[0].values[1:-1]]
    member_points, *made, other_points = embed(columns, [members, *every, others], place_quantiles)
    distances = np.array(
        [
            np.log(
                np.maximum(
                    np.concatenate([nearest(p, each)[1] for p in (member_points, other_points)]),
                    _LEAST,
                )
            )
            for each in made
        ]
    )
    learner, (train, *of_made, holdout) = build_learner("hist", columns, random_state=seed)
    learner.set_params(**ATTACKER)
    attacked = np.concatenate([train[members], holdout[others]])
    features = []
    for k, rows in enumerate(of_made):
        rest = [j for j in range(1, len(of_made)) if j != k]
        ratio = _log_ratio(learner, rows, np.concatenate([of_made[j] for j in rest]), attacked)
        beside = distances[k] - distances[rest].mean(axis=0)
        # Ranks, so that a classifier learnt on the shadows' distances fits those of the model.
        features.append(
            np.column_stack([stats.rankdata(f) for f in (-distances[k], -beside, ratio)])
            / len(attacked)
        )
    return features


def _log_ratio(
    learner: Any,
    rows: npt.NDArray[np.float32],
    reference: npt.NDArray[np.float32],
    attacked: npt.NDArray[np.float32],
) -> Floats:
    label = np.repeat([1, 0], [len(rows), len(reference)])
    return learner.fit(np.concatenate([rows, reference]), label).decision_function(attacked)


def _like(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns of another one in its order, and its dtypes where it can."""
    table = table[list(other)]
    for name in other:
        if table[name].dtype != other[name].dtype:
            try:
                table = table.assign(**{name: table[name].astype(other[name].dtype)})
            except (TypeError, ValueError):
                continue
    return table
