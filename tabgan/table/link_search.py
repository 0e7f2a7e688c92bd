"""Search for equations between numeric columns: copies, sums, differences, products and ratios.

The search has three parts, each on few rows. *Lines*: a column as a multiple of another one plus a
constant, in part of the rows; slopes of random pairs of rows pile up at the slope of the line, as
in RANSAC (Fischler and Bolles, 1981). *Triples*: a column as the sum or the product of two others,
in part of the rows; all triples are tried. *Many*: a column as a sum or a product of up to six
others in nearly all rows, by orthogonal matching pursuit. What is found is checked on other rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.encoder import Encoder
from tabgan.table.equations import Equation, first_held
from tabgan.table.link_numbers import Numbers
from tabgan.table.link_relations import MIN_ROWS, lines, many, triples
from tabgan.table.links import ALWAYS, Links
from tabgan.table.privacy import Withheld

MIN_GAIN = 0.005
"""Share of rows in which an equation must hold and no earlier one for its target does."""

ALL_ROWS = 1 - 1e-4
"""Share of rows from which on an equation holds in all of them, and needs no switch."""

SAME_SWITCH = 0.05
"""Two targets share a switch if they differ in at most so many of the rows of the rarer case."""

MAX_SWITCHES = 32
"""Most switches of a table."""


def find_links(
    table: pd.DataFrame, encoder: Encoder, withheld: Withheld | None = None
) -> Links | None:
    """Find the equations of a table.

    Parameters
    ----------
    table : DataFrame of n rows
    encoder : Encoder
        Encoder of the table with bins. Equations are looked for where bins are wider than the
        steps of a column: elsewhere a level says the value.
    withheld : Withheld, optional
        What is to be withheld because too few rows share it, and what was.

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
    numbers = Numbers(table, encoder, withheld)
    if len(numbers.names) < 2 or not numbers.is_fine.any():
        return None
    equations = _in_order(_accepted(numbers))
    if not equations:
        return None
    switch_of = _switch_of(equations, numbers)
    equations = [one for one in equations if one.target in switch_of]
    return Links.learn(table, encoder.schema, equations, switch_of, withheld)


def _switch_of(equations: Sequence[Equation], numbers: Numbers) -> dict[Hashable, int]:
    """Give each target a switch, and targets that are computed in the same rows one switch."""
    switch_of: dict[Hashable, int] = {}
    firsts: list[NDArray[np.int64]] = []
    for target in dict.fromkeys(one.target for one in equations):
        own = [one for one in equations if one.target == target]
        levels = first_held([numbers.held(one) for one in own])
        is_whole = ~np.isnan([numbers.amounts[name] for name in own[0].names]).any(axis=0)
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


def _accepted(numbers: Numbers) -> list[Equation]:
    """Find equations and choose among them, the surest first.

    An equation must hold in rows in which no earlier one computes its target, and no column may
    be computed from itself.
    """
    relations = [ways for ways in (*lines(numbers), *triples(numbers)) if ways]
    sure = {ways[0].target for ways in relations if numbers.rate(ways[0]) >= 0.99}
    relations += [ways for ways in many(numbers, sure) if ways]
    relations.sort(key=lambda ways: (-round(max(map(numbers.rate, ways)), 2), len(ways[0].parents)))
    chosen: list[Equation] = []
    least = 1 if numbers.withheld is None else numbers.withheld.min_rows
    covered = np.zeros((len(numbers.names), len(numbers.unseen)), dtype=bool)
    for one in (one for ways in relations for one in ways):
        place = numbers.order[one.target]
        rows = numbers.checked(one) & ~covered[place]
        gain = rows.sum() / max(1, numbers.is_fine[place][numbers.unseen].sum())
        is_enough = gain >= MIN_GAIN and rows.sum() >= least
        if is_enough and not _reaches(chosen, one):
            chosen.append(one)
            covered[place] |= rows
    return chosen


def _reaches(chosen: Sequence[Equation], new: Equation) -> bool:
    """Whether a parent of a new equation is computed from the target of the equation."""
    waiting, seen = list(new.parents), set(new.parents)
    while waiting:
        name = waiting.pop()
        for one in chosen:
            if one.target == name:
                waiting += [parent for parent in one.parents if parent not in seen]
                seen |= set(one.parents)
    return new.target in seen


def _in_order(chosen: Sequence[Equation]) -> list[Equation]:
    """Sort equations so that columns are computed before others are computed from them."""
    left, ordered = list(chosen), []
    while left:
        targets = {one.target for one in left}
        ready = [one for one in left if not targets & set(one.parents)]
        ordered += ready
        left = [one for one in left if not any(one is other for other in ready)]
    return ordered
