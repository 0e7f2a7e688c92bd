"""The base of synthesizers of tables."""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted
from torch import nn

from tabgan.checks import (
    FLAG,
    NONE,
    ParameterError,
    Rule,
    choice,
    instance,
    integer,
    number,
    sequence_of,
)
from tabgan.constraints.base import Constraint
from tabgan.constraints.rules import Constraints, kept_rows
from tabgan.estimators.estimator import Estimator
from tabgan.estimators.reading import (
    known_parts,
    read_fitted,
    read_fitted_chunks,
    read_known,
)
from tabgan.estimators.restoring import LABELS
from tabgan.estimators.sampling import RowSampling
from tabgan.estimators.target import are_classes, refuse_rare_classes
from tabgan.generation.calibrated import Calibrated
from tabgan.generation.conditions import ConditionModel
from tabgan.generation.core import resolve_device
from tabgan.generation.encoding import Encoding
from tabgan.generation.source import RawRows, Source
from tabgan.generation.tables import TableCore
from tabgan.notices import warn
from tabgan.randomness import Streams, begin_stream
from tabgan.table.chunks import Chunks, is_chunked, some_rows
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.link_search import find_links
from tabgan.table.links import Links
from tabgan.table.privacy import PRIVACY, Privacy, Withheld, privacy_of, warn_of_too_few
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self

LINK_ROWS = 200_000
"""Most rows in which equations are looked for; of more rows, a random choice."""


class TableSynthesizer(RowSampling, Estimator):
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
    privacy : {"standard", "none"} or Privacy, default="standard"
        What is withheld of the training rows. With "standard", no category, no number, no interval
        and no end of a column that the model keeps, and no combination of conditions, rests on
        fewer than 5 rows: rare categories are left out or drawn afresh, ends of numbers are
        blunted. `fit` says once what concerns many rows. Classes of labels are kept, and nothing is
        withheld of fewer than 15 rows; `fit` says both. `tabgan.Privacy` sets each part, and
        refuses such labels and tables. "none" keeps everything. This is no differential privacy;
        see the guide on privacy.
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
    _links: Links | None = None
    _withheld: Withheld | None = None
    _saved: ClassVar[dict[str, Rule]] = {
        "_condition_names": LABELS,
        "_target_name": NONE | instance(Hashable, "a column label"),
    }
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
        "privacy": PRIVACY,
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
        privacy: str | Privacy = "standard",
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.validation_fraction = validation_fraction
        self.acceptance_rounds = acceptance_rounds
        self.constraints = constraints
        self.on_violation = on_violation
        self.privacy = privacy

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
        X : table, numeric array-like, path or chunks of shape (n, d), n >= 1
            A pandas, polars or Arrow table with columns of any kind, missing values included; or an
            array. A table that need not fit in memory is the path of a Parquet or CSV file, a
            ``pyarrow.dataset.Dataset``, a dask DataFrame, or chunks: DataFrames of the same columns
            in a list, from an iterator, or from a function without arguments. Such a table is read
            a part at a time, see the guide on large tables.
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
            a constraint, if constraints contradict each other, or if a parameter is out of range;
            if `privacy` is a `Privacy`, and there are too few rows or a class of `y` has too few;
            if a file cannot be read or chunks differ in their columns; or if there are labels or
            constraints beside a table that is read a part at a time.
        TypeError
            If X is not a table.
        FloatingPointError
            If a loss is no longer finite; a lower `learning_rate` helps.

        Warns
        -----
        UserWarning
            If synthetic rows are nearly all alike after training (mode collapse), if training was
            interrupted by Ctrl-C, if rows that break a constraint are left out, or if `privacy`
            withholds anything.
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

    def _read(self, X: Any, y: Any, anew: bool, **about: Any) -> pd.DataFrame | Chunks:
        if is_chunked(X):
            return self._read_chunks(X, y, anew)
        frame = read_fitted(self, X, anew)
        table, conditions = self._training_table(frame, y, anew)
        if not anew:
            table = read_known(self, table, self.schema_)
            rules = () if self._rules is None else self._rules.rules
            return self._expressed(self._kept(table, rules))
        table = self._kept(table, self.constraints or ())
        self._begin_withholding(table)
        self.schema_ = self._infer_schema(table)
        self._condition_names = conditions
        self._n_rows = len(table)
        self._rules = None
        if self.constraints:
            keep = [*conditions, self._target_name]
            self._rules = Constraints.learn(
                self.constraints, table, self.schema_, keep, self._withheld
            )
        self._find_links(table)
        return self._expressed(table)

    def _read_chunks(self, X: Any, y: Any, anew: bool) -> Chunks:
        """Open and check a table that is read a part at a time."""
        owner = type(self).__name__
        if y is not None:
            raise ParameterError(
                "y cannot be passed beside a table that is read a part at a time; make the labels "
                "a column of X, or load X, for example with pandas.read_parquet."
            )
        if self.constraints:
            raise ParameterError(
                "constraints are learnt from a whole table, and X is read a part at a time; fit on "
                "a random part of the rows in memory, or set constraints=None."
            )
        chunks = read_fitted_chunks(self, X, anew)
        table, conditions = self._training_table(chunks.head, None, anew)
        if not table.columns.equals(chunks.columns):
            raise ParameterError(f"{owner} cannot read X a part at a time; load X first.")
        if anew:
            self._begin_withholding(chunks)
            self.schema_ = self._infer_schema(chunks)
            self._condition_names = conditions
            self._n_rows = len(chunks)
            self._rules = None
            self._find_links(chunks)
        else:
            chunks = chunks.with_step(known_parts(self, self.schema_))
        return chunks if self._links is None else chunks.with_step(self._expressed)

    def _begin_withholding(self, table: pd.DataFrame | Chunks) -> None:
        """Prepare what `privacy` asks for; parts of one's own refuse classes of too few rows.

        A class that were left out would change what a label can be, without a word of the user's.
        """
        privacy = privacy_of(self.privacy, len(table))
        self._withheld = None
        if privacy is None:
            if self.privacy != "none":
                warn_of_too_few(len(table))
            return
        kept, label = None, self._target_name
        if label is not None and not isinstance(table, Chunks) and are_classes(table[label]):
            if isinstance(self.privacy, Privacy):
                refuse_rare_classes(table[label], privacy.min_rows)
            else:
                kept = label
        self._withheld = Withheld(privacy, len(table), kept)

    def _find_links(self, table: pd.DataFrame | Chunks) -> None:
        """Find the equations of a table, on random rows of one with many."""
        self._links = None
        if self._plan.finds_links:
            schema = self._inner_schema
            cut = self._plan.cut(self._n_rows, schema.n_numeric)
            encoder = Encoder(schema, self._plan.numbers, rare=self._plan.rare, **cut)
            some = self._expressed(some_rows(table, LINK_ROWS))
            self._links = find_links(some, encoder, self._withheld)

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
        """Return the table that is learnt: rewritten by constraints, and with switches of links."""
        table = table if self._rules is None else self._rules.express(table)
        return table if self._links is None else self._links.express(table)

    @property
    def _inner_schema(self) -> Schema:
        """Schema of the table that is learnt."""
        if self._links is not None:
            return self._links.inner
        return self.schema_ if self._rules is None else self._rules.inner

    def _infer_schema(self, table: Any) -> Schema:
        forced = self._forced_categories(self._format.labels)
        learnt = [name for rule in self.constraints or () for name in rule.learnt()]
        if self._target_name is not None:
            learnt.append(self._target_name)
        with warnings.catch_warnings():
            for rule in self.constraints or ():
                for name in rule.keys():
                    told = re.escape(f"column {name!r} of X looks like an identifier")
                    warnings.filterwarnings("ignore", told)
            return Schema.infer(table, forced, learnt=learnt, withheld=self._withheld)

    def _make_core(self) -> TableCore:
        device = resolve_device(self.device)
        given, schema = self._condition_names, self._inner_schema
        made = [name for name in schema.names if name not in given]
        cut = self._plan.cut(self._n_rows, schema.n_numeric)
        encoder = Encoder(
            schema.select(made),
            self._plan.numbers,
            max_categories=self.max_categories,
            rare=self._plan.rare,
            **cut,
        )
        privacy = privacy_of(self.privacy, self._n_rows)
        conditions = ConditionModel(
            schema.select(given), self.max_categories, 1 if privacy is None else privacy.min_rows
        )
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
            self._links,
        )

    def _learn(self, data: pd.DataFrame | Chunks, streams: Streams, anew: bool) -> None:
        self._core.learn(data, streams, self._plan, self._run(), anew)
        if self._withheld is not None:
            self._withheld.n_combinations = self._core.encoding.conditions.n_recombined
            self._withheld.warn()
            self._withheld = None

    def _get_values(self) -> dict[str, Any]:
        rules = None if self._rules is None else self._rules.to_dict()
        links = None if self._links is None else self._links.to_dict()
        return super()._get_values() | {"rules": rules, "links": links}

    def _set_values(self, values: dict[str, Any]) -> None:
        rules = values["rules"]
        self._rules = None if rules is None else Constraints.from_dict(rules, self.schema_)
        links, self._links = values["links"], None
        self._links = None if links is None else Links.from_dict(links, self._inner_schema)
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
