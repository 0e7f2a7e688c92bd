"""Early stopping: when training ends, and which weights remain, by a score on held-out data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tabgan.adversarial.game import Game
from tabgan.adversarial.processes import ALONE, Processes

RATE_CUT = 1 / 3
"""Factor on the learning rate at each cut."""


@dataclass(frozen=True)
class Validation:
    """A score on held-out data, and the rules by which the score steers training.

    Attributes
    ----------
    name : str
        Name of the score's column in the history.
    score : callable, Game -> float
        Scores the game with averaged weights; higher is better.
    every : int >= 1
        Steps from one evaluation to the next.
    patience : int >= 1
        Evaluations in a row without a new best score, after which the learning rate is cut or
        training ends.
    rate_cuts : int >= 0, default=0
        How often the learning rate is cut before training ends.
    settled : float >= 0, default=0.0
        Gain of the score over the second half of the steps so far, below which the learning rate
        begins to fall. With 0 the score has no say in that.
    fewest_steps : int >= 1, default=1
        Fewest steps of a run that ends by `settled`.
    """

    name: str
    score: Callable[[Game], float]
    every: int
    patience: int
    rate_cuts: int = 0
    settled: float = 0.0
    fewest_steps: int = 1


class Watch:
    """Follow one run of training by a validation.

    At each evaluation the watch scores the averaged weights and keeps a copy of the best weights.
    After `patience` evaluations in a row without a new best score, training continues from the best
    weights at a third of the learning rate. After `rate_cuts` such cuts, training ends instead.
    Held-out scores fall once a network starts to memorise the training rows, so the best evaluation
    marks the weights that fit new rows best (Prechelt, 1998, "Early Stopping - But When?").

    The watch also shortens the run of a table that is learnt quickly. Where a score approaches its
    limit as one over the number of steps, it has as much left to gain as it gained since half of
    the steps. Once that gain is below `settled`, as many steps follow as were made, during which
    the learning rate falls.

    Parameters
    ----------
    validation : Validation
    game : Game
        The game with the weights in training.
    averaged : Game
        The game with the averaged weights, which are scored.
    processes : Processes, default=ALONE
        The processes that train together. The score of the first one decides for all.

    Attributes
    ----------
    rate : float in (0, 1]
        Factor on the learning rate.
    best : float
        Best score so far; minus infinity before the first evaluation.
    """

    def __init__(
        self, validation: Validation, game: Game, averaged: Game, processes: Processes = ALONE
    ) -> None:
        self.validation, self.processes = validation, processes
        self._games = (game, averaged)
        self.rate = 1.0
        self.best = -math.inf
        self._end: int | None = None
        self._scores: list[float] = []
        self._n_worse = 0
        self._n_cuts = 0
        self._kept: list[dict[str, torch.Tensor]] = []

    def end(self, n_steps: int) -> int:
        """Return the steps of a run of at most `n_steps`, as far as the scores tell by now."""
        return n_steps if self._end is None else min(n_steps, self._end)

    def is_due(self, step: int) -> bool:
        """Return whether the step is one at which the weights are scored."""
        return step % self.validation.every == 0

    def look(self) -> tuple[float, bool]:
        """Score the averaged weights, and apply the rules of the validation.

        Returns
        -------
        score : float
            Score of the averaged weights.
        is_over : bool
            Whether training should end.
        """
        score = self.processes.first(self.validation.score(self._games[1]))
        self._scores.append(score)
        if self.validation.settled:
            self._shorten()
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

    def _shorten(self) -> None:
        """Let the run end at twice the steps so far, if the score gains little by now."""
        n_looks, rules = len(self._scores), self.validation
        end = 2 * n_looks * rules.every
        if self._end is None and n_looks % 2 == 0 and end >= rules.fewest_steps:
            if self._scores[-1] - self._scores[n_looks // 2 - 1] < rules.settled:
                self._end = end

    def restore(self) -> None:
        """Put the best weights back into both games, if an evaluation has found any."""
        for game, weights in zip(self._games, self._kept, strict=False):
            game.load_state_dict(weights)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return the best weights and the numbers by which a later process can follow the run."""
        tensors = {
            f"{i}.{key}": value
            for i, weights in enumerate(self._kept)
            for key, value in weights.items()
        }
        names = ("rate", "best", "_end", "_scores", "_n_worse", "_n_cuts")
        return tensors, {name: getattr(self, name) for name in names}

    def resume(self, tensors: dict[str, torch.Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        vars(self).update(values)
        kept: list[dict[str, torch.Tensor]] = [{} for _ in self._games if tensors]
        for name, value in tensors.items():
            i, _, key = name.partition(".")
            kept[int(i)][key] = value
        self._kept = kept
