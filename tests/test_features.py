"""The last step of latent features: codes scaled, and principal components of critics' layers."""

from __future__ import annotations

import contract
import numpy as np
import pytest
import torch
from contract import narrow_table, small
from seeds import seed
from sklearn.decomposition import PCA

from tabgan import AAESynthesizer, ARAESynthesizer, BiGANSynthesizer, WGANSynthesizer
from tabgan.estimators.features import N_COMPONENTS, VARIANCE, Principal, Scaled


def random_features(n_rows=200, width=12):
    rng = torch.Generator().manual_seed(seed(0))
    mixing = torch.randn(width, width, generator=rng)
    return 3.0 + torch.randn(n_rows, width, generator=rng) @ mixing


def test_codes_are_rounded_and_scaled_and_others_stay():
    features, scaled = random_features(), Scaled(8, 4)
    scaled.learn(features)
    result = scaled(features)
    assert scaled.n_features == 12
    assert result[:, :8].var(dim=0, correction=0).sum().item() == pytest.approx(VARIANCE, rel=1e-4)
    torch.testing.assert_close(result[:, 8:], features[:, 8:])
    # Codes of eight entries are rounded to a quarter of their standard deviation.
    step = features[:, :8].var(dim=0, correction=0).mean().sqrt().item() / 4
    back = scaled.inverse(result)
    torch.testing.assert_close(back[:, :8] / step, (features[:, :8] / step).round())
    assert (back - features).abs().max().item() <= step / 2 * 1.001


def test_narrow_codes_are_not_rounded():
    features, scaled = random_features(width=3), Scaled(3)
    scaled.learn(features)
    torch.testing.assert_close(scaled.inverse(scaled(features)), features)


@pytest.mark.parametrize("width", [0, 3])
def test_constant_features_stay(width):
    scaled, features = Scaled(width), torch.full((5, width), 2.0)
    scaled.learn(features)
    torch.testing.assert_close(scaled(features), features)


def test_components_are_those_of_a_reference():
    """The components are scikit-learn's, times a factor, rounded, and with signs of their own."""
    features, principal = random_features(), Principal(12, 4)
    principal.learn(features)
    result = principal(features)
    expected = PCA(4, svd_solver="full").fit_transform(features.double().numpy())
    expected *= np.sqrt(VARIANCE / expected.var(axis=0).sum())
    step = expected.std(axis=0)
    assert (np.abs(np.abs(result.numpy()) - np.abs(expected)) <= 0.501 * step).all()
    n_steps = result.numpy() / step
    np.testing.assert_allclose(n_steps, n_steps.round(), atol=1e-3)


def test_components_of_constant_features_are_zero():
    principal, features = Principal(3, 2), torch.full((5, 3), 2.0)
    principal.learn(features)
    torch.testing.assert_close(principal(features), torch.zeros(5, 2))


@pytest.mark.parametrize("cls", [AAESynthesizer, ARAESynthesizer, BiGANSynthesizer])
def test_codes_of_models_are_scaled(cls):
    codes = contract.fitted(cls).transform(narrow_table())
    assert codes.var(axis=0).sum() == pytest.approx(VARIANCE, rel=1e-3)


def test_probabilities_of_labels_are_not_scaled():
    y = np.arange(60) % 3
    features = small(AAESynthesizer).fit(narrow_table(), y).transform(narrow_table())
    assert features[:, :3].var(axis=0).sum() == pytest.approx(VARIANCE, rel=1e-3)
    np.testing.assert_allclose(features[:, 3:].sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("hidden_dim", [3, 32])
def test_features_of_a_critic_are_components_of_its_layer(hidden_dim):
    synthesizer = small(WGANSynthesizer, hidden_dim=hidden_dim).fit(narrow_table())
    features = synthesizer.transform(narrow_table())
    assert features.shape == (60, min(hidden_dim, N_COMPONENTS))
    assert len(synthesizer.get_feature_names_out()) == features.shape[1]
    scaling = synthesizer._core.scaling
    assert scaling.step.square().sum().item() == pytest.approx(VARIANCE, rel=1e-3)
    assert (scaling.step.diff() <= 0).all()
