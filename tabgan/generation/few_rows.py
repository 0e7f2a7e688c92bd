"""Whether synthetic rows help a classifier that has very few real rows of each class."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

N_MADE, N_DRAWS, MOST_TESTED = 50, 4, 2_000
"""Synthetic rows of a class, draws of the real rows, and most rows that are classified."""

Vary = Callable[[NDArray[np.int64], float, int], NDArray[np.float64]]
"""Function of positions of rows, a strength and a seed, that returns one new row from each row."""


def few_row_gains(
    rows: NDArray[np.float64],
    classes: NDArray[np.int64],
    vary: Vary,
    n_rows: int,
    strengths: Sequence[float],
    seed: int,
) -> NDArray[np.float64]:
    """Measure what synthetic rows add to the accuracy of a classifier with few real rows.

    A logistic regression learns the classes from `n_rows` real rows of each, and from synthetic
    rows made from those. It then classifies the other rows. Another one learns from copies in place
    of the synthetic rows: copies weaken the penalty on its weights as much, and add nothing else.
    Each draw of the real rows gives one gain in balanced accuracy for each strength.

    Parameters
    ----------
    rows : ndarray of shape (n, width)
        Encoded rows.
    classes : ndarray of shape (n,)
        Class number of each row. Classes with fewer than twice `n_rows` rows are left out.
    vary : callable, (positions, strength, seed) -> ndarray
    n_rows : int >= 1
        Real rows of each class.
    strengths : sequence of float
    seed : int
        Draws the real rows.

    Returns
    -------
    ndarray of shape (N_DRAWS, n_strengths)
        With fewer than two classes there are no draws, and the first length is 0.

    Examples
    --------
    Copies add nothing:

    >>> import numpy as np
    >>> from tabgan.generation.few_rows import few_row_gains
    >>> classes = np.repeat([0, 1], 30)
    >>> rows = np.random.default_rng(0).normal(size=(60, 2)) + 4.0 * classes[:, None]
    >>> gains = few_row_gains(rows, classes, lambda index, *_: rows[index], 5, [1.0], seed=0)
    >>> gains.ravel().tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    numbers, counts = np.unique(classes, return_counts=True)
    numbers = numbers[counts >= 2 * n_rows]
    rng = np.random.default_rng(seed)
    gains = []
    for draw in range(N_DRAWS if len(numbers) > 1 else 0):
        few, tested = [], []
        for number in numbers:
            order = rng.permutation(np.flatnonzero(classes == number))
            few.append(order[:n_rows])
            tested.append(order[n_rows:][: MOST_TESTED // len(numbers)])
        known, others = np.concatenate(few), np.concatenate(tested)
        sources = np.concatenate([np.resize(each, N_MADE) for each in few])
        told = rows[others], classes[others]
        y = np.concatenate([classes[known], classes[sources]])
        copies = _accuracy(np.concatenate([rows[known], rows[sources]]), y, *told)
        gains.append(
            [
                _accuracy(np.concatenate([rows[known], vary(sources, each, draw)]), y, *told)
                - copies
                for each in strengths
            ]
        )
    return np.array(gains).reshape(-1, len(strengths))


def _accuracy(
    X: NDArray[np.float64],
    y: NDArray[np.int64],
    tested: NDArray[np.float64],
    truth: NDArray[np.int64],
) -> float:
    """Fit a logistic regression, and return its balanced accuracy on other rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        learner = LogisticRegression(max_iter=200).fit(X, y)
    return float(balanced_accuracy_score(truth, learner.predict(tested)))
