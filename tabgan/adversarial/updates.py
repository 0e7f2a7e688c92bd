"""How the players' losses become new weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Player

MakeOptimizer = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


def adam(
    learning_rate: float, betas: tuple[float, float], weight_decay: float = 0.0
) -> MakeOptimizer:
    """Say how to make an Adam optimiser (AdamW, of decoupled decay), fused where it can be."""

    def make(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
        return torch.optim.AdamW(
            parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay, fused=fused
        )

    return make


class Update:
    """One step of a game; subclasses say who moves when.

    Parameters
    ----------
    players : iterable of Player
    make_optimizer : callable, list of Parameter -> Optimizer

    Attributes
    ----------
    optimizers : dict of Optimizer by player
    n_made : dict of int by player
        Updates made.
    """

    def __init__(self, players: Iterable[Player], make_optimizer: MakeOptimizer) -> None:
        self.players = tuple(players)
        self.optimizers = {p.name: make_optimizer(p.parameters()) for p in self.players}
        self.n_made = dict.fromkeys(self.optimizers, 0)

    def set_rate(self, learning_rate: float) -> None:
        """Set the learning rate of every player, before a run of training."""
        for optimizer in self.optimizers.values():
            optimizer.defaults["lr"] = learning_rate

    def step(
        self, next_batch: Callable[[], Batch], rate: float = 1.0, progress: float = 0.0
    ) -> dict[str, Tensor]:
        """Let every player move.

        Parameters
        ----------
        next_batch : callable returning a Batch
        rate : float
            Factor on the learning rate.
        progress : float in [0, 1)
            Share of the run that lies behind.

        Returns
        -------
        dict of scalar Tensor
            Each player's last loss, left on the device.
        """
        for optimizer in self.optimizers.values():
            optimizer.param_groups[0]["lr"] = optimizer.defaults["lr"] * rate

        def batch() -> Batch:
            drawn = next_batch()
            drawn.progress = progress
            return drawn

        return self._step(batch)

    def _step(self, next_batch: Callable[[], Batch]) -> dict[str, Tensor]:
        raise NotImplementedError

    def _move(self, player: Player, next_batch: Callable[[], Batch]) -> Tensor:
        """Let one player move by its own loss with the others frozen."""
        for other in self.players:
            for parameter in other.parameters():
                parameter.requires_grad_(other is player)
        loss = self._loss(player, next_batch())
        self.optimizers[player.name].zero_grad(set_to_none=True)
        loss.backward()
        self._apply(player)
        return loss.detach()

    def _loss(self, player: Player, batch: Batch) -> Tensor:
        return player.loss(replace(batch, index=self.n_made[player.name]))

    def _apply(self, player: Player) -> None:
        """Turn a player's gradients into weights."""
        self.optimizers[player.name].step()
        for module in player.modules:
            if isinstance(module, Adversary):
                module.constrain()
        self.n_made[player.name] += 1


class AlternatingUpdate(Update):
    """Players move one after the other, each `n_updates` times, with the others frozen."""

    def _step(self, next_batch: Callable[[], Batch]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for player in self.players:
            for _ in range(player.n_updates):
                losses[player.name] = self._move(player, next_batch)
        return losses


class SimultaneousUpdate(Update):
    """All players move at once, by their gradients at the same weights and rows.

    Of a player of several updates a step all but the last come before.
    """

    def _step(self, next_batch: Callable[[], Batch]) -> dict[str, Tensor]:
        for player in self.players:
            for _ in range(player.n_updates - 1):
                self._move(player, next_batch)
        for player in self.players:
            for parameter in player.parameters():
                parameter.requires_grad_()
        batch = next_batch()
        losses = [self._loss(player, batch) for player in self.players]
        for player, gradients in zip(self.players, self.field(losses), strict=True):
            for parameter, gradient in zip(player.parameters(), gradients, strict=True):
                parameter.grad = gradient.detach()
            self._apply(player)
        return {p.name: loss.detach() for p, loss in zip(self.players, losses, strict=True)}

    def field(self, losses: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Gradient of each player's loss by its own parameters."""
        return self._gradients(losses)

    def _gradients(
        self, losses: Sequence[Tensor], create_graph: bool = False
    ) -> list[tuple[Tensor, ...]]:
        return [
            torch.autograd.grad(
                loss,
                player.parameters(),
                retain_graph=True,
                create_graph=create_graph,
                allow_unused=True,
                materialize_grads=True,
            )
            for player, loss in zip(self.players, losses, strict=True)
        ]


class ConsensusUpdate(SimultaneousUpdate):
    """Players also minimise half the squared norm of the joint gradient field.

    Parameters
    ----------
    players : iterable of Player
    make_optimizer : callable, list of Parameter -> Optimizer
    weight : float >= 0

    References
    ----------
    .. [1] Mescheder et al. (2017), "The Numerics of GANs", arXiv 1705.10461, Algorithm 2.
    """

    def __init__(
        self, players: Iterable[Player], make_optimizer: MakeOptimizer, weight: float
    ) -> None:
        super().__init__(players, make_optimizer)
        self.weight = weight

    def field(self, losses: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Gradients, each with that of the weighted half squared norm of them all added."""
        gradients = self._gradients(losses, create_graph=True)
        energy = torch.stack([each.square().sum() for part in gradients for each in part]).sum() / 2
        pulls = self._gradients([self.weight * energy] * len(self.players))
        return [
            tuple(gradient + pull for gradient, pull in zip(*parts, strict=True))
            for parts in zip(gradients, pulls, strict=True)
        ]
