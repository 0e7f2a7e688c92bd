"""Data augmentation GAN: from one row another of its class, whatever the class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch, draw_normal
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.adversarial.training import shuffled
from tabgan.checks import ParameterError, Rule, integer, number
from tabgan.estimators.classes import RowsOfClasses
from tabgan.estimators.estimator import Latent
from tabgan.estimators.reading import check_n_samples
from tabgan.models.gan import GANGame
from tabgan.networks.revision import Revision
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout

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


class DAGANGame(GANGame):
    """WGAN-GP whose condition is another row of the class; see `DAGANAugmenter`."""

    def __init__(
        self, layout: Layout, latent_dim: int, code_dim: int, hidden_dim: int, n_critic: int
    ) -> None:
        super().__init__(
            layout,
            layout.width,
            latent_dim,
            hidden_dim,
            WASSERSTEIN,
            n_critic=n_critic,
            temperature=GUMBEL_TEMPERATURE,
        )
        self.generator: Any = Variation(layout, latent_dim, code_dim, hidden_dim)

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Make raw rows, shape (n, width), each from an encoded row."""
        return self.generator(draw_normal(len(condition), self.latent_dim, rng), condition)


class DAGANAugmenter(Latent, RowsOfClasses):
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
        See `Estimator`.

    Attributes
    ----------
    schema_ : Schema
        What each column is.

    References
    ----------
    .. [1] Antoniou et al. (2018), "Data Augmentation Generative Adversarial Networks",
       arXiv 1711.04340, section 3.
    """

    plan = Plan(n_steps=200)
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "code_dim": integer(1),
        "n_critic": integer(1),
        "penalty_weight": number(0),
    }

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
        return self._fit(X, y)

    def _batches(self, table: EncodedTable, classes: Tensor) -> PairSet:
        return PairSet(table, self._core.layout, classes)

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)]

    def _make_game(self, encoding: Encoder) -> DAGANGame:
        dims = (self.latent_dim, self.code_dim, self.hidden_dim, self.n_critic)
        return DAGANGame(encoding.layout, *dims)

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
        table = self._encode_known(X)
        n_samples = len(table) if n_samples is None else n_samples
        check_n_samples(n_samples)
        if y is not None and len(y) != len(table):
            raise ParameterError(
                f"y must have one class for each of the {len(table)} rows of X, got {len(y)}."
            )
        streams, core = self._streams(random_state), self._core
        source = np.arange(n_samples) % len(table)
        given = table.rows(torch.from_numpy(source).to(core.device))
        with torch.no_grad():
            raw = core.game.generate(core.layout.expand(*given), streams.noise)
        rows = self._rows(raw, streams)
        if y is None:
            return rows
        return rows, (y.array if isinstance(y, pd.Series) else np.asarray(y))[source]
