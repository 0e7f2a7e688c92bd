"""Gaps of a table filled, and estimates of several completed tables combined."""

from tabgan.imputation.imputer import SynthesizerImputer

__all__ = ["SynthesizerImputer"]
