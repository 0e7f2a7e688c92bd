"""Rates with their 95 % intervals, and the excess of an attack over its control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from tabgan.evaluation.neighbours import Floats

LEVEL = 0.95
"""How often an interval holds the truth."""


@dataclass(frozen=True)
class Rate:
    """A figure and its interval.

    Attributes
    ----------
    value, low, high : float
        NaN where nothing was measured.
    trials : float
        How many attacks, of as many targets, the figure rests on.
    """

    value: float
    low: float
    high: float
    trials: float = 0.0


NOTHING = Rate(float("nan"), float("nan"), float("nan"))
"""The rate of no attack at all."""


def wilson(successes: float, trials: float, *, level: float = LEVEL) -> Rate:
    """Return a share of successes with Wilson's interval.

    Parameters
    ----------
    successes, trials : float
        Fractions stand for trials that are not independent, which count for fewer.
    level : float, default=0.95

    Returns
    -------
    Rate

    Examples
    --------
    >>> from tabgan.evaluation.intervals import wilson
    >>> rate = wilson(10, 10)
    >>> rate.value, round(rate.low, 3), rate.high
    (1.0, 0.722, 1.0)
    """
    if trials <= 0:
        return NOTHING
    share = successes / trials
    z2 = float(stats.norm.ppf(0.5 + 0.5 * level)) ** 2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    # Rounding leaves an end of 0 or 1 off by a trifle.
    low = 0.0 if successes <= 0 else float(max(middle - half, 0.0))
    high = 1.0 if successes >= trials else float(min(middle + half, 1.0))
    return Rate(float(share), low, high, float(trials))


def exact(successes: Any, trials: float, *, level: float = LEVEL) -> tuple[Any, Any]:
    """Return both ends of Clopper and Pearson's interval, which holds the truth at least so often.

    Parameters
    ----------
    successes : float or ndarray
    trials : float
    level : float, default=0.95

    Returns
    -------
    low, high : float or ndarray
    """
    tail = 0.5 - 0.5 * level
    low = stats.beta.ppf(tail, successes, trials - successes + 1)
    high = stats.beta.ppf(1.0 - tail, successes + 1, trials - successes)
    return np.nan_to_num(low), np.nan_to_num(high, nan=1.0)


def wilson_of_means(means: Floats, *, level: float = LEVEL) -> Rate:
    """Return the mean of shares, one of each target, with an interval.

    The successes of one target depend on each other. The interval is that of as many independent
    trials as would make the mean scatter as much.
    """
    if not len(means):
        return NOTHING
    share = float(means.mean())
    variance = float(means.var(ddof=1)) / len(means) if len(means) > 1 else 0.0
    spread = share * (1 - share)
    trials = spread / variance if variance > 0 else float(len(means))
    rate = wilson(share * trials, trials, level=level)
    return Rate(share, rate.low, rate.high, float(len(means)))


def excess(main: Rate, control: Rate) -> Rate:
    r"""Return the risk :math:`(r_m - r_c) / (1 - r_c)` with its interval.

    The interval combines those of both rates, each by its distance from the rate on the side that
    counts ("MOVER" [1]_). It never leaves out 1 for an attack that always succeeds.

    Parameters
    ----------
    main, control : Rate
        How often an attack on training rows and one on held-out rows succeeds.

    Returns
    -------
    Rate
        The value is 1 for an attack that always succeeds on training rows, 0 if it succeeds as
        often on held-out rows, negative, but not below -1, if it does less often. NaN where the
        control always succeeds.

    References
    ----------
    .. [1] Zou and Donner (2008), "Construction of confidence limits about effect measures: a
       general approach".

    Examples
    --------
    >>> from tabgan.evaluation.intervals import excess, wilson
    >>> excess(wilson(75, 100), wilson(50, 100)).value
    0.5
    """

    def risk(r_main: float, r_control: float) -> float:
        return max((r_main - r_control) / max(1.0 - r_control, 1e-9), -1.0)

    if not (np.isfinite(main.value) and control.value < 1.0):
        return NOTHING
    value = risk(main.value, control.value)
    below = np.hypot(
        value - risk(main.low, control.value), value - risk(main.value, max(control.high, 0.0))
    )
    above = np.hypot(risk(main.high, control.value) - value, risk(main.value, control.low) - value)
    return Rate(value, float(max(value - below, -1.0)), float(min(value + above, 1.0)), main.trials)


def area(of_members: Floats, of_others: Floats) -> Rate:
    """Return the area under the ROC curve of scores, with its interval.

    The variance is DeLong's [1]_; the interval is Wilson's of a rate of that variance, so that it
    stays in [0, 1].

    References
    ----------
    .. [1] DeLong, DeLong and Clarke-Pearson (1988), "Comparing the areas under two or more
       correlated receiver operating characteristic curves: a nonparametric approach".
    """
    m, n = len(of_members), len(of_others)
    ranks = stats.rankdata(np.concatenate([of_members, of_others]))
    beaten = (ranks[:m] - stats.rankdata(of_members)) / n
    beating = 1.0 - (ranks[m:] - stats.rankdata(of_others)) / m
    value = float(beaten.mean())
    variance = beaten.var(ddof=1) / m + beating.var(ddof=1) / n
    # No area of this value scatters more than a rate of min(m, n) trials.
    trials = max(value * (1 - value) / variance if variance > 0 else 0.0, float(min(m, n)))
    rate = wilson(value * trials, trials)
    return Rate(value, rate.low, rate.high, float(m))


def hits_at(of_members: Floats, of_others: Floats, false_rate: float) -> tuple[Rate, Rate]:
    """Count the members whose score is higher than that of nearly all others.

    Parameters
    ----------
    of_members, of_others : ndarray
        Scores of training rows and of held-out rows.
    false_rate : float
        Which share of the others may have a higher score than the threshold. Of n others, no rate
        below ``1 / (n + 1)`` can be told.

    Returns
    -------
    main, control : Rate
        The true-positive rate, and the false-positive rate that is expected of the threshold. The
        threshold is one of the others' scores; its false-positive rate among all rows of the
        source has a beta distribution, from which the control's interval is taken.
    """
    m, n = len(of_members), len(of_others)
    allowed = int(np.floor(false_rate * n + 1e-9))
    threshold = np.sort(of_others)[n - 1 - allowed]
    low, high = stats.beta.ppf([0.5 - LEVEL / 2, 0.5 + LEVEL / 2], allowed + 1, n - allowed)
    control = Rate((allowed + 1) / (n + 1), float(low), float(high), float(n))
    return wilson(int(np.count_nonzero(of_members > threshold)), m), control
