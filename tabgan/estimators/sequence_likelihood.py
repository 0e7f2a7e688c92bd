"""Mixins of synthesizers of sequences whose game knows the probability of each sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from tabgan.adversarial.game import Game
from tabgan.adversarial.validation import Validation
from tabgan.checks import FLAG, ParameterError, Rule, integer, number
from tabgan.estimators.adversarial import CAUSAL_PLAN
from tabgan.generation.sequence_set import SequenceSet
from tabgan.generation.sequences import CHUNK, SequenceEncoding
from tabgan.networks.columns import ColumnNetworks, default_dropout
from tabgan.networks.steps import StepNetworks, n_seen
from tabgan.randomness import Streams
from tabgan.table.sequences import Cuts

CAUSAL_SEQUENCE_PLAN = replace(
    CAUSAL_PLAN, n_steps=4000, settled=0.0, fewest_steps=1, averaging=0.999, max_halvings=0
)
"""The plan of a generator that draws the steps and columns of sequences in turn."""

MAX_HELD_OUT = 10_000
"""Most steps that early stopping holds out."""


def step_networks(encoding: SequenceEncoding, hidden_dim: int) -> StepNetworks:
    """Make networks that draw the steps of sequences, and the columns of a step, in turn.

    Parameters
    ----------
    encoding : SequenceEncoding
    hidden_dim : int
        Entries of the recurrent state, and hidden units of the network of each column.

    Returns
    -------
    StepNetworks
    """
    layout, n_given = encoding.layout, encoding.condition_layout.width
    columns = ColumnNetworks(
        layout,
        encoding.masses,
        encoding.level_ranks,
        encoding.n_rows,
        n_seen(layout.n_softmax, n_given, hidden_dim),
        hidden_dim,
        default_dropout(encoding.n_rows),
    )
    return StepNetworks(columns, n_given, hidden_dim)


class SequenceLikelihood:
    """Mixin of synthesizers of sequences whose game gives the log-probability of a sequence.

    The method `log_likelihood` of the game takes a batch and returns a number for each sequence.

    Parameters
    ----------
    early_stopping : bool, default=False
        Whether the likelihood of held-out sequences decides when training stops. Training stops
        when the likelihood no longer grows, and the best weights are kept.
    n_iter_no_change : int >= 1, default=4
        Number of successive evaluations without a higher likelihood after which training stops,
        with ``early_stopping=True``. Evaluations are 25 steps apart.
    validation_fraction : float in (0, 1), default=0.1
        Share of the sequences that is held out for early stopping; at most 10,000 steps are held
        out. Of windows, neighbours are held out, and windows that overlap those are left out of
        training.
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "early_stopping": FLAG,
        "n_iter_no_change": integer(1),
        "validation_fraction": number(0, 1, "neither"),
    }
    _core: Any
    _plan: Any
    _seed: int
    _n_steps: int

    @property
    def _has_likelihood(self) -> bool:
        """Whether the game gives the log-probability of a sequence."""
        return True

    def __init__(
        self,
        *,
        early_stopping: bool = False,
        n_iter_no_change: int = 4,
        validation_fraction: float = 0.1,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.validation_fraction = validation_fraction

    def _hold_out(
        self, sequences: SequenceSet, cuts: Cuts | None, streams: Streams
    ) -> tuple[SequenceSet, Validation | None]:
        n = len(sequences.table)
        if not (self.early_stopping and self._has_likelihood) or n < 2:
            return sequences, None
        n_held = min(
            int(np.ceil(self.validation_fraction * n)),
            max(1, MAX_HELD_OUT // sequences.table.n_steps),
            n - 1,
        )
        taught, held = split_sequences(n, n_held, cuts, streams.rng)
        if not len(taught):
            return sequences, None
        device = sequences.index.device
        asked = sequences.subset(torch.from_numpy(held).to(device))

        def score(game: Game) -> float:
            return float(log_likelihood(game, asked).mean())

        every = max(self._plan.steps_per_look, self._n_steps // self._plan.n_looks)
        validation = Validation(
            "log_likelihood", score, every, self.n_iter_no_change, self._plan.rate_cuts
        )
        return sequences.subset(torch.from_numpy(taught).to(device)), validation

    def score_samples(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Compute the log-probability of sequences.

        Parameters
        ----------
        X : table with a row for each step, or array-like of shape (n, T, d)
            Sequences with the columns that `fit` got.
        y : array-like of shape (n,), default=None
            Labels of the sequences, if `fit` got labels.

        Returns
        -------
        ndarray of shape (n,), float64
            Log-probability of each sequence, in nats, given its length and the other values that
            hold for the whole sequence. A number counts with the probability of its bin. A category
            that `fit` did not see counts as certain. The order is that in which entities first
            appear; with `window` there is a number for each window of each series.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the columns or the kinds of values differ from those that `fit` got, or if the
            generator does not know the probability of a sequence.
        """
        check_is_fitted(self)
        if not self._has_likelihood:
            raise ParameterError(
                "score_samples needs a generator that knows the probability of a sequence; set "
                'generator="causal".'
            )
        core, rng = self._core, np.random.default_rng(self._seed)
        data = self._read(X, y, anew=False)  # type: ignore[attr-defined]
        sequences = core.encoding.encode_sequences(data, rng)
        return log_likelihood(core.game, sequences).cpu().numpy().astype(np.float64)


@torch.no_grad()
def log_likelihood(game: Any, sequences: SequenceSet) -> Tensor:
    """Return the log-probability of each sequence that a set deals out, in nats.

    Parameters
    ----------
    game : Game
        Its method `log_likelihood` takes a batch.
    sequences : SequenceSet

    Returns
    -------
    Tensor of shape (n,)
    """
    noise = torch.Generator(sequences.index.device)
    size = 1 + CHUNK // sequences.table.n_steps
    parts = [
        game.log_likelihood(sequences.batch(index, noise)) for index in sequences.index.split(size)
    ]
    return torch.cat(parts)


def split_sequences(
    n: int, n_held: int, cuts: Cuts | None, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the sequences that are held out, so that none shares a step with the others.

    Parameters
    ----------
    n, n_held : int
        Number of sequences, and of those held out.
    cuts : Cuts or None
        Where sequences were cut from longer series. Windows that are held out then follow each
        other.
    rng : numpy Generator

    Returns
    -------
    taught : ndarray of int64
        The sequences to train on; windows that overlap a window held out are left out.
    held : ndarray of shape (n_held,), int64
    """
    if cuts is None:
        order = rng.permutation(n)
        return order[n_held:], order[:n_held]
    first = int(rng.integers(n - n_held + 1))
    held = np.arange(first, first + n_held)
    begin, end = cuts.starts[held[0]], cuts.starts[held[-1]] + cuts.window
    is_apart = (cuts.starts + cuts.window <= begin) | (cuts.starts >= end)
    return rng.permutation(np.flatnonzero(is_apart)), held
