"""Knowing when to stop: held-out scores, the best weights, collapse, search over parameters."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, narrow_table, says
from seeds import seed
from sklearn.model_selection import GridSearchCV
from torch import nn

from tabgan import ARAESynthesizer, AutoregressiveSynthesizer, CGANSynthesizer, GANSynthesizer
from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.training import Training, TrainingRule
from tabgan.adversarial.updates import adam
from tabgan.adversarial.validation import RATE_CUT, Validation
from tabgan.datasets import make_mixed_table
from tabgan.generation.calibrated import Calibrated
from tabgan.table.encoder import EncodedTable


class Climb(Game):
    """One weight that each step raises by the learning rate."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def players(self):
        return (Player("climber", (self,), lambda batch: -self.weight.sum()),)


class NoData:
    def batches(self, batch_size, rng):
        nothing = torch.empty(1, 0)
        while True:
            yield Batch(EncodedTable(nothing, nothing), nothing, nothing, None, rng)


def run(scores, n_steps=100, every=1, patience=2, **rules):
    """Train with scores told beforehand; the training, and the weights seen at each look."""
    told, seen = iter(scores), []

    def score(game):
        seen.append(game.weight.item())
        return next(told)

    training = Training(Climb(), TrainingRule(adam(1.0, (0.0, 0.9)), averaging=0.0))
    validation = Validation("figure", score, every, patience, **rules)
    training.run(NoData(), n_steps, 1, torch.Generator(), validation=validation)
    return training, seen


def test_best_weights_are_put_back():
    training, seen = run([0.1, 0.5, 0.9, 0.4, 0.3])
    assert training.step == 5 and len(set(seen)) == 5
    assert training.averaged.weight.item() == seen[2]
    assert training.game.weight.item() == seen[2]


def test_best_weights_are_a_copy():
    """Training on after the run must not change what was kept."""
    training, seen = run([0.9, 0.1, 0.1])
    before = copy.deepcopy(training.averaged.state_dict())
    training.run(NoData(), 3, 1, torch.Generator())
    assert before["weight"].item() == seen[0] != training.averaged.weight.item()


def test_best_weights_are_put_back_after_an_interrupt():
    def interrupted(training):
        if training.step == 3:
            raise KeyboardInterrupt

    training = Training(Climb(), TrainingRule(adam(1.0, (0.0, 0.9)), averaging=0.0))
    scores = iter([0.9, 0.1, 0.1])
    validation = Validation("figure", lambda game: next(scores), 1, 5)
    with pytest.warns(UserWarning, match="interrupted after 3 steps"):
        training.run(
            NoData(), 9, 1, torch.Generator(), callbacks=[interrupted], validation=validation
        )
    assert training.averaged.weight.item() == pytest.approx(1.0)


def test_looks_come_every_so_many_steps_and_at_the_end():
    training, seen = run([1, 2, 3, 4], n_steps=10, every=3)
    assert len(seen) == 4
    figures = pd.DataFrame(training.history).set_index("step")["figure"].dropna()
    assert figures.to_dict() == {3: 1, 6: 2, 9: 3, 10: 4}


def test_improvement_starts_the_count_anew():
    training, _ = run([5, 1, 6, 1, 7, 1, 1])
    assert training.step == 7


def test_rate_is_cut_and_training_goes_on_from_the_best():
    training, seen = run([0.5, 0.1, 0.1, 0.1, 0.1], rate_cuts=1)
    assert training.step == 5
    # After two worse looks it is back at the first weight, and steps are a third as long.
    assert seen[3] - seen[0] == pytest.approx(RATE_CUT * (seen[0]), rel=0.3)
    assert training.game.weight.item() == seen[0]


def test_a_score_that_hardly_gains_shortens_the_run():
    """After four steps the score gained .1 since the second one: the run ends after eight."""
    scores = [0, 1, 1.05, 1.1, *range(2, 99)]
    training, seen = run(scores, settled=0.2)
    assert training.step == 8
    paces = np.diff([0, *seen])
    assert paces[:4] == pytest.approx(1.0) and (np.diff(paces[4:]) < -0.1).all()
    assert run(scores, settled=0.05)[0].step == run(scores)[0].step == 100
    assert run(scores, n_steps=6, settled=0.2)[0].step == 6


def test_a_run_is_not_made_shorter_than_the_fewest_steps():
    scores = [1 - 0.1**i for i in range(1, 99)]
    assert run(scores, settled=0.2, patience=99)[0].step == 4
    assert run(scores, settled=0.2, fewest_steps=30, patience=99)[0].step == 32


def test_scores_that_are_no_numbers_are_never_the_best():
    training, seen = run([0.5, float("nan"), float("nan")])
    assert training.step == 3 and training.game.weight.item() == seen[0]


# ---------------------------------------------------------------------- in estimators


@pytest.mark.parametrize("cls", [ARAESynthesizer, CGANSynthesizer, GANSynthesizer])
def test_fidelity_is_recorded_and_decides(cls):
    table = make_mixed_table(400, random_state=seed(0))
    settings = {"early_stopping": True, "n_steps": 40, "n_iter_no_change": 3}
    own = {
        CGANSynthesizer: {"condition_columns": ["colour"], "generator": "joint"},
        ARAESynthesizer: {"decoder": "joint"},
    }.get(cls, {})
    model = cls(hidden_dim=8, latent_dim=3, random_state=seed(0), **settings, **own).fit(table)
    figures = model.history_["fidelity"].dropna()
    assert 3 < len(figures) <= 21 and figures.between(0, 1).all()
    again = cls(hidden_dim=8, latent_dim=3, random_state=seed(0), **settings, **own).fit(table)
    pd.testing.assert_frame_equal(model.sample(20), again.sample(20))


def test_looking_does_not_change_the_training():
    """Up to the first look at worse weights, losses are those of a run on the same rows."""
    table = narrow_table()
    model = fit_small(GANSynthesizer, table, early_stopping=True, n_steps=6)
    losses = model.history_["generator"].to_numpy()
    quiet = fit_small(GANSynthesizer, table, early_stopping=True, n_steps=6, n_iter_no_change=99)
    np.testing.assert_array_equal(losses[:2], quiet.history_["generator"].to_numpy()[:2])


def test_score_is_a_fidelity_that_tells_good_from_bad():
    """Over 4 seeds a trained model scored 0.89 to 0.96, one of two steps 0.07 to 0.10."""
    table, fresh = (make_mixed_table(1200, random_state=seed(i)) for i in (0, 1))
    good = AutoregressiveSynthesizer(n_steps=300, hidden_dim=32, random_state=seed(0)).fit(table)
    bad = fit_small(GANSynthesizer, table, random_state=seed(0))
    score = good.score(fresh)
    assert 0 <= bad.score(fresh) < 0.3 < score <= 1
    assert good.score(fresh) == score


def test_search_over_parameters():
    search = GridSearchCV(
        AutoregressiveSynthesizer(hidden_dim=16, random_state=seed(0)), {"n_steps": [1, 60]}, cv=2
    )
    search.fit(make_mixed_table(300, random_state=seed(0)))
    assert search.best_params_ == {"n_steps": 60}


def test_conditions_are_part_of_the_score():
    X, y = narrow_table(), np.arange(60) % 3
    model = CGANSynthesizer(n_steps=2, hidden_dim=8, latent_dim=3, random_state=0).fit(X, y)
    assert 0 <= model.score(X, y) <= 1


def test_collapse_is_told(monkeypatch):
    draw = Calibrated.draw

    def one_row(self, given, noise):
        made = draw(self, given, noise)
        return made.rows(torch.zeros(len(made), dtype=torch.long))

    monkeypatch.setattr(Calibrated, "draw", one_row)
    told = (
        "GANSynthesizer has collapsed: 200 rows that it makes are of 1 kinds, as many real ones of "
        "... Try early_stopping=True, a lower learning_rate, or "
        "techniques=[RelativisticPairing(), R1(), R2()]."
    )
    table = make_mixed_table(200, random_state=0)
    with pytest.warns(UserWarning, match=says(told)):
        fit_small(GANSynthesizer, table)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_tables_can_be_held_out_from(n):
    model = fit_small(AutoregressiveSynthesizer, narrow_table().head(n), acceptance_rounds=2)
    assert len(model.sample(5)) == 5
