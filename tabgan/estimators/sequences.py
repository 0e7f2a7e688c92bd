"""The base of synthesizers of sequences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor

from tabgan.adversarial.plan import Plan
from tabgan.checks import LABEL, NONE, Rule, instance, listed, sequence_of, short
from tabgan.estimators.estimator import Estimator
from tabgan.estimators.reading import (
    check_n_samples,
    read_conditions,
    read_fitted,
    read_known,
)
from tabgan.estimators.target import append_target
from tabgan.generation.calibrated import Calibrated
from tabgan.generation.core import resolve_device
from tabgan.generation.sequences import SequenceCore, SequenceEncoding, Unrolled
from tabgan.generation.source import Source
from tabgan.randomness import Streams
from tabgan.table.conditions import EncodedCondition, encode_condition
from tabgan.table.encoder import Encoder
from tabgan.table.format import is_frame, read_stack, read_table
from tabgan.table.schema import Schema
from tabgan.table.sequences import SequenceFormat, Sequences

if TYPE_CHECKING:
    from typing_extensions import Self


class SequenceSynthesizer(Estimator):
    """Base of every synthesizer of sequences: it learns sequences and draws synthetic ones.

    Sequences come as a long table, with one row for each step of each entity, or as an array of
    shape (n, T, d). Columns that vary along a sequence are called channels. The networks generate
    the channels. Values that hold for a whole sequence are drawn together, as they occurred
    together in training, and the networks get them as the condition: static columns, the label `y`,
    the length, and the start time if start times differ.

    If all entities have the same times, synthetic sequences have these times too. Otherwise the
    time from step to step is one more channel, and the start time is one more static column.
    Synthetic entities are numbered from 0, in the dtype of the entities in training.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Number of training steps. In each step every player of the game is updated. None takes the
        number of steps in the class's `plan`.
    batch_size : int >= 1, default=500
        Number of sequences in a batch.
    hidden_dim : int >= 1, default=256
        Width of the recurrent states and of the networks' other hidden layers.
    entity : column label, default=None
        The column of a long table that says which sequence a row belongs to. A table needs it; an
        array has none.
    time : column label, default=None
        The column that orders the rows of an entity: numbers, dates or durations. None takes the
        rows of an entity in their order in the table.
    static_columns : sequence of column labels or None, default=None
        Columns that have one value for each entity. None takes the columns that never vary within
        an entity, or no column if all sequences have one step.
    **shared
        See `Estimator`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each channel.
    given_schema_ : Schema
        The same for the values that hold for a whole sequence: static columns, label, start time
        and length. The length is called "length", unless a column has that name.
    """

    plan = Plan(max_bins=32)
    _schemas = ("schema_", "given_schema_")
    _saved = {"_target_name": NONE | instance(Hashable, "a column label")}
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "entity": LABEL | NONE,
        "time": LABEL | NONE,
        "static_columns": sequence_of(LABEL, "a list of column labels") | NONE,
    }
    _sequence_format: SequenceFormat | None = None
    _core: SequenceCore

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

    def _make_chain(self, game: Any, encoding: SequenceEncoding) -> Source:
        """Return the source of the steps of sequences."""
        return Calibrated(Unrolled(game, encoding))

    # ------------------------------------------------------------------ training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn sequences.

        Parameters
        ----------
        X : table with a row for each step, or array-like of shape (n, T, d)
            Channels and static columns may be of any kind, missing values included. NaN in an array
            is a missing value.
        y : array-like of shape (n,), default=None
            One label for each sequence, which `sample` takes as a condition. The labels are in the
            order in which entities first appear in a long table, or in a Series that is indexed by
            entity.

        Returns
        -------
        self
            The fitted synthesizer.

        Raises
        ------
        ValueError
            If `entity`, `time` or `static_columns` do not fit the table, if there is no channel, if
            a value is infinite, if the number of labels is not the number of sequences, or if a
            parameter is out of range.
        FloatingPointError
            If a loss is no longer finite; a lower `learning_rate` helps.
        """
        return self._fit(X, y)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_steps` more steps on these sequences, from the present weights and optimisers.

        The first call is a `fit`. Later calls keep the schemas of the first one.

        Parameters
        ----------
        X : table with a row for each step, or array-like of shape (n, T, d)
            Sequences with the columns of the first call. A category that the first call did not see
            counts as unknown. A number outside the range that the first call saw counts as the
            nearest end of that range.
        y : array-like of shape (n,), default=None
            One label for each sequence, if the first call got labels.

        Returns
        -------
        self
            The fitted synthesizer.

        Raises
        ------
        ValueError
            If the columns or the kinds of values differ from those of the first call, or if a
            parameter that shapes the networks was changed since.

        Warns
        -----
        UserWarning
            If X or y has categories that the first call did not see; see `handle_unknown`.
        """
        return self._fit(X, y, goes_on=True)

    def _read(self, X: Any, y: Any, anew: bool, **about: Any) -> Sequences:
        sequences, entities = self._split(X, anew)
        if y is not None:
            y = _one_for_each(y, entities)
        given, _ = append_target(self, sequences.given, y, anew)
        if anew:
            self.schema_ = self._infer_schema(sequences.steps)
            self.given_schema_ = self._infer_schema(given)
            return Sequences(sequences.steps, given)
        return Sequences(
            read_known(self, sequences.steps, self.schema_),
            read_known(self, given, self.given_schema_),
        )

    def _split(self, X: Any, anew: bool) -> tuple[Sequences, pd.Index]:
        """Split X into sequences, and return the entity of each sequence beside them."""
        is_table = is_frame(X)
        if not anew and is_table == (self._sequence_format is None):
            first, now = ("an array", "a DataFrame") if is_table else ("a DataFrame", "an array")
            raise ValueError(f"X is {now}, but {type(self).__name__} was fitted on {first}.")
        if not is_table:
            return self._split_array(X, anew)
        if self.entity is None:
            raise ValueError(
                "entity must name the column that tells sequences apart, for X is a DataFrame; "
                f"columns: {listed(read_table(X)[1].labels)}."
            )
        frame = read_fitted(self, X, anew)
        if anew:
            self._sequence_format = SequenceFormat.infer(
                frame, self.entity, self.time, self.static_columns
            )
        assert self._sequence_format is not None
        entities = pd.Index(frame[self.entity].drop_duplicates())
        return self._sequence_format.split(frame), entities

    def _split_array(self, X: Any, anew: bool) -> tuple[Sequences, pd.Index]:
        steps, n_steps, form = read_stack(X, owner=type(self).__name__)
        if anew:
            self._sequence_format, self._format, self._n_rows = None, form, len(steps)
            self.n_features_in_ = steps.shape[1]
            self.__dict__.pop("feature_names_in_", None)
        else:
            self._format.check(steps, form, owner=type(self).__name__)
        n = len(steps) // n_steps
        return Sequences(steps, pd.DataFrame({"length": np.full(n, n_steps)})), pd.RangeIndex(n)

    def _infer_schema(self, columns: pd.DataFrame) -> Schema:
        form = self._sequence_format
        learnt = ["length"] if form is None else form.learnt
        if self._target_name is not None:
            learnt = [*learnt, self._target_name]
        forced = self._forced_categories(self._format.labels)
        return Schema.infer(columns, forced, learnt=learnt)

    def _make_core(self) -> SequenceCore:
        device, form = resolve_device(self.device), self._sequence_format
        encoder = Encoder(
            self.schema_,
            self.plan.numbers,
            max_categories=self.max_categories,
            n_bins=self.plan.max_bins,
        )
        length = "length" if form is None else form.length
        encoding = SequenceEncoding(
            encoder, self.given_schema_, length, self.max_categories, device
        )
        training = self._train_game(encoding, device)
        return SequenceCore(encoding, training, self._make_chain(training.averaged, encoding))

    def _learn(self, data: Sequences, streams: Streams, anew: bool) -> None:
        core = self._core
        sequences = core.encoding.encode_sequences(data, streams.rng)
        if anew:
            core.encoding.conditions.learn(sequences.condition_table.to(torch.device("cpu")))
        if core.encoding.layout.width and self._n_steps:
            self._run().train(core.training, sequences, self._n_steps, streams.noise)
            core.chain.learn(sequences, streams)

    # ------------------------------------------------------------------ sampling

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
    ) -> Any:
        """Draw synthetic sequences.

        Parameters
        ----------
        n_samples : int >= 1, default=1
            Number of sequences. The length of each sequence is drawn as it occurred in training.
        random_state : int, RandomState or None, default=None
            Seed of the noise. With an int, a fitted model draws the same sequences in each call.
            None continues the random stream that the estimator's own `random_state` began.
        conditions : dict, Series, table or array-like, default=None
            Values that hold for whole sequences: values of static columns, "length", the start time
            under the name of the time column, or labels alone. A dict, or a Series indexed by
            column, holds for all sequences. A table with m rows gives m sequences in the same
            order.

        Returns
        -------
        table, or ndarray of shape (n_samples, T, d) if `fit` got an array
            A long table of the kind that `fit` got, with the same columns, order and dtypes, a
            fresh index, and entities that are numbered from 0.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If `n_samples` is below one; or if a condition names a channel or no column, holds an
            unknown category or a number out of range, or combines values that never occurred
            together.
        """
        return self._sample(n_samples, random_state, conditions)

    def _sample(
        self, n_samples: int, random_state: Any, conditions: Any, latent: Tensor | None = None
    ) -> Any:
        check_is_fitted(self)
        check_n_samples(n_samples)
        streams, core = self._streams(random_state), self._core
        asked_for = self._encoded_conditions(conditions, int(n_samples))
        n = len(next(iter(asked_for.values())).codes) if asked_for else int(n_samples)
        if latent is not None and len(latent) != n:
            raise ValueError(
                f"latent has {len(latent)} rows but conditions has {n}; make the two agree."
            )
        everyone = np.arange(n)
        given = core.encoding.conditions.draw_given(asked_for, everyone, streams.rng)
        told = core.encoding.told(given, streams.rng)
        for name, condition in asked_for.items():
            told[name] = condition.impose(told[name], everyone)
        frame = core.draw(given, told, streams, latent)
        if self._sequence_format is None:
            return self._format.restore(frame).reshape(n, -1, self.n_features_in_)
        return self._format.restore(self._sequence_format.join(Sequences(frame, told)))

    def _encoded_conditions(
        self, conditions: Any, n_samples: int
    ) -> dict[Hashable, EncodedCondition]:
        """Encode the conditions on sequences."""
        if conditions is None:
            return {}
        model = self._core.encoding.conditions
        both = Schema((*self.given_schema_.columns, *self.schema_.columns))
        asked = read_conditions(conditions, n_samples, both, self._target_name)
        for name in asked:
            if name not in model.names:
                raise ValueError(
                    f"conditions names {short(name)}, which is made along a sequence; what can be "
                    f"asked for: {model.names}."
                )
        return {name: encode_condition(model.encoder, name, asked[name]) for name in asked}


class LatentSequences:
    """Mixin of synthesizers whose users may give the latent vector of each sequence."""

    latent_dim: int
    _core: Any

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
        latent: Any = None,
    ) -> Any:
        """Draw synthetic sequences, from given latent vectors if there are any.

        Parameters
        ----------
        n_samples : int >= 1, default=1
            Number of sequences. The length of each sequence is drawn as it occurred in training.
        random_state : int, RandomState or None, default=None
            Seed of the noise. With an int, a fitted model draws the same sequences in each call.
            None continues the random stream that the estimator's own `random_state` began.
        conditions : dict, Series, table or array-like, default=None
            Values that hold for whole sequences: values of static columns, "length", the start time
            under the name of the time column, or labels alone. A dict, or a Series indexed by
            column, holds for all sequences. A table with m rows gives m sequences in the same
            order.
        latent : array-like of shape (n, latent_dim), default=None
            The latent vector of each sequence; `n_samples` may then be left out. None draws
            standard normal vectors. A small change of a latent vector changes the sequence little,
            if `random_state` keeps the other noise the same.

        Returns
        -------
        table, or ndarray of shape (n, T, d) if `fit` got an array
            A long table of the kind that `fit` got, with the same columns, order and dtypes, a
            fresh index, and entities that are numbered from 0.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If `n_samples` is below one, if a condition cannot be met, or if the shape of `latent`
            fits neither `latent_dim` nor the number of sequences.
        """
        sample: Any = self._sample  # type: ignore[attr-defined]
        if latent is None:
            return sample(n_samples, random_state, conditions)
        check_is_fitted(self)
        latent = check_array(latent, dtype=np.float32, input_name="latent")
        if latent.shape[1] != self.latent_dim or n_samples not in (1, len(latent)):
            raise ValueError(
                f"latent must have shape (n, {self.latent_dim}), one row for each sequence, got "
                f"{latent.shape} for {n_samples} sequences."
            )
        given = torch.from_numpy(latent).to(self._core.device)
        return sample(len(latent), random_state, conditions, given)


def _one_for_each(y: Any, entities: pd.Index) -> Any:
    """Sort labels into the order of the entities, if the labels are indexed by entity.

    Raises
    ------
    ValueError
        If the number of labels is not the number of sequences.
    """
    if isinstance(y, pd.Series) and y.index.is_unique and entities.isin(y.index).all():
        return y.loc[entities]
    if len(y) != len(entities):
        raise ValueError(
            f"y has {len(y)} labels for {len(entities)} sequences; give one for each sequence."
        )
    return y
