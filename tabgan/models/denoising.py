"""Denoising featurizer: features of rows from the restoration of swapped columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn import functional as F

from tabgan.adversarial.corruption import n_columns, swap_columns
from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.training import Training, TrainingSet
from tabgan.checks import Rule, number
from tabgan.estimators.estimator import Estimator
from tabgan.estimators.features import Features, over_rows
from tabgan.estimators.reading import read_fitted, read_known
from tabgan.generation.conditions import ConditionModel
from tabgan.generation.core import Core, resolve_device
from tabgan.generation.encoding import Encoding
from tabgan.networks.mlp import MLP
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable, Encoder, NumericCodec
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self

EVENNESS = 0.875
"""Exponent of the covariance of the hidden units: 1 leaves the covariance as it is, 0 whitens."""

LEAST_SPREAD = 1e-4
"""Standard deviation of a hidden unit below which the unit is taken as constant."""

LEAST_VARIANCE = 1e-4
"""Least eigenvalue of the covariance, relative to the largest one, that is not taken as noise."""

SCALE_ROWS = 10_000
"""Most training rows from which the scale of the features is computed."""


class DenoisingGame(Game):
    """A network that restores rows with swapped columns, and that tells the swapped columns.

    Parameters
    ----------
    layout : Layout
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1], or NaN for a level without an order.
    n_bins : int
        Number of equal ranges of a scalar, among which the network restores the scalar.
    hidden_dim : int
    swap_rate : float
    detection_weight : float
    total_variance : float
        Sum of the variances of all features after `fit_scale`.
    """

    level_scores: Tensor
    centre: Tensor
    map: Tensor

    def __init__(
        self,
        layout: Layout,
        level_ranks: Sequence[NDArray[np.float64]],
        n_bins: int,
        hidden_dim: int,
        swap_rate: float,
        detection_weight: float,
        total_variance: float,
    ) -> None:
        super().__init__()
        self.layout, self.n_bins = layout, n_bins
        self.swap_rate, self.detection_weight = swap_rate, detection_weight
        self.total_variance = total_variance
        self.sizes = [layout.width, layout.n_scalars * n_bins, n_columns(layout)]
        self.register_buffer("level_scores", _level_scores(layout, level_ranks), persistent=False)
        n_inputs = layout.width + self.level_scores.shape[1]
        self.network = MLP(n_inputs, [hidden_dim] * 2, sum(self.sizes))
        self.register_buffer("centre", torch.zeros(hidden_dim))
        self.register_buffer("map", torch.eye(hidden_dim))

    def players(self) -> tuple[Player, ...]:
        """Return the one player, the network."""
        return (Player("denoiser", (self.network,), self.loss),)

    def see(self, row: Tensor) -> Tensor:
        """Append the order of ordered levels to encoded rows, for the network."""
        return torch.cat([row, row @ self.level_scores], dim=1)

    def features(self, row: Tensor) -> Tensor:
        """Compute the scaled last hidden layer, (n, hidden_dim), of encoded rows, (n, width)."""
        return (self.network.features(self.see(row)) - self.centre) @ self.map

    def restoration(self, raw: Tensor, table: EncodedTable) -> Tensor:
        """Return the cross-entropy of a row's values, averaged over the columns.

        Parameters
        ----------
        raw : Tensor of shape (n, width + n_scalars * n_bins)
            Log-probabilities of levels at the places of the levels, then of each scalar's bins.
        table : EncodedTable of n rows
            The rows before the corruption.

        Returns
        -------
        Tensor of shape (n,), in nats
        """
        # NOTE[DIFF] The paper restores numbers by squared errors. A likelihood over bins also
        # learns distributions with several modes, and weighs all kinds of columns alike.
        layout = self.layout
        of_levels, of_bins = raw.split(self.sizes[:2], dim=1)
        nats = layout.cross_entropy(of_levels, table.codes)
        if layout.n_scalars:
            bins = ((table.scalars + 1) / 2 * self.n_bins).long().clamp(0, self.n_bins - 1)
            logits = of_bins.unflatten(1, (layout.n_scalars, self.n_bins))
            chosen = logits.log_softmax(dim=2).gather(2, bins[:, :, None])[:, :, 0]
            nats = nats - (chosen * layout.applies(table.codes)).sum(dim=1)
        return nats / max(1, self.sizes[2])

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Corrupt a batch, and return the losses of restoration and of detection."""
        corrupted, is_changed = swap_columns(batch.table, self.layout, self.swap_rate, batch.rng)
        raw = self.network(self.see(self.layout.expand(*corrupted)))
        restored, changed = raw.split([sum(self.sizes[:2]), self.sizes[2]], dim=1)
        # NOTE[DIFF] In the paper a swap counts as swapped even if both rows have the same value,
        # which no network could detect.
        detection = F.binary_cross_entropy_with_logits(changed, is_changed.to(raw.dtype))
        return self.restoration(restored, batch.table).mean(), detection

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of Yoon et al. (2020), equation 3, with the weight on the other term."""
        restoration, detection = self.losses(batch)
        return restoration + self.detection_weight * detection

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the two terms of the loss."""
        restoration, detection = self.losses(batch)
        return {"restoration": restoration, "detection": detection}

    def fit_scale(self, table: EncodedTable) -> None:
        """Set centre and map of the features by the hidden layer of some rows.

        Hidden units are standardised. Let C be the covariance of the standardised units. The map is
        ``C ** ((EVENNESS - 1) / 2)`` times a number, so that the features have the covariance
        ``C ** EVENNESS`` times a number, and every feature stays close to its unit.

        Parameters
        ----------
        table : EncodedTable of n rows
        """
        self.centre.zero_()
        self.map.copy_(torch.eye(len(self.map)))
        # On the CPU, because some devices have no float64.
        hidden = over_rows(table, self.layout, self.features).cpu().double()
        self.centre.copy_(hidden.mean(dim=0))
        spread = hidden.std(dim=0, correction=0)
        is_used = spread > LEAST_SPREAD
        per_unit = torch.where(is_used, 1 / spread.clamp(min=LEAST_SPREAD), 0.0)
        units = (hidden - hidden.mean(dim=0)) * per_unit
        values, vectors = torch.linalg.eigh(units.T @ units / len(units))
        values = values.clamp(min=max(LEAST_VARIANCE, LEAST_VARIANCE * float(values[-1])))
        even = vectors * values ** ((EVENNESS - 1) / 2) @ vectors.T
        variance = (units @ even).square().sum(dim=1).mean().clamp(min=LEAST_VARIANCE)
        even = even * is_used * torch.sqrt(self.total_variance / variance)
        self.map.copy_(per_unit[:, None] * even)


def _level_scores(layout: Layout, level_ranks: Sequence[NDArray[np.float64]]) -> Tensor:
    """Return a matrix that turns encoded rows into the ranks of ordered levels.

    Returns
    -------
    Tensor of shape (width, number of blocks with ordered levels)
        For an ordered level of rank r, ``2 r - 1`` at the place of the level, in the column of the
        block.
    """
    scores = [np.nan_to_num(2 * ranks - 1) for ranks in level_ranks]
    ordered = [block for block, ranks in enumerate(level_ranks) if not np.isnan(ranks).all()]
    matrix = torch.zeros(layout.width, len(ordered))
    for column, block in enumerate(ordered):
        start = int(layout.offsets[block])
        of_block = torch.from_numpy(scores[block])
        matrix[start : start + len(of_block), column] = of_block.to(matrix.dtype)
    return matrix


class DenoisingCore(Core):
    """The core of an estimator whose game reads rows and generates none.

    Parameters
    ----------
    encoding : Encoding
    training : Training
    """

    def __init__(self, encoding: Encoding, training: Training) -> None:
        super().__init__(training, encoding.layout.offsets.device)
        self.encoding = encoding

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """The encoder of rows."""
        return (self.encoding.encoder,)


class DenoisingFeaturizer(Features, Estimator):
    """Features of rows from a network that restores swapped columns, learnt without labels.

    Use this class if many rows have no label and few have one: fit it on all rows, and let the
    learner that gets the labels see the features beside the raw columns. Of the systems of this
    library it is the one to take for features.

    In each step some columns of each row get the values of other rows. A network with two hidden
    layers gets the corrupted row and answers two questions: which values the row had before, and
    which columns were swapped. The network can answer neither without knowing how the columns
    depend on each other. These are the two pretext tasks of VIME [1]_.

    `transform` gives the last hidden layer for rows without corruption, scaled in three steps. The
    units are centred and standardised by the training rows. A linear map then weakens directions in
    which many units agree: standardised units with the covariance C become features with the
    covariance ``C ** 0.875``, each feature close to its unit (an exponent of 0 would be whitening).
    At last one factor makes the variances of all features add up to the variance of the raw
    columns, which is 1 for each number, as if standardised, and the sum of the variances of its
    one-hot columns for each categorical column. In a distance, the features together therefore
    weigh as much as raw columns that are standardised and one-hot encoded, however many features
    there are. The features need no further scaling: a `StandardScaler` after them would make each
    feature weigh as much as a raw column.

    The class differs from the paper in four points: columns are restored by their likelihood and
    not by squared errors, with numbers cut into bins by their quantiles; one network has two
    hidden layers; a swap that changes no value does not count as swapped; and features are scaled.

    Parameters
    ----------
    swap_rate : float in [0, 1], default=0.3
        Probability with which a column of a row gets the value of another row, p_m in [1]_.
    detection_weight : float >= 0, default=1
        Weight of telling which columns were swapped, relative to the restoration, which is averaged
        over the columns.
    n_steps : int >= 0 or None, default=None
        Number of training steps. None takes 2,500 steps.
    learning_rate : float > 0, default=1e-3
    hidden_dim : int >= 1, default=256
        Number of units in each hidden layer, and number of features.
    **shared
        See `Estimator`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Yoon et al. (2020), "VIME: Extending the Success of Self- and Semi-supervised Learning to
       Tabular Domain", NeurIPS 2020, section 4.1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from tabgan import DenoisingFeaturizer
    >>> X = load_digits().data[:100]
    >>> model = DenoisingFeaturizer(hidden_dim=32, n_steps=5, random_state=0).fit(X)
    >>> model.transform(X).shape
    (100, 32)
    """

    # Each pass over a small table swaps other columns, so that passes need no bound.
    # With more than 32 scalars each has fewer bins, so that the output layer does not take most of
    # the time.
    plan = Plan(
        n_steps=2500,
        betas=(0.9, 0.99),
        warm_up=100,
        max_bins=32,
        max_bins_of_table=1024,
        max_epochs=2500,
    )
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "swap_rate": number(0, 1),
        "detection_weight": number(0),
    }
    _core: DenoisingCore

    def __init__(
        self,
        *,
        swap_rate: float = 0.3,
        detection_weight: float = 1.0,
        learning_rate: float = 1e-3,
        **shared: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **shared)
        self.swap_rate = swap_rate
        self.detection_weight = detection_weight

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn features from rows, of which none needs a label.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d), n >= 1
            A pandas, polars or Arrow table with columns of any kind, missing values included; or an
            array.
        y : array-like of shape (n,), default=None
            Ignored.

        Returns
        -------
        self
            The fitted featurizer.

        Raises
        ------
        ValueError
            If X has no rows, no columns, infinite values or two columns of one name, or if a
            parameter is out of range.
        TypeError
            If X is not a table.
        FloatingPointError
            If a loss is no longer finite; a lower `learning_rate` helps.

        Warns
        -----
        UserWarning
            If training was interrupted by Ctrl-C.
        """
        return self._fit(X, y)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_steps` more steps on these rows, from the present weights and optimisers.

        The first call is a `fit`. Later calls keep the schema of the first one. The scale of the
        features is that of the rows of the last call.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d)
            Rows with the columns of the first call. A category that the first call did not see
            counts as unknown. A number outside the range that the first call saw counts as the
            nearest end of that range.
        y : array-like of shape (n,), default=None
            Ignored.

        Returns
        -------
        self
            The fitted featurizer.

        Raises
        ------
        ValueError
            If the columns or the kinds of values differ from those of the first call, or if a
            parameter that shapes the networks was changed since.

        Warns
        -----
        UserWarning
            If X has categories that the first call did not see; see `handle_unknown`.
        """
        return self._fit(X, y, goes_on=True)

    def _read(self, X: Any, y: Any, anew: bool, **about: Any) -> pd.DataFrame:
        frame = read_fitted(self, X, anew)
        if anew:
            self.schema_ = Schema.infer(frame, self._forced_categories(self._format.labels))
            return frame
        return read_known(self, frame, self.schema_)

    def _make_core(self) -> DenoisingCore:
        device = resolve_device(self.device)
        encoder = Encoder(self.schema_, self.plan.numbers, max_categories=self.max_categories)
        nothing = ConditionModel(self.schema_.select([]), self.max_categories)
        encoding = Encoding(encoder, nothing, self._n_rows, device)
        return DenoisingCore(encoding, self._train_game(encoding, device))

    def _make_game(self, encoding: Encoding) -> DenoisingGame:
        return DenoisingGame(
            encoding.layout,
            encoding.level_ranks,
            self.plan.cut(self._n_rows, encoding.layout.n_scalars)["n_bins"],
            self.hidden_dim,
            self.swap_rate,
            self.detection_weight,
            _raw_variance(encoding.encoder),
        )

    def _learn(self, data: pd.DataFrame, streams: Streams, anew: bool) -> None:
        core = self._core
        rows = core.encoding.encode(data, streams.rng).to(core.device)
        run, layout = self._run(), core.encoding.layout
        n_steps = run.n_steps
        if n_steps is None:
            n_steps = self.plan.steps(rows.n, run.batch_size)
        if layout.width and n_steps:
            given = rows.given, core.encoding.condition_layout
            run.train(core.training, TrainingSet(rows.made, layout, *given), n_steps, streams.noise)
        games: tuple[Any, ...] = (core.training.averaged, core.training.game)
        some = rows.some(SCALE_ROWS, streams.rng).made
        for game in games:
            game.fit_scale(some)

    def _encode_known(self, X: Any) -> EncodedTable:
        """Encode later rows on the device, without random ranks."""
        check_is_fitted(self)
        frame = read_known(self, read_fitted(self, X, anew=False), self.schema_)
        return self._core.encoding.encoder.encode(frame).to(self._core.device)

    def _features(self, row: Tensor) -> Tensor:
        return self._core.game.features(row)

    @property
    def _n_features_out(self) -> int:
        return self.hidden_dim


def _raw_variance(encoder: Encoder) -> float:
    """Return the sum of variances of raw columns: standardised numbers, and one-hot categories.

    The one-hot columns of a categorical column with shares p have variances of ``1 - sum(p**2)``
    together.
    """
    total = 0.0
    for codec in encoder.codecs:
        is_number = isinstance(codec, NumericCodec)
        varies = codec.has_scalar or len(codec.masses) > 1
        total += float(varies) if is_number else 1.0 - float(np.square(codec.masses).sum())
    return total
