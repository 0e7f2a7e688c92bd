"""Whether synthetic rows tell who was in the training table: membership-inference attacks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from tabgan.checks import SEED, check, integer
from tabgan.evaluation.columns import Column, Table, align_columns
from tabgan.evaluation.learners import build_learner
from tabgan.evaluation.neighbours import (
    Floats,
    Rows,
    embed,
    nearest,
    place_quantiles,
)
from tabgan.evaluation.text import figures_line
from tabgan.randomness import draw_seed, own_stream

# Copies are single rows. The usual learner, whose leaves hold many rows, does not see them.
ATTACKER: dict[str, Any] = {
    "early_stopping": False,
    "max_features": 0.5,
    "max_iter": 50,
    "max_leaf_nodes": 1023,
    "min_samples_leaf": 1,
}
"""Parameters of the learner of density ratios."""

_FEWEST = 10  # rows on either side; an area under a curve of fewer says nothing


@dataclass(frozen=True, repr=False)
class MembershipAttack:
    """How well attackers who see synthetic rows guess which real rows were trained on.

    Attributes
    ----------
    distance_auc : float
        Area under the ROC curve of an attacker who takes rows near to a synthetic row for training
        rows. In [0, 1]. 0.5: the synthetic rows give no training row away; 1: they give all away.
    density_auc : float
        The same of an attacker who also has real rows of the same source, and takes rows for
        training rows where synthetic rows are denser than those. NaN, as is `distance_auc`, where
        there are too few rows.
    """

    distance_auc: float
    density_auc: float

    def __repr__(self) -> str:
        return figures_line(self)


def membership_inference(
    real_train: Table,
    synthetic: Table,
    holdout: Table,
    *,
    max_rows: int = 20_000,
    categorical_features: Sequence[Hashable] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> MembershipAttack:
    """Guess, from synthetic rows, which real rows their synthesizer was trained on.

    Parameters
    ----------
    real_train : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        The rows the synthesizer was trained on.
    synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        The synthetic rows. All of them serve the attackers.
    holdout : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        Rows from the same source that the synthesizer has not seen.
    max_rows : int, default=20000
        At most so many training rows and so many held-out rows are attacked, drawn at random.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.
    random_state : int, RandomState or None, default=0
        Decides the rows drawn and the seed of the density-ratio attacker's learner.

    Returns
    -------
    MembershipAttack
        An area is NaN where fewer than ten rows of a kind could be attacked or learnt from: with
        fewer than ten training or held-out rows; `density_auc` also with fewer than twenty held-out
        or ten synthetic ones.

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns or no rows, or if an argument is out of its range.

    Notes
    -----
    Each attack gives a score to as many training rows as held-out rows.

    - *Distance*: minus the distance to the closest synthetic row, measured as in
      `distance_to_closest_record`.
    - *Density ratio* ("DOMIAS" [1]_): the logarithm of the density of synthetic rows divided by the
      density of real rows. Histogram gradient boosting learns this ratio by telling the synthetic
      rows from one half of the held-out rows, with trees large enough to single rows out. The other
      half is attacked.

    The distance attack takes any row in a dense region for a training row; the density ratio
    corrects for dense regions. Between fresh tables, the areas stray from 0.5 by about
    ``0.4 / sqrt(n)``, where n rows of each kind are attacked.

    References
    ----------
    .. [1] van Breugel et al. (2023), "Membership Inference Attacks against Synthetic Data through
       Overfitting Detection".

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.evaluation import membership_inference
    >>> train, holdout = np.random.default_rng(0).normal(size=(2, 300, 3))
    >>> membership_inference(train, train, holdout).distance_auc
    1.0
    """
    check("max_rows", max_rows, integer(1))
    check("random_state", random_state, SEED)
    tables: dict[str, Any] = {
        "real_train": real_train,
        "synthetic": synthetic,
        "holdout": holdout,
    }
    columns = align_columns(tables, categorical_features=categorical_features)
    rng = own_stream(random_state)
    seed = draw_seed(rng)
    n_train, _, n_holdout = (len(values) for values in columns[0].values)
    train, held_out = rng.permutation(n_train)[:max_rows], rng.permutation(n_holdout)
    reference, others = held_out[: n_holdout // 2], held_out[n_holdout // 2 :]
    return MembershipAttack(
        distance_auc=_distance_area(columns, *_even(train, held_out)),
        density_auc=_density_area(columns, *_even(train, others), reference, seed),
    )


def _even(members: Rows, others: Rows) -> tuple[Rows, Rows]:
    n_rows = min(len(members), len(others))
    return members[:n_rows], others[:n_rows]


def distance_scores(
    columns: Sequence[Column], members: Rows, others: Rows, *, synthetic: Rows | None = None
) -> tuple[Floats, Floats]:
    """Score real rows by how near the closest synthetic row lies.

    Parameters
    ----------
    columns : sequence of Column
        Of the training, the synthetic and the held-out table.
    members, others : ndarray of int
        The positions of the training rows and of the held-out rows to score.
    synthetic : ndarray of int, optional
        The positions of the synthetic rows that serve the attacker; all by default.

    Returns
    -------
    of_members, of_others : ndarray
        Minus the distances.
    """
    if synthetic is None:
        synthetic = np.arange(len(columns[0].values[1]))
    member_points, made, other_points = embed(
        columns, [members, synthetic, others], place_quantiles
    )
    return -nearest(member_points, made)[1], -nearest(other_points, made)[1]


def density_scores(
    columns: Sequence[Column],
    members: Rows,
    others: Rows,
    reference: Rows,
    seed: int,
    *,
    synthetic: Rows | None = None,
) -> tuple[Floats, Floats]:
    """Score real rows by the density of synthetic rows divided by that of held-out rows.

    Parameters
    ----------
    columns : sequence of Column
        Of the training, the synthetic and the held-out table.
    members, others : ndarray of int
        The positions of the training rows and of the held-out rows to score.
    reference : ndarray of int
        The positions of the held-out rows that the attacker compares the synthetic rows with.
    seed : int
        Of the learner that tells synthetic rows from the reference.
    synthetic : ndarray of int, optional
        The positions of the synthetic rows that serve the attacker; all by default.

    Returns
    -------
    of_members, of_others : ndarray
        The logarithms of the ratio.
    """
    model, (train, made, holdout) = build_learner("hist", columns, random_state=seed)
    if synthetic is not None:
        made = made[synthetic]
    model.set_params(**ATTACKER)
    is_synthetic = np.repeat([1, 0], [len(made), len(reference)])
    model.fit(np.concatenate([made, holdout[reference]]), is_synthetic)
    return model.decision_function(train[members]), model.decision_function(holdout[others])


def _distance_area(columns: Sequence[Column], members: Rows, others: Rows) -> float:
    if len(members) < _FEWEST:
        return float("nan")
    return _area(*distance_scores(columns, members, others))


def _density_area(
    columns: Sequence[Column], members: Rows, others: Rows, reference: Rows, seed: int
) -> float:
    if min(len(members), len(reference), len(columns[0].values[1])) < _FEWEST:
        return float("nan")
    return _area(*density_scores(columns, members, others, reference, seed))


def _area(of_members: Floats, of_others: Floats) -> float:
    is_member = np.repeat([1, 0], [len(of_members), len(of_others)])
    return float(roc_auc_score(is_member, np.concatenate([of_members, of_others])))
