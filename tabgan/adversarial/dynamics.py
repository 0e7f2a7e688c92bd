"""Games of two numbers, whose training can be drawn as a path in the plane.

The path shows where an update rule circles an equilibrium and which techniques make the update
rule converge. Large games follow the same equations, but only two numbers can be drawn.
"""

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
    """A game of two players that own one number each, `theta` and `psi`.

    Parameters
    ----------
    n_rows : int >= 1, default=1
        Rows of a batch. More rows lower the variance of techniques that draw noise.
    """

    def __init__(self, n_rows: int = 1) -> None:
        super().__init__()
        self.n_rows = n_rows
        self.theta, self.psi = _Number(), _Number()

    def place(self, point: Sequence[float]) -> None:
        """Set both numbers.

        Parameters
        ----------
        point : sequence of two float
            The new `theta` and `psi`.
        """
        with torch.no_grad():
            for number, value in zip((self.theta, self.psi), point, strict=True):
                number.value.fill_(value)

    def point(self) -> NDArray[np.float64]:
        """Return `theta` and `psi`, shape (2,)."""
        return np.array([self.theta.value.item(), self.psi.value.item()])


class DiracGame(NumberGame):
    """Dirac-GAN [1]_: real rows are all 0, fake rows all `theta`, and a row x scores ``psi * x``.

    The only equilibrium is (0, 0). Without a technique that damps the motion, training circles the
    equilibrium or leaves it.

    Parameters
    ----------
    loss : AdversarialLoss, default=MINIMAX
    n_rows : int >= 1, default=1
        Rows of a batch.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, definition 2.1.

    Examples
    --------
    Plain training never comes nearer to the equilibrium; the R1 penalty makes training converge:

    >>> import numpy as np
    >>> from tabgan.adversarial import R1
    >>> from tabgan.adversarial.dynamics import DiracGame, trajectory
    >>> plain = trajectory(DiracGame(), start=(1.0, 1.0))
    >>> bool(np.linalg.norm(plain[-1]) > 1.0)
    True
    >>> damped = trajectory(DiracGame(), start=(1.0, 1.0), techniques=[R1(weight=1.0)])
    >>> bool(np.linalg.norm(damped[-1]) < 0.01)
    True
    """

    def __init__(self, loss: AdversarialLoss = MINIMAX, n_rows: int = 1) -> None:
        super().__init__(n_rows)
        self.adversary = Adversary(self.psi, loss)

    def players(self) -> tuple[Player, ...]:
        """Return the generator, then the discriminator, in the order of the paper."""
        return (
            Player("generator", (self.theta,), self.generator_loss),
            Player("discriminator", (self.adversary,), self.critic_loss),
        )

    def _sides(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the real rows, all 0, and the fake rows, all `theta`, shape (n_rows, 1)."""
        return batch.row, self.theta.value.expand_as(batch.row)

    def critic_loss(self, batch: Batch) -> Tensor:
        """Compute the discriminator's loss between rows of 0 and rows of `theta`."""
        return self.adversary.critic_loss(batch, *self._sides(batch))

    def generator_loss(self, batch: Batch) -> Tensor:
        """Compute the generator's loss, whose only parameter is `theta`."""
        return self.adversary.generator_loss(batch, *self._sides(batch))


class RotatingGame(NumberGame):
    """The gradient field ``v = (cos psi, sin theta)``, which is not the gradient of any function.

    The stationary points are centres and saddles in turn. Plain updates circle the centres.

    Parameters
    ----------
    n_rows : int >= 1, default=1
        Rows of a batch; the losses do not look at the rows.
    """

    def players(self) -> tuple[Player, ...]:
        """Return the owner of `theta`, then the owner of `psi`."""
        return (
            Player("theta", (self.theta,), lambda _: -self.theta.value * self.psi.value.cos()),
            Player("psi", (self.psi,), lambda _: -self.psi.value * self.theta.value.sin()),
        )


class _Number(nn.Module):
    """One learnt number in float64, which as a discriminator is the slope of the score."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Score rows of shape (n, 1) by ``value * x``, shape (n,)."""
        return self.value * x.squeeze(1)


def trajectory(
    game: NumberGame,
    start: Sequence[float],
    techniques: Sequence[Technique] = (),
    n_steps: int = 500,
    learning_rate: float = 0.1,
) -> NDArray[np.float64]:
    """Train a game of two numbers by plain gradient descent and return the path.

    Parameters
    ----------
    game : NumberGame
        A fresh game, because the techniques change the game.
    start : sequence of two float
        The first `theta` and `psi`.
    techniques : sequence of Technique, default=()
    n_steps : int >= 0, default=500
    learning_rate : float > 0, default=0.1

    Returns
    -------
    ndarray of shape (n_steps + 1, 2)
        `theta` and `psi` at the start and after each step.

    Raises
    ------
    ValueError
        A technique finds nothing to change in the game.
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
    """Return the direction in which simultaneous training moves from each point.

    Parameters
    ----------
    game : NumberGame
        A fresh game, because the techniques change the game.
    points : ndarray of shape (n, 2)
        Values of `theta` and `psi`.
    techniques : sequence of Technique, default=()
        Each evaluation computes every penalty, also a lazy one with its factor `every`.

    Returns
    -------
    ndarray of shape (n, 2)
        The step of all players at once at learning rate 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.adversarial.dynamics import RotatingGame, vector_field
    >>> vector_field(RotatingGame(), np.array([[np.pi / 2, 0.0]])).round(6).tolist()
    [[1.0, 1.0]]
    """
    update = _update(game, [SimultaneousUpdates(), *techniques], learning_rate=1.0)
    moved = []
    for point in points:
        game.place(point)
        # Update number 0 is the one at which every lazy penalty is due.
        update.n_made = dict.fromkeys(update.n_made, 0)
        update.step(_dealer(game.n_rows))
        moved.append(game.point())
    return np.array(moved) - points


def joint_jacobian(
    game: NumberGame, at: Sequence[float], techniques: Sequence[Technique] = ()
) -> NDArray[np.float64]:
    """Return the Jacobian of `vector_field` at a point, by central differences of step 1e-4.

    Training with small steps converges to a stationary point if all eigenvalues of the Jacobian
    there have negative real parts. Training circles or leaves the point if some eigenvalue does
    not.

    Parameters
    ----------
    game : NumberGame
        A fresh game, because the techniques change the game.
    at : sequence of two float
        Values of `theta` and `psi`.
    techniques : sequence of Technique, default=()

    Returns
    -------
    ndarray of shape (2, 2)
        Entry (i, j) is the derivative of component i of the field by number j.

    Examples
    --------
    The R1 penalty moves the eigenvalues at the equilibrium of the Dirac-GAN to the left:

    >>> import numpy as np
    >>> from tabgan.adversarial import R1
    >>> from tabgan.adversarial.dynamics import DiracGame, joint_jacobian
    >>> plain = joint_jacobian(DiracGame(), at=(0.0, 0.0))
    >>> bool((abs(np.linalg.eigvals(plain).real) < 1e-6).all())
    True
    >>> damped = joint_jacobian(DiracGame(), at=(0.0, 0.0), techniques=[R1(every=1)])
    >>> bool((np.linalg.eigvals(damped).real < -0.4).all())
    True
    """
    shifts = 1e-4 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    ahead, behind = np.split(vector_field(game, np.asarray(at) + shifts, techniques), 2)
    return (ahead - behind).T / 2e-4


def _update(game: NumberGame, techniques: Sequence[Technique], learning_rate: float) -> Update:
    """Make the plain gradient descent of a game, changed by the techniques."""
    rule = TrainingRule(partial(torch.optim.SGD, lr=learning_rate))
    apply_techniques(techniques, game, rule)
    return rule.make_update(game.players(), rule.make_optimizer)


def _dealer(n_rows: int) -> Callable[[], Batch]:
    """Return a function that deals a batch of zeros and draws noise from a fixed stream."""
    row = torch.zeros(n_rows, 1, dtype=torch.float64)
    table = EncodedTable(torch.zeros(n_rows, 0, dtype=torch.long), row[:, :0])
    rng = torch.Generator().manual_seed(0)
    return lambda: Batch(table, row, row[:, :0], table, rng)
