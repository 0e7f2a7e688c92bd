"""From long tables to sequences and back.

A long table has one row for each step of each sequence. `SequenceFormat` takes such a table apart
into steps (what varies along a sequence) and what each sequence has once, and puts synthetic ones
together again.
"""

from __future__ import annotations

import os.path
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import ParameterError
from tabgan.table.columns import IdentifierColumn, NumericColumn
from tabgan.table.dtypes import dtype_name, dtype_named, factorize, restore
from tabgan.table.inference import infer_column
from tabgan.table.jsonable import check_fields, from_jsonable, to_jsonable
from tabgan.table.quantiles import QuantileTable
from tabgan.table.schema import Header
from tabgan.table.soundness import check_column

WINDOWED_STEPS = 2_000_000
"""Most steps of all windows of a table together, unless windows that do not overlap have more."""


WINDOW = "window of a series"
"""Label of the column of windows that `in_windows` adds."""


class Cuts(NamedTuple):
    """Windows that were cut from series, whose N rows are sorted by series and time.

    Attributes
    ----------
    starts : ndarray of shape (n,)
        Position of the first row of each window among the rows, in rising order.
    owners : ndarray of shape (n,)
        The series of each window.
    window : int
        Rows of each window.
    """

    starts: NDArray[np.int64]
    owners: NDArray[np.int64]
    window: int

    def rows(self) -> NDArray[np.int64]:
        """Return the positions of the rows of all windows, window after window."""
        return (self.starts[:, None] + np.arange(self.window)).ravel()


class Sequences(NamedTuple):
    """A number n of sequences, which have N steps in all.

    Attributes
    ----------
    steps : DataFrame of N rows
        The channels: columns that vary along a sequence. The steps of each sequence are in the
        order of time, below those of the sequence before.
    given : DataFrame of n rows
        What each sequence has once: static columns, its start in time, its length.
    cuts : Cuts or None
        Where sequences were cut from longer series, if they were.
    """

    steps: pd.DataFrame
    given: pd.DataFrame
    cuts: Cuts | None = None

    def chosen(self, is_chosen: NDArray[np.bool_], steps: NDArray[np.bool_]) -> Sequences:
        """Return some of the sequences.

        Parameters
        ----------
        is_chosen : ndarray of shape (n,), bool
        steps : ndarray of shape (N,), bool
            The same for each step.

        Returns
        -------
        Sequences
        """
        cuts = self.cuts
        if cuts is not None:
            cuts = cuts._replace(starts=cuts.starts[is_chosen], owners=cuts.owners[is_chosen])
        steps_left = self.steps[steps].reset_index(drop=True)
        return Sequences(steps_left, self.given[is_chosen].reset_index(drop=True), cuts)


@dataclass(frozen=True)
class Clock:
    """The time column of a long table.

    Parameters
    ----------
    column : NumericColumn
    grid : ndarray of shape (T,) or None
        The times of the longest sequence, if every sequence has the first of these times; None if
        sequences differ in their times.
    gap : hashable
        Label of the channel that holds the time since the step before; used without a grid.
    """

    column: NumericColumn
    grid: NDArray[np.float64] | None
    gap: Hashable

    def series(self, numbers: NDArray[np.float64]) -> pd.Series:
        """Turn steps above the origin of the column into times, also beyond the range seen."""
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
    """The column that says to which sequence a row belongs.

    Synthetic sequences are numbered from 0. Entities that were numbers are numbers of the same
    dtype, if that is wide enough. Entities that were strings are a number behind the prefix that
    all strings shared. Pandas categories are the categories of the synthetic entities, and entities
    of any other kind become ``int64``.

    Parameters
    ----------
    name : hashable
    dtype : str
        Name of the dtype of the values, or of the categories of a pandas categorical.
    is_category : bool
        Whether the column is a pandas categorical.
    prefix : str or None
        The beginning of all strings; None for entities that are no strings.
    digits : int
        The width to which numbers in strings are padded with zeros.
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
        """Turn numbers of sequences into entities, shape (N,)."""
        present = np.zeros(len(numbers), dtype=bool)
        if self.prefix is not None:
            names = IdentifierColumn(self.name, self.dtype, self.prefix, 0, self.digits)
            distinct = names.series(np.zeros(numbers.max() + 1, dtype=bool))
            values = distinct.iloc[numbers].reset_index(drop=True)
        else:
            values = restore(numbers, present, self.dtype)
            if (values.to_numpy() != numbers).any():
                values = pd.Series(numbers)
        if self.is_category:
            values = pd.Series(pd.Categorical.from_codes(*factorize(values, sort=True)))
        return values.rename(self.name)


_CLASSES: dict[str, Any] = {
    part.__name__: part for part in (Clock, EntityColumn, Header, NumericColumn, QuantileTable)
}


@dataclass(frozen=True)
class SequenceFormat:
    """The places of sequences in a long table, which has one row for each step.

    Parameters
    ----------
    labels : tuple of hashable
        The columns of the table in their order.
    header : Header
        The index in which the table keeps its labels.
    entity : EntityColumn or None
        None for a table that is one series.
    clock : Clock or None
        None for a table without a time column, whose rows are in order.
    statics : tuple of hashable
        Columns that a sequence has once.
    length : hashable
        Label of the length of a sequence, beside the static columns.
    window : int or None, default=None
        Steps of the windows into which each series is cut; a sequence is a window then.
    """

    labels: tuple[Hashable, ...]
    header: Header
    entity: EntityColumn | None
    clock: Clock | None
    statics: tuple[Hashable, ...]
    length: Hashable
    window: int | None = None

    @classmethod
    def infer(
        cls,
        frame: pd.DataFrame,
        entity: Hashable | None,
        time: Hashable | None = None,
        static_columns: Iterable[Hashable] | None = None,
        window: int | None = None,
    ) -> SequenceFormat:
        """Find the places of sequences in a table.

        Parameters
        ----------
        frame : DataFrame of shape (N, d)
            With a fresh index.
        entity : hashable or None
            The column that says to which sequence a row belongs; the rows of a sequence need not be
            next to each other. With None the table is one series, which a `window` cuts.
        time : hashable, optional
            The column that orders the rows of a sequence; without it they are in order.
        static_columns : iterable of hashable, optional
            Columns that a sequence has once. By default these are the columns that vary within no
            sequence, or no column if all sequences have a single step.
        window : int, optional
            Steps of the windows into which the series of each entity is cut.

        Raises
        ------
        ValueError
            A name that is no column, missing entities or times, times that are not amounts, two
            rows of one entity and time, a static column that varies, no column left to be a
            channel, or a series that is shorter than the window.
        """
        labels = tuple(frame.columns)
        for argument, name in (("entity", entity), ("time", time)):
            if name not in labels and name is not None:
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
        if window is not None:
            cuts = cut_windows(np.bincount(number), window, _names(frame, entity))
            order, number = order[cuts.rows()], np.repeat(np.arange(len(cuts.starts)), window)
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
            None if entity is None else EntityColumn.infer(frame[entity]),
            clock,
            tuple(statics),
            unused_label("length", labels),
            window,
        )

    @property
    def entity_name(self) -> Hashable | None:
        """Label of the column of entities, or None for a table that is one series."""
        return None if self.entity is None else self.entity.name

    @property
    def channels(self) -> list[Hashable]:
        """Columns that vary along a sequence."""
        apart = {self.entity_name, *self.statics}
        if self.clock is not None:
            apart.add(self.clock.column.name)
        return [label for label in self.labels if label not in apart]

    @property
    def learnt(self) -> list[Hashable]:
        """Columns that `split` adds, which are learnt even where none of their values repeats.

        Sequences of all different lengths, or with all different starts, have a column that looks
        like an identifier; `Schema.infer` is told otherwise.
        """
        times = [] if self.clock is None else [self.clock.column.name, self.clock.gap]
        return [self.length, *times]

    def split(self, frame: pd.DataFrame) -> Sequences:
        """Take a table apart into sequences, in the order in which entities first appear.

        Parameters
        ----------
        frame : DataFrame of N rows
            With the columns of the table that `infer` was given.

        Returns
        -------
        Sequences

        Raises
        ------
        ValueError
            Missing entities or times, two rows of one entity and time, or a series that is shorter
            than the window.
        """
        clock, entity, cuts = self.clock, self.entity_name, None
        order, number = _in_order(frame, entity, clock.column if clock else None)
        if self.window is not None:
            cuts = cut_windows(np.bincount(number), self.window, _names(frame, entity))
            order, number = order[cuts.rows()], np.repeat(np.arange(len(cuts.starts)), self.window)
        first = np.flatnonzero(np.diff(number, prepend=-1))
        steps = frame[self.channels].iloc[order].reset_index(drop=True)
        given = frame[list(self.statics)].iloc[order[first]].reset_index(drop=True)
        if clock is not None and clock.grid is None:
            times = frame[clock.column.name].iloc[order]
            numbers = clock.column.numbers(times)
            given[clock.column.name] = times.iloc[first].reset_index(drop=True)
            steps[clock.gap] = _gaps(numbers, number, clock.column.kind == "float")
        given[self.length] = np.bincount(number)
        return Sequences(steps, given, cuts)

    def join(self, sequences: Sequences) -> pd.DataFrame:
        """Put sequences together into a long table; the opposite of `split`.

        Parameters
        ----------
        sequences : Sequences

        Returns
        -------
        DataFrame of N rows
            With the columns of the table that `infer` was given; entities are numbered from 0. The
            rows of each sequence follow those of the sequence before.
        """
        lengths = sequences.given[self.length].to_numpy()
        number = np.repeat(np.arange(len(lengths)), lengths)
        columns = {name: sequences.steps[name] for name in self.channels}
        if self.entity is not None:
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
        """Return the times of all steps: those of the grid, or the start plus the gaps so far.

        The gaps are summed over all sequences at once, and the sum at the first step of a sequence
        is subtracted from that of its other steps.
        """
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
        """Return the format as values that JSON can write."""
        return {name: to_jsonable(value, _CLASSES) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SequenceFormat:
        """Rebuild a format from what `to_dict` returned.

        Raises
        ------
        ValueError
            The format is that of no table.
        """
        form = cls(**{name: from_jsonable(value, _CLASSES) for name, value in data.items()})
        check_fields(form)
        form.header.index(form.labels)
        if form.entity is not None:
            form.entity.series(np.arange(2))
        if form.clock is not None:
            check_column(form.clock.column)
            grid = form.clock.grid
            if grid is not None and not (
                grid.ndim == 1 and len(grid) and grid.dtype == float and np.isfinite(grid).all()
            ):
                raise ValueError("the times of the longest sequence are not finite")
        return form


def positions(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the steps of each sequence from 0, shape (N,) for lengths of sum N."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def cut_windows(
    lengths: NDArray[np.int64], window: int, names: Sequence[Any] | None = None
) -> Cuts:
    """Cut series into windows that overlap.

    A window begins at every step from which the window fits. In a table of very many steps windows
    begin further apart, so that all windows together have at most `WINDOWED_STEPS` steps; they are
    never further apart than a window is long.

    Parameters
    ----------
    lengths : ndarray of shape (n_series,)
        Steps of each series.
    window : int >= 1
        Steps of a window.
    names : sequence, optional
        Names of the series in error messages.

    Returns
    -------
    Cuts

    Raises
    ------
    ValueError
        A series is shorter than the window.
    """
    short = np.flatnonzero(lengths < window)
    if len(short):
        length = lengths[short[0]]
        whose = "the series" if names is None else f"the series of {_plain(names[short[0]])!r}"
        steps = "1 step" if length == 1 else f"{length} steps"
        ways = "" if names is None else ", or leave out shorter series"
        raise ParameterError(
            f"window is {window}, but {whose} has {steps}; take a window of at most "
            f"{lengths.min()}{ways}."
        )
    n_steps = int((lengths - window + 1).sum()) * window
    apart = min(window, -(-n_steps // WINDOWED_STEPS))
    n_windows = (lengths - window) // apart + 1
    owners = np.repeat(np.arange(len(lengths)), n_windows)
    starts = (np.cumsum(lengths) - lengths)[owners] + apart * positions(n_windows)
    return Cuts(starts, owners, window)


def in_windows(
    frame: pd.DataFrame, entity: Hashable | None, time: Hashable | None, window: int
) -> pd.DataFrame:
    """Cut series into windows that follow each other.

    Parameters
    ----------
    frame : DataFrame of N rows
    entity : hashable or None
        The column that says to which series a row belongs. With None all rows are of one series,
        in order.
    time : hashable or None
        The column that orders the rows of an entity. Without it, or without `entity`, rows are in
        order.
    window : int >= 1
        Rows of a window.

    Returns
    -------
    DataFrame of M <= N rows
        The column `WINDOW` says to which window a row belongs, in place of the column of entities.
        Rows that are left over at the end of a series are left out.

    Raises
    ------
    ValueError
        A column is not there, entities or times are missing, or no series is as long as a window.
    """
    for argument, name in (("entity", entity), ("time", time)):
        if name is not None and name not in frame.columns:
            raise ParameterError(
                f"{argument} is {name!r}, which is not a column; columns: {list(frame.columns)}."
            )
    column = None
    if entity is not None and time is not None:
        column = _time_column(frame[time])
    order, number = _in_order(frame, entity, column)
    lengths = np.bincount(number)
    place = positions(lengths)
    is_whole = place < (lengths // window * window)[number]
    if not is_whole.any():
        raise ParameterError(
            f"window is {window}, but the longest series has {lengths.max()} steps; take a smaller "
            "window."
        )
    of_window = np.cumsum(place[is_whole] % window == 0) - 1
    rows = frame.iloc[order[is_whole]].reset_index(drop=True)
    rows[WINDOW] = of_window
    return rows if entity is None else rows.drop(columns=[entity])


def _names(frame: pd.DataFrame, entity: Hashable | None) -> Sequence[Any] | None:
    """Return the entities of a table in the order in which they appear, if it has any."""
    return None if entity is None else frame[entity].drop_duplicates().tolist()


def unused_label(label: str, taken: Sequence[Hashable]) -> str:
    """Append underscores to a label until no column has that label."""
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
    frame: pd.DataFrame, entity: Hashable | None, time: NumericColumn | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort rows by entity and time.

    Parameters
    ----------
    frame : DataFrame of N rows
    entity : hashable or None
        Label of the column of entities. With None all rows are of one series.
    time : NumericColumn or None
        None leaves the rows of an entity in their order.

    Returns
    -------
    order : ndarray of shape (N,)
        Positions of the sorted rows in the frame.
    number : ndarray of shape (N,)
        The sequence of each sorted row. Entities are numbered in the order in which they appear.

    Raises
    ------
    ValueError
        Missing entities or times, or two rows of one entity and time.
    """
    places = [entity, None if time is None else time.name]
    for name in (place for place in places if place is not None):
        missing = frame[name].isna().to_numpy()
        if missing.any():
            raise ValueError(
                f"X has {missing.sum()} rows without a value in column {name!r}; every row needs "
                "its entity and time."
            )
    number = np.zeros(len(frame), dtype=np.int64)
    if entity is not None:
        number = factorize(frame[entity])[0].astype(np.int64)
    if time is None:
        order = np.argsort(number, kind="stable")
        return order, number[order]
    numbers = time.numbers(frame[time.name])
    order = np.lexsort((numbers, number))
    number, numbers = number[order], numbers[order]
    twice = np.flatnonzero((np.diff(number) == 0) & (np.diff(numbers) == 0))
    if len(twice):
        first = order[twice[0]]
        when = _plain(frame[time.name].iloc[first])
        if entity is None:
            raise ValueError(
                f"X has more than one row at time {when!r}; one series has one row for each time. "
                "If X has several series, name their column in entity."
            )
        raise ValueError(
            f"X has more than one row of entity {_plain(frame[entity].iloc[first])!r} at time "
            f"{when!r}; an entity has one row for each time."
        )
    return order, number


def _changes(values: pd.Series, number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the sorted rows whose value differs from that of the row before in the same sequence."""
    try:
        codes = factorize(values)[0]
    except TypeError as error:
        raise TypeError(
            f"column {values.name!r} of X holds values that cannot be hashed ({error}); every "
            "value must be a string, a number, a date or another hashable value."
        ) from error
    return 1 + np.flatnonzero((np.diff(codes) != 0) & (np.diff(number) == 0))


def _longest(times: NDArray[np.float64], number: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the times of the longest sequence."""
    return times[number == np.bincount(number).argmax()]


def _gaps(times: NDArray[np.float64], number: NDArray[np.int64], is_float: bool) -> NDArray[Any]:
    """Return the time since the step before, shape (N,).

    The first step of a sequence has no step before. It takes the gap of the second step, and in a
    sequence of a single step the median gap of all sequences, so that first steps do not stand out
    from the others.
    """
    gaps = np.diff(times, prepend=np.nan)
    is_first = np.diff(number, prepend=-1) != 0
    gaps[is_first] = np.nan
    usual = 1.0 if np.isnan(gaps).all() else float(np.nanquantile(gaps, 0.5, method="lower"))
    following = np.append(gaps[1:], np.nan)
    gaps = np.where(is_first, np.where(np.isnan(following), usual, following), gaps)
    return gaps if is_float else gaps.astype(np.int64)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
