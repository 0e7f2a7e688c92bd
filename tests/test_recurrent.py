"""Recurrent networks, and the games of sequences, on cases small enough to check by hand."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import torch
from seeds import seed
from torch.nn import functional as F

from tabgan import RCGANSynthesizer, SeqGANSynthesizer, SequenceARAESynthesizer
from tabgan.adversarial import SpectralNormalization, WeightAveraging
from tabgan.adversarial.game import Batch
from tabgan.datasets import make_markov_sequences, make_waves
from tabgan.estimators.sequence_likelihood import split_sequences
from tabgan.generation.sequence_set import length_mask
from tabgan.generation.writing import write
from tabgan.models.rcgan import RCGANGame
from tabgan.models.seqgan import SeqGANGame
from tabgan.networks.columns import ColumnNetworks
from tabgan.networks.patterns import PatternCritic
from tabgan.networks.recurrent import (
    RecurrentCritic,
    RecurrentGenerator,
    RecurrentPolicy,
)
from tabgan.networks.steps import StepNetworks, n_seen
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout
from tabgan.table.sequences import cut_windows

LENGTHS = torch.tensor([5, 2, 1])


def says(message):
    return "^" + re.escape(message) + "$"


def seeded(make, *arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*arguments)


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape):
    return torch.randn(*shape, generator=noise())


# ---------------------------------------------------------------------- networks


@pytest.mark.parametrize("n_given", [0, 2])
@pytest.mark.parametrize("network", [RecurrentCritic, PatternCritic])
def test_critic_sees_neither_padding_nor_other_sequences(network, n_given):
    critic = seeded(network, 3, n_given, 4)
    x, given, mask = draw(3, 5, 3), draw(3, n_given), length_mask(LENGTHS, 5)
    scores = critic(x, given, mask)
    torch.testing.assert_close(critic(x * mask[..., None], given, mask), scores)
    for i, length in enumerate(LENGTHS.tolist()):
        alone = critic(x[i : i + 1, :length], given[i : i + 1], mask[i : i + 1, :length])
        torch.testing.assert_close(alone, scores[i : i + 1])
    moved = x.clone()
    moved[1, 1] += 1
    assert ((critic(moved, given, mask) != scores) == torch.tensor([False, True, False])).all()


def test_the_slope_of_a_critic_has_a_gradient():
    """By finite differences, as a penalty needs it."""
    critic = seeded(RecurrentCritic, 2, 1, 3).double()
    x, given, mask = draw(3, 5, 2).double(), draw(3, 1).double(), length_mask(LENGTHS, 5)
    x.requires_grad_()

    def slope(x):
        return torch.autograd.grad(critic(x, given, mask).sum(), x, create_graph=True)[0]

    assert torch.autograd.gradcheck(slope, x)
    assert (slope(x)[1, 2:] == 0).all()
    slope(x).square().sum().backward()
    # Of the last layers' biases the slope knows nothing.
    without = {name for name, p in critic.named_parameters() if p.grad is None}
    assert without <= {"out.2.bias"}


def test_patterns_are_found_wherever_they_are():
    """A pattern of two steps is as frequent in "abab.." as in "..abab", its end aside."""
    critic = seeded(PatternCritic, 1, 0, 3, (2,))
    with torch.no_grad():
        critic.patterns[0][1].weight.copy_(torch.tensor([[-1.0, 1.0]]).expand(3, 1, 2))
        critic.patterns[0][1].bias.zero_()
        critic.out = torch.nn.Identity()
        x = torch.tensor([[0.0, 1, 0, 1, 0, 0], [0, 0, 0, 1, 0, 1], [0, 0, 0, 0, 0, 0]])
        mask = torch.ones(3, 6, dtype=torch.bool)
        critic.out.forward = lambda found: found[:, :1] + 10 * found[:, 3:4]
        assert critic(x[..., None], x[:, :0], mask).tolist() == pytest.approx(
            [10 + 1 / 3] * 2 + [0]
        )


def test_generator_steps_depend_on_noise_so_far_and_on_what_is_given():
    generator = seeded(RecurrentGenerator, 2, 3, 4, 6)
    given, steps = draw(2, 2), draw(2, 5, 3)
    made = generator(given, steps)
    assert made.shape == (2, 5, 6)
    later = steps.clone()
    later[:, 3] += 1
    assert torch.equal(generator(given, later)[:, :3], made[:, :3])
    assert (generator(given, later)[:, 3:] != made[:, 3:]).any(dim=2).all()
    assert (generator(given + 1, steps) != made).any(dim=2).all()


def test_policy_looks_back_alone_and_advances_as_it_reads():
    policy = seeded(RecurrentPolicy, 3, 2, 4)
    row, given = draw(2, 5, 3), draw(2, 2)
    said = policy(row, given)
    assert said.shape == (2, 5, 3)
    changed = row.clone()
    changed[:, 2] += 1
    assert torch.equal(policy(changed, given)[:, :3], said[:, :3])
    assert not torch.equal(policy(changed, given)[:, 3], said[:, 3])
    state = policy.begin(given)
    for step in range(5):
        torch.testing.assert_close(policy.out(state), said[:, step])
        state = policy.advance(row[:, step], given, state)
    assert policy(row[:, :1], given).shape == (2, 1, 3)


# ---------------------------------------------------------------------- RCGAN


def test_rcgan_plays_on_all_steps_that_exist():
    layout = Layout([3], [-1, 0])
    game = seeded(RCGANGame, layout, 1, 2, 2, 4)
    mask = length_mask(LENGTHS, 5)
    empty = EncodedTable(torch.zeros(3, 0), torch.zeros(3, 0))
    batch = Batch(empty, draw(3, 5, layout.width), draw(3, 1), empty, noise(), mask)
    fake = game.fake(batch)
    assert fake.shape == batch.row.shape and (fake[~mask] == 0).all()
    torch.testing.assert_close(fake[mask][:, 2:].sum(dim=1), torch.ones(8))
    batch.rng = noise()
    real_score = game.adversary.score(batch.row, batch.condition, mask)
    fake_score = game.adversary.score(fake, batch.condition, mask)
    expected = F.softplus(fake_score - real_score).mean()
    batch.rng = noise()
    torch.testing.assert_close(game.discriminator_loss(batch), expected)
    batch.rng = noise()
    loss = game.generator_loss(batch)
    torch.testing.assert_close(loss, F.softplus(real_score - fake_score).mean())
    loss.backward()
    assert all(p.grad.abs().sum() > 0 for p in game.generator.parameters())


# ---------------------------------------------------------------------- steps in turn


@pytest.fixture
def steps():
    """Networks of steps of two columns, of 2 and 3 levels, whose weights are large."""
    layout, masses = Layout([2, 3], []), [np.full(2, 1 / 2), np.full(3, 1 / 3)]
    ranks = [np.array([0.25, 0.75]), np.full(3, np.nan)]
    columns = seeded(ColumnNetworks, layout, masses, ranks, 100, n_seen(2, 1, 4), 4, 0.2)
    networks = seeded(StepNetworks, columns, 1, 4)
    with torch.no_grad():
        for parameter in networks.parameters():
            parameter *= 3
    return networks


def every_sequence():
    """All sequences of two steps of two columns, of 2 and 3 levels: (36, 2, 2)."""
    step = torch.cartesian_prod(torch.arange(2), torch.arange(3))
    return torch.stack([step.repeat_interleave(6, dim=0), step.repeat(6, 1)], dim=1)


@torch.no_grad()
def test_probabilities_of_steps_drawn_in_turn_sum_to_one(steps):
    codes, mask = every_sequence(), torch.ones(36, 2, dtype=torch.bool)
    for given in (torch.zeros(36, 1), torch.ones(36, 1)):
        chance = steps.log_likelihood(codes, given, mask).sum(dim=1).exp()
        torch.testing.assert_close(chance.sum(), torch.tensor(1.0))
        assert chance.std() > 0.005
    mask[:, 1] = False
    log_p = steps.log_likelihood(codes, given, mask)
    assert (log_p[:, 1] == 0).all() and (log_p[:, 0] != 0).all()


@torch.no_grad()
def test_sequences_are_drawn_at_their_probabilities(steps):
    """Of 20,000 sequences, within five standard errors; 36 rates are off once in 40,000 seeds."""
    n, codes = 20_000, every_sequence()
    drawn = steps.write(torch.ones(n, 1), 2, noise(seed(0)))
    found = (drawn[:, None] == codes).flatten(2).all(dim=2).double().mean(dim=0)
    mask = torch.ones(36, 2, dtype=torch.bool)
    chance = steps.log_likelihood(codes, torch.ones(36, 1), mask).sum(dim=1).exp().double()
    # The networks may draw in bfloat16, which moves a rate by less than a hundredth of it.
    error = 5 * (chance * (1 - chance) / n).sqrt() + 0.02 * chance
    assert ((found - chance).abs() < error).all()


@torch.no_grad()
def test_steps_see_earlier_steps_alone_and_go_on_from_given_ones(steps):
    codes, given = every_sequence()[[0, 20, 35]].repeat(1, 2, 1), draw(3, 1)
    seen = steps.context(codes, given)
    changed = codes.clone()
    changed[:, 2] = 1 - changed[:, 2].clamp(max=1)
    assert torch.equal(steps.context(changed, given)[:, :3], seen[:, :3])
    assert not torch.equal(steps.context(changed, given)[:, 3], seen[:, 3])
    begun = codes.clone()
    begun[:, 2:] = -1
    written = steps.write(given, 4, noise(), begun)
    assert torch.equal(written[:, :2], codes[:, :2]) and (written >= 0).all()


def test_windows_held_out_share_no_step_with_the_others():
    cuts = cut_windows(np.array([30, 12]), 5)
    for i in range(20):
        taught, held = split_sequences(34, 4, cuts, np.random.default_rng(i))
        rows = [{r for w in part for r in range(cuts.starts[w], cuts.starts[w] + 5)}
                for part in (taught, held)]  # fmt: skip
        assert not rows[0] & rows[1] and len(held) == 4 and len(taught) >= 34 - 4 - 8
    taught, held = split_sequences(10, 3, None, np.random.default_rng(0))
    assert sorted([*taught, *held]) == list(range(10))


@pytest.mark.parametrize("cls", [RCGANSynthesizer, SeqGANSynthesizer])
def test_held_out_likelihood_stops_training_and_keeps_the_best_weights(cls):
    """Sequences of pure noise: there is nothing to learn but the sequences themselves."""
    data = np.random.default_rng(seed(0)).normal(size=(60, 4, 1))
    settings = {"hidden_dim": 32, "learning_rate": 2e-2, "random_state": 0}
    model = cls(early_stopping=True, n_iter_no_change=2, n_steps=600, **settings).fit(data)
    scores = model.history_["log_likelihood"].dropna()
    assert model.n_steps_ < 600 and scores.idxmax() < scores.index[-1]
    overfit = cls(early_stopping=False, n_steps=100, **settings).fit(data)
    fresh = np.random.default_rng(seed(1)).normal(size=(200, 4, 1)).clip(data.min(), data.max())
    assert model.score_samples(fresh).mean() > overfit.score_samples(fresh).mean()


def test_what_a_generator_does_not_have(rcgan):
    waves = make_waves(20, n_steps=5, random_state=0).data[..., None]
    causal = RCGANSynthesizer(n_steps=2, hidden_dim=4, random_state=0).fit(waves)
    assert causal.score_samples(waves).shape == (20,)
    told = (
        "latent cannot be given, for this generator draws steps in turn and has no latent vector; "
        'set generator="joint", or use SequenceARAESynthesizer.'
    )
    with pytest.raises(ValueError, match=says(told)):
        causal.sample(latent=np.zeros((2, 16)))
    told = (
        "score_samples needs a generator that knows the probability of a sequence; set "
        'generator="causal".'
    )
    with pytest.raises(ValueError, match=says(told)):
        rcgan.score_samples(waves)
    technique = SpectralNormalization()
    told = f"techniques holds {technique!r}, which finds nothing to change in RCGANSynthesizer; "
    with pytest.raises(ValueError, match=says(told + "leave it out.")):
        RCGANSynthesizer(n_steps=2, techniques=[technique]).fit(waves)


@pytest.fixture(scope="module")
def rcgan():
    waves = make_waves(60, n_steps=8, random_state=0)
    settings = {"generator": "joint", "n_steps": 3, "hidden_dim": 8, "latent_dim": 2}
    model = RCGANSynthesizer(**settings, random_state=0)
    return model.fit(waves.data[..., None], waves.target)


def test_latent_draws_can_be_given(rcgan):
    latent = np.array([[-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    labels = {"target": [0, 1, 0]}
    one, other = (rcgan.sample(latent=latent, conditions=labels, random_state=3) for _ in range(2))
    assert one.shape == (3, 8, 1)
    np.testing.assert_array_equal(one, other)
    moved = rcgan.sample(latent=latent + [[0, 0], [0, 0.5], [0, 0]], conditions=labels,
                         random_state=3)  # fmt: skip
    assert (moved != one).all(axis=(1, 2)).tolist() == [False, True, False]


@pytest.mark.parametrize(("shape", "n_samples"), [((3, 4), 1), ((3, 2), 2)])
def test_latent_draws_of_the_wrong_shape(rcgan, shape, n_samples):
    told = (
        f"latent must have shape (n, 2), one row for each sequence, got {shape} for {n_samples} "
        "sequences."
    )
    with pytest.raises(ValueError, match=says(told)):
        rcgan.sample(n_samples, latent=np.zeros(shape))


def test_latent_draws_and_conditions_that_do_not_agree(rcgan):
    told = "latent has 1 rows but conditions has 3; make the two agree."
    with pytest.raises(ValueError, match=says(told)):
        rcgan.sample(latent=np.zeros((1, 2)), conditions=[0, 1, 1])


def test_techniques_apply_to_sequences():
    waves = make_waves(20, n_steps=5, random_state=0)
    techniques = [SpectralNormalization(), WeightAveraging(0.0)]
    settings = {"generator": "joint", "n_steps": 2, "hidden_dim": 4, "random_state": 0}
    model = RCGANSynthesizer(techniques=techniques, **settings)
    assert np.isfinite(model.fit(waves.data[..., None]).sample(3)).all()


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2, 1), (4, 0, 1)])
def test_arrays_of_the_wrong_shape(shape):
    told = f"X must be a DataFrame or an array of shape (n, T, d), got an array of shape {shape}."
    with pytest.raises(ValueError, match=says(told)):
        RCGANSynthesizer().fit(np.zeros(shape))


def test_entities_and_labels_that_do_not_fit():
    frame = pd.DataFrame({"who": [0, 0, 1, 1], "x": [1.0, 2.0, 3.0, 4.0]})
    told = (
        "entity must name the column that tells sequences apart, for X is a DataFrame; columns: "
        "['who', 'x']. For one long series, set window."
    )
    with pytest.raises(ValueError, match=says(told)):
        RCGANSynthesizer().fit(frame)
    told = "y has 4 labels for 2 sequences; give one for each sequence."
    with pytest.raises(ValueError, match=says(told)):
        RCGANSynthesizer(entity="who").fit(frame, [0, 0, 1, 1])


# ---------------------------------------------------------------------- SeqGAN


@pytest.fixture
def game():
    return seeded(SeqGANGame, Layout([2], []), 1, 4, 3, 0.5)


def written(game, n=3, n_steps=4):
    condition, mask = draw(n, 1), length_mask(torch.tensor([4, 2, 1])[:n], n_steps)
    codes, row, states = write(game.policy, game.layout, condition, n_steps, noise())
    none = torch.zeros(n, n_steps, 0)
    empty = EncodedTable(torch.zeros(n, 0), torch.zeros(n, 0))
    batch = Batch(EncodedTable(codes, none), row, condition, empty, noise(), mask)
    return batch, states


def test_states_of_written_sequences_are_those_of_reading_them(game):
    batch, states = written(game)
    said = game.policy(batch.row, batch.condition)
    torch.testing.assert_close(game.policy.out(states[:, :-1]), said[:, 1:])
    assert torch.equal(batch.row[..., 0] == 1, batch.table.codes[..., 0] == 0)


def test_likelihood_by_hand(game):
    batch, _ = written(game)
    chance = F.softmax(game.policy(batch.row, batch.condition), dim=2)
    chosen = chance.gather(2, batch.table.codes)[..., 0]
    expected = torch.stack([row[:n].log().sum() for row, n in zip(chosen, (4, 2, 1), strict=True)])
    torch.testing.assert_close(game.log_likelihood(batch), expected)
    torch.testing.assert_close(game.policy_loss(batch), -expected.mean())


class Marks(torch.nn.Module):
    """Rewards sequences of three steps very differently."""

    def forward(self, x, given, mask):
        return (x[..., 1] * torch.tensor([1.0, -2.0, 4.0])).sum(dim=1) - 1


def test_returns_are_the_rewards_of_all_ends_by_their_chances():
    """Roll-outs of sequences of three steps against the sum over all that can follow."""
    game = seeded(SeqGANGame, Layout([2], []), 1, 4, 4000, 0.5)
    with torch.no_grad():
        for parameter in game.policy.parameters():
            parameter *= 8
    game.adversary.critic = Marks()
    batch, states = written(game, n=2, n_steps=3)
    mask = torch.ones(2, 3, dtype=torch.bool)
    found = game.returns(batch.row, states, batch.condition, mask, noise(1))
    every = torch.cartesian_prod(*[torch.arange(2)] * 3)
    for i in range(2):
        condition = batch.condition[i].expand(8, 1)
        row = F.one_hot(every, 2).float()
        log_chance = F.log_softmax(game.policy(row, condition), dim=2)
        log_chance = log_chance.gather(2, every[..., None])[..., 0]
        reward = torch.sigmoid(game.adversary.score(row, condition, mask[:1].expand(8, 3)))
        for step in range(3):
            follows = (every[:, : step + 1] == batch.table.codes[i, : step + 1, 0]).all(dim=1)
            chance = log_chance[:, step + 1 :].sum(dim=1).exp() * follows
            torch.testing.assert_close(chance.sum(), torch.tensor(1.0))
            # Rewards are off by 1/126 on average, at most: by five times as much once in 10^6.
            assert abs(found[i, step] - (chance * reward).sum()) < 0.04
        torch.testing.assert_close(found[i, 2], reward[follows][0])


def test_policy_gradient_by_hand(game):
    """Of one step, whose reward needs no roll-out: the advantage times the log-probability."""
    batch, _ = written(game, n_steps=1)
    batch.mask, batch.progress, batch.rng = torch.ones(3, 1, dtype=torch.bool), 0.9, noise(5)
    loss = game.policy_loss(batch)
    codes, row, _ = write(game.policy, game.layout, batch.condition, 1, noise(5))
    reward = torch.sigmoid(game.adversary.score(row, batch.condition, batch.mask))
    log_chance = F.log_softmax(game.policy(row, batch.condition)[:, 0], dim=1)
    log_chance = log_chance.gather(1, codes[:, 0])[:, 0]
    expected = -((reward - reward.mean()).detach() * log_chance).mean()
    torch.testing.assert_close(loss, expected)
    wanted = torch.autograd.grad(expected, list(game.policy.out.parameters()))
    found = torch.autograd.grad(loss, list(game.policy.out.parameters()))
    torch.testing.assert_close(found, wanted)


def test_who_learns_when(game):
    batch, _ = written(game)

    def moves(player, progress):
        batch.progress = progress
        game.zero_grad()
        player.loss(batch).backward()
        return any(p.grad is not None and (p.grad != 0).any() for p in player.parameters())

    discriminator, policy = game.players()
    when = (0.0, 0.49, 0.52, 0.9)
    assert [moves(policy, progress) for progress in when] == [True, True, False, True]
    assert [moves(discriminator, progress) for progress in when] == [False, False, True, True]


def test_probabilities_of_all_sequences_sum_to_one():
    rng = np.random.default_rng(0)
    data = rng.integers(0, 2, size=(40, 3, 1)).astype(float)
    model = SeqGANSynthesizer(n_steps=10, hidden_dim=8, random_state=0).fit(data)
    every = np.array(np.meshgrid(*[[0.0, 1.0]] * 3)).reshape(3, -1).T[..., None]
    scores = model.score_samples(every)
    assert scores.shape == (8,)
    np.testing.assert_allclose(np.exp(scores).sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("cls", [SeqGANSynthesizer, SequenceARAESynthesizer])
def test_a_chain_is_learnt(cls):
    """Far better than independent steps, under the truth.

    Over 6 seeds minus log-likelihoods were 0.45 to 0.52, those of independent steps 0.94 to 0.96.
    """
    chain = {"states": "abc", "order": 1, "concentration": 0.2, "as_frame": True}
    made = make_markov_sequences(400, 8, **chain, random_state=seed(0))
    model = cls(entity="entity", time="time", n_steps=120, hidden_dim=32, random_state=seed(0))
    model.set_params(learning_rate=5e-3).fit(made.frame)
    codes = model.sample(500, random_state=seed(0))["state"].cat.codes.to_numpy().reshape(500, 8)
    apart = np.random.default_rng(seed(0)).permutation(made.data.ravel()).reshape(made.data.shape)
    truth, found, independent = (
        -made.log_likelihood(each).mean() / 8 for each in (made.data, codes, apart)
    )
    assert found < truth + 0.4 * (independent - truth)
