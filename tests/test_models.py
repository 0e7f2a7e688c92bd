"""What is particular to each system."""

from __future__ import annotations

import contract
import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, narrow_table, says, small, whole_batch
from seeds import seed

from tabgan import (
    AAESynthesizer,
    CGANSynthesizer,
    GANSynthesizer,
    InfoGANFeaturizer,
    WGANSynthesizer,
)

# ---------------------------------------------------------------------- GAN
from tabgan.datasets import make_mixed_table
from tabgan.generation.encoding import Rows
from tabgan.models import infogan as infogan_module
from tabgan.table.encoder import EncodedTable


def test_what_the_gan_generator_minimises():
    """-E log D(G(z)) is positive, E log(1 - D(G(z))) negative: near log 2 of either sign here."""
    for loss, sign in (("non-saturating", 1), ("minimax", -1)):
        history = fit_small(
            GANSynthesizer, narrow_table(), loss=loss, random_state=seed(0)
        ).history_
        # A fresh discriminator scores rows near zero: over 8 seeds losses were off by 30 % at most.
        np.testing.assert_allclose(history["generator"], sign * np.log(2), rtol=0.6)
        np.testing.assert_allclose(history["discriminator"], np.log(4), rtol=0.3)
    told = 'loss must be "non-saturating" or "minimax", got \'wgan\'.'
    with pytest.raises(ValueError, match=says(told)):
        fit_small(GANSynthesizer, narrow_table(), loss="wgan")


@pytest.mark.parametrize("cls", [GANSynthesizer, WGANSynthesizer, InfoGANFeaturizer])
def test_scores_are_the_critics(cls):
    synthesizer, table = contract.fitted(cls), narrow_table()
    scores = synthesizer.score_samples(table)
    assert scores.shape == (60,) and scores.dtype == np.float64
    out = synthesizer._core.game.adversary.critic.out
    if cls is not InfoGANFeaturizer:  # whose features are Q's
        layer = torch.from_numpy(synthesizer._over_rows(table, synthesizer._unscaled))
        np.testing.assert_allclose(scores, out(layer).detach()[:, 0], rtol=1e-3, atol=1e-5)
        components = synthesizer._core.scaling(layer)
        np.testing.assert_allclose(synthesizer.transform(table), components, atol=1e-5)
    np.testing.assert_array_equal(synthesizer.score_samples(table[5:6]), scores[5:6])


# ---------------------------------------------------------------------- WGAN


def test_clipped_weights_stay_within_their_bound():
    clipped = fit_small(WGANSynthesizer, narrow_table(), lipschitz="clip", clip=0.003)
    critic = torch.cat([p.flatten() for p in clipped._core.training.game.adversary.parameters()])
    assert critic.abs().max().item() == pytest.approx(0.003)
    generator = torch.cat([p.flatten() for p in clipped._core.training.game.generator.parameters()])
    assert generator.abs().max() > 0.1
    penalised = fit_small(WGANSynthesizer, narrow_table())
    critic = torch.cat([p.flatten() for p in penalised._core.training.game.adversary.parameters()])
    assert critic.abs().max() > 0.1


def test_penalty_is_part_of_the_critics_loss():
    """The critic of a fresh network is nearly flat, so that the penalty is nearly its weight."""
    losses = {}
    for settings in ({"penalty_weight": 50.0}, {"penalty_weight": 0.0}, {"lipschitz": "clip"}):
        synthesizer = fit_small(
            WGANSynthesizer, narrow_table(), n_steps=0, random_state=seed(0), **settings
        )
        game, batch = synthesizer._core.training.game, whole_batch(synthesizer, narrow_table())
        losses[str(settings)] = game.critic_loss(batch).item()
    penalised, *others = losses.values()
    assert penalised > 20
    assert all(abs(loss) < 1 for loss in others)


def test_wasserstein_estimate_is_real_minus_made():
    synthesizer = contract.fitted(WGANSynthesizer)
    assert list(synthesizer.history_) == [
        *("step", "seconds", "critic", "generator", "wasserstein", "log_likelihood")
    ]
    game, batch = synthesizer._core.game, whole_batch(synthesizer, narrow_table())
    made = synthesizer._core.encoding.layout.expand(
        *synthesizer._core.encoding.encoder.encode(synthesizer.sample(60))
    )
    estimate = game.score_gap(batch, made).item()
    real, fake = (game.score(rows, batch.condition).mean() for rows in (batch.row, made))
    assert estimate == pytest.approx((real - fake).item(), abs=1e-6)


def test_lipschitz_must_be_known():
    told = 'lipschitz must be "gp" or "clip", got \'spectral\'.'
    with pytest.raises(ValueError, match=says(told)):
        fit_small(WGANSynthesizer, narrow_table(), lipschitz="spectral")


# ---------------------------------------------------------------------- CGAN


@pytest.fixture(scope="module")
def classes():
    """Two far classes: a number of mean 3 or -3, and a category that is right in 9 of 10 rows."""
    rng = np.random.default_rng(seed(0))
    y = rng.choice(["p", "q"], 400)
    X = pd.DataFrame(
        {
            "x": rng.normal(size=400) + np.where(y == "p", 3.0, -3.0),
            "c": np.where(rng.random(400) < 0.9, y, "r"),
        }
    )
    return X, y


@pytest.fixture(scope="module")
def cgan_of_labels(classes):
    return small(
        CGANSynthesizer,
        n_steps=150,
        hidden_dim=32,
        batch_size=100,
        learning_rate=1e-3,
        random_state=seed(0),
    ).fit(*classes)


def test_rows_are_made_for_labels_in_their_order(cgan_of_labels, classes):
    """Over 6 seeds 183 or more of 200 were right; without labels 160 would have chance e-17."""
    made = cgan_of_labels.sample(random_state=seed(1), conditions=["p", "q"] * 100)
    assert list(made) == ["x", "c"] and len(made) == 200
    right = np.where(np.arange(200) % 2 == 0, made["x"] > 0, made["x"] < 0)
    assert right.sum() > 160
    for asked in (
        {"target": "q"},
        pd.DataFrame({"target": ["q"] * 9}),
        pd.Series(["q"] * 9, name="target"),
        pd.Series(["q"] * 9),
        np.array(["q"] * 9),
    ):
        made = cgan_of_labels.sample(9 if isinstance(asked, dict) else 1, 1, conditions=asked)
        assert len(made) == 9 and (made["x"] < 0).sum() > 6


def test_labels_and_columns_can_be_asked_for_together(cgan_of_labels):
    made = cgan_of_labels.sample(20, 1, conditions={"target": "q", "c": "r"})
    assert (made["c"] == "r").all() and (made["x"] < 0).sum() > 13


def test_labels_of_a_name_that_is_taken(classes):
    X, y = classes
    labels = pd.Series(y, name="x", index=range(400, 0, -1))
    made = fit_small_with_y(CGANSynthesizer, X, labels).sample(5, conditions={"x_": "p"})
    assert list(made) == ["x", "c"]


def fit_small_with_y(cls, X, y, **parameters):
    return small(cls, **parameters).fit(X, y)


@pytest.mark.parametrize("kind", ["float", "missing", "category", "bool", "list"])
def test_labels_of_any_kind(classes, kind):
    X, y = classes
    labels = {
        "float": np.linspace(-1, 1, 400),
        "missing": np.where(np.arange(400) % 3 == 0, None, y),
        "category": pd.Series(y, dtype="category"),
        "bool": y == "p",
        "list": list(y),
    }[kind]
    wanted = {"float": 0.25, "missing": None, "bool": True}.get(kind, "p")
    made = fit_small_with_y(CGANSynthesizer, X, labels).sample(4, conditions={"target": wanted})
    assert list(made) == ["x", "c"] and len(made) == 4


@pytest.fixture(scope="module")
def cgan_of_columns():
    table = contract.TABLES["mixed"]()
    columns = ["length", "channel", "size", "visits"]
    return small(CGANSynthesizer, condition_columns=columns, random_state=seed(0)).fit(
        table, ["ignored"] * len(table)
    )


def test_continuous_and_categorical_condition_columns(cgan_of_columns):
    table = contract.TABLES["mixed"]()
    wanted = table[["size", "length", "channel", "visits"]].tail(50).reset_index(drop=True)
    made = cgan_of_columns.sample(random_state=0, conditions=wanted)
    pd.testing.assert_frame_equal(made[list(wanted)], wanted)
    assert list(made) == list(table)
    also = cgan_of_columns.sample(9, 0, conditions={"channel": "web", "colour": "blue"})
    assert (also["channel"] == "web").all() and (also["colour"] == "blue").all()


def test_conditions_are_drawn_at_the_rates_of_training_and_jointly(cgan_of_columns):
    table = contract.TABLES["mixed"]()
    made = cgan_of_columns.sample(4000, random_state=seed(0))
    for name in ("channel", "size"):
        expected = table[name].value_counts(normalize=True, dropna=False)
        shares = made[name].value_counts(normalize=True, dropna=False)
        # Five standard errors of 4000 draws at most.
        assert (shares - expected).abs().max() < 5 * np.sqrt(0.25 / 4000)
    pairs = [set(zip(f["channel"].isna(), f["visits"].isna(), strict=True)) for f in (table, made)]
    assert pairs[1] <= pairs[0]


def test_combinations_that_never_occurred():
    table = pd.DataFrame({"a": ["x", "y"] * 9, "b": ["u", "v"] * 9, "c": [1.0, 2.0] * 9})
    synthesizer = small(CGANSynthesizer, condition_columns=["a", "b"]).fit(table)
    told = (
        "conditions: {'a': 'x', 'b': 'v'} never occurred together in training, so there is "
        "nothing to learn such rows from; ask for fewer columns at once."
    )
    with pytest.raises(ValueError, match=says(told)):
        synthesizer.sample(3, conditions={"a": "x", "b": "v"})


def test_cgan_with_a_discriminator():
    synthesizer = fit_small(CGANSynthesizer, narrow_table(), loss="gan")
    assert list(synthesizer.history_) == [
        *("step", "seconds", "discriminator", "generator", "log_likelihood")
    ]
    assert (synthesizer.sample(5, conditions={"kind": "b"})["kind"] == "b").all()


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (
            {"condition_columns": ["kin"]},
            "condition_columns names 'kin', which is not a column; "
            "columns: ['length', 'kind', 'flag'].",
        ),
        (
            {"condition_columns": ["length", "kind", "flag"]},
            "condition_columns names all 3 columns, which leaves none to make.",
        ),
        (
            {"condition_columns": None},
            "CGANSynthesizer requires y to be passed, but the target y is None; pass y to fit, or "
            "name columns in condition_columns.",
        ),
        ({"loss": "hinge"}, 'loss must be "wgan-gp" or "gan", got \'hinge\'.'),
    ],
)
def test_what_cgan_refuses(parameters, told):
    with pytest.raises(ValueError, match=says(told)):
        fit = small(CGANSynthesizer, narrow_table()).set_params(**parameters).fit
        fit(narrow_table())


@pytest.mark.parametrize("cls", [CGANSynthesizer, AAESynthesizer])
def test_labels_in_one_fit_and_not_the_next(cls, classes):
    X, y = classes
    synthesizer = fit_small_with_y(cls, X, y)
    with pytest.raises(ValueError, match="y must be passed, as in the first fit|requires y"):
        synthesizer.partial_fit(X)
    assert synthesizer.partial_fit(X, y).n_steps_ == 4
    with pytest.raises(
        ValueError, match="^y must have one label for each of the 400 rows of X, got 399"
    ):
        synthesizer.partial_fit(X, y[1:])


# ---------------------------------------------------------------------- InfoGAN


CODES = (10, "continuous", 3, "continuous", 2)


@pytest.fixture(scope="module")
def infogan():
    return fit_small(InfoGANFeaturizer, narrow_table(), codes=CODES)


@pytest.fixture
def used(infogan, monkeypatch):
    """Codes that rows were first made from: classes (n, 3) and numbers (n, 2)."""
    monkeypatch.setattr(infogan_module, "MAX_DRAWS", 0)
    seen, game = [], infogan._core.game
    generate = type(game).generate

    def watch(self, condition, rng):
        blocks = zip(game.code_layout.offsets.tolist(), game.code_layout.n_levels, strict=True)
        classes = [condition[:, start : start + k].argmax(dim=1) for start, k in blocks]
        seen.append((torch.stack(classes, dim=1).numpy(), condition[:, :2].numpy()))
        return generate(self, condition, rng)

    monkeypatch.setattr(type(game), "generate", watch)
    return seen


def test_some_codes_by_position(infogan, used):
    made = infogan.sample(40, random_state=0, codes={0: 7, 3: -0.25})
    ((classes, numbers),) = used
    assert len(made) == 40 and list(made) == list(narrow_table())
    assert (classes[:, 0] == 7).all() and (numbers[:, 1] == -0.25).all()
    assert set(classes[:, 1]) <= set(infogan.predict(narrow_table())[:, 1])
    assert len(np.unique(numbers[:, 0])) == 40
    again = infogan.sample(40, random_state=0, codes={0: 7, 3: -0.25})
    pd.testing.assert_frame_equal(made, again, check_exact=True)


def test_a_sweep_along_one_code(infogan, used):
    infogan.sample(codes={1: np.linspace(-1, 1, 9), 2: 2})
    ((classes, numbers),) = used
    np.testing.assert_allclose(numbers[:, 0], np.linspace(-1, 1, 9), atol=1e-7)
    assert (classes[:, 1] == 2).all()


def test_all_codes_in_an_array(infogan, used):
    infogan.sample(codes=[[9, 0.5, np.nan, np.nan, 1], [0, -0.5, 2, 1.0, 0]])
    infogan.sample(6, codes=[9, 0.5, 2, -1, 1])
    (classes, numbers), (repeated, _) = used
    assert classes[:, 0].tolist() == [9, 0] and classes[:, 2].tolist() == [1, 0]
    assert numbers[:, 0].tolist() == [0.5, -0.5] and classes[1, 1] == 2 and numbers[1, 1] == 1
    assert repeated.tolist() == [[9, 2, 1]] * 6


def test_codes_are_drawn_evenly_without_conditions(infogan):
    drawn = infogan._core.game.draw_codes(30_000, torch.Generator().manual_seed(seed(0)))
    for block, n_classes in enumerate((10, 3, 2)):
        shares = drawn.codes[:, block].bincount(minlength=n_classes) / 30_000
        assert shares.sub(1 / n_classes).abs().max() < 5 * np.sqrt(0.25 / 30_000)
    assert drawn.scalars.min() >= -1 and drawn.scalars.max() <= 1
    assert drawn.scalars.mean().abs() < 5 * np.sqrt(1 / 3 / 60_000)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"codes": {5: 1}}, "codes names code 5; there are codes 0 to 4."),
        ({"codes": {0: 10}}, "codes: code 0 must be a class from 0 to 9, got 10.0."),
        ({"codes": {0: 0.5}}, "codes: code 0 must be a class from 0 to 9, got 0.5."),
        ({"codes": {1: 1.5}}, "codes: code 1 must be in [-1, 1], got 1.5."),
        ({"codes": [[1, 2]]}, "codes has shape (1, 2); give one column per code, 5."),
        (
            {"codes": {0: [1, 2], 2: [0, 1, 2]}},
            "codes holds lists of different lengths, [2, 3]; give every code one value, or lists "
            "of one length.",
        ),
        ({"codes": {0: []}}, "codes has 0 rows; give at least one."),
        ({"codes": {0: [1, 2]}, "n_samples": 3}, "n_samples is 3 but codes has 2 rows."),
        ({"codes": {0: 1}, "n_samples": 0}, "n_samples must be a positive integer, got 0."),
        ({"codes": {0: 1}, "n_samples": 1.5}, "n_samples must be a positive integer, got 1.5."),
        (
            {"codes": {0: 1}, "conditions": {"flag": True}},
            "conditions and codes are both given; pass one of them.",
        ),
    ],
)
def test_codes_that_cannot_be(infogan, asked, told):
    with pytest.raises(ValueError, match=says(told)):
        infogan.sample(**asked)


def test_posterior_and_hard_codes(infogan):
    """Means first, then class probabilities, both in the order of `codes`."""
    table = narrow_table()
    features, classes = infogan._over_rows(table, infogan._unscaled), infogan.predict(table)
    assert features.shape == (60, 2 + 10 + 3 + 2) and classes.shape == (60, 3)
    scaled = infogan._core.scaling(torch.from_numpy(features))
    np.testing.assert_allclose(infogan.transform(table), scaled, atol=1e-5)
    for block, span in enumerate((slice(2, 12), slice(12, 15), slice(15, 17))):
        np.testing.assert_allclose(features[:, span].sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(features[:, span].argmax(axis=1), classes[:, block])
    assert len(infogan.get_feature_names_out()) == 17
    one = fit_small(InfoGANFeaturizer, table, codes=(4,))
    assert one.predict(table).shape == (60,)
    none = fit_small(InfoGANFeaturizer, table, codes=("continuous",))
    assert none.transform(table).shape == (60, 1)
    told = "predict needs a categorical code, but codes is ('continuous',)."
    with pytest.raises(ValueError, match=says(told)):
        none.predict(table)


def test_two_columns_of_one_name_are_refused():
    table = pd.DataFrame([[1, 2]], columns=["a", "a"])
    message = "^X has more than one column named 'a'; column names must be unique\\.$"
    with pytest.raises(ValueError, match=message):
        AAESynthesizer(n_steps=1).fit(table)


def test_rows_have_the_classes_that_are_asked_for():
    """Three well-parted groups: Q infers of a row of an asked class that it is of that class."""
    rng = np.random.default_rng(seed(0))
    group = rng.integers(0, 3, 900)
    table = pd.DataFrame(
        {"letter": np.array(list("abc"))[group], "x": 4 * group + rng.normal(size=900)}
    )
    infogan = InfoGANFeaturizer(
        codes=(3,),
        n_steps=120,
        hidden_dim=32,
        latent_dim=4,
        acceptance_rounds=0,
        learning_rate=2e-3,
        random_state=seed(0),
    ).fit(table)
    occurring = np.unique(infogan.predict(table))
    asked = np.resize(occurring, 300)
    made = infogan.sample(codes={0: asked}, random_state=0)
    assert (infogan.predict(made) == asked).mean() > 0.95


def test_rows_of_codes_pass_rejection_too():
    """Rows of given codes are kept with the chances that all rows have."""
    table = make_mixed_table(1500, random_state=0)
    infogan = InfoGANFeaturizer(
        codes=(3, "continuous"),
        n_steps=5,
        hidden_dim=16,
        acceptance_rounds=2,
        random_state=0,
    ).fit(table)
    acceptance, judge = infogan._core.chain.acceptance, infogan._core.judge
    assert acceptance.is_active
    given = EncodedTable(torch.ones(2000, 1, dtype=torch.long), torch.full((2000, 1), torch.nan))
    noise = torch.Generator().manual_seed(0)
    drawn = infogan._core.source.draw(given, noise), infogan._core.chain.draw(given, noise)
    before, after = (acceptance.log_ratio(judge.features(Rows(each, given))) for each in drawn)
    assert after.mean() > before.mean() + 0.2
    assert len(infogan.sample(50, codes={0: 1}, random_state=0)) == 50
