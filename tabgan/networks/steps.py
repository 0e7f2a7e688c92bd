"""Networks that draw the steps of sequences in turn, and within a step one column after another."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.networks.columns import ColumnNetworks
from tabgan.networks.recurrent import Recurrence

N_POSITIONS = 8
"""Entries of the code of a step's position."""

N_LOOKED_BACK = 2
"""Steps that a step's columns see directly, beside the recurrent state."""


class StepNetworks(nn.Module):
    """An autoregressive model of sequences: ``p(x) = prod_t prod_b p(x_tb | x_tb', x_<t, given)``.

    A GRU reads the steps so far. The columns of a step are drawn in turn by `ColumnNetworks`, which
    are given the state of the GRU, the last two steps and the condition. A sequence needs one pass
    to be scored, and one pass for each column of each step to be drawn.

    Parameters
    ----------
    columns : ColumnNetworks
        Networks of the columns of a step; `n_seen` says how much they are given.
    n_given : int
        Entries of a condition.
    hidden : int
        Entries of the recurrent state.
    """

    def __init__(self, columns: ColumnNetworks, n_given: int, hidden: int) -> None:
        super().__init__()
        self.columns = columns
        n_inputs = columns.layout.n_softmax * columns.embedding_dim
        self.begin = nn.Sequential(nn.Linear(n_given + N_POSITIONS, hidden), nn.Tanh())
        self.cells = Recurrence(n_inputs + n_given + N_POSITIONS, hidden)

    @staticmethod
    def n_seen(n_inputs: int, n_given: int, hidden: int) -> int:
        """Return how many entries the networks of the columns are given."""
        return hidden + N_LOOKED_BACK * n_inputs + n_given + N_POSITIONS

    def context(self, codes: Tensor, given: Tensor) -> Tensor:
        """Compute what the columns of each step of known sequences are given.

        Parameters
        ----------
        codes : Tensor of shape (n, T, n_blocks)
        given : Tensor of shape (n, n_given)

        Returns
        -------
        Tensor of shape (n, T, n_seen)
            The entries of a step depend on earlier steps alone.
        """
        n, n_steps = codes.shape[:2]
        about = self._about(given, torch.arange(n_steps, device=codes.device))
        seen = self._embedded(codes.flatten(0, 1)).view(n, n_steps, -1)
        first = self.begin(about[:, 0])
        states = first[:, None]
        if n_steps > 1:
            later, _ = self.cells(torch.cat([seen[:, :-1], about[:, 1:]], dim=2), first[None])
            states = torch.cat([states, later], dim=1)
        back = [
            F.pad(seen[:, :-lag], (0, 0, lag, 0))[:, :n_steps]
            for lag in range(1, N_LOOKED_BACK + 1)
        ]
        return torch.cat([states, *back, about], dim=2)

    def log_likelihood(
        self, codes: Tensor, given: Tensor, mask: Tensor, rng: torch.Generator | None = None
    ) -> Tensor:
        """Compute the log-probability of each step of known sequences.

        Parameters
        ----------
        codes : Tensor of shape (n, T, n_blocks)
            Levels; a negative code is unknown.
        given : Tensor of shape (n, n_given)
        mask : Tensor of shape (n, T), bool
            Where a sequence has a step.
        rng : torch.Generator, optional
            Source of dropout in training.

        Returns
        -------
        Tensor of shape (n, T), in nats
            0 for padding.
        """
        seen = self.context(codes, given)
        log_p = seen.new_zeros(mask.shape)
        log_p[mask] = self.columns.log_likelihood(codes[mask], seen[mask], rng)
        return log_p

    @torch.no_grad()
    def write(self, given: Tensor, n_steps: int, rng: torch.Generator) -> Tensor:
        """Draw sequences step by step, as codes of shape (n, n_steps, n_blocks).

        Parameters
        ----------
        given : Tensor of shape (n, n_given)
        n_steps : int >= 1
        rng : torch.Generator
        """
        codes: list[Tensor] = []
        state = seen = self.begin(self._about(given, torch.zeros(1, device=given.device))[:, 0])
        back: list[Tensor] = []
        for step in range(n_steps):
            about = self._about(given, torch.full((1,), step, device=given.device))[:, 0]
            if codes:
                seen = self._embedded(codes[-1])
                back = [seen, *back][:N_LOOKED_BACK]
                inputs = torch.cat([seen, about], dim=1)[:, None]
                state = self.cells(inputs, state[None].contiguous())[1][0]
            n_inputs = self.columns.layout.n_softmax * self.columns.embedding_dim
            absent = [state.new_zeros(len(state), n_inputs)] * (N_LOOKED_BACK - len(back))
            codes.append(self.columns.draw(torch.cat([state, *back, *absent, about], dim=1), rng))
        return torch.stack(codes, dim=1)

    def _embedded(self, codes: Tensor) -> Tensor:
        """Return the embeddings of rows of levels, shape (n, n_blocks * embedding_dim)."""
        return self.columns.seen(codes, codes.new_zeros(len(codes), 0, dtype=torch.float32))

    def _about(self, given: Tensor, steps: Tensor) -> Tensor:
        """Join conditions and positions, shape (n, T, n_given + N_POSITIONS)."""
        rates = torch.exp(-math.log(100.0) * torch.arange(N_POSITIONS // 2) / (N_POSITIONS // 2))
        angles = steps[:, None] * rates.to(given)
        position = torch.cat([angles.sin(), angles.cos()], dim=1)
        return torch.cat(
            [
                given[:, None].expand(-1, len(steps), -1),
                position[None].expand(len(given), -1, -1),
            ],
            dim=2,
        )
