"""Games of two numbers whose training can be drawn: where they circle and where they converge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.losses import MINIMAX, AdversarialLoss
from tabgan.adversarial.techniques import SimultaneousUpdates, Technique, apply_techniques
from tabgan.adversarial.training import TrainingRule
from tabgan.adversarial.updates import Update
from tabgan.table.encoder import EncodedTable


class NumberGame(Game):
    """A game of two players of one number each, `theta` and `psi`.

    Parameters
    ----------
    n_rows : int
        Rows of a batch; more make random techniques less so.
    """

    def __init__(self, n_rows: int = 1) -> None:
        super().__init__()
        self.n_rows = n_rows
        self.theta, self.psi = _Number(), _Number()

    def place(self, point: Sequence[float]) -> None:
        """Set `theta` and `psi`."""
        with torch.no_grad():
            for number, value in zip((self.theta, self.psi), point, strict=True):
                number.value.fill_(value)

    def point(self) -> NDArray[np.float64]:
        """Return `theta` and `psi`, shape (2,)."""
        return np.array([self.theta.value.item(), self.psi.value.item()])


class DiracGame(NumberGame):
    """Dirac-GAN [1]_: real rows are all 0, made ones all `theta`, the critic is ``psi * x``.

    Its one equilibrium is (0, 0). Without a technique that damps it, training circles it.

    Parameters
    ----------
    loss : AdversarialLoss
    n_rows : int
        Rows of a batch.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, definition 2.1.
    """

    def __init__(self, loss: AdversarialLoss = MINIMAX, n_rows: int = 1) -> None:
        super().__init__(n_rows)
        self.adversary = Adversary(self.psi, loss)

    def players(self) -> tuple[Player, ...]:
        """Return generator, then discriminator, as in the paper."""
        return (
            Player("generator", (self.theta,), self.generator_loss),
            Player("discriminator", (self.adversary,), self.critic_loss),
        )

    def _sides(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch.row, self.theta.value.expand_as(batch.row)

    def critic_loss(self, batch: Batch) -> Tensor:
        """Loss of telling 0 from `theta`."""
        return self.adversary.critic_loss(batch, *self._sides(batch))

    def generator_loss(self, batch: Batch) -> Tensor:
        """Loss of being told from 0."""
        return self.adversary.generator_loss(batch, *self._sides(batch))


class RotatingGame(NumberGame):
    """The field ``v = (cos psi, sin theta)``, which is no gradient of anything.

    Its stationary points are, in turn, centres, which plain updates circle, and saddles.
    """

    def players(self) -> tuple[Player, ...]:
        """Owner of `theta`, then of `psi`."""
        return (
            Player("theta", (self.theta,), lambda _: -self.theta.value * self.psi.value.cos()),
            Player("psi", (self.psi,), lambda _: -self.psi.value * self.theta.value.sin()),
        )


class _Number(nn.Module):
    """One number; as a critic it is a slope."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.value * x.squeeze(1)


def trajectory(
    game: NumberGame,
    start: Sequence[float],
    techniques: Sequence[Technique] = (),
    n_steps: int = 500,
    learning_rate: float = 0.1,
) -> NDArray[np.float64]:
    """Train a game of two numbers by plain gradient descent.

    Parameters
    ----------
    game : NumberGame
        A fresh one; techniques change it.
    start : pair of float
        First `theta` and `psi`.
    techniques : sequence of Technique
    n_steps : int
    learning_rate : float > 0

    Returns
    -------
    ndarray of shape (n_steps + 1, 2)
        `theta` and `psi` after each step.
    """
    update = _update(game, techniques, learning_rate)
    deal = _dealer(game.n_rows)
    game.place(start)
    points = [game.point()]
    for step in range(n_steps):
        update.step(deal, progress=step / n_steps)
        points.append(game.point())
    return np.array(points)


def vector_field(
    game: NumberGame, points: NDArray[np.float64], techniques: Sequence[Technique] = ()
) -> NDArray[np.float64]:
    """Direction in which training moves from each point, all players at once.

    Parameters
    ----------
    game : NumberGame
        A fresh one; techniques change it.
    points : ndarray of shape (n, 2)
    techniques : sequence of Technique
        Penalties count as if made with each update.

    Returns
    -------
    ndarray of shape (n, 2)
    """
    update = _update(game, [SimultaneousUpdates(), *techniques], learning_rate=1.0)
    moved = []
    for point in points:
        game.place(point)
        update.n_made = dict.fromkeys(update.n_made, 0)
        update.step(_dealer(game.n_rows))
        moved.append(game.point())
    return np.array(moved) - points


def joint_jacobian(
    game: NumberGame, at: Sequence[float], techniques: Sequence[Technique] = ()
) -> NDArray[np.float64]:
    """Jacobian of `vector_field` by central differences.

    Parameters
    ----------
    game : NumberGame
        A fresh one; techniques change it.
    at : pair of float
    techniques : sequence of Technique

    Returns
    -------
    ndarray of shape (2, 2)
        Training with small enough steps converges to a stationary point if the eigenvalues' real
        parts are negative, and circles or leaves it where one is not.
    """
    shifts = 1e-4 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    ahead, behind = np.split(vector_field(game, np.asarray(at) + shifts, techniques), 2)
    return (ahead - behind).T / 2e-4


def _update(game: NumberGame, techniques: Sequence[Technique], learning_rate: float) -> Update:
    rule = TrainingRule(partial(torch.optim.SGD, lr=learning_rate))
    apply_techniques(techniques, game, rule)
    return rule.make_update(game.players(), rule.make_optimizer)


def _dealer(n_rows: int) -> Callable[[], Batch]:
    row = torch.zeros(n_rows, 1, dtype=torch.float64)
    table = EncodedTable(torch.zeros(n_rows, 0, dtype=torch.long), row[:, :0])
    rng = torch.Generator().manual_seed(0)
    return lambda: Batch(table, row, row[:, :0], table, rng)
