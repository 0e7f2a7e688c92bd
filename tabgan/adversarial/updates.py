"""Updates: how the players' losses become new weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.capture import Capture
from tabgan.adversarial.game import Batch, Player
from tabgan.adversarial.processes import ALONE

MakeOptimizer = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


def adam(
    learning_rate: float, betas: tuple[float, float], weight_decay: float = 0.0
) -> MakeOptimizer:
    """Return a function that makes a fused AdamW optimiser, or a plain one on other devices.

    Fused AdamW exists where all parameters lie on a CPU or on a CUDA device.

    Parameters
    ----------
    learning_rate : float > 0
    betas : tuple of two float in [0, 1)
        Decay rates of the first and second moments.
    weight_decay : float >= 0, default=0.0
        Decoupled weight decay.

    Returns
    -------
    callable, list of Parameter -> Optimizer
    """

    def make(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
        return torch.optim.AdamW(
            parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay, fused=fused
        )

    return make


class Update:
    """One training step of a game; subclasses decide which player moves when.

    Parameters
    ----------
    players : iterable of Player
    make_optimizer : callable, list of Parameter -> Optimizer

    Attributes
    ----------
    players : tuple of Player
    optimizers : dict of str to Optimizer
        The optimiser of each player, by name.
    n_made : dict of str to int
        The number of updates of each player so far, by name.
    capture : Capture or None
        Records and replays the updates of single players, while there is one.
    processes : Processes
        The processes that train the players together.
    movers : tuple of Player
        The players that are updated; all of them by default.
    """

    def __init__(self, players: Iterable[Player], make_optimizer: MakeOptimizer) -> None:
        self.players = self.movers = tuple(players)
        self.optimizers = {p.name: make_optimizer(p.parameters()) for p in self.players}
        self.n_made = dict.fromkeys(self.optimizers, 0)
        self.capture: Capture | None = None
        self.processes = ALONE

    def set_rate(self, learning_rate: float) -> None:
        """Set the full learning rate of every player, before a run of training.

        Parameters
        ----------
        learning_rate : float > 0
        """
        for optimizer in self.optimizers.values():
            optimizer.defaults["lr"] = learning_rate

    def state(self) -> dict[str, Tensor]:
        """Return the state of the optimisers, by player, number of parameter and name."""
        return {
            f"optimizer.{player}.{i}.{key}": value
            for player, optimizer in self.optimizers.items()
            for i, entries in optimizer.state_dict()["state"].items()
            for key, value in entries.items()
        }

    def resume(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `state` returned; tensors of other names are left out."""
        for player, optimizer in self.optimizers.items():
            start, entries = f"optimizer.{player}.", dict[int, dict[str, Tensor]]()
            for name, value in tensors.items():
                if name.startswith(start):
                    i, _, key = name[len(start) :].partition(".")
                    entries.setdefault(int(i), {})[key] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": entries, "param_groups": groups})

    def step(
        self, next_batch: Callable[[], Batch], rate: float = 1.0, progress: float = 0.0
    ) -> dict[str, Tensor]:
        """Update every player once, or as often as the player's `n_updates` says.

        Parameters
        ----------
        next_batch : callable, () -> Batch
        rate : float >= 0, default=1.0
            Factor on the full learning rate.
        progress : float in [0, 1), default=0.0
            Share of the run's steps that are over.

        Returns
        -------
        dict of str to scalar Tensor
            The last loss of each player, left on the device, because a transfer would wait for the
            device.
        """
        for player in self.movers:
            optimizer = self.optimizers[player.name]
            group, full = optimizer.param_groups[0], optimizer.defaults["lr"] * player.rate
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(full * rate)
            else:
                group["lr"] = full * rate

        def batch() -> Batch:
            drawn = next_batch()
            drawn.progress = progress
            return drawn

        return self._step(batch)

    def _step(self, next_batch: Callable[[], Batch]) -> dict[str, Tensor]:
        """Move all players on batches of `next_batch`, and return the last loss of each player."""
        raise NotImplementedError

    def _move(self, player: Player, next_batch: Callable[[], Batch]) -> Tensor:
        """Update one player by the player's own loss, with the other players frozen.

        Freezing stops gradients at the other players' parameters and still lets gradients flow
        through the other players' networks, which the generator's loss needs.
        """
        for other in self.players:
            for parameter in other.parameters():
                parameter.requires_grad_(other is player)
        batch, descend = self._numbered(player, next_batch()), partial(self._descend, player)
        if self.capture is None:
            loss = descend(batch)
        else:
            loss = self.capture.move(player.name, descend, batch)
        self.n_made[player.name] += 1
        return loss

    def _descend(self, player: Player, batch: Batch) -> Tensor:
        """Move one player down the gradient of its loss on a batch, and return the loss."""
        loss = player.loss(batch)
        self.optimizers[player.name].zero_grad(set_to_none=True)
        loss.backward()
        self._apply(player, len(batch.row))
        return loss.detach()

    def _numbered(self, player: Player, batch: Batch) -> Batch:
        """Return a batch that knows the number of the player's update."""
        return replace(batch, index=self.n_made[player.name])

    def _apply(self, player: Player, n_rows: int) -> None:
        """Step a player's optimiser, then apply the constraints of the player's adversaries.

        Processes that train together first average their gradients, weighted by their rows.
        """
        slopes = [each.grad for each in player.parameters() if each.grad is not None]
        self.processes.average(slopes, n_rows)
        self.optimizers[player.name].step()
        for module in player.modules:
            if isinstance(module, Adversary):
                module.constrain()


class AlternatingUpdate(Update):
    """Move the players one after the other, each `n_updates` times, the others frozen."""

    def _step(self, next_batch: Callable[[], Batch]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for player in self.movers:
            for _ in range(player.n_updates):
                losses[player.name] = self._move(player, next_batch)
        return losses


class SimultaneousUpdate(Update):
    """Move all players at once, by gradients at the same weights and on the same batch.

    A player with several updates makes all but the last update before the common move.

    Parameters
    ----------
    players : iterable of Player
    make_optimizer : callable, list of Parameter -> Optimizer
    """

    def _step(self, next_batch: Callable[[], Batch]) -> dict[str, Tensor]:
        for player in self.movers:
            for _ in range(player.n_updates - 1):
                self._move(player, next_batch)
        for player in self.players:
            for parameter in player.parameters():
                parameter.requires_grad_(player in self.movers)
        batch = next_batch()
        losses = [player.loss(self._numbered(player, batch)) for player in self.movers]
        for player, gradients in zip(self.movers, self.field(losses), strict=True):
            for parameter, gradient in zip(player.parameters(), gradients, strict=True):
                parameter.grad = gradient.detach()
            self._apply(player, len(batch.row))
            self.n_made[player.name] += 1
        return {p.name: loss.detach() for p, loss in zip(self.movers, losses, strict=True)}

    def field(self, losses: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Return the gradient of each player's loss by the player's own parameters.

        Parameters
        ----------
        losses : sequence of scalar Tensor
            One loss for each player, with a graph.

        Returns
        -------
        list of tuple of Tensor
            For each player, one gradient for each parameter.
        """
        return self._gradients(losses)

    def _gradients(
        self, losses: Sequence[Tensor], create_graph: bool = False
    ) -> list[tuple[Tensor, ...]]:
        """Return each player's gradient by the player's own parameters, zero where unused."""
        return [
            torch.autograd.grad(
                loss,
                player.parameters(),
                retain_graph=True,
                create_graph=create_graph,
                allow_unused=True,
                materialize_grads=True,
            )
            for player, loss in zip(self.movers, losses, strict=True)
        ]


class ConsensusUpdate(SimultaneousUpdate):
    """A simultaneous update that also lowers the squared norm of the joint gradient [1]_.

    Parameters
    ----------
    players : iterable of Player
    make_optimizer : callable, list of Parameter -> Optimizer
    weight : float >= 0
        Factor on half the squared norm, the paper's gamma.

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
        """Return each player's gradient plus the gradient of the joint squared norm.

        With v_i the gradient of player i's loss by the parameters of player i, the result for
        player i is ``v_i + weight * grad_i sum_j |v_j|^2 / 2``.

        Parameters
        ----------
        losses : sequence of scalar Tensor
            One loss for each player, with a graph.

        Returns
        -------
        list of tuple of Tensor
            For each player, one tensor for each parameter.
        """
        gradients = self._gradients(losses, create_graph=True)
        energy = torch.stack([each.square().sum() for part in gradients for each in part]).sum() / 2
        pulls = self._gradients([self.weight * energy] * len(self.movers))
        return [
            tuple(gradient + pull for gradient, pull in zip(*parts, strict=True))
            for parts in zip(gradients, pulls, strict=True)
        ]
