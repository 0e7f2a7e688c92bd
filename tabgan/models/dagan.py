"""Data augmentation GAN: from one row another of its class, whatever the class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.game import Batch, draw_normal
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.adversarial.training import shuffled
from tabgan.estimators.inputs import check_integer, check_table
from tabgan.estimators.rows_of_classes import RowsOfClasses
from tabgan.estimators.target import class_codes
from tabgan.models.wgan import WGANGame
from tabgan.networks.revision import Revision
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self


class PairSet:
    """Rows dealt out in shuffled batches, each beside another row of its class.

    The other row is the batch's condition: the one a generator is to make the row from. A row that
    is alone in its class stands beside itself.

    Parameters
    ----------
    table : EncodedTable of n rows
    layout : Layout
    classes : Tensor of shape (n,), int64
        From 0 on.
    """

    def __init__(self, table: EncodedTable, layout: Layout, classes: Tensor) -> None:
        order = torch.argsort(classes, stable=True)
        self.table, self.layout = table.rows(order), layout
        counts = torch.bincount(classes)
        self.counts = counts[classes[order]]
        self.starts = (counts.cumsum(0) - counts)[classes[order]]

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches for ever."""
        for index in shuffled(len(self.table), batch_size, rng):
            made = self.table.rows(index)
            given = self.table.rows(self.partners(index, rng))
            row, condition = self.layout.expand(*made), self.layout.expand(*given)
            yield Batch(made, row, condition, given, rng)

    def partners(self, index: Tensor, rng: torch.Generator) -> Tensor:
        """Draw for each row another of its class, evenly; rows are counted class by class."""
        counts, starts = self.counts[index], self.starts[index]
        share = torch.rand(len(index), generator=rng, device=rng.device)
        step = 1 + (share * (counts - 1)).long()
        return starts + (index - starts + step) % counts


class Variation(nn.Module):
    """A row, revised by noise and by what a narrow code tells of the row.

    Parameters
    ----------
    layout : Layout
    latent_dim, code_dim, hidden_dim : int
    """

    def __init__(self, layout: Layout, latent_dim: int, code_dim: int, hidden_dim: int) -> None:
        super().__init__()
        # NOTE[DIFF]: the paper's generator passes on all of x at every level. With the few classes
        # of a table it then makes rows of the classes it knows, whatever it is given.
        self.code = nn.Linear(layout.width, code_dim)
        self.revision = Revision(layout.n_scalars, layout.width, latent_dim + code_dim, hidden_dim)

    def forward(self, z: Tensor, row: Tensor) -> Tensor:
        """Make raw rows, shape (n, width), of noise and encoded rows."""
        return self.revision(row, torch.cat([z, self.code(row)], dim=1))


class DAGANGame(WGANGame):
    """WGAN-GP whose condition is another row of the class; see `DAGANAugmenter`."""

    def __init__(
        self, layout: Layout, latent_dim: int, code_dim: int, hidden_dim: int, n_critic: int
    ) -> None:
        super().__init__(layout, layout.width, latent_dim, hidden_dim, n_critic)
        self.generator: Any = Variation(layout, latent_dim, code_dim, hidden_dim)

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Make raw rows, shape (n, width), each from an encoded row."""
        return self.generator(draw_normal(len(condition), self.latent_dim, rng), condition)


class DAGANAugmenter(RowsOfClasses):
    """Data augmentation GAN [1]_: learns how rows of one class differ, for classes to come.

    The generator makes from a row x and noise z *another* row of x's class; the critic sees pairs,
    both real and of one class, or one made from the other. Neither is told which class, so that
    what was learnt on classes with many rows serves classes that were absent: `augment` makes rows
    from the few there are. The critic is WGAN-GP's, as in [1]_.

    Parameters
    ----------
    n_steps : int or None, default=None
        Training steps. None: 200; more of them learn the training classes by heart where those
        are few.
    code_dim : int, default=4
        How many numbers tell the generator's networks of x, which is changed but not remade. Few
        keep the classes of unseen rows; more fit classes that were seen better.
    n_critic : int, default=5
        Critic updates per generator update.
    penalty_weight : float, default=1
        The gradient penalty's lambda.
    **shared
        See `AdversarialEstimator`.

    Attributes
    ----------
    schema_ : Schema
        What each column is.

    References
    ----------
    .. [1] Antoniou et al. (2018), "Data Augmentation Generative Adversarial Networks",
       arXiv 1711.04340, section 3.
    """

    _default_steps = 200

    def __init__(
        self,
        *,
        code_dim: int = 4,
        n_critic: int = 5,
        penalty_weight: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.code_dim = code_dim
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from classes of which there are many rows.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n, d)
            Any kinds of columns, missing values included.
        y : array-like of shape (n,)
            Classes of any hashable kind; they say which rows belong together, nothing else.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            No rows or columns, infinite values, duplicate column names, missing classes, or a
            parameter out of range.
        """
        return self._fit(X, y, reset=self._starts_anew())

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Train `n_steps` steps more on these rows; the schema stays. Parameters as in `fit`."""
        return self._fit(X, y, reset=not self.__sklearn_is_fitted__())

    def _fit(self, X: Any, y: Any, reset: bool) -> Self:
        self._make_ready(reset)
        frame = check_table(self, X, reset=reset)
        classes = class_codes(self, frame, y)[0]
        if reset:
            self.schema_ = Schema.infer(frame, self._forced_categories(self._input_labels))
            self._begin()
        rng, noise = self._training_streams()
        table = self._encoder.encode(frame, rng).to(self._device)
        if self._layout.width and self._n_steps:
            pairs = PairSet(table, self._layout, torch.from_numpy(classes).to(self._device))
            self._train(pairs, noise, self._n_steps)
        return self

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)]

    def _make_game(self) -> DAGANGame:
        check_integer("code_dim", self.code_dim)
        check_integer("n_critic", self.n_critic)
        dims = (self.latent_dim, self.code_dim, self.hidden_dim, self.n_critic)
        return DAGANGame(self._layout, *dims)

    def augment(
        self,
        X: Any,
        y: Any = None,
        *,
        n_samples: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Make rows of the classes of the rows given, which training need not have seen.

        Parameters
        ----------
        X : DataFrame or array-like of shape (m, d)
            Rows to make others from; categories not seen in training count as unknown, numbers
            out of range as the nearest in it.
        y : array-like of shape (m,), default=None
            Their classes, to be given back with the rows made.
        n_samples : int, default=None
            Rows to make, made row i from row ``i % m``; None makes one from each.
        random_state : int, RandomState or None, default=None
            None goes on with the stream that the estimator's own `random_state` began.

        Returns
        -------
        rows : DataFrame or ndarray of shape (n_samples, d)
            Columns and dtypes as in `fit`, and a fresh index; an array if `fit` got one.
        labels : ndarray of shape (n_samples,)
            Only with `y`.
        """
        check_is_fitted(self)
        frame = check_table(self, X, reset=False)
        n_samples = len(frame) if n_samples is None else n_samples
        check_integer("n_samples", n_samples)
        rng, noise = self._streams(random_state)
        source = np.arange(n_samples) % len(frame)
        given = self._encoder.encode(frame).rows(torch.from_numpy(source)).to(self._device)
        with torch.no_grad():
            raw = self._game.generate(self._layout.expand(*given), noise)
        rows = self._rows(raw, noise, rng)
        if y is None:
            return rows
        check_consistent_length(frame, y)
        return rows, (y.array if isinstance(y, pd.Series) else np.asarray(y))[source]
