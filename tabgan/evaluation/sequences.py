"""How good synthetic sequences are: TimeGAN's two scores, each by a small recurrent network."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.training import Training, TrainingRule
from tabgan.adversarial.updates import adam
from tabgan.checks import LABEL, NONE, ParameterError, Rule, check, integer, number
from tabgan.evaluation.columns import read_frame
from tabgan.generation.sequence_set import SequenceSet, SequenceTable, condition_and_mask
from tabgan.networks.recurrent import Recurrence, RecurrentCritic, by_step
from tabgan.randomness import seeded_weights
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.format import is_frame
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema
from tabgan.table.sequences import WINDOW, SequenceFormat, Sequences, in_windows

BATCH_SIZE, LEARNING_RATE = 128, 5e-3
"""Of both networks.

NOTE[DIFF] TimeGAN trains twice as many steps at a learning rate of 1e-3.
"""
_ARRAY = Rule(
    "a table, or an array of shape (n, T, d)",
    lambda value: is_frame(value) or np.ndim(value) == 3,
)


def discriminative_score(
    real: Any,
    synthetic: Any,
    *,
    entity: Hashable | None = None,
    time: Hashable | None = None,
    window: int | None = None,
    test_size: float = 0.3,
    n_steps: int = 1000,
    hidden_dim: int = 32,
    random_state: int = 0,
) -> float:
    """Tell real from synthetic sequences by a recurrent classifier [1]_.

    Parameters
    ----------
    real, synthetic : DataFrame with a row for each step, or array of shape (n, T, d)
        The sequences. Real sequences that no synthesizer was fitted to make the fairest test. Of
        the larger set, as many sequences are drawn as the smaller set has.
    entity, time : column label, default=None
        Of DataFrames, the column that tells sequences apart, and the column that orders the rows of
        a sequence. Without `time`, rows come in the order of the table.
    window : int >= 2 or None, default=None
        Number of rows of the windows that are compared, if sequences are longer series. Each series
        is cut into windows that follow each other; rows left over at its end do not count. Without
        `entity`, a DataFrame is one series in the order of its rows, which is what a synthesizer
        that was fitted with `window` draws.
    test_size : float in (0, 1), default=0.3
        Share of the sequences of either kind that the classifier is tested on.
    n_steps : int, default=1000
        Training steps of the classifier.
    hidden_dim : int, default=32
        Width of the recurrent network.
    random_state : int, default=0
        Decides the sequences drawn, the first weights and the batches.

    Returns
    -------
    float in [0, 0.5]
        Distance of the accuracy on held-out sequences from one half. 0: the two kinds cannot be
        told apart; 0.5: they always can.

    Raises
    ------
    TypeError
        If `real` or `synthetic` is neither a table nor an array of three dimensions.
    ValueError
        If there are fewer than two sequences of a kind, if a series is shorter than `window`, or if
        an argument is out of its range.

    Notes
    -----
    Numbers enter as their ranks among the real numbers, and categories one-hot. In [1]_ all columns
    are numbers, scaled by their minimum and maximum, which leaves little of a number with a long
    tail.

    References
    ----------
    .. [1] Yoon et al. (2019), "Time-series Generative Adversarial Networks", NeurIPS 32,
       section 5 and appendix.

    Examples
    --------
    >>> from tabgan.datasets import make_waves
    >>> from tabgan.evaluation import discriminative_score
    >>> real, other = (make_waves(40, 8, random_state=i).data[:, :, None] for i in range(2))
    >>> 0 <= discriminative_score(real, other, n_steps=5) <= 0.5
    True
    """
    _check_arguments(real, synthetic, entity, time, window, n_steps, hidden_dim, random_state)
    check("test_size", test_size, number(0, 1, "neither"))
    data, n_real = _pool(real, synthetic, entity, time, window)
    n = min(n_real, len(data.table) - n_real)
    if n < 2:
        raise ValueError(
            f"discriminative_score needs at least 2 sequences of either kind, got {n}."
        )
    rng = np.random.default_rng(random_state)
    drawn = rng.permutation(n_real)[:n], n_real + rng.permutation(len(data.table) - n_real)[:n]
    n_test = int(np.clip(round(test_size * n), 1, n - 1))
    halves = zip(*(np.split(each, [n_test]) for each in drawn), strict=True)
    test, train = (torch.from_numpy(np.concatenate(parts)) for parts in halves)
    with seeded_weights(random_state):
        game = _Classifier(data.layout.width, hidden_dim)
    noise = _train(game, data.subset(train), n_steps, random_state)
    return abs(float(game.accuracy(data.batch(test, noise))) - 0.5)


def predictive_score(
    real: Any,
    synthetic: Any,
    *,
    entity: Hashable | None = None,
    time: Hashable | None = None,
    window: int | None = None,
    n_steps: int = 1000,
    hidden_dim: int = 32,
    random_state: int = 0,
) -> float:
    """Learn from synthetic sequences, and predict the next step of real sequences [1]_.

    Parameters
    ----------
    real, synthetic : DataFrame with a row for each step, or array of shape (n, T, d)
        The sequences to test on, and those to learn from. The score of real sequences in the place
        of synthetic ones is what to compare with.
    entity, time : column label, default=None
        Of DataFrames, the column that tells sequences apart, and the column that orders the rows of
        a sequence. Without `time`, rows come in the order of the table.
    window : int >= 2 or None, default=None
        Number of rows of the windows that are compared, if sequences are longer series. Each series
        is cut into windows that follow each other; rows left over at its end do not count. Without
        `entity`, a DataFrame is one series in the order of its rows, which is what a synthesizer
        that was fitted with `window` draws.
    n_steps : int, default=1000
        Training steps of the predictor.
    hidden_dim : int, default=32
        Width of the recurrent network.
    random_state : int, default=0
        Decides the sequences drawn, the first weights and the batches.

    Returns
    -------
    float in [0, 1]
        Mean absolute error over real sequences, steps and channels. Numbers count as their ranks
        among the real numbers, in [0, 1], and categories as one-hot vectors. Lower is better.

    Raises
    ------
    TypeError
        If `real` or `synthetic` is neither a table nor an array of three dimensions.
    ValueError
        If the sequences have a single step, if a series is shorter than `window`, or if an argument
        is out of its range.

    References
    ----------
    .. [1] Yoon et al. (2019), "Time-series Generative Adversarial Networks", NeurIPS 32,
       section 5 and appendix.

    Examples
    --------
    >>> from tabgan.datasets import make_waves
    >>> from tabgan.evaluation import predictive_score
    >>> real, other = (make_waves(40, 8, random_state=i).data[:, :, None] for i in range(2))
    >>> 0 <= predictive_score(real, other, n_steps=5) <= 1
    True
    """
    _check_arguments(real, synthetic, entity, time, window, n_steps, hidden_dim, random_state)
    data, n_real = _pool(real, synthetic, entity, time, window)
    if data.table.n_steps < 2:
        raise ValueError("predictive_score needs sequences of at least 2 steps, got 1.")
    index = torch.arange(len(data.table))
    with seeded_weights(random_state):
        game = _Predictor(data.layout, hidden_dim)
    noise = _train(game, data.subset(index[n_real:]), n_steps, random_state)
    return float(game.error(data.batch(index[:n_real], noise)))


class _Classifier(Game):
    """Tells the sequences of condition 0 from those of condition 1."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.network = RecurrentCritic(width, 0, hidden)

    def players(self) -> tuple[Player, ...]:
        return (Player("classifier", (self.network,), self.loss),)

    def _logit(self, batch: Batch) -> tuple[Tensor, Tensor]:
        condition, mask = condition_and_mask(batch)
        return self.network(batch.row, condition[:, :0], mask), condition[:, 1]

    def loss(self, batch: Batch) -> Tensor:
        return F.binary_cross_entropy_with_logits(*self._logit(batch))

    @torch.no_grad()
    def accuracy(self, batch: Batch) -> Tensor:
        logit, label = self._logit(batch)
        return ((logit > 0) == (label > 0)).float().mean()


class _Predictor(Game):
    """Predicts each step from those before it."""

    def __init__(self, layout: Layout, hidden: int) -> None:
        super().__init__()
        self.layout = layout
        self.cells = Recurrence(layout.width, hidden)
        self.out = nn.Linear(hidden, layout.width)

    def players(self) -> tuple[Player, ...]:
        return (Player("predictor", (self.cells, self.out), self.loss),)

    def loss(self, batch: Batch) -> Tensor:
        """Mean absolute error of scalars, halved to count as ranks, and of one-hot levels."""
        _, mask = condition_and_mask(batch)
        states, _ = self.cells(batch.row[:, :-1])
        wrong = (by_step(self.layout.activate, self.out(states)) - batch.row[:, 1:]).abs()
        scale = torch.where(torch.arange(wrong.shape[2]) < self.layout.n_scalars, 0.5, 1.0)
        n_columns = int((self.layout.level_mask == 0).sum())
        error = (wrong * scale).sum(dim=2) / n_columns
        return (error * mask[:, 1:]).sum() / mask[:, 1:].sum()

    error = torch.no_grad()(loss)


def _check_arguments(
    real: Any,
    synthetic: Any,
    entity: Any,
    time: Any,
    window: Any,
    n_steps: Any,
    hidden_dim: Any,
    random_state: Any,
) -> None:
    check("real", real, _ARRAY)
    check("synthetic", synthetic, _ARRAY)
    if is_frame(real) != is_frame(synthetic):
        raise ParameterError("real and synthetic must both be tables, or both be arrays.")
    check("entity", entity, NONE | LABEL)
    check("time", time, NONE | LABEL)
    check("window", window, NONE | integer(2))
    check("n_steps", n_steps, integer(1))
    check("hidden_dim", hidden_dim, integer(1))
    check("random_state", random_state, integer(0, 2**32 - 1))


def _pool(
    real: Any,
    synthetic: Any,
    entity: Hashable | None,
    time: Hashable | None,
    window: int | None,
) -> tuple[SequenceSet, int]:
    """Encode the real and then the synthetic sequences, and count the real ones.

    The condition of a sequence is 0 if it is real and 1 if it is synthetic.
    """
    if is_frame(real):
        if entity is None and window is None:
            raise ParameterError(
                "entity must name the column that tells sequences apart; for one long series, set "
                "window."
            )
        frames = [read_frame(real, "real"), read_frame(synthetic, "synthetic")]
        if window is not None:
            frames = [in_windows(frame, entity, time, window) for frame in frames]
            entity = WINDOW
        form = SequenceFormat.infer(frames[0], entity, time)
        kinds = [form.split(frame) for frame in frames]
        length = form.length
    else:
        kinds = [_of_array(kind, window) for kind in (real, synthetic)]
        length = "length"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        encoder = Encoder(Schema.infer(kinds[0].steps, arg_name="real"), "rank")
    rng = np.random.default_rng(0)
    tables = [encoder.encode(kind.steps[encoder.schema.names], rng) for kind in kinds]
    lengths = [torch.tensor(kind.given[length].to_numpy(dtype=np.int64)) for kind in kinds]
    steps = EncodedTable(*(torch.cat(parts) for parts in zip(*tables, strict=True)))
    label = torch.arange(2).repeat_interleave(torch.tensor([len(each) for each in lengths]))
    data = SequenceSet(
        SequenceTable(steps, torch.cat(lengths)),
        encoder.layout,
        EncodedTable(label[:, None], torch.zeros(len(label), 0)),
        Layout([2], []),
    )
    return data, len(lengths[0])


def _of_array(array: Any, window: int | None) -> Sequences:
    array = np.asarray(array)
    if window is not None:
        n_windows = array.shape[1] // window
        if not n_windows:
            raise ParameterError(
                f"window is {window}, but sequences have {array.shape[1]} steps; take a smaller "
                "window."
            )
        whole = array[:, : n_windows * window]
        array = whole.reshape(-1, window, array.shape[2])
    steps = pd.DataFrame(array.reshape(-1, array.shape[2]))
    return Sequences(steps, pd.DataFrame({"length": np.full(len(array), array.shape[1])}))


def _train(game: Game, data: SequenceSet, n_steps: int, seed: int) -> torch.Generator:
    """Train a game of one player."""
    noise = torch.Generator().manual_seed(seed)
    rule = TrainingRule(adam(LEARNING_RATE, (0.9, 0.999)), averaging=0.0)
    Training(game, rule).run(data, n_steps, BATCH_SIZE, noise)
    return noise
