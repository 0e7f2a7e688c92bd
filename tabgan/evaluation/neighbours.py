"""Rows as points of a space of numbers and categories, and their nearest neighbours, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tabgan.evaluation.columns import Column

_CHUNK_ELEMENTS = 2**19  # pairs of rows at a time; few enough to stay in a processor's cache
_ROUNDING = 1e-9

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


def check_max_rows(max_rows: int) -> None:
    """Raise ValueError unless `max_rows` is a positive integer."""
    if isinstance(max_rows, bool) or not isinstance(max_rows, (int, np.integer)) or max_rows < 1:
        raise ValueError(f"max_rows must be a positive integer, got {max_rows!r}.")


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
    """Place numbers at their mid-rank quantiles among the first and the last table's.

    A missing value lies in the middle, 1 away in a coordinate of its own.
    """
    scale = np.sort(np.concatenate([values[0], values[-1]]))
    scale = scale[~np.isnan(scale)]
    placed = []
    for v in values:
        missing = np.isnan(v)
        ranks = (np.searchsorted(scale, v, "left") + np.searchsorted(scale, v, "right")) / 2
        quantiles = np.where(missing, 0.5, ranks / max(len(scale), 1))
        placed.append(np.column_stack([quantiles, missing]))
    return placed


def nearest(rows: Points, references: Points, *, skip_own: bool = False) -> tuple[Rows, Floats]:
    """Find the closest of the references for each row, holding one chunk of pairs at a time.

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
    half_norms = 0.5 * np.einsum("ij,ij->i", references.numbers, references.numbers)
    n_rows, n_chunk = len(rows), max(1, _CHUNK_ELEMENTS // len(references))
    counter = np.min_scalar_type(len(rows.codes))
    closest = np.empty(n_rows, dtype=np.intp)
    for start in range(0, n_rows, n_chunk):
        chunk = slice(start, min(start + n_chunk, n_rows))
        # The largest of x·r - |r|²/2 + matches/2 is the smallest distance.
        score = rows.numbers[chunk] @ references.numbers.T
        score -= half_norms
        matches = np.zeros(score.shape, dtype=counter)
        for code, reference_code in zip(rows.codes[:, chunk], references.codes, strict=True):
            matches += code[:, None] == reference_code
        score += np.multiply(matches, 0.5, dtype=np.float32)
        if skip_own:
            own = np.arange(chunk.start, chunk.stop)
            score[own - start, own] = -np.inf
        closest[chunk] = score.argmax(axis=1)
    # Differences rather than dot products: a copy is at distance 0 exactly.
    gaps = rows.numbers - references.numbers[closest]
    mismatches = np.count_nonzero(rows.codes != references.codes[:, closest], axis=0)
    return closest, np.sqrt(np.einsum("ij,ij->i", gaps, gaps) + mismatches)


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
