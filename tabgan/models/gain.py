"""GAIN: a generator fills gaps, and a discriminator tells filled values from known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.corruption import n_columns, scalar_columns
from tabgan.adversarial.game import Batch, Game, Player, draw_gumbel, draw_normal, soften
from tabgan.adversarial.losses import NON_SATURATING
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.training import TrainingSet
from tabgan.checks import Rule, number
from tabgan.estimators.adversarial import Adversarial
from tabgan.estimators.estimator import Estimator
from tabgan.estimators.imputing import GAPS, Imputing
from tabgan.estimators.reading import read_fitted, read_known
from tabgan.generation.core import RowCore, resolve_device
from tabgan.generation.source import CHUNK
from tabgan.networks.mlp import MLP, ResidualMLP
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self


NOISE = 0.1
"""Standard deviation of the noise that the generator sees in the place of a missing entry."""


class ColumnDiscriminator(nn.Module):
    """A discriminator of single columns, which tells known values from filled ones.

    Parameters
    ----------
    width : int
        Entries of an encoded row.
    n_columns : int
    hidden_dim : int
    """

    def __init__(self, width: int, n_columns: int, hidden_dim: int) -> None:
        super().__init__()
        self.n_columns = n_columns
        self.network = MLP(width + n_columns, [hidden_dim] * 2, n_columns)

    def forward(self, x: Tensor) -> Tensor:
        """Score one column of each row.

        Parameters
        ----------
        x : Tensor of shape (n, width + 2 * n_columns)
            A row, the hint for each column, and 1 for the column to score among zeros.

        Returns
        -------
        Tensor of shape (n,)
            Logits; high for a known value.
        """
        seen, picked = x.split([x.shape[1] - self.n_columns, self.n_columns], dim=1)
        return (self.network(seen) * picked).sum(dim=1)


class GAINGame(Game):
    """A generator of missing values against a discriminator of single columns.

    A column of a table is a softmax block, a scalar, or a block with a scalar that applies at one
    level of the block, as `tabgan.adversarial.corruption` counts columns. In a batch, an unknown
    block has the level -1, and an unknown scalar without a block is NaN.

    Parameters
    ----------
    layout : Layout
    hidden_dim : int
    hint_rate, hide_rate, reconstruction_weight : float
        See `GAINImputer`.
    """

    columns: Tensor
    alone: Tensor

    def __init__(
        self,
        layout: Layout,
        hidden_dim: int,
        hint_rate: float,
        hide_rate: float,
        reconstruction_weight: float,
    ) -> None:
        super().__init__()
        self.layout, self.n_columns = layout, n_columns(layout)
        self.hint_rate, self.hide_rate = hint_rate, hide_rate
        self.reconstruction_weight = reconstruction_weight
        of_levels = [np.full(k, float(block)) for block, k in enumerate(layout.n_levels)]
        columns = layout.along_row(of_levels).long()
        columns[: layout.n_scalars] = scalar_columns(layout)
        self.register_buffer("columns", columns, persistent=False)
        alone = (layout.gates < 0).nonzero().squeeze(1)
        self.register_buffer("alone", alone, persistent=False)
        n_inputs = layout.width + self.n_columns
        self.generator = ResidualMLP(n_inputs, [hidden_dim] * 2, layout.width)
        judge = ColumnDiscriminator(layout.width, self.n_columns, hidden_dim)
        self.adversary = Adversary(judge, NON_SATURATING)

    def players(self) -> tuple[Player, ...]:
        """Return the discriminator, then the generator."""
        return (
            Player("discriminator", (self.adversary,), self.discriminator_loss),
            Player("generator", (self.generator,), self.generator_loss),
        )

    def is_known(self, table: EncodedTable) -> Tensor:
        """Return the mask m of Yoon et al. (2018): whether each column is known, (n, n_columns)."""
        return torch.cat([table.codes >= 0, ~table.scalars[:, self.alone].isnan()], dim=1)

    def fill(self, row: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
        """Generate raw rows from the known columns of rows (equation 2).

        Parameters
        ----------
        row : Tensor of shape (n, width)
        mask : Tensor of shape (n, n_columns), bool
            The columns that the generator sees.
        rng : torch.Generator
            Source of the noise that stands in the places of the other columns.

        Returns
        -------
        Tensor of shape (n, width)
            Scalars, and unnormalised log-probabilities of levels, for known columns too.
        """
        # NOTE[DIFF] The authors' program has uniform noise in [0, 0.01].
        noise = NOISE * draw_normal(len(row), self.layout.width, rng)
        seen = torch.where(mask[:, self.columns], row, noise)
        return self.generator(torch.cat([seen, mask.to(row.dtype)], dim=1))

    def hide(self, known: Tensor, rng: torch.Generator) -> Tensor:
        """Hide some known columns of each row, and return the mask of those that stay visible.

        In a row without gaps at least one column is hidden.
        """
        # NOTE[DIFF] In the paper gaps are those of the table alone. A table without gaps then
        # teaches nothing, and no value is ever filled whose truth is known.
        draws = torch.rand(known.shape, generator=rng, device=rng.device)
        visible = known & (draws >= self.hide_rate)
        first = torch.zeros_like(known).scatter_(1, draws.argmin(dim=1, keepdim=True), True)
        return visible & ~(first & visible.all(dim=1, keepdim=True))

    def pick(self, among: Tensor, rng: torch.Generator) -> Tensor:
        """Pick one column of each row at random, as a mask of shape (n, n_columns)."""
        draws = torch.rand(among.shape, generator=rng, device=rng.device)
        place = draws.masked_fill(~among, -1.0).argmax(dim=1, keepdim=True)
        return torch.zeros_like(among).scatter_(1, place, True)

    def question(self, row: Tensor, mask: Tensor, picked: Tensor, rng: torch.Generator) -> Tensor:
        """Ask the discriminator about one column of each row, with hints on the others.

        Parameters
        ----------
        row : Tensor of shape (n, width)
        mask : Tensor of shape (n, n_columns), bool
        picked : Tensor of shape (n, n_columns), bool
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (n, width + 2 * n_columns)
            Row, hint (equation 6: the mask, or 1/2 where it is not told), and picked column.
        """
        told = torch.rand(mask.shape, generator=rng, device=rng.device) < self.hint_rate
        hint = torch.where(told & ~picked, mask.to(row.dtype), 0.5)
        return torch.cat([row, hint, picked.to(row.dtype)], dim=1)

    def play(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Fill the gaps of a batch.

        Returns
        -------
        raw : Tensor of shape (n, width)
            What the generator says.
        real, fake : Tensor of shape (n, width + 2 * n_columns)
            Questions about a known column of each row, and about a filled one.
        """
        # NOTE[DIFF] In the paper one column of a row is picked, whether known or filled. Here both
        # losses see a column of either kind in each row, however many gaps there are.
        known, row = self.is_known(batch.table), batch.row.nan_to_num()
        mask = self.hide(known, batch.rng)
        raw = self.fill(row, mask, batch.rng)
        filled = torch.where(mask[:, self.columns], row, soften(self.layout, raw, batch.rng))
        picked = self.pick(known, batch.rng)
        restored = torch.where(picked[:, self.columns], row, filled)
        real = self.question(restored, mask, picked, batch.rng)
        fake = self.question(filled, mask, self.pick(~mask, batch.rng), batch.rng)
        return raw, real, fake

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Return the loss of telling known from filled columns (equation 8)."""
        _, real, fake = self.play(batch)
        return self.adversary.critic_loss(batch, real, fake)

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the loss of filled columns that are told, plus that of known ones (equation 9)."""
        raw, real, fake = self.play(batch)
        fooling = self.adversary.generator_loss(batch, real, fake)
        return fooling + self.reconstruction_weight * self.reconstruction(raw, batch.table)

    def reconstruction(self, raw: Tensor, table: EncodedTable) -> Tensor:
        """Return the mean error of the columns that the table knows, hidden ones included.

        The error of a scalar is the squared difference (equation 10). The error of a level is the
        cross-entropy, in nats.
        """
        layout = self.layout
        counts = layout.applies(table.codes) & ~table.scalars.isnan()
        off = (raw[:, : layout.n_scalars] - table.scalars.nan_to_num()).square()
        nats = layout.cross_entropy(raw, table.codes)
        n_known = self.is_known(table).sum().clamp(min=1)
        return (nats + (off * counts).sum(dim=1)).sum() / n_known

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the mean error of known columns, see `reconstruction`."""
        return {"reconstruction": self.reconstruction(self.play(batch)[0], batch.table)}


class GAINImputer(Imputing, Adversarial, Estimator):
    """Generative adversarial imputation nets, GAIN [1]_: the adversarial way to fill gaps.

    A generator sees the known values of a row, and noise in the place of the missing ones, and
    fills the gaps. A discriminator sees the filled row and tells, column by column, whether the
    value was known or filled. A hint tells it about the other columns, without which many
    distributions of filled values would fool it. The generator learns to fool the discriminator and
    to reproduce the values that are known.

    Use this class to study adversarial imputation, or where many rows are filled in little time.
    `SynthesizerImputer` fills gaps with values that are nearer to the truth in distribution.

    Columns of any kind are filled. `transform` draws one completed table, and `sample` several.

    The class differs from the paper in four ways. Some known values are hidden in training and must
    be reproduced, so that a table without gaps teaches too. In each step the discriminator is asked
    about one known and one filled column of each row. Categories have a softmax, and draws of it
    are filled in. The noise has a standard deviation of 0.1.

    Parameters
    ----------
    hint_rate : float in [0, 1], default=0.9
        Probability that the discriminator is told of another column of the row whether its value is
        known.
    hide_rate : float in [0, 1), default=0.2
        Probability that a known value is hidden from the generator in a training step.
    reconstruction_weight : float >= 0, default=10
        Weight of the error of known values relative to the adversarial loss, alpha in [1]_. The
        error is averaged over columns.
    n_steps : int >= 0 or None, default=None
        Number of training steps. None takes 1,000 steps.
    batch_size : int >= 1, default=128
    learning_rate : float > 0, default=1e-3
    hidden_dim : int >= 1, default=128
    **shared
        See `Estimator`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Yoon, Jordon and van der Schaar (2018), "GAIN: Missing Data Imputation using Generative
       Adversarial Nets", arXiv 1806.02920, algorithm 1.

    Examples
    --------
    >>> from tabgan import GAINImputer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(100, missing=0.1, random_state=0)
    >>> completed = GAINImputer(n_steps=5, random_state=0).fit_transform(table)
    >>> int(table.isna().sum().sum()) > 0, int(completed.isna().sum().sum())
    (True, 0)
    """

    # Each pass over a small table hides other values, so that passes need no bound.
    plan = Plan(n_steps=1000, betas=(0.5, 0.99), max_epochs=1000)
    _saved: ClassVar[dict[str, Rule]] = {"_gaps": GAPS}
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "hint_rate": number(0, 1),
        "hide_rate": number(0, 1, "left"),
        "reconstruction_weight": number(0),
    }
    schema_: Schema
    _core: RowCore

    def __init__(
        self,
        *,
        hint_rate: float = 0.9,
        hide_rate: float = 0.2,
        reconstruction_weight: float = 10.0,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        hidden_dim: int = 128,
        **shared: Any,
    ) -> None:
        super().__init__(
            batch_size=batch_size, learning_rate=learning_rate, hidden_dim=hidden_dim, **shared
        )
        self.hint_rate = hint_rate
        self.hide_rate = hide_rate
        self.reconstruction_weight = reconstruction_weight

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn to fill gaps from a table, which may have gaps itself.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d), n >= 1
            A pandas, polars or Arrow table with columns of any kind, or an array. Missing values
            are NaN, None, ``pd.NA``, ``pd.NaT`` or null.
        y : array-like of shape (n,), default=None
            Ignored.

        Returns
        -------
        self
            The fitted imputer.

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
            If a column holds nothing but gaps, or if training was interrupted by Ctrl-C.
        """
        return self._fit(X, y)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_steps` more steps on these rows, from the present weights and optimisers.

        The first call is a `fit`. Later calls keep the schema of the first one.

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
            The fitted imputer.

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
        if not anew:
            return read_known(self, frame, self.schema_)
        self._remember_gaps(frame)
        forced = self._forced_categories(self._format.labels)
        self.schema_ = Schema.infer(frame, forced).without_missing()
        return frame

    def _make_core(self) -> RowCore:
        device = resolve_device(self.device)
        encoder = Encoder(self.schema_, self.plan.numbers, max_categories=self.max_categories)
        encoder.layout.to(device)
        return RowCore(encoder, self._train_game(encoder, device), device)

    def _make_game(self, encoding: Encoder) -> GAINGame:
        return GAINGame(
            encoding.layout,
            self.hidden_dim,
            self.hint_rate,
            self.hide_rate,
            self.reconstruction_weight,
        )

    def _learn(self, data: pd.DataFrame, streams: Streams, anew: bool) -> None:
        core, run = self._core, self._run()
        table = self._encode(data, streams.rng)
        if not core.layout.width:
            return
        # A row of nothing but gaps teaches nothing.
        table = table.rows(core.game.is_known(table).any(dim=1).nonzero().squeeze(1))
        n_steps = run.n_steps
        if n_steps is None and len(table):
            n_steps = self.plan.steps(len(table), run.batch_size)
        if n_steps and len(table):
            nothing = Layout([], []).to(core.device)
            given = EncodedTable(table.codes[:, :0], table.scalars[:, :0])
            rows = TrainingSet(table, core.layout, given, nothing)
            run.train(core.training, rows, n_steps, streams.noise)

    def _encode(self, frame: pd.DataFrame, rng: np.random.Generator | None) -> EncodedTable:
        """Encode rows on the device, with NaN for a scalar without a block that is missing."""
        encoder = self._core.encoder
        table = self._core.encode(frame, rng)
        for i, (block, scalar) in enumerate(zip(encoder.blocks, encoder.scalars, strict=True)):
            if scalar >= 0 and block < 0:
                missing = torch.tensor(frame.iloc[:, i].isna().to_numpy())
                table.scalars[missing, scalar] = torch.nan
        return table

    @torch.no_grad()
    def _draw_values(self, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
        core, game, streams = self._core, self._core.game, Streams.begin(seed, self._core.device)
        table, layout = self._encode(frame, None), self._core.layout
        parts = []
        for index in torch.arange(len(table), device=core.device).split(CHUNK):
            some = table.rows(index)
            row = layout.expand(*some).nan_to_num().to(torch.get_default_dtype())
            raw = game.fill(row, game.is_known(some), streams.noise)
            noise = draw_gumbel(len(row), layout.width, streams.noise)
            parts.append(EncodedTable(*layout.draw(raw, noise)))
        drawn = EncodedTable(*(torch.cat(part) for part in zip(*parts, strict=True)))
        return core.encoder.decode(drawn, streams.rng)
