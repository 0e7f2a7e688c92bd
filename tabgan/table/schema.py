"""What each column of a table is: kind, dtype, categories, distribution, missing rate."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tabgan.table.columns import CategoricalColumn, Column, IdentifierColumn, NumericColumn
from tabgan.table.dtypes import dtype_name, dtype_named
from tabgan.table.inference import infer_column
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.quantiles import QuantileTable


@dataclass(frozen=True)
class Header:
    """The index that a table's column labels are in.

    Parameters
    ----------
    levels : tuple of hashable
        The index's name, or the names of a MultiIndex's levels.
    dtype : str
        Name of the index's dtype; not looked at for a MultiIndex.
    """

    levels: tuple[Hashable, ...] = (None,)
    dtype: str = "object"

    @classmethod
    def of(cls, index: pd.Index) -> Header:
        """Describe an index; categorical ones are taken for plain ones."""
        is_plain = index.nlevels == 1 and not isinstance(index.dtype, pd.CategoricalDtype)
        return cls(tuple(index.names), dtype_name(index.dtype) if is_plain else "object")

    def index(self, names: Sequence[Hashable]) -> pd.Index:
        """Put labels into such an index."""
        if len(self.levels) > 1:
            return pd.MultiIndex.from_tuples(names, names=self.levels)
        dtype = dtype_named(self.dtype)
        return pd.Index(list(names), dtype=dtype, name=self.levels[0], tupleize_cols=False)


_CLASSES: dict[str, Any] = {
    part.__name__: part
    for part in (CategoricalColumn, NumericColumn, IdentifierColumn, QuantileTable, Header)
}


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in order; valid by construction and JSON both ways.

    Parameters
    ----------
    columns : tuple of CategoricalColumn, NumericColumn or IdentifierColumn
    header : Header
        How the columns' labels are kept.
    """

    columns: tuple[Column, ...]
    header: Header = Header()

    @property
    def names(self) -> list[Hashable]:
        """Column labels in order."""
        return [column.name for column in self.columns]

    @property
    def labels(self) -> pd.Index:
        """Column labels in an index like that of the table that was learnt."""
        return self.header.index(self.names)

    def position(self, name: Hashable) -> int:
        """Find a column by its label.

        Raises
        ------
        KeyError
            No column has this label.
        """
        for i, label in enumerate(self.names):
            # A label may be NaN, which equals nothing.
            if label is name or label == name or (label != label and name != name):
                return i
        raise KeyError(name)

    def __getitem__(self, name: Hashable) -> Column:
        return self.columns[self.position(name)]

    @classmethod
    def infer(
        cls,
        frame: pd.DataFrame,
        categorical_features: Iterable[Hashable] = (),
        arg_name: str = "X",
        learnt: Iterable[Hashable] = (),
    ) -> Schema:
        """Find out what each column of a table is.

        Parameters
        ----------
        frame : DataFrame of shape (n, d), n >= 1
        categorical_features : iterable of column labels
            Columns to take as categories whatever their dtype.
        arg_name : str
            How errors name the table.
        learnt : iterable of column labels
            Columns that are never taken for identifiers, such as a label.

        Raises
        ------
        ValueError
            Infinite or complex values, or a column label that occurs twice.
        TypeError
            Values that cannot be hashed (lists, dicts), or a dtype that cannot be given back.

        Warns
        -----
        UserWarning
            A column that looks like an identifier.
        """
        check_unique_names(frame, arg_name)
        forced, known = set(categorical_features), set(learnt)
        columns = tuple(
            infer_column(frame.iloc[:, i], name, name in forced, arg_name, name in known)
            for i, name in enumerate(frame.columns)
        )
        return cls(columns, Header.of(frame.columns))

    def select(self, names: Sequence[Hashable]) -> Schema:
        """Return the schema of some of the columns, in the order of `names`."""
        return Schema(tuple(self[name] for name in names), self.header)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {
            "columns": [to_jsonable(column, _CLASSES) for column in self.columns],
            "header": to_jsonable(self.header, _CLASSES),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Schema:
        """Rebuild a schema from `to_dict`."""
        columns = tuple(from_jsonable(column, _CLASSES) for column in data["columns"])
        return cls(columns, from_jsonable(data["header"], _CLASSES))


def check_unique_names(frame: pd.DataFrame, arg_name: str) -> None:
    """Raise a ValueError if two columns of a table have one name."""
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(
            f"{arg_name} has more than one column named {twice!r}; column names must be unique."
        )
