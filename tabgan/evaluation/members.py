"""Membership attacks put together: their figures, those of outliers, and the risk of each row.

The columns that go in are those of a training table, a synthetic table and a held-out table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.isotonic import IsotonicRegression

from tabgan.evaluation.attacks import Attack, figures_of
from tabgan.evaluation.columns import Column
from tabgan.evaluation.intervals import area, exact, hits_at
from tabgan.evaluation.membership import density_scores, distance_scores
from tabgan.evaluation.neighbours import Floats, Rows, embed, nearest, place_quantiles

_OUTLIERS = 0.1  # share of the rows that count as outliers
_FEWEST_OUTLIERS = 20
_LEAST = 1e-9  # distance whose logarithm stands for that of a copy
_FARTHEST = 100.0  # of the scales beyond the highest held-out row
_CAUTION = 0.98  # level of the intervals whose ends bound a row's risk

Scores = tuple[Floats, Floats]
"""Of training rows and of held-out rows; higher ones for rows that look trained on."""


def attack_members(
    columns: Sequence[Column],
    members: Rows,
    others: Rows,
    made: Rows,
    shadows: Scores | None,
    seed: int,
) -> tuple[dict[str, dict[str, float]], pd.Series]:
    """Tell training rows from held-out rows by all attacks, and by all of them together.

    Parameters
    ----------
    columns : sequence of Column
    members, others : ndarray of int
        Positions of the training rows and of the held-out rows attacked, shuffled.
    made : ndarray of int
        Positions of the synthetic rows that serve the attackers.
    shadows : pair of ndarray or None
        Scores of the attack by shadow models, if there is one.
    seed : int
        Of the learner of density ratios.

    Returns
    -------
    figures : dict of str to dict
        By attack, as in `PrivacyAudit.figures`.
    row_risk : Series
        See `PrivacyAudit.row_risk`.
    """
    distances = distance_scores(columns, members, others, synthetic=made)
    # Logarithms, so that copies and near copies lie far beyond all other rows.
    near, near_others = (-np.log(np.maximum(-each, _LEAST)) for each in distances)
    scores = {
        "distance": (near, near_others),
        "density": _density_scores(columns, members, others, made, seed),
    }
    if shadows is not None:
        scores["shadow"] = shadows
    together = put_together(list(scores.values()))
    figures = {f"membership_{name}_auc": _of_area(each) for name, each in scores.items()}
    figures["membership_auc"] = _of_area(together)
    figures["membership_tpr_1"] = _of_hits(together, 0.01)
    figures["membership_tpr_01"] = _of_hits(together, 0.001)
    far, far_others = _outliers(columns, members, others)
    outlying = together[0][far], together[1][far_others]
    if min(len(each) for each in outlying) >= _FEWEST_OUTLIERS:
        figures["outliers_auc"] = _of_area(outlying)
        figures["outliers_tpr_1"] = _of_hits(outlying, 0.01)
    risk = pd.Series(row_risk(*together), index=members, name="risk")
    return figures, risk.sort_values(ascending=False, kind="stable")


def _density_scores(
    columns: Sequence[Column], members: Rows, others: Rows, made: Rows, seed: int
) -> Scores:
    """Score all rows: each half by an attacker who knows the other half of the held-out rows."""
    scores = np.empty(len(members)), np.empty(len(others))
    for half in (0, 1):
        halves = density_scores(
            columns,
            members[half::2],
            others[half::2],
            others[1 - half :: 2],
            seed,
            synthetic=made,
        )
        # A learner's scores compare with its own alone, its p-values with those of the other one.
        for all_rows, p in zip(scores, _p_values(*halves), strict=True):
            all_rows[half::2] = -np.log(p)
    return scores


def put_together(scores: Sequence[Scores]) -> Scores:
    """Score rows by the harmonic mean of their p-values in several attacks.

    A row that stands out in one attack alone stands out in the mean.
    """
    p_values = [_p_values(*each) for each in scores]
    of_members, of_others = (
        np.log(sum(1.0 / p for p in each)) for each in zip(*p_values, strict=True)
    )
    return of_members, of_others


def _harmonic(p_values: Sequence[Floats]) -> Floats:
    """Return minus the logarithm of the harmonic mean, up to a constant."""
    return np.log(np.sum([1.0 / p for p in p_values], axis=0))


def _p_values(of_members: Floats, of_others: Floats) -> Scores:
    """Return the share of the held-out rows, a row itself aside, that score at least as high.

    Where no held-out row does, the share falls off exponentially beyond the highest one, as fast
    as it does among the highest tenth. So a copy, far beyond all, weighs more than the highest
    held-out row.
    """
    ordered = np.sort(of_others)
    n_above = len(ordered) - np.searchsorted(ordered, of_members, side="left")
    n_above_others = len(ordered) - np.searchsorted(ordered, of_others, side="left") - 1
    members = (n_above + 1) / (len(ordered) + 1) * _beyond(of_members, ordered)
    others = (n_above_others + 1) / len(ordered) * _beyond(of_others, ordered[:-1])
    return members, others


def _beyond(scores: Floats, ordered: Floats) -> Floats:
    """Return by which factor the p-value of a score is lower than that of the highest one."""
    tail = ordered[-1 - max(len(ordered) // 10, 1) :]
    scale = max(float(np.mean(tail - tail[0])), 1e-12)
    return np.exp(-np.clip((scores - ordered[-1]) / scale, 0.0, _FARTHEST))


def _outliers(
    columns: Sequence[Column], members: Rows, others: Rows
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell the tenth of the rows that lie farthest from the closest other real row."""
    real = [Column(c.name, c.kind, (c.values[0], c.values[2]), c.labels) for c in columns]
    train, held_out = embed(real, [members, others], place_quantiles)
    pool = train.joined(held_out)
    _, apart = nearest(pool, pool, skip_own=True)
    far = apart > np.quantile(apart, 1.0 - _OUTLIERS)
    return far[: len(members)], far[len(members) :]


def row_risk(of_members: Floats, of_others: Floats) -> Floats:
    """Bound from below how sure an attacker is of each training row.

    Isotonic regression parts the scores into blocks in which the share of training rows grows from
    block to block. Of a block that t of the training rows and f of the held-out rows fall into,
    1 - f / t is 0 for a coin and 1 for certainty. Clopper and Pearson's ends of both rates give the
    bound, and a row of a higher score is at least as much at risk.
    """
    m, n = len(of_members), len(of_others)
    is_member = np.repeat([1.0, 0.0], [m, n])
    chances = IsotonicRegression().fit_transform(
        np.concatenate([of_members, of_others]),
        is_member,
        sample_weight=np.repeat([1.0 / m, 1.0 / n], [m, n]),
    )
    _, block = np.unique(chances, return_inverse=True)
    n_true, n_false = (np.bincount(block, weights=w) for w in (is_member, 1.0 - is_member))
    least_true, _ = exact(n_true, m, level=_CAUTION)
    _, most_false = exact(n_false, n, level=_CAUTION)
    bound = np.clip(1.0 - most_false / np.maximum(least_true, 1e-12), 0.0, 1.0)
    return np.maximum.accumulate(bound)[block[:m]]


def _of_area(scores: Scores) -> dict[str, float]:
    rate = area(*scores)
    figures = {"value": rate.value, "low": rate.low, "high": rate.high}
    return figures | {"naive": 0.5, "attacks": rate.trials}


def _of_hits(scores: Scores, false_rate: float) -> dict[str, float]:
    main, control = hits_at(*scores, false_rate)
    return figures_of(Attack.of(main, control, control.value))
