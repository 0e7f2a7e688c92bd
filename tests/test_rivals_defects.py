"""Faults of other libraries, each as a test that would fail with it."""

from __future__ import annotations

import importlib.metadata
import pickle
import tempfile
import time

import contract
import numpy as np
import pandas as pd
import pytest
import torch
from contract import (
    FEATURIZERS,
    SYNTHESIZERS,
    every_likeness,
    every_seer,
    every_synthesizer,
    fit_small,
    narrow_table,
    small,
)
from seeds import seed
from sklearn.base import clone

import tabgan
from tabgan import CGANSynthesizer, WGANSynthesizer
from tabgan.adversarial.training import TrainingSet
from tabgan.pipeline import GANSampler


@pytest.fixture(scope="module")
def discrete_table():
    """Three discrete columns of different widths, the levels of each of different rates."""
    rng = np.random.default_rng(0)
    columns = {
        name: rng.choice(
            [f"{name}{i}" for i in range(k)], 600, p=np.arange(1, k + 1) / (k * (k + 1) / 2)
        )
        for name, k in (("a", 3), ("b", 5), ("c", 2))
    }
    return pd.DataFrame({**columns, "x": rng.normal(size=600)})


@pytest.mark.parametrize("cls", [CGANSynthesizer, WGANSynthesizer])
def test_condition_on_each_discrete_column_sets_the_right_bit(cls, discrete_table):
    """CTGAN: a condition on any discrete column but the first sets the wrong bit."""
    given = {"condition_columns": ["a", "b", "c"]} if cls is CGANSynthesizer else {}
    synthesizer = small(cls, **given).fit(discrete_table)
    for name in ("a", "b", "c"):
        for level in discrete_table[name].unique():
            made = synthesizer.sample(4, random_state=0, conditions={name: level})
            assert made[name].tolist() == [level] * 4
    if cls is CGANSynthesizer:
        seen, maker = [], synthesizer._core.game.generator
        draw = maker.draw
        maker.draw = lambda condition, rng: seen.append(condition) or draw(condition, rng)
        wanted = discrete_table[["c", "a", "b"]].head(20)
        synthesizer.sample(conditions=wanted)
        rows = synthesizer._core.encoding.conditions.encode(
            discrete_table.head(20), np.random.default_rng(0)
        )
        bits = synthesizer._core.encoding.conditions.encoder.layout.expand(*rows)
        assert torch.equal(seen[0], bits)


@every_synthesizer
def test_rare_category_of_a_condition_comes_out_at_its_rate(cls):
    """CTGAN: sampling by log-frequency makes 27 % of a category that 0.3 % of the rows have."""
    rng = np.random.default_rng(seed(0))
    table = pd.DataFrame(
        {
            "level": rng.permutation(np.repeat(["most", "some", "rare"], [1600, 394, 6])),
            "other": rng.random(2000) < 0.5,
        }
    )
    synthesizer = fit_small(cls, table, random_state=seed(0))
    made = synthesizer.sample(20_000, random_state=seed(0))
    # Eight standard errors of 20,000 draws: as many rows were calibrated on.
    assert (made["level"] == "rare").mean() == pytest.approx(0.003, abs=0.0031)
    assert (made["level"] == "rare").any()


@every_synthesizer
def test_rows_are_made_independently_of_each_other(cls):
    """CTGAN: batch norm is left in training mode, so that a row depends on those made with it."""
    game = contract.fitted(cls)._core.game
    assert not any(module.training for module in game.modules())
    assert not any("BatchNorm" in type(module).__name__ for module in game.modules())
    if cls is tabgan.AutoregressiveSynthesizer or getattr(game, "is_causal", False):
        # Each row is drawn from this.
        networks = getattr(game, "networks", None) or game.generator.networks
        codes = torch.zeros(50, networks.layout.n_blocks, dtype=torch.long)
        nothing = torch.zeros(50, networks.inward.n_seen[0])
        with torch.no_grad():
            together = networks(codes, nothing)
            alone = [networks(codes[i : i + 1], nothing[:1]) for i in range(50)]
        torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)
        return
    if cls is tabgan.DPSynthesizer:
        # Its networks read nothing: levels are drawn from the components of a mixture.
        return
    maker = game.decoder if hasattr(game, "decoder") else game.generator
    noise = torch.randn(50, maker.inward.in_features, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together, alone = maker(noise), torch.cat([maker(row) for row in noise.split(1)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@every_synthesizer
def test_noise_comes_from_a_generator_on_the_models_device(cls):
    """CTGAN: only the CPU's generator is seeded, and rows made on a GPU differ from run to run."""
    synthesizer = contract.fitted(cls)
    _, noise = synthesizer._streams(random_state=0)
    assert noise.device == next(synthesizer._core.game.parameters()).device
    before = torch.get_rng_state()
    synthesizer.sample(3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_synthesizer
def test_same_seed_same_rows_on_a_gpu(cls):
    """CTGAN: only the CPU's generator is seeded, and rows made on a GPU differ from run to run."""
    synthesizer = fit_small(cls, narrow_table(), device="cuda")
    one, other = (synthesizer.sample(50, random_state=0) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


@every_synthesizer
def test_operations_per_step_do_not_grow_with_the_columns(cls):
    """CTGAN: Python loops over columns in each step.

    A generator that draws one column after another has to: tests/test_causal.py counts.
    """
    rng, counts = np.random.default_rng(0), []
    for n_columns in (4, 40):
        table = pd.DataFrame(
            {
                "given": rng.choice(["p", "q"], 60),
                **{f"c{i}": rng.choice(list("uvw"), 60) for i in range(n_columns)},
                **{f"x{i}": rng.normal(size=60) for i in range(n_columns)},
            }
        )
        synthesizer = fit_small(
            cls, table, n_steps=0, **contract.those_of(cls, generator="joint", n_bins=2)
        )
        table, _ = synthesizer._training_table(table, None, False)
        encoding = synthesizer._core.encoding
        rows = encoding.encode(table, rng)
        data = TrainingSet(rows.made, encoding.layout, rows.given, encoding.condition_layout)
        batches = data.batches(60, torch.Generator().manual_seed(0))
        synthesizer._core.training.update.step(lambda batches=batches: next(batches))
        with contract.CountOperations() as counter:
            synthesizer._core.training.update.step(lambda batches=batches: next(batches))
        counts.append(counter.n_calls)
    assert counts[0] == counts[1] > 20


def test_one_hot_table_is_never_whole():
    """CTGAN: the one-hot table is held whole, 20 TB for one user's."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"c{i}": rng.integers(0, 5000, 20_000).astype(str) for i in range(2)})
    synthesizer = small(WGANSynthesizer, n_steps=1, max_categories=64).fit(table)
    encoded = synthesizer._core.encoding.encoder.encode(table, rng)
    assert encoded.codes.nbytes + encoded.scalars.nbytes == 20_000 * 2 * 8
    assert (
        synthesizer._core.encoding.layout.width <= 2 * 64
    )  # max_categories bounds the networks too
    assert synthesizer.sample(2000, random_state=0)["c0"].nunique() > 1000


def test_training_begins_at_once():
    """CTGAN: a Gaussian mixture per column takes minutes to hours before the first step."""
    table = pd.DataFrame(np.random.default_rng(0).standard_cauchy((20_000, 10)))
    started = time.perf_counter()
    small(WGANSynthesizer, n_steps=1, acceptance_rounds=0).fit(table)
    assert time.perf_counter() - started < 30  # about one second on an idle core


@every_likeness
def test_missing_values_go_in_and_come_out(cls):
    """CTGAN, synthcity and the tabgan of PyPI refuse NaN."""
    table = pd.DataFrame(
        {"x": [1.0, np.nan, 3.0] * 20, "c": ["a", "b", None] * 20, "d": ["u", "v"] * 30}
    )
    made = fit_small(cls, table).sample(300, random_state=0)
    # A third of 300 rows; five standard errors are 14 points.
    assert made[["x", "c"]].isna().mean().sub(1 / 3).abs().max() < 0.14


def test_trained_conditions_are_not_met_by_rejection(discrete_table):
    """SDV: conditional sampling by rejection is slow, or fails, where a condition is rare."""
    table = discrete_table.assign(rare=np.where(np.arange(600) < 2, "yes", "no"))
    synthesizer = small(CGANSynthesizer, condition_columns=["rare"]).fit(table)
    passed, maker = [], synthesizer._core.game.generator
    draw = maker.draw
    maker.draw = lambda condition, rng: passed.append(len(condition)) or draw(condition, rng)
    made = synthesizer.sample(500, conditions={"rare": "yes"})
    assert (made["rare"] == "yes").all() and sum(passed) == 500


@every_synthesizer
def test_conditions_give_exactly_so_many_rows_or_an_error(cls, discrete_table):
    """SDV: fewer rows than asked for come back."""
    synthesizer = fit_small(cls, discrete_table)
    assert len(synthesizer.sample(321, conditions={"b": "b0"})) == 321
    never = pd.DataFrame({"x": [discrete_table["x"].max() + 1]})
    with pytest.raises(ValueError, match="^conditions: 'x' must lie in "):
        synthesizer.sample(conditions=never)


@every_synthesizer
def test_fit_is_reproducible(cls):
    """SDV: two fits of one seed differ."""
    one, other = (fit_small(cls, narrow_table(), random_state=3) for _ in range(2))
    pd.testing.assert_frame_equal(one.sample(30), other.sample(30), check_exact=True)
    losses = [each.history_.drop(columns="seconds") for each in (one, other)]
    pd.testing.assert_frame_equal(*losses, check_exact=True)


@every_synthesizer
def test_categories_are_taken_and_given_back(cls):
    """SDV: the category dtype is refused."""
    dtype = pd.CategoricalDtype(["low", "mid", "high", "never"], ordered=True)
    table = pd.DataFrame(
        {"grade": pd.Series(["low", "mid", "high"] * 20, dtype=dtype), "d": ["u", "v"] * 30}
    )
    made = fit_small(cls, table).sample(50)
    assert made["grade"].dtype == dtype
    assert set(made["grade"]) <= {"low", "mid", "high"}


@every_synthesizer
def test_averaged_weights_are_their_own(cls):
    """Synthcity: the best weights are the live ones under another name."""
    training = fit_small(cls, narrow_table())._core.training
    live, averaged = (
        {parameter.data_ptr() for parameter in game.parameters()}
        for game in (training.game, training.averaged)
    )
    assert not live & averaged
    pairs = zip(training.game.parameters(), training.averaged.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)


def test_dependencies_have_no_upper_bound():
    """Synthcity needs torch < 2.3 and NumPy < 2."""
    required = importlib.metadata.requires("sklearn-tabgan")
    assert required
    assert not any("<" in each.partition(";")[0] for each in required)


@every_seer
def test_training_rows_are_not_in_the_model(cls):
    """ForestDiffusion and arfpy store the training rows."""
    rng = np.random.default_rng(0)
    secrets = [f"secret-{i}-{rng.integers(10**9)}" for i in range(80)]
    table = pd.DataFrame(
        {"d": rng.choice(["u", "v"], 80), "name": secrets, "x": rng.normal(size=80)}
    )
    with pytest.warns(UserWarning, match="looks like an identifier"):
        synthesizer = fit_small(cls, table)
    content = pickle.dumps(synthesizer)
    assert b"name" in content
    assert not any(secret.encode() in content for secret in secrets)
    assert not set(synthesizer.sample(80)["name"]) & set(secrets)


@every_synthesizer
def test_fit_writes_neither_parameters_nor_files(cls, tmp_path, monkeypatch):
    """mostlyai-engine: fit overwrites a constructor parameter and fills a folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    synthesizer = small(cls, narrow_table())
    before = synthesizer.get_params()
    synthesizer.fit(narrow_table(), narrow_table()["flag"]).sample(3)
    assert all(value is before[name] for name, value in synthesizer.get_params().items())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cls", FEATURIZERS, ids=lambda cls: cls.__name__)
def test_transform_gives_a_row_for_each_row(cls):
    """The tabgan of PyPI: fit_transform returns more rows than it got, the labels no more."""
    assert len(small(cls).fit_transform(narrow_table())) == len(narrow_table())


@every_synthesizer
def test_clone_loses_no_parameter(cls):
    """The tabgan of PyPI: clone loses what came in as keyword arguments."""
    synthesizer = small(cls, narrow_table(), n_steps=17, learning_rate=0.5, max_categories=9)
    assert clone(synthesizer).get_params() == synthesizer.get_params()
    assert clone(synthesizer).max_categories == 9


def test_no_step_both_transforms_and_resamples():
    """Imbalanced-learn's Pipeline refuses steps with both, so that the sampler is its own class."""
    assert not any(hasattr(cls, "fit_resample") for cls in SYNTHESIZERS)
    assert hasattr(GANSampler, "fit_resample") and not hasattr(GANSampler, "transform")


def test_what_others_do_not_offer():
    """All: no stopping rule, losses that mean nothing, no features of encoder or critic."""
    stopped = fit_small(WGANSynthesizer, narrow_table(), callbacks=[lambda training: True])
    assert stopped.n_steps_ == 1
    assert "wasserstein" in stopped.history_
    assert stopped.transform(narrow_table()).shape == (60, 4)
    assert stopped.score_samples(narrow_table()).shape == (60,)
    assert tabgan.AAESynthesizer in FEATURIZERS
