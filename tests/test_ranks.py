"""Smooth functions of ranks, and the critic that sees them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabgan.networks.ranks import RankCritic, rank_functions
from tabgan.table.layout import Layout

RANKS = [np.array([0.1, 0.3, 0.5, 0.7, 0.9]), np.array([np.nan, np.nan, np.nan])]


@pytest.fixture
def layout():
    """A scalar, a block of five ordered levels and one of three without order."""
    return Layout([5, 3], [-1])


def test_only_levels_with_a_rank_have_functions(layout):
    functions = rank_functions(layout, RANKS)
    ordered = range(int(layout.offsets[0]), int(layout.offsets[0]) + 5)
    assert functions.shape[0] == layout.width
    assert all(functions[i].any() == (i in ordered) for i in range(layout.width))


def test_neighbours_are_alike_and_tails_differ(layout):
    ranks = [np.linspace(0.001, 0.999, 101)]
    functions = rank_functions(Layout([101], []), ranks)[:101]
    steps = (functions[1:] - functions[:-1]).norm(dim=1)
    assert steps.max() < (functions[0] - functions[-1]).norm()
    # Equal steps of the rank count for most at the ends.
    assert steps[0] > steps[50] and steps[-1] > steps[50]


def test_critic_sees_means_of_functions(layout):
    critic = RankCritic(layout, RANKS, 0, [4])
    with torch.no_grad():
        # Blind to all but the functions.
        critic.trunk[0].weight[:, : layout.width] = 0
    levels = layout.expand(torch.tensor([[0, 0], [4, 0], [0, 2]]), torch.zeros(3, 1))
    scores = critic(levels)
    assert scores[0] != scores[1]
    assert scores[0] == scores[2]  # levels without order have no functions
    before = critic.trunk[0](_with_functions(critic, levels))
    half = critic.trunk[0](_with_functions(critic, (levels[:1] + levels[1:2]) / 2))
    torch.testing.assert_close(half[0], (before[0] + before[1]) / 2)


def _with_functions(critic, rows):
    seen = []
    critic.trunk[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    critic(rows)
    return seen[0]


def test_critic_sees_what_rows_come_with(layout):
    critic = RankCritic(layout, RANKS, 2, [4])
    row = layout.expand(torch.tensor([[1, 1]]), torch.zeros(1, 1))
    scores = [critic(row, torch.tensor([given])) for given in ([0.0, 1.0], [1.0, 0.0])]
    assert scores[0].shape == (1,)
    assert scores[0] != scores[1]
