"""The Cramér GAN: its critic and losses by hand, and that it makes what goes together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from contract import narrow_table, small
from seeds import seed

from tabgan import CramerGANSynthesizer
from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.losses import ENERGY
from tabgan.models.cramer import EnergyCritic
from tabgan.table.layout import Layout


class Known(EnergyCritic):
    """An energy critic of features that are the rows themselves."""

    def __init__(self):
        super().__init__(Layout([], [-1]), [], 0, [1])

    def embed(self, x):
        return x


def column(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_critic_by_hand():
    """A row at 3, a made one at 7, a real one at 4: 4 - 1."""
    score = Known()(column(3.0, 0.0), column(7.0, 1.0), column(4.0, -2.0))
    torch.testing.assert_close(score, torch.tensor([3.0, -1.0]))


def test_losses_are_the_energy_distance_by_hand():
    """Real rows 0 and 1 and made ones 2 and 4; those beside them are 1, 0 and 3, 5.

    Of each pair: f(x) = |x - g'| - |x - x'| is 3 - 1 and 4 - 1; f(g) is 1 - 1 and 1 - 4.
    """
    adversary, given = Adversary(Known(), ENERGY), (column(3.0, 5.0), column(1.0, 0.0))
    real, fake = column(0.0, 1.0), column(2.0, 4.0)
    energy = (2 + 3) / 2 - (0 - 3) / 2
    assert adversary.critic_loss(None, real, fake, *given).item() == -energy
    assert adversary.generator_loss(None, real, fake, *given).item() == energy


def test_energy_distance_of_two_normals():
    """Of means 0 and 2: 4 E|N(2, 2)| - 4 E|N(0, 2)|, up to five standard errors."""
    rng = torch.Generator().manual_seed(seed(0))
    real, other = (torch.randn(50_000, 1, generator=rng) for _ in range(2))
    fake, more = (2 + torch.randn(50_000, 1, generator=rng) for _ in range(2))
    energy = Adversary(Known(), ENERGY).generator_loss(None, real, fake, more, other)
    between = 2 * np.sqrt(1 / np.pi) * np.exp(-1) + 2 * 0.8427007929  # 2 erf(1)
    within = 2 / np.sqrt(np.pi)
    assert energy.item() == pytest.approx(2 * between - 2 * within, abs=5 * 2 / np.sqrt(50_000))


def test_equal_rows_have_finite_gradients():
    """A table of one category: all rows are alike, and all distances between them zero."""
    table = pd.DataFrame({"kind": ["a"] * 30 + ["b"], "flag": [True] * 30 + [False]})
    synthesizer = small(CramerGANSynthesizer, table, n_steps=5, batch_size=4).fit(table)
    assert np.isfinite(synthesizer.history_.drop(columns="log_likelihood")).all(axis=None)
    assert synthesizer.history_["energy"].notna().all()


def test_features_are_the_critics():
    synthesizer = small(CramerGANSynthesizer, narrow_table()).fit(narrow_table())
    features = synthesizer.transform(narrow_table())
    assert features.shape == (60, 4)
    assert not hasattr(synthesizer, "score_samples")


def test_what_goes_together_is_made_together():
    """Two columns of three letters that always agree; independent ones do in a third of the rows.

    500 rows agree more often than in half of them by chance with a probability below e-12. Over 14
    seeds 99 % or more agreed.
    """
    letters = np.random.default_rng(seed(0)).choice(["a", "b", "c"], 400)
    table = pd.DataFrame({"one": letters, "other": letters})
    parameters = {"n_steps": 50, "hidden_dim": 32, "learning_rate": 5e-3, "n_critic": 2}
    synthesizer = small(CramerGANSynthesizer, table, random_state=seed(0), **parameters).fit(table)
    made = synthesizer.sample(500, random_state=seed(0))
    assert (made["one"] == made["other"]).mean() > 0.6
