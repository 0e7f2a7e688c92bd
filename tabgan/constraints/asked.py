"""Conditions on the columns of the user's table, in terms of the rewritten table.

A condition on a column that no rewriting replaces is a condition on the same column of the
rewritten table. A condition on a replaced column is translated where that is possible: a start and
an end that are both known are a start and a distance. Other conditions are left to be met by
choosing among rows that were drawn; `Cells` says which these are.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.table.columns import NumericColumn
from tabgan.table.conditions import (
    ANY,
    EncodedCondition,
    Kind,
    SyntheticColumn,
    encode_condition,
)
from tabgan.table.dtypes import as_objects
from tabgan.table.encoder import Encoder
from tabgan.table.schema import Schema


@dataclass
class Cells:
    """The conditions of n rows, which rewritings read and translate one after another.

    Attributes
    ----------
    asked : Asked
        The conditions, encoded.
    kinds : dict of label to ndarray of shape (n,)
        The `Kind` of each condition on a column of the user's table.
    written : dict of label to ndarray of objects of shape (n,)
        The conditions themselves; a value is one of the column's dtype.
    inner : dict of label to ndarray of objects of shape (n,)
        The conditions on the rewritten table.
    open : dict of label to ndarray of shape (n,), bool
        In which rows the condition on a replaced column could not be translated.
    """

    asked: Asked
    kinds: dict[Hashable, NDArray[np.int64]]
    written: dict[Hashable, NDArray[Any]]
    inner: dict[Hashable, NDArray[Any]]
    open: dict[Hashable, NDArray[np.bool_]]

    @property
    def n(self) -> int:
        """Number of rows asked for."""
        return self.asked.n

    def kind(self, name: Hashable) -> NDArray[np.int64]:
        """Return the kind of the condition on a column, shape (n,)."""
        return self.kinds.get(name, np.full(self.n, Kind.ANY, dtype=np.int64))

    def is_missing(self, name: Hashable) -> NDArray[np.bool_]:
        """Say in which rows a column is asked to be missing, shape (n,)."""
        if name not in self.kinds:
            return np.zeros(self.n, dtype=bool)
        values = pd.Series(self.written[name], dtype=object)
        return (self.kinds[name] == Kind.VALUE) & values.isna().to_numpy()

    def is_value(self, name: Hashable) -> NDArray[np.bool_]:
        """Say in which rows a column is asked to have a value, not a missing one, shape (n,)."""
        return (self.kind(name) == Kind.VALUE) & ~self.is_missing(name)

    def values(self, name: Hashable, rows: NDArray[np.bool_]) -> pd.Series:
        """Return what is asked of a column in some rows."""
        every = self.written.get(name, np.full(self.n, ANY, dtype=object))
        return pd.Series(as_objects(every[rows]), dtype=object)

    def add_values(self, name: Hashable, rows: NDArray[np.bool_], values: pd.Series) -> None:
        """Ask for values that follow from other conditions."""
        if name not in self.kinds:
            self.kinds[name] = np.full(self.n, Kind.ANY, dtype=np.int64)
            self.written[name] = np.full(self.n, ANY, dtype=object)
        self.kinds[name][rows] = Kind.VALUE
        self.written[name][rows] = as_objects(values)

    def ask(self, name: Hashable, rows: NDArray[np.bool_], cells: Any) -> None:
        """Ask for something in the rewritten table."""
        if not rows.any():
            return
        if name not in self.inner:
            self.inner[name] = np.full(self.n, ANY, dtype=object)
        if isinstance(cells, pd.Series | list):
            self.inner[name][rows] = as_objects(cells)
        else:
            # A set is one object, which NumPy would otherwise spread over the rows.
            for i in np.flatnonzero(rows):
                self.inner[name][i] = cells

    def leave_open(self, name: Hashable, rows: NDArray[np.bool_]) -> None:
        """Leave conditions on a replaced column to be met by choosing among rows."""
        if rows.any():
            self.open[name] = self.open.get(name, np.zeros(self.n, dtype=bool)) | rows


class Asked:
    """Conditions on the user's table, encoded, so that restored rows are compared with them.

    Parameters
    ----------
    asked : DataFrame of n rows
        See `tabgan.table.conditions`.
    schema : Schema
        Schema of the user's table.

    Raises
    ------
    ValueError
        See `tabgan.table.conditions.encode_condition`.
    """

    def __init__(self, asked: pd.DataFrame, schema: Schema) -> None:
        names: list[Hashable] = list(asked.columns)
        self.n = len(asked)
        self.encoders = {name: Encoder(schema.select([name]), "scalar") for name in names}
        self.encoded: dict[Hashable, EncodedCondition] = {
            name: encode_condition(self.encoders[name], name, asked[name]) for name in names
        }

    def cells(self) -> Cells:
        """Return the conditions in the form that rewritings read and translate."""
        kinds, written = {}, {}
        for name, condition in self.encoded.items():
            kinds[name] = condition.kinds.copy()
            is_value = condition.kinds == Kind.VALUE
            objects = condition.values.astype(object)
            written[name] = as_objects(condition.asked.where(~is_value, objects)).copy()
        return Cells(self, kinds, written, {}, {})

    def nears(
        self, table: pd.DataFrame, names: Sequence[Hashable]
    ) -> dict[Hashable, SyntheticColumn]:
        """Put columns of restored rows beside the conditions on them.

        Parameters
        ----------
        table : DataFrame of m rows
        names : sequence of labels

        Returns
        -------
        dict of label to SyntheticColumn
            Its method `meets` says which of the m rows meet which of the n conditions.
        """
        columns = {}
        for name in names:
            encoder = self.encoders[name]
            encoded = encoder.encode(table[[name]])
            block, scalar = encoder.blocks[0], encoder.scalars[0]
            codes = encoded.codes[:, block].numpy() if block >= 0 else None
            scalars = encoded.scalars[:, scalar].numpy() if scalar >= 0 else None
            condition = self.encoded[name]
            columns[name] = SyntheticColumn(
                condition, condition.column, codes, scalars, table[name]
            )
        return columns

    def are_met(
        self,
        table: pd.DataFrame,
        rows: NDArray[np.int64],
        names: Sequence[Hashable] | None = None,
    ) -> NDArray[np.bool_]:
        """Say which restored rows meet their conditions, numbers up to rounding errors.

        Parameters
        ----------
        table : DataFrame of m rows
        rows : ndarray of shape (m,)
            For each row, the position of its conditions.
        names : sequence of labels, optional
            The conditions that count; by default all.

        Returns
        -------
        ndarray of shape (m,), bool
        """
        met = np.ones(len(table), dtype=bool)
        others: list[Hashable] = []
        for name in self.encoded if names is None else names:
            condition = self.encoded[name]
            kinds = condition.kinds[rows]
            is_value = kinds == Kind.VALUE
            if is_value.any():
                wanted = condition.values.iloc[rows].reset_index(drop=True)
                met &= ~is_value | _equal(table[name].reset_index(drop=True), wanted)
            if not (is_value | (kinds == Kind.ANY)).all():
                others.append(name)
        if others:
            columns = self.nears(table, others)
            for name in others:
                kinds = self.encoded[name].kinds[rows]
                keys = self.encoded[name].keys()
                at = np.flatnonzero((kinds != Kind.VALUE) & (kinds != Kind.ANY))
                _, groups = np.unique(keys[rows[at]], axis=0, return_inverse=True)
                for group in range(groups.max(initial=-1) + 1):
                    those = at[groups.ravel() == group]
                    met[those] &= columns[name].meets(int(rows[those[0]]), those)
        return met

    def ends(self, name: Hashable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the ends of intervals on a numeric column, in its own unit; NaN for others."""
        condition = self.encoded[name]
        assert isinstance(condition.column, NumericColumn)
        origin, step = condition.column.origin, condition.column.step
        return origin + step * condition.low, origin + step * condition.high

    def groups(self, names: Sequence[Hashable]) -> NDArray[np.int64]:
        """Return numbers of rows, shape (n,), equal where conditions on some columns are."""
        keys = np.column_stack([self.encoded[name].keys() for name in names])
        return np.unique(keys, axis=0, return_inverse=True)[1].ravel()

    def as_written(self, i: int) -> dict[Hashable, Any]:
        """Return the conditions of a row as the user wrote them."""
        found = {name: condition.as_written(i) for name, condition in self.encoded.items()}
        return {name: value for name, value in found.items() if value is not ANY}

    def known(self, names: Sequence[Hashable]) -> pd.DataFrame:
        """Return the values asked for in some columns; missing where none is asked for."""
        found = {}
        for name in names:
            condition = self.encoded.get(name)
            if condition is None:
                found[name] = pd.Series([None] * self.n, dtype=object)
            else:
                found[name] = condition.values.where(condition.kinds == Kind.VALUE)
        frame = pd.concat(list(found.values()), axis=1, keys=range(len(found)))
        frame.columns = pd.Index(list(found), dtype=object, tupleize_cols=False)
        return frame


def _equal(one: pd.Series, other: pd.Series) -> NDArray[np.bool_]:
    """Say where two columns of one dtype are equal, missing values being equal to each other."""
    both_missing = one.isna().to_numpy() & other.isna().to_numpy()
    if one.dtype.kind == "f":
        away = (one.astype(np.float64) - other.astype(np.float64)).abs()
        near = away <= 1e-9 * other.astype(np.float64).abs()
        return near.fillna(False).to_numpy(dtype=bool) | both_missing
    if isinstance(one.dtype, pd.CategoricalDtype):
        one, other = one.astype(object), other.astype(object)
    same = pd.Series(one == other).fillna(False).to_numpy(dtype=bool)
    return same | both_missing
