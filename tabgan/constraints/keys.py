"""Rules on identifiers: unique keys, and texts of a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import ParameterError, short
from tabgan.constraints.amounts import Writer
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
from tabgan.table.columns import CategoricalColumn, IdentifierColumn, NumericColumn
from tabgan.table.conditions import Kind
from tabgan.table.dtypes import factorize, restore
from tabgan.table.inference import describe_key
from tabgan.table.schema import Schema

MOST_SHAPES = 64
"""Most shapes of texts that are learnt, the most frequent ones."""

MOST_DRAWS = 200
"""Texts that are drawn for one row until one matches the pattern."""


@dataclass(frozen=True, init=False)
class Unique(Constraint):
    """A key: no two rows of one table hold the same values.

    A single column of texts or whole numbers is not learnt; fresh keys are made, each of which
    differs from every key of training. In other columns, and in keys of several columns, rows that
    repeat a key are drawn anew. Keys are unique within one call of `sample`.

    Parameters
    ----------
    *columns : column labels
        One column or more.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Unique
    >>> seats = pd.DataFrame({"row": [1, 1, 1], "seat": ["a", "b", "a"]})
    >>> Unique("row", "seat").broken(seats)
    array([False, False,  True])
    """

    columns: tuple[Hashable, ...]
    compares_rows: ClassVar[bool] = True

    def __init__(self, *columns: Hashable) -> None:
        several("Unique", "columns", columns, 1)
        check_labels("Unique", columns=columns)
        object.__setattr__(self, "columns", columns)

    @classmethod
    def build(cls, **values: Any) -> Unique:
        """Build a constraint from its fields, as a file holds them."""
        return cls(*values["columns"])

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Labels of the columns of the key."""
        return self.columns

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows repeat the key of an earlier row; a key with a missing value does not."""
        self.check_table(table)
        key = pd.DataFrame({i: table[name] for i, name in enumerate(self.columns)})
        lacks = missing_in({i: key[i] for i in key.columns}, list(key.columns))
        return key.duplicated().to_numpy() & ~lacks

    def keys(self) -> Sequence[Hashable]:
        """Return the columns of the key."""
        return self.columns

    def plan(self, schema: Schema) -> list[Part]:
        """Return one part, which numbers a key of one column, unless the schema does so already."""
        column = schema[self.columns[0]]
        is_counted = (isinstance(column, NumericColumn) and column.kind == "integer") or (
            isinstance(column, CategoricalColumn)
            and column.declared is None
            and bool(column.categories)
            and all(isinstance(value, str) for value in column.categories)
        )
        if len(self.columns) > 1 or not is_counted:
            return []
        name = self.columns[0]

        def learn(columns: Columns, writer: Writer, new: Callable[[str], str]) -> FreshKeys:
            rate = writer.schema[name].missing_rate
            key = describe_key(columns[name], name, writer.min_rows)
            key = replace(key, missing_rate=rate)
            return FreshKeys(key, new(f"{name} known"))

        return [Part(self, [Option((name,), (), learn)], is_needed=False)]

    def __str__(self) -> str:
        return f"Unique({', '.join(map(repr, self.columns))})"


@dataclass(frozen=True)
class FreshKeys(Rewriting):
    """Leaves a key out, and makes fresh keys.

    Attributes
    ----------
    key : IdentifierColumn
    known : str
        Label of the column that says in which rows the key is there.
    """

    key: IdentifierColumn
    known: str

    @property
    def targets(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        """The key."""
        return (self.key.name,)

    @property
    def reads(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        """Nothing."""
        return ()

    def categories(self) -> tuple[Hashable, ...]:
        """Return the column that says in which rows the key is there."""
        return (self.known,)

    def identifiers(self) -> tuple[IdentifierColumn, ...]:
        """Return the key."""
        return (self.key,)

    def express(self, columns: Columns) -> dict[Hashable, pd.Series]:
        """Return where the key is there."""
        is_there = columns[self.key.name].notna().to_numpy() | (self.key.missing_rate == 0)
        return {self.known: pd.Series(is_there)}

    def translate(self, cells: Cells, writer: Writer, inner: Schema) -> None:
        """Ask that the key is there, or is missing; any other condition is refused."""
        _ask_for_presence(cells, self.key.name, self.known)

    def restore(self, columns: Columns, writer: Writer, rng: np.random.Generator) -> Restored:
        """Count up from the last key of training."""
        missing = ~columns[self.known].to_numpy(dtype=bool)
        return Restored({self.key.name: self.key.series(missing)})


@dataclass(frozen=True)
class Pattern(Constraint):
    """A column of texts that match a regular expression as a whole.

    Columns whose values repeat are learnt as categories, all of which match. For a column whose
    values hardly repeat, fresh texts are drawn: they have the shapes of the texts in training,
    characters that occurred at the same place, and match the expression.

    Parameters
    ----------
    column : column label
        The column.
    regex : str
        The regular expression.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Pattern
    >>> parts = pd.DataFrame({"code": ["AB-12", "CD-34", "E-5"]})
    >>> Pattern("code", r"[A-Z]{2}-[0-9]{2}").broken(parts)
    array([False, False,  True])
    """

    column: Hashable
    regex: str
    is_lookup: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_labels("Pattern", column=self.column)
        try:
            re.compile(self.regex)
        except (re.error, TypeError) as error:
            raise ParameterError(
                f"regex must be a regular expression, got {short(self.regex)} ({error})."
            ) from error

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Label of the column."""
        return (self.column,)

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows hold another text, or no text."""
        self.check_table(table)
        codes, values = factorize(table[self.column].astype(object))
        fits = re.compile(self.regex).fullmatch
        wrong = [not isinstance(value, str) or fits(value) is None for value in values]
        return np.array([*wrong, False], dtype=bool)[codes]

    def keys(self) -> Sequence[Hashable]:
        """Return the column."""
        return (self.column,)

    def plan(self, schema: Schema) -> list[Part]:
        """Return one part, which draws texts of a column that is an identifier."""
        if not isinstance(schema[self.column], IdentifierColumn):
            return []

        def learn(columns: Columns, writer: Writer, new: Callable[[str], str]) -> Texts:
            column = writer.schema[self.column]
            shapes, counts = _shapes(columns[self.column])
            return Texts(
                self.column,
                self.regex,
                shapes,
                counts,
                new(f"{self.column} known"),
                column.dtype,
                column.marker,
                not writer.may_lack(self.column),
            )

        return [Part(self, [Option((self.column,), (), learn)], is_needed=True)]


@dataclass(frozen=True)
class Texts(Rewriting):
    """Leaves a column of texts out, and draws fresh texts.

    Attributes
    ----------
    target : column label
    regex : str
    shapes : tuple of tuples of str
        For each shape, the characters that occurred at each place.
    counts : tuple of int
        How many texts of training had each shape.
    known : str
        Label of the column that says in which rows there is a text.
    dtype, marker : str
        The column's dtype and how it marks missing values.
    is_always : bool
        Whether every row gets a text.
    """

    target: Hashable
    regex: str
    shapes: tuple[tuple[str, ...], ...]
    counts: tuple[int, ...]
    known: str
    dtype: str
    marker: str
    is_always: bool

    @property
    def targets(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        """The column of texts."""
        return (self.target,)

    @property
    def reads(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        """Nothing."""
        return ()

    def names_sure(self) -> tuple[Hashable, ...]:
        """Return the column of texts, each of which has matched."""
        return (self.target,)

    def categories(self) -> tuple[Hashable, ...]:
        """Return the column that says in which rows there is a text."""
        return (self.known,)

    def express(self, columns: Columns) -> dict[Hashable, pd.Series]:
        """Return where there is a text."""
        return {self.known: pd.Series(columns[self.target].notna().to_numpy() | self.is_always)}

    def translate(self, cells: Cells, writer: Writer, inner: Schema) -> None:
        """Ask that there is a text, or none; any other condition is refused."""
        _ask_for_presence(cells, self.target, self.known)

    def restore(self, columns: Columns, writer: Writer, rng: np.random.Generator) -> Restored:
        """Draw a text for each row, and draw it anew until it matches."""
        missing = ~columns[self.known].to_numpy(dtype=bool)
        texts = np.full(len(missing), None, dtype=object)
        waiting = np.flatnonzero(~missing)
        fits = re.compile(self.regex).fullmatch
        for _ in range(MOST_DRAWS):
            if not len(waiting):
                break
            drawn = self._drawn(len(waiting), rng)
            matches = np.array([fits(text) is not None for text in drawn], dtype=bool)
            texts[waiting[matches]] = drawn[matches]
            waiting = waiting[~matches]
        in_range = np.ones(len(missing), dtype=bool)
        in_range[waiting] = False
        missing[waiting] = True
        return Restored({self.target: restore(texts, missing, self.dtype, self.marker)}, in_range)

    def _drawn(self, n: int, rng: np.random.Generator) -> NDArray[Any]:
        """Draw texts, shape (n,), without regard to the expression."""
        rates = np.array(self.counts) / np.sum(self.counts)
        kinds = rng.choice(len(self.shapes), size=n, p=rates)
        texts = np.empty(n, dtype=object)
        for k in np.unique(kinds):
            rows = np.flatnonzero(kinds == k)
            places = [
                np.array(list(characters))[rng.integers(len(characters), size=len(rows))]
                for characters in self.shapes[k]
            ]
            if not places:
                texts[rows] = ""
                continue
            # A row of single characters, read as one text.
            letters = np.ascontiguousarray(np.column_stack(places))
            texts[rows] = letters.view(f"<U{len(places)}")[:, 0]
        return texts


def _ask_for_presence(cells: Cells, name: Hashable, known: str) -> None:
    kinds, is_missing = cells.kind(name), cells.is_missing(name)
    if ((kinds != Kind.ANY) & (kinds != Kind.PRESENT) & ~is_missing).any():
        raise ValueError(f"conditions: {name!r} is an identifier, which is not learnt; drop it.")
    cells.ask(known, is_missing, False)
    cells.ask(known, kinds == Kind.PRESENT, True)


def _shapes(values: pd.Series) -> tuple[tuple[tuple[str, ...], ...], tuple[int, ...]]:
    """Sort texts by their shape, in which digits, capitals and small letters are alike."""
    found: dict[str, list[str]] = {}
    for text in values.dropna():
        shape = re.sub("[a-z]", "a", re.sub("[A-Z]", "A", re.sub("[0-9]", "0", text)))
        found.setdefault(shape, []).append(text)
    common = sorted(found.values(), key=len, reverse=True)[:MOST_SHAPES]
    shapes = tuple(
        tuple("".join(sorted(set(place))) for place in zip(*texts, strict=True)) for texts in common
    )
    return shapes, tuple(len(texts) for texts in common)


@dataclass(frozen=True)
class Predicate(Constraint):
    """Any rule that a function checks.

    The rule is kept by rejection alone: rows that break it are drawn anew, up to a bound on the
    rows that are drawn. The function is code, so that a file of an estimator does not hold it, and
    the estimator that is loaded does not keep the rule; `save` says so.

    Parameters
    ----------
    function : callable
        Takes a DataFrame of n rows and returns n booleans: whether each row keeps the rule.
    name : str or None, default=None
        What errors call the rule; None takes the name of the function.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.constraints import Predicate
    >>> rule = Predicate(lambda table: table["a"] * table["b"] <= 10, name="a * b <= 10")
    >>> rule.broken(pd.DataFrame({"a": [1, 5], "b": [2, 3]}))
    array([False,  True])
    """

    function: Callable[[pd.DataFrame], Any]
    name: str | None = None
    is_saved: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ParameterError(
                f"function of Predicate must be callable, got {short(self.function)}."
            )

    @property
    def names(self) -> Sequence[Hashable]:  # type: ignore[override]
        """No columns, for the function alone knows what it reads."""
        return ()

    def broken(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which rows the function does not take."""
        kept = np.asarray(self.function(table))
        if kept.shape != (len(table),):
            raise ValueError(
                f"{self} must return one boolean for each of {len(table)} rows, "
                f"got an array of shape {kept.shape}."
            )
        return ~kept.astype(bool)

    def __str__(self) -> str:
        name = self.name or getattr(self.function, "__name__", type(self.function).__name__)
        return f"Predicate({name})"
