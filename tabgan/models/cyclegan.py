"""CycleGAN: one table's rows in the style of another's, without pairs to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player, soften
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.adversarial.training import Training, shuffled
from tabgan.checks import Rule, integer, number
from tabgan.estimators.estimator import Adversarial, Estimator
from tabgan.estimators.reading import read_fitted, read_known
from tabgan.generation.core import Core
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.networks.revision import Revision
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.format import TableFormat
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


class TranslatorCore(Core):
    """Two encoders and a game that translates between them.

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

    def encode_a(self, table: pd.DataFrame, rng: Any = None) -> EncodedTable:
        """Encode rows of A, on the device."""
        return self.encoder_a.encode(table, rng).to(self.device)

    def encode_b(self, table: pd.DataFrame, rng: Any = None) -> EncodedTable:
        """Encode rows of B, on the device."""
        return self.encoder_b.encode(table, rng).to(self.device)

    @torch.no_grad()
    def translate(self, table: EncodedTable, source: Encoder, translator: nn.Module) -> Tensor:
        """Translate encoded rows of one table to raw rows of the other."""
        return translator(source.layout.expand(*table))


class CycleGANTranslator(Adversarial, Estimator):
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
        See `Estimator`.

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
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "n_critic": integer(1),
        "penalty_weight": number(0),
        "cycle_weight": number(0),
        "identity_weight": number(0),
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
        return self._fit(A, B)

    def partial_fit(self, A: Any, B: Any) -> Self:
        """Train `n_steps` steps more on these tables; the schemas stay.

        Parameters
        ----------
        A : table or numeric array-like of shape (n, d)
        B : table or numeric array-like of shape (m, e)

        Returns
        -------
        self
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
            self.schema_a_ = Schema.infer(both, self._forced_categories(list(a.columns)))
            self.schema_b_ = self.schema_a_
            return
        forced = set(self._forced_categories([*a.columns, *b.columns.difference(a.columns)]))
        self.schema_a_ = Schema.infer(a, forced & set(a.columns), arg_name="A")
        self.schema_b_ = Schema.infer(b, forced & set(b.columns), arg_name="B")

    def _make_core(self) -> TranslatorCore:
        device, options = self._device_to_build_on(), {"max_categories": self.max_categories}
        a = Encoder(self.schema_a_, "rank", **options)
        b = Encoder(self.schema_b_, "rank", **options)
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
        """Translate rows of A to rows of B, each to its most probable one.

        Parameters
        ----------
        A : table or array-like of shape (n, d)
            Categories not seen in training count as unknown, see `handle_unknown`; numbers out of
            range count as the nearest in it.

        Returns
        -------
        table of shape (n, e)
            Of the kind that `fit` got for B, with B's columns and dtypes; a pandas DataFrame has
            the index of A.
        """
        check_is_fitted(self)
        core = self._core
        frame = read_known(self, read_fitted(self, A, False, name="A"), self.schema_a_)
        raw = core.translate(core.encode_a(frame), core.encoder_a, core.game.to_b)
        return _restored(core.encoder_b, raw, self._format_b, A)

    def inverse_transform(self, B: Any) -> Any:
        """Translate rows of B to rows of A; `transform` with the tables changed over.

        Parameters
        ----------
        B : table or array-like of shape (n, e)

        Returns
        -------
        table of shape (n, d)
        """
        check_is_fitted(self)
        core = self._core
        frame = read_fitted(self, B, False, name="B", form="_format_b")
        frame = read_known(self, frame, self.schema_b_)
        raw = core.translate(core.encode_b(frame), core.encoder_b, core.game.to_a)
        return _restored(core.encoder_a, raw, self._format, B)


def _restored(encoder: Encoder, raw: Tensor, form: TableFormat, given: Any) -> Any:
    """Decode the most probable rows, in the kind of table that `fit` got."""
    rows = form.restore(encoder.decode(EncodedTable(*encoder.layout.draw(raw))))
    is_frame = isinstance(rows, pd.DataFrame) and isinstance(given, pd.DataFrame)
    return rows.set_axis(given.index) if is_frame else rows
