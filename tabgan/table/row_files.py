"""Files of rows, written a part at a time; an interrupted work can go on."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from tabgan.checks import ParameterError, listed, short
from tabgan.paths import finished_name, replacing
from tabgan.table.foreign import optional

ABOUT = "about.json"
"""The file in a folder of parts that says which rows the parts are of."""


def check_row_file(path: str | os.PathLike[str], name: str = "into") -> Path:
    """Return a path to which rows can be written, or refuse it before any work.

    Parameters
    ----------
    path : str or Path
        Its name ends in .parquet, .csv or .csv.gz.
    name : str, default="into"
        How errors name the path.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        Another ending, a folder, or a path in a folder that does not exist.
    ImportError
        The path is of a Parquet file, and pyarrow is not installed.
    """
    if not isinstance(path, str | os.PathLike):
        raise ParameterError(f"{name} must be the path of a file, got {short(path)}.")
    file = Path(path)
    if not file.name.lower().endswith((".parquet", ".csv", ".csv.gz")):
        raise ParameterError(
            f"{name} is {str(path)!r}; the name of a table must end in .parquet, .csv or .csv.gz."
        )
    if file.is_dir() or not file.parent.is_dir():
        raise ParameterError(
            f"{name} is {str(path)!r}, which is a folder or lies in no folder; name a file in a "
            "folder that exists."
        )
    if file.name.lower().endswith(".parquet"):
        optional("pyarrow", f"{name} is a Parquet file")
    return file


class RowFile:
    """A file whose rows are first written to a folder beside it, one file for each part.

    Each part is complete once its file has its name, so that an interrupted work can go on with the
    parts that lack. `finish` joins the parts to one file and deletes the folder.

    Parameters
    ----------
    path : Path
        What `check_row_file` returned.

    Attributes
    ----------
    folder : Path
        The folder of the parts, named after the file with ".parts" at its end.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from tabgan.table.row_files import RowFile
    >>> path = Path(tempfile.mkdtemp()) / "rows.csv"
    >>> file = RowFile(path)
    >>> file.begin({"n": 3}, goes_on=False)
    >>> file.write(0, pd.DataFrame({"a": [1, 2]}))
    >>> file.write(1, pd.DataFrame({"a": [3]}))
    >>> file.finish()
    >>> pd.read_csv(path)["a"].tolist()
    [1, 2, 3]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.with_name(f"{path.name}.parts")
        self._is_parquet = path.name.lower().endswith(".parquet")
        self._suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix

    def known(self) -> dict[str, Any] | None:
        """Return what `begin` noted of the parts that are there; None without such parts."""
        about = self.folder / ABOUT
        return json.loads(about.read_text(encoding="utf-8")) if about.is_file() else None

    def begin(self, about: dict[str, Any], goes_on: bool) -> None:
        """Make the folder of the parts, or go on with the parts in it.

        Parameters
        ----------
        about : dict
            What decides the rows, in values that JSON can write.
        goes_on : bool
            Whether to keep the parts that are there. Otherwise they are deleted.

        Raises
        ------
        ValueError
            The parts are of other rows, or the folder holds something else.
        """
        known = self.known()
        others = known is None and self.folder.exists() and self.folder.iterdir()
        if others and any(finished_name(each.name) != ABOUT for each in others):
            raise ParameterError(
                f"{str(self.folder)!r} is needed for the parts of {self.path.name!r}, and holds "
                "other files; name another file, or move them away."
            )
        if known is not None and goes_on:
            other = [name for name in about if known.get(name) != about[name]]
            if other:
                raise ParameterError(
                    f"resume=True: {str(self.folder)!r} holds rows of another {listed(other)}; "
                    "pass what was passed then, or resume=False to begin anew."
                )
            return
        if known is not None:
            self._clear()
        self.folder.mkdir(exist_ok=True)
        self._replace(self.folder / ABOUT, lambda file: file.write_text(json.dumps(about)))

    def has(self, k: int) -> bool:
        """Return whether part k is there."""
        return self._part(k).exists()

    def write(self, k: int, table: Any) -> None:
        """Write part k.

        Parameters
        ----------
        k : int >= 0
        table : DataFrame, ndarray, polars.DataFrame, pyarrow.Table or pyarrow.RecordBatch
        """
        if self._is_parquet:
            parquet = importlib.import_module("pyarrow.parquet")
            arrow = _arrow(table)
            self._replace(self._part(k), lambda file: parquet.write_table(arrow, file))
        else:
            frame = _pandas(table)
            way: Any = "gzip" if self._suffix.lower().endswith(".gz") else None

            def write(file: Path) -> None:
                frame.to_csv(file, index=False, header=k == 0, compression=way)

            self._replace(self._part(k), write)

    def finish(self) -> None:
        """Join all parts to the file, and delete the folder of the parts."""
        self._replace(self.path, self._join_parquet if self._is_parquet else self._join_bytes)
        self._clear()

    def _clear(self) -> None:
        """Delete the folder, and last what says whose it is: who is cut short can begin again."""
        for path in self.folder.iterdir():
            if path.name != ABOUT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self.folder)

    def _part(self, k: int) -> Path:
        return self.folder / f"{k:08d}{self._suffix}"

    def _parts(self) -> Iterator[Path]:
        return iter(sorted(self.folder.glob(f"[0-9]*{self._suffix}")))

    def _join_bytes(self, target: Path) -> None:
        """Put texts one behind another; so may compressed texts be."""
        with target.open("wb") as joined:
            for part in self._parts():
                with part.open("rb") as file:
                    shutil.copyfileobj(file, joined)

    def _join_parquet(self, target: Path) -> None:
        """Copy the parts, whose columns may be of different types where values are missing."""
        pyarrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
        schemas = [parquet.read_schema(part) for part in self._parts()]
        schema = pyarrow.unify_schemas(schemas, promote_options="permissive")
        with parquet.ParquetWriter(target, schema) as writer:
            for part in self._parts():
                writer.write_table(parquet.read_table(part).cast(schema))

    @staticmethod
    def _replace(path: Path, write: Any) -> None:
        """Let a function write a file that is there once it is whole.

        Raises
        ------
        OSError
            The file cannot be written; the message names the file, as those of Arrow do not.
        """
        try:
            with replacing(path) as unfinished:
                write(unfinished)
        except OSError as error:
            told = error.strerror or error
            raise OSError(f"{str(path)!r} could not be written ({told}).") from error


def _arrow(table: Any) -> Any:
    """Turn a table into an Arrow table."""
    pyarrow = importlib.import_module("pyarrow")
    if isinstance(table, pyarrow.Table):
        return table
    if isinstance(table, pyarrow.RecordBatch):
        return pyarrow.Table.from_batches([table])
    if hasattr(table, "to_arrow"):
        return table.to_arrow()
    return pyarrow.Table.from_pandas(_pandas(table), preserve_index=False)


def _pandas(table: Any) -> pd.DataFrame:
    """Turn a table into a DataFrame, with texts as labels."""
    if hasattr(table, "to_pandas"):
        table = table.to_pandas()
    return pd.DataFrame(table).rename(columns=str)
