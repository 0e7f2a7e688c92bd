"""Synthesizers of rows: what every system that makes tables shares."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.game import Game
from tabgan.adversarial.training import TrainingSet, fast_matmul
from tabgan.adversarial.validation import Validation
from tabgan.estimators.acceptance import MAX_REAL_ROWS, POOL_SIZE, Acceptance
from tabgan.estimators.conditioned import ConditionedEstimator
from tabgan.estimators.conditioning import MadeRows, equal_wishes, fulfil
from tabgan.estimators.estimator import begin_stream
from tabgan.estimators.inputs import check_integer, check_table, table_like
from tabgan.estimators.judging import MAX_ROWS, RowJudge, Rows
from tabgan.table.conditions import as_frame, encode_wish
from tabgan.table.encoder import EncodedTable
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self

CHUNK = 16_384
"""Rows generated at once."""

MAX_HELD_OUT = 10_000
"""Rows held out for validation at most."""

MAX_DRAWS = 50
"""Times that a rejected row is made anew before it is kept as it is."""

MAX_EPOCHS = 300
"""Passes over the table by default, at most, a batch a step: more, and few rows are remembered."""

FEWEST_BINS, ROWS_PER_BIN = 8, 10
"""Bins of a number, and rows in a bin, at least: none is to tell a single row."""

COLLAPSED = 0.05
"""Made rows of fewer different kinds than this share of the real ones' mean a collapse."""


class TableSynthesizer(ConditionedEstimator):
    """Learns a table and makes rows like it; the base of every system.

    Parameters
    ----------
    n_steps : int or None, default=None
        As in `AdversarialEstimator`; but without early stopping None makes at most 300 passes over
        the rows, counting one batch a step, so fewer steps on small tables. A player that moves
        five times a step makes five times as many.
    early_stopping : bool, default=False
        Whether to hold rows out, to record twenty times and more a run how good made rows are
        beside them, to stop when that no longer improves, and to keep the best weights.
    n_iter_no_change : int, default=5
        Looks at the held-out rows without improvement after which training stops.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows held out for early stopping, 10,000 at most.
    acceptance_rounds : int, default=0
        Rounds in which boosted trees learn after training to tell made rows from real ones. Made
        rows are then kept with a probability in proportion to how real the trees find them [1]_;
        rounds that bring nothing on held-out rows are dropped. More faithful rows, at the cost of
        those made in vain; 0 keeps every row.
    **shared
        See `AdversarialEstimator`.

    Attributes
    ----------
    schema_ : Schema
        What each column is.

    References
    ----------
    .. [1] Azadi et al. (2019), "Discriminator Rejection Sampling", arXiv 1810.06758.
    """

    _max_bins: ClassVar[int] = 64
    _tensor_holders = (*ConditionedEstimator._tensor_holders, "_acceptance", "_judge")
    _validation_name: ClassVar[str] = "fidelity"
    _n_looks: ClassVar[int] = 20
    _steps_per_look: ClassVar[int] = 1
    _rate_cuts: ClassVar[int] = 0

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
        return self._fit(X, y, reset=self._starts_anew())

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
        self._make_ready(reset)
        frame = check_table(self, X, reset=reset)
        table, conditions = self._training_table(frame, y, reset)
        if reset:
            self.schema_ = self._infer_schema(table)
            self._condition_names = conditions
            self._n_rows = len(table)
            self._begin()
        rng, noise = self._training_streams()
        rows = self._encode(table, rng)
        if reset:
            self._conditions.learn(rows.given)
        if self._layout.width and self._n_steps:
            self._learn(rows.to(self._device), noise, rng)
        return self

    def _encode(self, table: pd.DataFrame, rng: np.random.Generator) -> Rows:
        """Encode a table and its conditions."""
        made = self._encoder.encode(table[self._encoder.schema.names], rng)
        return Rows(made, self._conditions.encode(table, rng))

    def _encode_seen(self, X: Any) -> EncodedTable:
        """Encode rows to look at, on the device, without their conditions."""
        check_is_fitted(self)
        frame = check_table(self, X, reset=False)
        return self._encoder.encode(frame[self._encoder.schema.names]).to(self._device)

    def _cut(self, n_rows: int) -> dict[str, int]:
        """Say how finely numbers are cut, as `Encoder` takes it."""
        return {"n_bins": int(np.clip(n_rows // ROWS_PER_BIN, FEWEST_BINS, self._max_bins))}

    def _learn(self, real: Rows, noise: torch.Generator, rng: np.random.Generator) -> None:
        """Train, and learn all that makes rows truer after training."""
        self._acceptance.clear()
        seen, validation = real, None
        if self.early_stopping and real.n > 1:
            order = torch.from_numpy(rng.permutation(real.n))
            n_held = int(np.ceil(self.validation_fraction * real.n))
            n_held = min(n_held, real.n - 1, MAX_HELD_OUT)
            seen, validation = (
                real.take(order[n_held:]),
                self._validation(real.take(order[:n_held])),
            )
        n_steps = self._n_steps
        if self.n_steps is None and validation is None:
            n_steps = min(n_steps, MAX_EPOCHS * seen.n // min(self.batch_size, seen.n))
        layouts = (self._layout, self._conditions.encoder.layout)
        data = TrainingSet(seen.made, layouts[0], seen.given, layouts[1])
        self._train(data, noise, n_steps, validation)
        self._calibrate(real, noise, rng)
        if self.acceptance_rounds:
            self._learn_acceptance(real.some(MAX_REAL_ROWS, rng), noise, rng)
        self._warn_of_collapse(real.some(MAX_ROWS, rng), noise, rng)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_integer("n_iter_no_change", self.n_iter_no_change)
        check_integer("acceptance_rounds", self.acceptance_rounds, 0)
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must lie between 0 and 1, got {self.validation_fraction!r}."
            )

    def _validation(self, held: Rows) -> Validation:
        """Say how weights are judged by rows that they did not learn from."""
        every = max(self._steps_per_look, self._n_steps // self._n_looks)
        score = self._held_out_score(held)
        return Validation(
            self._validation_name, score, every, self.n_iter_no_change, self._rate_cuts
        )

    def _held_out_score(self, held: Rows) -> Callable[[Game], float]:
        """Judge by how hard made rows are to tell from those held out."""
        rng = np.random.default_rng([self._seed, self._training.step, 1])
        noise = begin_stream(rng, self._device)

        def fidelity(_: Game) -> float:
            self._calibrate(held, noise, rng)
            return self._fidelity(held, noise, rng)

        return fidelity

    def _fidelity(self, real: Rows, noise: torch.Generator, rng: np.random.Generator) -> float:
        """Score how hard rows made now are to tell from real ones."""
        some = real.some(MAX_ROWS, rng)
        made = self._draw_rows(self._conditions.draw(some.n, rng), noise)
        return self._judge.score(some, made, self._seed % 2**31)

    def _learn_acceptance(
        self, real: Rows, noise: torch.Generator, rng: np.random.Generator
    ) -> None:
        given = self._conditions.draw(POOL_SIZE * real.n, rng).to(self._device)
        pool = Rows(self._draw(given, noise), given)
        self._acceptance.fit(self._judge.features(real), self._judge.features(pool), rng)

    def _warn_of_collapse(
        self, real: Rows, noise: torch.Generator, rng: np.random.Generator
    ) -> None:
        made = self._draw_rows(self._conditions.draw(real.n, rng), noise)
        n_made, n_real = self._judge.n_kinds(made), self._judge.n_kinds(real)
        if n_made < COLLAPSED * n_real:
            warnings.warn(
                f"{type(self).__name__} has collapsed: {real.n} rows that it makes are of {n_made} "
                f"kinds, as many real ones of {n_real}. Try early_stopping=True, a lower "
                "learning_rate, or techniques=[RelativisticPairing(), R1(), R2()].",
                UserWarning,
                stacklevel=5,
            )

    def _build(self) -> None:
        given = self._condition_names
        made = [name for name in self.schema_.names if name not in given]
        cut = self._cut(self._n_rows)
        self._set_up(self.schema_.select(made), self.schema_.select(given), **cut)
        self._judge = RowJudge(self._encoder, self._conditions.encoder)
        self._acceptance = Acceptance(self.acceptance_rounds).to(self._device)

    @torch.no_grad()
    def _generate(self, condition: Tensor, noise: torch.Generator) -> Tensor:
        """Make raw rows, one per row of conditions, some thousands at a time."""
        with fast_matmul():
            return torch.cat([self._game.generate(part, noise) for part in condition.split(CHUNK)])

    def _draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Make one encoded row for each condition."""
        condition = self._conditions.encoder.layout.expand(*given)
        return self._calibration.draw(self._layout, self._generate(condition, noise), noise)

    def _draw_rows(self, given: EncodedTable, noise: torch.Generator) -> Rows:
        """Make one encoded row for each condition that is not rejected, and put both together."""
        given = given.to(self._device)
        rows = Rows(self._draw(given, noise), given)
        if not self._acceptance.is_active:
            return rows
        waiting = torch.arange(len(given), device=self._device)
        candidates = rows
        for _ in range(MAX_DRAWS):
            accepted = self._acceptance.accept(self._judge.features(candidates), noise)
            taken = waiting[accepted]
            rows.made.codes[taken] = candidates.made.codes[accepted]
            rows.made.scalars[taken] = candidates.made.scalars[accepted]
            waiting = waiting[~accepted]
            if not len(waiting):
                break
            told = given.rows(waiting)
            candidates = Rows(self._draw(told, noise), told)
        return rows

    def _calibrate(self, real: Rows, noise: torch.Generator, rng: np.random.Generator) -> None:
        # Rates need be no truer than the training rows know them; wide rows must fit in memory.
        n = max(256, min(20_000, 2_000 + 10 * real.n, 20_000_000 // self._layout.width))
        given = self._conditions.draw(n, rng).to(self._device)
        condition = self._conditions.encoder.layout.expand(*given)
        raw = self._generate(condition, noise)
        self._calibration.fit(self._layout, self._encoder.masses, raw, noise)

    # ------------------------------------------------------------------ judging

    def score(self, X: Any, y: Any = None) -> float:
        """Score how hard rows made now are to tell from rows not seen in training.

        A classifier two-sample test on 3,000 rows at most, quicker and coarser than
        `tabgan.evaluation.c2st`; what a search over parameters should maximise.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, d)
            Real rows, best ones that were not in `fit`.
        y : array-like of shape (n,), default=None
            What `fit` got.

        Returns
        -------
        float
            In [0, 1], higher is better: 1 where trees cannot tell, 0 where they always can.
        """
        check_is_fitted(self)
        table, _ = self._training_table(check_table(self, X, reset=False), y, reset=False)
        rng = np.random.default_rng([self._seed, 2])
        real = self._encode(table, rng).to(self._device)
        return self._fidelity(real, begin_stream(rng, self._device), rng)

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
        table = self._draw_rows(given, noise).made
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
        return super()._modules() | {"acceptance": self._acceptance}

    def _get_values(self) -> dict[str, Any]:
        names = ("_input_dtype", "_input_labels", "_condition_names", "_n_rows")
        return super()._get_values() | {name: getattr(self, name) for name in names}
