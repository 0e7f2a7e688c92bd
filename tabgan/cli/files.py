"""Tables in files: which formats are read and written, and the dtypes of a CSV file's columns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tabgan.cli.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def check_output(path: Path, *others: Path) -> None:
    """Refuse a file that cannot be written, or that another argument names, before any work.

    Parameters
    ----------
    path : Path
        The file to write.
    *others : Path
        The other files that the command reads or writes.

    Raises
    ------
    InputError
        `path` is a folder, its folder does not exist, its permissions forbid writing, or it is one
        of `others`.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: must not be written, by its permissions; name another file.")
    if path.resolve() in [other.resolve() for other in others]:
        raise InputError(f"{path}: is named twice; each file needs a name of its own.")


def check_table_output(path: Path, *others: Path) -> None:
    """Refuse what `check_output` refuses, and a table whose name tells no known format."""
    _is_parquet(path)
    check_output(path, *others)


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file of at least one row.

    Parameters
    ----------
    path : Path
        A file whose name ends in .csv, .csv.gz or .parquet.

    Returns
    -------
    table : DataFrame
        Columns of a CSV file are float64, int64 or bool; Int64 or boolean if integers or truth
        values are missing; datetime64 if all values are dates in ISO 8601; else object, of texts.

    Raises
    ------
    InputError
        There is no such file, the file cannot be read, or the table has no rows.
    """
    import pandas as pd

    is_parquet = _is_parquet(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        if is_parquet:
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, dtype_backend="numpy_nullable")
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: is empty; its first line must name the columns.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text in UTF-8; convert it first.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {str(error).strip()}") from error
    if table.empty:
        raise InputError(f"{path}: has no rows.")
    if is_parquet:
        return table
    # pandas takes the first values of rows that are too long for row labels.
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(f"{path}: its rows have more values than its first line has names.")

    from tabgan.table.csv_parts import csv_kind, plain_column

    return pd.DataFrame({n: plain_column(v, csv_kind(v), v.hasnans) for n, v in table.items()})


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table in the format that the file's name tells."""
    if _is_parquet(path):
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)


def _is_parquet(path: Path) -> bool:
    """Tell the two formats apart by the file's name; raise if it is neither."""
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return False
    if not name.endswith(".parquet"):
        raise InputError(f"{path}: the name of a table must end in .csv, .csv.gz or .parquet.")
    try:
        import pyarrow  # noqa: F401 - pandas needs it, and says so late and at length
    except ImportError as error:
        raise ImportError(
            "Parquet files need pyarrow; install it with: pip install 'sklearn-tabgan[parquet]'."
        ) from error
    return True
