"""The curator of rows: whoever asks gets noisy answers, and each answer is paid for.

Everything that a private model knows of its training rows passes through the mechanisms of
`Curator`. The rows cannot be reached in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from tabgan.private.accounting import (
    epsilon_of,
    gaussian_sigma,
    selection_epsilon,
    threshold,
)
from tabgan.private.noise import Noise
from tabgan.table.dtypes import as_objects
from tabgan.table.inference import categories_of

SPARE = 1e-9
"""Share by which sums of rounded parts may seem to exceed a budget."""


class Spent(NamedTuple):
    """One mechanism that was run.

    Attributes
    ----------
    mechanism : str
    what : str
        What was asked, in words that do not depend on the rows.
    rho : float >= 0
    delta : float >= 0
    """

    mechanism: str
    what: str
    rho: float
    delta: float


class BudgetError(RuntimeError):
    """A mechanism would have cost more than what is left; nothing was answered."""


class Budget:
    """What mechanisms may cost together, and a ledger of what they did cost.

    The sums of rho and of delta over adaptively chosen mechanisms are those of approximate zCDP
    (Bun and Steinke, 2016, section 8). The whole is ``(epsilon_of(rho, rest), delta)``
    differentially private, where `rest` is what named values leave of delta.

    Parameters
    ----------
    rho : float > 0
    delta : float >= 0
        For the naming of values alone.
    """

    def __init__(self, rho: float, delta: float) -> None:
        self.rho, self.delta = rho, delta
        self.ledger: list[Spent] = []

    @property
    def left(self) -> float:
        """The rho that is left."""
        return max(0.0, self.rho - sum(entry.rho for entry in self.ledger))

    def spend(self, entry: Spent) -> None:
        """Enter a mechanism into the ledger, before it looks at rows.

        Raises
        ------
        BudgetError
            The mechanism would cost more than what is left.
        """
        rho = sum(each.rho for each in self.ledger) + entry.rho
        delta = sum(each.delta for each in self.ledger) + entry.delta
        if not entry.rho > 0 or rho > self.rho * (1 + SPARE) or delta > self.delta * (1 + SPARE):
            raise BudgetError(
                f"{entry.mechanism} of {entry.what} costs rho = {entry.rho:g} and delta = "
                f"{entry.delta:g}, and {self.left:g} is left of rho = {self.rho:g}."
            )
        self.ledger.append(entry)


@dataclass(frozen=True)
class NoisyCounts:
    """Counts with discrete Gaussian noise.

    Attributes
    ----------
    values : ndarray of shape (m,), int64
        They may be negative.
    sigma : float
        Standard deviation of the noise of each count.
    """

    values: NDArray[np.int64]
    sigma: float


class Curator:
    """Holds rows, and answers by mechanisms alone.

    Two tables are neighbours if one has one row more than the other. All functions that are passed
    here must map each row by itself, so that neighbouring tables stay neighbours.

    Parameters
    ----------
    frame : DataFrame of n rows
    budget : Budget
    noise : Noise
    """

    def __init__(self, frame: pd.DataFrame, budget: Budget, noise: Noise) -> None:
        self.__frame, self.budget, self.__noise = frame, budget, noise
        self.dtypes = frame.dtypes

    def __reduce__(self) -> Any:
        raise TypeError("rows with their curator are never written")

    # ------------------------------------------------------------------ columns

    def count(
        self,
        name: Any,
        cell: Callable[[pd.Series], NDArray[np.int64]],
        n_cells: int,
        rho: float,
        what: str,
    ) -> NoisyCounts:
        """Count the values of a column in disjoint cells, with the Gaussian mechanism.

        Parameters
        ----------
        name : hashable
            Label of the column.
        cell : callable, Series of n values -> ndarray of shape (n,), int64
            The cell of each value, which depends on that value alone; negative for no cell.
        n_cells : int
        rho : float > 0
            What the answer costs.
        what : str
            What is counted, for the ledger.

        Returns
        -------
        NoisyCounts of n_cells counts
        """
        self.budget.spend(Spent("Gaussian", what, rho, 0.0))
        cells = cell(self.__frame[name])
        return self._noisy(np.bincount(cells[cells >= 0], minlength=n_cells), rho)

    def common_values(
        self, name: Any, rho: float, delta: float, what: str
    ) -> tuple[list[Any], NoisyCounts]:
        """Name the values of a column whose noisy counts reach a threshold, and count missing ones.

        A stability-based histogram [1]_: the noise is added to the counts of the values that occur.
        A value of one row is named with a probability of `delta` at most.

        Parameters
        ----------
        name : hashable
            Label of the column.
        rho : float > 0
        delta : float > 0
            What the answer costs.
        what : str

        Returns
        -------
        values : list
            Sorted by their texts, so that their order says nothing more.
        counts : NoisyCounts
            Of these values, and of missing values at the end.

        References
        ----------
        .. [1] Korolova et al. (2009), "Releasing Search Queries and Clicks Privately"; Bun, Nissim
           and Stemmer (2016), "Simultaneous Private Learning of Multiple Concepts".
        """
        self.budget.spend(Spent("Gaussian, above a threshold", what, rho, delta))
        column = self.__frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.cat.remove_unused_categories()
            codes, distinct = column.cat.codes.to_numpy(), column.cat.categories
        else:
            codes, distinct = categories_of(column, name, "X")
        held = as_objects(distinct)
        # The missing value is public: it is counted whether it occurs or not.
        counts = np.r_[np.bincount(codes[codes >= 0], minlength=len(held)), (codes < 0).sum()]
        noisy = self._noisy(counts, rho)
        named = np.flatnonzero(noisy.values[:-1] >= threshold(noisy.sigma, delta))
        order = sorted(named.tolist(), key=lambda i: (type(held[i]).__name__, str(held[i])))
        return [held[i] for i in order], NoisyCounts(noisy.values[[*order, -1]], noisy.sigma)

    def _noisy(self, counts: NDArray[np.int64], rho: float) -> NoisyCounts:
        sigma = gaussian_sigma(rho)
        drawn = self.__noise.gaussian(sigma, len(counts)) if len(counts) else counts
        return NoisyCounts(counts.astype(np.int64) + drawn, sigma)

    # ------------------------------------------------------------------ pairs of columns

    def encode(self, encode: Callable[[pd.DataFrame], NDArray[np.int64]], places: Places) -> None:
        """Count, out of sight, the pairs of levels of all pairs of blocks.

        Parameters
        ----------
        encode : callable, DataFrame of n rows -> ndarray of shape (n, n_blocks), int64
            The level of each block; negative where it is unknown.
        places : Places
            Where the levels of each block lie.
        """
        codes = encode(self.__frame)
        self.__places = places
        n, known = len(codes), codes >= 0
        at = (codes + np.asarray(places.starts))[known]
        rows = np.broadcast_to(np.arange(n)[:, None], codes.shape)[known]
        hot = csr_matrix((np.ones(len(at), dtype=np.int64), (rows, at)), (n, places.width))
        self.__joint = np.asarray((hot.T @ hot).todense())
        del self.__frame

    def marginal(self, block: int, rho: float, what: str) -> NoisyCounts:
        """Count the levels of one block, with the Gaussian mechanism."""
        self.budget.spend(Spent("Gaussian", what, rho, 0.0))
        part = self.__places.of(block)
        return self._noisy(np.diagonal(self.__joint)[part], rho)

    def pair(self, one: int, other: int, rho: float, what: str) -> NoisyCounts:
        """Count the pairs of levels of two blocks, with the Gaussian mechanism.

        Returns
        -------
        NoisyCounts
            The counts of the levels of `other` for the first level of `one`, then for its second
            level, and so on.
        """
        self.budget.spend(Spent("Gaussian", what, rho, 0.0))
        counts = self.__joint[self.__places.of(one), self.__places.of(other)]
        return self._noisy(counts.ravel(), rho)

    def worst_pair(
        self,
        candidates: Sequence[tuple[int, int]],
        predicted: NDArray[np.float64],
        penalties: NDArray[np.float64],
        rho: float,
        what: str,
    ) -> int:
        """Select the pair of blocks whose counts are predicted worst, by the exponential mechanism.

        The score of a pair is the L1 distance of its counts from the predicted ones, less a penalty
        [1]_. One row changes one count of each pair by one, so that the sensitivity of each score
        is one.

        Parameters
        ----------
        candidates : sequence of m pairs of blocks
        predicted : ndarray of shape (width, width)
            The predicted counts, which depend on earlier answers alone.
        penalties : ndarray of shape (m,)
            As `predicted`.
        rho : float > 0
        what : str

        Returns
        -------
        int
            Position in `candidates`.

        References
        ----------
        .. [1] McKenna et al. (2022), "AIM: An Adaptive and Iterative Mechanism for Differentially
           Private Synthetic Data", arXiv 2201.12677, Algorithm 2 and equation 1.
        """
        self.budget.spend(Spent("exponential", what, rho, 0.0))
        places = self.__places
        error = np.abs(self.__joint - predicted)
        by_block = np.add.reduceat(error[places.order], places.sorted_starts, axis=0)
        by_block = np.add.reduceat(by_block[:, places.order], places.sorted_starts, axis=1)
        rank = places.rank
        scores = np.array([by_block[rank[i], rank[j]] for i, j in candidates]) - penalties
        return self.__noise.choose(scores, selection_epsilon(rho) / 2)


@dataclass(frozen=True)
class Places:
    """Where the levels of each block lie among those of all blocks.

    Attributes
    ----------
    starts, n_levels : tuple of int
        Of each block.
    width : int
        Number of places; some belong to no block.
    """

    starts: tuple[int, ...]
    n_levels: tuple[int, ...]
    width: int

    def of(self, block: int) -> slice:
        """Return the places of a block."""
        return slice(self.starts[block], self.starts[block] + self.n_levels[block])

    @property
    def order(self) -> NDArray[np.int64]:
        """All places that belong to blocks, one block after the other as they lie."""
        blocks = np.argsort(self.starts)
        return np.concatenate([np.arange(self.width)[self.of(int(block))] for block in blocks])

    @property
    def sorted_starts(self) -> NDArray[np.int64]:
        """Where each block begins in `order`."""
        sizes = np.array(self.n_levels)[np.argsort(self.starts)]
        return np.cumsum(sizes) - sizes

    @property
    def rank(self) -> NDArray[np.int64]:
        """The place of each block among the blocks as they lie."""
        return np.argsort(np.argsort(self.starts))


def total_epsilon(ledger: Sequence[Spent], delta: float) -> float:
    """Return the epsilon of all mechanisms of a ledger together.

    Parameters
    ----------
    ledger : sequence of Spent
    delta : float
        What the naming of values leaves of it, beyond which epsilon need not hold.

    Returns
    -------
    float
    """
    rest = delta - sum(entry.delta for entry in ledger)
    return epsilon_of(sum(entry.rho for entry in ledger), rest)
