"""Networks that draw the steps of sequences in turn, and within a step one column after another."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.networks.columns import ColumnNetworks, embedding_width
from tabgan.networks.recurrent import Recurrence

N_WAVES, LONGEST_WAVE = 4, 100.0
"""Sines of a step's position, and as many cosines; and the steps of the longest one, over 2 pi."""

N_LOOKED_BACK = 2
"""Steps whose levels the columns of a step see directly, beside the recurrent state."""


def n_seen(n_blocks: int, n_given: int, hidden: int) -> int:
    """Return how many entries `StepNetworks` give to the networks of the columns of a step.

    Parameters
    ----------
    n_blocks : int
        Columns of a step.
    n_given, hidden : int
        See `StepNetworks`.
    """
    looked_back = N_LOOKED_BACK * n_blocks * embedding_width(n_blocks)
    return hidden + looked_back + n_given + 2 * N_WAVES


class StepNetworks(nn.Module):
    """An autoregressive model of sequences, whose steps are drawn one column after another.

    The model is the product ``p(x) = prod_t prod_b p(x_tb | x_t1, ..., x_t(b-1), x_1, ..., x_(t-1),
    given)``. A GRU reads the steps so far, the condition and the position of the step. The columns
    of a step are drawn in turn by `ColumnNetworks`, which are given the state of the GRU, the last
    two steps, the condition and the position. A sequence needs one pass to be scored, and one pass
    for each column of each step to be drawn.

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
        self.n_inputs = columns.layout.n_softmax * columns.embedding_dim
        n_about = n_given + 2 * N_WAVES
        self.begin = nn.Sequential(nn.Linear(n_about, hidden), nn.Tanh())
        self.cells = Recurrence(self.n_inputs + n_about, hidden)

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
        # Padding is scored too: to leave it out, a step of training would wait for the device.
        seen = self.context(codes, given).flatten(0, 1)
        log_p = self.columns.log_likelihood(codes.flatten(0, 1), seen, rng)
        return log_p.view(mask.shape) * mask

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
        about = self._about(given, 0, n_steps)
        levels = self._embedded(codes.flatten(0, 1)).unflatten(0, (n, n_steps))
        states = self.begin(about[:, 0])[:, None]
        if n_steps > 1:
            inputs = torch.cat([levels[:, :-1], about[:, 1:]], dim=2)
            later, _ = self.cells(inputs, states.transpose(0, 1).contiguous())
            states = torch.cat([states, later], dim=1)
        looked_back = [
            F.pad(levels, (0, 0, lag, 0))[:, :n_steps] for lag in range(1, N_LOOKED_BACK + 1)
        ]
        return torch.cat([states, *looked_back, about], dim=2)

    @torch.no_grad()
    def write(
        self, given: Tensor, n_steps: int, rng: torch.Generator, begun: Tensor | None = None
    ) -> Tensor:
        """Draw sequences, each step from the distribution given the steps before.

        Parameters
        ----------
        given : Tensor of shape (n, n_given)
        n_steps : int >= 1
        rng : torch.Generator
        begun : Tensor of shape (n, n_steps, n_blocks), optional
            Levels of first steps, negative for steps to draw.

        Returns
        -------
        Tensor of shape (n, n_steps, n_blocks), int64
        """
        about = self._about(given, 0, 1)[:, 0]
        state = self.begin(about)
        # The last step comes first.
        levels = [given.new_zeros(len(given), self.n_inputs)] * N_LOOKED_BACK
        written: list[Tensor] = []
        for step in range(n_steps):
            if written:
                levels = [self._embedded(written[-1]), *levels[:-1]]
                about = self._about(given, step, 1)[:, 0]
                inputs = torch.cat([levels[0], about], dim=1)[:, None]
                state = self.cells(inputs, state[None].contiguous())[1][0]
            seen = torch.cat([state, *levels, about], dim=1)
            parts = seen.split(self.columns.draws_at_once)
            codes = torch.cat([self.columns.draw(part, rng) for part in parts])
            if begun is not None:
                codes = torch.where(begun[:, step] >= 0, begun[:, step], codes)
            written.append(codes)
        return torch.stack(written, dim=1)

    def _embedded(self, codes: Tensor) -> Tensor:
        """Return the embeddings of the levels of steps, shape (N, n_inputs)."""
        return self.columns.seen(codes, codes.new_zeros(len(codes), 0, dtype=torch.float32))

    def _about(self, given: Tensor, first: int, n_steps: int) -> Tensor:
        """Join conditions and the positions of steps, shape (n, n_steps, n_given + 2 * N_WAVES).

        A position is given by sines and cosines of growing wavelengths, as in Vaswani et al.
        (2017), "Attention Is All You Need", arXiv 1706.03762, section 3.5.
        """
        steps = torch.arange(first, first + n_steps, device=given.device, dtype=given.dtype)
        angles = [steps * LONGEST_WAVE ** (-wave / N_WAVES) for wave in range(N_WAVES)]
        waves = [wave(angle) for angle in angles for wave in (torch.sin, torch.cos)]
        position = torch.stack(waves, dim=1).expand(len(given), -1, -1)
        return torch.cat([given[:, None].expand(-1, n_steps, -1), position], dim=2)
