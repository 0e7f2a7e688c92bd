"""Sequences of categories written and judged step by step."""

from __future__ import annotations

import torch
from torch import Tensor

from tabgan.adversarial.game import draw_gumbel
from tabgan.networks.recurrent import RecurrentPolicy, by_step
from tabgan.table.layout import Layout


def draw_step(
    policy: RecurrentPolicy, layout: Layout, state: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw a step from the policy's state.

    Parameters
    ----------
    policy : RecurrentPolicy
    layout : Layout
        Of a step: softmax blocks alone.
    state : Tensor of shape (n, hidden)
    rng : torch.Generator

    Returns
    -------
    codes : Tensor of shape (n, n_blocks)
    row : Tensor of shape (n, width)
        The step as networks see it.
    """
    raw = policy.out(state)
    codes, scalars = layout.draw(raw, draw_gumbel(len(raw), layout.width, rng))
    return codes, layout.expand(codes, scalars)


@torch.no_grad()
def write(
    policy: RecurrentPolicy, layout: Layout, given: Tensor, n_steps: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw sequences, each step from what the policy says after those before it.

    Parameters
    ----------
    given : Tensor of shape (n, n_given)
        What each sequence is written for.
    n_steps : int

    Returns
    -------
    codes : Tensor of shape (n, n_steps, n_blocks)
    row : Tensor of shape (n, n_steps, width)
    states : Tensor of shape (n, n_steps, hidden)
        The policy's state after each step.
    """
    state = policy.begin(given)
    drawn = []
    for _ in range(n_steps):
        codes, row = draw_step(policy, layout, state, rng)
        state = policy.advance(row, given, state)
        drawn.append((codes, row, state))
    codes, row, states = (torch.stack(parts, dim=1) for parts in zip(*drawn, strict=True))
    return codes, row, states


def step_log_likelihood(
    policy: RecurrentPolicy, layout: Layout, row: Tensor, codes: Tensor, given: Tensor, mask: Tensor
) -> Tensor:
    """Log-probability of each step given those before it, shape (n, T), in nats; 0 for padding."""
    return -by_step(layout.cross_entropy, policy(row, given), codes) * mask
