"""Long tables to sequences and back, and sequences as a device holds them."""

from __future__ import annotations

import os.path
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabgan.table.columns import IdentifierColumn, NumericColumn
from tabgan.table.dtypes import dtype_name, dtype_named, restore
from tabgan.table.encoder import EncodedTable
from tabgan.table.inference import infer_column
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.quantiles import QuantileTable
from tabgan.table.schema import Header


class Sequences(NamedTuple):
    """n sequences of N steps in all.

    Attributes
    ----------
    steps : DataFrame of N rows
        Channels, each sequence below the one before it, in the order of time.
    given : DataFrame of n rows
        What a sequence has once: static columns, the start, the length.
    """

    steps: pd.DataFrame
    given: pd.DataFrame


@dataclass(frozen=True)
class Clock:
    """The time column of a long table.

    Parameters
    ----------
    column : NumericColumn
    grid : ndarray of shape (T,) or None
        The times of every sequence, as far as it goes; None where sequences differ in them.
    gap : hashable
        Label of the channel that holds the time since the step before, if there is no grid.
    """

    column: NumericColumn
    grid: NDArray[np.float64] | None
    gap: Hashable

    def series(self, numbers: NDArray[np.float64]) -> pd.Series:
        """Turn steps above the column's origin into times, also beyond the range seen."""
        column = self.column
        amounts: NDArray[Any] = numbers
        if column.kind != "float":
            counts = np.rint(numbers).astype(np.int64).astype(np.uint64)
            amounts = counts * np.uint64(column.step) + np.uint64(column.origin % 2**64)
        elif column.decimals is not None:
            amounts = np.round(numbers, column.decimals)
        return column.restore(amounts, np.zeros(len(numbers), dtype=bool))


@dataclass(frozen=True)
class EntityColumn:
    """The column that tells sequences apart; made ones are numbered from 0.

    Numbers stay numbers of their dtype if it is wide enough, and strings become the prefix of all
    entities seen, with a number behind it. Categories are made anew, and anything else becomes
    ``int64``.

    Parameters
    ----------
    name : hashable
    dtype : str
        Of the values, for a pandas categorical those of its categories.
    is_category : bool
    prefix : str or None
        What strings begin with; None for entities that are no strings.
    digits : int
        Width that the numbers in strings are padded to.
    """

    name: Hashable
    dtype: str
    is_category: bool = False
    prefix: str | None = None
    digits: int = 1

    @classmethod
    def infer(cls, values: pd.Series) -> EntityColumn:
        """Describe the entities of a table, none of which is missing."""
        is_category = isinstance(values.dtype, pd.CategoricalDtype)
        dtype = dtype_name(values.cat.categories.dtype if is_category else values.dtype)
        distinct = values.drop_duplicates().tolist()
        if not all(isinstance(value, str) for value in distinct):
            is_number = pd.api.types.is_numeric_dtype(dtype_named(dtype))
            is_flag = pd.api.types.is_bool_dtype(dtype_named(dtype))
            dtype = dtype if is_number and not is_flag else "int64"
            return cls(values.name, dtype, is_category)
        prefix = os.path.commonprefix(distinct).rstrip("0123456789")
        tails = [text[len(prefix) :] for text in distinct]
        if not all(tail.isdecimal() for tail in tails):
            prefix, tails = f"{values.name}_", [""]
        return cls(values.name, dtype, is_category, prefix, max(map(len, tails)))

    def series(self, numbers: NDArray[np.int64]) -> pd.Series:
        """Name the sequences of these numbers, shape (N,)."""
        present = np.zeros(len(numbers), dtype=bool)
        if self.prefix is not None:
            names = IdentifierColumn(self.name, self.dtype, self.prefix, 0, self.digits)
            distinct = names.series(np.zeros(numbers.max() + 1, dtype=bool))
            values = distinct.iloc[numbers].reset_index(drop=True)
        else:
            values = restore(numbers, present, self.dtype)
            if (values.to_numpy() != numbers).any():
                values = pd.Series(numbers)
        return (values.astype("category") if self.is_category else values).rename(self.name)


_CLASSES: dict[str, Any] = {
    part.__name__: part for part in (Clock, EntityColumn, Header, NumericColumn, QuantileTable)
}


@dataclass(frozen=True)
class SequenceFormat:
    """How sequences lie in a long table, one row for each step.

    Parameters
    ----------
    labels : tuple of hashable
        The table's columns in their order.
    header : Header
        How the columns' labels are kept.
    entity : EntityColumn
    clock : Clock or None
        None for a table without a time column, whose rows are in order.
    statics : tuple of hashable
        Columns that do not vary within a sequence.
    length : hashable
        Label of a sequence's length beside its static columns.
    """

    labels: tuple[Hashable, ...]
    header: Header
    entity: EntityColumn
    clock: Clock | None
    statics: tuple[Hashable, ...]
    length: Hashable

    @classmethod
    def infer(
        cls,
        frame: pd.DataFrame,
        entity: Hashable,
        time: Hashable | None = None,
        static_columns: Iterable[Hashable] | None = None,
    ) -> SequenceFormat:
        """Find out how sequences lie in a table.

        Parameters
        ----------
        frame : DataFrame of shape (N, d)
            With a fresh index.
        entity : hashable
            The column that tells sequences apart; their rows need not be together.
        time : hashable, optional
            The column that orders a sequence's rows; without it they are in order.
        static_columns : iterable of hashable, optional
            Columns that a sequence has once. By default those that never vary within a sequence,
            provided that one is longer than a step.

        Raises
        ------
        ValueError
            A name that is no column, missing entities or times, times that are not amounts, two
            rows of one entity and time, a static column that varies, or no column left to be a
            channel.
        """
        labels = tuple(frame.columns)
        for argument, name in (("entity", entity), ("time", time)):
            if name not in labels and not (argument == "time" and name is None):
                raise ValueError(
                    f"{argument} is {name!r}, which is not a column; columns: {list(labels)}."
                )
        rest = [label for label in labels if label not in (entity, time)]
        column = None if time is None else _time_column(frame[time])
        order, number = _in_order(frame, entity, column)
        varying = [name for name in rest if len(_changes(frame[name].iloc[order], number))]
        if static_columns is None:
            is_short = len(number) == number[-1] + 1
            statics = [] if is_short else [name for name in rest if name not in varying]
        else:
            statics = list(static_columns)
        for name in statics:
            if name not in rest:
                raise ValueError(
                    f"static_columns names {name!r}, which is no column besides entity and time; "
                    f"columns: {rest}."
                )
            if name in varying:
                change = _changes(frame[name].iloc[order], number)[0]
                raise ValueError(
                    f"static_columns names {name!r}, which varies within entity "
                    f"{_plain(frame[entity].iloc[order[change]])!r}; leave it out."
                )
        if len(statics) == len(rest):
            raise ValueError(
                f"X has no channel: of its columns {list(labels)} none is left that varies within "
                "an entity; name the static ones, or none, in static_columns."
            )
        clock = None
        if column is not None:
            times = column.numbers(frame[time].iloc[order])
            grid, position = _longest(times, number), positions(np.bincount(number))
            clock = Clock(
                column,
                grid if np.array_equal(grid[position], times) else None,
                unused_label("gap", labels),
            )
        return cls(
            labels,
            Header.of(frame.columns),
            EntityColumn.infer(frame[entity]),
            clock,
            tuple(statics),
            unused_label("length", labels),
        )

    @property
    def channels(self) -> list[Hashable]:
        """Columns of the table that vary within a sequence."""
        apart = {self.entity.name, *self.statics}
        if self.clock is not None:
            apart.add(self.clock.column.name)
        return [label for label in self.labels if label not in apart]

    def split(self, frame: pd.DataFrame) -> Sequences:
        """Take a table apart into sequences, in the order in which entities first appear.

        Raises
        ------
        ValueError
            Missing entities or times, or two rows of one entity and time.
        """
        clock = self.clock
        order, number = _in_order(frame, self.entity.name, clock.column if clock else None)
        first = np.flatnonzero(np.diff(number, prepend=-1))
        steps = frame[self.channels].iloc[order].reset_index(drop=True)
        given = frame[list(self.statics)].iloc[order[first]].reset_index(drop=True)
        if clock is not None and clock.grid is None:
            times = frame[clock.column.name].iloc[order]
            numbers = clock.column.numbers(times)
            given[clock.column.name] = times.iloc[first].reset_index(drop=True)
            steps[clock.gap] = _gaps(numbers, number, clock.column.kind == "float")
        given[self.length] = np.bincount(number)
        return Sequences(steps, given)

    def join(self, sequences: Sequences) -> pd.DataFrame:
        """Put sequences, as `split` returns them, into a table; entities are numbered from 0."""
        lengths = sequences.given[self.length].to_numpy()
        number = np.repeat(np.arange(len(lengths)), lengths)
        columns = {name: sequences.steps[name] for name in self.channels}
        columns[self.entity.name] = self.entity.series(number)
        for name in self.statics:
            columns[name] = sequences.given[name].iloc[number].reset_index(drop=True)
        if self.clock is not None:
            columns[self.clock.column.name] = self._times(sequences, lengths, number)
        frame = pd.concat([columns[name] for name in self.labels], axis=1)
        return frame.set_axis(self.header.index(self.labels), axis=1)

    def _times(
        self, sequences: Sequences, lengths: NDArray[np.int64], number: NDArray[np.int64]
    ) -> pd.Series:
        clock = self.clock
        assert clock is not None
        if clock.grid is not None:
            return clock.series(clock.grid[positions(lengths)])
        start = clock.column.numbers(sequences.given[clock.column.name])
        gaps = sequences.steps[clock.gap].to_numpy(dtype=np.float64)
        first = np.cumsum(lengths) - lengths
        since = np.cumsum(gaps)
        return clock.series(start[number] + since - since[first][number])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {name: to_jsonable(value, _CLASSES) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SequenceFormat:
        """Rebuild a format from `to_dict`."""
        return cls(**{name: from_jsonable(value, _CLASSES) for name, value in data.items()})


class SequenceTable:
    """Encoded steps of all sequences on the device, read as padded batches.

    Parameters
    ----------
    steps : EncodedTable of N rows
        Each sequence's steps below those of the one before it.
    lengths : Tensor of shape (n,), int64
        Steps of each sequence, at least one; they sum to N.

    Attributes
    ----------
    n_steps : int
        Length of the longest sequence, which all are padded to.
    """

    def __init__(self, steps: EncodedTable, lengths: Tensor) -> None:
        self.steps = steps
        self.lengths = lengths
        self.starts = lengths.cumsum(0) - lengths
        self.n_steps = int(lengths.max())

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, index: Tensor) -> tuple[EncodedTable, Tensor]:
        """Take some sequences.

        Parameters
        ----------
        index : Tensor of shape (n,)

        Returns
        -------
        table : EncodedTable
            Codes of shape (n, T, n_blocks) and scalars of shape (n, T, n_scalars); beyond a
            sequence's end, its last step again.
        mask : Tensor of shape (n, T), bool
            Where sequences have steps.
        """
        lengths = self.lengths[index]
        mask = length_mask(lengths, self.n_steps)
        step = torch.arange(self.n_steps, device=index.device)
        position = self.starts[index][:, None] + torch.minimum(step, lengths[:, None] - 1)
        return self.steps.rows(position), mask


def length_mask(lengths: Tensor, n_steps: int) -> Tensor:
    """Where sequences of given lengths have steps, shape (n, n_steps), bool."""
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


def positions(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the steps of each sequence from 0, shape (N,)."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def unused_label(label: str, taken: Sequence[Hashable]) -> str:
    """Add underscores to a label until no column has it."""
    while label in taken:
        label = f"{label}_"
    return label


def _time_column(times: pd.Series) -> NumericColumn:
    # Times of a single sequence do not repeat, and yet are no identifiers.
    column = infer_column(times, times.name, False, "X", is_learnt=True)
    if not isinstance(column, NumericColumn):
        raise ValueError(
            f"time column {times.name!r} must hold numbers, dates or durations, got "
            f"{_plain(times.iloc[0])!r}; convert it first."
        )
    return column


def _in_order(
    frame: pd.DataFrame, entity: Hashable, time: NumericColumn | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort rows by entity and time.

    Returns
    -------
    order : ndarray of shape (N,)
        Which row of the frame comes when.
    number : ndarray of shape (N,)
        The sequence of each sorted row; entities are numbered as they first appear.
    """
    for name in (entity, *([] if time is None else [time.name])):
        missing = frame[name].isna().to_numpy()
        if missing.any():
            raise ValueError(
                f"X has {missing.sum()} rows without a value in column {name!r}; every row needs "
                "its entity and time."
            )
    number = pd.factorize(frame[entity])[0].astype(np.int64)
    if time is None:
        order = np.argsort(number, kind="stable")
        return order, number[order]
    numbers = time.numbers(frame[time.name])
    order = np.lexsort((numbers, number))
    number, numbers = number[order], numbers[order]
    twice = np.flatnonzero((np.diff(number) == 0) & (np.diff(numbers) == 0))
    if len(twice):
        row = frame.iloc[order[twice[0]]]
        raise ValueError(
            f"X has more than one row of entity {_plain(row[entity])!r} at time "
            f"{_plain(row[time.name])!r}; an entity has one row for each time."
        )
    return order, number


def _changes(values: pd.Series, number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the sorted rows whose value is not that of the row before it in its sequence."""
    codes = pd.factorize(values)[0]
    return 1 + np.flatnonzero((np.diff(codes) != 0) & (np.diff(number) == 0))


def _longest(times: NDArray[np.float64], number: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the times of the longest sequence."""
    return times[number == np.bincount(number).argmax()]


def _gaps(times: NDArray[np.float64], number: NDArray[np.int64], is_float: bool) -> NDArray[Any]:
    """Time since the step before, shape (N,); a sequence's first step has the second one's."""
    gaps = np.diff(times, prepend=np.nan)
    is_first = np.diff(number, prepend=-1) != 0
    gaps[is_first] = np.nan
    usual = 1.0 if np.isnan(gaps).all() else float(np.nanquantile(gaps, 0.5, method="lower"))
    following = np.append(gaps[1:], np.nan)
    gaps = np.where(is_first, np.where(np.isnan(following), usual, following), gaps)
    return gaps if is_float else gaps.astype(np.int64)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
