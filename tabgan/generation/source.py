"""Sources of encoded rows: the links of the chain from weights to rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tabgan.adversarial.game import draw_gumbel
from tabgan.generation.encoding import Encoding
from tabgan.networks.precision import fast_matmul
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable

CHUNK = 16_384
"""Rows generated at once."""


class Source:
    """Draws encoded rows; what it draws them for, `given`, has one entry for each row.

    A source may hold another one. Nobody overrides a step of somebody else's: a new step between
    weights and rows is a new source around an old one.
    """

    def draw(self, given: Any, noise: torch.Generator) -> EncodedTable:
        """Draw one encoded row for each condition.

        Parameters
        ----------
        given : EncodedTable of n rows, on the device
            The conditions.
        noise : torch.Generator

        Returns
        -------
        EncodedTable of n rows, on the device
        """
        raise NotImplementedError

    has_likelihood = False
    """Whether the source can tell the probability of rows."""

    def log_likelihood(self, real: Any) -> Tensor:
        """Log-probability of each encoded row given its condition, shape (n,), in nats."""
        raise NotImplementedError

    def learn(self, real: Any, streams: Streams) -> None:
        """Learn from real rows, after training, what makes drawn rows truer; nothing by default.

        Parameters
        ----------
        real : Rows
        streams : Streams
        """

    def modules(self) -> dict[str, nn.Module]:
        """Return what holds learnt tensors, by name, that of the sources held included."""
        return {}


class RawRows(Source):
    """The generator of a game: raw rows, each level drawn with its probability.

    Parameters
    ----------
    game : Game
        With averaged weights.
    encoding : Encoding
    """

    def __init__(self, game: Any, encoding: Encoding) -> None:
        self.game, self.encoding = game, encoding

    @torch.no_grad()
    def raw(self, given: EncodedTable, noise: torch.Generator) -> Tensor:
        """Make raw rows, shape (n, width), one for each condition, some thousands at a time."""
        condition = self.condition(given, noise)
        with fast_matmul():
            return torch.cat([self.game.generate(part, noise) for part in condition.split(CHUNK)])

    def condition(self, given: EncodedTable, noise: torch.Generator) -> Tensor:
        """Lay conditions out as the game sees them, shape (n, condition width)."""
        return self.encoding.condition_layout.expand(*given)

    def draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Draw rows at the rates that the game has learnt."""
        raw, layout = self.raw(given, noise), self.encoding.layout
        return EncodedTable(*layout.draw(raw, draw_gumbel(len(raw), layout.width, noise)))

    def typical(self, real: Any, rng: np.random.Generator) -> EncodedTable:
        """Draw as many conditions, at the rates of training, as show the rates of levels.

        Rates need be no truer than the training rows know them, and wide rows must fit in memory.
        """
        width = self.encoding.layout.width
        n = max(256, min(20_000, 2_000 + 10 * real.n, 20_000_000 // width))
        return self.encoding.conditions.draw(n, rng).to(real.made.codes.device)
