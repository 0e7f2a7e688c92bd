"""Rules on which values occur together: combinations that exist, and one of several flags."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import ParameterError
from tabgan.constraints.amounts import Writer, cast, inner_series
from tabgan.constraints.asked import Cells
from tabgan.constraints.base import (
    Columns,
    Constraint,
    Option,
    Part,
    Restored,
    Rewriting,
    check_labels,
    missing_in,
    several,
)
from tabgan.table.conditions import Kind
from tabgan.table.dtypes import as_objects, factorize
from tabgan.table.privacy import Withheld
from tabgan.table.schema import Schema

Combination = tuple[Any, ...]
"""One value for each of some columns; None is missing."""


@dataclass(frozen=True)
class FixedCombinations(Constraint):
    """Columns whose values occur together in the combinations of the training rows alone.

    The columns are learnt as one column, each combination of which is a category. Combinations
    beyond `max_categories` share one category and are drawn at their rates in training.

    Parameters
    ----------
    columns : list of column labels
        Two columns or more.
    combinations : sequence of tuples or None, default=None
        The combinations that are allowed, one value for each column. None takes those of the
        training rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import FixedCombinations
    >>> cars = pd.DataFrame({"make": ["Fiat", "Fiat", "Ford"], "model": ["Uno", "Focus", "Focus"]})
    >>> rule = FixedCombinations(["make", "model"], [("Fiat", "Uno"), ("Ford", "Focus")])
    >>> rule.broken(cars)
    array([False,  True, False])
    """

    columns: tuple[Hashable, ...]
    combinations: tuple[Combination, ...] | None = None
    is_lookup: ClassVar[bool] = True

    def __post_init__(self) -> None:
        columns = several("FixedCombinations", "columns", self.columns, 2)
        check_labels("FixedCombinations", columns=columns)
        object.__setattr__(self, "columns", columns)
        if self.combinations is not None:
            rows = tuple(tuple(row) for row in self.combinations)
            object.__setattr__(self, "combinations", rows)

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Labels of the columns that the rule reads."""
        return self.columns

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows hold another combination; none does as long as none is known."""
        self.check_table(table)
        if self.combinations is None:
            return np.zeros(len(table), dtype=bool)
        columns = {name: table[name] for name in self.columns}
        known = level_numbers(columns, self.columns, self.combinations) >= 0
        return ~known & ~missing_in(columns, self.columns)

    def learn(self, table: pd.DataFrame) -> Constraint:
        """Return the constraint with the combinations of the training rows."""
        if self.combinations is not None:
            return self
        return FixedCombinations(self.columns, distinct(table, self.columns))

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns that are never identifiers: all of the rule."""
        return self.columns

    def plan(self, schema: Schema) -> list[Part]:
        """Return one part, which replaces all columns by one."""
        return [level_part(self, self.columns)]

    def __str__(self) -> str:
        return f"FixedCombinations({list(self.columns)!r})"


@dataclass(frozen=True)
class OneHot(Constraint):
    """Columns of zeros and ones, or of booleans, exactly one of which is one in each row.

    The columns are learnt as one column that says which of them is one.

    Parameters
    ----------
    columns : list of column labels
        Two columns or more.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import OneHot
    >>> flags = pd.DataFrame({"red": [1, 0, 1], "blue": [0, 0, 1]})
    >>> OneHot(["red", "blue"]).broken(flags)
    array([False,  True,  True])
    """

    columns: tuple[Hashable, ...]
    is_lookup: ClassVar[bool] = True

    def __post_init__(self) -> None:
        columns = several("OneHot", "columns", self.columns, 2)
        check_labels("OneHot", columns=columns)
        object.__setattr__(self, "columns", columns)

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Labels of the columns that the rule reads."""
        return self.columns

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows have none or several ones, or another value than zero and one."""
        self.check_table(table)
        columns = {name: table[name] for name in self.columns}
        ones = [(columns[name] == 1).fillna(False).to_numpy(dtype=bool) for name in self.columns]
        zeros = [(columns[name] == 0).fillna(False).to_numpy(dtype=bool) for name in self.columns]
        is_right = (np.sum(ones, axis=0) == 1) & (np.add(ones, zeros).sum(axis=0) == len(ones))
        return ~is_right & ~missing_in(columns, self.columns)

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns that are never identifiers: all of the rule."""
        return self.columns

    def plan(self, schema: Schema) -> list[Part]:
        """Return one part, which replaces all columns by one."""
        return [level_part(self, self.columns)]

    def __str__(self) -> str:
        return f"OneHot({list(self.columns)!r})"


@dataclass(frozen=True)
class _Together(Constraint):
    """Rules on values that occur together whose columns overlap, as one.

    Parameters
    ----------
    rules : tuple of Constraint
    """

    rules: tuple[Constraint, ...]

    @property
    def names(self) -> tuple[Hashable, ...]:
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.names))

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        return np.logical_or.reduce([rule.broken(table) for rule in self.rules])

    def plan(self, schema: Schema) -> list[Part]:
        return [level_part(self, self.names)]

    def __str__(self) -> str:
        return " with ".join(map(str, self.rules))


def merge_groups(rules: Sequence[Constraint]) -> list[Constraint]:
    """Merge the rules on values that occur together whose columns overlap.

    Such rules cannot be kept one by one, for each of them replaces its columns by a column of its
    own.

    Parameters
    ----------
    rules : sequence of Constraint

    Returns
    -------
    list of Constraint
        Rules of other kinds as they are.
    """
    groups: list[list[Constraint]] = []
    for rule in rules:
        if isinstance(rule, FixedCombinations | OneHot):
            near = [g for g in groups if any(set(r.names) & set(rule.names) for r in g)]
            groups = [g for g in groups if g not in near]
            groups.append([r for g in near for r in g] + [rule])
    others = [rule for rule in rules if not isinstance(rule, FixedCombinations | OneHot)]
    return others + [g[0] if len(g) == 1 else _Together(tuple(g)) for g in groups]


def with_common_combinations(
    rules: Sequence[Constraint], table: pd.DataFrame, withheld: Withheld
) -> pd.DataFrame:
    """Leave out the rows whose combination, of the columns of a rule, too few rows have.

    Parameters
    ----------
    rules : sequence of Constraint
    table : DataFrame of n rows
    withheld : Withheld
        Says how many rows are enough, and remembers how many were left out.

    Returns
    -------
    DataFrame of at most n rows

    Raises
    ------
    ParameterError
        No row is left.
    """
    is_kept = np.ones(len(table), dtype=bool)
    for rule in merge_groups(rules):
        if isinstance(rule, FixedCombinations | OneHot | _Together):
            rows = distinct(table, rule.names)
            columns = {name: table[name] for name in rule.names}
            numbers = level_numbers(columns, rule.names, rows)
            is_common = np.bincount(numbers)[numbers] >= withheld.min_rows
            if not is_common.all():
                n_rare = int((~is_common).sum())
                withheld.note("combinations left out", str(rule), n_rare, is_grave=True)
            is_kept &= is_common
    if not is_kept.any():
        raise ParameterError(
            f"constraints allow combinations of the training rows alone, and none of them has "
            f'{withheld.min_rows} rows, which privacy needs; set privacy="none" or drop the rule.'
        )
    return table[is_kept].reset_index(drop=True)


def level_part(rule: Constraint, names: Sequence[Hashable]) -> Part:
    """Return the part that replaces columns by the number of their combination."""

    def learn(columns: Columns, writer: Writer, new: Callable[[str], str]) -> Levels:
        frame = pd.DataFrame({i: columns[name] for i, name in enumerate(names)})
        rows = distinct(frame, range(len(names)))
        # Where a missing value is an unknown one, it makes no combination.
        always = [i for i, name in enumerate(names) if not writer.may_lack(name)]
        rows = tuple(row for row in rows if all(row[i] is not None for i in always))
        text = " + ".join(map(str, names[:3])) + (" + ..." if len(names) > 3 else "")
        return Levels(tuple(names), new(text), rows)

    return Part(rule, [Option(tuple(names), (), learn)], is_needed=True)


@dataclass(frozen=True)
class Levels(Rewriting):
    """Replaces columns by the number of the combination of their values.

    Attributes
    ----------
    targets : tuple of labels
    name : str
        Label of the column of numbers.
    combinations : tuple of tuples
        The combinations of training, by number.
    """

    targets: tuple[Hashable, ...]
    name: str
    combinations: tuple[Combination, ...]

    @property
    def reads(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        """Nothing but the new column."""
        return ()

    def express(self, columns: Columns) -> dict[Hashable, pd.Series]:
        """Return the number of each combination; one that training did not have is missing."""
        numbers = level_numbers(columns, self.targets, self.combinations)
        return {self.name: inner_series(numbers, numbers < 0)}

    def restore(self, columns: Columns, writer: Writer, rng: np.random.Generator) -> Restored:
        """Look up the values of each combination."""
        numbers = columns[self.name].to_numpy(dtype=np.int64)
        found: dict[Hashable, pd.Series] = {}
        for i, name in enumerate(self.targets):
            values = pd.Series(as_objects([row[i] for row in self.combinations]), dtype=object)
            found[name] = cast(writer.schema[name], values).iloc[numbers].reset_index(drop=True)
        return Restored(found)

    def translate(self, cells: Cells, writer: Writer, inner: Schema) -> None:
        """Ask for one of the combinations that have the values asked for."""
        names = [name for name in self.targets if name in cells.asked.encoded]
        if not names:
            return
        every = np.arange(len(self.combinations))
        table = self.restore({self.name: pd.Series(every)}, writer, np.random.default_rng(0))
        columns = pd.DataFrame({i: table.columns[name] for i, name in enumerate(names)})
        columns.columns = pd.Index(names, dtype=object, tupleize_cols=False)
        groups = cells.asked.groups(names)
        is_asked = np.logical_or.reduce([cells.kind(name) != Kind.ANY for name in names])
        for group in np.unique(groups[is_asked]):
            rows = groups == group
            i = int(np.flatnonzero(rows)[0])
            fits = every[cells.asked.are_met(columns, np.full(len(every), i), names)].tolist()
            if not fits:
                shown = {k: v for k, v in cells.asked.as_written(i).items() if k in names}
                raise ValueError(
                    f"conditions: {shown} never occurred together in training, and the constraints "
                    "allow no other combinations."
                )
            cells.ask(self.name, rows, fits[0] if len(fits) == 1 else frozenset(fits))

    def names_sure(self) -> tuple[Hashable, ...]:
        """Return all targets, whose values are looked up."""
        return self.targets

    def categories(self) -> tuple[Hashable, ...]:
        """Return the column of numbers, which are names."""
        return (self.name,)


def distinct(table: pd.DataFrame, names: Sequence[Hashable]) -> tuple[Combination, ...]:
    """Return the distinct combinations of values of some columns, missing values as None."""
    objects = pd.DataFrame({i: table[name].astype(object) for i, name in enumerate(names)})
    rows = objects.where(objects.notna(), None).to_numpy(dtype=object)
    return tuple(dict.fromkeys(tuple(_plain(value) for value in row) for row in rows))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) and value.dtype.kind not in "mM" else value


def level_numbers(
    columns: Columns, names: Sequence[Hashable], combinations: Sequence[Combination]
) -> NDArray[np.int64]:
    """Return the position of each row's combination, shape (n,); -1 for one that is not listed."""
    n = len(columns[names[0]])
    keys = np.zeros(n, dtype=np.int64)
    listed = np.zeros(len(combinations), dtype=np.int64)
    for i, name in enumerate(names):
        values = as_objects([row[i] for row in combinations])
        codes, known = factorize(values)
        # Each column adds a digit: 0 for missing values, and -1 for values that are not listed.
        index = pd.Index(known, dtype=object)
        own = index.get_indexer(pd.Index(columns[name].astype(object), dtype=object)) + 1
        own[columns[name].isna().to_numpy()] = 0
        own[(own == 0) & ~columns[name].isna().to_numpy()] = -1
        _, dense = np.unique(np.concatenate([keys, listed]), return_inverse=True)
        width = len(known) + 1
        both = dense.ravel() * width + np.concatenate([own, codes + 1])
        both[:n][(own < 0) | (keys < 0)] = -1
        keys, listed = both[:n], both[n:]
    order = np.argsort(listed)
    found = np.searchsorted(listed, keys, sorter=order)
    found = order[np.minimum(found, len(listed) - 1)]
    return np.where(listed[found] == keys, found, -1)
