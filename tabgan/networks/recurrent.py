"""Recurrent networks that generate, encode and score sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Recurrence(nn.GRU):
    """A GRU that runs without cuDNN, because cuDNN's GRU has no second derivative.

    Gradient penalties need the second derivative.

    Parameters
    ----------
    n_inputs : int >= 0
        Entries of a step. A recurrence without inputs runs on zeros.
    hidden : int
        Entries of the state.
    """

    def __init__(self, n_inputs: int, hidden: int) -> None:
        super().__init__(max(1, n_inputs), hidden, batch_first=True)

    def forward(self, x: Tensor, state: Tensor | None = None) -> Any:  # type: ignore[override]
        """Run over the steps of sequences.

        Parameters
        ----------
        x : Tensor of shape (n, T, n_inputs)
        state : Tensor of shape (1, n, hidden), optional
            The first state; zero by default.

        Returns
        -------
        states : Tensor of shape (n, T, hidden)
        last : Tensor of shape (1, n, hidden)
        """
        if not x.shape[2]:
            x = x.new_zeros(*x.shape[:2], 1)
        with torch.backends.cudnn.flags(enabled=False):
            return super().forward(x, state)


class RecurrentGenerator(nn.Module):
    """A GRU that generates sequences from a latent draw, a condition and fresh noise at each step.

    The latent draw and the condition set the first state, and both are inputs of every step.

    Parameters
    ----------
    n_given : int
        Entries of the latent draw and of the condition together.
    n_noise : int
        Entries of a step's noise.
    hidden : int
        Entries of the state.
    n_outputs : int
        Entries of a generated step.
    """

    def __init__(self, n_given: int, n_noise: int, hidden: int, n_outputs: int) -> None:
        super().__init__()
        self.start = nn.Sequential(
            nn.Linear(n_given, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.Tanh()
        )
        self.cells = Recurrence(n_given + n_noise, hidden)
        self.out = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, n_outputs))

    def forward(self, given: Tensor, noise: Tensor) -> Tensor:
        """Generate raw steps.

        Parameters
        ----------
        given : Tensor of shape (n, n_given)
            The latent draw and the condition of each sequence.
        noise : Tensor of shape (n, T, n_noise)

        Returns
        -------
        Tensor of shape (n, T, n_outputs)
        """
        repeated = given[:, None].expand(-1, noise.shape[1], -1)
        states, _ = self.cells(torch.cat([repeated, noise], dim=2), self.start(given)[None])
        return self.out(states)


class RecurrentEncoder(nn.Module):
    """Maps each sequence to one vector, by the mean of a GRU's states over the steps that exist.

    Parameters
    ----------
    n_inputs : int
        Entries of a step.
    n_given : int
        Entries of a condition.
    hidden : int
        Entries of the state.
    n_outputs : int
        Entries of the vector.
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
        mask : Tensor of shape (n, T)
            1 where a step exists and 0 where a step is padding; padding lies at the end.

        Returns
        -------
        Tensor of shape (n, n_outputs)
        """
        repeated = given[:, None].expand(-1, x.shape[1], -1)
        states, _ = self.cells(torch.cat([x, repeated], dim=2))
        weights = mask[..., None] / mask.sum(dim=1)[:, None, None]
        return self.out(torch.cat([(states * weights).sum(dim=1), given], dim=1))


class RecurrentCritic(RecurrentEncoder):
    """Scores sequences beside their conditions; a `RecurrentEncoder` with one output.

    Parameters
    ----------
    n_inputs : int
        Entries of a step.
    n_given : int
        Entries of a condition.
    hidden : int
        Entries of the state.
    """

    def __init__(self, n_inputs: int, n_given: int, hidden: int) -> None:
        super().__init__(n_inputs, n_given, hidden, 1)

    def forward(self, x: Tensor, given: Tensor, mask: Tensor) -> Tensor:
        """Score sequences.

        Parameters
        ----------
        x : Tensor of shape (n, T, n_inputs)
        given : Tensor of shape (n, n_given)
        mask : Tensor of shape (n, T)
            1 where a step exists and 0 where a step is padding; padding lies at the end.

        Returns
        -------
        Tensor of shape (n,)
        """
        return super().forward(x, given, mask).squeeze(1)


class RecurrentPolicy(nn.Module):
    """A GRU that predicts each step of a sequence from the steps before that step.

    Parameters
    ----------
    n_inputs : int
        Entries of a step, which is also the number of log-probabilities of a step.
    n_given : int
        Entries of a condition.
    hidden : int
        Entries of the state.
    """

    def __init__(self, n_inputs: int, n_given: int, hidden: int) -> None:
        super().__init__()
        self.begin = nn.Sequential(nn.Linear(n_given, hidden), nn.Tanh())
        self.cells = Recurrence(n_inputs + n_given, hidden)
        self.out = nn.Linear(hidden, n_inputs)

    def forward(self, row: Tensor, given: Tensor) -> Tensor:
        """Predict all steps of known sequences.

        Parameters
        ----------
        row : Tensor of shape (n, T, n_inputs)
        given : Tensor of shape (n, n_given)

        Returns
        -------
        Tensor of shape (n, T, n_inputs)
            Unnormalised log-probabilities. The entries of a step depend on earlier steps alone.
        """
        first = self.begin(given)
        if row.shape[1] == 1:
            return self.out(first)[:, None]
        repeated = given[:, None].expand(-1, row.shape[1] - 1, -1)
        later, _ = self.cells(torch.cat([row[:, :-1], repeated], dim=2), first[None])
        return self.out(torch.cat([first[:, None], later], dim=1))

    def advance(self, row: Tensor, given: Tensor, state: Tensor) -> Tensor:
        """Return the state after one more step.

        Parameters
        ----------
        row : Tensor of shape (n, n_inputs)
            The step.
        given : Tensor of shape (n, n_given)
        state : Tensor of shape (n, hidden)
            The state before the step.

        Returns
        -------
        Tensor of shape (n, hidden)
        """
        inputs = torch.cat([row, given], dim=1)[:, None]
        return self.cells(inputs, state[None].contiguous())[1][0]


def by_step(function: Callable[..., Tensor], *sequences: Tensor) -> Tensor:
    """Apply a function of rows to all steps of sequences at once.

    Parameters
    ----------
    function : callable
        Maps tensors of shape (N, ...) to a tensor of shape (N, ...), row by row.
    *sequences : Tensor of shape (n, T, ...)

    Returns
    -------
    Tensor of shape (n, T, ...)
    """
    n, n_steps = sequences[0].shape[:2]
    return function(*(each.flatten(0, 1) for each in sequences)).unflatten(0, (n, n_steps))
