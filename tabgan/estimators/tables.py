"""The base of synthesizers of tables."""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted
from torch import nn

from tabgan.checks import FLAG, NONE, Rule, check, choice, instance, integer, number, sequence_of
from tabgan.constraints.base import Constraint
from tabgan.constraints.rules import Constraints, kept_rows
from tabgan.estimators.estimator import Estimator
from tabgan.estimators.reading import (
    check_n_samples,
    read_conditions,
    read_fitted,
    read_known,
)
from tabgan.generation.calibrated import Calibrated
from tabgan.generation.conditions import ConditionModel
from tabgan.generation.core import resolve_device
from tabgan.generation.encoding import Encoding
from tabgan.generation.rejection import Effort
from tabgan.generation.source import RawRows, Source
from tabgan.generation.tables import TableCore
from tabgan.notices import warn
from tabgan.randomness import Streams, begin_stream
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self

BAR_DELAY = 10.0
"""Seconds of rejection after which a progress bar appears, if `verbose` is 0."""


class TableSynthesizer(Estimator):
    """Base of every synthesizer of tables: it learns a table and draws synthetic rows.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Number of training steps. In each step every player of the game is updated. None takes the
        number of steps in the class's `plan` (1,000 unless the class says otherwise). On small
        tables None takes fewer steps if early stopping is off: at most 300 passes over the rows,
        where one batch is counted for each step.
    early_stopping : bool, default=False
        Whether held-out rows decide when training stops. If True, synthetic rows are compared with
        the held-out rows at least twenty times in a run. Training stops when the comparison no
        longer improves, and the best weights are kept.
    n_iter_no_change : int >= 1, default=5
        Number of successive comparisons without improvement after which training stops, with
        ``early_stopping=True``.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out for early stopping. At most 10,000 rows are held out.
    acceptance_rounds : int >= 0, default=0
        Largest number of rounds of rejection sampling, which is learnt after training (Azadi et
        al., 2019, "Discriminator Rejection Sampling", arXiv 1810.06758). In each round boosted
        trees learn to tell synthetic rows from training rows. `sample` then keeps a synthetic row
        with a probability in proportion to the density ratio that the trees estimate, and draws
        another one in place of a rejected row. A round that does not help on held-out rows is
        dropped and ends the rounds. Rows become more faithful, and sampling becomes slower. With 0,
        or with fewer than 200 training rows, every row is kept.
    constraints : sequence of constraints or None, default=None
        Rules that every synthetic row keeps, such as
        ``tabgan.constraints.Inequality("start", "end")``; see `tabgan.constraints`. The training
        rows must keep them too.
    on_violation : {"raise", "drop"}, default="raise"
        What follows from training rows that break a constraint. "raise" raises a ValueError that
        names the constraint and the rows. "drop" leaves the rows out and warns how many there are.
    **shared
        See `Estimator`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column of the table that `fit` got. With
        constraints, the networks learn a rewritten table.
    """

    schema_: Schema
    _rules: Constraints | None = None
    _saved: ClassVar[tuple[str, ...]] = ("_condition_names", "_n_rows", "_target_name")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "early_stopping": FLAG,
        "n_iter_no_change": integer(1),
        "validation_fraction": number(0, 1, "neither"),
        "acceptance_rounds": integer(0),
        "constraints": sequence_of(
            instance(Constraint, "a constraint"), "a list of constraints of tabgan.constraints"
        )
        | NONE,
        "on_violation": choice("raise", "drop"),
    }
    _core: TableCore

    def __init__(
        self,
        *,
        early_stopping: bool = False,
        n_iter_no_change: int = 5,
        validation_fraction: float = 0.1,
        acceptance_rounds: int = 0,
        constraints: Sequence[Constraint] | None = None,
        on_violation: str = "raise",
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.validation_fraction = validation_fraction
        self.acceptance_rounds = acceptance_rounds
        self.constraints = constraints
        self.on_violation = on_violation

    # ------------------------------------------------------------------ what a subclass defines

    def _training_table(
        self, table: pd.DataFrame, y: Any, anew: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        """Return the table to learn, and the labels of its columns that are conditions."""
        self._target_name: Hashable | None = None
        return table, []

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        """Return the source of rows, before any row is rejected."""
        return Calibrated(RawRows(game, encoding))

    def _make_scaling(self, game: Any) -> nn.Module | None:
        """Return the last step of latent features, or None if there are none."""
        return None

    # ------------------------------------------------------------------ training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn a table.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d), n >= 1
            A pandas, polars or Arrow table with columns of any kind, missing values included; or an
            array.
        y : array-like of shape (n,), default=None
            Ignored, unless the class says otherwise.

        Returns
        -------
        self
            The fitted synthesizer.

        Raises
        ------
        ValueError
            If X has no rows, no columns, infinite values or two columns of one name, if rows break
            a constraint, if constraints contradict each other, or if a parameter is out of range.
        TypeError
            If X is not a table.
        FloatingPointError
            If a loss is no longer finite; a lower `learning_rate` helps.

        Warns
        -----
        UserWarning
            If synthetic rows are nearly all alike after training (mode collapse), if training was
            interrupted by Ctrl-C, or if rows that break a constraint are left out.
        """
        return self._fit(X, y)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_steps` more steps on these rows, from the present weights and optimisers.

        The first call is a `fit`. Later calls keep the schema of the first one. Between two calls,
        `set_params` may change parameters of a training run such as `n_steps` and `learning_rate`.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d)
            Rows with the columns of the first call. A category that the first call did not see
            counts as unknown. A number outside the range that the first call saw counts as the
            nearest end of that range.
        y : array-like of shape (n,), default=None
            As in `fit`.

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
            If X has categories that the first call did not see; see `handle_unknown`.
        """
        return self._fit(X, y, goes_on=True)

    def _read(self, X: Any, y: Any, anew: bool, **about: Any) -> pd.DataFrame:
        frame = read_fitted(self, X, anew)
        table, conditions = self._training_table(frame, y, anew)
        if not anew:
            table = read_known(self, table, self.schema_)
            rules = () if self._rules is None else self._rules.rules
            return self._expressed(self._kept(table, rules))
        table = self._kept(table, self.constraints or ())
        self.schema_ = self._infer_schema(table)
        self._condition_names = conditions
        self._n_rows = len(table)
        self._rules = None
        if self.constraints:
            keep = [*conditions, self._target_name]
            self._rules = Constraints.learn(self.constraints, table, self.schema_, keep)
        return self._expressed(table)

    def _kept(self, table: pd.DataFrame, rules: Sequence[Constraint]) -> pd.DataFrame:
        """Return the training rows that keep all rules, with a fresh index."""
        if not rules:
            return table
        kept, broken = kept_rows(rules, table, self.on_violation)
        if broken:
            warn(f"{int((~kept).sum())} training rows are left out: {broken}.")
            return table[kept].reset_index(drop=True)
        return table

    def _expressed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table that is learnt: rewritten by the constraints, if there are any."""
        return table if self._rules is None else self._rules.express(table)

    @property
    def _inner_schema(self) -> Schema:
        """Schema of the table that is learnt."""
        return self.schema_ if self._rules is None else self._rules.inner

    def _infer_schema(self, table: pd.DataFrame) -> Schema:
        forced = self._forced_categories(self._format.labels)
        learnt = [name for rule in self.constraints or () for name in rule.learnt()]
        if self._target_name is not None:
            learnt.append(self._target_name)
        with warnings.catch_warnings():
            for rule in self.constraints or ():
                for name in rule.keys():
                    told = re.escape(f"column {name!r} of X looks like an identifier")
                    warnings.filterwarnings("ignore", told)
            return Schema.infer(table, forced, learnt=learnt)

    def _make_core(self) -> TableCore:
        device = resolve_device(self.device)
        given, schema = self._condition_names, self._inner_schema
        made = [name for name in schema.names if name not in given]
        cut = self.plan.cut(self._n_rows)
        encoder = Encoder(
            schema.select(made),
            self.plan.numbers,
            max_categories=self.max_categories,
            rare=self.plan.rare,
            **cut,
        )
        conditions = ConditionModel(schema.select(given), self.max_categories)
        encoding = Encoding(encoder, conditions, self._n_rows, device)
        training = self._train_game(encoding, device)
        source = self._make_source(training.averaged, encoding)
        return TableCore(
            encoding,
            schema,
            training,
            source,
            self.acceptance_rounds,
            self._seed,
            self._make_scaling(training.averaged),
            self._rules,
        )

    def _learn(self, data: pd.DataFrame, streams: Streams, anew: bool) -> None:
        self._core.learn(data, streams, self.plan, self._run(), anew)

    def _get_values(self) -> dict[str, Any]:
        rules = None if self._rules is None else self._rules.to_dict()
        return super()._get_values() | {"rules": rules}

    def _set_values(self, values: dict[str, Any]) -> None:
        rules = values["rules"]
        self._rules = None if rules is None else Constraints.from_dict(rules, self.schema_)
        super()._set_values(values)

    # ------------------------------------------------------------------ reading and scoring rows

    def _encode_known(self, X: Any) -> EncodedTable:
        """Encode later rows on the device, without their conditions."""
        check_is_fitted(self)
        encoder = self._core.encoding.encoder
        frame = read_fitted(self, X, anew=False)
        made = [name for name in self.schema_.names if name not in self._condition_names]
        frame = self._expressed(read_known(self, frame, self.schema_.select(made)))
        return encoder.encode(frame[encoder.schema.names]).to(self._core.device)

    def score(self, X: Any, y: Any = None) -> float:
        """Score how hard it is to tell synthetic rows from real rows.

        The score is that of a classifier two-sample test by boosted trees, on at most 3,000 rows of
        each kind. It is quicker and coarser than `tabgan.evaluation.c2st`. A search over
        parameters, such as ``GridSearchCV``, maximises this score.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            Real rows. Rows that were not in `fit` give the more honest score.
        y : array-like of shape (n,), default=None
            Labels of the rows, if `fit` got labels.

        Returns
        -------
        float
            A number in [0, 1]. It is 1 if the trees cannot tell synthetic rows from real rows, and
            0 if they always can.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the columns or the kinds of values differ from those that `fit` got.
        """
        check_is_fitted(self)
        table, _ = self._training_table(read_fitted(self, X, anew=False), y, anew=False)
        table = self._expressed(read_known(self, table, self.schema_))
        core, rng = self._core, np.random.default_rng([self._seed, 2])
        real = core.encoding.encode(table, rng).to(core.device)
        return core.fidelity(real, Streams(rng, begin_stream(rng, core.device)))

    # ------------------------------------------------------------------ sampling

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
        rates: Mapping[Hashable, Mapping[Any, float]] | None = None,
        on_shortfall: Literal["raise", "partial"] = "raise",
        time_limit: float | None = None,
    ) -> Any:
        """Draw synthetic rows.

        Parameters
        ----------
        n_samples : int >= 1, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            Seed of the noise. With an int, a fitted model draws the same rows in each call. None
            continues the random stream that the estimator's own `random_state` began, so that each
            call draws other rows.
        conditions : dict, Series, table or array-like, default=None
            What columns of the synthetic rows must be. A dict, or a Series indexed by column, holds
            for all rows. A table with m rows gives m synthetic rows in the same order. An array of
            labels stands for conditions on ``y``. A condition is

            - a value, or a missing value;
            - a ``pandas.Interval`` for numbers, dates and durations, whose ends may be infinite;
            - a set or a list: one of its members, which may be of all kinds above;
            - ``tabgan.PRESENT``: any value that is not missing;
            - ``tabgan.ANY``: nothing. With it, the rows of a table may name different columns.

            `AutoregressiveSynthesizer` draws from its distribution given any conditions. In other
            classes, a condition on a column that the generator was not trained to be given is met
            by rejection: rows are drawn until enough of them meet the condition. A number that has
            no mass of its own then counts as met if it lies within 2 % of the training rows of the
            condition, and is set to the condition.
        rates : dict of column label to dict of condition to float, default=None
            Shares of the rows in which columns meet conditions, such as
            ``{"income": {">50K": 0.5}}``. Values that are not named share the rest at the model's
            rates. The other columns follow.
        on_shortfall : {"raise", "partial"}, default="raise"
            What happens if rejection finds too few rows. "raise" raises an error. "partial" warns,
            and returns the rows that were found; their index holds the positions of the
            conditions that they meet.
        time_limit : float > 0 or None, default=None
            Seconds after which rejection ends. None sets no limit besides the number of rows drawn.

        Returns
        -------
        table of shape (n_samples, d)
            The kind of table that `fit` got, with the same columns, order and dtypes, and a fresh
            index.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If `n_samples` is below one; if a condition names no column, holds an unknown category
            or a number out of range, or is met by too few rows; or if rates and conditions name one
            column, or rates of a column add up to more than 1.

        Warns
        -----
        UserWarning
            If rejection finds too few rows, with ``on_shortfall="partial"``.
        """
        check_is_fitted(self)
        check_n_samples(n_samples)
        check("on_shortfall", on_shortfall, choice("raise", "partial"))
        check("time_limit", time_limit, number(0, closed="neither") | NONE)
        streams = self._streams(random_state)
        asked = None
        if conditions is not None:
            asked = read_conditions(conditions, int(n_samples), self.schema_, self._target_name)
        effort = Effort(
            on_shortfall, time_limit, type(self).__name__, 0.0 if self.verbose else BAR_DELAY
        )
        rows = self._core.rows
        if rates is not None:
            n = int(n_samples) if asked is None else len(asked)
            asked = rows.at_rates(rates, n, asked, streams, effort)
        if asked is None:
            frame = rows.draw(int(n_samples), streams)
        else:
            frame = rows.draw_asked(asked, streams, effort)
        return self._format.restore(frame)
