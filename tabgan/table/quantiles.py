"""The marginal distribution of one numeric column, with the values that have mass of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_INTERVALS = 512
"""Most intervals that summarise the values which are not atoms."""

ATOM_RATE = 2e-4
"""Least share of the rows that a repeated value needs to be an atom."""

ROWS_PER_ATOM = 10
"""Mean number of rows per value from which on every value is an atom, also a rare one.

A column of so few values holds whole counts or codes, and values in between do not occur.
"""


@dataclass(frozen=True, eq=False)
class QuantileTable:
    """The distribution of a column, as sorted segments of known probability mass.

    A segment whose ends are equal is an *atom*: a value with mass of its own, such as a capital
    gain of zero or a week of 40 hours. Any other segment is an interval in which values are spread
    evenly. Segments do not overlap. The rank of a value, in [0, 1], is the probability mass below
    that value; ranks and values map to each other, and ranks are evenly distributed.

    Parameters
    ----------
    mass : ndarray of shape (m,)
        Probability of each segment; sums to one.
    low, high : ndarray of shape (m,)
        Ends of each segment, ``low <= high``.
    """

    mass: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not len(self.mass) or not len(self.mass) == len(self.low) == len(self.high):
            raise ValueError("A quantile table needs mass, low and high of one length >= 1.")

    @classmethod
    def from_values(cls, values: NDArray[Any]) -> QuantileTable:
        """Summarise values.

        Values that repeat often enough (`ATOM_RATE`, `ROWS_PER_ATOM`) become atoms. The values
        between two atoms form a run, and each run is cut into intervals of about equal mass, at
        most about `MAX_INTERVALS` over the whole column.

        Parameters
        ----------
        values : ndarray of shape (n,), n >= 1
            Finite numbers.

        Returns
        -------
        QuantileTable

        Examples
        --------
        >>> import numpy as np
        >>> from tabgan.table.quantiles import QuantileTable
        >>> table = QuantileTable.from_values(np.array([0.0, 0.0, 1.0, 3.0]))
        >>> table.low.tolist(), table.high.tolist(), table.mass.tolist()
        ([0.0, 1.0, 3.0], [0.0, 3.0, 3.0], [0.5, 0.25, 0.25])
        >>> table.values(np.array([0.2, 0.5, 0.625])).tolist()
        [0.0, 1.0, 2.0]
        """
        unique, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
        n = counts.sum()
        is_atom = repeats_often(unique, counts)
        # A run is a stretch of neighbouring values of which none is an atom.
        run = np.cumsum(is_atom | np.r_[True, is_atom[:-1]])
        position = np.cumsum(np.where(is_atom, 0, counts)) - counts
        per_interval = max(1, int(np.ceil(np.where(is_atom, 0, counts).sum() / MAX_INTERVALS)))
        chunk = np.where(is_atom, 0, position // per_interval)
        starts = np.flatnonzero(np.r_[True, (np.diff(run) != 0) | (np.diff(chunk) != 0)])
        mass = np.add.reduceat(counts, starts) / n
        last = np.r_[starts[1:] - 1, len(unique) - 1]
        # An interval ends where the next of its run begins, so that values between any two
        # training values can come out.
        next_start = np.r_[starts[1:], len(unique) - 1]
        touches = run[next_start] == run[starts]
        high = unique[np.where(touches, next_start, last)]
        return cls(mass, unique[starts], high)

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        return len(self.mass)

    @property
    def is_atom(self) -> NDArray[np.bool_]:
        """Which segments are atoms, shape (m,)."""
        return self.low == self.high

    def without(self, dropped: NDArray[np.bool_]) -> QuantileTable | None:
        """Leave out some segments and scale the mass of the others to one.

        Parameters
        ----------
        dropped : ndarray of shape (m,), bool

        Returns
        -------
        QuantileTable or None
            None if every segment is dropped.
        """
        if dropped.all():
            return None
        kept = ~dropped
        return QuantileTable(
            self.mass[kept] / self.mass[kept].sum(), self.low[kept], self.high[kept]
        )

    def nearest(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Move values that lie in no segment to the nearest end of one, the upper of two.

        Parameters
        ----------
        values : ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (n,)

        Examples
        --------
        >>> import numpy as np
        >>> from tabgan.table.quantiles import QuantileTable
        >>> table = QuantileTable(np.array([0.5, 0.5]), np.array([0.0, 4.0]), np.array([0.0, 9.0]))
        >>> table.nearest(np.array([-1.0, 1.0, 2.0, 5.0])).tolist()
        [0.0, 0.0, 4.0, 5.0]
        """
        values = np.clip(values, self.low[0], self.high[-1])
        segment = np.searchsorted(self.low, values, side="right") - 1
        below, above = self.high[segment], self.low[np.minimum(segment + 1, self.n_segments - 1)]
        is_nearer_above = above / 2 - values / 2 <= values / 2 - below / 2
        return np.where(values <= below, values, np.where(is_nearer_above, above, below))

    @property
    def _scale(self) -> float:
        """Factor that makes the width of the range finite: one half for the widest, else one."""
        with np.errstate(over="ignore"):
            return 1.0 if np.isfinite(self.high[-1] - self.low[0]) else 0.5

    def values(self, ranks: NDArray[Any]) -> NDArray[np.float64]:
        """Map ranks in [0, 1] to values, shape (n,) to (n,)."""
        edges = np.r_[0.0, np.cumsum(self.mass)]
        ranks = np.clip(ranks, 0.0, 1.0)
        segment = np.clip(np.searchsorted(edges, ranks, side="right") - 1, 0, self.n_segments - 1)
        share = np.clip((ranks - edges[segment]) / self.mass[segment], 0.0, 1.0)
        low, high = self.low[segment] * self._scale, self.high[segment] * self._scale
        return (low + (high - low) * share) / self._scale

    def ranks(
        self, values: NDArray[Any], rng: np.random.Generator | None = None
    ) -> NDArray[np.float64]:
        """Map values to ranks in [0, 1].

        The rank of an atom is drawn evenly from the stretch of ranks that its mass takes, so that
        the ranks of many rows are evenly distributed. Without `rng` it is the middle of that
        stretch. Values outside the range of the table take the rank of the nearest end.

        Parameters
        ----------
        values : ndarray of shape (n,)
        rng : numpy Generator, optional

        Returns
        -------
        ndarray of shape (n,)
        """
        edges = np.r_[0.0, np.cumsum(self.mass)]
        values = np.clip(values, self.low[0], self.high[-1])
        # Of two segments that touch, the later one owns the common end.
        segment = np.searchsorted(self.low, values, side="right") - 1
        low, high = self.low[segment] * self._scale, self.high[segment] * self._scale
        in_atom = uniform(len(values), rng)
        width = high - low
        inside = np.divide(values * self._scale - low, width, out=in_atom, where=width > 0)
        # Below one, so that a segment's upper end does not become the next segment's lower end.
        return edges[segment] + np.clip(inside, 0.0, 1.0 - 1e-9) * self.mass[segment]

    def below(self, values: NDArray[Any], inclusive: bool) -> NDArray[np.float64]:
        """Compute the probability mass below values.

        Parameters
        ----------
        values : ndarray of shape (n,)
        inclusive : bool
            Whether the mass of an atom at the value itself counts.

        Returns
        -------
        ndarray of shape (n,), in [0, 1]
        """
        edges = np.r_[0.0, np.cumsum(self.mass)]
        edges[-1] = 1.0
        values = np.asarray(values, dtype=np.float64)
        # The segments before `segment` end below the value, or at it.
        segment = np.searchsorted(self.high, values, side="right" if inclusive else "left")
        inside = np.minimum(segment, self.n_segments - 1)
        low, high = self.low[inside] * self._scale, self.high[inside] * self._scale
        width = high - low
        part = np.divide(
            values * self._scale - low, width, out=np.zeros(len(values)), where=width > 0
        )
        partly = edges[segment] + np.clip(part, 0.0, 1.0) * self.mass[inside]
        return np.where(segment < self.n_segments, partly, 1.0)


def repeats_often(unique: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which of the distinct values of a column are atoms (`ATOM_RATE`, `ROWS_PER_ATOM`).

    Parameters
    ----------
    unique, counts : ndarray of shape (m,)
        The distinct values, and how many rows hold each.

    Returns
    -------
    ndarray of shape (m,), bool
    """
    n = counts.sum()
    if len(unique) == 1 or len(unique) <= min(MAX_INTERVALS, n / ROWS_PER_ATOM):
        return np.ones(len(unique), dtype=bool)
    return counts >= max(2, n * ATOM_RATE)


def uniform(n: int, rng: np.random.Generator | None) -> NDArray[np.float64]:
    """Draw `n` numbers evenly from [0, 1); without `rng` all are one half."""
    return np.full(n, 0.5) if rng is None else rng.random(n)


def uniform_within(
    groups: NDArray[np.int64], rng: np.random.Generator | None
) -> NDArray[np.float64]:
    """Stratified draws from [0, 1): the rows of a group draw from equal strata, one row from each.

    Rows of one group cover the interval more evenly than independent draws would, which lowers the
    variance of what is computed from them. The rows of a group are put into a random order, and the
    row at place j of k draws from [j / k, (j + 1) / k).

    Parameters
    ----------
    groups : ndarray of shape (n,), int64
        The group of each row, counted from 0.
    rng : numpy Generator or None
        Without a generator all numbers are one half.

    Returns
    -------
    ndarray of shape (n,)
    """
    n = len(groups)
    if rng is None or n == 0:
        return uniform(n, rng)
    counts = np.bincount(groups)
    order = np.lexsort((rng.random(n), groups))
    place = np.empty(n)
    place[order] = np.arange(n) - (np.cumsum(counts) - counts)[groups[order]]
    return (place + rng.random(n)) / counts[groups]
