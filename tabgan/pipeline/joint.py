"""Features and target as one table, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from tabgan.checks import ParameterError
from tabgan.table.format import TableFormat

Features: TypeAlias = "pd.DataFrame | np.ndarray"


@dataclass(frozen=True)
class Target:
    """The target's column in the joint table that a synthesizer learns.

    Parameters
    ----------
    name : str
        Label of the column, which is the last one of the joint table.
    classes : ndarray of shape (n_classes,) or None
        Sorted labels of a discrete target, which becomes a categorical column whatever the dtype
        of the labels. None for a numeric target.
    """

    name: str
    classes: np.ndarray | None

    @classmethod
    def beside(cls, X: Features, y: Any, classes: np.ndarray | None) -> Target:
        """Name the target: ``y.name`` if that is a non-empty string, "target" otherwise.

        Underscores are added until no feature has that name.
        """
        name = getattr(y, "name", None)
        name = name if isinstance(name, str) and name else "target"
        taken = set(column_names(X))
        while name in taken:
            name += "_"
        return cls(name, classes)

    @property
    def dtype(self) -> pd.CategoricalDtype | None:
        """Dtype of the column of a discrete target; None for a numeric target."""
        return None if self.classes is None else pd.CategoricalDtype(self.classes)

    def counts(self, y: np.ndarray) -> np.ndarray:
        """Count the rows of every class, absent classes included; shape (n_classes,)."""
        assert self.classes is not None
        return np.bincount(np.searchsorted(self.classes, y), minlength=len(self.classes))

    def join(self, X: Features, y: np.ndarray) -> pd.DataFrame:
        """Lay the target beside the features.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_features)
            The features; not changed.
        y : ndarray of shape (n_rows,)
            The target.

        Returns
        -------
        table : DataFrame of shape (n_rows, n_features + 1)
            With string labels, a fresh RangeIndex and the target last.
        """
        if isinstance(X, pd.DataFrame):
            table = X.set_axis(column_names(X), axis=1).reset_index(drop=True)
        else:
            table = pd.DataFrame(X, columns=column_names(X)).infer_objects()
        column = y if self.classes is None else pd.Categorical(y, categories=self.classes)
        return pd.concat([table, pd.Series(column, name=self.name)], axis=1)

    def append(self, X: Features, y: np.ndarray, rows: pd.DataFrame) -> tuple[Features, np.ndarray]:
        """Put rows of the joint table below real features and target.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_features)
            The real features.
        y : ndarray of shape (n_rows,)
            The real target.
        rows : DataFrame of shape (n_new, n_features + 1)
            Synthetic rows, with the columns of `join`.

        Returns
        -------
        X : DataFrame or ndarray of shape (n_rows + n_new, n_features)
            With the type, dtypes and column labels of the real features; a DataFrame gets a fresh
            RangeIndex.
        y : ndarray of shape (n_rows + n_new,)
            With the dtype of the real target.
        """
        features = rows.drop(columns=self.name)
        if self.classes is None:
            more_y = rows[self.name].to_numpy()
        else:
            more_y = self.classes[pd.Categorical(rows[self.name], categories=self.classes).codes]
        y = np.concatenate([y, more_y.astype(y.dtype, copy=False)])
        if isinstance(X, pd.DataFrame):
            return append_frames(X, features.set_axis(X.columns, axis=1)), y
        return np.concatenate([X, features.to_numpy(dtype=X.dtype)]), y


def column_names(X: Features) -> list[str]:
    """Name the features in the joint table.

    A table of which all labels are strings keeps them. The columns of an array, or of a DataFrame
    with other labels, are called "x0", "x1" and so on, as elsewhere in scikit-learn.
    """
    if isinstance(X, pd.DataFrame) and all(isinstance(label, str) for label in X.columns):
        return list(X.columns)
    return [f"x{position}" for position in range(X.shape[1])]


def append_frames(real: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    """Put synthetic rows below real ones, with the real table's dtypes and a fresh RangeIndex."""
    return pd.concat([real, synthetic.astype(dict(real.dtypes))], ignore_index=True)


def as_given(X: Features, form: TableFormat | None) -> Any:
    """Turn features back into the kind of table that came in; None leaves them as they are."""
    return X if form is None else form.restore(X)


def check_same_length(X: Any, y: Any) -> None:
    """Refuse a target that has not one value per row, before either of the two is read.

    Raises
    ------
    ParameterError
        If both lengths are known and differ.
    """
    n_rows, n_values = _length(X), _length(y)
    if n_rows is not None and n_values is not None and n_rows != n_values:
        raise ParameterError(
            f"y must have one value per row of X, {n_rows} values, got {n_values}: the inputs "
            "have inconsistent numbers of rows."
        )


def _length(data: Any) -> int | None:
    shape = getattr(data, "shape", None)
    if isinstance(shape, tuple):
        return shape[0] if shape else None
    try:
        return len(data)
    except TypeError:
        return None
