"""What every estimator promises of its training and its state; a new model is found by itself."""

from __future__ import annotations

import dataclasses
import random

import contract
import numpy as np
import pandas as pd
import pytest
import torch
from contract import (
    ESTIMATORS,
    FEATURIZERS,
    SYNTHESIZERS,
    every_estimator,
    every_synthesizer,
    examples,
    fit_small,
    go_on,
    narrow_table,
    outcome,
    says,
    small,
    weights,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import tabgan

# Shares of a mixture lie in [0, 1] whatever its weights are.
DIVERGING = [cls for cls in ESTIMATORS if cls is not tabgan.DPSynthesizer]
every_carrier = pytest.mark.parametrize("carrier", contract.CARRIERS)


def assert_same_rows(one, other):
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def without_seconds(history):
    return history.drop(columns="seconds")


# ---------------------------------------------------------------------- random numbers


@every_estimator
def test_same_seed_same_rows_bit_for_bit(cls):
    one, other = (fit_small(cls, narrow_table(), random_state=7) for _ in range(2))
    assert torch.equal(weights(one), weights(other))
    for _ in range(2):
        assert_same_rows(outcome(one), outcome(other))
    assert_same_rows(outcome(one, 3), outcome(one, 3))
    assert_same_rows(*(outcome(one, np.random.RandomState(3)) for _ in range(2)))
    if cls in SYNTHESIZERS:
        asked = {"kind": "b", "flag": True}
        assert_same_rows(one.sample(9, conditions=asked), other.sample(9, conditions=asked))


@every_synthesizer
def test_other_seeds_and_calls_give_other_rows(cls):
    one, other = (fit_small(cls, narrow_table(), random_state=seed) for seed in (7, 8))
    assert not torch.equal(weights(one), weights(other))
    calls = [one.sample(50), one.sample(50), one.sample(50, random_state=1)]
    calls += [one.sample(50, random_state=2), other.sample(50)]
    for i, made in enumerate(calls):
        assert not any(made.equals(earlier) for earlier in calls[:i])


@every_estimator
def test_without_seed_every_fit_differs(cls):
    one, other = (fit_small(cls, narrow_table(), random_state=None) for _ in range(2))
    assert not torch.equal(weights(one), weights(other))


@every_estimator
def test_random_state_instance_is_drawn_from(cls):
    first, again = (
        fit_small(cls, narrow_table(), random_state=np.random.RandomState(5)) for _ in range(2)
    )
    assert torch.equal(weights(first), weights(again))
    stream = np.random.RandomState(5)
    one, other = (fit_small(cls, narrow_table(), random_state=stream) for _ in range(2))
    assert torch.equal(weights(one), weights(first))
    assert not torch.equal(weights(one), weights(other))


@every_estimator
def test_global_generators_are_left_alone(cls, tmp_path):
    def states():
        gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        numpy_state = np.random.get_state()  # noqa: NPY002
        return (
            random.getstate(),
            (numpy_state[1].tolist(), *numpy_state[2:]),
            torch.get_rng_state().tolist(),
            [state.tolist() for state in gpus],
        )

    before = states()
    synthesizer = fit_small(cls, narrow_table(), random_state=None)
    go_on(synthesizer)
    outcome(synthesizer)
    if cls in SYNTHESIZERS:
        synthesizer.sample(5, conditions={"flag": True})
    if cls in FEATURIZERS:
        synthesizer.transform(narrow_table())
    contract.carry_by_file(synthesizer)
    contract.carry_by_pickle(synthesizer)
    assert states() == before


# ---------------------------------------------------------------------- copies


@every_estimator
def test_clone_and_parameters_round_trip(cls):
    synthesizer = small(cls, narrow_table(), n_steps=3, verbose=0, categorical_features=["kind"])
    copied = clone(synthesizer)
    assert copied.get_params() == synthesizer.get_params()
    assert cls(**synthesizer.get_params()).get_params() == synthesizer.get_params()
    assert cls().set_params(**synthesizer.get_params()).get_params() == synthesizer.get_params()
    with pytest.raises(NotFittedError):
        outcome(clone(contract.fitted(cls)))
    with pytest.raises(TypeError):
        cls(10)  # keyword only
    with pytest.raises(TypeError):
        cls(no_such_parameter=1)


@every_carrier
@every_estimator
def test_copies_make_the_same_rows_and_go_on_training_alike(cls, carrier):
    original = contract.carry_by_pickle(contract.fitted(cls))
    outcome(original)
    copied = contract.CARRIERS[carrier](original)
    assert_same_rows(outcome(copied), outcome(original))
    assert_same_rows(outcome(copied, 1), outcome(original, 1))
    if cls in SYNTHESIZERS:
        asked = {"kind": "b", "length": None}
        assert_same_rows(*(each.sample(5, conditions=asked) for each in (copied, original)))
    if cls in FEATURIZERS:
        features = (each.transform(narrow_table()) for each in (copied, original))
        np.testing.assert_array_equal(*features)
    assert copied.get_params() == original.get_params()
    for name in cls._schemas:
        assert getattr(copied, name).to_dict() == getattr(original, name).to_dict()
    pd.testing.assert_frame_equal(copied.history_, original.history_)
    assert list(copied.feature_names_in_) == list(narrow_table())
    for each in (copied, original):
        go_on(each)
    assert copied.n_steps_ == 4
    assert torch.equal(weights(copied), weights(original))
    assert_same_rows(outcome(copied), outcome(original))
    pd.testing.assert_frame_equal(
        without_seconds(copied.history_), without_seconds(original.history_)
    )


@every_estimator
def test_copies_share_nothing(cls):
    original = contract.carry_by_pickle(contract.fitted(cls))
    before = weights(original).clone()
    go_on(contract.CARRIERS["deepcopy"](original))
    assert torch.equal(weights(original), before)


# ---------------------------------------------------------------------- training goes on


def staged_players(synthesizer):
    """Names of all players, if they move in several stages."""
    players = synthesizer._core.training.game.players()
    return [p.name for p in players] if len({p.stage for p in players}) > 1 else []


@every_estimator
def test_history_and_steps(cls):
    synthesizer = contract.fitted(cls)
    history = synthesizer.history_
    players = [player.name for player in synthesizer._core.training.game.players()]
    assert list(history)[: 2 + len(players)] == ["step", "seconds", *players]
    assert history["step"].tolist() == [1, 2]
    assert (history["seconds"].diff().dropna() >= 0).all() and (history["seconds"] > 0).all()
    # Held-out rows are looked at now and then, and at the end.
    looked_at = history.columns.intersection(["log_likelihood"])
    # Players of one stage have no loss while those of another move.
    staged = staged_players(synthesizer)
    assert np.isfinite(history.drop(columns=[*looked_at, *staged])).all(axis=None)
    assert np.isfinite(history.iloc[-1].drop(staged)).all()
    assert all(np.isfinite(history[name]).any() for name in staged)
    assert synthesizer.n_steps_ == 2


@every_estimator
def test_partial_fit_and_warm_start_go_on(cls):
    table = narrow_table()
    one = fit_small(cls, table, warm_start=True)
    other = contract.carry_by_pickle(one)
    one.fit(*examples(one, table))
    go_on(other)
    assert torch.equal(weights(one), weights(other))
    for each in (one, other):
        assert each.n_steps_ == 4
        assert each.history_["step"].tolist() == [1, 2, 3, 4]
        assert (each.history_["seconds"].diff().dropna() >= 0).all()
        for player in each._core.training.game.players():
            state = each._core.training.update.optimizers[player.name].state
            made = {int(entry["step"]) for entry in state.values()}
            # Of two stages each has one step of two.
            n_steps = 2 if staged_players(each) else 4
            assert made == {n_steps * player.n_updates}
            assert each._core.training.update.n_made[player.name] == n_steps * player.n_updates


@every_estimator
def test_first_partial_fit_is_a_fit(cls):
    one = fit_small(cls, narrow_table())
    other = go_on(small(cls, narrow_table()))
    assert_same_rows(outcome(one), outcome(other))


@every_synthesizer
def test_partial_fit_keeps_the_schema(cls):
    synthesizer = contract.carry_by_pickle(contract.fitted(cls))
    other = pd.DataFrame({"length": [99.0, -99.0], "kind": ["z", None], "flag": [True, False]})
    synthesizer.partial_fit(other)
    made = synthesizer.sample(100, random_state=0)
    assert set(made["kind"]) <= {"a", "b", "c"}
    assert made["length"].max() <= narrow_table()["length"].max()


@every_estimator
def test_fit_starts_anew(cls):
    """Another fit forgets the first: its columns, steps and random stream."""
    used = fit_small(cls, narrow_table().rename(columns={"length": "width"}))
    go_on(used, narrow_table().rename(columns={"length": "width"}))
    used.set_params(**small(cls, narrow_table()).get_params())
    used.fit(*examples(used, narrow_table()))
    fresh = fit_small(cls, narrow_table())
    assert used.n_steps_ == 2 and len(used.history_) == 2
    assert_same_rows(outcome(used), outcome(fresh))
    used = fit_small(cls, np.eye(4), n_steps=0)
    used.set_params(**fresh.get_params()).fit(*examples(fresh, narrow_table()))
    fresh = contract.carry_by_pickle(fresh.fit(*examples(fresh, narrow_table())))
    assert used.n_steps_ == 2
    assert_same_rows(outcome(used), outcome(fresh))


@every_estimator
def test_zero_steps(cls):
    synthesizer = fit_small(cls, narrow_table(), n_steps=0)
    assert synthesizer.n_steps_ == 0 and len(synthesizer.history_) == 0
    assert len(outcome(synthesizer)) >= 20


@every_estimator
def test_steps_by_default(cls, monkeypatch):
    monkeypatch.setattr(cls, "plan", dataclasses.replace(cls.plan, n_steps=3))
    assert fit_small(cls, narrow_table(), n_steps=None).n_steps_ == 3


@every_synthesizer
def test_small_tables_are_not_seen_too_often(cls, monkeypatch):
    """Neither what is asked for nor what early stopping decides is cut short."""
    monkeypatch.setattr(cls, "plan", dataclasses.replace(cls.plan, max_epochs=2))
    table = narrow_table()
    if "batch_size" not in cls().get_params():
        pytest.skip("the model is trained on counts of rows, and makes no passes over the rows")
    settings = {"n_steps": None, "early_stopping": False}
    assert fit_small(cls, table, **settings, batch_size=100).n_steps_ == 2
    assert fit_small(cls, table, **settings, batch_size=20).n_steps_ == 6
    assert fit_small(cls, table, n_steps=5, early_stopping=False).n_steps_ == 5
    monkeypatch.setattr(cls, "plan", dataclasses.replace(cls.plan, n_steps=5))
    patient = {"n_steps": None, "early_stopping": True, "n_iter_no_change": 99}
    assert fit_small(cls, table, **patient).n_steps_ == 5


@every_estimator
def test_sampling_is_in_evaluation_mode_and_without_gradients(cls):
    synthesizer = contract.carry_by_pickle(contract.fitted(cls))
    go_on(synthesizer)
    assert not any(module.training for module in synthesizer._core.training.game.modules())
    used = []

    def watch(module, inputs, output):
        used.append((module.training, output.requires_grad))

    for module in synthesizer._core.game.modules():
        module.register_forward_hook(watch)
    outcome(synthesizer)
    if cls in SYNTHESIZERS:
        synthesizer.sample(3, conditions={"flag": True})
    if cls in FEATURIZERS:
        synthesizer.transform(narrow_table())
    assert used and set(used) == {(False, False)}


# ---------------------------------------------------------------------- stopping, and saying so


@every_estimator
def test_a_callback_stops_training(cls):
    seen = []

    def stop_at_two(training):
        seen.append(training.history[-1]["step"])
        return training.step == 2

    watch = seen.append
    synthesizer = fit_small(cls, narrow_table(), n_steps=5, callbacks=[stop_at_two, watch])
    assert synthesizer.n_steps_ == 2 and len(synthesizer.history_) == 2
    assert seen[::2] == [1, 2]
    assert seen[1] is seen[3] is synthesizer._core.training
    assert len(outcome(synthesizer)) >= 20


@every_estimator
def test_an_interrupt_leaves_a_usable_model(cls):
    def interrupt(training):
        if training.step == 2:
            raise KeyboardInterrupt

    told = says(
        "training was interrupted after 2 steps; the model is usable, and partial_fit goes on "
        "from here."
    )
    with pytest.warns(UserWarning, match=told):
        synthesizer = fit_small(cls, narrow_table(), n_steps=5, callbacks=[interrupt])
    whole = fit_small(cls, narrow_table(), n_steps=5, callbacks=[lambda t: t.step == 2])
    assert_same_rows(outcome(synthesizer), outcome(whole))
    go_on(synthesizer.set_params(callbacks=None))
    assert synthesizer.n_steps_ == 7


@every_estimator
def test_silent_unless_asked(cls, capfd):
    outcome(fit_small(cls, narrow_table(), verbose=0))
    assert capfd.readouterr() == ("", "")


@every_estimator
def test_progress_bar(cls, capfd):
    fit_small(cls, narrow_table(), verbose=1, n_steps=3)
    out, err = capfd.readouterr()
    assert out == ""
    assert "3/3" in err and "100%" in err


@pytest.mark.parametrize("cls", DIVERGING, ids=lambda cls: cls.__name__)
def test_divergence_is_an_error_and_leaves_no_model(cls):
    synthesizer = small(cls, narrow_table(), learning_rate=1e30)
    told = says(
        "training diverged at step 1 ({...nan...}); lower learning_rate, or raise batch_size."
    )
    for _ in range(2):
        with pytest.raises(FloatingPointError, match=told):
            synthesizer.fit(*examples(synthesizer, narrow_table()))
        with pytest.raises(NotFittedError):
            outcome(synthesizer)
    assert len(outcome(go_on(synthesizer.set_params(learning_rate=1e-3)))) >= 20


@every_estimator
def test_a_device_that_is_not_there(cls):
    synthesizer = fit_small(cls, narrow_table())
    told = 'device is \'warp\', which is not available here (...); use "auto" or "cpu".'
    with pytest.raises(ValueError, match=says(told)):
        synthesizer.set_params(device="warp").fit(*examples(synthesizer, narrow_table()))
    with pytest.raises(NotFittedError):
        outcome(synthesizer)


@every_estimator
def test_html(cls):
    for synthesizer in (small(cls), contract.fitted(cls)):
        assert cls.__name__ in synthesizer._repr_html_()
        assert cls.__name__ in repr(synthesizer)
