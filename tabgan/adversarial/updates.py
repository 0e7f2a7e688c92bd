"""How the players' losses become new weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from tabgan.adversarial.game import Batch, Player


class AlternatingUpdate:
    """Players move one after the other, each by Adam on its own loss with the others frozen.

    Parameters
    ----------
    players : iterable of Player
    learning_rate : float > 0
    betas : pair of float in [0, 1)
        Adam's decay rates.
    """

    def __init__(
        self, players: Iterable[Player], learning_rate: float, betas: tuple[float, float]
    ) -> None:
        self.learning_rate = learning_rate
        self.players = tuple(players)
        self.optimizers = {
            player.name: torch.optim.Adam(
                player.parameters(),
                lr=learning_rate,
                betas=betas,
                fused=all(p.device.type in ("cpu", "cuda") for p in player.parameters()),
            )
            for player in self.players
        }
        self.n_made = dict.fromkeys(self.optimizers, 0)

    def step(self, next_batch: Callable[[], Batch], rate: float) -> dict[str, Tensor]:
        """Let every player move once.

        Parameters
        ----------
        next_batch : callable returning a Batch
        rate : float
            Factor on the learning rate.

        Returns
        -------
        dict of scalar Tensor
            Each player's last loss, left on the device.
        """
        losses: dict[str, Tensor] = {}
        for player in self.players:
            for other in self.players:
                for parameter in other.parameters():
                    parameter.requires_grad_(other is player)
            optimizer = self.optimizers[player.name]
            optimizer.param_groups[0]["lr"] = self.learning_rate * rate
            for _ in range(player.n_updates):
                batch = next_batch()
                batch.index = self.n_made[player.name]
                loss = player.loss(batch)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                if player.after_update is not None:
                    player.after_update()
                self.n_made[player.name] += 1
            losses[player.name] = loss.detach()
        return losses
