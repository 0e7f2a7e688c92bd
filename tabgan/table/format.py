"""The format of a table: which kinds of tables are read, and how rows are given back in that kind.

Everything behind this module works on pandas DataFrames with a fresh index. `read_table` turns
whatever a user passes into such a DataFrame and into a `TableFormat`, which remembers what came in.
`TableFormat.restore` turns a DataFrame of synthetic rows back into a table of the kind, the column
order and the dtypes that came in.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from tabgan.checks import ParameterError, listed, short
from tabgan.table.foreign import (
    arrow_spec,
    arrow_spec_of,
    check_arrow_spec,
    check_polars_spec,
    from_arrow,
    from_polars,
    optional,
    polars_spec,
    to_arrow,
    to_polars,
)
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.schema import check_names

KINDS = ("pandas", "array", "polars", "pyarrow", "pyarrow batch")
"""The kinds of tables that are given back."""


@dataclass(frozen=True)
class TableFormat:
    """What a table looked like when it came in.

    Parameters
    ----------
    kind : {"pandas", "array", "polars", "pyarrow", "pyarrow batch"}
        The kind of table that `restore` makes.
    labels : list of hashable
        The columns in their order; 0, 1, ... for an array.
    dtype : str or None
        Name of the dtype that all columns of an array have in common; None for other tables.
    columns : list of list, str or None
        The dtypes of a polars DataFrame, each as a name and its arguments; the schema of an Arrow
        table, serialised and in base 64; None for other tables.
    """

    kind: str
    labels: list[Hashable]
    dtype: str | None = None
    columns: Any = None

    @property
    def has_labels(self) -> bool:
        """Whether the columns had labels of their own, which those of an array have not."""
        return self.kind != "array"

    def check(
        self, frame: pd.DataFrame, given: TableFormat, name: str = "X", owner: str | None = None
    ) -> pd.DataFrame:
        """Compare the columns of a later table with those of the table that was learnt.

        Labels decide, not kinds: a model fitted on a polars DataFrame takes a pandas DataFrame of
        the same columns. Columns without labels, those of arrays, are told apart by position.

        Parameters
        ----------
        frame : DataFrame of shape (n, d)
        given : TableFormat
            The format of that later table; `read_table` returns both.
        name : str, default="X"
            How errors name the table.
        owner : str, optional
            How errors name what was fitted, such as "WGANSynthesizer".

        Returns
        -------
        DataFrame of shape (n, d)
            With the labels of the table that was learnt.

        Raises
        ------
        ValueError
            Another number of columns, or other labels.
        """
        owner = owner or "the model"
        if frame.shape[1] != len(self.labels):
            raise ValueError(
                f"{name} has {frame.shape[1]} features, but {owner} is expecting "
                f"{len(self.labels)} features as input."
            )
        if self.has_labels and given.has_labels and not _same(given.labels, self.labels):
            raise ValueError(
                f"{name} has columns {listed(given.labels)}, but {owner} was fitted on "
                f"{listed(self.labels)}."
            )
        return frame.set_axis(pd.Index(self.labels, tupleize_cols=False), axis=1)

    def restore(self, frame: pd.DataFrame) -> Any:
        """Turn a DataFrame into a table of the kind that came in.

        Parameters
        ----------
        frame : DataFrame of shape (n, k), k >= d
            Has all columns of this format, in any order, and perhaps more, which are left out.

        Returns
        -------
        DataFrame, ndarray, polars.DataFrame, pyarrow.Table or pyarrow.RecordBatch of shape (n, d)
            Columns and dtypes as they came in. A polars or Arrow column takes the plain dtype of
            its values if its own dtype cannot hold them, such as row numbers beyond 127 in Int8.
            Missing values are nulls in polars and Arrow tables.

        Raises
        ------
        ImportError
            polars or pyarrow is not installed here.
        """
        frame = frame[self.labels]
        if self.kind == "array":
            return frame.to_numpy().astype(np.dtype(self.dtype))
        if self.kind == "polars":
            return to_polars(frame, self.columns)
        if self.kind.startswith("pyarrow"):
            table = to_arrow(frame, self.columns)
            return table if self.kind == "pyarrow" else table.to_batches()[0]
        return frame

    def append(self, table: Any, columns: pd.DataFrame) -> Any:
        """Append columns to a table that `restore` made.

        Parameters
        ----------
        table : DataFrame, ndarray, polars.DataFrame, pyarrow.Table or pyarrow.RecordBatch
            A table of n rows.
        columns : DataFrame of shape (n, k)
            Columns of a plain dtype, whose labels are strings.

        Returns
        -------
        table of n rows
            The same kind of table with k more columns. An array keeps its dtype.
        """
        if self.kind == "array":
            return np.concatenate([table, columns.to_numpy().astype(table.dtype)], axis=1)
        if self.kind == "polars":
            polars = optional("polars", "the table is a polars DataFrame")
            return table.with_columns(polars.Series(k, v.to_numpy()) for k, v in columns.items())
        if self.kind.startswith("pyarrow"):
            pyarrow = optional("pyarrow", "the table is a pyarrow table")
            is_batch = self.kind == "pyarrow batch"
            wide = pyarrow.Table.from_batches([table]) if is_batch else table
            for name, values in columns.items():
                wide = wide.append_column(name, pyarrow.array(values.to_numpy()))
            return wide.combine_chunks().to_batches()[0] if is_batch else wide
        return pd.concat([table, columns.set_axis(table.index)], axis=1)

    def without(self, labels: Iterable[Hashable]) -> TableFormat:
        """Return the format of the same table without some of its columns."""
        left_out = list(labels)
        kept = [i for i, label in enumerate(self.labels) if label not in left_out]
        columns = self.columns
        if self.kind == "polars":
            columns = [columns[i] for i in kept]
        elif self.kind.startswith("pyarrow"):
            columns = arrow_spec_of(columns, kept)
        return TableFormat(self.kind, [self.labels[i] for i in kept], self.dtype, columns)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {name: to_jsonable(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TableFormat:
        """Rebuild a format from `to_dict`.

        Raises
        ------
        ValueError
            The format is that of no table.
        """
        form = cls(**{name: from_jsonable(value) for name, value in data.items()})
        form._check_form()
        return form

    def _check_form(self) -> None:
        """Refuse what no `read_table` returns."""
        if self.kind not in KINDS or not isinstance(self.labels, list):
            raise ValueError(f"{short(self.kind)} is no kind of table")
        if (self.kind == "array") != isinstance(self.dtype, str):
            raise ValueError(f"{short(self.dtype)} is no dtype of an array")
        if self.kind == "array" and np.dtype(self.dtype).kind not in "biufOmM":
            raise ValueError(f"{short(self.dtype)} is no dtype of an array")
        if self.kind == "polars":
            if not isinstance(self.columns, list) or len(self.columns) != len(self.labels):
                raise ValueError("there are more or fewer dtypes than columns")
            for spec in self.columns:
                check_polars_spec(spec)
        elif self.kind.startswith("pyarrow"):
            check_arrow_spec(self.columns, len(self.labels))
        elif self.columns is not None:
            raise ValueError(f"{self.kind} tables have no dtypes of their own")


def read_table(
    X: Any, name: str = "X", owner: str | None = None
) -> tuple[pd.DataFrame, TableFormat]:
    """Turn whatever holds rows and columns into a DataFrame, and remember what it was.

    Parameters
    ----------
    X : table of shape (n, d), n >= 1 and d >= 1
        A pandas or polars DataFrame, a pyarrow Table or RecordBatch, an array-like, or any other
        table that narwhals reads or that has ``__arrow_c_stream__`` or ``__dataframe__``.
    name : str, default="X"
        How errors name the table.
    owner : str, optional
        How errors name what needs the table, such as "WGANSynthesizer".

    Returns
    -------
    frame : DataFrame of shape (n, d)
        With a fresh index. Polars columns have plain pandas dtypes, Arrow columns pandas' Arrow
        dtypes; NaN and null are both missing values.
    format : TableFormat
        Other tables than those named first are given back as pyarrow Tables if they are read
        through Arrow, else as pandas DataFrames.

    Raises
    ------
    ValueError
        No rows, no columns, two columns of one label, or complex numbers.
    TypeError
        Sparse input, or what is no table; the error names the kind of X, and never prints X.

    Examples
    --------
    >>> from tabgan.table.format import read_table
    >>> frame, form = read_table([[1.0, 2.0], [3.0, 4.0]])
    >>> frame.shape, form.kind, form.dtype
    ((2, 2), 'array', 'float64')
    >>> form.restore(frame)
    array([[1., 2.],
           [3., 4.]])
    """
    frame, kind, columns = _read_frame(X, name)
    if frame is None:
        frame = pd.DataFrame(_read_array(X, name, owner)).infer_objects()
        return frame, TableFormat("array", list(frame.columns), frame_dtype(frame))
    check_size(frame, owner)
    check_names(frame, name)
    return frame.reset_index(drop=True), TableFormat(kind, list(frame.columns), None, columns)


def read_stack(
    X: Any, name: str = "X", owner: str | None = None
) -> tuple[pd.DataFrame, int, TableFormat]:
    """Turn an array of sequences into a DataFrame with a row for each step.

    Parameters
    ----------
    X : array-like of shape (n, T, d), none of them 0
    name, owner : str
        See `read_table`.

    Returns
    -------
    frame : DataFrame of shape (n * T, d)
        The steps of each sequence below those of the one before it.
    n_steps : int
        T, the steps of each sequence.
    format : TableFormat
        Of the frame; ``format.restore(frame).reshape(-1, T, d)`` is the array again.

    Raises
    ------
    ValueError
        X has another number of dimensions, no sequences, no steps or no channels.
    TypeError
        X is sparse, or no array.
    """
    wanted = "an array of shape (n, T, d)"
    array = _as_array(X, name, f"a DataFrame or {wanted}")
    if array.ndim != 3 or not array.shape[1] or not array.shape[2]:
        raise ValueError(
            f"{name} must be a DataFrame or {wanted}, got an array of shape {array.shape}."
        )
    options = {"allow_nd": True, "ensure_2d": False, "estimator": owner, "input_name": name}
    array = check_array(array, dtype=None, ensure_all_finite=False, **options)
    n, n_steps, d = array.shape
    frame = pd.DataFrame(array.reshape(n * n_steps, d)).infer_objects()
    return frame, n_steps, TableFormat("array", list(frame.columns), frame_dtype(frame))


def is_frame(X: Any) -> bool:
    """Whether `read_table` reads X as a table with labels, and not as an array."""
    if isinstance(X, pd.DataFrame) or _is_of(X, "pyarrow", "RecordBatch"):
        return True
    offers = any(hasattr(X, name) for name in ("__arrow_c_stream__", "__dataframe__"))
    return offers and not _is_column(X)


def check_size(frame: Any, owner: str | None = None) -> None:
    """Raise a ValueError for a table without rows or columns, in scikit-learn's words."""
    for kind, n in (("sample", len(frame)), ("feature", frame.shape[1])):
        if n < 1:
            by = f" by {owner}" if owner else ""
            raise ValueError(
                f"Found array with 0 {kind}(s) (shape={frame.shape}) while a minimum of 1 is "
                f"required{by}."
            )


def frame_dtype(frame: pd.DataFrame) -> str:
    """Name the one dtype that an array of these columns has."""
    return str(frame.to_numpy().dtype)


def _same(labels: Iterable[Hashable], others: Iterable[Hashable]) -> bool:
    """Whether two lists of one length hold equal labels; NaN equals NaN here."""
    pairs = zip(labels, others, strict=True)
    return all(a is b or a == b or (a != a and b != b) for a, b in pairs)


# ---------------------------------------------------------------------- reading


def _read_frame(X: Any, name: str) -> tuple[pd.DataFrame | None, str, Any]:
    """Read a table that has labels: its DataFrame (None for any other X), kind and dtypes."""
    if isinstance(X, pd.DataFrame):
        return X, "pandas", None
    if _is_of(X, "polars", "LazyFrame"):
        raise ParameterError(f"{name} is a polars LazyFrame; pass {name}.collect().")
    if _is_of(X, "polars", "DataFrame"):
        columns = {label: from_polars(X[label]) for label in X.columns}
        frame = pd.DataFrame(columns, index=pd.RangeIndex(len(X)))
        return frame, "polars", [polars_spec(dtype) for dtype in X.dtypes]
    if _is_of(X, "pyarrow", "Table"):
        return from_arrow(X), "pyarrow", arrow_spec(X.schema)
    if _is_of(X, "pyarrow", "RecordBatch"):
        table = sys.modules["pyarrow"].Table.from_batches([X])
        return from_arrow(table), "pyarrow batch", arrow_spec(X.schema)
    if _is_column(X) or isinstance(X, np.ndarray | list | tuple) or np.isscalar(X) or X is None:
        return None, "array", None
    return _read_stranger(X, name)


def _read_stranger(X: Any, name: str) -> tuple[pd.DataFrame | None, str, Any]:
    """Read a table of a library that is not known here, through what it offers to others."""
    native = _narwhals_frame(X)
    if native is not None:
        if hasattr(native, "collect"):
            raise ParameterError(
                f"{name} is a lazy {_kind_of(X)}, which has no rows yet; collect it first, for "
                f"example with narwhals.from_native({name}).collect()."
            )
        unwrapped = native.to_native()
        if unwrapped is not X:
            return _read_frame(unwrapped, name)
    if hasattr(X, "__arrow_c_stream__"):
        pyarrow = optional("pyarrow", f"{name} is a {_kind_of(X)}, which is read through Arrow")
        try:
            table = pyarrow.table(X)
        except (TypeError, ValueError) as error:
            raise ParameterError(
                f"{name} is a {_kind_of(X)} that holds no table; pass a table with named columns."
            ) from error
        return from_arrow(table), "pyarrow", arrow_spec(table.schema)
    if native is not None:
        return native.to_pandas(), "pandas", None
    if hasattr(X, "__dataframe__"):
        with warnings.catch_warnings():
            # pandas plans to drop the interchange protocol; some libraries offer nothing else.
            warnings.simplefilter("ignore")
            return pd.api.interchange.from_dataframe(X), "pandas", None
    return None, "array", None


def _narwhals_frame(X: Any) -> Any:
    """Wrap a table of any library that narwhals knows, None for what it does not know."""
    try:
        narwhals = importlib.import_module("narwhals")
    except ImportError:
        return None
    wrapped = narwhals.from_native(X, pass_through=True)
    is_frame = isinstance(wrapped, narwhals.DataFrame | narwhals.LazyFrame)
    return wrapped if is_frame else None


def _read_array(X: Any, name: str, owner: str | None) -> NDArray[Any]:
    """Check an array-like of shape (n, d) as scikit-learn does."""
    array = _as_array(X, name, "a table")
    if array.ndim < 2:
        raise ParameterError(
            f"{name} must have two dimensions, rows and columns, got an array of shape "
            f"{array.shape}. Reshape your data: {name}.reshape(-1, 1) has a single column, "
            f"{name}.reshape(1, -1) a single row."
        )
    options = {"ensure_all_finite": False, "estimator": owner, "input_name": name}
    return check_array(array, dtype=None, **options)


def _as_array(X: Any, name: str, wanted: str) -> NDArray[Any]:
    """Turn an array-like into an array.

    scikit-learn's `check_array` prints the data in some of its errors, so that what leads to such
    an error is refused here, by its kind.
    """
    if scipy.sparse.issparse(X):
        # Raises the TypeError that scikit-learn has for sparse input.
        check_array(X, input_name=name)
    way_out = f"pass {wanted}, for example pandas.DataFrame({name})"
    if isinstance(X, str | bytes) or hasattr(X, "__fspath__"):
        kind, way_out = _kind_of(X), f"pass {wanted}, for example pandas.read_csv({name})"
    elif isinstance(X, np.ndarray) and X.dtype.names:
        kind = "structured array"
    elif isinstance(X, list | tuple) and len(X) and isinstance(X[0], Mapping):
        kind = f"{_kind_of(X)} of dicts"
    elif isinstance(X, list | tuple) or hasattr(X, "__array__") and not np.isscalar(X):
        return _dense(X, name)
    elif isinstance(X, Mapping):
        kind = _kind_of(X)
    else:
        kind = _kind_of(X)
        way_out = f"pass {wanted}"
        if isinstance(X, Iterable):
            way_out += f", for example pandas.DataFrame(list({name}))"
    article = "an" if kind[0] in "aeiou" else "a"
    raise ParameterError(f"{name} is {article} {kind}; {way_out}.")


def _dense(X: Any, name: str) -> NDArray[Any]:
    array = X if isinstance(X, np.ndarray) else np.asarray(X)
    if array.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} is complex; pass its real and imaginary parts "
            "as columns."
        )
    return array


def _kind_of(X: Any) -> str:
    """Name the kind of a value, with its library where that is not Python itself."""
    library = type(X).__module__.partition(".")[0]
    own = type(X).__name__
    return own if library in ("builtins", "__main__") else f"{library} {own}"


def _is_of(X: Any, library: str, *classes: str) -> bool:
    """Whether X is of one of a library's classes, without importing the library."""
    module = sys.modules.get(library)
    return module is not None and isinstance(X, tuple(getattr(module, each) for each in classes))


def _is_column(X: Any) -> bool:
    """Whether X is a single column of a library that has columns."""
    return (
        isinstance(X, pd.Series | pd.Index)
        or _is_of(X, "polars", "Series")
        or _is_of(X, "pyarrow", "Array", "ChunkedArray")
    )
