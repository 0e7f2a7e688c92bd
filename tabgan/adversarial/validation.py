"""Knowing when to stop, and which weights to keep: a figure on data that training does not see."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tabgan.adversarial.game import Game

if TYPE_CHECKING:
    from tabgan.adversarial.training import Training

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

    Attributes
    ----------
    rate : float
        Factor on the learning rate.
    best : float
        Best score seen.
    """

    def __init__(self, validation: Validation) -> None:
        self.validation = validation
        self.rate = 1.0
        self.best = -math.inf
        self._n_worse = 0
        self._n_cuts = 0
        self._kept: dict[str, dict[str, torch.Tensor]] = {}

    def is_due(self, step: int) -> bool:
        """Whether the run has come to its next look."""
        return step % self.validation.every == 0

    def look(self, training: Training) -> tuple[float, bool]:
        """Score the weights; keep a copy of the best, and say whether training is over."""
        score = self.validation.score(training.averaged)
        if score > self.best:
            self.best, self._n_worse = score, 0
            self._kept = {
                name: {key: value.clone() for key, value in game.state_dict().items()}
                for name, game in _games(training).items()
            }
        else:
            self._n_worse += 1
        if self._n_worse < self.validation.patience:
            return score, False
        if self._n_cuts == self.validation.rate_cuts:
            return score, True
        self._n_cuts, self._n_worse = self._n_cuts + 1, 0
        self.rate *= RATE_CUT
        self.restore(training)
        return score, False

    def restore(self, training: Training) -> None:
        """Put the best weights back, those in training and their average; the first if none."""
        for name, weights in self._kept.items():
            _games(training)[name].load_state_dict(weights)


def _games(training: Training) -> dict[str, Game]:
    return {"game": training.game, "averaged": training.averaged}
