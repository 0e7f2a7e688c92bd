"""CycleGAN: one table's rows in the style of another's, without pairs to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player, soften
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.adversarial.training import shuffled
from tabgan.estimators.estimator import AdversarialEstimator
from tabgan.estimators.inputs import check_integer, check_table, table_like
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.networks.revision import Revision
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self


class TwoTables:
    """Rows of two tables, each shuffled on its own; the second's stand as the batch's condition.

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
        """Yield batches for ever, of as many rows of either table."""
        size = min(batch_size, *map(len, self.tables))
        a, b = (shuffled(len(table), size, rng) for table in self.tables)
        for index_a, index_b in zip(a, b, strict=True):
            given, asked = self.tables[0].rows(index_a), self.tables[1].rows(index_b)
            row, condition = self.layouts[0].expand(*given), self.layouts[1].expand(*asked)
            yield Batch(given, row, condition, asked, rng)


class Translator(nn.Module):
    """Encoded rows of one layout to raw rows of another; between alike ones by a revision.

    Parameters
    ----------
    source, target : Layout
    hidden_dim : int
    alike : bool
        Whether both layouts are of the same columns.
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
    """Two translators, one each way, against two critics, one of either table.

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
        # NOTE[DIFF]: WGAN-GP's critic in place of least squares, for it can judge categories.
        self.adversary_a = Adversary(Critic(a.width, [hidden_dim] * 3), WASSERSTEIN)
        self.adversary_b = Adversary(Critic(b.width, [hidden_dim] * 3), WASSERSTEIN)

    def players(self) -> tuple[Player, ...]:
        """Both critics, `n_critic` times, then both translators."""
        critics = (self.adversary_a, self.adversary_b)
        return (
            Player("critics", critics, self.critic_loss, self.n_critic),
            Player("translators", (self.to_a, self.to_b), self.translator_loss),
        )

    def translate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Translate a batch both ways: soft rows as of A, and as of B."""
        raw_a, raw_b = self.to_a(batch.condition), self.to_b(batch.row)
        return soften(self.a, raw_a, batch.rng), soften(self.b, raw_b, batch.rng)

    def critic_loss(self, batch: Batch) -> Tensor:
        """Sum of both critics' losses of telling real from translated rows."""
        fake_a, fake_b = self.translate(batch)
        loss = self.adversary_a.critic_loss(batch, batch.row, fake_a)
        return loss + self.adversary_b.critic_loss(batch, batch.condition, fake_b)

    def translator_loss(self, batch: Batch) -> Tensor:
        """Zhu et al. (2017), equation 3, with the identity loss of their section 5.2."""
        fake_a, fake_b = self.translate(batch)
        loss = self.adversary_a.generator_loss(batch, batch.row, fake_a)
        loss = loss + self.adversary_b.generator_loss(batch, batch.condition, fake_b)
        loss = loss + self.cycle_weight * self.cycle_loss(batch, fake_a, fake_b)
        if self.alike and self.identity_weight:
            loss = loss + self.identity_weight * self.identity_loss(batch)
        return loss

    def cycle_loss(self, batch: Batch, fake_a: Tensor, fake_b: Tensor) -> Tensor:
        """Error of rows translated there and back (equation 2)."""
        loss = row_error(self.a, self.to_a(fake_b), batch.table)
        return loss + row_error(self.b, self.to_b(fake_a), batch.condition_table)

    def identity_loss(self, batch: Batch) -> Tensor:
        """Change done to rows that already are as wanted (section 5.2)."""
        loss = row_error(self.b, self.to_b(batch.condition), batch.condition_table)
        return loss + row_error(self.a, self.to_a(batch.row), batch.table)

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Error of rows translated there and back."""
        return {"cycle": self.cycle_loss(batch, *self.translate(batch))}


def row_error(layout: Layout, raw: Tensor, table: EncodedTable) -> Tensor:
    """Mean error of raw rows, summed over columns: absolute of scalars, cross-entropy of levels."""
    # NOTE[DIFF]: the paper's L1 norm, but for categories, which have a likelihood.
    applies = layout.gate(table.codes, torch.ones_like(table.scalars))
    wrong = ((raw[:, : layout.n_scalars] - table.scalars).abs() * applies).sum(dim=1)
    return (layout.cross_entropy(raw, table.codes) + wrong).mean()


class CycleGANTranslator(AdversarialEstimator):
    """CycleGAN [1]_: rows of one table as they would be in another, learnt without pairs.

    Given rows of A and rows of B, none of which correspond, one translator makes rows of B from
    rows of A and another the reverse. Two critics hold translations to the look of either table;
    translating there and back must give the same row. If both tables have the same columns, for
    example those of two sites or two years, both are encoded alike, translators start as the
    identity, and rows of B translated to B must stay as they are.

    That loss says that nothing is lost, not that a translation is the right one: where several
    would do, such as the swap of two categories of one rate that depend on nothing else, any may
    be found.

    Parameters
    ----------
    n_critic : int, default=2
        Updates of the critics per update of the translators.
    penalty_weight : float, default=1
        The gradient penalty's lambda.
    cycle_weight : float, default=0.2
        The paper's lambda, on the error summed over columns. The critic's slope is held near one:
        much above it, no change ever pays.
    identity_weight : float, default=0.1
        Weight of leaving rows as they are that already are as wanted, for tables of the same
        columns. Raise it where little differs; 0 where values mean something else in B.
    **shared
        See `AdversarialEstimator`; `latent_dim` is not used.

    Attributes
    ----------
    schema_a_, schema_b_ : Schema
        What each column is. The same for tables of the same columns.

    References
    ----------
    .. [1] Zhu et al. (2017), "Unpaired Image-to-Image Translation using Cycle-Consistent
       Adversarial Networks", arXiv 1703.10593, equation 3.
    """

    _schemas = ("schema_a_", "schema_b_")
    _extra_state = ("_input_dtype", "_input_labels", "_table_b")
    _tensor_holders = ("_encoder_a", "_encoder_b", "_training")

    def __init__(
        self,
        *,
        n_critic: int = 2,
        penalty_weight: float = 1.0,
        cycle_weight: float = 0.2,
        identity_weight: float = 0.1,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight

    def fit(self, A: Any, B: Any) -> Self:
        """Learn to translate between two tables.

        Parameters
        ----------
        A : DataFrame or numeric array-like of shape (n, d)
            Any kinds of columns, missing values included.
        B : DataFrame or numeric array-like of shape (m, e)
            Rows that correspond to none of A's. If the columns are the same, they are encoded like
            A's, and take the dtypes that the two have in common.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            No rows or columns, infinite values, duplicate column names, or a parameter out of
            range.
        """
        return self._fit(A, B, reset=self._starts_anew())

    def partial_fit(self, A: Any, B: Any) -> Self:
        """Train `n_steps` steps more on these tables; the schemas stay. Parameters as in `fit`."""
        return self._fit(A, B, reset=not self.__sklearn_is_fitted__())

    def _fit(self, X: Any, y: Any, reset: bool) -> Self:
        self._make_ready(reset)
        a, b = check_table(self, X, reset=reset), self._check_b(y, reset)
        if reset:
            self._infer_schemas(a, b)
            self._begin()
        rng, noise = self._training_streams()
        layouts = self._encoder_a.layout, self._encoder_b.layout
        tables = (
            self._encoder_a.encode(a, rng).to(self._device),
            self._encoder_b.encode(b, rng).to(self._device),
        )
        if all(layout.width for layout in layouts) and self._n_steps:
            self._train(TwoTables(tables, layouts), noise, self._n_steps)
        return self

    def _check_b(self, B: Any, reset: bool) -> pd.DataFrame:
        if B is None:
            raise ValueError("B must be a table like A or of columns of its own, got None.")
        checked = TableB()
        if not reset:
            checked.__dict__.update(self._table_b)
        frame = check_table(checked, B, reset=reset)
        self._table_b: dict[str, Any] = checked.__dict__
        return frame

    def _infer_schemas(self, a: pd.DataFrame, b: pd.DataFrame) -> None:
        if list(a.columns) == list(b.columns):
            both = pd.concat([a, b], ignore_index=True)
            self.schema_a_ = Schema.infer(both, self._forced_categories(list(a.columns)))
            self.schema_b_ = self.schema_a_
            return
        forced = set(self._forced_categories([*a.columns, *b.columns.difference(a.columns)]))
        self.schema_a_ = Schema.infer(a, forced & set(a.columns), arg_name="A")
        self.schema_b_ = Schema.infer(b, forced & set(b.columns), arg_name="B")

    def _build(self) -> None:
        self._encoder_a, self._encoder_b = (
            Encoder(schema, "rank", max_categories=self.max_categories)
            for schema in (self.schema_a_, self.schema_b_)
        )
        for encoder in (self._encoder_a, self._encoder_b):
            encoder.layout.to(self._device)
        self._assemble(self._make_game)

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)]

    def _make_game(self) -> CycleGANGame:
        check_integer("n_critic", self.n_critic)
        return CycleGANGame(
            self._encoder_a.layout,
            self._encoder_b.layout,
            self.schema_a_.names == self.schema_b_.names,
            self.hidden_dim,
            self.n_critic,
            self.cycle_weight,
            self.identity_weight,
        )

    def transform(self, A: Any) -> Any:
        """Translate rows of A to rows of B, each to its most probable one.

        Parameters
        ----------
        A : DataFrame or array-like of shape (n, d)
            Categories not seen in training count as unknown, numbers out of range as the nearest.

        Returns
        -------
        DataFrame or ndarray of shape (n, e)
            Columns and dtypes of B, index of A; an array if `fit` got one for B.
        """
        check_is_fitted(self)
        table = self._encoder_a.encode(check_table(self, A, reset=False))
        frame = self._translate(table, self._game.to_b, self._encoder_a, self._encoder_b)
        return self._given_back(frame, A, self._table_b)

    def inverse_transform(self, B: Any) -> Any:
        """Translate rows of B to rows of A; `transform` with the tables changed over."""
        check_is_fitted(self)
        table = self._encoder_b.encode(self._check_b(B, reset=False))
        frame = self._translate(table, self._game.to_a, self._encoder_b, self._encoder_a)
        return self._given_back(frame, B, self.__dict__)

    @torch.no_grad()
    def _translate(
        self, table: EncodedTable, translator: nn.Module, source: Encoder, target: Encoder
    ) -> pd.DataFrame:
        raw = translator(source.layout.expand(*table.to(self._device)))
        return target.decode(EncodedTable(*target.layout.draw(raw)))

    def _given_back(self, frame: pd.DataFrame, given: Any, target: dict[str, Any]) -> Any:
        rows = table_like(frame[target["_input_labels"]], target["_input_dtype"])
        is_frame = isinstance(rows, pd.DataFrame) and isinstance(given, pd.DataFrame)
        return rows.set_axis(given.index) if is_frame else rows


class TableB(BaseEstimator):
    """What is remembered of the second table, to check others against."""
