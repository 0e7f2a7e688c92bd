"""Latent features as columns beside the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabgan.checks import ParameterError, short
from tabgan.pipeline.joint import Features, column_names
from tabgan.pipeline.synthesis import seeded_clone
from tabgan.table.format import read_table


@dataclass(frozen=True)
class LatentColumns:
    """A fitted transformer whose output stands beside the columns that it reads.

    Attributes
    ----------
    transformer : transformer or None
        Fitted; None for no further columns.
    """

    transformer: Any | None

    @classmethod
    def learn(
        cls, transformer: Any, X: Features, unlabelled: Features | None, seed: int
    ) -> LatentColumns:
        """Fit a clone of a transformer on all rows, without labels.

        Parameters
        ----------
        transformer : transformer
            Not changed; every ``random_state`` parameter of the clone is set.
        X : DataFrame or ndarray of shape (n_rows, n_features)
        unlabelled : DataFrame or ndarray of shape (n_more, n_features) or None
            More rows of the same columns.
        seed : int
        """
        rows = X
        if unlabelled is not None and isinstance(X, pd.DataFrame):
            rows = pd.concat(
                [X, pd.DataFrame(unlabelled).astype(dict(X.dtypes))], ignore_index=True
            )
        elif unlabelled is not None:
            rows = np.concatenate([X, unlabelled])
        return cls(seeded_clone(transformer, seed).fit(rows))

    def beside(self, X: Features) -> Features:
        """Append the features of rows to the rows.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_features)

        Returns
        -------
        wide : DataFrame or ndarray of shape (n_rows, n_features + n_latent)
            The kind of table that came in. New columns of a DataFrame have the names that the
            transformer gives, or "feature0" and so on, with underscores where a name is taken.

        Raises
        ------
        ParameterError
            If the transformer does not give one row of finite numbers for each row.
        """
        if self.transformer is None:
            return X
        latent = self.transformer.transform(X)
        latent = latent.toarray() if hasattr(latent, "toarray") else np.asarray(latent)
        if latent.ndim != 2 or len(latent) != len(X) or latent.dtype.kind not in "fiub":
            raise ParameterError(
                "features must be a transformer that gives one row of numbers per row, got "
                f"an array of shape {latent.shape} and dtype {latent.dtype} for {len(X)} rows."
            )
        if not isinstance(X, pd.DataFrame):
            return np.concatenate([X, latent.astype(X.dtype, copy=False)], axis=1)
        taken = set(column_names(X))
        names = []
        for position in range(latent.shape[1]):
            name = self._name(position)
            while name in taken:
                name += "_"
            taken.add(name)
            names.append(name)
        return pd.concat([X, pd.DataFrame(latent, columns=names, index=X.index)], axis=1)

    def _name(self, position: int) -> str:
        names = getattr(self.transformer, "get_feature_names_out", None)
        if names is not None:
            return str(names()[position])
        return f"feature{position}"


def read_unlabelled(
    unlabelled: Any, X: Features, has_features: bool, reader: str
) -> Features | None:
    """Read rows without labels, and refuse rows that no transformer would see.

    Parameters
    ----------
    unlabelled : table or None
    X : DataFrame or ndarray of shape (n_rows, n_features)
        The rows with labels.
    has_features : bool
        Whether there is a transformer.
    reader : str
        Name of the class that reads the rows, for errors.

    Returns
    -------
    rows : DataFrame or ndarray of shape (n_more, n_features) or None
        Of the kind of `X`.

    Raises
    ------
    ParameterError
        There is no transformer, or the columns are others than those of `X`.
    """
    if unlabelled is None:
        return None
    if not has_features:
        raise ParameterError(
            "X_unlabelled must be None without features, which alone would learn from it; give "
            "a transformer as features."
        )
    frame, _ = read_table(unlabelled, "X_unlabelled", reader)
    if isinstance(X, np.ndarray):
        rows: Features = frame.to_numpy(dtype=X.dtype)
        labels, expected = list(range(rows.shape[1])), list(range(X.shape[1]))
    else:
        rows, labels, expected = frame, list(frame.columns), list(X.columns)
    if labels != expected:
        raise ParameterError(
            f"X_unlabelled must have the columns of X, {short(expected)}, got {short(labels)}."
        )
    return rows
