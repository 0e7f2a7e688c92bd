"""Rules that always hold in a table, and that chance does not explain."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import SEED, check, integer
from tabgan.constraints.amounts import read_amounts
from tabgan.constraints.arithmetic import Product, Sum
from tabgan.constraints.base import Constraint
from tabgan.constraints.grids import Increment, Weekdays
from tabgan.constraints.keys import Unique
from tabgan.constraints.levels import FixedCombinations, OneHot
from tabgan.constraints.order import Inequality
from tabgan.randomness import own_stream
from tabgan.table.columns import CategoricalColumn, IdentifierColumn, NumericColumn
from tabgan.table.format import read_table
from tabgan.table.schema import Schema

LEAST_BROKEN = 10.0
"""Rows that would break a rule, on average, if its columns were independent. Of a rule that fewer
rows would break, a table says too little: one in 20,000 such rules is kept by chance."""

MOST_LEVELS = 1_000
"""Most categories of a column that is compared with others."""

MOST_NUMBERS = 40
"""Most columns of numbers among which sums and products are looked for."""

MOST_IN_THREES = 12
"""Most columns of numbers among which sums of three are looked for."""

N_PROBES = 64
"""Rows on which a rule is tried before it is checked on all rows."""


@dataclass(frozen=True)
class Proposal:
    """A rule that holds in every row of a table.

    Attributes
    ----------
    rule : Constraint
    support : int
        Rows in which no column of the rule is missing, so that the rule says something about them.
    could_break : float
        How many of these rows would break the rule, on average, if the values of each column were
        shuffled. For a rule on one column: rows that would break it, were the column not confined.
    """

    rule: Constraint
    support: int
    could_break: float


def discover(
    table: Any, *, max_rows: int = 100_000, random_state: int | np.random.RandomState | None = 0
) -> pd.DataFrame:
    """Propose rules that hold in every row of a table.

    Looked for are: one column that is never above another one; sums of two or three columns, and
    products of two; combinations of categories that never occur, in pairs of columns of which one
    follows from the other; columns of which exactly one is one; keys; grids of numbers that are
    coarser than their decimals; dates on weekdays alone.

    Each rule is tried on the same table with the values of each column shuffled. A rule is proposed
    if at least ten rows of a shuffled table would break it, on average. A rule that follows from
    others, as a <= c does from a <= b and b <= c, is left out.

    A proposal is not a promise: what held in all rows so far may be a coincidence. A rule that a
    single wrong row breaks is not proposed. Read the list before you use it.

    Parameters
    ----------
    table : table of shape (n, d)
        A pandas, polars or Arrow table, or an array.
    max_rows : int >= 1, default=100_000
        Rows that are looked at, a random choice. A rule is then checked on all rows.
    random_state : int, RandomState or None, default=0
        Seed of the choice of rows and of the shuffles.

    Returns
    -------
    DataFrame
        One row for each proposal. Columns: "rule", the constraint; "support", rows in which no
        column of the rule is missing; "could_break", how many of these rows would break the rule in
        a shuffled table. Rules that more rows could break come first.

    Raises
    ------
    TypeError
        If `table` is no table.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from tabgan.constraints import discover
    >>> rng = np.random.default_rng(0)
    >>> net, tax = rng.integers(100, 200, 50), rng.integers(0, 20, 50)
    >>> bills = pd.DataFrame({"net": net, "tax": tax, "total": net + tax})
    >>> [str(rule) for rule in discover(bills)["rule"]]
    ["Sum('total', ['net', 'tax'])", "Inequality('net', 'total')"]
    """
    check("max_rows", max_rows, integer(1))
    check("random_state", random_state, SEED)
    whole, _ = read_table(table, "table")
    rng = own_stream(random_state)
    frame = whole
    if len(whole) > max_rows:
        rows = np.sort(rng.permutation(len(whole))[:max_rows])
        frame = whole.iloc[rows].reset_index(drop=True)
    proposals = _Search(frame, rng).run()
    kept = [p for p in proposals if frame is whole or not p.rule.broken(whole).any()]
    kept.sort(key=lambda p: -p.could_break)
    return pd.DataFrame(
        {
            "rule": pd.Series([p.rule for p in kept], dtype=object),
            "support": pd.Series([p.support for p in kept], dtype=np.int64),
            "could_break": pd.Series([p.could_break for p in kept], dtype=np.float64),
        }
    )


class _Search:
    """A search for rules in one table.

    Parameters
    ----------
    frame : DataFrame of shape (n, d)
    rng : RandomState
    """

    n_shuffles = 10

    def __init__(self, frame: pd.DataFrame, rng: np.random.RandomState) -> None:
        self.frame, self.rng = frame, rng
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*looks like an identifier", UserWarning)
            schema = Schema.infer(frame)
        self.schema = schema
        numeric = [c for c in schema.columns if isinstance(c, NumericColumn)]
        self.numbers = [c.name for c in numeric if c.kind in ("float", "integer")]
        self.times = {
            kind: [c.name for c in numeric if c.kind == kind] for kind in ("datetime", "timedelta")
        }
        self.values: dict[Hashable, NDArray[np.float64]] = {}
        for column in numeric:
            amounts = read_amounts(frame, [column.name], "discover", self._unit(column))
            values = amounts.values[0].astype(np.float64)
            self.values[column.name] = np.where(amounts.missing[:, 0], np.nan, values)
        # A column that never changes follows from anything and bounds everything.
        self.varied = {
            name for name, v in self.values.items() if len(v) and np.nanmin(v) < np.nanmax(v)
        }

    @staticmethod
    def _unit(column: NumericColumn) -> str | None:
        return "us" if column.kind in ("datetime", "timedelta") else None

    def run(self) -> list[Proposal]:
        """Return all proposals."""
        groups = self._one_hot()
        flags = {name for rule in groups for name in rule.names}
        equations = self._sums(flags) + self._products(flags)
        rules: list[Constraint] = [*groups, *equations, *self._combinations(flags)]
        found = [p for p in (self._proposal(rule) for rule in rules) if p is not None]
        found += self._orders(flags)
        return found + self._keys() + self._grids(flags) + self._weekdays()

    # ------------------------------------------------------------------ chance

    def _proposal(self, rule: Constraint) -> Proposal | None:
        """Try a rule on shuffled tables."""
        rule = rule.learn(self.frame)
        names = list(rule.names)
        present = self.frame[names].notna().all(axis=1).to_numpy()
        part = self.frame.loc[present, names].reset_index(drop=True)
        if len(part) < LEAST_BROKEN:
            return None
        counts = []
        for _ in range(self.n_shuffles):
            shuffled = part.copy()
            for name in names[1:]:
                order = self.rng.permutation(len(part))
                shuffled[name] = part[name].iloc[order].reset_index(drop=True)
            counts.append(rule.broken(shuffled).sum())
        could_break = float(np.mean(counts))
        if could_break < LEAST_BROKEN:
            return None
        shown = FixedCombinations(rule.columns) if isinstance(rule, FixedCombinations) else rule
        return Proposal(shown, len(part), could_break)

    # ------------------------------------------------------------------ kinds of rules

    def _orders(self, flags: set[Hashable]) -> list[Proposal]:
        """Find columns that are never above another one, apart from those that follow."""
        found: dict[tuple[Hashable, Hashable], Proposal] = {}
        for names in (self.numbers, *self.times.values()):
            able = [name for name in names if name in self.varied and name not in flags]
            for low, high in itertools.permutations(able, 2):
                known = ~np.isnan(self.values[low]) & ~np.isnan(self.values[high])
                a, b = self.values[low][known], np.sort(self.values[high][known])
                if (self.values[low] > self.values[high]).any():
                    continue
                # In a shuffled table, a row is as likely to break the rule as this many highs are.
                could_break = float(np.searchsorted(b, a, side="left").sum() / max(1, len(b)))
                if could_break >= LEAST_BROKEN:
                    proposal = Proposal(Inequality(low, high), len(b), could_break)
                    found[low, high] = proposal
        direct = []
        for (low, high), proposal in found.items():
            between = [m for m in self.values if (low, m) in found and (m, high) in found]
            if not between and (high, low) not in found:
                direct.append(proposal)
        return direct

    def _sums(self, flags: set[Hashable]) -> list[Constraint]:
        """Find columns that are the sum of two others, or of three others."""
        able = [n for n in self.numbers if n in self.varied and n not in flags][:MOST_NUMBERS]
        found: list[Constraint] = []
        taken: set[frozenset[Hashable]] = set()
        for size in (2, 3):
            able = able if size == 2 else able[:MOST_IN_THREES]
            for total in able:
                others = [name for name in able if name != total]
                for parts in itertools.combinations(others, size):
                    names = frozenset((total, *parts))
                    # A sum of three that holds because a sum of two of them does says nothing new.
                    if any(known <= names for known in taken):
                        continue
                    if self._adds_up(total, parts):
                        taken.add(names)
                        found.append(Sum(total, parts))
        return found

    def _adds_up(self, total: Hashable, parts: Sequence[Hashable]) -> bool:
        probe = self._probe([total, *parts])
        if len(probe) < LEAST_BROKEN:
            return False
        first = self.values[total][probe] - sum(self.values[name][probe] for name in parts)
        scale = np.abs([self.values[name][probe] for name in (total, *parts)]).sum(axis=0)
        if not (np.abs(first) <= 1e-9 * scale).all():
            return False
        return not Sum(total, tuple(parts)).broken(self.frame).any()

    def _products(self, flags: set[Hashable]) -> list[Constraint]:
        """Find columns that are the product of two others."""
        able = [n for n in self.numbers if n in self.varied and n not in flags][:MOST_NUMBERS]
        found: list[Constraint] = []
        for product in able:
            others = [name for name in able if name != product]
            for pair in itertools.combinations(others, 2):
                probe = self._probe([product, *pair])
                if len(probe) < LEAST_BROKEN:
                    continue
                with np.errstate(over="ignore"):
                    made = self.values[pair[0]][probe] * self.values[pair[1]][probe]
                away = np.abs(self.values[product][probe] - made)
                if (away <= 1e-9 * np.abs(made)).all():
                    rule = Product(product, pair)
                    if not rule.broken(self.frame).any():
                        found.append(rule)
        return found

    def _probe(self, names: Sequence[Hashable]) -> NDArray[np.int64]:
        """Choose a few rows in which no column is missing."""
        known = ~np.any([np.isnan(self.values[name]) for name in names], axis=0)
        rows = np.flatnonzero(known)
        return rows[np.linspace(0, len(rows) - 1, min(len(rows), N_PROBES)).astype(np.int64)]

    def _combinations(self, flags: set[Hashable]) -> list[Constraint]:
        """Find pairs of categorical columns of which one follows from the other."""
        codes: dict[Hashable, NDArray[np.int64]] = {}
        for column in self.schema.columns:
            if isinstance(column, CategoricalColumn) and column.name not in flags:
                n_levels = len(column.categories)
                if 2 <= n_levels <= min(MOST_LEVELS, len(self.frame) // 5):
                    codes[column.name] = column.codes(self.frame[column.name])
        found: list[Constraint] = []
        for one, other in itertools.combinations(codes, 2):
            known = (codes[one] >= 0) & (codes[other] >= 0)
            pairs = np.unique(np.column_stack([codes[one][known], codes[other][known]]), axis=0)
            if not len(pairs):
                continue
            n_one, n_other = (len(np.unique(pairs[:, i])) for i in (0, 1))
            if len(pairs) == max(n_one, n_other) and min(n_one, n_other) > 1:
                found.append(FixedCombinations((one, other)))
        return found

    def _one_hot(self) -> list[Constraint]:
        """Find neighbouring columns of zeros and ones, exactly one of which is one."""
        ones: list[tuple[Hashable, NDArray[np.bool_]]] = []
        found: list[Constraint] = []

        def close() -> None:
            """Look for the longest run of flags that add up to one."""
            start = 0
            while start < len(ones) - 1:
                total = np.zeros(len(self.frame), dtype=np.int64)
                end = 0
                for k in range(start, len(ones)):
                    total += ones[k][1]
                    if total.max(initial=0) > 1:
                        break
                    # A flag and its opposite are a pair; a column that is never one adds nothing.
                    if (total == 1).all() and k > start:
                        end = k + 1
                if end:
                    found.append(OneHot(tuple(name for name, _ in ones[start:end])))
                start = end or start + 1
            ones.clear()

        for column in self.schema.columns:
            values = self.frame[column.name]
            is_flag = not isinstance(column, IdentifierColumn) and values.notna().all()
            is_flag = is_flag and values.isin([0, 1]).all()
            one = (values == 1).to_numpy(dtype=bool) if is_flag else np.zeros(0, dtype=bool)
            if is_flag and one.any() and not one.all():
                ones.append((column.name, one))
            else:
                close()
        close()
        return found

    def _keys(self) -> list[Proposal]:
        """Find columns of texts or whole numbers in which no value repeats."""
        found = []
        for column in self.schema.columns:
            if isinstance(column, IdentifierColumn):
                values = self.frame[column.name].dropna()
                if values.is_unique:
                    found.append(Proposal(Unique(column.name), len(values), float(len(values))))
        return found

    def _grids(self, flags: set[Hashable]) -> list[Proposal]:
        """Find numbers whose steps are larger than their decimals or whole numbers are."""
        found = []
        for name in self.numbers:
            column = self.schema[name]
            assert isinstance(column, NumericColumn)
            values = self.values[name][~np.isnan(self.values[name])]
            is_fine = column.kind == "float" and column.decimals is None
            if name in flags or name not in self.varied or is_fine or len(np.unique(values)) < 5:
                continue
            unit = 10.0 ** -(column.decimals or 0)
            with np.errstate(over="ignore"):
                whole = np.rint(values / unit)
            # Numbers of 64 bits and more have no greatest common divisor that can be computed.
            if np.abs(whole).max() >= 2.0**63:
                continue
            step = int(np.gcd.reduce(whole.astype(np.int64)))
            # A multiple of the unit is on the grid once in so many times.
            could_break = len(values) * (1 - 1 / max(step, 1))
            if step > 1 and could_break >= LEAST_BROKEN:
                rule = Increment(name, float(np.round(step * unit, 12)))
                if not rule.broken(self.frame).any():
                    found.append(Proposal(rule, len(values), could_break))
        return found

    def _weekdays(self) -> list[Proposal]:
        """Find dates that never lie on a weekend."""
        found = []
        for name in self.times["datetime"]:
            rule = Weekdays(name)
            n = int(self.frame[name].notna().sum())
            if 2 * n / 7 >= LEAST_BROKEN and not rule.broken(self.frame).any():
                days = self.frame[name].nunique()
                # As few different dates as these could avoid weekends by chance.
                if 2 * days / 7 >= LEAST_BROKEN:
                    found.append(Proposal(rule, n, 2 * n / 7))
        return found
