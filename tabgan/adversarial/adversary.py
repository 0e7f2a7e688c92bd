"""An adversary: the network that scores rows, with its loss, penalties and constraints.

The network is a discriminator, whose scores are logits, or a critic, whose scores have no bounds.
The loss decides which of the two the network is; both have the attribute name `critic`.
"""

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
    """A penalty on the gradient of the scores, as one term of the scoring network's loss.

    The penalty is lazy: one update in `every` computes the term, and multiplies the term by
    `every`. The average gradient over `every` updates is the same as with a term in each update,
    and the cost of the second derivative falls by the factor `every` [1]_.

    Attributes
    ----------
    function : callable, (score, real, fake, generator) -> scalar Tensor
        One of `tabgan.adversarial.penalties`.
    weight : float >= 0
        Factor on the term.
    every : int >= 1
        Number of updates from one computation of the term to the next.

    References
    ----------
    .. [1] Karras et al. (2020), "Analyzing and Improving the Image Quality of StyleGAN",
       arXiv 1912.04958, section 3.1.
    """

    function: Callable[[Score, Tensor, Tensor, torch.Generator], Tensor]
    weight: float
    every: int


class Adversary(nn.Module):
    """The network that scores rows, together with everything that decides how the network learns.

    A game scores real and fake inputs through adversaries alone, and the game's code names no
    technique. A technique changes the attributes of an adversary from outside, so that every
    technique works in every game.

    Parameters
    ----------
    critic : Module, (x, *given) -> (n,)
        The discriminator or critic. The module scores inputs `x` of shape (n, ...) beside further
        inputs `given`, such as conditions.
    loss : AdversarialLoss
        The loss of the scoring network and the loss of the generator.

    Attributes
    ----------
    penalties : dict of str to Penalty
        Terms that `critic_loss` adds, by the name of the technique.
    distortions : list of callable, (x, Batch) -> x
        Changes to real and fake inputs before a loss scores the inputs, such as instance noise.
    constraints : list of callable, Module -> None
        Changes to the weights of `critic` after each update of the weights, such as clipping.
    """

    def __init__(self, critic: nn.Module, loss: AdversarialLoss) -> None:
        super().__init__()
        self.critic: Any = critic
        self.loss = loss
        self.penalties: dict[str, Penalty] = {}
        self.distortions: list[Distortion] = []
        self.constraints: list[Callable[[nn.Module], None]] = []

    def score(self, x: Tensor, *given: Tensor) -> Tensor:
        """Score inputs without distortion.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
        *given : Tensor of shape (n, ...)

        Returns
        -------
        Tensor of shape (n,)
            Logits of a discriminator, or unbounded scores of a critic.
        """
        return self.critic(x, *given)

    def critic_loss(self, batch: Batch, real: Tensor, fake: Tensor, *given: Tensor) -> Tensor:
        """Compute the loss of the scoring network, with the penalties.

        Parameters
        ----------
        batch : Batch
            Holds the number of earlier updates, which decides which lazy penalties are due, the
            share of the run that is over, and the source of noise.
        real, fake : Tensor of shape (n, ...)
            Real and fake inputs.
        *given : Tensor of shape (n, ...)
            Further inputs for both; no penalty looks at the slope along the further inputs.

        Returns
        -------
        Tensor, scalar
        """
        real, fake = self._distort(real, batch), self._distort(fake, batch)
        loss = self.loss.critic(self.critic(real, *given), self.critic(fake, *given))
        # Lazy penalties: the factor `every` makes up for the updates that leave the term out.
        for function, weight, every in self.penalties.values():
            if batch.index % every == 0:
                term = function(lambda x: self.critic(x, *given), real, fake, batch.rng)
                loss = loss + weight * every * term
        return loss

    def generator_loss(self, batch: Batch, real: Tensor, fake: Tensor, *given: Tensor) -> Tensor:
        """Compute the loss of the generator of `fake`.

        Parameters
        ----------
        batch : Batch
        real, fake : Tensor of shape (n, ...)
            `real` is scored only if the loss compares pairs of scores.
        *given : Tensor of shape (n, ...)
            Further inputs for both.

        Returns
        -------
        Tensor, scalar
        """
        fake_score = self.critic(self._distort(fake, batch), *given)
        real_score = fake_score
        if self.loss.paired:
            real_score = self.critic(self._distort(real, batch), *given)
        return self.loss.generator(real_score, fake_score)

    def swapped_loss(self, batch: Batch, real: Tensor, fake: Tensor, *given: Tensor) -> Tensor:
        """Compute the loss of the scoring network with real and fake swapped, without penalties.

        Players that make both inputs minimise the swapped loss. An example is a pair of encoder and
        generator: the encoder makes half of each real pair, and the generator half of each fake
        pair.

        Parameters
        ----------
        batch : Batch
        real, fake : Tensor of shape (n, ...)
        *given : Tensor of shape (n, ...)
            Further inputs for both.

        Returns
        -------
        Tensor, scalar
        """
        real, fake = self._distort(real, batch), self._distort(fake, batch)
        return self.loss.critic(self.critic(fake, *given), self.critic(real, *given))

    def _distort(self, x: Tensor, batch: Batch) -> Tensor:
        """Apply the distortions in order; the shape stays."""
        for distortion in self.distortions:
            x = distortion(x, batch)
        return x

    @torch.no_grad()
    def constrain(self) -> None:
        """Apply the constraints to the weights of the scoring network, in place."""
        for constraint in self.constraints:
            constraint(self.critic)
