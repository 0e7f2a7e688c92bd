"""Synthetic rows inside scikit-learn, imbalanced-learn and pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tabgan.pipeline.augmentation import augment
from tabgan.pipeline.augmented import AugmentedClassifier, AugmentedRegressor
from tabgan.pipeline.synthesis import default_synthesizer

if TYPE_CHECKING:
    from tabgan.pipeline.sampler import GANSampler

__all__ = [
    "AugmentedClassifier",
    "AugmentedRegressor",
    "GANSampler",
    "augment",
    "default_synthesizer",
]


def __getattr__(name: str) -> Any:
    """Import `GANSampler` when it is asked for, as imbalanced-learn is optional."""
    if name != "GANSampler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import imblearn  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "GANSampler needs imbalanced-learn; install it with: "
            "pip install 'sklearn-tabgan[imblearn]'."
        ) from error
    from tabgan.pipeline.sampler import GANSampler

    return GANSampler
