"""Rows as points of a space of numbers and categories, and their nearest neighbours, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tabgan.evaluation.columns import Column

_CHUNK_ELEMENTS = 2**19  # pairs of rows at a time; few enough to stay in a processor's cache
_ROUNDING = 1e-9
_SAME = 1e-12  # of half the squared distances, whose rounding is smaller

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Points:
    """Rows of a table: squared distance = |difference of numbers|² + number of differing codes.

    Attributes
    ----------
    numbers : ndarray of shape (n_rows, n_numbers)
    codes : ndarray of unsigned integers, shape (n_categories, n_rows)
        One line for each column of categories, 0 where missing.
    """

    numbers: Floats
    codes: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: Rows) -> Points:
        """Return the points at some positions."""
        return Points(self.numbers[rows], self.codes[:, rows])

    def joined(self, others: Points) -> Points:
        """Return the points of both."""
        return Points(
            np.concatenate([self.numbers, others.numbers]),
            np.concatenate([self.codes, others.codes], axis=1),
        )


def draw_rows(n_rows: int, n_drawn: int, rng: np.random.RandomState) -> Rows:
    """Return the positions of `n_drawn` rows out of `n_rows`, drawn at random, in order."""
    return np.sort(rng.permutation(n_rows)[:n_drawn])


def embed(
    columns: Sequence[Column],
    chosen: Sequence[Rows],
    place: Callable[[list[Floats]], list[Floats]],
) -> list[Points]:
    """Turn the chosen rows of each table into points.

    Parameters
    ----------
    columns : sequence of Column
    chosen : sequence of ndarray of int
        The positions of the rows of each table.
    place : callable
        Given one column of numbers (the chosen rows, one array for each table, NaN where missing),
        returns the coordinates, one array of shape (n_rows, n_coordinates) for each table.

    Returns
    -------
    list of Points
    """
    numbers: list[list[Floats]] = [[np.zeros((len(rows), 0))] for rows in chosen]
    codes: list[list[npt.NDArray[Any]]] = [[] for _ in chosen]
    most_labels = max(len(column.labels) for column in columns)
    for column in columns:
        values = [v[rows] for v, rows in zip(column.values, chosen, strict=True)]
        blocks = [v + 1 for v in values] if column.is_category else place(values)
        for table, block in zip(codes if column.is_category else numbers, blocks, strict=True):
            table.append(block)
    return [
        Points(
            np.column_stack(number),
            np.array(code, dtype=np.min_scalar_type(most_labels)).reshape(-1, len(rows)),
        )
        for number, code, rows in zip(numbers, codes, chosen, strict=True)
    ]


def place_quantiles(values: list[Floats]) -> list[Floats]:
    """Place numbers at their mid-rank quantiles among the first and the last table's numbers.

    A number between two of those numbers is interpolated linearly. A rank alone would move a copy
    with tiny noise far away wherever many rows share one value: just above a value that 90 % of the
    rows have lies the quantile 0.9, at the value itself 0.45. A missing value lies in the middle,
    and 1 away from all numbers in a coordinate of its own.
    """
    scale = np.concatenate([values[0], values[-1]])
    known, counts = np.unique(scale[~np.isnan(scale)], return_counts=True)
    quantiles = (np.cumsum(counts) - 0.5 * counts) / max(counts.sum(), 1)
    placed = []
    for v in values:
        missing = np.isnan(v)
        between = np.interp(v, known, quantiles) if len(known) else np.full(len(v), 0.5)
        placed.append(np.column_stack([np.where(missing, 0.5, between), missing]))
    return placed


def nearest(rows: Points, references: Points, *, skip_own: bool = False) -> tuple[Rows, Floats]:
    """Find the closest of the references for each row.

    Parameters
    ----------
    rows, references : Points
    skip_own : bool, default=False
        Whether row i must not find reference i: the closest *other* row of one table.

    Returns
    -------
    positions : ndarray of shape (n_rows,)
        The closest reference's position.
    distances : ndarray of shape (n_rows,)
    """
    closest = np.empty(len(rows), dtype=np.intp)
    for chunk, closeness in _by_chunks(rows, references):
        if skip_own:
            own = np.arange(chunk.start, chunk.stop)
            closeness[own - chunk.start, own] = -np.inf
        closest[chunk] = closeness.argmax(axis=1)
    return closest, _distances(rows, references, closest)


def nearest_with_ties(rows: Points, references: Points) -> tuple[Floats, Floats]:
    """Find the distance to the closest reference, and how many references are as close.

    Returns
    -------
    distances : ndarray of shape (n_rows,)
    n_closest : ndarray of shape (n_rows,)
        At least 1.
    """
    closest = np.empty(len(rows), dtype=np.intp)
    n_closest = np.empty(len(rows))
    for chunk, closeness in _by_chunks(rows, references):
        closest[chunk] = closeness.argmax(axis=1)
        most = closeness[np.arange(len(closeness)), closest[chunk]]
        n_closest[chunk] = np.count_nonzero(closeness >= (most - _SAME)[:, None], axis=1)
    return _distances(rows, references, closest), n_closest


def _by_chunks(rows: Points, references: Points) -> Iterator[tuple[slice, Floats]]:
    """Yield chunks of rows, and minus half their squared distances to all references.

    Half the row's own squared norm and half the number of its codes, which do not depend on the
    reference, are left out: the closest reference is the one with the largest value.
    """
    half_norms = 0.5 * np.einsum("ij,ij->i", references.numbers, references.numbers)
    n_rows, n_chunk = len(rows), max(1, _CHUNK_ELEMENTS // len(references))
    counter = np.min_scalar_type(len(rows.codes))
    for start in range(0, n_rows, n_chunk):
        chunk = slice(start, min(start + n_chunk, n_rows))
        # |x - r|² = |x|² - 2 (x·r - |r|²/2), and each code that matches takes 1 away.
        closeness = rows.numbers[chunk] @ references.numbers.T
        closeness -= half_norms
        matches = np.zeros(closeness.shape, dtype=counter)
        for code, reference_code in zip(rows.codes[:, chunk], references.codes, strict=True):
            matches += code[:, None] == reference_code
        closeness += np.multiply(matches, 0.5, dtype=np.float32)
        yield chunk, closeness


def _distances(rows: Points, references: Points, chosen: Rows) -> Floats:
    """Return each row's distance to its chosen reference.

    Differences are taken rather than dot products, so that a copy is at distance 0 exactly.
    """
    gaps = rows.numbers - references.numbers[chosen]
    mismatches = np.count_nonzero(rows.codes != references.codes[:, chosen], axis=0)
    return np.sqrt(np.einsum("ij,ij->i", gaps, gaps) + mismatches)


def shorter(distances: Floats, others: Floats | float) -> npt.NDArray[np.bool_]:
    """Tell which distances are shorter than others; rounding makes no equal ones differ."""
    return distances < others * (1.0 - _ROUNDING)


def distances_to_mean(points: Points, rows: Rows) -> Floats:
    """Return how far the rows at the given positions lie from the mean of all.

    The mean of categories is taken of one-hot columns, which put two different categories at
    distance 1.
    """
    gaps = points.numbers[rows] - points.numbers.mean(axis=0)
    squared = np.einsum("ij,ij->i", gaps, gaps)
    for code in points.codes:
        shares = np.bincount(code) / len(code)
        squared += 0.5 * (1.0 - 2.0 * shares[code[rows]] + np.sum(shares**2))
    return np.sqrt(squared)
