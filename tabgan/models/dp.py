"""A mixture of products that agrees with noisy marginals: differential privacy, end to end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.plan import Plan
from tabgan.checks import NONE, ParameterError, Rule, integer, listed, number, short
from tabgan.estimators.reading import read_fitted
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.generation.mixture_rows import MixtureRows
from tabgan.generation.source import Source
from tabgan.networks.mixtures import ProductMixture
from tabgan.notices import warn
from tabgan.private.accounting import gaussian_sigma, rho_of
from tabgan.private.answers import Answers
from tabgan.private.columns import check_told, describe, public_columns
from tabgan.private.curator import Budget, Curator, NoisyCounts, Places, Spent, total_epsilon
from tabgan.private.noise import Noise
from tabgan.randomness import Streams
from tabgan.table.agreement import check_kinds
from tabgan.table.chunks import is_chunked
from tabgan.table.columns import CategoricalColumn
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout
from tabgan.table.schema import Header, Schema

if TYPE_CHECKING:
    from typing_extensions import Self

SINGLE_SHARE = 0.1
"""Share of the budget for the levels of single columns, once they are described."""

SELECTION_SHARE = 0.1
"""Share of the cost of a pair that selects the pair; the rest counts it."""

PICKS_PER_COLUMN = 16
"""Pairs that the budget would last for, for each column, were the noise never lowered."""

COLUMNS_PER_PICK = 3
"""Columns for which a round counts one pair."""

STEPS_SHARE = 16
"""Steps that are left, for one that is made after a round; the last ones train on all answers."""

INDEPENDENCE = 0.02
"""Weight of a nat of dependence between the columns, for each row, beside the squared errors of
counts in units of their variances."""

N_COMPARED = 64
"""Components drawn in each step to estimate how much columns depend on each other."""

NAMING_SHARE = 0.1
"""Share of delta for the naming of categories."""


def _is_told(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, Hashable) and isinstance(each, Sequence) and not isinstance(each, str)
        for name, each in value.items()
    )


BOUNDS = Rule(
    "a dict of column labels and pairs (low, high)",
    lambda value: _is_told(value) and all(len(each) == 2 for each in value.values()),
)

CATEGORIES = Rule(
    "a dict of column labels and lists of categories",
    lambda value: _is_told(value) and all(len(each) > 0 for each in value.values()),
)


STEPS = Rule("a dict of column labels and steps", lambda value: isinstance(value, Mapping))


class MarginalGame(Game):
    """A mixture of products that is to agree with noisy counts.

    Parameters
    ----------
    mixture : ProductMixture
    """

    wanted_levels: Tensor
    weight_levels: Tensor
    wanted_pairs: Tensor
    weight_pairs: Tensor

    def __init__(self, mixture: ProductMixture) -> None:
        super().__init__()
        self.mixture, self.independence = mixture, 0.0
        for name, shape in (("levels", (1,)), ("pairs", (1, 1))):
            # What is wanted and how much it weighs; nothing before the first answer.
            self.register_buffer(f"wanted_{name}", torch.zeros(shape), persistent=False)
            self.register_buffer(f"weight_{name}", torch.zeros(shape), persistent=False)

    def ask(self, answers: Answers, total: float) -> None:
        """Take answers to agree with.

        Parameters
        ----------
        answers : Answers
        total : float
            Number of rows, as estimated.
        """
        device = self.mixture.levels.device
        asked = {"levels": answers.of_levels(), "pairs": answers.of_pairs()}
        n_cells = sum(int((precision > 0).sum()) for _, precision in asked.values())
        self.independence = INDEPENDENCE * total / max(1, n_cells)
        for name, (counts, precision) in asked.items():
            known = precision > 0
            # Beside the noise, a count of rows varies by about its square root.
            variance = 1.0 / np.where(known, precision, 1.0) + np.maximum(counts, 1.0)
            weight = known * total**2 / variance / max(1, n_cells)
            for kind, values in (("wanted", counts / total), ("weight", weight)):
                setattr(self, f"{kind}_{name}", torch.from_numpy(values).float().to(device))

    def players(self) -> tuple[Player, ...]:
        """Return the one player."""
        return (Player("generator", (self.mixture,), self.loss),)

    def marginals(self) -> tuple[Tensor, Tensor]:
        """Return probabilities of levels, (width,), and of pairs of levels, (width, width)."""
        shares, levels = self.mixture.log_shares().exp(), self.mixture.log_levels().exp()
        weighted = shares[:, None] * levels
        return weighted.sum(dim=0), weighted.T @ levels

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error of counts, in units of variances, and a penalty.

        Many mixtures agree with the counts about as well. The penalty, a bound on the total
        correlation of the columns, prefers those that add little to what was counted.
        """
        single, pairs = self.marginals()
        error = (self.weight_levels * (single - self.wanted_levels).square()).sum()
        error = error + (self.weight_pairs * (pairs - self.wanted_pairs).square()).sum()
        drawn = self.mixture.draw(N_COMPARED, batch.rng)
        return error + self.independence * self.mixture.dependence(drawn)

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Generate log-probabilities of levels, each row from a component drawn at random."""
        shares = self.mixture.log_shares().exp()
        component = torch.multinomial(shares, len(condition), True, generator=rng)
        return self.mixture.log_levels()[component]


class NoRows:
    """Batches without rows: training reads answers alone.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches of one empty row without end."""
        device = self.layout.offsets.device
        codes = torch.full((1, self.layout.n_blocks), -1, device=device)
        table = EncodedTable(codes, torch.zeros(1, 0, device=device))
        none = EncodedTable(codes[:, :0], table.scalars)
        while True:
            yield Batch(table, self.layout.expand(*table), table.scalars, none, rng)


class DPSynthesizer(TableSynthesizer):
    """Synthetic rows with a guarantee: differential privacy [1]_ of the whole fit.

    Whatever somebody learns from the fitted model, from its file and from its synthetic rows, would
    have been learnt nearly as likely had any one row not been in the table. How nearly, `epsilon`
    and `delta` say. The guarantee covers everything that `fit` keeps, the schema included: nothing
    leaves the rows but noisy answers.

    `fit` spends the budget in three parts. It describes each column: the range and the frequent
    values of numbers, and the categories. It counts the levels of each column. Then it looks, round
    after round, for the pairs of columns that the model predicts worst, and counts those [2]_. The
    model is a mixture of products of softmax blocks, which is trained to agree with all noisy
    counts [3]_, and to hold as little dependence between columns as agrees with them [4]_.

    Parameters
    ----------
    epsilon : float > 0, default=1.0
        How much more likely any one row may make any outcome, by a factor of ``exp(epsilon)`` at
        most. With 1 the protection is strong, with 10 it is weak.
    delta : float in (0, 1), default=1e-6
        Probability with which `epsilon` need not hold. It should be far below one over the number
        of rows. The default is fixed, because the number of rows is private too.
    bounds : dict of column label to (low, high) or None, default=None
        Ends of numbers, dates and durations that are known without a look at the rows. Values
        beyond are taken for the ends. For other columns `fit` looks for the range, at a cost.
    categories : dict of column label to list or None, default=None
        Categories of columns that are known without a look at the rows; values of other columns
        that are named here count as categories too. Other values are passed over. For other columns
        of categories `fit` names the categories that many rows share.
    steps : dict of column label to number or duration, or None, default=None
        Steps of columns that are known without a look at the rows, such as 0.01 for prices and "1D"
        for dates. Other floats are not rounded, and other dates have the precision of their dtype.
    schema_share : float in (0, 1), default=0.2
        Share of the budget for the description of columns.
    n_bins : int >= 2, default=32
        Intervals of a numeric column that are aimed for.
    hidden_dim : int >= 1, default=512
        Number of components of the mixture.
    n_steps : int >= 0 or None, default=None
        Number of training steps of all rounds together. None takes 1,000.
    learning_rate : float > 0, default=0.05
    warm_start : bool, default=False
        Whether a second `fit` goes on with training on the answers of the first one, as
        `partial_fit` does. Its rows are not read, and nothing more is spent. By default a second
        `fit` starts anew and spends another budget.
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the noisy distribution of each column.
    privacy_ : DataFrame
        The ledger: every mechanism that looked at rows, what it was asked, and its cost.
    epsilon_, delta_, rho_ : float
        What the fit has spent.

    References
    ----------
    .. [1] Dwork et al. (2006), "Calibrating Noise to Sensitivity in Private Data Analysis".
    .. [2] McKenna et al. (2022), "AIM: An Adaptive and Iterative Mechanism for Differentially
       Private Synthetic Data", arXiv 2201.12677.
    .. [3] Liu, Vietri and Wu (2021), "Iterative Methods for Private Synthetic Data: Unifying
       Framework and New Methods", arXiv 2106.07153; Aydore et al. (2021), "Differentially Private
       Query Release Through Adaptive Projection", arXiv 2103.06641.
    .. [4] Kolchinsky and Tracey (2017), "Estimating Mixture Entropy with Pairwise Distances", arXiv
       1706.02419.

    Examples
    --------
    >>> from tabgan import DPSynthesizer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(2000, random_state=0)
    >>> model = DPSynthesizer(epsilon=3.0, n_steps=20, random_state=0).fit(table)
    >>> model.sample(3).shape
    (3, 10)
    """

    plan = Plan(
        n_steps=1000,
        betas=(0.9, 0.99),
        averaging=0.9,
        numbers="segments",
    )
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "epsilon": number(1e-6),
        "delta": number(0, 1, "neither"),
        "bounds": BOUNDS | NONE,
        "categories": CATEGORIES | NONE,
        "steps": STEPS | NONE,
        "schema_share": number(0, 1, "neither"),
        "n_bins": integer(2),
    }
    _omits: ClassVar[tuple[str, ...]] = (
        ("batch_size", "early_stopping", "n_iter_no_change", "validation_fraction")
        + ("acceptance_rounds", "privacy", "checkpoint", "checkpoint_every", "distributed")
        + ("constraints", "on_violation")
    )
    _spent: list[Spent]
    _answers: Answers | None

    def __init__(
        self,
        *,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        bounds: Mapping[Hashable, Sequence[Any]] | None = None,
        categories: Mapping[Hashable, Sequence[Any]] | None = None,
        steps: Mapping[Hashable, Any] | None = None,
        schema_share: float = 0.2,
        n_bins: int = 32,
        learning_rate: float = 0.05,
        hidden_dim: int = 512,
        **shared: Any,
    ) -> None:
        # What few rows share is counted without noise where `privacy` withholds it.
        super().__init__(
            learning_rate=learning_rate, hidden_dim=hidden_dim, privacy="none", **shared
        )
        self.epsilon = epsilon
        self.delta = delta
        self.bounds = bounds
        self.categories = categories
        self.steps = steps
        self.schema_share = schema_share
        self.n_bins = n_bins

    # ------------------------------------------------------------------ reading

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn a table, and spend the budget on it.

        Parameters
        ----------
        X : table or array-like of shape (n, d), n >= 1
            A pandas, polars or Arrow table, or an array. Missing and infinite values are no errors:
            infinite ones count as the ends of their column.
        y : array-like of shape (n,), default=None
            Ignored.

        Returns
        -------
        self
            The fitted synthesizer.

        Raises
        ------
        ValueError
            If X has no rows, no columns or two columns of one name, if what is told of columns
            cannot be true of them, if a parameter is out of range, or if X is read a part at a
            time.
        TypeError
            If X is not a table.

        Warns
        -----
        UserWarning
            If no value of a column is common enough to be named, or if training was interrupted by
            Ctrl-C.
        """
        return super().fit(X, y)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_steps` more steps on the answers of the first fit.

        The first call is a `fit`. Later calls read no row of X, because a look at rows would have
        to be paid for: X must have the columns of the first call, and nothing is learnt from it.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
        y : array-like of shape (n,), default=None
            Ignored.

        Returns
        -------
        self
            The fitted synthesizer.

        Raises
        ------
        ValueError
            If the columns or the kinds of values differ from those of the first call, or if a
            parameter that shapes the model was changed since.
        """
        return super().partial_fit(X, y)

    def _read(self, X: Any, y: Any, anew: bool, **about: Any) -> Curator | None:
        if is_chunked(X):
            raise ParameterError(
                "X is read a part at a time, and DPSynthesizer needs it whole; load it, for "
                "example with pandas.read_parquet."
            )
        n_rows = getattr(self, "_n_rows", 0)
        frame = read_fitted(self, X, anew)
        # The true number of rows is not to be kept, not even by a fit that fails.
        self._n_rows = 1 if anew else n_rows
        if not anew:
            # A look at these rows would have to be paid for.
            check_kinds(self.schema_, frame)
            return None
        bounds, categories, steps = self.bounds or {}, self.categories or {}, self.steps or {}
        check_told(frame, bounds, categories, steps)
        forced = self._forced_categories(self._format.labels)
        columns = public_columns(frame, bounds, categories, steps, forced)
        naming = [each for each in columns if not each.is_numeric and each.categories is None]
        delta = NAMING_SHARE * self.delta if naming else 0.0
        budget = Budget(rho_of(self.epsilon, self.delta - delta), delta)
        curator = Curator(frame, budget, Noise())
        of_each = delta / max(1, len(naming))
        described = []
        for each in columns:
            # Categories are counted once, and numbers twice: when they are cut and afterwards.
            share = self.schema_share + (0.0 if each.is_numeric else SINGLE_SHARE)
            rho = share * budget.rho / len(columns)
            described.append(describe(each, curator, rho, of_each, self.n_bins))
        self.schema_ = Schema(tuple(each.column for each in described), Header.of(frame.columns))
        self._counted = [each.counts for each in described]
        self._condition_names: list[Hashable] = []
        self._target_name = None
        self._rules = self._links = None
        self._spent = budget.ledger
        self._answers = None
        return curator

    def _warn_of_nameless(self, counted: Sequence[NoisyCounts | None]) -> None:
        """Warn of columns that come out missing, though not because they were missing."""
        names = [
            column.name
            for column, counts in zip(self.schema_.columns, counted, strict=True)
            if isinstance(column, CategoricalColumn)
            and not column.categories
            and (counts is None or counts.values.sum() < 0.9 * self._n_rows)
        ]
        if names:
            warn(
                f"no category of {listed(names)} is common enough to be named with epsilon="
                f"{self.epsilon:g}, and the values come out missing; name them in categories, or "
                "leave the column out."
            )

    # ------------------------------------------------------------------ learning

    def _make_game(self, encoding: Encoding) -> MarginalGame:
        masses = [np.log(np.maximum(each, 1e-6)) for each in encoding.masses]
        start = encoding.layout.along_row(masses)
        return MarginalGame(ProductMixture(encoding.layout, start.float(), self.hidden_dim))

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        return MixtureRows(game, encoding)

    def _places(self) -> Places:
        layout = self._core.encoding.layout
        return Places(tuple(layout.offsets.tolist()), tuple(layout.n_levels), layout.width)

    def _learn(self, data: Any, streams: Streams, anew: bool) -> None:
        if anew:
            curator: Curator = data
            self._count_levels(curator)
            if not self._count_pairs(curator, streams):
                return
        self._train(self._n_steps if not anew else self._n_steps - self.n_steps_, streams)

    def _train(self, n: int, streams: Streams) -> bool:
        """Train n steps to agree with all answers so far; return False if the user ended it."""
        assert self._answers is not None
        core, run = self._core, self._run()
        game: Any = core.training.game
        game.ask(self._answers, float(self._n_rows))
        if not n:
            return True
        is_whole: bool = core.training.run(
            NoRows(core.encoding.layout),
            n,
            1,
            streams.noise,
            run.callbacks,
            run.name if run.shows_progress else None,
            captures=run.captures,
            n_before=core.training.step,
            n_after=max(0, self._n_steps - core.training.step - n),
        )
        return is_whole

    def _count_levels(self, curator: Curator) -> None:
        """Count the levels of each column, unless they were counted to describe the column."""
        encoder = self._core.encoding.encoder
        schema, places = encoder.schema, self._places()

        def encode(frame: pd.DataFrame) -> Any:
            return encoder.encode(_clipped(frame, schema)).codes.numpy()

        curator.encode(encode, places)
        self._answers = answers = Answers(places)
        counted, self._counted = self._counted, []
        rho = SINGLE_SHARE * curator.budget.rho / len(counted)
        for block, counts, name in zip(encoder.blocks, counted, schema.names, strict=True):
            if block < 0:
                continue
            if counts is None or len(counts.values) != places.n_levels[block]:
                counts = curator.marginal(block, rho, f"levels of {name!r}")
            answers.add((block,), counts)
        self._n_rows = max(1, round(answers.total(counted)))
        self._warn_of_nameless(counted)

    def _count_pairs(self, curator: Curator, streams: Streams) -> bool:
        """Spend the rest of the budget on pairs of columns, in rounds with training between them.

        A round counts the pairs that the model predicts worst. As soon as the counts of a round
        move the model by no more than their noise would, the next round has half the noise
        (McKenna et al., 2022, Algorithm 3).

        Returns
        -------
        bool
            False if the user ended training.
        """
        budget, n_blocks = curator.budget, len(self._places().starts)
        pairs = list(itertools.combinations(range(n_blocks), 2))
        per_round = min(len(pairs), max(1, n_blocks // COLUMNS_PER_PICK))
        rho = budget.left / max(1, min(PICKS_PER_COLUMN * n_blocks, 4 * len(pairs)))
        while pairs and budget.left > 1e-9 * budget.rho:
            if budget.left < 2 * rho * per_round:
                rho = budget.left / per_round
            before = self._predicted()
            noise = self._ask_worst(curator, pairs, before, per_round, rho)
            n_steps = (self._n_steps - self.n_steps_) // STEPS_SHARE
            if not self._train(n_steps, streams):
                return False
            moved = np.abs(self._predicted() - before)
            parts = [moved[tuple(map(self._places().of, pair))].sum() for pair in noise]
            if np.mean(parts) <= np.mean(list(noise.values())):
                rho *= 4
        return True

    def _ask_worst(
        self,
        curator: Curator,
        pairs: list[tuple[int, int]],
        predicted: NDArray[np.float64],
        n: int,
        rho: float,
    ) -> dict[tuple[int, int], float]:
        """Select and count the n pairs that are predicted worst, at a cost of rho each.

        Returns
        -------
        dict of pair to float
            The L1 norm that the noise of each pair is expected to have.
        """
        assert self._answers is not None
        places, names = self._places(), self._block_names()
        rho_select, rho_count = SELECTION_SHARE * rho, (1 - SELECTION_SHARE) * rho
        norm = math.sqrt(2 / math.pi) * gaussian_sigma(rho_count)
        expected = {(i, j): norm * places.n_levels[i] * places.n_levels[j] for i, j in pairs}
        picked: dict[tuple[int, int], float] = {}
        for _ in range(n):
            others = [pair for pair in pairs if pair not in picked]
            penalties = np.array([expected[pair] for pair in others])
            what = "which pair of columns is predicted worst"
            worst = others[curator.worst_pair(others, predicted, penalties, rho_select, what)]
            one, other = (names[block] for block in worst)
            counts = curator.pair(*worst, rho_count, f"levels of {one!r} and {other!r}")
            self._answers.add(worst, counts)
            picked[worst] = expected[worst]
        return picked

    def _block_names(self) -> dict[int, Hashable]:
        """Return the label of the column of each block."""
        encoder = self._core.encoding.encoder
        return dict(zip(encoder.blocks, encoder.schema.names, strict=True))

    @torch.no_grad()
    def _predicted(self) -> NDArray[np.float64]:
        """Return the counts of all pairs of levels that the model predicts, (width, width)."""
        game: Any = self._core.training.game
        _, pairs = game.marginals()
        counts: NDArray[np.float64] = pairs.double().cpu().numpy() * self._n_rows
        return counts

    # ------------------------------------------------------------------ what was spent

    @property
    def privacy_(self) -> pd.DataFrame:
        """The ledger of mechanisms."""
        return pd.DataFrame(self._spent, columns=list(Spent._fields))

    @property
    def rho_(self) -> float:
        """The rho that was spent."""
        return float(sum(entry.rho for entry in self._spent))

    @property
    def delta_(self) -> float:
        """The delta of the guarantee."""
        return self.delta

    @property
    def epsilon_(self) -> float:
        """The epsilon of the guarantee."""
        return total_epsilon(self._spent, self.delta)

    def _get_values(self) -> dict[str, Any]:
        answers = [] if self._answers is None else self._answers.to_list()
        return super()._get_values() | {"answers": answers, "spent": [list(e) for e in self._spent]}

    def _set_values(self, values: dict[str, Any]) -> None:
        super()._set_values(values)
        self._spent = [_read_spent(each) for each in values["spent"]]
        self._answers = Answers.from_list(values["answers"], self._places())


def _read_spent(values: Any) -> Spent:
    """Rebuild an entry of a ledger from a file.

    Raises
    ------
    ValueError
        It is none.
    """
    kinds = (str, str, float, float)
    if len(values) != len(kinds) or not all(map(isinstance, values, kinds)):
        raise ValueError(f"{short(values)} is no entry of a ledger")
    spent = Spent(*values)
    if not (0 < spent.rho < math.inf and 0 <= spent.delta < 1):
        raise ValueError(f"{short(values)} is no entry of a ledger")
    return spent


def _clipped(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Take infinite numbers for the ends of their columns."""
    frame = frame.copy(deep=False)
    for column in schema.columns:
        if column.kind == "float":
            frame[column.name] = frame[column.name].clip(*column.ends)
    return frame
