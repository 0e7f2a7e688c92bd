"""Tables that are read a part at a time: files, Arrow datasets, and chunks of DataFrames."""

from __future__ import annotations

import importlib
import inspect
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabgan.checks import ParameterError, short
from tabgan.table.csv_parts import csv_parts
from tabgan.table.foreign import arrow_spec, from_arrow, optional
from tabgan.table.format import TableFormat, check_size, is_frame, read_table
from tabgan.table.schema import check_names

PART_ROWS = 2**16
"""Rows of a table that are in memory at once, all columns of them."""

SPOOLED_ROWS = 2**19
"""Least rows of a file that DataFrames are spooled to, the last file aside."""

MAX_COLUMN_ROWS = 2**24
"""Most rows of which one whole column is in memory, while the column is described.

A longer table is described from so many rows, drawn at random, and from the extremes and the
categories of all rows.
"""

MAX_NEW_VALUES = 2**20
"""Most distinct values of a longer column that are looked for beyond its random rows."""


class Chunks:
    """A table in files, of which one column, or one part of the rows, is in memory at a time.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
    names : list of str
        The fields of the dataset that are columns of the table.
    to_frame : callable, pyarrow.Table -> DataFrame
        Turns rows into pandas columns.
    form : TableFormat, optional
        What rows are given back as. By default a DataFrame.
    dtypes : list of dtype, optional
        The pandas dtype of each column, if the dataset does not say it.
    holds : object, optional
        What must live as long as the files do.

    Attributes
    ----------
    head : DataFrame of no rows
        Has the labels of the columns.
    format : TableFormat
    """

    def __init__(
        self,
        dataset: Any,
        names: list[str],
        to_frame: Callable[[Any], pd.DataFrame],
        form: TableFormat | None = None,
        dtypes: list[Any] | None = None,
        holds: Any = None,
    ) -> None:
        self._dataset, self._names, self._to_frame = dataset, names, to_frame
        self._dtypes, self._holds = dtypes, holds
        self._n_rows = int(dataset.count_rows())
        self._step: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame
        head = to_frame(dataset.schema.empty_table().select(names))
        self.format = form or TableFormat("pandas", list(head.columns))
        self.head = self._labelled(head)

    def __len__(self) -> int:
        return self._n_rows

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self._n_rows, self.head.shape[1]

    @property
    def columns(self) -> pd.Index:
        """Labels of the columns."""
        return self.head.columns

    def items(self) -> Iterator[tuple[Hashable, pd.Series]]:
        """Yield the label and the values of one column after another, as a DataFrame does.

        Of a table of more than `MAX_COLUMN_ROWS` rows, the values are those of random rows, and of
        rows that hold what the random rows lack: the least and the greatest value, each category,
        and a missing value.
        """
        for i, name in enumerate(self.columns):
            yield name, self._column(i)

    def frames(self) -> Iterator[pd.DataFrame]:
        """Yield the rows in their order, in parts of `PART_ROWS` rows; the last part is shorter."""
        for table in self._tables(self._names):
            yield self._step(self._labelled(self._to_frame(table)))

    def with_step(self, step: Callable[[pd.DataFrame], pd.DataFrame]) -> Chunks:
        """Return the same table, of which each part passes through a function."""
        other = Chunks.__new__(Chunks)
        vars(other).update(vars(self))
        before = self._step
        other._step = lambda frame: step(before(frame))
        return other

    def with_labels(self, labels: pd.Index) -> Chunks:
        """Return the same table with other labels of the columns."""
        other = self.with_step(lambda frame: frame.set_axis(labels, axis=1))
        other.head = self.head.set_axis(labels, axis=1)
        return other

    def _tables(self, names: list[str]) -> Iterator[Any]:
        """Yield Arrow tables of `PART_ROWS` rows each, whatever the files are cut into."""
        pyarrow = sys.modules["pyarrow"]
        waiting: list[Any] = []
        n_waiting = 0
        # One file and a few batches ahead, so that memory holds little beyond one part.
        ahead = {"batch_readahead": 2, "fragment_readahead": 1}
        for batch in self._dataset.to_batches(columns=names, batch_size=PART_ROWS, **ahead):
            while len(batch):
                part = batch.slice(0, PART_ROWS - n_waiting)
                batch = batch.slice(len(part))
                waiting.append(part)
                n_waiting += len(part)
                if n_waiting == PART_ROWS:
                    yield pyarrow.Table.from_batches(waiting)
                    waiting, n_waiting = [], 0
        if waiting:
            yield pyarrow.Table.from_batches(waiting)

    def _labelled(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Give a DataFrame of all columns a fresh index, and the labels and dtypes of the table."""
        if self._dtypes is not None:
            frame = frame.astype(dict(zip(frame.columns, self._dtypes, strict=True)))
        labels = pd.Index(self.format.labels, tupleize_cols=False)
        return frame.reset_index(drop=True).set_axis(labels, axis=1)

    def _column(self, i: int) -> pd.Series:
        """Read one column: whole, or random rows of it and the rows that these lack."""
        names = [self._names[i]]
        if self._n_rows <= MAX_COLUMN_ROWS:
            column = self._to_frame(self._dataset.to_table(columns=names)).iloc[:, 0]
        else:
            column = self._some_of(names)
        if self._dtypes is not None:
            column = column.astype(self._dtypes[i])
        return column.reset_index(drop=True).rename(self.columns[i])

    def _some_of(self, names: list[str]) -> pd.Series:
        """Read random rows of one column, and the rows that hold what the random rows lack."""
        rng = np.random.default_rng(0)
        rate = MAX_COLUMN_ROWS / self._n_rows
        seen, parts = _Seen(), []
        for table in self._tables(names):
            values = self._to_frame(table).iloc[:, 0].reset_index(drop=True)
            is_kept = rng.random(len(values)) < rate
            is_kept[seen.news(values)] = True
            parts.append(values[is_kept])
        return pd.concat(parts, ignore_index=True)


class _Seen:
    """The extremes and categories of one column so far, and whether any value was missing."""

    def __init__(self) -> None:
        self.low: Any = None
        self.high: Any = None
        self.has_missing = False
        self.values: set[Any] = set()

    def news(self, values: pd.Series) -> list[int]:
        """Return positions of values that are new: an extreme, a category, or a missing value."""
        found: list[int] = []
        missing = values.isna().to_numpy()
        if missing.any() and not self.has_missing:
            self.has_missing = True
            found.append(int(missing.argmax()))
        present = values[~missing]
        if not len(present):
            return found
        if pd.api.types.is_numeric_dtype(present.dtype) or present.dtype.kind in "mM":
            low, high = int(present.argmin()), int(present.argmax())
            places = present.index
            if self.low is None or present.iloc[low] < self.low:
                self.low = present.iloc[low]
                found.append(int(places[low]))
            if self.high is None or present.iloc[high] > self.high:
                self.high = present.iloc[high]
                found.append(int(places[high]))
        elif len(self.values) < MAX_NEW_VALUES:
            firsts = present.drop_duplicates()
            is_new = [value not in self.values for value in firsts]
            found += firsts.index[is_new].tolist()
            self.values.update(firsts)
        return found


def parts_of(table: pd.DataFrame | Chunks) -> Iterator[pd.DataFrame]:
    """Yield a table in parts of `PART_ROWS` rows, wherever it is.

    A table is therefore encoded alike in memory and in files, whatever the files are cut into.

    Parameters
    ----------
    table : DataFrame or Chunks of n rows

    Yields
    ------
    DataFrame of at most `PART_ROWS` rows
    """
    if isinstance(table, Chunks):
        yield from table.frames()
        return
    for start in range(0, len(table), PART_ROWS):
        yield table.iloc[start : start + PART_ROWS]


# ---------------------------------------------------------------------- what is read in chunks


def is_chunked(X: Any) -> bool:
    """Whether `read_chunks` reads X: a path, a dataset, or what gives DataFrames."""
    if isinstance(X, str | os.PathLike) or _is_dataset(X) or _is_dask(X):
        return True
    if isinstance(X, list | tuple):
        return bool(X) and all(is_frame(part) for part in X)
    return not is_frame(X) and (inspect.isfunction(X) or isinstance(X, Iterator))


def read_chunks(X: Any, name: str = "X") -> Chunks:
    """Read a table that need not fit in memory.

    Parquet files and datasets are read where they are. Everything else is written once to Parquet
    files in a temporary folder, which is deleted with the last use of the table.

    Parameters
    ----------
    X : str, Path, pyarrow.dataset.Dataset, dask DataFrame, callable, list or iterator
        A path of a Parquet or CSV file, or of a folder of Parquet files. A callable without
        arguments, a list and an iterator give DataFrames of the same columns, one after another.
    name : str, default="X"
        How errors name the table.

    Returns
    -------
    Chunks

    Raises
    ------
    ValueError
        There is no such file, a file cannot be read, there are no rows or columns, or chunks have
        different columns.
    ImportError
        pyarrow is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.table.chunks import read_chunks
    >>> parts = [pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [3]})]
    >>> chunks = read_chunks(lambda: parts)
    >>> len(chunks), [frame["a"].tolist() for frame in chunks.frames()]
    (3, [[1, 2, 3]])
    """
    optional("pyarrow", f"{name} is read a part at a time")
    if _is_dataset(X):
        names = list(X.schema.names)
        form = TableFormat("pyarrow", names, None, arrow_spec(X.schema))
        chunks = Chunks(X, names, from_arrow, form)
    elif isinstance(X, str | os.PathLike):
        chunks = _read_path(Path(X), name)
    elif _is_dask(X):
        chunks = _spooled((X.get_partition(i).compute() for i in range(X.npartitions)), name)
    else:
        chunks = _spooled(X() if callable(X) else X, name)
    check_size(chunks)
    check_names(chunks, name)
    return chunks


def _read_path(path: Path, name: str) -> Chunks:
    """Read a file, or a folder of Parquet files."""
    if not path.exists():
        raise ParameterError(f"{name} is the path {str(path)!r}, where there is no file.")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if path.is_file() and ".csv" in suffixes[-2:]:
        return _spooled(csv_parts(path, PART_ROWS), name)
    if path.is_file() and suffixes[-1:] != [".parquet"]:
        raise ParameterError(
            f"{name} is the path {str(path)!r}; the name of a table must end in .parquet, .csv or "
            ".csv.gz."
        )
    pyarrow = optional("pyarrow", f"{name} is a Parquet file")
    dataset_of = importlib.import_module("pyarrow.dataset").dataset
    try:
        dataset = dataset_of(path, format="parquet")
        # What pandas stored of a table's index is no column.
        notes = dataset.schema.pandas_metadata or {}
        index = [field for field in notes.get("index_columns", ()) if isinstance(field, str)]
        names = [field for field in dataset.schema.names if field not in index]
        return Chunks(dataset, names, lambda table: table.to_pandas())
    except (OSError, pyarrow.ArrowException) as error:
        raise ParameterError(f"{name} is {str(path)!r}, which cannot be read: {error}") from error


def _spooled(tables: Any, name: str) -> Chunks:
    """Write tables of the same columns to Parquet files in a temporary folder, and read those.

    Columns are numbered in the files, because labels need not be texts.
    """
    if not isinstance(tables, Iterable):
        raise ParameterError(f"{name} must give DataFrames one after another, got {short(tables)}.")
    pyarrow = optional("pyarrow", f"{name} is read a part at a time")
    parquet = importlib.import_module("pyarrow.parquet")
    dataset_of = importlib.import_module("pyarrow.dataset").dataset
    folder = _Folder()
    form: TableFormat | None = None
    paths: list[str] = []
    heads: list[pd.DataFrame] = []
    waiting: list[pd.DataFrame] = []

    def write() -> None:
        part = pd.concat(waiting, ignore_index=True)
        waiting.clear()
        paths.append(os.path.join(folder.name, f"{len(paths):06d}.parquet"))
        parquet.write_table(_arrow_of(pyarrow, part, name), paths[-1])
        heads.append(part.iloc[:0])

    for k, table in enumerate(tables):
        if not is_frame(table):
            raise ParameterError(
                f"{name} must be a table or hold DataFrames; its chunk {k} is {short(table)}."
            )
        if not len(table):
            continue
        frame, given = read_table(table, f"chunk {k} of {name}")
        form = form or given
        frame = form.check(frame, given, f"chunk {k} of {name}", "chunk 0")
        waiting.append(frame.set_axis([str(i) for i in range(frame.shape[1])], axis=1))
        if sum(map(len, waiting)) >= SPOOLED_ROWS:
            write()
    if waiting:
        write()
    if form is None:
        raise ParameterError(f"{name} has no rows; give at least one DataFrame with rows.")
    dtypes = pd.concat(heads).dtypes.tolist()
    try:
        schema = pyarrow.unify_schemas(
            [parquet.read_schema(path) for path in paths], promote_options="permissive"
        )
    except pyarrow.ArrowException as error:
        raise ParameterError(
            f"the chunks of {name} hold a column in different dtypes ({error}); convert it to one "
            "dtype in all chunks."
        ) from error
    names = [str(i) for i in range(len(form.labels))]
    dataset = dataset_of(paths, schema=schema, format="parquet")
    return Chunks(dataset, names, lambda table: table.to_pandas(), form, dtypes, folder)


class _Folder:
    """A temporary folder, which is deleted with the object."""

    def __init__(self) -> None:
        self.name = tempfile.mkdtemp(prefix="tabgan-")
        weakref.finalize(self, shutil.rmtree, self.name, ignore_errors=True)


def _arrow_of(pyarrow: Any, frame: pd.DataFrame, name: str) -> Any:
    """Turn a DataFrame of numbered columns into an Arrow table."""
    try:
        return pyarrow.Table.from_pandas(frame, preserve_index=False)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ParameterError(
            f"{name} holds values that Parquet files cannot hold ({error}); convert them, for "
            "example to texts."
        ) from error


def _is_dataset(X: Any) -> bool:
    """Whether X is an Arrow dataset, without importing Arrow."""
    module = sys.modules.get("pyarrow.dataset")
    return module is not None and isinstance(X, module.Dataset)


def _is_dask(X: Any) -> bool:
    """Whether X is a dask DataFrame."""
    is_of_dask = type(X).__module__.partition(".")[0] in ("dask", "dask_expr")
    return is_of_dask and hasattr(X, "get_partition")


def some_rows(table: pd.DataFrame | Chunks, n: int) -> pd.DataFrame:
    """Return about `n` random rows in their order, the same ones each time; all if fewer.

    Parameters
    ----------
    table : DataFrame or Chunks
        In memory or in files, the same rows are drawn.
    n : int >= 1

    Returns
    -------
    DataFrame
    """
    rng, rate = np.random.default_rng(0), n / max(1, len(table))
    parts = [frame[rng.random(len(frame)) < rate] for frame in parts_of(table)]
    return pd.concat(parts, ignore_index=True)
