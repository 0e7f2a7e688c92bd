"""Features and target as one table, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Features: TypeAlias = "pd.DataFrame | np.ndarray"


@dataclass(frozen=True)
class Target:
    """How the target stands in the joint table that a synthesizer learns.

    Parameters
    ----------
    name : str
        Its column, the last one.
    classes : ndarray of shape (n_classes,) or None
        Sorted labels of a discrete target, which is a categorical column whatever its dtype; None
        for a number.
    """

    name: str
    classes: np.ndarray | None

    @classmethod
    def beside(cls, X: Features, y: Any, classes: np.ndarray | None) -> Target:
        """Name the target: ``y.name`` if that is a string, "target" otherwise.

        Underscores are added until no feature has that name.
        """
        name = getattr(y, "name", None)
        name = name if isinstance(name, str) else "target"
        taken = set(column_names(X))
        while name in taken:
            name += "_"
        return cls(name, classes)

    def counts(self, y: np.ndarray) -> np.ndarray:
        """Count the rows of every class, those without any included; shape (n_classes,)."""
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
            Columns as `join` laid them.

        Returns
        -------
        X : DataFrame or ndarray of shape (n_rows + n_new, n_features)
            Of the kind, dtypes and column labels given; a DataFrame gets a fresh RangeIndex.
        y : ndarray of shape (n_rows + n_new,)
            Of the dtype given.
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

    A table of which all labels are strings keeps them; columns without names (an array, a frame
    with numbers for labels) are called "x0", "x1", and so on as elsewhere in scikit-learn.
    """
    if isinstance(X, pd.DataFrame) and all(isinstance(label, str) for label in X.columns):
        return list(X.columns)
    return [f"x{position}" for position in range(X.shape[1])]


def append_frames(real: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    """Put synthetic rows below real ones, dtypes as in the real table, with a fresh RangeIndex."""
    return pd.concat([real, synthetic.astype(dict(real.dtypes))], ignore_index=True)
