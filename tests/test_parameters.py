"""Parameters of every public class: each wrong value is refused by name, before any work."""

from __future__ import annotations

import inspect
import math
import numbers

import numpy as np
import pandas as pd
import pytest
import torch
from contract import EVERYONE, every_estimator, fit_small, narrow_table, says, small
from sklearn.base import clone

import tabgan
from tabgan import adversarial
from tabgan.adversarial import R1, SpectralNormalization, WeightAveraging
from tabgan.adversarial.techniques import TECHNIQUES, Technique, apply_techniques
from tabgan.adversarial.training import TrainingRule
from tabgan.checks import ParameterError
from tabgan.constraints import Constraint
from tabgan.estimators.estimator import Estimator

VALUES = {
    "-1": -1,
    "0": 0,
    "0.5": 0.5,
    "1.5": 1.5,
    "2.0": 2.0,
    "-0.5": -0.5,
    "True": True,
    "None": None,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "1j": 1j,
    "10**30": 10**30,
    "text": "x",
    "empty text": "",
    "bytes": b"x",
    "list": [],
    "list of None": [None],
    "dict": {},
    "set": {"x"},
    "array": np.zeros((300, 300)),
    "table": pd.DataFrame({"x": range(1000)}),
    "object": object(),
    "class": int,
    "function": lambda *_: None,
}


def is_integer(value, least, most=2**31 - 1):
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and least <= value <= most


def is_number(value, low, high=math.inf, but=()):
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value) and low <= value <= high and value not in but


def is_list(value, each=lambda _: True, least=0):
    listed = isinstance(value, list | tuple | np.ndarray | pd.Index | pd.Series)
    return listed and len(value) >= least and all(each(item) for item in value)


def is_label(value):
    try:
        hash(value)
    except TypeError:
        return False
    return value is not None and value == value


def is_seed(value):
    return value is None or is_integer(value, 0, 2**32 - 1)


# What each parameter takes, written down a second time by hand; None stands where it may be left.
POSITIVE = (
    "batch_size hidden_dim latent_dim n_iter_no_change n_critic code_dim noise_dim n_components "
    "n_clusters n_lessons lesson_size learner_dim n_rollouts every"
).split()
WEIGHTS = (
    "penalty_weight kl_weight info_weight adversarial_weight label_weight cycle_weight "
    "identity_weight classifier_weight detection_weight reconstruction_weight weight "
    "likelihood_weight code_noise agreement_weight"
).split()
TAKES = {
    **{name: lambda value: is_integer(value, 1) for name in POSITIVE},
    **{name: lambda value: is_number(value, 0) for name in WEIGHTS},
    "n_steps": lambda value: value is None or is_integer(value, 0),
    "learning_rate": lambda value: is_number(value, 0, but=(0,)),
    "prior_scale": lambda value: is_number(value, 0, but=(0,)),
    "clip": lambda value: is_number(value, 0, but=(0,)),
    "bound": lambda value: is_number(value, 0, but=(0,)),
    "scale": lambda value: is_number(value, 0, but=(0,)),
    "until": lambda value: is_number(value, 0, 1, but=(0,)),
    "decay": lambda value: is_number(value, 0, 1, but=(1,)),
    "temperature": lambda value: value is None or is_number(value, 0, but=(0,)),
    "dropout": lambda value: value is None or is_number(value, 0, 1, but=(1,)),
    "validation_fraction": lambda value: is_number(value, 0, 1, but=(0, 1)),
    "pretraining": lambda value: is_number(value, 0, 1),
    "swap_rate": lambda value: is_number(value, 0, 1),
    "hint_rate": lambda value: is_number(value, 0, 1),
    "hide_rate": lambda value: is_number(value, 0, 1, but=(1,)),
    "add_indicator": lambda value: isinstance(value, bool),
    "match_numbers": lambda value: isinstance(value, bool),
    "select_columns": lambda value: isinstance(value, bool),
    "linear_start": lambda value: isinstance(value, bool),
    "condition_rejection": lambda value: isinstance(value, bool),
    "strength": lambda value: value is None or is_number(value, 0, 1),
    "seen_penalty": lambda value: value is None or is_number(value, -math.inf),
    "acceptance_rounds": lambda value: is_integer(value, 0),
    "n_init": lambda value: is_integer(value, 0),
    "n_twins": lambda value: is_integer(value, 1, 100),
    "epsilon": lambda value: is_number(value, 1e-6),
    "delta": lambda value: is_number(value, 0, 1, but=(0, 1)),
    "schema_share": lambda value: is_number(value, 0, 1, but=(0, 1)),
    "n_bins": lambda value: is_integer(value, 2),
    **dict.fromkeys(
        ("bounds", "categories", "steps"), lambda value: value is None or isinstance(value, dict)
    ),
    "max_categories": lambda value: is_integer(value, 2),
    "categorical_features": lambda value: value is None or is_list(value, is_label),
    "condition_columns": lambda value: value is None or is_list(value, is_label),
    "static_columns": lambda value: value is None or is_list(value, is_label),
    "changes": lambda value: value is None or is_list(value, is_label),
    "window": lambda value: value is None or is_integer(value, 2),
    "techniques": lambda value: is_list(value, lambda each: isinstance(each, Technique)),
    "constraints": lambda value: (
        value is None or is_list(value, lambda each: isinstance(each, Constraint))
    ),
    "callbacks": lambda value: value is None or is_list(value, callable),
    "codes": lambda value: is_list(value, lambda each: is_integer(each, 2), least=1),
    "checkpoint": lambda value: value is None or (isinstance(value, str) and value != ""),
    "checkpoint_every": lambda value: is_number(value, 0),
    "device": lambda value: isinstance(value, str),
    "random_state": is_seed,
    "warm_start": lambda value: isinstance(value, bool),
    "early_stopping": lambda value: isinstance(value, bool),
    "distributed": lambda value: isinstance(value, bool),
    "cuda_graph": lambda value: isinstance(value, bool),
    "verbose": lambda value: isinstance(value, bool) or is_integer(value, 0),
    **dict.fromkeys(
        (
            "loss",
            "lipschitz",
            "prior",
            "handle_unknown",
            "on_violation",
            "missing",
            "generator",
            "decoder",
            "privacy",
        ),
        lambda value: False,
    ),
    **dict.fromkeys(("entity", "time", "target"), lambda value: value is None or is_label(value)),
}
OWN_WORDS = {"loss": "gan minimax non-saturating wgan-gp", "lipschitz": "gp clip"}
CASES = [(cls, name) for cls in EVERYONE for name in inspect.signature(cls).parameters]


@pytest.mark.parametrize(
    ("cls", "name"), CASES, ids=lambda part: getattr(part, "__name__", str(part))
)
def test_wrong_values_are_refused_by_name_before_any_work(cls, name, monkeypatch):
    monkeypatch.setattr(cls, "_read", lambda *args, **about: pytest.fail("work was begun"))
    takes, default = TAKES[name], inspect.signature(cls).parameters[name].default
    wrong = {
        told: value
        for told, value in VALUES.items()
        if not takes(value) and not (value is None and default is None)
    }
    assert len(wrong) >= 6
    for told, value in wrong.items():
        estimator = small(cls).set_params(**{name: value})
        with pytest.raises(ParameterError, match=f"^{name} must be ") as caught:
            estimator.fit(narrow_table(), narrow_table() if "Cycle" in cls.__name__ else None)
        assert len(str(caught.value)) < 300, told
        assert not hasattr(estimator, "n_features_in_")


@pytest.mark.parametrize("cls", TECHNIQUES.values(), ids=lambda cls: cls.__name__)
def test_wrong_values_of_techniques_are_refused_by_name(cls):
    for name in inspect.signature(cls).parameters:
        for value in VALUES.values():
            if not TAKES[name](value):
                with pytest.raises(ParameterError, match=f"^{name} must be "):
                    cls(**{name: value})


@every_estimator
def test_right_values_are_taken(cls):
    """What is refused above is refused for its value, and not always."""
    assert fit_small(cls, narrow_table(), categorical_features=["kind"]).n_steps_ == 2
    told = "categorical_features names 'kin', which is not a column; columns: ..."
    with pytest.raises(ValueError, match=says(told)):
        fit_small(cls, narrow_table(), categorical_features=["kin"])


# ---------------------------------------------------------------------- parameters there are


@pytest.mark.parametrize(
    ("cls", "without"),
    [
        (tabgan.AutoregressiveSynthesizer, ("latent_dim", "techniques")),
        (tabgan.TeachingSynthesizer, ("techniques",)),
        (tabgan.SeqGANSynthesizer, ("latent_dim",)),
        (tabgan.CycleGANTranslator, ("latent_dim",)),
        (tabgan.DPSynthesizer, ("batch_size", "checkpoint", "acceptance_rounds", "privacy")),
    ],
)
def test_what_a_model_does_not_use_is_no_parameter_of_it(cls, without):
    for name in without:
        assert name not in cls().get_params()
        with pytest.raises(TypeError, match=f"^{cls.__name__} has no parameter '{name}'; "):
            cls(**{name: 3})


def test_a_misspelt_parameter_is_told_with_the_nearest():
    told = "WGANSynthesizer has no parameter 'n_step'; did you mean 'n_steps'?"
    with pytest.raises(TypeError, match=says(told)):
        tabgan.WGANSynthesizer(n_step=30)
    with pytest.raises(TypeError, match="^WGANSynthesizer takes parameters by name alone, got "):
        tabgan.WGANSynthesizer(300)


def test_parameters_of_a_class_of_ones_own():
    """Inherited parameters stand in the signature of a subclass, with rules and descriptions."""

    class Own(tabgan.GANSynthesizer):
        """One of my own.

        Parameters
        ----------
        depth : int, default=2
            How deep.
        **shared
            See `GANSynthesizer`.
        """

        def __init__(self, *, depth=2, **shared):
            super().__init__(**shared)
            self.depth = depth

    own = Own(depth=3, n_steps=1, hidden_dim=4)
    assert clone(own).get_params() == own.get_params()
    assert {"depth", "loss", "n_steps", "techniques"} <= set(own.get_params())
    assert "How deep." in Own.__doc__ and "batch_size : int" in Own.__doc__
    with pytest.raises(ValueError, match="^batch_size must be a positive integer, got 0"):
        own.set_params(batch_size=0).fit(narrow_table())


# ---------------------------------------------------------------------- techniques that do nothing


class NoCritic(torch.nn.Module):
    def players(self):
        return ()


@pytest.mark.parametrize("technique", [R1(), SpectralNormalization()], ids=str)
def test_a_technique_that_finds_nothing_to_change_is_refused(technique):
    rule = TrainingRule(lambda parameters: None)
    told = f"techniques holds {technique!r}, which finds nothing to change in Solo; leave it out."
    with pytest.raises(ValueError, match=says(told)):
        apply_techniques([technique], NoCritic(), rule, "Solo")
    apply_techniques([WeightAveraging(0.5)], NoCritic(), rule, "Solo")
    assert rule.averaging == 0.5


def test_a_technique_of_ones_own_that_changes_nothing_is_refused():
    class Idle(Technique):
        pass

    told = "techniques holds .*Idle.*, which finds nothing to change in GANSynthesizer; leave it"
    with pytest.raises(ValueError, match=told):
        fit_small(tabgan.GANSynthesizer, narrow_table(), techniques=[Idle()])


def test_all_techniques_are_public():
    assert set(TECHNIQUES) == set(adversarial.__all__) - {"Technique"}


# ---------------------------------------------------------------------- between calls


@every_estimator
def test_parameters_that_shape_networks_may_not_change_between_calls(cls):
    fitted = fit_small(cls, narrow_table())
    fixed = {"hidden_dim": 16, "max_categories": 100, "random_state": 5, "penalty_weight": 3.0}
    for name, value in fixed.items():
        if name not in fitted.get_params():
            continue
        changed = clone(fitted).set_params(n_steps=1)
        changed.fit(*_examples(changed))
        before = changed.get_params()[name]
        changed.set_params(**{name: value})
        told = (
            f"{name} was {before!r} when {cls.__name__} was fitted and is {value!r} now, but it "
            "shapes what was built; set it back, or fit anew."
        )
        with pytest.raises(ValueError, match=says(told)):
            changed.partial_fit(*_examples(changed))
        changed.set_params(**{name: before}).partial_fit(*_examples(changed))
        assert changed.n_steps_ == 2


@every_estimator
def test_the_learning_rate_of_a_call_is_the_one_set_before_it(cls, tmp_path):
    """In memory as after a file: the rate, like the rest of a run, holds from the next call on."""
    fitted = fit_small(cls, narrow_table(), learning_rate=1e-3)
    fitted.save(tmp_path / "model")
    loaded = tabgan.load(tmp_path / "model", device=fitted.device)
    for each in (fitted, loaded):
        each.set_params(learning_rate=1e-2).partial_fit(*_examples(each))
    rates, others = (
        [o.param_groups[0]["lr"] for o in each._core.training.update.optimizers.values()]
        for each in (fitted, loaded)
    )
    assert rates == others and min(rates) == pytest.approx(1e-2, rel=0.99)
    weights = [list(each._core.game.parameters()) for each in (fitted, loaded)]
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


def test_the_state_of_the_optimiser_is_kept_in_files(tmp_path):
    fitted = fit_small(tabgan.WGANSynthesizer, narrow_table(), n_steps=4)
    fitted.save(tmp_path / "model")
    loaded = tabgan.load(tmp_path / "model")
    optimizers = [each._core.training.update.optimizers for each in (fitted, loaded)]
    for player in optimizers[0]:
        one, other = (each[player].state_dict() for each in optimizers)
        assert one["param_groups"] == other["param_groups"]
        for place, entries in one["state"].items():
            for name, value in entries.items():
                assert torch.equal(value, other["state"][place][name])


def test_plans_are_read_and_printed():
    plan = tabgan.AutoregressiveSynthesizer.plan
    assert plan.n_steps == 4000 and plan.betas == (0.9, 0.99) and plan.numbers == "bins"
    assert "weight_decay=0.1" in repr(plan)
    with pytest.raises(AttributeError):
        plan.n_steps = 3


def test_no_own_class_is_more_than_three_deep():
    """Classes of ours above one another, on the longest path from a model to the top."""

    def depth(cls):
        if not cls.__module__.startswith("tabgan"):
            return 0
        return 1 + max(map(depth, cls.__bases__))

    found = {cls.__name__: depth(cls) for cls in EVERYONE}
    games = {type(fit_small(cls, narrow_table(), n_steps=0)._core.game) for cls in TABLES}
    found |= {game.__name__: depth(game) for game in games}
    assert max(found.values()) <= 3, found


TABLES = [cls for cls in EVERYONE if not cls.__name__.startswith(("RC", "Seq"))]


def _examples(estimator):
    from contract import examples

    return examples(estimator, narrow_table())


assert issubclass(tabgan.WGANSynthesizer, Estimator)
