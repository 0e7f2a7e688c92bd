"""Recurrent networks that make, read and score sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Recurrence(nn.GRU):
    """A GRU whose gradient has a gradient, as penalties need: it runs without cuDNN.

    Parameters
    ----------
    n_inputs : int
        May be 0, where there is nothing to tell steps apart.
    hidden : int
        Width of the state.
    """

    def __init__(self, n_inputs: int, hidden: int) -> None:
        super().__init__(max(1, n_inputs), hidden, batch_first=True)

    def forward(self, x: Tensor, state: Tensor | None = None) -> Any:  # type: ignore[override]
        """Map (n, T, n_inputs), and perhaps a first state, to states (n, T, hidden) and the last.

        As with `nn.GRU`, first and last state have shape (1, n, hidden).
        """
        if not x.shape[2]:
            x = x.new_zeros(*x.shape[:2], 1)
        with torch.backends.cudnn.flags(enabled=False):
            return super().forward(x, state)


class RecurrentGenerator(nn.Module):
    """A GRU driven by fresh noise and by what its sequence is made from.

    The latter sets the first state and is an input of every step besides.

    Parameters
    ----------
    n_given : int
        Width of what a sequence is made from: its latent draw and its condition.
    n_noise : int
        Width of the noise of a step.
    hidden : int
        Width of the state.
    n_outputs : int
        Width of a step.
    """

    def __init__(self, n_given: int, n_noise: int, hidden: int, n_outputs: int) -> None:
        super().__init__()
        self.start = nn.Sequential(
            nn.Linear(n_given, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.Tanh()
        )
        self.cells = Recurrence(n_given + n_noise, hidden)
        self.out = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, n_outputs))

    def forward(self, given: Tensor, noise: Tensor) -> Tensor:
        """Map (n, n_given) and (n, T, n_noise) to (n, T, n_outputs)."""
        repeated = given[:, None].expand(-1, noise.shape[1], -1)
        states, _ = self.cells(torch.cat([repeated, noise], dim=2), self.start(given)[None])
        return self.out(states)


class RecurrentEncoder(nn.Module):
    """Maps a sequence to the mean of a GRU's states, and on; padding does not matter.

    Parameters
    ----------
    n_inputs : int
        Width of a step.
    n_given : int
        Width of the condition.
    hidden : int
        Width of the state.
    n_outputs : int
    """

    def __init__(self, n_inputs: int, n_given: int, hidden: int, n_outputs: int) -> None:
        super().__init__()
        self.cells = Recurrence(n_inputs + n_given, hidden)
        self.out = nn.Sequential(
            nn.Linear(hidden + n_given, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, n_outputs)
        )

    def forward(self, x: Tensor, given: Tensor, mask: Tensor) -> Tensor:
        """Encode sequences.

        Parameters
        ----------
        x : Tensor of shape (n, T, n_inputs)
        given : Tensor of shape (n, n_given)
        mask : Tensor of shape (n, T), bool
            Where steps exist; the others lie at the end.

        Returns
        -------
        Tensor of shape (n, n_outputs)
        """
        repeated = given[:, None].expand(-1, x.shape[1], -1)
        states, _ = self.cells(torch.cat([x, repeated], dim=2))
        weights = mask[..., None] / mask.sum(dim=1)[:, None, None]
        return self.out(torch.cat([(states * weights).sum(dim=1), given], dim=1))


class RecurrentCritic(RecurrentEncoder):
    """Scores sequences, beside the conditions they were made for; see `RecurrentEncoder`."""

    def __init__(self, n_inputs: int, n_given: int, hidden: int) -> None:
        super().__init__(n_inputs, n_given, hidden, 1)

    def forward(self, x: Tensor, given: Tensor, mask: Tensor) -> Tensor:
        """Score sequences, shape (n,)."""
        return super().forward(x, given, mask).squeeze(1)


class RecurrentPolicy(nn.Module):
    """A GRU that says from the steps so far what the next one will be.

    Parameters
    ----------
    n_inputs : int
        Width of a step, and of its log-probabilities.
    n_given : int
        Width of the condition.
    hidden : int
        Width of the state.
    """

    def __init__(self, n_inputs: int, n_given: int, hidden: int) -> None:
        super().__init__()
        self.begin = nn.Sequential(nn.Linear(n_given, hidden), nn.Tanh())
        self.cells = Recurrence(n_inputs + n_given, hidden)
        self.out = nn.Linear(hidden, n_inputs)

    def forward(self, row: Tensor, given: Tensor) -> Tensor:
        """Log-probabilities, not normalised, of each step of given sequences.

        Parameters
        ----------
        row : Tensor of shape (n, T, n_inputs)
        given : Tensor of shape (n, n_given)

        Returns
        -------
        Tensor of shape (n, T, n_inputs)
            Each step's depends on the steps before it alone.
        """
        first = self.begin(given)
        if row.shape[1] == 1:
            return self.out(first)[:, None]
        repeated = given[:, None].expand(-1, row.shape[1] - 1, -1)
        later, _ = self.cells(torch.cat([row[:, :-1], repeated], dim=2), first[None])
        return self.out(torch.cat([first[:, None], later], dim=1))

    def advance(self, row: Tensor, given: Tensor, state: Tensor) -> Tensor:
        """Return the state, of shape (n, hidden), after one more step of shape (n, n_inputs)."""
        inputs = torch.cat([row, given], dim=1)[:, None]
        return self.cells(inputs, state[None].contiguous())[1][0]


def by_step(function: Callable[..., Tensor], *sequences: Tensor) -> Tensor:
    """Apply a function of rows, (N, ...) to (N, ...), to the steps of sequences (n, T, ...)."""
    n, n_steps = sequences[0].shape[:2]
    return function(*(each.flatten(0, 1) for each in sequences)).unflatten(0, (n, n_steps))
