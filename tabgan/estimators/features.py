"""Mixins of synthesizers that are transformers too: latent or critic features of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor

from tabgan.generation.source import CHUNK
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

SMALLEST_BATCH = 256
"""Fewer rows are padded to so many: a row's features then do not depend on how many come along."""


@torch.no_grad()
def over_rows(table: EncodedTable, layout: Layout, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a function of encoded rows to a table, some thousands of rows at a time."""
    parts = []
    for index in torch.arange(len(table), device=table.codes.device).split(CHUNK):
        row = layout.expand(*table.rows(index))
        padding = row.new_zeros(max(0, SMALLEST_BATCH - len(row)), row.shape[1])
        parts.append(function(torch.cat([row, padding]))[: len(row)])
    return torch.cat(parts)


class Features(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Mixin of synthesizers whose `transform` gives features of rows.

    A class says what the features are in `_features` and how many in `_n_features_out`.
    """

    _core: Any
    _encode_known: Callable[[Any], EncodedTable]

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Compute features of rows.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            Categories not seen in training count as unknown, see `handle_unknown`; numbers out of
            range count as the nearest in it.

        Returns
        -------
        ndarray of shape (n, n_features_out)
            See the class for what they are; `get_feature_names_out` names them.
        """
        return self._over_rows(X, self._features)

    def _features(self, row: Tensor) -> Tensor:
        """Features of encoded rows, (n, width) to (n, n_features_out)."""
        raise NotImplementedError

    def _over_rows(self, X: Any, function: Callable[[Tensor], Tensor]) -> NDArray[np.float32]:
        """Apply a function of encoded rows to a table."""
        table = self._encode_known(X)
        return over_rows(table, self._core.encoding.layout, function).cpu().numpy()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class CriticFeatures(Features):
    """Mixin of synthesizers whose features are the critic's last hidden layer, (n, hidden_dim)."""

    hidden_dim: int

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Score rows by the critic.

        Parameters
        ----------
        X : table or array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,)
            Higher for rows that look real *to this critic*. Neither a likelihood nor comparable
            between fits: a critic scores rows against those its own generator makes.
        """
        return self._over_rows(X, self._score).astype(np.float64)

    def _score(self, row: Tensor) -> Tensor:
        return self._core.game.score(row, row[:, :0])

    def _features(self, row: Tensor) -> Tensor:
        return self._core.game.features(row, row[:, :0])

    @property
    def _n_features_out(self) -> int:
        return self.hidden_dim


class Inverse:
    """Mixin of synthesizers that turn features back into rows, in `_raw_rows`."""

    _core: Any
    _format: Any

    def inverse_transform(self, X: Any) -> Any:
        """Decode features, as `transform` gives them, to their most probable rows.

        Parameters
        ----------
        X : array-like of shape (n, n_features_out)

        Returns
        -------
        table of shape (n, d)
            Of the kind that `fit` got, with its columns and dtypes.
        """
        check_is_fitted(self)
        features = check_array(X, dtype=np.float32, estimator=self, input_name="X")
        n_features: int = self._n_features_out  # type: ignore[attr-defined]
        if features.shape[1] != n_features:
            raise ValueError(
                f"X has {features.shape[1]} features, but inverse_transform takes the "
                f"{n_features} that transform gives."
            )
        with torch.no_grad():
            raw = self._raw_rows(torch.from_numpy(features).to(self._core.device))
        encoding = self._core.encoding
        table = EncodedTable(*encoding.layout.draw(raw))
        return self._format.restore(encoding.encoder.decode(table))

    def _raw_rows(self, features: Tensor) -> Tensor:
        """Decode features of shape (n, n_features_out) to raw rows of shape (n, width)."""
        raise NotImplementedError
