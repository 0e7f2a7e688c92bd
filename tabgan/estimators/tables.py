"""Synthesizers of rows: what every system that makes tables shares."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from tabgan.checks import FLAG, Rule, integer, number
from tabgan.estimators.estimator import Estimator
from tabgan.estimators.reading import (
    check_n_samples,
    read_conditions,
    read_fitted,
    read_known,
)
from tabgan.generation.calibrated import Calibrated
from tabgan.generation.conditions import ConditionModel
from tabgan.generation.encoding import Encoding
from tabgan.generation.source import RawRows, Source
from tabgan.generation.tables import TableCore
from tabgan.randomness import Streams, begin_stream
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self


class TableSynthesizer(Estimator):
    """Learns a table and makes rows like it; the base of every system.

    Parameters
    ----------
    n_steps : int or None, default=None
        Training steps; in each, every player moves. None takes the number of the class's `plan`,
        and without early stopping at most 300 passes over the rows, counting one batch a step: so
        fewer steps on small tables. A player that moves five times a step makes five times as many
        passes.
    early_stopping : bool, default=False
        Whether to hold rows out, to record twenty times and more a run how good synthetic rows are
        beside them, to stop when that no longer improves, and to keep the best weights.
    n_iter_no_change : int, default=5
        Looks at the held-out rows without improvement after which training stops.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows held out for early stopping, 10,000 at most.
    acceptance_rounds : int, default=0
        Rounds in which boosted trees learn after training to tell synthetic rows from real ones.
        Synthetic rows are then kept with a probability in proportion to how real the trees find
        them (Azadi et al., 2019, "Discriminator Rejection Sampling", arXiv 1810.06758); rounds
        that bring nothing on held-out rows are dropped. More faithful rows, at the cost of those
        drawn in vain; 0 keeps every row.
    **shared
        See `Estimator`.

    Attributes
    ----------
    schema_ : Schema
        What each column is.
    """

    _saved: ClassVar[tuple[str, ...]] = ("_condition_names", "_n_rows", "_target_name")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "early_stopping": FLAG,
        "n_iter_no_change": integer(1),
        "validation_fraction": number(0, 1, "neither"),
        "acceptance_rounds": integer(0),
    }
    _core: TableCore

    def __init__(
        self,
        *,
        early_stopping: bool = False,
        n_iter_no_change: int = 5,
        validation_fraction: float = 0.1,
        acceptance_rounds: int = 0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.validation_fraction = validation_fraction
        self.acceptance_rounds = acceptance_rounds

    # ------------------------------------------------------------------ what a system is

    def _training_table(
        self, table: pd.DataFrame, y: Any, anew: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        """Return the table to learn, and which of its columns are conditions."""
        self._target_name: Hashable | None = None
        return table, []

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        """Say what draws rows, before any is rejected."""
        return Calibrated(RawRows(game, encoding))

    # ------------------------------------------------------------------ training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn a table.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d), n >= 1
            A pandas, polars or Arrow table with any kinds of columns, missing values included, or
            an array.
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
        TypeError
            X is no table.
        """
        return self._fit(X, y)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_steps` steps more, on these rows, with weights and optimisers as they are.

        The first call is a `fit`. Later ones keep the schema: categories not seen before count as
        unknown, numbers out of range as the nearest in it.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d)
        y : array-like of shape (n,), default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Other columns than in `fit`, values of another kind, or a parameter that shapes the
            networks and was changed since.

        Warns
        -----
        UserWarning
            Categories that were not seen by the first call; see `handle_unknown`.
        """
        return self._fit(X, y, goes_on=True)

    def _read(self, X: Any, y: Any, anew: bool, **about: Any) -> pd.DataFrame:
        frame = read_fitted(self, X, anew)
        table, conditions = self._training_table(frame, y, anew)
        if anew:
            self.schema_ = self._infer_schema(table)
            self._condition_names = conditions
            self._n_rows = len(table)
            return table
        return read_known(self, table, self.schema_)

    def _infer_schema(self, table: pd.DataFrame) -> Schema:
        forced = self._forced_categories(self._format.labels)
        labels = [] if self._target_name is None else [self._target_name]
        return Schema.infer(table, forced, learnt=labels)

    def _make_core(self) -> TableCore:
        device = self._device_to_build_on()
        given = self._condition_names
        made = [name for name in self.schema_.names if name not in given]
        cut = self.plan.cut(self._n_rows)
        encoder = Encoder(
            self.schema_.select(made),
            self.plan.numbers,
            max_categories=self.max_categories,
            **cut,
        )
        conditions = ConditionModel(self.schema_.select(given), self.max_categories)
        encoding = Encoding(encoder, conditions, self._n_rows, device)
        training = self._train_game(encoding, device)
        source = self._make_source(training.averaged, encoding)
        return TableCore(
            encoding, self.schema_, training, source, self.acceptance_rounds, self._seed
        )

    def _learn(self, data: pd.DataFrame, streams: Streams, anew: bool) -> None:
        self._core.learn(data, streams, self.plan, self._run(), anew)

    # ------------------------------------------------------------------ looking at rows

    def _encode_known(self, X: Any) -> EncodedTable:
        """Encode rows to look at, on the device, without their conditions."""
        check_is_fitted(self)
        encoder = self._core.encoding.encoder
        frame = read_known(self, read_fitted(self, X, anew=False), encoder.schema)
        return encoder.encode(frame[encoder.schema.names]).to(self._core.device)

    def score(self, X: Any, y: Any = None) -> float:
        """Score how hard rows drawn now are to tell from rows not seen in training.

        A classifier two-sample test on 3,000 rows at most, quicker and coarser than
        `tabgan.evaluation.c2st`; what a search over parameters should maximise.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            Real rows, best ones that were not in `fit`.
        y : array-like of shape (n,), default=None
            What `fit` got.

        Returns
        -------
        float
            In [0, 1], higher is better: 1 where trees cannot tell, 0 where they always can.
        """
        check_is_fitted(self)
        table, _ = self._training_table(read_fitted(self, X, anew=False), y, anew=False)
        table = read_known(self, table, self.schema_)
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
    ) -> Any:
        """Make rows.

        Parameters
        ----------
        n_samples : int >= 1, default=1
            Rows to make.
        random_state : int, RandomState or None, default=None
            None goes on with the stream that the estimator's own `random_state` began.
        conditions : dict, Series, table or array-like, default=None
            What columns are to be: values, missing values, or ``pandas.Interval`` for numbers and
            dates. A dict, or a Series indexed by column, holds for all rows; a table of m rows
            makes m rows, in its order; an array of labels asks for those of ``y``. Columns that the
            model was not trained to be given are met by drawing rows until enough are right. A
            number without mass of its own counts as met within 2 % of the training rows, and then
            is set to what was asked.

        Returns
        -------
        table of shape (n_samples, d)
            Of the kind that `fit` got, with its columns, order and dtypes, and a fresh index.

        Raises
        ------
        ValueError
            `n_samples` below one; a condition that names no column, an unknown category, a number
            out of range, or a combination of which too few rows can be drawn.
        """
        check_is_fitted(self)
        check_n_samples(n_samples)
        streams = self._streams(random_state)
        if conditions is None:
            frame = self._core.rows.draw(int(n_samples), streams)
        else:
            asked = read_conditions(conditions, int(n_samples), self.schema_, self._target_name)
            progress = type(self).__name__ if self.verbose else None
            frame = self._core.rows.draw_asked(asked, streams, progress)
        return self._format.restore(frame)
