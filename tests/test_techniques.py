"""Training techniques: what each does to a critic or an update, and what its paper says of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from contract import SYNTHESIZERS, fit_small, narrow_table, says
from seeds import seed
from sklearn.base import clone
from torch import nn

import tabgan
from tabgan.adversarial import (
    R1,
    R2,
    ConsensusOptimization,
    GradientPenalty,
    InstanceNoise,
    RelativisticPairing,
    SimultaneousUpdates,
    SpectralNormalization,
    WeightAveraging,
    WeightClipping,
    WeightNormalization,
)
from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.dynamics import (
    DiracGame,
    RotatingGame,
    joint_jacobian,
    trajectory,
    vector_field,
)
from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.losses import MINIMAX, NON_SATURATING, WASSERSTEIN
from tabgan.adversarial.techniques import TECHNIQUES
from tabgan.adversarial.updates import ConsensusUpdate, SimultaneousUpdate
from tabgan.estimators.adversarial import Adversarial
from tabgan.networks.mlp import Critic
from tabgan.table.encoder import EncodedTable

ADVERSARIAL = [cls for cls in SYNTHESIZERS if issubclass(cls, Adversarial)]


def seeded(n=0):
    return torch.Generator().manual_seed(n)


def batch_of(row, index=0, progress=0.0):
    table = EncodedTable(torch.zeros(len(row), 0, dtype=torch.long), row[:, :0])
    return Batch(table, row, row[:, :0], table, seeded(seed(0)), index=index, progress=progress)


class Linear(nn.Module):
    """The critic ``slope * x``."""

    def __init__(self, slope=3.0):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x, *given):
        return self.slope * x[:, 0] + sum(each[:, 0] for each in given)


REAL, FAKE = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.5], [0.0]])


# ---------------------------------------------------------------------- critics


@pytest.mark.parametrize(
    ("technique", "extra"),
    [(GradientPenalty(2.0, 1), 2 * 2.0**2), (R1(2.0, 1), 3.0**2), (R2(4.0, 1), 2 * 3.0**2)],
    ids=str,
)
def test_penalties_are_added_to_the_critics_loss_alone(technique, extra):
    adversary, batch = Adversary(Linear(), WASSERSTEIN), batch_of(REAL)
    before = adversary.critic_loss(batch, REAL, FAKE).item()
    made = adversary.generator_loss(batch, REAL, FAKE).item()
    technique.equip(adversary)
    assert adversary.critic_loss(batch, REAL, FAKE).item() == pytest.approx(before + extra)
    assert adversary.generator_loss(batch, REAL, FAKE).item() == made


def test_seldom_penalties_weigh_as_much_more():
    adversary = Adversary(Linear(), WASSERSTEIN)
    R1(2.0, every=4).equip(adversary)
    values = [adversary.critic_loss(batch_of(REAL, index), REAL, FAKE).item() for index in range(8)]
    plain = -3.0 * 1.5 + 3.0 * 0.25
    assert values == pytest.approx([plain + 4 * 9.0, *[plain] * 3] * 2)


def test_a_penalty_replaces_one_of_its_kind():
    adversary = Adversary(Linear(), WASSERSTEIN)
    for technique in (GradientPenalty(1.0), R1(5.0), GradientPenalty(7.0)):
        technique.equip(adversary)
    assert [penalty.weight for penalty in adversary.penalties.values()] == [7.0, 5.0]


def test_what_is_given_is_not_penalised():
    adversary, given = Adversary(Linear(), WASSERSTEIN), torch.tensor([[10.0], [20.0]])
    R1(2.0, 1).equip(adversary)
    loss = adversary.critic_loss(batch_of(REAL), REAL, FAKE, given)
    assert loss.item() == pytest.approx(-3.0 * 1.5 + 3.0 * 0.25 + 9.0)


def test_pairing_compares_each_real_row_with_its_made_one():
    adversary = Adversary(Linear(), NON_SATURATING)
    RelativisticPairing().equip(adversary)
    margins = [3.0 * (1.0 - 0.5), 3.0 * 2.0]
    critic, generator = (
        sum(math.log1p(math.exp(sign * margin)) for margin in margins) / 2 for sign in (-1, 1)
    )
    batch = batch_of(REAL)
    assert adversary.critic_loss(batch, REAL, FAKE).item() == pytest.approx(critic)
    assert adversary.generator_loss(batch, REAL, FAKE).item() == pytest.approx(generator)
    assert adversary.swapped_loss(batch, REAL, FAKE).item() == pytest.approx(generator)


def test_instance_noise_is_annealed_to_none():
    adversary, seen = Adversary(Linear(), WASSERSTEIN), []
    InstanceNoise(scale=2.0, until=0.5).equip(adversary)
    adversary.critic.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    rows = torch.zeros(20_000, 1)
    for progress in (0.0, 0.25, 0.5, 0.9):
        adversary.critic_loss(batch_of(rows, progress=progress), rows, rows)
    spreads = [each.std().item() for each in seen]
    # Four standard errors of a deviation of 2 of 20,000 draws are 0.04.
    assert spreads == pytest.approx([2, 2, 1, 1, 0, 0, 0, 0], abs=0.04)
    assert not torch.equal(seen[0], seen[1])
    adversary.generator_loss(batch_of(rows), rows, rows)
    assert seen[-1].std().item() == pytest.approx(2, abs=0.04)


def test_clipping_follows_each_update_of_the_critic():
    adversary = Adversary(Linear(), WASSERSTEIN)
    WeightClipping(0.5).equip(adversary)
    adversary.constrain()
    assert adversary.critic.slope.item() == 0.5


def test_spectral_normalisation_bounds_the_slope():
    torch.manual_seed(0)
    adversary = Adversary(Critic(6, [16, 16]), WASSERSTEIN)
    with torch.no_grad():
        for parameter in adversary.parameters():
            parameter *= 20
    SpectralNormalization().equip(adversary)
    adversary.train()
    for _ in range(30):
        adversary.score(torch.zeros(2, 6))
    layers = [module for module in adversary.modules() if isinstance(module, nn.Linear)]
    norms = [torch.linalg.matrix_norm(layer.weight.detach(), 2).item() for layer in layers]
    assert norms == pytest.approx([1.0, 1.0, 1.0], rel=0.02)


def test_weight_normalisation_learns_length_and_direction_apart():
    torch.manual_seed(0)
    adversary = Adversary(Critic(6, [16]), WASSERSTEIN)
    rows = torch.randn(5, 6, generator=seeded())
    before = adversary.score(rows)
    WeightNormalization().equip(adversary)
    torch.testing.assert_close(adversary.score(rows), before)
    shapes = {name: tuple(p.shape) for name, p in adversary.named_parameters() if "out" in name}
    assert sorted(shapes.values()) == [(1,), (1, 1), (1, 16)]


# ---------------------------------------------------------------------- updates


class Bilinear(Game):
    """``min_a max_b a b``: the field is (-b, a)."""

    def __init__(self, n_updates=1):
        super().__init__()
        self.a, self.b = (nn.Linear(1, 1, bias=False) for _ in range(2))
        for layer, value in ((self.a, 2.0), (self.b, 3.0)):
            nn.init.constant_(layer.weight, value)
        self.n_updates, self.seen = n_updates, []

    def value(self, batch):
        self.seen.append((batch.index, round(self.a.weight.item(), 6)))
        return self.a.weight.sum() * self.b.weight.sum()

    def players(self):
        return (
            Player("a", (self.a,), self.value, self.n_updates),
            Player("b", (self.b,), lambda batch: -self.value(batch)),
        )


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def step(game, update):
    losses = update.step(lambda: batch_of(torch.zeros(1, 1)))
    return losses, [game.a.weight.item(), game.b.weight.item()]


def test_simultaneous_players_move_from_the_same_weights():
    game = Bilinear()
    losses, weights = step(game, SimultaneousUpdate(game.players(), sgd))
    assert weights == pytest.approx([2.0 - 0.1 * 3.0, 3.0 + 0.1 * 2.0])
    assert {name: loss.item() for name, loss in losses.items()} == {"a": 6.0, "b": -6.0}
    assert not any(loss.requires_grad for loss in losses.values())


def test_extra_updates_come_before_the_simultaneous_one():
    game = Bilinear(n_updates=3)
    update = SimultaneousUpdate(game.players(), sgd)
    _, weights = step(game, update)
    assert weights == pytest.approx([2.0 - 3 * 0.1 * 3.0, 3.0 + 0.1 * (2.0 - 2 * 0.1 * 3.0)])
    assert game.seen == [(0, 2.0), (1, 1.7), (2, 1.4), (0, 1.4)]
    assert update.n_made == {"a": 3, "b": 1}


def test_consensus_adds_the_gradient_of_the_fields_energy():
    """|v|^2 / 2 = (a^2 + b^2) / 2, whose gradient is (a, b)."""
    game = Bilinear()
    _, weights = step(game, ConsensusUpdate(game.players(), sgd, weight=0.5))
    assert weights == pytest.approx([2.0 - 0.1 * (3.0 + 0.5 * 2.0), 3.0 - 0.1 * (-2.0 + 0.5 * 3.0)])


def test_weight_averaging_can_be_turned_off():
    plain = fit_small(tabgan.GANSynthesizer, narrow_table(), techniques=[WeightAveraging(0.0)])
    averaged = fit_small(tabgan.GANSynthesizer, narrow_table())
    for synthesizer, same in ((plain, True), (averaged, False)):
        training = synthesizer._core.training
        pairs = zip(training.game.parameters(), training.averaged.parameters(), strict=True)
        assert all(torch.equal(*pair) for pair in pairs) == same


# ---------------------------------------------------------------------- Dirac-GAN


def distance(points):
    return np.hypot(*points.T)


@pytest.mark.parametrize("loss", [MINIMAX, WASSERSTEIN], ids=["minimax", "wasserstein"])
def test_dirac_gan_circles_without_a_technique(loss):
    """Alternating updates neither converge nor diverge; simultaneous ones spiral outwards."""
    far = distance(trajectory(DiracGame(loss), (1.0, 1.0), n_steps=1000))
    assert far.min() > 1.2 and far.max() < 1.7
    both = distance(trajectory(DiracGame(loss), (1.0, 1.0), [SimultaneousUpdates()], n_steps=1000))
    assert both[-1] > 2.5


@pytest.mark.parametrize(
    "technique",
    [R1(1.0, 1), R2(1.0, 1), ConsensusOptimization(1.0), InstanceNoise(0.7, 1.0)],
    ids=str,
)
def test_dirac_gan_converges_with(technique):
    points = trajectory(DiracGame(n_rows=64), (1.0, 1.0), [technique], n_steps=1000)
    assert distance(points)[-1] < 0.1


def test_dirac_gan_does_not_converge_with_wgan_gp():
    """Mescheder et al. (2018), section 3: neither clipping nor WGAN-GP's penalty makes it."""
    for technique in (GradientPenalty(1.0, 1), WeightClipping(0.3)):
        game = DiracGame(WASSERSTEIN, n_rows=64)
        points = trajectory(game, (1.0, 1.0), [technique], n_steps=2000)
        assert distance(points)[-200:].max() > 0.2


def eigenvalues(game, at, *techniques):
    return np.sort_complex(np.linalg.eigvals(joint_jacobian(game, at, techniques)))


def test_eigenvalues_of_the_dirac_gan():
    """Mescheder et al. (2018), lemmas 2.3 and 4.1: +-f'(0) i, with f'(0) = 1/2; R1 damps them."""
    origin = (0.0, 0.0)

    def expected(gamma):
        root = np.emath.sqrt(gamma**2 / 4 - 0.25)
        return np.sort_complex([-gamma / 2 - root, -gamma / 2 + root])

    for techniques, gamma in (
        ([], 0.0),
        ([R1(0.6, 1)], 0.6),
        ([R2(0.6, 1)], 0.6),
        ([R1(0.6, 1), R2(0.6, 1)], 1.2),
    ):
        found = eigenvalues(DiracGame(), origin, *techniques)
        np.testing.assert_allclose(found, expected(gamma), atol=1e-6)


# ---------------------------------------------------------------------- consensus


CENTRE, SADDLE = (0.0, np.pi / 2), (np.pi, np.pi / 2)


def test_the_rotating_field():
    points = np.array([[0.3, 0.7], CENTRE, SADDLE])
    expected = np.column_stack([np.cos(points[:, 1]), np.sin(points[:, 0])])
    np.testing.assert_allclose(vector_field(RotatingGame(), points), expected, atol=1e-12)
    np.testing.assert_allclose(eigenvalues(RotatingGame(), CENTRE), [-1j, 1j], atol=1e-6)
    np.testing.assert_allclose(eigenvalues(RotatingGame(), SADDLE), [-1, 1], atol=1e-6)


@pytest.mark.parametrize("weight", [0.3, 2.0])
def test_consensus_damps_centres_and_shifts_saddles(weight):
    """Mescheder et al. (2017): J - weight J^T J; above 1 even saddles attract, their caveat."""
    technique = ConsensusOptimization(weight)
    np.testing.assert_allclose(
        eigenvalues(RotatingGame(), CENTRE, technique), [-weight - 1j, -weight + 1j], atol=1e-5
    )
    np.testing.assert_allclose(
        eigenvalues(RotatingGame(), SADDLE, technique), [-1 - weight, 1 - weight], atol=1e-5
    )


def test_consensus_converges_where_plain_updates_circle():
    start = (0.4, np.pi / 2 + 0.4)
    off = {
        name: distance(trajectory(RotatingGame(), start, techniques, 1000, 0.05) - CENTRE)
        for name, techniques in {
            "plain": [SimultaneousUpdates()],
            "consensus": [ConsensusOptimization(0.5)],
        }.items()
    }
    assert off["plain"].min() > 0.4
    assert off["consensus"][-1] < 1e-3


# ---------------------------------------------------------------------- every system


@pytest.mark.parametrize("technique", TECHNIQUES.values(), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("cls", ADVERSARIAL, ids=lambda cls: cls.__name__)
def test_every_technique_with_every_system(cls, technique, tmp_path):
    # Lazy penalties come with every fourth update of a critic.
    n_steps = 9 if cls is tabgan.InfoGANFeaturizer else 3
    synthesizer = fit_small(cls, narrow_table(), techniques=[technique()], n_steps=n_steps)
    history = synthesizer.history_.drop(columns="log_likelihood", errors="ignore")
    # Players of one stage have no loss while those of another move.
    stages = {player.stage for player in synthesizer._core.game.players()}
    assert np.isfinite(history.bfill().ffill() if len(stages) > 1 else history).all(axis=None)
    rows = synthesizer.sample(40, random_state=0)
    assert list(rows) == list(narrow_table()) and len(rows) == 40
    assert clone(synthesizer).techniques == [technique()]
    synthesizer.save(tmp_path / "model")
    loaded = tabgan.load(tmp_path / "model")
    assert loaded.techniques == [technique()]
    assert loaded.sample(40, random_state=0).equals(rows)
    plain = fit_small(cls, narrow_table(), n_steps=n_steps)
    had = {type(each) for each in plain._own_techniques()} | {WeightAveraging}
    critics = [each for each in plain._core.game.modules() if isinstance(each, Adversary)]
    assert critics
    if any(critic.loss.paired for critic in critics):
        had.add(RelativisticPairing)
    if technique not in had:
        losses = [each.history_.drop(columns="seconds") for each in (plain, synthesizer)]
        assert not losses[0].equals(losses[1])


def test_techniques_in_files_and_lists(tmp_path):
    techniques = [RelativisticPairing(), R1(0.5, every=2), InstanceNoise(0.3, 0.9)]
    synthesizer = fit_small(tabgan.WGANSynthesizer, narrow_table(), techniques=techniques)
    adversary = synthesizer._core.training.game.adversary
    assert list(adversary.penalties) == ["GradientPenalty", "R1"] and adversary.loss.paired
    synthesizer.save(tmp_path / "model")
    assert tabgan.load(tmp_path / "model").techniques == techniques


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: R1(-1.0), "weight must be a finite number of at least 0, got -1.0."),
        (lambda: R2(every=0), "every must be a positive integer, got 0."),
        (lambda: InstanceNoise(0.0), "scale must be a finite number above 0, got 0.0."),
        (lambda: InstanceNoise(until=2), "until must be a number in (0, 1], got 2."),
        (lambda: WeightClipping(0), "bound must be a finite number above 0, got 0."),
        (lambda: WeightAveraging(1.0), "decay must be a number in [0, 1), got 1.0."),
        (
            lambda: ConsensusOptimization(-2),
            "weight must be a finite number of at least 0, got -2.",
        ),
    ],
)
def test_what_techniques_refuse(make, told):
    with pytest.raises(ValueError, match=says(told)):
        make()


@pytest.mark.parametrize("wrong", [["R1"], [R1], R1(), None, "R1"])
def test_techniques_must_be_techniques(wrong):
    told = (
        "techniques must be a list of objects of tabgan.adversarial, such as [R1()], "
        f"got {wrong!r}."
    )
    with pytest.raises(TypeError, match=says(told)):
        fit_small(tabgan.GANSynthesizer, narrow_table(), techniques=wrong)
