"""What a constraint is, and what a table is rewritten by so that a constraint always holds.

A `Constraint` is what users write: a rule that every row keeps. A constraint offers `Option`
objects, each of which says which columns a rewriting would replace. A `Rewriting` is learnt from a
table. It replaces its columns by others from which they can be computed again, whatever the values
of the others are: a later date by a number of days that is not negative, a total by nothing at all.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import LABEL, ParameterError, check, listed, short
from tabgan.constraints.amounts import Writer
from tabgan.constraints.asked import Cells
from tabgan.table.columns import IdentifierColumn
from tabgan.table.schema import Schema

CONSTRAINTS: dict[str, type[Constraint]] = {}
"""Every kind of constraint by name, by which files name constraints."""

REWRITINGS: dict[str, type[Rewriting]] = {}
"""Every kind of rewriting by name, by which files name rewritings."""

Columns = Mapping[Hashable, pd.Series]
"""Columns of a table by label."""


class Constraint:
    """Base of every rule that rows of a table keep.

    A kind of constraint is a frozen dataclass, so that constraints can be compared, cloned and
    written to files. A row in which a column of the rule is missing does not break the rule.

    Attributes
    ----------
    is_saved : bool
        Whether a file can hold the rule.
    compares_rows : bool
        Whether a row breaks the rule by what other rows hold.
    is_lookup : bool
        Whether the rule allows some values, or combinations of values, and no others.
    """

    is_saved: ClassVar[bool] = True
    compares_rows: ClassVar[bool] = False
    is_lookup: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            CONSTRAINTS[cls.__name__] = cls

    @classmethod
    def build(cls, **values: Any) -> Any:
        """Build a constraint from its fields, as a file holds them."""
        return cls(**values)

    @property
    @abstractmethod
    def names(self) -> tuple[Hashable, ...]:
        """Labels of the columns that the rule reads."""

    @abstractmethod
    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows break the rule.

        Parameters
        ----------
        table : DataFrame of n rows
            A table with the columns of the rule.

        Returns
        -------
        ndarray of shape (n,), bool

        Raises
        ------
        ValueError
            If a column is not there, or holds values that the rule cannot be applied to.
        """

    def learn(self, table: pd.DataFrame) -> Constraint:
        """Return the constraint completed by what only the training table can say."""
        return self

    def learnt(self) -> Sequence[Hashable]:
        """Return the columns whose values matter to the rule, so that none is an identifier."""
        return ()

    def keys(self) -> Sequence[Hashable]:
        """Return the columns that may be identifiers, of which no warning is due."""
        return ()

    def plan(self, schema: Schema) -> list[Part]:
        """Return the parts of the rule, each of which one rewriting keeps.

        Parameters
        ----------
        schema : Schema
            Schema of the table.

        Returns
        -------
        list of Part
            An empty list for a rule that is kept by checking rows alone.
        """
        return []

    def grids(self) -> dict[Hashable, Any]:
        """Return the grids on which the rule's columns lie, by column; see `Grid`."""
        return {}

    def check_table(self, table: pd.DataFrame) -> None:
        """Raise a ValueError if a column of the rule is not in a table."""
        for name in self.names:
            if name not in table.columns:
                raise ParameterError(
                    f"{self} names {short(name)}, which is not a column; "
                    f"columns: {listed(table.columns)}."
                )

    def __str__(self) -> str:
        """Write the constraint as a user would, without parameters at their defaults."""
        told = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            plain = list(value) if isinstance(value, tuple) else value
            if field.default is MISSING:
                told.append(repr(plain))
            elif value != field.default:
                told.append(f"{field.name}={plain!r}")
        return f"{type(self).__name__}({', '.join(told)})"


def check_labels(owner: str, **labels: Any) -> None:
    """Check that arguments are column labels, or several different column labels each.

    Parameters
    ----------
    owner : str
        Name of the constraint.
    **labels : label or tuple of labels

    Raises
    ------
    ParameterError
        An argument is no label, or a label occurs twice.
    """
    known: list[Hashable] = []
    for name, value in labels.items():
        each = value if isinstance(value, tuple) and name in _SEVERAL else (value,)
        for label in each:
            check(name, label, LABEL)
            if label in known:
                raise ParameterError(f"{owner} names {short(label)} twice; name each column once.")
            known.append(label)


_SEVERAL = ("columns", "parts", "factors")
"""Fields that hold several labels."""


def several(owner: str, name: str, values: Any, least: int) -> tuple[Hashable, ...]:
    """Turn a list of labels into a tuple.

    Raises
    ------
    ParameterError
        The value is no list, or has too few labels.
    """
    is_list = isinstance(values, list | tuple | pd.Index | np.ndarray)
    if not is_list or len(values) < least:
        raise ParameterError(
            f"{name} of {owner} must be a list of at least {least} column labels, "
            f"got {short(values)}."
        )
    return tuple(values)


class Option(NamedTuple):
    """One way to keep a part of a rule.

    Attributes
    ----------
    targets : tuple of labels
        Columns that the rewriting replaces.
    reads : tuple of labels
        Columns from which, among others, the targets are computed.
    learn : callable
        Takes the columns of the training table, the `Writer`, and a function that makes a new
        label of a text; returns the `Rewriting`.
    """

    targets: tuple[Hashable, ...]
    reads: tuple[Hashable, ...]
    learn: Callable[[Columns, Writer, Callable[[str], str]], Any]


class Part(NamedTuple):
    """One part of a rule, and all ways to keep the part.

    Attributes
    ----------
    rule : Constraint
    options : list of Option
        The preferred one comes first.
    is_needed : bool
        Whether the rule is hopeless unless one of the options is taken: rows that keep an equation
        by chance are too rare to wait for.
    """

    rule: Constraint
    options: list[Option]
    is_needed: bool


class Restored(NamedTuple):
    """What a rewriting restores.

    Attributes
    ----------
    columns : dict of label to Series of shape (n,)
        The targets.
    in_range : ndarray of shape (n,), bool, or True
        In which rows the targets are values that training could have seen.
    """

    columns: dict[Hashable, pd.Series]
    in_range: NDArray[np.bool_] | bool = True


class Goal(NamedTuple):
    """Values that a column of the user's table is to have.

    Attributes
    ----------
    rows : ndarray of shape (m,), bool
        In which rows.
    wanted : Series of shape (m,)
        Which values; meaningless in other rows.
    """

    rows: NDArray[np.bool_]
    wanted: pd.Series


class Rewriting:
    """Base of what replaces columns of a table by others.

    A kind of rewriting is a frozen dataclass, whose fields are what was learnt.
    """

    targets: tuple[Hashable, ...]
    reads: tuple[Hashable, ...]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        REWRITINGS[cls.__name__] = cls

    @abstractmethod
    def express(self, columns: Columns) -> dict[Hashable, pd.Series]:
        """Compute the new columns from those of the user's table."""

    @abstractmethod
    def restore(self, columns: Columns, writer: Writer, rng: np.random.Generator) -> Restored:
        """Compute the targets from the new columns and from columns that are restored already."""

    def imply(self, cells: Cells, writer: Writer) -> None:
        """Add to conditions what follows from them."""

    @abstractmethod
    def translate(self, cells: Cells, writer: Writer, inner: Schema) -> None:
        """Translate the conditions on the targets, or leave them open.

        Parameters
        ----------
        cells : Cells
        writer : Writer
        inner : Schema
            Schema of the rewritten table.

        Raises
        ------
        ValueError
            No row that keeps the rule meets the conditions.
        """

    def move(
        self,
        columns: Columns,
        target: Hashable,
        rows: NDArray[np.bool_],
        wanted: pd.Series,
        free: Mapping[Hashable, NDArray[np.bool_]],
        writer: Writer,
    ) -> dict[Hashable, Goal]:
        """Say which values of the columns read would give a target the value that is asked for.

        A row that was drawn has nearly that value. Of all columns that could make up the
        difference, the one whose values scatter most does, for its density changes least over so
        short a way; the row then is distributed like rows of the model that have the value.

        Parameters
        ----------
        columns : mapping of label to Series of shape (m,)
            The rewritten table, and all columns of the user's table.
        target : hashable
        rows : ndarray of shape (m,), bool
            Rows in which a value is asked for.
        wanted : Series of shape (m,)
            The values asked for.
        free : mapping of label to ndarray of shape (m,), bool
            For each column of the user's table, the rows in which nothing is asked of it.
        writer : Writer

        Returns
        -------
        dict of label to Goal
        """
        return {}

    def aim(
        self,
        columns: dict[Hashable, pd.Series],
        target: Hashable,
        rows: NDArray[np.bool_],
        wanted: pd.Series,
    ) -> None:
        """Change new columns so that a target is restored to exactly the value asked for.

        Parameters
        ----------
        columns : dict of label to Series of shape (m,)
            The rewritten table, which is changed, and the columns read, restored.
        target : hashable
        rows : ndarray of shape (m,), bool
        wanted : Series of shape (m,)
        """

    def categories(self) -> tuple[Hashable, ...]:
        """Return the new columns that hold categories."""
        return ()

    def names_sure(self) -> tuple[Hashable, ...]:
        """Return the targets whose restored values keep every rule on values that occur."""
        return ()

    def identifiers(self) -> tuple[IdentifierColumn, ...]:
        """Return the targets that are numbered anew once all rows are there."""
        return ()


def missing_in(columns: Columns, names: Sequence[Hashable]) -> NDArray[np.bool_]:
    """Say in which rows one of some columns is missing, shape (n,)."""
    return np.logical_or.reduce([columns[name].isna().to_numpy() for name in names])
