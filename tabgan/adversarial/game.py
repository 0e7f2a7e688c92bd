"""A game: the networks of a generative model and the players that own the networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

GUMBEL_TEMPERATURE = 0.5
"""Temperature of the Gumbel-softmax draws that a discriminator or critic sees; lower is harder."""


@dataclass
class Batch:
    """One batch of encoded real rows, from which a player computes a loss.

    Attributes
    ----------
    table : EncodedTable of n rows
        Codes and scalars of the real rows.
    row : Tensor of shape (n, width)
        The same rows as `Layout.expand` lays the rows out for a network. Sequences have shape
        (n, T, width).
    condition : Tensor of shape (n, condition width)
        The condition of each row, laid out for a network. The width is 0 without conditions.
    condition_table : EncodedTable of n rows
        Codes and scalars of the conditions.
    rng : torch.Generator
        Source of all noise, on the device of the rows.
    mask : Tensor of shape (n, T) or None
        For sequences, 1 where a step exists and 0 where a step is padding. None for rows.
    index : int >= 0
        Number of updates of the player before this update.
    progress : float in [0, 1)
        Share of the run's steps that are over.
    labelled : Batch or None
        Further rows, whose conditions are known, if the conditions of some rows are not.
    """

    table: EncodedTable
    row: Tensor
    condition: Tensor
    condition_table: EncodedTable
    rng: torch.Generator
    mask: Tensor | None = None
    index: int = 0
    progress: float = 0.0
    labelled: Batch | None = None

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Apply a function to all tensors, those of `labelled` included.

        Parameters
        ----------
        function : callable, Tensor -> Tensor

        Returns
        -------
        Batch
        """
        return replace(
            self,
            table=EncodedTable(*map(function, self.table)),
            row=function(self.row),
            condition=function(self.condition),
            condition_table=EncodedTable(*map(function, self.condition_table)),
            mask=None if self.mask is None else function(self.mask),
            labelled=None if self.labelled is None else self.labelled.mapped(function),
        )

    def first(self, share: float) -> Batch:
        """Return the first rows of the batch, one at least.

        Parameters
        ----------
        share : float in (0, 1]
            Share of the rows.

        Returns
        -------
        Batch
        """
        n = max(1, round(share * len(self.row)))
        return self.mapped(lambda tensor: tensor[:n])


@dataclass(frozen=True)
class Player:
    """One side of a game: modules, and the loss that the parameters of the modules minimise.

    A player computes a loss and nothing else. The update steps the optimiser, and the update
    freezes the other players' parameters, so that no loss has to detach a tensor.

    Attributes
    ----------
    name : str
        Name of the loss in `history_`.
    modules : tuple of Module
        The modules whose parameters the player owns.
    loss : callable, Batch -> scalar Tensor
    n_updates : int >= 1, default=1
        Updates in each training step; each update has its own batch.
    rate : float > 0, default=1
        Factor on the learning rate.
    stage : int, default=0
        Players of a later stage move when those of the stages before it have ended, and learn from
        what these have become.
    """

    name: str
    modules: tuple[nn.Module, ...]
    loss: Callable[[Batch], Tensor]
    n_updates: int = 1
    rate: float = 1.0
    stage: int = 0

    def parameters(self) -> list[nn.Parameter]:
        """Return all parameters of the player's modules."""
        return [parameter for module in self.modules for parameter in module.parameters()]


class Game(nn.Module):
    """The networks of one model, and the players that train the networks.

    A subclass defines `players`, and `generate` if the game makes rows. Further methods, such as
    `score`, belong to the models that use the methods.
    """

    def players(self) -> tuple[Player, ...]:
        """Return the players in the order in which the players move."""
        raise NotImplementedError

    def shared(self) -> tuple[nn.Module, ...]:
        """Return modules that no step changes, and that copies of the game share."""
        return ()

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Generate raw rows, one for each condition.

        Parameters
        ----------
        condition : Tensor of shape (n, condition width)
            Conditions, laid out for a network.
        rng : torch.Generator
            Source of the latent draws, on the device of the conditions.

        Returns
        -------
        Tensor of shape (n, width)
            Scalars, and unnormalised log-probabilities of levels, as `Layout.draw` takes both.
        """
        raise NotImplementedError

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Compute figures for the history beside the losses.

        Parameters
        ----------
        batch : Batch

        Returns
        -------
        dict of str to scalar Tensor
            Figures by name. The caller computes the figures without gradients.
        """
        return {}


def draw_normal(n: int, width: int, rng: torch.Generator) -> Tensor:
    """Draw standard normal noise on the generator's device.

    Parameters
    ----------
    n, width : int
    rng : torch.Generator

    Returns
    -------
    Tensor of shape (n, width)
    """
    return torch.randn(n, width, generator=rng, device=rng.device)


def draw_gumbel(n: int, width: int, rng: torch.Generator) -> Tensor:
    """Draw standard Gumbel noise on the generator's device.

    The negative logarithm of a standard exponential variable has the standard Gumbel distribution.

    Parameters
    ----------
    n, width : int
    rng : torch.Generator

    Returns
    -------
    Tensor of shape (n, width)
    """
    exponential = torch.empty(n, width, device=rng.device).exponential_(generator=rng)
    return -exponential.log()


def soften(
    layout: Layout, raw: Tensor, rng: torch.Generator, temperature: float = GUMBEL_TEMPERATURE
) -> Tensor:
    """Turn raw rows into soft draws, with one Gumbel-softmax draw for each block [1]_.

    A soft draw has a gradient by the log-probabilities, which a draw of one level has not.

    Parameters
    ----------
    layout : Layout
    raw : Tensor of shape (n, width)
        Raw rows of a generator.
    rng : torch.Generator
    temperature : float > 0, default=0.5
        Lower temperatures give draws nearer to one-hot blocks.

    Returns
    -------
    Tensor of shape (n, width)
        Scalars, and for each block weights of its levels that add up to 1.

    References
    ----------
    .. [1] Jang, Gu and Poole (2017), "Categorical Reparameterization with Gumbel-Softmax",
       arXiv 1611.01144, equation 2.
    """
    return layout.activate(raw, draw_gumbel(len(raw), layout.width, rng), temperature)
