"""Encoded rows: closed forms, gradients, and frequencies of what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tabgan.table.layout import Layout

LAYOUTS = {
    "mixed": ([5, 2, 3, 2, 17, 4], [-1, 0, 4, 0]),
    "blocks alone": ([3, 3, 7], []),
    "one block": ([2], []),
    "scalars alone": ([], [-1, -1]),
    "nothing": ([], []),
}


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return Layout(*LAYOUTS[request.param])


def raw_rows(layout, n=6, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(n, layout.width, generator=rng)


def random_table(layout, n=6, seed=0):
    rng = torch.Generator().manual_seed(seed)
    codes = torch.stack(
        [torch.randint(k, (n,), generator=rng) for k in layout.n_levels]
        or [torch.empty(n, dtype=torch.long)],
        dim=1,
    )[:, : layout.n_blocks]
    return codes, 2 * torch.rand(n, layout.n_scalars, generator=rng) - 1


def block(layout, row, index):
    """Entries of one block's levels, padding left out."""
    start = int(layout.offsets[index])
    return row[:, start : start + layout.n_levels[index]]


def padding(layout, row):
    """Entries that stand for nothing."""
    used = torch.zeros(layout.width, dtype=torch.bool)
    used[: layout.n_scalars] = True
    for index, k in enumerate(layout.n_levels):
        start = int(layout.offsets[index])
        used[start : start + k] = True
    return row[:, ~used]


class TestOffsets:
    @settings(deadline=None)
    @given(
        st.lists(st.integers(2, 300), max_size=12),
        st.integers(0, 5),
    )
    def test_blocks_lie_apart_and_padding_is_below_a_half(self, n_levels, n_scalars):
        layout = Layout(n_levels, [-1] * n_scalars)
        taken = np.zeros(layout.width, dtype=int)
        taken[:n_scalars] += 1
        for start, k in zip(layout.offsets.tolist(), n_levels, strict=True):
            taken[start : start + k] += 1
        assert taken.max(initial=0) <= 1
        assert (taken == 0).sum() < 0.5 * max(1, sum(n_levels))
        assert torch.equal(torch.isinf(layout.level_mask), torch.from_numpy(taken == 0))

    def test_many_columns_are_few_groups(self):
        layout = Layout([2 + i % 40 for i in range(500)], [])
        assert len(layout.groups) <= 10

    def test_groups_split_a_row_between_them(self, layout):
        """Along either dimension, and blocks as they follow each other; scalars are left out."""
        row = torch.arange(2.0 * layout.width).view(2, layout.width)
        along = layout.split(row, 1)
        across = layout.split(row.T, 0)
        assert [tuple(part.shape) for part in along] == [(2, *group) for group in layout.groups]
        blocks = layout.split_blocks(torch.arange(layout.n_blocks))
        assert [len(part) for part in blocks] == [n_blocks for n_blocks, _ in layout.groups]
        for part, other in zip(along, across, strict=True):
            assert torch.equal(part, other.movedim(2, 0))
        flat = [part.flatten(1) for part in along]
        assert torch.equal(torch.cat([row[:, : layout.n_scalars], *flat], dim=1), row)

    def test_moving_takes_all_tensors_along(self):
        layout = Layout(*LAYOUTS["mixed"]).to("meta")
        assert all(buffer.device.type == "meta" for buffer in layout.buffers())
        assert layout.state_dict() == {}


class TestAlongRow:
    def test_numbers_of_levels_lie_where_levels_do(self):
        layout = Layout([5, 2, 3], [-1])
        numbers = [np.arange(k) + 10.0 * block for block, k in enumerate(layout.n_levels)]
        row = layout.along_row(numbers, fill=-1.0)
        for block, k in enumerate(layout.n_levels):
            codes = torch.full((k, 3), 0)
            codes[:, block] = torch.arange(k)
            there = row[layout.positions(codes)[:, block]]
            assert there.tolist() == numbers[block].tolist()
        assert (row == -1.0).sum() == layout.width - 10


class TestExpand:
    def test_closed_form(self):
        layout = Layout([3, 2], [-1])
        codes, scalars = torch.tensor([[2, 0], [0, 1]]), torch.tensor([[0.5], [-1.0]])
        row = layout.expand(codes, scalars)
        assert layout.width == 1 + 3 + 2
        assert row[:, 0].tolist() == [0.5, -1.0]
        assert block(layout, row, 0).tolist() == [[0, 0, 1], [1, 0, 0]]
        assert block(layout, row, 1).tolist() == [[1, 0], [0, 1]]

    def test_one_hot_blocks_beside_scalars(self, layout):
        codes, scalars = random_table(layout)
        row = layout.expand(codes, scalars)
        assert row.shape == (6, layout.width)
        assert torch.equal(row[:, : layout.n_scalars], scalars)
        for index, k in enumerate(layout.n_levels):
            one_hot = functional.one_hot(codes[:, index], k).float()
            assert torch.equal(block(layout, row, index), one_hot)
        assert not padding(layout, row).any()

    def test_unknown_levels_leave_their_block_empty(self):
        layout = Layout([3, 2], [])
        row = layout.expand(torch.tensor([[-1, 1]]), torch.empty(1, 0))
        assert not block(layout, row, 0).any()
        assert block(layout, row, 1).tolist() == [[0, 1]]


class TestActivate:
    def test_one_softmax_per_block(self, layout):
        raw = raw_rows(layout)
        row = layout.activate(raw)
        for index in range(layout.n_blocks):
            expected = torch.softmax(block(layout, raw, index), dim=1)
            torch.testing.assert_close(block(layout, row, index), expected)
            torch.testing.assert_close(block(layout, row, index).sum(1), torch.ones(6))
        assert not padding(layout, row).any()

    def test_gates_weigh_scalars_by_the_probability_that_they_apply(self, layout):
        raw = raw_rows(layout)
        row = layout.activate(raw)
        for j, gate in enumerate(layout.gates.tolist()):
            applies = block(layout, row, gate)[:, 0] if gate >= 0 else torch.ones(6)
            torch.testing.assert_close(row[:, j], raw[:, j] * applies)

    def test_a_closed_gate_zeroes_its_scalar_and_an_open_one_does_not(self):
        layout = Layout([2], [0, -1])
        raw = torch.tensor([[0.7, 0.3, -200.0, 200.0], [0.7, 0.3, 200.0, -200.0]])
        torch.testing.assert_close(
            layout.activate(raw)[:, :2], torch.tensor([[0.0, 0.3], [0.7, 0.3]])
        )

    def test_noise_and_temperature(self, layout):
        raw, noise = raw_rows(layout), raw_rows(layout, seed=1)
        row = layout.activate(raw, noise, temperature=0.3)
        for index in range(layout.n_blocks):
            logits = block(layout, raw, index) + block(layout, noise, index)
            torch.testing.assert_close(block(layout, row, index), torch.softmax(logits / 0.3, 1))

    def test_gradients_reach_every_entry_but_padding(self, layout):
        raw = raw_rows(layout).requires_grad_()
        # Random weights, for entries of a softmax sum to one whatever comes in.
        (layout.activate(raw) * raw_rows(layout, seed=2)).sum().backward()
        grad = raw.grad if layout.width else torch.zeros(6, 0)
        assert torch.isfinite(grad).all()
        assert not padding(layout, grad).any()
        assert (grad != 0).sum() == grad.numel() - padding(layout, grad).numel()

    def test_gradients_by_finite_differences(self):
        layout = Layout([3, 2], [-1, 0]).double()
        raw = raw_rows(layout, n=2).double().requires_grad_()
        assert torch.autograd.gradcheck(layout.activate, (raw,))


class TestDraw:
    def test_without_noise_the_most_probable_levels(self, layout):
        raw = raw_rows(layout)
        codes, scalars = layout.draw(raw, torch.zeros_like(raw))
        assert (codes.shape, codes.dtype) == ((6, layout.n_blocks), torch.long)
        for index in range(layout.n_blocks):
            assert torch.equal(codes[:, index], block(layout, raw, index).argmax(1))
        assert scalars.abs().max() <= 1 if layout.n_scalars else scalars.shape == (6, 0)

    def test_scalars_are_clipped_and_absent_ones_zero(self):
        layout = Layout([2], [0, -1])
        raw = torch.tensor([[9.0, 9.0, 5.0, 0.0], [9.0, -9.0, 0.0, 5.0]])
        codes, scalars = layout.draw(raw, torch.zeros_like(raw))
        assert codes.tolist() == [[0], [1]]
        assert scalars.tolist() == [[1.0, 1.0], [0.0, -1.0]]

    def test_padding_is_never_drawn(self):
        layout = Layout([5, 9, 17], [])
        raw = torch.zeros(2000, layout.width)
        codes, _ = layout.draw(raw, raw_rows(layout, 2000))
        assert (codes < torch.tensor([5, 9, 17])).all()
        assert (codes.max(0).values == torch.tensor([4, 8, 16])).all()

    def test_frequencies_are_those_of_the_softmax(self):
        layout = Layout([5, 2, 3], [1])
        raw = raw_rows(layout, n=1)
        n = 40_000
        rng = torch.Generator().manual_seed(0)
        gumbel = -torch.empty(n, layout.width).exponential_(generator=rng).log()
        codes, scalars = layout.draw(raw.expand(n, -1), gumbel)
        for index, k in enumerate(layout.n_levels):
            expected = torch.softmax(block(layout, raw, index)[0], 0)
            made = torch.bincount(codes[:, index], minlength=k) / n
            # Ten levels at five standard errors: a false alarm in 170,000 runs.
            assert ((made - expected).abs() < 5 * (expected * (1 - expected) / n).sqrt()).all()
        assert torch.equal(scalars[:, 0] == 0, codes[:, 1] != 0)

    def test_blocks_are_drawn_independently(self):
        layout = Layout([2, 2], [])
        n = 40_000
        rng = torch.Generator().manual_seed(0)
        gumbel = -torch.empty(n, layout.width).exponential_(generator=rng).log()
        codes, _ = layout.draw(torch.zeros(n, layout.width), gumbel)
        # Agreement of two fair coins, at five standard errors: a false alarm in 1.7 million runs.
        assert abs((codes[:, 0] == codes[:, 1]).float().mean() - 0.5) < 5 * 0.5 / n**0.5


class TestCrossEntropy:
    def test_agrees_with_torch(self, layout):
        raw = raw_rows(layout)
        codes, _ = random_table(layout)
        expected = torch.zeros(6)
        for index in range(layout.n_blocks):
            expected += functional.cross_entropy(
                block(layout, raw, index), codes[:, index], reduction="none"
            )
        torch.testing.assert_close(layout.cross_entropy(raw, codes), expected)

    def test_log_probabilities_are_those_of_the_softmax(self, layout):
        raw = raw_rows(layout)
        log_probabilities = layout.log_probabilities(raw)
        row = torch.cat([raw[:, : layout.n_scalars], log_probabilities], dim=1)
        assert row.shape == raw.shape
        for index in range(layout.n_blocks):
            expected = torch.log_softmax(block(layout, raw, index), 1)
            torch.testing.assert_close(block(layout, row, index), expected)

    def test_unknown_levels_cost_nothing(self):
        layout = Layout([3, 2], [-1])
        raw = raw_rows(layout, n=2)
        codes = torch.tensor([[-1, 1], [-1, -1]])
        alone = functional.cross_entropy(block(layout, raw, 1)[:1], torch.tensor([1]))
        torch.testing.assert_close(
            layout.cross_entropy(raw, codes), torch.stack([alone, alone * 0])
        )

    def test_gradients_are_softmax_less_one_hot(self, layout):
        raw = raw_rows(layout).requires_grad_()
        codes, scalars = random_table(layout)
        layout.cross_entropy(raw, codes).sum().backward()
        grad = raw.grad if layout.width else torch.zeros(6, 0)
        assert not grad[:, : layout.n_scalars].any()
        expected = layout.activate(raw.detach()) - layout.expand(codes, scalars)
        n = layout.n_scalars
        torch.testing.assert_close(grad[:, n:], expected[:, n:])

    def test_impossible_levels_stay_finite(self):
        layout = Layout([3], [])
        raw = torch.tensor([[1e4, -1e4, 0.0, 0.0]])[:, : layout.width].requires_grad_()
        loss = layout.cross_entropy(raw, torch.tensor([[1]]))
        loss.sum().backward()
        assert torch.isfinite(loss).all()
        assert torch.isfinite(raw.grad).all()
