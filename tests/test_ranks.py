"""Smooth functions of ranks, and the critic that sees them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabgan.networks.ranks import RankCritic, RankView, rank_functions
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


def test_tails_grow_with_the_normal_score():
    """Zero between scores of -1 and 1; at scores of 3 twice what they are beyond each start."""
    ranks = torch.special.ndtr(torch.tensor([-3.0, -0.9, 0.0, 0.9, 3.0]).double()).numpy()
    tails = rank_functions(Layout([5], []), [ranks])[:5, -4:]
    beyond = torch.tensor([4.0, 3.0, 2.0, 1.0])
    expected = torch.outer(torch.tensor([-1.0, 0, 0, 0, 1]), beyond)
    torch.testing.assert_close(tails, expected, rtol=1e-4, atol=1e-4)


def test_critic_sees_means_of_functions(layout):
    critic = RankCritic(layout, RANKS, 0, [4])
    functions = rank_functions(layout, RANKS)
    row = torch.rand(3, layout.width)
    means = torch.stack([row[:, at] @ functions[at] for at in _blocks(layout)], dim=1)
    seen = torch.cat([row, means.flatten(1)], dim=1)
    torch.testing.assert_close(critic(row), critic.out(critic.trunk(seen)).squeeze(1))


def test_functions_alone_tell_ranks_apart_but_not_unordered_levels(layout):
    critic = RankCritic(layout, RANKS, 0, [4])
    with torch.no_grad():
        critic.trunk[0].weight[:, : layout.width] = 0
    levels = layout.expand(torch.tensor([[0, 0], [4, 0], [0, 2]]), torch.zeros(3, 1))
    scores = critic(levels)
    assert scores[0] != scores[1]
    assert scores[0] == scores[2]


def _blocks(layout):
    """Places of each block's levels in a row, blocks in the order in which they lie in it."""
    starts = layout.offsets[layout.order].tolist()
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], layout.width], strict=True)]


def test_critic_sees_what_rows_come_with(layout):
    critic = RankCritic(layout, RANKS, 2, [4])
    row = layout.expand(torch.tensor([[1, 1]]), torch.zeros(1, 1))
    scores = [critic(row, torch.tensor([given])) for given in ([0.0, 1.0], [1.0, 0.0])]
    assert scores[0].shape == (1,)
    assert scores[0] != scores[1]


ORDERED_AND_OTHERS = [
    np.array([0.2, 0.8]),
    np.array([np.nan, np.nan, np.nan]),
    np.array([0.1, 0.4, 0.9, np.nan]),  # the last level stands for missing values
]
"""An ordered block, one without order, and one with a level that has no rank."""


@pytest.fixture
def view():
    return RankView(Layout([2, 3, 4], []), ORDERED_AND_OTHERS)


def test_a_view_shows_ranks_and_which_of_them_apply(view):
    codes = torch.tensor([[0, 2, 1], [1, 0, 3], [1, 1, -1]])
    seen = view(view.levels.expand(codes, torch.zeros(3, 0)))
    wanted = torch.tensor([[-0.6, -0.2], [0.6, 0.0], [0.6, 0.0]])
    torch.testing.assert_close(seen[:, :2], wanted)
    # Whether the last number is there, then the block without order.
    levels = torch.tensor([[0, 2], [1, 0], [-1, 1]])
    assert torch.equal(seen[:, 2:], view.layout.expand(levels, torch.zeros(3, 2))[:, 2:])
    assert view.layout.gates.tolist() == [-1, 0]


def test_rows_come_back_from_a_view(view):
    """Also from scalars that lie between two ranks, of which the nearer one counts."""
    codes = torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(4))
    seen = view(view.levels.expand(codes, torch.zeros(len(codes), 0)))
    seen[:, :2] += 0.1
    assert torch.equal(view.levels.draw(view.raw(seen))[0], codes)


def test_a_view_of_nothing_but_categories_changes_nothing():
    layout = Layout([3, 2, 5], [])
    view = RankView(layout, [np.full(k, np.nan) for k in layout.n_levels])
    row = layout.expand(torch.tensor([[2, 0, 4], [0, 1, -1]]), torch.zeros(2, 0))
    assert torch.equal(view(row), row)
