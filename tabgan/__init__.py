"""Adversarial generators for tables, with a scikit-learn interface."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from tabgan.evaluation import evaluate
from tabgan.models import (
    AAESynthesizer,
    CGANSynthesizer,
    GANSynthesizer,
    InfoGANFeaturizer,
    WGANSynthesizer,
)
from tabgan.persistence import load
from tabgan.pipeline import AugmentedClassifier, AugmentedRegressor, augment

__version__ = version("sklearn-tabgan")

__all__ = [
    "AAESynthesizer",
    "AugmentedClassifier",
    "AugmentedRegressor",
    "CGANSynthesizer",
    "GANSampler",
    "GANSynthesizer",
    "InfoGANFeaturizer",
    "WGANSynthesizer",
    "augment",
    "evaluate",
    "load",
]


def __getattr__(name: str) -> Any:
    if name == "GANSampler":
        from tabgan.pipeline import GANSampler

        return GANSampler
    raise AttributeError(f"module 'tabgan' has no attribute {name!r}")
