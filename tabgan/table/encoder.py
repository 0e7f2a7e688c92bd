"""From rows of a table to levels and scalars, which networks learn, and back."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabgan.table.columns import (
    MISSING,
    UNKNOWN,
    CategoricalColumn,
    Column,
    IdentifierColumn,
    NumericColumn,
)
from tabgan.table.layout import Layout
from tabgan.table.quantiles import uniform, uniform_within
from tabgan.table.schema import Schema

MAX_DISCRETE_LEVELS = 20
"""Most segments of a column that has a level for each value, and no scalar, if all are atoms."""

ATOM_MASS = 0.05
"""Least share of the rows from which on an atom has a level of its own beside the scalar."""


NumericEncoding = Literal["scalar", "bins", "segments", "rank"]
RareEncoding = Literal["pooled", "wide"]


class EncodedTable(NamedTuple):
    """Encoded rows, as a device holds them.

    Attributes
    ----------
    codes : Tensor of shape (n, n_blocks), int64
        The level of each softmax block; -1 where a value was not seen in training. Whole training
        tables are held in smaller integers, see `tabgan.generation.encoding.Encoding.encode`.
    scalars : Tensor of shape (n, n_scalars), float32, in [-1, 1]
    """

    codes: Tensor
    scalars: Tensor

    def to(self, device: torch.device) -> EncodedTable:
        """Move to a device."""
        return EncodedTable(self.codes.to(device), self.scalars.to(device))

    def rows(self, index: Tensor) -> EncodedTable:
        """Return the rows of an index, with codes in int64."""
        return EncodedTable(self.codes[index].long(), self.scalars[index])

    def is_known(self) -> Tensor:
        """Return whether all entries of a row are known, shape (n,)."""
        return (self.codes >= 0).all(dim=1) & ~self.scalars.isnan().any(dim=1)

    def __len__(self) -> int:
        return len(self.codes)


class _Levels(NamedTuple):
    """One column encoded: a level per row, and ranks in [0, 1] for levels that have them."""

    codes: NDArray[np.int64]
    ranks: NDArray[np.float64]


class CategoricalCodec:
    """Encode a categorical column into one block of levels.

    The levels are the categories, then one level for all rare categories, then one for missing
    values; the last two only where the column needs them.

    Parameters
    ----------
    column : CategoricalColumn
    max_categories : int
        Most levels of categories. If there are more categories, the most frequent
        `max_categories - 1` have levels of their own and the others share one. A shared level is
        decoded by drawing one of its categories at its own rate.
    """

    has_scalar = False

    def __init__(self, column: CategoricalColumn, max_categories: int) -> None:
        self.column = column
        n_categories = len(column.categories)
        self.n_own = n_categories if n_categories <= max_categories else max_categories - 1
        frequencies = np.asarray(column.frequencies)
        present = frequencies[: self.n_own]
        if self.n_own < n_categories:
            tail = frequencies[self.n_own :]
            self._tail_edges = np.cumsum(tail) / tail.sum()
            present = np.r_[present, tail.sum()]
        self.n_present = len(present)
        masses = np.r_[present * (1 - column.missing_rate), column.missing_rate]
        self.masses = masses if column.missing_rate > 0 else masses[:-1]
        self.level_ranks = np.full(len(self.masses), np.nan)
        if column.ordered and self.n_own == n_categories:
            self.level_ranks[:n_categories] = (np.arange(n_categories) + 0.5) / n_categories

    def encode(self, values: pd.Series, rng: np.random.Generator | None = None) -> _Levels:
        """Turn values into levels; an unknown value has level -1."""
        codes = self.column.codes(values)
        levels = np.minimum(codes, max(0, self.n_present - 1))
        missing_level = self.n_present if self.column.missing_rate > 0 else -1
        levels = np.where(codes == MISSING, missing_level, np.where(codes == UNKNOWN, -1, levels))
        return _Levels(levels, np.zeros(len(values)))

    def decode(
        self,
        levels: NDArray[np.int64],
        ranks: NDArray[np.float64],
        rng: np.random.Generator | None = None,
    ) -> pd.Series:
        """Turn levels back into values; a categorical column has no ranks."""
        codes = np.where(levels == self.n_present, MISSING, levels)
        if self.n_own < self.n_present:
            in_tail = codes == self.n_own
            draws = np.searchsorted(self._tail_edges, uniform(int(in_tail.sum()), rng))
            codes[in_tail] = self.n_own + np.minimum(draws, len(self._tail_edges) - 1)
        return self.column.series(codes)

    def level_labels(self) -> list[Any]:
        """Return what each level stands for: a category, a tuple of rare ones, None if missing."""
        categories = list(self.column.categories)
        labels: list[Any] = categories[: self.n_own]
        if self.n_own < self.n_present:
            labels.append(tuple(categories[self.n_own :]))
        return labels + [None] * (len(self.masses) - len(labels))

    @property
    def pooled_share(self) -> float:
        """Share of the values whose category shares a level with others."""
        return 0.0 if self.n_own == self.n_present else float(self.masses[self.n_own])

    def shares_of_level(self, categories: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the share of each category in its level's mass, 1 unless levels are shared."""
        shares = np.ones(len(categories))
        if self.n_own < self.n_present:
            rare = categories >= self.n_own
            of_tail = np.diff(self._tail_edges, prepend=0.0)
            shares[rare] = of_tail[categories[rare] - self.n_own]
        return shares


class NumericCodec:
    """Encode a numeric column into one block of levels, and into one scalar where there is need.

    Values with much mass of their own (atoms) have levels of their own; which mass that takes
    depends on the encoding. The rest of the distribution is either one level with a scalar that
    says the rank within the rest, or bins that are levels. Missing values are the last level.

    Parameters
    ----------
    column : NumericColumn
    numeric : {"scalar", "bins", "segments", "rank"}
        See `Encoder`.
    n_bins, n_halvings : int
        See `Encoder`.
    """

    def __init__(
        self, column: NumericColumn, numeric: NumericEncoding, n_bins: int, n_halvings: int
    ) -> None:
        self.column = column
        table = column.table
        self.numeric = numeric
        if numeric == "rank":
            own_level = table.is_atom & (table.n_segments == 1)
        elif numeric == "bins":
            own_level = table.is_atom & (table.mass >= 0.25 / n_bins)
        elif numeric == "segments":
            own_level = table.is_atom
        elif table.n_segments <= MAX_DISCRETE_LEVELS and table.is_atom.all():
            own_level = table.is_atom
        else:
            own_level = table.is_atom & (table.mass >= ATOM_MASS)
        self.atoms = table.low[own_level]
        self.rest = table.without(own_level)
        rest_mass = 1.0 - table.mass[own_level].sum() if self.rest else 0.0
        is_cut = numeric in ("bins", "segments")
        self.has_scalar = self.rest is not None and not is_cut
        if self.rest is None:
            self.edges = np.zeros(1)
        elif numeric == "bins":
            self.edges = _edges(int(np.ceil(n_bins * rest_mass)), n_halvings)
        elif numeric == "segments":
            self.edges = np.r_[0.0, np.cumsum(self.rest.mass[:-1]), 1.0]
        else:
            self.edges = np.array([0.0, 1.0])
        self.n_rest = len(self.edges) - 1
        rest_masses = rest_mass * np.diff(self.edges)
        present = np.r_[rest_masses, table.mass[own_level]] * (1 - column.missing_rate)
        self.n_present = len(present)
        has_missing = column.missing_rate > 0
        self.masses = np.r_[present, column.missing_rate] if has_missing else present
        self.level_ranks = np.full(len(self.masses), np.nan)
        if self.rest is not None and is_cut:
            middles = self.rest.values((self.edges[1:] + self.edges[:-1]) / 2)
            self.level_ranks[: self.n_rest] = table.ranks(middles)
        self.level_ranks[self.n_rest : self.n_present] = table.ranks(self.atoms)

    def encode(self, values: pd.Series, rng: np.random.Generator | None = None) -> _Levels:
        """Turn values into levels, and into ranks that count where the level is of the rest.

        A value that is not exactly an atom belongs to the rest. In a column that has atoms alone,
        it belongs to the nearest atom.
        """
        numbers = self.column.numbers(values)
        if np.isinf(numbers).any():
            raise ValueError("it contains infinity")
        missing = np.isnan(numbers)
        numbers = np.where(missing, self.column.table.low[0], numbers)
        levels = np.zeros(len(numbers), dtype=np.int64)
        ranks = np.zeros(len(numbers))
        if self.rest is not None:
            ranks = self.rest.ranks(numbers, None if self.numeric == "rank" else rng)
            levels = np.searchsorted(self.edges[1:-1], ranks, side="right")
        if len(self.atoms):
            nearest = np.searchsorted(self.atoms, numbers)
            if self.rest is None:  # a value between two atoms belongs to the nearer one
                left, right = (
                    self.atoms[np.maximum(nearest - 1, 0)],
                    self.atoms[np.minimum(nearest, len(self.atoms) - 1)],
                )
                nearest = np.where(numbers - left < right - numbers, nearest - 1, nearest)
            nearest = np.clip(nearest, 0, len(self.atoms) - 1)
            hit = (self.atoms[nearest] == numbers) | (self.rest is None)
            levels = np.where(hit, self.n_rest + nearest, levels)
        missing_level = self.n_present if self.column.missing_rate > 0 else -1
        return _Levels(np.where(missing, missing_level, levels), ranks)

    def decode(
        self,
        levels: NDArray[np.int64],
        ranks: NDArray[np.float64],
        rng: np.random.Generator | None = None,
    ) -> pd.Series:
        """Turn levels, and ranks where there is a scalar, back into values."""
        numbers = np.full(len(levels), np.nan)
        if self.rest is not None:
            in_rest = levels < self.n_rest
            ranks = ranks[in_rest]
            if not self.has_scalar:
                # Stratified within each bin, for the values at the ends of a bin come out at
                # their rates even where a bin has few rows.
                bins = levels[in_rest]
                low, high = self.edges[bins], self.edges[bins + 1]
                ranks = low + (high - low) * uniform_within(bins, rng)
            numbers[in_rest] = self.rest.values(ranks)
        atom = levels - self.n_rest
        is_atom = (atom >= 0) & (atom < len(self.atoms))
        numbers[is_atom] = self.atoms[atom[is_atom]]
        return self.column.series(numbers)

    def level_labels(self) -> list[Any]:
        """Return what each level stands for: an interval, a value, or None if missing.

        The interval of a bin holds its left end; that of the last bin holds both ends.
        """
        labels: list[Any] = []
        if self.rest is not None:
            ends = self.column.series(self.rest.values(self.edges)).tolist()
            labels = [
                pd.Interval(left, right, closed="left")
                for left, right in zip(ends[:-1], ends[1:], strict=True)
            ]
            labels[-1] = pd.Interval(ends[-2], ends[-1], closed="both")
        labels += self.column.series(self.atoms).tolist()
        return labels + [None] * (len(self.masses) - len(labels))

    def shares(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute which share of the mass of each level lies in closed intervals.

        Parameters
        ----------
        low, high : ndarray of shape (n,)
            Ends, in the column's numbers.

        Returns
        -------
        ndarray of shape (n, n_levels), in [0, 1]
            An interval between two steps of the column, in which no mass lies, gets the bin around
            it.
        """
        shares = np.zeros((len(low), len(self.masses)))
        inside = (low[:, None] <= self.atoms) & (self.atoms <= high[:, None])
        shares[:, self.n_rest : self.n_present] = inside
        if self.rest is not None:
            first, last = self._rest_ranks(low, high)
            left, right = self.edges[:-1], self.edges[1:]
            covered = np.minimum(last[:, None], right) - np.maximum(first[:, None], left)
            shares[:, : self.n_rest] = np.clip(covered / (right - left), 0.0, 1.0)
            nowhere = shares.sum(axis=1) <= 0.0
            around = np.searchsorted(self.edges[1:-1], first[nowhere], side="right")
            shares[np.flatnonzero(nowhere), around] = 1.0
        return shares

    def step_shares(
        self, numbers: NDArray[np.float64], levels: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Compute which share of a bin's mass a single value takes.

        A value of a column in steps takes the share of the numbers that round to the value. In a
        column that is not rounded, a single value has no mass, and stands for the whole bin.

        Parameters
        ----------
        numbers : ndarray of shape (n,)
            In the column's numbers.
        levels : ndarray of shape (n,)
            The bin of each number.

        Returns
        -------
        ndarray of shape (n,), in (0, 1]
        """
        if not self.column.spacing:
            return np.ones(len(numbers))
        first, last = self._rest_ranks(numbers, numbers)
        width = self.edges[levels + 1] - self.edges[levels]
        return np.clip((last - first) / width, 1e-9, 1.0)

    def draw_within(
        self,
        levels: NDArray[np.int64],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        u: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Draw numbers that lie in a level and in an interval.

        Parameters
        ----------
        levels : ndarray of shape (n,)
            Levels that the intervals allow.
        low, high : ndarray of shape (n,)
            Ends, in the column's numbers.
        u : ndarray of shape (n,), in [0, 1)
            Where in the common part the number lies.

        Returns
        -------
        ndarray of shape (n,)
            In the column's numbers; NaN for the level of missing values.
        """
        numbers = np.full(len(levels), np.nan)
        if self.rest is not None:
            in_rest = levels < self.n_rest
            bins = levels[in_rest]
            first, last = self._rest_ranks(low[in_rest], high[in_rest])
            left = np.maximum(first, self.edges[bins])
            right = np.maximum(left, np.minimum(last, self.edges[bins + 1]))
            drawn = self.rest.values(left + (right - left) * u[in_rest])
            numbers[in_rest] = np.clip(drawn, *self.column.outermost(low[in_rest], high[in_rest]))
        atom = levels - self.n_rest
        is_atom = (atom >= 0) & (atom < len(self.atoms))
        numbers[is_atom] = self.atoms[atom[is_atom]]
        return numbers

    def _rest_ranks(
        self, low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the ranks in the rest between which values round to a number in an interval."""
        assert self.rest is not None
        half = 0.5 * self.column.spacing
        low, high = self.column.outermost(low, high)
        return self.rest.below(low - half, False), self.rest.below(high + half, True)


def _edges(n_bins: int, n_halvings: int) -> NDArray[np.float64]:
    """Cut [0, 1] into equal bins, and halve the outermost bin at either end several times."""
    even = np.linspace(0.0, 1.0, n_bins + 1)
    tail = even[1] * 0.5 ** np.arange(n_halvings, 0, -1)
    return np.unique(np.r_[even, tail, 1.0 - tail])


class IdentifierCodec:
    """Encode an identifier by whether it is there: level 0 is present, level 1 is missing.

    Parameters
    ----------
    column : IdentifierColumn
    """

    has_scalar = False

    def __init__(self, column: IdentifierColumn) -> None:
        self.column = column
        rate = column.missing_rate
        self.masses = np.array([1 - rate, rate] if rate > 0 else [1.0])
        self.level_ranks = np.full(len(self.masses), np.nan)

    def encode(self, values: pd.Series, rng: np.random.Generator | None = None) -> _Levels:
        """Turn values into levels that say whether values are missing."""
        missing_level = 1 if self.column.missing_rate > 0 else -1
        return _Levels(np.where(values.isna(), missing_level, 0), np.zeros(len(values)))

    def decode(
        self,
        levels: NDArray[np.int64],
        ranks: NDArray[np.float64],
        rng: np.random.Generator | None = None,
    ) -> pd.Series:
        """Make fresh identifiers where the level is 0; an identifier has no ranks."""
        return self.column.series(levels != 0)


Codec = CategoricalCodec | NumericCodec | IdentifierCodec


class Encoder:
    """Turn rows of one schema into codes and scalars, and back.

    A column has a block of levels if it can be more than one thing (a category, an atom, missing),
    and a scalar if a rank must be told beside the level. The one-hot rows that networks read are
    several times larger; `Layout.expand` makes those for one batch at a time.

    Parameters
    ----------
    schema : Schema
    numeric : {"scalar", "bins", "segments", "rank"}, default="scalar"
        How numbers are encoded. "scalar": frequent atoms are levels, and the rest is one scalar,
        its rank evenly spread over [-1, 1]. "bins": atoms and bins of equal mass are levels.
        "segments": each segment of the column's `QuantileTable` is a level. "rank": one scalar, in
        which an atom is the middle of its ranks; for networks that read rows as images.
    n_bins : int, default=64
        Number of bins of each number, with "bins".
    max_categories : int, default=256
        Most levels of a categorical column in a softmax block.
    rare : {"pooled", "wide"}, default="pooled"
        What becomes of a column with more categories. "pooled": the rarest share one level. "wide":
        each category has a level, in a wide block of the layout.
    n_halvings : int, default=0
        How often the outermost bin at either end is cut in halves, with "bins". The tails of a
        distribution are long, and bins of equal mass would blur them.

    Attributes
    ----------
    layout : Layout
    masses : list of ndarray
        For each softmax block, the share of the training rows that each level has.
    level_ranks : list of ndarray
        For each softmax block, the rank in [0, 1] of each level where levels have an order; NaN for
        a level without a place in the order, such as that of missing values.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.table.encoder import Encoder
    >>> from tabgan.table.schema import Schema
    >>> table = pd.DataFrame({"city": ["Oslo", "Rome", "Oslo"], "height": [1.71, 1.64, 1.80]})
    >>> encoder = Encoder(Schema.infer(table))
    >>> rows = encoder.encode(table)
    >>> rows.codes[:, 0].tolist()
    [0, 1, 0]
    >>> rows.scalars.shape
    torch.Size([3, 1])
    >>> encoder.decode(rows)["city"].tolist()
    ['Oslo', 'Rome', 'Oslo']
    """

    def __init__(
        self,
        schema: Schema,
        numeric: NumericEncoding = "scalar",
        n_bins: int = 64,
        max_categories: int = 256,
        n_halvings: int = 0,
        rare: RareEncoding = "pooled",
    ) -> None:
        self.schema = schema
        self.codecs: list[Codec] = []
        for column in schema.columns:
            most = max_categories
            if rare == "wide" and isinstance(column, CategoricalColumn):
                most = max(most, len(column.categories))
            self.codecs.append(_codec(column, numeric, n_bins, most, n_halvings))
        is_wide = [
            isinstance(codec, CategoricalCodec) and codec.n_own > max_categories
            for codec in self.codecs
        ]
        self.blocks = [-1] * len(self.codecs)
        self.scalars = [-1] * len(self.codecs)
        self.masses: list[NDArray[np.float64]] = []
        self.level_ranks: list[NDArray[np.float64]] = []
        gates: list[int] = []
        # Wide blocks come last, as the layout has them, in ascending order of their levels.
        order = [len(codec.masses) * wide for codec, wide in zip(self.codecs, is_wide, strict=True)]
        for i in sorted(range(len(self.codecs)), key=order.__getitem__):
            codec = self.codecs[i]
            if len(codec.masses) > 1:
                self.blocks[i] = len(self.masses)
                self.masses.append(codec.masses)
                self.level_ranks.append(codec.level_ranks)
            if codec.has_scalar:
                self.scalars[i] = len(gates)
                gates.append(self.blocks[i])
        n_levels = [len(masses) for masses in self.masses]
        n_softmax = len(n_levels) - sum(is_wide)
        self.layout = Layout(n_levels[:n_softmax], gates, n_levels[n_softmax:])

    def encode(self, frame: pd.DataFrame, rng: np.random.Generator | None = None) -> EncodedTable:
        """Encode a table with the schema's columns in the schema's order.

        Parameters
        ----------
        frame : DataFrame of shape (n, d)
            A number outside the range that was seen is encoded as the nearest end of that range. A
            category that was not seen, and a missing value in a column that had none, has code -1.
        rng : numpy Generator, optional
            Draws the rank of an atom from the ranks that the atom takes up; without a generator the
            middle of those ranks is taken.

        Returns
        -------
        EncodedTable of n rows, on the CPU

        Raises
        ------
        ValueError
            Infinite values, or values of another kind than the schema says.
        """
        codes = np.zeros((len(frame), self.layout.n_blocks), dtype=np.int64)
        scalars = np.zeros((len(frame), self.layout.n_scalars), dtype=np.float32)
        for i, codec in enumerate(self.codecs):
            try:
                levels = codec.encode(frame.iloc[:, i], rng)
            except (TypeError, ValueError, OverflowError) as error:
                raise ValueError(
                    f"column {codec.column.name!r} held {codec.column.kind} values when the model "
                    f"was fitted, and now cannot be read as such ({error})."
                ) from error
            if self.blocks[i] >= 0:
                codes[:, self.blocks[i]] = levels.codes
            if self.scalars[i] >= 0:
                scalars[:, self.scalars[i]] = np.where(levels.codes == 0, 2 * levels.ranks - 1, 0.0)
        return EncodedTable(torch.from_numpy(codes), torch.from_numpy(scalars))

    def decode(self, table: EncodedTable, rng: np.random.Generator | None = None) -> pd.DataFrame:
        """Turn codes and scalars back into a table of the schema's columns and dtypes.

        Parameters
        ----------
        table : EncodedTable of n rows
            Without negative codes.
        rng : numpy Generator, optional
            Draws values within bins, and categories that share a level; without a generator the
            middle ones are taken.

        Returns
        -------
        DataFrame of shape (n, d)
        """
        codes = table.codes.cpu().numpy()
        ranks = (table.scalars.cpu().numpy().astype(np.float64) + 1) / 2
        n = len(codes)
        series: list[pd.Series] = []
        for codec, block, scalar in zip(self.codecs, self.blocks, self.scalars, strict=True):
            levels = codes[:, block] if block >= 0 else np.zeros(n, dtype=np.int64)
            series.append(
                codec.decode(levels, ranks[:, scalar] if scalar >= 0 else np.zeros(n), rng)
            )
        frame = pd.concat(series, axis=1, keys=range(len(series)))
        frame.columns = self.schema.labels
        return frame

    def pooling(self) -> list[str]:
        """Say for each column in which rare categories share a level how many rows they hold."""
        return [
            f"{codec.column.name!r} ({len(codec.column.categories):,} categories, of which "
            f"{len(codec.column.categories) - codec.n_own:,} with {codec.pooled_share:.1%} of the "
            "rows share a level)"
            for codec in self.codecs
            if isinstance(codec, CategoricalCodec) and codec.pooled_share
        ]

    def renumber(self, frame: pd.DataFrame) -> None:
        """Replace the identifiers of a table that was decoded in parts, in place.

        Each part has identifiers that begin at the same number. Afterwards all identifiers of the
        table differ; missing ones stay missing.
        """
        for column in self.schema.columns:
            if isinstance(column, IdentifierColumn):
                frame[column.name] = column.series(frame[column.name].isna().to_numpy())


def _codec(
    column: Column, numeric: NumericEncoding, n_bins: int, max_categories: int, n_halvings: int
) -> Codec:
    if isinstance(column, CategoricalColumn):
        return CategoricalCodec(column, max_categories)
    if isinstance(column, NumericColumn):
        return NumericCodec(column, numeric, n_bins, n_halvings)
    return IdentifierCodec(column)
