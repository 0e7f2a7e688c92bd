"""Latent features as columns beside the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabgan.checks import ParameterError
from tabgan.pipeline.joint import Features, column_names
from tabgan.pipeline.synthesis import seeded_clone


@dataclass(frozen=True)
class LatentColumns:
    """A fitted transformer whose output stands beside the columns that it reads.

    Attributes
    ----------
    transformer : transformer
        Fitted.
    """

    transformer: Any

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
        if hasattr(self.transformer, "get_feature_names_out"):
            return str(self.transformer.get_feature_names_out()[position])
        return f"feature{position}"
