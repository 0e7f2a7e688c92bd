"""Synthesizers of sequences: what every system that makes them shares."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor

from tabgan.adversarial.game import Game
from tabgan.estimators.conditioned import ConditionedEstimator
from tabgan.estimators.inputs import check_integer, check_table, frame_dtype
from tabgan.estimators.sequence_set import SequenceSet
from tabgan.estimators.target import append_target, label_wishes
from tabgan.table.columns import IdentifierColumn
from tabgan.table.conditions import Wish, as_frame, encode_wish
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema
from tabgan.table.sequences import SequenceFormat, Sequences, SequenceTable, length_mask

if TYPE_CHECKING:
    from typing_extensions import Self

CHUNK = 32_768
"""Steps generated at once."""


class SequenceSynthesizer(ConditionedEstimator):
    """Learns sequences and makes sequences like them; the base of every such system.

    Sequences come as a long table, one row for each step of each entity, or as an array of shape
    (n, T, d). What varies along a sequence is made; what a sequence has once (static columns,
    the label `y`, its length, and its start in time where starts differ) is drawn together, as it
    occurred together in training, and given to the networks.

    Where all entities have the same times, as far as they go, made ones have these times too.
    Otherwise the time from step to step is one more channel, and the start is one more static
    column. Made entities are numbered from 0, in the dtype of those seen.

    Parameters
    ----------
    entity : column label, default=None
        The column of a long table that tells sequences apart.
    time : column label, default=None
        The column that orders an entity's rows: numbers, dates or durations. Without it, rows are
        taken to be in order.
    static_columns : sequence of column labels, default=None
        Columns that an entity has once. None takes those that never vary within an entity, unless
        all sequences are of one step.
    **shared
        See `AdversarialEstimator`.

    Attributes
    ----------
    schema_ : Schema
        What each channel is.
    given_schema_ : Schema
        What that is which a sequence has once: static columns, label, start, and its length, which
        is called "length" unless a column is.
    """

    _n_bins: ClassVar[int] = 32
    _schemas = ("schema_", "given_schema_")
    _format: SequenceFormat | None
    _extra_state = ("_input_dtype", "_input_labels", "_target_name")

    def __init__(
        self,
        *,
        entity: Hashable | None = None,
        time: Hashable | None = None,
        static_columns: Sequence[Hashable] | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.entity = entity
        self.time = time
        self.static_columns = static_columns

    def _make_game(self, layout: Layout, condition_layout: Layout) -> Game:
        """Build the networks for encoded steps and conditions of these layouts.

        The game has `unroll`, which takes conditions of shape (n, condition width), the number T
        of steps to make, a generator of noise and perhaps latent draws, and returns raw steps of
        shape (n, T, width).
        """
        raise NotImplementedError

    # ------------------------------------------------------------------ training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn sequences.

        Parameters
        ----------
        X : DataFrame with a row for each step, or array-like of shape (n, T, d)
            Channels and static columns of any kind, missing values included; NaN in an array is a
            missing value.
        y : array-like of shape (n,), default=None
            One label for each sequence, to ask for in `sample`. Of a long table, in the order in
            which entities first appear, or a Series whose index holds the entities.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            `entity`, `time` or `static_columns` that do not fit the table, no channel, infinite
            values, another number of labels than of sequences, or a parameter out of range.
        """
        return self._fit(X, y, reset=self._starts_anew())

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_steps` steps more, on these sequences, with weights and optimisers as they are.

        The first call is a `fit`. Later ones keep the schema: categories not seen before count as
        unknown, numbers out of range as the nearest in it.

        Parameters
        ----------
        X : DataFrame with a row for each step, or array-like of shape (n, T, d)
        y : array-like of shape (n,), default=None

        Returns
        -------
        self
        """
        return self._fit(X, y, reset=not self.__sklearn_is_fitted__())

    def _fit(self, X: Any, y: Any, reset: bool) -> Self:
        self._make_ready(reset)
        sequences = self._read(X, y, reset)
        if reset:
            self.schema_ = self._infer_schema(sequences.steps)
            self.given_schema_ = self._infer_given_schema(sequences.given)
            self._begin()
        rng, noise = self._training_streams()
        data = self._encode(sequences, rng)
        if reset:
            self._conditions.learn(data.condition_table.to(torch.device("cpu")))
        if self._layout.width and self._n_steps:
            self._train(data, noise, self._n_steps)
            self._calibrate(data, noise, rng)
        return self

    def _read(self, X: Any, y: Any, reset: bool) -> Sequences:
        """Check X and y and take them apart into sequences."""
        sequences, entities = self._split(X, reset)
        if y is not None:
            y = _one_for_each(y, entities)
        given, _ = append_target(self, sequences.given, y, reset)
        return Sequences(sequences.steps, given)

    def _split(self, X: Any, reset: bool) -> tuple[Sequences, pd.Index]:
        """Take X apart into sequences and the entities they belong to."""
        is_table = isinstance(X, pd.DataFrame)
        if not reset and is_table == (self._format is None):
            first, now = ("an array", "a DataFrame") if is_table else ("a DataFrame", "an array")
            raise ValueError(f"X is {now}, but {type(self).__name__} was fitted on {first}.")
        if not is_table:
            return self._split_array(X, reset)
        if self.entity is None:
            raise ValueError(
                "entity must name the column that tells sequences apart, for X is a DataFrame; "
                f"columns: {list(X.columns)}."
            )
        frame = check_table(self, X, reset=reset)
        if reset:
            self._format = SequenceFormat.infer(frame, self.entity, self.time, self.static_columns)
        assert self._format is not None
        return self._format.split(frame), pd.Index(frame[self.entity].drop_duplicates())

    def _split_array(self, X: Any, reset: bool) -> tuple[Sequences, pd.Index]:
        array = check_array(
            X, dtype=None, ensure_all_finite=False, allow_nd=True, ensure_2d=False, input_name="X"
        )
        if array.ndim != 3 or not array.shape[1] or not array.shape[2]:
            raise ValueError(
                "X must be a DataFrame or an array of shape (n, T, d), got an array of shape "
                f"{array.shape}."
            )
        n, n_steps, d = array.shape
        steps = pd.DataFrame(array.reshape(n * n_steps, d)).infer_objects()
        if reset:
            self._format = None
            self.n_features_in_ = d
            self.__dict__.pop("feature_names_in_", None)
            self._input_dtype, self._input_labels = frame_dtype(steps), list(steps.columns)
        elif d != self.n_features_in_:
            raise ValueError(
                f"X has {d} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return Sequences(steps, pd.DataFrame({"length": np.full(n, n_steps)})), pd.RangeIndex(n)

    def _infer_schema(self, steps: pd.DataFrame) -> Schema:
        return Schema.infer(steps, self._forced_categories(self._input_labels))

    def _infer_given_schema(self, given: pd.DataFrame) -> Schema:
        with warnings.catch_warnings():
            # Lengths may look like row numbers, and should be learnt.
            warnings.filterwarnings("ignore", "column .* looks like a row number", UserWarning)
            return Schema.infer(given, self._forced_categories(self._input_labels))

    @property
    def _length(self) -> Hashable:
        """What a sequence's length is called."""
        return "length" if self._format is None else self._format.length

    def _lengths(self, given: pd.DataFrame) -> Tensor:
        """Read sequences' lengths off what they have once, shape (n,)."""
        return torch.tensor(given[self._length].to_numpy(dtype=np.int64), device=self._device)

    def _encode(self, sequences: Sequences, rng: np.random.Generator) -> SequenceSet:
        """Encode sequences and what they have once, on the device."""
        steps = self._encoder.encode(sequences.steps[self.schema_.names], rng)
        given = self._conditions.encode(sequences.given, rng)
        return SequenceSet(
            SequenceTable(steps.to(self._device), self._lengths(sequences.given)),
            self._layout,
            given.to(self._device),
            self._conditions.encoder.layout,
        )

    def _build(self) -> None:
        # Identifiers say nothing of a sequence, and are made anew.
        told = [c.name for c in self.given_schema_.columns if not isinstance(c, IdentifierColumn)]
        self._set_up(self.schema_, self.given_schema_.select(told), n_bins=self._n_bins)

    def _calibrate(
        self, data: SequenceSet, noise: torch.Generator, rng: np.random.Generator
    ) -> None:
        """Correct the marginals of all steps together, those of the generator being known."""
        n = 1 + 20_000 // data.table.n_steps
        given = self._conditions.draw(n, rng)
        raw = self._generate(given.to(self._device), self._told(given, rng), noise)
        self._calibration.fit(self._layout, self._encoder.masses, raw, noise)

    # ------------------------------------------------------------------ sampling

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
    ) -> Any:
        """Make sequences.

        Parameters
        ----------
        n_samples : int >= 1, default=1
            Sequences, each of as many steps as it was drawn to have.
        random_state : int, RandomState or None, default=None
            None goes on with the stream that the estimator's own `random_state` began.
        conditions : dict, Series, DataFrame or array-like, default=None
            What sequences are to have once: values of static columns, "length", the start under
            the time column's name, or labels alone. A dict, or a Series indexed by column, holds
            for all sequences; a DataFrame of m rows makes m sequences, in its order.

        Returns
        -------
        DataFrame, or ndarray of shape (n_samples, T, d) if `fit` got an array
            A long table with columns, order and dtypes as in `fit`, a fresh index, and entities
            numbered from 0.

        Raises
        ------
        ValueError
            `n_samples` below one; a condition that names a channel or no column, or an unknown
            category, a number out of range or values that never occurred together.
        """
        return self._sample(n_samples, random_state, conditions)

    def _sample(
        self, n_samples: int, random_state: Any, conditions: Any, latent: Tensor | None = None
    ) -> Any:
        check_is_fitted(self)
        check_integer("n_samples", n_samples)
        rng, noise = self._streams(random_state)
        wishes = self._wishes(conditions, int(n_samples))
        n = len(next(iter(wishes.values())).codes) if wishes else int(n_samples)
        if latent is not None and len(latent) != n:
            raise ValueError(
                f"latent has {len(latent)} rows but conditions has {n}; make the two agree."
            )
        everyone = np.arange(n)
        given = self._conditions.draw_given(wishes, everyone, rng)
        told = self._told(given, rng)
        for name, wish in wishes.items():
            told[name] = wish.impose(told[name], everyone)
        steps = self._draw(given.to(self._device), told, noise, latent)
        frame = self._encoder.decode(steps, rng)
        if self._format is None:
            array = frame.to_numpy().astype(np.dtype(self._input_dtype))
            return array.reshape(n, -1, self.n_features_in_)
        return self._format.join(Sequences(frame, told))

    def _wishes(self, conditions: Any, n_samples: int) -> dict[Hashable, Wish]:
        """Encode what sequences are asked to have."""
        if conditions is None:
            return {}
        both = Schema((*self.given_schema_.columns, *self.schema_.columns))
        asked = as_frame(label_wishes(conditions, self._target_name), n_samples, both)
        for name in asked:
            if name not in self._conditions.names:
                raise ValueError(
                    f"conditions names {name!r}, which is made along a sequence; what can be asked "
                    f"for: {self._conditions.names}."
                )
        return {name: encode_wish(self._conditions.encoder, name, asked[name]) for name in asked}

    def _told(self, given: EncodedTable, rng: np.random.Generator) -> pd.DataFrame:
        """Decode what sequences have once, identifiers included."""
        told = self._conditions.encoder.decode(given, rng)
        for column in self.given_schema_.columns:
            if isinstance(column, IdentifierColumn):
                told[column.name] = column.series(rng.random(len(told)) < column.missing_rate)
        return told

    def _draw(
        self,
        given: EncodedTable,
        told: pd.DataFrame,
        noise: torch.Generator,
        latent: Tensor | None,
    ) -> EncodedTable:
        """Make the steps of sequences, one below the other."""
        raw = self._generate(given, told, noise, latent)
        return self._calibration.draw(self._layout, raw, noise)

    @torch.no_grad()
    def _generate(
        self,
        given: EncodedTable,
        told: pd.DataFrame,
        noise: torch.Generator,
        latent: Tensor | None = None,
    ) -> Tensor:
        """Unroll the game, some thousands of steps at a time; steps one below the other."""
        condition = self._conditions.encoder.layout.expand(*given)
        lengths = self._lengths(told)
        size = max(1, CHUNK // int(lengths.max()))
        parts = []
        for start in range(0, len(lengths), size):
            part = slice(start, start + size)
            n_steps = int(lengths[part].max())
            drawn = [] if latent is None else [latent[part]]
            made = self._game.unroll(condition[part], n_steps, noise, *drawn)
            parts.append(made[length_mask(lengths[part], n_steps)])
        return torch.cat(parts)

    # ------------------------------------------------------------------ persistence

    def _get_values(self) -> dict[str, Any]:
        form = None if self._format is None else self._format.to_dict()
        return super()._get_values() | {"format": form}

    def _set_values(self, values: dict[str, Any]) -> None:
        form = values.pop("format")
        self._format = None if form is None else SequenceFormat.from_dict(form)
        super()._set_values(values)


class LatentSequenceSynthesizer(SequenceSynthesizer):
    """A synthesizer that makes each sequence from a latent draw, which can be given to `sample`."""

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
        latent: Any = None,
    ) -> Any:
        """Make sequences.

        Parameters
        ----------
        n_samples, random_state, conditions
            See `SequenceSynthesizer.sample`.
        latent : array-like of shape (n, latent_dim), default=None
            The latent draw of each sequence, of a standard normal otherwise; `n_samples` may then
            be left out. Sequences change smoothly with it, as far as the noise is the same:
            `random_state` fixes that.

        Returns
        -------
        DataFrame, or ndarray of shape (n, T, d) if `fit` got an array
        """
        if latent is None:
            return self._sample(n_samples, random_state, conditions)
        check_is_fitted(self)
        latent = check_array(latent, dtype=np.float32, input_name="latent")
        if latent.shape[1] != self.latent_dim or n_samples not in (1, len(latent)):
            raise ValueError(
                f"latent must have shape (n, {self.latent_dim}), one row for each sequence, got "
                f"{latent.shape} for {n_samples} sequences."
            )
        given = torch.from_numpy(latent).to(self._device)
        return self._sample(len(latent), random_state, conditions, given)


def _one_for_each(y: Any, entities: pd.Index) -> Any:
    """Put labels into the order of the entities, if they are indexed by them.

    Raises
    ------
    ValueError
        Another number of labels than of sequences.
    """
    if isinstance(y, pd.Series) and y.index.is_unique and entities.isin(y.index).all():
        return y.loc[entities]
    if len(y) != len(entities):
        raise ValueError(
            f"y has {len(y)} labels for {len(entities)} sequences; give one for each sequence."
        )
    return y
