"""Autoregressive networks, which draw one column after another, with rejection of poor rows."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.plan import Plan
from tabgan.checks import NONE, Rule, choice, number
from tabgan.estimators.reading import read_partial
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.column_rows import ColumnRows
from tabgan.generation.encoding import Encoding, Rows
from tabgan.generation.source import Source, posterior
from tabgan.networks.any_order import AnyOrderNetworks
from tabgan.networks.columns import DROPOUTS, ColumnNetworks, default_dropout
from tabgan.networks.wide import Entries, WideModel
from tabgan.notices import warn
from tabgan.table.dtypes import as_objects
from tabgan.table.encoder import EncodedTable
from tabgan.table.format import read_table
from tabgan.table.schema import Schema

MANY_BLOCKS, BYTES_PER_PAIR = 2_000, 900
"""Columns beyond which `fit` warns of the memory that it needs, and bytes for each pair of columns.

A pair has 16 weights in each of two networks, which are held seven times: as they are, as gradient,
in two moments, averaged, and twice at their best.
"""


class AutoregressiveGame(Game):
    """A generator that maximises the likelihood of rows, one column after another.

    Parameters
    ----------
    wide : WideModel
        The model of columns of many categories, which come before all others.
    networks : ColumnNetworks
        They are given the entries of wide blocks beside a condition.
    any_order : AnyOrderNetworks
        Networks that propose values for unknown columns, whichever columns are known.
    """

    def __init__(
        self, wide: WideModel, networks: ColumnNetworks, any_order: AnyOrderNetworks
    ) -> None:
        super().__init__()
        self._wide, self.entries = (wide,), Entries(wide)
        self.networks, self.any_order = networks, any_order

    @property
    def wide(self) -> WideModel:
        """The model of wide blocks, which is learnt before the game and is no part of it."""
        return self._wide[0]

    def shared(self) -> tuple[nn.Module, ...]:
        """Return the model of wide blocks, and its parts."""
        return tuple(self.wide.modules())

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Draw one row of levels for each condition, shape (n, n_blocks)."""
        wide_codes = self.wide.draw(len(condition), rng)
        seen = torch.cat([condition, self.entries(wide_codes)], dim=1)
        return torch.cat([self.networks.draw(seen, rng), wide_codes], dim=1)

    def raw(
        self,
        codes: Tensor,
        condition: Tensor,
        rng: torch.Generator | None = None,
        own: bool = False,
    ) -> Tensor:
        """Predict all softmax blocks of known rows, see `ColumnNetworks.forward`.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
        condition : Tensor of shape (n, condition width)
        rng : torch.Generator, optional
            Source of dropout in training.
        own : bool, default=False
            Whether the statistics of wide blocks were learnt from these rows, which are then left
            out.

        Returns
        -------
        Tensor of shape (n, width)
        """
        wide = self.wide
        values = wide.profiles.values(codes) if own and wide.n_wide else None
        entries = self.entries(wide.layout.wide_codes(codes), values)
        return self.networks(codes, torch.cat([condition, entries], dim=1), rng)

    def players(self) -> tuple[Player, ...]:
        """Return the generator and the proposal; trees learn to reject rows after training."""
        return (
            Player("generator", (self.entries, self.networks), self.generator_loss),
            Player("proposal", (self.any_order,), self.proposal_loss),
        )

    def log_likelihood(
        self,
        table: EncodedTable,
        condition: Tensor,
        rng: torch.Generator | None = None,
        own: bool = False,
    ) -> Tensor:
        """Return the log-probability of rows in nats, shape (n,); unknown levels are certain.

        See `raw` for the parameters.
        """
        raw = self.raw(table.codes, condition, rng, own)
        log_p = -self.networks.layout.cross_entropy(raw, table.codes)
        return log_p + self.wide.log_likelihood(table.codes, own)

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the negative log-likelihood of the softmax blocks of a row, with dropout."""
        raw = self.raw(batch.table.codes, batch.condition, batch.rng, own=True)
        return self.networks.layout.cross_entropy(raw, batch.table.codes).mean()

    def proposal_loss(self, batch: Batch) -> Tensor:
        """Return the negative log-likelihood of a row in random orders, in nats."""
        return self.any_order.hidden_loss(
            batch.table.codes, batch.condition, batch.rng, batch.index
        )

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the negative log-likelihood of a training row, in nats, without dropout."""
        return {"nll": -self.log_likelihood(batch.table, batch.condition, own=True).mean()}


class AutoregressiveSynthesizer(TableSynthesizer):
    """Autoregressive networks [1]_ with rejection sampling [2]_: the most faithful rows.

    A row is a sequence of levels. A categorical column has a level for each category. A numeric
    column has levels for its frequent values and bins of equal mass for the others: up to 256 bins,
    and one bin for each ten rows on small tables. For each column a network gives the probability
    of every level, given the levels of the columns before it. The networks maximise the likelihood
    of the training rows, until the likelihood of held-out rows no longer grows. After training,
    boosted trees learn to tell synthetic rows from training rows. `sample` rejects rows by the
    density ratio that the trees estimate.

    Finer than its bin a number is known only where it follows from others. `fit` looks for such
    equations: copies, multiples plus a constant, sums, differences, products and ratios of numbers,
    dates and durations, in all rows or in part of them. Synthetic rows keep the equations.

    Use this class first: of all systems here, its synthetic rows are nearest to real rows. It has
    no latent space. `score_samples` gives the log-likelihood of rows.

    Rows are drawn by stratified sampling: within one call of `sample`, rows with the same beginning
    draw their next level from 64 equal strata. Each row by itself follows the model exactly, and
    the rates of levels vary less than those of independent rows.

    The class differs from [1]_ in that all columns are predicted by one group of networks side by
    side, and in that ordered levels share smooth functions of their ranks. It differs from [2]_ in
    that boosted trees take the place of a trained discriminator, over several rounds.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Largest number of training steps. Early stopping ends most runs much sooner. None takes
        4,000 steps.
    learning_rate : float > 0, default=4e-3
        Learning rate of the optimiser, AdamW. The rate rises over the first 100 steps, is then
        constant for the first half of the steps, and falls linearly to zero.
    hidden_dim : int >= 1, default=128
        Number of hidden units in the network of each column. In tables of more than 64 columns the
        number is smaller.
    dropout : float in [0, 1) or None, default=None
        Probability that a hidden unit is left out of a training step. None takes 0.2 for tables of
        25,000 rows or more. For smaller tables None takes ``0.2 * sqrt(25000 / n)``, at most 0.35.
    missing : {"level", "unknown"}, default="level"
        What a missing value in training means. "level" learns where values are missing, as one more
        level of the column: synthetic rows then miss values at the same rates. "unknown" takes a
        missing value as one that exists and was not recorded: the likelihood passes over it, the
        other values of the row still teach, and synthetic rows have no missing values.
    early_stopping : bool, default=True
        Whether the likelihood of held-out rows decides when training stops. When the likelihood
        stops growing for the first time, training continues from the best weights at a third of the
        learning rate. When it stops growing again, training ends with the best weights.
    n_iter_no_change : int >= 1, default=2
    acceptance_rounds : int >= 0, default=3
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Bengio and Bengio (1999), "Modeling High-Dimensional Discrete Data with Multi-Layer
       Neural Networks"; Uria et al. (2016), "Neural Autoregressive Distribution Estimation", arXiv
       1605.02226.
    .. [2] Azadi et al. (2019), "Discriminator Rejection Sampling", arXiv 1810.06758.

    Examples
    --------
    >>> from tabgan import AutoregressiveSynthesizer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(200, random_state=0)
    >>> model = AutoregressiveSynthesizer(n_steps=5, random_state=0).fit(table)
    >>> model.sample(3).shape
    (3, 10)
    >>> rows = model.sample(3, conditions={"colour": "red", "member": True})
    >>> rows[["colour", "member"]].drop_duplicates().to_dict("records")
    [{'colour': 'red', 'member': True}]
    >>> model.score_samples(table).shape
    (200,)
    """

    plan = Plan(
        n_steps=4000,
        betas=(0.9, 0.99),
        weight_decay=0.1,
        warm_up=100,
        averaging=0.99,
        n_looks=160,
        steps_per_look=25,
        rate_cuts=1,
        numbers="bins",
        max_bins=256,
        max_halvings=4,
        rare="wide",
        finds_links=True,
    )
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "dropout": number(0, 1, "left") | NONE,
        "missing": choice("level", "unknown"),
    }

    def __init__(
        self,
        *,
        learning_rate: float = 4e-3,
        hidden_dim: int = 128,
        dropout: float | None = None,
        missing: Literal["level", "unknown"] = "level",
        early_stopping: bool = True,
        n_iter_no_change: int = 2,
        acceptance_rounds: int = 3,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            hidden_dim=hidden_dim,
            early_stopping=early_stopping,
            n_iter_no_change=n_iter_no_change,
            acceptance_rounds=acceptance_rounds,
            **shared,
        )
        self.dropout = dropout
        self.missing = missing

    def _infer_schema(self, table: pd.DataFrame) -> Schema:
        schema = super()._infer_schema(table)
        n = len(schema.columns)
        if n > MANY_BLOCKS:
            warn(
                f"{n} columns need about {BYTES_PER_PAIR * n**2 / 1e9:.0f} GB of memory, which "
                "grows with the square of their number; fit fewer columns, or take "
                'ARAESynthesizer(decoder="joint") or WGANSynthesizer(generator="joint"), which '
                "make all columns at once."
            )
        return schema.without_missing() if self.missing == "unknown" else schema

    def _make_game(self, encoding: Encoding) -> AutoregressiveGame:
        dropout = self.dropout
        if dropout is None:
            dropout = default_dropout(encoding.n_rows)
        wide = WideModel(
            encoding.layout, encoding.masses, encoding.level_ranks, encoding.conditions.min_rows
        )
        wide = wide.to(encoding.layout.offsets.device)
        shared = encoding.masses, encoding.level_ranks, encoding.n_rows
        n_given = encoding.condition_layout.width
        networks = ColumnNetworks(
            encoding.layout, *shared, n_given + wide.width, self.hidden_dim, dropout
        )
        # Hidden blocks do for the proposal what dropout does for the generator.
        any_order = AnyOrderNetworks(
            encoding.layout,
            *shared,
            n_given,
            max(1, self.hidden_dim // 2),
            max(0.0, dropout - DROPOUTS[0]),
            wide,
        )
        return AutoregressiveGame(wide, networks, any_order)

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        return ColumnRows(game, encoding)

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Compute the log-probability of rows under the networks, before any row is rejected.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            Rows with the columns that `fit` got.

        Returns
        -------
        ndarray of shape (n,), float64
            Log-probability of each row, in nats. A number counts with the probability of its bin. A
            category that `fit` did not see counts as certain.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the columns or the kinds of values differ from those that `fit` got.
        """
        rows = _without_conditions(self._encode_known(X))
        return self._core.source.log_likelihood(rows).cpu().numpy().astype(np.float64)

    def conditional_proba(self, X: Any, column: Hashable) -> pd.DataFrame:
        """Compute the probabilities of one column's values, given other columns of each row.

        Where all other columns of a row are known, the probabilities are those of the rows that
        `sample` draws, and are exact: the density of the row is compared over all values of the
        column. Otherwise, and for a number in an equation that holds in part of the rows, the
        any-order networks estimate the probabilities.

        Parameters
        ----------
        X : table of shape (n, k)
            Rows with some of the columns that `fit` got. Columns that X lacks, cells that hold
            ``tabgan.ANY``, values of `column` itself, and values that training did not see count as
            unknown.
        column : hashable
            Label of the column.

        Returns
        -------
        DataFrame of shape (n, n_levels)
            Rows add up to 1. The columns are the categories of a categorical column, and the
            intervals and frequent values of a number, in ascending order. A tuple stands for all
            rare categories, and None for a missing value.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If X has no rows or none of the columns, or if `column` is no column that is learnt,
            as a column is that a constraint computes from others.

        Examples
        --------
        >>> from tabgan import AutoregressiveSynthesizer
        >>> from tabgan.datasets import make_mixed_table
        >>> table = make_mixed_table(200, random_state=0)
        >>> model = AutoregressiveSynthesizer(n_steps=5, random_state=0).fit(table)
        >>> model.conditional_proba(table[["size", "member"]].head(3), "colour").shape
        (3, 3)
        """
        check_is_fitted(self)
        core: Any = self._core
        encoder = core.encoding.encoder
        if self._rules is not None:
            X = self._rules.known_inner(read_table(X, "X")[0], column)
        if self._links is not None:
            X = self._links.beside(read_table(X, "X")[0], column)
        codes = read_partial(X, column, encoder)
        place = encoder.schema.position(column)
        block, labels = encoder.blocks[place], encoder.codecs[place].level_labels()
        if block < 0:
            return pd.DataFrame(np.ones((len(codes), 1)), columns=_index_of(labels))
        table = EncodedTable(codes, torch.zeros(len(codes), 0))
        rows = _without_conditions(table.to(core.device))
        n_levels, others = len(labels), torch.arange(codes.shape[1]) != block
        is_whole = (rows.made.codes[:, others] >= 0).all(dim=1)
        whole, partial = (some.nonzero().squeeze(1) for some in (is_whole, ~is_whole))
        probabilities = torch.empty(len(codes), n_levels, device=core.device)
        if len(whole):
            exact = posterior(core.chain, rows.take(whole), block, n_levels)
            probabilities[whole] = exact.exp()
        if len(partial):
            estimated = core.source.any_order_posterior(rows.take(partial), block)
            probabilities[partial] = estimated.exp()
        order = _ascending(encoder.level_ranks[block])
        return pd.DataFrame(
            probabilities.cpu().numpy().astype(np.float64)[:, order],
            columns=_index_of([labels[i] for i in order]),
        )


def _without_conditions(table: EncodedTable) -> Rows:
    """Put encoded rows beside the conditions of a model without condition columns."""
    return Rows(table, EncodedTable(table.codes[:, :0], table.scalars[:, :0]))


def _index_of(labels: list[Any]) -> pd.Index:
    return pd.Index(as_objects(labels), dtype=object, tupleize_cols=False)


def _ascending(ranks: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order levels by their ranks; levels without a rank stay last, in their order."""
    return np.argsort(np.nan_to_num(ranks, nan=2.0), kind="stable")
