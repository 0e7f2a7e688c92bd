"""Knowing when to stop, and which weights to keep: a figure on data that training does not see."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from tabgan.adversarial.game import Game

RATE_CUT = 1 / 3
"""Factor on the learning rate each time it is cut."""


@dataclass(frozen=True)
class Validation:
    """A figure on held-out data, and what follows from it.

    Attributes
    ----------
    name : str
        Of the column in the history.
    score : callable, Game -> float
        Judges the game with averaged weights; higher is better.
    every : int
        Steps from one look to the next.
    patience : int
        Looks without improvement before training ends, or the learning rate is cut.
    rate_cuts : int
        Times that training first goes on from the best weights at a lower learning rate.
    """

    name: str
    score: Callable[[Game], float]
    every: int
    patience: int
    rate_cuts: int = 0


class Watch:
    """Follows one run of training by its validation.

    Parameters
    ----------
    validation : Validation
    game, averaged : Game
        With the weights in training, and with their average, which is judged.

    Attributes
    ----------
    rate : float
        Factor on the learning rate.
    best : float
        Best score seen.
    """

    def __init__(self, validation: Validation, game: Game, averaged: Game) -> None:
        self.validation = validation
        self._games = (game, averaged)
        self.rate = 1.0
        self.best = -math.inf
        self._n_worse = 0
        self._n_cuts = 0
        self._kept: list[dict[str, torch.Tensor]] = []

    def is_due(self, step: int) -> bool:
        """Whether the run has come to its next look."""
        return step % self.validation.every == 0

    def look(self) -> tuple[float, bool]:
        """Score the weights; keep a copy of the best, and say whether training is over."""
        score = self.validation.score(self._games[1])
        if score > self.best:
            self.best, self._n_worse = score, 0
            self._kept = [
                {key: value.clone() for key, value in game.state_dict().items()}
                for game in self._games
            ]
        else:
            self._n_worse += 1
        if self._n_worse < self.validation.patience:
            return score, False
        if self._n_cuts == self.validation.rate_cuts:
            return score, True
        self._n_cuts, self._n_worse = self._n_cuts + 1, 0
        self.rate *= RATE_CUT
        self.restore()
        return score, False

    def restore(self) -> None:
        """Put the best weights back, if any have been judged."""
        for game, weights in zip(self._games, self._kept, strict=False):
            game.load_state_dict(weights)
