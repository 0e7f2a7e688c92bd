"""Conditions on synthetic rows: read, checked against the schema, encoded, and compared with rows.

A user gives conditions as a dict, a Series or a DataFrame. `condition_frame` turns them into a
table with one row of conditions for each synthetic row. `encode_condition` encodes one column of
that table in the terms of an encoder. `SyntheticColumn` says which synthetic rows meet a condition.
"""

from __future__ import annotations

import enum
import numbers
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_list_like

from tabgan.table.columns import (
    UNKNOWN,
    CategoricalColumn,
    IdentifierColumn,
    NumericColumn,
    raw_amounts,
)
from tabgan.table.dtypes import as_objects
from tabgan.table.encoder import Encoder
from tabgan.table.schema import Schema

RANK_TOLERANCE = 0.02
"""Share of the training rows: a synthetic number no further than that from the number of a
condition, in ranks, meets the condition."""


class Wildcard(enum.Enum):
    """Conditions that are not values: `ANY` and `PRESENT`, which `tabgan` exports.

    Attributes
    ----------
    ANY
        Nothing is asked of this cell. With `ANY`, the rows of a DataFrame of conditions may name
        different columns.
    PRESENT
        The cell must not be missing.
    """

    ANY = "any value"
    PRESENT = "any value that is not missing"

    def __repr__(self) -> str:
        return f"tabgan.{self.name}"


ANY, PRESENT = Wildcard.ANY, Wildcard.PRESENT


class Kind(enum.IntEnum):
    """What a condition asks for: a value (which may be missing), or one of several values."""

    VALUE = 0
    INTERVAL = 1
    ONE_OF = 2
    PRESENT = 3
    ANY = 4


def condition_frame(conditions: Any, n_samples: int, schema: Schema) -> pd.DataFrame:
    """Turn a dict, Series or DataFrame into one row of conditions for each synthetic row.

    Parameters
    ----------
    conditions : dict, Series or DataFrame
        A dict, or a Series indexed by column, holds for all `n_samples` rows. A set or a list in it
        means "one of these"; an array or another list-like value has one entry for each row. A
        DataFrame of m rows, or a Series of m values that is named after a column, has one row of
        conditions for each of m synthetic rows.
    n_samples : int
        1, or the number of rows of conditions; values that hold for all rows are repeated so often.
    schema : Schema
        The columns that conditions may name.

    Returns
    -------
    DataFrame of shape (n, k) and dtype object, with a fresh index

    Raises
    ------
    ValueError
        A name that is not a column, or a length that does not fit `n_samples`.
    TypeError
        `conditions` is of none of these types.
    """
    names = schema.names
    if isinstance(conditions, pd.Series):
        by_column = all(label in names for label in conditions.index)
        if conditions.name in names and not (by_column and len(conditions)):
            conditions = conditions.to_frame()
        else:
            conditions = conditions.to_dict()
    if isinstance(conditions, Mapping):
        frame = _frame_of_mapping(conditions, n_samples, schema)
    elif isinstance(conditions, pd.DataFrame):
        frame = conditions.astype(object).reset_index(drop=True)
    else:
        raise TypeError(
            "conditions must be a dict, a Series or a DataFrame whose names are columns, "
            f"got {type(conditions).__name__}."
        )
    if not len(frame.columns):
        raise ValueError("conditions is empty; leave it out to sample without conditions.")
    for name in frame.columns:
        if name not in names:
            raise ValueError(f"conditions names {name!r}, which is not a column; columns: {names}.")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"conditions names {twice!r} more than once; name each column once.")
    if not len(frame):
        raise ValueError("conditions has 0 rows; give at least one.")
    if n_samples not in (1, len(frame)):
        raise ValueError(
            f"n_samples is {n_samples} but conditions has {len(frame)} rows; "
            "leave n_samples out, or make the two agree."
        )
    return frame


def _frame_of_mapping(
    conditions: Mapping[Hashable, Any], n_samples: int, schema: Schema
) -> pd.DataFrame:
    per_row = {
        name: as_objects(value)
        for name, value in conditions.items()
        if is_list_like(value, allow_sets=False)
        and not isinstance(value, list)
        and not _is_category(value, name, schema)
    }
    lengths = {len(values) for values in per_row.values()}
    if len(lengths) > 1:
        raise ValueError(
            f"conditions holds arrays of different lengths, {sorted(lengths)}; "
            "give every column one value, or arrays of one length."
        )
    n_rows = lengths.pop() if lengths else n_samples
    columns = [
        pd.Series(per_row[name] if name in per_row else as_objects([value] * n_rows), dtype=object)
        for name, value in conditions.items()
    ]
    frame = pd.concat(columns, axis=1, keys=range(len(columns))) if columns else pd.DataFrame()
    return frame.set_axis(pd.Index(list(conditions), dtype=object, tupleize_cols=False), axis=1)


def _is_category(value: Any, name: Hashable, schema: Schema) -> bool:
    """Whether a list-like value is itself a category of the column, as a tuple may be."""
    column = schema[name] if isinstance(value, Hashable) and name in schema.names else None
    return isinstance(column, CategoricalColumn) and value in column.categories


class EncodedCondition(NamedTuple):
    """The conditions of n rows on one column, encoded.

    Attributes
    ----------
    column : NumericColumn or CategoricalColumn
        The column.
    kinds : ndarray of shape (n,), int64
        The `Kind` of each condition.
    codes : ndarray of shape (n,), int64
        The level of a value; -1 where any level will do, as for an interval.
    scalars : ndarray of shape (n,), float64
        The scalar of a value; NaN where any scalar will do.
    low, high : ndarray of shape (n,), float64
        The ends of an interval, in the column's numbers; NaN for other conditions.
    numbers : ndarray of shape (n,), float64
        The value of the condition in the column's numbers; NaN where the condition is not a number.
    values : Series of shape (n,)
        The values of the conditions in the column's dtype; meaningless unless the kind is a value.
    asked : Series of shape (n,)
        The conditions as the user wrote them.
    choice : ndarray of shape (n,), int64
        For "one of", the position in `choices`; -1 for other conditions.
    choices : tuple of EncodedCondition
        The distinct sets of values, intervals and missing values, each with one row for a member.
    """

    column: NumericColumn | CategoricalColumn
    kinds: NDArray[np.int64]
    codes: NDArray[np.int64]
    scalars: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    numbers: NDArray[np.float64]
    values: pd.Series
    asked: pd.Series
    choice: NDArray[np.int64]
    choices: tuple[EncodedCondition, ...]

    def keys(self) -> NDArray[np.float64]:
        """Return numbers that tell conditions apart, shape (n, 6)."""
        parts = [self.kinds, self.choice, self.codes, self.scalars, self.low, self.high]
        return np.nan_to_num(np.column_stack(parts).astype(np.float64), nan=-9.0)

    def widths(self) -> NDArray[np.float64]:
        """Return how much each condition leaves open, shape (n,): 0 for a value."""
        width = np.nan_to_num(self.high - self.low)
        of_choice = np.array([members.widths().sum() for members in self.choices] + [0.0])
        width = np.where(self.kinds == Kind.ONE_OF, of_choice[self.choice], width)
        return np.where(self.kinds >= Kind.PRESENT, np.finfo(np.float64).max / 1e9, width)

    def impose(self, made: pd.Series, asked: NDArray[np.int64]) -> pd.Series:
        """Replace the values of rows that meet conditions by the exact values of the conditions.

        A number meets a condition within `RANK_TOLERANCE`; users get exactly the number that they
        wrote. Values in an interval stay.

        Parameters
        ----------
        made : Series of shape (m,)
            The column of the synthetic rows.
        asked : ndarray of shape (m,)
            For each row, the position of its condition.

        Returns
        -------
        Series of shape (m,)
        """
        kinds = self.kinds[asked]
        if (kinds == Kind.VALUE).all():
            return self.values.iloc[asked].set_axis(made.index)
        wanted = self.values.iloc[asked].set_axis(made.index)
        made = made.where(kinds != Kind.VALUE, wanted)
        is_numeric = isinstance(self.column, NumericColumn)
        for c in np.unique(self.choice[asked][kinds == Kind.ONE_OF]):
            rows = np.flatnonzero(self.choice[asked] == c)
            members = self.choices[c]
            some = made.iloc[rows]
            made.iloc[rows] = members.nearest(some) if is_numeric else members.named(some)
        return made

    def named(self, made: pd.Series) -> pd.Series:
        """Replace categories that share a level with members of a set by those members.

        Parameters
        ----------
        made : Series of shape (m,)
            Categories, each of which has the level of a member, or a missing value.

        Returns
        -------
        Series of shape (m,)
            Members of the shared level come about as often as their training rates say.
        """
        assert isinstance(self.column, CategoricalColumn)
        is_named = (self.kinds == Kind.VALUE) & self.values.notna().to_numpy()
        if (self.kinds >= Kind.PRESENT).any() or not is_named.any():
            return made
        members = self.column.codes(self.values[is_named])
        codes = self.column.codes(made)
        others = np.flatnonzero((codes >= 0) & ~np.isin(codes, members))
        # Of the levels of categories the shared one is the last.
        levels = self.codes[is_named]
        shared = np.unique(members[levels == levels.max()])
        rates = np.cumsum(np.array(self.column.frequencies)[shared])
        places = (np.arange(len(others)) + 0.5) / max(1, len(others)) * rates[-1]
        codes[others] = shared[np.searchsorted(rates, places).clip(max=len(shared) - 1)]
        return self.column.series(codes).set_axis(made.index)

    def nearest(self, made: pd.Series) -> pd.Series:
        """Replace numbers that are no member of a set of conditions by the nearest member.

        Parameters
        ----------
        made : Series of shape (m,)
            Numbers, each of which meets a member.

        Returns
        -------
        Series of shape (m,)
        """
        assert isinstance(self.column, NumericColumn)
        numbers = self.column.numbers(made)[:, None]
        low, high = (np.where(np.isnan(end), self.numbers, end) for end in (self.low, self.high))
        away = np.fmax(np.fmax(low - numbers, numbers - high), 0.0)
        # A missing member is no number's nearest.
        away[:, (self.kinds == Kind.VALUE) & np.isnan(self.numbers)] = np.inf
        is_missing = np.isnan(numbers[:, 0])
        member = np.where(is_missing, 0, np.argmin(np.nan_to_num(away, nan=np.inf), axis=1))
        # Equal numbers need not be equal values: whole numbers beyond 2**53 are rounded.
        is_value = ~np.isnan(self.numbers[member])
        stays = is_missing | ((away[np.arange(len(made)), member] == 0) & ~is_value)
        return made.where(stays, self.values.iloc[member].set_axis(made.index))

    def as_written(self, i: int) -> Any:
        """Return condition `i` as the user wrote it, for use in errors."""
        value = self.asked.iloc[i]
        return value.item() if isinstance(value, np.generic) else value


class SyntheticColumn:
    """One column of m synthetic rows, in all forms that conditions are compared with.

    Parameters
    ----------
    condition : EncodedCondition
        The conditions on the column.
    column : NumericColumn or CategoricalColumn
    codes, scalars : ndarray of shape (m,) or None
        The levels and scalars of the rows; None where the column has none.
    values : Series of shape (m,)
        The values of the rows.
    """

    def __init__(
        self,
        condition: EncodedCondition,
        column: NumericColumn | CategoricalColumn,
        codes: NDArray[np.int64] | None,
        scalars: NDArray[np.float64] | None,
        values: pd.Series,
    ) -> None:
        self.condition, self.codes, self.scalars = condition, codes, scalars
        self.is_missing = values.isna().to_numpy()
        self.numbers = np.full(len(values), np.nan)
        if (
            isinstance(column, NumericColumn)
            and not np.isnan([condition.numbers, condition.low]).all()
        ):
            self.numbers = column.numbers(values)
        self.choices = [
            SyntheticColumn(members, column, codes, scalars, values)
            for members in condition.choices
        ]

    def meets(self, i: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which synthetic rows meet a condition.

        Parameters
        ----------
        i : int
            The position of the condition.
        rows : ndarray of shape (k,)
            Positions of the rows to look at.

        Returns
        -------
        ndarray of shape (k,), bool
        """
        condition = self.condition
        if condition.kinds[i] == Kind.ONE_OF:
            of_choice = self.choices[condition.choice[i]]
            members = range(len(of_choice.condition.kinds))
            return np.any([of_choice.meets(member, rows) for member in members], axis=0)
        if condition.kinds[i] == Kind.PRESENT:
            return ~self.is_missing[rows]
        fits = np.ones(len(rows), dtype=bool)
        if self.codes is not None and condition.codes[i] >= 0:
            fits &= self.codes[rows] == condition.codes[i]
        if self.scalars is not None and not np.isnan(condition.scalars[i]):
            is_near = np.abs(self.scalars[rows] - condition.scalars[i]) <= 2 * RANK_TOLERANCE
            fits &= is_near | (self.numbers[rows] == condition.numbers[i])
        if not np.isnan(condition.low[i]):
            numbers = self.numbers[rows]
            fits &= (numbers >= condition.low[i]) & (numbers <= condition.high[i])
        return fits


def encode_condition(encoder: Encoder, name: Hashable, asked: pd.Series) -> EncodedCondition:
    """Encode the conditions on one column.

    Parameters
    ----------
    encoder : Encoder
    name : hashable
        Label of a column of the encoder's schema.
    asked : Series of shape (n,), dtype object
        The conditions: values, missing values, ``pandas.Interval`` for numbers, dates and
        durations, sets or lists of all these, `ANY` or `PRESENT`.

    Returns
    -------
    EncodedCondition

    Raises
    ------
    ValueError
        An unknown category, a number out of range or of the wrong type, an interval in which no
        value was seen, an empty set, or a missing value where training had none.
    """
    index = encoder.schema.position(name)
    codec = encoder.codecs[index]
    column = codec.column
    if isinstance(column, IdentifierColumn):
        raise ValueError(f"conditions: {name!r} is an identifier, which is not learnt; drop it.")
    kinds = np.array([_kind(value, column) for value in asked], dtype=np.int64)
    is_value = kinds == Kind.VALUE
    missing = is_value & asked.isna().to_numpy()
    if missing.any() and column.missing_rate == 0:
        raise ValueError(
            f"conditions: {name!r} is missing, but it never was in training; "
            "leave the column out, or write tabgan.ANY, to accept any value."
        )
    if (kinds == Kind.PRESENT).any() and column.missing_rate == 1:
        raise ValueError(f"conditions: {name!r} was always missing in training.")
    low, high, numbers_asked = np.full((3, len(asked)), np.nan)
    if isinstance(column, CategoricalColumn):
        levels_asked = np.full(len(asked), 0 if column.categories else -1)
        levels_asked[is_value] = _category_codes(column, asked[is_value])
        values = column.series(levels_asked)
    else:
        in_interval = kinds == Kind.INTERVAL
        low[in_interval], high[in_interval] = _interval_ends(column, asked[in_interval])
        values = _amounts(column, asked, missing, ~is_value)
        numbers_asked = np.where(is_value, column.numbers(values), np.nan)
    levels = codec.encode(values)
    codes = np.where(is_value & (encoder.blocks[index] >= 0), levels.codes, -1)
    is_scalar = codec.has_scalar & is_value & (levels.codes == 0)
    scalars = np.where(is_scalar, 2 * levels.ranks - 1, np.nan)
    choice, choices = _choices(encoder, name, asked, kinds)
    return EncodedCondition(
        column, kinds, codes, scalars, low, high, numbers_asked, values, asked, choice, choices
    )


def _kind(value: Any, column: NumericColumn | CategoricalColumn) -> Kind:
    """Say what a cell of a table of conditions asks for."""
    if isinstance(value, Wildcard):
        return Kind.PRESENT if value is PRESENT else Kind.ANY
    if isinstance(value, set | frozenset | list):
        is_category = (
            isinstance(column, CategoricalColumn)
            and isinstance(value, Hashable)
            and value in column.categories
        )
        return Kind.VALUE if is_category else Kind.ONE_OF
    if isinstance(value, pd.Interval) and isinstance(column, NumericColumn):
        return Kind.INTERVAL
    return Kind.VALUE


def _choices(
    encoder: Encoder, name: Hashable, asked: pd.Series, kinds: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[EncodedCondition, ...]]:
    """Encode sets of conditions, each distinct set once.

    Raises
    ------
    ValueError
        A set is empty, or a member of a set is no condition.
    """
    choice = np.full(len(asked), -1)
    places: dict[Any, int] = {}
    choices: list[EncodedCondition] = []
    for i in np.flatnonzero(kinds == Kind.ONE_OF):
        members = asked.iloc[i]
        key = frozenset(members) if all(isinstance(m, Hashable) for m in members) else id(members)
        if key not in places:
            if not len(members):
                raise ValueError(
                    f"conditions: {name!r} is to be one of no values; give at least one."
                )
            places[key] = len(choices)
            choices.append(
                encode_condition(encoder, name, pd.Series(as_objects(members), dtype=object))
            )
        choice[i] = places[key]
    return choice, tuple(choices)


def _category_codes(column: CategoricalColumn, asked: pd.Series) -> NDArray[np.int64]:
    """Turn conditions into positions of categories; a ValueError names the first unknown one."""
    try:
        codes = column.codes(asked)
    except TypeError as error:
        raise ValueError(f"conditions: {column.name!r} got no category ({error}).") from error
    if (codes == UNKNOWN).any():
        unknown = asked[codes == UNKNOWN].iloc[0]
        seen = ", ".join(repr(category) for category in column.categories[:10])
        more = ", ..." if len(column.categories) > 10 else ""
        took = f"it took {seen}{more}" if seen else "all its values were missing"
        raise ValueError(f"conditions: {column.name!r} was learnt without {unknown!r}; {took}.")
    return codes


def _amounts(
    column: NumericColumn,
    asked: pd.Series,
    missing: NDArray[np.bool_],
    is_open: NDArray[np.bool_],
) -> pd.Series:
    """Cast values to the column's dtype; any other condition becomes the lowest value seen."""
    is_value = ~missing & ~is_open
    lowest = column.series(column.table.low[:1])
    amounts = np.repeat(raw_amounts(lowest, column.kind, column.inner), len(asked))
    if is_value.any():
        amounts[is_value] = _read_amounts(column, asked[is_value])
    values = column.restore(amounts, missing)
    numbers = column.numbers(values)
    outside = (numbers < column.table.low[0]) | (numbers > column.table.high[-1])
    if outside.any():
        raise _range_error(column, asked[outside].iloc[0])
    return values


def _read_amounts(column: NumericColumn, asked: pd.Series) -> NDArray[Any]:
    """Read values, none of them missing, as the column's kind of amounts.

    Raises
    ------
    ValueError
        Values of another kind, or integers and times beyond what the column has seen.
    """
    try:
        if column.kind in ("datetime", "timedelta"):
            _refuse_numbers(asked)
            # A column of dates without a time of day takes moments too, and drops their time.
            clock = column.inner if column.inner != "datetime64[D]" else "datetime64[s]"
            amounts = raw_amounts(asked.astype(clock), column.kind, column.inner)
        else:
            amounts = pd.to_numeric(asked).to_numpy()
            if amounts.dtype == object:
                # Integers beyond 64 bits; as floats they are out of range, and named as such.
                amounts = amounts.astype(np.float64)
            if amounts.dtype.kind not in "biuf":
                raise TypeError("not a real number")
            if column.kind == "float":
                return amounts.astype(np.float64)
            is_part = np.floor(amounts) != amounts
            if is_part.any():
                raise ValueError(f"{amounts[is_part][0]} is not whole")
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"conditions: {column.name!r} holds {column.kind} values, got {asked.iloc[0]!r} "
            f"({error})."
        ) from error
    # Integers are compared, for float64 may be too coarse to tell two neighbouring ones apart.
    outside = (amounts < column.origin) | (amounts > column.origin + column.last * column.step)
    if outside.any():
        raise _range_error(column, asked[outside].iloc[0])
    return amounts


def _refuse_numbers(asked: pd.Series) -> None:
    """Raise a TypeError for a number where a date or duration is needed."""
    for value in asked:
        # NumPy counts its durations among the numbers.
        if isinstance(value, numbers.Number | np.bool_) and not isinstance(value, np.timedelta64):
            raise TypeError(f"{value} has no unit")


def _range_error(column: NumericColumn, value: Any) -> ValueError:
    low, high = column.ends
    return ValueError(
        f"conditions: {column.name!r} must lie in [{low}, {high}], the range seen in training, "
        f"got {value!r}."
    )


def _interval_ends(
    column: NumericColumn, intervals: pd.Series
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn intervals into closed ends, in steps above the column's origin.

    An open end moves inwards by the smallest float64 there is, and in a column of whole steps to
    the next whole step. An interval in which no value was seen is refused here, for no synthetic
    row would ever meet that condition.
    """
    ends = []
    for side, toward in (("left", np.inf), ("right", -np.inf)):
        values = pd.Series([getattr(interval, side) for interval in intervals], dtype=object)
        steps = _steps_to(column, values)
        is_open = np.array([getattr(interval, f"open_{side}") for interval in intervals], bool)
        ends.append(np.where(is_open, np.nextafter(steps, toward), steps))
    low, high = ends
    if column.kind != "float":
        low, high = np.ceil(low), np.floor(high)
    table = column.table
    # Segments are sorted. The first segment that ends at or above the low end of an interval is the
    # only one to look at: if it begins above the high end, so do all later ones.
    segment = np.minimum(np.searchsorted(table.high, low), table.n_segments - 1)
    first, last = column.outermost(low, high)
    nowhere = (low > high) | (first > last) | (table.low[segment] > high)
    if nowhere.any():
        least, most = column.ends
        raise ValueError(
            f"conditions: {column.name!r} was learnt within [{least}, {most}], and without a "
            f"number in {intervals[nowhere].iloc[0]}."
        )
    return low, high


def _steps_to(column: NumericColumn, values: pd.Series) -> NDArray[np.float64]:
    """Turn ends of intervals into steps above the column's origin, also beyond the range seen."""
    if not len(values):
        return np.empty(0)
    try:
        if column.kind in ("datetime", "timedelta"):
            _refuse_numbers(values)
            clock = column.inner if column.inner != "datetime64[D]" else "datetime64[s]"
            return column.steps(raw_amounts(values.astype(clock), column.kind, column.inner))
        return (values.astype(np.float64).to_numpy() - column.origin) / column.step
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"conditions: {column.name!r} holds {column.kind} values, and "
            f"{values.iloc[0]!r} is no end for an interval of such ({error})."
        ) from error
