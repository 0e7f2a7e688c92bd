"""Data to try models on: one real table, and tables and sequences of a known distribution."""

from tabgan.datasets.adult import load_adult
from tabgan.datasets.markov import make_markov_sequences
from tabgan.datasets.mixed_table import make_mixed_table
from tabgan.datasets.prices import make_prices
from tabgan.datasets.waves import make_waves

__all__ = ["load_adult", "make_markov_sequences", "make_mixed_table", "make_prices", "make_waves"]
