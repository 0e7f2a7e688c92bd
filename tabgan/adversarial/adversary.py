"""A critic, the loss it plays for, and what holds it in check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tabgan.adversarial.game import Batch
from tabgan.adversarial.losses import AdversarialLoss
from tabgan.adversarial.penalties import Score

Distortion = Callable[[Tensor, Batch], Tensor]


class Penalty(NamedTuple):
    """A term of the critic's loss that depends on its slope.

    Attributes
    ----------
    function : callable, (score, real, fake, generator) -> scalar Tensor
    weight : float
    every : int
        Updates from one penalty to the next, which then weighs `every` times as much.
    """

    function: Callable[[Score, Tensor, Tensor, torch.Generator], Tensor]
    weight: float
    every: int


class Adversary(nn.Module):
    """A critic or discriminator as one side of a game: the seam at which techniques come in.

    A game scores real and made inputs through its adversaries and knows of no technique; those
    change an adversary's attributes from outside.

    Parameters
    ----------
    critic : Module, (x, *given) -> (n,)
        Scores inputs of shape (n, ...), perhaps beside what they were made for.
    loss : AdversarialLoss

    Attributes
    ----------
    penalties : dict of Penalty by name
    distortions : list of callable, (x, Batch) -> x
        Applied to real and made inputs before they are scored in a loss.
    constraints : list of callable, Module -> None
        Applied to the critic after each of its updates.
    """

    def __init__(self, critic: nn.Module, loss: AdversarialLoss) -> None:
        super().__init__()
        self.critic: Any = critic
        self.loss = loss
        self.penalties: dict[str, Penalty] = {}
        self.distortions: list[Distortion] = []
        self.constraints: list[Callable[[nn.Module], None]] = []

    def score(self, x: Tensor, *given: Tensor) -> Tensor:
        """Score inputs as they are, (n, ...) to (n,)."""
        return self.critic(x, *given)

    def critic_loss(self, batch: Batch, real: Tensor, fake: Tensor, *given: Tensor) -> Tensor:
        """Compute the critic's loss, penalties included.

        Parameters
        ----------
        batch : Batch
            Says how far training has come, and draws the noise.
        real, fake : Tensor of shape (n, ...)
        *given : Tensor of shape (n, ...)
            Passed to the critic beside either; not penalised.

        Returns
        -------
        Tensor, scalar
        """
        real, fake = self._distort(real, batch), self._distort(fake, batch)
        loss = self.loss.critic(self.critic(real, *given), self.critic(fake, *given))
        for function, weight, every in self.penalties.values():
            if batch.index % every == 0:
                term = function(lambda x: self.critic(x, *given), real, fake, batch.rng)
                loss = loss + weight * every * term
        return loss

    def generator_loss(self, batch: Batch, real: Tensor, fake: Tensor, *given: Tensor) -> Tensor:
        """Compute the loss of whoever made `fake`; parameters as in `critic_loss`."""
        fake_score = self.critic(self._distort(fake, batch), *given)
        real_score = fake_score
        if self.loss.paired:
            real_score = self.critic(self._distort(real, batch), *given)
        return self.loss.generator(real_score, fake_score)

    def swapped_loss(self, batch: Batch, real: Tensor, fake: Tensor, *given: Tensor) -> Tensor:
        """Compute the critic's loss with the sides changed over, for whoever made both of them.

        Parameters as in `critic_loss`.
        """
        real, fake = self._distort(real, batch), self._distort(fake, batch)
        return self.loss.critic(self.critic(fake, *given), self.critic(real, *given))

    def _distort(self, x: Tensor, batch: Batch) -> Tensor:
        for distortion in self.distortions:
            x = distortion(x, batch)
        return x

    @torch.no_grad()
    def constrain(self) -> None:
        """Apply the constraints on the critic's weights."""
        for constraint in self.constraints:
            constraint(self.critic)
