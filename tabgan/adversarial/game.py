"""What a generative system consists of: networks and the players that own them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

GUMBEL_TEMPERATURE = 0.5
"""How sharp soft levels are that a critic sees."""


@dataclass
class Batch:
    """What a player's loss is computed from.

    Attributes
    ----------
    table : EncodedTable of n rows
        Codes and scalars of the real rows.
    row : Tensor of shape (n, width)
        The same rows as a network sees them.
    condition : Tensor of shape (n, condition width)
        The condition of each row as a network sees it; of width 0 without conditions.
    condition_table : EncodedTable of n rows
        Codes and scalars of the conditions.
    rng : torch.Generator
        Source of all noise, on the device.
    mask : Tensor of shape (n, T) or None
        Of sequences, 1 where a step exists and 0 where it is padding.
    index : int
        Number of updates that the player has made before this one.
    progress : float in [0, 1)
        Share of the run's steps that lie behind.
    """

    table: EncodedTable
    row: Tensor
    condition: Tensor
    condition_table: EncodedTable
    rng: torch.Generator
    mask: Tensor | None = None
    index: int = 0
    progress: float = 0.0


@dataclass(frozen=True)
class Player:
    """One side of a game: parameters and the loss they follow.

    A player never steps an optimiser and never detaches the others: the update freezes them.

    Attributes
    ----------
    name : str
        Names the loss in `history_`.
    modules : tuple of Module
        What the player owns.
    loss : callable, Batch -> scalar Tensor
    n_updates : int
        Updates per training step, each on a batch of its own.
    """

    name: str
    modules: tuple[nn.Module, ...]
    loss: Callable[[Batch], Tensor]
    n_updates: int = 1

    def parameters(self) -> list[nn.Parameter]:
        """All parameters the player owns."""
        return [parameter for module in self.modules for parameter in module.parameters()]


class Game(nn.Module):
    """Networks and players of one system; subclasses say who plays and for what.

    A subclass defines `players` and `generate`; `score`, `monitor` and others as it has them.
    """

    def players(self) -> tuple[Player, ...]:
        """Return the players in the order in which they move."""
        raise NotImplementedError

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Make raw rows, one per condition.

        Parameters
        ----------
        condition : Tensor of shape (n, condition width)
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (n, width)
            Scalars and unnormalised log-probabilities, as `Layout.draw` takes them.
        """
        raise NotImplementedError

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return figures worth recording besides the losses; not differentiated."""
        return {}


def draw_normal(n: int, width: int, rng: torch.Generator) -> Tensor:
    """Draw standard normal noise of shape (n, width) on the generator's device."""
    return torch.randn(n, width, generator=rng, device=rng.device)


def draw_gumbel(n: int, width: int, rng: torch.Generator) -> Tensor:
    """Draw standard Gumbel noise of shape (n, width) on the generator's device."""
    exponential = torch.empty(n, width, device=rng.device).exponential_(generator=rng)
    return -exponential.log()


def soften(
    layout: Layout, raw: Tensor, rng: torch.Generator, temperature: float = GUMBEL_TEMPERATURE
) -> Tensor:
    """Turn raw rows into soft draws, shape (n, width): Gumbel-softmax, one for each block."""
    return layout.activate(raw, draw_gumbel(len(raw), layout.width, rng), temperature)
