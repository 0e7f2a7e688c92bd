"""The accountant: zero-concentrated differential privacy, and what it means as epsilon and delta.

Mechanisms are accounted for in rho of zero-concentrated differential privacy (zCDP) [1]_. The rho
of several mechanisms on the same rows is the sum of theirs, also if a later mechanism depends on
the results of earlier ones.

References
----------
.. [1] Bun and Steinke (2016), "Concentrated Differential Privacy: Simplifications, Extensions, and
   Lower Bounds", arXiv 1605.02065.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import log_ndtr, ndtri_exp

N_HALVINGS = 200
"""Halvings of an interval, after which bisection has used up the digits of a float."""


def delta_of(rho: float, epsilon: float) -> float:
    """Return the least delta that is known to go with an epsilon under rho-zCDP.

    A mechanism of rho-zCDP has, for every alpha > 1, ``(epsilon, delta)`` differential privacy with
    ``delta = exp((alpha - 1) (alpha rho - epsilon)) / (alpha - 1) * (1 - 1 / alpha) ** alpha``
    [1]_. The least of these is found by bisection on the derivative of their logarithm.

    Parameters
    ----------
    rho : float >= 0
    epsilon : float >= 0

    Returns
    -------
    float in [0, 1]

    References
    ----------
    .. [1] Canonne, Kamath and Steinke (2020), "The Discrete Gaussian for Differential Privacy",
       arXiv 2004.00010, Proposition 12.

    Examples
    --------
    >>> from tabgan.private.accounting import delta_of
    >>> delta_of(0.0, 1.0)
    0.0
    >>> delta_of(0.1, 1.0) > delta_of(0.1, 2.0)
    True
    """
    if rho == 0:
        return 0.0

    # In terms of t = alpha - 1, the derivative of the logarithm is
    # (2 t + 1) rho - epsilon + log(t / (1 + t)), which rises with t.
    def falls(log_t: float) -> bool:
        t = math.exp(log_t)
        return (2 * t + 1) * rho - epsilon + math.log(t / (1 + t)) < 0

    t = math.exp(_bisected(math.log(1e-30), math.log((epsilon + 1.0) / rho + 2.0), falls)[1])
    # (1 - 1 / alpha) ** alpha / (alpha - 1) = t ** t / (1 + t) ** (1 + t)
    log_delta = t * ((t + 1) * rho - epsilon) + t * math.log(t) - (1 + t) * math.log1p(t)
    return math.exp(min(0.0, log_delta))


def epsilon_of(rho: float, delta: float) -> float:
    """Return the least epsilon that is known to go with a delta under rho-zCDP.

    Parameters
    ----------
    rho : float >= 0
    delta : float in (0, 1)

    Returns
    -------
    float >= 0
        Rounded up by bisection, never down.

    Examples
    --------
    >>> from tabgan.private.accounting import epsilon_of
    >>> round(epsilon_of(0.02, 1e-6), 1)
    0.9
    """
    if delta_of(rho, 0.0) <= delta:
        return 0.0
    # Proposition 1.3 of Bun and Steinke (2016) is an upper bound.
    most = rho + 2 * math.sqrt(rho * math.log(1 / delta))
    return _bisected(0.0, most, lambda epsilon: delta_of(rho, epsilon) > delta)[1]


def rho_of(epsilon: float, delta: float) -> float:
    """Return the largest rho whose zCDP is known to give an epsilon and a delta.

    Parameters
    ----------
    epsilon : float > 0
    delta : float in (0, 1)

    Returns
    -------
    float > 0
        Rounded down by bisection, never up.

    Examples
    --------
    >>> from tabgan.private.accounting import epsilon_of, rho_of
    >>> rho = rho_of(1.0, 1e-6)
    >>> round(epsilon_of(rho, 1e-6), 9)
    1.0
    """
    # With rho = epsilon, the mean privacy loss alone is epsilon.
    return _bisected(0.0, epsilon + 1.0, lambda rho: delta_of(rho, epsilon) <= delta)[0]


def _bisected(low: float, high: float, is_low: Callable[[float], bool]) -> tuple[float, float]:
    """Return the ends of the interval in which numbers cease to be low, halved `N_HALVINGS` times.

    Parameters
    ----------
    low, high : float
        A number that is low, and one that is not.
    is_low : callable, float -> bool
        Says which half holds the place.

    Returns
    -------
    low, high : float
        The last number found to be low, and the last one found not to be.
    """
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        if is_low(middle):
            low = middle
        else:
            high = middle
    return low, high


def gaussian_sigma(rho: float) -> float:
    """Return the standard deviation of Gaussian noise on counts that costs rho [1]_.

    One row changes one of the counts by one, so that their L2 sensitivity is one.

    Parameters
    ----------
    rho : float > 0

    Returns
    -------
    float > 0
        ``sqrt(1 / (2 rho))``.

    References
    ----------
    .. [1] Canonne, Kamath and Steinke (2020), arXiv 2004.00010, Theorem 4.
    """
    return math.sqrt(1.0 / (2.0 * rho))


def selection_epsilon(rho: float) -> float:
    """Return the epsilon of an exponential mechanism that costs rho [1]_.

    Parameters
    ----------
    rho : float > 0

    Returns
    -------
    float > 0
        ``sqrt(8 rho)``: an exponential mechanism has a bounded range of losses, and is of
        ``epsilon ** 2 / 8``-zCDP.

    References
    ----------
    .. [1] Cesar and Rogers (2021), "Bounding, Concentrating, and Truncating: Unifying Privacy Loss
       Composition for Data Analytics", arXiv 2004.07223, Lemma 3.4.
    """
    return math.sqrt(8.0 * rho)


def threshold(sigma: float, delta: float) -> int:
    """Return the noisy count from which a value may be named that nobody has to have.

    A value that one row alone holds has the count 1. Its noisy count reaches the threshold with a
    probability of `delta` at most. The tail of the discrete Gaussian is bounded by that of the
    continuous one: ``P(noise >= m) <= P(N(0, sigma^2) >= m - 1)`` for integers m [1]_.

    Parameters
    ----------
    sigma : float > 0
    delta : float in (0, 1)

    Returns
    -------
    int >= 2

    References
    ----------
    .. [1] Canonne, Kamath and Steinke (2020), arXiv 2004.00010, Proposition 25.

    Examples
    --------
    >>> from tabgan.private.accounting import threshold
    >>> threshold(10.0, 1e-6)
    50
    """
    above = -sigma * float(ndtri_exp(math.log(delta)))
    distance = max(0, math.ceil(above)) + 1
    assert log_ndtr(-(distance - 1) / sigma) <= math.log(delta) + 1e-9
    return 1 + distance
