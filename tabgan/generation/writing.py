"""Sequences of levels, drawn and scored step by step by a policy."""

from __future__ import annotations

import torch
from torch import Tensor

from tabgan.adversarial.game import draw_gumbel
from tabgan.networks.recurrent import RecurrentPolicy, by_step
from tabgan.table.layout import Layout


def draw_step(
    policy: RecurrentPolicy, layout: Layout, state: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw one step of each sequence from the policy's states.

    Parameters
    ----------
    policy : RecurrentPolicy
    layout : Layout
        Layout of a step, without scalars.
    state : Tensor of shape (n, hidden)
        The state after the steps before.
    rng : torch.Generator

    Returns
    -------
    codes : Tensor of shape (n, n_blocks)
    row : Tensor of shape (n, width)
        The step, laid out for a network.
    """
    raw = policy.out(state)
    codes, scalars = layout.draw(raw, draw_gumbel(len(raw), layout.width, rng))
    return codes, layout.expand(codes, scalars)


@torch.no_grad()
def write(
    policy: RecurrentPolicy,
    layout: Layout,
    given: Tensor,
    n_steps: int,
    rng: torch.Generator,
    begun: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw sequences, each step from the policy's distribution given the steps before.

    Parameters
    ----------
    policy : RecurrentPolicy
    layout : Layout
        Layout of a step, without scalars.
    given : Tensor of shape (n, n_given)
        The policy's input for each sequence, such as a condition.
    n_steps : int >= 1
    rng : torch.Generator
    begun : Tensor of shape (n, n_steps, n_blocks), optional
        Levels of first steps, negative for steps to draw.

    Returns
    -------
    codes : Tensor of shape (n, n_steps, n_blocks)
    row : Tensor of shape (n, n_steps, width)
    states : Tensor of shape (n, n_steps, hidden)
        The policy's state after each step.
    """
    state = policy.begin(given)
    drawn = []
    for step in range(n_steps):
        codes, row = draw_step(policy, layout, state, rng)
        if begun is not None:
            codes = torch.where(begun[:, step] >= 0, begun[:, step], codes)
            row = layout.expand(codes, row[:, :0])
        state = policy.advance(row, given, state)
        drawn.append((codes, row, state))
    codes, row, states = (torch.stack(parts, dim=1) for parts in zip(*drawn, strict=True))
    return codes, row, states


def step_log_likelihood(
    policy: RecurrentPolicy, layout: Layout, row: Tensor, codes: Tensor, given: Tensor, mask: Tensor
) -> Tensor:
    """Return the log-probability of each step given the steps before.

    Parameters
    ----------
    policy : RecurrentPolicy
    layout : Layout
        Layout of a step, without scalars.
    row : Tensor of shape (n, T, width)
    codes : Tensor of shape (n, T, n_blocks)
        The levels of `row`.
    given : Tensor of shape (n, n_given)
    mask : Tensor of shape (n, T)
        1 where a step exists and 0 where a step is padding.

    Returns
    -------
    Tensor of shape (n, T), in nats
        0 for padding.
    """
    return -by_step(layout.cross_entropy, policy(row, given), codes) * mask
