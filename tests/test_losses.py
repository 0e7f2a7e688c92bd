"""Losses and penalties against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from contract import every_likeness, fit_small, narrow_table, those_of
from scipy import stats
from seeds import seed
from torch import nn

from tabgan.adversarial import losses
from tabgan.adversarial.game import Batch
from tabgan.adversarial.penalties import gradient_penalty, r1_penalty, r2_penalty
from tabgan.table.encoder import EncodedTable


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def double():
    """Everything made in this test is made in double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# ---------------------------------------------------------------------- losses


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


REAL, FAKE = [2.0, -1.0, 0.5], [1.0, 3.0, -2.0]


@pytest.mark.parametrize(
    ("loss", "scores", "value"),
    [
        (losses.critic_wasserstein, (REAL, FAKE), 2 / 3 - 0.5),
        (losses.generator_wasserstein, (REAL, FAKE), -2 / 3),
        (losses.generator_energy, (REAL, FAKE), 0.5 - 2 / 3),
        (
            losses.discriminator_cross_entropy,
            (REAL, FAKE),
            -sum(math.log(sigmoid(x)) for x in REAL) / 3
            - sum(math.log(1 - sigmoid(x)) for x in FAKE) / 3,
        ),
        (
            losses.generator_non_saturating,
            (REAL, FAKE),
            -sum(math.log(sigmoid(x)) for x in FAKE) / 3,
        ),
        (losses.generator_minimax, (REAL, FAKE), sum(math.log(1 - sigmoid(x)) for x in FAKE) / 3),
        (
            losses.critic_relativistic,
            (REAL, FAKE),
            -sum(math.log(sigmoid(a - b)) for a, b in zip(REAL, FAKE, strict=True)) / 3,
        ),
        (
            losses.generator_relativistic,
            (REAL, FAKE),
            -sum(math.log(sigmoid(b - a)) for a, b in zip(REAL, FAKE, strict=True)) / 3,
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_losses_in_closed_form(loss, scores, value):
    tensors = [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in scores]
    assert loss(*tensors).item() == pytest.approx(value, rel=1e-12)
    assert torch.autograd.gradcheck(loss, tensors)


def test_every_loss_is_tested():
    parameters = test_losses_in_closed_form.pytestmark[0].args[1]
    tested = {loss.__name__ for loss, *_ in parameters}
    assert tested == {n for n in dir(losses) if n.startswith(("critic", "discrim", "generator"))}


def test_cross_entropy_at_the_optimum_is_log_four():
    """A discriminator that cannot tell scores zero (Goodfellow et al., theorem 1)."""
    zero = torch.zeros(5)
    assert losses.discriminator_cross_entropy(zero, zero).item() == pytest.approx(math.log(4))


def test_losses_do_not_overflow():
    far = torch.tensor([-1e4, 1e4], requires_grad=True)
    for name in ("NON_SATURATING", "MINIMAX", "RELATIVISTIC"):
        loss = getattr(losses, name)
        (loss.critic(far, far) + loss.generator(far, far)).backward()
    assert far.grad.isfinite().all()


def test_non_saturating_loss_keeps_its_gradient_where_minimax_loses_it():
    slopes = []
    for loss in (losses.generator_non_saturating, losses.generator_minimax):
        found_out = torch.tensor([-20.0], requires_grad=True)
        loss(found_out.detach(), found_out).backward()
        slopes.append(abs(found_out.grad.item()))
    assert slopes[0] == pytest.approx(1, abs=1e-6) and slopes[1] < 1e-6


# ---------------------------------------------------------------------- gradient penalty


@pytest.mark.parametrize(("slope", "penalty"), [(1.0, 0.0), (2.0, 1.0), (0.0, 1.0), (4.0, 9.0)])
def test_penalty_of_linear_critics(slope, penalty):
    direction = torch.tensor([0.6, -0.8, 0.0])

    def critic(rows):
        return slope * rows @ direction

    rows = torch.randn(2, 50, 3, generator=seeded())
    assert gradient_penalty(critic, *rows, seeded()).item() == pytest.approx(penalty, abs=1e-4)
    for centred in (r1_penalty, r2_penalty):
        value = centred(critic, *rows, seeded()).item()
        assert value == pytest.approx(slope**2 / 2, abs=1e-4)


def test_penalty_is_taken_between_real_and_made_rows():
    """The slope of |x|^2 / 2 is |x|; at x = u e, u uniform, E (u - 1)^2 = 1/3."""
    n, points = 20_000, []

    def critic(rows):
        points.append(rows.detach())
        return rows.square().sum(dim=1) / 2

    real, fake = torch.tensor([[0.0, 1.0]]).repeat(n, 1), torch.zeros(n, 2)
    value = gradient_penalty(critic, real, fake, seeded(seed(0))).item()
    # Of one seed out of 10,000 the mean would be farther off than four standard errors.
    assert value == pytest.approx(1 / 3, abs=4 * math.sqrt((1 / 5 - 1 / 9) / n))
    assert stats.kstest(points[0][:, 1].numpy(), "uniform").pvalue > 1e-4
    assert (points[0][:, 0] == 0).all()


def test_centred_penalties_are_taken_at_real_or_at_made_rows():
    """The slope of |x|^2 / 2 is |x|, 2 at the real rows and 3 at the made ones."""
    real, fake = torch.tensor([[0.0, 2.0]]).repeat(5, 1), torch.tensor([[3.0, 0.0]]).repeat(5, 1)

    def critic(rows):
        return rows.square().sum(dim=1) / 2

    assert r1_penalty(critic, real, fake, seeded()).item() == pytest.approx(2.0)
    assert r2_penalty(critic, real, fake, seeded()).item() == pytest.approx(4.5)


def test_penalty_of_sequences_is_that_of_all_their_entries():
    real, fake = torch.randn(2, 4, 5, 3, generator=seeded())

    def critic(sequences):
        return 2.0 * sequences.sum(dim=(1, 2))

    value = gradient_penalty(critic, real, fake, seeded()).item()
    assert value == pytest.approx((2 * math.sqrt(15) - 1) ** 2, rel=1e-4)


def test_penalty_draws_from_the_generator_it_is_given():
    real, fake = torch.randn(2, 6, 3, generator=seeded())
    critic = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0))
    same = [gradient_penalty(critic, real, fake, seeded(1)) for _ in range(2)]
    assert torch.equal(*same)
    other = gradient_penalty(critic, real, fake, seeded(2))
    assert not torch.equal(same[0], other)


def test_penalty_gradients_by_finite_differences(double):
    real, fake = torch.randn(2, 5, 3, generator=seeded())
    shapes = [(4, 3), (4,), (4, 4), (4,), (4,)]
    weights = [torch.randn(shape, generator=seeded(1)).requires_grad_() for shape in shapes]

    def penalty(w1, b1, w2, b2, w3):
        def critic(rows):
            return torch.tanh(torch.tanh(rows @ w1.T + b1) @ w2.T + b2) @ w3

        return gradient_penalty(critic, real, fake, seeded(2))

    assert torch.autograd.gradcheck(penalty, weights)
    gradients = torch.autograd.grad(penalty(*weights), weights)
    assert all((gradient != 0).all() for gradient in gradients)


def test_penalty_of_a_flat_critic_has_a_gradient():
    critic = nn.Linear(3, 1, bias=False)
    nn.init.zeros_(critic.weight)
    rows = torch.randn(2, 5, 3, generator=seeded())
    gradient_penalty(lambda row: critic(row).squeeze(1), *rows, seeded()).backward()
    assert critic.weight.grad.isfinite().all()


@pytest.mark.parametrize("penalty", [gradient_penalty, r2_penalty])
def test_penalties_reach_a_generator_that_learns_at_the_same_time(penalty):
    """The joint gradient field's Jacobian includes how the penalty moves with the made rows."""
    made = torch.randn(5, 3, generator=seeded()).requires_grad_()
    penalty(lambda row: row.square().sum(dim=1), torch.ones(5, 3), made, seeded()).backward()
    assert made.grad.abs().sum() > 0


# ---------------------------------------------------------------------- games


# Teaching draws levels straight through, where no finite difference follows its gradient.
@every_likeness
def test_gradients_of_every_player_by_finite_differences(cls, double):
    """Each weight matrix is reached, and each gradient is what moving the weights shows.

    Drawn levels do not move with the weights: tests/test_causal.py looks at their gradients. The
    agreement of groups stops a gradient on purpose, and is left out.
    """
    settings = those_of(cls, generator="joint", agreement_weight=0.0)
    synthesizer = fit_small(cls, narrow_table(), n_steps=0, **settings)
    game = synthesizer._core.training.game
    frame, _ = synthesizer._training_table(narrow_table(), None, False)
    encoding = synthesizer._core.encoding
    made, given = (
        EncodedTable(each.codes, each.scalars.double())
        for each in encoding.encode(frame, np.random.default_rng(0))
    )
    layouts = encoding.layout, encoding.condition_layout

    def loss_of(player):
        batch = Batch(
            made, layouts[0].expand(*made), layouts[1].expand(*given), given, seeded(3), index=0
        )
        return player.loss(batch)

    for player in game.players():
        weights = player.parameters()
        gradients = torch.autograd.grad(loss_of(player), weights, allow_unused=True)
        for weight, gradient in zip(weights, gradients, strict=True):
            if weight.ndim == 2:
                assert gradient is not None and gradient.abs().max() > 0
            direction = torch.randn(weight.shape, generator=seeded(4))
            expected = 0.0 if gradient is None else (gradient * direction).sum().item()
            values = []
            for step in (1e-6, -1e-6):
                with torch.no_grad():
                    weight += step * direction
                values.append(loss_of(player).item())
                with torch.no_grad():
                    weight -= step * direction
            assert (values[0] - values[1]) / 2e-6 == pytest.approx(expected, rel=1e-4, abs=1e-6)
