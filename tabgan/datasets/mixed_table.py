"""A table with columns of every kind, whose joint distribution is known exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from tabgan.checks import check, integer, number

_COLOURS = ("red", "green", "blue", "violet")
_COLOUR_RATES = (0.45, 0.34, 0.20, 0.01)
_COLOUR_LENGTHS = np.array([0.0, 3.0, -3.0, 8.0])
# The mean of these factors over the rates of the colours is one.
_COLOUR_MISSING = np.array([0.4, 1.2, 2.0, 1.2])

_SIZES = ("small", "medium", "large")
_SIZE_RATES = (0.2, 0.5, 0.3)
_SIZE_COUNTS = np.array([2.0, 6.0, 12.0])

# An array of two entries below is indexed by `member`: first the others, then the members.
_MEMBER_RATE = 0.3
_CHANNELS = np.array(["web", "shop", "phone"])
_MEMBER_CHANNEL_RATES = np.array([[0.3, 0.6, 0.1], [0.7, 0.2, 0.1]])
_MEMBER_FREE = np.array([0.8, 0.25])
_MEMBER_VISITS = np.array([1.0, 8.0])
_MEMBER_JOINED = np.array(["2022-01-01", "2020-01-01"], dtype="datetime64[ns]")
_JOINED_DAYS = 730


def make_mixed_table(
    n_samples: int = 1000,
    *,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame:
    """Draw a table with columns of every kind, which depend on each other in a known way.

    Rows are independent. In each row ``colour``, ``size`` and ``member`` are drawn independently of
    each other, and the other columns are drawn given these three:

    ============ ================== ===========================================================
    column       dtype              distribution
    ============ ================== ===========================================================
    ``colour``   string             red 45 %, green 34 %, blue 20 %, violet 1 %
    ``size``     ordered category   small 20 % < medium 50 % < large 30 %
    ``member``   bool               true 30 %
    ``channel``  string             members: web 70 %, shop 20 %, phone 10 %;
                                    others: web 30 %, shop 60 %, phone 10 %
    ``length``   float64            normal, standard deviation 1, mean by colour: red 0, green 3,
                                    blue -3, violet 8
    ``count``    int64              Poisson, mean by size: small 2, medium 6, large 12
    ``price``    float64, in cents  zero for 25 % of the members and 80 % of the others; else
                                    exp of a normal of mean 3 and standard deviation 0.5
    ``visits``   Int64 (nullable)   1 + Poisson, whose mean is 8 for members and 1 for others
    ``joined``   datetime64[ns]     uniform over 730 days, which start on 2020-01-01 for members
                                    and on 2022-01-01 for others
    ``bought``   category           yes with probability 1 / (1 + exp(-t)), else no, where
                                    t = length / 2 + 2 * member - 1
    ============ ================== ===========================================================

    With ``missing`` above zero, values of ``size``, ``channel``, ``length``, ``visits`` and
    ``joined`` are missing at random given the colour: each with probability ``missing`` times 0.4
    (red), 1.2 (green), 2 (blue) or 1.2 (violet). The first three columns lose values independently
    of each other; ``visits`` and ``joined`` lose values in the same rows. ``bought`` depends on the
    length that was drawn, also where that length is missing.

    Parameters
    ----------
    n_samples : int, default=1000
        The number of rows.
    missing : float in [0, 0.5], default=0.0
        The expected share of missing values in each of the five columns that can have them.
    random_state : int, RandomState instance or None, default=None
        The same integer gives the same table, and the same values at every rate of ``missing``.

    Returns
    -------
    table : DataFrame of shape (n_samples, 10)

    Raises
    ------
    ValueError
        An argument is outside its range.

    Examples
    --------
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(2000, random_state=0)
    >>> table.groupby("colour")["length"].mean().round().to_dict()
    {'blue': -3.0, 'green': 3.0, 'red': 0.0, 'violet': 8.0}
    """
    check("n_samples", n_samples, integer(1))
    check("missing", missing, number(0.0, 0.5))

    rng = check_random_state(random_state)
    colour = rng.choice(len(_COLOURS), n_samples, p=_COLOUR_RATES)
    size = rng.choice(len(_SIZES), n_samples, p=_SIZE_RATES)
    member = (rng.uniform(size=n_samples) < _MEMBER_RATE).astype(int)
    channel = _draw_rows(rng, _MEMBER_CHANNEL_RATES[member])
    length = rng.normal(_COLOUR_LENGTHS[colour])
    count = rng.poisson(_SIZE_COUNTS[size])
    price = np.exp(rng.normal(3.0, 0.5, n_samples)).round(2)
    price[rng.uniform(size=n_samples) < _MEMBER_FREE[member]] = 0.0
    visits = 1 + rng.poisson(_MEMBER_VISITS[member])
    days = rng.randint(_JOINED_DAYS, size=n_samples).astype("timedelta64[D]")
    logit = length / 2.0 + 2.0 * member - 1.0
    bought = rng.uniform(size=n_samples) < 1.0 / (1.0 + np.exp(-logit))

    table = pd.DataFrame(
        {
            "colour": np.array(_COLOURS)[colour],
            "size": pd.Categorical.from_codes(size, categories=_SIZES, ordered=True),
            "member": member.astype(bool),
            "channel": _CHANNELS[channel],
            "length": length,
            "count": count,
            "price": price,
            "visits": pd.array(visits, dtype="Int64"),
            "joined": _MEMBER_JOINED[member] + days,
            "bought": pd.Categorical.from_codes(bought.astype(int), categories=["no", "yes"]),
        }
    )
    for names in (["size"], ["channel"], ["length"], ["visits", "joined"]):
        hidden = rng.uniform(size=n_samples) < missing * _COLOUR_MISSING[colour]
        table.loc[hidden, names] = None
    return table


def _draw_rows(rng: np.random.RandomState, rates: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw one index for each row of a table of probabilities of shape (n, k)."""
    draws = rng.uniform(size=(len(rates), 1))
    return (draws >= rates.cumsum(axis=1)[:, :-1]).sum(axis=1)
