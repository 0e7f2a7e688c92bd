"""Synthesizers of rows: what every system that makes tables shares."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.game import Game
from tabgan.adversarial.training import TrainingSet
from tabgan.estimators.calibration import Calibration
from tabgan.estimators.conditioning import ConditionModel, MadeRows, equal_wishes, fulfil
from tabgan.estimators.estimator import AdversarialEstimator
from tabgan.estimators.inputs import check_integer, check_table, table_like
from tabgan.table.conditions import as_frame, encode_wish
from tabgan.table.encoder import EncodedTable, Encoder, NumericEncoding
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self

CHUNK = 16_384
"""Rows generated at once."""


class TableSynthesizer(AdversarialEstimator):
    """Learns a table and makes rows like it; the base of every system.

    Parameters
    ----------
    **shared
        See `AdversarialEstimator`.

    Attributes
    ----------
    schema_ : Schema
        What each column is.
    """

    _numeric_encoding: ClassVar[NumericEncoding] = "scalar"
    _n_bins: ClassVar[int] = 64
    _tensor_holders = ("_encoder", "_layout", "_conditions", "_calibration", "_training")

    def _make_game(self, layout: Layout, condition_layout: Layout) -> Game:
        """Build the networks for encoded rows and conditions of these layouts."""
        raise NotImplementedError

    def _training_table(
        self, table: pd.DataFrame, y: Any, reset: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        """Return the table to learn, and which of its columns are conditions.

        `reset` says that nothing was fitted before.
        """
        return table, []

    def _infer_schema(self, table: pd.DataFrame) -> Schema:
        return Schema.infer(table, self._forced_categories(self._input_labels))

    # ------------------------------------------------------------------ training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn a table.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n, d), n >= 1
            Any kinds of columns, missing values included.
        y : array-like of shape (n,), default=None
            Ignored, unless the class says otherwise.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            No rows or columns, infinite values, duplicate column names, or a parameter out of
            range.
        """
        return self._fit(X, y, reset=not (self.warm_start and self.__sklearn_is_fitted__()))

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_steps` steps more, on these rows, with weights and optimisers as they are.

        The first call is a `fit`. Later ones keep the schema: categories not seen before count as
        unknown, numbers out of range as the nearest in it.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n, d)
        y : array-like of shape (n,), default=None

        Returns
        -------
        self
        """
        return self._fit(X, y, reset=not self.__sklearn_is_fitted__())

    def _fit(self, X: Any, y: Any, reset: bool) -> Self:
        self._check_parameters()
        if reset:
            self._forget()
        frame = check_table(self, X, reset=reset)
        table, conditions = self._training_table(frame, y, reset)
        if reset:
            self.schema_ = self._infer_schema(table)
            self._condition_names = conditions
            self._begin()
        rng, noise = self._training_streams()
        made = self._encoder.encode(table[self._encoder.schema.names], rng)
        given = self._conditions.encode(table, rng)
        if reset:
            self._conditions.learn(given)
        made, given = made.to(self._device), given.to(self._device)
        if self._layout.width and self.n_steps:
            data = TrainingSet(made, self._layout, given, self._conditions.encoder.layout)
            self._train(data, noise)
            self._calibrate(len(made), noise, rng)
        return self

    def _build(self) -> None:
        given = self._condition_names
        made = [name for name in self.schema_.names if name not in given]
        self._encoder = Encoder(
            self.schema_.select(made), self._numeric_encoding, self._n_bins, self.max_categories
        )
        self._layout = self._encoder.layout.to(self._device)
        self._conditions = ConditionModel(self.schema_.select(given), self.max_categories)
        condition_layout = self._conditions.encoder.layout.to(self._device)
        self._calibration = Calibration(self._layout).to(self._device)
        self._assemble(lambda: self._make_game(self._layout, condition_layout))

    @torch.no_grad()
    def _generate(self, condition: Tensor, noise: torch.Generator) -> Tensor:
        """Make raw rows, one per row of conditions, some thousands at a time."""
        return torch.cat([self._game.generate(part, noise) for part in condition.split(CHUNK)])

    def _calibrate(self, n_rows: int, noise: torch.Generator, rng: np.random.Generator) -> None:
        # Rates need be no truer than the training rows know them; wide rows must fit in memory.
        n = max(256, min(20_000, 2_000 + 10 * n_rows, 20_000_000 // self._layout.width))
        given = self._conditions.draw(n, rng).to(self._device)
        condition = self._conditions.encoder.layout.expand(*given)
        raw = self._generate(condition, noise)
        self._calibration.fit(self._layout, self._encoder.masses, raw, noise)

    # ------------------------------------------------------------------ sampling

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
    ) -> Any:
        """Make rows.

        Parameters
        ----------
        n_samples : int >= 1, default=1
        random_state : int, RandomState or None, default=None
            None goes on with the stream that the estimator's own `random_state` began.
        conditions : dict, Series or DataFrame, default=None
            What columns are to be: values, missing values, or ``pandas.Interval`` for numbers and
            dates. A dict, or a Series indexed by column, holds for all rows; a DataFrame of m
            rows makes m rows, in its order. Columns that the model was not trained to be given
            are met by making rows until enough are right. A number without mass of its own counts
            as met within 2 % of the training rows, and then is set to what was asked.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, d)
            Columns, order and dtypes as in `fit`, and a fresh index; an array if `fit` got one.

        Raises
        ------
        ValueError
            `n_samples` below one; a condition that names no column, an unknown category, a number
            out of range, or a combination of which too few rows can be made.
        """
        check_is_fitted(self)
        check_integer("n_samples", n_samples)
        rng, noise = self._streams(random_state)
        if conditions is None:
            frame = self._make(self._conditions.draw(int(n_samples), rng), noise, rng).frame
        else:
            frame = self._make_wished(self._wishes(conditions, int(n_samples)), noise, rng)
        return table_like(frame[self._input_labels], self._input_dtype)

    def _wishes(self, conditions: Any, n_samples: int) -> pd.DataFrame:
        return as_frame(conditions, n_samples, self.schema_)

    def _make(
        self, given: EncodedTable, noise: torch.Generator, rng: np.random.Generator
    ) -> MadeRows:
        """Make one row for each condition, all columns of the schema included."""
        condition = self._conditions.encoder.layout.expand(*given.to(self._device))
        raw = self._generate(condition, noise)
        table = self._calibration.draw(self._layout, raw, noise)
        frame = self._encoder.decode(table, rng)
        if self._conditions.names:
            told = self._conditions.encoder.decode(given, rng)
            frame = pd.concat([frame, told], axis=1)[self.schema_.names]
        return MadeRows(frame, table)

    def _make_wished(
        self, asked: pd.DataFrame, noise: torch.Generator, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Make one row for each row of wishes."""
        trained = self._conditions.names
        given = {
            c: encode_wish(self._conditions.encoder, c, asked[c]) for c in asked if c in trained
        }
        others = {c: encode_wish(self._encoder, c, asked[c]) for c in asked if c not in trained}

        def make(wanted: NDArray[np.int64]) -> MadeRows:
            return self._make(self._conditions.draw_given(given, wanted, rng), noise, rng)

        everyone = np.arange(len(asked))
        if others:
            group = equal_wishes(given | others)
            frame = fulfil(make, self._encoder, others, group, shared=not given)
        else:
            frame = make(everyone).frame
        for name, wish in (given | others).items():
            frame[name] = wish.impose(frame[name], everyone)
        return frame

    # ------------------------------------------------------------------ persistence

    def _modules(self) -> dict[str, nn.Module]:
        return {"calibration": self._calibration}

    def _get_values(self) -> dict[str, Any]:
        names = ("_input_dtype", "_input_labels", "_condition_names")
        own = {name: getattr(self, name) for name in names}
        return super()._get_values() | own | {"combinations": vars(self._conditions.combinations)}

    def _set_values(self, values: dict[str, Any]) -> None:
        combinations = values.pop("combinations")
        super()._set_values(values)
        vars(self._conditions.combinations).update(combinations)
