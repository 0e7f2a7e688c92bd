"""Search for equations between numeric columns: copies, sums, differences, products and ratios.

The search has three parts, each on few rows. *Lines*: a column as a multiple of another one plus a
constant, in part of the rows; slopes of random pairs of rows pile up at the slope of the line, as
in RANSAC (Fischler and Bolles, 1981). *Triples*: a column as the sum or the product of two others,
in part of the rows; all triples are tried. *Many*: a column as a sum or a product of up to six
others in nearly all rows, by orthogonal matching pursuit. What is found is checked on other rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.columns import NumericColumn
from tabgan.table.encoder import Encoder, NumericCodec
from tabgan.table.links import ALWAYS, Amounts, Equation, Links, is_kept, to_amounts
from tabgan.table.quantiles import QuantileTable
from tabgan.table.schema import Schema

MIN_ROWS = 200
"""Fewest rows of a table in which equations are looked for."""

SEARCHED, CHECKED, TRIED = 4000, 20_000, 400
"""Rows for the search of lines and of many terms, for the check, and for the search of triples."""

MIN_HELD, MIN_GAIN = 0.05, 0.005
"""Share of rows in which an equation must hold, and share in which no earlier one held."""

MOST_PAIRS, MOST_COLUMNS = 400, 60
"""Most pairs of columns that are searched for lines, and most columns for triples."""

MOST_LINES = 4
"""Most lines of one pair of columns."""

MOST_MISSING = 0.3
"""Share of missing values from which on a column is no term of an equation of many terms."""

MAX_TERMS = 6
"""Most parents of an equation that holds in nearly all rows."""

NARROW = 0.5
"""Width of the noise of an equation, in bins of the target, up to which the noise is learnt."""

ALL_ROWS = 1 - 1e-4
"""Share of rows from which on an equation holds in all of them, and needs no switch."""

SAME_SWITCH = 0.05
"""Two targets share a switch if they differ in at most so many of the rows of the rarer case."""

MAX_SWITCHES = 32
"""Most switches of a table."""


def find_links(table: pd.DataFrame, encoder: Encoder) -> Links | None:
    """Find the equations of a table.

    Parameters
    ----------
    table : DataFrame of n rows
    encoder : Encoder
        Encoder of the table with bins. Equations are looked for where bins are wider than the
        steps of a column: elsewhere a level says the value.

    Returns
    -------
    Links or None
        None if there are no equations.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from tabgan.table.encoder import Encoder
    >>> from tabgan.table.link_search import find_links
    >>> from tabgan.table.schema import Schema
    >>> price, tax = np.random.default_rng(0).gamma(2.0, 50.0, (2, 1000)).round(2)
    >>> bills = pd.DataFrame({"price": price, "tax": tax, "total": price + tax})
    >>> links = find_links(bills, Encoder(Schema.infer(bills), "bins"))
    >>> [str(equation) for equation in links.equations]
    ['total = price + tax']
    """
    if len(table) < MIN_ROWS:
        return None
    search = _Search(table, encoder)
    if len(search.names) < 2 or not search.is_fine.any():
        return None
    accepted = search.accepted()
    if not accepted:
        return None
    equations = search.in_order(accepted)
    switch_of = _switch_of(equations, search)
    equations = [one for one in equations if one.target in switch_of]
    return Links.learn(table, encoder.schema, equations, switch_of)


def _switch_of(equations: Sequence[Equation], search: _Search) -> dict[Hashable, int]:
    """Give each target a switch, and targets that are computed in the same rows one switch."""
    switch_of: dict[Hashable, int] = {}
    firsts: list[NDArray[np.int64]] = []
    for target in dict.fromkeys(one.target for one in equations):
        own = [one for one in equations if one.target == target]
        levels = np.zeros(len(search.matrix[0]), dtype=np.int64)
        for k, one in reversed(list(enumerate(own, 1))):
            levels[search.held(one)] = k
        is_whole = ~np.isnan([search.amounts[name] for name in own[0].names]).any(axis=0)
        if (levels[is_whole] == 1).mean() >= ALL_ROWS:
            switch_of[target] = ALWAYS
            continue
        rarer = min((levels > 0).mean(), (levels == 0).mean())
        for switch, first in enumerate(firsts):
            if (levels != first).mean() <= SAME_SWITCH * rarer:
                switch_of[target] = switch
                break
        else:
            if len(firsts) < MAX_SWITCHES:
                switch_of[target] = len(firsts)
                firsts.append(levels)
    return switch_of


class _Search:
    """The numeric columns of a table, as the search looks at them.

    Parameters
    ----------
    table : DataFrame of n rows
    encoder : Encoder
    """

    def __init__(self, table: pd.DataFrame, encoder: Encoder) -> None:
        self.rng = np.random.default_rng(0)
        self.columns: dict[Hashable, NumericColumn] = {}
        self.amounts: Amounts = {}
        fine, widths, steps = [], [], []
        for column, codec in zip(encoder.schema.columns, encoder.codecs, strict=True):
            if not isinstance(codec, NumericCodec) or not isinstance(column, NumericColumn):
                continue
            numbers = column.numbers(table[column.name])
            amounts = to_amounts(column, numbers)
            if np.nanmax(np.abs(amounts)) >= 2**53 or column.table.n_segments < 3:
                continue
            is_fine, width = _fine(codec, column, numbers)
            scale = column.step if column.kind == "integer" else 1
            self.columns[column.name], self.amounts[column.name] = column, amounts
            fine.append(is_fine)
            widths.append(width * scale)
            steps.append(column.spacing * scale)
        self.names = list(self.columns)
        self.order = {name: i for i, name in enumerate(self.names)}
        self.widths, self.steps = np.array(widths), np.array(steps)
        self.is_fine = np.stack(fine) if fine else np.zeros((0, len(table)), dtype=bool)
        order = self.rng.permutation(len(table))
        cut = min(SEARCHED, len(table) // 2)
        self.seen, self.unseen = order[:cut], order[cut : cut + CHECKED]
        self.matrix = np.array([self.amounts[name] for name in self.names])

    def held(self, equation: Equation) -> NDArray[np.bool_]:
        """Say in which rows of the table an equation holds."""
        return is_kept(equation, self.columns[equation.target], self.amounts)

    def checked(self, equation: Equation) -> NDArray[np.bool_]:
        """Say in which rows of the check an equation holds, where its target lies in a wide bin.

        Nothing counts unless the equation holds far more often than it nearly holds.
        """
        some = {name: self.amounts[name][self.unseen] for name in equation.names}
        place = self.order[equation.target]
        column, step = self.columns[equation.target], self.steps[place]
        rows = is_kept(equation, column, some) & self.is_fine[place][self.unseen]
        if equation.noise is None and step:
            apart = np.abs(some[equation.target] - equation.value(some))
            near = (apart > 0.5 * step) & (apart < 20.5 * step)
            if rows.sum() < 5 * near.sum() / 40:
                return np.zeros(len(rows), dtype=bool)
        return rows

    def rate(self, equation: Equation) -> float:
        """Share of rows in which an equation holds, of whole rows with a target in a wide bin."""
        places = [self.order[name] for name in equation.names]
        is_whole = ~np.isnan(self.matrix[np.ix_(places, self.unseen)]).any(axis=0)
        n_fine = (self.is_fine[places[0]][self.unseen] & is_whole).sum()
        return float(self.checked(equation).sum() / max(1, n_fine))

    # ------------------------------------------------------------------ choosing

    def accepted(self) -> list[Equation]:
        """Find equations and choose among them, the surest first.

        An equation must hold in rows in which no earlier one computes its target, and no column may
        be computed from itself.
        """
        relations = [ways for ways in (*self._lines(), *self._triples()) if ways]
        sure = {ways[0].target for ways in relations if self.rate(ways[0]) >= 0.99}
        relations += [ways for ways in self._many(sure) if ways]
        relations.sort(key=lambda ways: (-round(max(map(self.rate, ways)), 2), len(ways[0].parents)))
        chosen: list[Equation] = []
        covered = np.zeros((len(self.names), len(self.unseen)), dtype=bool)
        for one in (one for ways in relations for one in ways):
            place = self.order[one.target]
            rows = self.checked(one) & ~covered[place]
            gain = rows.sum() / max(1, self.is_fine[place][self.unseen].sum())
            if gain >= MIN_GAIN and not self._reaches(chosen, one):
                chosen.append(one)
                covered[place] |= rows
        return chosen

    def _reaches(self, chosen: Sequence[Equation], new: Equation) -> bool:
        """Whether a parent of a new equation is computed from the target of the equation."""
        waiting, seen = list(new.parents), set(new.parents)
        while waiting:
            name = waiting.pop()
            for one in chosen:
                if one.target == name:
                    waiting += [parent for parent in one.parents if parent not in seen]
                    seen |= set(one.parents)
        return new.target in seen

    def in_order(self, chosen: Sequence[Equation]) -> list[Equation]:
        """Sort equations so that columns are computed before others are computed from them."""
        left, ordered = list(chosen), []
        while left:
            targets = {one.target for one in left}
            ready = [one for one in left if not targets & set(one.parents)]
            ordered += ready
            left = [one for one in left if not any(one is other for other in ready)]
        return ordered

    def _ways(self, equations: Sequence[Equation]) -> list[Equation]:
        """Order the ways to write one relation, which differ in the column that is computed.

        The last column comes first, as totals and later dates stand last, among those whose bins
        are wide enough that they lose little by the blur of the others. Ways that hold in fewer
        rows than others, as rounding can have it, are left out.
        """
        ways = [one for one in equations if self.rate(one) >= MIN_HELD]
        counts = []
        for one in ways:
            some = {name: self.amounts[name][self.unseen] for name in one.names}
            counts.append(is_kept(one, self.columns[one.target], some).sum())
        best = max(counts, default=0)
        ways = [one for one, count in zip(ways, counts, strict=True) if count >= 0.98 * best]
        return sorted(ways, key=lambda one: (not self._is_wide(one), -self.order[one.target]))

    def _is_wide(self, equation: Equation) -> bool:
        """Whether the target is no small difference of terms with much wider bins."""
        if len(equation.parents) == 1:
            return True
        places = [self.order[name] for name in equation.names]
        widths = self.widths[places]
        if equation.kind == "product":
            widths = widths / np.nanmedian(np.abs(self.matrix[places]), axis=1).clip(min=1e-300)
        widths = widths * np.abs([1.0, *equation.weights])
        return bool(3 * widths[0] >= widths[1:].max())

    # ------------------------------------------------------------------ lines

    def _lines(self) -> Iterator[list[Equation]]:
        """Find columns that equal a multiple of another column plus a constant."""
        pairs = [
            (i, j)
            for j in range(len(self.names))
            for i in range(j)
            if self.is_fine[i].any() or self.is_fine[j].any()
        ]
        if len(pairs) > MOST_PAIRS:
            ranks = pd.DataFrame(self.matrix[:, self.seen].T).rank().corr().abs().to_numpy()
            pairs = sorted(pairs, key=lambda pair: -np.nan_to_num(ranks[pair]))[:MOST_PAIRS]
        quarters = np.nanquantile(self.matrix, [0.25, 0.75], axis=1)
        scales = (quarters[1] - quarters[0]) / np.maximum(self.steps, 1e-300)
        for i, j in pairs:
            # The column of fewer steps is computed from the other: the other way, the rounding of
            # a coarse column would blur a fine one.
            x, y = (i, j) if scales[j] <= scales[i] else (j, i)
            if not self.is_fine[y].any():
                x, y = y, x
            for slope, constant in self._slopes(x, y):
                if min(abs(slope), 1 / abs(slope)) > 1e-12:
                    there = self._simple("sum", (x,), y, (slope,), constant)
                    back = self._simple("sum", (y,), x, (1 / slope,), -constant / slope)
                    ways = [there, back, *self._turned(there), *self._turned(back)]
                    yield self._ways(ways)

    def _slopes(self, x: int, y: int) -> Iterator[tuple[float, float]]:
        """Propose slopes and constants of lines through many rows of two columns."""
        both = self.matrix[[x, y]][:, self.seen]
        both = both[:, ~np.isnan(both).any(axis=0) & self.is_fine[y][self.seen]]
        for _ in range(MOST_LINES):
            line = self._strongest(*both, self.steps[x], self.steps[y])
            if line is None:
                return
            yield line
            apart = np.abs(both[1] - line[0] * both[0] - line[1])
            width = self.steps[y] + self.steps[x] * abs(line[0])
            both = both[:, apart > width + 1e-9 * np.abs(both).sum(axis=0)]

    def _strongest(
        self, u: NDArray[np.float64], v: NDArray[np.float64], step_u: float, step_v: float
    ) -> tuple[float, float] | None:
        """Find the line through the most rows, shape (n,) each; None if no line stands out."""
        n = len(u)
        if n < 50:
            return None
        far = self.rng.integers(0, n, (2, 3 * SEARCHED))
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
        lines = [self._line(u, v, guess, grid) for guess in guesses]
        width = step_v + 1e-9 * (np.abs(u) + np.abs(v))
        found = [line for line in lines if line is not None]
        return max(
            found, key=lambda one: (np.abs(v - one[0] * u - one[1]) <= width).sum(), default=None
        )

    def _line(
        self, u: NDArray[np.float64], v: NDArray[np.float64], slope: float, grid: float
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

    def _turned(self, equation: Equation) -> Iterator[Equation]:
        """Write an equation for each parent whose values it determines."""
        for place, name in enumerate(equation.parents):
            weight = equation.weights[place]
            if not weight or not equation.constant and equation.kind == "product":
                continue
            rest = [i for i in range(len(equation.parents)) if i != place]
            parents = (equation.target, *(equation.parents[i] for i in rest))
            if equation.kind == "sum":
                weights = (1 / weight, *(-equation.weights[i] / weight for i in rest))
                constant = -equation.constant / weight
            else:
                weights = (1 / weight, *(-equation.weights[i] / weight for i in rest))
                constant = equation.constant ** (-1 / weight)
            yield Equation(name, parents, equation.kind, weights, constant + 0.0)

    # ------------------------------------------------------------------ triples

    def _triples(self) -> Iterator[list[Equation]]:
        """Find columns that equal the sum or the product of two others in part of the rows."""
        places = np.arange(len(self.names))
        if len(places) > MOST_COLUMNS:
            places = np.sort(np.argsort(-self.is_fine.mean(axis=1))[:MOST_COLUMNS])
        some = self.seen[:TRIED]
        values, steps = self.matrix[np.ix_(places, some)], self.steps[places]
        fine = self.is_fine[np.ix_(places, some)]
        sizes = np.abs(values)
        # A term of zero, or a factor of zero or one, leaves the equation of a pair.
        is_term, is_factor = values != 0, (values != 0) & (sizes != 1)
        wide = fine.any(axis=1)
        for a in range(len(places)):
            for b in range(a):
                slack = 1.01 * np.maximum(np.maximum(steps, steps[a]), steps[b])[:, None] / 2
                slack = slack + 1e-9 * (sizes + sizes[a] + sizes[b])
                both = is_term[a] & is_term[b]
                apart = np.abs(values[a] + values[b] - values)
                hits = ((apart <= slack) & both & (fine | fine[a] | fine[b])).sum(axis=1)
                yield from self._of_triples("sum", places, a, b, hits, wide)
                both = is_factor[a] & is_factor[b]
                apart = np.abs(values[a] * values[b] - values)
                slack = 0.51 * (steps[:, None] + steps[a] * sizes[b] + steps[b] * sizes[a])
                slack = slack + 1e-9 * sizes
                hits = ((apart <= slack) & both & (fine | fine[a] | fine[b])).sum(axis=1)
                yield from self._of_triples("product", places, a, b, hits, wide)

    def _of_triples(
        self,
        kind: Literal["sum", "product"],
        places: NDArray[np.int64],
        a: int,
        b: int,
        hits: NDArray[np.int64],
        wide: NDArray[np.bool_],
    ) -> Iterator[list[Equation]]:
        hits[[a, b]] = 0
        for c in np.flatnonzero(hits >= max(10, 0.5 * MIN_HELD * len(self.seen[:TRIED]))):
            if not (wide[a] or wide[b] or wide[c]):
                continue
            first, second, target = (self.names[places[i]] for i in (a, b, c))
            constant = 0.0 if kind == "sum" else 1.0
            whole = Equation(target, (second, first), kind, (1.0, 1.0), constant)
            yield self._ways([whole, *self._turned(whole)])

    # ------------------------------------------------------------------ many terms

    def _many(self, done: set[Hashable]) -> Iterator[list[Equation]]:
        """Find columns that nearly all rows give as a sum or a product of up to six others.

        Later columns come first, as in `_ways`.
        """
        values = self.matrix[:, self.seen]
        for kind in ("sum", "product"):
            usable = np.isnan(values).mean(axis=1) < MOST_MISSING
            if kind == "product":
                usable &= ~(values <= 0).any(axis=1)
            rows = self.seen[~np.isnan(values[usable]).any(axis=0)]
            if len(rows) < MIN_ROWS // 2:
                continue
            for y in np.flatnonzero(usable)[::-1]:
                others = [int(i) for i in np.flatnonzero(usable) if i != y]
                if others and self.names[y] not in done and self.is_fine[y].mean() >= 0.5:
                    yield from self._pursued(kind, int(y), others, rows)

    def _pursued(
        self, kind: Any, y: int, others: list[int], rows: NDArray[np.int64]
    ) -> Iterator[list[Equation]]:
        """Orthogonal matching pursuit of one column, and the noise that is left."""
        matrix = self.matrix[np.ix_([*others, y], rows)]
        width = self.widths[y]
        if kind == "product":
            width = width / np.median(matrix[-1])
            matrix = np.log(matrix)
        limit = NARROW * width
        v, terms = matrix[-1], matrix[:-1]
        middle = terms.mean(axis=1)
        scale = terms.std(axis=1)
        use = scale > 0
        terms = (terms[use] - middle[use, None]) / scale[use, None]
        labels = np.array(others)[use]
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
        exact = self._simple(kind, [int(labels[i]) for i in chosen], y, weights, constant)
        if self.rate(exact) >= 0.9:
            yield self._ways([exact, *self._turned(exact)])
            return
        spread = self._noise(exact, y)
        if spread is not None:
            yield [spread]

    def _simple(
        self, kind: Any, xs: Sequence[int], y: int, weights: Sequence[float], constant: float
    ) -> Equation:
        """Shorten the numbers of an equation as far as it holds in as many rows.

        Parameters
        ----------
        kind : {"sum", "product"}
        xs, y : sequence of int, int
            Positions of the parents and of the target.
        weights : sequence of float
        constant : float
        """
        target, parents = self.names[y], tuple(self.names[x] for x in xs)
        full = Equation(target, parents, kind, tuple(map(float, weights)), float(constant))
        some = {name: self.amounts[name][self.seen] for name in full.names}
        column = self.columns[target]
        near, full = self._refined(full, some)
        most = is_kept(full, column, some).sum()
        least = max(0.5 * MIN_HELD * len(self.seen), 0.99 * most)
        for digits in range(7):
            short = tuple(round(float(weight), digits) for weight in weights)
            if not all(short):
                continue
            rough = Equation(target, parents, kind, short, 0.0 if kind == "sum" else 1.0)
            value = rough.value(some)
            with np.errstate(all="ignore"):
                rest = some[target] - value if kind == "sum" else some[target] / value
            middle = float(np.median(rest[near]))
            for places in range(7):
                simple = replace(rough, constant=round(middle, places) + 0.0)
                if is_kept(simple, column, some).sum() >= least:
                    return simple
        return full

    def _refined(self, equation: Equation, some: Amounts) -> tuple[NDArray[np.bool_], Equation]:
        """Fit an equation to the rows that nearly keep it, which come back too."""
        slack = self.steps[self.order[equation.target]]
        for name, weight in zip(equation.parents, equation.weights, strict=True):
            slack += abs(weight) * self.steps[self.order[name]] if equation.kind == "sum" else 0.0
        near = np.zeros(len(self.seen), dtype=bool)
        for _ in range(2):
            apart = np.abs(some[equation.target] - equation.value(some))
            near = apart <= max(slack, 2 * np.nanquantile(apart, 0.5 * MIN_HELD))
            terms = np.stack([some[name][near] for name in equation.parents])
            target = some[equation.target][near]
            if equation.kind == "product":
                with np.errstate(all="ignore"):
                    terms, target = np.log(terms), np.log(target)
            if not np.isfinite(terms).all() or not np.isfinite(target).all():
                break
            middle = terms.mean(axis=1, keepdims=True)
            design = np.vstack([terms - middle, np.ones(len(target))]).T
            fit, _, rank, _ = np.linalg.lstsq(design, target, rcond=None)
            if rank < len(fit):
                break
            constant = float(fit[-1] - fit[:-1] @ middle[:, 0])
            if equation.kind == "product":
                constant = float(np.exp(constant))
            fitted = replace(equation, weights=tuple(map(float, fit[:-1])), constant=constant)
            column = self.columns[equation.target]
            if is_kept(fitted, column, some).sum() < is_kept(equation, column, some).sum():
                break
            equation = fitted
        return near, equation

    def _noise(self, equation: Equation, y: int) -> Equation | None:
        """Learn the noise of an equation that nearly holds, if the noise is narrow."""
        some = {name: self.amounts[name][self.seen] for name in equation.names}
        target, value = some[equation.target], equation.value(some)
        is_sum = equation.kind == "sum"
        apart = target - value if is_sum else target / value
        low, high = np.nanquantile(apart, [0.002, 0.998])
        width = self.widths[y] / (1.0 if is_sum else np.nanmedian(np.abs(target)))
        if high - low > 4 * NARROW * width:
            return None
        if np.nanmax(apart) - np.nanmin(apart) <= 2 * (high - low):
            low, high = np.nanmin(apart), np.nanmax(apart)
        inside = apart[(apart >= low) & (apart <= high)]
        return replace(equation, noise=QuantileTable.from_values(inside))


def _fine(
    codec: NumericCodec, column: NumericColumn, numbers: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], float]:
    """Say which numbers lie in bins wider than a step, and how wide those bins are (median)."""
    if codec.rest is None:
        return np.zeros(len(numbers), dtype=bool), max(column.spacing, 1e-300)
    ends = codec.rest.values(codec.edges)
    width = np.diff(ends)
    there = ~np.isnan(numbers)
    rows = np.where(there, numbers, column.table.low[0])
    bins = np.searchsorted(codec.edges[1:-1], codec.rest.ranks(rows), side="right")
    place = np.searchsorted(codec.atoms, rows)
    is_atom = np.isin(rows, codec.atoms) if len(place) else np.zeros(len(rows), dtype=bool)
    fine = there & ~is_atom & (width[bins] > 1.5 * column.spacing)
    wide = width[bins][fine]
    return fine, float(np.median(wide)) if len(wide) else max(column.spacing, 1e-300)


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
    return weights, rest
