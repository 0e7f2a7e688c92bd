"""Data augmentation GAN: from one row another row of the same class, for any class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch, draw_gumbel, draw_normal
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.adversarial.training import shuffled
from tabgan.checks import NONE, ParameterError, Rule, integer, number, sequence_of
from tabgan.estimators.adversarial import Latent
from tabgan.estimators.classes import RowsOfClasses
from tabgan.estimators.reading import check_n_samples
from tabgan.generation.few_rows import few_row_gains
from tabgan.models.gan import GANGame
from tabgan.networks.revision import Revision
from tabgan.notices import warn
from tabgan.randomness import Streams, at_most
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout

if TYPE_CHECKING:
    from typing_extensions import Self


MOST_JUDGED = 50_000
"""Most rows of held-out classes that gains are measured on, of each part."""


class PairSet:
    """Rows in shuffled batches, each beside another row of the same class.

    The other row is the condition of the batch: the generator turns it into a new row. A row that
    is alone in its class is its own condition.

    Parameters
    ----------
    table : EncodedTable of n rows
    layout : Layout
    classes : Tensor of shape (n,), int64
        Class numbers from 0 on.
    """

    def __init__(self, table: EncodedTable, layout: Layout, classes: Tensor) -> None:
        order = torch.argsort(classes, stable=True)
        self.table, self.layout = table.rows(order), layout
        counts = torch.bincount(classes)
        self.counts = counts[classes[order]]
        self.starts = (counts.cumsum(0) - counts)[classes[order]]

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches for ever."""
        for index in shuffled(len(self.table), batch_size, rng):
            made = self.table.rows(index)
            given = self.table.rows(self.partners(index, rng))
            row, condition = self.layout.expand(*made), self.layout.expand(*given)
            yield Batch(made, row, condition, given, rng)

    def partners(self, index: Tensor, rng: torch.Generator) -> Tensor:
        """Draw for each row another row of its class, all with the same probability.

        Parameters
        ----------
        index : Tensor of shape (m,), int64
            Row numbers, in the order of this set: sorted by class.
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (m,), int64
            Row numbers of the other rows.
        """
        counts, starts = self.counts[index], self.starts[index]
        share = torch.rand(len(index), generator=rng, device=rng.device)
        step = 1 + (share * (counts - 1)).long()
        return starts + (index - starts + step) % counts


class Variation(nn.Module):
    """A network that revises a row by noise and by a narrow code of the row.

    Parameters
    ----------
    layout : Layout
    latent_dim, code_dim, hidden_dim : int
    """

    def __init__(self, layout: Layout, latent_dim: int, code_dim: int, hidden_dim: int) -> None:
        super().__init__()
        # NOTE[DIFF] The paper's generator gets all of x at every layer. With the few classes of a
        # table such a generator makes rows of training classes, whatever row it gets.
        self.code = nn.Linear(layout.width, code_dim)
        self.revision = Revision(layout.n_scalars, layout.width, latent_dim + code_dim, hidden_dim)

    def forward(self, z: Tensor, row: Tensor) -> Tensor:
        """Generate raw rows, shape (n, width), from noise and encoded rows."""
        return self.revision(row, torch.cat([z, self.code(row)], dim=1))


class DAGANGame(GANGame):
    """WGAN-GP whose condition is another row of the same class; see `DAGANAugmenter`."""

    def __init__(
        self, layout: Layout, latent_dim: int, code_dim: int, hidden_dim: int, n_critic: int
    ) -> None:
        super().__init__(
            layout,
            layout.width,
            latent_dim,
            hidden_dim,
            WASSERSTEIN,
            n_critic=n_critic,
            temperature=GUMBEL_TEMPERATURE,
        )
        self.generator: Any = Variation(layout, latent_dim, code_dim, hidden_dim)

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Generate raw rows, shape (n, width), one from each encoded row."""
        return self.generator(draw_normal(len(condition), self.latent_dim, rng), condition)


STRENGTHS = (0.0, 0.25, 0.5, 1.0)
"""Strengths among which classes that were held out choose."""

ROWS_PER_CLASS = (1, 5, 20)
"""Numbers of known rows of a new class for which a strength is chosen."""

FEWEST_CLASSES, N_FOLDS = 4, 3
"""Classes from which on some can be held out, and the number of parts they are held out in."""

_HELD_OUT = 1_000_000_007
"""Marks the random streams of the second games, apart from those of training and of draws."""


def toward(layout: Layout, raw: Tensor, row: Tensor, strength: float) -> Tensor:
    """Move generated rows back to the rows that they were generated from.

    A scalar moves along the line between both rows. A block becomes the mixture of the generated
    probabilities and of the level that the given row has.

    Parameters
    ----------
    layout : Layout
    raw : Tensor of shape (n, width)
        Raw rows of the generator.
    row : Tensor of shape (n, width)
        Encoded rows. Blocks without a level stay as they are generated.
    strength : float in [0, 1]
        0 gives the given rows, 1 the generated rows.

    Returns
    -------
    Tensor of shape (n, width)
        Raw rows.
    """
    if strength == 1.0:
        return raw
    n = layout.n_scalars
    scalars = torch.lerp(row[:, :n], raw[:, :n], strength)
    mixed = torch.lerp(row[:, n:], layout.log_probabilities(raw).exp(), strength)
    logits = mixed.clamp(min=torch.finfo(mixed.dtype).tiny).log()
    levels = torch.where(layout.in_known_blocks(row)[:, n:], logits, raw[:, n:])
    return torch.cat([scalars, levels], dim=1)


GAINS = sequence_of(
    sequence_of(number(-math.inf), "five numbers", least=5), "a list of gains, five numbers each"
)
"""Known rows, strength, gain, its error and number of draws, as a file holds them."""


class DAGANAugmenter(Latent, RowsOfClasses):
    """Data augmentation GAN [1]_: rows of new classes, from very few rows of each.

    The generator takes a row x and noise z, and generates another row of x's class. The critic sees
    pairs of rows: two real rows of one class, or a real row and the row generated from it. Neither
    network gets the class itself. The way in which rows of one class differ, learnt on classes with
    many rows, therefore carries over to classes that were not in training: `augment` generates more
    rows from the few rows that there are. The critic is that of WGAN-GP, as in [1]_.

    Use this class if new classes have one row or very few rows, and other classes have many. For
    more rows of a class that is in the training table, use conditions or `GANSampler`.

    The class differs from the paper in the generator, which gets x through a narrow code. The
    paper's generator gets all of x at every layer, and with the few classes of a table it generates
    rows of training classes whatever row it gets.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Number of training steps. None takes 200 steps. With many more steps the networks memorise
        the training classes if those are few.
    code_dim : int >= 1, default=4
        Width of the code of x that decides how the generator changes x. A narrow code keeps the
        classes of rows that were not in training. A wide code fits the training classes better.
    n_critic : int >= 1, default=5
        Number of updates of the critic for each update of the generator.
    penalty_weight : float >= 0, default=1
        Weight of the gradient penalty on the critic, lambda of WGAN-GP.
    strength : float in [0, 1] or None, default=None
        How far `augment` goes from a given row towards the generated row: 0 gives copies, and 1
        gives the rows of the paper. None lets classes that were held out choose 0, 0.25, 0.5 or 1
        for each number of known rows; with fewer than four training classes it means 1. Holding
        classes out takes up to three times the time of the training itself, and a number saves it.
    **shared
        See `Estimator`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Antoniou et al. (2018), "Data Augmentation Generative Adversarial Networks", arXiv
       1711.04340, section 3.

    Examples
    --------
    Rows of the digit 9, from three rows, by a model that saw the digits 0 to 8:

    >>> from sklearn.datasets import load_digits
    >>> from tabgan import DAGANAugmenter
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[:200], y[:200]
    >>> model = DAGANAugmenter(n_steps=5, strength=1.0, random_state=0).fit(X[y < 9], y[y < 9])
    >>> few = X[y == 9][:3]
    >>> rows, labels = model.augment(few, [9, 9, 9], n_samples=6)
    >>> rows.shape
    (6, 64)
    >>> labels.tolist()
    [9, 9, 9, 9, 9, 9]
    """

    plan = Plan(n_steps=200)
    _saved = {"_gains": GAINS}
    _gains: list[list[Any]]
    _of_a_run = RowsOfClasses._of_a_run | {"strength"}
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "code_dim": integer(1),
        "n_critic": integer(1),
        "penalty_weight": number(0),
        "strength": number(0, 1) | NONE,
    }

    def __init__(
        self,
        *,
        code_dim: int = 4,
        n_critic: int = 5,
        penalty_weight: float = 1.0,
        strength: float | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.code_dim = code_dim
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight
        self.strength = strength

    def fit(self, X: Any, y: Any) -> Self:
        """Learn how rows of one class differ, from classes with many rows.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d)
            Rows with columns of any kind, missing values included.
        y : array-like of shape (n,)
            The class of each row, of any hashable kind. A class says which rows belong together,
            and nothing else.

        Returns
        -------
        self
            The fitted augmenter.

        Raises
        ------
        ValueError
            If X has no rows, no columns, infinite values or two columns of one name, if a class is
            missing, or if a parameter is out of range.
        TypeError
            If X is not a table.
        FloatingPointError
            If a loss is no longer finite; a lower `learning_rate` helps.

        Warns
        -----
        UserWarning
            If rows of classes that were held out did not help a classifier, with the figures; or if
            there are too few classes to hold some out.
        """
        return self._fit(X, y)

    def _batches(self, table: EncodedTable, classes: Tensor) -> PairSet:
        return PairSet(table, self._core.layout, classes)

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)]

    def _learn(self, data: tuple[pd.DataFrame, Any], streams: Streams, anew: bool) -> None:
        super()._learn(data, streams, anew)
        if anew:
            self._gains = []
            if self.strength is None and self._core.layout.width and self._n_steps:
                self._judge(*data)

    def _judge(self, frame: pd.DataFrame, classes: NDArray[Any]) -> None:
        """Measure the gain by synthetic rows of classes that were held out from a second game."""
        core = self._core
        streams = Streams.begin([self._seed, _HELD_OUT], core.device)
        numbers = streams.rng.permutation(np.unique(classes))
        if len(numbers) < FEWEST_CLASSES:
            warn(
                f"{type(self).__name__} got {len(numbers)} classes and needs {FEWEST_CLASSES} to "
                "hold some out, so it is unknown whether its rows of new classes help a "
                "classifier; set strength to choose how far rows go from the given ones."
            )
            return
        table = core.encode(frame)
        run = replace(self._run(), callbacks=(), shows_progress=False)
        found: dict[int, list[NDArray[np.float64]]] = {k: [] for k in ROWS_PER_CLASS}
        for held_out in np.array_split(numbers, min(N_FOLDS, len(numbers) // 2)):
            is_held_out = np.isin(classes, held_out)
            seen = torch.from_numpy(np.flatnonzero(~is_held_out)).to(core.device)
            of_seen = torch.from_numpy(classes[~is_held_out]).to(core.device)
            probe = self._train_game(core.encoder, core.device)
            batches = PairSet(table.rows(seen), core.layout, of_seen)
            run.train(probe, batches, self._n_steps, streams.noise)
            judged = at_most(np.flatnonzero(is_held_out), MOST_JUDGED, streams.rng)
            others = table.rows(torch.from_numpy(judged).to(core.device))
            for k, gains in found.items():
                vary = partial(self._varied, probe.averaged, others)
                of_rows = core.layout.expand(*others).double().cpu().numpy()
                gains.append(
                    few_row_gains(of_rows, classes[judged], vary, k, STRENGTHS, self._seed)
                )
        for k, gains in found.items():
            each = np.concatenate(gains)
            for strength, one in zip(STRENGTHS, each.T, strict=True):
                if len(one):
                    error = one.std() / np.sqrt(len(one))
                    self._gains.append([k, strength, float(one.mean()), float(error), len(one)])
        self._warn_of_no_gain()

    def _varied(
        self,
        game: Any,
        table: EncodedTable,
        index: NDArray[np.int64],
        strength: float,
        seed: int,
    ) -> NDArray[np.float64]:
        """Generate a row from each of some encoded rows, and encode it."""
        core = self._core
        noise = Streams.begin([self._seed, _HELD_OUT, seed], core.device).noise
        given = table.rows(torch.from_numpy(index).to(core.device))
        with torch.no_grad():
            raw = self._raw(game, core.layout.expand(*given), strength, noise)
            drawn = core.layout.draw(raw, draw_gumbel(len(raw), core.layout.width, noise))
        return core.layout.expand(*drawn).double().cpu().numpy()

    def _raw(self, game: Any, row: Tensor, strength: float, noise: torch.Generator) -> Tensor:
        """Generate raw rows from encoded rows, at a strength."""
        return toward(self._core.layout, game.generate(row, noise), row, strength)

    @property
    def gains_(self) -> pd.DataFrame:
        """What synthetic rows of held-out classes add to a classifier, in place of copies.

        A DataFrame with one row for each number of known rows of a class (`n_rows`) and each
        `strength`: the mean `gain` in balanced accuracy, its standard `error`, and the number of
        comparisons, `n`. It is empty if no classes were held out.
        """
        check_is_fitted(self)
        columns = ["n_rows", "strength", "gain", "error", "n"]
        return pd.DataFrame(self._gains, columns=columns)

    def _best(self) -> pd.DataFrame:
        """Return for each number of known rows the strength whose gain is surest."""
        gains = self.gains_
        surest = (gains["gain"] - gains["error"]).groupby(gains["n_rows"]).idxmax()
        return gains.loc[surest]

    def _warn_of_no_gain(self) -> None:
        """Warn, with numbers, if synthetic rows helped with no number of known rows."""
        whole = self.gains_.query("strength == 1")
        best = self._best()
        if len(best) and not (best["gain"] > best["error"]).any():
            told = "; ".join(
                f"{one.n_rows} known rows: {one.gain:+.3f} ± {one.error:.3f}"
                for one in whole.itertuples()
            )
            chosen = ", ".join(f"{one.strength:g}" for one in best.itertuples())
            warn(
                f"rows that {type(self).__name__} made of held-out classes did not help a "
                f"classifier of these (balanced accuracy, {told}); augment therefore uses the "
                f"strengths {chosen}, at which rows did least harm."
            )

    def chosen_strength(self, n_rows: float) -> float:
        """Return the strength at which `augment` generates rows.

        Parameters
        ----------
        n_rows : float >= 1
            Number of known rows of each new class.

        Returns
        -------
        float in [0, 1]
            The parameter `strength` if it is a number. Otherwise the strength whose gain in
            `gains_`, less its error, is greatest; 1 if no classes were held out.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        """
        check_is_fitted(self)
        if self.strength is not None:
            return self.strength
        best = self._best()
        if not len(best):
            return 1.0
        nearest = np.abs(np.log(best["n_rows"].to_numpy() / n_rows)).argmin()
        return float(best["strength"].iloc[nearest])

    def _make_game(self, encoding: Encoder) -> DAGANGame:
        dims = (self.latent_dim, self.code_dim, self.hidden_dim, self.n_critic)
        return DAGANGame(encoding.layout, *dims)

    def augment(
        self,
        X: Any,
        y: Any = None,
        *,
        n_samples: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Generate rows of the same classes as given rows; the classes may be new.

        Parameters
        ----------
        X : table or array-like of shape (m, d)
            Rows that other rows are generated from. A category that `fit` did not see counts as
            unknown; see `handle_unknown`. A number outside the range that `fit` saw counts as the
            nearest end of that range.
        y : array-like of shape (m,), default=None
            Classes of the rows, which are returned with the synthetic rows. The number of rows of a
            class decides the strength; see `gains_`. Without `y` each row is the only one of its
            class.
        n_samples : int >= 1 or None, default=None
            Number of synthetic rows. Synthetic row i is generated from row ``i % m``. None
            generates one row from each row.
        random_state : int, RandomState or None, default=None
            Seed of the noise. With an int, a fitted model generates the same rows in each call.
            None continues the random stream that the estimator's own `random_state` began.

        Returns
        -------
        rows : table of shape (n_samples, d)
            The kind of table that `fit` got, with the same columns and dtypes, and a fresh index.
        labels : array of shape (n_samples,)
            The class of each synthetic row; returned only if `y` is given.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If `n_samples` is below one, if the number of labels is not the number of rows, or if
            the columns or the kinds of values differ from those that `fit` got.
        """
        check_is_fitted(self)
        table = self._encode_known(X)
        n_samples = len(table) if n_samples is None else n_samples
        check_n_samples(n_samples)
        if y is not None and len(y) != len(table):
            raise ParameterError(
                f"y must have one class for each of the {len(table)} rows of X, got {len(y)}."
            )
        streams, core = self._streams(random_state), self._core
        source = np.arange(n_samples) % len(table)
        given = table.rows(torch.from_numpy(source).to(core.device))
        n_classes = len(table) if y is None else len(pd.unique(pd.Series(y)))
        strength = self.chosen_strength(len(table) / n_classes)
        with torch.no_grad():
            raw = self._raw(core.game, core.layout.expand(*given), strength, streams.noise)
        rows = self._rows(raw, streams)
        if y is None:
            return rows
        return rows, (y.array if isinstance(y, pd.Series) else np.asarray(y))[source]
