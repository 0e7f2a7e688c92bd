"""CycleGAN: translation of rows between two tables, learnt without pairs of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player, soften
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.adversarial.training import Training, shuffled
from tabgan.checks import FLAG, Rule, integer, number
from tabgan.estimators.adversarial import Adversarial
from tabgan.estimators.estimator import Estimator
from tabgan.estimators.reading import read_fitted, read_known
from tabgan.generation.core import Core, resolve_device
from tabgan.generation.translated import Direction
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.networks.revision import Revision
from tabgan.randomness import Streams
from tabgan.table.columns import NumericColumn
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.format import TableFormat
from tabgan.table.layout import Layout
from tabgan.table.quantiles import QuantileTable
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self


class TwoTables:
    """Rows of two tables in batches; each table is shuffled on its own.

    Rows of the second table are the condition of the batch.

    Parameters
    ----------
    tables : pair of EncodedTable
    layouts : pair of Layout
    """

    def __init__(
        self, tables: tuple[EncodedTable, EncodedTable], layouts: tuple[Layout, Layout]
    ) -> None:
        self.tables, self.layouts = tables, layouts

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches for ever, with as many rows of one table as of the other."""
        size = min(batch_size, *map(len, self.tables))
        a, b = (shuffled(len(table), size, rng) for table in self.tables)
        for index_a, index_b in zip(a, b, strict=True):
            given, asked = self.tables[0].rows(index_a), self.tables[1].rows(index_b)
            row, condition = self.layouts[0].expand(*given), self.layouts[1].expand(*asked)
            yield Batch(given, row, condition, asked, rng)


class Translator(nn.Module):
    """A network that translates encoded rows of one layout into raw rows of another.

    Between tables with the same columns the network computes a change of the row, and the change is
    zero before training.

    Parameters
    ----------
    source, target : Layout
    hidden_dim : int
    alike : bool
        Whether both layouts are those of the same columns.
    """

    def __init__(self, source: Layout, target: Layout, hidden_dim: int, alike: bool) -> None:
        super().__init__()
        self.alike = alike
        self.network = (
            Revision(source.n_scalars, source.width, source.width, hidden_dim)
            if alike
            else ResidualMLP(source.width, [hidden_dim] * 2, target.width)
        )

    def forward(self, row: Tensor) -> Tensor:
        """Translate encoded rows of shape (n, width of the source)."""
        return self.network(row, row) if self.alike else self.network(row)


class CycleGANGame(Game):
    """Two translators, one in each direction, against two critics, one for each table.

    Parameters
    ----------
    a, b : Layout
    alike : bool
        Whether both tables have the same columns.
    hidden_dim : int
    n_critic : int
    cycle_weight, identity_weight : float
    """

    def __init__(
        self,
        a: Layout,
        b: Layout,
        alike: bool,
        hidden_dim: int,
        n_critic: int,
        cycle_weight: float,
        identity_weight: float,
    ) -> None:
        super().__init__()
        self.a, self.b, self.alike = a, b, alike
        self.n_critic = n_critic
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.to_b = Translator(a, b, hidden_dim, alike)
        self.to_a = Translator(b, a, hidden_dim, alike)
        # NOTE[DIFF] The paper has least-squares discriminators. WGAN-GP's critics can judge soft
        # categories, which least squares would tell from one-hot ones at once.
        self.adversary_a = Adversary(Critic(a.width, [hidden_dim] * 3), WASSERSTEIN)
        self.adversary_b = Adversary(Critic(b.width, [hidden_dim] * 3), WASSERSTEIN)

    def players(self) -> tuple[Player, ...]:
        """Return the two critics, with `n_critic` updates, then the two translators."""
        critics = (self.adversary_a, self.adversary_b)
        return (
            Player("critics", critics, self.critic_loss, self.n_critic),
            Player("translators", (self.to_a, self.to_b), self.translator_loss),
        )

    def translate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Translate a batch in both directions; return soft rows of A and soft rows of B."""
        raw_a, raw_b = self.to_a(batch.condition), self.to_b(batch.row)
        return soften(self.a, raw_a, batch.rng), soften(self.b, raw_b, batch.rng)

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return the sum of both critics' losses of telling real from translated rows."""
        fake_a, fake_b = self.translate(batch)
        loss = self.adversary_a.critic_loss(batch, batch.row, fake_a)
        return loss + self.adversary_b.critic_loss(batch, batch.condition, fake_b)

    def translator_loss(self, batch: Batch) -> Tensor:
        """Return the translators' loss: equation 3 of Zhu et al. (2017) and their identity loss.

        The identity loss is that of their section 5.2.
        """
        fake_a, fake_b = self.translate(batch)
        loss = self.adversary_a.generator_loss(batch, batch.row, fake_a)
        loss = loss + self.adversary_b.generator_loss(batch, batch.condition, fake_b)
        loss = loss + self.cycle_weight * self.cycle_loss(batch, fake_a, fake_b)
        if self.alike and self.identity_weight:
            loss = loss + self.identity_weight * self.identity_loss(batch)
        return loss

    def cycle_loss(self, batch: Batch, fake_a: Tensor, fake_b: Tensor) -> Tensor:
        """Return the error of rows that are translated to the other table and back (equation 2)."""
        loss = row_error(self.a, self.to_a(fake_b), batch.table)
        return loss + row_error(self.b, self.to_b(fake_a), batch.condition_table)

    def identity_loss(self, batch: Batch) -> Tensor:
        """Return the error of rows that are translated into their own table (section 5.2)."""
        loss = row_error(self.b, self.to_b(batch.condition), batch.condition_table)
        return loss + row_error(self.a, self.to_a(batch.row), batch.table)

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the error of rows that are translated to the other table and back."""
        return {"cycle": self.cycle_loss(batch, *self.translate(batch))}


def row_error(layout: Layout, raw: Tensor, table: EncodedTable) -> Tensor:
    """Return the mean error of raw rows, summed over columns.

    The error of a scalar is the absolute difference. The error of a level is the cross-entropy.

    Parameters
    ----------
    layout : Layout
    raw : Tensor of shape (n, width)
    table : EncodedTable of n rows
        The rows that the raw rows should be.

    Returns
    -------
    Tensor, scalar
    """
    # NOTE[DIFF] The paper has the L1 norm. Categories have a likelihood, so they get cross-entropy.
    applies = layout.gate(table.codes, torch.ones_like(table.scalars))
    wrong = ((raw[:, : layout.n_scalars] - table.scalars).abs() * applies).sum(dim=1)
    return (layout.cross_entropy(raw, table.codes) + wrong).mean()


class TranslatorCore(Core):
    """Two encoders, and a game that translates between their tables.

    Parameters
    ----------
    encoder_a, encoder_b : Encoder
    training : Training
    device : torch.device
    """

    def __init__(
        self, encoder_a: Encoder, encoder_b: Encoder, training: Training, device: torch.device
    ) -> None:
        super().__init__(training, device)
        self.encoder_a, self.encoder_b = encoder_a, encoder_b
        self.into_b = Direction(encoder_a, encoder_b).to(device)
        self.into_a = Direction(encoder_b, encoder_a).to(device)

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """Both encoders."""
        return self.encoder_a, self.encoder_b

    def encode_a(self, table: pd.DataFrame, rng: Any = None) -> EncodedTable:
        """Encode rows of A on the device."""
        return self.encoder_a.encode(table, rng).to(self.device)

    def encode_b(self, table: pd.DataFrame, rng: Any = None) -> EncodedTable:
        """Encode rows of B on the device."""
        return self.encoder_b.encode(table, rng).to(self.device)

    def modules(self) -> dict[str, nn.Module]:
        """Return the modules of the game, and how its raw output becomes rows of each table."""
        return {**super().modules(), "into_a": self.into_a, "into_b": self.into_b}

    def values(self) -> dict[str, Any]:
        """Return how each column of translated rows comes about."""
        return {"into_a": self.into_a.values(), "into_b": self.into_b.values()}

    def restore(self, values: dict[str, Any]) -> None:
        """Restore how each column of translated rows comes about."""
        self.into_a.restore(values["into_a"])
        self.into_b.restore(values["into_b"])

    def to_b(self, a: pd.DataFrame) -> pd.DataFrame:
        """Translate rows of A into rows of B."""
        ways = self.into_b.ways(self.game.to_b, self.encode_a(a), self.game.alike)
        return self.into_b.rows(a, *ways)

    def to_a(self, b: pd.DataFrame) -> pd.DataFrame:
        """Translate rows of B into rows of A."""
        ways = self.into_a.ways(self.game.to_a, self.encode_b(b), self.game.alike)
        return self.into_a.rows(b, *ways)

    def judge(self, a: pd.DataFrame, b: pd.DataFrame, seed: int) -> None:
        """Choose how each column of translated rows comes about."""
        of_a = self.into_b.ways(self.game.to_b, self.encode_a(a), True)
        of_b = self.into_a.ways(self.game.to_a, self.encode_b(b), True)
        self.into_b.judge(a, of_a, b, seed)
        self.into_a.judge(b, of_b, a, seed)


class CycleGANTranslator(Adversarial, Estimator):
    """CycleGAN [1]_: rows of one table translated into another table, learnt without pairs of rows.

    There are rows of a table A and rows of a table B, and no row of A corresponds to a row of B.
    One translator turns rows of A into rows of B, and another one turns rows of B into rows of A.
    Two critics make translated rows look like rows of the table they are translated into. A row
    that is translated to the other table and back must be the same row.

    Use this class for tables of two sites, two years or two instruments. If both tables have the
    same columns, translation starts from the simplest one: a category stays as it is, and a number
    becomes the number that has the same rank in the other table. The networks learn what has to
    change beyond that. After training, numbers that the networks make get the distribution that
    they have in the other table, and boosted trees compare translated rows with rows of that table.
    A column for which the networks' change does not make the two harder to tell apart goes back to
    the start; and a number is matched by its rank among the rows of one category, where that makes
    the two harder still to tell apart. The tables may also have different columns.

    These losses keep information; they do not choose among translations that keep it. If several
    translations are possible, such as a swap of two equally frequent categories that depend on
    nothing else, the class may find any of them.

    The class differs from the paper in the critics, which are those of WGAN-GP, because they can
    judge categories; in the error of categories, which is the cross-entropy; and for tables of the
    same columns in `match_numbers` and `select_columns`, both of which can be turned off.

    Parameters
    ----------
    n_critic : int >= 1, default=2
        Number of updates of the critics for each update of the translators.
    penalty_weight : float >= 0, default=1
        Weight of the gradient penalty on the critics, lambda of WGAN-GP.
    cycle_weight : float >= 0, default=0.2
        Weight of the error of rows that are translated to the other table and back, lambda in [1]_.
        The error is a sum over columns. The slope of the critics is held near one, so that with a
        much larger weight no change of a row would ever pay.
    identity_weight : float >= 0, default=0.1
        Weight of the error of rows that are translated into their own table, for tables with the
        same columns. A larger weight changes rows less, and suits tables that differ little. 0
        suits tables in which the same value has different meanings.
    match_numbers : bool, default=True
        Whether a number is encoded by its rank in its own table, if both tables have its column.
        Translation then starts by matching the distribution of each number, and translated numbers
        have that distribution in the end. With False both tables share one encoding, and
        translation starts as the identity.
    select_columns : bool, default=True
        Whether a column is changed only if the change makes rows harder to tell from rows of the
        other table, for tables with the same columns and at least 200 rows each. Numbers are then
        matched within the levels of a category, if that makes rows harder to tell apart.
    **shared
        See `Estimator`.

    Attributes
    ----------
    schema_a_, schema_b_ : Schema
        The kind, the dtype and the distribution of each column of A and of B. Tables with the same
        columns have the same schema, but for the distribution of matched numbers.

    References
    ----------
    .. [1] Zhu et al. (2017), "Unpaired Image-to-Image Translation using Cycle-Consistent
       Adversarial Networks", arXiv 1703.10593, equation 3.

    Examples
    --------
    >>> from tabgan import CycleGANTranslator
    >>> from tabgan.datasets import make_mixed_table
    >>> A = make_mixed_table(100, random_state=0)
    >>> B = make_mixed_table(80, random_state=1).assign(length=lambda table: table["length"] + 2)
    >>> model = CycleGANTranslator(n_steps=5, random_state=0).fit(A, B)
    >>> model.transform(A).shape
    (100, 10)
    >>> model.inverse_transform(B).columns.equals(A.columns)
    True
    """

    _schemas = ("schema_a_", "schema_b_")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "n_critic": integer(1),
        "penalty_weight": number(0),
        "cycle_weight": number(0),
        "identity_weight": number(0),
        "match_numbers": FLAG,
        "select_columns": FLAG,
    }
    _core: TranslatorCore
    _format_b: TableFormat

    def __init__(
        self,
        *,
        n_critic: int = 2,
        penalty_weight: float = 1.0,
        cycle_weight: float = 0.2,
        identity_weight: float = 0.1,
        match_numbers: bool = True,
        select_columns: bool = True,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.match_numbers = match_numbers
        self.select_columns = select_columns

    def fit(self, A: Any, B: Any) -> Self:
        """Learn to translate between two tables.

        Parameters
        ----------
        A : table or numeric array-like of shape (n, d)
            Rows with columns of any kind, missing values included.
        B : table or numeric array-like of shape (m, e)
            Rows none of which has to correspond to a row of A. If B has the columns of A,
            translated rows have the dtypes that both tables have in common.

        Returns
        -------
        self
            The fitted translator.

        Raises
        ------
        ValueError
            If a table has no rows, no columns, infinite values or two columns of one name, if B is
            missing, or if a parameter is out of range.
        TypeError
            If A or B is not a table.
        FloatingPointError
            If a loss is no longer finite; a lower `learning_rate` helps.
        """
        return self._fit(A, B)

    def partial_fit(self, A: Any, B: Any) -> Self:
        """Train `n_steps` more steps on these tables, from the present weights and optimisers.

        The first call is a `fit`. Later calls keep the schemas of the first one.

        Parameters
        ----------
        A : table or numeric array-like of shape (n, d)
            Rows with the columns that A had in the first call.
        B : table or numeric array-like of shape (m, e)
            Rows with the columns that B had in the first call.

        Returns
        -------
        self
            The fitted translator.

        Raises
        ------
        ValueError
            If the columns or the kinds of values differ from those of the first call, or if a
            parameter that shapes the networks was changed since.

        Warns
        -----
        UserWarning
            If a table has categories that the first call did not see; see `handle_unknown`.
        """
        return self._fit(A, B, goes_on=True)

    def _read(self, X: Any, y: Any, anew: bool, **about: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
        a = read_fitted(self, X, anew, name="A")
        if y is None:
            raise ValueError("B must be a table like A or of columns of its own, got None.")
        b = read_fitted(self, y, anew, name="B", form="_format_b")
        if anew:
            self._infer_schemas(a, b)
            return a, b
        return read_known(self, a, self.schema_a_), read_known(self, b, self.schema_b_)

    def _infer_schemas(self, a: pd.DataFrame, b: pd.DataFrame) -> None:
        if list(a.columns) == list(b.columns):
            both = pd.concat([a, b], ignore_index=True)
            schema = Schema.infer(both, self._forced_categories(list(a.columns)))
            self.schema_a_ = self.schema_b_ = schema
            if self.match_numbers:
                # NOTE[DIFF] The paper's translators start from random weights and see both domains
                # on one scale. Matching ranks is the best change of a number by itself, and the
                # game is left with what depends on other columns.
                self.schema_a_, self.schema_b_ = _with_own_ranks(schema, a, b)
            return
        forced = set(self._forced_categories([*a.columns, *b.columns.difference(a.columns)]))
        self.schema_a_ = Schema.infer(a, forced & set(a.columns), arg_name="A")
        self.schema_b_ = Schema.infer(b, forced & set(b.columns), arg_name="B")

    def _make_core(self) -> TranslatorCore:
        device, most = resolve_device(self.device), self.max_categories
        a = Encoder(self.schema_a_, "rank", max_categories=most)
        b = Encoder(self.schema_b_, "rank", max_categories=most)
        for encoder in (a, b):
            encoder.layout.to(device)
        return TranslatorCore(a, b, self._train_game((a, b), device), device)

    def _learn(self, data: tuple[pd.DataFrame, pd.DataFrame], streams: Streams, anew: bool) -> None:
        core, (a, b) = self._core, data
        tables = core.encode_a(a, streams.rng), core.encode_b(b, streams.rng)
        layouts = core.encoder_a.layout, core.encoder_b.layout
        if all(layout.width for layout in layouts) and self._n_steps:
            batches = TwoTables(tables, layouts)
            self._run().train(core.training, batches, self._n_steps, streams.noise)
            core.into_b.spread(core.game.to_b, tables[0])
            core.into_a.spread(core.game.to_a, tables[1])
            # NOTE[DIFF] The paper keeps whatever the translators do. Each of them moves all columns
            # a little, and the critics are too smooth to notice. Of the translations that make the
            # same distribution they may find one that scrambles the rows.
            if self.select_columns and core.game.alike:
                core.judge(a, b, self._seed)

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)]

    def _make_game(self, encoding: tuple[Encoder, Encoder]) -> CycleGANGame:
        a, b = encoding
        return CycleGANGame(
            a.layout,
            b.layout,
            self.schema_a_.names == self.schema_b_.names,
            self.hidden_dim,
            self.n_critic,
            self.cycle_weight,
            self.identity_weight,
        )

    def transform(self, A: Any) -> Any:
        """Translate rows of A into rows of B, each into the most probable row.

        Parameters
        ----------
        A : table or array-like of shape (n, d)
            Rows with the columns of A. A category that `fit` did not see counts as unknown; see
            `handle_unknown`. A number outside the range that `fit` saw counts as the nearest end of
            that range.

        Returns
        -------
        table of shape (n, e)
            The kind of table that `fit` got as B, with the columns and dtypes of B. A pandas
            DataFrame has the index of A.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the columns or the kinds of values differ from those that `fit` got as A.
        """
        check_is_fitted(self)
        core = self._core
        frame = read_known(self, read_fitted(self, A, False, name="A"), self.schema_a_)
        return _restored(core.to_b(frame), self._format_b, A)

    def inverse_transform(self, B: Any) -> Any:
        """Translate rows of B into rows of A, each into the most probable row.

        Parameters
        ----------
        B : table or array-like of shape (n, e)
            Rows with the columns of B.

        Returns
        -------
        table of shape (n, d)
            The kind of table that `fit` got as A, with the columns and dtypes of A. A pandas
            DataFrame has the index of B.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the columns or the kinds of values differ from those that `fit` got as B.
        """
        check_is_fitted(self)
        core = self._core
        frame = read_fitted(self, B, False, name="B", form="_format_b")
        frame = read_known(self, frame, self.schema_b_)
        return _restored(core.to_a(frame), self._format, B)


def _with_own_ranks(schema: Schema, a: pd.DataFrame, b: pd.DataFrame) -> tuple[Schema, Schema]:
    """Give each table a schema in which the rank of a number is its rank in that table.

    A column of which a table has fewer than two different numbers keeps the ranks of both tables.
    """
    pairs = []
    for column, *values in zip(schema.columns, a.items(), b.items(), strict=True):
        pair = (column, column)
        if isinstance(column, NumericColumn):
            numbers = [column.numbers(series) for _, series in values]
            known = [each[~np.isnan(each)] for each in numbers]
            own = [QuantileTable.from_values(each) for each in known if len(each)]
            if sum(table.n_segments > 1 for table in own) == 2:
                pair = (replace(column, table=own[0]), replace(column, table=own[1]))
        pairs.append(pair)
    one, other = zip(*pairs, strict=True)
    return Schema(one, schema.header), Schema(other, schema.header)


def _restored(rows: pd.DataFrame, form: TableFormat, given: Any) -> Any:
    """Return rows in the kind of table that `fit` got."""
    made = form.restore(rows)
    is_frame = isinstance(made, pd.DataFrame) and isinstance(given, pd.DataFrame)
    return made.set_axis(given.index) if is_frame else made
