"""All rules of a table together: checked, rewritten in one order and restored in the other."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import ParameterError, listed, short
from tabgan.constraints.amounts import Grid, Writer, cast, read_amounts
from tabgan.constraints.asked import Asked, Cells
from tabgan.constraints.base import (
    CONSTRAINTS,
    REWRITINGS,
    Constraint,
    Goal,
    Rewriting,
)
from tabgan.constraints.levels import merge_groups, with_common_combinations
from tabgan.constraints.placing import check_circles, choose_options
from tabgan.table.columns import Column, IdentifierColumn, NumericColumn
from tabgan.table.conditions import ANY, Kind
from tabgan.table.dtypes import factorize
from tabgan.table.inference import infer_column
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.privacy import Withheld
from tabgan.table.schema import Schema
from tabgan.table.soundness import example_rows

FIRST_ROWS = 5
"""Rows that an error shows of those that break a rule."""


@dataclass(frozen=True)
class Plan:
    """How conditions on the user's table are met.

    Attributes
    ----------
    asked : Asked
        The conditions.
    cells : Cells
        The conditions, translated; `Cells.open` says which are left open.
    inner : DataFrame of n rows, or None
        Conditions on the rewritten table; None if there are none.
    """

    asked: Asked
    cells: Cells
    inner: pd.DataFrame | None

    def groups(self) -> NDArray[np.int64]:
        """Return numbers of rows, shape (n,), equal where conditions on the rewritten table are."""
        if self.inner is None:
            return np.zeros(self.asked.n, dtype=np.int64)
        codes = [factorize(self.inner[name].map(repr))[0] for name in self.inner]
        return np.unique(np.column_stack(codes), axis=0, return_inverse=True)[1].ravel()


@dataclass
class Constraints:
    """The rules of one table, and the rewriting by which generated rows keep them.

    Each rewriting replaces columns of its own and computes them from others. A column that one
    rewriting replaces may be read by another one, as long as no column is computed from itself:
    rewritings are restored one after another, each once all that it reads is there. A part of a
    rule for which no column is left is kept by checking rows, and by drawing broken rows anew.

    Parameters
    ----------
    rules : tuple of Constraint
        The rules, completed by what only training can say.
    rewritings : tuple of Rewriting
        In the order of restoring.
    table : Schema
        Schema of the user's table.
    inner : Schema
        Schema of the rewritten table.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Inequality
    >>> from tabgan.constraints.rules import Constraints
    >>> from tabgan.table.schema import Schema
    >>> stays = pd.DataFrame({"arrival": [3, 5, 8], "departure": [4, 9, 9]})
    >>> rules = [Inequality("arrival", "departure")]
    >>> fitted = Constraints.learn(rules, stays, Schema.infer(stays))
    >>> fitted.express(stays)
       arrival  departure - arrival
    0        3                    1
    1        5                    4
    2        8                    1
    >>> fitted.restore(fitted.express(stays))[0].equals(stays)
    True
    """

    rules: tuple[Constraint, ...]
    rewritings: tuple[Rewriting, ...]
    table: Schema
    inner: Schema
    writer: Writer = field(init=False, repr=False)
    checked: list[Constraint] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.writer = Writer(self.table, _grids(self.rules))
        # A value that was looked up or matched needs no second check, which would take longer.
        sure = [set(rewriting.names_sure()) for rewriting in self.rewritings]
        self.checked = [
            rule
            for rule in self.rules
            if not (rule.is_lookup and any(set(rule.names) <= names for names in sure))
        ]

    @classmethod
    def learn(
        cls,
        rules: Sequence[Constraint],
        table: pd.DataFrame,
        schema: Schema,
        keep: Iterable[Hashable] = (),
        withheld: Withheld | None = None,
    ) -> Constraints:
        """Find rewritings for all rules, and learn them.

        Parameters
        ----------
        rules : sequence of Constraint
        table : DataFrame of shape (n, d)
            Rows that keep all rules.
        schema : Schema
            Schema of the table.
        keep : iterable of labels
            Columns that no rewriting may replace.
        withheld : Withheld, optional
            What is to be withheld because too few rows share it, and what was.

        Returns
        -------
        Constraints

        Raises
        ------
        ValueError
            Two rules contradict each other, or no column is left for a rule that needs one.
        """
        whole = table
        if withheld is not None:
            table = with_common_combinations(rules, table, withheld)
        learnt = tuple(rule.learn(table) for rule in rules)
        check_circles(learnt)
        parts = [part for rule in merge_groups(learnt) for part in rule.plan(schema)]
        chosen = choose_options(parts, set(keep))
        columns = {name: table[name] for name in table.columns}
        taken = {str(name) for name in table.columns}

        def new(text: str) -> str:
            while text in taken:
                text = f"{text}_"
            taken.add(text)
            return text

        least = 1 if withheld is None else withheld.min_rows
        writer = Writer(schema, _grids(learnt), least)
        rewritings = tuple(option.learn(columns, writer, new) for option in chosen)
        fitted = cls(learnt, rewritings, schema, schema)
        fitted.inner = fitted._infer_inner(whole, withheld)
        return fitted

    def _infer_inner(self, table: pd.DataFrame, withheld: Withheld | None) -> Schema:
        expressed = self.express(table)
        categories = {name for rewriting in self.rewritings for name in rewriting.categories()}
        known = set(self.table.names)
        # Where missing values of all columns of a rewriting are unknown ones, so are its own.
        whole = {
            name
            for rewriting in self.rewritings
            if not any(map(self.writer.may_lack, (*rewriting.targets, *rewriting.reads)))
            for name in rewriting.express({k: table[k] for k in table.columns})
        }
        columns: list[Column] = []
        for name in expressed.columns:
            if name in known:
                columns.append(self.table[name])
            else:
                described = infer_column(
                    expressed[name], name, name in categories, "X", True, withheld
                )
                # Of combinations, those that are withheld are the missing ones.
                is_whole = name in whole or (withheld is not None and name in categories)
                if is_whole and described.missing_rate < 1:
                    described = replace(described, missing_rate=0.0)
                columns.append(described)
        return Schema(tuple(columns))

    # ------------------------------------------------------------------ checking

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows break a rule, shape (n,)."""
        return broken_rows(self.rules, table)

    def counts(self, table: pd.DataFrame) -> dict[str, int]:
        """Count the rows that break each rule."""
        return {str(rule): int(rule.broken(table).sum()) for rule in self.rules}

    @property
    def has_keys(self) -> bool:
        """Whether a rule compares rows with each other."""
        return any(rule.compares_rows for rule in self.rules)

    def repeats(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows repeat the key of an earlier row, shape (n,)."""
        return broken_rows([rule for rule in self.rules if rule.compares_rows], table)

    # ------------------------------------------------------------------ rewriting

    def express(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rewrite a table.

        Parameters
        ----------
        table : DataFrame of shape (n, d)
            Columns of the user's table.

        Returns
        -------
        DataFrame of shape (n, e)
            Kept columns and new ones; the new columns of a rewriting stand where the first column
            was that the rewriting replaces.
        """
        columns = {name: table[name] for name in table.columns}
        placed: dict[Hashable, dict[Hashable, pd.Series]] = {}
        for rewriting in self.rewritings:
            first = min(rewriting.targets, key=self.table.position)
            placed[first] = rewriting.express(columns)
        gone = {name for rewriting in self.rewritings for name in rewriting.targets}
        found: dict[Hashable, pd.Series] = {}
        for name in table.columns:
            if name in placed:
                found |= placed[name]
            elif name not in gone:
                found[name] = table[name]
        return _frame(found, table.index)

    def restore(
        self, expressed: pd.DataFrame, rng: np.random.Generator | None = None
    ) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        """Compute the user's table from a rewritten one.

        Parameters
        ----------
        expressed : DataFrame of shape (n, e)
        rng : numpy Generator, optional
            Draws what no column of the rewritten table says, such as characters of a code.

        Returns
        -------
        table : DataFrame of shape (n, d)
        is_kept : ndarray of shape (n,), bool
            Whether the row keeps every rule, apart from that keys are unique, and every computed
            number lies in the range that training saw.
        """
        rng = np.random.default_rng(0) if rng is None else rng
        columns = {name: expressed[name] for name in expressed.columns}
        for name in self.writer.grids:
            if name in columns and isinstance(self.table[name], NumericColumn):
                columns[name] = self._snapped(name, columns[name])
        in_range = np.ones(len(expressed), dtype=bool)
        for rewriting in self.rewritings:
            found = rewriting.restore(columns, self.writer, rng)
            columns |= found.columns
            in_range &= found.in_range
        table = _frame({name: columns[name] for name in self.table.names}, expressed.index)
        table.columns = self.table.labels
        return table, in_range & ~broken_rows(self.checked, table, keys=False)

    def read_asked(self, asked: pd.DataFrame) -> Plan:
        """Translate conditions on the user's table into conditions on the rewritten table.

        Parameters
        ----------
        asked : DataFrame of n rows
            See `tabgan.table.conditions`.

        Returns
        -------
        Plan

        Raises
        ------
        ValueError
            A condition is no value of its column, or conditions break a rule.
        """
        conditions = Asked(asked, self.table)
        self._refuse_broken(conditions)
        cells = conditions.cells()
        for _ in self.rewritings:
            for rewriting in self.rewritings:
                rewriting.imply(cells, self.writer)
        replaced = {name for rewriting in self.rewritings for name in rewriting.targets}
        for name, written in cells.written.items():
            if name not in replaced:
                cells.inner[name] = written.copy()
        for rewriting in self.rewritings:
            rewriting.translate(cells, self.writer, self.inner)
        inner = {
            name: pd.Series(values, dtype=object)
            for name, values in cells.inner.items()
            if any(value is not ANY for value in values)
        }
        frame = _frame(inner, pd.RangeIndex(len(asked))) if inner else None
        return Plan(conditions, cells, frame)

    def known_inner(self, table: pd.DataFrame, column: Hashable) -> pd.DataFrame:
        """Return what is known of the rewritten table where some of the user's columns are known.

        Parameters
        ----------
        table : DataFrame of n rows
            Some of the user's columns; cells that hold `ANY` are unknown.
        column : hashable
            A column whose values count as unknown.

        Returns
        -------
        DataFrame of n rows, dtype object
            Columns of the rewritten table that are known in some rows, `ANY` elsewhere.

        Raises
        ------
        ValueError
            See `read_asked`.
        """
        names = [name for name in self.table.names if name in table.columns and name != column]
        asked = table[names].astype(object).reset_index(drop=True)
        inner = self.read_asked(asked).inner if names else None
        if inner is None:
            return pd.DataFrame(index=asked.index)
        is_set = inner.map(lambda cell: isinstance(cell, frozenset | pd.Interval))
        return inner.where(~is_set, ANY)

    def _refuse_broken(self, conditions: Asked) -> None:
        """Refuse conditions that are values of all columns of a rule and break the rule."""
        for rule in self.rules:
            names = [name for name in rule.names if name in conditions.encoded]
            if not names or (rule.compares_rows and len(names) < len(rule.names)):
                continue
            broken = rule.broken(conditions.known(rule.names))
            if broken.any():
                i = int(np.flatnonzero(broken)[0])
                raise ValueError(
                    f"conditions: {conditions.as_written(i)} in row {i} breaks {rule}."
                )

    def restore_asked(
        self,
        expressed: pd.DataFrame,
        rows: NDArray[np.int64],
        plan: Plan,
        rng: np.random.Generator,
    ) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        """Compute the user's table so that it meets conditions.

        Parameters
        ----------
        expressed : DataFrame of m rows
        rows : ndarray of shape (m,)
            For each row, the position of its conditions.
        plan : Plan
        rng : numpy Generator

        Returns
        -------
        table : DataFrame of m rows
        is_right : ndarray of shape (m,), bool
            Whether the row is kept, as of `restore`, and meets its conditions.
        """
        names = list(expressed.columns)
        columns = {name: expressed[name].reset_index(drop=True) for name in names}
        asked = self._goals(plan.cells, rows)
        if asked:
            self._move(columns, asked, plan.cells, rows, rng)
        for rewriting in self.rewritings:
            for target in rewriting.targets:
                if target in asked:
                    rewriting.aim(columns, target, *asked[target])
            columns |= rewriting.restore(columns, self.writer, rng).columns
        aimed = _frame({name: columns[name] for name in names}, pd.RangeIndex(len(rows)))
        table, is_kept = self.restore(aimed, rng)
        is_right = is_kept & plan.asked.are_met(table, rows)
        for name, condition in plan.asked.encoded.items():
            table[name] = condition.impose(table[name], rows)
        return table, is_right & ~broken_rows(self.checked, table, keys=False)

    def _goals(self, cells: Cells, rows: NDArray[np.int64]) -> dict[Hashable, Goal]:
        """Return the values that are asked of replaced columns, for m rows."""
        goals = {}
        for rewriting in self.rewritings:
            for target in rewriting.targets:
                is_value = cells.is_value(target)[rows]
                if is_value.any():
                    values = pd.Series(cells.written[target][rows], dtype=object)
                    wanted = cast(self.table[target], values.where(is_value, None))
                    goals[target] = Goal(is_value, wanted)
        return goals

    def _move(
        self,
        columns: dict[Hashable, pd.Series],
        asked: Mapping[Hashable, Goal],
        cells: Cells,
        rows: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        """Change kept columns so that replaced columns come near the values asked for."""
        free = {name: cells.kind(name)[rows] == Kind.ANY for name in self.table.names}
        whole = dict(columns)
        for rewriting in self.rewritings:
            whole |= rewriting.restore(whole, self.writer, rng).columns
        goals = dict(asked)
        for rewriting in reversed(self.rewritings):
            for target in rewriting.targets:
                if target not in goals:
                    continue
                moves = rewriting.move(whole, target, *goals[target], free, self.writer)
                for name, goal in moves.items():
                    if name in columns:
                        columns[name] = columns[name].where(~goal.rows, goal.wanted)
                    elif name not in goals:
                        goals[name] = goal

    def _snapped(self, name: Hashable, values: pd.Series) -> pd.Series:
        """Move a column that the model drew to the grid that a rule confines the column to."""
        amounts = read_amounts({name: values}, [name], repr(name))
        on_grid = self.writer.on_grid(name, amounts.values[0], amounts.unit)
        return self.writer.series(name, on_grid, amounts.missing[:, 0], amounts.unit)

    def renumber(self, table: pd.DataFrame) -> None:
        """Give the rows of a table that was drawn in parts fresh identifiers, in place."""
        replaced = {name for rewriting in self.rewritings for name in rewriting.targets}
        keys = [c for c in self.table.columns if c.name not in replaced]
        keys += [key for rewriting in self.rewritings for key in rewriting.identifiers()]
        for key in keys:
            if isinstance(key, IdentifierColumn):
                numbers = key.series(table[key.name].isna().to_numpy())
                table[key.name] = numbers.set_axis(table.index)

    # ------------------------------------------------------------------ files

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the user's schema as values that JSON can write."""
        return {
            "rules": [to_jsonable(rule, CONSTRAINTS) for rule in self.rules if rule.is_saved],
            "rewritings": [to_jsonable(each, _classes()) for each in self.rewritings],
            "inner": self.inner.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], table: Schema) -> Constraints:
        """Rebuild what `to_dict` returned, for a user's schema.

        Raises
        ------
        ValueError
            A rule or a rewriting is none.
        Exception
            Of other kinds, if rewritings cannot give a table of the schema back.
        """
        found = cls(
            tuple(from_jsonable(rule, CONSTRAINTS) for rule in data["rules"]),
            tuple(from_jsonable(each, _classes()) for each in data["rewritings"]),
            table,
            Schema.from_dict(data["inner"]),
        )
        for parts, kind in ((found.rules, Constraint), (found.rewritings, Rewriting)):
            for part in parts:
                if not isinstance(part, kind):
                    raise ValueError(f"{short(part)} is no {kind.__name__.lower()}")
        found.restore(example_rows(found.inner))
        return found


def _classes() -> dict[str, Any]:
    """Return all that the JSON form of a rewriting holds, by name."""
    return {**REWRITINGS, "IdentifierColumn": IdentifierColumn}


def broken_rows(
    rules: Iterable[Constraint], table: pd.DataFrame, keys: bool = True
) -> NDArray[np.bool_]:
    """Say which rows break one of some rules.

    Parameters
    ----------
    rules : iterable of Constraint
    table : DataFrame of n rows
    keys : bool, default=True
        Whether rules that compare rows with each other count.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    broken = np.zeros(len(table), dtype=bool)
    for rule in rules:
        if keys or not rule.compares_rows:
            broken |= rule.broken(table)
    return broken


def kept_rows(
    rules: Sequence[Constraint], table: pd.DataFrame, on_violation: str
) -> tuple[NDArray[np.bool_], str]:
    """Find the training rows that keep all rules.

    Parameters
    ----------
    rules : sequence of Constraint
    table : DataFrame of n rows
    on_violation : {"raise", "drop"}

    Returns
    -------
    kept : ndarray of shape (n,), bool
    told : str
        Which rules are broken, by how many rows and by which; "" if none is.

    Raises
    ------
    ValueError
        A row breaks a rule and `on_violation` is "raise", or no row keeps all rules.
    """
    kept, told = np.ones(len(table), dtype=bool), []
    for rule in rules:
        rule.check_table(table)
        broken = rule.broken(table)
        if broken.any():
            kept &= ~broken
            rows = np.flatnonzero(broken)
            told.append(
                f"{rule} is broken by {len(rows)} of {len(table)} rows, at the positions "
                f"{listed(rows.tolist(), FIRST_ROWS)}"
            )
    message = "; ".join(told)
    if told and on_violation == "raise":
        raise ParameterError(
            f'X breaks its constraints: {message}. Correct the rows, or set on_violation="drop" to '
            "leave them out."
        )
    if not kept.any():
        raise ParameterError(f"X has no row that keeps all constraints: {message}.")
    return kept, message


def _grids(rules: Iterable[Constraint]) -> dict[Hashable, list[Grid]]:
    grids: dict[Hashable, list[Grid]] = {}
    for rule in rules:
        for name, grid in rule.grids().items():
            grids.setdefault(name, []).append(grid)
    return grids


def _frame(columns: Mapping[Hashable, pd.Series], index: pd.Index) -> pd.DataFrame:
    """Put columns side by side; labels may be tuples."""
    series = [values.set_axis(index) for values in columns.values()]
    frame = pd.concat(series, axis=1, keys=range(len(series)))
    frame.columns = pd.Index(list(columns), dtype=object, tupleize_cols=False)
    return frame
