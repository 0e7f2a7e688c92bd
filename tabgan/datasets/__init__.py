"""Tables to try things on: one that is real, and others made so that the truth is known."""

from tabgan.datasets.adult import load_adult
from tabgan.datasets.markov import make_markov_sequences
from tabgan.datasets.mixed_table import make_mixed_table
from tabgan.datasets.waves import make_waves

__all__ = ["load_adult", "make_markov_sequences", "make_mixed_table", "make_waves"]
