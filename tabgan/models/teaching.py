"""Generative teaching network: a small synthetic table for fast learning, not for realism."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.adversarial.game import Batch, Game, Player, draw_gumbel
from tabgan.adversarial.plan import Plan
from tabgan.checks import LABEL, NONE, Rule, integer, listed
from tabgan.estimators.reading import check_n_samples
from tabgan.estimators.tables import TableSynthesizer
from tabgan.estimators.target import append_target
from tabgan.generation.calibrated import Calibrated
from tabgan.generation.encoding import Encoding
from tabgan.generation.source import RawRows, Source
from tabgan.networks.mlp import ResidualMLP
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

FIRST_RATE = 0.1
"""Learning rate of the learners before training, in which the game learns another one."""


class TeachingGame(Game):
    """A generator of labelled rows, judged by how well new learners learn from its rows.

    Parameters
    ----------
    layout, condition_layout : Layout
        Layouts of a row and of its label.
    latent_dim, hidden_dim, learner_dim : int
    n_lessons, lesson_size : int
        Number of gradient steps of a learner, and number of rows in each.
    """

    def __init__(
        self,
        layout: Layout,
        condition_layout: Layout,
        latent_dim: int,
        hidden_dim: int,
        learner_dim: int,
        n_lessons: int,
        lesson_size: int,
    ) -> None:
        super().__init__()
        self.layout, self.condition_layout = layout, condition_layout
        self.learner_dim = learner_dim
        self.n_lessons, self.lesson_size = n_lessons, lesson_size
        # The vector that each row is generated from is learnt, and with it the order of rows.
        self.curriculum = nn.Parameter(torch.randn(n_lessons * lesson_size, latent_dim))
        n_inputs = latent_dim + condition_layout.width
        self.generator = ResidualMLP(n_inputs, [hidden_dim] * 2, layout.width)
        self.log_rate = nn.Parameter(torch.tensor(math.log(FIRST_RATE)))

    def players(self) -> tuple[Player, ...]:
        """Return the teacher alone."""
        return (Player("teacher", (self,), self.teacher_loss),)

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Generate raw rows in the curriculum's order, shape (n, width), one for each label."""
        place = torch.arange(len(condition), device=condition.device) % len(self.curriculum)
        raw = self.generator(torch.cat([self.curriculum[place], condition], dim=1))
        scalars, levels = raw.tensor_split([self.layout.n_scalars], dim=1)
        return torch.cat([scalars.tanh(), levels], dim=1)

    def lessons(self, batch: Batch) -> tuple[Tensor, EncodedTable]:
        """Generate the rows of all lessons for the labels of a batch.

        Levels are drawn, and their gradient is that of their probabilities (straight-through
        estimator).

        Returns
        -------
        row : Tensor of shape (n_lessons * lesson_size, width)
        label : EncodedTable of n_lessons * lesson_size rows
        """
        place = torch.arange(len(self.curriculum), device=batch.row.device) % len(batch.row)
        raw = self.generate(batch.condition[place], batch.rng)
        noise = draw_gumbel(len(raw), self.layout.width, batch.rng)
        soft = self.layout.activate(raw, noise)
        hard = self.layout.expand(*self.layout.draw(raw, noise))
        return soft + (hard - soft).detach(), batch.condition_table.rows(place)

    def fresh_learner(self, rng: torch.Generator) -> list[Tensor]:
        """Draw the first weights and biases of a perceptron with one hidden layer."""
        widths = (self.layout.width, self.learner_dim, self.condition_layout.width)
        learner = []
        for n, m in zip(widths, widths[1:], strict=False):
            scale = math.sqrt(2 / max(1, n))
            learner += [
                scale * torch.randn(m, n, generator=rng, device=rng.device),
                torch.zeros(m, device=rng.device),
            ]
        return [weight.requires_grad_() for weight in learner]

    def learner_loss(self, learner: Sequence[Tensor], row: Tensor, label: EncodedTable) -> Tensor:
        """Return the cross-entropy of the labels, plus half the squared error of numbers."""
        hidden = F.leaky_relu(F.linear(row, learner[0], learner[1]), 0.1)
        raw = F.linear(hidden, learner[2], learner[3])
        layout = self.condition_layout
        wrong = (raw[:, : layout.n_scalars] - label.scalars).nan_to_num().square().sum(dim=1) / 2
        return (layout.cross_entropy(raw, label.codes) + wrong).mean()

    def teach(self, batch: Batch) -> list[Tensor]:
        """Train a new learner, with one SGD step for each lesson; return its loss on real rows.

        Returns
        -------
        list of Tensor
            The loss on the real rows of the batch after each lesson. Gradients flow through all
            steps of the learner.
        """
        rows, labels = self.lessons(batch)
        learner = self.fresh_learner(batch.rng)
        losses = []
        for place in torch.arange(len(rows), device=rows.device).split(self.lesson_size):
            lesson_loss = self.learner_loss(learner, rows[place], labels.rows(place))
            slopes = torch.autograd.grad(lesson_loss, learner, create_graph=True)
            step = self.log_rate.exp()
            learner = [w - step * slope for w, slope in zip(learner, slopes, strict=True)]
            losses.append(self.learner_loss(learner, batch.row, batch.condition_table))
        return losses

    def teacher_loss(self, batch: Batch) -> Tensor:
        """Return the loss of a new learner on real rows, averaged over the lessons."""
        # NOTE[DIFF] The paper takes the loss after the last lesson. The mean over lessons makes the
        # first lessons useful too.
        return torch.stack(self.teach(batch)).mean()

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of a new learner on real rows after the last lesson."""
        with torch.enable_grad():
            return {"taught": self.teach(batch)[-1].detach()}


class TeachingSynthesizer(TableSynthesizer):
    """Generative teaching network [1]_: a small synthetic table from which learners learn fast.

    There is no discriminator. A generator turns labels into rows. A learner, a perceptron with new
    random weights, takes a few steps of gradient descent on these rows. Its loss on real rows is
    differentiated through these steps, down to the weights of the generator.

    Use this class to compare many architectures or settings in a few steps each, or to give a model
    a start. The rows have the columns and dtypes of the table, so that any learner can read them.
    They are not meant to look real, and marginal distributions are not kept. A learner that trains
    for long learns more from real rows.

    `distil` returns rows and labels in the order of the curriculum, which is the order in which
    they teach. `sample` draws rows for labels at their rates in training, or for `conditions`.

    The class differs from the paper in the loss of the teacher: the paper takes the learner's loss
    after the last step, and this class takes the mean over all steps.

    Parameters
    ----------
    target : column label or None, default=None
        The column of X that holds the labels. None takes ``y``.
    n_lessons : int >= 1, default=8
        Number of gradient steps of a learner.
    lesson_size : int >= 1, default=32
        Number of rows in each step. The whole curriculum has ``n_lessons * lesson_size`` rows.
    learner_dim : int >= 1, default=128
        Number of hidden units of the learner.
    learning_rate : float > 0, default=1e-2
        Learning rate of the teacher's optimiser, AdamW. The rate is constant for the first half of
        the steps and then falls linearly to zero. The learning rate of the learner is learnt; see
        `learner_rate_`.
    latent_dim : int >= 1, default=64
        Width of the learnt vector that each row of the curriculum is generated from.
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    learner_rate_ : float
        Learning rate of plain gradient descent that suits the synthetic rows.
    schema_ : Schema
        The kind, the dtype and the distribution of each column, the label included.

    References
    ----------
    .. [1] Such et al. (2020), "Generative Teaching Networks: Accelerating Neural Architecture
       Search by Learning to Generate Synthetic Training Data", arXiv 1912.07768.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from tabgan import TeachingSynthesizer
    >>> X, y = load_digits(return_X_y=True)
    >>> model = TeachingSynthesizer(n_lessons=3, lesson_size=10, n_steps=3, random_state=0)
    >>> rows, labels = model.fit(X[:100], y[:100]).distil()
    >>> rows.shape, labels.shape
    ((30, 64), (30,))
    """

    # Learners use the order of numbers. Levels would hide the order.
    plan = Plan(numbers="rank")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "target": LABEL | NONE,
        "n_lessons": integer(1),
        "lesson_size": integer(1),
        "learner_dim": integer(1),
        "latent_dim": integer(1),
    }

    def __init__(
        self,
        *,
        target: Hashable = None,
        n_lessons: int = 8,
        lesson_size: int = 32,
        learner_dim: int = 128,
        learning_rate: float = 1e-2,
        latent_dim: int = 64,
        **shared: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **shared)
        self.target = target
        self.n_lessons = n_lessons
        self.lesson_size = lesson_size
        self.learner_dim = learner_dim
        self.latent_dim = latent_dim

    def _training_table(
        self, table: pd.DataFrame, y: Any, anew: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        if self.target is not None:
            if self.target not in table.columns:
                raise ValueError(
                    f"target names {self.target!r}, which is not a column; "
                    f"columns: {listed(table.columns)}."
                )
            if table.shape[1] == 1:
                raise ValueError(f"target {self.target!r} is the only column; give others too.")
            self._target_name = self.target
            return table, [self.target]
        if y is None:
            raise ValueError(
                "TeachingSynthesizer requires y to be passed, but the target y is None; pass y to "
                "fit, or name a column in target."
            )
        return append_target(self, table, y, anew)

    def _make_game(self, encoding: Encoding) -> TeachingGame:
        layouts = encoding.layout, encoding.condition_layout
        dims = (self.latent_dim, self.hidden_dim, self.learner_dim)
        return TeachingGame(*layouts, *dims, self.n_lessons, self.lesson_size)

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        # A correction of marginals would change rows that teach well, so none is learnt.
        return Calibrated(RawRows(game, encoding), learns=False)

    @property
    def learner_rate_(self) -> float:
        """Learning rate of plain gradient descent that suits the synthetic rows."""
        check_is_fitted(self)
        return float(self._core.game.log_rate.exp())

    def distil(
        self,
        n_samples: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> tuple[Any, NDArray[Any]]:
        """Generate labelled rows in the order in which they teach.

        Parameters
        ----------
        n_samples : int >= 1 or None, default=None
            Number of rows. None generates the whole curriculum, ``n_lessons * lesson_size`` rows.
        random_state : int, RandomState or None, default=None
            Seed of the labels and the levels. With an int, a fitted model generates the same rows
            in each call. None continues the random stream that the estimator's own `random_state`
            began.

        Returns
        -------
        X : table of shape (n_samples, d)
            The kind of table that `fit` got, without the column of labels.
        y : ndarray of shape (n_samples,)
            The labels.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If `n_samples` is below one.
        """
        check_is_fitted(self)
        n_samples = len(self._core.game.curriculum) if n_samples is None else n_samples
        check_n_samples(n_samples)
        frame = self._core.rows.draw(n_samples, self._streams(random_state))
        form = self._format.without([self._target_name])
        return form.restore(frame), frame[self._target_name].to_numpy()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.target is None
        return tags
