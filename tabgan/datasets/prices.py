"""Daily prices of one share: one long series that keeps rules within each day."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from tabgan.checks import check, integer

FIRST_PRICE, FIRST_DAY = 100.0, "2015-01-02"
MEAN_DEVIATION, SHOCK, MEMORY = 0.012, 0.1, 0.87
"""Standard deviation of a day's log-return, and the weights of the day before in its variance."""


def make_prices(
    n_days: int = 2000, *, random_state: int | np.random.RandomState | None = None
) -> pd.DataFrame:
    r"""Draw the daily prices of one share: a geometric random walk whose volatility clusters.

    The log-return of day t is :math:`r_t = \sigma_t \varepsilon_t`, and the variance follows a
    GARCH(1, 1) process [1]_: :math:`\sigma_t^2 = (1 - 0.1 - 0.87) \, 0.012^2 + 0.1 \, r_{t-1}^2 +
    0.87 \, \sigma_{t-1}^2`. A day opens near the close of the day before. Its high lies above open
    and close, and its low below both, by shares of the price in proportion to :math:`\sigma_t`.
    More is traded on days of large returns, and after days on which much was traded.

    Parameters
    ----------
    n_days : int >= 1, default=2000
        Number of business days.
    random_state : int, RandomState instance or None, default=None
        The same integer gives the same table.

    Returns
    -------
    prices : DataFrame of shape (n_days, 6)
        The columns ``date``, ``open``, ``high``, ``low`` and ``close`` (in cents), and ``volume``
        (int64). In every row ``low <= open <= high`` and ``low <= close <= high``.

    Raises
    ------
    ValueError
        `n_days` is out of range.

    References
    ----------
    .. [1] Bollerslev (1986), "Generalized Autoregressive Conditional Heteroskedasticity", Journal
       of Econometrics 31, equation 1.

    Examples
    --------
    >>> from tabgan.datasets import make_prices
    >>> prices = make_prices(300, random_state=0)
    >>> list(prices)
    ['date', 'open', 'high', 'low', 'close', 'volume']
    >>> bool((prices["low"] <= prices["close"]).all())
    True
    """
    check("n_days", n_days, integer(1))
    rng = check_random_state(random_state)
    normal = rng.standard_normal((n_days, 5))
    deviation, returns = np.empty(n_days), np.empty(n_days)
    variance = MEAN_DEVIATION**2
    for day in range(n_days):
        deviation[day] = np.sqrt(variance)
        returns[day] = deviation[day] * normal[day, 0]
        variance = (1 - SHOCK - MEMORY) * MEAN_DEVIATION**2
        variance += SHOCK * returns[day] ** 2 + MEMORY * deviation[day] ** 2
    close = FIRST_PRICE * np.exp(returns.cumsum())
    before = np.r_[FIRST_PRICE, close[:-1]]
    opened = before * np.exp(0.3 * deviation * normal[:, 1])
    above, below = 0.5 * deviation * np.abs(normal[:, 2:4]).T
    high = np.maximum(opened, close) * np.exp(above)
    low = np.minimum(opened, close) * np.exp(-below)
    traded = np.zeros(n_days)
    for day in range(n_days):
        traded[day] = 0.7 * traded[max(0, day - 1)] + 0.2 * normal[day, 4]
    traded += 0.3 * np.abs(returns) / MEAN_DEVIATION
    return pd.DataFrame(
        {
            "date": pd.bdate_range(FIRST_DAY, periods=n_days),
            "open": opened.round(2),
            "high": high.round(2),
            "low": low.round(2),
            "close": close.round(2),
            "volume": (1e5 * np.exp(traded)).round().astype(np.int64),
        }
    )
