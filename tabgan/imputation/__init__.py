"""Gaps of a table filled, and estimates of several completed or synthetic tables combined."""

from tabgan.imputation.imputer import SynthesizerImputer
from tabgan.imputation.pooling import Pooled, pool

__all__ = ["Pooled", "SynthesizerImputer", "pool"]
