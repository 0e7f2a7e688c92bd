"""The description of a table, from which rows are encoded and synthetic rows decoded.

A schema says for each column its kind, its dtype, its categories or the distribution of its values,
and its rate of missing values. A schema holds values that occurred, but never a row.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tabgan.checks import short
from tabgan.table.columns import CategoricalColumn, Column, IdentifierColumn, NumericColumn
from tabgan.table.dtypes import dtype_name, dtype_named
from tabgan.table.inference import infer_column
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.privacy import Withheld
from tabgan.table.quantiles import QuantileTable
from tabgan.table.soundness import check_schema


@dataclass(frozen=True)
class Header:
    """The pandas index in which a table keeps its column labels.

    Parameters
    ----------
    levels : tuple of hashable
        The name of the index, or of each level of a MultiIndex.
    dtype : str
        Name of the index's dtype; a MultiIndex does not use it.
    """

    levels: tuple[Hashable, ...] = (None,)
    dtype: str = "object"

    @classmethod
    def of(cls, index: pd.Index) -> Header:
        """Describe an index; a categorical index becomes a plain one of its labels."""
        is_plain = index.nlevels == 1 and not isinstance(index.dtype, pd.CategoricalDtype)
        return cls(tuple(index.names), dtype_name(index.dtype) if is_plain else "object")

    def index(self, names: Sequence[Hashable]) -> pd.Index:
        """Make an index of this kind from labels."""
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
    """The columns of a table, in their order.

    Parameters
    ----------
    columns : tuple of CategoricalColumn, NumericColumn or IdentifierColumn
    header : Header
        The index in which the table keeps its labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.table.schema import Schema
    >>> table = pd.DataFrame({"age": [31, 47, 31], "city": ["Oslo", None, "Rome"]})
    >>> schema = Schema.infer(table)
    >>> [column.kind for column in schema.columns]
    ['integer', 'categorical']
    >>> schema["city"].categories
    ('Oslo', 'Rome')
    """

    columns: tuple[Column, ...]
    header: Header = Header()

    @property
    def names(self) -> list[Hashable]:
        """Column labels in their order."""
        return [column.name for column in self.columns]

    @property
    def n_numeric(self) -> int:
        """Number of numeric columns, dates and durations included."""
        return sum(isinstance(column, NumericColumn) for column in self.columns)

    @property
    def labels(self) -> pd.Index:
        """Column labels in an index of the kind that the table had."""
        return self.header.index(self.names)

    def position(self, name: Hashable) -> int:
        """Return the position of the column that has a label.

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
        frame: Any,
        categorical_features: Iterable[Hashable] = (),
        arg_name: str = "X",
        learnt: Iterable[Hashable] = (),
        withheld: Withheld | None = None,
    ) -> Schema:
        """Describe each column of a table.

        Parameters
        ----------
        frame : DataFrame or Chunks of shape (n, d), n >= 1
        categorical_features : iterable of column labels
            Columns whose values are categories whatever their dtype.
        arg_name : str, default="X"
            How errors name the table.
        learnt : iterable of column labels
            Columns that are never taken for identifiers, such as a label.
        withheld : Withheld, optional
            What is to be withheld because too few rows share it, and what was.

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
        check_names(frame, arg_name)
        forced, known = set(categorical_features), set(learnt)
        columns = tuple(
            infer_column(values, name, name in forced, arg_name, name in known, withheld)
            for name, values in frame.items()
        )
        return cls(columns, Header.of(frame.columns))

    def select(self, names: Sequence[Hashable]) -> Schema:
        """Return the schema of some of the columns, in the order of `names`."""
        return Schema(tuple(self[name] for name in names), self.header)

    def without_missing(self) -> Schema:
        """Return the schema of the same table without missing values.

        A column without any value keeps its missing values.
        """
        columns = tuple(
            replace(column, missing_rate=0.0) if column.missing_rate < 1 else column
            for column in self.columns
        )
        return Schema(columns, self.header)

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as values that JSON can write."""
        return {
            "columns": [to_jsonable(column, _CLASSES) for column in self.columns],
            "header": to_jsonable(self.header, _CLASSES),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Schema:
        """Rebuild a schema from what `to_dict` returned.

        Raises
        ------
        ValueError
            A column cannot be described so, see `tabgan.table.soundness`.
        """
        columns = tuple(from_jsonable(column, _CLASSES) for column in data["columns"])
        schema = cls(columns, from_jsonable(data["header"], _CLASSES))
        _check_types(schema)
        check_schema(schema)
        return schema


def _check_types(schema: Schema) -> None:
    """Refuse what is no column or header among the parts of a schema."""
    if not isinstance(schema.header, Header):
        raise ValueError(f"the header of a schema is {short(schema.header)}")
    for column in schema.columns:
        if not isinstance(column, CategoricalColumn | NumericColumn | IdentifierColumn):
            raise ValueError(f"a column of a schema is {short(column)}")


def _are_found(labels: pd.Index) -> bool:
    """Whether pandas finds all labels of a table in a list of them.

    pandas makes an array or an index of a list, which turns None among texts or numbers, True among
    bytes, or one of two missing labels, into another label.
    """
    if sum(pd.api.types.is_scalar(label) and bool(pd.isna(label)) for label in labels) > 1:
        return False
    try:
        pd.DataFrame(columns=labels)[list(labels)]
        found = labels.get_indexer(pd.Index(list(labels), tupleize_cols=False))
        return found.tolist() == [*range(len(labels))]
    except (KeyError, TypeError):
        return False


def check_names(frame: Any, arg_name: str) -> None:
    """Raise a ValueError if pandas cannot tell columns apart, or find them, by their names."""
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(
            f"{arg_name} has more than one column named {twice!r}; column names must be unique."
        )
    if len(frame.columns) and all(isinstance(label, bool) for label in frame.columns):
        raise ValueError(
            f"{arg_name} has no column names but True and False, which pandas takes for a choice "
            "of rows; rename the columns."
        )
    odd = [label for label in frame.columns if not isinstance(label, str)]
    if frame.columns.dtype == object and odd and not _are_found(frame.columns):
        raise ValueError(
            f"{arg_name} has columns named {', '.join(map(short, odd[:10]))}, which pandas does "
            "not find in a list of its columns; rename them."
        )
