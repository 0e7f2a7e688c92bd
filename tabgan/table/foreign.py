"""Tables of polars and Arrow to pandas and back; their dtypes are kept in a JSON form."""

from __future__ import annotations

import base64
import importlib
import sys
from typing import Any

import numpy as np
import pandas as pd

from tabgan.checks import short
from tabgan.table.dtypes import factorize
from tabgan.table.jsonable import check_zone

_POLARS_FIELDS = {
    "Datetime": ("time_unit", "time_zone"),
    "Duration": ("time_unit",),
    "Decimal": ("precision", "scale"),
}
"""Arguments that rebuild a polars dtype; dtypes which are not listed need none."""

_POLARS_NAMES = frozenset(
    ("Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128")
    + ("Float16", "Float32", "Float64", "Decimal", "Boolean", "String", "Binary", "Categorical")
    + ("Enum", "Date", "Datetime", "Duration", "Time", "Null", "Object")
)
"""Names of the polars dtypes whose columns can be learnt."""

_NUMPY_NAMES = {
    **{f"{sign}Int{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16)},
    **{f"{sign}Int{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (32, 64)},
    **{f"Float{bits}": f"float{bits}" for bits in (16, 32, 64)},
}
"""NumPy's names of the polars dtypes that NumPy has too."""


_EXTRAS = {"pyarrow": "'sklearn-tabgan[parquet]'", "dask": "'sklearn-tabgan[dask]'"}


def optional(library: str, why: str) -> Any:
    """Import an optional package, or say how it is installed."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        package = library.partition(".")[0]
        extra = _EXTRAS.get(package, package)
        raise ImportError(f"{why}, and needs {package}: pip install {extra}.") from error


# ---------------------------------------------------------------------- Arrow


def arrow_spec(schema: Any) -> str:
    """Serialise a schema, without pandas' notes on an index that tabgan does not keep."""
    notes = {key: value for key, value in (schema.metadata or {}).items() if key != b"pandas"}
    data = schema.with_metadata(notes or None).serialize().to_pybytes()
    return base64.b64encode(data).decode("ascii")


def arrow_spec_of(spec: str, kept: list[int]) -> str:
    """Serialise some fields of a serialised schema."""
    pyarrow = optional("pyarrow", "the model was fitted on a pyarrow table")
    schema = pyarrow.ipc.read_schema(pyarrow.py_buffer(base64.b64decode(spec)))
    return arrow_spec(pyarrow.schema([schema.field(i) for i in kept], metadata=schema.metadata))


def check_arrow_spec(spec: Any, n_columns: int) -> None:
    """Refuse what `arrow_spec` does not return for a table of so many columns.

    Raises
    ------
    ValueError
    ImportError
        pyarrow is not installed.
    """
    data = base64.b64decode(spec, validate=True)
    pyarrow = optional("pyarrow", "the model was fitted on a pyarrow table")
    if len(pyarrow.ipc.read_schema(pyarrow.py_buffer(data))) != n_columns:
        raise ValueError("there are more or fewer dtypes than columns")


def from_arrow(table: Any) -> pd.DataFrame:
    """Turn an Arrow table into a DataFrame of pandas' Arrow dtypes.

    Dictionaries become pandas categoricals, which keep their categories and order. Views of texts
    become texts, for pandas can do little with views.
    """
    pyarrow = sys.modules["pyarrow"]
    types = pyarrow.types
    plain = {
        check: target
        for check, target in (
            (getattr(types, "is_string_view", None), pyarrow.large_string()),
            (getattr(types, "is_binary_view", None), pyarrow.large_binary()),
        )
        if check is not None
    }
    for i, field in enumerate(table.schema):
        for check, target in plain.items():
            if check(field.type):
                column = table.column(i).cast(target)
                table = table.set_column(i, field.with_type(target), column)

    def dtype(arrow: Any) -> pd.ArrowDtype | None:
        return None if types.is_dictionary(arrow) else pd.ArrowDtype(arrow)

    return table.to_pandas(types_mapper=dtype, ignore_metadata=True)


def to_arrow(frame: pd.DataFrame, spec: str) -> Any:
    """Turn a DataFrame into an Arrow table of a schema that `arrow_spec` serialised."""
    pyarrow = optional("pyarrow", "the model was fitted on a pyarrow table")
    data = pyarrow.py_buffer(base64.b64decode(spec))
    fields, columns = [], []
    schema = pyarrow.ipc.read_schema(data)
    for i, field in enumerate(schema):
        column = _arrow_column(pyarrow, frame.iloc[:, i], field.type)
        is_nullable = field.nullable or column.null_count > 0
        fields.append(field.with_type(column.type).with_nullable(is_nullable))
        columns.append(column)
    return pyarrow.Table.from_arrays(
        columns, schema=pyarrow.schema(fields, metadata=schema.metadata)
    )


def _arrow_column(pyarrow: Any, values: pd.Series, arrow: Any) -> Any:
    """Make a column of an Arrow type, or of the values' own type if they do not fit that type."""
    for target in (arrow, None):
        try:
            column = pyarrow.array(values, type=target, from_pandas=True)
        except (pyarrow.ArrowException, OverflowError, TypeError, ValueError):
            # Views cannot be made from pandas' values at once.
            try:
                column = pyarrow.array(values, from_pandas=True).cast(target)
            except (pyarrow.ArrowException, TypeError, ValueError):
                continue
        break
    return column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column


# ---------------------------------------------------------------------- polars


def polars_spec(dtype: Any) -> list[Any]:
    """Name a polars dtype and its arguments; `_polars_dtype` finds it again."""
    name = dtype.base_type().__name__
    if name == "Enum":
        return [name, {"categories": dtype.categories.to_list()}]
    return [name, {each: getattr(dtype, each) for each in _POLARS_FIELDS.get(name, ())}]


def check_polars_spec(spec: Any) -> None:
    """Refuse what `polars_spec` does not return: a name from a file may be that of any function.

    Raises
    ------
    ValueError
    """
    if not (isinstance(spec, list) and len(spec) == 2 and isinstance(spec[1], dict)):
        raise ValueError(f"{short(spec)} is no dtype of polars")
    name, arguments = spec
    fields = ("categories",) if name == "Enum" else _POLARS_FIELDS.get(name, ())
    is_sound = name in _POLARS_NAMES and set(arguments) == set(fields)
    for field, value in arguments.items() if is_sound else ():
        if field == "categories":
            are_texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
            is_sound &= are_texts and len(set(value)) == len(value)
        elif field == "time_unit":
            is_sound &= value in ("ns", "us", "ms")
        elif field == "time_zone":
            is_sound &= value is None or check_zone(value) is value
        else:
            is_sound &= type(value) is int and 0 <= value <= 38
    if not is_sound:
        raise ValueError(f"{short(spec)} is no dtype of polars")


def _polars_dtype(polars: Any, spec: list[Any]) -> Any:
    check_polars_spec(spec)
    name, arguments = spec
    return getattr(polars, name)(**arguments)


def from_polars(values: Any) -> pd.Series:
    """Turn a polars column into a pandas column of a plain dtype, without the help of Arrow.

    Numbers, truth values and times are copied as arrays. Integers and truth values with nulls get
    pandas' nullable dtypes, so that they stay what they are.
    """
    name = values.dtype.base_type().__name__
    missing = values.is_null().to_numpy()
    if name in _NUMPY_NAMES and name.startswith("Float"):
        return pd.Series(np.array(values.to_numpy()))
    if name in _NUMPY_NAMES or name == "Boolean":
        filled = np.array(values.fill_null(False if name == "Boolean" else 0).to_numpy())
        if not missing.any():
            return pd.Series(filled)
        make = pd.arrays.BooleanArray if name == "Boolean" else pd.arrays.IntegerArray
        return pd.Series(make(filled, np.array(missing)))
    if name in ("Date", "Datetime", "Duration"):
        counts = np.array(values.to_physical().fill_null(0).to_numpy(), dtype=np.int64)
        if name == "Date":
            times = counts.view("datetime64[D]").astype("datetime64[s]")
        else:
            clock = "timedelta64" if name == "Duration" else "datetime64"
            times = counts.view(f"{clock}[{values.dtype.time_unit}]")
        times[missing] = np.array("NaT", dtype=times.dtype)
        zone = getattr(values.dtype, "time_zone", None)
        series = pd.Series(times)
        return series.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else series
    if name == "Enum":
        codes = np.array(values.to_physical().fill_null(0).to_numpy(), dtype=np.int64)
        codes[missing] = -1
        dtype = pd.CategoricalDtype(values.dtype.categories.to_list(), ordered=True)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype))
    if name == "Categorical":
        texts = pd.Series(values.cast(sys.modules["polars"].String).to_list(), dtype=object)
        return pd.Series(pd.Categorical.from_codes(*factorize(texts, sort=True)))
    if name == "String" and not missing.all():
        return pd.Series(values.to_list())
    return pd.Series(values.to_list(), dtype=object)


def to_polars(frame: pd.DataFrame, specs: list[Any]) -> Any:
    """Turn a DataFrame into a polars DataFrame of dtypes that `polars_spec` named."""
    polars = optional("polars", "the model was fitted on a polars DataFrame")
    columns = []
    for i, spec in enumerate(specs):
        values, dtype = frame.iloc[:, i], _polars_dtype(polars, spec)
        try:
            column = _polars_column(polars, values, dtype)
        except (polars.exceptions.PolarsError, OverflowError, TypeError, ValueError):
            # Row numbers too large for the dtype, or new names of entities that no Enum has.
            present = values.astype(object).where(values.notna(), None)
            column = polars.Series(present.tolist(), strict=False)
        columns.append(column.alias(frame.columns[i]))
    return polars.DataFrame(columns)


def _polars_column(polars: Any, values: pd.Series, dtype: Any) -> Any:
    """Turn a pandas column into a polars column of this dtype.

    Raises
    ------
    PolarsError, OverflowError, TypeError or ValueError
        The dtype cannot hold the values.
    """
    name = dtype.base_type().__name__
    missing = values.isna().to_numpy()
    if name in _NUMPY_NAMES and values.dtype != object:
        # Nullable integers would pass through floats without a dtype, and lose the large ones.
        held = getattr(values.dtype, "numpy_dtype", values.dtype)
        raw = np.where(missing, 0, values.to_numpy(held, na_value=held.type(0)))
        numbers = raw.astype(_NUMPY_NAMES[name])
        if not name.startswith("Float") and not np.array_equal(numbers, raw):
            raise OverflowError(f"{name} cannot hold the numbers of column {values.name!r}")
        column = polars.Series(numbers, dtype=dtype)
    elif name in ("Date", "Datetime", "Duration") and values.dtype.kind in "mM":
        zoned = getattr(values.dtype, "tz", None) is not None
        plain = values.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else values
        clock = "timedelta64" if name == "Duration" else "datetime64"
        unit = "D" if name == "Date" else dtype.time_unit
        counts = plain.to_numpy().astype(f"{clock}[{unit}]").astype(np.int64)
        physical = np.where(missing, 0, counts).astype(np.int32 if name == "Date" else np.int64)
        column = polars.Series(physical).cast(dtype)
    else:
        if name in ("Date", "Datetime", "Duration") and values.dtype.kind in "iuf":
            raise TypeError(f"column {values.name!r} holds numbers without a unit")
        present = values.astype(object).where(~missing, None)
        return polars.Series(present.tolist(), dtype=dtype)
    if not missing.any():
        return column
    nulls = polars.repeat(None, len(values), dtype=dtype, eager=True)
    return column.zip_with(polars.Series(~missing), nulls)
