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
from tabgan.adversarial.validation import Validation
from tabgan.checks import (
    LABEL,
    NONE,
    ParameterError,
    Rule,
    choice,
    instance,
    integer,
    listed,
    sequence_of,
    short,
)
from tabgan.constraints.base import Constraint
from tabgan.constraints.rules import Constraints, kept_rows
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
from tabgan.generation.sequence_links import UserSequences, check_step_rules
from tabgan.generation.sequence_set import SequenceSet
from tabgan.generation.sequences import SequenceCore, SequenceEncoding, Unrolled
from tabgan.generation.source import Source
from tabgan.notices import warn
from tabgan.randomness import Streams
from tabgan.table.changes import Changes, check_changes
from tabgan.table.conditions import EncodedCondition, encode_condition
from tabgan.table.encoder import Encoder
from tabgan.table.format import is_frame, read_stack, read_table
from tabgan.table.schema import Schema
from tabgan.table.sequences import Cuts, SequenceFormat, Sequences, cut_windows

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
    window : int >= 2 or None, default=None
        Number of steps of the sequences to learn and to draw, if those of `fit` are longer series.
        Every series is cut into overlapping windows, and a sequence is a window from then on.
        Without `entity`, the whole table is one series, and synthetic tables hold one window below
        the other. None cuts nothing.
    changes : sequence of column labels or None, default=None
        Channels of numbers that are learnt by their changes from step to step, such as prices: by
        the logarithm of the ratio if changes grow with the values, and otherwise by the difference.
        The value at the first step is drawn with the other values that hold for a whole sequence,
        and can be asked for as "<channel> at the start". None takes the channels that wander: many
        values, small changes, and changes over k steps of about k times the variance of those over
        one step. An empty list takes none.
    constraints : sequence of constraints or None, default=None
        Rules that every synthetic step keeps, such as
        ``tabgan.constraints.Inequality("low", "high")``; see `tabgan.constraints`. A rule names
        channels alone, and holds within a step. The training steps must keep the rules too.
    on_violation : {"raise", "drop"}, default="raise"
        What follows from training steps that break a constraint. "raise" raises a ValueError that
        names the constraint and the steps. "drop" leaves out the sequences that have such a step,
        and warns how many there are.
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
    _saved: ClassVar[dict[str, Rule]] = {
        "_target_name": NONE | instance(Hashable, "a column label")
    }
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "entity": LABEL | NONE,
        "time": LABEL | NONE,
        "static_columns": sequence_of(LABEL, "a list of column labels") | NONE,
        "window": integer(2) | NONE,
        "changes": sequence_of(LABEL, "a list of column labels") | NONE,
        "constraints": sequence_of(
            instance(Constraint, "a constraint"), "a list of constraints of tabgan.constraints"
        )
        | NONE,
        "on_violation": choice("raise", "drop"),
    }
    _sequence_format: SequenceFormat | None = None
    _rules: Constraints | None = None
    _changes: Changes
    _core: SequenceCore

    def __init__(
        self,
        *,
        entity: Hashable | None = None,
        time: Hashable | None = None,
        static_columns: Sequence[Hashable] | None = None,
        window: int | None = None,
        changes: Sequence[Hashable] | None = None,
        constraints: Sequence[Constraint] | None = None,
        on_violation: str = "raise",
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.entity = entity
        self.time = time
        self.static_columns = static_columns
        self.window = window
        self.changes = changes
        self.constraints = constraints
        self.on_violation = on_violation

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
            is a missing value. With `window`, an array of shape (T, d) is one series.
        y : array-like of shape (n,), default=None
            One label for each sequence, or for each series that `window` cuts, which `sample` takes
            as a condition. The labels are in the order in which entities first appear in a long
            table, or in a Series that is indexed by entity.

        Returns
        -------
        self
            The fitted synthesizer.

        Raises
        ------
        ValueError
            If `entity`, `time` or `static_columns` do not fit the table, if a series is shorter
            than `window`, if there is no channel, if a value is infinite, if steps break a
            constraint, if the number of labels is not the number of sequences, or if a parameter is
            out of range.
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
            y = _one_for_each(y, entities, sequences.cuts)
        given, _ = append_target(self, sequences.given, y, anew)
        sequences = self._kept(sequences._replace(given=given), anew)
        steps, given, cuts = sequences
        lengths = given[self._length].to_numpy(dtype=np.int64)
        if anew:
            # Windows overlap, so that a row may be a step of several.
            self._n_rows = len(steps) if cuts is None else len(np.unique(cuts.rows()))
            self.schema_ = self._infer_schema(steps)
            self._rules = None
            if self.constraints:
                self._rules = Constraints.learn(self.constraints, steps, self.schema_)
        else:
            read_known(self, steps, self.schema_)
        if self._rules is not None:
            steps = self._rules.express(steps)
        if anew:
            check_changes(self.changes, sequences.steps)
            ruled = self.schema_ if self._rules is None else self._rules.inner
            taken = [*given.columns, *sequences.steps.columns]
            self._changes = Changes.learn(steps, lengths, ruled, taken, self.changes)
        steps, given = self._changes.express(steps, given, lengths)
        if anew:
            self.given_schema_ = self._infer_schema(given, self._changes.starts)
        else:
            read_known(self, given, self.given_schema_)
        return Sequences(steps, given, cuts)

    @property
    def _length(self) -> Hashable:
        """Label of the lengths of sequences."""
        return "length" if self._sequence_format is None else self._sequence_format.length

    def _kept(self, sequences: Sequences, anew: bool) -> Sequences:
        """Return the sequences all of whose steps keep all rules."""
        rules = self._rules_of(anew)
        if not rules:
            return sequences
        check_step_rules(rules, sequences.steps)
        kept, broken = kept_rows(rules, sequences.steps, "drop")
        if not broken:
            return sequences
        number = np.repeat(np.arange(len(sequences.given)), sequences.given[self._length])
        is_right = np.bincount(number, ~kept) == 0
        if not is_right.any():
            raise ParameterError(f"X has no sequence that keeps all constraints: {broken}.")
        warn(f"{int((~is_right).sum())} training sequences are left out: {broken}.")
        return sequences.chosen(is_right, is_right[number])

    def _rules_of(self, anew: bool) -> Sequence[Constraint]:
        """Return the rules that training steps keep."""
        if anew or self._rules is None:
            return self.constraints or ()
        return self._rules.rules

    def _check_steps(self, steps: pd.DataFrame, anew: bool) -> None:
        """Raise a ValueError if a step breaks a rule, unless such steps are left out later."""
        if self.on_violation == "raise":
            kept_rows(self._rules_of(anew), steps, "raise")

    def _split(self, X: Any, anew: bool) -> tuple[Sequences, pd.Index]:
        """Split X into sequences, and return the entity of each series beside them."""
        is_table = is_frame(X)
        if not anew and is_table == (self._sequence_format is None):
            first, now = ("an array", "a DataFrame") if is_table else ("a DataFrame", "an array")
            raise ValueError(f"X is {now}, but {type(self).__name__} was fitted on {first}.")
        if not is_table:
            return self._split_array(X, anew)
        if self.entity is None and self.window is None:
            raise ValueError(
                "entity must name the column that tells sequences apart, for X is a DataFrame; "
                f"columns: {listed(read_table(X)[1].labels)}. For one long series, set window."
            )
        frame = read_fitted(self, X, anew)
        if anew:
            self._sequence_format = SequenceFormat.infer(
                frame, self.entity, self.time, self.static_columns, self.window
            )
        assert self._sequence_format is not None
        self._check_steps(frame, anew)
        entities = pd.RangeIndex(1)
        if self.entity is not None:
            entities = pd.Index(frame[self.entity].drop_duplicates())
        return self._sequence_format.split(frame), entities

    def _split_array(self, X: Any, anew: bool) -> tuple[Sequences, pd.Index]:
        if self.window is not None and np.ndim(X) == 2:
            X = np.asarray(X)[None]
        steps, n_steps, form = read_stack(X, owner=type(self).__name__)
        if anew:
            self._sequence_format, self._format = None, form
            self.n_features_in_ = steps.shape[1]
            self.__dict__.pop("feature_names_in_", None)
        else:
            self._format.check(steps, form, owner=type(self).__name__)
        self._check_steps(steps, anew)
        lengths, cuts = np.full(len(steps) // n_steps, n_steps), None
        entities = pd.RangeIndex(len(lengths))
        if self.window is not None:
            cuts = cut_windows(lengths, self.window)
            steps = steps.iloc[cuts.rows()].reset_index(drop=True)
            lengths = np.full(len(cuts.starts), self.window)
        return Sequences(steps, pd.DataFrame({"length": lengths}), cuts), entities

    def _infer_schema(self, columns: pd.DataFrame, further: Sequence[Hashable] = ()) -> Schema:
        form = self._sequence_format
        learnt = ["length"] if form is None else form.learnt
        learnt = [
            *learnt,
            *further,
            *(name for rule in self.constraints or () for name in rule.learnt()),
        ]
        if self._target_name is not None:
            learnt = [*learnt, self._target_name]
        forced = self._forced_categories(self._format.labels)
        return Schema.infer(columns, forced, learnt=learnt)

    def _make_core(self) -> SequenceCore:
        device = resolve_device(self.device)
        cut = self._plan.cut(self._n_rows, self._changes.inner.n_numeric)
        encoder = Encoder(
            self._changes.inner,
            self._plan.numbers,
            max_categories=self.max_categories,
            n_bins=cut["n_bins"],
            n_halvings=cut["n_halvings"],
        )
        encoding = SequenceEncoding(
            encoder, self.given_schema_, self._length, self.max_categories, self._n_rows, device
        )
        training = self._train_game(encoding, device)
        chain = self._make_chain(training.averaged, encoding)
        return SequenceCore(encoding, training, chain)

    def _learn(self, data: Sequences, streams: Streams, anew: bool) -> None:
        core = self._core
        sequences = core.encoding.encode_sequences(data, streams.rng)
        if anew:
            core.encoding.conditions.learn(sequences.condition_table.to(torch.device("cpu")))
        if core.encoding.layout.width and self._n_steps:
            taught, validation = self._hold_out(sequences, data.cuts, streams)
            noise = streams.noise
            self._run().train(core.training, taught, self._n_steps, noise, validation)
            core.chain.learn(sequences, streams)

    def _hold_out(
        self, sequences: SequenceSet, cuts: Cuts | None, streams: Streams
    ) -> tuple[SequenceSet, Validation | None]:
        """Return the sequences to train on, and a score on the other ones if there are any."""
        return sequences, None

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
        source = UserSequences(core, self._changes, self._rules)
        frame = source.draw(given, told, streams, latent)
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

    # ------------------------------------------------------------------ files

    def _get_values(self) -> dict[str, Any]:
        rules = None if self._rules is None else self._rules.to_dict()
        return super()._get_values() | {"rules": rules, "changes": self._changes.to_dict()}

    def _set_values(self, values: dict[str, Any]) -> None:
        rules = values["rules"]
        self._rules = None if rules is None else Constraints.from_dict(rules, self.schema_)
        self._changes = Changes.from_dict(values["changes"])
        super()._set_values(values)


class LatentSequences:
    """Mixin of synthesizers whose users may give the latent vector of each sequence."""

    latent_dim: int
    _core: Any

    @property
    def _has_latent(self) -> bool:
        """Whether sequences are made from latent vectors."""
        return True

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
            If `n_samples` is below one, if a condition cannot be met, if the shape of `latent` fits
            neither `latent_dim` nor the number of sequences, or if `latent` is given and the
            generator has no latent vector.
        """
        sample: Any = self._sample  # type: ignore[attr-defined]
        if latent is None:
            return sample(n_samples, random_state, conditions)
        check_is_fitted(self)
        if not self._has_latent:
            raise ParameterError(
                "latent cannot be given, for this generator draws steps in turn and has no latent "
                'vector; set generator="joint", or use SequenceARAESynthesizer.'
            )
        latent = check_array(latent, dtype=np.float32, input_name="latent")
        if latent.shape[1] != self.latent_dim or n_samples not in (1, len(latent)):
            raise ValueError(
                f"latent must have shape (n, {self.latent_dim}), one row for each sequence, got "
                f"{latent.shape} for {n_samples} sequences."
            )
        given = torch.from_numpy(latent).to(self._core.device)
        return sample(len(latent), random_state, conditions, given)


def _one_for_each(y: Any, entities: pd.Index, cuts: Cuts | None) -> Any:
    """Sort labels into the order of the sequences.

    Labels that are indexed by entity are sorted into the order of the entities. The windows of a
    series have the label of the series.

    Raises
    ------
    ValueError
        If the number of labels is not the number of entities.
    """
    if isinstance(y, pd.Series) and y.index.is_unique and entities.isin(y.index).all():
        y = y.loc[entities]
    elif len(y) != len(entities):
        raise ValueError(
            f"y has {len(y)} labels for {len(entities)} sequences; give one for each sequence."
        )
    if cuts is None:
        return y
    return y.iloc[cuts.owners] if isinstance(y, pd.Series) else np.asarray(y)[cuts.owners]
