"""Relations between numeric columns, proposed from few rows: lines, triples and many terms."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.equations import Equation
from tabgan.table.link_numbers import MIN_HELD, SEARCHED, Numbers
from tabgan.table.privacy import common_quantiles
from tabgan.table.quantiles import QuantileTable

TRIED = 400
"""Rows for the search of triples."""

MOST_PAIRS, MOST_COLUMNS = 400, 60
"""Most pairs of columns that are searched for lines, and most columns for triples.

An equation of many terms looks for its terms among at most `MOST_COLUMNS` columns too.
"""

MOST_LINES = 4
"""Most lines of one pair of columns."""

MOST_MISSING = 0.3
"""Share of missing values from which on a column is no term of an equation of many terms."""

MAX_TERMS = 6
"""Most parents of an equation that holds in nearly all rows."""

NARROW = 0.5
"""Width of the noise of an equation, in bins of the target, up to which the noise is learnt."""

MIN_ROWS = 200
"""Fewest rows of a table in which equations are looked for."""


def lines(numbers: Numbers) -> Iterator[list[Equation]]:
    """Find columns that equal a multiple of another column plus a constant."""
    pairs = [
        (i, j)
        for j in range(len(numbers.names))
        for i in range(j)
        if numbers.is_fine[i].any() or numbers.is_fine[j].any()
    ]
    if len(pairs) > MOST_PAIRS:
        ranks = pd.DataFrame(numbers.matrix[:, numbers.seen].T).rank().corr().abs().to_numpy()
        pairs = sorted(pairs, key=lambda pair: -np.nan_to_num(ranks[pair]))[:MOST_PAIRS]
    quarters = np.nanquantile(numbers.matrix, [0.25, 0.75], axis=1)
    scales = (quarters[1] - quarters[0]) / np.maximum(numbers.steps, 1e-300)
    for i, j in pairs:
        # The column of fewer steps is computed from the other: the other way, the rounding of
        # a coarse column would blur a fine one.
        x, y = (i, j) if scales[j] <= scales[i] else (j, i)
        if not numbers.is_fine[y].any():
            x, y = y, x
        for slope, constant in _slopes(numbers, x, y):
            if min(abs(slope), 1 / abs(slope)) > 1e-12:
                there = numbers.simple("sum", (x,), y, (slope,), constant)
                back = numbers.simple("sum", (y,), x, (1 / slope,), -constant / slope)
                ways = [there, back, *numbers.turned(there), *numbers.turned(back)]
                yield numbers.ways(ways)


def _slopes(numbers: Numbers, x: int, y: int) -> Iterator[tuple[float, float]]:
    """Propose slopes and constants of lines through many rows of two columns."""
    both = numbers.matrix[[x, y]][:, numbers.seen]
    both = both[:, ~np.isnan(both).any(axis=0) & numbers.is_fine[y][numbers.seen]]
    for _ in range(MOST_LINES):
        u, v = both
        line = _strongest(numbers, u, v, numbers.steps[x], numbers.steps[y])
        if line is None:
            return
        yield line
        apart = np.abs(v - line[0] * u - line[1])
        width = numbers.steps[y] + numbers.steps[x] * abs(line[0])
        both = both[:, apart > width + 1e-9 * np.abs(both).sum(axis=0)]


def _strongest(
    numbers: Numbers, u: NDArray[np.float64], v: NDArray[np.float64], step_u: float, step_v: float
) -> tuple[float, float] | None:
    """Find the line through the most rows, shape (n,) each; None if no line stands out."""
    n = len(u)
    if n < 50:
        return None
    far = numbers.rng.integers(0, n, (2, 3 * SEARCHED))
    apart = np.abs(u[far[0]] - u[far[1]])
    far = far[:, apart >= max(np.median(apart), 1e-300)]
    run, rise = u[far[0]] - u[far[1]], v[far[0]] - v[far[1]]
    if len(run) < 50 or not run.any():
        return None
    with np.errstate(all="ignore"):
        slopes, ratios = rise / run, v / u
    spread = np.median(np.abs(run))
    grid = step_u + step_v
    guesses = [1.0]
    for values in (slopes, ratios[np.abs(u) >= np.median(np.abs(u))]):
        values = values[np.isfinite(values)]
        size = np.median(np.abs(values)) if len(values) else 0.0
        peak = _peak(values, grid / max(spread, 1e-300) + 1e-7 * size)
        if peak is not None and abs(peak) > 1e-9:
            guesses.append(peak)
    found = [_line(numbers, u, v, guess, grid) for guess in guesses]
    width = step_v + 1e-9 * (np.abs(u) + np.abs(v))
    return max(
        (line for line in found if line is not None),
        key=lambda one: (np.abs(v - one[0] * u - one[1]) <= width).sum(),
        default=None,
    )


def _line(
    numbers: Numbers, u: NDArray[np.float64], v: NDArray[np.float64], slope: float, grid: float
) -> tuple[float, float] | None:
    """Refine a slope: fit the line to the rows near it."""
    reach = np.abs(u).max() + np.abs(v).max()
    width = grid * (1 if slope == 1 else 4) + 1e-9 * reach
    middle = _peak(v - slope * u, width)
    if middle is None:
        return None
    constant = middle
    for _ in range(3):
        near = np.abs(v - slope * u - constant) <= width
        if near.sum() < max(8, 0.5 * MIN_HELD * len(u)):
            return None
        if slope != 1 and np.ptp(u[near]) > 0:
            slope, constant = np.polyfit(u[near] - u[near].mean(), v[near], 1)
            constant -= slope * u[near].mean()
        else:
            constant = float(np.median((v - slope * u)[near]))
        width = max(0.51 * grid + 1e-9 * reach, 0.5 * width)
    return float(slope), float(constant)


def triples(numbers: Numbers) -> Iterator[list[Equation]]:
    """Find columns that equal the sum or the product of two others in part of the rows."""
    places = np.arange(len(numbers.names))
    if len(places) > MOST_COLUMNS:
        places = np.sort(np.argsort(-numbers.is_fine.mean(axis=1))[:MOST_COLUMNS])
    some = numbers.seen[:TRIED]
    values, steps = numbers.matrix[np.ix_(places, some)], numbers.steps[places]
    fine = numbers.is_fine[np.ix_(places, some)]
    sizes = np.abs(values)
    # A term of zero, or a factor of zero or one, leaves the equation of a pair.
    is_term, is_factor = values != 0, (values != 0) & (sizes != 1)
    wide = np.asarray(fine.any(axis=1))
    for a in range(len(places)):
        for b in range(a):
            slack = 1.01 * np.maximum(np.maximum(steps, steps[a]), steps[b])[:, None] / 2
            slack = slack + 1e-9 * (sizes + sizes[a] + sizes[b])
            both = is_term[a] & is_term[b]
            apart = np.abs(values[a] + values[b] - values)
            hits = ((apart <= slack) & both & (fine | fine[a] | fine[b])).sum(axis=1)
            yield from _of_triples(numbers, "sum", places, a, b, hits, wide)
            both = is_factor[a] & is_factor[b]
            apart = np.abs(values[a] * values[b] - values)
            slack = 0.51 * (steps[:, None] + steps[a] * sizes[b] + steps[b] * sizes[a])
            slack = slack + 1e-9 * sizes
            hits = ((apart <= slack) & both & (fine | fine[a] | fine[b])).sum(axis=1)
            yield from _of_triples(numbers, "product", places, a, b, hits, wide)


def _of_triples(
    numbers: Numbers,
    kind: Literal["sum", "product"],
    places: NDArray[np.int64],
    a: int,
    b: int,
    hits: NDArray[np.int64],
    wide: NDArray[np.bool_],
) -> Iterator[list[Equation]]:
    hits[[a, b]] = 0
    for c in np.flatnonzero(hits >= max(10, 0.5 * MIN_HELD * len(numbers.seen[:TRIED]))):
        if not (wide[a] or wide[b] or wide[c]):
            continue
        first, second, target = (numbers.names[places[i]] for i in (a, b, c))
        constant = 0.0 if kind == "sum" else 1.0
        whole = Equation(target, (second, first), kind, (1.0, 1.0), constant)
        yield numbers.ways([whole, *numbers.turned(whole)])


def many(numbers: Numbers, done: set[Hashable]) -> Iterator[list[Equation]]:
    """Find columns that nearly all rows give as a sum or a product of up to six others.

    Later columns come first, as in `Numbers.ways`.
    """
    values = numbers.matrix[:, numbers.seen]
    for kind in ("sum", "product"):
        usable = np.isnan(values).mean(axis=1) < MOST_MISSING
        if kind == "product":
            usable &= ~(values <= 0).any(axis=1)
        rows = numbers.seen[~np.isnan(values[usable]).any(axis=0)]
        if len(rows) < MIN_ROWS // 2:
            continue
        for y in np.flatnonzero(usable)[::-1]:
            others = [int(i) for i in np.flatnonzero(usable) if i != y]
            if others and numbers.names[y] not in done and numbers.is_fine[y].mean() >= 0.5:
                yield from _pursued(numbers, kind, int(y), others, rows)


def _pursued(
    numbers: Numbers, kind: Any, y: int, others: list[int], rows: NDArray[np.int64]
) -> Iterator[list[Equation]]:
    """Orthogonal matching pursuit of one column, and the noise that is left."""
    matrix = numbers.matrix[[*others, y]][:, rows]
    width = numbers.widths[y]
    if kind == "product":
        width = width / np.median(matrix[-1])
        matrix = np.log(matrix)
    limit = NARROW * width
    v, terms = matrix[-1], matrix[:-1]
    middle = terms.mean(axis=1)
    scale = terms.std(axis=1)
    use = np.flatnonzero(scale > 0)
    terms = (terms[use] - middle[use, None]) / scale[use, None]
    labels = np.array(others)[use]
    if len(labels) > MOST_COLUMNS:
        nearest = np.sort(np.argsort(-np.abs(terms @ (v - v.mean())))[:MOST_COLUMNS])
        use, terms, labels = use[nearest], terms[nearest], labels[nearest]
    if not len(labels) or np.quantile(np.abs(_trimmed(terms, v)[1]), 0.9) > limit:
        return
    chosen: list[int] = []
    rest = v - v.mean()
    while len(chosen) < min(MAX_TERMS, len(labels)):
        fit = np.abs(terms @ rest)
        fit[chosen] = -1.0
        chosen.append(int(np.argmax(fit)))
        weights, rest = _trimmed(terms[chosen], v)
        if np.quantile(np.abs(rest), 0.9) <= limit:
            break
    else:
        return
    for place in range(len(chosen)):
        # Of columns that are nearly multiples of each other, the one that fits best.
        alike = np.abs(terms @ terms[chosen[place]]) > 0.99 * len(v)
        tries = [[*chosen[:place], int(i), *chosen[place + 1 :]] for i in np.flatnonzero(alike)]
        chosen = min(
            (each for each in tries if len(set(each)) == len(each)),
            key=lambda each: np.quantile(np.abs(_trimmed(terms[each], v)[1]), 0.9),
        )
    weights = _trimmed(terms[chosen], v)[0][:-1] / scale[use][chosen]
    constant = float(np.median(v - weights @ matrix[:-1][use][chosen]))
    constant = constant if kind == "sum" else float(np.exp(constant))
    exact = numbers.simple(kind, [int(labels[i]) for i in chosen], y, weights, constant)
    if numbers.rate(exact) >= 0.9:
        yield numbers.ways([exact, *numbers.turned(exact)])
        return
    spread = _noise(numbers, exact, y)
    if spread is not None:
        yield [spread]


def _noise(numbers: Numbers, equation: Equation, y: int) -> Equation | None:
    """Learn the noise of an equation that nearly holds, if the noise is narrow."""
    some = {name: numbers.amounts[name][numbers.seen] for name in equation.names}
    apart = equation.rest(some)
    low, high = np.nanquantile(apart, [0.002, 0.998])
    width = numbers.widths[y]
    if equation.kind == "product":
        width = width / np.nanmedian(np.abs(some[equation.target]))
    if high - low > 4 * NARROW * width:
        return None
    if np.nanmax(apart) - np.nanmin(apart) <= 2 * (high - low):
        low, high = np.nanmin(apart), np.nanmax(apart)
    inside = apart[(apart >= low) & (apart <= high)]
    if numbers.withheld is not None:
        noise = common_quantiles(inside, str(equation), numbers.withheld, None)
    else:
        noise = QuantileTable.from_values(inside)
    return replace(equation, noise=noise)


def _peak(values: NDArray[np.float64], width: float) -> float | None:
    """Find where values pile up: the middle of the fullest window of a width, if it stands out.

    Parameters
    ----------
    values : ndarray of shape (n,)
    width : float

    Returns
    -------
    float or None
        None if the window holds less than five times as much as its surroundings would have it.
    """
    values = np.sort(values[np.isfinite(values)])
    if len(values) < 20:
        return None
    width = max(width, 1e-12 * np.abs(values).max())
    last = np.searchsorted(values, values + width, side="right")
    counts = last - np.arange(len(values))
    first = int(np.argmax(counts))
    count = int(counts[first])
    middle = float(np.median(values[first : first + count]))
    around = np.searchsorted(values, [middle - 20 * width, middle + 20 * width])
    outside = (around[1] - around[0] - count) / 40
    if count < max(8, 5 * outside):
        return None
    return middle


def _trimmed(
    terms: NDArray[np.float64], v: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least squares without the tenth of the rows that fits worst.

    Parameters
    ----------
    terms : ndarray of shape (k, n)
    v : ndarray of shape (n,)

    Returns
    -------
    weights : ndarray of shape (k + 1,)
        The last one is the constant.
    rest : ndarray of shape (n,)
    """
    design = np.vstack([terms, np.ones(len(v))]).T
    rows = np.arange(len(v))
    for _ in range(3):
        weights = np.linalg.lstsq(design[rows], v[rows], rcond=None)[0]
        rest = v - design @ weights
        rows = np.flatnonzero(np.abs(rest) <= np.quantile(np.abs(rest), 0.9))
    return np.asarray(weights), np.asarray(rest)
