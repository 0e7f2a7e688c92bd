"""Mixins of estimators that are also transformers: latent features or critic features of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.priors import code_step
from tabgan.generation.source import CHUNK
from tabgan.randomness import Streams
from tabgan.table.chunks import Chunks, some_rows
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

SMALLEST_BATCH = 256
"""Smaller batches are padded to this number of rows.

Matrix products may round differently for batches of different sizes. With the padding, the features
of a row do not depend on how many other rows are transformed with it.
"""


@torch.no_grad()
def over_rows(table: EncodedTable, layout: Layout, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a function of encoded rows to a whole table, in chunks of some thousand rows.

    Parameters
    ----------
    table : EncodedTable of n rows
    layout : Layout
    function : callable, Tensor of shape (m, width) -> Tensor of shape (m, ...)

    Returns
    -------
    Tensor of shape (n, ...)
    """
    parts = []
    for index in torch.arange(len(table), device=table.codes.device).split(CHUNK):
        # Networks have the default dtype of torch; encoded numbers are always float32.
        row = layout.expand(*table.rows(index)).to(torch.get_default_dtype())
        padding = row.new_zeros(max(0, SMALLEST_BATCH - len(row)), row.shape[1])
        parts.append(function(torch.cat([row, padding]))[: len(row)])
    return torch.cat(parts)


VARIANCE = 0.25
"""Variance of all features together, beside columns that each have variance 1."""

N_COMPONENTS = 4
"""Most principal components of a critic's hidden layer."""


SCALING_ROWS = 50_000
"""Most rows from which the last step of features is learnt."""


def factor_of(total: Tensor) -> Tensor:
    """Return the factor that turns a variance into `VARIANCE`, or 1 for a variance of zero."""
    return torch.where(total > 0, (VARIANCE / total).sqrt(), 1.0)


class Scaled(nn.Module):
    """Codes rounded, and times a factor by which the variances of a table's codes add up to 0.25.

    Learners such as logistic regression and nearest neighbours weigh a column by its variance.
    Sixteen codes of variance 1 outweigh the columns of a small table, and the learner then does
    worse with the codes than without. Boosted trees do not weigh columns. They overfit by the many
    places at which they can cut a code, of which rounding leaves few; see `code_step`.

    Parameters
    ----------
    n_codes : int
        Width of the codes.
    n_others : int, default=0
        Number of further features, such as probabilities, that stay as they are.
    """

    factor: Tensor
    step: Tensor

    def __init__(self, n_codes: int, n_others: int = 0) -> None:
        super().__init__()
        self.n_codes, self.n_features = n_codes, n_codes + n_others
        self.register_buffer("factor", torch.ones(()))
        self.register_buffer("step", torch.zeros(()))

    def learn(self, features: Tensor) -> None:
        """Learn factor and step from the features of the training rows, shape (n, n_features)."""
        if not self.n_codes:
            return
        codes = features[:, : self.n_codes].double()
        total = (codes - codes.mean(dim=0)).square().sum() / len(codes)
        self.step.copy_(code_step(self.n_codes) * (total / self.n_codes).sqrt())
        rounded = self._round(codes)
        self.factor.copy_(factor_of((rounded - rounded.mean(dim=0)).square().sum() / len(codes)))

    def _round(self, codes: Tensor) -> Tensor:
        """Round codes to multiples of the step."""
        return torch.where(self.step > 0, (codes / self.step).round() * self.step, codes)

    def forward(self, features: Tensor) -> Tensor:
        """Round and scale the codes among features, shape (n, n_features)."""
        codes, others = features.tensor_split([self.n_codes], dim=1)
        return torch.cat([self._round(codes) * self.factor, others], dim=1)

    def inverse(self, features: Tensor) -> Tensor:
        """Undo the scaling of features, shape (n, n_features)."""
        codes, others = features.tensor_split([self.n_codes], dim=1)
        return torch.cat([codes / self.factor, others], dim=1)


class Principal(nn.Module):
    """The first principal components of features, whose variances add up to `VARIANCE`.

    Each component is rounded to whole standard deviations, for the reason that `Scaled` gives.

    Parameters
    ----------
    n_inputs : int
        Width of the features.
    most : int, default=N_COMPONENTS
        Most components. Boosted trees, to which a scale means nothing, lose by every further one.
    """

    centre: Tensor
    axes: Tensor
    step: Tensor

    def __init__(self, n_inputs: int, most: int = N_COMPONENTS) -> None:
        super().__init__()
        self.n_features = min(most, n_inputs)
        self.register_buffer("centre", torch.zeros(n_inputs))
        self.register_buffer("axes", torch.eye(n_inputs, self.n_features))
        self.register_buffer("step", torch.zeros(self.n_features))

    def learn(self, features: Tensor) -> None:
        """Learn the components from the features of the training rows, shape (n, n_inputs)."""
        exact = features.double()
        centre = exact.mean(dim=0)
        covariance = (exact - centre).T @ (exact - centre) / len(exact)
        variance, axes = torch.linalg.eigh(covariance.cpu())
        variance, axes = variance.flip(0)[: self.n_features], axes.flip(1)[:, : self.n_features]
        # The sign of an axis is free. The largest entry is made positive.
        largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
        variance = variance.clamp(min=0)
        factor = factor_of(variance.sum())
        self.step.copy_(variance.sqrt() * factor)
        self.centre.copy_(centre)
        self.axes.copy_(axes * largest.sign() * factor)

    def forward(self, features: Tensor) -> Tensor:
        """Compute the components of features, shape (n, n_features)."""
        components = (features - self.centre) @ self.axes
        return torch.where(self.step > 0, (components / self.step).round() * self.step, 0.0)


class Features(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Mixin of synthesizers that are transformers: `transform` computes features of rows.

    A class defines the features in `_features` and their number in `_n_features_out`.
    """

    _core: Any
    _encode_known: Callable[[Any], EncodedTable]

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Compute the features of rows.

        The description of the class says what the features are. `get_feature_names_out` names them.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            Rows with the columns that `fit` got. A category that `fit` did not see counts as
            unknown; see `handle_unknown`. A number outside the range that `fit` saw counts as the
            nearest end of that range.

        Returns
        -------
        ndarray of shape (n, n_features_out), float32
            The features of each row.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the columns or the kinds of values differ from those that `fit` got, or if there are
            unknown categories and `handle_unknown` is "error".

        Warns
        -----
        UserWarning
            If there are unknown categories and `handle_unknown` is "warn".
        """
        return self._over_rows(X, self._features)

    def _features(self, row: Tensor) -> Tensor:
        """Compute features, shape (n, n_features_out), of encoded rows, shape (n, width)."""
        raise NotImplementedError

    def _over_rows(self, X: Any, function: Callable[[Tensor], Tensor]) -> NDArray[np.float32]:
        """Encode a table and apply a function of encoded rows to it."""
        table = self._encode_known(X)
        return over_rows(table, self._core.encoding.layout, function).cpu().numpy()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class Scaling:
    """Mixin, before `Features`, of synthesizers whose features have a last step that is learnt.

    A class defines the features before the last step in `_unscaled`, and the last step, which is
    `Scaled` or `Principal`, in `_make_scaling`.
    """

    _core: Any

    def _unscaled(self, row: Tensor) -> Tensor:
        """Compute features of encoded rows, shape (n, width), before the last step."""
        raise NotImplementedError

    def _make_scaling(self, game: Any) -> nn.Module:
        """Return the last step, before it has learnt."""
        raise NotImplementedError

    def _learn(self, data: pd.DataFrame | Chunks, streams: Streams, anew: bool) -> None:
        super()._learn(data, streams, anew)  # type: ignore[misc]
        encoding, some = self._core.encoding, some_rows(data, SCALING_ROWS)
        table = encoding.encoder.encode(some[encoding.encoder.schema.names]).to(self._core.device)
        self._core.scaling.learn(over_rows(table, encoding.layout, self._unscaled))

    def _features(self, row: Tensor) -> Tensor:
        return self._core.scaling(self._unscaled(row))

    @property
    def _n_features_out(self) -> int:
        return int(self._core.scaling.n_features)


class CriticFeatures(Scaling, Features):
    """Mixin of synthesizers whose features are of the critic's last hidden layer.

    The features are the first principal components of the layer, `N_COMPONENTS` of them.
    """

    hidden_dim: int

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Score rows by the critic or discriminator.

        A higher score means that a row looks more real to this critic. A score is not a likelihood,
        and scores of two fitted models cannot be compared: each critic compares rows with those of
        its own generator.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            Rows with the columns that `fit` got.

        Returns
        -------
        ndarray of shape (n,), float64
            A logit, if the class has a discriminator; a number without bounds, if it has a critic.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the columns or the kinds of values differ from those that `fit` got.
        """
        return self._over_rows(X, self._score).astype(np.float64)

    def _score(self, row: Tensor) -> Tensor:
        return self._core.game.score(row, row[:, :0])

    def _unscaled(self, row: Tensor) -> Tensor:
        return self._core.game.features(row, row[:, :0])

    def _make_scaling(self, game: Any) -> nn.Module:
        return Principal(self.hidden_dim)


class Inverse:
    """Mixin of synthesizers that can decode features into rows; a class defines `_raw_rows`."""

    _core: Any
    _format: Any
    _rules: Any

    def inverse_transform(self, X: Any) -> Any:
        """Decode features into rows, each into the most probable row.

        Parameters
        ----------
        X : array-like of shape (n, n_features_out)
            Features as `transform` computes them.

        Returns
        -------
        table of shape (n, d)
            The kind of table that `fit` got, with the same columns and dtypes.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If X has another number of features, or values that are not finite.
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
            scaled = torch.from_numpy(features).to(self._core.device)
            raw = self._raw_rows(self._core.scaling.inverse(scaled))
        encoding = self._core.encoding
        table = EncodedTable(*encoding.layout.draw(raw))
        frame = encoding.encoder.decode(table)
        if self._rules is not None:
            frame = self._rules.restore(frame)[0]
        return self._format.restore(frame)

    def _raw_rows(self, features: Tensor) -> Tensor:
        """Decode features, not scaled, (n, n_features_out), into raw rows of shape (n, width)."""
        raise NotImplementedError
